/* The engine over series in memory: results a user sees, and the fast evaluator against the plain one. */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/promql/engine.h"
#include "query/array_source.h"

enum {
    SAMPLES = 120,
    SERIES = 24,
    TICK = 15000
};

struct world {
    unsigned sets_less; /* promql_options.sets_less */
    bool step_usage;
    struct arena a;
    struct array_series series[SERIES];
    struct array_source source;
};

static struct labels labels_of(struct arena *a, size_t i)
{
    static const char *const names[] = {"requests_total", "temperature", "up"};
    struct label *l = arena_array(a, 3, sizeof(*l));
    l[0] = (struct label){LABEL_METRIC_NAME, str_c(names[i % 3])};
    l[1] = (struct label){STR("instance"), arena_printf(a, "i%zu", i / 3 % 4)};
    l[2] = (struct label){STR("job"), arena_printf(a, "j%zu", i / 12)};
    return (struct labels){l, 3};
}

/* Several clocks, counters that restart, gaps by staleness, NaN and infinities. */
static void world_init(struct world *w, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed);
    *w = (struct world){0};
    ts_ms *clocks[3];
    for (size_t c = 0; c < 3; c++) {
        clocks[c] = arena_array(&w->a, SAMPLES, sizeof(ts_ms));
        for (size_t i = 0; i < SAMPLES; i++) {
            clocks[c][i] = (ts_ms)(i + 1) * TICK + (c == 2 ? (ts_ms)rng_below(&r, 900) : (ts_ms)c * 100);
        }
    }
    for (size_t k = 0; k < SERIES; k++) {
        double *v = arena_array(&w->a, SAMPLES, sizeof(*v)), sum = (double)rng_below(&r, 1000);
        size_t n = k % 7 == 0 ? SAMPLES / 2 : SAMPLES;
        for (size_t i = 0; i < SAMPLES; i++) {
            sum += (double)rng_below(&r, 1000) / 7;
            sum = rng_below(&r, 40) == 0 ? (double)rng_below(&r, 10) : sum;
            uint64_t odd = rng_below(&r, 60);
            v[i] = k % 3 != 1 || odd > 3 ? sum
                   : odd == 0            ? (double)NAN
                   : odd == 1            ? (double)INFINITY
                   : odd == 2            ? stale_nan()
                                         : -0.0;
        }
        w->series[k] =
            (struct array_series){.labels = labels_of(&w->a, k), .ts = clocks[k / 8], .values = v, .n = n};
    }
    array_source_init(&w->source, w->series, SERIES);
}

static enum err run(struct world *w, bool plain, const char *query, ts_ms start, ts_ms end, int64_t step,
                    struct arena *a, struct promql_result *r, struct err_info *info)
{
    struct promql_options o = {.experimental = true,
                               .extended_ranges = true,
                               .fill_modifiers = true,
                               .part_steps = 7,
                               .sets_less = w->sets_less,
                               .step_usage = w->step_usage,
                               .plain = plain};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    return step ? promql_range(&o, &w->source.source, &q, str_c(query), start, end, step, a, r, info)
                : promql_instant(&o, &w->source.source, &q, str_c(query), start, a, r, info);
}

static bool same_series(const struct promql_series *x, const struct promql_series *y)
{
    bool same = labels_eq(x->labels, y->labels) && x->n == y->n;
    for (size_t i = 0; same && i < x->n; i++) {
        same = x->ts[i] == y->ts[i] && (f64_bits(x->values[i]) == f64_bits(y->values[i]) ||
                                        (isnan(x->values[i]) && isnan(y->values[i])));
    }
    return same;
}

static bool same_texts(const struct str *x, size_t xn, const struct str *y, size_t yn)
{
    bool same = xn == yn;
    for (size_t i = 0; same && i < xn; i++) {
        same = str_eq(x[i], y[i]);
    }
    return same;
}

static void compare(struct world *w, const char *query, ts_ms start, ts_ms end, int64_t step)
{
    struct arena a AUTO_ARENA = {0}, b AUTO_ARENA = {0};
    struct promql_result x = {0}, y = {0};
    struct err_info xi = {0}, yi = {0};
    enum err ex = run(w, true, query, start, end, step, &a, &x, &xi);
    enum err ey = run(w, false, query, start, end, step, &b, &y, &yi);
    bool same = ex == ey && x.series_count == y.series_count;
    same = same && same_texts(x.warnings, x.warning_count, y.warnings, y.warning_count);
    same = same && same_texts(x.infos, x.info_count, y.infos, y.info_count);
    for (size_t i = 0; same && !ex && i < x.series_count; i++) {
        same = same_series(&x.series[i], &y.series[i]);
    }
    if (ex && same) {
        same = str_eq(str_c(xi.message), str_c(yi.message));
    }
    same = same && x.samples_total == y.samples_total && x.samples_read == y.samples_read;
    if (!same) {
        printf("# %s from %lld to %lld step %lld: %s / %s\n", query, (long long)start, (long long)end,
               (long long)step, ex ? xi.message : "ok", ey ? yi.message : "ok");
        test_fail(__FILE__, __LINE__, "the plain and the fast evaluator agree");
    }
}

