/* Tokens into a tree: recursive descent over the grammar of metric queries. The order of checks, and what is
 * "expected" where, are those of Loki's generated parser: clients show these texts. */
#include <stdarg.h>
#include <stdio.h>

#include "golang/gostr.h"
#include "logs/logql/parse_int.h"

/* -- tools ----------------------------------------------------------------------------------------------- */

enum err parse_advance(struct parser *p)
{
    enum err e = logql_lex_next(&p->lex, &p->t);
    return e ? logql_parse_no_memory(p) : ERR_OK;
}

enum err logql_parse_no_memory(struct parser *p)
{
    enum err e = arena_err(p->a);
    return err_set(p->info, e ? e : ERR_OOM, "not enough memory to parse the query");
}

enum {
    EXPECTED_MAX = 4
};

enum err logql_parse_unexpected(struct parser *p, ...)
{
    char list[120] = "";
    size_t at = 0;
    va_list ap;
    va_start(ap, p);
    for (size_t i = 0; i < EXPECTED_MAX; i++) {
        enum token_kind k = (enum token_kind)va_arg(ap, int);
        if (k == T_END) {
            break;
        }
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i ? " or " : ", expecting ",
                               token_name(k));
    }
    va_end(ap);
    lex_complain(&p->lex, "syntax error: unexpected %s%s", token_name(p->t.kind), list);
    return ERR_INVALID;
}

enum err logql_parse_expect(struct parser *p, enum token_kind k)
{
    return p->t.kind == k ? parse_advance(p) : logql_parse_unexpected(p, k, T_END);
}

enum err parse_text(struct parser *p, enum token_kind k, struct str *ret_text)
{
    *ret_text = p->t.text;
    return logql_parse_expect(p, k);
}

enum err parse_deeper(struct parser *p)
{
    if (++p->depth > LOGQL_DEPTH_MAX) {
        return lex_fault(&p->lex, "the query is nested deeper than %d levels", LOGQL_DEPTH_MAX);
    }
    return ERR_OK;
}

/* The text of a fault found in a complete node, told after the parse. */
static struct str fault(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct str fault(struct parser *p, const char *fmt, ...)
{
    char text[480];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return arena_printf(p->a, "parse error : %s", text);
}

static struct expr *new_expr(struct parser *p, enum expr_kind kind)
{
    struct expr *e = arena_zalloc(p->a, sizeof(*e));
    if (e) {
        e->kind = kind;
    }
    return e;
}

/* -- names and numbers ----------------------------------------------------------------------------------- */

enum err parse_names(struct parser *p, struct str **ret_names, size_t *ret_n)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    enum err e = parse_advance(p);
    if (!e && p->t.kind != T_CLOSE_PAREN && p->t.kind != T_IDENTIFIER) {
        return logql_parse_unexpected(p, T_IDENTIFIER, T_CLOSE_PAREN, T_END);
    }
    while (!e && p->t.kind != T_CLOSE_PAREN) {
        e = arena_reserve(p->a, (void **)&names, &cap, n + 1, sizeof(*names));
        if (e) {
            return logql_parse_no_memory(p);
        }
        e = parse_text(p, T_IDENTIFIER, &names[n++]);
        if (e || p->t.kind == T_CLOSE_PAREN) {
            break;
        }
        if (p->t.kind != T_COMMA) {
            return logql_parse_unexpected(p, T_COMMA, T_CLOSE_PAREN, T_END);
        }
        e = parse_advance(p);
        if (!e && p->t.kind != T_IDENTIFIER) {
            return logql_parse_unexpected(p, T_IDENTIFIER, T_END);
        }
    }
    *ret_names = names;
    *ret_n = n;
    return e ? e : parse_advance(p);
}

