/* A source's samples as Prometheus' blocks: one for each aligned span of time that has any. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_EXPORT_H
#define CAIRN_METRICS_PROMTSDB_PROM_EXPORT_H

#include "metrics/promtsdb/prom_block_write.h"

struct prom_export_options {
    const char *dir;                /* created when absent */
    ts_ms start_ms, end_ms;         /* both inclusive */
    int64_t span_ms;                /* of one block; 0 = two hours */
    const struct matcher *matchers; /* may be none */
    size_t matcher_count;
    bool starts;        /* write start timestamps: prom_block_writer_new */
    bool allow_overlap; /* with blocks that are in the folder */
    struct prom_block_extra extra;
    /* May be NULL; spans done and in all. */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};

struct prom_export_result {
    uint64_t blocks, samples, starts; /* starts: samples that have a start timestamp */
    ts_ms min_ts, max_ts;
};

enum {
    PROM_EXPORT_SPANS_MAX = 1 << 20 /* 240 years of two hours: more is a wrong time */
};

/* Errors: EXISTS (a block of the folder has the same time), NOT_FOUND (no sample in the range, nothing was
 * written), INVALID (the range), CANCELED, LIMIT, those of source and disk. Blocks that were finished before
 * an error stay. */
MUST_USE enum err prom_export(struct metric_source *src, struct query_ctx *q,
                              const struct prom_export_options *o, struct prom_export_result *ret_result,
                              struct err_info *reterr_info);

#endif
