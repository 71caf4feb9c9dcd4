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

/* Float patterns on their way into columns of doubles. */
typedef uint64_t __attribute__((may_alias)) value_bits;

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
MUST_USE enum err integers_decode(const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v);
/* The same without instructions that only some processors have: for them, and to compare. */
MUST_USE enum err integers_decode_plain(const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v);

/* integers_v4.c: the packed part of a column. */
struct integers_packed {
    const uint8_t *p;
    size_t n_bytes;
    uint64_t min;
    unsigned order;
    double power; /* what the integers are divided by */
};

#if defined(__x86_64__)
/* Whether this processor can run the other. */
bool integers_v4_runs(void);
/* v has the first `order` integers and gets all values. Errors: CORRUPT. */
MUST_USE enum err integers_unpack_v4(const struct integers_packed *in, size_t n, value_bits *v);
#endif

#endif
