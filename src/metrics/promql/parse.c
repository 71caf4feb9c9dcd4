/* Tokens into a tree: recursive descent with precedence climbing.
 *
 * Errors read as the original's: its grammar gives words to some rules ("in aggregation, expected ..."), and
 * the innermost such rule under way names the place. `context` follows them. A token is read only when a rule
 * must know it, because an error of the lexer comes before errors found later. */
#include <stdio.h>

#include "base/clock.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/parse_int.h"

enum {
    DEPTH_MAX = 400,
    HEIGHT_MAX = 2000, /* of a chain like a + b + c ...: the walks over the tree recurse */
    TOKEN_RUNES_SHOWN = 10
};

/* -- tokens ---------------------------------------------------------------------------------------------- */

const struct token *parse_peek(struct parser *p)
{
    if (!p->have) {
        p->t = lex_next(&p->lex);
        p->have = true;
    }
    return &p->t;
}

struct token parse_take(struct parser *p)
{
    struct token t = *parse_peek(p);
    p->have = false;
    p->last_end = t.end;
    return t;
}

bool parse_is_op(struct parser *p, enum binary_op op)
{
    return parse_peek(p)->kind == T_BINARY && parse_peek(p)->number == (int)op;
}

enum err parse_fail(struct parser *p, size_t pos, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return parse_error(p->lex.text, pos, p->info, "%s", text);
}

enum err parse_no_memory(struct parser *p)
{
    enum err e = arena_err(p->a);
    return err_set(p->info, e ? e : ERR_OOM, "not enough memory to parse the query");
}

/* The word as shown: at most ten runes of it when it is no name. */
static struct str shown_word(struct buf *b, const struct token *t, bool whole)
{
    size_t end = 0;
    for (unsigned runes = 0; end < t->text.n && (whole || runes < TOKEN_RUNES_SHOWN); runes++) {
        end++;
        while (end < t->text.n && ((unsigned char)t->text.p[end] & 0xc0) == 0x80) {
            end++;
        }
    }
    quoted(b, str_slice(t->text, 0, whole ? t->text.n : end));
    if (!whole && t->text.n > TOKEN_RUNES_SHOWN) {
        buf_c(b, "...");
    }
    return buf_view(b);
}

static void describe(struct buf *out, const struct token *t)
{
    static const struct {
        enum token_kind kind;
        const char *name;
    } kinds[] = {{T_NUMBER, "number "},
                 {T_DURATION, "duration "},
                 {T_STRING, "string "},
                 {T_IDENTIFIER, "identifier "},
                 {T_METRIC_IDENTIFIER, "metric identifier "}};
    struct buf word AUTO_BUF = {0};
    bool name = t->kind == T_IDENTIFIER || t->kind == T_METRIC_IDENTIFIER;
    if (t->kind == T_END) {
        buf_c(out, "end of input");
        return;
    }
    bool op = t->kind == T_BINARY || t->kind == T_AT || t->kind == T_RE || t->kind == T_NRE;
    if (op || t->kind == T_AGGREGATE || (t->kind >= T_BOOL && t->kind <= T_WITHOUT)) {
        buf_printf(out, "<%s%.*s>", op ? "op:" : t->kind == T_AGGREGATE ? "aggr:" : "", STR_FMT(t->text));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (t->kind == kinds[i].kind) {
            buf_c(out, kinds[i].name);
        }
    }
    buf_str(out, shown_word(&word, t, name));
}

enum err parse_unexpected(struct parser *p)
{
    struct buf b AUTO_BUF = {0};
    const struct token *t = parse_peek(p);
    if (t->kind == T_ERROR) {
        return ERR_INVALID; /* the lexer has said why */
    }
    describe(&b, t);
    if (p->context.in) {
        buf_printf(&b, " in %s", p->context.in);
    }
    if (p->context.expected) {
        buf_printf(&b, ", expected %s", p->context.expected);
    }
    return parse_fail(p, t->pos, "unexpected %.*s", STR_FMT(buf_view(&b)));
}

enum err parse_unexpected_in(struct parser *p, const char *in, const char *expected)
{
    p->context = (struct parse_context){in, expected};
    return parse_unexpected(p);
}

enum err parse_expect(struct parser *p, enum token_kind kind)
{
    if (parse_peek(p)->kind != kind) {
        return parse_unexpected(p);
    }
    (void)parse_take(p);
    return ERR_OK;
}

