/* Histograms in the store: what becomes of reset hints, of wrong ones, of allocations that fail. */
#include <stdio.h>

#include "harness.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/rich.h"
#include "model.h"

static struct tsdb *open_at(const char *dir, struct clock *clock)
{
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_OS, .clock = clock, .block_ms = 600000};
    struct tsdb *db = NULL;
    struct err_info info = {0};
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return db;
}

static struct label labels_of_one[] = {{STR_INIT("__name__"), STR_INIT("h")}};

/* Appends a histogram of one bucket. */
static enum sample_status append(struct tsdb *db, ts_ms ts, double count, uint8_t hint, struct sink_result *r)
{
    struct histogram_span span = {0, 1};
    struct histogram h = {.count = count,
                          .sum = 1,
                          .reset_hint = hint,
                          .positive_spans = &span,
                          .positive_span_count = 1,
                          .positive = &count,
                          .positive_count = 1};
    struct sink_series s = {.labels = {labels_of_one, 1}};
    struct sink_sample m = {.ts = ts, .histogram = &h};
    struct sink_batch b = {.tenant = STR("anonymous"),
                           .series = &s,
                           .series_count = 1,
                           .samples = &m,
                           .sample_count = 1,
                           .allow_late = true};
    struct err_info info = {0};
    if (tsdb_sink(db)->ops->append(tsdb_sink(db), &b, r, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return (enum sample_status)m.status;
}

/* The hints of all samples, as digits. */
static struct str hints(struct tsdb *db, char text[64])
{
    struct matcher all = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("h")};
    struct metric_select sel = {
        .matchers = &all, .matcher_count = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    size_t n = 0;
    if (src->ops->select(src, &q, &sel, &c, NULL) == ERR_OK) {
        while (src->ops->next(c, &b, NULL) == ERR_OK) {
            for (uint32_t i = 0; i < b.series[0].count && n < 63; i++) {
                const struct histogram *h = b.series[0].histograms ? b.series[0].histograms[i] : NULL;
                text[n++] = h ? (char)('0' + h->reset_hint) : 'f';
            }
        }
        src->ops->close(c);
    }
    return str_of(text, n);
}

TEST(reset_hints_are_found_when_samples_are_stored)
{
    struct clock clock;
    char text[64];
    const char *dir = test_dir();
    struct sink_result r;
    clock_fake_init(&clock, (MODEL_T0 + 7200000) * NS_PER_MS);
    struct tsdb *db = open_at(dir, &clock);
    CHECK(db);
    static const struct {
        double count;
        uint8_t hint;
    } rows[] = {{5, 0}, {6, 0}, {6, HRESET_NO}, {2, HRESET_NO}, {3, 0}, {4, HRESET_YES}, {1, HRESET_GAUGE},
                {2, 0}, {3, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_EQ(append(db, MODEL_T0 + (ts_ms)i * 60000, rows[i].count, rows[i].hint, &r), SAMPLE_STORED);
    }
    CHECK_STR(hints(db, text), "022020302");
    /* A late sample comes between: what follows it was compared with another one. */
    CHECK_EQ(append(db, MODEL_T0 + 61000, 6, 0, &r), SAMPLE_STORED);
    CHECK_STR(hints(db, text), "0200020302");
    CHECK_EQ(append(db, MODEL_T0 + 61000, 6, 0, &r), SAMPLE_DUPLICATE);
    CHECK_EQ(append(db, MODEL_T0 + 61000, 7, 0, &r), SAMPLE_CONFLICT);
    tsdb_close(db);
    db = open_at(dir, &clock);
    CHECK(db);
    CHECK_STR(hints(db, text), "0200020302");
    tsdb_close(db);
}

TEST(an_invalid_histogram_is_refused_with_the_reason)
{
    struct sink_result r = {0};
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 7200000) * NS_PER_MS);
    struct tsdb *db = open_at(test_dir(), &clock);
    CHECK(db);
    CHECK_EQ(append(db, MODEL_T0, -1, 0, &r), SAMPLE_INVALID);
    CHECK(strstr(r.first_refusal.message,
                 "observation count is  -1: histogram's observation count is negative"));
    tsdb_close(db);
}

static bool same(const struct sample_value *a, const struct sample_value *b)
{
    return a->start == b->start && !a->h == !b->h && (a->h || a->bits == b->bits) &&
           (!a->h || (histogram_equal(a->h, b->h) && a->h->reset_hint == b->h->reset_hint));
}

TEST(rich_samples_come_back_exactly)
{
    enum {
        N = 300
    };
    struct buf b AUTO_BUF = {0};
    struct arena a AUTO_ARENA;
    struct rich_state state = {0};
    static struct model_histogram in[N];
    struct sample_value want[N];
    uint64_t bits[N];
    const struct histogram *histograms[N];
    ts_ms starts[N];
    struct rich_columns out = {bits, histograms, starts};
    arena_init(&a, 0, NULL);
    for (size_t i = 0; i < N; i++) {
        want[i] = (struct sample_value){.start = i % 50 < 40 ? MODEL_T0 : -(ts_ms)i};
        if (i % 11 == 3) {
            want[i].bits = i % 2 ? STALE_NAN_BITS : f64_bits(-0.0);
        } else {
            want[i].h = model_histogram(&in[i], i * 7);
        }
        size_t before = b.n;
        rich_write(&b, &state, &want[i]);
        CHECK(b.n - before <= rich_bound(&want[i]));
    }
    /* Too large for an exact integer, and a NaN payload. */
    in[5].counts[0] = 0x1p60;
    in[5].h.sum = f64_of_bits(0x7ff800000000abcd);
    buf_reset(&b);
    state = (struct rich_state){0};
    for (size_t i = 0; i < N; i++) {
        rich_write(&b, &state, &want[i]);
    }
    CHECK_OK(rich_read(buf_view(&b), N, &a, &out));
    for (size_t i = 0; i < N; i++) {
        struct sample_value got = {bits[i], starts[i], histograms[i]};
        CHECK(same(&got, &want[i]));
        CHECK_EQ(value_identity(&got), value_identity(&want[i]));
    }
    for (size_t cut = 0; cut < b.n; cut += 3) {
        CHECK_EQ(rich_read(str_of(b.p, cut), N, &a, &out), ERR_CORRUPT);
    }
    for (size_t at = 0; at < b.n; at += 5) { /* damage is found, or gives other samples: never a crash */
        b.p[at] ^= 0x41;
        enum err e = rich_read(buf_view(&b), N, &a, &out);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        b.p[at] ^= 0x41;
        arena_reset(&a);
    }
}

/* Appends with the Nth allocation failing: stored or not, never half. */
static enum err append_some(void *ctx)
{
    static unsigned life;
    struct clock *clock = ctx;
    char dir[300];
    (void)snprintf(dir, sizeof(dir), "%s/%u", test_dir(), life++);
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_ASYNC, .clock = clock};
    struct tsdb *db = NULL;
    struct err_info info = {0};
    enum err e = tsdb_open(&o, &db, &info);
    struct model_histogram h;
    for (unsigned i = 0; i < 6 && e == ERR_OK; i++) {
        struct sink_series s = {.labels = {labels_of_one, 1}};
        struct sink_sample m = {.ts = MODEL_T0 + (i == 4 ? 1 : i * 1000),
                                .histogram = model_histogram(&h, 100 + i)};
        struct sink_batch b = {.tenant = STR("anonymous"),
                               .series = &s,
                               .series_count = 1,
                               .samples = &m,
                               .sample_count = 1,
                               .allow_late = true};
        struct sink_result r;
        e = tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, &info);
    }
    tsdb_close(db);
    return e;
}

TEST(every_allocation_of_an_append_may_fail)
{
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 7200000) * NS_PER_MS);
    test_fail_each(FAULT_ALLOC, append_some, &clock);
}
