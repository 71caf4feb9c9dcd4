/* A bulk load: from collected samples to blocks.
 *
 * Span by span and partition by partition: samples the store has are taken out, series with the same times
 * are batched so that they share a column, and each span becomes one block, published when it is whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "disk/file.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/bulk_int.h"
#include "metrics/tsdb/cursor_int.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/source_int.h"

enum {
    SPAN_FACTOR = 4,  /* as the levels of maintain.c */
    SPAN_LEVELS = 5,  /* from two hours to three weeks */
    SPANS_WANTED = 32 /* blocks of one write; more only when the longest span is not enough */
};

static ts_ms align_down(ts_ms t, int64_t step)
{
    ts_ms r = t % step;
    return t - (r < 0 ? r + step : r);
}

/* -- the columns of a series in order -------------------------------------------------------------------- */

struct entry {
    ts_ms ts, start;
    double value;
    const struct histogram *h;
    size_t order;
};

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->ts != y->ts ? (x->ts > y->ts) - (x->ts < y->ts) : (x->order > y->order) - (x->order < y->order);
}

static struct entry entry_of(const struct bulk_series *s, size_t i)
{
    return (struct entry){.ts = s->ts[i],
                          .start = s->starts ? s->starts[i] : 0,
                          .value = s->values[i],
                          .h = s->histograms ? s->histograms[i] : NULL,
                          .order = i};
}

static void entry_put(struct bulk_series *s, size_t i, const struct entry *e)
{
    s->ts[i] = e->ts;
    s->values[i] = e->value;
    if (s->histograms) {
        s->histograms[i] = e->h;
        s->starts[i] = e->start;
    }
}

static uint64_t identity(double value, const struct histogram *h)
{
    struct sample_value v = {.bits = h ? 0 : f64_bits(value), .h = h};
    return value_identity(&v);
}

/* Ascending times, each once: what came first stays. */
static enum err series_sort(struct tsdb_bulk *b, struct bulk_series *s)
{
    if (s->sorted) {
        return ERR_OK;
    }
    struct entry *all = mem_array(s->n, sizeof(*all));
    if (!all) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < s->n; i++) {
        all[i] = entry_of(s, i);
    }
    qsort(all, s->n, sizeof(*all), entry_cmp);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct entry *before = n ? &all[n - 1] : NULL;
        if (before && before->ts == all[i].ts) {
            bool same = identity(before->value, before->h) == identity(all[i].value, all[i].h);
            *(same ? &b->stats.known : &b->stats.conflicts) += 1;
            continue;
        }
        all[n++] = all[i];
    }
    for (size_t i = 0; i < n; i++) {
        entry_put(s, i, &all[i]);
    }
    s->n = n;
    s->sorted = true;
    mem_free(all);
    return ERR_OK;
}

/* -- what the store has already -------------------------------------------------------------------------- */

/* Takes the samples of the span out of s that are in the store's series m. */
static void series_subtract(struct tsdb_bulk *b, struct bulk_series *s, const struct metric_batch *batch,
                            const struct metric_series *m)
{
    const ts_ms *there = batch->ts + m->clock_first;
    size_t kept = 0, k = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct entry e = entry_of(s, s->from + i);
        while (k < m->count && there[k] < e.ts) {
            k++;
        }
        if (k == m->count || there[k] != e.ts) {
            entry_put(s, s->from + kept++, &e);
            continue;
        }
        const struct histogram *h = m->histograms ? m->histograms[k] : NULL;
        bool same = identity(m->values[k], h) == identity(e.value, e.h);
        *(same ? &b->stats.known : &b->stats.conflicts) += 1;
    }
    s->count = kept;
}

/* A cursor over all that one partition of the store has in a span. */
static enum err known_open(struct tsdb_bulk *b, struct query_ctx *q, unsigned partition, ts_ms from, ts_ms to,
                           struct metric_cursor **ret_c, struct err_info *info)
{
    struct metric_select sel = {.start_ms = from, .end_ms = to};
    struct metric_cursor *c = NULL;
    enum err e = cursor_select(tsdb_source(b->db), q, &sel, &c, info);
    if (e != ERR_OK) {
        return e;
    }
    c->partition = PARTITIONS; /* no other */
    e = cursor_partition(c, partition);
    if (e != ERR_OK) {
        cursor_close(c);
        return err_set(info, e, "no memory to compare with what is stored");
    }
    *ret_c = c;
    return ERR_OK;
}

