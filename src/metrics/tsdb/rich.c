/* The stream of rich samples. */
#include "metrics/tsdb/rich.h"

#include "base/hash.h"
#include "codec/varint.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"

enum {
    KIND_FLOAT = 0,
    KIND_INTEGER, /* counts as integers */
    KIND_DOUBLE,
    KIND_WIDE, /* an integer histogram whose counts are written as floats: too large, or not whole */
    KIND_MASK = 3,
    HINT_SHIFT = 2,
    FLAG_START = 16,
    FLAG_SAME = 32,
    FLAG_STALE = 64,
    SAMPLE_BYTES_MAX = 96, /* all but spans, bounds and buckets */
    VARINT_BYTES_MAX = 10
};

static const int64_t COUNT_MAX = INT64_C(1) << 53; /* larger integers are no exact floats */

/* -- identity -------------------------------------------------------------------------------------------- */

uint64_t value_identity(const struct sample_value *v)
{
    const struct histogram *h = v->h;
    if (!h) {
        return v->bits;
    }
    if (is_stale_nan(h->sum)) {
        return hash_u64(STALE_NAN_BITS + 1);
    }
    uint64_t head[] = {(uint8_t)h->schema | (uint64_t)h->is_float << 8, f64_bits(h->zero_threshold),
                       f64_bits(h->zero_count), f64_bits(h->count), f64_bits(h->sum)};
    uint64_t x = hash_bytes(head, sizeof(head));
    x = hash_u64(x ^ hash_bytes(h->positive_spans, h->positive_span_count * sizeof(*h->positive_spans)));
    x = hash_u64(x ^ hash_bytes(h->negative_spans, h->negative_span_count * sizeof(*h->negative_spans)));
    x = hash_u64(x ^ hash_bytes(h->positive, h->positive_count * sizeof(*h->positive)));
    x = hash_u64(x ^ hash_bytes(h->negative, h->negative_count * sizeof(*h->negative)));
    return hash_u64(x ^ hash_bytes(h->custom_values, h->custom_value_count * sizeof(*h->custom_values)));
}

/* -- writing --------------------------------------------------------------------------------------------- */

static bool whole(const double *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!(v[i] >= 0 && v[i] < 0x1p53 && (double)(int64_t)v[i] == v[i]) ||
            f64_bits(v[i]) == f64_bits(-0.0)) {
            return false;
        }
    }
    return true;
}

static uint8_t kind_of(const struct histogram *h)
{
    if (h->is_float) {
        return KIND_DOUBLE;
    }
    bool integers = whole(&h->count, 1) && whole(&h->zero_count, 1) &&
                    whole(h->positive, h->positive_count) && whole(h->negative, h->negative_count);
    return integers ? KIND_INTEGER : KIND_WIDE;
}

static bool spans_same(const struct histogram_span *a, uint32_t an, const struct histogram_span *b,
                       uint32_t bn)
{
    return an == bn && (an == 0 || memcmp(a, b, an * sizeof(*a)) == 0);
}

static bool layout_same(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
           a->positive_count == b->positive_count && a->negative_count == b->negative_count &&
           spans_same(a->positive_spans, a->positive_span_count, b->positive_spans, b->positive_span_count) &&
           spans_same(a->negative_spans, a->negative_span_count, b->negative_spans, b->negative_span_count) &&
           a->custom_value_count == b->custom_value_count &&
           (a->custom_value_count == 0 || memcmp(a->custom_values, b->custom_values,
                                                 a->custom_value_count * sizeof(*a->custom_values)) == 0);
}

static void write_bits(struct buf *b, uint64_t bits)
{
    write_varint(b, __builtin_bswap64(bits));
}

static void write_spans(struct buf *b, const struct histogram_span *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        write_zigzag(b, s[i].offset);
        write_varint(b, s[i].length);
    }
}

static void write_layout(struct buf *b, const struct histogram *h)
{
    write_zigzag(b, h->schema);
    write_bits(b, f64_bits(h->zero_threshold));
    write_varint(b, h->positive_span_count);
    write_varint(b, h->negative_span_count);
    write_varint(b, h->custom_value_count);
    write_spans(b, h->positive_spans, h->positive_span_count);
    write_spans(b, h->negative_spans, h->negative_span_count);
    uint64_t before = 0;
    for (uint32_t i = 0; i < h->custom_value_count; i++) {
        write_bits(b, f64_bits(h->custom_values[i]) ^ before);
        before = f64_bits(h->custom_values[i]);
    }
}

static void write_integers(struct buf *b, const double *v, const double *base, uint32_t n)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t c = (int64_t)v[i];
        write_zigzag(b, c - (base ? (int64_t)base[i] : before));
        before = c;
    }
}

static void write_doubles(struct buf *b, const double *v, const double *base, uint32_t n)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t c = f64_bits(v[i]);
        write_bits(b, c ^ (base ? f64_bits(base[i]) : before));
        before = c;
    }
}

