/* Cursors: partition by partition, series that share their clock batched together. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "disk/map_guard.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/tsdb/cursor_int.h"
#include "metrics/tsdb/source_int.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/values.h"

struct point {
    ts_ms ts;
    double v;
    uint64_t rank;
    const struct histogram *h;
    ts_ms start;
    uint32_t run, at; /* where it came from: of runs in sequence the points follow one another */
};

/* Decoded samples of a series. */
struct columns_out {
    double *values;
    const struct histogram **histograms; /* these two NULL when the series is not rich */
    ts_ms *starts;
};

static void part_release(struct metric_cursor *c)
{
    for (size_t i = 0; i < c->held_count; i++) {
        chunk_unref(c->held[i]);
    }
    c->held_count = 0;
    c->columns = NULL;
    c->picked = NULL;
    c->clock.signature = 0;
    c->column_count = c->column_cap = c->picked_count = c->picked_cap = c->picked_next = 0;
    arena_reset(&c->part);
}

void cursor_close(struct metric_cursor *c)
{
    if (!c) {
        return;
    }
    part_release(c);
    mem_free(c->held);
    for (size_t i = 0; i < c->held_selection_count; i++) {
        selection_unref(c->held_selections[i]);
    }
    mem_free(c->held_selections);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        index_unref(c->indexes[i]);
        store_set_unref(c->sets[i]);
    }
    arena_done(&c->all);
    arena_done(&c->part);
    arena_done(&c->out);
    mem_free(c);
}

static enum err cursor_new(struct tsdb *db, struct query_ctx *q, const struct metric_select *sel,
                           struct metric_cursor **ret_c)
{
    struct metric_cursor *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return ERR_OOM;
    }
    c->db = db;
    c->q = q;
    c->sel = *sel;
    c->map_failures = file_map_failures();
    arena_init(&c->all, 0, q->budget);
    arena_init(&c->part, 0, q->budget);
    arena_init(&c->out, 0, q->budget);
    struct matcher *m = arena_array(&c->all, sel->matcher_count + 1, sizeof(*m));
    if (!m) {
        enum err e = arena_err(&c->all);
        cursor_close(c);
        return e;
    }
    if (sel->matcher_count) {
        memcpy(m, sel->matchers, sel->matcher_count * sizeof(*m));
    }
    c->sel.matchers = m;
    *ret_c = c;
    return ERR_OK;
}

enum err cursor_select(struct metric_source *src, struct query_ctx *q, const struct metric_select *sel,
                       struct metric_cursor **ret_cursor, struct err_info *reterr_info)
{
    struct tsdb *db = tsdb_of_source(src);
    struct metric_cursor *c = NULL;
    enum err busy = staging_query_check(tsdb_of_source(src), reterr_info);
    if (busy != ERR_OK) {
        return busy;
    }
    enum err e = cursor_new(db, q, sel, &c);
    if (e == ERR_OK) {
        e = tenant_get(db, q->tenant, false, &c->tenant);
    }
    if (e != ERR_OK) {
        cursor_close(c);
        return err_set(reterr_info, e, "no memory for a query");
    }
    c->partition = c->tenant ? 0 : PARTITIONS;
    *ret_cursor = c;
    return ERR_OK;
}

enum err cursor_internal(struct tsdb *db, struct query_ctx *q, struct tenant *t, ts_ms start, ts_ms end,
                         struct store_set *only_blocks, struct metric_cursor **ret_c)
{
    struct metric_select sel = {.start_ms = start, .end_ms = end};
    enum err e = cursor_new(db, q, &sel, ret_c);
    if (e == ERR_OK) {
        (*ret_c)->tenant = t;
        (*ret_c)->partition = PARTITIONS;
        (*ret_c)->only_blocks = only_blocks;
        (*ret_c)->heads_only = !only_blocks;
    }
    return e;
}

static int run_cmp(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts);
}

