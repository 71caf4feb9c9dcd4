/* The memory promise of the store, within that of the process (base/mem_promise.h): what it may use, how near
 * it is, and who used it up.
 *
 * Housekeeping measures the heads every few seconds (memory_measure); appenders add what they made since and
 * ask before they make a series (memory_full). Existing series always go on. */
#ifndef CAIRN_METRICS_TSDB_MEMORY_H
#define CAIRN_METRICS_TSDB_MEMORY_H

#include "metrics/tsdb/tsdb_int.h"

/* Heads above it are flushed early. */
static inline uint64_t memory_soft_bytes(const struct tsdb *db)
{
    return db->o.memory_bytes / 2;
}
/* Above it no series is made. */
static inline uint64_t memory_hard_bytes(const struct tsdb *db)
{
    return db->o.memory_bytes / 4 * 3;
}

/* What late samples may take before they are written to a block. */
static inline uint64_t memory_late_bytes(const struct tsdb *db)
{
    return db->o.memory_bytes / 8;
}

/* Takes the heads' size as measured; where the limit is near, finds the metric with the most series. */
void memory_measure(struct tsdb *db, uint64_t head_bytes, uint64_t late_bytes);
/* A series was made. Any thread. */
void memory_series_made(struct tsdb *db, struct labels ls);
/* n late samples were stored; wakes housekeeping when it should write them. Any thread. */
void memory_late_made(struct tsdb *db, size_t n);
/* No more of them until some are written. */
bool memory_late_full(const struct tsdb *db);
bool memory_full(struct tsdb *db);
/* The process nears its promise, and the heads are a good part of it. Housekeeping's. */
bool memory_pressed(struct tsdb *db, uint64_t head_bytes);
/* "42 of 41 MiB; most series has NAME (N)". Any thread. */
void memory_explain(struct tsdb *db, char *text, size_t text_bytes);

#endif
