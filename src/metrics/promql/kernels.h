/* Functions over all windows of a series at once. Private to this folder.
 *
 * A grid holds what all series of a batch that lie alike on their clock share: the windows' bounds and what
 * follows from them. A kernel is equal to the function of one window (range_fns.h) bit for bit; it sees
 * floats only, without staleness markers. */
#ifndef CAIRN_METRICS_PROMQL_KERNELS_H
#define CAIRN_METRICS_PROMQL_KERNELS_H

#include "metrics/promql/columns.h"
#include "metrics/promql/eval.h"

/* Of evenly spaced samples: seconds from a window's origin to its sample s, and the compensated sums of these
 * and of their squares up to s. */
struct time_table {
    ts_ms start; /* the first sample's distance from the origin */
    int64_t tick;
    size_t n, cap;
    double *x, *sum_x, *sum_x2;
};

/* Columns over the steps unless said otherwise. */
struct range_grid {
    size_t steps;
    const uint32_t *first, *end; /* of each step's window in the series' column */
    const ts_ms *ts;             /* the column */
    const ts_ms *from, *to;
    const double *args[2];     /* the call's scalar arguments */
    size_t low, high;          /* the part of the column that the windows span */
    size_t widest;             /* samples of a window */
    uint8_t *has;              /* there is a result */
    uint32_t *oldest, *newest; /* samples of a window that has a result; else 0 */
    size_t points;             /* steps with a result */
    size_t some_from, some_to; /* these span them */
    bool ascends;              /* all of the span have one, and oldest and newest never go back */
    double range_seconds;
    const struct column_ops *columns;
    /* EXTRAPOLATED: seconds, and by what the change is multiplied unless a counter would fall below zero */
    double *sampled, *to_start, *to_end, *factor;
    /* REGRESSION */
    ts_ms *origin; /* what times are relative to */
    struct time_table times;
};

/* v: the column of results, undefined where the grid has none. `scratch` has room for one double a sample of
 * the series. */
typedef void kernel_fn(const struct range_grid *g, const double *in, void *scratch, double *v);

/* Instruction sets some kernels come in. */
enum kernel_set {
    SET_ANY = 0, /* the processor at hand: SSE2, NEON */
    SET_AVX2,
    SET_AVX512,
    SET_COUNT
};

struct kernel {
    range_fn *of;             /* the window function */
    kernel_fn *fn[SET_COUNT]; /* NULL: as the one before */
    unsigned least;           /* samples that a window needs for a result */
    enum {
        WINDOWS = 0, /* what is prepared for it besides bounds */
        EXTRAPOLATED,
        RATE, /* the same by the second */
        REGRESSION
    } kind;
};

/* The kernel for a window function, or NULL. */
const struct kernel *kernel_for(range_fn *fn);
/* Fills what the kernel wants; bounds are there. The grid's columns for its kind are allocated. */
MUST_USE enum err kernel_prepare(struct eval *e, const struct kernel *k, struct range_grid *g);

/* The best set of this processor, at most `most`. */
enum kernel_set kernel_best_set(enum kernel_set most);
/* The kernel's function in a set. */
kernel_fn *kernel_in_set(const struct kernel *k, enum kernel_set set);

/* kernels_order.c */
kernel_fn kernel_max, kernel_min, kernel_quantile;
/* kernels_wide*.c: one and the same text for all sets */
kernel_fn kernel_sum, kernel_avg, kernel_stdvar, kernel_stddev, kernel_deriv, kernel_predict_linear;
kernel_fn kernel_sum_v3, kernel_avg_v3, kernel_stdvar_v3, kernel_stddev_v3, kernel_deriv_v3,
    kernel_predict_linear_v3;
kernel_fn kernel_sum_v4, kernel_avg_v4, kernel_stdvar_v4, kernel_stddev_v4, kernel_deriv_v4,
    kernel_predict_linear_v4;

#endif