static int picked_cmp(const void *a, const void *b)
{
    const struct picked *x = a, *y = b;
    return x->signature != y->signature ? (x->signature > y->signature) - (x->signature < y->signature)
                                        : (x->id > y->id) - (x->id < y->id);
}

static enum err masks_choose(struct metric_cursor *c, const struct store_set *set)
{
    c->mask_count = 0;
    c->flushed_before = set->flushed_before;
    c->masks = arena_array(&c->part, set->tombstone_count + 1, sizeof(*c->masks));
    if (!c->masks) {
        return arena_err(&c->part);
    }
    for (size_t i = 0; i < set->tombstone_count; i++) {
        struct tombstone *t = set->tombstones[i];
        if (t->start_ms <= c->sel.end_ms && t->end_ms >= c->sel.start_ms &&
            str_eq(t->tenant, c->tenant->name)) {
            c->masks[c->mask_count++] = t;
        }
    }
    return ERR_OK;
}

static bool masked(const struct metric_cursor *c, const struct picked *s)
{
    for (size_t i = 0; i < c->mask_count; i++) {
        if (matchers_match(c->masks[i]->matchers, c->masks[i]->matcher_count, s->labels)) {
            return true;
        }
    }
    return false;
}

/* Takes the samples out of a run (`rank` as its) that a tombstone covers. A block that was written after the
 * tombstone has none of those it speaks of: what is there came later. Nor have the heads below what is
 * flushed, for a deletion writes a block first; only stores from before it did have older tombstones. */
static size_t mask(const struct metric_cursor *c, const struct picked *s, uint64_t rank, struct point *p,
                   size_t n)
{
    for (size_t i = 0; i < c->mask_count; i++) {
        const struct tombstone *t = c->masks[i];
        bool later = rank == UINT64_MAX ? t->end_ms < c->flushed_before : rank > t->number;
        if (later || !matchers_match(t->matchers, t->matcher_count, s->labels)) {
            continue;
        }
        size_t kept = 0;
        for (size_t k = 0; k < n; k++) {
            if (p[k].ts < t->start_ms || p[k].ts > t->end_ms) {
                p[kept++] = p[k];
            }
        }
        n = kept;
    }
    return n;
}

/* True when run b follows run a without a gap on shared columns. */
static bool follows(const struct metric_cursor *c, const struct run *a, const struct run *b)
{
    if (a->column == b->column) {
        return b->first_tick == a->first_tick + a->count;
    }
    const struct column *x = &c->columns[a->column], *y = &c->columns[b->column];
    return a->first_tick + a->count == x->first + x->n && b->first_tick == y->first &&
           y->ts[0] > x->ts[x->n - 1];
}

/* Sorts the runs; the signature tells series that can share a clock from the others. */
static void sign(const struct metric_cursor *c, struct picked *s)
{
    if (s->run_count > 1) {
        qsort(s->runs, s->run_count, sizeof(*s->runs), run_cmp);
    }
    s->signature = 0;
    if (s->late_count || masked(c, s)) {
        return;
    }
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct run *r = &s->runs[i];
        if (r->column == COLUMN_NONE || (i > 0 && !follows(c, r - 1, r))) {
            return;
        }
        if (i == 0 || r[-1].column != r->column) {
            h = hash_u64(h ^ (r->column + 1u));
        }
    }
    s->signature = h | 1;
}

static enum err columns_new(struct metric_cursor *c, const struct picked *s, size_t n,
                            struct columns_out *ret_out)
{
    struct columns_out out = {.values = arena_array(&c->out, n, sizeof(*out.values))};
    if (s->rich) {
        out.histograms = arena_zarray(&c->out, n, sizeof(*out.histograms));
        out.starts = arena_zarray(&c->out, n, sizeof(*out.starts));
    }
    *ret_out = out;
    return out.values && (!s->rich || (out.histograms && out.starts)) ? ERR_OK : arena_err(&c->out);
}

