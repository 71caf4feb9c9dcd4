/* Tokens into a tree: recursive descent with precedence climbing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics/promql/functions.h"

enum {
    DEPTH_MAX = 200
};

struct parser {
    struct lexer lex;
    struct token t; /* the one looked at */
    size_t last_end;
    bool experimental;
    unsigned depth;
    struct arena *a;
    struct err_info *info;
};

static enum err parse_expr(struct parser *p, unsigned min_precedence, struct node **ret_n);

static enum err fail(struct parser *p, size_t pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
static enum err fail(struct parser *p, size_t pos, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return parse_error(p->lex.text, pos, p->info, "%s", text);
}

static enum err advance(struct parser *p)
{
    p->last_end = p->t.end;
    return lex_next(&p->lex, &p->t);
}

/* "unexpected <kind> \"text\" in <context>" as Prometheus words it. */
static enum err unexpected(struct parser *p, const char *context, const char *expected)
{
    char what[120];
    const struct token *t = &p->t;
    int n = t->text.n > 60 ? 60 : (int)t->text.n;
    if (t->kind == T_END) {
        snprintf(what, sizeof(what), "end of input");
    } else if (t->kind == T_STRING) {
        snprintf(what, sizeof(what), "string %.*s", n, t->text.p);
    } else if (t->kind == T_NUMBER) {
        snprintf(what, sizeof(what), "number \"%.*s\"", n, t->text.p);
    } else if (t->kind == T_DURATION) {
        snprintf(what, sizeof(what), "duration \"%.*s\"", n, t->text.p);
    } else if (t->kind == T_WORD) {
        snprintf(what, sizeof(what), "identifier \"%.*s\"", n, t->text.p);
    } else if (t->kind >= T_ADD && t->kind != T_EQ) {
        snprintf(what, sizeof(what), "<op:%.*s>", n, t->text.p);
    } else {
        snprintf(what, sizeof(what), "\"%.*s\"", n, t->text.p);
    }
    return fail(p, t->pos, "unexpected %s in %s%s%s", what, context, expected ? ", expected " : "",
                expected ? expected : "");
}

static enum err expect(struct parser *p, enum token_kind k, const char *context, const char *expected)
{
    return p->t.kind == k ? advance(p) : unexpected(p, context, expected);
}

static struct node *new_node(struct parser *p, enum node_kind kind, size_t pos)
{
    struct node *n = arena_zalloc(p->a, sizeof(*n));
    if (n) {
        n->kind = kind;
        n->pos = pos;
    }
    return n;
}

static enum err no_memory(struct parser *p)
{
    return err_set(p->info, arena_err(p->a), "not enough memory to parse the query");
}

/* -- words ----------------------------------------------------------------------------------------------- */

static const char *const aggregate_names[AGG_OP_COUNT] = {
    "sum",    "avg",  "min",     "max",          "count",    "group",  "stddev",
    "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};

const char *aggregate_op_text(enum aggregate_op op)
{
    return aggregate_names[op];
}

static bool aggregate_of(const struct token *t, enum aggregate_op *ret_op)
{
    for (size_t i = 0; i < AGG_OP_COUNT; i++) {
        if (word_is(t, aggregate_names[i])) {
            *ret_op = (enum aggregate_op)i;
            return true;
        }
    }
    return false;
}

static const char *const op_names[OP_COUNT] = {
    "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless"};

const char *binary_op_text(enum binary_op op)
{
    return op_names[op];
}

static const unsigned char op_precedence[OP_COUNT] = {4, 4, 5, 5, 5, 6, 5, 3, 3, 3, 3, 3, 3, 2, 1, 2};

static bool op_of(const struct token *t, enum binary_op *ret_op)
{
    static const struct {
        enum token_kind kind;
        enum binary_op op;
    } kinds[] = {{T_ADD, OP_ADD}, {T_SUB, OP_SUB}, {T_MUL, OP_MUL}, {T_DIV, OP_DIV},
                 {T_MOD, OP_MOD}, {T_POW, OP_POW}, {T_EQL, OP_EQ},  {T_NEQ, OP_NEQ},
                 {T_LT, OP_LT},   {T_LE, OP_LE},   {T_GT, OP_GT},   {T_GE, OP_GE}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (t->kind == kinds[i].kind) {
            *ret_op = kinds[i].op;
            return true;
        }
    }
    static const enum binary_op words[] = {OP_ATAN2, OP_AND, OP_OR, OP_UNLESS};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (word_is(t, op_names[words[i]])) {
            *ret_op = words[i];
            return true;
        }
    }
    return false;
}

/* -- durations ------------------------------------------------------------------------------------------- */

static enum err signed_duration(struct parser *p, int64_t *ret_ms)
{
    double sign = 1;
    enum err e = ERR_OK;
    while (!e && (p->t.kind == T_SUB || p->t.kind == T_ADD)) {
        sign = p->t.kind == T_SUB ? -sign : sign;
        e = advance(p);
    }
    if (e) {
        return e;
    }
    if (p->t.kind != T_NUMBER && p->t.kind != T_DURATION) {
        return unexpected(p, "offset or range", "number or duration");
    }
    double ms = sign * p->t.value * 1000;
    if (!(fabs(ms) < 9.2e15)) {
        return fail(p, p->t.pos, "duration out of range");
    }
    *ret_ms = (int64_t)llround(ms);
    return advance(p);
}

static enum err positive_duration(struct parser *p, int64_t *ret_ms)
{
    size_t pos = p->t.pos;
    enum err e = signed_duration(p, ret_ms);
    return e || *ret_ms > 0 ? e : fail(p, pos, "duration must be greater than 0");
}

/* -- selectors ------------------------------------------------------------------------------------------- */

static enum err add_matcher(struct parser *p, struct node *n, size_t *cap, enum matcher_op op,
                            struct str name, struct str value, size_t pos)
{
    struct err_info why = {0};
    enum err e = arena_reserve(p->a, (void **)&n->matchers, cap, n->matcher_count + 1, sizeof(*n->matchers));
    if (e) {
        return e;
    }
    e = matcher_init(&n->matchers[n->matcher_count], op, name, value, &why);
    if (e == ERR_INVALID) {
        return fail(p, pos, "%s", why.message);
    }
    n->matcher_count += !e;
    return e;
}

static enum err one_matcher(struct parser *p, struct node *n, size_t *cap)
{
    static const struct {
        enum token_kind kind;
        enum matcher_op op;
    } ops[] = {{T_EQ, MATCH_EQ}, {T_NEQ, MATCH_NEQ}, {T_RE, MATCH_RE}, {T_NRE, MATCH_NRE}};
    struct token name = p->t;
    bool quoted = name.kind == T_STRING;
    if (name.kind != T_WORD && !quoted) {
        return unexpected(p, "label matching", "identifier or \"}\"");
    }
    if (!quoted && str_find_char(name.text, ':', 0) != STR_NPOS) {
        return unexpected(p, "label matching", "identifier or \"}\"");
    }
    enum err e = advance(p);
    if (e) {
        return e;
    }
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (p->t.kind != ops[i].kind) {
            continue;
        }
        e = advance(p);
        if (e) {
            return e;
        }
        if (p->t.kind != T_STRING) {
            return unexpected(p, "label matching", "string");
        }
        e = add_matcher(p, n, cap, ops[i].op, quoted ? name.string : name.text, p->t.string, p->t.pos);
        return e ? e : advance(p);
    }
    if (!quoted) {
        return unexpected(p, "label matching", "label matching operator");
    }
    if (n->string.p) {
        return fail(p, name.pos, "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                    STR_FMT(n->string), STR_FMT(name.string));
    }
    n->string = name.string;
    return add_matcher(p, n, cap, MATCH_EQ, LABEL_METRIC_NAME, name.string, name.pos);
}

static enum err parse_selector(struct parser *p, struct str name, size_t pos, struct node **ret_n)
{
    struct node *n = new_node(p, N_SELECTOR, pos);
    size_t cap = 0;
    enum err e = n ? ERR_OK : no_memory(p);
    if (!e && name.p) {
        n->string = name;
        e = add_matcher(p, n, &cap, MATCH_EQ, LABEL_METRIC_NAME, name, pos);
    }
    if (!e && p->t.kind == T_LBRACE) {
        e = advance(p);
        while (!e && p->t.kind != T_RBRACE) {
            e = one_matcher(p, n, &cap);
            if (!e && p->t.kind == T_COMMA) {
                e = advance(p);
            } else if (!e && p->t.kind != T_RBRACE) {
                e = unexpected(p, "label matching", "\",\" or \"}\"");
            }
        }
        e = e ? e : advance(p);
    }
    if (e) {
        tree_done(n);
        return e;
    }
    n->end = p->last_end;
    bool any = false, name_twice = false;
    for (size_t i = 0; i < n->matcher_count; i++) {
        any |= !matcher_matches_empty(&n->matchers[i]);
        name_twice |= i > 0 && name.p && n->matchers[i].op == MATCH_EQ &&
                      str_eq(n->matchers[i].name, LABEL_METRIC_NAME);
    }
    if (name_twice) {
        e = fail(p, pos, "metric name must not be set twice: \"%.*s\" or \"...\"", STR_FMT(name));
    } else if (!any) {
        e = fail(p, pos, "vector selector must contain at least one non-empty matcher");
    }
    if (e) {
        tree_done(n);
        return e;
    }
    *ret_n = n;
    return ERR_OK;
}

/* -- lists of names -------------------------------------------------------------------------------------- */

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err name_list(struct parser *p, const char *context, struct str **ret_names, size_t *ret_n)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    enum err e = expect(p, T_LPAREN, context, "\"(\"");
    while (!e && p->t.kind != T_RPAREN) {
        if (p->t.kind != T_WORD && p->t.kind != T_STRING) {
            return unexpected(p, context, "label");
        }
        e = arena_reserve(p->a, (void **)&names, &cap, n + 1, sizeof(*names));
        if (!e) {
            names[n++] = p->t.kind == T_STRING ? p->t.string : p->t.text;
            e = advance(p);
        }
        if (!e && p->t.kind == T_COMMA) {
            e = advance(p);
        } else if (!e && p->t.kind != T_RPAREN) {
            return unexpected(p, context, "\",\" or \")\"");
        }
    }
    e = e ? e : advance(p);
    if (!e && n > 1) {
        qsort(names, n, sizeof(*names), compare_str);
    }
    *ret_names = names;
    *ret_n = n;
    return e;
}

