/* Opening, closing and counting. */
#include "metrics/tsdb/tsdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"
#include "metrics/tsdb/checkpoint.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/maintain.h"
#include "metrics/tsdb/memory.h"
#include "metrics/tsdb/prom_blocks.h"
#include "metrics/tsdb/replay.h"
#include "metrics/tsdb/side.h"
#include "metrics/tsdb/source_int.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/tsdb_int.h"

static const int64_t RETENTION_MS = INT64_C(15) * 24 * 3600 * 1000;
static const int64_t HOUR_MS = 3600 * 1000;

enum {
    SERIES_BYTES_MIN = 192 /* no series takes less */
};

ts_ms tsdb_mutable_from(struct tsdb *db)
{
    int64_t newest = INT64_MIN;
    mutex_lock(&db->tenants_lock);
    for (size_t i = 0; i < db->tenant_count; i++) {
        int64_t t = atomic_load_explicit(&db->tenants[i]->max_ts, memory_order_relaxed);
        newest = t > newest ? t : newest;
    }
    mutex_unlock(&db->tenants_lock);
    /* A series may lag behind the newest one by as much as is accepted in order. */
    return newest == INT64_MIN ? INT64_MIN : newest - db->o.block_ms / 2;
}

static uint64_t source_generation(struct metric_source *s, ts_ms *ret_mutable_from_ms)
{
    struct tsdb *db = tsdb_of_source(s);
    uint64_t generation = atomic_load(&db->generation); /* first: what comes meanwhile is of the next */
    *ret_mutable_from_ms = tsdb_mutable_from(db);
    return generation;
}

const struct metric_source_ops tsdb_source_ops = {
    .select = cursor_select,
    .next = cursor_next,
    .warnings = cursor_warnings,
    .close = cursor_close,
    .label_names = source_label_names,
    .label_values = source_label_values,
    .exemplars = source_exemplars,
    .metadata = source_metadata,
    .generation = source_generation,
};

static void options_fill(struct tsdb_options *o, const struct tsdb_options *in)
{
    *o = *in;
    o->clock = in->clock ? in->clock : clock_real();
    o->retention_ms = in->retention_ms ? in->retention_ms : RETENTION_MS;
    o->late_window_ms = in->late_window_ms ? in->late_window_ms : HOUR_MS;
    o->block_ms = in->block_ms ? in->block_ms : 2 * HOUR_MS;
    o->memory_bytes = in->memory_bytes ? in->memory_bytes : tsdb_memory_default_bytes();
    o->series_max = in->series_max ? in->series_max : o->memory_bytes / SERIES_BYTES_MIN + 1;
    o->disk_reserve_bytes = in->disk_reserve_bytes ? in->disk_reserve_bytes : UINT64_C(256) << 20;
}

static char *chunk_dir(const char *dir)
{
    struct buf b AUTO_BUF = {0};
    size_t n = 0;
    buf_printf(&b, "%s/chunks", dir);
    buf_char(&b, '\0');
    return buf_take(&b, &n);
}

