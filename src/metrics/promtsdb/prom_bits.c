/* Reading bit streams. The classes of varbits: a unary prefix says how many bits follow. */
#include "metrics/promtsdb/prom_bits.h"

#include "codec/varint.h"

uint64_t prom_bits_slow(struct prom_bits *b, unsigned n)
{
    if (n > b->end - b->at) {
        b->bad = true;
        b->at = b->end;
        return 0;
    }
    uint64_t v = 0;
    while (n) {
        unsigned in_byte = 8 - (unsigned)(b->at % 8), take = n < in_byte ? n : in_byte;
        unsigned part = (unsigned)b->p[b->at / 8] >> (in_byte - take) & ((1u << take) - 1);
        v = v << take | part;
        b->at += take;
        n -= take;
    }
    return v;
}

uint64_t prom_bits_uvarint(struct prom_bits *b)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint64_t byte = prom_bits_get(b, 8);
        if (shift < 64) {
            v |= (byte & 0x7f) << shift;
        }
        if (byte < 0x80) {
            return v;
        }
    }
    b->bad = true;
    return 0;
}

int64_t prom_bits_varint(struct prom_bits *b)
{
    return zigzag_decode(prom_bits_uvarint(b));
}

/* How many bits follow the prefix; 0 = the value is zero. */
static unsigned varbit_class(struct prom_bits *b)
{
    static const uint8_t bits[] = {0, 3, 6, 9, 12, 18, 25, 56, 64};
    unsigned ones = 0;
    while (ones < 8 && prom_bits_get(b, 1)) {
        ones++;
    }
    return bits[ones];
}

int64_t prom_varbit_int(struct prom_bits *b)
{
    unsigned n = varbit_class(b);
    return n ? prom_bits_signed(b, n) : 0;
}

uint64_t prom_varbit_uint(struct prom_bits *b)
{
    unsigned n = varbit_class(b);
    return n ? prom_bits_get(b, n) : 0;
}

uint64_t prom_xor_same(struct prom_bits *b, const struct prom_xor *x)
{
    return prom_bits_get(b, 64u - x->leading - x->trailing) << x->trailing;
}

uint64_t prom_xor_window(struct prom_bits *b, struct prom_xor *x)
{
    unsigned leading = (unsigned)prom_bits_get(b, 5), significant = (unsigned)prom_bits_get(b, 6);
    significant = significant ? significant : 64; /* 64 does not fit and is written as 0 */
    if (leading + significant > 64) {
        b->bad = true;
        return 0;
    }
    *x = (struct prom_xor){(uint8_t)leading, (uint8_t)(64 - leading - significant)};
    return prom_xor_same(b, x);
}

uint64_t prom_xor_next(struct prom_bits *b, struct prom_xor *x, uint64_t bits)
{
    if (!prom_bits_get(b, 1)) {
        return bits;
    }
    return bits ^ (prom_bits_get(b, 1) ? prom_xor_window(b, x) : prom_xor_same(b, x));
}

void prom_starts_next(struct prom_bits *b, struct prom_starts *s, size_t i, int64_t ts, int64_t before_ts)
{
    if (i == 0) {
        s->start = s->first_known ? prom_sub(ts, prom_bits_varint(b)) : 0;
        return;
    }
    if (s->change_on == 0 || i < s->change_on) {
        return;
    }
    int64_t d = prom_varbit_int(b);
    s->difference = i == s->change_on ? d : prom_add(s->difference, d);
    s->start = prom_sub(before_ts, s->difference);
}
