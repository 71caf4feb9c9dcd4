/* Prometheus remote write 1.0: the decompressed protobuf in, series and samples out, and back.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/
 *
 * Decoding resolves symbols, sorts nothing and checks structure only; label rules are the ingester's. Strings
 * borrow from the input; arrays and histograms live in the arena. */
#ifndef CAIRN_CODEC_REMOTE_WRITE_H
#define CAIRN_CODEC_REMOTE_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/wire_series.h"

/* prometheus.WriteRequest. Errors: INVALID (malformed; info has the byte offset), OOM, LIMIT. */
MUST_USE enum err remote_write_decode_v1(struct arena *a, struct str body, struct wire_write *ret_write,
                                         struct err_info *reterr_info);
/* Appends an uncompressed message: labels and float samples. */
void remote_write_encode_v1(struct buf *b, const struct wire_write *w);

#endif
