/* Metric queries: every node becomes a matrix, series by steps. Private to this folder. */
#ifndef CAIRN_LOGS_LOGQL_EVAL_H
#define CAIRN_LOGS_LOGQL_EVAL_H

#include "logs/logql/engine.h"
#include "logs/logql/pipeline.h"

struct eval {
    struct log_source *source;
    struct query_ctx *q;
    struct arena *a;
    struct err_info *info;
    struct logql_stats *stats;
    int64_t start_ns, step_ns; /* step k is at start_ns + k * step_ns */
    size_t steps;
    bool instant;
};

/* One value a step; a step without a sample holds the bits of SAMPLE_ABSENT, which no arithmetic makes. */
struct eval_series {
    struct labels labels; /* sorted by name; values may be empty */
    double *values;
};

struct matrix {
    struct eval_series *items;
    size_t n, cap;
};

#define SAMPLE_ABSENT_BITS UINT64_C(0x7ff4000000000abe)

static inline bool sample_absent(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == SAMPLE_ABSENT_BITS;
}

static inline double sample_none(void)
{
    double v;
    uint64_t bits = SAMPLE_ABSENT_BITS;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Adds a series without samples. NULL: out of memory. `labels` is borrowed. */
struct eval_series *matrix_add(struct eval *ev, struct matrix *m, struct labels labels);
/* True when some step has a sample. */
bool series_present(const struct eval *ev, const struct eval_series *s);
MUST_USE enum err logql_eval_no_memory(struct eval *ev);

/* Finds series by labels. */
struct label_index {
    uint32_t *slots; /* 0 = free, else index + 1 */
    size_t cap;      /* a power of two */
};

/* *ret_at: index of the set among the `n` of `m`; false: it is not there and *ret_at is free for
 * label_index_put. */
bool label_index_find(const struct label_index *x, const struct matrix *m, struct labels ls, size_t *ret_slot,
                      size_t *ret_at);
/* Makes room for one more. Errors: OOM, LIMIT. */
MUST_USE enum err label_index_reserve(struct eval *ev, struct label_index *x, const struct matrix *m);
/* The series of these labels, added (with copied labels) when new. NULL: out of memory. */
struct eval_series *matrix_series(struct eval *ev, struct label_index *x, struct matrix *m, struct labels ls);

/* Without the labels that are empty. */
MUST_USE enum err labels_filled(struct eval *ev, struct labels ls, struct labels *ret_labels);
/* Compiles every pipeline below x, for the errors alone: they come before those of the data. */
MUST_USE enum err logql_eval_compiles(struct eval *ev, const struct expr *x);
/* The tree that Loki's front end makes of x (rewrite.c); shares what it does not change. Errors: OOM. */
MUST_USE enum err logql_rewrite(struct arena *a, const struct expr *x, const struct expr **ret_expr);
MUST_USE enum err eval_expr(struct eval *ev, const struct expr *x, struct matrix *ret_matrix);
/* `outer`: the grouping of a sum around it, applied while samples are made; NULL: none. */
MUST_USE enum err logql_eval_range(struct eval *ev, const struct expr *x, const struct grouping *outer,
                                   bool has_outer, struct matrix *ret_matrix);
MUST_USE enum err eval_vector_agg(struct eval *ev, const struct expr *x, struct matrix *ret_matrix);
MUST_USE enum err logql_eval_binary(struct eval *ev, const struct expr *x, struct matrix *ret_matrix);

/* The sample of a window, from its values in time order. */
struct window_sample {
    ts_ns ts;
    double v;
};
double range_value(enum range_op op, double param, const struct window_sample *s, size_t n, int64_t range_ns,
                   ts_ns end_ns);
double seconds_of(int64_t ns);

/* A cursor over what a log expression selects, feeding lines. */
struct selection {
    struct log_select select;
    struct log_line_filter *filters;
};
MUST_USE enum err selection_init(struct selection *s, struct arena *a, const struct log_expr *log,
                                 const struct pipeline *p);
/* Whether the source, once it filters, hands out exactly what the pipeline lets through. */
bool selection_is_exact(const struct selection *s, const struct pipeline *p);

#endif
