/* Writing blocks from heads and from blocks.
 *
 * A flush at bound B: partition by partition, with its writers held off, what is older than B is picked (by
 * reference) and the offset of the next record is noted; it is written without any lock. The manifest then
 * makes the block valid and says that records below the offsets have nothing older than B to give any more;
 * only then the heads let go of it. What comes below B meanwhile is kept apart as late samples. */
#include "metrics/tsdb/flush.h"

#include <stdio.h>

#include "base/mem.h"
#include "metrics/tsdb/maintain.h"
#include "metrics/tsdb/source_int.h"

static ts_ms newest(struct tsdb *db)
{
    ts_ms max = INT64_MIN;
    mutex_lock(&db->tenants_lock);
    for (size_t i = 0; i < db->tenant_count; i++) {
        ts_ms t = atomic_load_explicit(&db->tenants[i]->max_ts, memory_order_relaxed);
        max = t > max ? t : max;
    }
    mutex_unlock(&db->tenants_lock);
    return max;
}

void tsdb_mark_at(struct tsdb *db, uint64_t offset)
{
    ts_ms max = newest(db);
    if (db->mark_count && db->marks[db->mark_count - 1].max_ts == max) {
        db->marks[db->mark_count - 1].offset = offset;
        return;
    }
    if (db->mark_count == MARKS_MAX) { /* every second one is enough */
        for (size_t i = 0; i < MARKS_MAX / 2; i++) {
            db->marks[i] = db->marks[i * 2 + 1];
        }
        db->mark_count = MARKS_MAX / 2;
    }
    db->marks[db->mark_count++] = (struct mark){offset, max};
}

void tsdb_mark(struct tsdb *db)
{
    /* Records below the offset that are not in the heads yet are by the time their writers let go. */
    uint64_t offset = ingest_log_end(db->log);
    for (unsigned p = 0; p < PARTITIONS; p++) {
        mutex_lock(&db->partitions[p].writer);
        mutex_unlock(&db->partitions[p].writer);
    }
    tsdb_mark_at(db, offset);
}

