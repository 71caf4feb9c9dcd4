/* Protocol buffers' wire format: fields in, fields out. Message definitions live with their users.
 * https://protobuf.dev/programming-guides/encoding/ */
#ifndef CAIRN_CODEC_PROTO_H
#define CAIRN_CODEC_PROTO_H

#include "codec/varint.h"

enum proto_wire {
    PROTO_VARINT = 0,
    PROTO_I64 = 1,
    PROTO_BYTES = 2,
    PROTO_I32 = 5
};

struct proto_field {
    uint32_t number;
    enum proto_wire wire;
    uint64_t num;     /* VARINT, I64, I32 */
    struct str bytes; /* BYTES: borrowed from the input */
};

/* The next field. False at the end and on malformed input (r->bad tells which). Groups are malformed. Inline:
 * a remote write takes twenty of these for every sample. */
static inline bool proto_next(struct reader *r, struct proto_field *ret_field)
{
    if (reader_left(r) == 0) {
        return false;
    }
    uint64_t tag = read_varint(r);
    struct proto_field f = {.number = (uint32_t)(tag >> 3), .wire = (enum proto_wire)(tag & 7)};
    if (UNLIKELY(f.number == 0 || tag >> 32)) {
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
    if (UNLIKELY(r->bad)) {
        r->p = r->end;
        return false;
    }
    *ret_field = f;
    return true;
}

static inline double proto_f64(const struct proto_field *f)
{
    double v;
    memcpy(&v, &f->num, sizeof(v));
    return v;
}

/* Packed or single repeated values: append to a caller's loop.
 *   struct reader p = proto_packed(&f); while (reader_left(&p)) v = read_varint(&p); */
struct reader proto_packed(const struct proto_field *f);

/* How many fields of that number the message has, up to where it is malformed. */
size_t proto_count(struct str message, uint32_t number);

void proto_write_tag(struct buf *b, uint32_t number, enum proto_wire wire);
void proto_write_u64(struct buf *b, uint32_t number, uint64_t v); /* varint; 0 is written too */
void proto_write_f64(struct buf *b, uint32_t number, double v);
void proto_write_bytes(struct buf *b, uint32_t number, struct str s);
/* A nested message: begin returns a mark; end inserts the length before what was written since. */
size_t proto_nested_begin(struct buf *b, uint32_t number);
void proto_nested_end(struct buf *b, size_t mark);

#endif
