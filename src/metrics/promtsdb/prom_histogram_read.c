/* Chunks of native histograms: the layout once, then for integer counts differences of differences, for
 * float counts XORed bits, of every bucket. */
#include <math.h>

#include "metrics/model/histogram_arith.h"
#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_chunk_int.h"

enum {
    HEADER_BYTES = 3
};

struct side {
    struct histogram_span *spans;
    uint32_t span_count, n;
    int64_t *counts, *deltas; /* differences to the bucket before, and those between samples */
    uint64_t *bits;           /* of float counts */
    struct prom_xor *windows;
};

struct reading {
    struct prom_bits b;
    struct arena *a;
    bool is_float, gauge;
    int schema;
    double zero_threshold;
    double *bounds;
    uint32_t bound_count;
    struct side sides[2]; /* positive, negative */
    int64_t ts, ts_delta;
    int64_t count, count_delta, zero, zero_delta;
    uint64_t count_bits, zero_bits, sum_bits;
    struct prom_xor count_x, zero_x, sum_x;
};

enum err prom_zero_threshold(struct prom_bits *b, double *ret_threshold)
{
    unsigned v = (unsigned)prom_bits_get(b, 8);
    *ret_threshold = v == 0 ? 0 : v == 255 ? f64_of_bits(prom_bits_get(b, 64)) : ldexp(0.5, (int)v - 243);
    return b->bad ? ERR_CORRUPT : ERR_OK;
}

