/* Text dumps into a bulk load: lines of Prometheus' text format (timestamps in milliseconds) or OpenMetrics
 * (in seconds), every sample with a timestamp. Exemplars and metadata go to the store as a scrape's do. */
#ifndef CAIRN_METRICS_DUMP_DUMP_READ_H
#define CAIRN_METRICS_DUMP_DUMP_READ_H

#include "codec/exposition.h"
#include "metrics/model/sink.h"
#include "metrics/tsdb/bulk.h"

struct dump_target {
    struct tsdb_bulk *bulk;
    struct metric_sink *sink; /* for exemplars and metadata */
    struct str tenant;
    const struct label *labels; /* for every series that has not got them; empty names are not allowed */
    size_t label_count;
    /* May be NULL. total 0 = not known. */
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
    void *ctx;
};

/* Reads a file ("-": the standard input; gzip and zstd are known by their first bytes) into the load, which
 * is written when it is full but not finished. Errors: INVALID, with file and line; NOT_FOUND, DENIED,
 * CORRUPT (compression), LIMIT; those of the load. */
MUST_USE enum err dump_read(const struct dump_target *t, const char *path, enum exposition_format format,
                            struct err_info *reterr_info);

#endif
