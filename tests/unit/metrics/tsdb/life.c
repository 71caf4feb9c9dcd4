#include "life.h"

#include <stdio.h>

#include "disk/file.h"
#include "harness.h"

struct tsdb *life_open(const char *dir, struct clock *clock)
{
    struct tsdb_options o = {
        .dir = dir, .clock = clock, .durability = DURABILITY_OS, .block_ms = LIFE_BLOCK_MS};
    struct err_info info = {0};
    struct tsdb *db = NULL;
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return NULL;
    }
    return db;
}

bool life_begin(struct life *l, const char *dir, uint64_t seed)
{
    *l = (struct life){.snapshots = 0};
    (void)snprintf(l->dir, sizeof(l->dir), "%s", dir);
    clock_fake_init(&l->clock, (MODEL_T0 + MODEL_LATE_MS) * NS_PER_MS);
    model_init(&l->m, seed);
    l->m.flushed = true;
    l->m.column_lag_ms = LIFE_BLOCK_MS / 2;
    l->db = life_open(l->dir, &l->clock);
    return l->db != NULL;
}

void life_end(struct life *l)
{
    tsdb_close(l->db);
    model_done(&l->m);
}

static bool all_same(struct life *l)
{
    return model_check(&l->m, tsdb_source(l->db), INT64_MIN, INT64_MAX);
}

static bool part_same(struct life *l)
{
    ts_ms from = l->m.now - (ts_ms)rng_below(&l->m.rng, 3 * MODEL_LATE_MS);
    return model_check(&l->m, tsdb_source(l->db), from, from + (ts_ms)rng_below(&l->m.rng, MODEL_LATE_MS));
}

static bool maintain(struct life *l)
{
    struct err_info info = {0};
    l->m.refs_good = false;
    if (tsdb_maintain(l->db, &info) == ERR_OK) {
        return true;
    }
    test_fail(__FILE__, __LINE__, info.message);
    return false;
}

static bool snapshot_same(struct life *l)
{
    char to[340];
    struct err_info info = {0};
    (void)snprintf(to, sizeof(to), "%s-copy-%u", l->dir, l->snapshots++);
    l->m.refs_good = false;
    if (tsdb_snapshot(l->db, to, false, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    struct tsdb *copy = life_open(to, &l->clock);
    bool ok = copy && model_check(&l->m, tsdb_source(copy), INT64_MIN, INT64_MAX);
    tsdb_close(copy);
    return dir_remove(to, NULL) == ERR_OK && ok;
}

static bool restart(struct life *l)
{
    tsdb_close(l->db);
    l->db = life_open(l->dir, &l->clock);
    l->m.epoch = 0;
    l->m.refs_good = false;
    return l->db && all_same(l);
}

bool life_go_on(struct life *l, enum life_event event)
{
    switch (event) {
    case LIFE_RESTART:
        return restart(l);
    case LIFE_SNAPSHOT:
        return snapshot_same(l);
    case LIFE_COMPARE:
        return all_same(l);
    case LIFE_PART:
        return part_same(l);
    case LIFE_MAINTAIN:
        return maintain(l);
    case LIFE_DELETE:
        return model_delete(&l->m, l->db);
    case LIFE_STEP:
    case LIFE_COUNT:
        return model_step(&l->m, tsdb_sink(l->db));
    }
    return false;
}