enum err logql_parse_number(struct parser *p, double *ret_value, struct str *ret_fault)
{
    struct err_info why = {0};
    bool minus = p->t.kind == T_SUB;
    struct str text = {0};
    enum err e = p->t.kind == T_SUB || p->t.kind == T_ADD ? parse_advance(p) : ERR_OK;
    if (!e) {
        e = parse_text(p, T_NUMBER, &text);
    }
    if (e) {
        return e;
    }
    double v = 0;
    if (go_float_parse(text, &v, &why) != ERR_OK) {
        *ret_fault = fault(p, "unable to parse literal as a float: %s", why.message);
        return ret_fault->p ? ERR_OK : logql_parse_no_memory(p);
    }
    *ret_value = minus ? -v : v;
    return ERR_OK;
}

static bool at_grouping(const struct parser *p)
{
    return p->t.kind == T_BY || p->t.kind == T_WITHOUT;
}

static enum err grouping(struct parser *p, struct grouping **ret_grouping)
{
    struct grouping *g = arena_zalloc(p->a, sizeof(*g));
    if (!g) {
        return logql_parse_no_memory(p);
    }
    g->without = p->t.kind == T_WITHOUT;
    enum err e = parse_advance(p);
    if (!e && p->t.kind != T_OPEN_PAREN) {
        return logql_parse_unexpected(p, T_OPEN_PAREN, T_END);
    }
    *ret_grouping = g;
    return e ? e : parse_names(p, &g->names, &g->n);
}

/* -- ranges ---------------------------------------------------------------------------------------------- */

/* After "|", at "unwrap". */
static enum err unwrap_label(struct parser *p, struct range_expr *r)
{
    struct unwrap_expr *u = arena_zalloc(p->a, sizeof(*u));
    enum err e = u ? parse_advance(p) : logql_parse_no_memory(p);
    if (e) {
        return e;
    }
    enum token_kind k = p->t.kind;
    u->conv = k == T_BYTES_CONV              ? CONV_BYTES
              : k == T_DURATION_CONV         ? CONV_DURATION
              : k == T_DURATION_SECONDS_CONV ? CONV_DURATION_SECONDS
                                             : CONV_FLOAT;
    if (u->conv == CONV_FLOAT && k != T_IDENTIFIER) {
        return logql_parse_unexpected(p, T_IDENTIFIER, T_BYTES_CONV, T_DURATION_CONV, T_DURATION_SECONDS_CONV,
                                      T_END);
    }
    if (u->conv != CONV_FLOAT) {
        e = parse_advance(p);
        e = e ? e : logql_parse_expect(p, T_OPEN_PAREN);
    }
    e = e ? e : parse_text(p, T_IDENTIFIER, &u->label);
    if (!e && u->conv != CONV_FLOAT) {
        e = logql_parse_expect(p, T_CLOSE_PAREN);
    }
    struct post_filter **tail = &u->filters;
    while (!e && p->t.kind == T_PIPE) {
        struct post_filter *f = arena_zalloc(p->a, sizeof(*f));
        e = f ? parse_advance(p) : logql_parse_no_memory(p);
        if (!e && p->t.kind != T_IDENTIFIER && p->t.kind != T_OPEN_PAREN) {
            return logql_parse_unexpected(p, T_IDENTIFIER, T_OPEN_PAREN, T_END);
        }
        e = e ? e : parse_label_filter(p, &f->filter);
        *tail = f;
        tail = f ? &f->next : tail;
    }
    r->unwrap = u;
    return e;
}

static enum err offset(struct parser *p, struct range_expr *r)
{
    if (p->t.kind != T_OFFSET) {
        return ERR_OK;
    }
    enum err e = parse_advance(p);
    if (e) {
        return e;
    }
    r->offset_ns = p->t.duration_ns;
    return logql_parse_expect(p, T_DURATION);
}

/* What may follow the selector before and after [range]; `inner`: inside parentheses. *ret_done: [range]
 * seen. */
