/* The exemplars of an export, by series. */
#ifndef CAIRN_METRICS_DUMP_DUMP_EXEMPLARS_H
#define CAIRN_METRICS_DUMP_DUMP_EXEMPLARS_H

#include "query/metric_source.h"

struct dump_exemplars {
    struct arena a;
    const struct metric_exemplar_series *rows;
    size_t n, exemplars; /* rows, and of all rows */
    uint32_t *table;     /* hash table of places + 1 */
    size_t table_cap;
};

/* Errors: OOM, those of the source. */
MUST_USE enum err dump_exemplars_load(struct dump_exemplars *x, struct metric_source *src,
                                      struct query_ctx *q, const struct metric_select *sel,
                                      struct err_info *info);
/* Those of the series in the order in which they came, which is that of their times; or NULL. */
const struct metric_exemplar_series *dump_exemplars_of(const struct dump_exemplars *x, struct labels ls);
void dump_exemplars_done(struct dump_exemplars *x);

#endif
