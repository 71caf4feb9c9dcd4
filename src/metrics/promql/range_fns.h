/* Functions of range vectors: see functions.c for their names. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_RANGE_FNS_H
#define CAIRN_METRICS_PROMQL_RANGE_FNS_H

#include "metrics/promql/eval.h"

range_fn range_rate, range_increase, range_delta, range_irate, range_idelta, range_resets, range_changes,
    range_deriv, range_predict_linear, range_smoothing, range_sum, range_avg, range_count, range_min,
    range_max, range_stdvar, range_stddev, range_last, range_first, range_present, range_quantile, range_mad,
    range_ts_first, range_ts_last, range_ts_max, range_ts_min;

#endif
