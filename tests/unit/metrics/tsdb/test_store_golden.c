/* Whole stores as they were left, frozen: what is in them must come back from whatever reads them now.
 *
 *   store-v1   log records 1 and 2, manifest 1, series file 1, block 2
 *   store-v2   log records 2, 4, 5 and 6 beside
 *
 * CAIRN_GOLDEN_WRITE makes one that is not there yet, for a new version; those that are stay. */
#include <stdio.h>
#include <stdlib.h>

#include "disk/file.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/tsdb_int.h"
#include "store_copy.h"

#define GOLDEN TEST_DATA "/store-v"
#define T0 INT64_C(1600000000000)

enum {
    VERSIONS = 3,
    CHECKPOINTS_SINCE = 3,
    SERIES = 6,
    TICKS = 300, /* five hours: the first ones go to a block */
    STEP_MS = 60000,
    LOGGED_FROM = 290 /* after the flush: in the log alone */
};

static enum err open_at(const char *dir, struct clock *clock, struct tsdb **ret_db, struct err_info *info)
{
    clock_fake_init(clock, (T0 + TICKS * STEP_MS) * NS_PER_MS);
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_OS, .clock = clock};
    return tsdb_open(&o, ret_db, info);
}

/* -- making it ------------------------------------------------------------------------------------------- */

struct content {
    struct label labels[SERIES][3];
    char text[SERIES][2][24];
    struct sink_series series[SERIES];
    struct histogram h;
    struct histogram_span span;
    double counts[2];
};

static void content_fill(struct content *c)
{
    for (int i = 0; i < SERIES; i++) {
        (void)snprintf(c->text[i][0], sizeof(c->text[i][0]), "metric_%d", i);
        (void)snprintf(c->text[i][1], sizeof(c->text[i][1]), "host-%d", i / 4);
        c->labels[i][0] = (struct label){STR("__name__"), str_c(c->text[i][0])};
        c->labels[i][1] = (struct label){STR("instance"), str_c(c->text[i][1])};
        c->labels[i][2] = (struct label){STR("job"), STR("golden")};
        c->series[i] = (struct sink_series){.labels = {c->labels[i], 3}};
    }
}

static void histogram_fill(struct content *c, int tick)
{
    c->span = (struct histogram_span){-2, 2};
    c->counts[0] = tick;
    c->counts[1] = tick / 2;
    c->h = (struct histogram){.schema = 2,
                              .zero_threshold = 0x1p-128,
                              .zero_count = 1,
                              .count = 1 + tick + tick / 2,
                              .sum = tick * 1.5,
                              .positive_spans = &c->span,
                              .positive_span_count = 1,
                              .positive = c->counts,
                              .positive_count = 2};
}

/* Series 0 to 3: floats of every kind; 4 a histogram; 5 with start timestamps. */
static enum err tick_append(struct tsdb *db, struct content *c, int tick, ts_ms ts)
{
    struct sink_sample m[SERIES];
    struct sink_result r;
    struct err_info info = {0};
    histogram_fill(c, tick);
    for (uint32_t i = 0; i < SERIES; i++) {
        m[i] = (struct sink_sample){.series_index = i, .ts = ts, .value = tick * (int)i};
    }
    m[1].value = tick % 50 == 7 ? stale_nan() : tick / 7.0;
    m[2].value = tick % 3 ? -0.0 : 12345.678;
    m[4].histogram = &c->h;
    m[5].start_ts = T0 - 1000;
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = c->series,
                           .series_count = SERIES,
                           .samples = m,
                           .sample_count = SERIES,
                           .allow_late = true};
    enum err e = tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, &info);
    return e != ERR_OK ? e : r.stored == SERIES ? ERR_OK : ERR_INTERNAL;
}

static enum err side_append(struct tsdb *db, struct content *c)
{
    static const struct label trace[] = {{STR_INIT("trace_id"), STR_INIT("0af7651916cd43dd")}};
    const struct sink_exemplar x = {.series_index = 3, .labels = {trace, 1}, .value = 0.25, .ts = T0 + 1};
    const struct sink_metadata row = {STR("metric_3"), STR("counter"), STR("What was counted."),
                                      STR("bytes")};
    struct sink_result r;
    struct err_info info = {0};
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = c->series,
                           .series_count = SERIES,
                           .exemplars = &x,
                           .exemplar_count = 1,
                           .metadata = &row,
                           .metadata_count = 1};
    return tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, &info);
}

