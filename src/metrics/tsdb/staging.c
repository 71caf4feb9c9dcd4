/* Logging batches whole, and appending them later. */
#include "metrics/tsdb/staging.h"

#include "base/log.h"
#include "base/mem.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/side.h"

/* -- a batch as a record --------------------------------------------------------------------------------- */

static enum err definitions_write(struct record_writer *w, const struct sink_batch *b, struct err_info *info)
{
    for (size_t i = 0; i < b->series_count; i++) {
        const struct sink_series *s = &b->series[i];
        if (s->ref && s->labels.n == 0) {
            return err_set(info, ERR_CONFLICT, "the references of the batch are out of date");
        }
        /* An invalid set is written as an empty one would be read: not at all. Its samples are refused. */
        if (series_labels_valid(s->labels)) {
            record_define(w, (uint32_t)i, s->labels);
        }
    }
    record_samples(w);
    return ERR_OK;
}

static void samples_write(struct record_writer *w, const struct tsdb *db, struct sink_batch *b,
                          struct sink_result *r)
{
    ts_ms future = tsdb_future(db);
    for (size_t i = 0; i < b->sample_count; i++) {
        struct sink_sample *m = &b->samples[i];
        bool labels =
            m->series_index < b->series_count && series_labels_valid(b->series[m->series_index].labels);
        m->status = labels ? (uint8_t)tsdb_sample_check(m, future) : SAMPLE_INVALID;
        if (m->status != SAMPLE_STORED) {
            r->refused[m->status]++;
            (void)err_set(&r->first_refusal, ERR_INVALID, "invalid labels, histogram or timestamp %lld",
                          (long long)m->ts);
            continue;
        }
        struct sample_value v = {m->histogram ? 0 : f64_bits(m->value), m->start_ts, m->histogram};
        record_sample(w, m->series_index, m->ts, &v);
        r->stored++;
    }
}

static enum err enqueue(struct staging *s, struct str record, bool *ret_taken, struct err_info *info)
{
    enum err e = ERR_OK;
    mutex_lock(&s->lock);
    *ret_taken = atomic_load(&s->active);
    if (*ret_taken) {
        size_t before = s->queue.n;
        write_u32(&s->queue, (uint32_t)record.n);
        buf_str(&s->queue, record);
        if (s->queue.err != ERR_OK) { /* it is logged, but not acknowledged */
            s->queue.n = before;
            s->queue.err = ERR_OK;
            e = err_set(info, ERR_UNAVAILABLE,
                        "more than %zu MiB wait for the end of the log's replay: send the batch again",
                        s->bytes_max >> 20);
        }
    }
    mutex_unlock(&s->lock);
    return e;
}

/* Before anything is logged. */
static enum err may_stage(struct staging *s, struct err_info *info)
{
    enum err e = ERR_OK;
    mutex_lock(&s->lock);
    if (s->failed.code != ERR_OK) {
        e = err_set(info, ERR_UNAVAILABLE, "the log could not be replayed: %.200s", s->failed.message);
    } else if (s->queue.n > s->bytes_max / 8 * 7) {
        e = err_set(info, ERR_UNAVAILABLE,
                    "%zu MiB wait for the end of the log's replay: send the batch again", s->queue.n >> 20);
    }
    mutex_unlock(&s->lock);
    return e;
}

