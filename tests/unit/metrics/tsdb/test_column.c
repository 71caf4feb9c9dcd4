/* Columns: what a store holds that got them is what it holds when the same samples came as batches, whatever
 * else happens to the series meanwhile; and a column that is not plain leaves nothing behind. */
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "every_series.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/tsdb_int.h"

#define T0 INT64_C(1700000000000)

enum {
    SERIES = 40,
    ROUNDS = 700
};

struct side {
    struct tsdb *db;
    char dir[300];
    series_ref refs[SERIES];
    uint64_t epoch;
    size_t columns, batches;
};

struct world {
    struct clock clock;
    char text[SERIES][16];
    struct label labels[SERIES][3];
    struct side with, without;
};

static enum err side_open(struct world *w, struct side *s)
{
    struct err_info info = {0};
    struct tsdb_options o = {
        .dir = s->dir, .durability = DURABILITY_OS, .clock = &w->clock, .late_window_ms = 3600 * 1000};
    s->epoch = 0;
    return tsdb_open(&o, &s->db, &info);
}

static bool world_init(struct world *w)
{
    *w = (struct world){0};
    clock_fake_init(&w->clock, (T0 + 24 * 3600 * 1000) * NS_PER_MS);
    for (size_t i = 0; i < SERIES; i++) {
        (void)snprintf(w->text[i], sizeof(w->text[i]), "m%zu", i);
        w->labels[i][0] = (struct label){STR("__name__"), str_c(w->text[i])};
        w->labels[i][1] = (struct label){STR("instance"), STR("a:1")};
        w->labels[i][2] = (struct label){STR("job"), i == SERIES - 1 ? STR("other") : STR("node")};
    }
    (void)snprintf(w->with.dir, sizeof(w->with.dir), "%s/with", test_dir());
    (void)snprintf(w->without.dir, sizeof(w->without.dir), "%s/without", test_dir());
    return side_open(w, &w->with) == ERR_OK && side_open(w, &w->without) == ERR_OK;
}

/* Samples of the series in `which` as a batch with labels. */
static enum err batch(struct world *w, struct side *s, const uint32_t *which, const double *values, size_t n,
                      ts_ms ts, struct sink_result *ret_r)
{
    struct sink_series series[SERIES];
    struct sink_sample m[SERIES];
    struct err_info info = {0};
    for (size_t i = 0; i < n; i++) {
        series[i] = (struct sink_series){.labels = {w->labels[which[i]], 3}};
        m[i] = (struct sink_sample){.series_index = (uint32_t)i, .ts = ts, .value = values[i]};
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = series,
                           .series_count = n,
                           .samples = m,
                           .sample_count = n,
                           .allow_late = true};
    enum err e = tsdb_sink(s->db)->ops->append(tsdb_sink(s->db), &b, ret_r, &info);
    if (ret_r->epoch != s->epoch) {
        memset(s->refs, 0, sizeof(s->refs));
    }
    s->epoch = ret_r->epoch;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        s->refs[which[i]] = series[i].ref;
    }
    s->batches++;
    return e;
}

static enum err column(struct side *s, const uint32_t *which, const double *values, size_t n, ts_ms ts)
{
    series_ref refs[SERIES];
    struct err_info info = {0};
    for (size_t i = 0; i < n; i++) {
        refs[i] = s->refs[which[i]];
        if (refs[i] == 0) {
            return ERR_UNSUPPORTED;
        }
    }
    struct sink_column c = {QUERY_TENANT_DEFAULT, refs, values, n, ts, s->epoch};
    enum err e = tsdb_sink(s->db)->ops->append_column(tsdb_sink(s->db), &c, &info);
    s->columns += e == ERR_OK;
    return e;
}

/* Mostly as before; counters, gauges, NaNs of several kinds. */
static double value_next(struct rng *r, double before)
{
    switch (rng_below(r, 12)) {
    case 0:
        return before + 1;
    case 1:
        return (double)rng_below(r, 1000000) / 7;
    case 2:
        return rng_below(r, 9) ? -0.0 : stale_nan();
    case 3:
        return f64_of_bits(UINT64_C(0x7ff8000000000000) | rng_below(r, 3));
    default:
        return before;
    }
}

/* One round: some series at one time, as a column when it can be. */
static enum err round_run(struct world *w, struct rng *r, double *values, ts_ms ts)
{
    uint32_t which[SERIES];
    double v[SERIES];
    struct sink_result with = {0}, without = {0};
    size_t n = 0;
    bool all = rng_below(r, 8) != 0;
    for (uint32_t i = 0; i < SERIES - 1; i++) {
        if (all || rng_below(r, 3)) {
            which[n] = i;
            v[n++] = values[i] = value_next(r, values[i]);
        }
    }
    enum err e = column(&w->with, which, v, n, ts);
    e = e == ERR_UNSUPPORTED ? batch(w, &w->with, which, v, n, ts, &with) : e;
    return e == ERR_OK ? batch(w, &w->without, which, v, n, ts, &without) : e;
}

