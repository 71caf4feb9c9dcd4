/* What goes: blocks by age and by size, deletions that have done their work; and samples of a clock that was
 * wrong, which would keep the store from taking those of the present. */
#include "base/log.h"
#include "base/mem.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/maintain.h"
#include "metrics/tsdb/prom_blocks.h"

/* -- age and size ---------------------------------------------------------------------------------------- */

/* A tombstone has done its work when every block that it concerns was written after it. */
static bool tombstone_needed(struct tsdb *db, const struct store_set *set, const struct tombstone *t)
{
    if (t->end_ms >= db->store.flushed_before || prom_blocks_concern(db, t->tenant, t->start_ms, t->end_ms)) {
        return true;
    }
    for (size_t i = 0; i < set->block_count; i++) {
        const struct block *b = set->blocks[i];
        if (b->min_ts <= t->end_ms && b->max_ts >= t->start_ms && store_block_number(b) < t->number) {
            return true;
        }
    }
    return false;
}

static enum err retention_now(struct tsdb *db, const struct store_set *set, ts_ms *ret_now)
{
    struct expiry_span *spans = mem_array(set->block_count + 1, sizeof(*spans));
    if (!spans) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < set->block_count; i++) { /* they ascend */
        spans[i] = (struct expiry_span){set->blocks[i]->min_ts, set->blocks[i]->max_ts};
    }
    *ret_now = expiry_now(&db->expiry, spans, set->block_count);
    mem_free(spans);
    return ERR_OK;
}

enum err tsdb_retain(struct tsdb *db, struct err_info *info)
{
    struct store_set *set = store_view(&db->store);
    struct block **gone = mem_array(set->block_count + 1, sizeof(*gone));
    struct tombstone **kept = mem_array(set->tombstone_count + 1, sizeof(*kept));
    size_t gone_count = 0, kept_count = 0;
    uint64_t bytes = ingest_log_bytes(db->log) + atomic_load_explicit(&db->pool.bytes, memory_order_relaxed);
    ts_ms newest = INT64_MIN;
    bool by_size = false, by_time = false;
    for (size_t i = 0; i < set->block_count; i++) {
        bytes += set->blocks[i]->bytes;
        newest = set->blocks[i]->max_ts > newest ? set->blocks[i]->max_ts : newest;
    }
    enum err e = gone && kept ? ERR_OK : ERR_OOM;
    ts_ms now = INT64_MIN;
    e = e == ERR_OK ? retention_now(db, set, &now) : e;
    if (e != ERR_OK) {
        (void)err_set(info, e, "no memory for retention");
    }
    newest = newest < now ? newest : now;
    prom_blocks_retain(db, newest);
    for (size_t i = 0; e == ERR_OK && i < set->block_count; i++) { /* from the oldest */
        bool over = db->o.retention_bytes && bytes > db->o.retention_bytes;
        if (over || (newest != INT64_MIN && set->blocks[i]->max_ts < newest - db->o.retention_ms)) {
            gone[gone_count++] = set->blocks[i];
            bytes -= set->blocks[i]->bytes;
            by_size |= over;
            by_time |= !over;
        }
    }
    for (size_t i = 0; e == ERR_OK && i < set->tombstone_count; i++) {
        if (tombstone_needed(db, set, set->tombstones[i])) {
            kept[kept_count++] = set->tombstones[i];
        }
    }
    if (e == ERR_OK && (gone_count || kept_count < set->tombstone_count)) {
        e = store_change(&db->store, gone, gone_count, NULL, kept, kept_count, info);
        atomic_fetch_add(&db->generation, 1);
    }
    if (e == ERR_OK) {
        atomic_fetch_add(&db->size_retentions, by_size);
        atomic_fetch_add(&db->time_retentions, by_time);
    }
    mem_free(gone);
    mem_free(kept);
    store_set_unref(set);
    return e;
}

/* -- samples of the future ------------------------------------------------------------------------------- */

/* Whether the store has samples of the days before `now`: then the clock is right, and what is far ahead of
 * it is not. */
static bool has_present(const struct tsdb *db, const struct store_set *set, const struct tsdb_stats *s,
                        ts_ms now)
{
    bool any = s->min_time <= now && s->min_time >= now - db->o.retention_ms;
    for (size_t i = 0; i < set->block_count; i++) {
        const struct block *b = set->blocks[i];
        any = any || (b->min_ts <= now && b->max_ts >= now - db->o.retention_ms);
    }
    return any;
}

static bool tenants_lower(struct tsdb *db, ts_ms limit, ts_ms to)
{
    bool any = false;
    mutex_lock(&db->tenants_lock);
    for (size_t i = 0; i < db->tenant_count; i++) {
        int64_t t = atomic_load_explicit(&db->tenants[i]->max_ts, memory_order_relaxed);
        if (t > limit) {
            any = true;
            atomic_store_explicit(&db->tenants[i]->max_ts, to, memory_order_relaxed);
        }
    }
    mutex_unlock(&db->tenants_lock);
    return any;
}

/* All of the head goes to blocks, what is ahead to one of its own; the manifest's bound comes back to the
 * present. */
static enum err ahead_flush(struct tsdb *db, const struct tsdb_stats *s, ts_ms now, ts_ms limit,
                            struct err_info *info)
{
    enum err e = ERR_OK;
    if (s->max_time > limit) {
        e = s->min_time <= limit ? tsdb_flush(db, limit + 1, info) : ERR_OK;
        e = e == ERR_OK ? tsdb_flush(db, s->max_time + 1, info) : e;
    }
    if (e != ERR_OK || db->store.flushed_before <= limit) {
        return e;
    }
    struct store_set *set = store_view(&db->store);
    ts_ms old = db->store.flushed_before;
    db->store.flushed_before = now - db->o.block_ms;
    e = store_change(&db->store, NULL, 0, NULL, set->tombstones, set->tombstone_count, info);
    db->store.flushed_before = e == ERR_OK ? db->store.flushed_before : old;
    store_set_unref(set);
    return e;
}

enum err tsdb_ahead(struct tsdb *db, struct err_info *info)
{
    struct tsdb_stats s;
    ts_ms now = clock_wall_ms(db->o.clock), limit = tsdb_future(db);
    if (tsdb_mutable_from(db) <= limit && db->store.flushed_before <= limit) {
        return ERR_OK;
    }
    tsdb_stats(db, &s);
    struct store_set *set = store_view(&db->store);
    bool present = has_present(db, set, &s, now);
    store_set_unref(set);
    if (!present) {
        return ERR_OK;
    }
    enum err e = ahead_flush(db, &s, now, limit, info);
    if (e == ERR_OK && tenants_lower(db, limit, now)) {
        LOG_EVENT(
            LVL_WARN, "tsdb_samples_of_the_future", F_C("dir", db->dir),
            F_I64("ahead_ms", s.newest_time - now), F_C("why", "they came while the clock was wrong"),
            F_C("action", "they were put into a block of their own; samples of the present are taken again"));
    }
    return e;
}
