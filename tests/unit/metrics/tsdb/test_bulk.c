/* Loading the past: nothing is doubled, nothing is lost, whatever the order and however often. */
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "disk/file.h"
#include "every_series.h"
#include "harness.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/bulk.h"

enum {
    SERIES = 40,
    SAMPLES = 500,
    STEP_MS = 15000
};

#define T0 INT64_C(1700000000000)

static struct tsdb *open_db(const char *dir)
{
    struct err_info info = {0};
    struct tsdb *db = NULL;
    struct tsdb_options o = {
        .dir = dir, .durability = DURABILITY_OS, .memory_bytes = 64 << 20, .no_housekeeping = true};
    return tsdb_open(&o, &db, &info) == ERR_OK ? db : NULL;
}

static const char *folder(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s/%s", test_dir(), name);
    return out;
}

static double value_of(size_t series, size_t i)
{
    return i % 97 == 5 ? stale_nan() : (double)(series * 1000 + i) / 3;
}

static enum err series_number(struct tsdb_bulk *b, size_t series, uint32_t *ret_number)
{
    char name[32], job[32];
    struct err_info info = {0};
    (void)snprintf(name, sizeof(name), "metric_%zu", series % 8);
    (void)snprintf(job, sizeof(job), "job-%zu", series / 8);
    struct label l[] = {{STR("__name__"), str_c(name)}, {STR("job"), str_c(job)}};
    return tsdb_bulk_series(b, (struct labels){l, 2}, ret_number, &info);
}

/* Every sample of every series in a random order, the whole written in rounds of `round` samples. */
static enum err load(struct tsdb *db, size_t round, struct tsdb_bulk_stats *ret_stats)
{
    struct tsdb_bulk *b = NULL;
    struct err_info info = {0};
    struct rng rng;
    static uint32_t order[SERIES * SAMPLES];
    rng_init(&rng, test_seed());
    for (uint32_t i = 0; i < SERIES * SAMPLES; i++) {
        uint32_t k = (uint32_t)(rng_u64(&rng) % (i + 1));
        order[i] = order[k];
        order[k] = i;
    }
    enum err e = tsdb_bulk_new(db, QUERY_TENANT_DEFAULT, 0, &b, &info);
    for (size_t i = 0; e == ERR_OK && i < SERIES * SAMPLES; i++) {
        size_t series = order[i] / SAMPLES, at = order[i] % SAMPLES;
        uint32_t number = 0;
        struct tsdb_bulk_sample m = {.ts = T0 + (ts_ms)at * STEP_MS, .value = value_of(series, at)};
        e = series_number(b, series, &number);
        e = e == ERR_OK ? tsdb_bulk_add(b, number, &m, 1, &info) : e;
        e = e == ERR_OK && i % round == round - 1 ? tsdb_bulk_write(b, &info) : e;
    }
    e = e == ERR_OK ? tsdb_bulk_finish(b, ret_stats, &info) : e;
    tsdb_bulk_free(b);
    return e;
}

static size_t series_of_labels(struct labels ls)
{
    uint64_t metric = 0, job = 0;
    struct str m = labels_get(ls, LABEL_METRIC_NAME), j = labels_get(ls, STR("job"));
    bool good = m.n > 7 && j.n > 4 && str_to_u64(str_slice(m, 7, m.n), &metric) == ERR_OK &&
                str_to_u64(str_slice(j, 4, j.n), &job) == ERR_OK;
    return good ? (size_t)(job * 8 + metric) : SIZE_MAX;
}

struct judged {
    size_t n;
    bool wrong;
};

static void series_judge(void *ctx, const struct metric_batch *b, const struct metric_series *s)
{
    struct judged *j = ctx;
    size_t series = series_of_labels(s->labels);
    for (uint32_t k = 0; k < s->count; k++, j->n++) {
        size_t at = (size_t)((b->ts[s->clock_first + k] - T0) / STEP_MS);
        j->wrong = j->wrong || series >= SERIES || f64_bits(s->values[k]) != f64_bits(value_of(series, at));
    }
}

