/* What the push formats of metrics and logs share. Private to this folder. */
#ifndef CAIRN_CODEC_REMOTE_WRITE_INT_H
#define CAIRN_CODEC_REMOTE_WRITE_INT_H

#include "codec/proto.h"
#include "codec/remote_write.h"

struct wire_decode {
    struct arena *a;
    struct err_info *info;
    const char *begin;
};

/* How a field may travel, by its number: sets of enum proto_wire; 0 where there is no such field. */
enum {
    WIRE_VARINT = 1 << PROTO_VARINT,
    WIRE_I64 = 1 << PROTO_I64,
    WIRE_BYTES = 1 << PROTO_BYTES,
    WIRE_VARINTS = WIRE_VARINT | WIRE_BYTES, /* one by one, or packed */
    WIRE_DOUBLES = WIRE_I64 | WIRE_BYTES
};
bool wire_field_fits(const struct proto_field *f, const uint8_t *wires, size_t n);

/* False: malformed, or no memory. */
bool wire_decode_label(struct str m, struct wire_label *l);
bool wire_decode_sample(struct str m, struct wire_sample *s);
bool wire_decode_histogram(struct wire_decode *d, struct str m, struct wire_histogram *h);
struct str wire_type_name(uint64_t t);

#endif