static enum err range_body(struct parser *p, struct range_expr *r, bool inner, bool *ret_done)
{
    bool unwrapped = false;
    p->in_range = true;
    enum err e = logql_parse_selector(p, &r->log);
    *ret_done = false;
    if (!e && p->t.kind != T_RANGE) {
        e = parse_stages(p, &r->log, &unwrapped);
        if (!e && unwrapped) {
            e = unwrap_label(p, r);
        }
    }
    if (e) {
        return e;
    }
    if (p->t.kind != T_RANGE) {
        if (inner && p->t.kind == T_CLOSE_PAREN) {
            return ERR_OK;
        }
        if (unwrapped && inner) {
            return logql_parse_unexpected(p, T_RANGE, T_CLOSE_PAREN, T_PIPE, T_END);
        }
        return unwrapped ? logql_parse_unexpected(p, T_RANGE, T_PIPE, T_END)
                         : logql_parse_unexpected(p, T_END);
    }
    *ret_done = true;
    r->interval_ns = p->t.duration_ns;
    e = parse_advance(p);
    e = e ? e : offset(p, r);
    if (!e && !unwrapped && r->log.stages == NULL) {
        e = parse_stages(p, &r->log, &unwrapped);
        if (!e && unwrapped) {
            e = unwrap_label(p, r);
        }
    }
    return e;
}

static enum err log_range(struct parser *p, struct range_expr *r)
{
    bool done;
    if (p->t.kind != T_OPEN_PAREN) {
        if (p->t.kind != T_OPEN_BRACE) {
            return logql_parse_unexpected(p, T_OPEN_BRACE, T_OPEN_PAREN, T_END);
        }
        return range_body(p, r, false, &done);
    }
    enum err e = parse_deeper(p);
    e = e ? e : parse_advance(p);
    if (e) {
        return e;
    }
    done = true;
    e = p->t.kind == T_OPEN_BRACE ? range_body(p, r, true, &done) : log_range(p, r);
    p->depth--;
    e = e ? e : logql_parse_expect(p, T_CLOSE_PAREN);
    if (e || done) {
        return e;
    }
    /* (selector and stages) [range] offset; a bare selector may still be unwrapped here */
    r->interval_ns = p->t.duration_ns;
    e = logql_parse_expect(p, T_RANGE);
    e = e ? e : offset(p, r);
    if (!e && p->t.kind == T_PIPE && !r->unwrap && !r->log.stages) {
        e = parse_advance(p);
        if (!e && p->t.kind != T_UNWRAP) {
            return logql_parse_unexpected(p, T_UNWRAP, T_END);
        }
        e = e ? e : unwrap_label(p, r);
    }
    return e;
}

/* -- aggregations ---------------------------------------------------------------------------------------- */

static const struct {
    enum token_kind token;
    enum range_op op;
    const char *text;
} range_ops[RANGE_OP_COUNT] = {
    {T_COUNT_OVER_TIME, RANGE_COUNT, "count_over_time"},
    {T_RATE, RANGE_RATE, "rate"},
    {T_RATE_COUNTER, RANGE_RATE_COUNTER, "rate_counter"},
    {T_BYTES_OVER_TIME, RANGE_BYTES, "bytes_over_time"},
    {T_BYTES_RATE, RANGE_BYTES_RATE, "bytes_rate"},
    {T_AVG_OVER_TIME, RANGE_AVG, "avg_over_time"},
    {T_SUM_OVER_TIME, RANGE_SUM, "sum_over_time"},
    {T_MIN_OVER_TIME, RANGE_MIN, "min_over_time"},
    {T_MAX_OVER_TIME, RANGE_MAX, "max_over_time"},
    {T_STDVAR_OVER_TIME, RANGE_STDVAR, "stdvar_over_time"},
    {T_STDDEV_OVER_TIME, RANGE_STDDEV, "stddev_over_time"},
    {T_QUANTILE_OVER_TIME, RANGE_QUANTILE, "quantile_over_time"},
    {T_FIRST_OVER_TIME, RANGE_FIRST, "first_over_time"},
    {T_LAST_OVER_TIME, RANGE_LAST, "last_over_time"},
    {T_ABSENT_OVER_TIME, RANGE_ABSENT, "absent_over_time"},
};

