/* Random batches, columns and deletions into the store and into a naive model: what the store says to each
 * sample and what it hands out later must be the model's. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"

enum {
    BATCH_MAX = 64
};

void model_init(struct model *m, uint64_t seed)
{
    *m = (struct model){.now = MODEL_T0};
    rng_init(&m->rng, seed);
    static const char *const names[4] = {"__name__", "instance", "job", "kind"};
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        struct model_series *s = &m->series[i];
        (void)snprintf(s->text[0], sizeof(s->text[0]), "metric_%zu", i % MODEL_METRICS);
        (void)snprintf(s->text[1], sizeof(s->text[1]), "host%zu:9100", i / MODEL_METRICS);
        (void)snprintf(s->text[2], sizeof(s->text[2]), "node");
        (void)snprintf(s->text[3], sizeof(s->text[3]), "%s", i % 2 ? "odd" : "even");
        for (size_t k = 0; k < 4; k++) {
            s->labels[k] = (struct label){str_c(names[k]), str_c(s->text[k])};
        }
        s->samples = calloc(MODEL_SAMPLES_MAX, sizeof(*s->samples));
    }
}

void model_done(struct model *m)
{
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        free(m->series[i].samples);
    }
}

bool model_is_histogram(size_t series, uint64_t bits)
{
    return series % MODEL_METRICS == 6 && bits < 1 << 20;
}

ts_ms model_start(size_t series, uint64_t bits)
{
    return series % MODEL_METRICS == 5 && bits % 3 ? MODEL_T0 - (ts_ms)(bits % 5) * 1000 : 0;
}

const struct histogram *model_histogram(struct model_histogram *m, uint64_t seed)
{
    static const struct histogram_span spans[4] = {{-3, 2}, {1, 0}, {4, 1}, {1000, 3}};
    *m = (struct model_histogram){.h = {.sum = seed ? (double)seed : stale_nan()}};
    struct histogram *h = &m->h;
    if (seed == 0) {
        return h;
    }
    unsigned layout = (unsigned)(seed >> 6) % 4;
    memcpy(m->spans, spans, sizeof(spans));
    h->is_float = layout == 1;
    h->reset_hint = (seed >> 8) % 8 == 1 ? HRESET_GAUGE : (seed >> 9) % 8 == 2 ? HRESET_YES : HRESET_UNKNOWN;
    h->schema = layout == 2 ? HISTOGRAM_SCHEMA_CUSTOM : (int8_t)((seed >> 10) % 13 - 4);
    h->positive_spans = m->spans;
    h->positive_span_count = layout == 2 ? 1 : 4;
    h->positive_count = layout == 2 ? 2 : 6;
    h->positive = m->counts;
    for (uint32_t i = 0; i < h->positive_count; i++) {
        m->counts[i] = layout == 1 ? (double)seed / (i + 1) : (double)(seed * (i + 1) / 3);
        h->count += m->counts[i];
    }
    if (layout == 2) {
        m->spans[0].offset = 0;
        m->bounds[1] = 0.5;
        m->bounds[2] = (double)(seed >> 12);
        h->custom_values = m->bounds + (seed >> 12 ? 0 : 1);
        m->bounds[0] = -1;
        h->custom_value_count = seed >> 12 ? 3 : 1;
        return h;
    }
    h->zero_threshold = layout == 3 ? 1e-128 : 0;
    h->zero_count = layout == 3 ? 7 : 0;
    m->negative_spans[0] = (struct histogram_span){5, 2};
    h->negative_spans = m->negative_spans;
    h->negative_span_count = layout == 3;
    h->negative = m->negative;
    h->negative_count = layout == 3 ? 2 : 0;
    m->negative[0] = (double)(seed / 5);
    h->count += h->zero_count + (layout == 3 ? m->negative[0] : 0);
    return h;
}

static ts_ms model_max(const struct model *m)
{
    ts_ms max = INT64_MIN;
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        const struct model_series *s = &m->series[i];
        max = s->n && s->samples[s->n - 1].ts > max ? s->samples[s->n - 1].ts : max;
    }
    return max;
}

static enum sample_status model_append(struct model_series *s, ts_ms max, ts_ms ts, uint64_t bits)
{
    size_t at = s->n;
    while (at > 0 && s->samples[at - 1].ts >= ts) {
        at--;
    }
    bool there = at < s->n && s->samples[at].ts == ts;
    if (there && at + 1 == s->n) {
        return s->samples[at].bits == bits ? SAMPLE_DUPLICATE : SAMPLE_CONFLICT;
    }
    if (max != INT64_MIN && ts < max - MODEL_LATE_MS) {
        return SAMPLE_TOO_OLD;
    }
    if (there) {
        return s->samples[at].bits == bits ? SAMPLE_DUPLICATE : SAMPLE_CONFLICT;
    }
    if (s->n == MODEL_SAMPLES_MAX) {
        abort();
    }
    memmove(s->samples + at + 1, s->samples + at, (s->n - at) * sizeof(*s->samples));
    s->samples[at] = (struct model_sample){.ts = ts, .bits = bits};
    s->n++;
    return SAMPLE_STORED;
}

/* A sample that was taken again where it had been deleted; one that is new there is there. */
static void model_note(struct model *m, size_t series, ts_ms ts)
{
    struct model_series *s = &m->series[series];
    for (size_t i = 0; i < m->stone_count; i++) {
        const struct model_stone *t = &m->stones[i];
        if (t->target != series / MODEL_METRICS || ts < t->start || ts > t->end) {
            continue;
        }
        for (size_t k = s->n; k-- > 0 && s->samples[k].ts >= ts;) {
            if (s->samples[k].ts == ts && s->samples[k].state == MODEL_GONE) {
                s->samples[k].state = MODEL_MAYBE;
            }
        }
    }
}

