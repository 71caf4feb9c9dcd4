/* Writing one block of Prometheus: series in any order, each once; they are sorted at the end.
 *
 * Everything is written below DIR/ULID.tmp-for-creation, a name that Prometheus passes over and removes, and
 * renamed when it is whole and on the disk. In memory are label pairs by number, some 8 bytes a label and 24
 * a series; chunks wait in a file of the same folder. One owner. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_BLOCK_WRITE_H
#define CAIRN_METRICS_PROMTSDB_PROM_BLOCK_WRITE_H

#include "metrics/promtsdb/prom_format.h"
#include "query/metric_source.h"

struct prom_block_writer;

struct prom_block_stats {
    char ulid[PROM_ULID_BYTES + 1];
    uint64_t series, chunks, floats, histograms;
    uint64_t starts;      /* samples that have a start timestamp */
    ts_ms min_ts, max_ts; /* of the samples */
};

struct prom_block_extra {       /* of meta.json */
    bool thanos;                /* the section that Thanos looks for */
    const struct label *labels; /* its external labels */
    size_t label_count;
};

/* A new block below dir, which exists. with_starts: start timestamps are written, in chunks that Prometheus
 * reads since 3.14; else they are left out. Errors: IO, NO_SPACE, DENIED, OOM. */
MUST_USE enum err prom_block_writer_new(const char *dir, bool with_starts, struct prom_block_writer **ret_w,
                                        struct err_info *reterr_info);
/* Removes what is not finished. Accepts NULL. */
void prom_block_writer_free(struct prom_block_writer *w);
/* The samples of the batch with from <= t <= to. */
MUST_USE enum err prom_block_writer_add(struct prom_block_writer *w, const struct metric_batch *b, ts_ms from,
                                        ts_ms to, struct err_info *reterr_info);
/* Makes the block a whole one; without samples there is none, and ret_stats->series is 0. Errors: LIMIT (more
 * series or postings than an index can hold: a shorter span helps), and those of the disk. */
MUST_USE enum err prom_block_writer_finish(struct prom_block_writer *w, const struct prom_block_extra *extra,
                                           struct prom_block_stats *ret_stats, struct err_info *reterr_info);

#endif
