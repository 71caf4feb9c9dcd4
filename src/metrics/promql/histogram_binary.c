/* Binary operators with a histogram on one side at least. */
#include "metrics/promql/histogram_fns.h"

static enum binary_note note_of(const struct histogram_meeting *m)
{
    return m->incompatible ? BINARY_LAYOUT
           : m->collision  ? BINARY_RESETS
           : m->reconciled ? BINARY_RECONCILED
                           : BINARY_FINE;
}

/* NOT_FOUND: no result; conflicting resets leave none either. */
static enum err sum_of(struct eval *e, const struct node *n, const struct point *l, const struct point *r,
                       struct point *ret_p, enum binary_note *ret_note)
{
    bool subtract = n->op == OP_SUB;
    struct histogram_acc acc;
    struct histogram_meeting m = {0};
    enum err err = histogram_acc_init(&acc, e->a, l->h);
    if (err == ERR_OK) {
        err = subtract ? histogram_acc_sub(&acc, r->h, &m) : histogram_acc_add(&acc, r->h, &m);
    }
    *ret_note = note_of(&m);
    if (err != ERR_OK || m.incompatible || m.collision) {
        return err != ERR_OK ? err : ERR_NOT_FOUND;
    }
    acc.reset_hint = subtract ? HRESET_GAUGE : acc.reset_hint;
    histogram_acc_compact(&acc);
    return histogram_acc_value(&acc, &ret_p->h);
}

/* A histogram with a number on the right, or on the left of a product. False: not defined. */
static bool scaling(const struct node *n, const struct point *l, const struct point *r)
{
    return n->op == OP_MUL
               ? !l->h != !r->h
               : l->h && !r->h && (n->op == OP_DIV || n->op == OP_TRIM_UPPER || n->op == OP_TRIM_LOWER);
}

static enum err scaled(struct eval *e, const struct node *n, const struct point *l, const struct point *r,
                       struct point *ret_p)
{
    const struct histogram *h = l->h ? l->h : r->h;
    double by = l->h ? r->v : l->v;
    if (n->op == OP_MUL || n->op == OP_DIV) {
        return histogram_times(e->a, h, by, n->op == OP_DIV, &ret_p->h);
    }
    return histogram_trim(e->a, h, by, n->op == OP_TRIM_UPPER, &ret_p->h);
}

bool histogram_binary(struct eval *e, const struct node *n, const struct point *l, const struct point *r,
                      struct point *ret_p, bool *ret_holds, enum binary_note *ret_note)
{
    bool both = l->h && r->h;
    enum err err = ERR_NOT_FOUND;
    *ret_p = (struct point){0};
    *ret_holds = true;
    *ret_note = BINARY_FINE;
    if (both && (n->op == OP_EQ || n->op == OP_NEQ)) {
        *ret_p = *l;
        *ret_holds = histogram_equal(l->h, r->h) == (n->op == OP_EQ);
        return true;
    }
    if (both && (n->op == OP_ADD || n->op == OP_SUB)) {
        err = sum_of(e, n, l, r, ret_p, ret_note);
    } else if (scaling(n, l, r)) {
        err = scaled(e, n, l, r, ret_p);
    } else {
        *ret_note = both   ? BINARY_HISTOGRAM_HISTOGRAM
                    : l->h ? BINARY_HISTOGRAM_FLOAT
                           : BINARY_FLOAT_HISTOGRAM;
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        e->notes->failed = err;
    }
    return err == ERR_OK;
}