static struct tsdb *db_new(const struct tsdb_options *o)
{
    struct tsdb *db = mem_aligned(64, sizeof(*db));
    if (!db) {
        return NULL;
    }
    memset(db, 0, sizeof(*db));
    db->sink.ops = &tsdb_sink_ops;
    db->source.ops = &tsdb_source_ops;
    db->lock_fd = -1;
    options_fill(&db->o, o);
    expiry_init(&db->expiry, db->o.clock);
    atomic_init(&db->epoch, 1);
    atomic_init(&db->generation, 1);
    atomic_init(&db->flushing_before, INT64_MIN);
    atomic_init(&db->prom_hidden_before, INT64_MIN);
    mutex_init(&db->tenants_lock);
    mutex_init(&db->memory.lock);
    mutex_init(&db->maintenance);
    mutex_init(&db->thread_lock);
    cond_init(&db->wake);
    match_cache_init(&db->match_cache, (size_t)(db->o.memory_bytes / MATCH_CACHE_PART));
    staging_init(&db->staging, db->o.memory_bytes);
    uint64_t selections = db->o.memory_bytes / SELECTIONS_SHARE;
    selection_cache_init(&db->selections,
                         selections < SELECTIONS_BYTES_MAX ? (size_t)selections : SELECTIONS_BYTES_MAX,
                         &db->match_cache);
    for (size_t i = 0; i < PARTITIONS; i++) {
        mutex_init(&db->partitions[i].writer);
        mutex_init(&db->partitions[i].lock);
        db->partitions[i].number = (unsigned)i;
        db->partitions[i].record.size_bytes_max = INGEST_LOG_RECORD_BYTES_MAX;
    }
    db->dir = mem_dup(o->dir, strlen(o->dir));
    db->chunk_dir = chunk_dir(o->dir);
    chunk_pool_init(&db->pool, db->chunk_dir);
    db->marks = mem_array(MARKS_MAX, sizeof(*db->marks));
    if (!db->dir || !db->chunk_dir || !db->marks) {
        tsdb_close(db);
        return NULL;
    }
    db->o.dir = db->dir;
    db->prom_dir = o->prometheus_dir ? mem_dup(o->prometheus_dir, strlen(o->prometheus_dir)) : NULL;
    db->o.prometheus_dir = db->prom_dir;
    return db;
}

/* The tenants of the blocks, with the newest time each has. */
static enum err tenants_load(struct tsdb *db, struct err_info *info)
{
    for (size_t i = 0; i < db->store.set->block_count; i++) {
        const struct block *b = db->store.set->blocks[i];
        for (size_t k = 0; k < b->section_count; k++) {
            struct tenant *t = NULL;
            enum err e = tenant_get(db, b->sections[k].tenant, true, &t);
            if (e != ERR_OK) {
                return err_set(info, e, "no memory for the tenants of %s", db->dir);
            }
            tenant_max_ts_raise(t, b->sections[k].max_ts);
        }
    }
    return ERR_OK;
}

/* The log goes on behind what the manifest says is flushed, whatever is left of it (it was removed, its end
 * is damaged, the folder is a copy without it): its first new records would count as flushed else. */
static uint64_t log_from(const struct tsdb *db)
{
    uint64_t from = checkpoint_log_from(&db->checkpoint);
    for (unsigned p = 0; p < PARTITIONS; p++) {
        from = db->store.flushed_offset[p] > from ? db->store.flushed_offset[p] : from;
    }
    return from;
}

/* Replays, appends what waited for that, begins housekeeping. */
static enum err load(struct tsdb *db, struct err_info *info)
{
    mutex_lock(&db->maintenance); /* whoever wants to flush or delete waits */
    int64_t since = clock_mono_ns(clock_real());
    enum err e = tsdb_replay(db, info);
    e = e == ERR_OK ? replay_newest(db, info) : e;
    if (e == ERR_OK) {
        struct tsdb_stats s;
        atomic_store(&db->replay_ns, clock_mono_ns(clock_real()) - since);
        tsdb_stats(db, &s);
        atomic_fetch_add(&db->series_created, s.series);
        e = staging_end(db, info);
    }
    db->loaded = e == ERR_OK;
    db->checkpoint.made_ns = clock_mono_ns(db->o.clock);
    mutex_unlock(&db->maintenance);
    atomic_fetch_add(&db->generation, 1);
    return e == ERR_OK && !atomic_load(&db->closing) ? maintain_start(db, info) : e;
}

static void load_run(void *ctx)
{
    struct tsdb *db = ctx;
    struct err_info info = {0};
    enum err e = load(db, &info);
    if (atomic_load(&db->closing)) {
        return;
    }
    if (e != ERR_OK) {
        LOG_EVENT(
            LVL_ERROR, "tsdb_replay_failed", F_C("dir", db->dir), F_ERR(e), F_C("why", info.message),
            F_C("action", "nothing is stored or answered until the cause is gone and it is started again"));
        staging_fail(db, &info);
    }
    if (db->o.on_loaded) {
        db->o.on_loaded(db->o.on_loaded_ctx, e, &info);
    }
}

static enum err load_later(struct tsdb *db, struct err_info *info)
{
    atomic_store(&db->staging.active, true);
    enum err e = thread_start(&db->loader, "tsdb-replay", load_run, db);
    return e == ERR_OK ? e : err_set(info, e, "no thread to replay the log of %s", db->dir);
}

