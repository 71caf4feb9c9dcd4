/* The local ingest log: framed records in a shared buffer, written by whichever waiting thread comes first
 * (the leader) for all of them.
 *
 * Locking: `lock` guards everything but the current file's bytes; the leader writes without it, and `writing`
 * keeps others out. While `syncing`, the current file is not closed. */
#include "disk/ingest_log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "disk/file.h"
#include "disk/log_segment.h"
#include "disk/map_guard.h"

enum {
    PENDING_BYTES_MAX = 8 << 20, /* above it even async appenders wait for the writer */
    PENDING_BYTES_HARD_MAX = 600 << 20,
    PASSED_BYTES = 1 << 20, /* of a segment that is read: what of it stays in memory */
    FAILED_RANGES_MAX = 256,
    SEGMENTS_SPARE = 2,
    SYNC_INTERVAL_MS = 200
};

struct segment {
    uint64_t first_offset;
    uint64_t bytes;
};

struct failed_range {
    uint64_t from, to;
};

struct ingest_log {
    char *dir;
    enum durability durability;
    int64_t interval_ms;
    uint64_t segment_bytes_max;
    unsigned spare_max;

    struct mutex lock;
    struct cond changed;
    struct buf pending, writing_buf;
    uint64_t pending_from;                  /* offset of the first record in `pending` */
    uint64_t next_offset;                   /* of the next record */
    uint64_t written_offset, synced_offset; /* all records below are in the kernel / on disk, or failed */
    bool writing, syncing, stopping, read_only;
    struct err_info why_read_only;
    atomic_bool ill; /* read_only, for who must not wait for the lock; release, after why_read_only */
    struct failed_range failed[FAILED_RANGES_MAX]; /* refused for want of space */
    size_t failed_count;

    struct segment *segments; /* oldest first; the last one is open */
    size_t segment_count, segment_cap;
    size_t found_count;     /* of them when the log was opened */
    atomic_size_t replayed; /* of those */
    unsigned spare_count, spare_next;
    struct ingest_log_damage damage; /* found by replay */
    int fd;
    uint32_t salt;
    struct thread syncer;
    struct cond syncer_wake;
};

enum err durability_parse(struct str s, enum durability *ret_d)
{
    static const char *const names[] = {"async", "os", "interval", "sync"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_c(s, names[i])) {
            *ret_d = (enum durability)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

static void path_of(const struct ingest_log *l, uint64_t first_offset, struct buf *b)
{
    buf_printf(b, "%s/%016llx.log", l->dir, (unsigned long long)first_offset);
    buf_char(b, '\0');
}

static void spare_path(const struct ingest_log *l, unsigned n, struct buf *b)
{
    buf_printf(b, "%s/spare-%u", l->dir, n);
    buf_char(b, '\0');
}

/* -- segments -------------------------------------------------------------------------------------------- */

/* Opens a new segment for records from `first` on, in a spare file when there is one. lock held. */
static enum err open_segment(struct ingest_log *l, uint64_t first, struct err_info *info)
{
    struct buf path AUTO_BUF = {0}, spare AUTO_BUF = {0};
    char header[SEGMENT_HEADER_BYTES];
    struct segment_header h = {.first_offset = first};
    int fd = -1;
    path_of(l, first, &path);
    enum err e = path.err ? path.err : rng_secret(&h.salt, sizeof(h.salt));
    if (!e) {
        e = vec_reserve((void **)&l->segments, &l->segment_cap, l->segment_count + 1, sizeof(*l->segments));
    }
    h.salt = l->spare_count ? h.salt & ~1U : h.salt | 1U;
    if (!e && l->spare_count) {
        spare_path(l, l->spare_next - l->spare_count, &spare);
        e = spare.err ? spare.err : file_rename(spare.p, path.p, info);
        l->spare_count--;
    }
    if (!e) {
        e = file_open(path.p, FILE_READ_WRITE, &fd, info);
    }
    if (!e) {
        segment_header_encode(header, &h);
        e = file_write_at(fd, 0, header, sizeof(header), info);
    }
    if (!e && lseek(fd, SEGMENT_HEADER_BYTES, SEEK_SET) < 0) {
        e = err_set_errno(info, errno, "cannot seek in %s", path.p);
    }
    if (!e) {
        e = dir_sync(l->dir, info);
    }
    if (e) {
        file_close(fd);
        if (path.p) {
            (void)unlink(path.p);
        }
        return e;
    }
    l->segments[l->segment_count++] = (struct segment){first, SEGMENT_HEADER_BYTES};
    l->salt = h.salt;
    l->fd = fd;
    return ERR_OK;
}

static enum err add_segment_found(struct ingest_log *l, uint64_t first, struct str name,
                                  struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    int fd = -1;
    uint64_t size = 0;
    buf_printf(&path, "%s/%.*s", l->dir, STR_FMT(name));
    buf_char(&path, '\0');
    enum err e = path.err ? path.err : file_open(path.p, FILE_READ, &fd, info);
    if (e) {
        return e;
    }
    e = file_size(fd, &size, info);
    file_close(fd);
    if (!e) {
        e = vec_reserve((void **)&l->segments, &l->segment_cap, l->segment_count + 1, sizeof(*l->segments));
    }
    if (!e) {
        l->segments[l->segment_count++] = (struct segment){first, size};
    }
    return e;
}

static bool parse_hex(struct str s, uint64_t *ret_v)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                            : 16;
        if (d == 16) {
            return false;
        }
        v = v << 4 | d;
    }
    *ret_v = v;
    return s.n == 16;
}

