/* Random batches into the store and into the model, also after reopening, flushes and merges, and a crash. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "life.h"

static struct tsdb *open_at(const char *dir)
{
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_INTERVAL};
    struct err_info info = {0};
    struct tsdb *db = NULL;
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return NULL;
    }
    return db;
}

TEST(random_batches_equal_the_model_also_after_reopening)
{
    const char *dir = test_dir();
    struct model m;
    model_init(&m, test_seed());
    bool ok = true;
    for (int life = 0; life < 4 && ok; life++) {
        struct tsdb *db = open_at(dir);
        ok = db && model_check(&m, tsdb_source(db), INT64_MIN, INT64_MAX);
        m.epoch = 0;
        for (int i = 0; i < 500 && ok; i++) {
            ok = model_step(&m, tsdb_sink(db));
            if (i % 100 == 99) {
                ts_ms from = m.now - (ts_ms)rng_below(&m.rng, 3 * MODEL_LATE_MS);
                ok = ok &&
                     model_check(&m, tsdb_source(db), from, from + (ts_ms)rng_below(&m.rng, MODEL_LATE_MS));
            }
        }
        ok = ok && model_check(&m, tsdb_source(db), INT64_MIN, INT64_MAX);
        tsdb_close(db);
    }
    model_done(&m);
    CHECK(ok);
}

TEST(flushes_and_merges_change_nothing_a_reader_sees)
{
    const char *dir = test_dir();
    struct model m;
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + MODEL_LATE_MS) * NS_PER_MS);
    model_init(&m, test_seed() + 2);
    m.flushed = true;
    bool ok = true;
    struct tsdb_stats stats = {0};
    for (int life = 0; life < 4 && ok; life++) {
        struct tsdb *db = life_open(dir, &clock);
        ok = db && model_check(&m, tsdb_source(db), INT64_MIN, INT64_MAX);
        m.epoch = 0;
        for (int i = 0; i < 500 && ok; i++) {
            ok = model_step(&m, tsdb_sink(db));
            if (i % 50 == 49) {
                struct err_info info = {0};
                if (tsdb_maintain(db, &info) != ERR_OK) {
                    test_fail(__FILE__, __LINE__, info.message);
                    ok = false;
                }
                ts_ms from = m.now - (ts_ms)rng_below(&m.rng, 3 * MODEL_LATE_MS);
                ok = ok &&
                     model_check(&m, tsdb_source(db), from, from + (ts_ms)rng_below(&m.rng, MODEL_LATE_MS));
                ok = ok && model_check(&m, tsdb_source(db), INT64_MIN, INT64_MAX);
            }
        }
        if (db) {
            tsdb_stats(db, &stats);
        }
        tsdb_close(db);
    }
    model_done(&m);
    CHECK(ok);
    CHECK(stats.blocks >= 2);
    CHECK(stats.blocks < 30);
    CHECK_EQ(stats.blocks_bad, 0);
}

/* A child writes and is gone without closing anything; through a pipe it told what was acknowledged. */
TEST(what_was_acknowledged_survives_a_crash)
{
    char dir[64], other_dir[64];
    (void)snprintf(dir, sizeof(dir), "%s/crashed", test_dir());
    (void)snprintf(other_dir, sizeof(other_dir), "%.50s.other", dir);
    int fds[2], acknowledged = 0, status = 0;
    CHECK(pipe(fds) == 0);
    struct model m;
    model_init(&m, test_seed() + 1);
    pid_t pid = fork();
    if (pid == 0) {
        struct tsdb *db = open_at(dir);
        for (int i = 0; i < 200 && db && model_step(&m, tsdb_sink(db)); i++) {
            if (write(fds[1], "a", 1) != 1) {
                break;
            }
        }
        _exit(0);
    }
    close(fds[1]);
    for (char c; read(fds[0], &c, 1) == 1;) {
        acknowledged++;
    }
    close(fds[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    struct tsdb *crashed = open_at(dir), *other = open_at(other_dir);
    bool ok = crashed && other;
    for (int i = 0; i < acknowledged && ok; i++) { /* the same batches, for the model */
        ok = model_step(&m, tsdb_sink(other));
    }
    ok = ok && model_check(&m, tsdb_source(crashed), INT64_MIN, INT64_MAX);
    tsdb_close(crashed);
    tsdb_close(other);
    model_done(&m);
    CHECK(ok);
    CHECK_EQ(acknowledged, 200);
}

/* Columns among batches of all kinds; deletions, flushes, merges, snapshots and restarts in between. */
TEST(columns_and_all_else_equal_the_model)
{
    static struct life l;
    char dir[300];
    (void)snprintf(dir, sizeof(dir), "%s/life", test_dir());
    bool ok = life_begin(&l, dir, test_seed() + 3);
    for (int i = 0; i < 3000 && ok; i++) {
        uint64_t dice = rng_below(&l.m.rng, 100);
        ok = life_go_on(&l, dice < LIFE_COUNT && rng_below(&l.m.rng, 2) ? (enum life_event)dice : LIFE_STEP);
    }
    ok = ok && life_go_on(&l, LIFE_RESTART);
    size_t columns = l.m.columns;
    life_end(&l);
    CHECK(ok);
    CHECK(columns > 700);
}
