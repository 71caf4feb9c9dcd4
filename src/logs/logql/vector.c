/* Aggregations over vectors, step by step. */
#include <math.h>
#include <stdlib.h>

#include "logs/logql/eval.h"

struct group {
    struct labels labels;
    uint32_t *members; /* indices of series, in their order */
    size_t n, cap;
};

static bool in_names(const struct grouping *g, struct str name)
{
    for (size_t i = 0; g && i < g->n; i++) {
        if (str_eq(g->names[i], name)) {
            return true;
        }
    }
    return false;
}

static struct labels group_labels(struct eval *ev, const struct grouping *g, struct labels ls)
{
    struct label *out = arena_array(ev->a, ls.n + 1, sizeof(*out));
    size_t n = 0;
    bool without = g && g->without;
    for (size_t i = 0; out && i < ls.n; i++) {
        bool named = in_names(g, ls.l[i].name);
        if (without ? !named && !str_eq(ls.l[i].name, LABEL_METRIC_NAME) : named) {
            out[n++] = ls.l[i];
        }
    }
    return (struct labels){out, n};
}

/* Groups of series, and a matrix with one (still empty) series for each. */
static enum err make_groups(struct eval *ev, const struct grouping *g, const struct matrix *in,
                            struct matrix *out, struct group **ret_groups)
{
    struct label_index index = {0};
    struct group *groups = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < in->n; i++) {
        size_t slot, at;
        struct labels ls = group_labels(ev, g, in->items[i].labels);
        if (!ls.l || label_index_reserve(ev, &index, out) != ERR_OK) {
            return arena_err(ev->a);
        }
        if (!label_index_find(&index, out, ls, &slot, &at)) {
            at = out->n;
            enum err e = arena_reserve(ev->a, (void **)&groups, &cap, at + 1, sizeof(*groups));
            if (e || !matrix_add(ev, out, ls)) {
                return arena_err(ev->a);
            }
            index.slots[slot] = (uint32_t)(at + 1);
            groups[at] = (struct group){.labels = ls};
        }
        struct group *to = &groups[at];
        enum err e = arena_reserve(ev->a, (void **)&to->members, &to->cap, to->n + 1, sizeof(*to->members));
        if (e) {
            return e;
        }
        to->members[to->n++] = (uint32_t)i;
    }
    *ret_groups = groups;
    enum err e = ERR_OK;
    for (size_t i = 0; g && g->without && i < out->n && !e; i++) {
        e = labels_filled(ev, out->items[i].labels, &out->items[i].labels);
    }
    return e;
}

struct running {
    size_t n;
    double value, mean;
};

static void add(struct running *r, enum vector_op op, double v)
{
    bool spread = op == VECTOR_STDDEV || op == VECTOR_STDVAR;
    if (r->n++ == 0) {
        *r = (struct running){1, spread ? 0 : v, v};
        return;
    }
    switch (op) {
    case VECTOR_SUM:
        r->value += v;
        break;
    case VECTOR_AVG:
        if (isinf(r->mean) && ((isinf(v) && (r->mean > 0) == (v > 0)) || isfinite(v))) {
            break;
        }
        r->mean += (v - r->mean) / (double)r->n;
        break;
    case VECTOR_MAX:
        r->value = r->value < v || isnan(r->value) ? v : r->value;
        break;
    case VECTOR_MIN:
        r->value = r->value > v || isnan(r->value) ? v : r->value;
        break;
    case VECTOR_STDDEV:
    case VECTOR_STDVAR: {
        double delta = v - r->mean;
        r->mean += delta / (double)r->n;
        r->value += delta * (v - r->mean);
        break;
    }
    case VECTOR_COUNT:
    case VECTOR_BOTTOMK:
    case VECTOR_TOPK:
    case VECTOR_SORT:
    case VECTOR_SORT_DESC:
    case VECTOR_APPROX_TOPK:
    case VECTOR_OP_COUNT:
        break;
    }
}

static double total(const struct running *r, enum vector_op op)
{
    switch ((int)op) {
    case VECTOR_AVG:
        return r->mean;
    case VECTOR_COUNT:
        return (double)r->n;
    case VECTOR_STDDEV:
        return sqrt(r->value / (double)r->n);
    case VECTOR_STDVAR:
        return r->value / (double)r->n;
    default:
        return r->value;
    }
}

static void reduce(struct eval *ev, const struct expr *x, const struct matrix *in, const struct group *g,
                   struct eval_series *out)
{
    enum vector_op op = x->as_ratio ? VECTOR_SUM : x->vector_op;
    for (size_t k = 0; k < ev->steps; k++) {
        struct running r = {0};
        for (size_t i = 0; i < g->n; i++) {
            double v = in->items[g->members[i]].values[k];
            if (!sample_absent(v)) {
                add(&r, op, v);
            }
        }
        if (r.n) {
            out->values[k] = total(&r, op) / (x->as_ratio ? (double)r.n : 1);
        }
    }
}

/* -- ranks ----------------------------------------------------------------------------------------------- */

struct ranked {
    double v;
    uint32_t series;
};

/* Worst first: what a heap of the best keeps on top. NaN is worst in either direction. */
static bool worse(const struct ranked *a, const struct ranked *b, bool top)
{
    if (isnan(a->v)) {
        return true;
    }
    return top ? a->v < b->v : a->v > b->v;
}