enum err parse_nest(struct parser *p)
{
    return ++p->depth > DEPTH_MAX
               ? parse_fail(p, parse_peek(p)->pos,
                            "the expression is nested too deep: at most %d levels are taken", DEPTH_MAX)
               : ERR_OK;
}

/* -- nodes ----------------------------------------------------------------------------------------------- */

struct node *parse_node(struct parser *p, enum node_kind kind, size_t pos)
{
    struct node *n = arena_zalloc(p->a, sizeof(*n));
    if (n) {
        n->kind = kind;
        n->pos = pos;
    }
    return n;
}

enum err node_add_arg(struct parser *p, struct node *n, struct node *arg)
{
    if (arena_reserve(p->a, (void **)&n->args, &n->arg_cap, n->arg_count + 1, sizeof(struct node *))) {
        return parse_no_memory(p);
    }
    n->args[n->arg_count++] = arg;
    n->height = arg && arg->height >= n->height ? arg->height + 1 : n->height;
    if (n->height > HEIGHT_MAX) {
        return parse_fail(p, p->last_end,
                          "the expression is too long: at most %d operators in a row are taken", HEIGHT_MAX);
    }
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

/* -- lists of names -------------------------------------------------------------------------------------- */

static bool label_ahead(struct parser *p)
{
    const struct token *t = parse_peek(p);
    bool word = t->kind == T_IDENTIFIER || t->kind == T_METRIC_IDENTIFIER || t->kind >= T_AGGREGATE ||
                (t->kind == T_BINARY && t->number >= OP_AND) || parse_is_op(p, OP_ATAN2);
    return (word && t->kind != T_WITHOUT) || t->kind == T_STRING;
}

static enum err one_name(struct parser *p, struct str *ret_name)
{
    static const struct parse_context label = {"grouping opts", "label"};
    if (!label_ahead(p)) {
        return parse_unexpected_in(p, label.in, label.expected);
    }
    struct token t = parse_take(p);
    struct buf shown AUTO_BUF = {0};
    *ret_name = t.text;
    enum err e = t.kind == T_STRING ? parse_string(p, &t, ret_name) : ERR_OK;
    if (!e && (ret_name->n == 0 || !str_utf8_valid(*ret_name))) {
        return parse_fail(p, t.pos, "invalid label name for grouping: %.*s",
                          STR_FMT(quoted(&shown, *ret_name)));
    }
    return e;
}

static enum err name_list(struct parser *p, struct str **ret_names, size_t *ret_n)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    if (parse_peek(p)->kind != T_LPAREN) {
        return parse_unexpected_in(p, "grouping opts", "\"(\"");
    }
    (void)parse_take(p);
    enum err e = ERR_OK;
    while (!e && parse_peek(p)->kind != T_RPAREN) {
        if (arena_reserve(p->a, (void **)&names, &cap, n + 1, sizeof(*names))) {
            return parse_no_memory(p);
        }
        e = one_name(p, &names[n]);
        n += !e;
        if (!e && parse_peek(p)->kind == T_COMMA) {
            (void)parse_take(p);
        } else if (!e && parse_peek(p)->kind != T_RPAREN) {
            return parse_unexpected_in(p, "grouping opts", "\",\" or \")\"");
        }
    }
    *ret_names = names;
    *ret_n = n;
    return e ? e : parse_expect(p, T_RPAREN);
}

/* -- calls and aggregates -------------------------------------------------------------------------------- */

/* What may begin an expression. */
static bool expr_ahead(struct parser *p)
{
    const struct token *t = parse_peek(p);
    switch ((int)t->kind) {
    case T_NUMBER:
    case T_DURATION:
    case T_STRING:
    case T_LPAREN:
    case T_LBRACE:
    case T_IDENTIFIER:
    case T_METRIC_IDENTIFIER:
        return true;
    case T_BINARY:
        return t->number == OP_ADD || t->number == OP_SUB || t->number >= OP_AND;
    case T_BOOL:
    case T_ON:
    case T_IGNORING:
    case T_GROUP_LEFT:
    case T_GROUP_RIGHT:
        return false;
    default:
        return t->kind >= T_AGGREGATE;
    }
}

