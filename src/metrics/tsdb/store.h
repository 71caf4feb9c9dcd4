/* What is on disk besides the log: blocks and tombstones, as an immutable set that readers hold by reference,
 * and the manifest that says which they are. */
#ifndef CAIRN_METRICS_TSDB_STORE_H
#define CAIRN_METRICS_TSDB_STORE_H

#include "base/thread.h"
#include "labels/matcher.h"
#include "metrics/tsdb/block.h"
#include "metrics/tsdb/limits.h"

/* Samples of the matching series at start_ms <= t <= end_ms are gone. */
struct tombstone {
    atomic_uint refs;
    uint64_t number; /* blocks with a greater one were written without the samples */
    struct arena memory;
    struct str tenant;
    struct matcher *matchers;
    size_t matcher_count;
    ts_ms start_ms, end_ms;
};

struct store_set {
    atomic_uint refs;
    struct block **blocks; /* by min_ts */
    size_t block_count;
    struct tombstone **tombstones;
    size_t tombstone_count;
    ts_ms flushed_before; /* the store's, as of this set */
};

struct store {
    char *dir;
    struct mutex lock; /* guards set */
    struct store_set *set;
    /* What follows belongs to housekeeping (tsdb.maintenance) once the store is open. */
    uint64_t number;      /* of the newest file or tombstone */
    ts_ms flushed_before; /* blocks have what is older and came before flushed_offset */
    uint64_t flushed_offset[PARTITIONS];
    uint64_t series_file; /* number of the file of series definitions; 0 = none */
    uint64_t *missing;    /* numbers of blocks that the manifest names and that were not there */
    size_t missing_count;
    bool stale; /* the manifest on disk names a file that was put aside */
    uint64_t blocks_bad;
};

/* Reads the manifest of DIR and opens its blocks; unfinished files it does not name are removed, whole ones
 * go to DIR/quarantine. What is damaged or missing is left out, counted, told and kept; without a manifest
 * that can be read the list is made anew. Errors: IO, DENIED, OOM, UNSUPPORTED. */
MUST_USE enum err store_open(struct store *s, const char *dir, struct err_info *info);
void store_done(struct store *s);
/* A reference to the present set. */
struct store_set *store_view(struct store *s);
void store_set_unref(struct store_set *set); /* accepts NULL */

/* Makes a new set of the old one without `gone` and with `fresh` (taken over, may be NULL) and writes the
 * manifest with the store's other fields. On error nothing has changed. */
MUST_USE enum err store_change(struct store *s, struct block *const *gone, size_t gone_count,
                               struct block *fresh, struct tombstone *const *kept, size_t kept_count,
                               struct err_info *info);
/* DIR/blocks/NUMBER.block into path. */
void store_block_path(const struct store *s, uint64_t number, char *path, size_t path_size);
void store_series_path(const struct store *s, uint64_t number, char *path, size_t path_size);
uint64_t store_block_number(const struct block *b);

MUST_USE enum err tombstone_new(struct str tenant, const struct matcher *m, size_t n, ts_ms start, ts_ms end,
                                uint64_t number, struct tombstone **ret_t, struct err_info *info);
struct tombstone *tombstone_ref(struct tombstone *t);
void tombstone_unref(struct tombstone *t); /* accepts NULL */

#endif
