/* What is due: flush, merge, retention, watching the disk. A thread of the store calls it; with a fake clock
 * the test does. */
#include "metrics/tsdb/maintain.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/tsdb/checkpoint.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/memory.h"

enum {
    MAINTAIN_EVERY_MS = 5000,
    HURRY_EVERY_MS = 1000, /* at most, when appenders ask for it */
    MERGE_FACTOR = 4,      /* blocks of a level become one of the next */
    MERGE_LEVELS = 4,
    MINUTE_MS = 60 * 1000,
    PRESSURE_KEEP_MS = 5 * MINUTE_MS,  /* of the newest samples, when memory is short */
    PRESSURE_EVERY_MS = 15 * MINUTE_MS /* of data, between such flushes */
};

static const int64_t BLOCK_SPAN_MS_MAX = INT64_C(31) * 24 * 3600 * 1000;

static ts_ms align_down(ts_ms t, int64_t step)
{
    ts_ms r = t % step;
    return t - (r < 0 ? r + step : r);
}

static enum err flush_due(struct tsdb *db, struct err_info *info)
{
    struct tsdb_stats s;
    tsdb_stats(db, &s);
    memory_measure(db, s.head_bytes, s.late_bytes);
    if (s.min_time > s.max_time || s.max_time < INT64_MIN / 2) {
        return ERR_OK;
    }
    int64_t block = db->o.block_ms;
    ts_ms bound = align_down(s.max_time - block / 2, block);
    bool late = s.late_bytes > memory_late_bytes(db) / 2;
    if (s.head_bytes > memory_soft_bytes(db) || memory_pressed(db, s.head_bytes) || late) {
        ts_ms early = align_down(s.max_time - PRESSURE_KEEP_MS, MINUTE_MS);
        /* Series that are alive stay however often that is done: only time lets any go. */
        bound = early > bound && early >= db->store.flushed_before + PRESSURE_EVERY_MS ? early : bound;
    }
    if (late && bound < db->store.flushed_before) { /* a block of what came since below the old bound */
        bound = db->store.flushed_before;
    }
    if (bound < db->store.flushed_before || (bound == db->store.flushed_before && !late) ||
        s.min_time >= bound) {
        return ERR_OK;
    }
    enum err e = tsdb_flush(db, bound, info);
    if (e == ERR_OK) {
        tsdb_stats(db, &s);
        memory_measure(db, s.head_bytes, s.late_bytes);
    }
    return e;
}

/* The blocks that lie in one aligned span: two or more, and the span is over. */
static size_t merge_candidates(const struct store_set *set, size_t from, int64_t span, ts_ms before,
                               struct block **out)
{
    size_t n = 0;
    ts_ms start = align_down(set->blocks[from]->min_ts, span);
    if (start > before - span) {
        return 0;
    }
    for (size_t i = from; i < set->block_count && set->blocks[i]->min_ts < start + span; i++) {
        bool whole = !atomic_load_explicit(&set->blocks[i]->damaged, memory_order_relaxed);
        if (whole && set->blocks[i]->max_ts < start + span) {
            out[n++] = set->blocks[i];
        }
    }
    return n >= 2 ? n : 0;
}

/* The new block is no larger than the old ones together, and they go only when it is there. */
static bool merge_fits(const struct tsdb *db, struct block *const *blocks, size_t n)
{
    uint64_t need = db->o.disk_reserve_bytes, free_bytes = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        need += blocks[i]->bytes;
    }
    if (dir_free_bytes(db->dir, &free_bytes, &total, NULL) != ERR_OK || free_bytes >= need) {
        return true;
    }
    LOG_EVENT(LVL_WARN, "tsdb_merge_postponed", F_C("why", "too little free disk"),
              F_U64("free_bytes", free_bytes), F_U64("needed_bytes", need));
    return false;
}

static enum err merge_due(struct tsdb *db, struct err_info *info)
{
    if (db->store.flushed_before == INT64_MIN) { /* what there is was brought in from elsewhere */
        return ERR_OK;
    }
    struct store_set *set = store_view(&db->store);
    struct block **picked = mem_array(set->block_count + 1, sizeof(*picked));
    int64_t span = db->o.block_ms, span_max = db->o.retention_ms / 10;
    enum err e = picked ? ERR_OK : err_set(info, ERR_OOM, "no memory to merge blocks");
    span_max = span_max > BLOCK_SPAN_MS_MAX ? BLOCK_SPAN_MS_MAX : span_max;
    size_t n = 0;
    for (unsigned level = 0; e == ERR_OK && n == 0 && level < MERGE_LEVELS; level++, span *= MERGE_FACTOR) {
        for (size_t i = 0; n == 0 && i < set->block_count && span <= span_max; i++) {
            n = merge_candidates(set, i, span, db->store.flushed_before, picked);
        }
    }
    e = n && merge_fits(db, picked, n) ? tsdb_merge(db, picked, n, info) : e;
    mem_free(picked);
    store_set_unref(set);
    return e;
}

