/* Batches that come while the log is replayed: acknowledged at once, there when it is over, once, also after
 * a crash in between; queries say that they must wait. */
#include <stdio.h>

#include "every_series.h"
#include "harness.h"
#include "metrics/model/histogram.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/tsdb_int.h"

enum {
    SERIES = 6
};

#define T0 INT64_C(1700000000000)

struct watch {
    struct mutex lock;
    struct cond changed;
    bool loaded;
    enum err err;
};

static void on_loaded(void *ctx, enum err e, const struct err_info *info)
{
    struct watch *w = ctx;
    (void)info;
    mutex_lock(&w->lock);
    w->loaded = true;
    w->err = e;
    cond_broadcast(&w->changed);
    mutex_unlock(&w->lock);
}

static struct tsdb *open_db(const char *dir, struct watch *w)
{
    struct err_info info = {0};
    struct tsdb *db = NULL;
    struct tsdb_options o = {.dir = dir,
                             .durability = DURABILITY_OS,
                             .memory_bytes = 64 << 20,
                             .no_housekeeping = true,
                             .replay_later = w != NULL,
                             .on_loaded = w ? on_loaded : NULL,
                             .on_loaded_ctx = w};
    return tsdb_open(&o, &db, &info) == ERR_OK ? db : NULL;
}

/* One sample of SERIES series; the last has no valid labels. */
static enum err append(struct tsdb *db, ts_ms ts, double value, struct sink_result *ret_r)
{
    char text[SERIES][16];
    struct label l[SERIES][3];
    struct sink_series s[SERIES] = {0};
    struct sink_sample m[SERIES];
    struct err_info info = {0};
    struct histogram h = {.schema = 0, .sum = value, .count = 0, .is_float = true};
    for (size_t i = 0; i < SERIES; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "m%zu", i);
        l[i][0] = (struct label){STR("__name__"), str_c(text[i])};
        l[i][1] = (struct label){STR("instance"), STR("a:1")};
        l[i][2] = (struct label){STR("job"), STR("j")};
        s[i].labels = (struct labels){l[i], i + 1 < SERIES ? 3 : 0};
        m[i] = (struct sink_sample){.series_index = (uint32_t)i, .ts = ts, .value = value + (double)i};
    }
    m[1].histogram = &h;
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = s,
                           .series_count = SERIES,
                           .samples = m,
                           .sample_count = SERIES,
                           .allow_late = true};
    return tsdb_sink(db)->ops->append(tsdb_sink(db), &b, ret_r, &info);
}

struct counted {
    size_t n;
    double sum;
};

static void series_count(void *ctx, const struct metric_batch *b, const struct metric_series *s)
{
    struct counted *c = ctx;
    (void)b;
    for (uint32_t k = 0; k < s->count; k++, c->n++) {
        c->sum += s->histograms && s->histograms[k] ? 0 : s->values[k];
    }
}

/* Samples there are, and the sum of their floats. SIZE_MAX when they may not be asked for. */
static size_t count(struct tsdb *db, double *ret_sum)
{
    struct counted c = {0};
    bool good = every_series(db, series_count, &c);
    *ret_sum = c.sum;
    return good ? c.n : SIZE_MAX;
}

