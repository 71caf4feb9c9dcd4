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
    double *v;    /* steps values; undefined where !has */
    uint8_t *has; /* steps flags */
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

/* The samples a range function sees at one step: (from, to]. */
struct window {
    const ts_ms *ts;
    const double *v;
    size_t n;
    ts_ms from, to;
    double args[2]; /* the call's scalar arguments at this step */
};

/* False: no result at this step. */
typedef bool range_fn(const struct window *w, double *ret_v);
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
/* range: N_MATRIX or N_SUBQUERY. args: scalar values per step (NULL = none). */
MUST_USE enum err eval_range(struct eval *e, const struct node *range, range_fn *fn, double *const args[2],
                             bool keep_name, struct value *ret_value);

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
/* Series with equal labels become one; EXECUTION when they overlap at a step. */
MUST_USE enum err value_merge(struct eval *e, struct value *v);
MUST_USE enum err note(struct eval *e, bool warning, const struct node *at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
enum err eval_no_memory(struct eval *e);
/* Counts samples against the query's limit and looks at its deadline. */
MUST_USE enum err eval_charge(struct eval *e, uint64_t samples);

#endif
