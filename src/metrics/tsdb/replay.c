/* Replay: records are applied in the order in which they were placed; what is there already stays. */
#include "metrics/tsdb/replay.h"

#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/side.h"

enum {
    MARK_EVERY = 256 /* records */
};

static enum err define(struct tenant *t, struct head *h, uint32_t slot, struct labels ls)
{
    uint64_t hash = labels_hash(ls);
    uint32_t known = head_find(h, ls, hash);
    if (known == slot) {
        return ERR_OK;
    }
    if (known != UINT32_MAX) { /* it was dropped and came back elsewhere: what it had is in a block */
        head_remove(h, known);
        atomic_fetch_sub_explicit(&t->series, 1, memory_order_relaxed);
    }
    size_t before = h->series_count;
    enum err e = head_create(h, ls, hash, series_target(t->name, ls, hash), slot, &slot);
    if (e != ERR_OK) {
        return e;
    }
    head_series(h, slot)->flags |= SERIES_LOGGED;
    head_series(h, slot)->order = (uint32_t)atomic_fetch_add_explicit(&t->created, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->series, h->series_count - before, memory_order_relaxed);
    return ERR_OK;
}

static enum err sample(struct tenant *t, struct head *h, uint32_t slot, ts_ms ts,
                       const struct sample_value *v, ts_ms tick)
{
    struct series *s = head_series(h, slot);
    enum err e = ERR_OK;
    if (!(s->flags & SERIES_STARTED) || ts > s->last_ts) {
        e = head_push(h, s, ts, v, tick);
    } else if (ts < s->last_ts) {
        e = head_push_late(h, s, ts, v, false);
    }
    if (e == ERR_OK) {
        tenant_max_ts_raise(t, ts);
    }
    return e == ERR_EXISTS || e == ERR_LIMIT ? ERR_OK : e;
}

static enum err apply(struct tsdb *db, unsigned partition, uint64_t offset, struct record_reader *in,
                      struct str name)
{
    struct tenant *t = NULL;
    struct head *h = NULL;
    struct partition *p = &db->partitions[partition];
    bool flushed = offset < db->store.flushed_offset[partition];
    enum err e = tenant_get(db, name, true, &t);
    e = e == ERR_OK ? partition_head(p, t, &db->pool, &h) : e;
    if (e != ERR_OK) {
        return e;
    }
    uint32_t slot = 0;
    struct labels ls = {0};
    while ((e = record_next_definition(in, &slot, &ls)) == ERR_OK) {
        if ((e = define(t, h, slot, ls)) != ERR_OK) {
            return e;
        }
    }
    ts_ms ts = 0, first = INT64_MIN;
    struct sample_value v = {0};
    while (e == ERR_NOT_FOUND && (e = record_next_sample(in, &slot, &ts, &v)) == ERR_OK) {
        first = first == INT64_MIN ? ts : first;
        if (flushed && ts < db->store.flushed_before) {
            e = ERR_OK; /* a block has it */
        } else if (slot < h->slot_count && (head_series(h, slot)->flags & SERIES_LIVE)) {
            e = sample(t, h, slot, ts, &v, first);
        } else {
            db->wal_orphans++;
        }
        if (e != ERR_OK) {
            return e;
        }
        e = ERR_NOT_FOUND;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err replay_record(struct tsdb *db, unsigned partition, uint64_t offset, struct str record)
{
    struct label labels[LABELS_MAX];
    struct arena memory AUTO_ARENA;
    struct record_reader in = {.labels = labels, .memory = &memory};
    struct str tenant = {0};
    arena_init(&memory, 0, NULL);
    if (record.n && (uint8_t)record.p[0] == RECORD_SIDE) {
        return side_replay(db, record);
    }
    enum err e = partition < PARTITIONS ? record_open(&in, record, &tenant) : ERR_CORRUPT;
    return e == ERR_OK ? apply(db, partition, offset, &in, tenant) : e;
}

static enum err on_record(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct tsdb *db = ctx;
    enum err e = replay_record(db, partition, offset, record);
    if (e == ERR_CORRUPT) { /* it passed its checksum: not a torn write; the rest is worth more than order */
        db->wal_orphans++;
        return ERR_OK;
    }
    if (e == ERR_OK) {
        db->partitions[partition].end = offset + 1;
        if (offset % MARK_EVERY == 0) {
            tsdb_mark_at(db, offset + 1);
        }
    }
    return e;
}

enum err tsdb_replay(struct tsdb *db, struct err_info *reterr_info)
{
    enum err e = ERR_OK;
    if (db->store.series_file) {
        e = series_file_load(db, db->store.series_file, reterr_info);
    }
    if (e == ERR_OK) {
        e = ingest_log_replay(db->log, 0, on_record, db, &db->wal_bad_segments, reterr_info);
    }
    for (unsigned p = 0; p < PARTITIONS; p++) { /* offsets go on even when the log was trimmed to nothing */
        struct partition *at = &db->partitions[p];
        at->end = at->end > db->store.flushed_offset[p] ? at->end : db->store.flushed_offset[p];
    }
    return e;
}
