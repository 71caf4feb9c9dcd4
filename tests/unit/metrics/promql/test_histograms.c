/* Native histograms in the language: values, notes, and memory that runs out at any place. */
#include <stdio.h>

#include "harness.h"
#include "metrics/promql/engine.h"
#include "metrics/promql/histogram_fns.h"
#include "query/array_source.h"

enum {
    POINTS = 10,
    STEP_MS = 60000,
    LEFT_STEP_BYTES = 112,
    LEFT_BYTES_MAX = 12000
};

struct data {
    struct array_source source;
    struct array_series series[8];
    struct label labels[8][2];
    struct histogram histograms[8][POINTS];
    struct histogram_span spans[8][POINTS];
    double buckets[8][POINTS][2];
    const struct histogram *shown[8][POINTS];
    double values[8][POINTS];
    ts_ms ts[POINTS];
    size_t n;
};

static const double bounds_low[] = {1, 5}, bounds_high[] = {1, 10};

static void add_series(struct data *d, struct str name, struct str job)
{
    size_t i = d->n++;
    d->labels[i][0] = (struct label){STR("__name__"), name};
    d->labels[i][1] = (struct label){STR("job"), job};
    d->series[i] = (struct array_series){.labels = {d->labels[i], 2},
                                         .ts = d->ts,
                                         .values = d->values[i],
                                         .histograms = d->shown[i],
                                         .n = POINTS};
}

/* Two buckets from index `offset` on. */
static void put(struct data *d, size_t at, int8_t schema, int32_t offset, double low, double high)
{
    size_t i = d->n - 1;
    struct histogram *h = &d->histograms[i][at];
    d->spans[i][at] = (struct histogram_span){offset, 2};
    d->buckets[i][at][0] = low;
    d->buckets[i][at][1] = high;
    *h = (struct histogram){.schema = schema,
                            .count = low + high,
                            .sum = low + 2 * high,
                            .positive_spans = &d->spans[i][at],
                            .positive_span_count = 1,
                            .positive = d->buckets[i][at],
                            .positive_count = 2};
    if (schema == HISTOGRAM_SCHEMA_CUSTOM) {
        h->custom_values = at < POINTS / 2 ? bounds_low : bounds_high;
        h->custom_value_count = 2;
    }
    d->shown[i][at] = h;
}

/* h of two schemas, the first with a reset; n of custom buckets whose bounds change; m of floats and
 * histograms in turn; g falls and rises; c_bucket is classic and not monotonic. */
static void fill(struct data *d)
{
    *d = (struct data){0};
    for (int i = 0; i < POINTS; i++) {
        d->ts[i] = (ts_ms)i * STEP_MS;
    }
    add_series(d, STR("h"), STR("a"));
    for (size_t i = 0; i < POINTS; i++) {
        put(d, i, 0, 1, (double)(2 * (i % 6) + 1), (double)(i % 6));
    }
    add_series(d, STR("h"), STR("b"));
    for (size_t i = 0; i < POINTS; i++) {
        put(d, i, 1, 1, (double)i, (double)(3 * i));
    }
    add_series(d, STR("n"), STR("a"));
    for (size_t i = 0; i < POINTS; i++) {
        put(d, i, HISTOGRAM_SCHEMA_CUSTOM, 1, (double)i, (double)i);
    }
    add_series(d, STR("m"), STR("a"));
    for (size_t i = 0; i < POINTS; i++) {
        d->values[d->n - 1][i] = (double)i;
        if (i % 2) {
            put(d, i, 0, 1, (double)i, 1);
        }
    }
    add_series(d, STR("g"), STR("a"));
    for (size_t i = 0; i < POINTS; i++) {
        put(d, i, 0, 1, (double)(i % 2), 2);
        d->histograms[d->n - 1][i].reset_hint = HRESET_GAUGE;
    }
    static const struct str le[] = {STR_INIT("1"), STR_INIT("5"), STR_INIT("+Inf")};
    static const double classic[] = {4, 3, 10};
    for (size_t k = 0; k < 3; k++) {
        add_series(d, STR("c_bucket"), STR("a"));
        d->labels[d->n - 1][1] = (struct label){STR("le"), le[k]};
        d->series[d->n - 1].histograms = NULL;
        for (size_t i = 0; i < POINTS; i++) {
            d->values[d->n - 1][i] = classic[k];
        }
    }
    array_source_init(&d->source, d->series, d->n);
}

