/* The sink: batches into the log and the heads.
 *
 * The writer locks of all partitions of a batch are held from the first decision until its samples are in
 * memory. Under each partition's data lock the series are found or made, every sample is judged and one
 * record is placed; then the log is waited for once; then the samples are applied. So nothing is visible, and
 * nothing counts as a duplicate, before it is as durable as the mode promises, and a refused record leaves
 * only series without samples behind. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/memory.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/side.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/tsdb_int.h"

enum {
    SLOT_UNKNOWN = -1,
    LOOK_AHEAD = 24,                 /* samples: memory answers meanwhile */
    FUTURE_MS_MAX = 24 * 3600 * 1000 /* one sample from the far future would make the present too old */
};

struct accepted {
    struct series *series;
    uint32_t slot, sample;
    bool late, was_started;
    ts_ms last_ts; /* of the series before */
    uint64_t last_bits;
};

struct appender {
    struct tsdb *db;
    struct tenant *tenant;
    struct sink_batch *batch;
    struct sink_result *result;
    struct err_info *info;
    struct arena memory;
    uint8_t *partition_of; /* of series */
    int64_t *slot_of;      /* of series; SLOT_UNKNOWN until looked up */
    uint32_t *order;       /* samples by partition */
    uint32_t first[PARTITIONS + 1];
    struct accepted *accepted; /* of all partitions, in their order */
    size_t accepted_first[PARTITIONS + 1];
    size_t accepted_count;
    ts_ms newest_from;  /* what is newest of its series is accepted from here on */
    ts_ms late_from;    /* late samples are */
    ts_ms future;       /* and nothing after this */
    ts_ms mutable_from; /* what is older changes the past */
    uint64_t offset_max;
    bool refs_hold; /* while the writer locks are held no series of theirs goes */
    bool placed;
    uint32_t created_from; /* order of the batch's first series, once one was made */
    bool created_any;
};

static const char *const refusals[SAMPLE_STATUS_COUNT] = {
    [SAMPLE_CONFLICT] = "duplicate sample for timestamp",
    [SAMPLE_OUT_OF_ORDER] = "out of order sample",
    [SAMPLE_TOO_OLD] = "too old sample",
    [SAMPLE_OUT_OF_BOUNDS] = "out of bounds",
    [SAMPLE_LIMIT] = "limit of series per tenant reached (tsdb series_max); drop labels or raise it",
    [SAMPLE_INVALID] = "invalid labels or histogram",
};

/* The labels of a series that came by reference alone; under its partition's lock. */
static struct labels labels_of_ref(const struct appender *a, uint32_t index, struct label *out)
{
    const struct head *h = partition_head_find(&a->db->partitions[a->partition_of[index]], a->tenant);
    if (!h || a->slot_of[index] == SLOT_UNKNOWN) {
        return (struct labels){0};
    }
    const struct packed_labels *p = head_series(h, (uint32_t)a->slot_of[index])->labels;
    index_labels(h->index, p, out);
    return (struct labels){out, p->n};
}

