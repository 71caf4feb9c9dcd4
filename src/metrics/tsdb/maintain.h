/* The housekeeping thread. */
#ifndef CAIRN_METRICS_TSDB_MAINTAIN_H
#define CAIRN_METRICS_TSDB_MAINTAIN_H

#include "metrics/tsdb/tsdb_int.h"

MUST_USE enum err maintain_start(struct tsdb *db, struct err_info *info);
void maintain_stop(struct tsdb *db); /* also when it never started */

#endif
