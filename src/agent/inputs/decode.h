/* Character sets: chunks of a file to UTF-8, before lines are split. */
#ifndef CAIRN_AGENT_INPUTS_DECODE_H
#define CAIRN_AGENT_INPUTS_DECODE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct decoder;

/* An IANA name that iconv knows; utf-16 without a byte order looks for the mark at the start of the file and
 * takes little endian when there is none. Empty and utf-8 give NULL. Errors: INVALID, OOM. */
MUST_USE enum err decoder_new(struct str encoding, struct decoder **ret_decoder,
                              struct err_info *reterr_info);
void decoder_free(struct decoder *d); /* accepts NULL */
/* The first bytes of the file: a byte order mark decides for plain utf-16. Before anything else of it. */
void decoder_start(struct decoder *d, struct str head);
/* 1, or 2 for UTF-16. */
size_t decoder_unit(const struct decoder *d);
/* Bytes up to and including the last newline of the raw chunk; 0 when there is none. */
size_t decoder_last_line(const struct decoder *d, struct str raw);
/* Appends UTF-8. Bytes that are no text become U+FFFD. `at_start`: the chunk is the start of the file. */
MUST_USE enum err decoder_run(struct decoder *d, struct str raw, bool at_start, struct buf *out);

#endif