bool model_delete(struct model *m, struct tsdb *db)
{
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct err_info info = {0};
    size_t target = rng_below(&m->rng, MODEL_TARGETS);
    ts_ms end = m->now - (ts_ms)rng_below(&m->rng, 2 * MODEL_LATE_MS), max = model_max(m);
    ts_ms start = end - (ts_ms)rng_below(&m->rng, MODEL_LATE_MS / 4);
    struct matcher match = {
        .op = MATCH_EQ, .name = STR("instance"), .value = m->series[target * MODEL_METRICS].labels[1].value};
    end = end < max ? end : max;
    if (m->stone_count == MODEL_STONES_MAX) {
        return true;
    }
    if (tsdb_delete(db, &q, &match, 1, start, end, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    m->stones[m->stone_count++] = (struct model_stone){target, start, end};
    m->flushed = true; /* what there is goes to a block before it is deleted */
    m->refs_good = false;
    for (size_t i = 0; i < MODEL_METRICS; i++) {
        struct model_series *s = &m->series[target * MODEL_METRICS + i];
        for (size_t k = 0; k < s->n; k++) {
            bool hit = s->samples[k].ts >= start && s->samples[k].ts <= end;
            s->samples[k].state = hit ? MODEL_GONE : s->samples[k].state;
        }
    }
    return true;
}

static uint64_t model_value(struct model *m, size_t series)
{
    static const uint64_t odd[] = {STALE_NAN_BITS,     NORMAL_NAN_BITS,
                                   0x7ff800000000abcd, 0x8000000000000000,
                                   0x7ff0000000000000, 1,
                                   0xffffffffffffffff, 0};
    if (series % MODEL_METRICS == 6) { /* counters that grow and start anew, among them a few floats */
        uint64_t step = (uint64_t)(m->now - MODEL_T0) / 15000;
        return rng_below(&m->rng, 20) ? (step * 2 + rng_below(&m->rng, 2)) % 5000 : f64_bits(0.5);
    }
    switch (series % 4) {
    case 0:
        return f64_bits(1);
    case 1:
        return f64_bits((double)(m->now - MODEL_T0) / 1000 + (double)rng_below(&m->rng, 3));
    case 2:
        return f64_bits((double)rng_below(&m->rng, 100000) / 100);
    default:
        return rng_below(&m->rng, 3) ? rng_u64(&m->rng) : odd[rng_below(&m->rng, 8)];
    }
}

struct batch {
    struct sink_series series[MODEL_SERIES];
    struct sink_sample samples[BATCH_MAX];
    size_t which[BATCH_MAX], n;
    uint64_t bits[BATCH_MAX];
    struct model_histogram histograms[BATCH_MAX];
};

static void batch_add(struct batch *b, size_t series, ts_ms ts, uint64_t bits)
{
    b->which[b->n] = series;
    b->bits[b->n] = bits;
    b->samples[b->n] = (struct sink_sample){.series_index = (uint32_t)series,
                                            .ts = ts,
                                            .start_ts = model_start(series, bits),
                                            .value = f64_of_bits(bits)};
    if (model_is_histogram(series, bits)) {
        b->samples[b->n].histogram = model_histogram(&b->histograms[b->n], bits);
    }
    b->n++;
}

static void batch_fill(struct model *m, struct batch *b)
{
    size_t target = rng_below(&m->rng, MODEL_TARGETS);
    unsigned kind = (unsigned)rng_below(&m->rng, 16);
    if (kind < 12) { /* a scrape; now and then a series is missing or has a time of its own */
        m->now += rng_below(&m->rng, 50) ? 15000 / MODEL_TARGETS : (int64_t)rng_below(&m->rng, 900000);
        for (size_t i = 0; i < MODEL_METRICS; i++) {
            size_t s = target * MODEL_METRICS + i;
            if (rng_below(&m->rng, 40)) {
                batch_add(b, s, i == 5 ? m->now - 7 : m->now, model_value(m, s));
            }
        }
        return;
    }
    while (b->n < BATCH_MAX / 2) { /* a push: any series, any time, duplicates of what is there */
        size_t s = rng_below(&m->rng, MODEL_SERIES);
        const struct model_series *ms = &m->series[s];
        if (ms->n && rng_below(&m->rng, 3) == 0) {
            const struct model_sample *old =
                &ms->samples[ms->n - 1 - rng_below(&m->rng, ms->n < 50 ? ms->n : 50)];
            batch_add(b, s, old->ts, m->flushed || rng_below(&m->rng, 3) ? old->bits : model_value(m, s));
        } else {
            batch_add(b, s, m->now - (ts_ms)rng_below(&m->rng, MODEL_LATE_MS * 5 / 4), model_value(m, s));
        }
    }
}

/* -- columns --------------------------------------------------------------------------------------------- */

/* A scrape that a column can hold: one time, floats, no start timestamps. */
static void column_fill(struct model *m, struct batch *b)
{
    size_t target = rng_below(&m->rng, MODEL_TARGETS);
    m->now += rng_below(&m->rng, 50) ? 15000 / MODEL_TARGETS : (int64_t)rng_below(&m->rng, 900000);
    ts_ms ts = rng_below(&m->rng, 30) ? m->now : m->now - (ts_ms)rng_below(&m->rng, 60000);
    for (size_t i = 0; i < MODEL_METRICS; i++) {
        size_t s = target * MODEL_METRICS + i;
        uint64_t bits = model_value(m, s);
        if (i == 5) {
            bits -= bits % 3;
        }
        if (model_is_histogram(s, bits)) {
            bits = rng_below(&m->rng, 4) ? f64_bits(0.25) : STALE_NAN_BITS;
        }
        if (rng_below(&m->rng, 20)) {
            batch_add(b, s, ts, bits);
        }
    }
    if (b->n && rng_below(&m->rng, 60) == 0) { /* the same series twice: no column */
        batch_add(b, b->which[0], ts, b->bits[0]);
    }
}

/* Nothing about the column is out of the ordinary. */
static bool column_plain(const struct model *m, const struct batch *b)
{
    bool plain = m->refs_good && model_max(m) != INT64_MIN;
    for (size_t i = 0; plain && i < b->n; i++) {
        const struct model_series *s = &m->series[b->which[i]];
        ts_ms ts = b->samples[i].ts;
        plain = m->refs[b->which[i]] && m->started[b->which[i]] && s->samples[s->n - 1].ts < ts &&
                ts >= model_max(m) - m->column_lag_ms && !(i > 0 && b->which[i] == b->which[0]);
    }
    return plain;
}

static bool column_judged(struct model *m, const struct batch *b)
{
    ts_ms max = model_max(m);
    for (size_t i = 0; i < b->n; i++) {
        enum sample_status want = model_append(&m->series[b->which[i]], max, b->samples[i].ts, b->bits[i]);
        if (want != SAMPLE_STORED && !m->flushed) {
            test_fail_i64(__FILE__, __LINE__, "a sample that no column may have", SAMPLE_STORED, want);
            return false;
        }
        model_note(m, b->which[i], b->samples[i].ts);
    }
    m->columns++;
    return true;
}

/* Sends b as a column. *ret_taken: it is stored. */
static bool column_try(struct model *m, struct metric_sink *sink, const struct batch *b, bool *ret_taken)
{
    series_ref refs[BATCH_MAX];
    double values[BATCH_MAX];
    struct err_info info = {0};
    bool known = b->n > 0, plain = column_plain(m, b);
    for (size_t i = 0; i < b->n; i++) {
        refs[i] = m->refs[b->which[i]];
        values[i] = b->samples[i].value;
        known = known && refs[i];
    }
    struct sink_column c = {STR("anonymous"), refs, values, b->n, known ? b->samples[0].ts : 0, m->epoch};
    enum err e = known ? sink->ops->append_column(sink, &c, &info) : ERR_UNSUPPORTED;
    *ret_taken = e == ERR_OK;
    if (e == ERR_UNSUPPORTED && !(known && plain)) {
        return true;
    }
    if (e != ERR_OK) {
        test_fail(__FILE__, __LINE__, e == ERR_UNSUPPORTED ? "a plain column was refused" : info.message);
        return false;
    }
    return column_judged(m, b);
}

/* -- steps ----------------------------------------------------------------------------------------------- */

static bool model_has(const struct model_series *s, ts_ms ts, uint64_t bits)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->samples[i].ts == ts) {
            return s->samples[i].bits == bits;
        }
    }
    return false;
}

