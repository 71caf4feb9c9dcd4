/* Private to this folder: which expressions the range cache may keep. */
#ifndef CAIRN_METRICS_PROMQL_PAST_ONLY_H
#define CAIRN_METRICS_PROMQL_PAST_ONLY_H

#include "metrics/promql/ast.h"
#include "metrics/promql/engine.h"

/* False too for what does not parse. */
bool promql_past_only(const struct promql_options *o, struct str expr, struct arena *a);

#endif
