/* Sums, differences and scalings of native histograms, and the parts they are made of.
 *
 * An accumulator holds the buckets of both sides as sorted (index, count) lists, so that histograms of any
 * layout can be added; differing schemas, zero thresholds and custom bounds are reconciled as Prometheus does
 * it, in its order of floating-point operations. It lives in an arena; one owner at a time. */
#ifndef CAIRN_METRICS_MODEL_HISTOGRAM_ARITH_H
#define CAIRN_METRICS_MODEL_HISTOGRAM_ARITH_H

#include "metrics/model/histogram_ops.h"

/* Buckets of a side, ascending by index. */
struct bucket_list {
    int64_t *index;
    double *count;
    double *lost; /* Kahan compensation of each count */
    uint32_t n, cap;
};

struct histogram_acc {
    struct arena *a;
    int schema;
    uint8_t reset_hint; /* enum histogram_reset */
    bool is_float;      /* of the value; true unless the caller says otherwise */
    bool compensated;   /* a compensated addition has happened: the `lost` parts count */
    double zero_threshold;
    double zero_count, count, sum;
    double zero_lost, count_lost, sum_lost;
    const double *custom_values;
    uint32_t custom_value_count;
    struct bucket_list positive, negative;
    struct bucket_list other, spare; /* scratch */
};

/* What an addition met. */
struct histogram_meeting {
    bool incompatible; /* exponential met custom buckets: nothing was done */
    bool collision;    /* one says the counter was reset, the other that it was not */
    bool reconciled;   /* custom bounds differed and were intersected */
};

/* Begins with a copy of h. Errors of all: those of the arena. */
MUST_USE enum err histogram_acc_init(struct histogram_acc *acc, struct arena *a, const struct histogram *h);
/* Makes `to` (initialised with the same arena) a copy. */
MUST_USE enum err histogram_acc_copy(struct histogram_acc *to, const struct histogram_acc *from);

MUST_USE enum err histogram_acc_add(struct histogram_acc *acc, const struct histogram *h,
                                    struct histogram_meeting *ret_m);
MUST_USE enum err histogram_acc_sub(struct histogram_acc *acc, const struct histogram *h,
                                    struct histogram_meeting *ret_m);
/* Adds with compensated sums; histogram_acc_settle adds what was lost at the end. */
MUST_USE enum err histogram_acc_add_compensated(struct histogram_acc *acc, const struct histogram *h,
                                                struct histogram_meeting *ret_m);
void histogram_acc_settle(struct histogram_acc *acc);
void histogram_acc_scale(struct histogram_acc *acc, double factor);
/* Division by zero leaves no buckets. */
void histogram_acc_divide(struct histogram_acc *acc, double by);
/* To a coarser schema (of exponential buckets). */
void histogram_acc_reduce(struct histogram_acc *acc, int schema);
bool histogram_acc_overflows(const struct histogram_acc *acc);
/* Takes empty buckets out. */
void histogram_acc_compact(struct histogram_acc *acc);
/* The value, in the arena. */
MUST_USE enum err histogram_acc_value(const struct histogram_acc *acc, const struct histogram **ret_h);

/* A copy that shares the layout: every count and the sum times a factor; a negative one makes it a gauge. */
MUST_USE enum err histogram_scaled(struct arena *a, const struct histogram *h, double factor,
                                   const struct histogram **ret_h);
/* Without empty buckets, scaled or divided. */
MUST_USE enum err histogram_times(struct arena *a, const struct histogram *h, double factor, bool divide,
                                  const struct histogram **ret_h);
/* The part of the observations at or below `at` (upper) or at or above it. */
MUST_USE enum err histogram_trim(struct arena *a, const struct histogram *h, double at, bool upper,
                                 const struct histogram **ret_h);

bool histogram_bounds_equal(const struct histogram *a, const struct histogram *b);
/* The zero count h would have with a larger threshold; one inside a populated bucket is moved to that
 * bucket's end. *lost: the compensation, in and out. */
double histogram_zero_count_for(const struct histogram *h, double *threshold, double *lost);

#endif
