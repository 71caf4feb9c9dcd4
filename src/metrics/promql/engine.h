/* PromQL: text in, values out, over any metric source.
 *
 * One query runs on the calling thread. Everything in the result lives in the caller's arena. */
#ifndef CAIRN_METRICS_PROMQL_ENGINE_H
#define CAIRN_METRICS_PROMQL_ENGINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "metrics/model/histogram.h"
#include "query/metric_source.h"

struct promql_options {
    int64_t lookback_ms;      /* 0 = 5 minutes */
    int64_t subquery_step_ms; /* of a subquery that names none; 0 = 1 minute (global.evaluation_interval) */
    bool experimental;        /* promql-experimental-functions */
    bool delayed_name;        /* drop __name__ at the end of the query (promql-delayed-name-removal) */
    bool extended_ranges;     /* anchored, smoothed (promql-extended-range-selectors) */
    bool fill_modifiers;      /* fill, fill_left, fill_right (promql-binop-fill-modifiers) */
    bool type_and_unit;       /* __type__ says what is a counter (type-and-unit-labels) */
    bool start_times;         /* use-start-timestamps */
    size_t part_steps;        /* of a range, that a thread of its own is worth; 0 = 1024 */
    unsigned sets_less;       /* of the instruction sets kernels come in, so many are left aside; at most 2 */
    bool step_usage;          /* count samples exactly and at each step */
    bool plain; /* the reference evaluator: one operation at a time, nothing shared or streamed */
};

enum promql_kind {
    PROMQL_SCALAR = 0,
    PROMQL_STRING,
    PROMQL_VECTOR,
    PROMQL_MATRIX
};

/* A column of points; in a vector n is 1. */
struct promql_series {
    struct labels labels;
    size_t n;
    const ts_ms *ts;
    const double *values;                      /* undefined where histograms[i] != NULL */
    const struct histogram *const *histograms; /* NULL: all floats */
};

struct promql_result {
    enum promql_kind kind;
    const struct promql_series *series; /* in the order to be shown */
    size_t series_count;
    const ts_ms *grid; /* the times of all steps, where series without gaps have theirs; may be NULL */
    size_t grid_count;
    double scalar;
    struct str string;
    ts_ms ts;                           /* of scalar and string */
    const struct str *warnings, *infos; /* annotations with place, as Prometheus words them */
    size_t warning_count, info_count;
    uint64_t samples_total, samples_read, samples_peak; /* for stats=all */
    /* With options.step_usage: of each of the steps at start_ms, start_ms + step_ms, ... */
    const uint64_t *samples_total_at, *samples_read_at;
    size_t steps;
    ts_ms start_ms;
    int64_t step_ms;
};

/* Instant query at `at_ms`. Errors: INVALID (parse or type error; info->message is Prometheus' own text
 * including "1:5: parse error: ..."), EXECUTION, LIMIT (too many samples), TIMEOUT, CANCELED, OOM. */
MUST_USE enum err promql_instant(const struct promql_options *o, struct metric_source *s, struct query_ctx *q,
                                 struct str expr, ts_ms at_ms, struct arena *a,
                                 struct promql_result *ret_result, struct err_info *reterr_info);
/* Range query at start, start+step, ... <= end. The result is a matrix. step_ms > 0, end >= start. */
MUST_USE enum err promql_range(const struct promql_options *o, struct metric_source *s, struct query_ctx *q,
                               struct str expr, ts_ms start_ms, ts_ms end_ms, int64_t step_ms,
                               struct arena *a, struct promql_result *ret_result,
                               struct err_info *reterr_info);

/* Parses and type-checks only. */
MUST_USE enum err promql_check(const struct promql_options *o, struct str expr, struct err_info *reterr_info);
/* The expression as Prometheus' Prettify prints it (format_query). */
MUST_USE enum err promql_format(const struct promql_options *o, struct str expr, struct buf *b,
                                struct err_info *reterr_info);
/* The expression as Prometheus' String prints it, on one line (rules). */
MUST_USE enum err promql_string(const struct promql_options *o, struct str expr, struct buf *b,
                                struct err_info *reterr_info);
/* The syntax tree as JSON (parse_query). Errors besides those of parsing: INTERNAL (a fill value that JSON
 * cannot write). */
MUST_USE enum err promql_tree_json(const struct promql_options *o, struct str expr, struct buf *b,
                                   struct err_info *reterr_info);
/* The i-th function of the language; NULL after the last. */
const char *promql_function_name(size_t i, bool *ret_experimental);

struct promql_matchers {
    struct matcher *m;
    size_t n;
};

/* The matchers of every selector of the expression, in the arena; the caller ends them with matcher_done. */
MUST_USE enum err promql_selectors(const struct promql_options *o, struct str expr, struct arena *a,
                                   struct promql_matchers **ret_sets, size_t *ret_n,
                                   struct err_info *reterr_info);
/* Parses a series selector as in match[]= into matchers in the arena; the caller ends them with matcher_done.
 */
MUST_USE enum err promql_selector(struct str text, struct arena *a, struct matcher **ret_matchers,
                                  size_t *ret_n, struct err_info *reterr_info);

#endif
