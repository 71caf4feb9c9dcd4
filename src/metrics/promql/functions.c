/* The function table. */
#include "metrics/promql/functions.h"

#include <math.h>

#include "metrics/promql/go_math.h"
#include "metrics/promql/range_fns.h"
#include "metrics/promql/vector_fns.h"

static double math_sgn(double v)
{
    return v > 0 ? 1 : v < 0 ? -1 : v;
}

static double math_deg(double v)
{
    return v * 180 / M_PI;
}

static double math_rad(double v)
{
    return v * M_PI / 180;
}

#define S TYPE_SCALAR
#define V TYPE_VECTOR
#define M TYPE_MATRIX
#define T TYPE_STRING
#define MATH(n, fn, text)                                                      \
    {                                                                          \
        .name = (n), .result = V, .args = {V}, .math = (fn), .summary = (text) \
    }
#define RANGE(n, fn, text)                                                      \
    {                                                                           \
        .name = (n), .result = V, .args = {M}, .range = (fn), .summary = (text) \
    }
/* takes histograms too */
#define RANGE_H(n, fn, text)                                                                        \
    {                                                                                               \
        .name = (n), .result = V, .args = {M}, .range = (fn), .histograms = true, .summary = (text) \
    }
#define DATE(n, fn, text)                                                                        \
    {                                                                                            \
        .name = (n), .result = V, .args = {V}, .optional = 1, .reads_clock = true, .call = (fn), \
        .summary = (text)                                                                        \
    }
#define CONST(n, clock, exp, fn, text)                                                         \
    {                                                                                          \
        .name = (n), .result = S, .reads_clock = (clock), .experimental = (exp), .call = (fn), \
        .summary = (text)                                                                      \
    }

