/* Where replay may begin: sealed chunks are on the disk as they are (chunk_pool.h), so the log is needed from
 * the oldest open tail on only.
 *
 * DIR/chunks/CHECKPOINT says, for a moment, which files of chunks hold how much, where each partition's log
 * goes on behind them, and what a head needs beside: clocks, the order of series, definitions (a file of
 * their own, NUMBER.series), exemplars and metadata. It is made every few minutes, after each flush, and at
 * the end, when all tails are sealed first: the next start then reads no log at all.
 *
 * Nothing depends on it. The log is trimmed by flushes alone; a checkpoint that is damaged, or is not of the
 * store as its manifest says it is, is passed over, and the log is replayed whole.
 *
 * What makes it right: a tail has the generation in which it began, and a generation the offset from which on
 * its samples are in the log. The oldest open tail or late sample of a partition thus says where its log
 * begins; what of that the chunks have too is left out by its time. Chunks are given their names (chunk_name)
 * before it is noted how much of the files is taken, so the files have every chunk whose samples are below
 * those offsets; one without a name is passed over, its samples are above. Chunks that left their series are
 * marked in the file, and the checkpoint after a flush is the first that fits the new manifest. */
#ifndef CAIRN_METRICS_TSDB_CHECKPOINT_H
#define CAIRN_METRICS_TSDB_CHECKPOINT_H

#include "metrics/tsdb/tsdb_int.h"

/* Makes one when it is time to. Errors: IO, NO_SPACE, OOM; the one before stays. */
MUST_USE enum err checkpoint_due(struct tsdb *db, struct err_info *info);
/* Makes one, with all tails sealed before when the store is being closed. Errors: as above. */
MUST_USE enum err checkpoint_make(struct tsdb *db, bool seal_all, struct err_info *info);
void checkpoint_done(struct checkpoint *c);

/* Before there are tenants: reads the one on disk, and makes its tenants, so that they have the numbers they
 * had. The store's manifest has been read. Errors: OOM. */
MUST_USE enum err checkpoint_open(struct tsdb *db, struct err_info *info);
/* Puts it into the heads, which are empty; checkpoint.found turns false when it is passed over. Errors: OOM.
 */
MUST_USE enum err checkpoint_restore(struct tsdb *db, struct err_info *info);
/* New records of the log are behind what the checkpoint covers, whatever is left of the log. */
uint64_t checkpoint_log_from(const struct checkpoint *c);
/* The first record that replay needs; 0 when there is no checkpoint. */
uint64_t checkpoint_log_least(const struct checkpoint *c);

#define CHECKPOINT_MAGIC "CAIRNCP1"

enum {
    CHECKPOINT_MAGIC_BYTES = 8,
    CHECKPOINT_BYTES_MAX = 1 << 30
};

void checkpoint_path(const struct tsdb *db, char *path, size_t path_size);
void checkpoint_series_path(const struct tsdb *db, uint64_t number, char *path, size_t path_size);

#endif