static COLD void explain(struct appender *a, const struct sink_sample *m)
{
    struct err_info *info = &a->result->first_refusal, flaw = {0};
    if (info->code != ERR_OK) {
        return;
    }
    const char *why = refusals[m->status];
    char full[384], memory[256];
    if (m->status == SAMPLE_LIMIT && memory_full(a->db)) {
        memory_explain(a->db, memory, sizeof(memory));
        (void)snprintf(full, sizeof(full),
                       "no memory for new series (setting memory: %s); drop labels or series, or raise it",
                       memory);
        why = full;
    }
    if (m->status == SAMPLE_INVALID && m->histogram && histogram_check(m->histogram, &flaw) != ERR_OK) {
        why = flaw.message;
    }
    static const enum err codes[SAMPLE_STATUS_COUNT] = {
        [SAMPLE_CONFLICT] = ERR_CONFLICT, [SAMPLE_OUT_OF_ORDER] = ERR_INVALID,
        [SAMPLE_TOO_OLD] = ERR_INVALID,   [SAMPLE_OUT_OF_BOUNDS] = ERR_INVALID,
        [SAMPLE_LIMIT] = ERR_LIMIT,       [SAMPLE_INVALID] = ERR_INVALID,
    };
    struct buf text AUTO_BUF = {.size_bytes_max = sizeof(info->message)};
    struct label known[LABELS_MAX];
    if (m->series_index < a->batch->series_count) {
        struct labels ls = a->batch->series[m->series_index].labels;
        labels_format(&text, ls.n ? ls : labels_of_ref(a, m->series_index, known));
    }
    (void)err_set(info, codes[m->status], "%s: series %.*s, timestamp %lld", why, STR_FMT(buf_view(&text)),
                  (long long)m->ts);
}

static void judged(struct appender *a, struct sink_sample *m, enum sample_status status)
{
    m->status = (uint8_t)status;
    if (status == SAMPLE_STORED || status == SAMPLE_DUPLICATE) {
        a->result->stored++;
        return;
    }
    a->result->refused[status]++;
    explain(a, m);
}

bool series_labels_valid(struct labels ls)
{
    if (ls.n == 0 || ls.n > LABELS_MAX) {
        return false;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (ls.l[i].name.n == 0 || ls.l[i].value.n == 0 || ls.l[i].name.n > LABEL_BYTES_MAX ||
            ls.l[i].value.n > LABEL_BYTES_MAX || (i > 0 && str_cmp(ls.l[i - 1].name, ls.l[i].name) >= 0)) {
            return false;
        }
    }
    return true;
}

/* Sorts the samples by partition, without those that name no series. */
static enum err distribute(struct appender *a)
{
    struct sink_batch *b = a->batch;
    a->partition_of = arena_array(&a->memory, b->series_count + 1, sizeof(*a->partition_of));
    a->slot_of = arena_array(&a->memory, b->series_count + 1, sizeof(*a->slot_of));
    a->order = arena_array(&a->memory, b->sample_count + 1, sizeof(*a->order));
    a->accepted = arena_array(&a->memory, b->sample_count + 1, sizeof(*a->accepted));
    if (!a->partition_of || !a->slot_of || !a->order || !a->accepted) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < b->series_count; i++) {
        struct sink_series *s = &b->series[i];
        a->slot_of[i] = SLOT_UNKNOWN;
        if (s->ref) { /* right even when it is out of date: the partition follows from the labels */
            a->partition_of[i] = s->ref % PARTITIONS;
            continue;
        }
        s->hash = s->hash ? s->hash : labels_hash(s->labels);
        a->partition_of[i] = (uint8_t)(series_target(b->tenant, s->labels, s->hash) % PARTITIONS);
    }
    uint32_t counts[PARTITIONS] = {0};
    for (size_t i = 0; i < b->sample_count; i++) {
        struct sink_sample *m = &b->samples[i];
        m->status = SAMPLE_STORED;
        if (m->series_index >= b->series_count) {
            judged(a, m, SAMPLE_INVALID);
            continue;
        }
        counts[a->partition_of[m->series_index]]++;
    }
    uint32_t at[PARTITIONS];
    for (unsigned p = 0; p < PARTITIONS; p++) {
        at[p] = a->first[p];
        a->first[p + 1] = a->first[p] + counts[p];
    }
    for (size_t i = 0; i < b->sample_count; i++) {
        if (b->samples[i].status == SAMPLE_STORED) {
            a->order[at[a->partition_of[b->samples[i].series_index]]++] = (uint32_t)i;
        }
    }
    return ERR_OK;
}

