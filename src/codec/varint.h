/* Varints (LEB128), zigzag and fixed little-endian integers, over a reader that never passes its end. */
#ifndef CAIRN_CODEC_VARINT_H
#define CAIRN_CODEC_VARINT_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

struct reader {
    const uint8_t *p, *end;
    bool bad; /* a read passed the end or a varint was malformed: sticky, later reads give 0 */
};

static inline struct reader reader_of(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    return (struct reader){p, p ? p + s.n : p, false};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}

uint64_t read_varint_slow(struct reader *r);

static inline uint64_t read_varint(struct reader *r)
{
    if (LIKELY(r->p < r->end && *r->p < 0x80)) {
        return *r->p++;
    }
    return read_varint_slow(r);
}

static inline int64_t zigzag_decode(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline uint64_t zigzag_encode(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t read_zigzag(struct reader *r)
{
    return zigzag_decode(read_varint(r));
}

/* n bytes borrowed from the input; p == NULL (and bad) when there are fewer. */
static inline struct str read_bytes(struct reader *r, size_t n)
{
    if (UNLIKELY(n > reader_left(r))) {
        r->bad = true;
        r->p = r->end;
        return (struct str){0};
    }
    struct str s = str_of((const char *)r->p, n);
    r->p += n;
    return s;
}

/* A varint length and that many bytes. */
static inline struct str read_str(struct reader *r)
{
    return read_bytes(r, (size_t)read_varint(r));
}

static inline uint8_t read_u8(struct reader *r)
{
    struct str s = read_bytes(r, 1);
    return s.p ? (uint8_t)s.p[0] : 0;
}

/* Fixed width, little-endian in the file as in memory. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "amd64 and arm64 are little-endian");

static inline uint32_t read_u32(struct reader *r)
{
    struct str s = read_bytes(r, 4);
    uint32_t v = 0;
    if (s.p) {
        memcpy(&v, s.p, sizeof(v));
    }
    return v;
}

static inline uint64_t read_u64(struct reader *r)
{
    struct str s = read_bytes(r, 8);
    uint64_t v = 0;
    if (s.p) {
        memcpy(&v, s.p, sizeof(v));
    }
    return v;
}

void write_varint(struct buf *b, uint64_t v);
void write_zigzag(struct buf *b, int64_t v);
void write_str(struct buf *b, struct str s); /* varint length and bytes */
void write_u8(struct buf *b, uint8_t v);
void write_u32(struct buf *b, uint32_t v);
void write_u64(struct buf *b, uint64_t v);
size_t varint_len(uint64_t v);

#endif