/* Samples found; SIZE_MAX when one of them is wrong. */
static size_t count_good(struct tsdb *db)
{
    struct judged j = {0};
    return every_series(db, series_judge, &j) && !j.wrong ? j.n : SIZE_MAX;
}

TEST(a_load_in_any_order_is_stored_once_however_often_it_comes)
{
    char dir[256];
    struct tsdb_bulk_stats s = {0};
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "bulk"));
    CHECK(db);
    CHECK_OK(load(db, SIZE_MAX, &s));
    CHECK_EQ(s.samples, SERIES * SAMPLES);
    CHECK_EQ(s.known, 0);
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    CHECK_OK(load(db, 3000, &s));
    CHECK_EQ(s.samples, 0);
    CHECK_EQ(s.known, SERIES * SAMPLES);
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db);
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    tsdb_close(db);
}

TEST(a_load_in_many_rounds_leaves_few_blocks)
{
    char dir[256];
    struct tsdb_bulk_stats s = {0};
    struct tsdb_stats now;
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "rounds"));
    CHECK(db);
    CHECK_OK(load(db, 1000, &s));
    CHECK_EQ(s.samples, SERIES * SAMPLES);
    CHECK(s.blocks > 10);
    tsdb_stats(db, &now);
    CHECK(now.blocks <= 3); /* two hours each, where 500 samples of 15 s take little more than two hours */
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    tsdb_close(db);
}

TEST(what_was_deleted_can_be_loaded_again)
{
    char dir[256];
    struct tsdb_bulk_stats s = {0};
    struct err_info info = {0};
    struct matcher m;
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "deleted"));
    CHECK(db);
    CHECK_OK(load(db, SIZE_MAX, &s));
    CHECK_OK(matcher_init(&m, MATCH_EQ, LABEL_METRIC_NAME, STR("metric_3"), &info));
    CHECK_OK(tsdb_delete(db, &q, &m, 1, T0, T0 + 99 * STEP_MS, &info));
    matcher_done(&m);
    size_t gone = 100 * SERIES / 8;
    CHECK_EQ(count_good(db), SERIES * SAMPLES - gone);
    CHECK_OK(load(db, SIZE_MAX, &s));
    CHECK_EQ(s.samples, gone);
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db);
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    CHECK_OK(tsdb_maintain(db, &info)); /* merges and lets the tombstone go */
    CHECK_EQ(count_good(db), SERIES * SAMPLES);
    tsdb_close(db);
}

TEST(a_load_does_not_double_what_the_head_has)
{
    char dir[256];
    struct tsdb_bulk_stats s = {0};
    struct err_info info = {0};
    struct label l[] = {{STR("__name__"), STR("metric_0")}, {STR("job"), STR("job-0")}};
    struct sink_series series = {.labels = {l, 2}};
    struct sink_sample m[2] = {{.ts = T0, .value = value_of(0, 0)}, {.ts = T0 + STEP_MS, .value = -1}};
    struct sink_batch batch = {.tenant = QUERY_TENANT_DEFAULT,
                               .series = &series,
                               .series_count = 1,
                               .samples = m,
                               .sample_count = 2};
    struct sink_result r;
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "head"));
    CHECK(db);
    CHECK_OK(tsdb_sink(db)->ops->append(tsdb_sink(db), &batch, &r, &info));
    CHECK_OK(load(db, SIZE_MAX, &s));
    CHECK_EQ(s.samples, SERIES * SAMPLES - 2);
    CHECK_EQ(s.known, 1);
    CHECK_EQ(s.conflicts, 1);
    CHECK_EQ(count_good(db), SIZE_MAX); /* the value that was there first stays */
    tsdb_close(db);
}

