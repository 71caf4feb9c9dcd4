/* The directory of a Prometheus (tests/unit/metrics/promtsdb/data, see make_data.py there): brought in and in
 * place, every sample is there once, and a failure in between leaves nothing half done. */
#include "harness.h"
#include "metrics/promtsdb/prom_dir.h"
#include "metrics/tsdb/import.h"

#include "../promtsdb/fixture.h"

#define DATA TEST_DATA "/../promtsdb/data"

enum {
    DELETED = 11 + 1 /* see fixture_deleted */
};

static struct tsdb *open_db(const char *dir, const char *prometheus_dir)
{
    struct err_info info = {0};
    struct tsdb *db = NULL;
    static struct clock clock; /* no thread of its own: nothing goes unless the test says so */
    clock_fake_init(&clock, fixture_ts(FIXTURE_TICKS) * NS_PER_MS);
    struct tsdb_options o = {
        .dir = dir, .prometheus_dir = prometheus_dir, .clock = &clock, .durability = DURABILITY_OS};
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return db;
}

struct seen {
    size_t series, samples, wrong, deleted, hints_stale;
};

/* Of what followed a deleted sample nothing is known. */
static bool hint_stale(struct str name, int tick, const struct histogram *h)
{
    return h && fixture_deleted(name, tick - 1) && h->reset_hint == HRESET_NO;
}

static void series_see(const struct metric_batch *b, const struct metric_series *s, struct seen *seen)
{
    struct str name = labels_get(s->labels, LABEL_METRIC_NAME);
    ts_ms before = INT64_MIN;
    seen->series++;
    for (uint32_t i = 0; i < s->count; i++) {
        ts_ms ts = b->ts[s->clock_first + i];
        int tick = fixture_tick(ts);
        seen->samples++;
        seen->deleted += fixture_deleted(name, tick);
        seen->wrong += ts != fixture_ts(tick) || ts <= before ||
                       !fixture_sample_is(name, tick, s->values[i], s->histograms ? s->histograms[i] : NULL);
        seen->hints_stale += hint_stale(name, tick, s->histograms ? s->histograms[i] : NULL);
        before = ts;
    }
}

/* Everything the store answers with. */
static struct seen see(struct tsdb *db)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct matcher m = {.op = MATCH_NEQ, .name = STR("__name__"), .value = STR("")};
    struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = 0, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct seen seen = {0};
    if (src->ops->select(src, &q, &sel, &c, NULL) == ERR_OK) {
        while (src->ops->next(c, &b, NULL) == ERR_OK) {
            for (uint32_t i = 0; i < b.series_count; i++) {
                series_see(&b, &b.series[i], &seen);
            }
        }
        src->ops->close(c);
    }
    return seen;
}

static enum err import_block(struct tsdb *db, struct tsdb_imported *ret_done)
{
    struct prom_dir dir = {0};
    struct err_info info = {0};
    const struct tsdb_import o = {.tenant = QUERY_TENANT_DEFAULT};
    enum err e = prom_dir_open(DATA, &dir, &info);
    e = e == ERR_OK ? tsdb_import_block(db, &o, dir.blocks[0], ret_done, &info) : e;
    prom_dir_done(&dir);
    return e;
}

static enum err import_head(struct tsdb *db, ts_ms from, struct tsdb_imported *ret_done)
{
    const struct tsdb_import o = {.tenant = QUERY_TENANT_DEFAULT};
    return tsdb_import_head(db, &o, DATA, from, ret_done, NULL);
}

TEST(a_block_comes_in_once)
{
    const char *dir = test_dir();
    struct tsdb *db = open_db(dir, NULL);
    struct tsdb_imported d = {0};
    CHECK(db);
    CHECK_OK(import_block(db, &d));
    CHECK_EQ(d.samples + d.samples_deleted, d.samples_expected);
    CHECK_EQ(d.samples_deleted, DELETED);
    CHECK(!d.already && !d.damage[0] && d.bytes > 0);
    struct seen s = see(db);
    CHECK_EQ(s.series, FIXTURE_SERIES);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED);
    CHECK_EQ(s.wrong + s.deleted + s.hints_stale, 0);
    tsdb_close(db);
    db = open_db(dir, NULL);
    CHECK(db);
    CHECK_OK(import_block(db, &d));
    CHECK(d.already);
    CHECK_EQ(see(db).samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED);
    tsdb_close(db);
}