/* The text with the range in the place of %s. */
static void put_range(struct buf *b, const char *text, const char *range)
{
    const char *at = strstr(text, "%s");
    buf_append(b, text, at ? (size_t)(at - text) : strlen(text));
    if (at) {
        buf_c(b, range);
        buf_c(b, at + 2);
    }
}

TEST(fast_and_plain_evaluator_agree)
{
    static const char *const ops[] = {"sum", "avg", "min", "max", "count", "group"};
    static const char *const by[] = {"",
                                     " by (job)",
                                     " by (instance, job)",
                                     " without (instance)",
                                     " by (__name__)",
                                     " without (__name__, job)"};
    static const char *const operands[] = {"requests_total",
                                           "temperature",
                                           "{__name__=~\"up|temperature\"}",
                                           "up{job=\"j1\"}",
                                           "absent_metric",
                                           "rate(requests_total[%s])",
                                           "increase(up[%s])",
                                           "delta(temperature[%s])",
                                           "avg_over_time(temperature[%s])",
                                           "sum_over_time(up[%s] offset 1m)",
                                           "max_over_time(temperature[%s])",
                                           "min_over_time(temperature[%s])",
                                           "count_over_time(up[%s])",
                                           "last_over_time(temperature[%s])",
                                           "stddev_over_time(up[%s])",
                                           "rate({__name__=~\"up|requests_total\"}[%s])",
                                           "rate(up[%s] @ 900)",
                                           "changes(temperature[%s])",
                                           "resets(up[%s])",
                                           "irate(up[%s])",
                                           "idelta(temperature[%s])",
                                           "first_over_time(temperature[%s])",
                                           "present_over_time(up[%s])",
                                           "stdvar_over_time(temperature[%s])",
                                           "stddev_over_time(requests_total[%s])",
                                           "avg_over_time(requests_total[%s])",
                                           "deriv(requests_total[%s])",
                                           "deriv(temperature[%s] offset 7s)",
                                           "predict_linear(requests_total[%s], 600)",
                                           "predict_linear(up[%s] offset 1m, 3600)",
                                           "predict_linear(temperature[%s] @ 700, time())",
                                           "quantile_over_time(0.3, requests_total[%s])",
                                           "quantile_over_time(0.95, temperature[%s])",
                                           "quantile_over_time(time() / 900, up[%s])",
                                           "max_over_time(requests_total[%s] @ 800)"};
    static const char *const ranges[] = {"15s", "30s", "1m", "5m", "7m13s", "20m"};
    struct rng r;
    rng_init(&r, test_seed());
    for (int round = 0; round < 6 && !test_failed(); round++) {
        struct world w;
        world_init(&w, test_seed() + (uint64_t)round);
        for (int i = 0; i < 250 && !test_failed(); i++) {
            w.sets_less = (unsigned)rng_below(&r, 3);
            char operand[160], query[300];
            struct buf b AUTO_BUF = {0};
            put_range(&b, operands[rng_below(&r, ARRAY_LEN(operands))],
                      ranges[rng_below(&r, ARRAY_LEN(ranges))]);
            snprintf(operand, sizeof(operand), "%.*s", STR_FMT(buf_view(&b)));
            snprintf(query, sizeof(query), "%s%s (%s)", ops[rng_below(&r, ARRAY_LEN(ops))],
                     by[rng_below(&r, ARRAY_LEN(by))], operand);
            ts_ms start = (ts_ms)rng_below(&r, SAMPLES * TICK);
            int64_t step = rng_below(&r, 4) == 0 ? 0 : 1 + (int64_t)rng_below(&r, 90000);
            compare(&w, rng_below(&r, 3) ? query : operand, start, start + (ts_ms)rng_below(&r, 1800000),
                    step);
        }
        arena_done(&w.a);
    }
}

/* -- what a query costs ------------------------------------------------------------------------------------
 */

static uint64_t sum_of(const uint64_t *at, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += at[i];
    }
    return sum;
}

