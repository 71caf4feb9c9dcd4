/* The memory promise: new series are refused in time and by name, old ones go on, and sealed chunks are not
 * the process's own memory. */
#include <stdio.h>

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