/* A full disk does not keep a store of before from opening: chunks go to the heap until there is room. */
static enum err chunk_dir_make(const struct tsdb *db, struct err_info *info)
{
    struct err_info why = {0};
    enum err e = dir_make(db->chunk_dir, &why);
    if (e == ERR_OK || e == ERR_NO_SPACE) {
        return ERR_OK;
    }
    if (info) {
        *info = why;
    }
    return e;
}

static enum err db_start(struct tsdb *db, struct err_info *info)
{
    char wal[4096];
    if ((size_t)snprintf(wal, sizeof(wal), "%s/wal", db->dir) >= sizeof(wal)) {
        return err_set(info, ERR_LIMIT, "the folder's name is too long: %s", db->dir);
    }
    enum err e = dir_make(db->dir, info);
    if (e == ERR_OK) {
        e = dir_lock(db->dir, &db->lock_fd, info);
    }
    e = e == ERR_OK ? store_open(&db->store, db->dir, info) : e;
    e = e == ERR_OK ? chunk_dir_make(db, info) : e;
    e = e == ERR_OK ? checkpoint_open(db, info) : e;
    e = e == ERR_OK ? tenants_load(db, info) : e;
    e = e == ERR_OK ? prom_blocks_open(db, info) : e;
    if (e == ERR_OK) {
        struct ingest_log_options lo = {
            .dir = wal, .durability = db->o.durability, .first_offset = log_from(db)};
        e = ingest_log_open(&lo, &db->log, info);
    }
    if (e != ERR_OK) {
        return e;
    }
    return db->o.replay_later ? load_later(db, info) : load(db, info);
}

enum err tsdb_open(const struct tsdb_options *o, struct tsdb **ret_db, struct err_info *reterr_info)
{
    struct tsdb *db = db_new(o);
    if (!db) {
        return err_set(reterr_info, ERR_OOM, "no memory to open the metrics store in %s", o->dir);
    }
    enum err e = db_start(db, reterr_info);
    if (e != ERR_OK) {
        tsdb_close(db);
        return e;
    }
    *ret_db = db;
    return ERR_OK;
}

/* The next start finds everything sealed. */
static void checkpoint_last(struct tsdb *db)
{
    struct err_info info = {0};
    mutex_lock(&db->maintenance);
    bool whole = db->loaded && ingest_log_healthy(db->log, &info);
    enum err e = whole ? checkpoint_make(db, true, &info) : ERR_OK;
    mutex_unlock(&db->maintenance);
    if (e != ERR_OK) {
        LOG_EVENT(LVL_WARN, "tsdb_checkpoint_failed", F_C("dir", db->dir), F_ERR(e), F_C("why", info.message),
                  F_C("instead", "the next start replays more of the log; nothing is lost"));
    }
    chunk_pool_keep(&db->pool);
}

void tsdb_close(struct tsdb *db)
{
    if (!db) {
        return;
    }
    atomic_store(&db->closing, true);
    thread_join(&db->loader);
    maintain_stop(db);
    checkpoint_last(db);
    ingest_log_close(db->log);
    staging_done(&db->staging);
    store_done(&db->store);
    selection_cache_done(&db->selections);
    prom_dir_done(&db->prom);
    mem_free(db->marks);
    mutex_done(&db->maintenance);
    mutex_done(&db->thread_lock);
    cond_done(&db->wake);
    for (size_t i = 0; i < PARTITIONS; i++) {
        struct partition *p = &db->partitions[i];
        for (size_t k = 0; k < p->head_count; k++) {
            head_free(p->heads[k]);
        }
        mem_free(p->heads);
        buf_done(&p->record);
        mutex_done(&p->lock);
        mutex_done(&p->writer);
    }
    checkpoint_done(&db->checkpoint);
    chunk_pool_done(&db->pool);
    for (size_t i = 0; i < db->tenant_count; i++) {
        struct tenant *t = db->tenants[i];
        side_done(t);
        mutex_done(&t->side_lock);
        mem_free((char *)(uintptr_t)t->name.p);
        mem_free(t);
    }
    mem_free(db->tenants);
    match_cache_done(&db->match_cache);
    mutex_done(&db->tenants_lock);
    mutex_done(&db->memory.lock);
    dir_unlock(db->lock_fd);
    mem_free(db->prom_dir);
    mem_free(db->chunk_dir);
    mem_free(db->dir);
    mem_free(db);
}