/* Decodes a run to position `at`. */
static enum err run_values(struct metric_cursor *c, const struct run *r, struct columns_out *out, size_t at)
{
    if (r->mode != CHUNK_RICH) {
        return values_decode(r->mode, r->values, r->value_bytes, r->count,
                             (value_bits *)(void *)(out->values + at));
    }
    if (r->count > c->bits_cap) {
        c->bits = arena_array(&c->all, r->count, sizeof(*c->bits));
        c->bits_cap = c->bits ? r->count : 0;
    }
    if (!c->bits) {
        return arena_err(&c->all);
    }
    struct rich_columns rich = {c->bits, out->histograms + at, out->starts + at};
    enum err e = rich_read(str_of((const char *)r->values, r->value_bytes), r->count, &c->out, &rich);
    if (e == ERR_OK) {
        memcpy(out->values + at, c->bits, r->count * sizeof(*c->bits));
    }
    return e;
}

/* A series of the batch; columns that say nothing are left out. */
static struct metric_series series_of(const struct picked *s, const struct columns_out *out, size_t n)
{
    bool histograms = false, starts = false;
    for (size_t i = 0; s->rich && i < n; i++) {
        histograms |= out->histograms[i] != NULL;
        starts |= out->starts[i] != 0;
    }
    return (struct metric_series){.labels = s->labels,
                                  .id = s->id,
                                  .count = (uint32_t)n,
                                  .values = out->values,
                                  .histograms = histograms ? out->histograms : NULL,
                                  .start_ts = starts ? out->starts : NULL};
}

static enum err run_times(const struct metric_cursor *c, const struct run *r, ts_ms *out)
{
    if (r->column == COLUMN_NONE) {
        return times_decode(r->times, r->times_bytes, r->min_ts, r->count, out);
    }
    const struct column *k = &c->columns[r->column];
    memcpy(out, k->ts + (r->first_tick - k->first), r->count * sizeof(*out));
    return ERR_OK;
}

/* The clock of all series that have the columns of `first`: these columns, from the earliest tick any of the
 * series has. */
static enum err clock_begin(struct metric_cursor *c, const struct picked *first)
{
    struct shared_clock *clock = &c->clock;
    const struct picked *end = c->picked + c->picked_count;
    uint32_t lo = UINT32_MAX;
    for (const struct picked *s = first; s < end && s->signature == first->signature; s++) {
        lo = s->runs[0].first_tick < lo ? s->runs[0].first_tick : lo;
    }
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        ts_ms *ts = pass ? arena_array(&c->part, total, sizeof(*ts)) : NULL;
        if (pass && !ts) {
            return arena_err(&c->part);
        }
        total = 0;
        for (size_t i = 0; i < first->run_count; i++) {
            const struct run *r = &first->runs[i];
            if (i > 0 && r[-1].column == r->column) {
                continue;
            }
            const struct column *k = &c->columns[r->column];
            uint32_t skip = i == 0 ? lo - k->first : 0;
            if (pass) {
                memcpy(ts + total, k->ts + skip, (k->n - skip) * sizeof(*ts));
            }
            total += k->n - skip;
        }
        clock->ts = ts;
    }
    clock->n = (uint32_t)total;
    clock->first_tick = lo;
    clock->signature = first->signature;
    clock->number++;
    return ERR_OK;
}

static enum err emit_group(struct metric_cursor *c, const struct picked *first, size_t n,
                           struct metric_batch *b)
{
    struct metric_series *out = arena_zarray(&c->out, n, sizeof(*out));
    enum err e = out ? ERR_OK : arena_err(&c->out);
    if (e == ERR_OK && c->clock.signature != first->signature) {
        e = clock_begin(c, first);
    }
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        const struct picked *s = &first[i];
        struct columns_out columns = {0};
        size_t at = 0;
        e = columns_new(c, s, s->sample_count, &columns);
        for (size_t k = 0; e == ERR_OK && k < s->run_count; at += s->runs[k++].count) {
            e = run_values(c, &s->runs[k], &columns, at);
        }
        if (e == ERR_OK) {
            out[i] = series_of(s, &columns, s->sample_count);
            out[i].clock_first = s->runs[0].first_tick - c->clock.first_tick;
        }
    }
    *b = (struct metric_batch){.ts = c->clock.ts,
                               .ts_count = c->clock.n,
                               .series_count = (uint32_t)n,
                               .series = out,
                               .clock = c->clock.number};
    if (e == ERR_CORRUPT) {
        atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
        cursor_warn(c, "series of a damaged block are missing");
        b->series_count = 0;
        e = ERR_OK;
    }
    return e;
}

