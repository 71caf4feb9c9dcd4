/* The lines of a group as a page: coded by the form that is smallest, searched as a whole.
 *
 *   page = 0, text | 1, varint text bytes, zstd frame
 *
 * The text is the lines one after another, without separators; their lengths are a column of their own. */
#ifndef CAIRN_LOGS_STORE_TEXT_H
#define CAIRN_LOGS_STORE_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the page; failure is dst's own. */
void text_write(struct buf *dst, struct str text);
/* Appends exactly text_bytes bytes of text to dst. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err text_read(struct str page, size_t text_bytes, struct buf *dst);

#endif
