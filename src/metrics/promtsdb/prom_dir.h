/* A data directory of Prometheus: the blocks that count, and what could not be opened. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_DIR_H
#define CAIRN_METRICS_PROMTSDB_PROM_DIR_H

#include "metrics/promtsdb/prom_block.h"

struct prom_bad_block {
    char name[PROM_ULID_BYTES + 1];
    char why[256];
};

struct prom_dir {
    struct prom_block **blocks; /* by min_ts */
    size_t n;
    struct prom_bad_block *bad; /* damaged, or of a version that is not known: left out */
    size_t bad_count, bad_cap;
};

/* Whether the folder looks like Prometheus' own: a block, head chunks, or a log of its kind. */
bool prom_dir_is(const char *path);
/* Whether a running Prometheus holds the folder: its lock file is locked. */
bool prom_dir_busy(const char *path);
/* Opens the blocks. As Prometheus does, those that a compaction has replaced are left out: parents of another
 * block, and blocks marked as deletable. Damaged blocks are listed. Errors: IO, NOT_FOUND, DENIED, OOM. */
MUST_USE enum err prom_dir_open(const char *path, struct prom_dir *ret_dir, struct err_info *info);
void prom_dir_done(struct prom_dir *d);
/* The files of all block folders, damaged ones too, as names below `path` ("ULID/index",
 * "ULID/chunks/000001"): what a copy needs. Blocks never change, so a copy taken while they are read is one.
 * In the arena. Errors: IO, NOT_FOUND, DENIED, OOM. */
MUST_USE enum err prom_dir_files(const char *path, struct arena *a, const struct str **ret_names,
                                 size_t *ret_n, struct err_info *info);

/* Samples of the log below it are in blocks: the end of the newest block in order; INT64_MIN without one. */
ts_ms prom_dir_head_from(const struct prom_dir *d);

#endif
