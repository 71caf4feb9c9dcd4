/* Binary operators: scalars, vector against scalar, vector matching, set operators. */
#include <math.h>
#include <stdlib.h>

#include "metrics/promql/eval.h"

/* False: the comparison drops the element. A filter keeps the left value. */
static bool apply(enum binary_op op, double l, double r, bool as_bool, double *ret_v)
{
    bool keep = true;
    switch (op) {
    case OP_ADD:
        *ret_v = l + r;
        return true;
    case OP_SUB:
        *ret_v = l - r;
        return true;
    case OP_MUL:
        *ret_v = l * r;
        return true;
    case OP_DIV:
        *ret_v = l / r;
        return true;
    case OP_MOD:
        *ret_v = fmod(l, r);
        return true;
    case OP_POW:
        *ret_v = pow(l, r);
        return true;
    case OP_ATAN2:
        *ret_v = atan2(l, r);
        return true;
    case OP_EQ:
        keep = l == r;
        break;
    case OP_NEQ:
        keep = l != r;
        break;
    case OP_LT:
        keep = l < r;
        break;
    case OP_LE:
        keep = l <= r;
        break;
    case OP_GT:
        keep = l > r;
        break;
    case OP_GE:
        keep = l >= r;
        break;
    case OP_AND:
    case OP_OR:
    case OP_UNLESS:
    case OP_COUNT:
        return false;
    }
    *ret_v = as_bool ? keep : l;
    return as_bool || keep;
}

static bool drops_name(const struct node *n)
{
    return n->return_bool || !op_is_comparison(n->op);
}

static enum err scalar_scalar(struct eval *e, const struct node *n, const struct value *l,
                              const struct value *r, struct value *out)
{
    enum err err = scalar_new(e, out);
    for (size_t i = 0; i < e->steps && !err; i++) {
        if (!apply(n->op, l->scalar[i], r->scalar[i], true, &out->scalar[i])) {
            out->scalar[i] = (double)NAN;
        }
    }
    return err;
}

static enum err vector_scalar(struct eval *e, const struct node *n, struct value *vector,
                              const double *scalar, bool scalar_left)
{
    for (size_t k = 0; k < vector->n; k++) {
        struct series *s = &vector->s[k];
        if (drops_name(n)) {
            enum err err = drop_name(e, s->labels, &s->labels);
            if (err) {
                return err;
            }
        }
        for (size_t i = 0; i < e->steps; i++) {
            double v = s->v[i], result;
            if (!s->has[i]) {
                continue;
            }
            s->has[i] = scalar_left ? apply(n->op, scalar[i], v, n->return_bool, &result)
                                    : apply(n->op, v, scalar[i], n->return_bool, &result);
            if (s->has[i]) {
                s->v[i] = op_is_comparison(n->op) && !n->return_bool ? v : result;
            }
        }
    }
    return drops_name(n) ? value_merge(e, vector) : ERR_OK;
}

/* -- vector matching ------------------------------------------------------------------------------------- */

struct member {
    uint64_t signature;
    uint32_t index;
};

struct side {
    const struct value *v;
    struct member *members; /* sorted by signature, then index */
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return x->signature != y->signature ? (x->signature > y->signature) - (x->signature < y->signature)
                                        : (x->index > y->index) - (x->index < y->index);
}

static enum err side_init(struct eval *e, const struct node *n, const struct value *v, struct side *s)
{
    *s = (struct side){v, arena_array(e->a, v->n + 1, sizeof(*s->members))};
    if (!s->members) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < v->n; i++) {
        uint64_t h = n->on ? labels_hash_by(v->s[i].labels, n->names, n->name_count)
                           : labels_hash_without(v->s[i].labels, n->names, n->name_count);
        s->members[i] = (struct member){h, (uint32_t)i};
    }
    qsort(s->members, v->n, sizeof(*s->members), compare_members);
    return ERR_OK;
}

/* The members with the signature: [*from, *to). */
static void side_find(const struct side *s, uint64_t signature, size_t *from, size_t *to)
{
    size_t lo = 0, hi = s->v->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->members[mid].signature < signature) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    *from = lo;
    while (lo < s->v->n && s->members[lo].signature == signature) {
        lo++;
    }
    *to = lo;
}

