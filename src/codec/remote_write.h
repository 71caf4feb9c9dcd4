/* Prometheus remote write 1.0 and 2.0: the decompressed protobuf in, series and samples out, and back.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/
 *
 * Decoding resolves symbols, sorts nothing and checks structure only; label rules are the ingester's. Strings
 * borrow from the input; arrays and histograms live in the arena. */
#ifndef CAIRN_CODEC_REMOTE_WRITE_H
#define CAIRN_CODEC_REMOTE_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/wire_series.h"

/* prometheus.WriteRequest. labels_later leaves the labels of a series in label_bytes where they stand at its
 * head, as every sender writes them: whoever knows the bytes already is spared their decoding, the rest calls
 * remote_write_labels. Errors: INVALID (malformed; info has the byte offset), OOM, LIMIT. */
MUST_USE enum err remote_write_decode_v1(struct arena *a, struct str body, bool labels_later,
                                         struct wire_write *ret_write, struct err_info *reterr_info);
/* Decodes label_bytes into labels; nothing to do when there are none. Errors: INVALID, OOM. */
MUST_USE enum err remote_write_labels(struct arena *a, struct wire_series *s, struct err_info *reterr_info);
/* io.prometheus.write.v2.Request: the same, labels resolved from the symbols. */
MUST_USE enum err remote_write_decode_v2(struct arena *a, struct str body, struct wire_write *ret_write,
                                         struct err_info *reterr_info);
/* Appends an uncompressed message: labels and float samples. */
void remote_write_encode_v1(struct buf *b, const struct wire_write *w);

#endif
