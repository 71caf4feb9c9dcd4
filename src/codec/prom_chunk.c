/* A bit stream, most significant bit first, and the three encodings on it. */
#include "codec/prom_chunk.h"

#include <math.h>

struct bits {
    struct buf *b;
    unsigned free; /* bits left in the last byte */
};

static void put(struct bits *s, uint64_t value, unsigned n)
{
    while (n) {
        if (s->free == 0) {
            buf_char(s->b, 0);
            if (s->b->err) {
                return;
            }
            s->free = 8;
        }
        unsigned take = n < s->free ? n : s->free;
        uint64_t part = (value >> (n - take)) & ((UINT64_C(1) << take) - 1);
        char *last = &s->b->p[s->b->n - 1];
        *last = (char)(unsigned char)((unsigned char)*last | (unsigned char)(part << (s->free - take)));
        s->free -= take;
        n -= take;
    }
}

static uint64_t bits_of(double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof(u));
    return u;
}

static void put_uvarint(struct bits *s, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        put(s, (v & 0x7f) | 0x80, 8);
    }
    put(s, v, 8);
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* Whether v fits into n bits: -(2^(n-1)-1) .. 2^(n-1). */
static bool fits(int64_t v, unsigned n)
{
    int64_t half = INT64_C(1) << (n - 1);
    return v >= -(half - 1) && v <= half;
}

/* -- floats ---------------------------------------------------------------------------------------------- */

static void put_delta_of_delta(struct bits *s, int64_t dod)
{
    static const struct {
        unsigned bits, prefix, prefix_bits;
    } classes[] = {{14, 2, 2}, {17, 6, 3}, {20, 14, 4}};
    if (dod == 0) {
        put(s, 0, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (fits(dod, classes[i].bits)) {
            put(s, classes[i].prefix, classes[i].prefix_bits);
            put(s, (uint64_t)dod, classes[i].bits);
            return;
        }
    }
    put(s, 15, 4);
    put(s, (uint64_t)dod, 64);
}

struct xor_window {
    unsigned leading, trailing;
    bool open;
};

static void put_xor(struct bits *s, struct xor_window *w, uint64_t x)
{
    if (x == 0) {
        put(s, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(x), trailing = (unsigned)__builtin_ctzll(x);
    leading = leading > 31 ? 31 : leading;
    if (w->open && leading >= w->leading && trailing >= w->trailing) {
        put(s, 2, 2);
        put(s, x >> w->trailing, 64 - w->leading - w->trailing);
        return;
    }
    unsigned significant = 64 - leading - trailing;
    *w = (struct xor_window){leading, trailing, true};
    put(s, 3, 2);
    put(s, leading, 5);
    put(s, significant & 63, 6); /* 64 is written as 0 */
    put(s, x >> trailing, significant);
}

void prom_chunk_xor(struct buf *b, const ts_ms *ts, const double *values, size_t n)
{
    struct bits s = {.b = b};
    struct xor_window w = {0};
    put(&s, n, 16);
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            put_uvarint(&s, zigzag(ts[0]));
            put(&s, bits_of(values[0]), 64);
            continue;
        }
        int64_t delta = ts[i] - ts[i - 1];
        if (i == 1) {
            put_uvarint(&s, (uint64_t)delta);
        } else {
            put_delta_of_delta(&s, delta - (ts[i - 1] - ts[i - 2]));
        }
        put_xor(&s, &w, bits_of(values[i]) ^ bits_of(values[i - 1]));
    }
}

/* -- histograms ------------------------------------------------------------------------------------------ */

static const unsigned class_bits[] = {3, 6, 9, 12, 18, 25, 56};

/* 1..10, 1..110 and so on: i + 1 ones, then a zero. */
static void put_class(struct bits *s, size_t i)
{
    put(s, (UINT64_C(1) << (i + 2)) - 2, (unsigned)i + 2);
}

static void put_varbit_int(struct bits *s, int64_t v)
{
    if (v == 0) {
        put(s, 0, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(class_bits); i++) {
        if (fits(v, class_bits[i])) {
            put_class(s, i);
            put(s, (uint64_t)v, class_bits[i]);
            return;
        }
    }
    put(s, 0xff, 8);
    put(s, (uint64_t)v, 64);
}

static void put_varbit_uint(struct bits *s, uint64_t v)
{
    if (v == 0) {
        put(s, 0, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(class_bits); i++) {
        if (v < UINT64_C(1) << class_bits[i]) {
            put_class(s, i);
            put(s, v, class_bits[i]);
            return;
        }
    }
    put(s, 0xff, 8);
    put(s, v, 64);
}

static void put_zero_threshold(struct bits *s, double v)
{
    int exponent = 0;
    if (v == 0) {
        put(s, 0, 8);
        return;
    }
    double fraction = frexp(v, &exponent);
    if (fraction != 0.5 || exponent < -242 || exponent > 11) {
        put(s, 255, 8);
        put(s, bits_of(v), 64);
        return;
    }
    put(s, (uint64_t)(exponent + 243), 8);
}

static void put_spans(struct bits *s, const struct wire_span *spans, size_t n)
{
    put_varbit_uint(s, n);
    for (size_t i = 0; i < n; i++) {
        put_varbit_uint(s, spans[i].length);
        put_varbit_int(s, spans[i].offset);
    }
}

static void put_custom_bound(struct bits *s, double v)
{
    double thousandfold = v * 1000;
    if (thousandfold < 0 || thousandfold > 33554430 || round(thousandfold) / 1000 != v) {
        put(s, 0, 1);
        put(s, bits_of(v), 64);
        return;
    }
    put_varbit_uint(s, (uint64_t)round(thousandfold) + 1);
}

static void put_integers(struct bits *s, const struct wire_histogram *h)
{
    put_varbit_int(s, h->ts);
    put_varbit_uint(s, h->count_int);
    put_varbit_uint(s, h->zero_count_int);
    put(s, bits_of(h->sum), 64);
    for (size_t i = 0; i < h->positive_count; i++) {
        put_varbit_int(s, h->positive_deltas[i]);
    }
    for (size_t i = 0; i < h->negative_count; i++) {
        put_varbit_int(s, h->negative_deltas[i]);
    }
}

static void put_floats(struct bits *s, const struct wire_histogram *h)
{
    put_varbit_int(s, h->ts);
    put(s, bits_of(h->count_float), 64);
    put(s, bits_of(h->zero_count_float), 64);
    put(s, bits_of(h->sum), 64);
    for (size_t i = 0; i < h->positive_count; i++) {
        put(s, bits_of(h->positive_counts[i]), 64);
    }
    for (size_t i = 0; i < h->negative_count; i++) {
        put(s, bits_of(h->negative_counts[i]), 64);
    }
}

void prom_chunk_histogram(struct buf *b, const struct wire_histogram *h)
{
    static const uint64_t hints[] = {0, 2, 1,
                                     3}; /* unknown, reset, no reset, gauge: the header's two top bits */
    struct bits s = {.b = b};
    put(&s, 1, 16);
    put(&s, hints[h->reset_hint & 3] << 6, 8);
    put_zero_threshold(&s, h->zero_threshold);
    put_varbit_int(&s, h->schema);
    put_spans(&s, h->positive_spans, h->positive_span_count);
    put_spans(&s, h->negative_spans, h->negative_span_count);
    if (h->schema == -53) {
        put_varbit_uint(&s, h->custom_value_count);
        for (size_t i = 0; i < h->custom_value_count; i++) {
            put_custom_bound(&s, h->custom_values[i]);
        }
    }
    if (h->is_float) {
        put_floats(&s, h);
    } else {
        put_integers(&s, h);
    }
}
