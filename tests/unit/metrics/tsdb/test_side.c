/* Exemplars and metadata: kept once, found by matchers, and there again after the store was closed, also when
 * the log that held them was trimmed. */
#include <stdio.h>

#include "harness.h"
#include "metrics/tsdb/limits.h"
#include "model.h"

static struct tsdb *open_with(const char *dir, struct clock *clock, int64_t exemplars, uint64_t memory)
{
    struct tsdb_options o = {.dir = dir,
                             .durability = DURABILITY_OS,
                             .clock = clock,
                             .block_ms = 600000,
                             .exemplars_max = exemplars,
                             .memory_bytes = memory};
    struct tsdb *db = NULL;
    struct err_info info = {0};
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return db;
}

static bool append(struct tsdb *db, const char *instance, ts_ms ts, const char *trace, const char *help)
{
    struct label series[] = {{STR("__name__"), STR("m")}, {STR("instance"), str_c(instance)}};
    struct label own[] = {{STR("trace"), str_c(trace)}};
    struct sink_series s = {.labels = {series, 2}};
    struct sink_sample m = {.ts = ts, .value = 1};
    struct sink_exemplar x = {.labels = {own, 1}, .value = 0.5, .ts = ts};
    struct sink_metadata meta = {STR("m"), STR("counter"), str_c(help), STR("bytes")};
    struct sink_batch b = {.tenant = STR("anonymous"),
                           .series = &s,
                           .series_count = 1,
                           .samples = &m,
                           .sample_count = 1,
                           .exemplars = &x,
                           .exemplar_count = 1,
                           .metadata = &meta,
                           .metadata_count = 1,
                           .allow_late = true};
    struct sink_result r;
    struct err_info info = {0};
    return tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, &info) == ERR_OK;
}

static struct tsdb *open_at(const char *dir, struct clock *clock)
{
    return open_with(dir, clock, 0, 0);
}

/* All exemplars as "instance=trace@seconds ...", then the help texts. */
static struct str shown(struct tsdb *db, struct arena *a)
{
    struct buf b AUTO_BUF = {0};
    struct matcher all = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("m")};
    struct metric_select sel = {
        .matchers = &all, .matcher_count = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct metric_source *src = tsdb_source(db);
    const struct metric_exemplar_series *rows = NULL;
    const struct metric_metadata *meta = NULL;
    size_t n = 0, meta_n = 0;
    if (src->ops->exemplars(src, &q, &sel, a, &rows, &n, NULL) != ERR_OK ||
        src->ops->metadata(src, &q, STR(""), 0, a, &meta, &meta_n, NULL) != ERR_OK) {
        return STR("failed");
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < rows[i].exemplar_count; k++) {
            const struct metric_exemplar *x = &rows[i].exemplars[k];
            buf_printf(&b, "%.*s=%.*s@%lld ", STR_FMT(labels_get(rows[i].labels, STR("instance"))),
                       STR_FMT(labels_get(x->labels, STR("trace"))), (long long)(x->ts - MODEL_T0) / 1000);
        }
    }
    for (size_t i = 0; i < meta_n; i++) {
        buf_printf(&b, "%.*s:%.*s:%.*s ", STR_FMT(meta[i].type), STR_FMT(meta[i].help),
                   STR_FMT(meta[i].unit));
    }
    return arena_str(a, buf_view(&b));
}

TEST(exemplars_and_metadata_survive_restarts)
{
    const char *dir = test_dir(),
               *want = "a=1@0 a=late@15 a=3@20 a=4@20 b=2@10 counter:two:bytes counter:one:bytes ";
    struct arena a AUTO_ARENA;
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    struct tsdb *db = open_at(dir, &clock);
    CHECK(db);
    CHECK(append(db, "a", MODEL_T0, "1", "one"));
    CHECK(append(db, "b", MODEL_T0 + 10000, "2", "one"));
    CHECK(append(db, "a", MODEL_T0 + 20000, "3", "two"));
    CHECK(append(db, "a", MODEL_T0 + 20000, "3", "two")); /* again: nothing new */
    CHECK(append(db, "a", MODEL_T0 + 20000, "4", "two")); /* of the same time, but another */
    CHECK(append(db, "a", MODEL_T0 + 20000, "3", "two"));
    CHECK(append(db, "a", MODEL_T0 + 15000, "late", "two"));
    CHECK_STR(shown(db, &a), want);
    tsdb_close(db);
    db = open_at(dir, &clock);
    CHECK(db);
    CHECK_STR(shown(db, &a), want);
    /* Hours later the log's first records are gone. */
    for (int i = 1; i < 200; i++) {
        struct sink_series s = {.labels = {(struct label[]){{STR("__name__"), STR("other")}}, 1}};
        struct sink_sample m = {.ts = MODEL_T0 + (ts_ms)i * 60000, .value = i};
        struct sink_batch b = {
            .tenant = STR("anonymous"), .series = &s, .series_count = 1, .samples = &m, .sample_count = 1};
        struct sink_result r;
        CHECK_OK(tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL));
        if (i % 20 == 0) {
            CHECK_OK(tsdb_maintain(db, NULL));
        }
    }
    tsdb_close(db);
    db = open_at(dir, &clock);
    CHECK(db);
    CHECK_STR(shown(db, &a), want);
    tsdb_close(db);
}