/* -- calls and aggregates -------------------------------------------------------------------------------- */

static enum err argument_list(struct parser *p, const char *context, struct node *n)
{
    enum err e = expect(p, T_LPAREN, context, "\"(\"");
    while (!e && p->t.kind != T_RPAREN) {
        if (n->arg_count == ARRAY_LEN(n->args)) {
            return fail(p, p->t.pos, "too many arguments: at most %zu are taken", ARRAY_LEN(n->args));
        }
        e = parse_expr(p, 0, &n->args[n->arg_count]);
        n->arg_count += !e;
        if (!e && p->t.kind == T_COMMA) {
            e = advance(p);
            if (!e && p->t.kind == T_RPAREN) {
                return fail(p, p->t.pos, "trailing commas not allowed in function call args");
            }
        } else if (!e && p->t.kind != T_RPAREN) {
            return unexpected(p, context, "\",\" or \")\"");
        }
    }
    return e ? e : advance(p);
}

static enum err grouping(struct parser *p, struct node *n, bool *seen)
{
    bool by = word_is(&p->t, "by");
    if (*seen || (!by && !word_is(&p->t, "without"))) {
        return ERR_OK;
    }
    *seen = true;
    n->without = !by;
    enum err e = advance(p);
    return e ? e : name_list(p, "grouping opts", &n->names, &n->name_count);
}