/* Each step looks at what an instant query at its time looks at. */
TEST(a_step_counts_what_its_instant_query_counts)
{
    static const char *const queries[] = {"up",
                                          "sum(up)",
                                          "sum by (job) (rate(requests_total[5m]))",
                                          "rate(requests_total[5m]) + on(instance, job) up",
                                          "up / (up + up)",
                                          "avg_over_time(temperature[2m])",
                                          "max_over_time(temperature[2m:20s])",
                                          "rate(requests_total[1m] @ 600)",
                                          "sum(up @ 700) - up",
                                          "predict_linear(up[3m] offset 1m, 60)",
                                          "quantile_over_time(0.5, temperature[45s])",
                                          "1",
                                          "nothing"};
    struct world w;
    world_init(&w, test_seed());
    w.step_usage = true;
    for (size_t q = 0; q < ARRAY_LEN(queries) && !test_failed(); q++) {
        struct arena a AUTO_ARENA = {0};
        struct promql_result all;
        struct err_info info = {0};
        CHECK_OK(run(&w, false, queries[q], 300000, 1500000, 37000, &a, &all, &info));
        CHECK_EQ(all.samples_total, sum_of(all.samples_total_at, all.steps));
        CHECK_EQ(all.samples_read, sum_of(all.samples_read_at, all.steps));
        for (size_t i = 0; i < all.steps && !test_failed(); i++) {
            struct arena b AUTO_ARENA = {0};
            struct promql_result one;
            ts_ms at = all.start_ms + (ts_ms)i * all.step_ms;
            CHECK_OK(run(&w, i % 2, queries[q], at, at, 0, &b, &one, &info));
            CHECK_EQ(all.samples_total_at[i], one.samples_total);
            CHECK_EQ(one.samples_total_at[0], one.samples_total);
        }
    }
    arena_done(&w.a);
}

/* Windows of a minute that overlap by half: each has four samples, of which the step before saw two. */
TEST(only_new_samples_of_a_window_count_as_read)
{
    struct world w;
    struct arena a AUTO_ARENA = {0};
    struct promql_result r;
    struct err_info info = {0};
    world_init(&w, 5);
    w.step_usage = true;
    CHECK_OK(run(&w, false, "count_over_time(requests_total{instance=\"i1\",job=\"j0\"}[1m])", 600000, 690000,
                 30000, &a, &r, &info));
    CHECK_EQ(r.steps, 4);
    for (size_t i = 0; i < r.steps; i++) {
        CHECK_EQ(r.samples_total_at[i], 4);
        CHECK_EQ(r.samples_read_at[i], i == 0 ? 4 : 2);
    }
    arena_done(&w.a);
}

/* Operators write over their operands, annotations have places: what is shared must not show. */
TEST(equal_subexpressions_do_not_show)
{
    static const char *const shared[] = {"requests_total",
                                         "rate(requests_total[5m])",
                                         "rate(temperature[5m])",
                                         "temperature offset 1m",
                                         "temperature @ 900",
                                         "sum by (job) (rate(up[1m]))",
                                         "{__name__=~\"up|temperature\"}",
                                         "abs(temperature)",
                                         "quantile by (job) (1.5, temperature)",
                                         "temperature + on (job) group_left () sum by (job) (up)",
                                         "max_over_time(rate(temperature[1m])[5m:30s])"};
    static const char *const shapes[] = {"%s + %s",
                                         "-(%s) + abs(%s) * (%s)",
                                         "sum(%s) / count(%s)",
                                         "topk(2, %s) or bottomk(1, (%s)) or -(%s)",
                                         "(%s) offset 1m + (%s)",
                                         "sum_over_time((%s)[3m:1m]) - sum_over_time((%s)[2m:1m]) + (%s)",
                                         "label_replace(%s, \"job\", \"x\", \"\", \"\") or (%s)",
                                         "%s smoothed + %s",
                                         "quantile(1.5, %s) or quantile(1.5, %s) or quantile(1.5, %s)",
                                         "histogram_count(%s) or (%s) or ceil((%s))"};
    struct rng r;
    rng_init(&r, test_seed());
    struct world w;
    world_init(&w, test_seed());
    for (int i = 0; i < 600 && !test_failed(); i++) {
        struct buf b AUTO_BUF = {0};
        const char *operand = shared[rng_below(&r, ARRAY_LEN(shared))];
        for (const char *at = shapes[rng_below(&r, ARRAY_LEN(shapes))]; *at; at++) {
            bool here = at[0] == '%' && at[1] == 's';
            buf_append(&b, here ? operand : at, here ? strlen(operand) : 1);
            at += here;
        }
        buf_append(&b, "", 1);
        ts_ms start = (ts_ms)rng_below(&r, SAMPLES * TICK);
        compare(&w, b.p, start, start + (ts_ms)rng_below(&r, 1800000),
                rng_below(&r, 4) == 0 ? 0 : 1 + (int64_t)rng_below(&r, 90000));
    }
    arena_done(&w.a);
}