static enum err find_segments(struct ingest_log *l, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    const struct str *names;
    size_t n;
    enum err e = dir_list(l->dir, &a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        uint64_t first;
        if (str_starts(names[i], STR("spare-"))) {
            struct str path = arena_printf(&a, "%s/%s", l->dir, names[i].p);
            e = path.p ? file_remove(path.p, info) : ERR_OOM;
        } else if (str_ends(names[i], STR(".log")) &&
                   parse_hex(str_slice(names[i], 0, names[i].n - 4), &first)) {
            e = add_segment_found(l, first, names[i], info);
        }
    }
    return e;
}

/* -- reading --------------------------------------------------------------------------------------------- */

typedef enum err replay_fn(void *ctx, unsigned partition, uint64_t offset, struct str record);

static COLD void tell_damage(struct ingest_log *l, const char *path, const struct segment_walk *w,
                             bool damaged)
{
    uint64_t bytes = w->damaged_bytes ? w->damaged_bytes : damaged && !w->mended ? w->file.n : 0;
    const char *action = w->mended ? "one bit of its header was wrong; its records were read"
                         : bytes == w->file.n
                             ? "nothing of it could be read; it stays where it is until the log is trimmed"
                             : "these bytes were passed over, the records around them were read";
    mutex_lock(&l->lock);
    l->damage.segments++;
    l->damage.bytes += bytes;
    mutex_unlock(&l->lock);
    LOG_EVENT(LVL_ERROR, "wal_damaged", F_C("file", path), F_U64("at", w->damaged_at),
              F_U64("dropped_bytes", bytes), F_C("action", action));
}

/* Runs over one segment. *next is the offset after its last record. */
static enum err read_segment(struct ingest_log *l, const struct segment *s, uint64_t from, replay_fn *fn,
                             void *ctx, uint64_t *next, uint64_t *bad, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    struct file_map map;
    path_of(l, s->first_offset, &path);
    enum err e = path.err ? path.err : file_map(path.p, &map, info);
    if (e) {
        return e;
    }
    struct segment_walk w;
    struct segment_record r;
    bool damaged = false;
    size_t passed = 0;
    bool walk = segment_walk_begin(&w, map.data, s->first_offset, &damaged);
    while (walk && !e && segment_walk_next(&w, &r)) {
        if (fn && r.offset >= from) {
            e = fn(ctx, r.partition, r.offset, r.payload);
        }
        if (w.pos - passed >= PASSED_BYTES) {
            file_map_passed(&map, passed, w.pos);
            passed = w.pos;
        }
    }
    damaged = damaged || w.damaged_bytes;
    if (file_map_failed(&map)) {
        e = err_set(info, ERR_IO, "%s: the disk does not give a part of it: Input/output error", path.p);
    }
    if (!e) {
        *bad += damaged;
        *next = walk && w.expected > *next ? w.expected : *next;
        if (damaged && fn) {
            tell_damage(l, path.p, &w, damaged);
        }
    }
    file_unmap(&map);
    return e;
}