static enum err parse_aggregate(struct parser *p, enum aggregate_op op, size_t pos, struct node **ret_n)
{
    struct node *n = new_node(p, N_AGGREGATE, pos);
    bool grouped = false;
    if (!n) {
        return no_memory(p);
    }
    n->aggregate = op;
    if (op >= AGG_LIMITK && !p->experimental) {
        return fail(
            p, pos,
            "%s() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
            aggregate_op_text(op));
    }
    enum err e = grouping(p, n, &grouped);
    e = e ? e : argument_list(p, "aggregation", n);
    e = e ? e : grouping(p, n, &grouped);
    if (e) {
        tree_done(n);
        return e;
    }
    size_t want = aggregate_has_param(op) ? 2 : 1;
    n->end = p->last_end;
    if (n->arg_count != want) {
        e = fail(p, pos, "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
                 want, n->arg_count);
        tree_done(n);
        return e;
    }
    if (want == 2) {
        n->param = n->args[0];
        n->args[0] = n->args[1];
        n->arg_count = 1;
        n->args[1] = NULL;
    }
    *ret_n = n;
    return ERR_OK;
}

static enum err parse_call(struct parser *p, struct token name, struct node **ret_n)
{
    struct node *n = new_node(p, N_CALL, name.pos);
    if (!n) {
        return no_memory(p);
    }
    n->function = function_find(name.text);
    if (!n->function) {
        return fail(p, name.pos, "unknown function with name \"%.*s\"", STR_FMT(name.text));
    }
    if (n->function->experimental && !p->experimental) {
        return fail(p, name.pos, "function \"%.*s\" is not enabled", STR_FMT(name.text));
    }
    enum err e = argument_list(p, "function call", n);
    if (e) {
        tree_done(n);
        return e;
    }
    n->end = p->last_end;
    *ret_n = n;
    return ERR_OK;
}

