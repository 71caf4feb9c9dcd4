/* Functions of range vectors: see functions.c for their names. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_RANGE_FNS_H
#define CAIRN_METRICS_PROMQL_RANGE_FNS_H

#include "metrics/promql/eval.h"

range_fn range_rate, range_increase, range_delta, range_irate, range_idelta, range_resets, range_changes;
range_fn range_deriv, range_predict_linear, range_sum, range_avg, range_count, range_min, range_max,
    range_stdvar, range_stddev, range_last, range_first, range_present, range_quantile, range_mad,
    range_ts_first, range_ts_last, range_ts_max, range_ts_min;
call_fn call_smoothing;

/* Whether a counter restarted between two samples, as their start times tell. */
bool start_time_reset(ts_ms previous_start, ts_ms previous, ts_ms start, ts_ms t);
/* Whether a start time lies before the previous sample without being the same counter's. */
bool start_time_overlaps(ts_ms previous_start, ts_ms previous, ts_ms start);
void note_start_overlap(const struct window *w);

#endif
