/* The parts of the source: cursors, names, tails. */
#ifndef CAIRN_LOGS_STORE_SOURCE_INT_H
#define CAIRN_LOGS_STORE_SOURCE_INT_H

#include "logs/store/log_store.h"

/* cursor.c */
MUST_USE enum err cursor_new(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                             struct log_cursor **ret_cursor, struct err_info *reterr_info);
MUST_USE enum err log_cursor_next(struct log_cursor *c, struct log_batch *ret_batch,
                                  struct err_info *reterr_info);
void log_cursor_close(struct log_cursor *c);

/* names.c */
MUST_USE enum err log_source_label_names(struct log_store *s, struct query_ctx *q,
                                         const struct log_select *sel, struct arena *a,
                                         struct str_list *ret_names, struct err_info *reterr_info);
MUST_USE enum err log_source_label_values(struct log_store *s, struct query_ctx *q, struct str name,
                                          const struct log_select *sel, struct arena *a,
                                          struct str_list *ret_values, struct err_info *reterr_info);
MUST_USE enum err source_streams(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                                 struct arena *a, const struct log_stream_view **ret_streams, size_t *ret_n,
                                 struct err_info *reterr_info);

/* Calls fn for each stream of the tenant that the selection touches; one stream may come several times. */
typedef enum err stream_fn(void *ctx, struct labels labels, uint64_t hash, uint64_t entries, uint64_t bytes);
MUST_USE enum err source_each_stream(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                                     stream_fn *fn, void *ctx, struct err_info *reterr_info);

#endif