static enum err batches_write(struct block_writer *w, struct metric_cursor *c, ts_ms from, ts_ms to,
                              struct err_info *info)
{
    struct metric_batch b;
    enum err e;
    while ((e = cursor_next(c, &b, info)) == ERR_OK) {
        if ((e = block_section_add(w, &b, from, to, info)) != ERR_OK) {
            return e;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err section_write(struct block_writer *w, struct metric_cursor *c, struct tenant *t,
                              unsigned partition, ts_ms from, ts_ms to, struct err_info *info)
{
    enum err e = block_section_begin(w, t->name, partition, info);
    e = e == ERR_OK ? batches_write(w, c, from, to, info) : e;
    return e == ERR_OK ? block_section_end(w, info) : e;
}

/* One partition of a flush: pick under its writer lock, write without. */
static enum err partition_flush(struct tsdb *db, struct block_writer *w, unsigned partition, ts_ms before,
                                uint64_t *ret_offset, struct err_info *info)
{
    struct partition *p = &db->partitions[partition];
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    enum err e = ERR_OK;
    mutex_lock(&p->writer);
    size_t n = p->head_count;
    struct metric_cursor **c = mem_zarray(n + 1, sizeof(*c));
    struct tenant **tenants = mem_zarray(n + 1, sizeof(struct tenant *));
    e = c && tenants ? ERR_OK : err_set(info, ERR_OOM, "no memory to flush");
    *ret_offset = p->end;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        if (!p->heads[i] || p->heads[i]->min_ts >= before) {
            continue;
        }
        mutex_lock(&p->lock);
        head_keep_fresh(p->heads[i]);
        tenants[i] = p->heads[i]->tenant;
        mutex_unlock(&p->lock);
        e = cursor_internal(db, &q, tenants[i], INT64_MIN, before - 1, NULL, &c[i]);
        e = e == ERR_OK ? cursor_partition(c[i], partition) : e;
        if (e != ERR_OK) {
            (void)err_set(info, e, "no memory to flush");
        }
    }
    mutex_unlock(&p->writer);
    for (size_t i = 0; c && i < n; i++) {
        if (e == ERR_OK && c[i]) {
            e = section_write(w, c[i], tenants[i], partition, INT64_MIN, before - 1, info);
        }
        cursor_close(c[i]);
    }
    mem_free(c);
    mem_free(tenants);
    return e;
}

enum err flush_block_finish(struct tsdb *db, struct block_writer *w, uint64_t number, struct block **ret_b,
                            struct err_info *info)
{
    char path[4096], name[BLOCK_NAME_BYTES], dir[4096];
    enum err e = block_writer_finish(w, info);
    store_block_path(&db->store, number, path, sizeof(path));
    (void)snprintf(name, sizeof(name), "%012llu.block", (unsigned long long)number);
    (void)snprintf(dir, sizeof(dir), "%s/blocks", db->dir);
    *ret_b = NULL;
    if (e == ERR_OK && w->samples == 0) {
        return file_remove(path, info);
    }
    e = e == ERR_OK ? dir_sync(dir, info) : e;
    return e == ERR_OK ? block_open(path, name, ret_b, info) : e;
}

static void heads_trim(struct tsdb *db, ts_ms before)
{
    for (unsigned i = 0; i < PARTITIONS; i++) {
        struct partition *p = &db->partitions[i];
        mutex_lock(&p->writer);
        mutex_lock(&p->lock);
        for (size_t k = 0; k < p->head_count; k++) {
            struct head *h = p->heads[k];
            size_t removed = 0;
            if (!h) {
                continue;
            }
            ts_ms newest_ts = atomic_load_explicit(&h->tenant->max_ts, memory_order_relaxed), alive_from;
            if (__builtin_sub_overflow(newest_ts, db->o.block_ms / 2, &alive_from)) {
                alive_from = INT64_MIN;
            }
            atomic_fetch_add(&db->epoch, 1); /* before slots are freed: references must not find others */
            if (head_trim(h, before, alive_from, &removed) == ERR_OK) {
                atomic_fetch_sub_explicit(&h->tenant->series, removed, memory_order_relaxed);
            }
            (void)(head_compact(h) == ERR_OK); /* tried again after the next flush */
        }
        mutex_unlock(&p->lock);
        mutex_unlock(&p->writer);
    }
}

/* Definitions of the series that live go to their own file, so that the log's old records may go. */
static enum err log_trim(struct tsdb *db, struct err_info *info)
{
    struct store *s = &db->store;
    size_t n = 0;
    while (n < db->mark_count && db->marks[n].max_ts < s->flushed_before) {
        n++;
    }
    if (n == 0) {
        return ERR_OK;
    }
    uint64_t offset = db->marks[n - 1].offset, old = s->series_file, number = ++s->number;
    enum err e = series_file_save(db, number, info);
    if (e == ERR_OK) {
        struct store_set *set = store_view(s);
        s->series_file = number;
        e = store_change(s, NULL, 0, NULL, set->tombstones, set->tombstone_count, info);
        s->series_file = e == ERR_OK ? number : old;
        store_set_unref(set);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (old) {
        series_file_remove(db, old); /* a left-over goes at the next start */
    }
    memmove(db->marks, db->marks + n, (db->mark_count - n) * sizeof(*db->marks));
    db->mark_count -= n;
    return ingest_log_trim(db->log, offset, info);
}

static enum err publish(struct tsdb *db, struct block *fresh, ts_ms before, const uint64_t *offsets,
                        struct err_info *info)
{
    struct store *s = &db->store;
    uint64_t old_offsets[PARTITIONS];
    ts_ms old_before = s->flushed_before;
    memcpy(old_offsets, s->flushed_offset, sizeof(old_offsets));
    memcpy(s->flushed_offset, offsets, sizeof(old_offsets));
    s->flushed_before = before;
    struct store_set *set = store_view(s);
    enum err e = store_change(s, NULL, 0, fresh, set->tombstones, set->tombstone_count, info);
    store_set_unref(set);
    if (e != ERR_OK) { /* the file stays: the manifest on disk may be the new one all the same */
        s->flushed_before = old_before;
        memcpy(s->flushed_offset, old_offsets, sizeof(old_offsets));
        block_unref(fresh);
    }
    return e;
}

enum err tsdb_flush(struct tsdb *db, ts_ms before, struct err_info *info)
{
    struct block_writer w;
    struct block *fresh = NULL;
    uint64_t offsets[PARTITIONS], number = ++db->store.number;
    char path[4096];
    tsdb_mark(db);
    store_block_path(&db->store, number, path, sizeof(path));
    atomic_store(&db->flushing_before, before);
    enum err e = block_writer_begin(&w, path, info);
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        e = partition_flush(db, &w, p, before, &offsets[p], info);
    }
    e = e == ERR_OK ? flush_block_finish(db, &w, number, &fresh, info) : e;
    block_writer_done(&w);
    if (e != ERR_OK) {
        (void)(file_remove(path, NULL) == ERR_OK); /* else the next start does */
    } else if ((e = publish(db, fresh, before, offsets, info)) == ERR_OK) {
        heads_trim(db, before);
    }
    atomic_store(&db->flushing_before, INT64_MIN);
    atomic_fetch_add(e == ERR_OK ? &db->flushes : &db->block_failures, 1);
    return e == ERR_OK ? log_trim(db, info) : e;
}

static enum err tenant_merge(struct tsdb *db, struct block_writer *w, struct tenant *t,
                             struct store_set *only, struct err_info *info)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    enum err e = ERR_OK;
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        struct metric_cursor *c = NULL;
        int64_t since = clock_mono_ns(clock_real());
        e = cursor_internal(db, &q, t, INT64_MIN, INT64_MAX, only, &c);
        e = e == ERR_OK ? cursor_partition(c, p) : e;
        e = e == ERR_OK ? section_write(w, c, t, p, INT64_MIN, INT64_MAX, info)
                        : err_set(info, e, "no memory to merge blocks");
        if (e == ERR_OK && cursor_warnings(c).n) {
            e = err_set(info, ERR_CORRUPT, "%.*s", STR_FMT(cursor_warnings(c).items[0]));
        }
        cursor_close(c);
        maintain_rest(db, since);
    }
    return e;
}

