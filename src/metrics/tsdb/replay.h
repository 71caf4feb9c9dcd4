/* The log into the heads, at open. */
#ifndef CAIRN_METRICS_TSDB_REPLAY_H
#define CAIRN_METRICS_TSDB_REPLAY_H

#include "metrics/tsdb/tsdb_int.h"

/* Errors: OOM, IO, LIMIT. Records that make no sense are counted and left out. */
MUST_USE enum err tsdb_replay(struct tsdb *db, struct err_info *reterr_info);

/* What blocks alone know of series that are in the heads (replay_newest.c). Errors: OOM, those of blocks. */
MUST_USE enum err replay_newest(struct tsdb *db, struct err_info *info);

/* Applies one record. Errors: OOM, CORRUPT, LIMIT. */
MUST_USE enum err replay_record(struct tsdb *db, unsigned partition, uint64_t offset, struct str record);

#endif