static const struct {
    enum token_kind token;
    const char *text;
} vector_ops[VECTOR_OP_COUNT] = {
    {T_SUM, "sum"},   {T_AVG, "avg"},       {T_COUNT, "count"},         {T_MAX, "max"},
    {T_MIN, "min"},   {T_STDDEV, "stddev"}, {T_STDVAR, "stdvar"},       {T_BOTTOMK, "bottomk"},
    {T_TOPK, "topk"}, {T_SORT, "sort"},     {T_SORT_DESC, "sort_desc"}, {T_APPROX_TOPK, "approx_topk"},
};

const char *range_op_text(enum range_op op)
{
    return range_ops[op].text;
}

const char *vector_op_text(enum vector_op op)
{
    return vector_ops[op].text;
}

static bool range_op_of(enum token_kind k, enum range_op *ret_op)
{
    for (size_t i = 0; i < RANGE_OP_COUNT; i++) {
        if (range_ops[i].token == k) {
            *ret_op = range_ops[i].op;
            return true;
        }
    }
    return false;
}

static bool vector_op_of(enum token_kind k, enum vector_op *ret_op)
{
    for (size_t i = 0; i < VECTOR_OP_COUNT; i++) {
        if (vector_ops[i].token == k) {
            *ret_op = (enum vector_op)i;
            return true;
        }
    }
    return false;
}

static bool takes_grouping(enum range_op op)
{
    return op == RANGE_AVG || op == RANGE_STDDEV || op == RANGE_STDVAR || op == RANGE_QUANTILE ||
           op == RANGE_MAX || op == RANGE_MIN || op == RANGE_FIRST || op == RANGE_LAST;
}

static bool takes_lines(enum range_op op)
{
    return op == RANGE_BYTES || op == RANGE_BYTES_RATE || op == RANGE_COUNT || op == RANGE_RATE ||
           op == RANGE_ABSENT;
}

static bool takes_unwrap(enum range_op op)
{
    return op != RANGE_BYTES && op != RANGE_BYTES_RATE && op != RANGE_COUNT;
}

/* What is wrong with a complete range aggregation, in Loki's order. */
static enum err check_range(struct parser *p, struct expr *x, struct str param)
{
    const char *name = range_op_text(x->range_op);
    struct err_info why = {0};
    if (param.p && x->range_op != RANGE_QUANTILE) {
        x->fault = fault(p, "parameter %.*s not supported for operation %s", STR_FMT(param), name);
    } else if (param.p && go_float_parse(param, &x->param, &why) != ERR_OK) {
        x->fault = fault(p, "invalid parameter for operation %s: %s", name, why.message);
    } else if (!param.p && x->range_op == RANGE_QUANTILE) {
        x->fault = fault(p, "parameter required for operation %s", name);
    } else if (x->grouping && !takes_grouping(x->range_op)) {
        x->fault = fault(p, "grouping not allowed for %s aggregation", name);
    } else if (x->range->unwrap && !takes_unwrap(x->range_op)) {
        x->fault = fault(p, "invalid aggregation %s with unwrap", name);
    } else if (!x->range->unwrap && !takes_lines(x->range_op)) {
        x->fault = fault(p, "invalid aggregation %s without unwrap", name);
    } else {
        return ERR_OK;
    }
    return x->fault.p ? ERR_OK : logql_parse_no_memory(p);
}

