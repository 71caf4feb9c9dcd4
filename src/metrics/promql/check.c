/* Types: every operand is of a kind its operator takes. The first error found is the one reported, in the
 * order in which the original looks. */
#include "metrics/promql/functions.h"

static const char *const op_names[OP_COUNT] = {"+", "-",  "*", "/",  "%",  "^",  "atan2", "==", "!=",
                                               "<", "<=", ">", ">=", "</", ">/", "and",   "or", "unless"};

const char *binary_op_text(enum binary_op op)
{
    return op_names[op];
}

static const char *const aggregate_names[AGG_OP_COUNT] = {
    "sum",    "avg",  "min",     "max",          "count",    "group",  "stddev",
    "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};

const char *aggregate_op_text(enum aggregate_op op)
{
    return aggregate_names[op];
}

const char *type_name(enum value_type t)
{
    static const char *const names[] = {"none", "scalar", "instant vector", "range vector", "string"};
    return names[t];
}

struct check {
    struct str text;
    struct err_info *info;
};

static enum err check_node(struct check *c, struct node *n);

static enum err expect_type(struct check *c, struct node *n, enum value_type want, const char *context)
{
    enum err e = check_node(c, n);
    if (e || n->type == want) {
        return e;
    }
    return parse_error(c->text, n->pos, c->info, "expected type %s in %s, got %s", type_name(want), context,
                       type_name(n->type));
}

/* -- binary ---------------------------------------------------------------------------------------------- */

/* The operator's own place. */
static size_t op_pos(const struct check *c, const struct node *n)
{
    size_t at = n->args[0]->end;
    while (at < c->text.n && strchr(" \t\r\n", c->text.p[at])) {
        at++;
    }
    return at;
}

static enum err check_operator(struct check *c, struct node *n)
{
    struct buf shown AUTO_BUF = {0};
    bool scalars = n->args[0]->type == TYPE_SCALAR && n->args[1]->type == TYPE_SCALAR;
    if (n->return_bool && !op_is_comparison(n->op)) {
        return parse_error(c->text, op_pos(c, n), c->info,
                           "bool modifier can only be used on comparison operators");
    }
    if (op_is_comparison(n->op) && !n->return_bool && scalars) {
        return parse_error(c->text, op_pos(c, n), c->info,
                           "comparisons between scalars must use BOOL modifier");
    }
    if (op_is_set(n->op) && n->card == CARD_ONE_TO_ONE) {
        n->card = CARD_MANY_TO_MANY;
    }
    for (size_t i = 0; i < n->name_count && n->on; i++) {
        for (size_t k = 0; k < n->include_count; k++) {
            if (str_eq(n->names[i], n->include[k])) {
                return parse_error(c->text, op_pos(c, n), c->info,
                                   "label %.*s must not occur in ON and GROUP clause at once",
                                   STR_FMT(quoted(&shown, n->names[i])));
            }
        }
    }
    for (size_t i = 0; i < 2; i++) {
        enum value_type t = n->args[i]->type;
        if (t != TYPE_SCALAR && t != TYPE_VECTOR) {
            return parse_error(c->text, n->args[i]->pos, c->info,
                               "binary expression must contain only scalar and instant vector types");
        }
    }
    return ERR_OK;
}

static enum err check_matching(struct check *c, struct node *n)
{
    bool fills = n->fills_left || n->fills_right;
    if (!n->both_vectors) {
        if (n->name_count) {
            return parse_error(c->text, n->pos, c->info,
                               "vector matching only allowed between instant vectors");
        }
        if (fills) {
            return parse_error(c->text, n->pos, c->info,
                               "filling in missing series only allowed between instant vectors");
        }
        return op_is_set(n->op) ? parse_error(c->text, n->pos, c->info,
                                              "set operator \"%s\" not allowed in binary scalar expression",
                                              binary_op_text(n->op))
                                : ERR_OK;
    }
    if (!op_is_set(n->op)) {
        return ERR_OK;
    }
    if (n->card == CARD_ONE_TO_MANY || n->card == CARD_MANY_TO_ONE) {
        return parse_error(c->text, n->pos, c->info, "no grouping allowed for \"%s\" operation",
                           binary_op_text(n->op));
    }
    return fills ? parse_error(c->text, n->pos, c->info,
                               "filling in missing series not allowed for set operators")
                 : ERR_OK;
}

static enum err check_binary(struct check *c, struct node *n)
{
    enum err e = check_node(c, n->args[0]);
    e = e ? e : check_node(c, n->args[1]);
    if (e) {
        return e;
    }
    enum value_type l = n->args[0]->type, r = n->args[1]->type;
    n->type = l == TYPE_SCALAR && r == TYPE_SCALAR ? TYPE_SCALAR : TYPE_VECTOR;
    n->both_vectors = l == TYPE_VECTOR && r == TYPE_VECTOR;
    e = check_operator(c, n);
    return e ? e : check_matching(c, n);
}

/* -- calls and the rest ---------------------------------------------------------------------------------- */

static enum err check_aggregate(struct check *c, struct node *n)
{
    n->type = TYPE_VECTOR;
    enum err e = expect_type(c, n->args[0], TYPE_VECTOR, "aggregation expression");
    if (e || !n->param) {
        return e;
    }
    return expect_type(c, n->param, n->aggregate == AGG_COUNT_VALUES ? TYPE_STRING : TYPE_SCALAR,
                       "aggregation parameter");
}

static enum err check_arg_count(struct check *c, const struct node *n, size_t declared)
{
    const struct function *f = n->function;
    if (f->optional == 0) {
        return n->arg_count == declared ? ERR_OK
                                        : parse_error(c->text, n->pos, c->info,
                                                      "expected %zu argument(s) in call to \"%s\", got %zu",
                                                      declared, f->name, n->arg_count);
    }
    size_t least = declared - 1, most = least + (size_t)f->optional;
    if (n->arg_count < least) {
        return parse_error(c->text, n->pos, c->info,
                           "expected at least %zu argument(s) in call to \"%s\", got %zu", least, f->name,
                           n->arg_count);
    }
    return f->optional < 0 || n->arg_count <= most
               ? ERR_OK
               : parse_error(c->text, n->pos, c->info,
                             "expected at most %zu argument(s) in call to \"%s\", got %zu", most, f->name,
                             n->arg_count);
}

/* The second argument of info() selects labels, not series. */
static enum err check_info_selector(struct check *c, const struct node *n)
{
    struct node *s = n->args[1];
    enum value_type t = s->type;
    if (t == TYPE_NONE && s->kind == N_SELECTOR) {
        t = TYPE_VECTOR;
    }
    if (s->kind != N_SELECTOR) {
        enum err e = check_node(c, s);
        if (!e && s->type != TYPE_VECTOR) {
            return parse_error(c->text, n->pos, c->info,
                               "expected type instant vector in call to function \"info\", got %s",
                               type_name(s->type));
        }
        return parse_error(c->text, s->pos, c->info, "expected label selectors only");
    }
    if (s->string.n) {
        return parse_error(c->text, s->pos, c->info,
                           "expected label selectors only, got vector selector instead");
    }
    s->any_matchers = true;
    return ERR_OK;
}

static enum err check_call(struct check *c, struct node *n)
{
    const struct function *f = n->function;
    size_t declared = 0;
    while (declared < ARRAY_LEN(f->args) && f->args[declared]) {
        declared++;
    }
    n->type = f->result;
    enum err e = check_arg_count(c, n, declared);
    if (!e && str_eq_c(STR("info"), f->name) && n->arg_count > 1) {
        e = check_info_selector(c, n);
    }
    for (size_t i = 0; i < n->arg_count && !e; i++) {
        struct node *arg = n->args[i];
        enum value_type want = f->args[i < declared ? i : declared - 1];
        e = check_node(c, arg);
        if (!e && arg->type != want) {
            return parse_error(c->text, arg->pos, c->info,
                               "expected type %s in call to function \"%s\", got %s", type_name(want),
                               f->name, type_name(arg->type));
        }
    }
    return e;
}

static enum err check_selector(struct check *c, struct node *n)
{
    struct buf name AUTO_BUF = {0}, other AUTO_BUF = {0};
    bool narrow = n->string.n > 0 || n->any_matchers;
    n->type = TYPE_VECTOR;
    for (size_t i = 0; n->string.n && i + 1 < n->matcher_count; i++) {
        if (str_eq(n->matchers[i].name, LABEL_METRIC_NAME)) {
            return parse_error(c->text, n->pos, c->info, "metric name must not be set twice: %.*s or %.*s",
                               STR_FMT(quoted(&name, n->string)),
                               STR_FMT(quoted(&other, n->matchers[i].value)));
        }
    }
    for (size_t i = 0; i < n->matcher_count && !narrow; i++) {
        narrow = !matcher_matches_empty(&n->matchers[i]);
    }
    return narrow ? ERR_OK
                  : parse_error(c->text, n->pos, c->info,
                                "vector selector must contain at least one non-empty matcher");
}

static enum err check_subquery(struct check *c, struct node *n)
{
    static const char *const names[] = {"none", "scalar", "vector", "matrix", "string"};
    n->type = TYPE_MATRIX;
    enum err e = check_node(c, n->args[0]);
    return e || n->args[0]->type == TYPE_VECTOR
               ? e
               : parse_error(c->text, n->pos, c->info,
                             "subquery is only allowed on instant vector, got %s instead",
                             names[n->args[0]->type]);
}

static enum err check_unary(struct check *c, struct node *n)
{
    enum err e = check_node(c, n->args[0]);
    n->type = n->args[0]->type;
    if (!e && n->type != TYPE_SCALAR && n->type != TYPE_VECTOR) {
        return parse_error(
            c->text, n->pos, c->info,
            "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
            type_name(n->type));
    }
    return e;
}

static enum err check_node(struct check *c, struct node *n)
{
    enum err e;
    switch (n->kind) {
    case N_NUMBER:
    case N_DURATION:
        n->type = TYPE_SCALAR;
        return ERR_OK;
    case N_STRING:
        n->type = TYPE_STRING;
        return ERR_OK;
    case N_SELECTOR:
        return check_selector(c, n);
    case N_MATRIX:
        n->type = TYPE_MATRIX;
        return check_node(c, n->args[0]);
    case N_SUBQUERY:
        return check_subquery(c, n);
    case N_CALL:
        return check_call(c, n);
    case N_AGGREGATE:
        return check_aggregate(c, n);
    case N_BINARY:
        return check_binary(c, n);
    case N_UNARY:
        return check_unary(c, n);
    case N_PAREN:
        e = check_node(c, n->args[0]);
        n->type = n->args[0]->type;
        return e;
    }
    return ERR_OK;
}

enum err promql_check_tree(struct str text, struct node *n, struct err_info *reterr_info)
{
    struct check c = {text, reterr_info};
    return check_node(&c, n);
}