/* One exemplar of a known series; what became of it: 'k' kept or known, 'l' late, '-' left out. */
static char exemplar(struct tsdb *db, const char *instance, ts_ms ts, double value, bool timeless)
{
    struct label series[] = {{STR("__name__"), STR("m")}, {STR("instance"), str_c(instance)}};
    struct label own[] = {{STR("trace"), STR("t")}};
    struct sink_series s = {.labels = {series, 2}};
    struct sink_exemplar x = {.labels = {own, 1}, .value = value, .ts = MODEL_T0 + ts, .timeless = timeless};
    struct sink_batch b = {.tenant = STR("anonymous"),
                           .series = &s,
                           .series_count = 1,
                           .exemplars = &x,
                           .exemplar_count = 1,
                           .exemplars_need_series = true};
    struct sink_result r;
    if (tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL) != ERR_OK) {
        return '!';
    }
    return r.exemplars ? 'k' : r.exemplars_late ? 'l' : '-';
}

static struct tsdb *open_window(const char *dir, struct clock *clock, int64_t window_ms)
{
    struct tsdb_options o = {
        .dir = dir, .durability = DURABILITY_OS, .clock = clock, .late_window_ms = window_ms};
    struct tsdb *db = NULL;
    return tsdb_open(&o, &db, NULL) == ERR_OK ? db : NULL;
}

TEST(exemplars_are_judged_beside_the_newest_of_their_series)
{
    struct arena a AUTO_ARENA;
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    struct tsdb *db = open_window(test_dir(), &clock, -1);
    CHECK(db);
    CHECK(append(db, "a", MODEL_T0, "1", "one"));
    CHECK_EQ(exemplar(db, "other", 5000, 1, false), '-'); /* no such series */
    CHECK_EQ(exemplar(db, "a", 5000, 2, false), 'k');
    CHECK_EQ(exemplar(db, "a", 5000, 2, false), 'k'); /* the same */
    CHECK_EQ(exemplar(db, "a", 5000, 3, false), 'k'); /* of one time in the order of values */
    CHECK_EQ(exemplar(db, "a", 5000, 2.5, false), 'l');
    CHECK_EQ(exemplar(db, "a", 4000, 9, false), 'l');
    CHECK_EQ(exemplar(db, "a", 6000, 4, true), 'k');
    CHECK_EQ(exemplar(db, "a", 7000, 4, true), 'k'); /* a target that says the same again, without a time */
    CHECK_STR(shown(db, &a), "a=1@0 a=t@5 a=t@5 a=t@6 counter:one:bytes ");
    tsdb_close(db);
}

TEST(late_exemplars_within_the_window_find_their_place)
{
    struct arena a AUTO_ARENA;
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    struct tsdb *db = open_window(test_dir(), &clock, 10000);
    CHECK(db);
    CHECK(append(db, "a", MODEL_T0, "1", "one"));
    CHECK_EQ(exemplar(db, "a", 20000, 1, false), 'k');
    CHECK_EQ(exemplar(db, "a", 10000, 1, false), 'l');
    CHECK_EQ(exemplar(db, "a", 10001, 1, false), 'k');
    CHECK_EQ(exemplar(db, "a", 10001, 5, false), 'k'); /* one has that time: not kept */
    CHECK_EQ(exemplar(db, "a", 15000, 0, false), 'k');
    CHECK_EQ(exemplar(db, "a", 20000, 0, false), 'l'); /* the newest is still that */
    CHECK_STR(shown(db, &a), "a=1@0 a=t@10 a=t@15 a=t@20 counter:one:bytes ");
    tsdb_close(db);
}

