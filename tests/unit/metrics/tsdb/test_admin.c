/* Deletes, snapshots and cardinality on a small store. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "metrics/tsdb/tsdb.h"

enum {
    T0 = 1000000000,
    SAMPLES = 20
};

static struct tsdb *open_db(const char *dir)
{
    struct err_info info = {0};
    struct tsdb *db = NULL;
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_OS};
    return tsdb_open(&o, &db, &info) == ERR_OK ? db : NULL;
}

static enum err fill(struct tsdb *db, const char *metric, const char *host, ts_ms from)
{
    struct label l[] = {{STR("__name__"), str_c(metric)}, {STR("host"), str_c(host)}};
    struct sink_series s = {.labels = {l, 2}};
    struct sink_sample m[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        m[i] = (struct sink_sample){.ts = from + i * 1000, .value = i};
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = &s,
                           .series_count = 1,
                           .samples = m,
                           .sample_count = SAMPLES};
    struct sink_result r;
    struct err_info info = {0};
    enum err e = tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, &info);
    return e ? e : r.stored == SAMPLES ? ERR_OK : ERR_INTERNAL;
}

static size_t count(struct tsdb *db, const char *metric)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    size_t n = 0;
    if (matcher_init(&m, MATCH_EQ, STR("__name__"), str_c(metric), &info)) {
        return SIZE_MAX;
    }
    struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = 0, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    if (src->ops->select(src, &q, &sel, &c, &info) == ERR_OK) {
        while (src->ops->next(c, &b, &info) == ERR_OK) {
            for (uint32_t i = 0; i < b.series_count; i++) {
                n += b.series[i].count;
            }
        }
        src->ops->close(c);
    }
    matcher_done(&m);
    return n;
}

/* One sample of m{host="a"}; its status. */
static uint8_t one(struct tsdb *db, ts_ms ts, double value)
{
    struct label l[] = {{STR("__name__"), STR("m")}, {STR("host"), STR("a")}};
    struct sink_series s = {.labels = {l, 2}};
    struct sink_sample m = {.ts = ts, .value = value};
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = &s,
                           .series_count = 1,
                           .samples = &m,
                           .sample_count = 1,
                           .allow_late = true};
    struct sink_result r;
    return tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL) == ERR_OK ? m.status : SAMPLE_STATUS_COUNT;
}

TEST(a_delete_takes_what_is_there_and_nothing_that_comes)
{
    char dir[256];
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    (void)snprintf(dir, sizeof(dir), "%s/delete", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    CHECK_OK(fill(db, "gone", "a", T0));
    CHECK_OK(fill(db, "kept", "a", T0));
    CHECK_OK(matcher_init(&m, MATCH_EQ, STR("__name__"), STR("gone"), &info));
    CHECK_OK(tsdb_delete(db, &q, &m, 1, INT64_MIN, INT64_MAX, &info));
    CHECK_EQ(count(db, "gone"), 0);
    CHECK_EQ(count(db, "kept"), SAMPLES);
    CHECK_OK(fill(db, "gone", "a", T0 + 100000));
    CHECK_EQ(count(db, "gone"), SAMPLES);
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db);
    CHECK_EQ(count(db, "gone"), SAMPLES);
    tsdb_close(db);
    matcher_done(&m);
}

/* Late samples are in the head alone, below what is flushed and before any block. */
TEST(deleted_samples_that_came_late_do_not_come_back)
{
    char dir[256], copy[300];
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    (void)snprintf(dir, sizeof(dir), "%s/late", test_dir());
    (void)snprintf(copy, sizeof(copy), "%s/late-copy", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    CHECK_OK(fill(db, "kept", "a", T0));
    CHECK_OK(tsdb_snapshot(db, copy, false, &info)); /* flushes */
    CHECK_OK(fill(db, "gone", "a", T0 - 1800000));
    CHECK_OK(matcher_init(&m, MATCH_EQ, STR("__name__"), STR("gone"), &info));
    CHECK_OK(tsdb_delete(db, &q, &m, 1, INT64_MIN, T0 - 1, &info));
    CHECK_OK(tsdb_maintain(db, &info)); /* looks at what deletions are done with */
    CHECK_EQ(count(db, "gone"), 0);
    CHECK_EQ(count(db, "kept"), SAMPLES);
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db);
    CHECK_OK(tsdb_maintain(db, &info));
    CHECK_EQ(count(db, "gone"), 0);
    tsdb_close(db);
    matcher_done(&m);
}