/* The slot of a known series, or SLOT_UNKNOWN. */
static int64_t series_lookup(struct appender *a, struct head *h, struct sink_series *s)
{
    if (s->ref && a->refs_hold) {
        uint64_t slot = (s->ref >> 6) - 1;
        if (slot < h->slot_count) {
            const struct series *known = head_series(h, (uint32_t)slot);
            if (known->flags & SERIES_LIVE) {
                return (int64_t)slot;
            }
        }
    }
    s->hash = s->hash ? s->hash : labels_hash(s->labels);
    uint32_t slot = head_find(h, s->labels, s->hash);
    return slot == UINT32_MAX ? SLOT_UNKNOWN : (int64_t)slot;
}

static struct sample_value value_of(const struct sink_sample *m)
{
    return (struct sample_value){m->histogram ? 0 : f64_bits(m->value), m->start_ts, m->histogram};
}

ts_ms tsdb_future(const struct tsdb *db)
{
    return clock_wall_ms(db->o.clock) + FUTURE_MS_MAX;
}

static bool histogram_good(const struct histogram *h)
{
    return is_stale_nan(h->sum) || histogram_check(h, NULL) == ERR_OK;
}

enum sample_status tsdb_sample_check(const struct sink_sample *m, ts_ms future)
{
    if (m->histogram && !histogram_good(m->histogram)) {
        return SAMPLE_INVALID;
    }
    return m->ts > future ? SAMPLE_OUT_OF_BOUNDS : SAMPLE_STORED;
}

/* STORED with *ret_late, or why not (metrics/model/sink.h). `s` may be NULL: a series to be made. */
static enum sample_status judge(const struct appender *a, const struct head *h, const struct series *s,
                                const struct sink_sample *m, uint64_t bits, bool *ret_late)
{
    bool started = s && (s->flags & SERIES_STARTED);
    uint64_t there = 0;
    bool window = a->batch->allow_late && a->db->o.late_window_ms > 0;
    *ret_late = started && m->ts < s->last_ts;
    if (!window && m->ts < a->newest_from) {
        return SAMPLE_OUT_OF_BOUNDS;
    }
    enum sample_status own = tsdb_sample_check(m, a->future);
    if (own != SAMPLE_STORED) {
        return own;
    }
    if (started && m->ts == s->last_ts) {
        return bits == s->last_bits ? SAMPLE_DUPLICATE : SAMPLE_CONFLICT;
    }
    if (!*ret_late && m->ts >= a->newest_from) {
        bool apart = s && s->ext && s->ext->late_count && head_sample_at(h, s, m->ts, &there);
        return !apart ? SAMPLE_STORED : there == bits ? SAMPLE_DUPLICATE : SAMPLE_CONFLICT;
    }
    if (!window || m->ts < a->late_from) {
        return window ? SAMPLE_TOO_OLD : SAMPLE_OUT_OF_ORDER;
    }
    if (s && head_sample_at(h, s, m->ts, &there)) {
        return there == bits ? SAMPLE_DUPLICATE : SAMPLE_CONFLICT;
    }
    return SAMPLE_STORED;
}

static enum err series_make(struct appender *a, struct head *h, uint32_t index,
                            enum sample_status *ret_status)
{
    struct sink_series *s = &a->batch->series[index];
    if (!series_labels_valid(s->labels)) {
        *ret_status = SAMPLE_INVALID;
        return ERR_OK;
    }
    if (atomic_load_explicit(&a->tenant->series, memory_order_relaxed) >= a->db->o.series_max ||
        memory_full(a->db)) {
        *ret_status = SAMPLE_LIMIT;
        return ERR_OK;
    }
    uint32_t slot = 0;
    enum err e = head_create(h, s->labels, s->hash, series_target(a->batch->tenant, s->labels, s->hash),
                             UINT32_MAX, &slot);
    if (e == ERR_LIMIT) {
        *ret_status = SAMPLE_LIMIT;
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return e;
    }
    if (!a->created_any) { /* numbers for all of the batch: order of creation is order in the batch */
        uint32_t n = (uint32_t)a->batch->series_count;
        a->created_from = (uint32_t)atomic_fetch_add_explicit(&a->tenant->created, n, memory_order_relaxed);
        a->created_any = true;
    }
    *head_order(h, slot) = a->created_from + index;
    atomic_fetch_add_explicit(&a->tenant->series, 1, memory_order_relaxed);
    memory_series_made(a->db, s->labels);
    a->result->new_series++;
    s->made = true;
    a->slot_of[index] = slot;
    *ret_status = SAMPLE_STORED;
    return ERR_OK;
}