static enum err range_aggregation(struct parser *p, enum range_op op, struct expr **ret_x)
{
    struct expr *x = new_expr(p, EXPR_RANGE);
    struct range_expr *r = arena_zalloc(p->a, sizeof(*r));
    struct str param = {0};
    enum err e = x && r ? parse_advance(p) : logql_parse_no_memory(p);
    e = e ? e : logql_parse_expect(p, T_OPEN_PAREN);
    if (!e && p->t.kind == T_NUMBER) {
        e = parse_text(p, T_NUMBER, &param);
        e = e ? e : logql_parse_expect(p, T_COMMA);
    } else if (!e && p->t.kind != T_OPEN_BRACE && p->t.kind != T_OPEN_PAREN) {
        return logql_parse_unexpected(p, T_NUMBER, T_OPEN_BRACE, T_OPEN_PAREN, T_END);
    }
    e = e ? e : log_range(p, r);
    e = e ? e : logql_parse_expect(p, T_CLOSE_PAREN);
    if (e) {
        return e;
    }
    x->range_op = op;
    x->range = r;
    x->has_param = param.p != NULL;
    if (at_grouping(p)) {
        e = grouping(p, &x->grouping);
    }
    *ret_x = x;
    return e ? e : check_range(p, x, param);
}

static enum err operand(struct parser *p, struct expr **ret_x);
static enum err operators(struct parser *p, struct expr *left, unsigned least, struct expr **ret_x);

/* An expression; `metric`: a log query is refused, at the parenthesis or comma after it, as Loki does. */
static enum err expression(struct parser *p, bool metric, struct expr **ret_x)
{
    struct expr *left = NULL;
    enum err e = parse_deeper(p);
    e = e ? e : operand(p, &left);
    e = e ? e : operators(p, left, 0, ret_x);
    p->depth--;
    if (!e && metric && (*ret_x)->kind == EXPR_LOG) {
        return logql_parse_unexpected(p, T_END);
    }
    return e;
}

static enum err check_vector(struct parser *p, struct expr *x, struct str param)
{
    const char *name = vector_op_text(x->vector_op);
    bool ranked =
        x->vector_op == VECTOR_BOTTOMK || x->vector_op == VECTOR_TOPK || x->vector_op == VECTOR_APPROX_TOPK;
    if (!ranked) {
        if (!param.p) {
            return ERR_OK;
        }
        x->fault = fault(p, "unsupported parameter for operation %s(%.*s,", name, STR_FMT(param));
    } else if (!param.p) {
        x->fault = fault(p, "parameter required for operation %s", name);
    } else if (str_to_i64(param, &x->k) != ERR_OK) {
        x->fault = fault(p, "invalid parameter %s(%.*s,", name, STR_FMT(param));
    } else if (x->k <= 0) {
        x->fault = fault(p, "invalid parameter (must be greater than 0) %s(%.*s", name, STR_FMT(param));
    } else if (x->vector_op == VECTOR_APPROX_TOPK && x->grouping) {
        x->fault = fault(p, "grouping not allowed for %s aggregation", name);
    } else {
        return ERR_OK;
    }
    return x->fault.p ? ERR_OK : logql_parse_no_memory(p);
}

static struct expr *literal_of(struct parser *p, struct str number)
{
    struct err_info why = {0};
    struct expr *x = new_expr(p, EXPR_LITERAL);
    if (x && go_float_parse(number, &x->value, &why) != ERR_OK) {
        x->value = 0;
        x->fault = fault(p, "unable to parse literal as a float: %s", why.message);
        return x->fault.p ? x : NULL;
    }
    return x;
}

