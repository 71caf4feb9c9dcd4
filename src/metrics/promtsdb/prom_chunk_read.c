/* Chunks of floats: XOR, and XOR2, in which one prefix stands for time and value. */
#include "metrics/promtsdb/prom_chunk_read.h"

#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_chunk_int.h"

enum {
    COUNT_BYTES = 2,
    ST_COUNT_MASK = 0x3fff /* chunks of histograms with start timestamps have the reset bits above it */
};

bool prom_chunk_rich(unsigned encoding)
{
    return encoding != PROM_ENC_XOR;
}

enum err prom_chunk_count(unsigned encoding, struct str data, uint32_t *ret_n)
{
    if (encoding < PROM_ENC_XOR || encoding > PROM_ENC_FLOAT_HISTOGRAM_ST) {
        return ERR_UNSUPPORTED;
    }
    if (data.n < (encoding == PROM_ENC_XOR ? COUNT_BYTES : COUNT_BYTES + 1)) {
        return ERR_CORRUPT;
    }
    uint32_t n = prom_be16(data.p);
    *ret_n = encoding >= PROM_ENC_HISTOGRAM_ST ? n & ST_COUNT_MASK : n;
    /* A sample takes two bits, all but the first. */
    return *ret_n <= data.n * 8 ? ERR_OK : ERR_CORRUPT;
}

static int64_t xor_delta_of_delta(struct prom_bits *b)
{
    static const uint8_t bits[] = {0, 14, 17, 20, 64};
    unsigned ones = 0;
    while (ones < 4 && prom_bits_get(b, 1)) {
        ones++;
    }
    return ones ? prom_bits_signed(b, bits[ones]) : 0;
}

static void xor_decode(struct str data, struct prom_samples *out)
{
    struct prom_bits b = prom_bits_of(str_slice(data, COUNT_BYTES, data.n));
    struct prom_xor x = {0};
    int64_t ts = 0, delta = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < out->n && !b.bad; i++) {
        if (i == 0) {
            ts = prom_bits_varint(&b);
            bits = prom_bits_get(&b, 64);
        } else {
            delta = i == 1 ? (int64_t)prom_bits_uvarint(&b) : prom_add(delta, xor_delta_of_delta(&b));
            ts = prom_add(ts, delta);
            bits = prom_xor_next(&b, &x, bits);
        }
        out->ts[i] = ts;
        out->values[i] = f64_of_bits(bits);
    }
    out->n = b.bad ? 0 : out->n;
}

struct xor2 {
    struct prom_bits b;
    struct prom_xor x;
    struct prom_starts starts;
    uint64_t base; /* newest value that is no staleness marker */
    int64_t ts, delta;
};

/* The value where the time did not come as expected. */
static uint64_t xor2_value(struct xor2 *s)
{
    if (!prom_bits_get(&s->b, 1)) {
        return s->base;
    }
    if (!prom_bits_get(&s->b, 1)) {
        return s->base ^= prom_xor_same(&s->b, &s->x);
    }
    if (!prom_bits_get(&s->b, 1)) {
        return s->base ^= prom_xor_window(&s->b, &s->x);
    }
    return STALE_NAN_BITS;
}

/* Two's complement, unlike the classes of the others. */
static int64_t xor2_delta_of_delta(struct prom_bits *b, unsigned n)
{
    uint64_t v = prom_bits_get(b, n);
    return (int64_t)(n < 64 && v >> (n - 1) ? v - (UINT64_C(1) << n) : v);
}

/* Sample 2 and later. */
static uint64_t xor2_joint(struct xor2 *s)
{
    static const uint8_t bits[] = {0, 0, 13, 20, 64};
    unsigned ones = 0;
    while (ones < 5 && prom_bits_get(&s->b, 1)) {
        ones++;
    }
    if (ones >= 2 && ones <= 4) {
        s->delta = prom_add(s->delta, xor2_delta_of_delta(&s->b, bits[ones]));
    }
    s->ts = prom_add(s->ts, s->delta);
    if (ones == 0) {
        return s->base;
    }
    if (ones == 1) {
        return s->base ^=
               prom_bits_get(&s->b, 1) ? prom_xor_window(&s->b, &s->x) : prom_xor_same(&s->b, &s->x);
    }
    return ones == 5 ? STALE_NAN_BITS : xor2_value(s);
}

static void xor2_decode(struct str data, struct prom_samples *out)
{
    struct xor2 s = {.b = prom_bits_of(str_slice(data, COUNT_BYTES + 1, data.n)),
                     .starts = prom_starts_of((uint8_t)data.p[COUNT_BYTES])};
    for (size_t i = 0; i < out->n && !s.b.bad; i++) {
        int64_t before = s.ts;
        uint64_t bits;
        if (i == 0) {
            s.ts = prom_bits_varint(&s.b);
            bits = prom_bits_get(&s.b, 64);
            s.base = bits == STALE_NAN_BITS ? 0 : bits;
        } else if (i == 1) {
            s.delta = (int64_t)prom_bits_uvarint(&s.b);
            s.ts = prom_add(s.ts, s.delta);
            bits = xor2_value(&s);
        } else {
            bits = xor2_joint(&s);
        }
        prom_starts_next(&s.b, &s.starts, i, s.ts, before);
        out->ts[i] = s.ts;
        out->values[i] = f64_of_bits(bits);
        out->starts[i] = s.starts.start;
    }
    out->n = s.b.bad ? 0 : out->n;
}

static enum err samples_new(unsigned encoding, size_t n, struct arena *a, struct prom_samples *ret_s)
{
    struct prom_samples s = {.n = n};
    bool floats = encoding == PROM_ENC_XOR || encoding == PROM_ENC_XOR2;
    bool starts = encoding >= PROM_ENC_XOR2;
    s.ts = arena_array(a, n + 1, sizeof(*s.ts));
    s.values = arena_zarray(a, n + 1, sizeof(*s.values));
    s.histograms = floats ? NULL : arena_zarray(a, n + 1, sizeof(*s.histograms));
    s.starts = starts ? arena_zarray(a, n + 1, sizeof(*s.starts)) : NULL;
    *ret_s = s;
    return s.ts && s.values && (floats || s.histograms) && (!starts || s.starts) ? ERR_OK : arena_err(a);
}

enum err prom_chunk_decode(unsigned encoding, struct str data, struct arena *a,
                           struct prom_samples *ret_samples)
{
    uint32_t n = 0;
    struct prom_samples s = {0};
    enum err e = prom_chunk_count(encoding, data, &n);
    e = e == ERR_OK ? samples_new(encoding, n, a, &s) : e;
    if (e != ERR_OK) {
        return e;
    }
    if (encoding == PROM_ENC_XOR) {
        xor_decode(data, &s);
    } else if (encoding == PROM_ENC_XOR2) {
        xor2_decode(data, &s);
    } else {
        e = prom_histograms_decode(encoding, data, a, &s);
    }
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 1; i < s.n; i++) {
        if (s.ts[i] <= s.ts[i - 1]) {
            return ERR_CORRUPT;
        }
    }
    if (s.n != n) {
        return ERR_CORRUPT;
    }
    *ret_samples = s;
    return ERR_OK;
}
