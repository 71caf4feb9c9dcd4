/* Binary operators: on two elements, on scalars, on a vector and a scalar. Vectors against vectors are in
 * matching.c. */
#include <math.h>

#include "metrics/promql/eval.h"
#include "metrics/promql/go_math.h"
#include "metrics/promql/histogram_fns.h"

static double of_floats(enum binary_op op, double l, double r, bool *ret_holds)
{
    *ret_holds = true;
    switch (op) {
    case OP_ADD:
        return l + r;
    case OP_SUB:
        return l - r;
    case OP_MUL:
        return l * r;
    case OP_DIV:
        return l / r;
    case OP_MOD:
        return fmod(l, r);
    case OP_POW:
        return go_pow(l, r);
    case OP_ATAN2:
        return go_atan2(l, r);
    case OP_EQ:
        *ret_holds = l == r;
        return l;
    case OP_NEQ:
        *ret_holds = l != r;
        return l;
    case OP_LT:
        *ret_holds = l < r;
        return l;
    case OP_LE:
        *ret_holds = l <= r;
        return l;
    case OP_GT:
        *ret_holds = l > r;
        return l;
    case OP_GE:
        *ret_holds = l >= r;
        return l;
    case OP_TRIM_UPPER:
    case OP_TRIM_LOWER:
    case OP_AND:
    case OP_OR:
    case OP_UNLESS:
    case OP_COUNT:
        break;
    }
    *ret_holds = false;
    return l;
}

void binary_note(struct eval *e, const struct node *n, enum binary_note what)
{
    const char *op = binary_op_text(n->op), *sum = n->op == OP_SUB ? "subtraction" : "addition";
    bool left = what == BINARY_HISTOGRAM_FLOAT || what == BINARY_HISTOGRAM_HISTOGRAM;
    bool right = what == BINARY_FLOAT_HISTOGRAM || what == BINARY_HISTOGRAM_HISTOGRAM;
    switch (what) {
    case BINARY_FLOAT_FLOAT:
    case BINARY_FLOAT_HISTOGRAM:
    case BINARY_HISTOGRAM_FLOAT:
    case BINARY_HISTOGRAM_HISTOGRAM:
        note(e, false, n->pos, "incompatible sample types encountered for binary operator \"%s\": %s %s %s",
             op, left ? "histogram" : "float", op, right ? "histogram" : "float");
        break;
    case BINARY_LAYOUT:
        note(e, true, n->pos, "incompatible bucket layout encountered for binary operator %s", op);
        break;
    case BINARY_RESETS:
        note(e, true, n->pos, "conflicting counter resets during histogram %s", sum);
        break;
    case BINARY_RECONCILED:
        note(e, false, n->pos, "mismatched custom buckets were reconciled during %s", sum);
        break;
    case BINARY_FINE:
    case BINARY_NOTE_COUNT:
        break;
    }
}

bool binary_apply(struct eval *e, const struct node *n, struct point l, struct point r, struct point *ret_p,
                  bool *ret_holds, enum binary_note *ret_note)
{
    bool trims = n->op == OP_TRIM_LOWER || n->op == OP_TRIM_UPPER;
    *ret_holds = false;
    *ret_note = trims ? BINARY_FLOAT_FLOAT : BINARY_FINE;
    if (l.h || r.h) {
        return histogram_binary(e, n, &l, &r, ret_p, ret_holds, ret_note);
    }
    if (trims) {
        return false;
    }
    *ret_p = (struct point){.v = of_floats(n->op, l.v, r.v, ret_holds)};
    return true;
}

static enum err scalar_scalar(struct eval *e, const struct node *n, const struct value *l,
                              const struct value *r, struct value *out)
{
    if (n->op == OP_TRIM_LOWER || n->op == OP_TRIM_UPPER) {
        return err_set(e->info, ERR_EXECUTION, "operator \"%s\" not allowed for Scalar operations",
                       binary_op_text(n->op));
    }
    enum err err = scalar_new(e, out);
    for (size_t i = 0; i < e->steps && !err; i++) {
        bool holds;
        double v = of_floats(n->op, l->scalar[i], r->scalar[i], &holds);
        out->scalar[i] = op_is_comparison(n->op) ? holds : v;
    }
    return err;
}

/* One element; a filter keeps the vector's own value, whichever side it stands on. *said: what there is to
 * say about the step; the last element that has something to say wins. */
static enum err element_scalar(struct eval *e, const struct node *n, struct series *s, size_t i,
                               double scalar, bool scalar_left, enum binary_note *said)
{
    struct point element = {s->v[i], s->h ? s->h[i] : NULL}, other = {.v = scalar}, p = {0};
    bool holds = false;
    enum binary_note what = BINARY_FINE;
    bool ok = scalar_left ? binary_apply(e, n, other, element, &p, &holds, &what)
                          : binary_apply(e, n, element, other, &p, &holds, &what);
    *said = what == BINARY_FINE ? *said : what;
    s->has[i] = ok && (holds || n->return_bool);
    if (!s->has[i]) {
        return ERR_OK;
    }
    if (op_is_comparison(n->op)) {
        p = element;
    }
    return series_put(e, s, i, n->return_bool ? (struct point){.v = holds} : p);
}

static enum err vector_scalar(struct eval *e, const struct node *n, struct value *vector,
                              const double *scalar, bool scalar_left)
{
    enum binary_note *said = arena_zarray(e->a, e->steps, sizeof(*said));
    enum err err = said ? ERR_OK : eval_no_memory(e);
    for (size_t k = 0; k < vector->n && !err; k++) {
        struct series *s = &vector->s[k];
        if (op_is_arithmetic(n->op) || n->return_bool) {
            err = series_drop_name(e, s);
        }
        for (size_t i = 0; i < e->steps && !err; i++) {
            err = s->has[i] ? element_scalar(e, n, s, i, scalar[i], scalar_left, &said[i]) : ERR_OK;
        }
    }
    if (err) {
        return err;
    }
    for (size_t i = 0; i < e->steps; i++) {
        binary_note(e, n, said[i]);
    }
    value_drop_empty(e, vector);
    return value_merge_now(e, vector);
}

enum err eval_binary(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct value l = {0}, r = {0};
    enum err err = eval_node(e, n->args[0], &l);
    err = err ? err : eval_node(e, n->args[1], &r);
    if (err) {
        return err;
    }
    if (l.type == TYPE_SCALAR && r.type == TYPE_SCALAR) {
        return scalar_scalar(e, n, &l, &r, ret_value);
    }
    if (l.type == TYPE_VECTOR && r.type == TYPE_VECTOR) {
        *ret_value = (struct value){.type = TYPE_VECTOR};
        return op_is_set(n->op) ? match_sets(e, n, &l, &r, ret_value)
                                : match_vectors(e, n, &l, &r, ret_value);
    }
    bool scalar_left = l.type == TYPE_SCALAR;
    *ret_value = scalar_left ? r : l;
    return vector_scalar(e, n, ret_value, scalar_left ? l.scalar : r.scalar, scalar_left);
}
