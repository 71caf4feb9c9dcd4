/* Whole-buffer compression behind one face. Decompression never writes more than the caller allows, and a
 * declared size above the limit is refused before anything is allocated. */
#ifndef CAIRN_CODEC_COMPRESS_H
#define CAIRN_CODEC_COMPRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum compression {
    COMPRESS_NONE = 0,
    COMPRESS_SNAPPY, /* block format: remote write, Loki push */
    COMPRESS_GZIP,
    COMPRESS_ZLIB,    /* HTTP's "deflate" */
    COMPRESS_DEFLATE, /* raw deflate: what some clients send as "deflate" */
    COMPRESS_ZSTD,
    COMPRESS_LZ4, /* block format; the decompressed size is not in the data */
};

/* Appends the compressed bytes. level 0 = the usual one; snappy and lz4 have none. Errors: OOM, LIMIT (of
 * dst). */
MUST_USE enum err compress_bytes(enum compression c, int level, struct str src, struct buf *dst);
/* Appends the decompressed bytes, at most size_bytes_max of them. For COMPRESS_LZ4 size_bytes_max is the
 * exact size. Several gzip members or zstd frames in a row are read as one. Errors: CORRUPT, LIMIT (the
 * message has the limit), OOM. */
MUST_USE enum err decompress_bytes(enum compression c, struct str src, size_t size_bytes_max, struct buf *dst,
                                   struct err_info *reterr_info);
/* "gzip", "deflate", "zstd", "snappy", "identity" or empty, any case, "x-gzip" too. Errors: UNSUPPORTED. */
MUST_USE enum err compression_of_http(struct str content_encoding, enum compression *ret_c);

#endif
