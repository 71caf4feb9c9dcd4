/* Replay: records are applied in the order in which they were placed; what is there already stays. */
#include "metrics/tsdb/replay.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/thread.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/side.h"
#include "metrics/tsdb/staging.h"

enum {
    WINDOW_BYTES_MIN = 8 << 20, /* of records that are held to be sorted by partition */
    WINDOW_BYTES_MAX = 24 << 20,
    WINDOW_PART = 32, /* of the log: a small store's peak of memory stays near what it had */
    WORKERS_MAX = 16,
    READ_AHEAD = 32
};

/* A record's place in its partition's queue; its bytes follow. */
struct queued {
    uint64_t offset;
    uint32_t bytes;
    uint32_t order; /* of the first series it defines */
};

/* Records of a window are put aside by partition and then applied partition by partition, by several threads:
 * a partition's series stay in the processor's cache meanwhile, and no two threads touch the same one. */
struct replay {
    struct tsdb *db;
    struct buf queues[PARTITIONS]; /* of struct queued */
    size_t bytes, window;
    uint64_t end; /* offset behind the newest record put aside */
    atomic_uint next;
    _Atomic(int) failed; /* enum err of the first failure */
};

static enum err define(struct tenant *t, struct head *h, uint32_t slot, struct labels ls, uint32_t order)
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
    *head_order(h, slot) = order;
    atomic_fetch_add_explicit(&t->series, h->series_count - before, memory_order_relaxed);
    return ERR_OK;
}

static enum err sample(struct head *h, uint32_t slot, ts_ms ts, const struct sample_value *v, ts_ms tick)
{
    struct series *s = head_series(h, slot);
    enum err e = ERR_OK;
    if (!(s->flags & SERIES_STARTED) || ts > s->last_ts) {
        e = head_push(h, s, ts, v, tick);
    } else if (ts < s->last_ts) {
        e = head_push_late(h, s, ts, v, false);
    }
    return e == ERR_EXISTS || e == ERR_LIMIT ? ERR_OK : e;
}

static void orphan(struct tsdb *db)
{
    atomic_fetch_add_explicit(&db->wal_orphans, 1, memory_order_relaxed);
}

/* A sample that was read and waits for the memory of its series to come near. */
struct read_ahead {
    uint32_t slot;
    ts_ms ts;
    struct sample_value v;
};

/* Reads up to READ_AHEAD samples, asking memory for their series and then for the ends of their tails. A
 * histogram ends the row: it lives in the reader's memory. The error is what ended it. */
static size_t read_row(const struct head *h, struct record_reader *in, struct read_ahead *row,
                       enum err *ret_e)
{
    size_t n = 0;
    bool more = true;
    *ret_e = ERR_OK;
    while (more && n < READ_AHEAD &&
           (*ret_e = record_next_sample(in, &row[n].slot, &row[n].ts, &row[n].v)) == ERR_OK) {
        if (row[n].slot < h->slot_count) {
            __builtin_prefetch(head_series(h, row[n].slot), 1);
        }
        more = !row[n++].v.h;
    }
    for (size_t i = 0; i < n; i++) {
        const struct series *s = row[i].slot < h->slot_count ? head_series(h, row[i].slot) : NULL;
        if (s && s->tail) {
            __builtin_prefetch(s->tail + s->tail_bits / 8, 1);
        }
    }
    return n;
}

