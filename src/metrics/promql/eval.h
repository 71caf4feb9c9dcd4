/* Evaluation: every subexpression over the whole grid of steps at once. Private to this folder.
 *
 * A vector is a list of series, each with one column of values and one of presence over the steps. Everything
 * lives in the query's arena. */
#ifndef CAIRN_METRICS_PROMQL_EVAL_H
#define CAIRN_METRICS_PROMQL_EVAL_H

#include "metrics/promql/ast.h"
#include "metrics/promql/engine.h"

struct series {
    struct labels labels;
    double *v;                  /* steps values; undefined where !has and where h[i] != NULL */
    uint8_t *has;               /* steps flags */
    const struct histogram **h; /* NULL: floats only; else steps pointers, NULL where the point is a float */
};

/* One sample: a float unless h is set. */
struct point {
    double v;
    const struct histogram *h;
};

struct value {
    enum value_type type;
    size_t n, cap;
    struct series *s;
    double *scalar; /* steps values */
    struct str string;
    bool ordered; /* an instant result whose order is part of the answer (sort, topk) */
};

struct eval {
    const struct promql_options *options;
    struct metric_source *source;
    struct query_ctx *q;
    struct arena *a;
    struct err_info *info;
    struct str text;
    ts_ms start; /* of the grid */
    int64_t step;
    size_t steps;
    ts_ms query_start, query_end; /* of the whole query, for @ start() and end() */
    bool instant;                 /* the whole query is */
    struct annotations *notes;
};

struct annotations {
    struct str *warnings, *infos;
    size_t warning_count, warning_cap, info_count, info_cap;
    uint64_t samples; /* read so far */
};

/* The samples a range function sees at one step: (from, to]. Floats and histograms stand apart, each in time
 * order. Functions whose row does not say `histograms` see only windows with at least one float. */
struct window {
    const ts_ms *ts;
    const double *v;
    size_t n;
    const ts_ms *histogram_ts;
    const struct histogram *const *histograms;
    size_t histogram_count;
    const ts_ms *start_ts, *histogram_start_ts; /* NULL: not stored; 0 = unknown */
    ts_ms from, to;
    double args[2]; /* the call's scalar arguments at this step */
    struct eval *e;
    const struct node *call; /* NULL when no function was written */
    struct labels labels;    /* of the series, with its name: for annotations */
};

/* False: no result at this step. ret_p->h is NULL on entry. */
typedef bool range_fn(const struct window *w, struct point *ret_p);
typedef enum err call_fn(struct eval *e, const struct node *call, struct value *ret_value);
typedef double math_fn(double v);

static inline ts_ms step_time(const struct eval *e, size_t i)
{
    return e->start + (ts_ms)i * e->step;
}

MUST_USE enum err eval_node(struct eval *e, const struct node *n, struct value *ret_value);
/* Looks through parentheses. */
const struct node *unparen(const struct node *n);

/* select.c */
MUST_USE enum err eval_selector(struct eval *e, const struct node *n, bool want_time,
                                struct value *ret_value);
/* What is done with the windows of a range vector. */
struct range_use {
    range_fn *fn;
    double *args[2];         /* scalar values per step (NULL = none) */
    const struct node *call; /* may be NULL */
    bool keep_name;
    bool histograms; /* fn takes histograms too */
};
/* range: N_MATRIX or N_SUBQUERY. */
MUST_USE enum err eval_range(struct eval *e, const struct node *range, const struct range_use *use,
                             struct value *ret_value);

/* The usable stored samples of a range vector at the (single) step, as rows of a result. */
struct raw_rows {
    struct promql_series *rows;
    size_t n, cap;
};
MUST_USE enum err eval_raw_range(struct eval *e, const struct node *range, struct raw_rows *ret_rows);

/* binary.c, aggregate.c */
MUST_USE enum err eval_binary(struct eval *e, const struct node *n, struct value *ret_value);
MUST_USE enum err eval_aggregate(struct eval *e, const struct node *n, struct value *ret_value);

/* helpers */
MUST_USE enum err value_add(struct eval *e, struct value *v, struct labels labels,
                            struct series **ret_series);
MUST_USE enum err scalar_new(struct eval *e, struct value *v);
MUST_USE enum err drop_name(struct eval *e, struct labels ls, struct labels *ret_labels);
/* A copy in the query's arena; NULL when out of memory. */
const struct histogram *eval_keep_histogram(struct eval *e, const struct histogram *h);
/* Puts the point at step i; the histogram must outlive the query's arena. */
MUST_USE enum err series_put(struct eval *e, struct series *s, size_t i, struct point p);
/* For operators that take floats only: histogram points disappear. */
void value_drop_histograms(struct eval *e, struct value *v);
/* Series with equal labels become one; EXECUTION when they overlap at a step. */
MUST_USE enum err value_merge(struct eval *e, struct value *v);
MUST_USE enum err note(struct eval *e, bool warning, const struct node *at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
enum err eval_no_memory(struct eval *e);
/* Counts samples against the query's limit and looks at its deadline. */
MUST_USE enum err eval_charge(struct eval *e, uint64_t samples);

#endif