static enum err known_subtract(struct tsdb_bulk *b, unsigned partition, ts_ms from, ts_ms to,
                               struct err_info *info)
{
    struct query_ctx q = {.tenant = b->tenant->name};
    struct metric_cursor *c = NULL;
    struct metric_batch batch;
    enum err e = known_open(b, &q, partition, from, to, &c, info);
    while (e == ERR_OK && (e = cursor_next(c, &batch, info)) == ERR_OK) {
        for (uint32_t i = 0; i < batch.series_count; i++) {
            const struct metric_series *m = &batch.series[i];
            uint32_t at = bulk_find(b, m->labels, labels_hash(m->labels));
            if (at != UINT32_MAX && b->series[at].count) {
                series_subtract(b, &b->series[at], &batch, m);
            }
        }
    }
    struct str_list warnings = e == ERR_NOT_FOUND ? cursor_warnings(c) : (struct str_list){0};
    if (warnings.n) { /* what cannot be compared would be stored twice */
        e = err_set(info, ERR_CORRUPT, "%.*s: restore or remove its file first", STR_FMT(warnings.items[0]));
    }
    cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* What each histogram of the span knows about resets it knows against the sample before it in the span. */
static void hints_set(struct bulk_series *s)
{
    const struct histogram *before = NULL;
    for (size_t i = s->from; s->histograms && i < s->from + s->count; i++) {
        struct histogram *h = (struct histogram *)(uintptr_t)s->histograms[i]; /* the load's own copy */
        bool stale = h && is_stale_nan(h->sum);
        if (h && !stale) {
            h->reset_hint = (uint8_t)histogram_hint_after(h, before);
        }
        before = stale ? NULL : h;
    }
}

/* -- one section ----------------------------------------------------------------------------------------- */

/* Series of equal times side by side, by their labels. */
static int clock_cmp(const void *a, const void *b)
{
    const struct bulk_series *x = *(struct bulk_series *const *)a, *y = *(struct bulk_series *const *)b;
    if (x->count != y->count || x->clock != y->clock) {
        return x->count != y->count ? (x->count > y->count) - (x->count < y->count)
                                    : (x->clock > y->clock) - (x->clock < y->clock);
    }
    return labels_cmp(x->labels, y->labels);
}

static bool clock_same(const struct bulk_series *x, const struct bulk_series *y)
{
    return x->count == y->count && x->clock == y->clock &&
           memcmp(x->ts + x->from, y->ts + y->from, x->count * sizeof(*x->ts)) == 0;
}

static struct metric_series batch_series(const struct bulk_series *s)
{
    return (struct metric_series){.labels = s->labels,
                                  .count = (uint32_t)s->count,
                                  .values = s->values + s->from,
                                  .histograms = s->histograms ? s->histograms + s->from : NULL,
                                  .start_ts = s->starts ? s->starts + s->from : NULL};
}

static enum err section_batches(struct block_writer *w, struct bulk_series **list, size_t n,
                                struct metric_series *rows, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n;) {
        size_t end = i;
        for (; end < n && clock_same(list[i], list[end]); end++) {
            rows[end - i] = batch_series(list[end]);
        }
        struct metric_batch batch = {.ts = list[i]->ts + list[i]->from,
                                     .ts_count = (uint32_t)list[i]->count,
                                     .series = rows,
                                     .series_count = (uint32_t)(end - i)};
        e = block_section_add(w, &batch, INT64_MIN, INT64_MAX, info);
        i = end;
    }
    return e;
}

/* Room for the series of a partition; the list is by partition. */
struct scratch {
    struct bulk_series **by_partition;
    struct bulk_series **list;
    struct metric_series *rows;
    size_t first[PARTITIONS + 1];
};

static enum err section_write(struct tsdb_bulk *b, struct block_writer *w, struct scratch *x,
                              unsigned partition, struct err_info *info)
{
    size_t n = 0;
    ts_ms min = INT64_MAX, max = INT64_MIN;
    for (size_t i = x->first[partition]; i < x->first[partition + 1]; i++) {
        const struct bulk_series *s = x->by_partition[i];
        if (s->count) {
            min = s->ts[s->from] < min ? s->ts[s->from] : min;
            max = s->ts[s->from + s->count - 1] > max ? s->ts[s->from + s->count - 1] : max;
        }
    }
    /* Not with all of the span: a dump in the order of time would be compared with all it brought before,
     * write after write. */
    enum err e = min <= max ? known_subtract(b, partition, min, max, info) : ERR_OK;
    for (size_t i = x->first[partition]; i < x->first[partition + 1]; i++) {
        struct bulk_series *s = x->by_partition[i];
        if (s->count) {
            hints_set(s);
            s->clock = hash_bytes(s->ts + s->from, s->count * sizeof(*s->ts));
            x->list[n++] = s;
        }
    }
    if (e != ERR_OK || n == 0) {
        return e;
    }
    qsort(x->list, n, sizeof(struct bulk_series *), clock_cmp);
    e = block_section_begin(w, b->tenant->name, partition, info);
    e = e == ERR_OK ? section_batches(w, x->list, n, x->rows, info) : e;
    return e == ERR_OK ? block_section_end(w, info) : e;
}

