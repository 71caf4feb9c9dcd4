/* The observations on one side of a value: buckets are kept, dropped or split. */
#include <math.h>

#include "metrics/model/bucket_list.h"

struct trim {
    double at;
    bool upper; /* keep what is at or below */
    bool custom;
    double count, sum; /* kept */
    bool any;          /* something was dropped */
};

static double middle_of(double lower, double upper, bool positive, bool linear)
{
    if (isinf(lower) && isinf(upper)) {
        return 0;
    }
    if (isinf(lower)) {
        return upper > 0 ? upper / 2 : upper;
    }
    if (isinf(upper)) {
        return lower;
    }
    if (linear) {
        return (lower + upper) / 2;
    }
    double mean = sqrt(fabs(lower * upper));
    return positive ? mean : -mean;
}

static double finite_or_zero(double v)
{
    return isinf(v) ? 0 : v;
}

/* A bucket that begins at -Inf. With a positive end it counts as beginning at zero; else nothing is known
 * about where its observations lie. */
static double split_from_below(const struct trim *t, const struct histogram_bucket *b, double *ret_middle)
{
    bool from_zero = b->upper > 0 && !isinf(b->upper);
    if (t->upper) {
        if (t->at >= b->upper) {
            *ret_middle = 0;
            return b->count;
        }
        if (t->at > 0 && from_zero) {
            *ret_middle = t->at / 2;
            return b->count * t->at / b->upper;
        }
        *ret_middle = b->upper <= 0 ? t->at : finite_or_zero(b->upper);
        return b->upper <= 0 ? b->count : 0;
    }
    if (t->at <= b->lower) {
        *ret_middle = 0;
        return b->count;
    }
    if (t->at >= 0 && b->upper > t->at && !isinf(b->upper)) {
        *ret_middle = (t->at + b->upper) / 2;
        return b->count * (1 - t->at / b->upper);
    }
    *ret_middle = finite_or_zero(b->upper);
    return 0;
}

/* How much of a bucket that contains the value is kept, and where that lies. */
static double split(const struct trim *t, const struct histogram_bucket *b, bool positive, double *ret_middle)
{
    if (isinf(b->lower) && b->lower < 0) {
        return split_from_below(t, b, ret_middle);
    }
    if (isinf(b->upper) && b->upper > 0) {
        bool keep = !t->upper && t->at >= b->lower;
        *ret_middle = keep ? t->at : finite_or_zero(b->lower);
        return keep ? b->count : 0;
    }
    double below = t->at <= b->lower   ? 0
                   : t->at >= b->upper ? b->count
                                       : b->count * histogram_fraction_below(b, t->at, t->custom);
    *ret_middle = t->upper ? middle_of(b->lower, t->at, positive, t->custom)
                           : middle_of(t->at, b->upper, positive, t->custom);
    return t->upper ? below : b->count - below;
}

static void trim_bucket(struct trim *t, const struct histogram_bucket *b, bool positive, double *count)
{
    bool whole = t->upper ? b->upper <= t->at : b->lower >= t->at;
    bool part = t->upper ? b->lower < t->at : b->upper > t->at;
    double kept = 0, middle = 0;
    if (whole) {
        kept = b->count;
        middle = middle_of(b->lower, b->upper, positive, t->custom);
    } else if (part) {
        kept = split(t, b, positive, &middle);
    } else {
        t->any = true;
        *count = 0;
        return;
    }
    t->count += kept;
    t->sum += middle * kept;
    if (kept != *count) {
        *count = kept;
        t->any = true;
    }
}

/* True when the side has observations. */
static bool trim_side(struct trim *t, const struct histogram *h, struct bucket_list *l, bool positive)
{
    bool populated = false;
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->count[i] != 0) {
            struct histogram_bucket b = histogram_bucket_at(h, positive, l->index[i], l->count[i]);
            populated = true;
            trim_bucket(t, &b, positive, &l->count[i]);
        }
    }
    return populated;
}

static void trim_zero(struct trim *t, struct histogram_acc *acc, bool has_positive, bool has_negative)
{
    double lower = has_positive && !has_negative ? 0 : -acc->zero_threshold;
    double upper = has_negative && !has_positive ? 0 : acc->zero_threshold;
    double kept = acc->zero_count, middle = (lower + upper) / 2;
    bool none = t->upper ? t->at <= lower : t->at >= upper && !(t->at <= lower);
    bool whole = t->upper ? t->at >= upper : t->at <= lower;
    if (none) {
        kept = middle = 0;
    } else if (!whole && t->upper) { /* NaN is neither: it spoils what it splits */
        kept = acc->zero_count * ((t->at - lower) / (upper - lower));
        middle = (lower + t->at) / 2;
    } else if (!whole) {
        kept = acc->zero_count * ((upper - t->at) / (upper - lower));
        middle = (t->at + upper) / 2;
    }
    t->any |= kept != acc->zero_count;
    acc->zero_count = kept;
    t->sum += middle * kept;
    t->count += kept;
}

enum err histogram_trim(struct arena *a, const struct histogram *h, double at, bool upper,
                        const struct histogram **ret_h)
{
    struct histogram_acc acc;
    struct trim t = {.at = at, .upper = upper, .custom = histogram_custom(h)};
    enum err e = histogram_acc_init(&acc, a, h);
    if (e != ERR_OK) {
        return e;
    }
    bool has_positive = trim_side(&t, h, &acc.positive, true);
    bool has_negative = trim_side(&t, h, &acc.negative, false);
    if (acc.zero_count > 0) {
        trim_zero(&t, &acc, has_positive, has_negative);
    }
    if (!t.any) {
        *ret_h = h;
        return ERR_OK;
    }
    acc.count = t.count;
    acc.sum = t.sum;
    histogram_acc_compact(&acc);
    return histogram_acc_value(&acc, ret_h);
}
