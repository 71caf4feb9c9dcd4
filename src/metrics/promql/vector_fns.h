/* Functions of whole values: see functions.c for their names. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_VECTOR_FNS_H
#define CAIRN_METRICS_PROMQL_VECTOR_FNS_H

#include "metrics/promql/eval.h"

/* vector_fns.c */
call_fn call_time, call_pi, call_scalar, call_vector, call_timestamp, call_start_timestamp, call_clamp,
    call_clamp_min, call_clamp_max, call_round, call_absent, call_absent_over_time, call_max_of, call_min_of;
/* date_fns.c */
call_fn call_minute, call_hour, call_day_of_week, call_day_of_month, call_day_of_year, call_days_in_month,
    call_month, call_year;
/* label_fns.c */
call_fn call_label_replace, call_label_join, call_sort, call_sort_desc, call_sort_by_label,
    call_sort_by_label_desc;
/* buckets.c */
call_fn call_histogram_quantile, call_histogram_fraction, call_histogram_quantiles;
/* info.c */
call_fn call_info;

#endif