/* -- one block ------------------------------------------------------------------------------------------- */

/* Chooses the samples of the span; false when there are none. */
static bool span_choose(struct tsdb_bulk *b, ts_ms from, ts_ms to)
{
    bool any = false;
    for (size_t i = 0; i < b->series_count; i++) {
        struct bulk_series *s = &b->series[i];
        while (s->next < s->n && s->ts[s->next] < from) {
            s->next++;
        }
        size_t end = s->next;
        while (end < s->n && s->ts[end] <= to) {
            end++;
        }
        s->from = s->next;
        s->count = end - s->next;
        s->next = end;
        any = any || s->count;
    }
    return any;
}

static enum err block_publish(struct tsdb_bulk *b, struct block *fresh, uint64_t samples,
                              struct err_info *info)
{
    struct tsdb *db = b->db;
    ts_ms min = fresh->min_ts, max = fresh->max_ts;
    struct store_set *set = store_view(&db->store);
    enum err e = store_change(&db->store, NULL, 0, fresh, set->tombstones, set->tombstone_count, info);
    store_set_unref(set);
    if (e != ERR_OK) { /* the file stays: the manifest on disk may be the new one all the same */
        block_unref(fresh);
        return e;
    }
    tenant_max_ts_raise(b->tenant, max);
    atomic_fetch_add(&db->generation, 1);
    b->stats.blocks++;
    b->stats.samples += samples;
    b->stats.min_ts = min < b->stats.min_ts ? min : b->stats.min_ts;
    b->stats.max_ts = max > b->stats.max_ts ? max : b->stats.max_ts;
    return ERR_OK;
}

static enum err block_write(struct tsdb_bulk *b, struct scratch *x, struct err_info *info)
{
    struct tsdb *db = b->db;
    struct block_writer w;
    struct block *fresh = NULL;
    uint64_t number = ++db->store.number;
    char path[4096];
    store_block_path(&db->store, number, path, sizeof(path));
    enum err e = block_writer_begin(&w, path, info);
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        e = section_write(b, &w, x, p, info);
    }
    uint64_t samples = w.samples;
    e = e == ERR_OK ? flush_block_finish(db, &w, number, &fresh, info) : e;
    block_writer_done(&w);
    if (e != ERR_OK) {
        (void)(file_remove(path, NULL) == ERR_OK); /* else the next start does */
        return e;
    }
    return fresh ? block_publish(b, fresh, samples, info) : ERR_OK;
}

/* -- everything ------------------------------------------------------------------------------------------ */

static enum err room_check(const struct tsdb *db, uint64_t more, struct err_info *info)
{
    uint64_t free_bytes = 0, total = 0;
    if (dir_free_bytes(db->dir, &free_bytes, &total, NULL) == ERR_OK &&
        free_bytes < db->o.disk_reserve_bytes + more) {
        return err_set(info, ERR_NO_SPACE, "%llu MiB are free below %s, and %llu are needed: make room",
                       (unsigned long long)(free_bytes >> 20), db->dir,
                       (unsigned long long)((db->o.disk_reserve_bytes + more) >> 20));
    }
    return ERR_OK;
}

/* A failed write knows neither its folder nor what to do. */
static enum err explain(const struct tsdb *db, enum err e, struct err_info *info)
{
    char why[300];
    if (!info || e != ERR_NO_SPACE) {
        return e;
    }
    (void)snprintf(why, sizeof(why), "%.299s", info->message);
    return err_set(info, e, "%s: %s; make room and load again: what is stored is left out", db->dir, why);
}

