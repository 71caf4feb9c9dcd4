/* All that a store holds of the default tenant. */
#ifndef CAIRN_TESTS_TSDB_EVERY_SERIES_H
#define CAIRN_TESTS_TSDB_EVERY_SERIES_H

#include "metrics/tsdb/tsdb.h"

/* Calls fn for each series of each batch, in the cursor's order. False: the store refused, or stopped on the
 * way. */
static inline bool
every_series(struct tsdb *db,
             void (*fn)(void *ctx, const struct metric_batch *b, const struct metric_series *s), void *ctx)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_select sel = {.start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    enum err e = src->ops->select(src, &q, &sel, &c, NULL);
    if (e != ERR_OK) {
        return false;
    }
    while ((e = src->ops->next(c, &b, NULL)) == ERR_OK) {
        for (uint32_t i = 0; i < b.series_count; i++) {
            fn(ctx, &b, &b.series[i]);
        }
    }
    src->ops->close(c);
    return e == ERR_NOT_FOUND;
}

#endif
