/* Writing one section of a block: pages go out as they fill, the index is built in memory and comes last. */
#ifndef CAIRN_METRICS_TSDB_SECTION_WRITE_H
#define CAIRN_METRICS_TSDB_SECTION_WRITE_H

#include "metrics/tsdb/block.h"

struct section_writer;

/* The descriptor is the caller's; what is written is appended to it. Errors: OOM. */
MUST_USE enum err section_writer_new(int fd, struct section_writer **ret_s);
void section_writer_free(struct section_writer *s); /* accepts NULL */
/* The samples of the batch with from <= t <= to. */
MUST_USE enum err section_writer_add(struct section_writer *s, const struct metric_batch *b, ts_ms from,
                                     ts_ms to, struct err_info *info);

struct section_summary {
    uint64_t data_bytes, index_bytes; /* the index follows the pages */
    uint32_t index_crc;
    uint64_t series, samples; /* nothing was written when there are none */
    ts_ms min_ts, max_ts;
};

/* Writes the last page and the index. */
MUST_USE enum err section_writer_finish(struct section_writer *s, struct section_summary *ret_sum,
                                        struct err_info *info);

#endif
