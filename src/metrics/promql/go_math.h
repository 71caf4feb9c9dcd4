/* The corners in which Go's math package differs from C's. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_GO_MATH_H
#define CAIRN_METRICS_PROMQL_GO_MATH_H

#include <math.h>
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

double go_pow(double x, double y);
#define go_exp exp
#define go_log log
#define go_log2 log2
#define go_log10 log10
#define go_sin sin
#define go_cos cos
#define go_tan tan
#define go_asin asin
#define go_acos acos
#define go_atan atan
#define go_atan2 atan2
#define go_sinh sinh
#define go_cosh cosh
#define go_tanh tanh
#define go_asinh asinh
#define go_acosh acosh
#define go_atanh atanh

#endif
