/* A source's floats and exemplars as OpenMetrics text with timestamps, metric by metric: what `dump_read` and
 * promtool read. */
#ifndef CAIRN_METRICS_DUMP_DUMP_WRITE_H
#define CAIRN_METRICS_DUMP_DUMP_WRITE_H

#include "query/metric_source.h"

struct dump_write_options {
    const char *path;       /* "-": the standard output; a file must not exist */
    ts_ms start_ms, end_ms; /* both inclusive */
    const struct matcher *matchers;
    size_t matcher_count;
    bool starts; /* start timestamps as OpenMetrics 2.0 has them ("st@SECONDS"), which 1.0 does not know */
    /* May be NULL; metrics done and in all. */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};

struct dump_written {
    uint64_t series, samples, exemplars;
    /* What the text cannot hold and is left out; exemplars: of native histograms, or more than samples. */
    uint64_t histograms, stale, exemplars_left, starts_left;
};

/* A file appears under its name when it is whole. Errors: EXISTS, NOT_FOUND (no sample in the range),
 * CANCELED, those of source and disk. */
MUST_USE enum err dump_write(struct metric_source *src, struct query_ctx *q,
                             const struct dump_write_options *o, struct dump_written *ret_written,
                             struct err_info *reterr_info);

#endif
