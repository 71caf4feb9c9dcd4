/* Replay: the file of series definitions and the log into the heads.
 *
 * The replaying thread reads. It puts records aside by partition, and hands a window of them over when it is
 * full; workers apply it partition by partition (replay_apply.c) while the next one fills. No two threads
 * touch one partition, and each partition's records are applied in their order. */
#include "metrics/tsdb/replay.h"

#include "base/mem.h"
#include "base/thread.h"
#include "metrics/tsdb/checkpoint.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/replay_int.h"
#include "metrics/tsdb/side.h"
#include "metrics/tsdb/staging.h"

enum {
    WINDOW_BYTES_MIN = 8 << 20, /* of records that are held to be sorted by partition */
    WINDOW_BYTES_MAX = 24 << 20,
    WINDOW_PART = 32, /* of the log: a small store's peak of memory stays near what it had */
    WINDOWS = 2,      /* one fills, one is applied */
    WORKERS_MAX = 16
};

struct window {
    struct buf queues[PARTITIONS]; /* of struct queued */
    size_t bytes;
    uint64_t end; /* offset behind the newest record of the log; 0: there is none */
    /* guarded by the lock */
    unsigned next, done; /* partitions handed out, applied */
};

struct replay {
    struct tsdb *db;
    struct window windows[WINDOWS]; /* number n stands at n % WINDOWS */
    size_t window_bytes;
    uint64_t marked;   /* windows that are behind us; the reader's */
    struct mutex lock; /* guards what follows */
    struct cond changed;
    uint64_t filled, emptied;     /* windows handed over, applied */
    uint64_t applied[PARTITIONS]; /* windows, of each partition */
    bool over;
    enum err failed; /* the first failure */
    struct thread threads[WORKERS_MAX];
    unsigned thread_count;
};

static struct window *window_at(struct replay *r, uint64_t number)
{
    return &r->windows[number % WINDOWS];
}

static void orphan(struct tsdb *db)
{
    atomic_fetch_add_explicit(&db->wal_orphans, 1, memory_order_relaxed);
}

/* -- workers --------------------------------------------------------------------------------------------- */

/* The oldest window with a partition that nobody has taken. Under the lock. */
static bool window_pick(struct replay *r, uint64_t *ret_number)
{
    for (uint64_t n = r->emptied; n < r->filled; n++) {
        if (window_at(r, n)->next < PARTITIONS) {
            *ret_number = n;
            return true;
        }
    }
    return false;
}

/* Applies the next partition of window `number`, after that of the window before. The lock is held but
 * meanwhile. */
static void partition_next(struct replay *r, uint64_t number, struct replay_group *g)
{
    struct window *w = window_at(r, number);
    unsigned partition = w->next++;
    while (r->applied[partition] < number) {
        cond_wait(&r->changed, &r->lock);
    }
    if (r->failed == ERR_OK && w->queues[partition].n) {
        mutex_unlock(&r->lock);
        enum err e = replay_queue_apply(r->db, partition, &w->queues[partition], g);
        mutex_lock(&r->lock);
        r->failed = r->failed == ERR_OK ? e : r->failed;
    }
    r->applied[partition] = number + 1;
    r->emptied += ++w->done == PARTITIONS; /* in order, as each partition's windows are */
    cond_broadcast(&r->changed);
}

/* Until everything is applied (`stay`), or nothing is to be had. */
static void work_through(struct replay *r, struct replay_group *g, bool stay)
{
    uint64_t number = 0;
    mutex_lock(&r->lock);
    for (;;) {
        if (window_pick(r, &number)) {
            partition_next(r, number, g);
        } else if (stay && !r->over) {
            cond_wait(&r->changed, &r->lock);
        } else {
            break;
        }
    }
    mutex_unlock(&r->lock);
}

static void fail(struct replay *r, enum err e)
{
    mutex_lock(&r->lock);
    r->failed = r->failed == ERR_OK ? e : r->failed;
    mutex_unlock(&r->lock);
}