/* Late, single, repeated and refused samples, to both as batches. */
static enum err disturb(struct world *w, struct rng *r, ts_ms ts)
{
    uint32_t which = (uint32_t)rng_below(r, SERIES);
    double v = (double)rng_below(r, 5);
    ts_ms at = rng_below(r, 2) ? ts - (ts_ms)rng_below(r, 100000) : ts + (ts_ms)rng_below(r, 500);
    struct sink_result with = {0}, without = {0};
    enum err e = batch(w, &w->with, &which, &v, 1, at, &with);
    e = e == ERR_OK ? batch(w, &w->without, &which, &v, 1, at, &without) : e;
    return e == ERR_OK && with.stored != without.stored ? ERR_INTERNAL : e;
}

static void print_series(void *ctx, const struct metric_batch *b, const struct metric_series *s)
{
    struct buf *out = ctx;
    labels_format(out, s->labels);
    for (uint32_t k = 0; k < s->count; k++) {
        buf_printf(out, " %lld:%llx", (long long)b->ts[s->clock_first + k],
                   (unsigned long long)f64_bits(s->values[k]));
    }
    buf_char(out, '\n');
}

static void print(struct tsdb *db, struct buf *out)
{
    if (!every_series(db, print_series, out)) {
        buf_c(out, "not to be read\n");
    }
}

