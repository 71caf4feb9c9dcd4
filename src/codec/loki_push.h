/* Loki's push request: protobuf (logproto.PushRequest, decompressed) and JSON in, streams and entries out,
 * and back.
 *
 * Labels of a stream arrive as the text {a="b", c="d"} in protobuf and as an object in JSON; both come out as
 * pairs, not yet sorted or checked. Strings borrow from the input where no escape stands in the way, else
 * live in the arena. */
#ifndef CAIRN_CODEC_LOKI_PUSH_H
#define CAIRN_CODEC_LOKI_PUSH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/wire_series.h"

struct wire_entry {
    ts_ns ts;
    struct str line;
    const struct wire_label *metadata;
    size_t metadata_count;
};

struct wire_stream {
    const struct wire_label *labels;
    size_t label_count;
    const struct wire_entry *entries;
    size_t entry_count;
};

struct wire_push {
    const struct wire_stream *streams;
    size_t stream_count;
};

/* Errors: INVALID (Loki's wording where it has one), LIMIT, OOM. */
MUST_USE enum err loki_push_decode_proto(struct arena *a, struct str body, struct wire_push *ret_push,
                                         struct err_info *reterr_info);
MUST_USE enum err loki_push_decode_json(struct arena *a, struct str body, struct wire_push *ret_push,
                                        struct err_info *reterr_info);
/* Appends an uncompressed PushRequest. */
void loki_push_encode_proto(struct buf *b, const struct wire_push *p);
/* Parses {a="b", c=`d`} as Loki parses stream labels. Errors: INVALID with Loki's text. */
MUST_USE enum err loki_labels_parse(struct arena *a, struct str text, const struct wire_label **ret_labels,
                                    size_t *ret_n, struct err_info *reterr_info);

#endif
