/* The parts of a block that is being written. Private to this folder. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_BLOCK_WRITE_INT_H
#define CAIRN_METRICS_PROMTSDB_PROM_BLOCK_WRITE_INT_H

#include "metrics/promtsdb/prom_block_write.h"
#include "metrics/promtsdb/prom_chunks_write.h"
#include "metrics/promtsdb/prom_out.h"
#include "metrics/promtsdb/prom_symbols.h"

enum {
    PROM_PATH_BYTES = 4096
};

/* A series while it waits. */
struct prom_waiting {
    uint64_t at; /* of its encoded chunks in the waiting file */
    uint32_t bytes, chunks;
    uint32_t pairs, pair_count; /* in pair_numbers */
};

struct prom_block_writer {
    char dir[PROM_PATH_BYTES - 128]; /* of all blocks */
    char tmp[PROM_PATH_BYTES - 64];  /* of this one, until it is whole */
    struct prom_symbols symbols;
    struct prom_chunk_encoder encoder;
    struct prom_waiting *series;
    size_t series_count, series_cap;
    uint32_t *pair_numbers;
    size_t pair_numbers_count, pair_numbers_cap;
    struct buf encoded;      /* chunks of one series */
    struct prom_out waiting; /* the file where they wait */
    struct prom_block_stats stats;
};

/* Writes index and chunks/ from the waiting file's content. *ret_segments: number of chunk files. */
MUST_USE enum err prom_index_write(struct prom_block_writer *w, struct str waiting, unsigned *ret_segments,
                                   struct err_info *info);
/* meta.json. */
MUST_USE enum err prom_meta_write(const struct prom_block_writer *w, const struct prom_block_extra *extra,
                                  unsigned segments, struct err_info *info);

#endif