static bool side_present(const struct side *s, size_t from, size_t to, size_t step)
{
    for (size_t k = from; k < to; k++) {
        if (s->v->s[s->members[k].index].has[step]) {
            return true;
        }
    }
    return false;
}

static enum err set_operator(struct eval *e, const struct node *n, struct value *l, struct value *r,
                             struct value *out)
{
    struct side left, right;
    enum err err = side_init(e, n, l, &left);
    err = err ? err : side_init(e, n, r, &right);
    if (err) {
        return err;
    }
    size_t from, to;
    if (n->op == OP_OR) {
        *out = (struct value){.type = TYPE_VECTOR};
        out->s = arena_array(e->a, l->n + r->n + 1, sizeof(*out->s));
        if (!out->s) {
            return eval_no_memory(e);
        }
        for (size_t k = 0; k < l->n; k++) {
            out->s[out->n++] = l->s[k];
        }
        for (size_t k = 0; k < r->n; k++) {
            struct series *s = &r->s[right.members[k].index];
            side_find(&left, right.members[k].signature, &from, &to);
            for (size_t i = 0; i < e->steps && from < to; i++) {
                s->has[i] = s->has[i] && !side_present(&left, from, to, i);
            }
            out->s[out->n++] = *s;
        }
        out->cap = l->n + r->n + 1;
        return value_merge(e, out);
    }
    for (size_t k = 0; k < l->n; k++) {
        struct series *s = &l->s[left.members[k].index];
        side_find(&right, left.members[k].signature, &from, &to);
        for (size_t i = 0; i < e->steps; i++) {
            bool match = side_present(&right, from, to, i);
            s->has[i] = s->has[i] && match == (n->op == OP_AND);
        }
    }
    *out = *l;
    return ERR_OK;
}

static enum err result_labels(struct eval *e, const struct node *n, struct labels many, struct labels one,
                              struct labels *out)
{
    enum err err = ERR_OK;
    *out = many;
    if (drops_name(n)) {
        err = drop_name(e, many, out);
    }
    if (!err && n->card == CARD_ONE_TO_ONE) {
        err = n->on ? labels_keep(e->a, *out, n->names, n->name_count, out)
                    : labels_drop(e->a, *out, n->names, n->name_count, out);
    }
    for (size_t i = 0; i < n->include_count && !err; i++) {
        err = labels_with(e->a, *out, n->include[i], labels_get(one, n->include[i]), out);
    }
    return err ? eval_no_memory(e) : ERR_OK;
}

static enum err duplicates(struct eval *e, const struct node *n, struct labels a, struct labels b, bool right)
{
    struct buf first AUTO_BUF = {0}, second AUTO_BUF = {0}, group AUTO_BUF = {0};
    struct labels key = {0};
    enum err err = n->on ? labels_keep(e->a, a, n->names, n->name_count, &key)
                         : labels_drop(e->a, a, n->names, n->name_count, &key);
    if (!err && !n->on) {
        err = drop_name(e, key, &key);
    }
    if (err) {
        return eval_no_memory(e);
    }
    labels_format(&group, key);
    labels_format(&first, b);
    labels_format(&second, a);
    return err_set(
        e->info, ERR_EXECUTION,
        "found duplicate series for the match group %.*s on the %s hand-side of the operation: [%.*s, "
        "%.*s];many-to-many matching not allowed: matching labels must be unique on one side",
        STR_FMT(buf_view(&group)), right ? "right" : "left", STR_FMT(buf_view(&first)),
        STR_FMT(buf_view(&second)));
}

/* The "one" side must have at most one element of a signature at any step. */
static enum err check_one_side(struct eval *e, const struct node *n, const struct side *one, bool right)
{
    for (size_t k = 1; k < one->v->n; k++) {
        if (one->members[k].signature != one->members[k - 1].signature) {
            continue;
        }
        size_t from = k - 1;
        while (from > 0 && one->members[from - 1].signature == one->members[k].signature) {
            from--;
        }
        const struct series *b = &one->v->s[one->members[k].index];
        for (size_t m = from; m < k; m++) {
            const struct series *a = &one->v->s[one->members[m].index];
            for (size_t i = 0; i < e->steps; i++) {
                if (a->has[i] && b->has[i]) {
                    return duplicates(e, n, a->labels, b->labels, right);
                }
            }
        }
    }
    return ERR_OK;
}

