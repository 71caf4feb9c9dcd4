/* Quantiles, fractions and variance of native histograms. */
#include <math.h>

#include "metrics/model/bucket_list.h"

double histogram_fraction_below(const struct histogram_bucket *b, double v, bool linear)
{
    if (linear) {
        return (v - b->lower) / (b->upper - b->lower);
    }
    double lower = histogram_log2(fabs(b->lower)), upper = histogram_log2(fabs(b->upper));
    double at = histogram_log2(fabs(v));
    return v > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
}

/* A histogram with buckets on one side only has nothing on the other side of zero. */
static void bound_by_zero(const struct histogram *h, struct histogram_bucket *b)
{
    if (h->negative_count == 0 && h->positive_count > 0) {
        b->lower = 0;
    } else if (h->positive_count == 0 && h->negative_count > 0) {
        b->upper = 0;
    }
}

/* Whether observations are missing in the buckets, given the sum of those passed so far. *b becomes the last.
 */
static bool nans_hidden(const struct histogram *h, struct histogram_iter *it, struct histogram_bucket *b,
                        double *count)
{
    while (histogram_iter_next(it, b)) {
        *count += b->count;
    }
    return *count < h->count;
}

static double interpolate(const struct histogram *h, const struct histogram_bucket *b, double fraction)
{
    if (histogram_custom(h) || (b->lower <= 0 && b->upper >= 0)) {
        return b->lower + (b->upper - b->lower) * fraction;
    }
    double lower = histogram_log2(fabs(b->lower)), upper = histogram_log2(fabs(b->upper));
    if (b->lower > 0) {
        return histogram_exp2(lower + (upper - lower) * fraction);
    }
    return -histogram_exp2(upper + (lower - upper) * (1 - fraction));
}

/* The bucket in which the rank lies; *count: the observations up to its end. */
static struct histogram_bucket find_rank(struct histogram_iter *it, double rank, double *count)
{
    struct histogram_bucket b = {0};
    while (histogram_iter_next(it, &b)) {
        if (b.count != 0) {
            *count += b.count;
            if (*count >= rank) {
                break;
            }
        }
    }
    return b;
}

double histogram_quantile_of(const struct histogram *h, double q, enum histogram_nans *ret_nans)
{
    *ret_nans = HISTOGRAM_NANS_NONE;
    if (q < 0 || q > 1) {
        return q < 0 ? -(double)INFINITY : (double)INFINITY;
    }
    if (h->count == 0 || isnan(q)) {
        return (double)NAN;
    }
    bool from_below = isnan(h->sum) || q < 0.5;
    struct histogram_iter it = histogram_iter_all(h, !from_below);
    double rank = (from_below ? q : 1 - q) * h->count, count = 0;
    struct histogram_bucket b = find_rank(&it, rank, &count);
    if (histogram_custom(h) && isinf(b.lower) && b.lower < 0) {
        if (b.upper <= 0) {
            return b.upper;
        }
        b.lower = 0;
    } else if (histogram_custom(h) && isinf(b.upper) && b.upper > 0) {
        return b.lower;
    } else if (!histogram_custom(h) && b.lower < 0 && b.upper > 0) {
        bound_by_zero(h, &b);
    }
    count = count > h->count ? h->count : count;
    if (count < rank) { /* among NaN observations, which are in no bucket, or numbers too large to be exact */
        *ret_nans = isnan(h->sum) ? HISTOGRAM_NANS_RESULT : HISTOGRAM_NANS_NONE;
        return isnan(h->sum) ? (double)NAN : b.upper;
    }
    rank = from_below ? rank - (count - b.count) : count - rank;
    /* The original goes on to the last bucket here and interpolates in that one: so do we, for equal numbers.
     */
    if (isnan(h->sum) && nans_hidden(h, &it, &b, &count)) {
        *ret_nans = HISTOGRAM_NANS_SKEW;
    }
    return interpolate(h, &b, rank / b.count);
}

/* -- fractions ------------------------------------------------------------------------------------------- */

/* A bound of the fraction, and how many observations lie below it once it is known. */
struct edge {
    double at, rank;
    bool set;
};

/* `bucket` begins after `rank` observations. */
static void edge_look(struct edge *e, const struct histogram_bucket *b, double rank, bool linear)
{
    if (e->set) {
        return;
    }
    if (b->lower >= e->at) {
        e->rank = rank;
        e->set = true;
    } else if (b->upper > e->at) {
        bool endless = linear && isinf(b->lower);
        e->rank = endless ? b->count : rank + b->count * histogram_fraction_below(b, e->at, linear);
        e->set = true;
    }
}

double histogram_fraction_of(const struct histogram *h, double lower, double upper,
                             enum histogram_nans *ret_nans)
{
    *ret_nans = HISTOGRAM_NANS_NONE;
    if (h->count == 0 || isnan(lower) || isnan(upper)) {
        return (double)NAN;
    }
    if (lower >= upper) {
        return 0;
    }
    struct edge from = {.at = lower}, to = {.at = upper};
    struct histogram_iter it = histogram_iter_all(h, false);
    struct histogram_bucket b = {0};
    double count = 0, rank = 0;
    while (!(from.set && to.set) && histogram_iter_next(&it, &b)) {
        count += b.count;
        bool zero = b.lower <= 0 && b.upper >= 0;
        if (zero) {
            bound_by_zero(h, &b);
        }
        edge_look(&from, &b, rank, histogram_custom(h) || zero);
        edge_look(&to, &b, rank, histogram_custom(h) || zero);
        rank += b.count;
    }
    if (isnan(h->sum)) {
        *ret_nans = nans_hidden(h, &it, &b, &count) ? HISTOGRAM_NANS_SKEW : HISTOGRAM_NANS_NONE;
    } else {
        count = h->count;
    }
    from.rank = !from.set || from.rank > count ? count : from.rank;
    to.rank = !to.set || to.rank > count ? count : to.rank;
    return (to.rank - from.rank) / h->count;
}

double histogram_variance_of(const struct histogram *h)
{
    double mean = h->sum / h->count, variance = 0, lost = 0;
    struct histogram_iter it = histogram_iter_all(h, false);
    struct histogram_bucket b = {0};
    while (histogram_iter_next(&it, &b)) {
        if (b.count == 0) {
            continue;
        }
        double middle = 0; /* of the zero bucket */
        if (histogram_custom(h)) {
            middle = (b.upper + b.lower) / 2.0;
        } else if (!(b.lower <= 0 && b.upper >= 0)) {
            middle = sqrt(b.upper * b.lower);
            middle = b.upper < 0 ? -middle : middle;
        }
        double delta = middle - mean;
        kahan_plus(b.count * delta * delta, &variance, &lost);
    }
    return (variance + lost) / h->count;
}
