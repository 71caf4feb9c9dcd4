/* Types: every operand is of a kind its operator takes. */
#include "metrics/promql/functions.h"

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

static enum err check_binary(struct check *c, struct node *n)
{
    enum value_type l = n->args[0]->type, r = n->args[1]->type;
    if (op_is_comparison(n->op) && l == TYPE_SCALAR && r == TYPE_SCALAR && !n->return_bool) {
        return parse_error(c->text, n->pos, c->info, "comparisons between scalars must use BOOL modifier");
    }
    for (size_t i = 0; i < 2; i++) {
        enum value_type t = n->args[i]->type;
        if (t != TYPE_SCALAR && t != TYPE_VECTOR) {
            return parse_error(c->text, n->args[i]->pos, c->info,
                               "binary expression must contain only scalar and instant vector types");
        }
    }
    if (l != TYPE_VECTOR || r != TYPE_VECTOR) {
        if (n->matching && n->name_count) {
            return parse_error(c->text, n->pos, c->info,
                               "vector matching only allowed between instant vectors");
        }
        if (op_is_set(n->op)) {
            return parse_error(c->text, n->pos, c->info,
                               "set operator \"%s\" not allowed in binary scalar expression",
                               binary_op_text(n->op));
        }
    }
    n->type = l == TYPE_SCALAR && r == TYPE_SCALAR ? TYPE_SCALAR : TYPE_VECTOR;
    return ERR_OK;
}

static enum err check_aggregate(struct check *c, struct node *n)
{
    n->type = TYPE_VECTOR;
    if (n->args[0]->type != TYPE_VECTOR) {
        return parse_error(c->text, n->args[0]->pos, c->info,
                           "expected type instant vector in aggregation expression, got %s",
                           type_name(n->args[0]->type));
    }
    if (!n->param) {
        return ERR_OK;
    }
    enum value_type want = n->aggregate == AGG_COUNT_VALUES ? TYPE_STRING : TYPE_SCALAR;
    if (n->param->type != want) {
        return parse_error(c->text, n->param->pos, c->info,
                           "expected type %s in aggregation parameter, got %s", type_name(want),
                           type_name(n->param->type));
    }
    return ERR_OK;
}

static enum err check_call(struct check *c, struct node *n)
{
    const struct function *f = n->function;
    size_t declared = 0;
    while (declared < ARRAY_LEN(f->args) && f->args[declared]) {
        declared++;
    }
    size_t least = f->optional == 0  ? declared
                   : f->optional > 0 ? declared - (size_t)f->optional
                                     : declared - 1;
    size_t most = f->optional < 0 ? FUNCTION_ARGS_MAX : declared;
    n->type = f->result;
    if (f->optional == 0 && n->arg_count != declared) {
        return parse_error(c->text, n->pos, c->info, "expected %zu argument(s) in call to \"%s\", got %zu",
                           declared, f->name, n->arg_count);
    }
    if (n->arg_count < least) {
        return parse_error(c->text, n->pos, c->info,
                           "expected at least %zu argument(s) in call to \"%s\", got %zu", least, f->name,
                           n->arg_count);
    }
    if (n->arg_count > most) {
        return parse_error(c->text, n->pos, c->info,
                           "expected at most %zu argument(s) in call to \"%s\", got %zu", most, f->name,
                           n->arg_count);
    }
    for (size_t i = 0; i < n->arg_count; i++) {
        enum value_type want = f->args[i < declared ? i : declared - 1];
        if (n->args[i]->type != want) {
            return parse_error(c->text, n->args[i]->pos, c->info,
                               "expected type %s in call to function \"%s\", got %s", type_name(want),
                               f->name, type_name(n->args[i]->type));
        }
    }
    return ERR_OK;
}

static enum err check_node(struct check *c, struct node *n)
{
    enum err e = n->param ? check_node(c, n->param) : ERR_OK;
    for (size_t i = 0; i < n->arg_count && !e; i++) {
        e = check_node(c, n->args[i]);
    }
    if (e) {
        return e;
    }
    switch (n->kind) {
    case N_NUMBER:
        n->type = TYPE_SCALAR;
        return ERR_OK;
    case N_STRING:
        n->type = TYPE_STRING;
        return ERR_OK;
    case N_SELECTOR:
        n->type = TYPE_VECTOR;
        return ERR_OK;
    case N_MATRIX:
        n->type = TYPE_MATRIX;
        return ERR_OK;
    case N_SUBQUERY:
        n->type = TYPE_MATRIX;
        if (n->args[0]->type != TYPE_VECTOR && n->args[0]->type != TYPE_SCALAR) {
            return parse_error(c->text, n->pos, c->info,
                               "subquery is only allowed on instant vector, got %s instead",
                               type_name(n->args[0]->type));
        }
        return n->args[0]->type == TYPE_SCALAR
                   ? parse_error(c->text, n->pos, c->info,
                                 "subquery is only allowed on instant vector, got scalar instead")
                   : ERR_OK;
    case N_CALL:
        return check_call(c, n);
    case N_AGGREGATE:
        return check_aggregate(c, n);
    case N_BINARY:
        return check_binary(c, n);
    case N_UNARY:
        n->type = n->args[0]->type;
        if (n->type != TYPE_SCALAR && n->type != TYPE_VECTOR) {
            return parse_error(
                c->text, n->pos, c->info,
                "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                type_name(n->type));
        }
        return ERR_OK;
    case N_PAREN:
        n->type = n->args[0]->type;
        return ERR_OK;
    }
    return ERR_OK;
}

enum err promql_check_tree(struct str text, struct node *n, bool experimental, struct err_info *reterr_info)
{
    struct check c = {text, reterr_info};
    (void)experimental;
    return check_node(&c, n);
}