/* Asks memory for what consider will look at. */
static void consider_soon(const struct appender *a, const struct head *h, uint32_t sample)
{
    const struct sink_series *s = &a->batch->series[a->batch->samples[sample].series_index];
    uint64_t slot = (s->ref >> 6) - 1;
    if (!s->ref) {
        head_find_soon(h, s->hash);
    } else if (a->refs_hold && slot < h->slot_count) {
        __builtin_prefetch(head_series(h, (uint32_t)slot), 1);
    }
}

static enum err consider(struct appender *a, struct head *h, unsigned partition, uint32_t sample)
{
    struct sink_sample *m = &a->batch->samples[sample];
    struct sink_series *in = &a->batch->series[m->series_index];
    int64_t *slot = &a->slot_of[m->series_index];
    if (*slot == SLOT_UNKNOWN) {
        *slot = series_lookup(a, h, in);
    }
    struct series *s = *slot == SLOT_UNKNOWN ? NULL : head_series(h, (uint32_t)*slot);
    bool late = false;
    struct sample_value v = value_of(m);
    uint64_t identity = value_identity(&v);
    enum sample_status status = judge(a, h, s, m, identity, &late);
    if (status == SAMPLE_STORED && late && memory_late_full(a->db)) {
        return ERR_UNAVAILABLE;
    }
    if (status == SAMPLE_STORED && !s) {
        enum err e = series_make(a, h, m->series_index, &status);
        if (e != ERR_OK) {
            return e;
        }
        s = *slot == SLOT_UNKNOWN ? NULL : head_series(h, (uint32_t)*slot);
    }
    if (s) {
        in->ref = ref_of(partition, (uint32_t)*slot);
    }
    if (status != SAMPLE_STORED) {
        judged(a, m, status);
        return ERR_OK;
    }
    ASSERT(s); /* series_make says so, or another status */
    if (s->tail && identity != s->last_bits) {
        __builtin_prefetch(s->tail + s->tail_bits / 8, 1); /* until it is applied */
    }
    a->accepted[a->accepted_count++] = (struct accepted){.series = s,
                                                         .slot = (uint32_t)*slot,
                                                         .sample = sample,
                                                         .late = late,
                                                         .was_started = (s->flags & SERIES_STARTED) != 0,
                                                         .last_ts = s->last_ts,
                                                         .last_bits = s->last_bits};
    if (!late) { /* as if it were stored, for the samples that follow; undone before it is */
        s->last_ts = m->ts;
        s->last_bits = identity;
        s->flags |= SERIES_STARTED;
    }
    return ERR_OK;
}

static void forget(struct appender *a, size_t from)
{
    for (size_t i = a->accepted_count; i-- > from;) {
        struct accepted *c = &a->accepted[i];
        c->series->last_ts = c->last_ts;
        c->series->last_bits = c->last_bits;
        if (!c->was_started) {
            c->series->flags &= (uint8_t)~SERIES_STARTED;
        }
    }
}

