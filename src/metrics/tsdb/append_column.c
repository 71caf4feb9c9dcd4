/* A column into the log and a head: samples of one time for series that are known, which is what most scrapes
 * bring. The rules are those of append.c; but here the batch is stored whole or, when anything about it is
 * out of the ordinary, not at all, and append.c says what is wrong with which sample.
 *
 * Two passes over the series: one judges and writes the record, one applies after the log was waited for.
 * Only a flag tells in between that a series has had its sample, so readers never see what is not durable. */
#include "metrics/model/value.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/tsdb_int.h"

enum {
    LOOK_AHEAD = 24 /* series: memory answers meanwhile */
};

struct column {
    struct tsdb *db;
    struct tenant *tenant;
    const struct sink_column *in;
    struct partition *p;
    unsigned partition;
    uint64_t offset;
};

static inline uint32_t slot_of(const struct column *c, size_t i)
{
    return (uint32_t)(c->in->refs[i] >> 6) - 1;
}

static inline bool known(const struct column *c, const struct head *h, size_t i)
{
    series_ref ref = c->in->refs[i];
    return ref % PARTITIONS == c->partition && (ref >> 6) - 1 < h->slot_count;
}

static inline void series_soon(const struct column *c, const struct head *h, size_t i)
{
    if (i < c->in->count && known(c, h, i)) {
        __builtin_prefetch(head_series(h, slot_of(c, i)), 1);
    }
}

/* There is room among those that are kept apart, and none of them is at the same time. */
static bool fits_apart(const struct head *h, const struct series *s, ts_ms ts)
{
    uint64_t there;
    return s->ext->late_count < LATE_SAMPLES_MAX && !head_sample_at(h, s, ts, &there);
}

/* Its newest sample is older. */
static inline bool ordinary(const struct head *h, const struct series *s, ts_ms ts)
{
    unsigned must = SERIES_LIVE | SERIES_LOGGED | SERIES_STARTED;
    return (s->flags & (must | SERIES_TAKEN)) == must && ts > s->last_ts &&
           !(s->ext && s->ext->late_count && !fits_apart(h, s, ts));
}

static void let_go(const struct column *c, const struct head *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        head_series(h, slot_of(c, i))->flags &= (uint8_t)~SERIES_TAKEN;
    }
}

/* UNSUPPORTED: a series is out of the ordinary. */
static enum err record_make(const struct column *c, const struct head *h, size_t *ret_taken)
{
    struct record_writer w;
    record_begin(&w, &c->p->record, c->tenant->name);
    record_samples(&w);
    for (size_t i = 0; i < LOOK_AHEAD; i++) {
        series_soon(c, h, i);
    }
    for (size_t i = 0; i < c->in->count; i++) {
        struct series *s = known(c, h, i) ? head_series(h, slot_of(c, i)) : NULL;
        uint64_t bits = f64_bits(c->in->values[i]);
        series_soon(c, h, i + LOOK_AHEAD);
        if (UNLIKELY(!s || !ordinary(h, s, c->in->ts))) {
            return ERR_UNSUPPORTED;
        }
        s->flags |= SERIES_TAKEN;
        *ret_taken = i + 1;
        if (bits != s->last_bits && s->tail) {
            __builtin_prefetch(s->tail + s->tail_bits / 8, 1); /* until it is applied */
        }
        record_float(&w, slot_of(c, i), c->in->ts, bits);
    }
    return c->p->record.err;
}

static enum err place(struct column *c, struct err_info *info)
{
    size_t taken = 0;
    mutex_lock(&c->p->lock);
    const struct head *h = partition_head_find(c->p, c->tenant);
    enum err e = h ? record_make(c, h, &taken) : ERR_UNSUPPORTED;
    if (e == ERR_OK) {
        struct str part = buf_view(&c->p->record);
        e = ingest_log_place(c->db->log, c->partition, &part, 1, &c->offset, info);
    } else if (e != ERR_UNSUPPORTED) {
        (void)err_set(info, e, "the record of a batch does not fit in memory");
    }
    if (e == ERR_OK) {
        c->p->end = c->offset + 1;
    } else if (h) {
        let_go(c, h, taken);
    }
    mutex_unlock(&c->p->lock);
    return e;
}

