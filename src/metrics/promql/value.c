/* Values: series with columns over the grid, and what every operator does with them. */
#include <stdlib.h>

#include "base/mem.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/promql/columns.h"
#include "metrics/promql/eval.h"

enum err eval_no_memory(struct eval *e)
{
    enum err why = arena_err(e->a);
    size_t limit = e->q->budget ? e->q->budget->limit_bytes : 0;
    if (why != ERR_LIMIT || limit == 0) {
        return err_set(e->info, why ? why : ERR_OOM, "the query needs more memory than there is");
    }
    if (atomic_load(&e->q->budget->promise_refused)) {
        return query_ctx_no_memory(e->q, why, e->info);
    }
    return err_set(
        e->info, why,
        "the query needs more than the %zu MiB of memory that one query may use (half of --memory, at "
        "most 1 GiB): narrow the selection or enlarge the step",
        limit >> 20);
}

enum err eval_peak(struct eval *e, uint64_t samples)
{
    /* Below zero, as the original counts, when a subquery lets go of smoothed points that were not counted.
     */
    int64_t held = (int64_t)(e->usage->current + samples);
    if (held > (int64_t)e->usage->peak) {
        e->usage->peak = (uint64_t)held;
    }
    if (e->q->samples_max && held > 0 && (uint64_t)held > e->q->samples_max) {
        return err_set(e->info, ERR_EXECUTION,
                       "query processing would load too many samples into memory in query execution");
    }
    return ERR_OK;
}

enum err eval_charge(struct eval *e, uint64_t samples)
{
    e->usage->total += samples;
    e->usage->read += samples;
    atomic_fetch_add_explicit(&e->q->samples, samples, memory_order_relaxed);
    enum err err = eval_peak(e, samples);
    e->usage->current += samples;
    return err ? err : query_ctx_check(e->q, e->info);
}

/* -- columns --------------------------------------------------------------------------------------------- */

enum err value_add(struct eval *e, struct value *v, struct labels labels, struct series **ret_series)
{
    enum err err = arena_reserve(e->a, (void **)&v->s, &v->cap, v->n + 1, sizeof(*v->s));
    struct series s = {
        .labels = labels,
        .v = arena_array(e->a, e->steps, sizeof(*s.v)),
        .has = arena_zarray(e->a, e->steps, sizeof(*s.has)),
    };
    if (err || !s.v || !s.has) {
        return eval_no_memory(e);
    }
    v->s[v->n] = s;
    *ret_series = &v->s[v->n++];
    return ERR_OK;
}

enum err value_push(struct eval *e, struct value *v, const struct series *row)
{
    if (arena_reserve(e->a, (void **)&v->s, &v->cap, v->n + 1, sizeof(*v->s))) {
        return eval_no_memory(e);
    }
    v->s[v->n++] = *row;
    return ERR_OK;
}

static const void *keep(struct eval *e, const void *items, size_t n, size_t size)
{
    void *copy = arena_array(e->a, n + 1, size);
    if (copy && n) {
        memcpy(copy, items, n * size);
    }
    return copy;
}

const struct histogram *eval_keep_histogram(struct eval *e, const struct histogram *h)
{
    struct histogram *k = arena_alloc(e->a, sizeof(*k));
    if (!k) {
        return NULL;
    }
    *k = *h;
    k->positive_spans = keep(e, h->positive_spans, h->positive_span_count, sizeof(*h->positive_spans));
    k->negative_spans = keep(e, h->negative_spans, h->negative_span_count, sizeof(*h->negative_spans));
    k->positive = keep(e, h->positive, h->positive_count, sizeof(*h->positive));
    k->negative = keep(e, h->negative, h->negative_count, sizeof(*h->negative));
    k->custom_values = keep(e, h->custom_values, h->custom_value_count, sizeof(*h->custom_values));
    bool whole = k->positive_spans && k->negative_spans && k->positive && k->negative && k->custom_values;
    return whole ? k : NULL;
}

enum err series_put(struct eval *e, struct series *s, size_t i, struct point p)
{
    if (p.h && !s->h) {
        s->h = arena_zarray(e->a, e->steps, sizeof(*s->h));
        if (!s->h) {
            return eval_no_memory(e);
        }
    }
    if (s->h) {
        s->h[i] = p.h;
    }
    s->v[i] = p.v;
    s->has[i] = 1;
    return ERR_OK;
}

void value_drop_histograms(struct eval *e, struct value *v)
{
    for (size_t k = 0; k < v->n; k++) {
        struct series *s = &v->s[k];
        for (size_t i = 0; s->h && i < e->steps; i++) {
            s->has[i] = s->has[i] && !s->h[i];
        }
        s->h = NULL;
    }
}

static size_t series_points(const struct eval *e, const struct series *s)
{
    size_t n = 0;
    if (!s->h) {
        return column_count(s->has, e->steps);
    }
    for (size_t i = 0; i < e->steps; i++) {
        n += !s->has[i] ? 0 : s->h[i] ? histogram_point_cost(s->h[i]) : 1;
    }
    return n;
}

