/* Order statistics. */
#include "metrics/promql/quantile.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "metrics/promql/go_sort.h"

/* NaN sorts first, as in Prometheus. */
static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) {
        return isnan(y) - isnan(x);
    }
    return (x > y) - (x < y);
}

double quantile_sorted(double q, const double *v, size_t n)
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

void quantile_sort(const double *v, size_t n, double *ret_sorted)
{
    memcpy(ret_sorted, v, n * sizeof(*v));
    qsort(ret_sorted, n, sizeof(*ret_sorted), compare);
}

static bool sorts_before(const void *ctx, size_t i, size_t j)
{
    const double *v = ctx;
    return isnan(v[i]) || v[i] < v[j];
}

static void exchange(const void *ctx, size_t i, size_t j)
{
    double *v = (double *)(uintptr_t)ctx, swap = v[i];
    v[i] = v[j];
    v[j] = swap;
}

double quantile_zero(double q, const double *v, size_t n, double found)
{
    bool plus = false, minus = false;
    for (size_t i = 0; i < n && !(plus && minus); i++) {
        plus |= v[i] == 0 && !signbit(v[i]);
        minus |= v[i] == 0 && signbit(v[i]);
    }
    double *copy = plus && minus ? mem_array(n, sizeof(*copy)) : NULL;
    if (copy) { /* without memory for it, the sign of a zero is what is given up */
        memcpy(copy, v, n * sizeof(*copy));
        go_sort(&(struct go_sort){sorts_before, exchange, copy}, n);
        found = quantile_sorted(q, copy, n);
        mem_free(copy);
    }
    return found;
}

/* Brings the element that would be at place k, were they sorted, there; no smaller one stays behind it. None
 * is NaN. */
static void bring_to(double *v, size_t n, size_t k)
{
    size_t from = 0, to = n;
    while (to - from > 1) {
        double a = v[from], b = v[from + (to - from) / 2], c = v[to - 1];
        double low = a < b ? a : b, high = a < b ? b : a, pivot = c < low ? low : c > high ? high : c;
        size_t i = from, j = to - 1;
        while (i <= j) {
            while (v[i] < pivot) {
                i++;
            }
            while (v[j] > pivot) {
                j--;
            }
            if (i > j) {
                break;
            }
            double swap = v[i];
            v[i++] = v[j];
            v[j] = swap;
            if (j == from) {
                break;
            }
            j--;
        }
        if (k < i && k > j) {
            return; /* between the parts: as large as the pivot */
        }
        if (k <= j) {
            to = j + 1;
        } else {
            from = i;
        }
    }
}

/* quantile_sorted of values in any order, which are mixed up: NaN come first in it. */
static double quantile_unsorted(double q, double *v, size_t n)
{
    size_t nans = 0;
    for (size_t i = 0; i < n; i++) {
        double swap = v[i];
        if (isnan(swap)) {
            v[i] = v[nans];
            v[nans++] = swap;
        }
    }
    if (n == 0 || isnan(q) || q < 0 || q > 1) {
        return quantile_sorted(q, v, n);
    }
    size_t low = (size_t)fmax(0, floor(q * ((double)n - 1)));
    if (low >= nans) {
        bring_to(v + nans, n - nans, low - nans);
    } else if (low + 1 == nans && nans < n) {
        bring_to(v + nans, n - nans, 0);
    }
    for (size_t i = low + 2; low + 1 >= nans && i < n; i++) { /* the next in order after it */
        if (v[i] < v[low + 1]) {
            double swap = v[i];
            v[i] = v[low + 1];
            v[low + 1] = swap;
        }
    }
    return quantile_sorted(q, v, n);
}

bool quantile_of(double q, const double *v, size_t n, double *ret_v)
{
    enum {
        FEW = 256
    };
    double few[FEW], *copy = n <= FEW ? few : mem_array(n, sizeof(*copy));
    if (!copy) {
        return false;
    }
    memcpy(copy, v, n * sizeof(*copy));
    *ret_v = quantile_unsorted(q, copy, n);
    if (copy != few) {
        mem_free(copy);
    }
    if (*ret_v == 0) {
        *ret_v = quantile_zero(q, v, n, *ret_v);
    }
    return true;
}