/* Merges a and b (both ascending); of equal timestamps the one written first stays. */
static size_t merge(const struct point *a, size_t an, const struct point *b, size_t bn, struct point *out)
{
    size_t i = 0, k = 0, n = 0;
    while (i < an || k < bn) {
        if (k == bn || (i < an && a[i].ts <= b[k].ts)) {
            out[n] = a[i++];
            if (k < bn && out[n].ts == b[k].ts) {
                out[n] = b[k].rank < out[n].rank ? b[k] : out[n];
                k++;
            }
            n++;
        } else {
            out[n++] = b[k++];
        }
    }
    return n;
}

/* The points of a run of Prometheus' that no deletion of its covers. */
static enum err prom_points(struct metric_cursor *c, const struct picked *s, uint32_t run,
                            struct point **ret_p, size_t *ret_n)
{
    const struct run *r = &s->runs[run];
    struct prom_stones stones = {.items = (struct prom_stone *)(uintptr_t)r->prom_stones,
                                 .n = r->prom_stone_count};
    struct prom_samples in = {0};
    enum err e = prom_run_decode(c, r, &in);
    struct point *p = e == ERR_OK ? arena_array(&c->out, in.n + 1, sizeof(*p)) : NULL;
    if (!p) {
        return e == ERR_OK ? arena_err(&c->out) : e;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < in.n; i++) {
        if (!prom_stones_cover(&stones, in.ts[i])) {
            p[n++] = (struct point){.ts = in.ts[i],
                                    .v = in.values[i],
                                    .h = in.histograms ? in.histograms[i] : NULL,
                                    .start = in.starts ? in.starts[i] : 0,
                                    .run = run,
                                    .at = i};
        }
    }
    *ret_p = p;
    *ret_n = n;
    return ERR_OK;
}

static enum err run_points(struct metric_cursor *c, const struct picked *s, uint32_t run,
                           struct point **ret_p, size_t *ret_n)
{
    const struct run *r = &s->runs[run];
    if (r->prom_encoding) {
        return prom_points(c, s, run, ret_p, ret_n);
    }
    struct point *p = arena_array(&c->out, r->count, sizeof(*p));
    ts_ms *ts = arena_array(&c->out, r->count, sizeof(*ts));
    struct columns_out out = {0};
    if (!p || !ts) {
        return arena_err(&c->out);
    }
    enum err e = columns_new(c, s, r->count, &out);
    e = e == ERR_OK ? run_times(c, r, ts) : e;
    e = e == ERR_OK ? run_values(c, r, &out, 0) : e;
    for (uint32_t i = 0; e == ERR_OK && i < r->count; i++) {
        p[i] = (struct point){.ts = ts[i], .v = out.values[i], .rank = r->rank, .run = run, .at = i};
        if (s->rich) {
            p[i].h = out.histograms[i];
            p[i].start = out.starts[i];
        }
    }
    *ret_p = p;
    *ret_n = r->count;
    return e;
}

