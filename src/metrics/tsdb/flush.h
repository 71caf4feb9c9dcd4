/* Heads to blocks, blocks to larger blocks. All under tsdb.maintenance. */
#ifndef CAIRN_METRICS_TSDB_FLUSH_H
#define CAIRN_METRICS_TSDB_FLUSH_H

#include "metrics/tsdb/tsdb_int.h"

/* Moves what is older than `before` to a block, and trims the log. Nothing is lost on any error or crash.
 * Errors: OOM, IO, NO_SPACE. */
MUST_USE enum err tsdb_flush(struct tsdb *db, ts_ms before, struct err_info *info);
/* Replaces the blocks by one with the same samples, without those that are deleted. */
MUST_USE enum err tsdb_merge(struct tsdb *db, struct block *const *blocks, size_t n, struct err_info *info);
/* Closes the file of block `number` and opens it as a block; NULL when it has no samples. */
MUST_USE enum err flush_block_finish(struct tsdb *db, struct block_writer *w, uint64_t number,
                                     struct block **ret_b, struct err_info *info);
/* Series definitions of all heads into their file; the log may then be trimmed. */
MUST_USE enum err series_file_save(struct tsdb *db, uint64_t number, struct err_info *info);
enum series_file_for {
    SERIES_FILE_MANIFEST, /* all series, exemplars and metadata */
    SERIES_FILE_ALL,      /* for a checkpoint: all series, which are kept (SERIES_KEPT) from now on */
    SERIES_FILE_FRESH     /* the same of those that were not */
};

/* The same into a new file, without a copy. On an error the file may be there. Errors: IO, NO_SPACE, OOM. */
MUST_USE enum err series_file_write(struct tsdb *db, const char *path, enum series_file_for purpose,
                                    struct err_info *info);
/* Defines the series of the file. *ret_bad counts what is damaged; with only_whole nothing is then done, and
 * with db NULL never. Errors: OOM; IO, NOT_FOUND (with *ret_bad 1). */
MUST_USE enum err series_file_read(struct tsdb *db, const char *path, bool only_whole, unsigned *ret_bad,
                                   struct err_info *info);
void series_file_remove(const struct tsdb *db, uint64_t number);
/* Damage is told and counted. Errors: OOM. */
MUST_USE enum err series_file_load(struct tsdb *db, uint64_t number, struct err_info *info);
/* Remembers where the log is and how new its samples are. */
void tsdb_mark(struct tsdb *db);
void tsdb_mark_at(struct tsdb *db, uint64_t offset);

enum {
    MARKS_MAX = 4096
};

#endif
