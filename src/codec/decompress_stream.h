/* Decompression as a stream, for what is larger than memory. One owner at a time. */
#ifndef CAIRN_CODEC_DECOMPRESS_STREAM_H
#define CAIRN_CODEC_DECOMPRESS_STREAM_H

#include "codec/compress.h"

enum {
    COMPRESSION_MAGIC_BYTES = 4
};

/* What the first bytes say: gzip, zstd, or none. */
enum compression compression_of_magic(struct str head);

struct decompress_stream;

/* COMPRESS_NONE, COMPRESS_GZIP or COMPRESS_ZSTD. Errors: OOM, UNSUPPORTED. */
MUST_USE enum err decompress_stream_new(enum compression c, struct decompress_stream **ret_d);
void decompress_stream_free(struct decompress_stream *d); /* accepts NULL */
/* Takes from *src and writes at most cap bytes to out. With *src empty it gives what it holds back; when it
 * writes less than cap it wants more input. Several gzip members or zstd frames in a row are read as one.
 * Errors: CORRUPT. */
MUST_USE enum err decompress_stream_step(struct decompress_stream *d, struct str *src, char *out, size_t cap,
                                         size_t *ret_n, struct err_info *reterr_info);
/* At the end of the input: whether what came was whole. */
bool decompress_stream_whole(const struct decompress_stream *d);

#endif
