/* Integer columns. A width above 56 bits is stored as 64, so that one unaligned load finds any other value.
 */
#include "logs/store/ints.h"

#include "base/mem.h"
#include "codec/compress.h"

enum {
    FORM_CONST = 0,
    FORM_PACKED = 1,
    FORM_DELTA = 2,
    FORM_ENTROPY = 3,
    FRAME = 128,
    WIDTH_LOADED_MAX = 56,
    ENTROPY_COUNT_MIN = 64, /* shorter columns do not pay zstd's header */
    ENTROPY_WIDTH_MAX = 7,  /* wider values are two bytes as varints, and have little to gain */
    ENTROPY_BYTES_MAX = 10, /* of a varint */
};

static unsigned width_of(uint64_t v)
{
    unsigned w = v ? 64u - (unsigned)__builtin_clzll(v) : 0;
    return w > WIDTH_LOADED_MAX ? 64 : w;
}

static size_t packed_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

struct frame {
    uint64_t least;
    unsigned width;
};

static struct frame frame_of(const uint64_t *v, size_t n)
{
    uint64_t least = v[0], most = v[0];
    for (size_t i = 1; i < n; i++) {
        least = v[i] < least ? v[i] : least;
        most = v[i] > most ? v[i] : most;
    }
    return (struct frame){least, width_of(most - least)};
}

static size_t frames_size(const uint64_t *v, size_t n, unsigned *ret_width)
{
    size_t size = 0;
    unsigned widest = 0;
    for (size_t at = 0; at < n; at += FRAME) {
        size_t k = n - at < FRAME ? n - at : FRAME;
        struct frame f = frame_of(v + at, k);
        size += varint_len(f.least) + 1 + packed_bytes(k, f.width);
        widest = f.width > widest ? f.width : widest;
    }
    *ret_width = widest;
    return size;
}

static void write_frame(struct buf *dst, const uint64_t *v, size_t n)
{
    struct frame f = frame_of(v, n);
    write_varint(dst, f.least);
    write_u8(dst, (uint8_t)f.width);
    size_t bytes = packed_bytes(n, f.width);
    unsigned char *out = (unsigned char *)buf_tail(dst, bytes + 8);
    if (!out) {
        return;
    }
    memset(out, 0, bytes + 8);
    for (size_t i = 0; i < n && f.width; i++) {
        size_t bit = i * f.width;
        uint64_t word;
        memcpy(&word, out + bit / 8, 8);
        word |= (v[i] - f.least) << (bit % 8);
        memcpy(out + bit / 8, &word, 8);
    }
    dst->n += bytes;
}

static void write_frames(struct buf *dst, const uint64_t *v, size_t n)
{
    write_u8(dst, FORM_PACKED);
    for (size_t at = 0; at < n; at += FRAME) {
        write_frame(dst, v + at, n - at < FRAME ? n - at : FRAME);
    }
}

/* Appends the entropy-coded form when it is smaller than `than`; else leaves dst as it was. */
static bool write_entropy(struct buf *dst, const uint64_t *v, size_t n, size_t than)
{
    struct buf plain AUTO_BUF = {0}, packed AUTO_BUF = {0};
    for (size_t i = 0; i < n; i++) {
        write_varint(&plain, v[i]);
    }
    if (plain.err || compress_bytes(COMPRESS_ZSTD, 1, buf_view(&plain), &packed)) {
        return false;
    }
    if (packed.n + varint_len(plain.n) + varint_len(packed.n) >= than) {
        return false;
    }
    write_u8(dst, FORM_ENTROPY);
    write_varint(dst, plain.n);
    write_str(dst, buf_view(&packed));
    return true;
}

static void write_any(struct buf *dst, const uint64_t *v, size_t n, bool may_delta);

static bool write_deltas(struct buf *dst, const uint64_t *v, size_t n, size_t than)
{
    uint64_t *d = mem_array(n, sizeof(*d));
    if (!d) {
        return false; /* a larger form does as well */
    }
    for (size_t i = 1; i < n; i++) {
        d[i - 1] = zigzag_encode((int64_t)(v[i] - v[i - 1]));
    }
    unsigned width;
    bool smaller = frames_size(d, n - 1, &width) + varint_len(v[0]) < than;
    if (smaller) {
        write_u8(dst, FORM_DELTA);
        write_varint(dst, v[0]);
        write_any(dst, d, n - 1, false);
    }
    mem_free(d);
    return smaller;
}

