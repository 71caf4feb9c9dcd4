/* The parts of the metric source. */
#ifndef CAIRN_METRICS_TSDB_SOURCE_INT_H
#define CAIRN_METRICS_TSDB_SOURCE_INT_H

#include "query/metric_source.h"

MUST_USE enum err cursor_select(struct metric_source *src, struct query_ctx *q,
                                const struct metric_select *sel, struct metric_cursor **ret_cursor,
                                struct err_info *reterr_info);
MUST_USE enum err cursor_next(struct metric_cursor *c, struct metric_batch *ret_batch,
                              struct err_info *reterr_info);
struct str_list cursor_warnings(struct metric_cursor *c);
void cursor_close(struct metric_cursor *c);

MUST_USE enum err source_label_names(struct metric_source *s, struct query_ctx *q,
                                     const struct metric_select *sel, size_t limit, struct arena *a,
                                     struct str_list *ret_names, struct err_info *reterr_info);
MUST_USE enum err source_label_values(struct metric_source *s, struct query_ctx *q, struct str name,
                                      const struct metric_select *sel, size_t limit, struct arena *a,
                                      struct str_list *ret_values, struct err_info *reterr_info);
MUST_USE enum err source_exemplars(struct metric_source *s, struct query_ctx *q,
                                   const struct metric_select *sel, struct arena *a,
                                   const struct metric_exemplar_series **ret_series, size_t *ret_n,
                                   struct err_info *reterr_info);
MUST_USE enum err source_metadata(struct metric_source *s, struct query_ctx *q, struct str metric,
                                  size_t limit, struct arena *a, const struct metric_metadata **ret_rows,
                                  size_t *ret_n, struct err_info *reterr_info);
#endif
