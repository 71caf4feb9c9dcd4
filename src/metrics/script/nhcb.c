/* Classic histograms of a block as native ones with custom buckets: what load_with_nhcb asks for. */
#include <math.h>
#include <stdlib.h>

#include "metrics/script/script_int.h"

struct member {
    const struct script_series *series;
    double le; /* NaN: not a bucket */
    bool is_count, is_sum;
};

/* The classic series of one base, as they stand in the block. */
struct group {
    struct labels base;
    struct member *members;
    size_t n, cap, steps;
};

static bool suffix_of(struct str name, struct str suffix, struct str *ret_base)
{
    *ret_base = str_ends(name, suffix) ? str_slice(name, 0, name.n - suffix.n) : (struct str){0};
    return ret_base->n > 0;
}

static enum err group_of(struct arena *a, struct group **groups, size_t *n, size_t *cap, struct labels base,
                         struct group **ret_g)
{
    for (size_t i = 0; i < *n; i++) {
        if (labels_eq((*groups)[i].base, base)) {
            *ret_g = &(*groups)[i];
            return ERR_OK;
        }
    }
    if (arena_reserve(a, (void **)groups, cap, *n + 1, sizeof(**groups))) {
        return ERR_OOM;
    }
    (*groups)[*n] = (struct group){.base = base};
    *ret_g = &(*groups)[(*n)++];
    return ERR_OK;
}

/* The labels without le, under the base's name. */
static enum err base_of(struct arena *a, struct labels ls, struct str name, struct labels *ret_base)
{
    struct label *l = arena_array(a, ls.n + 1, sizeof(*l));
    size_t n = 0;
    if (!l) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (!str_eq_c(ls.l[i].name, "le")) {
            l[n++] = str_eq_c(ls.l[i].name, "__name__") ? (struct label){ls.l[i].name, name} : ls.l[i];
        }
    }
    *ret_base = (struct labels){l, n};
    return ERR_OK;
}

static enum err enter(struct arena *a, const struct script_series *s, struct group **groups, size_t *n,
                      size_t *cap)
{
    struct str name = labels_get(s->labels, STR("__name__")), base = {0};
    struct member m = {.series = s, .le = nan("")};
    bool bucket = suffix_of(name, STR("_bucket"), &base);
    m.is_count = !bucket && suffix_of(name, STR("_count"), &base);
    m.is_sum = !bucket && !m.is_count && suffix_of(name, STR("_sum"), &base);
    if (bucket && (script_number(labels_get(s->labels, STR("le")), &m.le) || isnan(m.le))) {
        return ERR_OK;
    }
    if (!bucket && !m.is_count && !m.is_sum) {
        return ERR_OK;
    }
    struct labels ls;
    struct group *g = NULL;
    enum err e = base_of(a, s->labels, base, &ls);
    e = e ? e : group_of(a, groups, n, cap, ls, &g);
    if (e || arena_reserve(a, (void **)&g->members, &g->cap, g->n + 1, sizeof(*g->members))) {
        return e ? e : ERR_OOM;
    }
    g->members[g->n++] = m;
    g->steps = s->n > g->steps ? s->n : g->steps;
    return ERR_OK;
}

/* Ascending, what is no bucket first; of equal ones in the order of the script. */
static int by_le(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    bool x_bucket = !isnan(x->le), y_bucket = !isnan(y->le);
    if (x_bucket != y_bucket) {
        return x_bucket ? 1 : -1;
    }
    if (x_bucket && x->le != y->le) {
        return x->le > y->le ? 1 : -1;
    }
    return (x->series > y->series) - (x->series < y->series);
}

static const struct script_value *value_at(const struct member *m, size_t step)
{
    const struct script_value *v = step < m->series->n ? &m->series->values[step] : NULL;
    return v && !v->absent && !v->h ? v : NULL;
}

/* The histogram at one step; NULL with OK when the group has nothing there. */
static enum err histogram_at(struct arena *a, const struct group *g, size_t step,
                             const struct histogram **ret_h)
{
    struct histogram *h = arena_zalloc(a, sizeof(*h));
    double *bounds = arena_array(a, g->n + 1, sizeof(*bounds)),
           *counts = arena_array(a, g->n + 1, sizeof(*counts));
    struct histogram_span *span = arena_zalloc(a, sizeof(*span));
    if (!h || !bounds || !counts || !span) {
        return ERR_OOM;
    }
    double before = 0, total = 0, last = 0;
    uint32_t n = 0;
    bool any = false, has_total = false, has_count = false;
    for (size_t i = 0; i < g->n; i++) {
        const struct member *m = &g->members[i];
        const struct script_value *v = value_at(m, step);
        any = any || v;
        if (v && m->is_sum) {
            h->sum = v->v;
        } else if (v && m->is_count) {
            total = v->v;
            has_count = true;
        } else if (v && isinf(m->le)) {
            total = has_count ? total : v->v;
            has_total = true;
        } else if (v && n &&
                   bounds[n - 1] == m->le) { /* the same bound written otherwise: the later one counts */
            counts[n - 1] += v->v - before;
            before = last = v->v;
        } else if (v) {
            bounds[n] = m->le;
            counts[n++] = v->v - before;
            before = last = v->v;
        }
    }
    total = has_total || has_count ? total : last;
    counts[n] = total - before;
    *span = (struct histogram_span){0, n + 1};
    *h = (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                            .is_float = true,
                            .count = total,
                            .sum = h->sum,
                            .positive_spans = span,
                            .positive_span_count = 1,
                            .positive = counts,
                            .positive_count = n + 1,
                            .custom_values = bounds,
                            .custom_value_count = n};
    *ret_h = any ? h : NULL;
    return ERR_OK;
}

static enum err series_of(struct arena *a, const struct group *g, struct script_series *s)
{
    *s = (struct script_series){.labels = g->base, .n = g->steps};
    s->values = arena_zarray(a, g->steps + 1, sizeof(*s->values));
    enum err e = s->values ? ERR_OK : ERR_OOM;
    for (size_t i = 0; !e && i < g->steps; i++) {
        e = histogram_at(a, g, i, &s->values[i].h);
        s->values[i].absent = s->values[i].h == NULL;
    }
    return e;
}

enum err script_custom_buckets(struct arena *a, struct script_block *b)
{
    struct group *groups = NULL;
    size_t n = 0, cap = 0, classic = b->n;
    enum err e = ERR_OK;
    struct script_series *copy = arena_array(a, b->n + 1, sizeof(*copy)); /* the block grows meanwhile */
    if (!copy) {
        return ERR_OOM;
    }
    if (b->n) {
        memcpy(copy, b->series, b->n * sizeof(*copy));
    }
    for (size_t i = 0; !e && i < classic; i++) {
        e = enter(a, &copy[i], &groups, &n, &cap);
    }
    for (size_t i = 0; !e && i < n; i++) {
        struct script_series s;
        qsort(groups[i].members, groups[i].n, sizeof(*groups[i].members), by_le);
        e = series_of(a, &groups[i], &s);
        e = e ? e : script_add(a, b, &s);
    }
    return e;
}