static bool rows_judged(struct model *m, const struct batch *b)
{
    ts_ms max = model_max(m);
    for (size_t i = 0; i < b->n; i++) {
        struct model_series *s = &m->series[b->which[i]];
        enum sample_status want = model_append(s, max, b->samples[i].ts, b->bits[i]);
        enum sample_status got = b->samples[i].status;
        /* A head that lost its newest to a block still knows what is newest to it, however old that is; and
         * of what it lost it knows no more than how old it is. */
        bool known =
            want == SAMPLE_TOO_OLD && got == SAMPLE_DUPLICATE && model_has(s, b->samples[i].ts, b->bits[i]);
        bool again = want == SAMPLE_DUPLICATE || want == SAMPLE_CONFLICT;
        bool lost = again && got == SAMPLE_TOO_OLD && b->samples[i].ts < max - MODEL_LATE_MS;
        if (got != want && !(m->flushed && (known || lost || (again && got <= SAMPLE_CONFLICT)))) {
            test_fail_i64(__FILE__, __LINE__, "status of a sample", b->samples[i].status, want);
            return false;
        }
        if (b->samples[i].status == SAMPLE_STORED) {
            m->started[b->which[i]] = true;
            model_note(m, b->which[i], b->samples[i].ts);
        }
    }
    return true;
}