static enum err some_delete(struct tsdb *db)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    enum err e = matcher_init(&m, MATCH_RE, LABEL_METRIC_NAME, STR("metric_[03]"), &info);
    e = e == ERR_OK ? tsdb_delete(db, &q, &m, 1, T0 + 10 * STEP_MS, T0 + 20 * STEP_MS, &info) : e;
    matcher_done(&m);
    return e;
}

/* Whole records: one batch that is appended when replay is over, and one that the next start has to. */
static enum err staged_append(struct tsdb *db, struct content *c, struct err_info *info)
{
    atomic_store(&db->staging.active, true);
    enum err e = tick_append(db, c, TICKS, T0 + (ts_ms)TICKS * STEP_MS);
    e = e == ERR_OK ? staging_end(db, info) : e;
    atomic_store(&db->staging.active, true);
    return e == ERR_OK ? tick_append(db, c, TICKS + 1, T0 + (ts_ms)(TICKS + 1) * STEP_MS) : e;
}

/* What a store of that version, and all before, can hold. */
static enum err golden_write(const char *dir, int version)
{
    static struct content c;
    struct err_info info = {0};
    struct clock clock;
    struct tsdb *db = NULL;
    content_fill(&c);
    enum err e = dir_remove(dir, &info);
    e = e == ERR_OK ? open_at(dir, &clock, &db, &info) : e;
    e = e == ERR_OK ? side_append(db, &c) : e;
    for (int t = 0; e == ERR_OK && t < LOGGED_FROM; t++) {
        e = tick_append(db, &c, t, T0 + (ts_ms)t * STEP_MS);
        /* flushes, and writes the definitions anew when the log's begin may go */
        e = e == ERR_OK && t % 50 == 49 ? tsdb_maintain(db, &info) : e;
    }
    e = e == ERR_OK ? tsdb_maintain(db, &info) : e;
    e = e == ERR_OK ? some_delete(db) : e;
    for (int t = LOGGED_FROM; e == ERR_OK && t < TICKS; t++) {
        e = tick_append(db, &c, t, T0 + (ts_ms)t * STEP_MS);
    }
    e = e == ERR_OK ? tick_append(db, &c, 0, T0 + 280 * STEP_MS + 5) : e; /* late */
    e = e == ERR_OK && version >= 2 ? staged_append(db, &c, &info) : e;
    tsdb_close(db);
    return e;
}

/* -- reading it ------------------------------------------------------------------------------------------ */

static void sample_print(struct buf *out, const struct metric_batch *b, const struct metric_series *s,
                         uint32_t i)
{
    const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
    buf_printf(out, "%lld", (long long)(b->ts[s->clock_first + i] - T0));
    if (s->start_ts && s->start_ts[i]) {
        buf_printf(out, " start %lld", (long long)(s->start_ts[i] - T0));
    }
    if (!h) {
        buf_printf(out, " %016llx\n", (unsigned long long)f64_bits(s->values[i]));
        return;
    }
    buf_printf(out, " schema %d zero %a %g count %g sum %g hint %d:", h->schema, h->zero_threshold,
               h->zero_count, h->count, h->sum, h->reset_hint);
    for (uint32_t k = 0; k < h->positive_span_count; k++) {
        buf_printf(out, " %d+%u", h->positive_spans[k].offset, h->positive_spans[k].length);
    }
    for (uint32_t k = 0; k < h->positive_count; k++) {
        buf_printf(out, " %g", h->positive[k]);
    }
    buf_char(out, '\n');
}

