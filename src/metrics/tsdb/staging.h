/* Batches that come while the log is replayed.
 *
 * The heads are not known yet, so nothing can be said of order or duplicates, and no slot can be given: a
 * batch is checked for what needs no head, logged whole, acknowledged and queued. When replay is over the
 * queue is appended as if it came then, and the sink goes on as ever. After a crash in between, the whole
 * records of the log are appended after replay; that may happen twice, as with all records. */
#ifndef CAIRN_METRICS_TSDB_STAGING_H
#define CAIRN_METRICS_TSDB_STAGING_H

#include "metrics/tsdb/tsdb_int.h"

/* Takes the batch; *ret_taken false: replay is over, append it now. Errors: CONFLICT (series without labels),
 * UNAVAILABLE (the queue is full, or replay failed), those of the log, OOM. Any thread. */
MUST_USE enum err staging_append(struct tsdb *db, struct sink_batch *batch, bool *ret_taken,
                                 struct sink_result *ret_result, struct err_info *reterr_info);
/* A record 3 or 4 of the log. Errors: CORRUPT, OOM, LIMIT. The replaying thread. */
MUST_USE enum err staging_replay(struct tsdb *db, uint64_t offset, struct str record);
/* Replay is over: appends what was found in the log and what is queued, and ends staging. Errors: OOM, those
 * of the log. The replaying thread. */
MUST_USE enum err staging_end(struct tsdb *db, struct err_info *info);
/* Replay failed: batches are refused with the reason. */
void staging_fail(struct tsdb *db, const struct err_info *why);
/* OK, or UNAVAILABLE while replay goes on. Any thread. */
MUST_USE enum err staging_query_check(struct tsdb *db, struct err_info *info);
/* The queue takes a sixteenth of the memory the store may use, at most STAGED_BYTES_MAX. */
void staging_init(struct staging *s, uint64_t memory_bytes);
/* Of memory. Any thread. */
size_t staging_bytes(struct staging *s);
void staging_done(struct staging *s);

#endif