/* Without memory of its own a worker only passes its partitions by. */
static void work(void *ctx)
{
    struct replay *r = ctx;
    struct replay_group *g = replay_group_new();
    if (!g) {
        fail(r, ERR_OOM);
    }
    work_through(r, g, true);
    replay_group_free(g);
}

/* A thread that cannot be had is done without. */
static void workers_start(struct replay *r)
{
    unsigned want = thread_cpu_count();
    want = want > WORKERS_MAX ? WORKERS_MAX : want;
    while (r->thread_count < want &&
           thread_start(&r->threads[r->thread_count], "tsdb-replay", work, r) == ERR_OK) {
        r->thread_count++;
    }
}

/* -- the reader ------------------------------------------------------------------------------------------ */

/* What is behind us: the log may be trimmed to there once its samples are in blocks. */
static void windows_mark(struct replay *r, uint64_t emptied)
{
    for (; r->marked < emptied; r->marked++) {
        uint64_t end = window_at(r, r->marked)->end;
        if (end) {
            tsdb_mark_at(r->db, end);
        }
    }
}

/* Gives the window that fills to the workers, and waits until at most `behind` are not applied. */
static enum err window_hand_over(struct replay *r, unsigned behind)
{
    if (r->thread_count == 0) { /* a small log is not worth threads, and some hosts have none to give */
        struct replay_group *g = replay_group_new();
        if (!g) {
            return ERR_OOM;
        }
        mutex_lock(&r->lock);
        r->filled++;
        mutex_unlock(&r->lock);
        work_through(r, g, false);
        replay_group_free(g);
    } else {
        mutex_lock(&r->lock);
        r->filled++;
        cond_broadcast(&r->changed);
        mutex_unlock(&r->lock);
    }
    mutex_lock(&r->lock);
    while (r->filled - r->emptied > behind) {
        cond_wait(&r->changed, &r->lock);
    }
    uint64_t emptied = r->emptied;
    enum err e = r->failed;
    mutex_unlock(&r->lock);
    windows_mark(r, emptied);
    struct window *w = window_at(r, r->filled); /* the reader alone raises `filled` */
    w->next = w->done = 0;
    w->bytes = 0;
    w->end = 0;
    return e;
}

static enum err window_full(struct replay *r)
{
    if (r->thread_count == 0) {
        workers_start(r);
    }
    return window_hand_over(r, WINDOWS - 1);
}

/* A record that makes no sense is counted, and the rest goes on. */
static enum err passed_over(struct replay *r, enum err e)
{
    if (e == ERR_CORRUPT) {
        orphan(r->db);
    }
    return e == ERR_CORRUPT ? ERR_OK : e;
}

static enum err put_aside(struct replay *r, unsigned partition, uint64_t offset, struct str record)
{
    struct queued q = {.offset = offset, .bytes = (uint32_t)record.n};
    struct window *w = window_at(r, r->filled);
    enum err e =
        partition < PARTITIONS ? replay_record_look(r->db, record, &q.tenant, &q.order) : ERR_CORRUPT;
    if (e != ERR_OK) {
        return passed_over(r, e);
    }
    struct buf *b = &w->queues[partition];
    buf_append(b, &q, sizeof(q));
    buf_append(b, record.p, record.n);
    if (b->err != ERR_OK) {
        return b->err;
    }
    w->bytes += sizeof(q) + record.n;
    return w->bytes >= r->window_bytes ? window_full(r) : ERR_OK;
}

/* The checkpoint has what the record says. */
static bool covered(const struct tsdb *db, unsigned partition, uint64_t offset, uint8_t version)
{
    const struct checkpoint *c = &db->checkpoint;
    if (!c->found || record_is_whole(version) || version == RECORD_DONE) {
        return false;
    }
    return version == RECORD_SIDE ? offset < c->side_from
                                  : partition < PARTITIONS && offset < c->from[partition];
}