struct metric_sink *tsdb_sink(struct tsdb *db)
{
    return &db->sink;
}

struct metric_source *tsdb_source(struct tsdb *db)
{
    return &db->source;
}

static void head_stats(const struct head *h, struct tsdb_stats *s)
{
    s->series += h->series_count;
    s->chunks += h->chunk_count;
    s->label_pairs += h->index->pair_count;
    struct head_bytes b = head_bytes(h);
    s->series_bytes += b.series;
    s->index_bytes += b.index;
    s->tail_bytes += b.tails;
    s->clock_bytes += b.clocks;
    s->chunk_bytes += b.chunks;
    s->late_bytes += b.late;
    s->head_bytes += b.series + b.index + b.tails + b.clocks + b.chunks + b.late;
    s->min_time = h->min_ts < s->min_time ? h->min_ts : s->min_time;
    s->max_time = h->max_ts > s->max_time ? h->max_ts : s->max_time;
}

bool tsdb_healthy(const struct tsdb *db, struct err_info *reterr_info)
{
    return ingest_log_healthy(db->log, reterr_info);
}

void tsdb_stats(struct tsdb *db, struct tsdb_stats *ret_stats)
{
    struct tsdb_stats s = {.min_time = INT64_MAX, .max_time = INT64_MIN};
    for (size_t i = 0; i < PARTITIONS; i++) {
        struct partition *p = &db->partitions[i];
        mutex_lock(&p->lock);
        for (size_t k = 0; k < p->head_count; k++) {
            if (p->heads[k]) {
                head_stats(p->heads[k], &s);
            }
        }
        mutex_unlock(&p->lock);
    }
    s.oldest_time = s.min_time;
    s.newest_time = s.max_time;
    s.memory_bytes = db->o.memory_bytes;
    s.log_bytes = ingest_log_memory_bytes(db->log) + staging_bytes(&db->staging);
    s.chunk_file_bytes = atomic_load_explicit(&db->pool.bytes, memory_order_relaxed);
    struct store_set *set = store_view(&db->store);
    for (size_t i = 0; i < set->block_count; i++) {
        s.blocks++;
        s.block_bytes += set->blocks[i]->bytes;
        s.oldest_time = set->blocks[i]->min_ts < s.oldest_time ? set->blocks[i]->min_ts : s.oldest_time;
        s.newest_time = set->blocks[i]->max_ts > s.newest_time ? set->blocks[i]->max_ts : s.newest_time;
    }
    store_set_unref(set);
    for (size_t i = 0; i < db->prom.n; i++) {
        const struct prom_block *b = db->prom.blocks[i];
        s.prom_blocks++;
        s.prom_block_bytes += b->bytes;
        s.blocks++;
        s.block_bytes += b->bytes;
        if (prom_block_wanted(db, b, INT64_MIN, INT64_MAX)) {
            s.oldest_time = b->meta.min_ts < s.oldest_time ? b->meta.min_ts : s.oldest_time;
        }
    }
    s.prom_blocks_bad = db->prom.bad_count;
    s.blocks_bad = db->store.blocks_bad + s.prom_blocks_bad +
                   atomic_load_explicit(&db->sections_bad, memory_order_relaxed);
    s.samples_appended = atomic_load_explicit(&db->appended, memory_order_relaxed);
    for (size_t i = 0; i < SAMPLE_STATUS_COUNT; i++) {
        s.samples_refused[i] = atomic_load_explicit(&db->refused[i], memory_order_relaxed);
    }
    mutex_lock(&db->tenants_lock);
    s.exemplars_max = exemplars_count_max(db->o.exemplars_max);
    for (size_t i = 0; i < db->tenant_count; i++) {
        mutex_lock(&db->tenants[i]->side_lock);
        s.exemplars += db->tenants[i]->exemplars.n;
        s.exemplar_bytes += db->tenants[i]->exemplars.bytes;
        mutex_unlock(&db->tenants[i]->side_lock);
    }
    mutex_unlock(&db->tenants_lock);
    struct match_cache_stats matches = match_cache_stats(&db->match_cache);
    s.selection_bytes = selection_cache_bytes(&db->selections);
    s.match_cache_bytes = matches.bytes;
    s.match_cache_hits = matches.hits;
    s.match_cache_misses = matches.misses;
    s.wal_bytes = ingest_log_bytes(db->log);
    s.wal_bad_segments = atomic_load(&db->wal_bad_segments);
    struct err_info why = {0};
    s.read_only = !ingest_log_healthy(db->log, &why);
    (void)snprintf(s.read_only_reason, sizeof(s.read_only_reason), "%.255s", s.read_only ? why.message : "");
    *ret_stats = s;
}