static enum err argument_list(struct parser *p, struct node *n)
{
    enum err e = parse_expect(p, T_LPAREN);
    if (!e && parse_peek(p)->kind == T_RPAREN) {
        (void)parse_take(p);
        return ERR_OK;
    }
    while (!e) {
        struct node *arg = NULL;
        e = parse_expr(p, 0, &arg);
        if (!e) {
            e = node_add_arg(p, n, arg);
            if (e) {
                tree_done(arg);
            }
        }
        if (e || parse_peek(p)->kind != T_COMMA) {
            break;
        }
        struct token comma = parse_take(p);
        if (!expr_ahead(p) && parse_peek(p)->kind != T_ERROR) {
            return parse_fail(p, comma.pos, "trailing commas not allowed in function call args");
        }
    }
    return e ? e : parse_expect(p, T_RPAREN);
}

static enum err grouping(struct parser *p, struct node *n)
{
    n->without = parse_take(p).kind == T_WITHOUT;
    return name_list(p, &n->names, &n->name_count);
}

static bool grouping_ahead(struct parser *p)
{
    return parse_peek(p)->kind == T_BY || parse_peek(p)->kind == T_WITHOUT;
}

/* The parsed arguments become parameter and operand. */
static enum err settle_aggregate(struct parser *p, struct node *n)
{
    size_t want = aggregate_has_param(n->aggregate) ? 2 : 1;
    if (n->arg_count == 0) {
        return parse_fail(p, n->pos, "no arguments for aggregate expression provided");
    }
    if (n->aggregate >= AGG_LIMITK && !p->options.experimental) {
        return parse_fail(
            p, n->pos,
            "%s() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
            aggregate_op_text(n->aggregate));
    }
    if (n->arg_count != want) {
        return parse_fail(
            p, n->pos, "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            want, n->arg_count);
    }
    if (want == 2) {
        n->param = n->args[0];
        n->args[0] = n->args[1];
        n->arg_count = 1;
    }
    return ERR_OK;
}

static enum err parse_aggregate(struct parser *p, struct token op, struct node **ret_n)
{
    struct parse_context outer = p->context;
    struct node *n = parse_node(p, N_AGGREGATE, op.pos);
    if (!n) {
        return parse_no_memory(p);
    }
    *ret_n = n;
    n->aggregate = (enum aggregate_op)op.number;
    p->context = (struct parse_context){"aggregation", NULL};
    bool before = grouping_ahead(p);
    enum err e = before ? grouping(p, n) : ERR_OK;
    e = e ? e : argument_list(p, n);
    n->end = p->last_end;
    if (!e && !before && grouping_ahead(p)) {
        e = grouping(p, n);
        n->end = p->last_end;
    } else if (!e && !before && parse_peek(p)->kind == T_ERROR) {
        e = ERR_INVALID; /* the lexer has said why */
    }
    p->context = outer;
    return e ? e : settle_aggregate(p, n);
}

static enum err parse_call(struct parser *p, struct token name, struct node **ret_n)
{
    struct buf shown AUTO_BUF = {0};
    struct node *n = parse_node(p, N_CALL, name.pos);
    if (!n) {
        return parse_no_memory(p);
    }
    *ret_n = n;
    enum err e = argument_list(p, n);
    if (e) {
        return e;
    }
    n->end = p->last_end;
    n->function = function_find(name.text);
    if (!n->function) {
        return parse_fail(p, name.pos, "unknown function with name %.*s", STR_FMT(quoted(&shown, name.text)));
    }
    if (n->function->experimental && !p->options.experimental) {
        return parse_fail(p, name.pos, "function %.*s is not enabled", STR_FMT(quoted(&shown, name.text)));
    }
    return ERR_OK;
}

/* -- primaries ------------------------------------------------------------------------------------------- */

static enum err parse_text(struct parser *p, struct node **ret_n)
{
    struct token t = parse_take(p);
    struct node *n = parse_node(p, N_STRING, t.pos);
    if (!n) {
        return parse_no_memory(p);
    }
    n->end = t.end;
    *ret_n = n;
    return parse_string(p, &t, &n->string);
}

static enum err parse_paren(struct parser *p, struct node **ret_n)
{
    struct token t = parse_take(p);
    struct node *n = parse_node(p, N_PAREN, t.pos), *inner = NULL;
    if (!n) {
        return parse_no_memory(p);
    }
    *ret_n = n;
    enum err e = parse_expr(p, 0, &inner);
    if (!e) {
        e = node_add_arg(p, n, inner);
        if (e) {
            tree_done(inner);
        }
    }
    e = e ? e : parse_expect(p, T_RPAREN);
    n->end = p->last_end;
    return e;
}

enum err parse_primary(struct parser *p, struct node **ret_n)
{
    const struct token *t = parse_peek(p);
    if (!expr_ahead(p)) {
        return parse_unexpected(p);
    }
    switch ((int)t->kind) {
    case T_NUMBER:
    case T_DURATION:
        return parse_literal(p, ret_n);
    case T_STRING:
        return parse_text(p, ret_n);
    case T_LPAREN:
        return parse_paren(p, ret_n);
    case T_LBRACE:
        return parse_selector(p, ret_n);
    default:
        break;
    }
    /* a word: whether it calls depends on what follows, but the selector wants it too */
    struct lexer after = p->lex;
    struct token word = *t;
    struct err_info unused;
    after.info = &unused;
    enum token_kind follows = lex_next(&after).kind;
    bool calls = word.kind == T_IDENTIFIER || (word.kind >= T_START && word.kind <= T_MIN_OF);
    if (word.kind == T_AGGREGATE && (follows == T_LPAREN || follows == T_BY || follows == T_WITHOUT)) {
        (void)parse_take(p);
        return parse_aggregate(p, word, ret_n);
    }
    if (calls && follows == T_LPAREN) {
        (void)parse_take(p);
        return parse_call(p, word, ret_n);
    }
    return parse_selector(p, ret_n);
}

/* -- operators ------------------------------------------------------------------------------------------- */

static const unsigned char op_precedence[OP_COUNT] = {
    [OP_OR] = 1,  [OP_AND] = 2, [OP_UNLESS] = 2, [OP_EQ] = 3,         [OP_NEQ] = 3,        [OP_LT] = 3,
    [OP_LE] = 3,  [OP_GT] = 3,  [OP_GE] = 3,     [OP_TRIM_UPPER] = 3, [OP_TRIM_LOWER] = 3, [OP_ADD] = 4,
    [OP_SUB] = 4, [OP_MUL] = 5, [OP_DIV] = 5,    [OP_MOD] = 5,        [OP_ATAN2] = 5,      [OP_POW] = 6};

static enum err parse_unary(struct parser *p, struct node **ret_n)
{
    if (!parse_is_op(p, OP_ADD) && !parse_is_op(p, OP_SUB)) {
        return parse_postfix(p, ret_n);
    }
    struct token sign = parse_take(p);
    struct node *n = NULL, *inner = NULL;
    enum err e = parse_expr(p, op_precedence[OP_MUL] + 1u, &inner);
    if (e) {
        tree_done(inner);
        return e;
    }
    if (inner->kind == N_NUMBER) {
        inner->number = sign.number == OP_SUB ? -inner->number : inner->number;
        inner->pos = sign.pos;
        *ret_n = inner;
        return ERR_OK;
    }
    n = parse_node(p, N_UNARY, sign.pos);
    e = n ? node_add_arg(p, n, inner) : parse_no_memory(p);
    if (e) {
        tree_done(inner);
        return e;
    }
    n->number = sign.number == OP_SUB ? -1 : 1;
    n->end = inner->end;
    *ret_n = n;
    return ERR_OK;
}

static enum err fill_value(struct parser *p, double *ret_v)
{
    struct node *literal = NULL;
    double sign = 1;
    (void)parse_take(p);
    enum err e = parse_expect(p, T_LPAREN);
    if (!e && (parse_is_op(p, OP_ADD) || parse_is_op(p, OP_SUB))) {
        sign = parse_take(p).number == OP_SUB ? -1 : 1;
    }
    if (!e && parse_peek(p)->kind != T_NUMBER && parse_peek(p)->kind != T_DURATION) {
        return parse_unexpected(p);
    }
    e = e ? e : parse_literal(p, &literal);
    *ret_v = e ? 0 : sign * literal->number;
    return e ? e : parse_expect(p, T_RPAREN);
}

static enum err fill_modifiers(struct parser *p, struct node *n)
{
    enum token_kind k = parse_peek(p)->kind;
    enum err e = ERR_OK;
    if (k == T_FILL) {
        n->fills_left = n->fills_right = true;
        e = fill_value(p, &n->fill_left);
        n->fill_right = n->fill_left;
        return e;
    }
    for (int i = 0; i < 2 && !e; i++) {
        k = parse_peek(p)->kind;
        if (k == T_FILL_LEFT && !n->fills_left) {
            n->fills_left = true;
            e = fill_value(p, &n->fill_left);
        } else if (k == T_FILL_RIGHT && !n->fills_right) {
            n->fills_right = true;
            e = fill_value(p, &n->fill_right);
        }
    }
    return e;
}

static enum err binary_modifiers(struct parser *p, struct node *n)
{
    enum err e = ERR_OK;
    if (parse_peek(p)->kind == T_BOOL) {
        (void)parse_take(p);
        n->return_bool = true;
    }
    if (parse_peek(p)->kind == T_ON || parse_peek(p)->kind == T_IGNORING) {
        n->on = parse_take(p).kind == T_ON;
        e = name_list(p, &n->names, &n->name_count);
        enum token_kind k = e ? T_END : parse_peek(p)->kind;
        if (k == T_GROUP_LEFT || k == T_GROUP_RIGHT) {
            (void)parse_take(p);
            n->card = k == T_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
            if (parse_peek(p)->kind == T_LPAREN) {
                e = name_list(p, &n->include, &n->include_count);
            } else if (!expr_ahead(p)) {
                return parse_unexpected_in(p, "grouping opts", "\"(\"");
            }
        }
    }
    return e ? e : fill_modifiers(p, n);
}

/* left OP ...; takes `left`, which stays whole on failure. */
static enum err parse_binary(struct parser *p, struct node *left, struct node **ret_n)
{
    struct token op = parse_take(p);
    struct node *n = parse_node(p, N_BINARY, left->pos), *right = NULL;
    if (!n) {
        return parse_no_memory(p);
    }
    n->op = (enum binary_op)op.number;
    enum err e = binary_modifiers(p, n);
    e = e ? e : parse_expr(p, op_precedence[n->op] + (n->op == OP_POW ? 0u : 1u), &right);
    if (!e && (n->fills_left || n->fills_right) && !p->options.fill_modifiers) {
        e = parse_fail(p, n->pos, "binop fill modifiers are experimental and not enabled");
    }
    e = e ? e : node_add_arg(p, n, left);
    e = e ? e : node_add_arg(p, n, right);
    if (e) {
        tree_done(right);
        return e;
    }
    n->end = right->end;
    *ret_n = n;
    return ERR_OK;
}

enum err parse_expr(struct parser *p, unsigned min_precedence, struct node **ret_n)
{
    struct node *left = NULL;
    enum err e = parse_nest(p);
    e = e ? e : parse_unary(p, &left);
    while (!e && parse_peek(p)->kind == T_BINARY && op_precedence[p->t.number] >= min_precedence) {
        e = parse_binary(p, left, &left);
    }
    p->depth--;
    if (e) {
        tree_done(left);
        return e;
    }
    *ret_n = left;
    return ERR_OK;
}

/* -- faces ----------------------------------------------------------------------------------------------- */

static struct parser parser_of(struct str text, const struct parse_options *o, struct arena *a,
                               struct err_info *info)
{
    return (struct parser){.lex = {.text = text, .info = info}, .options = *o, .a = a, .info = info};
}

enum err promql_parse(struct str text, const struct parse_options *o, struct arena *a, struct node **ret_root,
                      struct err_info *reterr_info)
{
    struct parser p = parser_of(text, o, a, reterr_info);
    struct node *root = NULL;
    if (parse_peek(&p)->kind == T_END) {
        return parse_fail(&p, 0, "no expression found in input");
    }
    enum err e = parse_expr(&p, 0, &root);
    if (!e && parse_peek(&p)->kind != T_END) {
        e = parse_unexpected(&p);
    } else if (e) {
        root = NULL; /* ended already */
    }
    e = e ? e : promql_check_tree(text, root, reterr_info);
    if (e) {
        tree_done(root);
        return e;
    }
    *ret_root = root;
    return ERR_OK;
}

enum err promql_parse_selector(struct str text, struct arena *a, struct node **ret_selector,
                               struct err_info *reterr_info)
{
    static const struct parse_options none = {0};
    struct parser p = parser_of(text, &none, a, reterr_info);
    struct node *n = NULL;
    enum token_kind k = parse_peek(&p)->kind;
    bool word = k == T_IDENTIFIER || k == T_METRIC_IDENTIFIER || (k >= T_AGGREGATE && expr_ahead(&p)) ||
                (k == T_BINARY && parse_peek(&p)->number >= OP_AND);
    enum err e = word || k == T_LBRACE ? parse_selector(&p, &n) : parse_unexpected(&p);
    if (!e && parse_peek(&p)->kind != T_END) {
        e = parse_unexpected(&p);
    }
    if (e) {
        tree_done(n);
        return e;
    }
    *ret_selector = n;
    return ERR_OK;
}