static enum err vector_aggregation(struct parser *p, enum vector_op op, struct expr **ret_x)
{
    struct expr *x = new_expr(p, EXPR_VECTOR_AGG);
    struct str param = {0};
    bool before = false;
    enum err e = x ? parse_advance(p) : logql_parse_no_memory(p);
    if (e) {
        return e;
    }
    x->vector_op = op;
    if (at_grouping(p)) {
        before = true;
        e = grouping(p, &x->grouping);
        e = e ? e : logql_parse_expect(p, T_OPEN_PAREN);
    } else if (p->t.kind == T_OPEN_PAREN) {
        e = parse_advance(p);
    } else {
        return logql_parse_unexpected(p, T_OPEN_PAREN, T_BY, T_WITHOUT, T_END);
    }
    if (!e && p->t.kind == T_NUMBER) {
        struct str number;
        e = parse_text(p, T_NUMBER, &number);
        if (!e && p->t.kind == T_COMMA) {
            param = number;
            e = parse_advance(p);
            e = e ? e : expression(p, true, &x->left);
        } else if (!e) {
            struct expr *literal = literal_of(p, number);
            e = literal ? operators(p, literal, 0, &x->left) : logql_parse_no_memory(p);
        }
    } else {
        e = e ? e : expression(p, true, &x->left);
    }
    if (!e) {
        e = p->t.kind == T_CLOSE_PAREN ? parse_advance(p) : logql_parse_unexpected(p, T_END);
    }
    if (!e && !before && at_grouping(p)) {
        e = grouping(p, &x->grouping);
    }
    *ret_x = x;
    return e ? e : check_vector(p, x, param);
}

/* -- functions ------------------------------------------------------------------------------------------- */

static enum err label_replace(struct parser *p, struct expr **ret_x)
{
    struct expr *x = new_expr(p, EXPR_LABEL_REPLACE);
    struct err_info why = {0};
    enum err e = x ? parse_advance(p) : logql_parse_no_memory(p);
    e = e ? e : logql_parse_expect(p, T_OPEN_PAREN);
    e = e ? e : expression(p, true, &x->left);
    if (e) {
        return e;
    }
    if (p->t.kind != T_COMMA) {
        return logql_parse_unexpected(p, T_END);
    }
    struct str *const texts[] = {&x->dst, &x->replacement, &x->src, &x->regex};
    for (size_t i = 0; i < ARRAY_LEN(texts) && !e; i++) {
        e = logql_parse_expect(p, T_COMMA);
        e = e ? e : parse_text(p, T_STRING, texts[i]);
    }
    e = e ? e : logql_parse_expect(p, T_CLOSE_PAREN);
    if (e) {
        return e;
    }
    *ret_x = x;
    struct str anchored = arena_printf(p->a, "^(?:%.*s)$", STR_FMT(x->regex));
    e = anchored.p ? regex_new(anchored, 0, &x->re, &why) : ERR_OOM;
    if (e == ERR_INVALID || e == ERR_LIMIT) {
        x->fault = fault(p, "invalid regex in label_replace: %s", why.message);
        return x->fault.p ? ERR_OK : logql_parse_no_memory(p);
    }
    if (!e) {
        e = ast_own_regex(p->ast, x->re);
    }
    return e ? logql_parse_no_memory(p) : ERR_OK;
}

static enum err vector_function(struct parser *p, struct expr **ret_x)
{
    struct expr *x = new_expr(p, EXPR_VECTOR);
    struct err_info why = {0};
    struct str text = {0};
    enum err e = x ? parse_advance(p) : logql_parse_no_memory(p);
    e = e ? e : logql_parse_expect(p, T_OPEN_PAREN);
    e = e ? e : parse_text(p, T_NUMBER, &text);
    e = e ? e : logql_parse_expect(p, T_CLOSE_PAREN);
    if (e) {
        return e;
    }
    *ret_x = x;
    if (go_float_parse(text, &x->value, &why) != ERR_OK) {
        x->fault = fault(p, "unable to parse vectorExpr as a float: %s", why.message);
        return x->fault.p ? ERR_OK : logql_parse_no_memory(p);
    }
    return ERR_OK;
}

/* -- operators ------------------------------------------------------------------------------------------- */

static const struct {
    enum token_kind token;
    const char *text;
    unsigned char rank;
} bin_ops[BIN_OP_COUNT] = {
    {T_OR, "or", 1}, {T_AND, "and", 2}, {T_UNLESS, "unless", 2}, {T_CMP_EQ, "==", 3}, {T_NEQ, "!=", 3},
    {T_LT, "<", 3},  {T_LTE, "<=", 3},  {T_GT, ">", 3},          {T_GTE, ">=", 3},    {T_ADD, "+", 4},
    {T_SUB, "-", 4}, {T_MUL, "*", 5},   {T_DIV, "/", 5},         {T_MOD, "%", 5},     {T_POW, "^", 6},
};

