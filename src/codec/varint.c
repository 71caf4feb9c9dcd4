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

size_t varint_len(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7) {
        n++;
    }
    return n;
}
