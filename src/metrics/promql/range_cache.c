/* The cache of range queries.
 *
 * An entry is immutable and shared by count: a query takes a reference under the lock and reads without it; a
 * longer result replaces it. Its key has everything the steps depend on: tenant, expression, step, the phase
 * of the grid, options. */
#include "metrics/promql/range_cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "metrics/promql/past_only.h"

enum {
    ENTRY_SHARE = 4,      /* an entry takes at most this part of the cache */
    POINTS_SAVED_MIN = 2, /* fewer steps are not worth an entry */
    KEY_BYTES_MAX = 1 << 16
};

/* One series over the steps of its entry. */
struct kept_series {
    struct labels labels;
    size_t n;
    const ts_ms *ts;
    const double *values;
};

struct entry {
    atomic_uint refs;
    struct arena memory;
    struct str key;
    uint64_t generation;
    ts_ms from, to; /* first and last step */
    struct kept_series *series;
    size_t series_count, bytes;
    struct entry *newer, *older; /* by use; under the cache's lock */
};

struct range_cache {
    struct mutex lock;
    struct strmap by_key;
    struct entry *newest, *oldest;
    size_t bytes, bytes_max, count;
    uint64_t hits, partial_hits, misses;
};

enum err range_cache_new(size_t bytes_max, struct range_cache **ret_cache)
{
    struct range_cache *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return ERR_OOM;
    }
    mutex_init(&c->lock);
    c->bytes_max = bytes_max;
    *ret_cache = c;
    return ERR_OK;
}

static void entry_unref(struct entry *e)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) {
        arena_done(&e->memory);
        mem_free(e);
    }
}