/* -- primaries and what follows them --------------------------------------------------------------------- */

static enum err parse_primary(struct parser *p, struct node **ret_n)
{
    struct token t = p->t;
    struct node *n;
    enum aggregate_op op;
    enum err e;
    switch ((int)t.kind) {
    case T_NUMBER:
    case T_DURATION:
    case T_STRING:
        n = new_node(p, t.kind == T_STRING ? N_STRING : N_NUMBER, t.pos);
        if (!n) {
            return no_memory(p);
        }
        n->number = t.value;
        n->string = t.string;
        n->as_duration = t.kind == T_DURATION;
        n->end = t.end;
        *ret_n = n;
        return advance(p);
    case T_LPAREN:
        n = new_node(p, N_PAREN, t.pos);
        e = n ? advance(p) : no_memory(p);
        e = e ? e : parse_expr(p, 0, &n->args[0]);
        if (!e) {
            n->arg_count = 1;
            e = expect(p, T_RPAREN, "parenthesized expression", "\")\"");
            n->end = p->last_end;
        }
        if (e) {
            tree_done(n);
            return e;
        }
        *ret_n = n;
        return ERR_OK;
    case T_LBRACE:
        return parse_selector(p, (struct str){0}, t.pos, ret_n);
    case T_WORD:
        break;
    default:
        return unexpected(p, p->t.kind == T_END ? "query" : "expression", NULL);
    }
    e = advance(p);
    if (e) {
        return e;
    }
    bool calls = p->t.kind == T_LPAREN;
    if (aggregate_of(&t, &op) && (calls || word_is(&p->t, "by") || word_is(&p->t, "without"))) {
        return parse_aggregate(p, op, t.pos, ret_n);
    }
    if (calls) {
        return parse_call(p, t, ret_n);
    }
    if (str_ieq(t.text, STR("inf")) || str_ieq(t.text, STR("nan"))) {
        n = new_node(p, N_NUMBER, t.pos);
        if (!n) {
            return no_memory(p);
        }
        n->number = str_ieq(t.text, STR("inf")) ? (double)INFINITY : (double)NAN;
        n->end = t.end;
        *ret_n = n;
        return ERR_OK;
    }
    static const char *const reserved[] = {"bool", "on", "ignoring", "group_left", "group_right"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (word_is(&t, reserved[i])) {
            return fail(p, t.pos, "unexpected <%s>", reserved[i]);
        }
    }
    return parse_selector(p, t.text, t.pos, ret_n);
}

static struct node *timed_node(struct node *n)
{
    if (n->kind == N_MATRIX) {
        return n->args[0];
    }
    return n->kind == N_SELECTOR || n->kind == N_SUBQUERY ? n : NULL;
}

static enum err parse_offset(struct parser *p, struct node *n)
{
    struct node *on = timed_node(n);
    size_t pos = p->t.pos;
    enum err e = advance(p);
    if (!on) {
        return fail(p, pos,
                    "offset modifier must be preceded by an instant vector selector or range vector selector "
                    "or a subquery");
    }
    if (on->offset_ms) {
        return fail(p, pos, "offset may not be set multiple times");
    }
    return e ? e : signed_duration(p, &on->offset_ms);
}

