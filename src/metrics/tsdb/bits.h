/* Bit streams, most significant bit first, in memory the caller bounds. */
#ifndef CAIRN_METRICS_TSDB_BITS_H
#define CAIRN_METRICS_TSDB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap64(v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof(v));
}

/* Writes the low `n` bits of v (n <= 64) at bit *pos. The 9 bytes from the current one are written to: the
 * caller has room for them. Bits behind the end are zero. */
static inline void bits_put(uint8_t *p, uint32_t *pos, uint64_t v, unsigned n)
{
    uint8_t *at = p + (*pos >> 3);
    unsigned used = *pos & 7;
    *pos += n;
    if (n == 0) {
        return;
    }
    v = n < 64 ? v & ((UINT64_C(1) << n) - 1) : v;
    uint64_t top = v << (64 - n);
    uint64_t head = used ? ((uint64_t)(*at & (0xff00u >> used)) << 56) : 0;
    store_be64(at, head | (top >> used));
    at[8] = (uint8_t)(used ? top << (8 - used) : 0);
}

/* At most 10 bytes; returns how many. */
static inline size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        out[n++] = (uint8_t)(v | 0x80);
    }
    out[n++] = (uint8_t)v;
    return n;
}

struct bit_reader {
    const uint8_t *p;
    size_t n_bytes;
    size_t pos; /* in bits */
    bool bad;   /* a read passed the end; sticky, later reads give 0 */
};

uint64_t bits_get_slow(struct bit_reader *r, unsigned n);

/* n <= 64 */
static inline uint64_t bits_get(struct bit_reader *r, unsigned n)
{
    size_t at = r->pos >> 3;
    if (UNLIKELY(n == 0 || at + 9 > r->n_bytes)) {
        return bits_get_slow(r, n);
    }
    unsigned used = r->pos & 7;
    uint64_t v = load_be64(r->p + at) << used;
    if (used) {
        v |= (uint64_t)r->p[at + 8] >> (8 - used);
    }
    r->pos += n;
    return v >> (64 - n);
}

#endif