static void write_histogram(struct buf *b, const struct histogram *h, const struct histogram *base,
                            uint8_t kind)
{
    void (*put)(struct buf *, const double *, const double *, uint32_t) =
        kind == KIND_INTEGER ? write_integers : write_doubles;
    if (!base) {
        write_layout(b, h);
    }
    write_bits(b, f64_bits(h->sum) ^ (base ? f64_bits(base->sum) : 0));
    put(b, &h->count, base ? &base->count : NULL, 1);
    put(b, &h->zero_count, base ? &base->zero_count : NULL, 1);
    put(b, h->positive, base ? base->positive : NULL, h->positive_count);
    put(b, h->negative, base ? base->negative : NULL, h->negative_count);
}

void rich_write(struct buf *b, struct rich_state *state, const struct sample_value *v)
{
    const struct histogram *h = v->h;
    uint8_t kind = h ? kind_of(h) : KIND_FLOAT;
    bool stale = h && is_stale_nan(h->sum);
    const struct histogram *base =
        h && !stale && state->last && state->last_kind == kind && layout_same(h, state->last) ? state->last
                                                                                              : NULL;
    unsigned flags = kind | (h ? (unsigned)h->reset_hint << HINT_SHIFT : 0);
    flags |=
        (v->start != state->start ? FLAG_START : 0u) | (base ? FLAG_SAME : 0u) | (stale ? FLAG_STALE : 0u);
    write_u8(b, (uint8_t)flags);
    if (flags & FLAG_START) {
        write_zigzag(b, (int64_t)((uint64_t)v->start - (uint64_t)state->start));
        state->start = v->start;
    }
    if (!h) {
        write_bits(b, v->bits ^ state->bits);
        state->bits = v->bits;
    } else if (!stale) {
        write_histogram(b, h, base, kind);
        state->last = h;
        state->last_kind = kind;
    }
}

size_t rich_bound(const struct sample_value *v)
{
    const struct histogram *h = v->h;
    if (!h) {
        return SAMPLE_BYTES_MAX;
    }
    size_t spans = (size_t)h->positive_span_count + h->negative_span_count;
    size_t numbers = (size_t)h->positive_count + h->negative_count + h->custom_value_count;
    return SAMPLE_BYTES_MAX + (spans * 2 + numbers) * VARINT_BYTES_MAX;
}

/* -- reading --------------------------------------------------------------------------------------------- */

struct rich_reader {
    struct reader r;
    struct arena *a;
    struct rich_state state;
};

static uint64_t read_bits(struct reader *r)
{
    return __builtin_bswap64(read_varint(r));
}

/* Spans; *ret_buckets: how many buckets they have. */
static enum err read_spans(struct rich_reader *in, uint64_t n, const struct histogram_span **ret_spans,
                           uint32_t *ret_n, uint32_t *ret_buckets)
{
    if (n > reader_left(&in->r) / 2) {
        return ERR_CORRUPT;
    }
    struct histogram_span *out = arena_array(in->a, (size_t)n + 1, sizeof(*out));
    uint64_t buckets = 0;
    if (!out) {
        return arena_err(in->a);
    }
    for (uint64_t i = 0; i < n; i++) {
        int64_t offset = read_zigzag(&in->r);
        uint64_t length = read_varint(&in->r);
        if (offset < INT32_MIN || offset > INT32_MAX || length > UINT32_MAX) {
            return ERR_CORRUPT;
        }
        out[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
        buckets += length;
        if (buckets > reader_left(&in->r)) { /* each takes a byte at least */
            return ERR_CORRUPT;
        }
    }
    *ret_spans = out;
    *ret_n = (uint32_t)n;
    *ret_buckets = (uint32_t)buckets;
    return in->r.bad ? ERR_CORRUPT : ERR_OK;
}

static enum err read_layout(struct rich_reader *in, struct histogram *h)
{
    struct reader *r = &in->r;
    int64_t schema = read_zigzag(r);
    h->zero_threshold = f64_of_bits(read_bits(r));
    uint64_t positive = read_varint(r), negative = read_varint(r), custom = read_varint(r);
    bool known = schema == HISTOGRAM_SCHEMA_CUSTOM ||
                 (schema >= HISTOGRAM_SCHEMA_MIN && schema <= HISTOGRAM_SCHEMA_MAX);
    if (r->bad || !known) {
        return ERR_CORRUPT;
    }
    h->schema = (int8_t)schema;
    enum err e = read_spans(in, positive, &h->positive_spans, &h->positive_span_count, &h->positive_count);
    if (e == ERR_OK) {
        e = read_spans(in, negative, &h->negative_spans, &h->negative_span_count, &h->negative_count);
    }
    if (e != ERR_OK || custom > reader_left(r)) {
        return e != ERR_OK ? e : ERR_CORRUPT;
    }
    double *bounds = arena_array(in->a, (size_t)custom + 1, sizeof(*bounds));
    if (!bounds) {
        return arena_err(in->a);
    }
    uint64_t before = 0;
    for (uint64_t i = 0; i < custom; i++) {
        before ^= read_bits(r);
        bounds[i] = f64_of_bits(before);
    }
    h->custom_values = bounds;
    h->custom_value_count = (uint32_t)custom;
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

static void read_integers(struct reader *r, double *out, const double *base, uint32_t n)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t from = (uint64_t)(base ? (int64_t)base[i] : before);
        before = (int64_t)(from + (uint64_t)read_zigzag(r));
        if (before < 0 || before > COUNT_MAX) {
            r->bad = true;
            before = 0;
        }
        out[i] = (double)before;
    }
}

