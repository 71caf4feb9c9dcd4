/* Protocol buffers' wire format. */
#include "codec/proto.h"

struct reader proto_packed(const struct proto_field *f)
{
    return reader_of(f->bytes);
}

size_t proto_count(struct str message, uint32_t number)
{
    struct reader r = reader_of(message);
    struct proto_field f;
    size_t n = 0;
    while (proto_next(&r, &f)) {
        n += f.number == number;
    }
    return n;
}

void proto_write_tag(struct buf *b, uint32_t number, enum proto_wire wire)
{
    write_varint(b, (uint64_t)number << 3 | (uint64_t)wire);
}

void proto_write_u64(struct buf *b, uint32_t number, uint64_t v)
{
    proto_write_tag(b, number, PROTO_VARINT);
    write_varint(b, v);
}

void proto_write_f64(struct buf *b, uint32_t number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    proto_write_tag(b, number, PROTO_I64);
    write_u64(b, bits);
}

void proto_write_bytes(struct buf *b, uint32_t number, struct str s)
{
    proto_write_tag(b, number, PROTO_BYTES);
    write_str(b, s);
}

size_t proto_nested_begin(struct buf *b, uint32_t number)
{
    proto_write_tag(b, number, PROTO_BYTES);
    return b->n;
}

void proto_nested_end(struct buf *b, size_t mark)
{
    if (b->err) {
        return;
    }
    size_t length = b->n - mark, width = varint_len(length);
    char *tail = buf_tail(b, width);
    if (!tail) {
        return;
    }
    memmove(b->p + mark + width, b->p + mark, length);
    b->n = mark;
    write_varint(b, length);
    b->n = mark + width + length;
}
