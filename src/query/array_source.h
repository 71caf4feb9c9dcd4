/* A metric source over arrays in memory: for tests, benchmarks and results that are queried again. */
#ifndef CAIRN_QUERY_ARRAY_SOURCE_H
#define CAIRN_QUERY_ARRAY_SOURCE_H

#include "query/metric_source.h"

struct array_series {
    struct labels labels;
    const ts_ms *ts; /* strictly increasing; series that share the pointer and n share a batch */
    const double *values;
    const struct histogram *const *histograms; /* NULL: floats only */
    const ts_ms *start_ts;                     /* NULL: none */
    size_t n;
};

/* Lives as long as the arrays. Any number of threads may read it. */
struct array_source {
    struct metric_source source; /* first: the interface */
    const struct array_series *series;
    size_t count;
};

void array_source_init(struct array_source *s, const struct array_series *series, size_t count);

#endif
