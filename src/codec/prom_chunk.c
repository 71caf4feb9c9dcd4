/* A bit stream, most significant bit first, and the three encodings on it. */
#include "codec/prom_chunk_int.h"

#include <math.h>

#include "base/mem.h"

void bits_put(struct bits *s, uint64_t value, unsigned n)
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

void bits_put_uvarint(struct bits *s, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        bits_put(s, (v & 0x7f) | 0x80, 8);
    }
    bits_put(s, v, 8);
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
        bits_put(s, 0, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (fits(dod, classes[i].bits)) {
            bits_put(s, classes[i].prefix, classes[i].prefix_bits);
            bits_put(s, (uint64_t)dod, classes[i].bits);
            return;
        }
    }
    bits_put(s, 15, 4);
    bits_put(s, (uint64_t)dod, 64);
}

struct xor_window {
    unsigned leading, trailing;
    bool open;
};

static void put_xor(struct bits *s, struct xor_window *w, uint64_t x)
{
    if (x == 0) {
        bits_put(s, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(x), trailing = (unsigned)__builtin_ctzll(x);
    leading = leading > 31 ? 31 : leading;
    if (w->open && leading >= w->leading && trailing >= w->trailing) {
        bits_put(s, 2, 2);
        bits_put(s, x >> w->trailing, 64 - w->leading - w->trailing);
        return;
    }
    unsigned significant = 64 - leading - trailing;
    *w = (struct xor_window){leading, trailing, true};
    bits_put(s, 3, 2);
    bits_put(s, leading, 5);
    bits_put(s, significant & 63, 6); /* 64 is written as 0 */
    bits_put(s, x >> trailing, significant);
}

void prom_chunk_xor(struct buf *b, const ts_ms *ts, const double *values, size_t n)
{
    struct bits s = {.b = b};
    struct xor_window w = {0};
    bits_put(&s, n, 16);
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            bits_put_uvarint(&s, bits_zigzag(ts[0]));
            bits_put(&s, bits_of(values[0]), 64);
            continue;
        }
        int64_t delta = ts[i] - ts[i - 1];
        if (i == 1) {
            bits_put_uvarint(&s, (uint64_t)delta);
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
    bits_put(s, (UINT64_C(1) << (i + 2)) - 2, (unsigned)i + 2);
}

void bits_put_varbit_int(struct bits *s, int64_t v)
{
    if (v == 0) {
        bits_put(s, 0, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(class_bits); i++) {
        if (fits(v, class_bits[i])) {
            put_class(s, i);
            bits_put(s, (uint64_t)v, class_bits[i]);
            return;
        }
    }
    bits_put(s, 0xff, 8);
    bits_put(s, (uint64_t)v, 64);
}

static void put_varbit_uint(struct bits *s, uint64_t v)
{
    if (v == 0) {
        bits_put(s, 0, 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(class_bits); i++) {
        if (v < UINT64_C(1) << class_bits[i]) {
            put_class(s, i);
            bits_put(s, v, class_bits[i]);
            return;
        }
    }
    bits_put(s, 0xff, 8);
    bits_put(s, v, 64);
}

static void put_zero_threshold(struct bits *s, double v)
{
    int exponent = 0;
    if (v == 0) {
        bits_put(s, 0, 8);
        return;
    }
    double fraction = frexp(v, &exponent);
    if (fraction != 0.5 || exponent < -242 || exponent > 11) {
        bits_put(s, 255, 8);
        bits_put(s, bits_of(v), 64);
        return;
    }
    bits_put(s, (uint64_t)(exponent + 243), 8);
}

static void put_spans(struct bits *s, const struct wire_span *spans, size_t n)
{
    put_varbit_uint(s, n);
    for (size_t i = 0; i < n; i++) {
        put_varbit_uint(s, spans[i].length);
        bits_put_varbit_int(s, spans[i].offset);
    }
}

static void put_custom_bound(struct bits *s, double v)
{
    double thousandfold = v * 1000;
    if (thousandfold < 0 || thousandfold > 33554430 || round(thousandfold) / 1000 != v) {
        bits_put(s, 0, 1);
        bits_put(s, bits_of(v), 64);
        return;
    }
    put_varbit_uint(s, (uint64_t)round(thousandfold) + 1);
}

static void put_integers(struct bits *s, const struct wire_histogram *h)
{
    bits_put_varbit_int(s, h->ts);
    put_varbit_uint(s, h->count_int);
    put_varbit_uint(s, h->zero_count_int);
    bits_put(s, bits_of(h->sum), 64);
    for (size_t i = 0; i < h->positive_count; i++) {
        bits_put_varbit_int(s, h->positive_deltas[i]);
    }
    for (size_t i = 0; i < h->negative_count; i++) {
        bits_put_varbit_int(s, h->negative_deltas[i]);
    }
}

static void put_floats(struct bits *s, const struct wire_histogram *h)
{
    bits_put_varbit_int(s, h->ts);
    bits_put(s, bits_of(h->count_float), 64);
    bits_put(s, bits_of(h->zero_count_float), 64);
    bits_put(s, bits_of(h->sum), 64);
    for (size_t i = 0; i < h->positive_count; i++) {
        bits_put(s, bits_of(h->positive_counts[i]), 64);
    }
    for (size_t i = 0; i < h->negative_count; i++) {
        bits_put(s, bits_of(h->negative_counts[i]), 64);
    }
}

/* The chunk up to its first histogram's numbers. */
static void put_head(struct bits *s, const struct wire_histogram *h, bool with_starts)
{
    static const uint64_t hints[] = {0, 2, 1,
                                     3}; /* unknown, reset, no reset, gauge: the header's two top bits */
    if (with_starts) {                   /* a byte about the starts stands where the hint else is */
        bits_put(s, hints[h->reset_hint & 3] << 14 | 1, 16);
        bits_put(s, 0, 8);
    } else {
        bits_put(s, 1, 16);
        bits_put(s, hints[h->reset_hint & 3] << 6, 8);
    }
    put_zero_threshold(s, h->zero_threshold);
    bits_put_varbit_int(s, h->schema);
    put_spans(s, h->positive_spans, h->positive_span_count);
    put_spans(s, h->negative_spans, h->negative_span_count);
    if (h->schema == -53) {
        put_varbit_uint(s, h->custom_value_count);
        for (size_t i = 0; i < h->custom_value_count; i++) {
            put_custom_bound(s, h->custom_values[i]);
        }
    }
}

void prom_chunk_histogram(struct buf *b, const struct wire_histogram *h)
{
    struct bits s = {.b = b};
    put_head(&s, h, false);
    if (h->is_float) {
        put_floats(&s, h);
    } else {
        put_integers(&s, h);
    }
}

/* -- several histograms in a chunk ----------------------------------------------------------------------- */

/* A number and what it changed by, or a float and the window of its XOR. */
struct column {
    int64_t value, delta;
    uint64_t bits;
    struct xor_window window;
};

struct prom_histogram_chunk {
    struct bits s;
    size_t begin; /* of the chunk in s.b */
    unsigned n;
    bool is_float, with_starts;
    struct start_writer starts;
    struct column ts, count, zero, sum;
    struct column *buckets; /* positive, then negative */
    size_t bucket_count, bucket_cap;
};

enum err prom_histogram_chunk_new(struct prom_histogram_chunk **ret_c)
{
    *ret_c = mem_zalloc(sizeof(**ret_c));
    return *ret_c ? ERR_OK : ERR_OOM;
}

void prom_histogram_chunk_free(struct prom_histogram_chunk *c)
{
    if (c) {
        mem_free(c->buckets);
        mem_free(c);
    }
}

static bool stale(const struct wire_histogram *h)
{
    return bits_of(h->sum) == UINT64_C(0x7ff0000000000002);
}

static void add_integer(struct bits *s, struct column *c, int64_t v)
{
    int64_t delta = (int64_t)((uint64_t)v - (uint64_t)c->value);
    bits_put_varbit_int(s, (int64_t)((uint64_t)delta - (uint64_t)c->delta));
    c->value = v;
    c->delta = delta;
}

static void add_float(struct bits *s, struct column *c, double v)
{
    put_xor(s, &c->window, bits_of(v) ^ c->bits);
    c->bits = bits_of(v);
}

static struct column column_begun(int64_t value, double f)
{
    return (struct column){.value = value, .bits = bits_of(f)};
}

void prom_histogram_chunk_begin(struct prom_histogram_chunk *c, struct buf *b, const struct wire_histogram *h,
                                bool with_starts)
{
    struct wire_histogram none = {.is_float = h->is_float,
                                  .reset_hint = h->reset_hint,
                                  .sum = h->sum,
                                  .ts = h->ts,
                                  .start_ts = h->start_ts};
    h = stale(h) ? &none : h;
    c->bucket_count = h->positive_count + h->negative_count;
    c->begin = b->n;
    c->with_starts = with_starts;
    c->starts = (struct start_writer){.header = b->n + 2};
    c->s = (struct bits){.b = b};
    c->n = 1;
    c->is_float = h->is_float;
    if (vec_reserve((void **)&c->buckets, &c->bucket_cap, c->bucket_count + 1, sizeof(*c->buckets)) !=
        ERR_OK) {
        b->err = ERR_OOM;
        return;
    }
    put_head(&c->s, h, with_starts);
    if (h->is_float) {
        put_floats(&c->s, h);
    } else {
        put_integers(&c->s, h);
    }
    if (with_starts) {
        start_put(&c->starts, &c->s, h->ts, h->start_ts);
    }
    c->ts = column_begun(h->ts, 0);
    c->sum = column_begun(0, h->sum);
    c->count = column_begun((int64_t)h->count_int, h->count_float);
    c->zero = column_begun((int64_t)h->zero_count_int, h->zero_count_float);
    for (size_t i = 0; i < c->bucket_count; i++) {
        bool positive = i < h->positive_count;
        size_t k = positive ? i : i - h->positive_count;
        if (h->is_float) {
            c->buckets[i] = column_begun(0, positive ? h->positive_counts[k] : h->negative_counts[k]);
        } else {
            c->buckets[i] = column_begun(positive ? h->positive_deltas[k] : h->negative_deltas[k], 0);
        }
    }
}

static void add_numbers(struct prom_histogram_chunk *c, const struct wire_histogram *h)
{
    if (c->is_float) {
        add_float(&c->s, &c->count, h->count_float);
        add_float(&c->s, &c->zero, h->zero_count_float);
    } else {
        add_integer(&c->s, &c->count, (int64_t)h->count_int);
        add_integer(&c->s, &c->zero, (int64_t)h->zero_count_int);
    }
    add_float(&c->s, &c->sum, h->sum);
    for (size_t i = 0; i < c->bucket_count && i < h->positive_count + h->negative_count; i++) {
        bool positive = i < h->positive_count;
        size_t k = positive ? i : i - h->positive_count;
        if (c->is_float) {
            add_float(&c->s, &c->buckets[i], positive ? h->positive_counts[k] : h->negative_counts[k]);
        } else {
            add_integer(&c->s, &c->buckets[i], positive ? h->positive_deltas[k] : h->negative_deltas[k]);
        }
    }
}

/* Readers take a staleness marker for the end of a sample; a float one has its count and zero count all the
 * same, an integer one changes neither. */
static void add_stale(struct prom_histogram_chunk *c, const struct wire_histogram *h)
{
    if (c->is_float) {
        add_float(&c->s, &c->count, 0);
        add_float(&c->s, &c->zero, 0);
    } else {
        bits_put_varbit_int(&c->s, 0);
        bits_put_varbit_int(&c->s, 0);
    }
    add_float(&c->s, &c->sum, h->sum);
}

void prom_histogram_chunk_add(struct prom_histogram_chunk *c, const struct wire_histogram *h)
{
    struct buf *b = c->s.b;
    if (b->err) {
        return;
    }
    c->n++;
    unsigned char high = c->with_starts ? (unsigned char)b->p[c->begin] & 0xc0 : 0; /* the hint */
    b->p[c->begin] = (char)(unsigned char)(c->n >> 8 | high);
    b->p[c->begin + 1] = (char)(unsigned char)c->n;
    add_integer(&c->s, &c->ts, h->ts);
    if (stale(h)) {
        add_stale(c, h);
    } else {
        add_numbers(c, h);
    }
    if (c->with_starts) {
        start_put(&c->starts, &c->s, h->ts, h->start_ts);
    }
}
