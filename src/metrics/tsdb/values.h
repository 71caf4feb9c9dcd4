/* Columns of 64-bit float patterns in few bytes, bit for bit: NaN payloads, stale markers and -0 included.
 *
 * The open tail of a series is an XOR stream that grows sample by sample; a sealed column is encoded as a
 * whole by whichever mode is smallest. Pure functions; any thread. */
#ifndef CAIRN_METRICS_TSDB_VALUES_H
#define CAIRN_METRICS_TSDB_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/integers.h"

enum values_mode {
    VALUES_XOR = 0,  /* XOR with the value before, leading and significant bits */
    VALUES_CONST,    /* all the same bits; trailing zero bytes are left out */
    VALUES_INTEGERS, /* decimals as integers (integers.h) */
    VALUES_MODE_COUNT
};

enum {
    XOR_BYTES_PER_VALUE_MAX = 10, /* 2 + 6 + 6 + 64 bits */
    XOR_SLACK_BYTES = 9           /* what bits_put touches behind the end */
};

/* State of an XOR stream under construction. */
struct xor_state {
    uint64_t last;
    uint32_t bits; /* length so far */
    uint8_t lead, sig;
};

/* Appends one value; p has XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES of room behind the stream. */
void xor_append(uint8_t *p, struct xor_state *s, uint64_t value);

/* The same n times with the value before; the slack is enough room behind the stream's end. */
static inline void xor_append_same(uint8_t *p, struct xor_state *s, unsigned n)
{
    for (; n > 64; n -= 64) {
        bits_put(p, &s->bits, 0, 64);
    }
    bits_put(p, &s->bits, 0, n);
}

/* Room that values_encode may need. */
static inline size_t values_bound(size_t n)
{
    return n * XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES + 32;
}

/* Encodes n (>= 1) values into out (values_bound(n) bytes), and returns the length. */
size_t values_encode(const uint64_t *v, size_t n, uint8_t *out, uint8_t *ret_mode);
/* Errors: CORRUPT when the bytes do not hold n values of the mode. */
MUST_USE enum err values_decode(unsigned mode, const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v);

/* Timestamps as varints of deltas of deltas; the first one is known to the caller. */
static inline size_t times_bound(size_t n)
{
    return n * 10;
}
size_t times_encode(const int64_t *ts, size_t n, uint8_t *out);
MUST_USE enum err times_decode(const uint8_t *p, size_t n_bytes, int64_t first, size_t n, int64_t *ret_ts);

#endif
