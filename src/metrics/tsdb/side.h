/* Exemplars and metadata of a tenant. */
#ifndef CAIRN_METRICS_TSDB_SIDE_H
#define CAIRN_METRICS_TSDB_SIDE_H

#include "metrics/tsdb/tsdb_int.h"

/* Errors: OOM. */
MUST_USE enum err side_store(struct tenant *t, const struct sink_batch *b);
void side_done(struct tenant *t);

#endif