static enum err on_record(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct replay *r = ctx;
    uint8_t version = record.n ? (uint8_t)record.p[0] : 0;
    if (atomic_load_explicit(&r->db->closing, memory_order_relaxed)) {
        return ERR_CANCELED;
    }
    window_at(r, r->filled)->end = offset + 1;
    if (covered(r->db, partition, offset, version)) {
        return ERR_OK;
    }
    atomic_fetch_add_explicit(&r->db->records_replayed, 1, memory_order_relaxed);
    if (version == RECORD_SIDE || record_is_whole(version) || version == RECORD_DONE) {
        return passed_over(r, version == RECORD_SIDE ? side_replay(r->db, record)
                                                     : staging_replay(r->db, offset, record));
    }
    return put_aside(r, partition, offset, record);
}

static struct replay *replay_new(struct tsdb *db)
{
    struct replay *r = mem_zalloc(sizeof(*r));
    uint64_t part = ingest_log_bytes(db->log) / WINDOW_PART;
    if (!r) {
        return NULL;
    }
    r->db = db;
    r->window_bytes = part < WINDOW_BYTES_MIN   ? WINDOW_BYTES_MIN
                      : part > WINDOW_BYTES_MAX ? WINDOW_BYTES_MAX
                                                : (size_t)part;
    mutex_init(&r->lock);
    cond_init(&r->changed);
    return r;
}

static void replay_free(struct replay *r)
{
    mutex_lock(&r->lock);
    r->over = true;
    cond_broadcast(&r->changed);
    mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->thread_count; i++) {
        thread_join(&r->threads[i]);
    }
    for (size_t i = 0; i < WINDOWS; i++) {
        for (unsigned p = 0; p < PARTITIONS; p++) {
            buf_done(&r->windows[i].queues[p]);
        }
    }
    mutex_done(&r->lock);
    cond_done(&r->changed);
    mem_free(r);
}

static enum err replay_all(struct replay *r, struct err_info *info)
{
    struct tsdb *db = r->db;
    uint64_t bad = 0;
    enum err e = checkpoint_restore(db, info);
    if (e == ERR_OK && !db->checkpoint.found && db->store.series_file) {
        e = series_file_load(db, db->store.series_file, info);
    }
    if (e == ERR_OK) {
        e = ingest_log_replay(db->log, checkpoint_log_least(&db->checkpoint), on_record, r, &bad, info);
        atomic_store(&db->wal_bad_segments, bad);
    }
    if (e != ERR_OK) {
        fail(r, e); /* what was handed over is not worth applying */
        return e;
    }
    return window_hand_over(r, 0);
}

enum err replay_record(struct tsdb *db, unsigned partition, uint64_t offset, struct str record)
{
    struct queued q = {.offset = offset ? offset : OFFSET_NONE, .bytes = (uint32_t)record.n};
    if (record.n && (uint8_t)record.p[0] == RECORD_SIDE) {
        return side_replay(db, record);
    }
    enum err e = partition < PARTITIONS ? replay_record_look(db, record, &q.tenant, &q.order) : ERR_CORRUPT;
    if (e != ERR_OK) {
        return e;
    }
    struct buf queue AUTO_BUF = {0};
    struct replay_group *g = replay_group_new();
    buf_append(&queue, &q, sizeof(q));
    buf_append(&queue, record.p, record.n);
    e = !g ? ERR_OOM : queue.err != ERR_OK ? queue.err : replay_queue_apply(db, partition, &queue, g);
    replay_group_free(g);
    return e;
}

enum err tsdb_replay(struct tsdb *db, struct err_info *reterr_info)
{
    struct replay *r = replay_new(db);
    if (!r) {
        return err_set(reterr_info, ERR_OOM, "no memory to replay the log");
    }
    enum err e = replay_all(r, reterr_info);
    replay_free(r);
    for (unsigned p = 0; p < PARTITIONS; p++) { /* offsets go on even when the log was trimmed to nothing */
        struct partition *at = &db->partitions[p];
        at->end = at->end > db->store.flushed_offset[p] ? at->end : db->store.flushed_offset[p];
    }
    if (e != ERR_OK && reterr_info && reterr_info->code == ERR_OK) {
        (void)err_set(reterr_info, e, "replaying the log: %s", err_text(e));
    }
    return e;
}
