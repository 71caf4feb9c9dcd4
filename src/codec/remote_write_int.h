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

/* False: malformed, or no memory. */
bool wire_decode_label(struct str m, struct wire_label *l);
bool wire_decode_sample(struct str m, struct wire_sample *s);
bool wire_decode_histogram(struct wire_decode *d, struct str m, struct wire_histogram *h);
struct str wire_type_name(uint64_t t);

#endif