bool median_deviation(const double *v, size_t n, double *ret_v)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(v[i])) { /* the median is undefined */
            *ret_v = (double)NAN;
            return true;
        }
    }
    double *copy = mem_array(n, sizeof(*copy));
    if (!copy) {
        return false;
    }
    memcpy(copy, v, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), compare);
    double median = quantile_sorted(0.5, copy, n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = fabs(v[i] - median);
    }
    qsort(copy, n, sizeof(*copy), compare);
    *ret_v = quantile_sorted(0.5, copy, n);
    mem_free(copy);
    return true;
}

/* -- classic histograms ---------------------------------------------------------------------------------- */

static int compare_buckets(const void *a, const void *b)
{
    double x = ((const struct bucket *)a)->upper, y = ((const struct bucket *)b)->upper;
    return (x > y) - (x < y);
}

static void sort_buckets(struct bucket *b, size_t n)
{
    size_t in_order = 1;
    while (in_order < n && b[in_order - 1].upper <= b[in_order].upper) {
        in_order++;
    }
    if (in_order < n) {
        qsort(b, n, sizeof(*b), compare_buckets);
    }
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
    if (a == b || (isnan(a) && isnan(b))) {
        return true;
    }
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308) {
        return diff < small_delta * 2.2250738585072014e-308;
    }
    return diff / (sum > 1.7976931348623157e308 ? 1.7976931348623157e308 : sum) < small_delta;
}

static void make_monotone(struct bucket *b, size_t n, struct bucket_fix *fix)
{
    double previous = b[0].count;
    *fix = (struct bucket_fix){.low = (double)INFINITY, .high = -(double)INFINITY};
    for (size_t i = 1; i < n; i++) {
        if (b[i].count == previous) {
            continue;
        }
        if (nearly_equal(previous, b[i].count)) {
            b[i].count = previous;
        } else if (b[i].count < previous) {
            double diff = previous - b[i].count;
            fix->forced = true;
            fix->low = b[i].upper < fix->low ? b[i].upper : fix->low;
            fix->high = b[i].upper > fix->high ? b[i].upper : fix->high;
            fix->diff = diff > fix->diff ? diff : fix->diff;
            b[i].count = previous;
        } else {
            previous = b[i].count;
        }
    }
}

/* The first bucket below the last that holds the rank; n - 1 when none does. */
static size_t bucket_of_rank(const struct bucket *b, size_t n, double rank)
{
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (b[mid].count >= rank) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

double bucket_quantile(double q, struct bucket *b, size_t n, struct bucket_fix *ret_fix)
{
    *ret_fix = (struct bucket_fix){0};
    if (isnan(q)) {
        return (double)NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -(double)INFINITY : (double)INFINITY;
    }
    sort_buckets(b, n);
    if (n == 0 || b[n - 1].upper != (double)INFINITY) {
        return (double)NAN;
    }
    n = merge_equal(b, n);
    make_monotone(b, n, ret_fix);
    double total = b[n - 1].count, rank = q * total;
    if (n < 2 || total == 0) {
        return (double)NAN;
    }
    size_t at = bucket_of_rank(b, n, rank);
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

/* Observations up to v, which lies within the bucket (low, b.upper] above `rank` others. */
static double rank_within(const struct bucket *b, double low, double rank, double v)
{
    return low == -(double)INFINITY ? b->count : rank + (b->count - rank) * (v - low) / (b->upper - low);
}

/* Observations up to v. */
static double rank_of(double v, const struct bucket *b, size_t n)
{
    double rank = 0, low = b[0].upper <= 0 ? -(double)INFINITY : 0;
    for (size_t i = 0; i < n; i++) {
        low = i ? b[i - 1].upper : low;
        if (low >= v) {
            return rank;
        }
        if (low < v && b[i].upper > v) { /* neither holds of a bound that is no number */
            return rank_within(&b[i], low, rank, v);
        }
        rank = b[i].count;
    }
    return (double)INFINITY; /* above all: the caller's total */
}

double bucket_fraction(double lower, double upper, struct bucket *b, size_t n)
{
    sort_buckets(b, n);
    if (n == 0 || b[n - 1].upper != (double)INFINITY) {
        return (double)NAN;
    }
    n = merge_equal(b, n);
    double total = b[n - 1].count;
    if (total == 0 || isnan(lower) || isnan(upper)) {
        return (double)NAN;
    }
    if (lower >= upper) {
        return 0;
    }
    double from = rank_of(lower, b, n), to = rank_of(upper, b, n);
    from = from > total ? total : from;
    to = to > total ? total : to;
    return (to - from) / total;
}
