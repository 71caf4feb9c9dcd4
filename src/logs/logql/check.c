/* The checks of a complete tree, in the order in which Loki makes them. */
#include "logs/logql/ast.h"

static enum err check_matchers(const struct log_expr *l, struct err_info *info)
{
    for (size_t i = 0; i < l->matcher_count; i++) {
        if (!matcher_matches_empty(&l->matchers[i])) {
            return ERR_OK;
        }
    }
    return err_set(
        info, ERR_INVALID,
        "parse error : queries require at least one regexp or equality matcher that does not have an "
        "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but "
        "app=~\".+\" will");
}

static enum err check(const struct expr *x, struct err_info *info)
{
    if (x->fault.p) {
        return err_set(info, ERR_INVALID, "%.*s", STR_FMT(x->fault));
    }
    switch (x->kind) {
    case EXPR_LOG:
        return check_matchers(x->log, info);
    case EXPR_RANGE:
        return check_matchers(&x->range->log, info);
    case EXPR_VECTOR_AGG:
        if ((x->vector_op == VECTOR_SORT || x->vector_op == VECTOR_SORT_DESC) && x->grouping &&
            x->grouping->n) {
            return err_set(info, ERR_INVALID, "parse error : sort and sort_desc doesn't allow grouping by ");
        }
        return check(x->left, info);
    case EXPR_BIN: {
        enum err e = check(x->left, info);
        return e ? e : check(x->right, info);
    }
    case EXPR_LABEL_REPLACE:
        return check(x->left, info);
    case EXPR_LITERAL:
    case EXPR_VECTOR:
        break;
    }
    return ERR_OK;
}

enum err logql_check(const struct ast *ast, struct err_info *reterr_info)
{
    return check(ast->root, reterr_info);
}
