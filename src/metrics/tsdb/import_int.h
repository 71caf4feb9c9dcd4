/* What the files of the import share. */
#ifndef CAIRN_METRICS_TSDB_IMPORT_INT_H
#define CAIRN_METRICS_TSDB_IMPORT_INT_H

#include "metrics/promtsdb/prom_chunk_read.h"
#include "metrics/tsdb/import.h"
#include "metrics/tsdb/tsdb_int.h"

/* -- batches: decoded series of one target, grouped by clock as they are written ------------------------- */

struct import_series {
    struct labels labels;
    struct prom_samples samples;
    uint64_t clock; /* hash of the timestamps */
};

struct import_batch {
    struct arena a; /* of everything below */
    struct import_series *items;
    size_t n, cap;
    size_t cost; /* samples; a histogram is many */
    struct block_writer *w;
    struct tsdb_imported *done;
};

void import_batch_init(struct import_batch *b, struct block_writer *w, struct tsdb_imported *done);
void import_batch_done(struct import_batch *b);
/* Takes a series whose labels and samples (at least one) live in b->a; writes when enough has come together.
 */
MUST_USE enum err import_batch_add(struct import_batch *b, struct labels ls, struct prom_samples s,
                                   struct err_info *info);
/* Writes what waits; between targets and at the end of a section. */
MUST_USE enum err import_batch_write(struct import_batch *b, struct err_info *info);

/* Puts samples in ascending order, the first of equal times staying. */
MUST_USE enum err import_order(struct arena *a, struct prom_samples *s);

/* -- the new block --------------------------------------------------------------------------------------- */

struct import_block {
    struct tsdb *db;
    struct block_writer w;
    uint64_t number;
    char path[4096];
};

MUST_USE enum err import_block_begin(struct import_block *ib, struct tsdb *db, struct err_info *info);
/* Publishes it, noted under the key. Also done when it is empty: then there is only the note. */
MUST_USE enum err import_block_publish(struct import_block *ib, struct str tenant, struct str key,
                                       struct tsdb_imported *done, struct err_info *info);
/* Releases everything; without publishing the file goes. */
void import_block_done(struct import_block *ib);

/* -- the notes ------------------------------------------------------------------------------------------- */

/* Whether the thing with this key (no white space) has been brought in. */
MUST_USE enum err import_noted(struct tsdb *db, struct str key, bool *ret_noted, struct err_info *info);
/* Before its block is published, and after. */
MUST_USE enum err import_note(struct tsdb *db, struct str key, uint64_t number, bool published,
                              struct err_info *info);

/* Remembers the first damage. */
void import_damage(struct tsdb_imported *done, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