/* -- what a user sees ------------------------------------------------------------------------------------ */

/* Points of a smoothed selector are not counted, but a subquery lets go of them. */
TEST(a_subquery_over_smoothed_samples_is_within_its_limit)
{
    struct world w;
    struct arena a AUTO_ARENA = {0};
    struct promql_result r = {0};
    struct err_info info = {0};
    struct promql_options o = {.experimental = true, .extended_ranges = true};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT, .samples_max = 100000};
    world_init(&w, 1);
    enum err e = promql_range(&o, &w.source.source, &q, STR("resets((requests_total smoothed)[5m:1s])"),
                              600000, 1200000, 60000, &a, &r, &info);
    arena_done(&w.a);
    CHECK_OK(e);
    CHECK(r.series_count > 0);
}

static void check_value(const char *query, ts_ms at, double want)
{
    struct world w;
    struct arena a AUTO_ARENA = {0};
    struct promql_result r = {0};
    struct err_info info = {0};
    world_init(&w, 1);
    enum err e = run(&w, false, query, at, at, 0, &a, &r, &info);
    arena_done(&w.a);
    CHECK_OK(e);
    double got = r.kind == PROMQL_SCALAR ? r.scalar : r.series_count == 1 ? r.series[0].values[0] : -12345;
    CHECK(f64_bits(got) == f64_bits(want) || (isnan(got) && isnan(want)));
}

TEST(scalars_and_dates)
{
    check_value("1 + 2 * 3 ^ 2", 0, 19);
    check_value("-2 ^ 2", 0, -4);
    check_value("7 % -3", 0, 1);
    check_value("time()", 1500, 1.5);
    check_value("scalar(vector(4))", 0, 4);
    check_value("day_of_week(vector(0))", 0, 4);
    check_value("days_in_month(vector(951782400))", 0, 29);
    check_value("year(vector(-1))", 0, 1969);
    check_value("month(vector(1e18))", 0, 10);
    check_value("year(vector(NaN))", 0, 292277026596);
    check_value("exp(vector(1))", 0, 2.718281828459045);
    check_value("10 ^ -5", 0, 1e-05);
    check_value("absent(nope)", 0, 1);
}

static void world_done(struct world *w)
{
    arena_done(&w->a);
}

#define AUTO_WORLD __attribute__((cleanup(world_done)))

TEST(errors_say_what_clashes)
{
    struct world w AUTO_WORLD;
    struct arena a AUTO_ARENA = {0};
    struct promql_result r = {0};
    struct err_info info = {0};
    world_init(&w, 1);
    CHECK_EQ(run(&w, false, "up + on (job) up", 600000, 600000, 0, &a, &r, &info), ERR_EXECUTION);
    CHECK(strstr(info.message,
                 "found duplicate series for the match group {job=\"j0\"} on the right hand-side"));
    CHECK_EQ(run(&w, false, "rate({__name__=~\"up|requests_total\"}[5m])", 600000, 600000, 0, &a, &r, &info),
             ERR_EXECUTION);
    CHECK_STR(str_c(info.message), "vector cannot contain metrics with the same labelset");
    CHECK_EQ(run(&w, false, "up[5m]", 0, 60000, 1000, &a, &r, &info), ERR_INVALID);
}

TEST(too_many_samples_are_refused)
{
    struct world w AUTO_WORLD;
    struct arena a AUTO_ARENA = {0};
    struct promql_result r = {0};
    struct err_info info = {0};
    struct promql_options o = {0};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT, .samples_max = 50};
    world_init(&w, 1);
    CHECK_EQ(promql_range(&o, &w.source.source, &q, STR("sum(up)"), 0, 1800000, 15000, &a, &r, &info),
             ERR_EXECUTION);
    CHECK_STR(str_c(info.message),
              "query processing would load too many samples into memory in query execution");
    atomic_store(&q.canceled, true);
    CHECK_EQ(promql_instant(&o, &w.source.source, &q, STR("up"), 60000, &a, &r, &info), ERR_CANCELED);
    CHECK_STR(str_c(info.message), "query was canceled in expression evaluation");
}

static enum err query_once(void *ctx)
{
    struct arena a AUTO_ARENA = {0};
    struct promql_result r = {0};
    struct err_info info = {0};
    return run(ctx, false,
               "topk(2, sum by (job) (rate(requests_total{job=~\"j.*\"}[5m]))) / on (job) group_left () "
               "count by (job) (up)",
               600000, 900000, 60000, &a, &r, &info);
}

TEST(memory_may_run_out_anywhere)
{
    struct world w;
    world_init(&w, 1);
    test_fail_each(FAULT_ALLOC, query_once, &w);
    arena_done(&w.a);
}
