/* Exemplars and metadata of a tenant. */
#ifndef CAIRN_METRICS_TSDB_SIDE_H
#define CAIRN_METRICS_TSDB_SIDE_H

#include "metrics/tsdb/tsdb_int.h"

/* Keeps and logs what is new. Errors: OOM, those of the log. */
MUST_USE enum err side_store(struct tsdb *db, struct tenant *t, const struct sink_batch *b,
                             struct err_info *info);
/* Errors: CORRUPT, OOM. */
MUST_USE enum err side_replay(struct tsdb *db, struct str record);
/* Everything as one record; false when there is nothing. */
bool side_save(struct tenant *t, struct buf *b);
void side_done(struct tenant *t);

/* exemplars.c, under the side lock. *ret_new: it was neither known nor older than the series' newest. */
MUST_USE enum err exemplar_store(struct tenant *t, const struct sink_exemplar *x, struct labels series,
                                 bool *ret_new);
void exemplars_done(struct tenant *t);

#endif