TEST(a_loaded_histogram_comes_back_with_what_is_known_of_resets)
{
    char dir[256];
    struct err_info info = {0};
    struct tsdb_bulk *b = NULL;
    struct tsdb_bulk_stats s = {0};
    const struct histogram_span span = {0, 1};
    double counts[3][1] = {{5}, {9}, {2}};
    struct histogram h[3];
    uint32_t number = 0;
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "histograms"));
    CHECK(db);
    CHECK_OK(tsdb_bulk_new(db, QUERY_TENANT_DEFAULT, 0, &b, &info));
    CHECK_OK(series_number(b, 0, &number));
    for (int i = 0; i < 3; i++) {
        h[i] = (struct histogram){.schema = 1,
                                  .zero_threshold = 0.001,
                                  .count = counts[i][0],
                                  .sum = 1.5,
                                  .positive_spans = &span,
                                  .positive_span_count = 1,
                                  .positive = counts[i],
                                  .positive_count = 1,
                                  .reset_hint = HRESET_UNKNOWN};
        struct tsdb_bulk_sample m = {.ts = T0 + i, .start_ts = T0 - 1, .histogram = &h[i]};
        CHECK_OK(tsdb_bulk_add(b, number, &m, 1, &info));
    }
    CHECK_OK(tsdb_bulk_finish(b, &s, &info));
    tsdb_bulk_free(b);
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_select sel = {.start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch batch;
    CHECK_OK(src->ops->select(src, &q, &sel, &c, &info));
    CHECK_OK(src->ops->next(c, &batch, &info));
    CHECK_EQ(batch.series_count, 1);
    CHECK_EQ(batch.series[0].count, 3);
    static const uint8_t want[] = {HRESET_UNKNOWN, HRESET_NO, HRESET_UNKNOWN};
    for (int i = 0; i < 3; i++) {
        CHECK(histogram_equal(batch.series[0].histograms[i], &h[i]));
        CHECK_EQ(batch.series[0].histograms[i]->reset_hint, want[i]);
        CHECK_EQ(batch.series[0].start_ts[i], T0 - 1);
    }
    src->ops->close(c);
    tsdb_close(db);
}

TEST(a_load_refuses_the_future_and_bad_labels)
{
    char dir[256];
    struct err_info info = {0};
    struct tsdb_bulk *b = NULL;
    uint32_t number = 0;
    struct label unsorted[] = {{STR("b"), STR("1")}, {STR("a"), STR("1")}};
    struct tsdb_bulk_sample m = {.ts = INT64_C(9000000000000)};
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "refuse"));
    CHECK(db);
    CHECK_OK(tsdb_bulk_new(db, QUERY_TENANT_DEFAULT, 0, &b, &info));
    CHECK_EQ(tsdb_bulk_series(b, (struct labels){unsorted, 2}, &number, &info), ERR_INVALID);
    CHECK_OK(series_number(b, 0, &number));
    CHECK_EQ(tsdb_bulk_add(b, number, &m, 1, &info), ERR_INVALID);
    tsdb_bulk_free(b);
    tsdb_close(db);
}

/* Their values and times take no byte, so that the section has no page. */
TEST(a_lone_zero_is_readable_from_its_block)
{
    char dir[256];
    struct err_info info = {0};
    struct tsdb_bulk *b = NULL;
    struct tsdb_bulk_stats s = {0};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    const struct metric_select sel = {.start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct metric_cursor *c = NULL;
    struct metric_batch batch = {0};
    uint32_t number = 0;
    const struct tsdb_bulk_sample m = {.ts = T0};
    struct tsdb *db = open_db(folder(dir, sizeof(dir), "zero"));
    CHECK(db);
    CHECK_OK(tsdb_bulk_new(db, QUERY_TENANT_DEFAULT, 0, &b, &info));
    CHECK_OK(series_number(b, 0, &number));
    CHECK_OK(tsdb_bulk_add(b, number, &m, 1, &info));
    CHECK_OK(tsdb_bulk_finish(b, &s, &info));
    tsdb_bulk_free(b);
    struct metric_source *src = tsdb_source(db);
    CHECK_OK(src->ops->select(src, &q, &sel, &c, &info));
    enum err e = src->ops->next(c, &batch, &info);
    bool good = e == ERR_OK && batch.series_count == 1 && batch.ts[0] == T0 && batch.series[0].values[0] == 0;
    src->ops->close(c);
    tsdb_close(db);
    CHECK(good);
}
