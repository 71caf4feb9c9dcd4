/* A bit stream, most significant bit first, that never passes its end; and the encodings that chunks of all
 * kinds share. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_BITS_H
#define CAIRN_METRICS_PROMTSDB_PROM_BITS_H

#include "base/attr.h"
#include "base/str.h"
#include "metrics/promtsdb/prom_format.h"

struct prom_bits {
    const uint8_t *p;
    size_t at, end; /* in bits */
    bool bad;       /* a read passed the end or made no sense: sticky, later reads give 0 */
};

static inline struct prom_bits prom_bits_of(struct str s)
{
    return (struct prom_bits){(const uint8_t *)s.p, 0, s.n * 8, false};
}

static inline size_t prom_bits_left(const struct prom_bits *b)
{
    return b->end - b->at;
}

/* n <= 64 */
uint64_t prom_bits_slow(struct prom_bits *b, unsigned n);

static inline uint64_t prom_bits_get(struct prom_bits *b, unsigned n)
{
    size_t byte = b->at / 8;
    if (LIKELY(n <= 56 && n > 0 && byte + 8 <= b->end / 8)) {
        uint64_t word = prom_be64(b->p + byte) << (b->at % 8);
        b->at += n;
        return word >> (64 - n);
    }
    return prom_bits_slow(b, n);
}

/* A number of n bits in -(2^(n-1)-1) .. 2^(n-1), as Prometheus' classes have it. */
static inline int64_t prom_bits_signed(struct prom_bits *b, unsigned n)
{
    uint64_t v = prom_bits_get(b, n);
    return (int64_t)(n < 64 && v > UINT64_C(1) << (n - 1) ? v - (UINT64_C(1) << n) : v);
}

uint64_t prom_bits_uvarint(struct prom_bits *b);
int64_t prom_bits_varint(struct prom_bits *b);
int64_t prom_varbit_int(struct prom_bits *b);
uint64_t prom_varbit_uint(struct prom_bits *b);

/* The window of significant bits of an XORed float. Begins zeroed. */
struct prom_xor {
    uint8_t leading, trailing;
};
/* Reads the window and the bits in it. */
uint64_t prom_xor_window(struct prom_bits *b, struct prom_xor *x);
/* The bits in the present window. */
uint64_t prom_xor_same(struct prom_bits *b, const struct prom_xor *x);
/* The float after `bits`. */
uint64_t prom_xor_next(struct prom_bits *b, struct prom_xor *x, uint64_t bits);

/* Start timestamps beside the samples: known for the first, and from sample `change_on` on as differences. */
struct prom_starts {
    bool first_known;
    uint8_t change_on; /* 0 = never */
    int64_t difference;
    int64_t start; /* of the sample read last; 0 = unknown */
};
/* From the header byte. */
static inline struct prom_starts prom_starts_of(uint8_t header)
{
    return (struct prom_starts){.first_known = header >> 7, .change_on = header & 0x7f};
}
/* What follows sample number i (from 0) at ts, the one before having been at before_ts. */
void prom_starts_next(struct prom_bits *b, struct prom_starts *s, size_t i, int64_t ts, int64_t before_ts);

/* Sums that wrap: hostile input must not overflow a signed number. */
static inline int64_t prom_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t prom_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

#endif