static enum err late_points(struct metric_cursor *c, const struct picked *s, struct point **ret_p)
{
    struct point *p = arena_array(&c->out, s->late_count + 1, sizeof(*p));
    if (!p) {
        return arena_err(&c->out);
    }
    for (size_t i = 0; i < s->late_count; i++) {
        const struct late_sample *l = &s->late[i];
        struct sample_value v = {.bits = l->bits};
        enum err e = l->rich ? rich_read_one(str_of(l->rich, l->rich_bytes), &c->out, &v) : ERR_OK;
        if (e != ERR_OK) {
            return e;
        }
        p[i] = (struct point){.ts = l->ts, .rank = UINT64_MAX, .h = v.h, .start = v.start, .run = UINT32_MAX};
        memcpy(&p[i].v, &v.bits, sizeof(p[i].v));
    }
    *ret_p = p;
    return ERR_OK;
}

/* What a histogram knows about resets it knows against the sample before it: when that is another one now,
 * nothing is known. */
static enum err hints_review(struct metric_cursor *c, const struct picked *s, struct point *p, size_t n)
{
    for (size_t i = 0; s->rich && i < n; i++) {
        const struct point *q = i > 0 ? &p[i - 1] : NULL;
        bool follows_it = q && q->run != UINT32_MAX &&
                          ((q->run == p[i].run && q->at + 1 == p[i].at) ||
                           (q->run + 1 == p[i].run && p[i].at == 0 && q->at + 1 == s->runs[q->run].count));
        if (!p[i].h || p[i].h->reset_hint == HRESET_GAUGE || p[i].h->reset_hint == HRESET_UNKNOWN ||
            follows_it || (i == 0 && p[i].run == 0 && p[i].at == 0)) {
            continue;
        }
        struct histogram *h = arena_alloc(&c->out, sizeof(*h));
        if (!h) {
            return arena_err(&c->out);
        }
        *h = *p[i].h;
        h->reset_hint = HRESET_UNKNOWN;
        p[i].h = h;
    }
    return ERR_OK;
}

/* All samples of a series that has a clock of its own, in time order, each timestamp once. */
static enum err own_points(struct metric_cursor *c, const struct picked *s, struct point **ret_p,
                           size_t *ret_n)
{
    size_t max = s->sample_count + s->late_count, n = 0;
    struct point *all = arena_array(&c->out, max, sizeof(*all));
    struct point *spare = arena_array(&c->out, max, sizeof(*spare));
    struct point *more = NULL;
    enum err e = all && spare ? ERR_OK : arena_err(&c->out);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; i <= s->run_count; i++) {
        size_t count = s->late_count;
        if (i < s->run_count) {
            e = run_points(c, s, (uint32_t)i, &more, &count);
        } else {
            e = late_points(c, s, &more);
        }
        if (e != ERR_OK) {
            return e;
        }
        /* before they are merged: of two samples of one time the deleted one must not win */
        count = mask(c, s, i < s->run_count ? s->runs[i].rank : UINT64_MAX, more, count);
        if (n == 0 || (count && more[0].ts > all[n - 1].ts)) {
            if (count) {
                memcpy(all + n, more, count * sizeof(*all));
            }
            n += count;
            continue;
        }
        n = merge(all, n, more, count, spare);
        struct point *swap = all;
        all = spare;
        spare = swap;
    }
    *ret_p = all;
    *ret_n = n;
    return hints_review(c, s, all, *ret_n);
}

static enum err emit_own(struct metric_cursor *c, const struct picked *s, struct metric_batch *b)
{
    struct point *points = NULL;
    size_t n = 0;
    enum err e = own_points(c, s, &points, &n);
    if (e == ERR_CORRUPT) { /* one series of a damaged block must not hide the rest */
        atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
        cursor_warn(c, "a series of a damaged block is missing");
        e = ERR_OK;
        n = 0;
    }
    struct metric_series *out = arena_zalloc(&c->out, sizeof(*out));
    ts_ms *ts = arena_array(&c->out, n + 1, sizeof(*ts));
    struct columns_out columns = {0};
    e = e == ERR_OK ? columns_new(c, s, n + 1, &columns) : e;
    if (e != ERR_OK || !out || !ts) {
        return e != ERR_OK ? e : arena_err(&c->out);
    }
    for (size_t i = 0; i < n; i++) {
        ts[i] = points[i].ts;
        columns.values[i] = points[i].v;
        if (s->rich) {
            columns.histograms[i] = points[i].h;
            columns.starts[i] = points[i].start;
        }
    }
    *out = series_of(s, &columns, n);
    *b = (struct metric_batch){.ts = ts, .ts_count = (uint32_t)n, .series_count = n > 0, .series = out};
    return ERR_OK;
}