static int line_cmp(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The lines in order: batches follow clocks, and replay may put a series on another clock than writing did.
 */
static size_t lines_sort(struct str text, struct str *out, size_t max)
{
    size_t n = 0;
    while (text.n && n < max) {
        out[n++] = str_cut(&text, '\n');
    }
    qsort(out, n, sizeof(*out), line_cmp);
    return n;
}

static bool same_text(struct world *w)
{
    struct buf with AUTO_BUF = {0}, without AUTO_BUF = {0};
    struct str a[SERIES * 4], b[SERIES * 4];
    print(w->with.db, &with);
    print(w->without.db, &without);
    size_t n = lines_sort(buf_view(&with), a, ARRAY_LEN(a));
    bool same = n > 0 && n == lines_sort(buf_view(&without), b, ARRAY_LEN(b));
    for (size_t i = 0; same && i < n; i++) {
        same = str_eq(a[i], b[i]);
    }
    return same;
}

TEST(columns_store_what_batches_store)
{
    static struct world w;
    struct rng r;
    double values[SERIES] = {0};
    ts_ms ts = T0;
    struct err_info info = {0};
    rng_init(&r, test_seed());
    CHECK(world_init(&w));
    for (int i = 0; i < ROUNDS; i++) {
        ts += 15000 + (ts_ms)(rng_below(&r, 4) ? 0 : rng_below(&r, 900000));
        CHECK_OK(round_run(&w, &r, values, ts));
        if (rng_below(&r, 20) == 0) {
            CHECK_OK(disturb(&w, &r, ts));
        }
        if (rng_below(&r, 60) == 0) {
            CHECK_OK(tsdb_maintain(w.with.db, &info));
            CHECK_OK(tsdb_maintain(w.without.db, &info));
        }
        if (rng_below(&r, 100) == 0) {
            CHECK(same_text(&w));
        }
        if (rng_below(&r, 150) == 0) {
            tsdb_close(w.with.db);
            CHECK_OK(side_open(&w, &w.with));
            CHECK(same_text(&w));
        }
    }
    CHECK(w.with.columns > ROUNDS / 3);
    CHECK(same_text(&w));
    tsdb_close(w.with.db);
    tsdb_close(w.without.db);
}

/* None of these is a column: nothing is stored, and what follows is. */
TEST(a_column_that_is_not_plain_leaves_nothing_behind)
{
    static struct world w;
    struct sink_result r = {0};
    uint32_t all[SERIES], twice[] = {0, 1, 2, 0}, two[] = {3, SERIES - 1};
    double values[SERIES] = {0};
    struct buf before AUTO_BUF = {0}, after AUTO_BUF = {0};
    CHECK(world_init(&w));
    for (uint32_t i = 0; i < SERIES; i++) {
        all[i] = i;
    }
    CHECK_OK(batch(&w, &w.with, all, values, SERIES, T0, &r));
    CHECK_OK(column(&w.with, all, values, SERIES - 1, T0 + 1000));
    print(w.with.db, &before);
    CHECK_EQ(column(&w.with, twice, values, 4, T0 + 2000), ERR_UNSUPPORTED);
    CHECK_EQ(column(&w.with, two, values, 2, T0 + 2000), ERR_UNSUPPORTED); /* of two partitions */
    CHECK_EQ(column(&w.with, all, values, SERIES - 1, T0 + 1000), ERR_UNSUPPORTED);
    CHECK_EQ(column(&w.with, all, values, SERIES - 1, T0 - 1), ERR_UNSUPPORTED);
    CHECK_EQ(column(&w.with, all, values, SERIES - 1, T0 + INT64_C(90) * 24 * 3600 * 1000), ERR_UNSUPPORTED);
    w.with.epoch++;
    CHECK_EQ(column(&w.with, all, values, SERIES - 1, T0 + 2000), ERR_UNSUPPORTED);
    w.with.epoch--;
    series_ref good = w.with.refs[5];
    w.with.refs[5] = (UINT64_C(1) << 40) << 6 | good % PARTITIONS;
    CHECK_EQ(column(&w.with, all, values, SERIES - 1, T0 + 2000), ERR_UNSUPPORTED);
    w.with.refs[5] = good;
    print(w.with.db, &after);
    CHECK(str_eq(buf_view(&before), buf_view(&after)));
    CHECK_OK(column(&w.with, all, values, SERIES - 1, T0 + 2000));
    CHECK_OK(column(&w.with, &all[SERIES - 1], values, 1, T0 + 2000));
    tsdb_close(w.with.db);
    tsdb_close(w.without.db);
}

/* A flush has begun whose block they belong to, and has passed their partition. */
TEST(columns_that_come_while_a_flush_runs_are_kept_apart_from_it)
{
    static struct world w;
    struct sink_result r = {0};
    struct err_info info = {0};
    uint32_t all[SERIES];
    double values[SERIES] = {0};
    CHECK(world_init(&w));
    for (uint32_t i = 0; i < SERIES; i++) {
        all[i] = i;
        values[i] = i;
    }
    CHECK_OK(batch(&w, &w.with, all, values, SERIES - 1, T0, &r));
    CHECK_OK(batch(&w, &w.without, all, values, SERIES - 1, T0, &r));
    atomic_store(&w.with.db->flushing_before, T0 + 2000);
    CHECK_OK(column(&w.with, all, values, SERIES - 1, T0 + 1000));
    CHECK_EQ(column(&w.with, all, values, SERIES - 1, T0 + 1000), ERR_UNSUPPORTED); /* they are there */
    CHECK_OK(column(&w.with, all, values, SERIES - 1, T0 + 2000));
    atomic_store(&w.with.db->flushing_before, INT64_MIN);
    CHECK_OK(column(&w.with, all, values, SERIES - 1, T0 + 3000));
    for (int tick = 1; tick <= 3; tick++) {
        CHECK_OK(batch(&w, &w.without, all, values, SERIES - 1, T0 + tick * 1000, &r));
    }
    CHECK(same_text(&w));
    tsdb_close(w.with.db);
    CHECK_OK(side_open(&w, &w.with));
    CHECK(same_text(&w));
    CHECK_OK(tsdb_maintain(w.with.db, &info));
    CHECK(same_text(&w));
    tsdb_close(w.with.db);
    tsdb_close(w.without.db);
}

/* Out of memory at any place: an error or a stored column, and after sending it again it is there once. */
TEST(every_allocation_of_a_column_may_fail)
{
    static struct world w;
    struct sink_result r = {0};
    uint32_t all[SERIES];
    double values[SERIES] = {0};
    CHECK(world_init(&w));
    for (uint32_t i = 0; i < SERIES; i++) {
        all[i] = i;
    }
    CHECK_OK(batch(&w, &w.with, all, values, SERIES - 1, T0, &r));
    CHECK_OK(batch(&w, &w.without, all, values, SERIES - 1, T0, &r));
    for (int tick = 1; tick < 200; tick++) {
        ts_ms ts = T0 + tick * 1000;
        for (size_t i = 0; i < SERIES; i++) {
            values[i] = (double)(tick * 7 + (int)i) / 3;
        }
        fault_arm(FAULT_ALLOC, (uint64_t)(tick % 13 + 1), false);
        enum err e = column(&w.with, all, values, SERIES - 1, ts);
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(e == ERR_OK || e == ERR_OOM || e == ERR_UNSUPPORTED);
        if (e != ERR_OK) {
            CHECK_OK(batch(&w, &w.with, all, values, SERIES - 1, ts, &r));
            CHECK_EQ(r.stored, SERIES - 1);
        }
        CHECK_OK(batch(&w, &w.without, all, values, SERIES - 1, ts, &r));
    }
    CHECK(same_text(&w));
    tsdb_close(w.with.db);
    tsdb_close(w.without.db);
}
