/* Quantiles of samples and of classic histogram buckets. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_QUANTILE_H
#define CAIRN_METRICS_PROMQL_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>

/* NaN first; equal values keep their order. */
void quantile_sort(const double *v, size_t n, double *ret_sorted);
/* Linear between ranks q(n-1); NaN for a NaN q, -Inf below 0, +Inf above 1. */
double quantile_sorted(double q, const double *v, size_t n);
/* A quantile that was found to be 0, of values in the order in which they came: which of the two zeros it is
 * where there are both hangs on how the original sorts. */
double quantile_zero(double q, const double *v, size_t n, double found);
/* The same of values in any order. False: out of memory. */
bool quantile_of(double q, const double *v, size_t n, double *ret_v);
bool median_deviation(const double *v, size_t n, double *ret_v);

struct bucket {
    double upper, count; /* cumulative */
};

/* How counts were made monotone: the bounds between which, and the largest drop. */
struct bucket_fix {
    bool forced;
    double low, high, diff;
};

/* Sorts and repairs the buckets in place: of n, those with equal bounds become one, and what stood at the end
 * stays there. */
double bucket_quantile(double q, struct bucket *b, size_t n, struct bucket_fix *ret_fix);
/* The share of observations in (lower, upper]. */
double bucket_fraction(double lower, double upper, struct bucket *b, size_t n);

#endif
