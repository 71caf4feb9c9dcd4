/* Order statistics. */
#include "metrics/promql/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* NaN sorts first, as in Prometheus. */
static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) {
        return isnan(y) - isnan(x);
    }
    return (x > y) - (x < y);
}

static double sorted_quantile(double q, const double *v, size_t n)
{
    if (n == 0 || isnan(q)) {
        return (double)NAN;
    }
    if (q < 0) {
        return -(double)INFINITY;
    }
    if (q > 1) {
        return (double)INFINITY;
    }
    double rank = q * ((double)n - 1);
    double low = fmax(0, floor(rank)), high = fmin((double)n - 1, low + 1);
    double weight = rank - floor(rank);
    return v[(size_t)low] * (1 - weight) + v[(size_t)high] * weight;
}

bool quantile_of(double q, const double *v, size_t n, double *ret_v)
{
    double *copy = mem_array(n, sizeof(*copy));
    if (!copy) {
        return false;
    }
    memcpy(copy, v, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), compare);
    *ret_v = sorted_quantile(q, copy, n);
    mem_free(copy);
    return true;
}

bool median_deviation(const double *v, size_t n, double *ret_v)
{
    double *copy = mem_array(n, sizeof(*copy));
    if (!copy) {
        return false;
    }
    memcpy(copy, v, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), compare);
    double median = sorted_quantile(0.5, copy, n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = fabs(v[i] - median);
    }
    qsort(copy, n, sizeof(*copy), compare);
    *ret_v = sorted_quantile(0.5, copy, n);
    mem_free(copy);
    return true;
}

/* -- classic histograms ---------------------------------------------------------------------------------- */

static int compare_buckets(const void *a, const void *b)
{
    double x = ((const struct bucket *)a)->upper, y = ((const struct bucket *)b)->upper;
    return (x > y) - (x < y);
}

static size_t merge_equal(struct bucket *b, size_t n)
{
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].upper == b[kept].upper) {
            b[kept].count += b[i].count;
        } else {
            b[++kept] = b[i];
        }
    }
    return n ? kept + 1 : 0;
}

/* Differences below this share of the larger count are rounding. */
static const double small_delta = 1e-12;

static bool nearly_equal(double a, double b)
{
    if (a == b) {
        return true;
    }
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308) {
        return diff < small_delta * 2.2250738585072014e-308;
    }
    return diff / fmin(sum, 1.7976931348623157e308) < small_delta;
}

static bool make_monotone(struct bucket *b, size_t n)
{
    bool forced = false;
    double previous = b[0].count;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == previous) {
            continue;
        }
        if (nearly_equal(previous, b[i].count)) {
            b[i].count = previous;
            continue;
        }
        if (b[i].count < previous) {
            b[i].count = previous;
            forced = true;
            continue;
        }
        previous = b[i].count;
    }
    return forced;
}

double bucket_quantile(double q, struct bucket *b, size_t n, bool *ret_forced)
{
    *ret_forced = false;
    if (isnan(q)) {
        return (double)NAN;
    }
    if (q < 0) {
        return -(double)INFINITY;
    }
    if (q > 1) {
        return (double)INFINITY;
    }
    qsort(b, n, sizeof(*b), compare_buckets);
    if (n == 0 || !isinf(b[n - 1].upper) || b[n - 1].upper < 0) {
        return (double)NAN;
    }
    n = merge_equal(b, n);
    *ret_forced = make_monotone(b, n);
    double total = b[n - 1].count;
    if (n < 2 || total == 0 || isnan(total)) {
        return (double)NAN;
    }
    double rank = q * total;
    size_t at = 0;
    while (at < n - 1 && b[at].count < rank) {
        at++;
    }
    if (at == n - 1) {
        return b[n - 2].upper;
    }
    if (at == 0 && b[0].upper <= 0) {
        return b[0].upper;
    }
    double start = 0, end = b[at].upper, count = b[at].count;
    if (at > 0) {
        start = b[at - 1].upper;
        count -= b[at - 1].count;
        rank -= b[at - 1].count;
    }
    return start + (end - start) * (rank / count);
}

double bucket_fraction(double lower, double upper, struct bucket *b, size_t n)
{
    qsort(b, n, sizeof(*b), compare_buckets);
    if (n == 0 || !isinf(b[n - 1].upper) || b[n - 1].upper < 0) {
        return (double)NAN;
    }
    n = merge_equal(b, n);
    double total = b[n - 1].count;
    if (total == 0 || isnan(lower) || isnan(upper) || isnan(total)) {
        return (double)NAN;
    }
    if (lower >= upper) {
        return 0;
    }
    double rank = 0, lower_rank = 0, upper_rank = 0;
    bool lower_set = false, upper_set = false;
    for (size_t i = 0; i < n; i++) {
        double lo = i == 0 && b[0].upper > 0 ? 0 : i == 0 ? -(double)INFINITY : b[i - 1].upper;
        double hi = b[i].upper;
        if (!lower_set && lo >= lower) {
            lower_rank = rank;
            lower_set = true;
        }
        if (!upper_set && lo >= upper) {
            upper_rank = rank;
            upper_set = true;
        }
        if (lower_set && upper_set) {
            break;
        }
        double inside = b[i].count - (i ? b[i - 1].count : 0);
        bool open = isinf(lo) || isinf(hi);
        if (!lower_set && lo < lower && hi > lower) {
            lower_rank = open ? rank : rank + inside * (lower - lo) / (hi - lo);
            lower_set = true;
        }
        if (!upper_set && lo < upper && hi > upper) {
            upper_rank = open ? rank : rank + inside * (upper - lo) / (hi - lo);
            upper_set = true;
        }
        rank = b[i].count;
    }
    lower_rank = lower_set && lower_rank <= total ? lower_rank : total;
    upper_rank = upper_set && upper_rank <= total ? upper_rank : total;
    return (upper_rank - lower_rank) / total;
}