bool model_step(struct model *m, struct metric_sink *sink)
{
    struct batch b = {.n = 0};
    bool taken = false;
    if (m->column_lag_ms && rng_below(&m->rng, 3)) {
        column_fill(m, &b);
        if (!column_try(m, sink, &b, &taken) || taken) {
            return taken;
        }
    } else {
        batch_fill(m, &b);
    }
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        b.series[i] = (struct sink_series){.labels = {m->series[i].labels, 4}, .ref = m->refs[i]};
    }
    struct sink_batch batch = {.tenant = STR("anonymous"),
                               .series = b.series,
                               .series_count = MODEL_SERIES,
                               .samples = b.samples,
                               .sample_count = b.n,
                               .epoch = m->epoch,
                               .allow_late = true};
    struct sink_result result = {0};
    struct err_info info = {0};
    if (sink->ops->append(sink, &batch, &result, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    m->epoch = result.epoch;
    if (!m->refs_good) {
        memset(m->started, 0, sizeof(m->started));
    }
    m->refs_good = true;
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        m->refs[i] = b.series[i].ref;
    }
    return rows_judged(m, &b);
}

static size_t model_find(const struct model *m, struct labels ls)
{
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        if (labels_eq(ls, (struct labels){m->series[i].labels, 4})) {
            return i;
        }
    }
    return MODEL_SERIES;
}

