/* The column codecs. */
#include "metrics/tsdb/values.h"

#include "codec/varint.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/integers.h"

void xor_append(uint8_t *p, struct xor_state *s, uint64_t value)
{
    if (s->bits == 0) {
        bits_put(p, &s->bits, value, 64);
        s->last = value;
        s->lead = 0;
        s->sig = 0;
        return;
    }
    uint64_t x = value ^ s->last;
    s->last = value;
    if (x == 0) {
        bits_put(p, &s->bits, 0, 1);
        return;
    }
    unsigned lead = (unsigned)__builtin_clzll(x), trail = (unsigned)__builtin_ctzll(x);
    unsigned window_trail = 64u - s->lead - s->sig;
    unsigned sig = 64 - lead - trail;
    /* The old window is kept while it wastes no more than a new one costs. */
    if (s->sig && lead >= s->lead && trail >= window_trail && s->sig <= sig + 12) {
        bits_put(p, &s->bits, 2, 2);
        bits_put(p, &s->bits, x >> window_trail, s->sig);
        return;
    }
    bits_put(p, &s->bits, (3u << 12) | (lead << 6) | (sig - 1), 14);
    bits_put(p, &s->bits, x >> trail, sig);
    s->lead = (uint8_t)lead;
    s->sig = (uint8_t)sig;
}

enum {
    PEEK_BITS = 57 /* of a window that may begin within a byte */
};

/* Where a decoder of an XOR stream stands. */
struct xor_reader {
    struct bit_reader r;
    uint64_t v;
    unsigned lead, sig;
};

/* The next value, with a question for every bit read: near the stream's end. */
static bool xor_next(struct xor_reader *x)
{
    struct bit_reader *r = &x->r;
    if (!bits_get(r, 1)) {
        return !r->bad;
    }
    if (bits_get(r, 1)) {
        unsigned w = (unsigned)bits_get(r, 12);
        x->lead = w >> 6;
        x->sig = (w & 63) + 1;
    }
    if (r->bad || x->sig == 0 || x->lead + x->sig > 64) {
        return false;
    }
    x->v ^= bits_get(r, x->sig) << (64 - x->lead - x->sig);
    return !r->bad;
}

/* The same with the stream's next bits at hand, the first of which is 1. */
static bool xor_changed(struct xor_reader *x, uint64_t w)
{
    unsigned head = 2;
    if (w << 1 >> 63) {
        x->lead = (unsigned)(w >> 56) & 63;
        x->sig = ((unsigned)(w >> 50) & 63) + 1;
        head = 14;
    }
    if (x->sig == 0 || x->lead + x->sig > 64) {
        return false;
    }
    x->r.pos += head;
    uint64_t bits = 0;
    if (head + x->sig <= PEEK_BITS) {
        bits = w << head >> (64 - x->sig);
        x->r.pos += x->sig;
    } else {
        bits = bits_get(&x->r, x->sig);
    }
    x->v ^= bits << (64 - x->lead - x->sig);
    return !x->r.bad;
}

static enum err xor_decode(const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v)
{
    struct xor_reader x = {.r = {.p = p, .n_bytes = n_bytes}};
    size_t i = 1;
    x.v = bits_get(&x.r, 64);
    ret_v[0] = x.v;
    while (i < n && (x.r.pos >> 3) + 8 <= n_bytes) {
        uint64_t w = load_be64(p + (x.r.pos >> 3)) << (x.r.pos & 7);
        if (w >> 63) {
            if (!xor_changed(&x, w)) {
                return ERR_CORRUPT;
            }
            ret_v[i++] = x.v;
            continue;
        }
        size_t same = w ? (size_t)__builtin_clzll(w) : 64; /* a 0 for each value that is as the one before */
        same = same < PEEK_BITS ? same : PEEK_BITS;
        same = same < n - i ? same : n - i;
        x.r.pos += same;
        for (size_t k = 0; k < same; k++) {
            ret_v[i++] = x.v;
        }
    }
    for (; i < n; i++) {
        if (!xor_next(&x)) {
            return ERR_CORRUPT;
        }
        ret_v[i] = x.v;
    }
    return x.r.bad ? ERR_CORRUPT : ERR_OK;
}

