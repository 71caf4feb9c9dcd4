/* The buckets of one side of a histogram as a list that grows. Private to this folder. */
#ifndef CAIRN_METRICS_MODEL_BUCKET_LIST_H
#define CAIRN_METRICS_MODEL_BUCKET_LIST_H

#include <math.h>

#include "metrics/model/histogram_arith.h"

/* Kahan's summation in Neumaier's form. */
static inline void kahan_plus(double v, double *sum, double *lost)
{
    double t = *sum + v;
    bool first = fabs(*sum) >= fabs(v);
    double large = first ? *sum : v, small = first ? v : *sum;
    *lost = isinf(t) ? 0 : *lost + ((large - t) + small); /* without branches: half of them would be missed */
    *sum = t;
}

/* Room for `need` buckets, so that bucket_list_put fits. Errors: those of the arena. */
MUST_USE enum err bucket_list_reserve(struct arena *a, struct bucket_list *l, uint32_t need);
void bucket_list_put(struct bucket_list *l, int64_t index, double count, double lost);
MUST_USE enum err bucket_list_copy(struct arena *a, struct bucket_list *to, const struct bucket_list *from);
/* Reads a side; buckets that fall together in the coarser schema are merged. */
MUST_USE enum err bucket_list_load(struct arena *a, struct bucket_list *l, struct histogram_side side,
                                   unsigned shift, bool compensated);
void bucket_list_reduce(struct bucket_list *l, unsigned shift, bool compensated);
/* Takes empty buckets out. */
void bucket_list_compact(struct bucket_list *l, bool compensated);
/* The list as spans and counts. */
MUST_USE enum err bucket_list_spans(struct arena *a, const struct bucket_list *l,
                                    const struct histogram_span **ret_spans, uint32_t *ret_span_count,
                                    const double **ret_counts);

#endif
