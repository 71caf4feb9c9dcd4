/* Log queries. Private to this folder. */
#ifndef CAIRN_LOGS_LOGQL_STREAMS_H
#define CAIRN_LOGS_LOGQL_STREAMS_H

#include "logs/logql/eval.h"

/* Fills the streams and the statistics of the result. */
MUST_USE enum err streams_query(struct log_source *s, struct query_ctx *q, const struct logql_request *r,
                                const struct log_expr *log, struct arena *a, struct logql_result *result,
                                struct err_info *info);

#endif
