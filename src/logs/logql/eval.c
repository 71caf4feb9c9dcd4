/* Metric queries, node by node. */
#include "logs/logql/eval.h"

#include "labels/relabel.h"

static enum err eval_vector_literal(struct eval *ev, double v, struct matrix *ret_matrix)
{
    struct matrix m = {0};
    struct eval_series *s = matrix_add(ev, &m, (struct labels){0});
    if (!s) {
        return logql_eval_no_memory(ev);
    }
    for (size_t k = 0; k < ev->steps; k++) {
        s->values[k] = v;
    }
    *ret_matrix = m;
    return ERR_OK;
}

static enum err replaced(struct eval *ev, const struct expr *x, struct labels ls, struct labels *ret_labels)
{
    struct str captures[REGEX_CAPTURES_MAX + 1] = {{0}};
    struct buf text AUTO_BUF = {0};
    size_t n = regex_group_count(x->re) + 1;
    n = n > ARRAY_LEN(captures) ? ARRAY_LEN(captures) : n;
    *ret_labels = ls;
    struct str src = labels_get(ls, x->src);
    if (!regex_find(x->re, src.p ? src : STR(""), 0, captures, n)) {
        return ERR_OK;
    }
    regex_expand(&text, x->replacement, x->re, captures);
    struct str value = text.err ? (struct str){0} : arena_str(ev->a, buf_view(&text));
    if (!value.p) {
        return ERR_OOM;
    }
    enum err e = labels_filled(ev, ls, &ls);
    return e ? e : labels_with(ev->a, ls, x->dst, value, ret_labels);
}

static enum err eval_label_replace(struct eval *ev, const struct expr *x, struct matrix *ret_matrix)
{
    enum err e = eval_expr(ev, x->left, ret_matrix);
    if (e) {
        return e;
    }
    for (size_t i = 0; i < ret_matrix->n && !e; i++) {
        e = replaced(ev, x, ret_matrix->items[i].labels, &ret_matrix->items[i].labels);
    }
    return e ? logql_eval_no_memory(ev) : ERR_OK;
}

enum err eval_expr(struct eval *ev, const struct expr *x, struct matrix *ret_matrix)
{
    *ret_matrix = (struct matrix){0};
    enum err e = query_ctx_check(ev->q, ev->info);
    if (e) {
        return e;
    }
    switch (x->kind) {
    case EXPR_RANGE:
        return logql_eval_range(ev, x, NULL, false, ret_matrix);
    case EXPR_VECTOR_AGG:
        return eval_vector_agg(ev, x, ret_matrix);
    case EXPR_BIN:
        return logql_eval_binary(ev, x, ret_matrix);
    case EXPR_LABEL_REPLACE:
        return eval_label_replace(ev, x, ret_matrix);
    case EXPR_VECTOR:
        return eval_vector_literal(ev, x->value, ret_matrix);
    case EXPR_LITERAL:
        return err_set(
            ev->info, ERR_INTERNAL,
            "unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator) ");
    case EXPR_LOG:
        break;
    }
    return err_set(ev->info, ERR_INTERNAL, "a log query where a metric query belongs");
}
