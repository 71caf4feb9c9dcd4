/* Full chunks of Prometheus' head, as they stand mapped in DIR/chunks_head. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_HEAD_CHUNKS_H
#define CAIRN_METRICS_PROMTSDB_PROM_HEAD_CHUNKS_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct prom_head_chunk {
    uint64_t ref; /* of the series, as the log has it */
    ts_ms min_ts, max_ts;
    unsigned encoding;
    bool out_of_order;
    struct str data; /* in the mapping, valid during the call */
};

struct prom_head_report {
    uint64_t files, chunks, bytes;
    uint64_t bad;    /* files that end early */
    bool torn;       /* the last file ends in the midst of a chunk: Prometheus was killed */
    char where[256]; /* the first; empty: none */
};

typedef enum err prom_head_chunk_fn(void *ctx, const struct prom_head_chunk *c);

/* Calls fn for every chunk of the folder (absent: none). A damaged chunk ends its file, not the folder.
 * Errors: IO, OOM, those of fn. */
MUST_USE enum err prom_head_chunks_read(const char *dir, prom_head_chunk_fn *fn, void *ctx,
                                        struct prom_head_report *report, struct err_info *info);
/* The same of one file's bytes; `last` when none follows. */
MUST_USE enum err prom_head_file_read(struct str data, bool last, const char *name, prom_head_chunk_fn *fn,
                                      void *ctx, struct prom_head_report *report);

#endif