static void read_doubles(struct reader *r, double *out, const double *base, uint32_t n)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        before = read_bits(r) ^ (base ? f64_bits(base[i]) : before);
        out[i] = f64_of_bits(before);
    }
}

static enum err read_histogram(struct rich_reader *in, struct histogram *h, const struct histogram *base,
                               uint8_t kind)
{
    void (*get)(struct reader *, double *, const double *, uint32_t) =
        kind == KIND_INTEGER ? read_integers : read_doubles;
    uint8_t hint = h->reset_hint;
    enum err e = ERR_OK;
    if (base) {
        *h = *base;
        h->reset_hint = hint;
    } else {
        e = read_layout(in, h);
    }
    if (e != ERR_OK || (uint64_t)h->positive_count + h->negative_count > reader_left(&in->r)) {
        return e != ERR_OK ? e : ERR_CORRUPT;
    }
    double *positive = arena_array(in->a, h->positive_count + 1u, sizeof(*positive));
    double *negative = arena_array(in->a, h->negative_count + 1u, sizeof(*negative));
    if (!positive || !negative) {
        return arena_err(in->a);
    }
    h->sum = f64_of_bits(read_bits(&in->r) ^ (base ? f64_bits(base->sum) : 0));
    get(&in->r, &h->count, base ? &base->count : NULL, 1);
    get(&in->r, &h->zero_count, base ? &base->zero_count : NULL, 1);
    get(&in->r, positive, base ? base->positive : NULL, h->positive_count);
    get(&in->r, negative, base ? base->negative : NULL, h->negative_count);
    h->positive = positive;
    h->negative = negative;
    h->is_float = kind == KIND_DOUBLE;
    return in->r.bad ? ERR_CORRUPT : ERR_OK;
}

static enum err read_sample(struct rich_reader *in, struct sample_value *ret_v)
{
    unsigned flags = read_u8(&in->r);
    uint8_t kind = flags & KIND_MASK;
    if (flags & FLAG_START) {
        in->state.start = (ts_ms)((uint64_t)in->state.start + (uint64_t)read_zigzag(&in->r));
    }
    *ret_v = (struct sample_value){.start = in->state.start};
    if (kind == KIND_FLOAT) {
        in->state.bits ^= read_bits(&in->r);
        ret_v->bits = in->state.bits;
        return in->r.bad ? ERR_CORRUPT : ERR_OK;
    }
    bool same = (flags & FLAG_SAME) != 0;
    if (same && (!in->state.last || in->state.last_kind != kind)) {
        return ERR_CORRUPT;
    }
    struct histogram *h = arena_zalloc(in->a, sizeof(*h));
    if (!h) {
        return arena_err(in->a);
    }
    h->reset_hint = (flags >> HINT_SHIFT) & 3;
    ret_v->h = h;
    if (flags & FLAG_STALE) {
        h->is_float = kind == KIND_DOUBLE;
        h->sum = stale_nan();
        return in->r.bad ? ERR_CORRUPT : ERR_OK;
    }
    enum err e = read_histogram(in, h, same ? in->state.last : NULL, kind);
    in->state.last = h;
    in->state.last_kind = kind;
    return e;
}

enum err rich_read(struct str bytes, size_t n, struct arena *a, struct rich_columns *out)
{
    struct rich_reader in = {.r = reader_of(bytes), .a = a};
    for (size_t i = 0; i < n; i++) {
        struct sample_value v = {0};
        enum err e = read_sample(&in, &v);
        if (e != ERR_OK) {
            return e;
        }
        out->bits[i] = v.bits;
        if (out->histograms) {
            out->histograms[i] = v.h;
        }
        if (out->starts) {
            out->starts[i] = v.start;
        }
    }
    return reader_left(&in.r) == 0 ? ERR_OK : ERR_CORRUPT;
}

enum err rich_read_one(struct str bytes, struct arena *a, struct sample_value *ret_v)
{
    struct rich_reader in = {.r = reader_of(bytes), .a = a};
    struct sample_value v = {0};
    enum err e = read_sample(&in, &v);
    if (e == ERR_OK && reader_left(&in.r)) {
        e = ERR_CORRUPT;
    }
    if (e == ERR_OK) {
        *ret_v = v;
    }
    return e;
}