/* With late samples alone in the head a snapshot flushes below what was flushed: the log has nothing to give
 * above that either. */
TEST(a_snapshot_of_late_samples_does_not_bring_the_log_back)
{
    char dir[256], copy[2][300];
    struct err_info info = {0};
    struct tsdb_stats stats;
    (void)snprintf(dir, sizeof(dir), "%s/bound", test_dir());
    (void)snprintf(copy[0], sizeof(copy[0]), "%s/bound-copy", test_dir());
    (void)snprintf(copy[1], sizeof(copy[1]), "%s/bound-copy-2", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    CHECK_OK(fill(db, "m", "a", T0));
    CHECK_OK(tsdb_snapshot(db, copy[0], false, &info));
    CHECK_OK(fill(db, "m", "late", T0 - 1800000));
    CHECK_OK(tsdb_snapshot(db, copy[1], false, &info));
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db);
    tsdb_stats(db, &stats);
    CHECK(stats.min_time > stats.max_time); /* all is in blocks */
    CHECK_EQ(count(db, "m"), 2 * SAMPLES);
    tsdb_close(db);
}

TEST(a_delete_leaves_what_comes_later_for_the_same_time)
{
    char dir[256];
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    (void)snprintf(dir, sizeof(dir), "%s/delete-again", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    CHECK_OK(fill(db, "m", "a", T0));
    CHECK_OK(fill(db, "newer", "a", T0 + 100000));
    CHECK_OK(matcher_init(&m, MATCH_EQ, STR("__name__"), STR("m"), &info));
    CHECK_OK(tsdb_delete(db, &q, &m, 1, INT64_MIN, INT64_MAX, &info));
    CHECK_EQ(count(db, "m"), 0);
    CHECK_EQ(one(db, T0 + 500, 7), SAMPLE_STORED);   /* late, where there was nothing */
    CHECK_EQ(one(db, T0 + 50000, 8), SAMPLE_STORED); /* its newest, older than another series' */
    CHECK_OK(fill(db, "m", "new", T0));              /* a new series */
    CHECK_EQ(count(db, "m"), SAMPLES + 2);
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db);
    CHECK_EQ(count(db, "m"), SAMPLES + 2);
    tsdb_close(db);
    matcher_done(&m);
}