/* The samples of a record; *max rises to the newest. */
static enum err samples(struct tsdb *db, struct head *h, bool flushed, struct record_reader *in, ts_ms *max)
{
    struct read_ahead row[READ_AHEAD];
    ts_ms first = INT64_MIN;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        size_t n = read_row(h, in, row, &e);
        for (size_t i = 0; i < n; i++) {
            const struct read_ahead *r = &row[i];
            first = first == INT64_MIN ? r->ts : first;
            if (flushed && r->ts < db->store.flushed_before) {
                continue; /* a block has it */
            }
            if (r->slot >= h->slot_count || !(head_series(h, r->slot)->flags & SERIES_LIVE)) {
                orphan(db);
                continue;
            }
            enum err failed = sample(h, r->slot, r->ts, &r->v, first);
            if (failed != ERR_OK) {
                return failed;
            }
            *max = r->ts > *max ? r->ts : *max;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Definitions and samples; *max rises to the newest. */
static enum err apply_to(struct tsdb *db, struct tenant *t, struct head *h, bool flushed,
                         struct record_reader *in, uint32_t order, ts_ms *max)
{
    uint32_t slot = 0;
    struct labels ls = {0};
    enum err e;
    while ((e = record_next_definition(in, &slot, &ls)) == ERR_OK) {
        if ((e = define(t, h, slot, ls, order++)) != ERR_OK) {
            return e;
        }
    }
    return e == ERR_NOT_FOUND ? samples(db, h, flushed, in, max) : e;
}

static enum err apply(struct tsdb *db, unsigned partition, uint64_t offset, struct str record, uint32_t order)
{
    struct label labels[LABELS_MAX];
    struct arena memory AUTO_ARENA;
    struct record_reader in = {.labels = labels, .memory = &memory};
    struct str name = {0};
    struct tenant *t = NULL;
    struct head *h = NULL;
    struct partition *p = &db->partitions[partition];
    ts_ms max = INT64_MIN;
    arena_init(&memory, 0, NULL);
    enum err e = record_open(&in, record, &name);
    e = e == ERR_OK ? tenant_get(db, name, true, &t) : e;
    if (e != ERR_OK) {
        return e;
    }
    mutex_lock(&p->lock); /* nobody appends, but figures may be asked for */
    e = partition_head(p, t, &db->pool, &h);
    e = e == ERR_OK ? apply_to(db, t, h, offset < db->store.flushed_offset[partition], &in, order, &max) : e;
    mutex_unlock(&p->lock);
    tenant_max_ts_raise(t, max);
    return e;
}

/* Numbers for the series the record defines, so that their order is that of the log. CORRUPT: no record of
 * samples. */
static enum err order_take(struct tsdb *db, struct str record, uint32_t *ret_order)
{
    struct label labels[LABELS_MAX];
    struct record_reader in = {.labels = labels};
    struct str name = {0};
    struct tenant *t = NULL;
    struct labels ls = {0};
    uint32_t n = 0, slot = 0;
    enum err e = record_open(&in, record, &name);
    while (e == ERR_OK && (e = record_next_definition(&in, &slot, &ls)) == ERR_OK) {
        n++;
    }
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    if (n == 0) {
        *ret_order = 0;
        return ERR_OK;
    }
    e = tenant_get(db, name, true, &t);
    if (e == ERR_OK) {
        *ret_order = (uint32_t)atomic_fetch_add_explicit(&t->created, n, memory_order_relaxed);
    }
    return e;
}

enum err replay_record(struct tsdb *db, unsigned partition, uint64_t offset, struct str record)
{
    uint32_t order = 0;
    if (record.n && (uint8_t)record.p[0] == RECORD_SIDE) {
        return side_replay(db, record);
    }
    enum err e = partition < PARTITIONS ? order_take(db, record, &order) : ERR_CORRUPT;
    return e == ERR_OK ? apply(db, partition, offset, record, order) : e;
}

static enum err queue_apply(struct replay *r, unsigned partition)
{
    struct buf *b = &r->queues[partition];
    for (size_t at = 0; at < b->n;) {
        struct queued q;
        memcpy(&q, b->p + at, sizeof(q));
        at += sizeof(q);
        enum err e = apply(r->db, partition, q.offset, str_of(b->p + at, q.bytes), q.order);
        at += q.bytes;
        if (e ==
            ERR_CORRUPT) { /* it passed its checksum: not a torn write; the rest is worth more than order */
            orphan(r->db);
        } else if (e != ERR_OK) {
            return e;
        }
        r->db->partitions[partition].end = q.offset + 1;
    }
    buf_reset(b);
    return ERR_OK;
}

static void work(void *ctx)
{
    struct replay *r = ctx;
    unsigned partition;
    while ((partition = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed)) < PARTITIONS) {
        enum err e = queue_apply(r, partition);
        if (e != ERR_OK) {
            int none = ERR_OK;
            atomic_compare_exchange_strong(&r->failed, &none, (int)e);
            return;
        }
    }
}

/* Applies what was put aside. A thread that cannot be had is done without. */
static enum err window_apply(struct replay *r)
{
    struct thread threads[WORKERS_MAX] = {0};
    unsigned n = thread_cpu_count() - 1;
    n = n > WORKERS_MAX ? WORKERS_MAX : n;
    atomic_store_explicit(&r->next, 0, memory_order_relaxed);
    for (unsigned i = 0; i < n && r->bytes > r->window / 16; i++) {
        if (thread_start(&threads[i], "tsdb-replay", work, r) != ERR_OK) {
            break;
        }
    }
    work(r);
    for (unsigned i = 0; i < n; i++) {
        thread_join(&threads[i]);
    }
    r->bytes = 0;
    if (r->end) {
        tsdb_mark_at(r->db, r->end);
    }
    return (enum err)atomic_load(&r->failed);
}

static enum err on_record(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct replay *r = ctx;
    struct queued q = {.offset = offset, .bytes = (uint32_t)record.n};
    uint8_t version = record.n ? (uint8_t)record.p[0] : 0;
    r->end = offset + 1;
    if (atomic_load_explicit(&r->db->closing, memory_order_relaxed)) {
        return ERR_CANCELED;
    }
    if (version == RECORD_SIDE || record_is_whole(version) || version == RECORD_DONE) {
        enum err e =
            version == RECORD_SIDE ? side_replay(r->db, record) : staging_replay(r->db, offset, record);
        if (e == ERR_CORRUPT) {
            orphan(r->db);
        }
        return e == ERR_CORRUPT ? ERR_OK : e;
    }
    enum err e = partition < PARTITIONS ? order_take(r->db, record, &q.order) : ERR_CORRUPT;
    if (e != ERR_OK) {
        if (e == ERR_CORRUPT) {
            orphan(r->db);
        }
        return e == ERR_CORRUPT ? ERR_OK : e;
    }
    struct buf *b = &r->queues[partition];
    buf_append(b, &q, sizeof(q));
    buf_append(b, record.p, record.n);
    r->bytes += sizeof(q) + record.n;
    if (b->err != ERR_OK) {
        return b->err;
    }
    return r->bytes >= r->window ? window_apply(r) : ERR_OK;
}

static enum err log_replay(struct tsdb *db, struct err_info *info)
{
    struct replay *r = mem_zalloc(sizeof(*r));
    if (!r) {
        return err_set(info, ERR_OOM, "no memory to replay the log");
    }
    uint64_t bad = 0;
    uint64_t part = ingest_log_bytes(db->log) / WINDOW_PART;
    r->window = part < WINDOW_BYTES_MIN   ? WINDOW_BYTES_MIN
                : part > WINDOW_BYTES_MAX ? WINDOW_BYTES_MAX
                                          : (size_t)part;
    r->db = db;
    atomic_init(&r->next, 0);
    atomic_init(&r->failed, ERR_OK);
    enum err e = ingest_log_replay(db->log, 0, on_record, r, &bad, info);
    atomic_store(&db->wal_bad_segments, bad);
    if (e == ERR_OK && (e = window_apply(r)) != ERR_OK) {
        (void)err_set(info, e, "replaying the log: %s", err_text(e));
    }
    for (unsigned p = 0; p < PARTITIONS; p++) {
        buf_done(&r->queues[p]);
    }
    mem_free(r);
    return e;
}

enum err tsdb_replay(struct tsdb *db, struct err_info *reterr_info)
{
    enum err e = ERR_OK;
    if (db->store.series_file) {
        e = series_file_load(db, db->store.series_file, reterr_info);
    }
    e = e == ERR_OK ? log_replay(db, reterr_info) : e;
    for (unsigned p = 0; p < PARTITIONS; p++) { /* offsets go on even when the log was trimmed to nothing */
        struct partition *at = &db->partitions[p];
        at->end = at->end > db->store.flushed_offset[p] ? at->end : db->store.flushed_offset[p];
    }
    if (e != ERR_OK && reterr_info && reterr_info->code == ERR_OK) {
        (void)err_set(reterr_info, e, "replaying the log: %s", err_text(e));
    }
    return e;
}
