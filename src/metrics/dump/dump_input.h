/* A file of text as windows of whole lines, decompressed on the way. Private to this folder. */
#ifndef CAIRN_METRICS_DUMP_DUMP_INPUT_H
#define CAIRN_METRICS_DUMP_DUMP_INPUT_H

#include "base/buf.h"
#include "codec/decompress_stream.h"

struct dump_input {
    int fd;
    bool owned; /* the descriptor is closed in the end */
    struct decompress_stream *stream;
    char *raw;           /* of DUMP_RAW_BYTES */
    struct str pending;  /* in raw: not yet decompressed */
    struct buf window;   /* text; what was handed out comes first */
    size_t handed;       /* bytes of the window that the caller has */
    bool raw_end, end;   /* of the file; and of its text */
    uint64_t raw_bytes;  /* read so far */
    uint64_t file_bytes; /* 0 = not known */
};

/* "-" is the standard input. Errors: NOT_FOUND, DENIED, IO, OOM, CORRUPT. */
MUST_USE enum err dump_input_open(struct dump_input *in, const char *path, struct err_info *reterr_info);
void dump_input_done(struct dump_input *in);
/* The next lines, whole but for the last of the file; views until the next call. Empty at the end. Errors:
 * LIMIT (a line is too long), CORRUPT, IO, OOM. */
MUST_USE enum err dump_input_next(struct dump_input *in, struct str *ret_lines, struct err_info *reterr_info);

#endif