/* One sample that the log has; `apart` while a flush runs that it belongs below (append.c does the same). */
static inline enum err apply_one(struct head *h, struct series *s, uint64_t bits, struct column_tick *tick,
                                 bool apart)
{
    struct sample_value v = {.bits = bits};
    s->flags &= (uint8_t)~SERIES_TAKEN;
    return apart ? head_push_late(h, s, tick->ts, &v, true) : head_push_column(h, s, bits, tick);
}

static enum err apply_all(struct column *c, struct head *h)
{
    const struct sink_column *in = c->in;
    enum err e = ERR_OK;
    struct column_tick tick = {
        .ts = in->ts, .batch_tick = in->count < CLOCK_SERIES_MIN ? INT64_MIN : in->ts, .clock = CLOCK_NONE};
    bool apart = in->ts < atomic_load_explicit(&c->db->flushing_before, memory_order_relaxed);
    for (size_t i = 0; e == ERR_OK && i < in->count; i++) {
        e = apply_one(h, head_series(h, slot_of(c, i)), f64_bits(in->values[i]), &tick, apart);
    }
    h->min_ts = in->ts < h->min_ts ? in->ts : h->min_ts; /* without memory a part is there */
    h->max_ts = in->ts > h->max_ts ? in->ts : h->max_ts;
    /* Before the writer lets go: who trims the log takes it that nothing in its records is newer. */
    tenant_max_ts_raise(c->tenant, in->ts);
    return e;
}

static enum err apply(struct column *c, bool durable, struct err_info *info)
{
    enum err e = ERR_OK;
    mutex_lock(&c->p->lock);
    struct head *h = partition_head_find(c->p, c->tenant);
    if (durable) {
        e = apply_all(c, h);
    }
    if (e != ERR_OK || !durable) {
        let_go(c, h, c->in->count);
    }
    mutex_unlock(&c->p->lock);
    return e == ERR_OK ? e : err_set(info, e, "no memory to store samples; send the batch again");
}

static enum err append_locked(struct column *c, struct err_info *info)
{
    if (c->in->epoch != atomic_load(&c->db->epoch)) {
        return ERR_UNSUPPORTED;
    }
    enum err e = place(c, info);
    if (e != ERR_OK) {
        return e;
    }
    e = ingest_log_wait(c->db->log, c->offset, info);
    enum err applied = apply(c, e == ERR_OK, info);
    return e == ERR_OK ? applied : e;
}

/* The time is after what is immutable, and no further in the future than may be. */
static bool time_ordinary(const struct column *c)
{
    ts_ms newest = atomic_load_explicit(&c->tenant->max_ts, memory_order_relaxed), oldest;
    if (__builtin_sub_overflow(newest, c->db->o.block_ms / 2, &oldest)) {
        oldest = INT64_MIN;
    }
    return c->in->ts >= oldest && c->in->ts >= tsdb_mutable_from(c->db) && c->in->ts <= tsdb_future(c->db);
}

enum err tsdb_append_column(struct metric_sink *s, const struct sink_column *in, struct err_info *reterr_info)
{
    struct tsdb *db = tsdb_of_sink(s);
    struct column c = {.db = db, .in = in};
    if (in->count == 0) {
        return ERR_OK;
    }
    enum err e = tsdb_writable(db, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    if (atomic_load(&db->staging.active) || tenant_get(db, in->tenant, false, &c.tenant) != ERR_OK ||
        !c.tenant || !time_ordinary(&c)) {
        return ERR_UNSUPPORTED;
    }
    c.partition = in->refs[0] % PARTITIONS;
    c.p = &db->partitions[c.partition];
    mutex_lock(&c.p->writer);
    e = append_locked(&c, reterr_info);
    mutex_unlock(&c.p->writer);
    if (e == ERR_OK) {
        atomic_fetch_add_explicit(&db->appended, in->count, memory_order_relaxed);
    }
    return e;
}
