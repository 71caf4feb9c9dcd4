/* Starting from sealed chunks instead of the whole log: what a crash or a stop leaves is what the model has,
 * whatever was done to the files that only save time. */
#include <stdio.h>

#include "disk/file.h"
#include "every_series.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/checkpoint.h"
#include "metrics/tsdb/flush.h"
#include "model.h"
#include "store_copy.h"

enum {
    LIVES = 10,
    STEPS = 240,
    PATH_BYTES = 512
};

struct world {
    struct model m;
    struct clock clock;
    char dir[256];
    unsigned life;
    struct tsdb *db;
};

static bool world_open(struct world *w)
{
    struct tsdb_options o = {.dir = w->dir, .clock = &w->clock, .durability = DURABILITY_OS};
    struct err_info info = {0};
    w->m.epoch = 0;
    if (tsdb_open(&o, &w->db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return w->db != NULL;
}

static bool maintain(struct world *w)
{
    struct err_info info = {0};
    clock_fake_advance(&w->clock, INT64_C(6) * 60 * NS_PER_S); /* a checkpoint is due each time */
    if (tsdb_maintain(w->db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    return true;
}

static bool check_all(struct world *w)
{
    return model_check(&w->m, tsdb_source(w->db), INT64_MIN, INT64_MAX);
}

static void world_close(struct world *w)
{
    tsdb_close(w->db);
    w->db = NULL;
}

static bool live(struct world *w, bool housekeeping)
{
    bool ok = check_all(w);
    for (unsigned i = 0; i < STEPS && ok; i++) {
        ok = model_step(&w->m, tsdb_sink(w->db));
        if (ok && housekeeping && rng_below(&w->m.rng, 40) == 0) {
            ok = maintain(w) && check_all(w);
        }
    }
    return ok && check_all(w);
}

/* The store goes on from what a crash would leave of it now. */
static bool crash(struct world *w)
{
    char to[256];
    struct err_info info = {0};
    (void)snprintf(to, sizeof(to), "%.200s.%u", w->dir, ++w->life);
    enum err e = store_copy(w->dir, to, &info);
    world_close(w);
    (void)snprintf(w->dir, sizeof(w->dir), "%s", to);
    return e == ERR_OK;
}

/* One file of the chunks folder is changed, cut or taken away. */
static void damage(struct world *w)
{
    struct arena a AUTO_ARENA = {0};
    struct err_info info = {0};
    const struct str *names = NULL;
    size_t n = 0;
    char folder[300], path[PATH_BYTES];
    struct buf content AUTO_BUF = {0};
    (void)snprintf(folder, sizeof(folder), "%s/chunks", w->dir);
    if (dir_list(folder, &a, &names, &n, &info) != ERR_OK || n == 0) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/%.*s", folder, STR_FMT(names[rng_below(&w->m.rng, n)]));
    if (file_load(path, &content, &info) != ERR_OK || content.n == 0) {
        return;
    }
    size_t at = rng_below(&w->m.rng, content.n);
    switch (rng_below(&w->m.rng, 3)) {
    case 0:
        content.p[at] = (char)(content.p[at] ^ 1 << rng_below(&w->m.rng, 8));
        CHECK_OK(file_store(path, buf_view(&content), &info));
        break;
    case 1:
        CHECK_OK(file_store(path, str_of(content.p, at), &info));
        break;
    default:
        CHECK_OK(file_remove(path, &info));
    }
}

static void world_begin(struct world *w, uint64_t seed)
{
    *w = (struct world){0};
    (void)snprintf(w->dir, sizeof(w->dir), "%s/c", test_dir());
    clock_fake_init(&w->clock, (MODEL_T0 + INT64_C(3600000)) * NS_PER_MS);
    model_init(&w->m, seed);
    w->m.flushed = true;
}

TEST(after_a_crash_at_any_time_all_is_there)
{
    static struct world w;
    uint64_t restored = 0;
    world_begin(&w, test_seed() + 11);
    bool ok = world_open(&w);
    for (unsigned life = 0; life < LIVES && ok; life++) {
        ok = live(&w, life % 4 != 3) && crash(&w) && world_open(&w);
        struct tsdb_activity activity = {0};
        if (ok) {
            tsdb_activity(w.db, &activity);
        }
        restored += activity.chunks_restored;
    }
    ok = ok && check_all(&w);
    world_close(&w);
    model_done(&w.m);
    CHECK(ok);
    CHECK(restored > 0);
}

TEST(damage_of_what_only_saves_time_loses_nothing)
{
    static struct world w;
    world_begin(&w, test_seed() + 12);
    bool ok = world_open(&w);
    for (unsigned life = 0; life < LIVES && ok; life++) {
        ok = live(&w, true);
        if (life % 2) {
            ok = ok && crash(&w);
        } else {
            world_close(&w);
        }
        damage(&w);
        ok = ok && world_open(&w);
    }
    ok = ok && check_all(&w);
    world_close(&w);
    model_done(&w.m);
    CHECK(ok);
}

/* The files of an earlier checkpoint with the log of now. */
TEST(an_older_checkpoint_is_as_good)
{
    static struct world w;
    struct err_info info = {0};
    char chunks[300], kept[300];
    world_begin(&w, test_seed() + 13);
    bool ok = world_open(&w);
    for (unsigned life = 0; life < 4 && ok; life++) {
        ok = live(&w, true) && maintain(&w);
        (void)snprintf(kept, sizeof(kept), "%s.kept-%u", w.dir, life);
        ok = ok && folder_copy(w.dir, kept, "chunks", &info) == ERR_OK && live(&w, false);
        world_close(&w);
        (void)snprintf(chunks, sizeof(chunks), "%s/chunks", w.dir);
        ok = ok && dir_remove(chunks, &info) == ERR_OK && folder_copy(kept, w.dir, "chunks", &info) == ERR_OK;
        ok = ok && world_open(&w);
    }
    ok = ok && check_all(&w);
    world_close(&w);
    model_done(&w.m);
    CHECK(ok);
}

TEST(a_stop_leaves_nothing_to_replay)
{
    static struct world w;
    struct tsdb_activity activity = {0};
    struct tsdb_stats before = {0}, after = {0};
    world_begin(&w, test_seed() + 14);
    bool ok = world_open(&w) && live(&w, false);
    tsdb_stats(w.db, &before);
    world_close(&w);
    ok = ok && world_open(&w) && check_all(&w);
    tsdb_activity(w.db, &activity);
    tsdb_stats(w.db, &after);
    world_close(&w);
    model_done(&w.m);
    CHECK(ok);
    CHECK(activity.chunks_restored > 0);
    CHECK(activity.records_replayed <= MODEL_TARGETS); /* one a partition, with what came late */
    CHECK_EQ(after.series, before.series);
    CHECK_EQ(after.min_time, before.min_time);
    CHECK_EQ(after.max_time, before.max_time);
}

/* One sample of a series of one target. */
static void one(struct tsdb *db, const char *name, ts_ms ts)
{
    struct label labels[] = {{LABEL_METRIC_NAME, str_c(name)}, {STR("job"), STR("j")}};
    struct sink_series series = {.labels = {labels, 2}};
    struct sink_sample sample = {.ts = ts, .value = 1};
    struct sink_batch b = {.tenant = STR("anonymous"),
                           .series = &series,
                           .series_count = 1,
                           .samples = &sample,
                           .sample_count = 1};
    struct sink_result r = {0};
    CHECK_OK(tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL));
    CHECK_EQ(sample.status, SAMPLE_STORED);
}

static void count(void *ctx, const struct metric_batch *b, const struct metric_series *s)
{
    (void)b;
    *(unsigned *)ctx += s->count;
}

/* The disk has no room for another file of chunks. */
static void no_more_files(struct tsdb *db)
{
    if (db->pool.current) {
        chunk_segment_unref(db->pool.current);
        db->pool.current = NULL;
    }
    db->pool.pause = 1000000;
}

/* As long as a chunk is on the heap no checkpoint is made. What is tried meanwhile looks at some of the tails
 * only, and must not make the others look young. */
TEST(checkpoints_that_fail_do_not_forget_how_old_a_tail_is)
{
    static struct world w;
    struct err_info info = {0};
    unsigned samples = 0;
    world_begin(&w, test_seed() + 15);
    CHECK(world_open(&w));
    one(w.db, "first", MODEL_T0);
    one(w.db, "second", MODEL_T0 + 3000000);
    no_more_files(w.db);
    for (unsigned i = 0; i < 120; i++) { /* the first's tail is sealed */
        one(w.db, "first", MODEL_T0 + 1 + (ts_ms)i);
    }
    for (unsigned i = 0; i < GENERATIONS; i++) {
        CHECK_OK(checkpoint_make(w.db, false, &info));
    }
    w.db->pool.pause = 0;
    CHECK_OK(tsdb_flush(w.db, MODEL_T0 + 1800000, &info)); /* and goes to a block */
    one(w.db, "first", MODEL_T0 + 3000000);
    CHECK_OK(checkpoint_make(w.db, false, &info));
    CHECK(crash(&w) && world_open(&w));
    CHECK(every_series(w.db, count, &samples));
    world_close(&w);
    model_done(&w.m);
    CHECK_EQ(samples, 123);
}