static void show(struct buf *b, const struct promql_result *r)
{
    for (size_t i = 0; i < r->series_count; i++) {
        const struct promql_series *s = &r->series[i];
        buf_c(b, i ? "; " : "");
        for (size_t k = 0; k < s->labels.n; k++) {
            buf_printf(b, "%.*s ", STR_FMT(s->labels.l[k].value));
        }
        if (s->histograms && s->histograms[0]) {
            histogram_text(b, s->histograms[0]);
        } else {
            buf_printf(b, "%.10g", s->values[0]);
        }
    }
    for (size_t i = 0; i < r->warning_count; i++) {
        buf_printf(b, " W:%.*s", STR_FMT(r->warnings[i]));
    }
    for (size_t i = 0; i < r->info_count; i++) {
        buf_printf(b, " I:%.*s", STR_FMT(r->infos[i]));
    }
}

/* At the last sample. left_bytes: of the first block of the query's memory, so that the second is asked for
 * at another place each time; 0: all. */
static enum err run(struct data *d, const char *expr, size_t left_bytes, struct buf *b)
{
    struct arena a AUTO_ARENA = {0};
    if (left_bytes && !arena_alloc(&a, LEFT_BYTES_MAX)) {
        return ERR_OOM;
    }
    a.next = left_bytes ? a.end - left_bytes : a.next;
    struct promql_options o = {.experimental = true};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct promql_result r = {0};
    struct err_info info = {0};
    enum err e =
        promql_instant(&o, &d->source.source, &q, str_c(expr), (POINTS - 1) * STEP_MS, &a, &r, &info);
    if (!e) {
        show(b, &r);
    }
    return e;
}

struct query_case {
    const char *expr, *want;
};