static void unlink_entry(struct range_cache *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(struct range_cache *c, struct entry *e)
{
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

/* Under the lock. */
static void drop(struct range_cache *c, struct entry *e)
{
    (void)strmap_remove(&c->by_key, e->key);
    unlink_entry(c, e);
    c->bytes -= e->bytes;
    c->count--;
    entry_unref(e);
}

void range_cache_free(struct range_cache *c)
{
    if (!c) {
        return;
    }
    while (c->oldest) {
        drop(c, c->oldest);
    }
    strmap_done(&c->by_key);
    mutex_done(&c->lock);
    mem_free(c);
}

void range_cache_clear(struct range_cache *c)
{
    mutex_lock(&c->lock);
    while (c->oldest) {
        drop(c, c->oldest);
    }
    mutex_unlock(&c->lock);
}

void range_cache_stats(struct range_cache *c, struct range_cache_stats *ret_stats)
{
    mutex_lock(&c->lock);
    *ret_stats = (struct range_cache_stats){c->hits, c->partial_hits, c->misses, c->count, c->bytes};
    mutex_unlock(&c->lock);
}

/* -- looking up ------------------------------------------------------------------------------------------ */

/* One query on its way through the cache. */
struct lookup {
    struct range_cache *c;
    struct arena *a;
    struct str key;
    uint64_t generation;
    ts_ms immutable_to; /* steps up to here may be kept */
    ts_ms start, end;
    int64_t step;
    const ts_ms *grid; /* all steps, once joining has begun */
    size_t grid_count;
};

static struct str key_of(const struct promql_options *o, const struct query_ctx *q, struct str expr,
                         ts_ms start, int64_t step, struct arena *a)
{
    unsigned options = (unsigned)o->experimental | (unsigned)o->delayed_name << 1 |
                       (unsigned)o->extended_ranges << 2 | (unsigned)o->fill_modifiers << 3 |
                       (unsigned)o->type_and_unit << 4 | (unsigned)o->start_times << 5;
    ts_ms phase = start % step;
    return arena_printf(a, "%zu:%.*s %lld %lld %lld %lld %u %.*s", q->tenant.n, STR_FMT(q->tenant),
                        (long long)step, (long long)(phase < 0 ? phase + step : phase),
                        (long long)o->lookback_ms, (long long)o->subquery_step_ms, options, STR_FMT(expr));
}

/* The entry that has the first steps of the query, with a reference; NULL when there is none. */
static struct entry *find(struct lookup *l)
{
    struct range_cache *c = l->c;
    mutex_lock(&c->lock);
    struct entry *e = strmap_get(&c->by_key, l->key);
    if (e && e->generation != l->generation) {
        drop(c, e);
        e = NULL;
    }
    bool useful = e && e->from <= l->start && e->to >= l->start;
    if (useful) {
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        unlink_entry(c, e);
        link_newest(c, e);
        *(e->to >= l->end ? &c->hits : &c->partial_hits) += 1;
    } else {
        c->misses++;
    }
    mutex_unlock(&c->lock);
    return useful ? e : NULL;
}

/* -- joining --------------------------------------------------------------------------------------------- */

static enum err grid_make(struct lookup *l)
{
    size_t n = (size_t)((l->end - l->start) / l->step) + 1;
    ts_ms *grid = arena_array(l->a, n, sizeof(*grid));
    for (size_t i = 0; grid && i < n; i++) {
        grid[i] = l->start + (ts_ms)i * l->step;
    }
    l->grid = grid;
    l->grid_count = n;
    return grid ? ERR_OK : arena_err(l->a);
}

/* The times of the series: where they stand on the grid when it has no gap, else a copy. */
static const ts_ms *join_times(const struct lookup *l, const ts_ms *kept, size_t n, const ts_ms *fresh,
                               size_t m)
{
    const ts_ms *first = n ? kept : fresh, *last = m ? fresh + m - 1 : kept + n - 1;
    if (n + m == 0 || !first || !last) {
        return l->grid;
    }
    if (*last - *first == (ts_ms)(n + m - 1) * l->step) {
        return l->grid + (*first - l->start) / l->step;
    }
    ts_ms *ts = arena_array(l->a, n + m, sizeof(*ts));
    if (ts && n) {
        memcpy(ts, kept, n * sizeof(*ts));
    }
    if (ts && m) {
        memcpy(ts + n, fresh, m * sizeof(*ts));
    }
    return ts;
}

/* The points of one series: those kept up to `to`, then the fresh ones. Either may be absent. */
static enum err join_series(const struct lookup *l, const struct kept_series *k,
                            const struct promql_series *fresh, ts_ms to, struct promql_series *out)
{
    struct arena *a = l->a;
    ts_ms from = l->start;
    size_t lo = k ? ts_lower_bound(k->ts, k->n, from) : 0, hi = k ? ts_lower_bound(k->ts, k->n, to + 1) : 0;
    size_t n = hi - lo, m = fresh ? fresh->n : 0;
    const ts_ms *ts = join_times(l, k ? k->ts + lo : NULL, n, fresh ? fresh->ts : NULL, m);
    double *values = arena_array(a, n + m + 1, sizeof(*values));
    if (!ts || !values) {
        return arena_err(a);
    }
    if (n) {
        memcpy(values, k->values + lo, n * sizeof(*values));
    }
    if (m) {
        memcpy(values + n, fresh->values, m * sizeof(*values));
    }
    struct labels labels = fresh ? fresh->labels : k->labels;
    if (!fresh && labels_dup(a, k->labels, &labels)) { /* the entry may go before the answer is written */
        return arena_err(a);
    }
    *out = (struct promql_series){.labels = labels, .n = n + m, .ts = ts, .values = values};
    return ERR_OK;
}

/* Merges the kept part, whose series are sorted as the result's, into the fresh result. */
static enum err join(struct lookup *l, const struct entry *e, struct promql_result *r)
{
    ts_ms to = e->to < l->end ? e->to : l->end;
    struct promql_series *out = arena_array(l->a, e->series_count + r->series_count + 1, sizeof(*out));
    size_t i = 0, k = 0, n = 0;
    if (!out || grid_make(l) != ERR_OK) {
        return arena_err(l->a);
    }
    while (i < e->series_count || k < r->series_count) {
        int c = i == e->series_count   ? 1
                : k == r->series_count ? -1
                                       : labels_cmp(e->series[i].labels, r->series[k].labels);
        enum err err =
            join_series(l, c <= 0 ? &e->series[i] : NULL, c >= 0 ? &r->series[k] : NULL, to, &out[n]);
        if (err) {
            return err;
        }
        i += c <= 0;
        k += c >= 0;
        n += out[n].n > 0;
    }
    r->series = out;
    r->series_count = n;
    r->grid = l->grid;
    r->grid_count = l->grid_count;
    return ERR_OK;
}

/* -- keeping --------------------------------------------------------------------------------------------- */

static bool keepable(const struct promql_result *r)
{
    bool plain = r->kind == PROMQL_MATRIX && !r->warning_count && !r->info_count;
    for (size_t i = 0; plain && i < r->series_count; i++) {
        plain = r->series[i].histograms == NULL;
    }
    return plain;
}

static enum err copy_series(struct entry *e, const struct promql_series *s, ts_ms to)
{
    size_t n = ts_lower_bound(s->ts, s->n, to + 1);
    struct kept_series *k = &e->series[e->series_count];
    ts_ms *ts = arena_array(&e->memory, n + 1, sizeof(*ts));
    double *values = arena_array(&e->memory, n + 1, sizeof(*values));
    if (n == 0) {
        return ERR_OK;
    }
    if (!ts || !values || labels_dup(&e->memory, s->labels, &k->labels)) {
        return ERR_OOM;
    }
    memcpy(ts, s->ts, n * sizeof(*ts));
    memcpy(values, s->values, n * sizeof(*values));
    k->ts = ts;
    k->values = values;
    k->n = n;
    e->series_count++;
    e->bytes += n * (sizeof(*ts) + sizeof(*values)) + sizeof(*k) + s->labels.n * 64;
    return ERR_OK;
}

static size_t bytes_of(const struct promql_result *r)
{
    size_t bytes = 0;
    for (size_t i = 0; i < r->series_count; i++) {
        bytes += r->series[i].n * (sizeof(ts_ms) + sizeof(double)) + sizeof(struct kept_series) + 512;
    }
    return bytes;
}

static struct entry *entry_of(const struct lookup *l, const struct promql_result *r, ts_ms to)
{
    struct entry *e = mem_zalloc(sizeof(*e));
    if (!e) {
        return NULL;
    }
    atomic_init(&e->refs, 1);
    arena_init(&e->memory, 0, NULL);
    e->key = arena_str(&e->memory, l->key);
    e->series = arena_zarray(&e->memory, r->series_count + 1, sizeof(*e->series));
    e->generation = l->generation;
    e->from = l->start;
    e->to = to;
    e->bytes = sizeof(*e) + l->key.n;
    enum err err = e->key.p && e->series ? ERR_OK : ERR_OOM;
    for (size_t i = 0; !err && i < r->series_count; i++) {
        err = copy_series(e, &r->series[i], to);
    }
    if (err) {
        entry_unref(e);
        return NULL;
    }
    return e;
}

/* Keeps the immutable steps of the whole result. What fails here costs the next query time and nothing else.
 */
static void keep(const struct lookup *l, const struct promql_result *r)
{
    struct range_cache *c = l->c;
    ts_ms last = l->start + (l->end - l->start) / l->step * l->step;
    ts_ms to = last <= l->immutable_to ? last : l->start + (l->immutable_to - l->start) / l->step * l->step;
    if (l->immutable_to < l->start || to < l->start + POINTS_SAVED_MIN * l->step || !keepable(r) ||
        bytes_of(r) > c->bytes_max / ENTRY_SHARE) {
        return;
    }
    struct entry *e = entry_of(l, r, to);
    if (!e) {
        return;
    }
    mutex_lock(&c->lock);
    struct entry *old = strmap_get(&c->by_key, l->key);
    if (old) {
        drop(c, old);
    }
    if (strmap_put(&c->by_key, e->key, e, NULL)) {
        entry_unref(e);
    } else {
        link_newest(c, e);
        c->bytes += e->bytes;
        c->count++;
    }
    while (c->bytes > c->bytes_max && c->oldest) {
        drop(c, c->oldest);
    }
    mutex_unlock(&c->lock);
}

/* -- the query ------------------------------------------------------------------------------------------- */

/* Evaluates what the entry does not have, and joins. */
static enum err complete(struct lookup *l, const struct entry *e, const struct promql_options *o,
                         struct metric_source *s, struct query_ctx *q, struct str expr,
                         struct promql_result *r, struct err_info *info)
{
    ts_ms from = l->start + ((e->to - l->start) / l->step + 1) * l->step;
    *r = (struct promql_result){.kind = PROMQL_MATRIX};
    enum err err =
        from <= l->end ? promql_range(o, s, q, expr, from, l->end, l->step, l->a, r, info) : ERR_OK;
    if (err) {
        return err;
    }
    if (!keepable(r)) { /* the whole answer then, as it is without a cache */
        return promql_range(o, s, q, expr, l->start, l->end, l->step, l->a, r, info);
    }
    err = join(l, e, r);
    return err ? query_ctx_no_memory(q, err, info) : ERR_OK;
}

enum err range_cache_query(struct range_cache *c, const struct promql_options *o, struct metric_source *s,
                           struct query_ctx *q, struct str expr, ts_ms start_ms, ts_ms end_ms,
                           int64_t step_ms, struct arena *a, struct promql_result *ret_result,
                           struct err_info *reterr_info)
{
    struct lookup l = {.c = c, .a = a, .start = start_ms, .end = end_ms, .step = step_ms};
    ts_ms mutable_from = 0;
    l.generation =
        s->ops->generation(s, &mutable_from); /* before anything is read: what changes later ends it */
    l.immutable_to = mutable_from == INT64_MIN ? INT64_MIN : mutable_from - 1;
    if (start_ms == end_ms || l.immutable_to < start_ms || expr.n > KEY_BYTES_MAX ||
        !promql_past_only(o, expr, a)) {
        return promql_range(o, s, q, expr, start_ms, end_ms, step_ms, a, ret_result, reterr_info);
    }
    l.key = key_of(o, q, expr, start_ms, step_ms, a);
    if (!l.key.p) {
        return query_ctx_no_memory(q, arena_err(a), reterr_info);
    }
    struct entry *e = find(&l);
    enum err err = e ? complete(&l, e, o, s, q, expr, ret_result, reterr_info)
                     : promql_range(o, s, q, expr, start_ms, end_ms, step_ms, a, ret_result, reterr_info);
    if (!err && (!e || (e->to <= l.immutable_to - l.step && e->to <= l.end - l.step))) {
        keep(&l, ret_result);
    }
    entry_unref(e);
    return err;
}