static size_t xor_encode(const uint64_t *v, size_t n, uint8_t *out)
{
    struct xor_state s = {0};
    for (size_t i = 0; i < n; i++) {
        xor_append(out, &s, v[i]);
    }
    return (s.bits + 7) / 8;
}

/* Bytes that xor_encode would take. */
static size_t xor_size(const uint64_t *v, size_t n)
{
    uint8_t scratch[XOR_BYTES_PER_VALUE_MAX * 2 + XOR_SLACK_BYTES];
    struct xor_state s = {0};
    size_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = s.bits;
        xor_append(scratch, &s, v[i]);
        bits += s.bits - at;
        s.bits = s.bits % 8 + 8; /* the scratch is written over and over; never 0, which begins a stream */
    }
    return (bits + 7) / 8;
}

size_t values_encode(const uint64_t *v, size_t n, uint8_t *out, uint8_t *ret_mode)
{
    size_t same = 1;
    while (same < n && v[same] == v[0]) {
        same++;
    }
    if (same == n) {
        size_t bytes = 8;
        store_be64(out, v[0]);
        while (bytes > 0 && out[bytes - 1] == 0) {
            bytes--;
        }
        *ret_mode = VALUES_CONST;
        return bytes;
    }
    struct integers in;
    if (integers_plan(v, n, &in)) {
        /* A guess is enough to skip the XOR stream: it seldom takes less than a byte and a half a value. */
        if (in.bytes <= n + n / 2 + 8 || in.bytes <= xor_size(v, n)) {
            *ret_mode = VALUES_INTEGERS;
            return integers_write(&in, v, n, out);
        }
    }
    *ret_mode = VALUES_XOR;
    return xor_encode(v, n, out);
}

enum err values_decode(unsigned mode, const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v)
{
    if (n == 0) {
        return ERR_CORRUPT;
    }
    if (mode == VALUES_XOR) {
        return xor_decode(p, n_bytes, n, ret_v);
    }
    if (mode == VALUES_INTEGERS) {
        return integers_decode(p, n_bytes, n, ret_v);
    }
    if (mode == VALUES_CONST && n_bytes <= 8) {
        uint8_t padded[8] = {0};
        memcpy(padded, p, n_bytes);
        uint64_t v = load_be64(padded);
        for (size_t i = 0; i < n; i++) {
            ret_v[i] = v;
        }
        return ERR_OK;
    }
    return ERR_CORRUPT;
}

size_t times_encode(const int64_t *ts, size_t n, uint8_t *out)
{
    size_t at = 0;
    uint64_t before = 0;
    for (size_t i = 1; i < n; i++) {
        uint64_t delta = (uint64_t)ts[i] - (uint64_t)ts[i - 1];
        at += put_varint(out + at, zigzag_encode((int64_t)(delta - before)));
        before = delta;
    }
    return at;
}

enum err times_decode(const uint8_t *p, size_t n_bytes, int64_t first, size_t n, int64_t *ret_ts)
{
    if (n == 0) {
        return ERR_CORRUPT;
    }
    struct reader r = reader_of(str_of((const char *)p, n_bytes));
    uint64_t delta = 0, t = (uint64_t)first;
    ret_ts[0] = first;
    for (size_t i = 1; i < n; i++) {
        uint64_t next = 1;
        if (i + 8 <= n && reader_left(&r) >= 8) {
            memcpy(&next, r.p, sizeof(next));
        }
        if (next == 0) { /* eight ticks in step */
            r.p += 8;
            for (size_t k = 0; k < 8; k++) {
                ret_ts[i + k] = (int64_t)(t + (k + 1) * delta);
            }
            t += 8 * delta;
            i += 7;
            continue;
        }
        delta += (uint64_t)read_zigzag(&r);
        t += delta;
        ret_ts[i] = (int64_t)t;
    }
    return r.bad ? ERR_CORRUPT : ERR_OK;
}