static enum err parse_at(struct parser *p, struct node *n)
{
    struct node *on = timed_node(n);
    size_t pos = p->t.pos;
    double sign = 1;
    enum err e = advance(p);
    if (e) {
        return e;
    }
    if (!on) {
        return fail(p, pos,
                    "@ modifier must be preceded by an instant vector selector or range vector selector or a "
                    "subquery");
    }
    if (on->at) {
        return fail(p, pos, "@ <timestamp> may not be set multiple times");
    }
    if (word_is(&p->t, "start") || word_is(&p->t, "end")) {
        on->at = word_is(&p->t, "start") ? AT_START : AT_END;
        e = advance(p);
        e = e ? e : expect(p, T_LPAREN, "@", "\"(\"");
        return e ? e : expect(p, T_RPAREN, "@", "\")\"");
    }
    while (!e && (p->t.kind == T_SUB || p->t.kind == T_ADD)) {
        sign = p->t.kind == T_SUB ? -sign : sign;
        e = advance(p);
    }
    if (!e && p->t.kind != T_NUMBER && p->t.kind != T_DURATION) {
        return unexpected(p, "@", "timestamp");
    }
    if (!e && !(fabs(p->t.value) < 9.2e15)) {
        return fail(p, p->t.pos, "timestamp out of bounds for @ modifier: %f", sign * p->t.value);
    }
    on->at = AT_TIME;
    on->at_ms = (ts_ms)llround(sign * p->t.value * 1000);
    return e ? e : advance(p);
}

static enum err parse_range(struct parser *p, struct node **n)
{
    size_t pos = p->t.pos;
    int64_t range = 0, step = 0;
    enum err e = advance(p);
    e = e ? e : positive_duration(p, &range);
    bool subquery = !e && p->t.kind == T_COLON;
    if (subquery) {
        e = advance(p);
        if (!e && p->t.kind != T_RBRACKET) {
            e = positive_duration(p, &step);
        }
    }
    e = e ? e : expect(p, T_RBRACKET, subquery ? "subquery or range" : "matrix selector", "\"]\"");
    if (e) {
        return e;
    }
    if (!subquery && (*n)->kind != N_SELECTOR) {
        return fail(p, pos, "ranges only allowed for vector selectors");
    }
    if (!subquery && ((*n)->offset_ms || (*n)->at)) {
        return fail(p, pos, "no %s modifiers allowed before range", (*n)->offset_ms ? "offset" : "@");
    }
    struct node *r = new_node(p, subquery ? N_SUBQUERY : N_MATRIX, (*n)->pos);
    if (!r) {
        return no_memory(p);
    }
    r->args[0] = *n;
    r->arg_count = 1;
    r->range_ms = range;
    r->step_ms = step;
    *n = r;
    return ERR_OK;
}

static enum err parse_postfix(struct parser *p, struct node **ret_n)
{
    struct node *n = NULL;
    enum err e = parse_primary(p, &n);
    while (!e) {
        if (p->t.kind == T_LBRACKET) {
            e = parse_range(p, &n);
        } else if (word_is(&p->t, "offset")) {
            e = parse_offset(p, n);
        } else if (p->t.kind == T_AT) {
            e = parse_at(p, n);
        } else {
            n->end = p->last_end;
            *ret_n = n;
            return ERR_OK;
        }
    }
    tree_done(n);
    return e;
}

static enum err parse_unary(struct parser *p, struct node **ret_n)
{
    if (p->t.kind != T_SUB && p->t.kind != T_ADD) {
        return parse_postfix(p, ret_n);
    }
    bool minus = p->t.kind == T_SUB;
    struct node *n = new_node(p, N_UNARY, p->t.pos), *inner = NULL;
    enum err e = n ? advance(p) : no_memory(p);
    /* Binds like *, so that -2^2 is -(2^2). */
    e = e ? e : parse_expr(p, 6, &inner);
    if (e) {
        return e;
    }
    if (minus && inner->kind == N_NUMBER) {
        inner->number = -inner->number;
        inner->pos = n->pos;
        *ret_n = inner;
        return ERR_OK;
    }
    n->args[0] = inner;
    n->arg_count = 1;
    n->number = minus ? -1 : 1;
    n->end = inner->end;
    *ret_n = n;
    return ERR_OK;
}