static const struct query_case cases[] = {
    {"h", "h a {count:10, sum:13, (1,2]:7, (2,4]:3}; h b {count:36, sum:63, (1,1.414213562373095]:9, "
          "(1.414213562373095,2]:27}"},
    {"histogram_count(h)", "a 10; b 36"},
    {"histogram_sum(n)", "a 27"},
    {"histogram_avg(h)", "a 1.3; b 1.75"},
    {"histogram_stddev(h)", "a 0.842590149; b 0.2865507432"},
    {"histogram_stdvar(n)", "a inf"},
    {"histogram_fraction(0, 3, h)", "a 0.8754887502; b 1"},
    {"histogram_quantile(0.5, h)", "a 1.640670712; b 1.587401052"},
    {"histogram_quantile(0.25, n)", "a 5.5"},
    {"histogram_quantile(1.5, h)",
     "a inf; b inf W:PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)"},
    {"histogram_quantiles(h, \"q\", 0.1, 0.9)",
     "a 0.1 1.104089514; b 0.1 1.148698355; a 0.9 3.174802104; b 0.9 1.909683208"},
    {"histogram_quantile(0.5, c_bucket)",
     "5 I:PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
     "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 5 "
     "to 5, with a max diff of 1, over 1 samples from 1970-01-01T00:09:00Z to 1970-01-01T00:09:00Z (1:25)"},
    {"rate(h[5m])", "a {count:0.041666666666666664, sum:0.05416666666666667, (1,2]:0.029166666666666667, "
                    "(2,4]:0.0125}; b {count:0.06666666666666667, sum:0.11666666666666667, "
                    "(1,1.414213562373095]:0.016666666666666666, (1.414213562373095,2]:0.05}"},
    {"increase(n[10m])", "a {count:18, sum:27, (1,+Inf]:18} I:PromQL info: mismatched custom buckets were "
                         "reconciled during subtraction (1:10)"},
    {"rate(m[5m])",
     " W:PromQL warning: encountered a mix of histograms and floats for metric name \"m\" (1:6)"},
    {"rate(g[5m])",
     "a {count:0.025, sum:0.041666666666666664, (1,2]:0.008333333333333333, (2,4]:0.016666666666666666} "
     "W:PromQL warning: this native histogram metric is not a counter: \"g\" (1:6)"},
    {"delta(h[5m])",
     "a {count:-7.5, sum:-10, (1,2]:-5, (2,4]:-2.5}; b {count:20, sum:35, (1,1.414213562373095]:5, "
     "(1.414213562373095,2]:15} W:PromQL warning: this native histogram metric is not a gauge: \"h\" (1:7)"},
    {"delta(g[5m])", "a {count:0, sum:0}"},
    {"irate(h[5m])", "a {count:0.05, sum:0.06666666666666667, (1,2]:0.03333333333333333, "
                     "(2,4]:0.016666666666666666}; b {count:0.06666666666666667, sum:0.11666666666666667, "
                     "(1,1.414213562373095]:0.016666666666666666, (1.414213562373095,2]:0.05}"},
    {"idelta(g[5m])", "a {count:1, sum:1, (1,2]:1}"},
    {"irate(m[5m])",
     " W:PromQL warning: encountered a mix of histograms and floats for metric name \"m\" (1:7)"},
    {"resets(h[10m])", "a 1; b 0"},
    {"changes(h[10m])", "a 9; b 9"},
    {"changes(m[10m])", "a 9"},
    {"sum_over_time(h[3m])", "a {count:21, sum:27, (1,2]:15, (2,4]:6}; b {count:96, sum:168, "
                             "(1,1.414213562373095]:24, (1.414213562373095,2]:72}"},
    {"avg_over_time(h[3m])", "a {count:7, sum:9, (1,2]:5, (2,4]:2}; b {count:32, sum:56, "
                             "(1,1.414213562373095]:8, (1.414213562373095,2]:24}"},
    {"sum_over_time(n[10m])", "a {count:90, sum:135, (1,+Inf]:90} I:PromQL info: mismatched custom buckets "
                              "were reconciled during aggregation (1:15)"},
    {"sum_over_time(m[3m])",
     " W:PromQL warning: encountered a mix of histograms and floats for metric name \"m\" (1:15)"},
    {"min_over_time(h[3m])", ""},
    {"last_over_time(m[3m])", "m a {count:10, sum:11, (1,2]:9, (2,4]:1}"},
    {"first_over_time(n[10m])", "n a {count:0, sum:0}"},
    {"count_over_time(m[4m])", "a 4"},
    {"present_over_time(h[3m])", "a 1; b 1"},
    {"quantile_over_time(0.5, m[4m])", "a 7 I:PromQL info: ignored histograms in a range containing both "
                                       "floats and histograms for metric name \"m\" (1:20)"},
    {"sum(h)", "{count:46, sum:76, (1,2]:43, (2,4]:3}"},
    {"avg(h)", "{count:23, sum:38, (1,2]:21.5, (2,4]:1.5}"},
    {"sum(n)", "{count:18, sum:27, (1,10]:9, (10,+Inf]:9}"},
    {"sum({__name__=~\"h|n\"})", " W:PromQL warning: vector contains a mix of histograms with exponential "
                                 "and custom buckets schemas for metric name \"n\" (1:5)"},
    {"avg({__name__=~\"h|g\"})",
     "{count:16.333333333333332, sum:27, (1,2]:14.666666666666666, (2,4]:1.6666666666666667}"},
    {"count by (job) (h)", "a 1; b 1"},
    {"max(h)", " I:PromQL info: ignored histogram in max aggregation (1:5)"},
    {"topk(1, h)", " I:PromQL info: ignored histogram in topk aggregation (1:1)"},
    {"stddev(h)", " I:PromQL info: ignored histogram in stddev aggregation (1:8)"},
    {"limitk(1, h)", "h a {count:10, sum:13, (1,2]:7, (2,4]:3}"},
    {"count_values(\"v\", g)", "{count:3, sum:5, (1,2]:1, (2,4]:2} 1"},
    {"h + h", "a {count:20, sum:26, (1,2]:14, (2,4]:6}; b {count:72, sum:126, (1,1.414213562373095]:18, "
              "(1.414213562373095,2]:54}"},
    {"h - on (job) group_left h offset 5m", "a {count:-3, sum:-4, (1,2]:-2, (2,4]:-1}; b {count:20, sum:35, "
                                            "(1,1.414213562373095]:5, (1.414213562373095,2]:15}"},
    {"n + n offset 8m", "a {count:20, sum:30, (1,+Inf]:20} I:PromQL info: mismatched custom buckets were "
                        "reconciled during addition (1:1)"},
    {"h * 2", "a {count:20, sum:26, (1,2]:14, (2,4]:6}; b {count:72, sum:126, (1,1.414213562373095]:18, "
              "(1.414213562373095,2]:54}"},
    {"2 * h", "a {count:20, sum:26, (1,2]:14, (2,4]:6}; b {count:72, sum:126, (1,1.414213562373095]:18, "
              "(1.414213562373095,2]:54}"},
    {"h / 2", "a {count:5, sum:6.5, (1,2]:3.5, (2,4]:1.5}; b {count:18, sum:31.5, (1,1.414213562373095]:4.5, "
              "(1.414213562373095,2]:13.5}"},
    {"-h", "a {count:-10, sum:-13, (1,2]:-7, (2,4]:-3}; b {count:-36, sum:-63, (1,1.414213562373095]:-9, "
           "(1.414213562373095,2]:-27}"},
    {"h + 1", " I:PromQL info: incompatible sample types encountered for binary operator \"+\": histogram + "
              "float (1:1)"},
    {"h * h", " I:PromQL info: incompatible sample types encountered for binary operator \"*\": histogram * "
              "histogram (1:1)"},
    {"h > 1", " I:PromQL info: incompatible sample types encountered for binary operator \">\": histogram > "
              "float (1:1)"},
    {"h == h", "h a {count:10, sum:13, (1,2]:7, (2,4]:3}; h b {count:36, sum:63, (1,1.414213562373095]:9, "
               "(1.414213562373095,2]:27}"},
    {"h != h", ""},
    {"h == bool h", "a 1; b 1"},
    {"h </ 3", "h a {count:8.754887502163468, sum:14.198073872899474, (1,2]:7, (2,4]:1.754887502163469}; h b "
               "{count:36, sum:63, (1,1.414213562373095]:9, (1.414213562373095,2]:27}"},
    {"h >/ 3",
     "h a {count:1.245112497836531, sum:4.313196214783731, (2,4]:1.245112497836531}; h b {count:0, sum:0}"},
    {"n </ 2", "n a {count:1, sum:1.5, (1,10]:1}"},
    {"abs(h)", ""},
    {"h + on (job) n",
     " W:PromQL warning: incompatible bucket layout encountered for binary operator + (1:1)"},
    {"h and on (job) n", "h a {count:10, sum:13, (1,2]:7, (2,4]:3}"},
    {"sort(h)", ""},
    {"timestamp(h)", "a 540; b 540"},
    {"histogram_quantile(0.5, sum(rate(h[5m])))", "1.479610446"},
    {"max_over_time(histogram_count(h)[5m:1m])", "a 16; b 36"},
    {"sum_over_time((h * 2)[5m:1m])", "a {count:76, sum:98, (1,2]:54, (2,4]:22}; b {count:280, sum:490, "
                                      "(1,1.414213562373095]:70, (1.414213562373095,2]:210}"},
    {"label_replace(h, \"x\", \"$1\", \"job\", \"(.*)\")",
     "h a a {count:10, sum:13, (1,2]:7, (2,4]:3}; h b b {count:36, sum:63, (1,1.414213562373095]:9, "
     "(1.414213562373095,2]:27}"},
    {"absent(h)", ""},
    {"absent_over_time(h[5m])", ""},
    {"scalar(h)", ""},
    {"group(h)", "1"},
    {"mad_over_time(m[5m])", "a 1 I:PromQL info: ignored histograms in a range containing both floats and "
                             "histograms for metric name \"m\" (1:15)"},
    {"ts_of_last_over_time(m[5m])", "a 540"},
};

