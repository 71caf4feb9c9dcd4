/* Decimals as packed integers. */
#include "metrics/tsdb/integers.h"

#include <math.h>

#include "codec/varint.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/bits.h"

enum {
    EXPONENT_MAX = 14,
    ORDER_MAX = 2,
    GROUP = 32,
    WIDTH_BITS = 6,
    WIDTH_MAX = 60,
    EXCEPTIONS_SHARE = 16 /* one in so many may be one */
};

static const double powers[EXPONENT_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
static const double MAGNITUDE_MAX = 9007199254740992.0; /* 2^53 */

static bool scaled(uint64_t bits, unsigned e, int64_t *ret_m)
{
    double x = f64_of_bits(bits) * powers[e];
    if (!(x > -MAGNITUDE_MAX && x < MAGNITUDE_MAX)) { /* NaN too */
        return false;
    }
    int64_t m = (int64_t)(x + (x < 0 ? -0.5 : 0.5));
    *ret_m = m;
    return f64_bits((double)m / powers[e]) == bits;
}

/* The smallest exponent that fits almost all values. What fits at e fits above as well, so one pass is enough
 * as long as no value is taken for an exception too early: those that fit nowhere. */
static bool exponent_find(const uint64_t *v, size_t n, struct integers *in)
{
    unsigned e = 0;
    size_t exceptions = 0;
    int64_t m;
    for (size_t i = 0; i < n; i++) {
        unsigned try_e = e;
        while (try_e <= EXPONENT_MAX && !scaled(v[i], try_e, &m)) {
            try_e++;
        }
        if (try_e <= EXPONENT_MAX) {
            e = try_e;
        } else if (++exceptions > n / EXCEPTIONS_SHARE) {
            return false;
        }
    }
    in->exponent = (uint8_t)e;
    return true;
}

static unsigned width_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Bits of the groups when `k`-th differences are stored; SIZE_MAX when one is too wide. */
static size_t order_bits(const int64_t *x, size_t n, int64_t *ret_min)
{
    int64_t min = n ? x[0] : 0;
    for (size_t i = 1; i < n; i++) {
        min = x[i] < min ? x[i] : min;
    }
    size_t bits = 0;
    for (size_t g = 0; g < n; g += GROUP) {
        size_t count = n - g < GROUP ? n - g : GROUP;
        uint64_t all = 0;
        for (size_t i = 0; i < count; i++) {
            all |= (uint64_t)x[g + i] - (uint64_t)min;
        }
        if (width_of(all) > WIDTH_MAX) {
            return SIZE_MAX;
        }
        bits += WIDTH_BITS + count * width_of(all);
    }
    *ret_min = min;
    return bits;
}

/* In place from index k on: what stands before stays whole. */
static void differences(int64_t *x, size_t n, size_t k)
{
    for (size_t i = n; i-- > k;) {
        x[i] = (int64_t)((uint64_t)x[i] - (uint64_t)x[i - 1]);
    }
}

bool integers_plan(const uint64_t *v, size_t n, struct integers *in)
{
    if (n < 2 || n > INTEGERS_COUNT_MAX || !exponent_find(v, n, in)) {
        return false;
    }
    in->exceptions = 0;
    for (size_t i = 0; i < n; i++) {
        if (!scaled(v[i], in->exponent, &in->m[i])) {
            in->m[i] = i ? in->m[i - 1] : 0;
            in->exceptions++;
        }
    }
    if (in->exceptions > n / EXCEPTIONS_SHARE) {
        return false;
    }
    int64_t x[INTEGERS_COUNT_MAX];
    memcpy(x, in->m, n * sizeof(*x));
    size_t best = SIZE_MAX;
    for (size_t k = 0; k <= ORDER_MAX && k < n; k++) {
        if (k > 0) {
            differences(x, n, k);
        }
        int64_t min = 0;
        size_t bits = order_bits(x + k, n - k, &min);
        if (bits < best) {
            best = bits;
            in->order = (uint8_t)k;
            in->min = min;
        }
    }
    in->bytes = best / 8 + 1 + in->exceptions * 10 + in->order * 8u + varint_len(zigzag_encode(in->min)) + 2;
    return best != SIZE_MAX;
}

size_t integers_write(struct integers *in, const uint64_t *v, size_t n, uint8_t *out)
{
    size_t at = 0;
    int64_t m;
    out[at++] = (uint8_t)(in->exponent | in->order << 4);
    at += put_varint(out + at, in->exceptions);
    for (size_t i = 0; in->exceptions && i < n; i++) {
        if (!scaled(v[i], in->exponent, &m)) {
            at += put_varint(out + at, i);
            store_be64(out + at, v[i]);
            at += 8;
        }
    }
    for (size_t k = 1; k <= in->order; k++) {
        differences(in->m, n, k);
    }
    for (size_t k = 0; k < in->order; k++) {
        at += put_varint(out + at, zigzag_encode(in->m[k]));
    }
    at += put_varint(out + at, zigzag_encode(in->min));
    uint32_t pos = 0;
    for (size_t g = in->order; g < n; g += GROUP) {
        size_t count = n - g < GROUP ? n - g : GROUP;
        uint64_t all = 0;
        for (size_t i = 0; i < count; i++) {
            all |= (uint64_t)in->m[g + i] - (uint64_t)in->min;
        }
        unsigned width = width_of(all);
        bits_put(out + at, &pos, width, WIDTH_BITS);
        for (size_t i = 0; i < count; i++) {
            bits_put(out + at, &pos, (uint64_t)in->m[g + i] - (uint64_t)in->min, width);
        }
    }
    return at + (pos + 7) / 8;
}

/* The patterns of exceptions over the decoded ones. */
static enum err patch(struct reader r, size_t exceptions, size_t n, value_bits *ret_v)
{
    for (size_t i = 0; i < exceptions; i++) {
        uint64_t at = read_varint(&r);
        struct str b = read_bytes(&r, 8);
        if (r.bad || at >= n) {
            return ERR_CORRUPT;
        }
        ret_v[at] = load_be64((const uint8_t *)b.p);
    }
    return ERR_OK;
}

/* A group's values, `width` bits each (1 to 56), from bit `pos` on; 8 bytes may be read from where the last
 * one begins. */
static void unpack_group(const uint8_t *p, size_t pos, unsigned width, size_t n, uint64_t min, value_bits *m)
{
    for (size_t i = 0; i < n; i++, pos += width) {
        m[i] = min + (load_be64(p + (pos >> 3)) << (pos & 7) >> (64 - width));
    }
}

static void unpack_wide(const uint8_t *p, size_t n_bytes, size_t pos, unsigned width, size_t n, uint64_t min,
                        value_bits *m)
{
    struct bit_reader b = {.p = p, .n_bytes = n_bytes, .pos = pos};
    for (size_t i = 0; i < n; i++) {
        m[i] = min + bits_get(&b, width);
    }
}

/* The group at bit `pos` behind its width; the caller has checked that the stream has it whole. */
static void unpack_any(const uint8_t *p, size_t n_bytes, size_t pos, unsigned width, size_t n, uint64_t min,
                       value_bits *m)
{
    enum {
        SIMPLE_MAX = 56,
        GROUP_BYTES_MAX = (GROUP * SIMPLE_MAX + 7) / 8 + 1
    };
    size_t from = pos >> 3, bytes = (pos + n * width + 7) / 8 - from;
    if (width == 0) {
        for (size_t i = 0; i < n; i++) {
            m[i] = min;
        }
    } else if (width > SIMPLE_MAX) {
        unpack_wide(p, n_bytes, pos, width, n, min, m);
    } else if (from + bytes + 8 <= n_bytes) {
        unpack_group(p, pos, width, n, min, m);
    } else { /* the stream's end: from a copy with room behind it */
        uint8_t padded[GROUP_BYTES_MAX + 8] = {0};
        memcpy(padded, p + from, bytes);
        unpack_group(padded, pos & 7, width, n, min, m);
    }
}

static enum err unpack(const uint8_t *p, size_t n_bytes, size_t from, size_t n, uint64_t min, value_bits *m)
{
    struct bit_reader b = {.p = p, .n_bytes = n_bytes};
    for (size_t g = from; g < n; g += GROUP) {
        size_t count = n - g < GROUP ? n - g : GROUP;
        unsigned width = (unsigned)bits_get(&b, WIDTH_BITS);
        if (b.bad || width > WIDTH_MAX || count * width > n_bytes * 8 - b.pos) {
            return ERR_CORRUPT;
        }
        unpack_any(p, n_bytes, b.pos, width, count, min, m + g);
        b.pos += count * width;
    }
    return ERR_OK;
}

/* Differences become sums again, in one pass. The first `order` are whole. */
static void sum_up(value_bits *m, size_t n, unsigned order)
{
    uint64_t v, slope;
    if (order == 1) {
        v = m[0];
        for (size_t i = 1; i < n; i++) {
            v += m[i];
            m[i] = v;
        }
    } else if (order == 2) {
        slope = m[1];
        v = m[0] + slope;
        m[1] = v;
        for (size_t i = 2; i < n; i++) {
            slope += m[i];
            v += slope;
            m[i] = v;
        }
    }
}

/* Integers into the bits of the decimals they stand for. */
static void scale_down(value_bits *m, size_t n, double power)
{
    double v[GROUP];
    for (size_t g = 0; g < n; g += GROUP) {
        size_t count = n - g < GROUP ? n - g : GROUP;
        for (size_t i = 0; i < count; i++) {
            v[i] = (double)(int64_t)m[g + i];
        }
        if (power > 1) {
            for (size_t i = count; i < GROUP; i++) {
                v[i] = 0;
            }
            for (size_t i = 0; i < GROUP; i++) { /* a fixed count: several at once */
                v[i] /= power;
            }
        }
        memcpy(m + g, v, count * sizeof(*v));
    }
}

static enum err unpack_plain(const struct integers_packed *in, size_t n, value_bits *v)
{
    if (unpack(in->p, in->n_bytes, in->order, n, in->min, v) != ERR_OK) {
        return ERR_CORRUPT;
    }
    sum_up(v, n, in->order);
    scale_down(v, n, in->power);
    return ERR_OK;
}

typedef enum err unpack_fn(const struct integers_packed *in, size_t n, value_bits *v);

static enum err decode(const uint8_t *p, size_t n_bytes, size_t n, unpack_fn *unpack_all, value_bits *ret_v)
{
    struct reader r = reader_of(str_of((const char *)p, n_bytes));
    unsigned head = read_u8(&r), order = head >> 4, exponent = head & 15;
    uint64_t exceptions = read_varint(&r);
    struct reader patches = r;
    if (r.bad || order > ORDER_MAX || exponent > EXPONENT_MAX || order >= n || exceptions > n) {
        return ERR_CORRUPT;
    }
    for (uint64_t i = 0; i < exceptions; i++) {
        (void)read_varint(&r);
        (void)read_bytes(&r, 8);
    }
    for (unsigned k = 0; k < order; k++) {
        ret_v[k] = (uint64_t)read_zigzag(&r);
    }
    struct integers_packed in = {.order = order, .power = powers[exponent]};
    in.min = (uint64_t)read_zigzag(&r);
    in.p = r.p;
    in.n_bytes = reader_left(&r);
    if (r.bad || unpack_all(&in, n, ret_v) != ERR_OK) {
        return ERR_CORRUPT;
    }
    return exceptions ? patch(patches, (size_t)exceptions, n, ret_v) : ERR_OK;
}

enum err integers_decode_plain(const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v)
{
    return decode(p, n_bytes, n, unpack_plain, ret_v);
}

enum err integers_decode(const uint8_t *p, size_t n_bytes, size_t n, value_bits *ret_v)
{
#if defined(__x86_64__)
    if (integers_v4_runs()) {
        return decode(p, n_bytes, n, integers_unpack_v4, ret_v);
    }
#endif
    return integers_decode_plain(p, n_bytes, n, ret_v);
}
