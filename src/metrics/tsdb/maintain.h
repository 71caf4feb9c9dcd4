/* The housekeeping thread. */
#ifndef CAIRN_METRICS_TSDB_MAINTAIN_H
#define CAIRN_METRICS_TSDB_MAINTAIN_H

#include "metrics/tsdb/tsdb_int.h"

MUST_USE enum err maintain_start(struct tsdb *db, struct err_info *info);
void maintain_stop(struct tsdb *db); /* also when it never started */

/* Rests as long as the work took that began at `since_ns` (real clock), so that merging takes half a core at
 * most; less when the store closes, nothing with a fake clock. */
void maintain_rest(struct tsdb *db, int64_t since_ns);

/* Drops blocks and deletions that are due. Under tsdb.maintenance, as all that follows. */
MUST_USE enum err tsdb_retain(struct tsdb *db, struct err_info *info);
/* Puts samples that are further ahead of the clock than any is accepted out of the way, once it is right
 * again. */
MUST_USE enum err tsdb_ahead(struct tsdb *db, struct err_info *info);

#endif
