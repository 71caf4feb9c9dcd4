/* Quantiles of samples and of classic histogram buckets. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_QUANTILE_H
#define CAIRN_METRICS_PROMQL_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>

/* Linear between ranks q(n-1); NaN for a NaN q, -Inf below 0, +Inf above 1. False: out of memory. */
bool quantile_of(double q, const double *v, size_t n, double *ret_v);
bool median_deviation(const double *v, size_t n, double *ret_v);

struct bucket {
    double upper, count; /* cumulative */
};

/* Sorts and repairs the buckets in place. *ret_forced: counts had to be made monotone. */
double bucket_quantile(double q, struct bucket *b, size_t n, bool *ret_forced);
/* The share of observations in (lower, upper]. */
double bucket_fraction(double lower, double upper, struct bucket *b, size_t n);

#endif
