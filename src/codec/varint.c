/* Varints and fixed-width integers. */
#include "codec/varint.h"

uint64_t read_varint_slow(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t c = *r->p++;
        if (shift == 63 && c > 1) {
            break;
        }
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            return v;
        }
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

struct str read_bytes(struct reader *r, size_t n)
{
    if (n > reader_left(r)) {
        r->bad = true;
        r->p = r->end;
        return (struct str){0};
    }
    struct str s = str_of((const char *)r->p, n);
    r->p += n;
    return s;
}

struct str read_str(struct reader *r)
{
    uint64_t n = read_varint(r);
    return read_bytes(r, n > SIZE_MAX ? SIZE_MAX : (size_t)n);
}

uint8_t read_u8(struct reader *r)
{
    struct str s = read_bytes(r, 1);
    return s.p ? (uint8_t)s.p[0] : 0;
}

uint32_t read_u32(struct reader *r)
{
    struct str s = read_bytes(r, 4);
    uint32_t v = 0;
    for (unsigned i = 0; s.p && i < 4; i++) {
        v |= (uint32_t)(uint8_t)s.p[i] << (8 * i);
    }
    return v;
}

uint64_t read_u64(struct reader *r)
{
    struct str s = read_bytes(r, 8);
    uint64_t v = 0;
    for (unsigned i = 0; s.p && i < 8; i++) {
        v |= (uint64_t)(uint8_t)s.p[i] << (8 * i);
    }
    return v;
}

size_t varint_len(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7) {
        n++;
    }
    return n;
}

void write_varint(struct buf *b, uint64_t v)
{
    char out[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        out[n++] = (char)(v | 0x80);
    }
    out[n++] = (char)v;
    buf_append(b, out, n);
}

void write_zigzag(struct buf *b, int64_t v)
{
    write_varint(b, zigzag_encode(v));
}

void write_str(struct buf *b, struct str s)
{
    write_varint(b, s.n);
    buf_str(b, s);
}

void write_u8(struct buf *b, uint8_t v)
{
    buf_char(b, (char)v);
}

void write_u32(struct buf *b, uint32_t v)
{
    char out[4];
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (char)(v >> (8 * i));
    }
    buf_append(b, out, sizeof(out));
}

void write_u64(struct buf *b, uint64_t v)
{
    write_u32(b, (uint32_t)v);
    write_u32(b, (uint32_t)(v >> 32));
}