const char *bin_op_text(enum bin_op op)
{
    return bin_ops[op].text;
}

bool bin_op_is_comparison(enum bin_op op)
{
    return op >= BIN_EQ && op <= BIN_GTE;
}

bool bin_op_is_set(enum bin_op op)
{
    return op <= BIN_UNLESS;
}

static enum err matching(struct parser *p, struct bin_options *o)
{
    enum err e = ERR_OK;
    if (p->t.kind == T_BOOL) {
        o->return_bool = true;
        e = parse_advance(p);
    }
    if (e || (p->t.kind != T_ON && p->t.kind != T_IGNORING)) {
        return e;
    }
    o->on = p->t.kind == T_ON;
    e = parse_advance(p);
    if (!e && p->t.kind != T_OPEN_PAREN) {
        return logql_parse_unexpected(p, T_OPEN_PAREN, T_END);
    }
    e = e ? e : parse_names(p, &o->names, &o->name_count);
    if (e || (p->t.kind != T_GROUP_LEFT && p->t.kind != T_GROUP_RIGHT)) {
        return e;
    }
    o->card = p->t.kind == T_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    e = parse_advance(p);
    return !e && p->t.kind == T_OPEN_PAREN ? parse_names(p, &o->include, &o->include_count) : e;
}

static const char *go_type(const struct expr *x)
{
    return x->log->stages ? "*syntax.PipelineExpr" : "*syntax.MatchersExpr";
}

/* Folds two literals; otherwise a node, with its fault if it has one. */
static enum err combine(struct parser *p, enum bin_op op, const struct bin_options *o, struct expr *l,
                        struct expr *r, struct expr **ret_x)
{
    struct expr *x = new_expr(p, EXPR_BIN);
    const char *text = bin_op_text(op);
    if (!x) {
        return logql_parse_no_memory(p);
    }
    *ret_x = x;
    x->bin_op = op;
    x->options = *o;
    x->left = l;
    x->right = r;
    if (l->kind == EXPR_LOG) {
        x->fault = fault(p, "unexpected type for left leg of binary operation (%s): %s", text, go_type(l));
    } else if (r->kind == EXPR_LOG) {
        x->fault = fault(p, "unexpected type for right leg of binary operation (%s): %s", text, go_type(r));
    } else if (l->kind == EXPR_LITERAL && l->fault.p) {
        x->fault = l->fault;
    } else if (r->kind == EXPR_LITERAL && r->fault.p) {
        x->fault = r->fault;
    } else if (bin_op_is_set(op) && (l->kind == EXPR_LITERAL || r->kind == EXPR_LITERAL)) {
        bool left = l->kind == EXPR_LITERAL;
        x->fault = fault(p, "unexpected literal for %s leg of logical/set binary operation (%s): %f",
                         left ? "left" : "right", text, left ? l->value : r->value);
    } else if (l->kind == EXPR_LITERAL && r->kind == EXPR_LITERAL) {
        x->kind = EXPR_LITERAL;
        (void)bin_op_merge(op, l->value, r->value, false, &x->value);
        return ERR_OK;
    } else {
        return ERR_OK;
    }
    return x->fault.p ? ERR_OK : logql_parse_no_memory(p);
}