static const struct function table[] = {
    MATH("abs", fabs, "absolute value"),
    MATH("ceil", ceil, "rounds up"),
    MATH("floor", floor, "rounds down"),
    MATH("exp", go_exp, "e to the power of the value"),
    MATH("ln", go_log, "natural logarithm"),
    MATH("log2", go_log2, "binary logarithm"),
    MATH("log10", go_log10, "decimal logarithm"),
    MATH("sqrt", sqrt, "square root"),
    MATH("sgn", math_sgn, "sign: 1, 0 or -1"),
    MATH("deg", math_deg, "radians to degrees"),
    MATH("rad", math_rad, "degrees to radians"),
    MATH("sin", go_sin, "sine"),
    MATH("cos", go_cos, "cosine"),
    MATH("tan", go_tan, "tangent"),
    MATH("asin", go_asin, "arcsine"),
    MATH("acos", go_acos, "arccosine"),
    MATH("atan", go_atan, "arctangent"),
    MATH("sinh", go_sinh, "hyperbolic sine"),
    MATH("cosh", go_cosh, "hyperbolic cosine"),
    MATH("tanh", go_tanh, "hyperbolic tangent"),
    MATH("asinh", go_asinh, "inverse hyperbolic sine"),
    MATH("acosh", go_acosh, "inverse hyperbolic cosine"),
    MATH("atanh", go_atanh, "inverse hyperbolic tangent"),
    CONST("pi", false, false, call_pi, "the number pi"),
    CONST("time", true, false, call_time, "seconds since 1970 at which the expression is evaluated"),
    CONST("start", true, true, NULL, "start of the query in seconds since 1970"),
    CONST("end", true, true, NULL, "end of the query in seconds since 1970"),
    CONST("step", true, true, NULL, "step of the query in seconds; 0 for one instant"),
    CONST("range", true, true, NULL, "seconds between start and end of the query"),
    {.name = "max_of",
     .result = S,
     .args = {S, S},
     .experimental = true,
     .call = call_max_of,
     .summary = "the larger number"},
    {.name = "min_of",
     .result = S,
     .args = {S, S},
     .experimental = true,
     .call = call_min_of,
     .summary = "the smaller number"},
    {.name = "scalar",
     .result = S,
     .args = {V},
     .call = call_scalar,
     .summary = "the only element's value, else NaN"},
    {.name = "vector",
     .result = V,
     .args = {S},
     .call = call_vector,
     .summary = "a vector with one element without labels"},
    {.name = "timestamp",
     .result = V,
     .args = {V},
     .reads_clock = true,
     .call = call_timestamp,
     .summary = "the samples' own times in seconds"},
    {.name = "start_timestamp",
     .result = V,
     .args = {V},
     .experimental = true,
     .call = call_start_timestamp,
     .summary = "when the samples' counters started, in seconds"},
    {.name = "clamp",
     .result = V,
     .args = {V, S, S},
     .call = call_clamp,
     .summary = "limits values to [min, max]"},
    {.name = "clamp_min",
     .result = V,
     .args = {V, S},
     .call = call_clamp_min,
     .summary = "limits values to at least min"},
    {.name = "clamp_max",
     .result = V,
     .args = {V, S},
     .call = call_clamp_max,
     .summary = "limits values to at most max"},
    {.name = "round",
     .result = V,
     .args = {V, S},
     .optional = 1,
     .call = call_round,
     .summary = "rounds to the nearest multiple, halves up"},
    DATE("minute", call_minute, "minute of the hour, UTC"),
    DATE("hour", call_hour, "hour of the day, UTC"),
    DATE("day_of_week", call_day_of_week, "0 (Sunday) to 6"),
    DATE("day_of_month", call_day_of_month, "1 to 31"),
    {.name = "day_of_year",
     .result = V,
     .args = {V},
     .optional = 1,
     .reads_clock = true,
     .call = call_day_of_year,
     .summary = "1 to 366"},
    DATE("days_in_month", call_days_in_month, "28 to 31"),
    DATE("month", call_month, "1 to 12"),
    DATE("year", call_year, "the year, UTC"),
    {.name = "absent",
     .result = V,
     .args = {V},
     .call = call_absent,
     .summary = "1 when the vector is empty"},
    {.name = "absent_over_time",
     .result = V,
     .args = {M},
     .call = call_absent_over_time,
     .summary = "1 when the range is empty"},
    {.name = "label_replace",
     .result = V,
     .args = {V, T, T, T, T},
     .call = call_label_replace,
     .summary = "sets a label from a regular expression's match on another"},
    {.name = "label_join",
     .result = V,
     .args = {V, T, T, T},
     .optional = -1,
     .call = call_label_join,
     .summary = "joins labels into one"},
    {.name = "info",
     .result = V,
     .args = {V, V},
     .optional = 1,
     .experimental = true,
     .call = call_info,
     .summary = "adds the labels of the target's info series"},
    {.name = "sort",
     .result = V,
     .args = {V},
     .call = call_sort,
     .summary = "rising values (instant queries)"},
    {.name = "sort_desc",
     .result = V,
     .args = {V},
     .call = call_sort_desc,
     .summary = "falling values (instant queries)"},
    {.name = "sort_by_label",
     .result = V,
     .args = {V, T},
     .optional = -1,
     .experimental = true,
     .call = call_sort_by_label,
     .summary = "rising label values in natural order (instant queries)"},
    {.name = "sort_by_label_desc",
     .result = V,
     .args = {V, T},
     .optional = -1,
     .experimental = true,
     .call = call_sort_by_label_desc,
     .summary = "falling label values in natural order (instant queries)"},
    {.name = "histogram_quantile",
     .result = V,
     .args = {S, V},
     .call = call_histogram_quantile,
     .summary = "a quantile estimated from buckets"},
    {.name = "histogram_quantiles",
     .result = V,
     .args = {V, T, S, S},
     .optional = 9,
     .experimental = true,
     .call = call_histogram_quantiles,
     .summary = "several quantiles estimated from buckets, told apart by a label"},
    {.name = "histogram_fraction",
     .result = V,
     .args = {S, S, V},
     .call = call_histogram_fraction,
     .summary = "the share of observations between two values"},
    {.name = "rate",
     .result = V,
     .args = {M},
     .range = range_rate,
     .anchored = true,
     .smoothed = true,
     .wants_counter = true,
     .uses_start_times = true,
     .summary = "per-second increase of a counter over the range"},
    {.name = "increase",
     .result = V,
     .args = {M},
     .range = range_increase,
     .anchored = true,
     .smoothed = true,
     .wants_counter = true,
     .uses_start_times = true,
     .summary = "increase of a counter over the range"},
    {.name = "delta",
     .result = V,
     .args = {M},
     .range = range_delta,
     .anchored = true,
     .smoothed = true,
     .summary = "difference between the ends of the range"},
    {.name = "irate",
     .result = V,
     .args = {M},
     .range = range_irate,
     .uses_start_times = true,
     .summary = "per-second increase between the last two samples"},
    RANGE("idelta", range_idelta, "difference of the last two samples"),
    {.name = "resets",
     .result = V,
     .args = {M},
     .range = range_resets,
     .anchored = true,
     .uses_start_times = true,
     .summary = "number of counter resets"},
    {.name = "changes",
     .result = V,
     .args = {M},
     .range = range_changes,
     .anchored = true,
     .summary = "number of value changes"},
    RANGE("deriv", range_deriv, "per-second slope by least squares"),
    {.name = "predict_linear",
     .result = V,
     .args = {M, S},
     .reads_clock = true,
     .range = range_predict_linear,
     .summary = "the value t seconds ahead by least squares"},
    {.name = "double_exponential_smoothing",
     .result = V,
     .args = {M, S, S},
     .experimental = true,
     .call = call_smoothing,
     .summary = "the smoothed value by smoothing factor and trend factor"},
    RANGE("sum_over_time", range_sum, "sum of the range"),
    RANGE("avg_over_time", range_avg, "mean of the range"),
    RANGE("min_over_time", range_min, "smallest value of the range"),
    RANGE("max_over_time", range_max, "largest value of the range"),
    RANGE_H("count_over_time", range_count, "number of samples in the range"),
    RANGE("stddev_over_time", range_stddev, "standard deviation over the range"),
    RANGE("stdvar_over_time", range_stdvar, "variance over the range"),
    RANGE_H("present_over_time", range_present, "1 where the range has samples"),
    {.name = "last_over_time",
     .result = V,
     .args = {M},
     .keeps_name = true,
     .histograms = true,
     .range = range_last,
     .summary = "newest sample of the range"},
    {.name = "first_over_time",
     .result = V,
     .args = {M},
     .keeps_name = true,
     .histograms = true,
     .range = range_first,
     .summary = "oldest sample of the range"},
    {.name = "quantile_over_time",
     .result = V,
     .args = {S, M},
     .range = range_quantile,
     .summary = "a quantile of the range"},
    {.name = "mad_over_time",
     .result = V,
     .args = {M},
     .experimental = true,
     .range = range_mad,
     .summary = "median absolute deviation"},
    {.name = "ts_of_first_over_time",
     .result = V,
     .args = {M},
     .experimental = true,
     .histograms = true,
     .range = range_ts_first,
     .summary = "time of the oldest sample"},
    {.name = "ts_of_last_over_time",
     .result = V,
     .args = {M},
     .experimental = true,
     .histograms = true,
     .range = range_ts_last,
     .summary = "time of the newest sample"},
    {.name = "ts_of_min_over_time",
     .result = V,
     .args = {M},
     .experimental = true,
     .range = range_ts_min,
     .summary = "time of the smallest sample"},
    {.name = "ts_of_max_over_time",
     .result = V,
     .args = {M},
     .experimental = true,
     .range = range_ts_max,
     .summary = "time of the largest sample"},
};

const struct function *function_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (str_eq_c(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

const struct function *function_rows(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(table);
    return table;
}