TEST(the_head_comes_in_once_and_beside_its_block_counts_once)
{
    struct tsdb *db = open_db(test_dir(), NULL);
    struct tsdb_imported d = {0};
    CHECK(db);
    CHECK_OK(import_head(db, INT64_MIN, &d));
    CHECK_EQ(d.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(d.series, FIXTURE_SERIES);
    CHECK_EQ(d.exemplars, 3);
    CHECK(!d.damage[0]);
    struct seen s = see(db);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(s.wrong, 0);
    CHECK_OK(import_head(db, INT64_MIN, &d));
    CHECK(d.already);
    CHECK_OK(import_block(db, &d));
    s = see(db);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(s.wrong, 0);
    tsdb_close(db);
}

TEST(a_head_in_little_memory_comes_in_partition_by_partition)
{
    struct tsdb *db = open_db(test_dir(), NULL);
    struct tsdb_imported d = {0};
    const struct tsdb_import o = {.tenant = QUERY_TENANT_DEFAULT, .memory_bytes = 1};
    CHECK(db);
    CHECK_OK(tsdb_import_head(db, &o, DATA, INT64_MIN, &d, NULL));
    CHECK_EQ(d.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(d.exemplars, 3);
    struct seen s = see(db);
    CHECK_EQ(s.series, FIXTURE_SERIES);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(s.wrong, 0);
    tsdb_close(db);
}

TEST(of_the_head_only_what_is_in_no_block)
{
    struct tsdb *db = open_db(test_dir(), NULL);
    struct tsdb_imported d = {0};
    CHECK(db);
    CHECK_OK(import_head(db, fixture_ts(100), &d));
    CHECK_EQ(d.samples, FIXTURE_SERIES * (FIXTURE_TICKS - 100));
    CHECK_EQ(see(db).wrong, 0);
    tsdb_close(db);
}

TEST(blocks_in_place_with_retention_and_deletion)
{
    const char *dir = test_dir();
    struct tsdb *db = open_db(dir, DATA);
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct matcher m = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("float_1")};
    struct tsdb_stats stats;
    CHECK(db);
    struct seen s = see(db);
    CHECK_EQ(s.series, FIXTURE_SERIES);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED);
    CHECK_EQ(s.wrong + s.deleted, 0);
    tsdb_stats(db, &stats);
    CHECK_EQ(stats.prom_blocks, 1);
    CHECK_EQ(stats.blocks_bad, 0);
    CHECK_EQ(stats.blocks, 1);
    CHECK_EQ(stats.oldest_time, fixture_ts(0));
    CHECK_OK(tsdb_delete(db, &q, &m, 1, 0, fixture_ts(9), NULL));
    CHECK_OK(tsdb_maintain(db, NULL));
    CHECK_EQ(see(db).samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED - 10);
    tsdb_close(db);
    db = open_db(dir, DATA);
    CHECK(db);
    CHECK_EQ(see(db).samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED - 10);
    tsdb_close(db);
}

TEST(a_sample_that_is_in_place_and_new_counts_once)
{
    struct tsdb *db = open_db(test_dir(), DATA);
    struct tsdb_imported d = {0};
    CHECK(db);
    CHECK_OK(import_head(db, INT64_MIN, &d));
    struct seen s = see(db);
    CHECK_EQ(s.series, FIXTURE_SERIES);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(s.wrong, 0);
    tsdb_close(db);
}

static size_t listed(struct tsdb *db, struct str name, const struct matcher *m, size_t n)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_select sel = {.matchers = m, .matcher_count = n, .start_ms = 0, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    struct arena a AUTO_ARENA;
    struct str_list list = {0};
    arena_init(&a, 0, NULL);
    enum err e = name.n ? src->ops->label_values(src, &q, name, &sel, 0, &a, &list, NULL)
                        : src->ops->label_names(src, &q, &sel, 0, &a, &list, NULL);
    return e == ERR_OK ? list.n : SIZE_MAX;
}

TEST(names_and_values_in_place)
{
    struct tsdb *db = open_db(test_dir(), DATA);
    struct matcher one = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("float_1")};
    struct matcher none = {.op = MATCH_EQ, .name = STR("__name__"), .value = STR("absent")};
    CHECK(db);
    CHECK_EQ(listed(db, STR(""), NULL, 0), 3);
    CHECK_EQ(listed(db, STR("__name__"), NULL, 0), FIXTURE_SERIES);
    CHECK_EQ(listed(db, STR("__name__"), &one, 1), 1);
    CHECK_EQ(listed(db, STR("job"), &one, 1), 1);
    CHECK_EQ(listed(db, STR("job"), &none, 1), 0);
    CHECK_EQ(listed(db, STR(""), &none, 1), 0);
    tsdb_close(db);
}

static enum err import_again(void *ctx)
{
    struct tsdb_imported d = {0};
    return import_block(ctx, &d);
}

TEST(a_disk_that_fails_leaves_all_or_nothing)
{
    struct tsdb *db = open_db(test_dir(), NULL);
    CHECK(db);
    test_fail_each(FAULT_DISK, import_again, db);
    CHECK_EQ(see(db).samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED);
    tsdb_close(db);
}

TEST(no_memory_leaves_all_or_nothing)
{
    struct tsdb *db = open_db(test_dir(), NULL);
    CHECK(db);
    test_fail_each(FAULT_ALLOC, import_again, db);
    CHECK_EQ(see(db).samples, FIXTURE_SERIES * FIXTURE_TICKS - DELETED);
    tsdb_close(db);
}