TEST(queries_over_histograms)
{
    struct data d;
    fill(&d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b AUTO_BUF = {0};
        CHECK_OK(run(&d, cases[i].expr, 0, &b));
        if (!str_eq(buf_view(&b), str_c(cases[i].want))) {
            test_fail_str(__FILE__, __LINE__, cases[i].expr, buf_view(&b), str_c(cases[i].want));
        }
    }
}

struct one_case {
    struct data *d;
    const struct query_case *c;
    size_t left_bytes;
};

/* An answer that is given is the right one. */
static enum err run_one(void *ctx)
{
    struct one_case *o = ctx;
    struct buf b AUTO_BUF = {0};
    enum err e = run(o->d, o->c->expr, o->left_bytes, &b);
    if (!e && !b.err && !str_eq(buf_view(&b), str_c(o->c->want))) {
        test_fail_str(__FILE__, __LINE__, o->c->expr, buf_view(&b), str_c(o->c->want));
    }
    return e ? e : b.err;
}

TEST(memory_may_run_out_anywhere)
{
    struct data d;
    fill(&d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && !test_failed(); i++) {
        for (size_t left = 16; left < LEFT_BYTES_MAX && !test_failed(); left += LEFT_STEP_BYTES) {
            test_fail_each(FAULT_ALLOC, run_one, &(struct one_case){&d, &cases[i], left});
        }
    }
}
