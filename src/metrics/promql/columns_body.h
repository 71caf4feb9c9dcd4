/* The loops of columns.h, included once for each instruction set (columns*.c), which names its functions:
 * COLUMN_NAME(x). Every element goes through the same operations in each, so results are the same. */
#include <math.h>

#include "metrics/model/value.h"
#include "metrics/promql/columns.h"

static bool COLUMN_NAME(any_stale)(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= f64_bits(v[i]) == STALE_NAN_BITS ? UINT64_MAX : 0;
    }
    return any != 0;
}

static bool COLUMN_NAME(gather)(const double *v, const uint32_t *at, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = v[at[i]];
    }
    return !COLUMN_NAME(any_stale)(out, n);
}

static void COLUMN_NAME(presence)(const double *v, const uint8_t *near, size_t n, uint8_t *has)
{
    for (size_t i = 0; i < n; i++) {
        has[i] = near[i] & (f64_bits(v[i]) != STALE_NAN_BITS);
    }
}

static bool COLUMN_NAME(falls)(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 1; i < n; i++) {
        any |= v[i] < v[i - 1] ? UINT64_MAX : 0;
    }
    return any != 0;
}

static void COLUMN_NAME(add)(double *restrict sum, double *restrict c, const double *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double s = sum[i], x = v[i], t = s + x;
        bool sum_larger = fabs(s) >= fabs(x);
        double large = sum_larger ? s : x, small = sum_larger ? x : s;
        double rest = c[i] + ((large - t) + small);
        c[i] = fabs(t) > 0x1.fffffffffffffp+1023 ? 0 : rest;
        sum[i] = t;
    }
}

static bool COLUMN_NAME(add_finite)(double *sum, double *c, const double *v, size_t n)
{
    uint64_t endless = 0;
    for (size_t i = 0; i < n; i++) {
        endless |= fabs(sum[i] + v[i]) > 0x1.fffffffffffffp+1023 ? UINT64_MAX : 0;
    }
    if (endless) {
        return false;
    }
    COLUMN_NAME(add)(sum, c, v, n);
    return true;
}

static void COLUMN_NAME(max)(double *restrict best, const double *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double b = best[i], x = v[i];
        b = x > b ? x : b;
        best[i] = b != b ? x : b; /* a NaN gives way */
    }
}

static void COLUMN_NAME(min)(double *restrict best, const double *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double b = best[i], x = v[i];
        b = x < b ? x : b;
        best[i] = b != b ? x : b;
    }
}

static void COLUMN_NAME(changes)(const double *v, const uint32_t *oldest, const uint32_t *newest, size_t n,
                                 double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = v[newest[i]] - v[oldest[i]];
    }
}

static void COLUMN_NAME(times)(const double *restrict v, const double *restrict by, size_t n,
                               double *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = v[i] * by[i];
    }
}

static bool COLUMN_NAME(near_zero)(const double *v, const uint32_t *oldest, const double *change,
                                   const double *sampled, const double *to_start, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= counter_near_zero(v[oldest[i]], change[i], sampled[i], to_start[i]) ? UINT64_MAX : 0;
    }
    return any != 0;
}

static void COLUMN_NAME(to_zero)(const double *v, const uint32_t *oldest, const double *change,
                                 const struct column_windows *w, size_t n, double *restrict out)
{
    const double *all_sampled = w->sampled, *all_to_start = w->to_start, *to_end = w->to_end;
    double divide_by = w->divide_by > 0 ? w->divide_by : 1;
    for (size_t i = 0; i < n; i++) {
        double first = v[oldest[i]], sampled = all_sampled[i], to_start = all_to_start[i];
        double zero = sampled * (first / change[i]);
        double reach = zero < to_start ? zero : to_start;
        double factor = (sampled + reach + to_end[i]) / sampled;
        factor = (sampled == 0 ? 1 : factor) / divide_by;
        bool near = counter_near_zero(first, change[i], sampled, to_start);
        out[i] = near ? change[i] * factor : out[i];
    }
}

const struct column_ops COLUMN_NAME(column_ops) = {
    .any_stale = COLUMN_NAME(any_stale),
    .gather = COLUMN_NAME(gather),
    .presence = COLUMN_NAME(presence),
    .falls = COLUMN_NAME(falls),
    .add = COLUMN_NAME(add),
    .add_finite = COLUMN_NAME(add_finite),
    .max = COLUMN_NAME(max),
    .min = COLUMN_NAME(min),
    .changes = COLUMN_NAME(changes),
    .times = COLUMN_NAME(times),
    .near_zero = COLUMN_NAME(near_zero),
    .to_zero = COLUMN_NAME(to_zero),
};