static enum err series_print(struct tsdb *db, const char *metric, struct buf *out, struct err_info *info)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct matcher m;
    enum err e = matcher_init(&m, MATCH_EQ, LABEL_METRIC_NAME, str_c(metric), info);
    struct metric_select sel = {
        .matchers = &m, .matcher_count = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    e = e == ERR_OK ? src->ops->select(src, &q, &sel, &c, info) : e;
    while (e == ERR_OK && (e = src->ops->next(c, &b, info)) == ERR_OK) {
        for (uint32_t i = 0; i < b.series_count; i++) {
            labels_format(out, b.series[i].labels);
            buf_char(out, '\n');
            for (uint32_t k = 0; k < b.series[i].count; k++) {
                sample_print(out, &b, &b.series[i], k);
            }
        }
    }
    src->ops->close(c);
    matcher_done(&m);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err side_print(struct tsdb *db, struct buf *out, struct err_info *info)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_source *src = tsdb_source(db);
    const struct metric_select all = {.start_ms = INT64_MIN, .end_ms = INT64_MAX};
    const struct metric_exemplar_series *x = NULL;
    const struct metric_metadata *rows = NULL;
    struct arena a AUTO_ARENA = {0};
    size_t n = 0;
    enum err e = src->ops->exemplars(src, &q, &all, &a, &x, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        labels_format(out, x[i].labels);
        for (size_t k = 0; k < x[i].exemplar_count; k++) {
            labels_format(out, x[i].exemplars[k].labels);
            buf_printf(out, " %lld %a\n", (long long)(x[i].exemplars[k].ts - T0), x[i].exemplars[k].value);
        }
    }
    e = e == ERR_OK ? src->ops->metadata(src, &q, STR(""), 0, &a, &rows, &n, info) : e;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        buf_printf(out, "%.*s|%.*s|%.*s|%.*s\n", STR_FMT(rows[i].metric), STR_FMT(rows[i].type),
                   STR_FMT(rows[i].help), STR_FMT(rows[i].unit));
    }
    return e;
}

/* Everything in the store as text. */
static enum err store_print(const char *dir, struct buf *out, struct err_info *info)
{
    struct clock clock;
    struct tsdb *db = NULL;
    char metric[24];
    struct tsdb_stats s;
    enum err e = open_at(dir, &clock, &db, info);
    if (e != ERR_OK) {
        return e;
    }
    tsdb_stats(db, &s);
    buf_printf(out, "blocks %llu bad %llu segments bad %llu\n", (unsigned long long)s.blocks,
               (unsigned long long)s.blocks_bad, (unsigned long long)s.wal_bad_segments);
    for (int i = 0; e == ERR_OK && i < SERIES; i++) {
        (void)snprintf(metric, sizeof(metric), "metric_%d", i);
        e = series_print(db, metric, out, info);
    }
    e = e == ERR_OK ? side_print(db, out, info) : e;
    tsdb_close(db);
    return e == ERR_OK ? out->err : e;
}

static void golden_copy(int version, const char *to)
{
    char from[256], path[512];
    struct err_info info = {0};
    (void)snprintf(from, sizeof(from), GOLDEN "%d", version);
    if (getenv("CAIRN_GOLDEN_WRITE") && !dir_is(from)) {
        CHECK_OK(golden_write(from, version));
        (void)snprintf(path, sizeof(path), "%s/lock", from);
        CHECK_OK(file_remove(path, &info));
    }
    CHECK_OK(store_copy(from, to, &info));
}

static void text_check(int version, struct str got)
{
    char path[256];
    struct err_info info = {0};
    struct buf want AUTO_BUF = {0};
    (void)snprintf(path, sizeof(path), GOLDEN "%d.txt", version);
    if (getenv("CAIRN_GOLDEN_WRITE") && !file_exists(path)) {
        CHECK_OK(file_store(path, got, &info));
    }
    CHECK_OK(file_load(path, &want, &info));
    CHECK(str_eq(got, buf_view(&want)));
}

TEST(stores_of_every_version_stay_readable)
{
    for (int version = 1; version <= VERSIONS; version++) {
        char copy[256];
        struct err_info info = {0};
        struct buf got AUTO_BUF = {0};
        (void)snprintf(copy, sizeof(copy), "%s/store-v%d", test_dir(), version);
        golden_copy(version, copy);
        for (int opened = 0; opened < 2; opened++) { /* once more: what the first opening left */
            got.n = 0;
            CHECK_OK(store_print(copy, &got, &info));
            text_check(version, buf_view(&got));
        }
    }
}

/* The same content through today's writers is read as the frozen one is. */
TEST(a_store_written_now_is_read_as_the_frozen_ones)
{
    for (int version = 1; version <= VERSIONS; version++) {
        char dir[256];
        struct err_info info = {0};
        struct buf got AUTO_BUF = {0};
        (void)snprintf(dir, sizeof(dir), "%s/store-now-%d", test_dir(), version);
        CHECK_OK(golden_write(dir, version));
        if (version < CHECKPOINTS_SINCE) {
            char chunks[300];
            (void)snprintf(chunks, sizeof(chunks), "%s/chunks", dir);
            CHECK_OK(dir_remove(chunks, &info));
        }
        CHECK_OK(store_print(dir, &got, &info));
        text_check(version, buf_view(&got));
    }
}
