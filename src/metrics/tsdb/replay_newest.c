/* The newest samples of series that are in the heads without any: after a flush that wrote active series
 * whole (a snapshot, a deletion, one under memory pressure) and a start they stand in blocks alone. They are
 * looked up once, so that what comes is judged beside them. Ordinary flushes end an hour before the newest
 * sample, and leave nothing to look up. The replaying thread. */
#include "metrics/tsdb/replay.h"

#include "base/mem.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/memory.h"
#include "metrics/tsdb/rich.h"
#include "metrics/tsdb/source_int.h"

/* The series, made when no definition of it was kept. */
static enum err series_of(struct tsdb *db, struct tenant *t, struct head *h, struct labels ls,
                          struct series **ret_s)
{
    uint64_t hash = labels_hash(ls);
    uint32_t slot = head_find(h, ls, hash);
    if (slot == UINT32_MAX) {
        enum err e = head_create(h, ls, hash, series_target(t->name, ls, hash), UINT32_MAX, &slot);
        if (e != ERR_OK) {
            return e;
        }
        *head_order(h, slot) = (uint32_t)atomic_fetch_add_explicit(&t->created, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&t->series, 1, memory_order_relaxed);
        memory_series_made(db, ls);
    }
    *ret_s = head_series(h, slot);
    return ERR_OK;
}

static void note(struct series *s, const struct metric_batch *b, const struct metric_series *in)
{
    uint32_t last = in->count - 1;
    ts_ms ts = b->ts[in->clock_first + last];
    if ((s->flags & SERIES_STARTED) && s->last_ts >= ts) {
        return;
    }
    const struct histogram *histogram = in->histograms ? in->histograms[last] : NULL;
    const struct sample_value v = {histogram ? 0 : f64_bits(in->values[last]),
                                   in->start_ts ? in->start_ts[last] : 0, histogram};
    if (s->sealed || s->tail_count) {
        return; /* it has newer ones of its own */
    }
    s->last_ts = ts;
    s->last_bits = value_identity(&v);
    s->flags |= SERIES_STARTED;
}

static enum err partition_look(struct tsdb *db, struct tenant *t, unsigned partition, ts_ms from,
                               struct store_set *only, struct err_info *info)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct partition *p = &db->partitions[partition];
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct head *h = NULL;
    mutex_lock(&p->lock);
    enum err e = partition_head(p, t, &db->pool, &h);
    mutex_unlock(&p->lock);
    e = e ? e : cursor_internal(db, &q, t, from, INT64_MAX, only, &c);
    e = e == ERR_OK ? cursor_partition(c, partition) : e;
    while (e == ERR_OK && (e = cursor_next(c, &b, info)) == ERR_OK) {
        mutex_lock(&p->lock);
        for (uint32_t i = 0; i < b.series_count && e == ERR_OK; i++) {
            struct series *s = NULL;
            e = b.series[i].count ? series_of(db, t, h, b.series[i].labels, &s) : ERR_OK;
            if (s) {
                note(s, &b, &b.series[i]);
            }
        }
        mutex_unlock(&p->lock);
    }
    if (c) {
        cursor_close(c);
    }
    /* Without a place for one more series what is known is enough: nothing is lost by it. */
    return e == ERR_NOT_FOUND || e == ERR_LIMIT ? ERR_OK : e;
}

enum err replay_newest(struct tsdb *db, struct err_info *info)
{
    struct store_set *set = store_view(&db->store);
    struct store_set only = {.blocks = mem_array(set->block_count + 1, sizeof(struct block *))};
    enum err e = only.blocks ? ERR_OK : err_set(info, ERR_OOM, "no memory to look at the newest blocks");
    for (size_t i = 0; e == ERR_OK; i++) {
        mutex_lock(&db->tenants_lock); /* batches that wait for the end of replay may bring new ones */
        struct tenant *t = i < db->tenant_count ? db->tenants[i] : NULL;
        mutex_unlock(&db->tenants_lock);
        ts_ms from;
        if (!t) {
            break;
        }
        if (__builtin_sub_overflow(atomic_load(&t->max_ts), db->o.block_ms / 2, &from)) {
            continue;
        }
        only.block_count = 0;
        for (size_t k = 0; k < set->block_count; k++) {
            if (set->blocks[k]->max_ts >= from) {
                only.blocks[only.block_count++] = set->blocks[k];
            }
        }
        for (unsigned p = 0; only.block_count && e == ERR_OK && p < PARTITIONS; p++) {
            e = partition_look(db, t, p, from, &only, info);
        }
    }
    mem_free(only.blocks);
    store_set_unref(set);
    return e;
}
