/* The store's life: open, stats, close. */
#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"
#include "logs/store/store_int.h"

enum {
    SEGMENT_BYTES_MIN = 1 << 20,
    SEGMENT_BYTES_MAX = 16 << 20,
    SEGMENTS_OF_CAP = 32, /* the log with its spare segments is to be a small part of what may be used */
};

static const struct log_sink_ops sink_ops = {.push = store_push};

static enum err path_in(const struct log_store *s, const char *name, struct buf *b)
{
    b->n = 0;
    buf_printf(b, "%s/%s", s->dir, name);
    buf_char(b, '\0');
    return b->err;
}

static enum err open_wal(struct log_store *s, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    enum err e = path_in(s, "wal", &path);
    if (!e) {
        uint64_t segment = SEGMENT_BYTES_MAX;
        if (s->o.retention_bytes && s->o.retention_bytes / SEGMENTS_OF_CAP < segment) {
            segment = s->o.retention_bytes / SEGMENTS_OF_CAP;
        }
        struct ingest_log_options o = {.dir = path.p,
                                       .durability = s->o.durability,
                                       .segment_bytes =
                                           segment < SEGMENT_BYTES_MIN ? SEGMENT_BYTES_MIN : segment};
        e = ingest_log_open(&o, &s->wal, info);
    }
    return e;
}

static void set_defaults(struct log_store_options *o)
{
    o->retention_ms = o->retention_ms ? o->retention_ms : RETENTION_MS_DEFAULT;
    o->head_bytes = o->head_bytes ? o->head_bytes : HEAD_BYTES_DEFAULT;
    o->head_ms = o->head_ms ? o->head_ms : HEAD_MS_DEFAULT;
    o->disk_reserve_bytes = o->disk_reserve_bytes ? o->disk_reserve_bytes : DISK_RESERVE_DEFAULT;
}

static enum err open_all(struct log_store *s, struct err_info *info)
{
    enum err e = dir_make(s->dir, info);
    e = e ? e : dir_lock(s->dir, &s->lock_fd, info);
    e = e ? e : log_head_new(&s->active);
    e = e ? e : blocks_open(s, info);
    e = e ? e : open_wal(s, info);
    e = e ? e : store_replay(s, s->blocks.wal_from, info);
    if (!e) { /* what cannot be trimmed now is after the next flush */
        (void)(ingest_log_trim(s->wal, s->blocks.wal_from, NULL) == ERR_OK);
    }
    return e ? e : log_maintain_start(s, info);
}

static void store_free(struct log_store *s)
{
    ingest_log_close(s->wal);
    head_unref(s->active);
    for (size_t i = 0; i < s->waiting_n; i++) {
        head_unref(s->waiting[i]);
    }
    blocks_done(&s->blocks);
    dir_unlock(s->lock_fd);
    tails_done(&s->tails);
    quota_done(&s->quota);
    cond_done(&s->wake);
    cond_done(&s->room);
    mutex_done(&s->maintenance);
    mutex_done(&s->lock);
    mem_free(s->dir);
    mem_free(s);
}

enum err log_store_open(const struct log_store_options *o, struct log_store **ret_store,
                        struct err_info *reterr_info)
{
    struct log_store *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return err_set(reterr_info, ERR_OOM, "no memory for the log store");
    }
    s->o = *o;
    set_defaults(&s->o);
    s->sink.ops = &sink_ops;
    s->source.ops = &store_source_ops;
    s->clock = o->clock ? o->clock : clock_real();
    s->lock_fd = -1;
    mutex_init(&s->lock);
    mutex_init(&s->maintenance);
    cond_init(&s->wake);
    cond_init(&s->room);
    tails_init(&s->tails);
    s->dir = mem_dup(o->dir, strlen(o->dir));
    quota_init(&s->quota, s->dir, s->o.disk_reserve_bytes, s->clock);
    expiry_init(&s->expiry, s->clock);
    enum err e = s->dir ? open_all(s, reterr_info) : ERR_OOM;
    if (e) {
        store_free(s);
        if (reterr_info && reterr_info->code != e) {
            err_set(reterr_info, e, "the log store in %s could not be opened: %s", o->dir, err_text(e));
        }
        return e;
    }
    *ret_store = s;
    return ERR_OK;
}

/* So that the next start has nothing to replay. What cannot be flushed is in the log. */
static void flush_all(struct log_store *s)
{
    struct err_info info = {0};
    mutex_lock(&s->maintenance);
    enum err e = store_flush_all(s, &info);
    mutex_unlock(&s->maintenance);
    if (e) {
        LOG_EVENT(LVL_WARN, "log_store_not_flushed", F_C("dir", s->dir), F_ERR(e),
                  F_C("reason", info.message), F_C("action", "the lines stay in the write-ahead log"));
    }
}

void log_store_close(struct log_store *s)
{
    if (s) {
        log_maintain_stop(s);
        flush_all(s);
        store_free(s);
    }
}

struct log_sink *log_store_sink(struct log_store *s)
{
    return &s->sink;
}

struct log_source *log_store_source(struct log_store *s)
{
    return &s->source;
}

bool log_store_healthy(const struct log_store *s, struct err_info *reterr_info)
{
    return ingest_log_healthy(s->wal, reterr_info);
}

void log_store_stats(struct log_store *s, struct log_store_stats *ret_stats)
{
    struct log_store_stats st = {0};
    struct err_info why = {0};
    st.read_only = !ingest_log_healthy(s->wal, &why);
    memcpy(st.read_only_reason, why.message, sizeof(st.read_only_reason) - 1);
    st.wal_bytes = ingest_log_bytes(s->wal);
    mutex_lock(&s->lock);
    for (size_t i = 0; i <= s->waiting_n; i++) {
        const struct head *h = i < s->waiting_n ? s->waiting[i] : s->active;
        st.head_entries += h->entries;
        st.head_bytes += h->bytes;
    }
    st.streams = s->active->stream_count;
    st.entries_stored = s->entries_stored;
    st.bytes_stored = s->bytes_stored;
    st.entries_duplicate = s->entries_duplicate;
    st.wal_bad_segments = s->wal_bad_segments;
    st.blocks = s->blocks.n;
    st.block_bytes = s->blocks.file_bytes;
    st.blocks_bad = s->blocks.bad_blocks;
    st.groups_bad = s->blocks.bad_groups_gone;
    for (size_t i = 0; i < s->blocks.n; i++) {
        st.groups_bad += atomic_load_explicit(&s->blocks.items[i]->bad_groups, memory_order_relaxed);
    }
    st.heads_flushed = s->heads_flushed;
    st.flush_failures = s->flush_failures;
    st.merges = s->merges;
    mutex_unlock(&s->lock);
    *ret_stats = st;
}
