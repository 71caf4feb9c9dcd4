/* DEPS metrics/promql metrics/model query labels codec base */
/* The PromQL engine alone, over series in memory: nanoseconds of CPU time a point, and a sample, for range
 * queries of the common shapes.
 *
 *     promql_bench [SERIES] [SAMPLES] [QUERY]     default 2000 series of 2880 samples (12 h at 15 s), step 60
 * s */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/promql/engine.h"
#include "query/array_source.h"

enum {
    SERIES_DEFAULT = 2000,
    SAMPLES_DEFAULT = 2880,
    TICK_MS = 15000,
    STEP_MS = 60000,
    ROUNDS = 10,
    POOL_BYTES = 8 << 20
};

static const char *const queries[] = {
    "sum by (job) (rate(m[5m]))",
    "sum(rate(m[5m]))",
    "sum by (job) (m)",
    "m",
    "avg(m)",
    "max by (instance) (m)",
    "count(m)",
    "rate(m[5m])",
    "avg_over_time(m[5m])",
    "max_over_time(m[30m])",
    "quantile_over_time(0.9, m[30m])",
    "stddev_over_time(m[10m])",
    "deriv(m[10m])",
    "predict_linear(m[1h], 3600)",
    "irate(m[5m])",
    "quantile(0.9, m)",
    "topk(5, m)",
    "m / on (job, instance) m",
    "sum by (job) (rate(m[5m])) / sum by (job) (rate(m[5m]))",
    "histogram_quantile(0.9, sum by (le) (rate(b[5m])))",
    "max_over_time(sum(rate(m[5m]))[1h:1m])",
};

struct data {
    struct array_series *series;
    size_t count, samples;
    ts_ms *ts;
};

static struct labels labels_of(struct arena *a, const char *name, size_t i)
{
    struct label *l = arena_array(a, 4, sizeof(*l));
    l[0] = (struct label){LABEL_METRIC_NAME, str_c(name)};
    l[1] = (struct label){STR("instance"), arena_printf(a, "host-%05zu:9100", i / 8)};
    l[2] = (struct label){STR("job"), arena_printf(a, "job-%zu", i % 8)};
    l[3] = (struct label){STR("le"), arena_printf(a, "%zu", i % 8 + 1)};
    return (struct labels){l, name[0] == 'b' ? 4u : 3u};
}

static void fill(struct data *d, struct arena *a)
{
    d->series = mem_array(d->count, sizeof(*d->series));
    d->ts = mem_array(d->samples, sizeof(*d->ts));
    for (size_t i = 0; i < d->samples; i++) {
        d->ts[i] = (ts_ms)(i + 1) * TICK_MS;
    }
    for (size_t k = 0; k < d->count; k++) {
        double *v = mem_array(d->samples, sizeof(*v)), sum = (double)k;
        for (size_t i = 0; i < d->samples; i++) {
            sum += (double)((i * 7 + k * 13) % 17) * 0.5;
            v[i] = sum;
        }
        d->series[k] = (struct array_series){
            .labels = labels_of(a, k % 4 ? "m" : "b", k), .ts = d->ts, .values = v, .n = d->samples};
    }
}

/* Of all threads: a query may use several. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0 ? t.tv_sec * NS_PER_S + t.tv_nsec : 0;
}

static void run(struct data *d, const char *query)
{
    struct array_source source;
    array_source_init(&source, d->series, d->count);
    struct promql_options o = {.experimental = true};
    double best = (double)INFINITY;
    size_t rows = 0;
    struct mem_budget budget = {.limit_bytes = SIZE_MAX};
    if (arena_pool_new(POOL_BYTES, &budget.pool)) { /* as the server has it */
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct arena a AUTO_ARENA = {0};
        struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT, .budget = &budget};
        struct promql_result r = {0};
        struct err_info info = {0};
        arena_init(&a, 0, &budget);
        int64_t from = cpu_ns();
        enum err e = promql_range(&o, &source.source, &q, str_c(query), TICK_MS, d->ts[d->samples - 1],
                                  STEP_MS, &a, &r, &info);
        int64_t took = cpu_ns() - from;
        if (e) {
            printf("%-60s %s\n", query, info.message);
            break;
        }
        rows = r.series_count;
        best = (double)took < best ? (double)took : best;
    }
    size_t selected = d->count - (d->count + 3) / 4;
    double points = (double)selected * (double)(d->samples / (STEP_MS / TICK_MS));
    printf("%-60s %8.2f ms %7.2f ns/point %6.2f ns/sample %6zu rows\n", query, best / 1e6, best / points,
           best / ((double)selected * (double)d->samples), rows);
}

int main(int argc, char **argv)
{
    struct arena a AUTO_ARENA = {0};
    struct data d = {.count = argc > 1 ? strtoul(argv[1], NULL, 10) : SERIES_DEFAULT,
                     .samples = argc > 2 ? strtoul(argv[2], NULL, 10) : SAMPLES_DEFAULT};
    fill(&d, &a);
    printf("%zu series of %zu samples; a point is one series at one step\n", d.count, d.samples);
    if (argc > 3) {
        run(&d, argv[3]);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        run(&d, queries[i]);
    }
    return 0;
}