static void sift_up(struct ranked *heap, size_t i, bool top)
{
    while (i > 0 && worse(&heap[i], &heap[(i - 1) / 2], top)) {
        struct ranked t = heap[i];
        heap[i] = heap[(i - 1) / 2];
        heap[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void sift_down(struct ranked *heap, size_t n, bool top)
{
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;
        if (child >= n) {
            return;
        }
        if (child + 1 < n && worse(&heap[child + 1], &heap[child], top)) {
            child++;
        }
        if (!worse(&heap[child], &heap[i], top)) {
            return;
        }
        struct ranked t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
        i = child;
    }
}

/* The k best of a group at one step; `heap` has room for all members. */
static size_t best(const struct matrix *in, const struct group *g, size_t step, size_t k, bool top,
                   struct ranked *heap)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct ranked r = {in->items[g->members[i]].values[step], g->members[i]};
        if (sample_absent(r.v)) {
            continue;
        }
        if (n < k) {
            heap[n++] = r;
            sift_up(heap, n - 1, top);
        } else if (isnan(heap[0].v) || (top ? heap[0].v < r.v : heap[0].v > r.v)) {
            heap[0] = r;
            sift_down(heap, n, top);
        }
    }
    return n;
}

static enum err rank(struct eval *ev, const struct expr *x, const struct matrix *in,
                     const struct group *groups, size_t group_count, struct matrix *out)
{
    bool top = x->vector_op != VECTOR_BOTTOMK;
    struct ranked *heap = arena_array(ev->a, in->n + 1, sizeof(*heap));
    if (!heap) {
        return arena_err(ev->a);
    }
    for (size_t i = 0; i < in->n; i++) {
        if (!matrix_add(ev, out, in->items[i].labels)) {
            return arena_err(ev->a);
        }
    }
    for (size_t g = 0; g < group_count; g++) {
        for (size_t k = 0; k < ev->steps; k++) {
            size_t n = best(in, &groups[g], k, (size_t)x->k, top, heap);
            for (size_t i = 0; i < n; i++) {
                out->items[heap[i].series].values[k] = heap[i].v;
            }
        }
    }
    return ERR_OK;
}

/* -- order ----------------------------------------------------------------------------------------------- */

struct sortable {
    struct eval_series series;
    size_t at;
};

static int compare_numbers(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return isnan(a) - isnan(b); /* NaN last, in either direction */
    }
    return (a > b) - (a < b);
}

static int ascending(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int c = compare_numbers(x->series.values[0], y->series.values[0]);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int descending(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    double v = x->series.values[0], w = y->series.values[0];
    int c = isnan(v) || isnan(w) ? compare_numbers(v, w) : compare_numbers(w, v);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Only an instant vector has an order. */
static enum err order(struct eval *ev, bool down, const struct matrix *in, struct matrix *out)
{
    struct sortable *rows = arena_array(ev->a, in->n + 1, sizeof(*rows));
    size_t n = 0;
    if (!rows) {
        return arena_err(ev->a);
    }
    for (size_t i = 0; i < in->n; i++) {
        if (!ev->instant || !sample_absent(in->items[i].values[0])) {
            rows[n] = (struct sortable){in->items[i], n};
            n++;
        }
    }
    if (ev->instant && n > 1) {
        qsort(rows, n, sizeof(*rows), down ? descending : ascending);
    }
    enum err e = arena_reserve(ev->a, (void **)&out->items, &out->cap, n, sizeof(*out->items));
    for (size_t i = 0; i < n && !e; i++) {
        out->items[out->n++] = rows[i].series;
    }
    return e;
}

/* -- the whole ------------------------------------------------------------------------------------------- */

/* A sum's grouping may be applied to the samples themselves where sums of sums are sums. */
static bool sums_up(const struct expr *x)
{
    if (x->vector_op != VECTOR_SUM || x->left->kind != EXPR_RANGE || x->left->grouping) {
        return false;
    }
    enum range_op op = x->left->range_op;
    return op == RANGE_BYTES || op == RANGE_BYTES_RATE || op == RANGE_SUM || op == RANGE_RATE ||
           op == RANGE_COUNT;
}

enum err eval_vector_agg(struct eval *ev, const struct expr *x, struct matrix *ret_matrix)
{
    struct matrix in, grouped = {0}, out = {0};
    struct group *groups = NULL;
    enum vector_op op = x->vector_op;
    if (op == VECTOR_APPROX_TOPK && !ev->instant) {
        return err_set(ev->info, ERR_EXECUTION, "count min sketches are only supported on instant queries");
    }
    enum err e =
        sums_up(x) ? logql_eval_range(ev, x->left, x->grouping, true, &in) : eval_expr(ev, x->left, &in);
    if (e) {
        return e;
    }
    if (op == VECTOR_SORT || op == VECTOR_SORT_DESC) {
        e = order(ev, op == VECTOR_SORT_DESC, &in, &out);
    } else {
        e = make_groups(ev, x->grouping, &in, &grouped, &groups);
        if (!e && (op == VECTOR_TOPK || op == VECTOR_BOTTOMK || op == VECTOR_APPROX_TOPK)) {
            e = rank(ev, x, &in, groups, grouped.n, &out);
        } else if (!e) {
            for (size_t i = 0; i < grouped.n; i++) {
                reduce(ev, x, &in, &groups[i], &grouped.items[i]);
            }
            out = grouped;
        }
    }
    if (e) {
        return logql_eval_no_memory(ev);
    }
    *ret_matrix = out;
    return ERR_OK;
}