enum err staging_append(struct tsdb *db, struct sink_batch *batch, bool *ret_taken,
                        struct sink_result *ret_result, struct err_info *reterr_info)
{
    struct buf record AUTO_BUF = {.size_bytes_max = INGEST_LOG_RECORD_BYTES_MAX};
    struct sink_result r = {.epoch = atomic_load(&db->epoch)};
    struct tenant *t = NULL;
    struct record_writer w;
    enum err e = may_stage(&db->staging, reterr_info);
    if (e == ERR_OK && (e = tenant_get(db, batch->tenant, true, &t)) != ERR_OK) {
        (void)err_set(reterr_info, e, "tenant \"%.*s\": %s", STR_FMT(batch->tenant), err_text(e));
    }
    if (e != ERR_OK) {
        return e;
    }
    record_begin_whole(&w, &record, batch->tenant, batch->allow_late);
    e = definitions_write(&w, batch, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    samples_write(&w, db, batch, &r);
    struct str part = buf_view(&record);
    uint64_t offset = 0;
    *ret_taken = true;
    e = record.err != ERR_OK
            ? err_set(reterr_info, record.err, "the record of a batch does not fit in memory")
        : r.stored ? ingest_log_append(db->log, 0, &part, 1, &offset, reterr_info)
                   : ERR_OK;
    e = e == ERR_OK && r.stored ? enqueue(&db->staging, part, ret_taken, reterr_info) : e;
    if (e != ERR_OK || !*ret_taken) {
        return e;
    }
    for (size_t i = 0; i < batch->series_count; i++) {
        batch->series[i].ref = 0;
    }
    e = side_store(db, t, batch, NULL, &r, reterr_info);
    *ret_result = r;
    return e;
}

/* -- a record as a batch --------------------------------------------------------------------------------- */

struct series_list {
    struct sink_series *items;
    size_t n, cap;
};

/* Series stand at the numbers they had. Texts borrow from the record. */
static enum err series_read(struct record_reader *r, struct arena *a, struct series_list *out)
{
    uint32_t slot = 0;
    struct labels ls = {0};
    enum err e;
    while ((e = record_next_definition(r, &slot, &ls)) == ERR_OK) {
        struct label *own = arena_array(a, ls.n, sizeof(*own));
        if (slot < out->n) {
            return ERR_CORRUPT;
        }
        e = arena_reserve(a, (void **)&out->items, &out->cap, slot + 1u, sizeof(*out->items));
        if (e != ERR_OK || !own) {
            return arena_err(a);
        }
        memcpy(own, ls.l, ls.n * sizeof(*own));
        memset(out->items + out->n, 0, (slot - out->n) * sizeof(*out->items));
        out->items[slot] = (struct sink_series){.labels = {own, ls.n}};
        out->n = slot + 1u;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err samples_read(struct record_reader *r, struct arena *a, struct sink_batch *b)
{
    size_t cap = 0;
    uint32_t slot = 0;
    ts_ms ts = 0;
    struct sample_value v = {0};
    enum err e;
    while ((e = record_next_sample(r, &slot, &ts, &v)) == ERR_OK) {
        e = arena_reserve(a, (void **)&b->samples, &cap, b->sample_count + 1, sizeof(*b->samples));
        if (e != ERR_OK) {
            return arena_err(a);
        }
        b->samples[b->sample_count++] = (struct sink_sample){.series_index = slot,
                                                             .ts = ts,
                                                             .start_ts = v.start,
                                                             .value = f64_of_bits(v.bits),
                                                             .histogram = v.h};
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* What is refused now was acknowledged when nothing could be said against it. */
static void tell_refused(const struct sink_result *r)
{
    uint64_t refused = 0;
    for (size_t i = SAMPLE_CONFLICT; i < SAMPLE_STATUS_COUNT; i++) {
        refused += r->refused[i];
    }
    if (refused) {
        LOG_EVENT(LVL_WARN, "tsdb_staged_refused", F_U64("samples", refused),
                  F_C("first", r->first_refusal.message),
                  F_C("why", "they came while the log was replayed, and do not fit what it held"));
    }
}

static enum err append_record(struct tsdb *db, struct str record, struct err_info *info)
{
    struct label labels[LABELS_MAX];
    struct arena memory AUTO_ARENA;
    arena_init(&memory, 0, NULL);
    struct record_reader in = {.labels = labels, .memory = &memory};
    struct sink_batch b = {0};
    struct series_list series = {0};
    struct sink_result r = {0};
    enum err e = record_open_whole(&in, record, &b.tenant, &b.allow_late);
    e = e == ERR_OK ? series_read(&in, &memory, &series) : e;
    e = e == ERR_OK ? samples_read(&in, &memory, &b) : e;
    if (e == ERR_CORRUPT) { /* it passed its checksum */
        atomic_fetch_add_explicit(&db->wal_orphans, 1, memory_order_relaxed);
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return err_set(info, e, "no memory to append what came during the log's replay");
    }
    b.series = series.items;
    b.series_count = series.n;
    e = tsdb_append_now(db, &b, &r, info);
    if (e == ERR_OK) {
        tell_refused(&r);
    }
    return e;
}

static enum err append_queue(struct tsdb *db, struct str queue, struct err_info *info)
{
    struct reader r = reader_of(queue);
    enum err e = ERR_OK;
    while (e == ERR_OK && reader_left(&r) && !atomic_load(&db->closing)) {
        uint32_t n = read_u32(&r);
        e = append_record(db, read_bytes(&r, n), info);
    }
    return e;
}

/* -- the end of replay ----------------------------------------------------------------------------------- */

enum err staging_replay(struct tsdb *db, uint64_t offset, struct str record)
{
    struct staging *s = &db->staging;
    if ((uint8_t)record.p[0] == RECORD_DONE) {
        struct reader r = reader_of(str_slice(record, 1, record.n));
        if (read_u64(&r) >= s->end) {
            buf_reset(&s->found);
        }
        return r.bad ? ERR_CORRUPT : ERR_OK;
    }
    size_t before = s->found.n;
    write_u32(&s->found, (uint32_t)record.n);
    buf_str(&s->found, record);
    if (s->found.err != ERR_OK) {
        enum err e = s->found.err;
        s->found.n = before;
        s->found.err = ERR_OK;
        return e;
    }
    s->end = offset + 1;
    return ERR_OK;
}

/* Takes what is queued; false: there was nothing, and staging is over. */
static bool take_queue(struct staging *s, struct buf *out)
{
    mutex_lock(&s->lock);
    bool more = s->queue.n > 0;
    struct buf empty = *out;
    buf_reset(&empty);
    *out = s->queue;
    s->queue = empty;
    s->queue.size_bytes_max = s->bytes_max;
    if (!more) {
        atomic_store(&s->active, false);
    }
    mutex_unlock(&s->lock);
    return more;
}

/* Says that whole records up to now need not be appended again. */
static enum err mark_done(struct tsdb *db, uint64_t before, struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    uint64_t offset = 0;
    write_u8(&b, RECORD_DONE);
    write_u64(&b, before);
    struct str part = buf_view(&b);
    return b.err != ERR_OK ? err_set(info, b.err, "no memory for a record")
                           : ingest_log_append(db->log, 0, &part, 1, &offset, info);
}

enum err staging_end(struct tsdb *db, struct err_info *info)
{
    struct staging *s = &db->staging;
    struct buf taken AUTO_BUF = {0};
    bool any = s->found.n > 0;
    uint64_t before = s->end;
    enum err e = append_queue(db, buf_view(&s->found), info);
    buf_done(&s->found);
    while (e == ERR_OK && !atomic_load(&db->closing)) {
        before =
            ingest_log_end(db->log); /* what is logged below and not queued yet is appended by its thread */
        if (!take_queue(s, &taken)) {
            break;
        }
        any = true;
        e = append_queue(db, buf_view(&taken), info);
    }
    if (e == ERR_OK && any && !atomic_load(&db->closing)) {
        struct partition *p = &db->partitions[0]; /* whole records count as its own */
        mutex_lock(&p->writer);
        p->end = p->end > before ? p->end : before;
        mutex_unlock(&p->writer);
        e = mark_done(db, before, info);
    }
    return e;
}

void staging_fail(struct tsdb *db, const struct err_info *why)
{
    mutex_lock(&db->staging.lock);
    db->staging.failed = *why;
    mutex_unlock(&db->staging.lock);
}

enum err staging_query_check(struct tsdb *db, struct err_info *info)
{
    return atomic_load(&db->staging.active)
               ? err_set(info, ERR_UNAVAILABLE, "the metrics store is replaying its log: ask again soon")
               : ERR_OK;
}

void staging_init(struct staging *s, uint64_t memory_bytes)
{
    mutex_init(&s->lock);
    s->bytes_max = memory_bytes / 16 < STAGED_BYTES_MAX ? (size_t)(memory_bytes / 16) : STAGED_BYTES_MAX;
    s->queue.size_bytes_max = s->bytes_max;
}

size_t staging_bytes(struct staging *s)
{
    mutex_lock(&s->lock);
    size_t n = s->queue.cap;
    mutex_unlock(&s->lock);
    return n;
}

void staging_done(struct staging *s)
{
    buf_done(&s->queue);
    buf_done(&s->found);
    mutex_done(&s->lock);
}