static enum err operators(struct parser *p, struct expr *left, unsigned least, struct expr **ret_x)
{
    enum err e = ERR_OK;
    for (;;) {
        size_t i = 0;
        struct bin_options o = {0};
        struct expr *right = NULL;
        while (i < BIN_OP_COUNT && bin_ops[i].token != p->t.kind) {
            i++;
        }
        if (i == BIN_OP_COUNT || bin_ops[i].rank <= least) {
            *ret_x = left;
            return ERR_OK;
        }
        unsigned rank = bin_ops[i].rank;
        e = parse_deeper(p);
        e = e ? e : parse_advance(p);
        e = e ? e : matching(p, &o);
        e = e ? e : operand(p, &right);
        /* ^ associates to the right, everything else to the left */
        e = e ? e : operators(p, right, i == BIN_POW ? rank - 1 : rank, &right);
        e = e ? e : combine(p, (enum bin_op)i, &o, left, right, &left);
        p->depth--;
        if (e) {
            return e;
        }
    }
}

static enum err log_query(struct parser *p, struct expr **ret_x)
{
    struct expr *x = new_expr(p, EXPR_LOG);
    struct log_expr *log = arena_zalloc(p->a, sizeof(*log));
    bool unwrap = false;
    p->in_range = false;
    enum err e = x && log ? logql_parse_selector(p, log) : logql_parse_no_memory(p);
    e = e ? e : parse_stages(p, log, &unwrap);
    if (e) {
        return e;
    }
    if (unwrap) {
        return logql_parse_unexpected(p, T_END); /* "| unwrap" without a range */
    }
    x->log = log;
    *ret_x = x;
    return ERR_OK;
}

static enum err operand(struct parser *p, struct expr **ret_x)
{
    enum range_op range;
    enum vector_op vector;
    enum token_kind k = p->t.kind;
    if (k == T_OPEN_BRACE) {
        return log_query(p, ret_x);
    }
    if (k == T_OPEN_PAREN) {
        enum err e = parse_advance(p);
        e = e ? e : expression(p, false, ret_x);
        if (e) {
            return e;
        }
        return p->t.kind == T_CLOSE_PAREN ? parse_advance(p) : logql_parse_unexpected(p, T_END);
    }
    if (range_op_of(k, &range)) {
        return range_aggregation(p, range, ret_x);
    }
    if (vector_op_of(k, &vector)) {
        return vector_aggregation(p, vector, ret_x);
    }
    if (k == T_NUMBER || k == T_ADD || k == T_SUB) {
        struct expr *x = new_expr(p, EXPR_LITERAL);
        *ret_x = x;
        return x ? logql_parse_number(p, &x->value, &x->fault) : logql_parse_no_memory(p);
    }
    if (k == T_LABEL_REPLACE) {
        return label_replace(p, ret_x);
    }
    return k == T_VECTOR ? vector_function(p, ret_x) : logql_parse_unexpected(p, T_END);
}

/* -- the whole ------------------------------------------------------------------------------------------- */

enum err ast_own_regex(struct ast *ast, struct regex *re)
{
    struct regex_ref *r = arena_alloc(ast->a, sizeof(*r));
    if (!r) {
        regex_free(re);
        return arena_err(ast->a);
    }
    *r = (struct regex_ref){re, ast->regexes};
    ast->regexes = r;
    return ERR_OK;
}

void ast_done(struct ast *ast)
{
    for (struct regex_ref *r = ast->regexes; r; r = r->next) {
        regex_free(r->re);
    }
    ast->regexes = NULL;
}

enum err logql_parse(struct str text, struct arena *a, struct ast *ret_ast, struct err_info *reterr_info)
{
    *ret_ast = (struct ast){.a = a};
    struct parser p = {.ast = ret_ast, .a = a, .info = reterr_info};
    if (text.n >= LOGQL_TEXT_BYTES_MAX) {
        return err_set(reterr_info, ERR_INVALID, "parse error : input size too long (%zu > %d)", text.n,
                       LOGQL_TEXT_BYTES_MAX);
    }
    lex_init(&p.lex, text, a, reterr_info);
    enum err e = parse_advance(&p);
    e = e ? e : expression(&p, false, &ret_ast->root);
    if (!e && p.t.kind != T_END) {
        e = logql_parse_unexpected(&p, T_END);
    }
    return e ? e : p.lex.failed ? ERR_INVALID : ERR_OK;
}