/* Offsets between two segments that neither has. One is left out after each start without a record. */
static void tell_gap(const struct ingest_log *l, uint64_t from, uint64_t to)
{
    if (from && to > from + 1) {
        LOG_EVENT(
            LVL_WARN, "wal_gap", F_C("dir", l->dir), F_U64("from", from), F_U64("to", to),
            F_C("why", "refused on a full disk, passed over as damaged, or a file of the log is missing"));
    }
}

void ingest_log_progress(struct ingest_log *l, size_t *ret_done, size_t *ret_all)
{
    *ret_done = atomic_load_explicit(&l->replayed, memory_order_relaxed);
    *ret_all = l->found_count;
}

enum err ingest_log_replay(struct ingest_log *l, uint64_t from,
                           enum err (*fn)(void *ctx, unsigned partition, uint64_t offset, struct str record),
                           void *ctx, uint64_t *ret_bad, struct err_info *reterr_info)
{
    uint64_t bad = 0, next = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; i < l->found_count && !e; i++) {
        mutex_lock(&l->lock); /* appenders make new segments meanwhile, and the array may move */
        struct segment s = l->segments[i];
        bool below = i + 1 < l->segment_count && l->segments[i + 1].first_offset <= from;
        mutex_unlock(&l->lock);
        atomic_store_explicit(&l->replayed, i, memory_order_relaxed);
        if (!below) {
            tell_gap(l, next, s.first_offset);
            e = read_segment(l, &s, from, fn, ctx, &next, &bad, reterr_info);
        }
    }
    if (!e) {
        atomic_store_explicit(&l->replayed, l->found_count, memory_order_relaxed);
    }
    if (ret_bad) {
        *ret_bad = bad;
    }
    return e;
}

/* -- writing --------------------------------------------------------------------------------------------- */

/* Never to be left again: what the file holds is unknown. lock held; let go of to tell. */
static void turn_read_only(struct ingest_log *l, const struct err_info *why)
{
    if (l->read_only) {
        return;
    }
    l->read_only = true;
    l->why_read_only = *why;
    atomic_store_explicit(&l->ill, true, memory_order_release);
    mutex_unlock(&l->lock);
    LOG_EVENT(LVL_ERROR, "wal_read_only", F_C("dir", l->dir), F_C("reason", why->message),
              F_C("action", "nothing more is taken until it is started again; queries go on"));
    mutex_lock(&l->lock);
}

static void refuse_range(struct ingest_log *l, uint64_t from, uint64_t to)
{
    if (l->failed_count && l->failed[l->failed_count - 1].to == from) {
        l->failed[l->failed_count - 1].to = to;
        return;
    }
    if (l->failed_count == FAILED_RANGES_MAX) {
        memmove(l->failed, l->failed + 1, (FAILED_RANGES_MAX - 1) * sizeof(*l->failed));
        l->failed_count--;
    }
    l->failed[l->failed_count++] = (struct failed_range){from, to};
}

static bool was_refused(const struct ingest_log *l, uint64_t offset)
{
    for (size_t i = l->failed_count; i-- > 0;) {
        if (offset >= l->failed[i].from && offset < l->failed[i].to) {
            return true;
        }
    }
    return false;
}

/* Closes the full segment and opens the next. Called by the leader with the lock held; lets go of it while
 * syncing. */
static enum err rotate(struct ingest_log *l, uint64_t first, struct err_info *info)
{
    int old = l->fd;
    enum err e = ERR_OK;
    if (l->durability >= DURABILITY_INTERVAL) {
        mutex_unlock(&l->lock);
        e = file_sync_data(old, info);
        mutex_lock(&l->lock);
        if (e) {
            turn_read_only(l, info);
            return e;
        }
        l->synced_offset = l->written_offset;
    }
    e = open_segment(l, first, info);
    while (!e && l->syncing) { /* of the old file */
        cond_wait(&l->changed, &l->lock);
    }
    if (!e) {
        file_close(old);
    }
    return e;
}

/* What is pending can no longer be kept: behind a failed write or sync nothing is found again. lock held. */
static void drop_pending(struct ingest_log *l)
{
    buf_reset(&l->pending);
    l->pending_from = l->written_offset = l->next_offset;
    cond_broadcast(&l->changed);
}

/* Writes one batch to the end of the file at `end`; in the mode `sync`, syncs it. Sets *ret_undone when a
 * full disk refused the batch and the file is as it was. No lock. */
