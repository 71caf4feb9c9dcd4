/* Columns of decimals as integers: 12.5 and 12.75 are 1250 and 1275 with exponent 2.
 *
 * Taken when (double)m / 10^e gives every value's bits back; up to one value in 16 may be an exception (a
 * stale marker, a NaN) that is kept as it is. The integers, their differences or the differences of those are
 * stored above their minimum, in groups of 32 of one bit width. */
#ifndef CAIRN_METRICS_TSDB_INTEGERS_H
#define CAIRN_METRICS_TSDB_INTEGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    INTEGERS_COUNT_MAX = 2048 /* values of a column: bounds the scratch */
};

struct integers {
    uint8_t exponent, order;
    size_t exceptions;
    size_t bytes; /* that integers_write will take, at most */
    int64_t min;
    int64_t m[INTEGERS_COUNT_MAX];
};

/* False when the column has no such form. */
bool integers_plan(const uint64_t *v, size_t n, struct integers *ret_in);
/* Overwrites in->m. */
size_t integers_write(struct integers *in, const uint64_t *v, size_t n, uint8_t *out);
MUST_USE enum err integers_decode(const uint8_t *p, size_t n_bytes, size_t n, uint64_t *ret_v);

#endif