static enum err log_record(struct appender *a, struct head *h, struct partition *p, unsigned partition)
{
    struct record_writer w;
    struct label labels[2][LABELS_MAX]; /* the writer looks back at the set before */
    size_t from = a->accepted_first[partition], defined = 0;
    record_begin(&w, &p->record, a->tenant->name);
    for (size_t i = from; i < a->accepted_count; i++) {
        struct series *s = a->accepted[i].series;
        if (!(s->flags & (SERIES_LOGGED | SERIES_DEFINED))) {
            struct label *out = labels[defined++ % 2];
            index_labels(h->index, s->labels, out);
            record_define(&w, a->accepted[i].slot, (struct labels){out, s->labels->n});
            s->flags |= SERIES_DEFINED;
        }
    }
    record_samples(&w);
    for (size_t i = from; i < a->accepted_count; i++) {
        const struct sink_sample *m = &a->batch->samples[a->accepted[i].sample];
        struct sample_value v = value_of(m);
        record_sample(&w, a->accepted[i].slot, m->ts, &v);
    }
    struct str part = buf_view(&p->record);
    uint64_t offset = 0;
    enum err e = p->record.err != ERR_OK
                     ? err_set(a->info, p->record.err, "the record of a batch does not fit in memory")
                     : ingest_log_place(a->db->log, partition, &part, 1, &offset, a->info);
    for (size_t i = from; i < a->accepted_count; i++) {
        a->accepted[i].series->flags &= (uint8_t)~SERIES_DEFINED;
    }
    if (e == ERR_OK) {
        p->end = offset + 1;
        a->offset_max = offset > a->offset_max ? offset : a->offset_max;
        a->placed = true;
    }
    return e;
}

/* The timestamp that most samples of the partition share, or INT64_MIN. */
static ts_ms common_tick(const struct appender *a, size_t from, size_t to)
{
    ts_ms candidate = INT64_MIN;
    size_t votes = 0, count = 0;
    for (size_t i = from; i < to; i++) {
        ts_ms ts = a->batch->samples[a->accepted[i].sample].ts;
        if (votes == 0) {
            candidate = ts;
        }
        votes = candidate == ts ? votes + 1 : votes - 1;
    }
    for (size_t i = from; i < to; i++) {
        count += a->batch->samples[a->accepted[i].sample].ts == candidate;
    }
    return count >= CLOCK_SERIES_MIN && count * 2 > to - from ? candidate : INT64_MIN;
}

static enum err apply_sample(struct appender *a, struct head *h, const struct accepted *c, ts_ms tick)
{
    struct sink_sample *m = &a->batch->samples[c->sample];
    struct sample_value v = value_of(m);
    uint64_t there = 0;
    enum sample_status status = SAMPLE_STORED;
    c->series->flags |= SERIES_LOGGED;
    /* While a flush runs, what belongs below its bound is kept apart from what it writes. */
    bool fresh = m->ts < atomic_load_explicit(&a->db->flushing_before, memory_order_relaxed);
    enum err e = c->late || fresh ? head_push_late(h, c->series, m->ts, &v, fresh)
                                  : head_push(h, c->series, m->ts, &v, tick);
    if (e == ERR_EXISTS && head_sample_at(h, c->series, m->ts, &there)) {
        status = there == value_identity(&v) ? SAMPLE_DUPLICATE : SAMPLE_CONFLICT;
    } else if (e == ERR_LIMIT) {
        status = SAMPLE_LIMIT;
    } else if (e != ERR_OK) {
        return err_set(a->info, e, "no memory to store samples; send the batch again");
    }
    judged(a, m, status);
    tenant_max_ts_raise(a->tenant, m->ts);
    if (c->late || m->ts < a->mutable_from) {
        atomic_fetch_add_explicit(&a->db->generation, 1, memory_order_relaxed);
    }
    return ERR_OK;
}

static enum err apply(struct appender *a, unsigned partition)
{
    struct partition *p = &a->db->partitions[partition];
    size_t from = a->accepted_first[partition], to = a->accepted_first[partition + 1];
    enum err e = ERR_OK;
    if (from == to) {
        return ERR_OK;
    }
    ts_ms tick = common_tick(a, from, to);
    size_t late = 0;
    mutex_lock(&p->lock);
    struct head *h = partition_head_find(p, a->tenant);
    for (size_t i = from; e == ERR_OK && i < to; i++) {
        late += a->accepted[i].late;
        e = apply_sample(a, h, &a->accepted[i], tick);
    }
    mutex_unlock(&p->lock);
    if (late) {
        memory_late_made(a->db, late);
    }
    return e;
}