/* -- binary ---------------------------------------------------------------------------------------------- */

static enum err binary_modifiers(struct parser *p, struct node *n)
{
    enum err e = ERR_OK;
    if (word_is(&p->t, "bool")) {
        if (!op_is_comparison(n->op)) {
            return fail(p, p->t.pos, "bool modifier can only be used on comparison operators");
        }
        n->return_bool = true;
        e = advance(p);
    }
    if (!e && (word_is(&p->t, "on") || word_is(&p->t, "ignoring"))) {
        n->matching = true;
        n->on = word_is(&p->t, "on");
        e = advance(p);
        e = e ? e : name_list(p, "grouping opts", &n->names, &n->name_count);
        bool left = !e && word_is(&p->t, "group_left"), right = !e && word_is(&p->t, "group_right");
        if (left || right) {
            size_t pos = p->t.pos;
            if (op_is_set(n->op)) {
                return fail(p, pos, "no grouping allowed for \"%s\" operation", binary_op_text(n->op));
            }
            n->card = left ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
            e = advance(p);
            if (!e && p->t.kind == T_LPAREN) {
                e = name_list(p, "grouping opts", &n->include, &n->include_count);
            }
            for (size_t i = 0; !e && n->on && i < n->include_count; i++) {
                for (size_t k = 0; k < n->name_count && !e; k++) {
                    if (str_eq(n->include[i], n->names[k])) {
                        e = fail(p, pos, "label \"%.*s\" must not occur in ON and GROUP clause at once",
                                 STR_FMT(n->names[k]));
                    }
                }
            }
        }
    }
    if (op_is_set(n->op)) {
        n->card = CARD_MANY_TO_MANY;
    }
    return e;
}

static enum err parse_expr(struct parser *p, unsigned min_precedence, struct node **ret_n)
{
    struct node *left = NULL;
    enum binary_op op;
    if (++p->depth > DEPTH_MAX) {
        return fail(p, p->t.pos, "the expression is nested too deep: at most %d levels", DEPTH_MAX);
    }
    enum err e = parse_unary(p, &left);
    while (!e && op_of(&p->t, &op) && op_precedence[op] >= min_precedence) {
        struct node *n = new_node(p, N_BINARY, left->pos), *right = NULL;
        if (!n) {
            e = no_memory(p);
            break;
        }
        n->op = op;
        e = advance(p);
        e = e ? e : binary_modifiers(p, n);
        e = e ? e : parse_expr(p, op == OP_POW ? op_precedence[op] : op_precedence[op] + 1u, &right);
        if (!e) {
            n->args[0] = left;
            n->args[1] = right;
            n->arg_count = 2;
            n->end = right->end;
            left = n;
        }
    }
    p->depth--;
    if (e) {
        tree_done(left);
        return e;
    }
    *ret_n = left;
    return ERR_OK;
}

void tree_done(struct node *n)
{
    if (!n) {
        return;
    }
    for (size_t i = 0; i < n->matcher_count; i++) {
        matcher_done(&n->matchers[i]);
    }
    n->matcher_count = 0;
    for (size_t i = 0; i < n->arg_count; i++) {
        tree_done(n->args[i]);
    }
    tree_done(n->param);
}

enum err promql_parse(struct str text, bool experimental, struct arena *a, struct node **ret_root,
                      struct err_info *reterr_info)
{
    struct parser p = {.lex = {.text = text, .arena = a, .info = reterr_info},
                       .experimental = experimental,
                       .a = a,
                       .info = reterr_info};
    struct node *root = NULL;
    enum err e = lex_next(&p.lex, &p.t);
    if (!e && p.t.kind == T_END) {
        return fail(&p, 0, "no expression found in input");
    }
    e = e ? e : parse_expr(&p, 0, &root);
    if (!e && p.t.kind != T_END) {
        e = unexpected(&p, "query", NULL);
        if (e) {
            tree_done(root);
            return e;
        }
    }
    if (e) {
        return e;
    }
    e = promql_check_tree(text, root, experimental, reterr_info);
    if (e) {
        tree_done(root);
        return e;
    }
    *ret_root = root;
    return ERR_OK;
}
