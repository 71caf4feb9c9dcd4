/* What can be asked of a native histogram without changing it: bounds, buckets in order, validity, equality,
 * counter resets, statistics.
 *
 * Results equal Prometheus' bit for bit: the order of floating-point operations is part of the contract. Pure
 * functions, any thread. Histograms given to anything but histogram_flaw are valid. */
#ifndef CAIRN_METRICS_MODEL_HISTOGRAM_OPS_H
#define CAIRN_METRICS_MODEL_HISTOGRAM_OPS_H

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "metrics/model/histogram.h"

enum {
    HISTOGRAM_SCHEMA_MIN = -4,
    HISTOGRAM_SCHEMA_MAX = 8,
    HISTOGRAM_SCHEMA_KNOWN_MIN = -9, /* accepted from senders; reduced to the maximum when above it */
    HISTOGRAM_SCHEMA_KNOWN_MAX = 52
};

static inline bool histogram_custom(const struct histogram *h)
{
    return h->schema == HISTOGRAM_SCHEMA_CUSTOM;
}

/* -- bounds ---------------------------------------------------------------------------------------------- */

/* Upper bound of bucket `index` of an exponential schema. */
double histogram_exponential_bound(int64_t index, int schema);
/* Upper bound of bucket `index` of the histogram's positive side. */
double histogram_bound(const struct histogram *h, int64_t index);
/* Binary logarithm and power, as the original computes them. */
double histogram_log2(double v);
double histogram_exp2(double v);
/* The index of bucket `index` in a coarser schema, `shift` steps below. */
static inline int64_t histogram_coarser(int64_t index, unsigned shift)
{
    return ((index - 1) >> shift) + 1;
}

/* -- iteration ------------------------------------------------------------------------------------------- */

struct histogram_bucket {
    double lower, upper, count;
    int64_t index;
    bool lower_inclusive, upper_inclusive;
};

/* The buckets of one side, up or down, as (index, count). */
struct histogram_side {
    const struct histogram_span *spans;
    const double *counts;
    uint32_t span_count, count;
    uint32_t span, in_span, at; /* of the next bucket, counted from the side's end when going down */
    int64_t index;
};

struct histogram_side histogram_side_up(const struct histogram *h, bool positive);
bool histogram_side_next(struct histogram_side *s, int64_t *ret_index, double *ret_count);
struct histogram_side histogram_side_down(const struct histogram *h, bool positive);
bool histogram_side_prev(struct histogram_side *s, int64_t *ret_index, double *ret_count);
/* Bounds and inclusiveness of a bucket. */
struct histogram_bucket histogram_bucket_at(const struct histogram *h, bool positive, int64_t index,
                                            double count);

/* All buckets: negative, zero, positive, ascending or descending. Buckets that overlap the zero bucket are
 * cut at its threshold. Empty ones come too, except an empty zero bucket. */
struct histogram_iter {
    const struct histogram *h;
    struct histogram_side down, up;
    bool descending;
    uint8_t state;
};

struct histogram_iter histogram_iter_all(const struct histogram *h, bool descending);
bool histogram_iter_next(struct histogram_iter *it, struct histogram_bucket *ret_bucket);

/* -- whole histograms ------------------------------------------------------------------------------------ */

/* OK, or INVALID with Prometheus' sentence. Looks at nothing but the histogram. */
MUST_USE enum err histogram_check(const struct histogram *h, struct err_info *reterr_info);
/* Same kind, layout and bits; the reset hint is not compared. */
bool histogram_equal(const struct histogram *a, const struct histogram *b);
/* Bytes one copy needs in a single piece, and the copy into such a piece (8-byte aligned). */
size_t histogram_copy_bytes(const struct histogram *h);
struct histogram *histogram_copy(const struct histogram *h, void *mem);
/* The cost of a histogram point in samples (a float is one). */
size_t histogram_point_cost(const struct histogram *h);
/* Of an element of a vector, which the original rounds otherwise. */
size_t histogram_element_cost(const struct histogram *h);

/* True when `h` shows that the counter was reset since `before`. Trusts the hints YES and NO. */
bool histogram_reset_since(const struct histogram *h, const struct histogram *before);
/* The hint of a sample that is stored after `before` (NULL: nothing comparable comes before it): a gauge
 * stays one; NO when it plainly goes on; else UNKNOWN, because what was before it may be gone when it is
 * read. */
enum histogram_reset histogram_hint_after(const struct histogram *h, const struct histogram *before);

/* -- statistics ------------------------------------------------------------------------------------------ */

enum histogram_nans {
    HISTOGRAM_NANS_NONE = 0,
    HISTOGRAM_NANS_RESULT, /* the quantile lies among NaN observations: the result is NaN */
    HISTOGRAM_NANS_SKEW    /* NaN observations shift the result */
};

double histogram_quantile_of(const struct histogram *h, double q, enum histogram_nans *ret_nans);
double histogram_fraction_of(const struct histogram *h, double lower, double upper,
                             enum histogram_nans *ret_nans);
double histogram_variance_of(const struct histogram *h);
/* How far v lies between the bounds of a bucket: 0 to 1, linear or on a logarithmic scale. */
double histogram_fraction_below(const struct histogram_bucket *b, double v, bool linear);

#endif
