/* A push: checked, written to the log, then put into the head. Replay does the last step only.
 *
 * What a push holds that cannot be stored is left out by the same rule at both times, so that the record may
 * be the push as it came. Lines that are here already are written to the log again all the same: whether the
 * first copy is durable is not known here. */
#include "base/log.h"
#include "base/mem.h"
#include "codec/varint.h"
#include "logs/store/record.h"
#include "logs/store/store_int.h"

static bool labels_sound(struct labels ls)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (ls.l[i].name.n == 0 || ls.l[i].value.n == 0 ||
            (i && str_cmp(ls.l[i - 1].name, ls.l[i].name) >= 0)) {
            return false;
        }
    }
    return ls.n > 0 && ls.n <= STREAM_LABELS_MAX;
}

static bool entry_sound(const struct log_entry *e)
{
    return e->line.n <= LINE_BYTES_MAX && e->metadata_count <= ENTRY_METADATA_MAX;
}

static void check(const struct log_push *push, struct log_push_result *ret_result)
{
    for (size_t i = 0; i < push->stream_count; i++) {
        const struct log_stream_push *s = &push->streams[i];
        if (!labels_sound(s->labels)) {
            ret_result->refused += s->entry_count;
            if (!ret_result->first_refusal.code) {
                err_set(&ret_result->first_refusal, ERR_INVALID,
                        "error at least one label pair is required per stream, sorted by name, none empty");
            }
            continue;
        }
        for (size_t k = 0; k < s->entry_count; k++) {
            bool sound = entry_sound(&s->entries[k]);
            ret_result->stored += sound;
            ret_result->refused += !sound;
            if (!sound && !ret_result->first_refusal.code) {
                err_set(&ret_result->first_refusal, ERR_INVALID,
                        "max entry size '%d' bytes exceeded while adding an entry with length '%zu' bytes",
                        LINE_BYTES_MAX, s->entries[k].line.n);
            }
        }
    }
}

/* Under the lock. `stored` (may be NULL) gets one byte per entry. */
static enum err apply(struct log_store *s, const struct log_push *push, uint8_t *stored)
{
    size_t at = 0;
    for (size_t i = 0; i < push->stream_count; i++) {
        const struct log_stream_push *p = &push->streams[i];
        struct head_stream *stream = NULL;
        bool sound = p->entry_count && labels_sound(p->labels);
        enum err e = sound ? head_stream_get(s->active, push->tenant, p->labels, &stream) : ERR_OK;
        for (size_t k = 0; !e && k < p->entry_count; k++, at++) {
            bool added = false;
            if (sound && entry_sound(&p->entries[k])) {
                e = head_append(s->active, stream, &p->entries[k], &added);
                s->entries_stored += added;
                s->entries_duplicate += !added && !e;
                s->bytes_stored += added ? p->entries[k].line.n : 0;
            }
            if (stored) {
                stored[at] = added;
            }
        }
        if (e) {
            return e;
        }
    }
    if (!s->active->born_mono_ns && s->active->entries) {
        s->active->born_mono_ns = clock_mono_ns(s->clock) | 1;
    }
    return ERR_OK;
}

static void ticket_begin(struct log_store *s, struct push_ticket *t)
{
    mutex_lock(&s->lock);
    t->from = ingest_log_end(s->wal);
    t->next = s->tickets;
    s->tickets = t;
    mutex_unlock(&s->lock);
}

/* Under the lock. */
static void ticket_end(struct log_store *s, const struct push_ticket *t)
{
    struct push_ticket **link = &s->tickets;
    while (*link != t) {
        link = &(*link)->next;
    }
    *link = t->next;
}

static enum err write_and_apply(struct log_store *s, const struct log_push *push, struct str record,
                                uint8_t *stored, struct err_info *info)
{
    struct push_ticket ticket;
    ticket_begin(s, &ticket);
    uint64_t offset;
    enum err e = ingest_log_append(s->wal, 0, &record, 1, &offset, info);
    mutex_lock(&s->lock);
    if (!e) {
        e = apply(s, push, stored);
        if (e) {
            err_set(info, e, "no memory to keep the lines");
        }
    }
    ticket_end(s, &ticket);
    mutex_unlock(&s->lock);
    return e;
}

