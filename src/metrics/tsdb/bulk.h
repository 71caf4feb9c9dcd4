/* Loading the past: samples of any age go from memory straight to blocks, around the log and the heads.
 *
 * A load collects samples of one tenant until its memory is full; then they are written as blocks, one for
 * each aligned span of time. What the store has already is left out, and of two samples of one time the one
 * that was there first stays, so a load may be repeated. What was written is durable and visible at once;
 * what a crash cuts off was not. One thread; the store may be in use meanwhile. */
#ifndef CAIRN_METRICS_TSDB_BULK_H
#define CAIRN_METRICS_TSDB_BULK_H

#include "metrics/model/histogram.h"
#include "metrics/tsdb/tsdb.h"

struct tsdb_bulk;

struct tsdb_bulk_sample {
    ts_ms ts, start_ts; /* start_ts 0 = unknown */
    double value;       /* when histogram == NULL */
    const struct histogram *histogram;
};

struct tsdb_bulk_stats {
    uint64_t samples;   /* written */
    uint64_t known;     /* were in the store, or came twice */
    uint64_t conflicts; /* of a time that has another value, which stayed */
    uint64_t blocks;    /* written, before they were merged */
    ts_ms min_ts, max_ts;
};

/* memory_bytes 0 = a quarter of the store's promise. Errors: OOM, LIMIT (tenants), INVALID (tenant). */
MUST_USE enum err tsdb_bulk_new(struct tsdb *db, struct str tenant, uint64_t memory_bytes,
                                struct tsdb_bulk **ret_b, struct err_info *reterr_info);
/* Forgets what is not written. Accepts NULL. */
void tsdb_bulk_free(struct tsdb_bulk *b);

/* The number of a series until the next tsdb_bulk_write. Errors: INVALID (labels), OOM. */
MUST_USE enum err tsdb_bulk_series(struct tsdb_bulk *b, struct labels ls, uint32_t *ret_series,
                                   struct err_info *reterr_info);
/* Adds samples in any order. Errors: INVALID (a histogram, or a time more than a day from now), OOM. */
MUST_USE enum err tsdb_bulk_add(struct tsdb_bulk *b, uint32_t series, const struct tsdb_bulk_sample *samples,
                                size_t n, struct err_info *reterr_info);
/* Time to call tsdb_bulk_write. */
bool tsdb_bulk_full(const struct tsdb_bulk *b);
/* Writes what was added as blocks and forgets all series. After an error the load can only be freed; blocks
 * that were written stay. Errors: NO_SPACE, IO, OOM. */
MUST_USE enum err tsdb_bulk_write(struct tsdb_bulk *b, struct err_info *reterr_info);
/* Writes the rest, and merges blocks of the load that lie in one span of time. */
MUST_USE enum err tsdb_bulk_finish(struct tsdb_bulk *b, struct tsdb_bulk_stats *ret_stats,
                                   struct err_info *reterr_info);

#endif
