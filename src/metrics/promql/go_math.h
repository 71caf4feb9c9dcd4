/* The corners in which Go's math package differs from C's. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_GO_MATH_H
#define CAIRN_METRICS_PROMQL_GO_MATH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* time.Duration.Seconds of milliseconds: whole seconds and the rest added apart. */
static inline double go_seconds(int64_t ms)
{
    int64_t whole = ms / 1000, rest_ns = ms % 1000 * 1000000;
    return (double)whole + (double)rest_ns / 1e9;
}

/* Go's Min and Max: NaN wins, except against an infinity of the right sign. */
static inline double go_min(double x, double y)
{
    if ((isinf(x) && x < 0) || (isinf(y) && y < 0)) {
        return -(double)INFINITY;
    }
    if (isnan(x) || isnan(y)) {
        return (double)NAN;
    }
    if (x == 0 && x == y) {
        return signbit(x) ? x : y;
    }
    return x < y ? x : y;
}

static inline double go_max(double x, double y)
{
    if ((isinf(x) && x > 0) || (isinf(y) && y > 0)) {
        return (double)INFINITY;
    }
    if (isnan(x) || isnan(y)) {
        return (double)NAN;
    }
    if (x == 0 && x == y) {
        return signbit(x) ? y : x;
    }
    return x > y ? x : y;
}

double go_exp(double x);
double go_log(double x);
double go_log2(double x);
double go_log10(double x);
double go_log1p(double x);
double go_pow(double x, double y);
double go_sinh(double x);
double go_cosh(double x);
double go_tanh(double x);
double go_asinh(double x);
double go_acosh(double x);
double go_atanh(double x);

double go_sin(double x);
double go_cos(double x);
double go_tan(double x);
double go_asin(double x);
double go_acos(double x);
double go_atan(double x);
double go_atan2(double y, double x);

#endif
