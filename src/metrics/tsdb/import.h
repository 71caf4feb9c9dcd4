/* Bringing the data of a Prometheus in: a block of its becomes a block of ours, its head (log and head
 * chunks) another one.
 *
 * What has been brought in is noted in DIR/imports, so that doing it twice changes nothing; a crash in
 * between leaves either all of a block or nothing. Memory: one batch of samples, besides 16 bytes a series of
 * the block. One import at a time; it holds tsdb.maintenance, so nothing is flushed meanwhile. */
#ifndef CAIRN_METRICS_TSDB_IMPORT_H
#define CAIRN_METRICS_TSDB_IMPORT_H

#include "metrics/tsdb/tsdb.h"

struct prom_block;

struct tsdb_import {
    struct str tenant;
    uint64_t memory_bytes; /* of a head; 0 = a quarter of the store's promise, 64 MiB at least */
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* series; may be NULL */
    void *ctx;
};

struct tsdb_imported {
    bool already;                    /* it had been brought in before: nothing was done */
    uint64_t series, samples;        /* that were stored */
    uint64_t samples_deleted;        /* by tombstones */
    uint64_t samples_expected;       /* as the block itself counts them; 0 = it does not say */
    uint64_t chunks_bad, series_bad; /* damaged: left out */
    uint64_t exemplars, metadata;    /* of the head */
    uint64_t records_bad;            /* of the log: left out */
    uint64_t bytes;                  /* of the new block */
    ts_ms min_ts, max_ts;            /* of what was stored */
    char damage[256];                /* the first damaged thing; empty: none */
};

/* Errors: IO, NO_SPACE, OOM, CANCELED. Damage is no error: what can be read is brought in, the rest counted.
 */
MUST_USE enum err tsdb_import_block(struct tsdb *db, const struct tsdb_import *o, struct prom_block *b,
                                    struct tsdb_imported *ret_done, struct err_info *reterr_info);
/* The head of the Prometheus whose folder it is: of its log what is not older than `from` (which is in
 * blocks), its log of late samples, its mapped chunks where the log has lost something; exemplars and
 * metadata. Memory: o->memory_bytes, or what one of the 64 partitions takes. A log that has grown since is
 * brought in again; samples that are there twice count once. Errors: as above. */
MUST_USE enum err tsdb_import_head(struct tsdb *db, const struct tsdb_import *o, const char *dir, ts_ms from,
                                   struct tsdb_imported *ret_done, struct err_info *reterr_info);
/* Where the head of the Prometheus begins whose blocks are read in place. */
ts_ms tsdb_prom_head_from(const struct tsdb *db);

#endif
