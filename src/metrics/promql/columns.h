/* Loops over whole columns, written so that the compiler makes vectors of them, in several instruction sets.
 * Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_COLUMNS_H
#define CAIRN_METRICS_PROMQL_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Flags are 0 or 1. */
static inline bool column_whole(const uint8_t *has, size_t n)
{
    return memchr(has, 0, n) == NULL;
}
size_t column_count(const uint8_t *has, size_t n);

/* Whether a counter that grew by `change` from `first` on may have been zero within the window. The margins
 * are wide: products that are not close to each other compare as the quotient of the formula does. */
static inline bool counter_near_zero(double first, double change, double sampled, double to_start)
{
    double reach = first * sampled;
    bool far = (reach > 1e-300) & (reach > to_start * change * (1 + 1e-9));
    return (change > 0) & (first >= 0) & !far;
}

/* What counters are extrapolated by, in seconds; divide_by 0: not by the second. */
struct column_windows {
    const double *sampled, *to_start, *to_end;
    double divide_by;
};

struct column_ops {
    bool (*any_stale)(const double *v, size_t n);
    /* out[i] = v[at[i]]; true when none of them is a staleness marker. */
    bool (*gather)(const double *v, const uint32_t *at, size_t n, double *out);
    /* has[i] = near[i], unless v[i] is a staleness marker. */
    void (*presence)(const double *v, const uint8_t *near, size_t n, uint8_t *has);
    /* Whether a value is less than the one before it. */
    bool (*falls)(const double *v, size_t n);
    /* Kahan's addition of v to sum and its compensation c, element by element. */
    void (*add)(double *sum, double *c, const double *v, size_t n);
    /* False when one of the sums is beyond all numbers; nothing has been changed then. */
    bool (*add_finite)(double *sum, double *c, const double *v, size_t n);
    /* The larger, or smaller; NaN counts only where there is nothing else. */
    void (*max)(double *best, const double *v, size_t n);
    void (*min)(double *best, const double *v, size_t n);
    /* out[i] = v[newest[i]] - v[oldest[i]] */
    void (*changes)(const double *v, const uint32_t *oldest, const uint32_t *newest, size_t n, double *out);
    /* out[i] = v[i] * by[i] */
    void (*times)(const double *v, const double *by, size_t n, double *out);
    /* Whether counter_near_zero says so of one of the windows; their first samples are v[oldest[i]]. */
    bool (*near_zero)(const double *v, const uint32_t *oldest, const double *change, const double *sampled,
                      const double *to_start, size_t n);
    /* Of those windows out[i] is the change extrapolated to where the counter was zero. */
    void (*to_zero)(const double *v, const uint32_t *oldest, const double *change,
                    const struct column_windows *w, size_t n, double *out);
};

/* The best set of this processor but `sets_less`. */
const struct column_ops *column_ops_best(unsigned sets_less);
/* columns*.c */
extern const struct column_ops column_ops_any, column_ops_v3, column_ops_v4;

#endif
