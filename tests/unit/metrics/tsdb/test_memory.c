/* The memory promise: new series are refused in time and by name, old ones go on, and sealed chunks are not
 * the process's own memory. */
#include <stdio.h>

#include "every_series.h"
#include "harness.h"
#include "metrics/tsdb/tsdb.h"

enum {
    T0 = 1000000000,
    SERIES = 64
};

static struct tsdb *open_db(const char *name, uint64_t memory_bytes, struct clock *clock)
{
    char dir[256];
    struct err_info info = {0};
    struct tsdb *db = NULL;
    (void)snprintf(dir, sizeof(dir), "%s/%s", test_dir(), name);
    struct tsdb_options o = {.dir = dir, .memory_bytes = memory_bytes, .clock = clock};
    return tsdb_open(&o, &db, &info) == ERR_OK ? db : NULL;
}

/* One sample of each of SERIES series that begin at number `from`. */
static struct sink_result append(struct tsdb *db, int from, ts_ms ts)
{
    static char text[SERIES][2][32];
    static struct label l[SERIES][3];
    struct sink_series s[SERIES] = {0};
    struct sink_sample m[SERIES];
    for (int i = 0; i < SERIES; i++) {
        (void)snprintf(text[i][0], sizeof(text[i][0]), "user-%d", from + i);
        l[i][0] = (struct label){STR("__name__"), STR("logins_by_user")};
        l[i][1] = (struct label){STR("job"), STR("shop")};
        l[i][2] = (struct label){STR("user"), str_c(text[i][0])};
        s[i].labels = (struct labels){l[i], 3};
        m[i] = (struct sink_sample){.series_index = (uint32_t)i, .ts = ts, .value = (double)ts / 7};
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = s,
                           .series_count = SERIES,
                           .samples = m,
                           .sample_count = SERIES};
    struct sink_result r = {0};
    struct err_info info = {0};
    if (tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return r;
}

TEST(when_memory_is_used_up_new_series_are_refused_by_name_and_old_ones_go_on)
{
    struct clock clock;
    struct err_info info = {0};
    clock_fake_init(&clock, (int64_t)T0 * NS_PER_MS);
    struct tsdb *db = open_db("full", 2 << 20, &clock);
    struct sink_result r = {0};
    int next = 0;
    CHECK(db != NULL);
    for (; r.refused[SAMPLE_LIMIT] == 0 && next < 1 << 20; next += SERIES) {
        r = append(db, next, T0);
    }
    CHECK(next > SERIES);
    CHECK(r.refused[SAMPLE_LIMIT] > 0);
    CHECK_EQ(r.first_refusal.code, ERR_LIMIT);
    CHECK_OK(tsdb_maintain(db, &info));
    r = append(db, next, T0 + 1000);
    CHECK_EQ(r.refused[SAMPLE_LIMIT], SERIES);
    CHECK(strstr(r.first_refusal.message, "memory") != NULL);
    CHECK(strstr(r.first_refusal.message, "logins_by_user (") != NULL);
    r = append(db, 0, T0 + 1000);
    CHECK_EQ(r.stored, SERIES);
    tsdb_close(db);
}

TEST(sealed_chunks_are_in_files_and_not_in_the_heads_memory)
{
    struct tsdb *db = open_db("sealed", 64 << 20, NULL);
    struct tsdb_stats full, after;
    CHECK(db != NULL);
    for (int i = 0; i < 130; i++) {
        (void)append(db, 0, T0 + i * 15000);
    }
    tsdb_stats(db, &full);
    for (int i = 130; i < 700; i++) {
        (void)append(db, 0, T0 + i * 15000);
    }
    tsdb_stats(db, &after);
    CHECK(full.chunks >= SERIES);
    CHECK(after.chunks >= 5 * SERIES);
    CHECK_EQ(after.chunk_bytes, 0);
    CHECK(after.chunk_file_bytes > 0);
    CHECK_EQ(after.head_bytes, after.series_bytes + after.index_bytes + after.tail_bytes + after.clock_bytes +
                                   after.chunk_bytes + after.late_bytes);
    tsdb_close(db);
}

/* `n` samples of one series, a second apart. */
static enum err append_row(struct tsdb *db, ts_ms from, size_t n, struct err_info *info)
{
    static struct sink_sample m[20000];
    struct label l[] = {{STR("__name__"), STR("old")}, {STR("job"), STR("shop")}};
    struct sink_series s = {.labels = {l, 2}};
    for (size_t i = 0; i < n; i++) {
        m[i] = (struct sink_sample){.ts = from + (ts_ms)i * 1000, .value = (double)i};
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = &s,
                           .series_count = 1,
                           .samples = m,
                           .sample_count = n,
                           .allow_late = true};
    struct sink_result r = {0};
    enum err e = tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, info);
    return e == ERR_OK && r.stored != n ? ERR_LIMIT : e;
}

static void series_count(void *ctx, const struct metric_batch *b, const struct metric_series *s)
{
    (void)b;
    *(size_t *)ctx += s->count;
}

static size_t count_samples(struct tsdb *db)
{
    size_t n = 0;
    return every_series(db, series_count, &n) ? n : SIZE_MAX;
}

TEST(late_samples_of_years_are_written_to_blocks_before_they_fill_the_memory)
{
    enum {
        ROW = 5000,
        ROUNDS = 6
    };
    struct clock clock;
    struct err_info info = {0};
    struct tsdb_stats stats;
    struct tsdb *db = NULL;
    ts_ms now = INT64_C(1700000000000), old = now - INT64_C(300) * 86400 * 1000;
    clock_fake_init(&clock, now * NS_PER_MS);
    struct tsdb_options o = {.dir = test_dir(),
                             .memory_bytes = 4 << 20,
                             .clock = &clock,
                             .late_window_ms = INT64_C(400) * 86400 * 1000,
                             .retention_ms = INT64_C(400) * 86400 * 1000};
    CHECK_OK(tsdb_open(&o, &db, &info));
    CHECK_OK(append_row(db, now, 1, &info));
    size_t stored = 1;
    for (int round = 0; round < ROUNDS; round++) {
        enum err e = ERR_OK;
        int rows = 0;
        for (; e == ERR_OK && rows < 20; rows++) {
            e = append_row(db, old + (ts_ms)stored * 1000, ROW, &info);
            stored += e == ERR_OK ? ROW : 0;
        }
        CHECK_EQ(e, ERR_UNAVAILABLE); /* and not before an eighth is used */
        CHECK(strstr(info.message, "send the batch again") != NULL);
        CHECK(rows > 2);
        CHECK_OK(append_row(db, now + (round + 1) * 1000, 1, &info)); /* what is in time goes on */
        stored++;
        CHECK_OK(tsdb_maintain(db, &info));
        tsdb_stats(db, &stats);
        CHECK(stats.late_bytes < 4 << 20 >> 5);
    }
    CHECK_EQ(count_samples(db), stored);
    tsdb_close(db);
}