static enum err scratch_make(const struct tsdb_bulk *b, struct scratch *x)
{
    size_t n = b->series_count + 1, at[PARTITIONS];
    x->by_partition = mem_array(n, sizeof(struct bulk_series *));
    x->list = mem_array(n, sizeof(struct bulk_series *));
    x->rows = mem_array(n, sizeof(*x->rows));
    if (!x->by_partition || !x->list || !x->rows) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < b->series_count; i++) {
        x->first[b->series[i].partition + 1]++;
    }
    for (unsigned p = 0; p < PARTITIONS; p++) {
        x->first[p + 1] += x->first[p];
        at[p] = x->first[p];
    }
    for (size_t i = 0; i < b->series_count; i++) {
        x->by_partition[at[b->series[i].partition]++] = &b->series[i];
    }
    return ERR_OK;
}

static void scratch_done(struct scratch *x)
{
    mem_free(x->by_partition);
    mem_free(x->list);
    mem_free(x->rows);
}

/* Sorts, and tells first and last time. */
static enum err range_of(struct tsdb_bulk *b, ts_ms *ret_min, ts_ms *ret_max)
{
    ts_ms min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < b->series_count; i++) {
        struct bulk_series *s = &b->series[i];
        if (series_sort(b, s) != ERR_OK) {
            return ERR_OOM;
        }
        s->next = 0;
        if (s->n) {
            min = s->ts[0] < min ? s->ts[0] : min;
            max = s->ts[s->n - 1] > max ? s->ts[s->n - 1] : max;
        }
    }
    *ret_min = min;
    *ret_max = max;
    return ERR_OK;
}

static int64_t span_for(const struct tsdb *db, ts_ms min, ts_ms max)
{
    int64_t span = db->o.block_ms;
    for (unsigned level = 1; level < SPAN_LEVELS && (max - min) / span >= SPANS_WANTED; level++) {
        span *= SPAN_FACTOR;
    }
    return span;
}

/* The span that begins next: the first sample not yet written decides. */
static ts_ms next_time(const struct tsdb_bulk *b)
{
    ts_ms next = INT64_MAX;
    for (size_t i = 0; i < b->series_count; i++) {
        const struct bulk_series *s = &b->series[i];
        next = s->next < s->n && s->ts[s->next] < next ? s->ts[s->next] : next;
    }
    return next;
}

enum err bulk_blocks_write(struct tsdb_bulk *b, struct err_info *info)
{
    struct scratch x = {0};
    ts_ms min = INT64_MAX, max = INT64_MIN;
    enum err e = range_of(b, &min, &max);
    e = e == ERR_OK ? scratch_make(b, &x) : e;
    if (e != ERR_OK) {
        e = err_set(info, e, "no memory to load samples");
    } else if (min <= max && (e = room_check(b->db, 0, info)) == ERR_OK) {
        int64_t span = span_for(b->db, min, max);
        b->span_ms = span > b->span_ms ? span : b->span_ms;
        for (ts_ms t = min; e == ERR_OK && t != INT64_MAX; t = next_time(b)) {
            ts_ms from = align_down(t, span), to = from + span - 1;
            e = span_choose(b, from, to) ? explain(b->db, block_write(b, &x, info), info) : e;
        }
    }
    scratch_done(&x);
    return e;
}

/* The load's blocks that lie in the span that begins at `from`. */
static size_t merge_candidates(const struct tsdb_bulk *b, const struct store_set *set, ts_ms from,
                               struct block **out, uint64_t *ret_bytes)
{
    size_t n = 0;
    *ret_bytes = 0;
    for (size_t i = 0; i < set->block_count; i++) {
        struct block *x = set->blocks[i];
        if (store_block_number(x) > b->first_block && x->min_ts >= from && x->max_ts < from + b->span_ms) {
            out[n++] = x;
            *ret_bytes += x->bytes;
        }
    }
    return n >= 2 ? n : 0;
}

enum err bulk_blocks_merge(struct tsdb_bulk *b, struct err_info *info)
{
    if (b->stats.blocks < 2) {
        return ERR_OK;
    }
    ts_ms last = align_down(b->stats.max_ts, b->span_ms);
    enum err e = ERR_OK;
    for (ts_ms from = align_down(b->stats.min_ts, b->span_ms); e == ERR_OK && from <= last;
         from += b->span_ms) {
        struct store_set *set = store_view(&b->db->store);
        struct block **picked = mem_array(set->block_count + 1, sizeof(struct block *));
        uint64_t bytes = 0;
        size_t n = picked ? merge_candidates(b, set, from, picked, &bytes) : 0;
        /* Without room or memory the blocks stay as they are, and housekeeping merges them some day. */
        if (n && room_check(b->db, bytes, NULL) == ERR_OK) {
            e = tsdb_merge(b->db, picked, n, info);
        }
        mem_free(picked);
        store_set_unref(set);
    }
    return e;
}