static enum err place(struct appender *a, unsigned partition)
{
    struct partition *p = &a->db->partitions[partition];
    struct head *h = NULL;
    mutex_lock(&p->lock);
    enum err e = partition_head(p, a->tenant, &a->db->pool, &h);
    for (uint32_t i = a->first[partition]; e == ERR_OK && i < a->first[partition + 1]; i++) {
        if (i + LOOK_AHEAD < a->first[partition + 1]) {
            consider_soon(a, h, a->order[i + LOOK_AHEAD]);
        }
        e = consider(a, h, partition, a->order[i]);
    }
    if (e == ERR_UNAVAILABLE) {
        (void)err_set(a->info, e,
                      "late samples take more than %llu MiB (an eighth of the setting memory) until they are "
                      "written to a block: send the batch again",
                      (unsigned long long)(memory_late_bytes(a->db) >> 20));
    } else if (e != ERR_OK) {
        (void)err_set(a->info, e, "no memory for new series");
    } else if (a->accepted_count > a->accepted_first[partition]) {
        e = log_record(a, h, p, partition);
    }
    forget(a, a->accepted_first[partition]);
    mutex_unlock(&p->lock);
    return e;
}

/* With the writer locks: references of an epoch that is over are of no use, and a series given by one alone
 * is then not known. CONFLICT asks for its labels. */
static enum err refs_check(struct appender *a)
{
    const struct sink_batch *b = a->batch;
    a->refs_hold = b->epoch == atomic_load(&a->db->epoch);
    for (size_t i = 0; !a->refs_hold && i < b->series_count; i++) {
        if (b->series[i].ref && b->series[i].labels.n == 0) {
            return err_set(a->info, ERR_CONFLICT, "the references of the batch are out of date");
        }
        b->series[i].ref = 0;
    }
    return ERR_OK;
}

static enum err append_all(struct appender *a)
{
    enum err e = distribute(a);
    if (e != ERR_OK) {
        return err_set(a->info, e, "no memory for a batch of %zu samples", a->batch->sample_count);
    }
    for (unsigned p = 0; p < PARTITIONS; p++) { /* always in this order: no deadlock */
        if (a->first[p] < a->first[p + 1]) {
            mutex_lock(&a->db->partitions[p].writer);
        }
    }
    e = refs_check(a);
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        a->accepted_first[p] = a->accepted_count;
        e = a->first[p] < a->first[p + 1] ? place(a, p) : ERR_OK;
        a->accepted_first[p + 1] = a->accepted_count;
    }
    if (e == ERR_OK && a->placed) {
        e = ingest_log_wait(a->db->log, a->offset_max, a->info);
    }
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        e = apply(a, p);
    }
    for (unsigned p = 0; p < PARTITIONS; p++) {
        if (a->first[p] < a->first[p + 1]) {
            mutex_unlock(&a->db->partitions[p].writer);
        }
    }
    return e;
}

