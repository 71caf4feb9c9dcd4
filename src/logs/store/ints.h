/* Columns of unsigned integers, the smallest of a few forms chosen by size: constant, bit-packed in frames of
 * 128 above their least value, the same of differences, or bytes behind zstd's entropy coder. Pure functions.
 *
 *   column = 0, value                              all the same
 *          | 1, frame*                             frame = least, width (1 byte), values of `width` bits
 *          | 2, first, column of n - 1             zigzag differences
 *          | 3, varint bytes, compressed bytes     varints behind zstd */
#ifndef CAIRN_LOGS_STORE_INTS_H
#define CAIRN_LOGS_STORE_INTS_H

#include "base/buf.h"
#include "codec/varint.h"

/* Appends the column; failure is dst's own. */
void ints_write(struct buf *dst, const uint64_t *v, size_t n);
/* Reads a column of n values. Errors: CORRUPT, OOM. */
MUST_USE enum err ints_read(struct reader *r, uint64_t *v, size_t n);

#endif
