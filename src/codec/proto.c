/* Protocol buffers' wire format. */
#include "codec/proto.h"

bool proto_next(struct reader *r, struct proto_field *ret_field)
{
    if (reader_left(r) == 0) {
        return false;
    }
    uint64_t tag = read_varint(r);
    struct proto_field f = {.number = (uint32_t)(tag >> 3), .wire = (enum proto_wire)(tag & 7)};
    if (f.number == 0 || tag >> 32) {
        r->bad = true;
    }
    switch ((int)f.wire) {
    case PROTO_VARINT:
        f.num = read_varint(r);
        break;
    case PROTO_I64:
        f.num = read_u64(r);
        break;
    case PROTO_I32:
        f.num = read_u32(r);
        break;
    case PROTO_BYTES:
        f.bytes = read_str(r);
        break;
    default:
        r->bad = true;
    }
    if (r->bad) {
        r->p = r->end;
        return false;
    }
    *ret_field = f;
    return true;
}

double proto_f64(const struct proto_field *f)
{
    double v;
    memcpy(&v, &f->num, sizeof(v));
    return v;
}

struct reader proto_packed(const struct proto_field *f)
{
    return reader_of(f->bytes);
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