enum err tsdb_merge(struct tsdb *db, struct block *const *blocks, size_t n, struct err_info *info)
{
    struct block_writer w;
    struct block *fresh = NULL;
    char path[4096];
    uint64_t number = ++db->store.number;
    struct store_set *set = store_view(&db->store);
    struct store_set only = {.blocks = (struct block **)(uintptr_t)blocks,
                             .block_count = n,
                             .tombstones = set->tombstones,
                             .tombstone_count = set->tombstone_count};
    store_block_path(&db->store, number, path, sizeof(path));
    enum err e = block_writer_begin(&w, path, info);
    for (size_t i = 0; e == ERR_OK; i++) {
        mutex_lock(&db->tenants_lock);
        struct tenant *t = i < db->tenant_count ? db->tenants[i] : NULL;
        mutex_unlock(&db->tenants_lock);
        if (!t) {
            break;
        }
        e = tenant_merge(db, &w, t, &only, info);
    }
    e = e == ERR_OK ? flush_block_finish(db, &w, number, &fresh, info) : e;
    block_writer_done(&w);
    if (e != ERR_OK) {
        (void)(file_remove(path, NULL) == ERR_OK); /* else the next start does */
    } else {
        e = store_change(&db->store, blocks, n, fresh, set->tombstones, set->tombstone_count, info);
        if (e != ERR_OK) {
            block_unref(fresh);
        }
    }
    store_set_unref(set);
    atomic_fetch_add(e == ERR_OK ? &db->merges : &db->block_failures, 1);
    return e;
}