static enum err part_load(struct metric_cursor *c, unsigned partition)
{
    part_release(c);
    enum err e = c->only_blocks ? ERR_OK : pick_head(c, partition);
    /* The set comes after the head: a flush publishes its block before it takes samples out of the head. */
    if (e == ERR_OK && !c->only_blocks) {
        c->sets[partition] = store_view(&c->db->store);
    }
    struct store_set *set = c->only_blocks ? c->only_blocks : c->sets[partition];
    if (e == ERR_OK && !c->heads_only) {
        e = pick_blocks(c, partition, set);
        e = e == ERR_OK && !c->only_blocks ? pick_prom(c, partition) : e;
    }
    e = e == ERR_OK ? masks_choose(c, set) : e;
    for (size_t i = 0; e == ERR_OK && i < c->picked_count; i++) {
        sign(c, &c->picked[i]);
    }
    if (e == ERR_OK && c->picked_count > 1) {
        qsort(c->picked, c->picked_count, sizeof(*c->picked), picked_cmp);
    }
    return e;
}

enum err cursor_partition(struct metric_cursor *c, unsigned partition)
{
    return part_load(c, partition);
}

/* The evaluator limits what a query holds at a time; what is read and let go is only counted. */
static enum err count_samples(struct metric_cursor *c, const struct metric_batch *b, struct err_info *info)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < b->series_count; i++) {
        const struct metric_series *s = &b->series[i];
        n += s->count;
        for (uint32_t k = 0; s->histograms && k < s->count; k++) {
            n += s->histograms[k] ? histogram_point_cost(s->histograms[k]) : 0;
        }
    }
    atomic_fetch_add_explicit(&c->q->samples, n, memory_order_relaxed);
    return query_ctx_check(c->q, info);
}

static enum err emit(struct metric_cursor *c, struct metric_batch *b)
{
    const struct picked *first = &c->picked[c->picked_next];
    if (first->signature == 0) {
        c->picked_next++;
        return emit_own(c, first, b);
    }
    size_t n = 0, samples = 0;
    while (c->picked_next + n < c->picked_count && first[n].signature == first->signature &&
           (n == 0 || samples + first[n].sample_count <= BATCH_SAMPLES_MAX)) {
        samples += first[n++].sample_count;
    }
    c->picked_next += n;
    return emit_group(c, first, n, b);
}

enum err cursor_next(struct metric_cursor *c, struct metric_batch *ret_batch, struct err_info *reterr_info)
{
    arena_reset(&c->out);
    enum err e = query_ctx_check(c->q, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    struct metric_batch b = {0};
    while (e == ERR_OK && b.series_count == 0) {
        while (e == ERR_OK && c->picked_next == c->picked_count) {
            if (c->partition == PARTITIONS) {
                return ERR_NOT_FOUND;
            }
            e = part_load(c, c->partition++);
        }
        e = e == ERR_OK ? emit(c, &b) : e;
    }
    if (file_map_failures() != c->map_failures) {
        return err_set(reterr_info, ERR_IO,
                       "the disk did not give a part of a block: ask again for what is left");
    }
    if (e != ERR_OK) {
        return query_ctx_no_memory(c->q, e, reterr_info);
    }
    e = count_samples(c, &b, reterr_info);
    if (e == ERR_OK) {
        *ret_batch = b;
    }
    return e;
}

struct str_list cursor_warnings(struct metric_cursor *c)
{
    return (struct str_list){c->warnings, c->warning_count, false};
}