/* Spans, and the number of their buckets: each takes a bit at least, which bounds what is allocated. */
static enum err side_layout(struct reading *r, struct side *s)
{
    uint64_t n = prom_varbit_uint(&r->b), buckets = 0;
    if (n > prom_bits_left(&r->b)) {
        return ERR_CORRUPT;
    }
    s->spans = arena_array(r->a, n + 1, sizeof(*s->spans));
    if (!s->spans) {
        return arena_err(r->a);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t length = prom_varbit_uint(&r->b);
        int64_t offset = prom_varbit_int(&r->b);
        if (length > UINT32_MAX || offset < INT32_MIN || offset > INT32_MAX) {
            return ERR_CORRUPT;
        }
        s->spans[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
        buckets += length;
    }
    if (r->b.bad || buckets > prom_bits_left(&r->b)) {
        return ERR_CORRUPT;
    }
    s->span_count = (uint32_t)n;
    s->n = (uint32_t)buckets;
    if (r->is_float) {
        s->bits = arena_zarray(r->a, s->n + 1, sizeof(*s->bits));
        s->windows = arena_zarray(r->a, s->n + 1, sizeof(*s->windows));
        return s->bits && s->windows ? ERR_OK : arena_err(r->a);
    }
    s->counts = arena_zarray(r->a, s->n + 1, sizeof(*s->counts));
    s->deltas = arena_zarray(r->a, s->n + 1, sizeof(*s->deltas));
    return s->counts && s->deltas ? ERR_OK : arena_err(r->a);
}

static enum err bounds_layout(struct reading *r)
{
    uint64_t n = prom_varbit_uint(&r->b);
    if (n > prom_bits_left(&r->b)) {
        return ERR_CORRUPT;
    }
    r->bounds = arena_array(r->a, n + 1, sizeof(*r->bounds));
    if (!r->bounds) {
        return arena_err(r->a);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = prom_varbit_uint(&r->b); /* thousandths plus one, or 0 and the bits */
        r->bounds[i] = v ? (double)(v - 1) / 1000 : f64_of_bits(prom_bits_get(&r->b, 64));
    }
    r->bound_count = (uint32_t)n;
    return r->b.bad ? ERR_CORRUPT : ERR_OK;
}

static enum err layout(struct reading *r)
{
    enum err e = prom_zero_threshold(&r->b, &r->zero_threshold);
    int64_t schema = prom_varbit_int(&r->b);
    bool custom = schema == HISTOGRAM_SCHEMA_CUSTOM;
    if (!custom && (schema < HISTOGRAM_SCHEMA_KNOWN_MIN || schema > HISTOGRAM_SCHEMA_KNOWN_MAX)) {
        return ERR_CORRUPT;
    }
    r->schema = (int)schema;
    e = e == ERR_OK ? side_layout(r, &r->sides[0]) : e;
    e = e == ERR_OK ? side_layout(r, &r->sides[1]) : e;
    return e == ERR_OK && custom ? bounds_layout(r) : e;
}

static void first_sample(struct reading *r)
{
    struct prom_bits *b = &r->b;
    r->ts = prom_varbit_int(b);
    if (r->is_float) {
        r->count_bits = prom_bits_get(b, 64);
        r->zero_bits = prom_bits_get(b, 64);
    } else {
        r->count = (int64_t)prom_varbit_uint(b);
        r->zero = (int64_t)prom_varbit_uint(b);
    }
    r->sum_bits = prom_bits_get(b, 64);
    for (int k = 0; k < 2; k++) {
        struct side *s = &r->sides[k];
        for (uint32_t i = 0; i < s->n; i++) {
            if (r->is_float) {
                s->bits[i] = prom_bits_get(b, 64);
            } else {
                s->counts[i] = prom_varbit_int(b);
            }
        }
    }
}

static void add_dod(struct prom_bits *b, int64_t *value, int64_t *delta)
{
    *delta = prom_add(*delta, prom_varbit_int(b));
    *value = prom_add(*value, *delta);
}

/* A staleness marker has no buckets; the counts it has still move the differences. */
static void later_sample(struct reading *r)
{
    struct prom_bits *b = &r->b;
    add_dod(b, &r->ts, &r->ts_delta);
    if (r->is_float) {
        r->count_bits = prom_xor_next(b, &r->count_x, r->count_bits);
        r->zero_bits = prom_xor_next(b, &r->zero_x, r->zero_bits);
    } else {
        add_dod(b, &r->count, &r->count_delta);
        add_dod(b, &r->zero, &r->zero_delta);
    }
    r->sum_bits = prom_xor_next(b, &r->sum_x, r->sum_bits);
    if (r->sum_bits == STALE_NAN_BITS) {
        return;
    }
    for (int k = 0; k < 2; k++) {
        struct side *s = &r->sides[k];
        for (uint32_t i = 0; i < s->n; i++) {
            if (r->is_float) {
                s->bits[i] = prom_xor_next(b, &s->windows[i], s->bits[i]);
            } else {
                add_dod(b, &s->counts[i], &s->deltas[i]);
            }
        }
    }
}

static double *side_counts(const struct reading *r, const struct side *s)
{
    double *out = arena_array(r->a, s->n + 1, sizeof(*out));
    int64_t running = 0;
    for (uint32_t i = 0; out && i < s->n; i++) {
        if (r->is_float) {
            out[i] = f64_of_bits(s->bits[i]);
        } else {
            running = prom_add(running, s->counts[i]);
            out[i] = (double)running;
        }
    }
    return out;
}

static enum err reduce(struct arena *a, struct histogram *h, const struct histogram **ret_h)
{
    struct histogram probe = *h;
    struct histogram_acc acc;
    probe.schema = HISTOGRAM_SCHEMA_MAX;
    enum err e = histogram_check(&probe, NULL);
    e = e == ERR_OK ? histogram_acc_init(&acc, a, h) : ERR_CORRUPT;
    if (e != ERR_OK) {
        return e;
    }
    histogram_acc_reduce(&acc, HISTOGRAM_SCHEMA_MAX);
    acc.is_float = h->is_float;
    return histogram_acc_value(&acc, ret_h);
}

enum err prom_histogram_settle(struct arena *a, struct histogram *h, const struct histogram **ret_h)
{
    enum err e = ERR_OK;
    if (is_stale_nan(h->sum)) {
        *h = (struct histogram){.is_float = h->is_float, .sum = h->sum};
        *ret_h = h;
        return ERR_OK;
    }
    *ret_h = h;
    if (h->schema > HISTOGRAM_SCHEMA_MAX) {
        e = reduce(a, h, ret_h);
    }
    if (e == ERR_OK && histogram_check(*ret_h, NULL) != ERR_OK) {
        e = ERR_CORRUPT;
    }
    return e;
}

/* The present sample as a value. Only the first of a chunk of counters may stand after a reset, and what was
 * before it may be gone: its hint is unknown. */
static enum err value(const struct reading *r, bool first, const struct histogram **ret_h)
{
    struct histogram *h = arena_alloc(r->a, sizeof(*h));
    const struct side *p = &r->sides[0], *n = &r->sides[1];
    if (!h) {
        return arena_err(r->a);
    }
    *h = (struct histogram){.schema = (int8_t)r->schema,
                            .is_float = r->is_float,
                            .reset_hint = r->gauge ? HRESET_GAUGE
                                          : first  ? HRESET_UNKNOWN
                                                   : HRESET_NO,
                            .zero_threshold = r->zero_threshold,
                            .zero_count = r->is_float ? f64_of_bits(r->zero_bits) : (double)(uint64_t)r->zero,
                            .count = r->is_float ? f64_of_bits(r->count_bits) : (double)(uint64_t)r->count,
                            .sum = f64_of_bits(r->sum_bits),
                            .positive_spans = p->spans,
                            .negative_spans = n->spans,
                            .positive_span_count = p->span_count,
                            .negative_span_count = n->span_count,
                            .positive_count = p->n,
                            .negative_count = n->n,
                            .custom_values = r->bounds,
                            .custom_value_count = r->bound_count};
    if (r->sum_bits != STALE_NAN_BITS) {
        h->positive = side_counts(r, p);
        h->negative = side_counts(r, n);
        if (!h->positive || !h->negative) {
            return arena_err(r->a);
        }
    }
    return prom_histogram_settle(r->a, h, ret_h);
}

enum err prom_histograms_decode(unsigned encoding, struct str data, struct arena *a, struct prom_samples *out)
{
    bool with_starts = encoding >= PROM_ENC_HISTOGRAM_ST;
    uint8_t flags = (uint8_t)data.p[with_starts ? 0 : HEADER_BYTES - 1];
    struct prom_starts starts = prom_starts_of(with_starts ? (uint8_t)data.p[HEADER_BYTES - 1] : 0);
    struct reading r = {.b = prom_bits_of(str_slice(data, HEADER_BYTES, data.n)),
                        .a = a,
                        .is_float =
                            encoding == PROM_ENC_FLOAT_HISTOGRAM || encoding == PROM_ENC_FLOAT_HISTOGRAM_ST,
                        .gauge = (flags & PROM_RESET_MASK) == PROM_RESET_GAUGE};
    enum err e = out->n ? layout(&r) : ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < out->n; i++) {
        int64_t before = r.ts;
        if (i == 0) {
            first_sample(&r);
        } else {
            later_sample(&r);
        }
        if (with_starts) {
            prom_starts_next(&r.b, &starts, i, r.ts, before);
            out->starts[i] = starts.start;
        }
        out->ts[i] = r.ts;
        e = r.b.bad ? ERR_CORRUPT : value(&r, i == 0, &out->histograms[i]);
    }
    return e;
}