TEST(what_comes_during_replay_is_there_afterwards_once)
{
    const char *dir = test_dir();
    struct tsdb *db = open_db(dir, NULL);
    struct sink_result r = {0};
    struct err_info info = {0};
    double sum = 0;
    CHECK(db != NULL);
    CHECK_OK(append(db, T0, 1, &r));
    CHECK_EQ(r.refused[SAMPLE_INVALID], 1);
    atomic_store(&db->staging.active, true);
    CHECK_EQ(count(db, &sum), SIZE_MAX);
    CHECK_OK(append(db, T0 + 1000, 10, &r));
    CHECK_EQ(r.stored, SERIES - 1);
    CHECK_EQ(r.refused[SAMPLE_INVALID], 1);
    CHECK_OK(append(db, T0, 1, &r)); /* sent again */
    CHECK_OK(staging_end(db, &info));
    CHECK_EQ(count(db, &sum), 2 * (SERIES - 1));
    CHECK(sum == (1 + 3 + 4 + 5) + (10 + 12 + 13 + 14));
    CHECK_OK(append(db, T0 + 2000, 0, &r));
    tsdb_close(db);
    db = open_db(dir, NULL);
    CHECK(db != NULL);
    CHECK_EQ(count(db, &sum), 3 * (SERIES - 1));
    CHECK_EQ(db->staging.found.n, 0);
    tsdb_close(db);
}

TEST(a_crash_during_replay_loses_nothing_that_was_acknowledged)
{
    const char *dir = test_dir();
    struct sink_result r = {0};
    double sum = 0, again = 0;
    for (int crash = 0; crash < 3; crash++) {
        struct tsdb *db = open_db(dir, NULL);
        CHECK(db != NULL);
        CHECK_EQ(count(db, &sum), (size_t)crash * (SERIES - 1));
        atomic_store(&db->staging.active, true); /* and never gets to the end */
        CHECK_OK(append(db, T0 + crash * 1000, 1 + crash, &r));
        tsdb_close(db);
    }
    struct tsdb *db = open_db(dir, NULL);
    CHECK(db != NULL);
    CHECK_EQ(count(db, &sum), 3 * (SERIES - 1));
    tsdb_close(db);
    db = open_db(dir, NULL);
    CHECK(db != NULL);
    CHECK_EQ(count(db, &again), 3 * (SERIES - 1));
    CHECK(sum == again);
    tsdb_close(db);
}

TEST(replay_in_the_background_takes_batches_from_the_first_moment)
{
    const char *dir = test_dir();
    struct watch w = {0};
    struct sink_result r = {0};
    double sum = 0;
    mutex_init(&w.lock);
    cond_init(&w.changed);
    struct tsdb *db = open_db(dir, NULL);
    CHECK(db != NULL);
    for (int i = 0; i < 500; i++) {
        CHECK_OK(append(db, T0 + i * 1000, i, &r));
    }
    tsdb_close(db);
    db = open_db(dir, &w);
    CHECK(db != NULL);
    for (int i = 500; i < 600; i++) { /* some before its end, some after */
        CHECK_OK(append(db, T0 + i * 1000, i, &r));
        CHECK_EQ(r.stored, SERIES - 1);
    }
    mutex_lock(&w.lock);
    while (!w.loaded) {
        cond_wait(&w.changed, &w.lock);
    }
    mutex_unlock(&w.lock);
    CHECK_OK(w.err);
    CHECK_EQ(count(db, &sum), 600 * (SERIES - 1));
    tsdb_close(db);
    db = open_db(dir, &w); /* closed again, perhaps before it is over */
    tsdb_close(db);
    cond_done(&w.changed);
    mutex_done(&w.lock);
}

TEST(a_full_queue_asks_to_send_again)
{
    const char *dir = test_dir();
    struct tsdb *db = open_db(dir, NULL);
    struct sink_result r = {0};
    struct err_info info = {0};
    double sum = 0;
    CHECK(db != NULL);
    atomic_store(&db->staging.active, true);
    db->staging.bytes_max = db->staging.queue.size_bytes_max = 2000;
    enum err e = ERR_OK;
    size_t taken = 0;
    for (; e == ERR_OK && taken < 100; taken++) {
        e = append(db, T0 + (ts_ms)taken * 1000, 1, &r);
    }
    CHECK_EQ(e, ERR_UNAVAILABLE);
    CHECK(taken > 2);
    CHECK_OK(staging_end(db, &info));
    CHECK(count(db, &sum) >= (taken - 1) * (SERIES - 1));
    tsdb_close(db);
}
