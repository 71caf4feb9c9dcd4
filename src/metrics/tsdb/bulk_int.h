/* The parts of a bulk load. Private to this folder. */
#ifndef CAIRN_METRICS_TSDB_BULK_INT_H
#define CAIRN_METRICS_TSDB_BULK_INT_H

#include "metrics/tsdb/bulk.h"
#include "metrics/tsdb/tsdb_int.h"

struct bulk_series {
    struct labels labels; /* in the load's arena */
    uint64_t hash;
    ts_ms *ts; /* all columns on the heap, of `cap` */
    double *values;
    const struct histogram **histograms; /* these two NULL until needed; histograms in the arena */
    ts_ms *starts;
    size_t n, cap;
    bool sorted; /* and unique */
    unsigned partition;
    /* While blocks are written: the samples of the span at hand. */
    size_t from, count, next;
    uint64_t clock; /* hash of their times */
};

struct tsdb_bulk {
    struct tsdb *db;
    struct tenant *tenant;
    struct arena memory;   /* label sets and histograms */
    struct index *strings; /* used for its interning only */
    struct bulk_series *series;
    size_t series_count, series_cap;
    uint32_t *table; /* hash table of series + 1 */
    size_t table_cap;
    size_t column_bytes; /* of all series */
    uint64_t memory_bytes;
    ts_ms future;
    uint64_t first_block; /* blocks of the load have greater numbers */
    int64_t span_ms;      /* longest of its blocks */
    struct tsdb_bulk_stats stats;
};

/* The series with these labels, or UINT32_MAX. */
uint32_t bulk_find(const struct tsdb_bulk *b, struct labels ls, uint64_t hash);
/* Everything that waits goes to blocks; under the maintenance lock. */
MUST_USE enum err bulk_blocks_write(struct tsdb_bulk *b, struct err_info *info);
/* Blocks of the load become fewer; under the maintenance lock. */
MUST_USE enum err bulk_blocks_merge(struct tsdb_bulk *b, struct err_info *info);

#endif
