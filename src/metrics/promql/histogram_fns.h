/* What operators and functions do with native histograms. Private to this folder.
 *
 * Annotations are written here, word for word Prometheus'. */
#ifndef CAIRN_METRICS_PROMQL_HISTOGRAM_FNS_H
#define CAIRN_METRICS_PROMQL_HISTOGRAM_FNS_H

#include "metrics/model/histogram_arith.h"
#include "metrics/promql/eval.h"

/* Two samples in sequence. */
struct sample_pair {
    const struct histogram *h1, *h2;
    ts_ms t1, t2;
};

/* -- ranges: histogram_range.c, histogram_over_time.c ---------------------------------------------------- */

/* Of a window with at least one histogram; true: the result is in *ret_p. Memory that runs out fails the
 * query when it ends. */
bool histogram_change(const struct window *w, bool counter, bool per_second, struct point *ret_p);
bool histogram_instant_change(const struct window *w, bool rate, struct point *ret_p);
range_fn histogram_range_resets, histogram_range_changes, histogram_range_sum, histogram_range_avg;
/* True (and noted) when the window mixes floats and histograms. */
bool histogram_window_mixed(const struct window *w);
/* The histogram between two samples at time t; a counter that was reset starts at zero. NOT_FOUND (noted at
 * pos, with the name): exponential and custom buckets. */
MUST_USE enum err histogram_interpolate(struct eval *e, struct arena *a, const struct sample_pair *pair,
                                        ts_ms t, bool counter, size_t pos, struct str name,
                                        const struct histogram **ret_h);

/* The histogram at time t among n in (t - lookback, t + lookback], as a smoothed selector shows it.
 * NOT_FOUND: none (noted at pos when they do not go together). */
MUST_USE enum err histogram_smoothed(struct eval *e, const ts_ms *ts, const struct histogram *const *h,
                                     size_t n, ts_ms t, size_t pos, struct str name,
                                     const struct histogram **ret_h);
/* "encountered a mix of histograms and floats for metric name". */
void note_mixed(struct eval *e, size_t pos, struct str name);
/* Count, sum and schema alone, for functions that read no buckets; the hint says what a look at `before`
 * (NULL: there is none) tells. NULL when out of memory. */
const struct histogram *histogram_counts(struct arena *a, const struct histogram *h,
                                         const struct histogram *before);

/* -- operators: histogram_binary.c, histogram_aggregate.c ------------------------------------------------ */

/* binary_apply where at least one side is a histogram. */
bool histogram_binary(struct eval *e, const struct node *n, const struct point *l, const struct point *r,
                      struct point *ret_p, bool *ret_holds, enum binary_note *ret_note);

struct histogram_group;
/* Adds a histogram to the sum or mean of a group at one step; *group is NULL at first. count: samples of the
 * group so far, this one included. name: of the series, for annotations. */
MUST_USE enum err histogram_group_add(struct eval *e, const struct node *n, struct histogram_group **group,
                                      const struct histogram *h, double count, struct str name);
/* Nothing more is looked at: exponential and custom buckets met. */
bool histogram_group_spoilt(const struct histogram_group *group);
/* The sum or mean, compacted; NULL when the group is spoilt. */
MUST_USE enum err histogram_group_value(struct eval *e, const struct node *n, struct histogram_group *group,
                                        double count, const struct histogram **ret_h);
/* "ignored histogram in X aggregation". */
void note_histogram_ignored(struct eval *e, const struct node *n);

/* -- functions: histogram_call.c ------------------------------------------------------------------------- */

call_fn call_histogram_count, call_histogram_sum, call_histogram_avg, call_histogram_stddev,
    call_histogram_stdvar;

/* Go's text of a histogram: {count:3, sum:1, (0.5,1]:1}. */
void histogram_text(struct buf *b, const struct histogram *h);

#endif