TEST(a_snapshot_has_exemplars_and_metadata)
{
    char dir[256], copy[300];
    struct arena a AUTO_ARENA;
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    (void)snprintf(dir, sizeof(dir), "%s/live", test_dir());
    (void)snprintf(copy, sizeof(copy), "%s/copy", test_dir());
    struct tsdb *db = open_at(dir, &clock);
    CHECK(db);
    CHECK(append(db, "a", MODEL_T0, "1", "one"));
    CHECK(append(db, "b", MODEL_T0 + 10000, "2", "one"));
    CHECK_OK(tsdb_snapshot(db, copy, false, NULL));
    tsdb_close(db);
    db = open_at(copy, &clock);
    CHECK(db);
    CHECK_STR(shown(db, &a), "a=1@0 b=2@10 counter:one:bytes ");
    tsdb_close(db);
}

enum {
    RING = 300
};

/* How many exemplars there are, and how many of the two series are not `before` plus 2 each. */
static size_t numbered(struct tsdb *db, struct arena *a)
{
    struct matcher all = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("m")};
    struct metric_select sel = {
        .matchers = &all, .matcher_count = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct query_ctx q = {.tenant = STR("anonymous")};
    const struct metric_exemplar_series *rows = NULL;
    size_t n = 0, found = 0;
    if (tsdb_source(db)->ops->exemplars(tsdb_source(db), &q, &sel, a, &rows, &n, NULL) != ERR_OK) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < rows[i].exemplar_count; k++) {
            uint64_t trace = 0, before = 0;
            if (str_to_u64(labels_get(rows[i].exemplars[k].labels, STR("trace")), &trace) != ERR_OK ||
                (k &&
                 (str_to_u64(labels_get(rows[i].exemplars[k - 1].labels, STR("trace")), &before) != ERR_OK ||
                  trace != before + 2))) {
                return SIZE_MAX;
            }
        }
        found += rows[i].exemplar_count;
    }
    return found;
}

static bool append_numbered(struct tsdb *db, int from, int to)
{
    char trace[16];
    bool good = true;
    for (int i = from; good && i < to; i++) {
        (void)snprintf(trace, sizeof(trace), "%d", i);
        good = append(db, i % 2 ? "b" : "c", MODEL_T0 + (ts_ms)i, trace, "h");
    }
    return good;
}

TEST(the_ring_forgets_the_oldest)
{
    const char *dir = test_dir();
    struct arena a AUTO_ARENA;
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    struct tsdb *db = open_with(dir, &clock, RING, 0);
    CHECK(db);
    CHECK(append(db, "old", MODEL_T0, "x", "h"));
    CHECK(append_numbered(db, 0, RING));
    struct str text = shown(db, &a);
    CHECK(str_find(text, STR("old"), 0) == STR_NPOS);
    CHECK(str_find(text, STR("c=0@0"), 0) != STR_NPOS);
    for (int i = 1; i < 5; i++) { /* past the end of the array again and again */
        CHECK(append_numbered(db, RING * i, RING * (i + 1)));
        CHECK_EQ(numbered(db, &a), RING);
    }
    tsdb_close(db);
    db = open_with(dir, &clock, RING, 0);
    CHECK(db);
    CHECK_EQ(numbered(db, &a), RING);
    tsdb_exemplars_limit(db, RING / 2);
    CHECK_EQ(numbered(db, &a), RING / 2);
    CHECK(append_numbered(db, RING * 5, RING * 6));
    CHECK_EQ(numbered(db, &a), RING / 2);
    tsdb_exemplars_limit(db, -1);
    CHECK(append_numbered(db, RING * 6, RING * 7));
    CHECK_EQ(numbered(db, &a), 0);
    tsdb_close(db);
}

TEST(exemplars_take_no_more_than_their_part_of_the_memory)
{
    struct arena a AUTO_ARENA;
    struct clock clock;
    struct tsdb_stats s;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    struct tsdb *db = open_with(test_dir(), &clock, 0, 1 << 20);
    CHECK(db);
    CHECK(append_numbered(db, 0, 2000));
    tsdb_stats(db, &s);
    CHECK(s.exemplars > 100 && s.exemplars < 2000 && s.exemplar_bytes <= (1 << 20) / EXEMPLARS_PART);
    CHECK_EQ(numbered(db, &a), s.exemplars);
    /* Another tenant gets its part of the same memory. */
    struct label l[] = {{STR("__name__"), STR("m")}};
    struct sink_series series = {.labels = {l, 1}};
    struct sink_sample m = {.ts = MODEL_T0, .value = 1};
    struct sink_batch b = {
        .tenant = STR("other"), .series = &series, .series_count = 1, .samples = &m, .sample_count = 1};
    struct sink_result r;
    size_t before = s.exemplars;
    CHECK_OK(tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL));
    tsdb_stats(db, &s);
    CHECK(s.exemplars <= before / 2 + 1 && s.exemplars > before / 3);
    CHECK_EQ(numbered(db, &a), s.exemplars);
    tsdb_close(db);
}