/* Which series of the batch are there, or would be but for the time of their samples. NULL: no matter. */
static enum err series_known(struct appender *a, bool **ret_known)
{
    const struct sink_batch *b = a->batch;
    *ret_known = NULL;
    if (!b->exemplars_need_series || b->exemplar_count == 0) {
        return ERR_OK;
    }
    bool *known = arena_zarray(&a->memory, b->series_count + 1, sizeof(*known));
    if (!known) {
        return err_set(a->info, ERR_OOM, "no memory for exemplars");
    }
    for (size_t i = 0; i < b->sample_count; i++) {
        const struct sink_sample *m = &b->samples[i];
        if (m->series_index < b->series_count) {
            known[m->series_index] |= m->status < SAMPLE_OUT_OF_BOUNDS;
        }
    }
    for (size_t i = 0; i < b->exemplar_count; i++) { /* those that came without a sample */
        uint32_t index = b->exemplars[i].series_index;
        if (index >= b->series_count || known[index] || b->series[index].labels.n == 0) {
            continue;
        }
        struct partition *p = &a->db->partitions[a->partition_of[index]];
        mutex_lock(&p->lock);
        struct head *h = partition_head_find(p, a->tenant);
        known[index] = h && series_lookup(a, h, &b->series[index]) != SLOT_UNKNOWN;
        mutex_unlock(&p->lock);
    }
    *ret_known = known;
    return ERR_OK;
}

static ts_ms before(ts_ms t, int64_t by_ms)
{
    ts_ms r;
    return __builtin_sub_overflow(t, by_ms, &r) ? INT64_MIN : r;
}

enum err tsdb_append_now(struct tsdb *db, struct sink_batch *batch, struct sink_result *ret_result,
                         struct err_info *reterr_info)
{
    struct sink_result result = {.epoch = atomic_load(&db->epoch)};
    struct appender a = {.db = db, .batch = batch, .result = &result, .info = reterr_info};
    enum err e = tenant_get(db, batch->tenant, true, &a.tenant);
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "tenant \"%.*s\": %s", STR_FMT(batch->tenant), err_text(e));
    }
    ts_ms newest = atomic_load_explicit(&a.tenant->max_ts, memory_order_relaxed);
    a.newest_from = before(newest, db->o.block_ms / 2);
    a.late_from = before(newest, db->o.late_window_ms);
    a.mutable_from = tsdb_mutable_from(db);
    a.future = tsdb_future(db);
    arena_init(&a.memory, 0, NULL);
    bool *known = NULL;
    e = append_all(&a);
    a.refs_hold = false; /* with the writer locks */
    e = e == ERR_OK ? series_known(&a, &known) : e;
    e = e == ERR_OK ? side_store(db, a.tenant, batch, known, &result, reterr_info) : e;
    arena_done(&a.memory);
    if (e != ERR_OK) {
        return e;
    }
    atomic_fetch_add_explicit(&db->appended, result.stored, memory_order_relaxed);
    if (result.new_series) {
        atomic_fetch_add_explicit(&db->series_created, result.new_series, memory_order_relaxed);
    }
    for (size_t i = 0; i < SAMPLE_STATUS_COUNT; i++) {
        atomic_fetch_add_explicit(&db->refused[i], result.refused[i], memory_order_relaxed);
    }
    *ret_result = result;
    return ERR_OK;
}

enum err tsdb_writable(const struct tsdb *db, struct err_info *reterr_info)
{
    if (!atomic_load_explicit(&db->disk_full, memory_order_relaxed)) {
        return ERR_OK;
    }
    return err_set(reterr_info, ERR_NO_SPACE,
                   "less than %llu MiB are free below %s: writes are refused until there is room",
                   (unsigned long long)(db->o.disk_reserve_bytes >> 20), db->dir);
}

static enum err tsdb_append(struct metric_sink *s, struct sink_batch *batch, struct sink_result *ret_result,
                            struct err_info *reterr_info)
{
    struct tsdb *db = tsdb_of_sink(s);
    enum err full = tsdb_writable(db, reterr_info);
    if (full != ERR_OK) {
        return full;
    }
    if (atomic_load(&db->staging.active)) {
        bool taken = false;
        enum err e = staging_append(db, batch, &taken, ret_result, reterr_info);
        if (e != ERR_OK || taken) {
            return e;
        }
    }
    return tsdb_append_now(db, batch, ret_result, reterr_info);
}

const struct metric_sink_ops tsdb_sink_ops = {.append = tsdb_append, .append_column = tsdb_append_column};