void tsdb_activity(struct tsdb *db, struct tsdb_activity *ret_activity)
{
    *ret_activity = (struct tsdb_activity){.flushes = atomic_load(&db->flushes),
                                           .merges = atomic_load(&db->merges),
                                           .failures = atomic_load(&db->block_failures),
                                           .time_retentions = atomic_load(&db->time_retentions),
                                           .size_retentions = atomic_load(&db->size_retentions),
                                           .series_created = atomic_load(&db->series_created),
                                           .checkpoints = atomic_load(&db->checkpoints),
                                           .checkpoints_bad = atomic_load(&db->checkpoints_bad),
                                           .records_replayed = atomic_load(&db->records_replayed),
                                           .chunks_restored = atomic_load(&db->chunks_restored),
                                           .replay_seconds = (double)db->replay_ns / (double)NS_PER_S};
}

void tsdb_replay_progress(struct tsdb *db, size_t *ret_done, size_t *ret_all)
{
    ingest_log_progress(db->log, ret_done, ret_all);
}

static int block_cmp(const void *a, const void *b)
{
    const struct tsdb_block *x = a, *y = b;
    return (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts);
}

/* Adds the blocks of a Prometheus that are read in place and not hidden. */
static void prom_blocks_add(const struct tsdb *db, struct tsdb_block *out, size_t *n)
{
    for (size_t i = 0; i < db->prom.n; i++) {
        const struct prom_block *b = db->prom.blocks[i];
        if (prom_block_wanted(db, b, INT64_MIN, INT64_MAX)) {
            out[(*n)++] = (struct tsdb_block){.name = str_c(b->meta.ulid),
                                              .min_ts = b->meta.min_ts,
                                              .max_ts = b->meta.max_ts - 1,
                                              .samples = b->meta.samples,
                                              .series = b->meta.series,
                                              .bytes = b->bytes,
                                              .level = b->meta.level};
        }
    }
    if (db->prom.n) {
        qsort(out, *n, sizeof(*out), block_cmp);
    }
}

enum err tsdb_blocks(struct tsdb *db, struct arena *a, const struct tsdb_block **ret_blocks, size_t *ret_n)
{
    struct store_set *set = store_view(&db->store);
    size_t n = set->block_count;
    struct tsdb_block *out = arena_array(a, n + db->prom.n + 1, sizeof(*out));
    enum err e = out ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < n && !e; i++) {
        const struct block *b = set->blocks[i];
        out[i] = (struct tsdb_block){.name = arena_str(a, str_c(b->name)),
                                     .min_ts = b->min_ts,
                                     .max_ts = b->max_ts,
                                     .samples = b->samples,
                                     .bytes = b->bytes,
                                     .level = 1};
        for (size_t k = 0; k < b->section_count; k++) {
            out[i].series += b->sections[k].series;
        }
        for (int64_t span = db->o.block_ms; span && (b->max_ts - b->min_ts) / span > 0 && out[i].level < 8;
             span *= 4) {
            out[i].level++;
        }
        e = out[i].name.p ? ERR_OK : ERR_OOM;
    }
    store_set_unref(set);
    if (e == ERR_OK) {
        prom_blocks_add(db, out, &n);
    }
    *ret_blocks = out;
    *ret_n = n;
    return e;
}
