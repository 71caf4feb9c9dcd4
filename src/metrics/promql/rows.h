/* Rows as they are made: a selection hands each series' columns to a consumer instead of keeping them all.
 * Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_ROWS_H
#define CAIRN_METRICS_PROMQL_ROWS_H

#include "metrics/promql/eval.h"

/* Takes the columns of one series over the grid, valid during the call. `order` is its metric_series.id. */
typedef enum err row_fn(void *ctx, struct labels stored, uint64_t order, const double *v, const uint8_t *has);

/* Selects floats only. UNSUPPORTED-like answer: *ret_other is set and nothing is certain when a series has
 * histograms; the caller evaluates the plain way then. */
struct row_sink {
    row_fn *fn;
    void *ctx;
    bool *ret_other;
};

MUST_USE enum err selector_rows(struct eval *e, const struct node *n, const struct row_sink *sink);
/* range: N_MATRIX. */
MUST_USE enum err range_rows(struct eval *e, const struct range_use *use, const struct node *range,
                             const struct row_sink *sink);

/* stream.c: an aggregation whose operand is read row by row. */
bool stream_applies(const struct eval *e, const struct node *n);
/* *ret_done false: the plain way is needed after all. `names`: sorted labels of by or without. */
MUST_USE enum err stream_aggregate(struct eval *e, const struct node *n, struct str *names, size_t name_count,
                                   struct value *ret_value, bool *ret_done);

#endif