static void disk_watch(struct tsdb *db)
{
    uint64_t free_bytes = 0, total = 0;
    if (dir_free_bytes(db->dir, &free_bytes, &total, NULL) != ERR_OK) {
        return;
    }
    bool full = free_bytes < db->o.disk_reserve_bytes;
    if (atomic_exchange(&db->disk_full, full) != full) {
        LOG_EVENT(full ? LVL_ERROR : LVL_INFO, full ? "tsdb_disk_full" : "tsdb_disk_has_room",
                  F_C("dir", db->dir), F_U64("free_bytes", free_bytes),
                  F_U64("reserve_bytes", db->o.disk_reserve_bytes),
                  F_C("instead", full ? "samples are refused, queries go on" : "samples are stored again"));
    }
}

static bool block_there(const void *ctx, uint64_t block)
{
    const struct store_set *set = ctx;
    for (size_t i = 0; i < set->block_count; i++) {
        if (store_block_number(set->blocks[i]) == block) {
            return true;
        }
    }
    return block > INT64_MAX; /* of Prometheus: there as long as the store is open */
}

/* Forgets what is remembered of blocks that are gone. */
static void cache_sweep(struct tsdb *db)
{
    struct store_set *set = store_view(&db->store);
    uint64_t sum = 0;
    for (size_t i = 0; i < set->block_count; i++) {
        sum += hash_u64(store_block_number(set->blocks[i]));
    }
    if (sum != db->match_cache_swept) {
        match_cache_sweep(&db->match_cache, block_there, set);
        db->match_cache_swept = sum;
    }
    store_set_unref(set);
}

/* Memory is short: what only saves time goes. */
static void caches_drop(struct tsdb *db)
{
    selection_cache_clear(&db->selections);
    match_cache_sweep(&db->match_cache, NULL, NULL);
    if (db->o.on_pressure) {
        db->o.on_pressure(db->o.on_pressure_ctx);
    }
}

enum err tsdb_maintain(struct tsdb *db, struct err_info *reterr_info)
{
    mutex_lock(&db->maintenance);
    disk_watch(db);
    tsdb_mark(db);
    if (mem_promise_pressed(db->o.promise)) {
        caches_drop(db);
    }
    (void)mem_promise_rest(db->o.promise);
    enum err e = tsdb_ahead(db, reterr_info);
    e = e == ERR_OK ? flush_due(db, reterr_info) : e;
    e = e == ERR_OK ? checkpoint_due(db, reterr_info) : e;
    uint64_t work = atomic_load(&db->flushes) + atomic_load(&db->checkpoints);
    if (work != db->rested_after) {
        db->rested_after = work;
        mem_promise_worked(db->o.promise);
    }
    /* Retention before merging: it may free what merging needs. */
    enum err r = tsdb_retain(db, e == ERR_OK ? reterr_info : NULL);
    e = e == ERR_OK ? r : e;
    if (!atomic_load(&db->disk_full)) {
        r = merge_due(db, e == ERR_OK ? reterr_info : NULL);
        e = e == ERR_OK ? r : e;
    }
    cache_sweep(db);
    mutex_unlock(&db->maintenance);
    return e;
}

void maintain_rest(struct tsdb *db, int64_t since_ns)
{
    int64_t now = clock_mono_ns(clock_real()), until = now + (now - since_ns);
    if (db->o.clock->fake || db->o.no_housekeeping) {
        return;
    }
    mutex_lock(&db->thread_lock);
    while (!db->stopping && cond_wait_until(&db->wake, &db->thread_lock, until)) {
    }
    mutex_unlock(&db->thread_lock);
}

static void run(void *ctx)
{
    struct tsdb *db = ctx;
    mutex_lock(&db->thread_lock);
    while (!db->stopping) {
        struct err_info info = {0};
        int64_t begun = clock_mono_ns(clock_real()), until = begun + MAINTAIN_EVERY_MS * NS_PER_MS;
        while (!db->stopping &&
               cond_wait_until(&db->wake, &db->thread_lock, begun + HURRY_EVERY_MS * NS_PER_MS)) {
        }
        while (!db->stopping && !atomic_load(&db->hurry) &&
               cond_wait_until(&db->wake, &db->thread_lock, until)) {
        }
        if (db->stopping) {
            break;
        }
        atomic_store(&db->hurry, false);
        mutex_unlock(&db->thread_lock);
        enum err e = tsdb_maintain(db, &info);
        if (e != ERR_OK) {
            LOG_EVENT(LVL_ERROR, "tsdb_maintenance_failed", F_ERR(e), F_C("why", info.message));
        }
        mutex_lock(&db->thread_lock);
    }
    mutex_unlock(&db->thread_lock);
}

enum err maintain_start(struct tsdb *db, struct err_info *info)
{
    disk_watch(db);
    if (db->o.clock->fake || db->o.no_housekeeping) {
        return ERR_OK;
    }
    enum err e = thread_start(&db->thread, "tsdb-maintain", run, db);
    return e == ERR_OK ? e : err_set(info, e, "no thread for the housekeeping of the metrics store");
}

void maintain_stop(struct tsdb *db)
{
    mutex_lock(&db->thread_lock);
    db->stopping = true;
    cond_signal(&db->wake);
    mutex_unlock(&db->thread_lock);
    thread_join(&db->thread);
}
