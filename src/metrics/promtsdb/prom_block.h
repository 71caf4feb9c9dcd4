/* A block of Prometheus, opened for reading: meta.json, index, chunk files, tombstones.
 *
 * An open block never changes; any thread. Files are mapped: a Prometheus that removes the block meanwhile
 * does no harm. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_BLOCK_H
#define CAIRN_METRICS_PROMTSDB_PROM_BLOCK_H

#include <stdatomic.h>

#include "metrics/promtsdb/prom_chunk_read.h"
#include "metrics/promtsdb/prom_index.h"
#include "metrics/promtsdb/prom_stones.h"

struct prom_meta {
    char ulid[PROM_ULID_BYTES + 1];
    ts_ms min_ts, max_ts; /* max_ts is the first past the block */
    uint64_t samples, series, chunks;
    unsigned level;
    bool aside; /* of late or chosen samples: its end says nothing about where the head began */
    bool deletable;
    char (*parents)[PROM_ULID_BYTES + 1]; /* blocks this one replaces; mem_alloc memory */
    size_t parent_count;
};

struct prom_block {
    atomic_uint refs;
    struct prom_meta meta;
    struct prom_index index;
    struct file_map *segments; /* the first is number 1 */
    size_t segment_count;
    struct prom_stones stones;
    uint64_t bytes;
};

/* Whether a folder's name is a ULID: that of a block. */
bool prom_ulid_is(struct str name);
/* Reads meta.json. ret_meta->parents is freed by prom_meta_done. Errors: CORRUPT, UNSUPPORTED, NOT_FOUND, IO,
 * OOM; info names the file and what is wrong. */
MUST_USE enum err prom_meta_read(const char *block_dir, struct prom_meta *ret_meta, struct err_info *info);
MUST_USE enum err prom_meta_parse(struct str json, struct prom_meta *ret_meta, struct err_info *info);
void prom_meta_done(struct prom_meta *m);

/* Errors as prom_meta_read. */
MUST_USE enum err prom_block_open(const char *block_dir, struct prom_block **ret_b, struct err_info *info);
struct prom_block *prom_block_ref(struct prom_block *b);
void prom_block_unref(struct prom_block *b); /* accepts NULL */

/* The bytes of a chunk, their checksum verified. CORRUPT: damaged, or no such place. */
MUST_USE enum err prom_block_chunk(const struct prom_block *b, uint64_t ref, unsigned *ret_encoding,
                                   struct str *ret_data);

#endif
