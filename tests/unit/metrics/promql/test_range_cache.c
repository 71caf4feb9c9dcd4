/* The range cache over a real store: whatever is written between queries, late or in order, and whatever is
 * deleted, an answer out of the cache equals one without it. */
#include <stdio.h>

#include "base/rng.h"
#include "harness.h"
#include "metrics/promql/range_cache.h"
#include "metrics/tsdb/tsdb.h"

enum {
    T0 = 1000000000,
    STEP = 15000,
    HOUR = 3600 * 1000,
    SERIES = 6,
    CACHE_BYTES = 4 << 20
};

struct world {
    struct clock clock;
    struct tsdb *db;
    struct range_cache *cache;
    struct rng rng;
    ts_ms now;
    char dir[256];
};

static const char *const expressions[] = {
    "m",
    "sum by (kind) (rate(m[2m]))",
    "m offset 5m",
    "avg_over_time(m[10m:1m])",
    "m @ end()",    /* not to be kept */
    "m offset -5m", /* not to be kept */
    "absent(m{kind=\"zzz\"})",
    "topk(2, m)",
    "count(m) or vector(0)",
};

static bool world_init(struct world *w, const char *name, uint64_t seed)
{
    struct err_info info = {0};
    *w = (struct world){.now = T0};
    rng_init(&w->rng, seed);
    clock_fake_init(&w->clock, (ts_ns)(T0 + 48 * (int64_t)HOUR) * NS_PER_MS);
    (void)snprintf(w->dir, sizeof(w->dir), "%s/%s", test_dir(), name);
    struct tsdb_options o = {.dir = w->dir, .clock = &w->clock, .late_window_ms = 4 * HOUR};
    return tsdb_open(&o, &w->db, &info) == ERR_OK && range_cache_new(CACHE_BYTES, &w->cache) == ERR_OK;
}

static void world_done(struct world *w)
{
    range_cache_free(w->cache);
    tsdb_close(w->db);
}

static enum err write(struct world *w, unsigned series, ts_ms ts, double v)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", series);
    struct label l[] = {{STR("__name__"), STR("m")},
                        {STR("kind"), series % 2 ? STR("odd") : STR("even")},
                        {STR("n"), str_c(number)}};
    struct sink_series s = {.labels = {l, 3}};
    struct sink_sample m = {.ts = ts, .value = v};
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = &s,
                           .series_count = 1,
                           .samples = &m,
                           .sample_count = 1,
                           .allow_late = true};
    struct sink_result r;
    struct err_info info = {0};
    return tsdb_sink(w->db)->ops->append(tsdb_sink(w->db), &b, &r, &info);
}

/* Some steps of time pass; now and then a sample is late, or a series appears in the past. */
static enum err live(struct world *w)
{
    enum err e = ERR_OK;
    for (unsigned step = 0; !e && step < 40; step++) {
        w->now += STEP;
        for (unsigned s = 0; !e && s < SERIES; s++) {
            if (rng_below(&w->rng, 8)) {
                e = write(w, s, w->now, (double)rng_below(&w->rng, 1000));
            }
        }
    }
    if (!e && rng_below(&w->rng, 3) == 0) {
        e = write(w, (unsigned)rng_below(&w->rng, SERIES + 3), w->now - (ts_ms)rng_below(&w->rng, 3 * HOUR),
                  7);
    }
    return e;
}

static bool same(const struct promql_result *x, const struct promql_result *y)
{
    bool ok = x->kind == y->kind && x->series_count == y->series_count;
    for (size_t i = 0; ok && i < x->series_count; i++) {
        const struct promql_series *a = &x->series[i], *b = &y->series[i];
        ok = a->n == b->n && labels_eq(a->labels, b->labels) &&
             memcmp(a->ts, b->ts, a->n * sizeof(*a->ts)) == 0 &&
             memcmp(a->values, b->values, a->n * sizeof(*a->values)) == 0;
    }
    return ok;
}

static bool agree(struct world *w, const char *expr, ts_ms start, ts_ms end, int64_t step)
{
    struct arena a AUTO_ARENA = {0};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT}, p = {.tenant = QUERY_TENANT_DEFAULT};
    struct promql_options o = {0};
    struct promql_result with, without;
    struct err_info info = {0};
    struct metric_source *s = tsdb_source(w->db);
    if (range_cache_query(w->cache, &o, s, &q, str_c(expr), start, end, step, &a, &with, &info) ||
        promql_range(&o, s, &p, str_c(expr), start, end, step, &a, &without, &info)) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    if (!same(&with, &without)) {
        (void)fprintf(stderr, "%s from %lld: %zu and %zu series\n", expr, (long long)start, with.series_count,
                      without.series_count);
        return false;
    }
    return true;
}

TEST(answers_of_the_cache_equal_those_without_it)
{
    struct world w;
    CHECK(world_init(&w, "equal", test_seed()));
    for (unsigned round = 0; round < 60; round++) {
        struct err_info info = {0};
        CHECK_OK(live(&w));
        if (round % 20 == 19) {
            struct matcher m;
            struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
            CHECK_OK(matcher_init(&m, MATCH_EQ, STR("n"), STR("1"), &info));
            CHECK_OK(tsdb_delete(w.db, &q, &m, 1, w.now - 4 * HOUR, w.now - 3 * HOUR, &info));
            matcher_done(&m);
        }
        if (round % 10 == 9) {
            CHECK_OK(tsdb_maintain(w.db, &info));
        }
        for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
            ts_ms end = w.now / 60000 * 60000, start = end - 3 * HOUR;
            CHECK(agree(&w, expressions[i], start, end, 60000));
        }
    }
    struct range_cache_stats st;
    range_cache_stats(w.cache, &st);
    CHECK(st.partial_hits > 50);
    CHECK(st.bytes <= CACHE_BYTES);
    world_done(&w);
}

TEST(past_ranges_are_answered_without_evaluation)
{
    struct world w;
    CHECK(world_init(&w, "past", test_seed()));
    for (unsigned i = 0; i < 1000; i++) {
        w.now += STEP;
        CHECK_OK(write(&w, 1, w.now, i));
    }
    ts_ms start = T0 / 60000 * 60000;
    for (int i = 0; i < 3; i++) {
        CHECK(agree(&w, "m", start, start + HOUR, 60000));
    }
    struct range_cache_stats st;
    range_cache_stats(w.cache, &st);
    CHECK_EQ(st.hits, 2);
    CHECK_EQ(st.entries, 1);
    CHECK_OK(write(&w, 2, T0 + 100000, 5)); /* too old for the window: refused, the past is as it was */
    CHECK_OK(write(&w, 2, w.now - 2 * HOUR, 5));
    CHECK(agree(&w, "m", start, start + HOUR, 60000));
    range_cache_stats(w.cache, &st);
    CHECK_EQ(st.hits, 2);
    world_done(&w);
}

TEST(the_cache_stays_within_its_bytes)
{
    struct world w;
    char expr[64];
    CHECK(world_init(&w, "bytes", test_seed()));
    for (unsigned i = 0; i < 2000; i++) {
        w.now += STEP;
        CHECK_OK(write(&w, i % SERIES, w.now, i));
    }
    range_cache_free(w.cache);
    CHECK_OK(range_cache_new(64 << 10, &w.cache));
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(expr, sizeof(expr), "m + %u", i);
        CHECK(agree(&w, expr, T0, T0 + 2 * HOUR, 60000));
    }
    struct range_cache_stats st;
    range_cache_stats(w.cache, &st);
    CHECK(st.bytes <= 64 << 10);
    CHECK(st.entries > 0 && st.entries < 40);
    world_done(&w);
}