/* A full head is cut here; when too many wait to be flushed, so does the push, for a while. */
static enum err make_room(struct log_store *s, struct err_info *info)
{
    enum err e = ERR_OK;
    int64_t until = clock_mono_ns(clock_real()) + PUSH_WAIT_MS * NS_PER_MS;
    mutex_lock(&s->lock);
    while (!e && s->active->bytes >= s->o.head_bytes) {
        if (s->waiting_n < HEADS_WAITING_MAX) {
            e = store_cut(s);
            cond_signal(&s->wake);
        } else if (!s->threaded || s->stopping || !cond_wait_until(&s->room, &s->lock, until)) {
            e = err_set(info, ERR_UNAVAILABLE,
                        "%zu heads wait to be written to the disk of %s, which does not keep up: try again",
                        s->waiting_n, s->dir);
        }
    }
    mutex_unlock(&s->lock);
    return e == ERR_OOM ? err_set(info, e, "no memory for a new head of the log store") : e;
}

static enum err may_push(struct log_store *s, struct str record, struct err_info *info)
{
    enum err e = quota_ask(&s->quota, record.n, info);
    return e ? e : make_room(s, info);
}

enum err store_push(struct log_sink *sink, const struct log_push *push, struct log_push_result *ret_result,
                    struct err_info *reterr_info)
{
    struct log_store *s = store_of_sink(sink);
    if (push->tenant.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "a push without a tenant");
    }
    struct log_push_result result = {0};
    check(push, &result);
    if (result.stored) {
        struct buf record AUTO_BUF = {0}, scratch AUTO_BUF = {0};
        enum err e = record_encode(push, &scratch, &record);
        uint8_t *stored = NULL;
        if (!e && tails_any(&s->tails)) {
            stored = mem_zalloc(result.stored + result.refused);
            e = stored ? ERR_OK : ERR_OOM;
        }
        if (e) {
            return err_set(reterr_info, e, "no memory for a push of %llu lines",
                           (unsigned long long)result.stored);
        }
        e = may_push(s, buf_view(&record), reterr_info);
        e = e ? e : write_and_apply(s, push, buf_view(&record), stored, reterr_info);
        if (!e && stored) {
            tails_tell(&s->tails, push, stored);
        }
        mem_free(stored);
        if (e) {
            return e;
        }
    }
    *ret_result = result;
    return ERR_OK;
}

/* --- replay --- */

/* What the log holds beyond a head goes to blocks at once, so that starting takes no more memory than
 * running. A disk that refuses does not keep the store from opening: the lines stay in memory and in the log,
 * and housekeeping tries again. */
static enum err cut_when_full(struct log_store *s, uint64_t offset)
{
    if (s->active->bytes < s->o.head_bytes || s->waiting_n == HEADS_WAITING_MAX) {
        return ERR_OK;
    }
    enum err e = store_cut(s);
    if (!e) {
        s->waiting[s->waiting_n - 1]->wal_before = offset + 1;
    }
    if (!e && s->waiting_n == 1) { /* more wait only after a failure */
        struct err_info info = {0};
        enum err failed = store_flush_oldest(s, &info);
        if (failed) {
            LOG_EVENT(LVL_WARN, "log_replay_not_flushed", F_C("dir", s->dir), F_ERR(failed),
                      F_C("reason", info.message), F_C("action", "the lines stay in memory"));
        }
    }
    return e;
}

static enum err replay_record(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct log_store *s = ctx;
    (void)partition;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct log_push push;
    enum err e = record_decode(record, &a, &push, NULL);
    if (e == ERR_CORRUPT) { /* whole by its checksum and yet unknown: counted, not a reason not to start */
        s->wal_bad_segments++;
        return ERR_OK;
    }
    if (!e) {
        mutex_lock(&s->lock);
        e = apply(s, &push, NULL);
        mutex_unlock(&s->lock);
    }
    return e ? e : cut_when_full(s, offset);
}

enum err store_replay(struct log_store *s, uint64_t from, struct err_info *reterr_info)
{
    uint64_t bad = 0;
    enum err e = ingest_log_replay(s->wal, from, replay_record, s, &bad, reterr_info);
    s->wal_bad_segments += bad;
    return e;
}