/* In one-to-one matching the many side too: two elements that both found a partner at one step. */
static enum err check_many_side(struct eval *e, const struct side *many, const struct side *one)
{
    for (size_t k = 1; k < many->v->n; k++) {
        const struct member *m = &many->members[k];
        size_t from, to;
        if (m->signature != m[-1].signature) {
            continue;
        }
        side_find(one, m->signature, &from, &to);
        for (size_t p = k; p > 0 && many->members[p - 1].signature == m->signature && from < to; p--) {
            const struct series *a = &many->v->s[many->members[p - 1].index], *b = &many->v->s[m->index];
            for (size_t i = 0; i < e->steps; i++) {
                if (a->has[i] && b->has[i] && side_present(one, from, to, i)) {
                    return err_set(e->info, ERR_EXECUTION,
                                   "multiple matches for labels: many-to-one matching must be explicit "
                                   "(group_left/group_right)");
                }
            }
        }
    }
    return ERR_OK;
}

static enum err pair(struct eval *e, const struct node *n, const struct series *many,
                     const struct series *one, struct value *out)
{
    struct series *row = NULL;
    bool swapped = n->card == CARD_ONE_TO_MANY;
    for (size_t i = 0; i < e->steps; i++) {
        double result;
        if (!many->has[i] || !one->has[i]) {
            continue;
        }
        double l = swapped ? one->v[i] : many->v[i], r = swapped ? many->v[i] : one->v[i];
        if (!apply(n->op, l, r, n->return_bool, &result)) {
            continue;
        }
        if (!row) {
            struct labels ls;
            enum err err = result_labels(e, n, many->labels, one->labels, &ls);
            err = err ? err : value_add(e, out, ls, &row);
            if (err) {
                return err;
            }
        }
        row->v[i] = result;
        row->has[i] = 1;
    }
    return ERR_OK;
}

static enum err vector_vector(struct eval *e, const struct node *n, struct value *l, struct value *r,
                              struct value *out)
{
    bool swapped = n->card == CARD_ONE_TO_MANY;
    struct side many, one;
    enum err err = side_init(e, n, swapped ? r : l, &many);
    err = err ? err : side_init(e, n, swapped ? l : r, &one);
    err = err ? err : check_one_side(e, n, &one, !swapped);
    if (!err && n->card == CARD_ONE_TO_ONE) {
        err = check_many_side(e, &many, &one);
    }
    *out = (struct value){.type = TYPE_VECTOR};
    for (size_t k = 0; k < many.v->n && !err; k++) {
        size_t from, to;
        side_find(&one, many.members[k].signature, &from, &to);
        for (size_t m = from; m < to && !err; m++) {
            err = pair(e, n, &many.v->s[many.members[k].index], &one.v->s[one.members[m].index], out);
        }
    }
    if (err) {
        return err;
    }
    err = value_merge(e, out);
    return err == ERR_EXECUTION
               ? err_set(e->info, ERR_EXECUTION,
                         "multiple matches for labels: grouping labels must ensure unique matches")
               : err;
}

enum err eval_binary(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct value l = {0}, r = {0};
    enum err err = eval_node(e, n->args[0], &l);
    err = err ? err : eval_node(e, n->args[1], &r);
    if (err) {
        return err;
    }
    if (!op_is_set(n->op)) {
        value_drop_histograms(e, &l);
        value_drop_histograms(e, &r);
    }
    if (l.type == TYPE_SCALAR && r.type == TYPE_SCALAR) {
        return scalar_scalar(e, n, &l, &r, ret_value);
    }
    if (l.type == TYPE_VECTOR && r.type == TYPE_VECTOR) {
        return op_is_set(n->op) ? set_operator(e, n, &l, &r, ret_value)
                                : vector_vector(e, n, &l, &r, ret_value);
    }
    bool scalar_left = l.type == TYPE_SCALAR;
    *ret_value = scalar_left ? r : l;
    return vector_scalar(e, n, ret_value, scalar_left ? l.scalar : r.scalar, scalar_left);
}
