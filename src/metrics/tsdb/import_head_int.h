/* The head of a Prometheus while it is brought in: what was read of log and head chunks, by series. */
#ifndef CAIRN_METRICS_TSDB_IMPORT_HEAD_INT_H
#define CAIRN_METRICS_TSDB_IMPORT_HEAD_INT_H

#include "metrics/promtsdb/prom_head_chunks.h"
#include "metrics/promtsdb/prom_log.h"
#include "metrics/promtsdb/prom_stones.h"
#include "metrics/tsdb/import_int.h"
#include "metrics/tsdb/index.h"

struct head_sample {
    ts_ms ts, start;
    double value;
    struct histogram *h; /* in the arena; NULL for a float */
};

struct head_series { /* of one label set; several refs may be its */
    struct labels labels;
    uint64_t hash, target;
    struct head_sample *samples; /* mem_alloc memory */
    size_t n, cap;
    size_t ordered; /* so many at the front ascend: they came in order through the log */
    ts_ms last_ts;  /* of these */
};

struct head_ref {       /* a series as the log numbers it */
    ts_ms mapped_until; /* newest sample of its mapped chunks; INT64_MIN: it has none */
    uint8_t partition;
    uint8_t mapped_kind; /* enum head_kind of that sample */
    bool gone;           /* it went to a block: nothing that the head still has of it counts */
};

enum head_kind {
    HEAD_FLOAT,
    HEAD_HISTOGRAM,
    HEAD_FLOAT_HISTOGRAM
};

enum {
    HEAD_EXEMPLARS_WAIT = 256 /* handed to the sink at once */
};

struct head_import {
    struct tsdb *db;
    const struct tsdb_import *o;
    const char *dir; /* of Prometheus */
    ts_ms from;      /* what is older is in blocks */
    struct tsdb_imported *done;
    struct import_block to;
    /* Found by the first reading, which only counts. */
    struct u64map ref_of; /* ref -> place in refs */
    struct head_ref *refs;
    size_t ref_count, ref_cap;
    bool chunks_whole;         /* no mapped chunk is damaged: where they are, they count and not the log */
    uint64_t cost[PARTITIONS]; /* bytes of memory that the samples will take */
    uint64_t orphans;          /* samples of series that no record defines */
    /* Of the present group of partitions. */
    unsigned first, last;
    struct arena a;                          /* labels, histograms */
    struct u64map series_of, series_by_hash; /* ref or hash of labels -> series */
    struct head_series *series;
    size_t series_count, series_cap;
    struct prom_stones stones; /* by number of series */
    struct arena side;         /* of what waits for the sink */
    struct sink_series waiting_series[HEAD_EXEMPLARS_WAIT];
    struct sink_exemplar exemplars[HEAD_EXEMPLARS_WAIT];
    struct sink_metadata metadata[HEAD_EXEMPLARS_WAIT];
    size_t exemplar_count, metadata_count;
};

/* Reads everything once to learn where series go and what they will take. Errors: IO, OOM. */
MUST_USE enum err head_count(struct head_import *im, struct err_info *info);
/* Reads the series of the present group of partitions with their samples; exemplars and metadata go to the
 * sink. Errors: IO, OOM, those of the sink. */
MUST_USE enum err head_read(struct head_import *im, struct err_info *info);
/* Forgets what was read of the group. */
void head_forget(struct head_import *im);

#endif