static void write_any(struct buf *dst, const uint64_t *v, size_t n, bool may_delta)
{
    bool same = true;
    for (size_t i = 1; i < n && same; i++) {
        same = v[i] == v[0];
    }
    if (same) {
        write_u8(dst, FORM_CONST);
        write_varint(dst, n ? v[0] : 0);
        return;
    }
    unsigned width;
    size_t size = frames_size(v, n, &width);
    if (may_delta && n > 2 && write_deltas(dst, v, n, size)) {
        return;
    }
    if (n >= ENTROPY_COUNT_MIN && width <= ENTROPY_WIDTH_MAX && write_entropy(dst, v, n, size)) {
        return;
    }
    write_frames(dst, v, n);
}

void ints_write(struct buf *dst, const uint64_t *v, size_t n)
{
    write_any(dst, v, n, true);
}

/* --- reading --- */

static uint64_t load_tail(const uint8_t *p, const uint8_t *end)
{
    uint64_t word = 0;
    memcpy(&word, p, end - p < 8 ? (size_t)(end - p) : 8);
    return word;
}

static void read_frame(struct reader *r, uint64_t *v, size_t n)
{
    uint64_t least = read_varint(r);
    unsigned width = read_u8(r);
    if (width > 64 || (width > WIDTH_LOADED_MAX && width != 64)) {
        r->bad = true;
        return;
    }
    struct str bits = read_bytes(r, packed_bytes(n, width));
    if (r->bad) {
        return;
    }
    if (width == 0) {
        for (size_t i = 0; i < n; i++) {
            v[i] = least;
        }
        return;
    }
    const uint8_t *p = (const uint8_t *)bits.p, *end = p + bits.n;
    uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
        const uint8_t *at = p + bit / 8;
        uint64_t word;
        if (LIKELY(end - at >= 8)) {
            memcpy(&word, at, 8);
        } else {
            word = load_tail(at, end);
        }
        v[i] = least + (word >> (bit % 8) & mask);
    }
}

static enum err read_entropy(struct reader *r, uint64_t *v, size_t n)
{
    uint64_t size = read_varint(r);
    struct str packed = read_str(r);
    if (r->bad || size < n || size > n * ENTROPY_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    struct buf plain AUTO_BUF = {0};
    enum err e = decompress_bytes(COMPRESS_ZSTD, packed, (size_t)size, &plain, NULL);
    if (e) {
        return e == ERR_OOM ? e : ERR_CORRUPT;
    }
    struct reader p = reader_of(buf_view(&plain));
    for (size_t i = 0; i < n; i++) {
        v[i] = read_varint(&p);
    }
    return p.bad ? ERR_CORRUPT : ERR_OK;
}

static enum err read_any(struct reader *r, uint64_t *v, size_t n, bool may_delta)
{
    uint8_t form = read_u8(r);
    uint64_t first = form == FORM_CONST || form == FORM_DELTA ? read_varint(r) : 0;
    enum err e = ERR_OK;
    if (form == FORM_CONST) {
        for (size_t i = 0; i < n; i++) {
            v[i] = first;
        }
    } else if (form == FORM_PACKED) {
        for (size_t at = 0; at < n && !r->bad; at += FRAME) {
            read_frame(r, v + at, n - at < FRAME ? n - at : FRAME);
        }
    } else if (form == FORM_ENTROPY) {
        e = read_entropy(r, v, n);
    } else if (form == FORM_DELTA && may_delta && n) {
        e = read_any(r, v + 1, n - 1, false);
        v[0] = first;
        for (size_t i = 1; i < n && !e; i++) {
            v[i] = v[i - 1] + (uint64_t)zigzag_decode(v[i]);
        }
    } else {
        return ERR_CORRUPT;
    }
    return r->bad ? ERR_CORRUPT : e;
}

enum err ints_read(struct reader *r, uint64_t *v, size_t n)
{
    return read_any(r, v, n, true);
}
