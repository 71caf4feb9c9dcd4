/* How a cursor sees one partition: columns of timestamps, and for every picked series its runs of samples.
 *
 * Head and blocks fill it in (pick_*.c), the merge hands batches out (cursor.c). Everything lives in the
 * partition's arena; chunks of the head are held by reference. */
#ifndef CAIRN_METRICS_TSDB_CURSOR_INT_H
#define CAIRN_METRICS_TSDB_CURSOR_INT_H

#include "metrics/tsdb/tsdb_int.h"

#define COLUMN_NONE UINT32_MAX

/* Timestamps that several runs share: ts[i] is tick first + i. */
struct column {
    const ts_ms *ts;
    uint32_t first, n;
};

struct run {
    const uint8_t *times, *values;
    uint32_t times_bytes, value_bytes;
    uint32_t column, first_tick; /* column == COLUMN_NONE: own times */
    uint32_t count;
    uint8_t mode;
    ts_ms min_ts, max_ts;
};

struct picked {
    struct labels labels;
    uint64_t hash;
    struct run *runs; /* by min_ts once complete; they may overlap */
    size_t run_count, run_cap;
    struct late_sample *late;
    size_t late_count;
    size_t sample_count; /* of all runs */
    uint64_t signature;  /* of the sequence of columns; 0 = a clock of its own */
};

struct metric_cursor {
    struct tsdb *db;
    struct query_ctx *q;
    struct tenant *tenant;
    struct metric_select sel;
    struct arena all;                  /* labels, matchers, warnings: as long as the cursor */
    struct arena part;                 /* what was picked from the partition */
    struct arena out;                  /* the batch */
    struct index *indexes[PARTITIONS]; /* the texts of the labels */
    unsigned partition;                /* the next to be picked */
    struct column *columns;
    size_t column_count, column_cap;
    struct picked *picked;
    size_t picked_count, picked_cap, picked_next;
    struct chunk **held; /* in mem_alloc memory */
    size_t held_count, held_cap;
    struct str *warnings;
    size_t warning_count;
};

/* Adds what the head of the partition has. Takes the partition's lock for a short time. */
MUST_USE enum err pick_head(struct metric_cursor *c, unsigned partition);

#endif
