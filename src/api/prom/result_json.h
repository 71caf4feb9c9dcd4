/* Query results in the shape of the Prometheus API. */
#ifndef CAIRN_API_PROM_RESULT_JSON_H
#define CAIRN_API_PROM_RESULT_JSON_H

#include "codec/json.h"
#include "metrics/promql/engine.h"

/* Writes "resultType" and "result" into the open object. series_max 0 = all. */
void json_promql_result(struct json_writer *w, const struct promql_result *r, size_t series_max);

#endif