TEST(a_snapshot_opens_as_a_store_with_everything)
{
    char dir[256], copy[300];
    struct err_info info = {0};
    (void)snprintf(dir, sizeof(dir), "%s/live", test_dir());
    (void)snprintf(copy, sizeof(copy), "%s/copy", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    CHECK_OK(fill(db, "m", "a", T0));
    CHECK_OK(fill(db, "m", "b", T0));
    CHECK_OK(tsdb_snapshot(db, copy, false, &info));
    CHECK_EQ(tsdb_snapshot(db, copy, false, &info), ERR_EXISTS);
    CHECK_OK(fill(db, "m", "a", T0 + 100000)); /* not in the copy */
    CHECK_EQ(count(db, "m"), 3 * SAMPLES);
    struct tsdb *second = open_db(copy);
    CHECK(second);
    CHECK_EQ(count(second, "m"), 2 * SAMPLES);
    CHECK_OK(fill(second, "m", "a", T0 + 200000));
    tsdb_close(second);
    tsdb_close(db);
}

TEST(a_restored_snapshot_keeps_what_is_written_after_it)
{
    char dir[256], copy[300];
    struct err_info info = {0};
    (void)snprintf(dir, sizeof(dir), "%s/long", test_dir());
    (void)snprintf(copy, sizeof(copy), "%s/restored", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(fill(db, "m", "a", T0 + i * SAMPLES * 1000));
    }
    CHECK_OK(
        tsdb_snapshot(db, copy, false, &info)); /* its manifest knows offsets of a log that is not copied */
    tsdb_close(db);
    pid_t child = fork();
    if (child == 0) { /* writes more than the old log had, and dies */
        struct tsdb *second = open_db(copy);
        for (int i = 10; second && i < 40; i++) {
            if (fill(second, "m", "a", T0 + i * SAMPLES * 1000) != ERR_OK) {
                _exit(1);
            }
        }
        _exit(second ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    db = open_db(copy);
    CHECK(db);
    CHECK_EQ(count(db, "m"), 40 * SAMPLES);
    tsdb_close(db);
}

TEST(a_snapshot_leaves_samples_judged_as_before)
{
    char dir[256], copy[300];
    struct err_info info = {0};
    struct tsdb *db = NULL;
    (void)snprintf(dir, sizeof(dir), "%s/judged", test_dir());
    (void)snprintf(copy, sizeof(copy), "%s/judged-copy", test_dir());
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_OS, .late_window_ms = -1};
    CHECK_OK(tsdb_open(&o, &db, &info));
    CHECK_EQ(one(db, T0, 1), SAMPLE_STORED);
    CHECK_OK(tsdb_snapshot(db, copy, false, &info)); /* all of it is in a block now */
    tsdb_close(db);
    CHECK_OK(tsdb_open(&o, &db, &info)); /* and is known after a start, too */
    CHECK_EQ(one(db, T0 - 1000, 1), SAMPLE_OUT_OF_ORDER);
    CHECK_EQ(one(db, T0, 2), SAMPLE_CONFLICT);
    CHECK_EQ(one(db, T0, 1), SAMPLE_DUPLICATE);
    CHECK_EQ(one(db, T0 + 1000, 1), SAMPLE_STORED);
    CHECK_EQ(count(db, "m"), 2);
    tsdb_close(db);
}

TEST(without_a_window_what_is_too_old_is_out_of_bounds_also_when_it_is_repeated)
{
    char dir[256];
    struct tsdb *db = NULL;
    (void)snprintf(dir, sizeof(dir), "%s/bounds", test_dir());
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_OS, .late_window_ms = -1};
    CHECK_OK(tsdb_open(&o, &db, NULL));
    CHECK_EQ(one(db, T0, 1), SAMPLE_STORED);
    CHECK_OK(fill(db, "newer", "a", T0 + 3600001));
    CHECK_EQ(one(db, T0, 1), SAMPLE_OUT_OF_BOUNDS);
    CHECK_EQ(one(db, T0 - 1, 1), SAMPLE_OUT_OF_BOUNDS);
    tsdb_close(db);
}

TEST(cardinality_counts_series_by_metric_label_and_pair)
{
    char dir[256];
    struct arena a AUTO_ARENA = {0};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct tsdb_cardinality c;
    (void)snprintf(dir, sizeof(dir), "%s/cardinality", test_dir());
    struct tsdb *db = open_db(dir);
    CHECK(db);
    CHECK_OK(fill(db, "big", "a", T0));
    CHECK_OK(fill(db, "big", "b", T0));
    CHECK_OK(fill(db, "small", "a", T0));
    CHECK_OK(tsdb_cardinality(db, &q, 10, &a, &c, &info));
    CHECK_EQ(c.series_by_metric_count, 2);
    CHECK_STR(c.series_by_metric[0].name, "big");
    CHECK_EQ(c.series_by_metric[0].value, 2);
    CHECK_EQ(c.values_by_label[0].value, 2);
    CHECK_STR(c.series_by_pair[1].name, "host=a");
    CHECK_EQ(c.series_by_pair[1].value, 2);
    CHECK_STR(c.bytes_by_label[0].name, "__name__");
    CHECK_EQ(c.bytes_by_label[0].value, 2 * 3 + 5);
    CHECK_OK(tsdb_cardinality(db, &q, 1, &a, &c, &info));
    CHECK_EQ(c.series_by_pair_count, 1);
    tsdb_close(db);
}