static enum err write_batch(const struct ingest_log *l, int fd, uint64_t end, bool *ret_undone,
                            struct err_info *info)
{
    enum err e = file_write(fd, l->writing_buf.p, l->writing_buf.n, info);
    if (e == ERR_NO_SPACE) {
        *ret_undone = file_truncate(fd, end, NULL) == ERR_OK && lseek(fd, (off_t)end, SEEK_SET) >= 0;
    } else if (!e && l->durability == DURABILITY_SYNC) {
        e = file_sync_data(fd, info); /* a full disk here is as bad as any failed sync */
    }
    return e;
}

/* Frames were made with the salt of the segment that was open then; rotation therefore only happens while
 * nothing is pending and ingest_log_place lets nothing in. */
static void lead(struct ingest_log *l)
{
    if (l->read_only) {
        drop_pending(l);
        return;
    }
    struct err_info info = {0};
    struct buf swap = l->writing_buf;
    l->writing_buf = l->pending;
    l->pending = swap;
    buf_reset(&l->pending);
    uint64_t from = l->pending_from, to = l->next_offset;
    l->pending_from = to;
    l->writing = true;
    uint64_t before = l->segments[l->segment_count - 1].bytes;
    int fd = l->fd;
    bool undone = false;
    mutex_unlock(&l->lock);
    enum err e = write_batch(l, fd, before, &undone, &info);
    mutex_lock(&l->lock);
    struct segment *s = &l->segments[l->segment_count - 1];
    if (!e) {
        s->bytes += l->writing_buf.n;
    } else if (undone) {
        refuse_range(l, from, to);
    } else {
        turn_read_only(l, &info);
    }
    l->written_offset = to;
    l->synced_offset = !e && l->durability == DURABILITY_SYNC ? to : l->synced_offset;
    if (!e && !l->read_only && s->bytes >= l->segment_bytes_max && l->pending.n == 0) {
        if (rotate(l, l->next_offset, &info)) {
            LOG_EVENT(LVL_WARN, "wal_rotate_failed", F_C("dir", l->dir), F_C("reason", info.message));
        }
    }
    l->writing = false;
    cond_broadcast(&l->changed);
}

enum err ingest_log_place(struct ingest_log *l, unsigned partition, const struct str *parts,
                          size_t part_count, uint64_t *ret_offset, struct err_info *reterr_info)
{
    size_t length = 0;
    for (size_t i = 0; i < part_count; i++) {
        length += parts[i].n;
    }
    if (length > INGEST_LOG_RECORD_BYTES_MAX) {
        return err_set(reterr_info, ERR_LIMIT, "a record of %zu bytes is larger than the log takes (%d)",
                       length, INGEST_LOG_RECORD_BYTES_MAX);
    }
    enum err e = ERR_OK;
    mutex_lock(&l->lock);
    /* A full segment is left when no batch is on its way; records of one batch share a segment. */
    while (!l->read_only && l->segments[l->segment_count - 1].bytes + l->pending.n >= l->segment_bytes_max) {
        if (l->writing) {
            cond_wait(&l->changed, &l->lock);
        } else if (l->pending.n) {
            lead(l);
        } else {
            l->writing = true;
            e = rotate(l, l->next_offset, reterr_info);
            l->writing = false;
            cond_broadcast(&l->changed);
            if (e) {
                break;
            }
        }
    }
    if (l->read_only) {
        e = err_set(reterr_info, ERR_UNAVAILABLE,
                    "the write-ahead log is read-only since an earlier failure: %s",
                    l->why_read_only.message);
    }
    if (!e) {
        size_t mark = l->pending.n;
        segment_frame(&l->pending, l->salt, partition, l->next_offset, parts, part_count);
        if (l->pending.err) {
            e = err_set(reterr_info, l->pending.err, "no memory for the write-ahead log's buffer");
            l->pending.n = mark;
            l->pending.err = ERR_OK;
        } else {
            *ret_offset = l->next_offset++;
        }
    }
    mutex_unlock(&l->lock);
    return e;
}

