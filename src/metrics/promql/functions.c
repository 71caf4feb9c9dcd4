/* The function table. */
#include "metrics/promql/functions.h"

#include <math.h>

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
#define MATH(name, fn, text)                                \
    {                                                       \
        name, V, {V}, 0, false, false, NULL, NULL, fn, text \
    }
#define RANGE(name, fn, text)                               \
    {                                                       \
        name, V, {M}, 0, false, false, fn, NULL, NULL, text \
    }
#define DATE(name, fn, text)                                \
    {                                                       \
        name, V, {V}, 1, false, false, NULL, fn, NULL, text \
    }

static const struct function table[] = {
    MATH("abs", fabs, "absolute value"),
    MATH("ceil", ceil, "rounds up"),
    MATH("floor", floor, "rounds down"),
    MATH("exp", exp, "e to the power of the value"),
    MATH("ln", log, "natural logarithm"),
    MATH("log2", log2, "binary logarithm"),
    MATH("log10", log10, "decimal logarithm"),
    MATH("sqrt", sqrt, "square root"),
    MATH("sgn", math_sgn, "sign: 1, 0 or -1"),
    MATH("deg", math_deg, "radians to degrees"),
    MATH("rad", math_rad, "degrees to radians"),
    MATH("sin", sin, "sine"),
    MATH("cos", cos, "cosine"),
    MATH("tan", tan, "tangent"),
    MATH("asin", asin, "arcsine"),
    MATH("acos", acos, "arccosine"),
    MATH("atan", atan, "arctangent"),
    MATH("sinh", sinh, "hyperbolic sine"),
    MATH("cosh", cosh, "hyperbolic cosine"),
    MATH("tanh", tanh, "hyperbolic tangent"),
    MATH("asinh", asinh, "inverse hyperbolic sine"),
    MATH("acosh", acosh, "inverse hyperbolic cosine"),
    MATH("atanh", atanh, "inverse hyperbolic tangent"),
    {"pi", S, {0}, 0, false, false, NULL, call_pi, NULL, "the number pi"},
    {"time",
     S,
     {0},
     0,
     false,
     false,
     NULL,
     call_time,
     NULL,
     "seconds since 1970 at which the expression is evaluated"},
    {"scalar", S, {V}, 0, false, false, NULL, call_scalar, NULL, "the only element's value, else NaN"},
    {"vector", V, {S}, 0, false, true, NULL, call_vector, NULL, "a vector with one element without labels"},
    {"timestamp", V, {V}, 0, false, false, NULL, call_timestamp, NULL, "the samples' own times in seconds"},
    {"clamp", V, {V, S, S}, 0, false, false, NULL, call_clamp, NULL, "limits values to [min, max]"},
    {"clamp_min", V, {V, S}, 0, false, false, NULL, call_clamp_min, NULL, "limits values to at least min"},
    {"clamp_max", V, {V, S}, 0, false, false, NULL, call_clamp_max, NULL, "limits values to at most max"},
    {"round",
     V,
     {V, S},
     1,
     false,
     false,
     NULL,
     call_round,
     NULL,
     "rounds to the nearest multiple, halves up"},
    DATE("minute", call_minute, "minute of the hour, UTC"),
    DATE("hour", call_hour, "hour of the day, UTC"),
    DATE("day_of_week", call_day_of_week, "0 (Sunday) to 6"),
    DATE("day_of_month", call_day_of_month, "1 to 31"),
    DATE("day_of_year", call_day_of_year, "1 to 366"),
    DATE("days_in_month", call_days_in_month, "28 to 31"),
    DATE("month", call_month, "1 to 12"),
    DATE("year", call_year, "the year, UTC"),
    {"absent", V, {V}, 0, false, true, NULL, call_absent, NULL, "1 when the vector is empty"},
    {"absent_over_time",
     V,
     {M},
     0,
     false,
     true,
     NULL,
     call_absent_over_time,
     NULL,
     "1 when the range is empty"},
    {"label_replace",
     V,
     {V, T, T, T, T},
     0,
     false,
     true,
     NULL,
     call_label_replace,
     NULL,
     "sets a label from a regular expression's match on another"},
    {"label_join", V, {V, T, T, T}, -1, false, true, NULL, call_label_join, NULL, "joins labels into one"},
    {"sort", V, {V}, 0, false, true, NULL, call_sort, NULL, "rising values (instant queries)"},
    {"sort_desc", V, {V}, 0, false, true, NULL, call_sort_desc, NULL, "falling values (instant queries)"},
    {"histogram_quantile",
     V,
     {S, V},
     0,
     false,
     false,
     NULL,
     call_histogram_quantile,
     NULL,
     "a quantile estimated from buckets"},
    {"histogram_fraction",
     V,
     {S, S, V},
     0,
     false,
     false,
     NULL,
     call_histogram_fraction,
     NULL,
     "the share of observations between two values"},
    RANGE("rate", range_rate, "per-second increase of a counter over the range"),
    RANGE("increase", range_increase, "increase of a counter over the range"),
    RANGE("delta", range_delta, "difference between the ends of the range"),
    RANGE("irate", range_irate, "per-second increase between the last two samples"),
    RANGE("idelta", range_idelta, "difference of the last two samples"),
    RANGE("resets", range_resets, "number of counter resets"),
    RANGE("changes", range_changes, "number of value changes"),
    RANGE("deriv", range_deriv, "per-second slope by least squares"),
    {"predict_linear",
     V,
     {M, S},
     0,
     false,
     false,
     range_predict_linear,
     NULL,
     NULL,
     "the value t seconds ahead by least squares"},
    {"double_exponential_smoothing",
     V,
     {M, S, S},
     0,
     true,
     false,
     range_smoothing,
     NULL,
     NULL,
     "the smoothed value by smoothing factor and trend factor"},
    RANGE("sum_over_time", range_sum, "sum of the range"),
    RANGE("avg_over_time", range_avg, "mean of the range"),
    RANGE("min_over_time", range_min, "smallest value of the range"),
    RANGE("max_over_time", range_max, "largest value of the range"),
    RANGE("count_over_time", range_count, "number of samples in the range"),
    RANGE("stddev_over_time", range_stddev, "standard deviation over the range"),
    RANGE("stdvar_over_time", range_stdvar, "variance over the range"),
    RANGE("present_over_time", range_present, "1 where the range has samples"),
    {"last_over_time", V, {M}, 0, false, true, range_last, NULL, NULL, "newest sample of the range"},
    {"first_over_time", V, {M}, 0, true, true, range_first, NULL, NULL, "oldest sample of the range"},
    {"quantile_over_time", V, {S, M}, 0, false, false, range_quantile, NULL, NULL, "a quantile of the range"},
    {"mad_over_time", V, {M}, 0, true, false, range_mad, NULL, NULL, "median absolute deviation"},
    {"ts_of_first_over_time",
     V,
     {M},
     0,
     true,
     false,
     range_ts_first,
     NULL,
     NULL,
     "time of the oldest sample"},
    {"ts_of_last_over_time", V, {M}, 0, true, false, range_ts_last, NULL, NULL, "time of the newest sample"},
    {"ts_of_min_over_time", V, {M}, 0, true, false, range_ts_min, NULL, NULL, "time of the smallest sample"},
    {"ts_of_max_over_time", V, {M}, 0, true, false, range_ts_max, NULL, NULL, "time of the largest sample"},
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
