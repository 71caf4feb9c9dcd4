/* The structured metadata of a group's rows as a page: strings once, label sets once, a set for each row.
 *
 *   page    = varint plain bytes, zstd frame of plain
 *   plain   = varint strings, string*, varint sets, set*, column of sets (ints.h) by row; 0 = no metadata
 *   set     = varint labels, (name, value)* as numbers of strings */
#ifndef CAIRN_LOGS_STORE_META_H
#define CAIRN_LOGS_STORE_META_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/strmap.h"
#include "labels/labels.h"

struct meta_writer {
    struct strmap strings, sets; /* -> number + 1 */
    struct buf string_bytes, set_bytes, key;
    uint64_t string_count, set_count;
    uint64_t *rows;
    size_t row_count, row_cap;
    bool any;
};

void meta_writer_init(struct meta_writer *w);
void meta_writer_done(struct meta_writer *w);
/* Errors: OOM, LIMIT. */
MUST_USE enum err meta_writer_row(struct meta_writer *w, struct labels metadata);
/* Appends the page and forgets the rows; failure is dst's own. */
MUST_USE enum err meta_writer_page(struct meta_writer *w, struct buf *dst);
/* One label set for each of n rows, strings and arrays in the arena. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err meta_read(struct str page, size_t n, struct arena *a, const struct labels **ret_rows);

#endif