enum err ingest_log_wait(struct ingest_log *l, uint64_t offset, struct err_info *reterr_info)
{
    enum err e = ERR_OK;
    mutex_lock(&l->lock);
    bool relaxed = l->durability == DURABILITY_ASYNC && l->pending.n < PENDING_BYTES_MAX;
    while (!relaxed && l->written_offset <= offset) {
        if (l->writing) {
            cond_wait(&l->changed, &l->lock);
        } else {
            lead(l);
        }
    }
    if (was_refused(l, offset)) {
        e = err_set(reterr_info, ERR_NO_SPACE,
                    "no space left for the write-ahead log in %s: free some or lower the retention", l->dir);
    } else if (l->read_only && l->synced_offset <= offset) {
        e = err_set(reterr_info, ERR_UNAVAILABLE,
                    "the write-ahead log is read-only since an earlier failure: %s",
                    l->why_read_only.message);
    }
    mutex_unlock(&l->lock);
    return e;
}

enum err ingest_log_append(struct ingest_log *l, unsigned partition, const struct str *parts,
                           size_t part_count, uint64_t *ret_offset, struct err_info *reterr_info)
{
    uint64_t offset;
    enum err e = ingest_log_place(l, partition, parts, part_count, &offset, reterr_info);
    if (!e) {
        e = ingest_log_wait(l, offset, reterr_info);
    }
    if (!e) {
        *ret_offset = offset;
    }
    return e;
}

/* Writes what async appenders left and, unless the mode is `os`, syncs. */
static void sync_run(void *ctx)
{
    struct ingest_log *l = ctx;
    mutex_lock(&l->lock);
    while (!l->stopping) {
        cond_wait_until(&l->syncer_wake, &l->lock, clock_mono_ns(clock_real()) + l->interval_ms * NS_PER_MS);
        if (!l->writing && l->pending.n && !l->read_only) {
            lead(l);
        }
        if (l->synced_offset >= l->written_offset || l->read_only) {
            continue;
        }
        uint64_t upto = l->written_offset;
        int fd = l->fd;
        l->syncing = true;
        mutex_unlock(&l->lock);
        struct err_info info = {0};
        enum err e = file_sync_data(fd, &info);
        mutex_lock(&l->lock);
        l->syncing = false;
        cond_broadcast(&l->changed);
        if (e) {
            turn_read_only(l, &info);
        } else if (upto > l->synced_offset) {
            l->synced_offset = upto;
        }
    }
    mutex_unlock(&l->lock);
}

/* -- life ------------------------------------------------------------------------------------------------ */

/* A killed process left records that the kernel has and the disk may not have yet. */
static enum err segment_sync(const struct ingest_log *l, const struct segment *s, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    int fd = -1;
    if (l->durability < DURABILITY_INTERVAL) {
        return ERR_OK;
    }
    path_of(l, s->first_offset, &path);
    enum err e = path.err ? path.err : file_open(path.p, FILE_READ, &fd, info);
    e = e ? e : file_sync_data(fd, info);
    file_close(fd);
    return e;
}

static enum err prepare(struct ingest_log *l, uint64_t first, struct err_info *info)
{
    enum err e = dir_make(l->dir, info);
    uint64_t bad = 0, next = first;
    if (!e) {
        e = find_segments(l, info);
    }
    for (size_t i = 0; i < l->segment_count && !e; i++) {
        next = l->segments[i].first_offset > next ? l->segments[i].first_offset : next;
        if (i + 1 == l->segment_count) {
            e = segment_sync(l, &l->segments[i], info);
            e = e ? e : read_segment(l, &l->segments[i], UINT64_MAX, NULL, NULL, &next, &bad, info);
        }
    }
    if (e) {
        return e;
    }
    /* A new segment may not take the name of an old one that holds nothing. */
    if (l->segment_count && l->segments[l->segment_count - 1].first_offset == next) {
        next++;
    }
    l->found_count = l->segment_count;
    l->next_offset = l->pending_from = l->written_offset = l->synced_offset = next;
    return open_segment(l, next, info);
}

enum err ingest_log_open(const struct ingest_log_options *o, struct ingest_log **ret_log,
                         struct err_info *reterr_info)
{
    struct ingest_log *l = mem_zalloc(sizeof(*l));
    if (!l) {
        return err_set(reterr_info, ERR_OOM, "no memory for the write-ahead log");
    }
    l->fd = -1;
    l->durability = o->durability;
    l->interval_ms = o->interval_ms ? o->interval_ms : SYNC_INTERVAL_MS;
    l->segment_bytes_max = o->segment_bytes ? o->segment_bytes : (uint64_t)32 << 20;
    l->spare_max = o->segments_spare ? o->segments_spare : SEGMENTS_SPARE;
    l->pending.size_bytes_max = l->writing_buf.size_bytes_max = PENDING_BYTES_HARD_MAX;
    mutex_init(&l->lock);
    cond_init(&l->changed);
    cond_init(&l->syncer_wake);
    l->dir = mem_dup(o->dir, strlen(o->dir));
    enum err e = l->dir ? prepare(l, o->first_offset, reterr_info) : ERR_OOM;
    if (!e && (l->durability == DURABILITY_ASYNC || l->durability == DURABILITY_INTERVAL)) {
        e = thread_start(&l->syncer, "wal-sync", sync_run, l);
    }
    if (e) {
        ingest_log_close(l);
        return e;
    }
    *ret_log = l;
    return ERR_OK;
}

