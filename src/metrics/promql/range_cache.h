/* Results of range queries, kept for the next refresh of the same dashboard. Exact: a step is kept only when
 * the source says that its samples are immutable and the expression looks at nothing later, and everything
 * kept of a generation goes when the source begins another (late samples, deletes). Results with annotations
 * or histograms are not kept.
 *
 * Bounded in bytes; the least recently used go first. Any thread. */
#ifndef CAIRN_METRICS_PROMQL_RANGE_CACHE_H
#define CAIRN_METRICS_PROMQL_RANGE_CACHE_H

#include "metrics/promql/engine.h"

struct range_cache;

MUST_USE enum err range_cache_new(size_t bytes_max, struct range_cache **ret_cache);
void range_cache_free(struct range_cache *c); /* accepts NULL */
/* Forgets everything. */
void range_cache_clear(struct range_cache *c);

/* As promql_range; steps that are kept are not computed again. samples_total counts what was read now. */
MUST_USE enum err range_cache_query(struct range_cache *c, const struct promql_options *o,
                                    struct metric_source *s, struct query_ctx *q, struct str expr,
                                    ts_ms start_ms, ts_ms end_ms, int64_t step_ms, struct arena *a,
                                    struct promql_result *ret_result, struct err_info *reterr_info);

struct range_cache_stats {
    uint64_t hits, partial_hits, misses, entries, bytes; /* a hit needed no evaluation at all */
};

void range_cache_stats(struct range_cache *c, struct range_cache_stats *ret_stats);

#endif