/* A gauge stays one, and nothing else becomes one; what is said of resets is checked by others. */
static bool histogram_same(uint64_t seed, const struct histogram *got)
{
    struct model_histogram m;
    const struct histogram *want = model_histogram(&m, seed);
    return got && histogram_equal(want, got) && got->is_float == want->is_float &&
           (got->reset_hint == HRESET_GAUGE) == (want->reset_hint == HRESET_GAUGE);
}

static bool sample_same(size_t series, uint64_t want, const struct metric_series *got, uint32_t k)
{
    const struct histogram *h = got->histograms ? got->histograms[k] : NULL;
    if (model_start(series, want) != (got->start_ts ? got->start_ts[k] : 0)) {
        return false;
    }
    return model_is_histogram(series, want) ? histogram_same(want, h)
                                            : !h && want == f64_bits(got->values[k]);
}

/* The place of the next sample at or after `i` that must be there, below `until`. */
static size_t next_there(const struct model_series *s, size_t i, ts_ms until)
{
    while (i < s->n && s->samples[i].ts < until && s->samples[i].state != MODEL_THERE) {
        i++;
    }
    return i;
}

static bool series_same(const struct model *m, size_t series, const struct metric_batch *b,
                        const struct metric_series *got, ts_ms from, ts_ms to)
{
    const struct model_series *want = &m->series[series];
    size_t i = 0;
    while (i < want->n && want->samples[i].ts < from) {
        i++;
    }
    for (uint32_t k = 0; k < got->count; k++) {
        ts_ms ts = b->ts[got->clock_first + k];
        if (k > 0 && ts <= b->ts[got->clock_first + k - 1]) {
            return false;
        }
        if (ts < from || ts > to) {
            continue;
        }
        i = next_there(want, i, ts);
        if (i == want->n || want->samples[i].ts != ts || want->samples[i].state == MODEL_GONE ||
            !sample_same(series, want->samples[i].bits, got, k)) {
            return false;
        }
        i++;
    }
    i = next_there(want, i, INT64_MAX);
    return i == want->n || want->samples[i].ts > to;
}

static bool has_samples(const struct model_series *s, ts_ms from, ts_ms to)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->samples[i].ts >= from && s->samples[i].ts <= to && s->samples[i].state == MODEL_THERE) {
            return true;
        }
    }
    return false;
}

/* By a selector, which blocks remember, or without one. */
static bool check_selected(const struct model *m, struct metric_source *src, ts_ms from, ts_ms to,
                           bool selected)
{
    struct matcher all = {.op = MATCH_EQ, .name = STR("job"), .value = STR("node")};
    struct metric_select sel = {.matchers = &all, .matcher_count = selected, .start_ms = from, .end_ms = to};
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct err_info info = {0};
    bool seen[MODEL_SERIES] = {false}, same = true;
    if (src->ops->select(src, &q, &sel, &c, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    enum err e;
    while ((e = src->ops->next(c, &b, &info)) == ERR_OK) {
        for (uint32_t i = 0; i < b.series_count; i++) {
            size_t s = model_find(m, b.series[i].labels);
            same = same && s < MODEL_SERIES && !seen[s] && series_same(m, s, &b, &b.series[i], from, to);
            seen[s % MODEL_SERIES] = true;
        }
    }
    src->ops->close(c);
    for (size_t i = 0; i < MODEL_SERIES; i++) {
        same = same && (seen[i] || !has_samples(&m->series[i], from, to));
    }
    if (e != ERR_NOT_FOUND || !same) {
        test_fail(__FILE__, __LINE__, "the store and the model differ");
        return false;
    }
    return true;
}

bool model_check(const struct model *m, struct metric_source *src, ts_ms from, ts_ms to)
{
    return check_selected(m, src, from, to, true) && check_selected(m, src, from, to, false);
}