void ingest_log_close(struct ingest_log *l)
{
    if (!l) {
        return;
    }
    mutex_lock(&l->lock);
    l->stopping = true;
    cond_broadcast(&l->syncer_wake);
    mutex_unlock(&l->lock);
    thread_join(&l->syncer);
    mutex_lock(&l->lock);
    if (l->fd >= 0 && l->pending.n && !l->read_only) {
        lead(l);
    }
    if (l->fd >= 0 && !l->read_only) {
        struct err_info info = {0};
        if (file_sync_data(l->fd, &info)) {
            LOG_EVENT(LVL_ERROR, "wal_sync_failed", F_C("dir", l->dir), F_C("reason", info.message));
        }
    }
    mutex_unlock(&l->lock);
    file_close(l->fd);
    buf_done(&l->pending);
    buf_done(&l->writing_buf);
    mem_free(l->segments);
    mem_free(l->dir);
    cond_done(&l->syncer_wake);
    cond_done(&l->changed);
    mutex_done(&l->lock);
    mem_free(l);
}

uint64_t ingest_log_end(struct ingest_log *l)
{
    mutex_lock(&l->lock);
    uint64_t end = l->next_offset;
    mutex_unlock(&l->lock);
    return end;
}

static enum err drop_oldest(struct ingest_log *l, struct err_info *info)
{
    struct buf path AUTO_BUF = {0}, spare AUTO_BUF = {0};
    path_of(l, l->segments[0].first_offset, &path);
    enum err e = path.err;
    if (!e && l->spare_count < l->spare_max && l->segments[0].bytes <= l->segment_bytes_max * 2) {
        spare_path(l, l->spare_next, &spare);
        e = spare.err ? spare.err : file_rename(path.p, spare.p, info);
        if (!e) {
            l->spare_next++;
            l->spare_count++;
        }
    } else if (!e) {
        e = file_remove(path.p, info);
    }
    if (!e) {
        l->segment_count--;
        memmove(l->segments, l->segments + 1, l->segment_count * sizeof(*l->segments));
    }
    return e;
}

enum err ingest_log_trim(struct ingest_log *l, uint64_t before, struct err_info *reterr_info)
{
    enum err e = ERR_OK;
    mutex_lock(&l->lock);
    while (!e && l->segment_count > 1 && l->segments[1].first_offset <= before && !l->writing) {
        e = drop_oldest(l, reterr_info);
    }
    mutex_unlock(&l->lock);
    return e;
}

uint64_t ingest_log_bytes(struct ingest_log *l)
{
    uint64_t sum = 0;
    mutex_lock(&l->lock);
    for (size_t i = 0; i < l->segment_count; i++) {
        sum += l->segments[i].bytes;
    }
    sum += (uint64_t)l->spare_count * l->segment_bytes_max;
    mutex_unlock(&l->lock);
    return sum;
}

size_t ingest_log_memory_bytes(struct ingest_log *l)
{
    mutex_lock(&l->lock);
    size_t n = l->pending.cap + l->writing_buf.cap;
    mutex_unlock(&l->lock);
    return n;
}

void ingest_log_damage(struct ingest_log *l, struct ingest_log_damage *ret_damage)
{
    mutex_lock(&l->lock);
    *ret_damage = l->damage;
    mutex_unlock(&l->lock);
}

bool ingest_log_healthy(const struct ingest_log *l, struct err_info *reterr_info)
{
    /* acquire: the reason is there, and never changes again */
    bool healthy = !atomic_load_explicit(&l->ill, memory_order_acquire);
    if (!healthy && reterr_info) {
        *reterr_info = l->why_read_only;
    }
    return healthy;
}