size_t value_points(const struct eval *e, const struct value *v)
{
    size_t n = v->type == TYPE_SCALAR ? e->steps : 0;
    for (size_t k = 0; k < v->n; k++) {
        n += series_points(e, &v->s[k]);
    }
    return n;
}

size_t value_last(const struct eval *e, const struct value *v)
{
    size_t n = v->type == TYPE_SCALAR;
    for (size_t k = 0; k < v->n; k++) {
        n += v->s[k].has[e->steps - 1];
    }
    return n;
}

void value_drop_empty(struct eval *e, struct value *v)
{
    size_t kept = 0;
    for (size_t k = 0; k < v->n; k++) {
        if (memchr(v->s[k].has, 1, e->steps)) {
            v->s[kept++] = v->s[k];
        }
    }
    v->n = kept;
}

static int compare_order(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static int compare_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct series *)a)->labels, ((const struct series *)b)->labels);
}

void value_sort_selected(struct value *v)
{
    bool ordered = true, sorted = true;
    for (size_t k = 0; k < v->n; k++) {
        ordered &= !(v->s[k].order & METRIC_ID_UNORDERED);
        sorted &= k == 0 || v->s[k].order > v->s[k - 1].order;
    }
    if (v->n > 1 && !(ordered && sorted)) {
        qsort(v->s, v->n, sizeof(*v->s), ordered ? compare_order : compare_labels);
    }
}

enum err scalar_new(struct eval *e, struct value *v)
{
    *v = (struct value){.type = TYPE_SCALAR, .scalar = arena_array(e->a, e->steps, sizeof(double))};
    return v->scalar ? ERR_OK : eval_no_memory(e);
}

/* -- names ----------------------------------------------------------------------------------------------- */

enum err drop_name(struct eval *e, struct labels ls, struct labels *ret_labels)
{
    const struct str names[] = {LABEL_METRIC_NAME, STR("__type__"), STR("__unit__")};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(names) && !any; i++) {
        any = labels_get(ls, names[i]).n > 0;
    }
    *ret_labels = ls;
    if (!any) {
        return ERR_OK;
    }
    return labels_drop(e->a, ls, names, ARRAY_LEN(names), ret_labels) ? eval_no_memory(e) : ERR_OK;
}

enum err series_drop_name(struct eval *e, struct series *s)
{
    s->drops_name = true;
    return e->options->delayed_name ? ERR_OK : drop_name(e, s->labels, &s->labels);
}

/* -- equal labels ---------------------------------------------------------------------------------------- */

struct merge_key {
    uint64_t hash;
    uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct merge_key *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash)
                              : (x->index > y->index) - (x->index < y->index);
}

static enum err same_labels(struct eval *e)
{
    return err_set(e->info, ERR_EXECUTION, "vector cannot contain metrics with the same labelset");
}

static enum err merge_into(struct eval *e, struct series *to, struct series *from)
{
    for (size_t i = 0; i < e->steps; i++) {
        bool is_histogram = to->h && to->h[i], other = from->h && from->h[i];
        if (to->has[i] && from->has[i] && is_histogram == other) {
            return same_labels(e);
        }
        if (from->has[i] && (!to->has[i] || other)) { /* the original shows the histogram then */
            struct point p = {from->v[i], from->h ? from->h[i] : NULL};
            enum err err = series_put(e, to, i, p);
            if (err) {
                return err;
            }
        }
    }
    from->has = NULL; /* taken out below */
    return ERR_OK;
}

static enum err merge_sorted(struct eval *e, struct value *v, const struct merge_key *keys, bool refuse)
{
    for (size_t i = 0; i + 1 < v->n; i++) {
        struct series *to = &v->s[keys[i].index];
        for (size_t k = i + 1; k < v->n && keys[k].hash == keys[i].hash && to->has; k++) {
            struct series *from = &v->s[keys[k].index];
            if (!from->has || !labels_eq(to->labels, from->labels)) {
                continue;
            }
            enum err err = refuse ? same_labels(e) : merge_into(e, to, from);
            if (err) {
                return err;
            }
        }
    }
    return ERR_OK;
}

static enum err merge(struct eval *e, struct value *v, bool refuse)
{
    if (v->n < 2) {
        return ERR_OK;
    }
    struct merge_key *keys = mem_array(v->n, sizeof(*keys));
    if (!keys) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < v->n; i++) {
        keys[i] = (struct merge_key){labels_hash(v->s[i].labels), (uint32_t)i};
    }
    qsort(keys, v->n, sizeof(*keys), compare_keys);
    enum err err = merge_sorted(e, v, keys, refuse);
    mem_free(keys);
    size_t kept = 0;
    for (size_t i = 0; i < v->n && !err; i++) {
        if (v->s[i].has) {
            v->s[kept++] = v->s[i];
        }
    }
    v->n = err ? v->n : kept;
    return err;
}

enum err value_merge(struct eval *e, struct value *v)
{
    return merge(e, v, false);
}

enum err value_merge_now(struct eval *e, struct value *v)
{
    return e->options->delayed_name && e->single ? ERR_OK : merge(e, v, false);
}

enum err value_unique(struct eval *e, struct value *v)
{
    return e->options->delayed_name ? ERR_OK : merge(e, v, true);
}
