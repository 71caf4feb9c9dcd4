/* The skip index of a group of lines: which three-byte sequences its text has, digits counted as one. A text
 * is not in the group when one of its sequences is not. Pure but for the caller's buffers.
 *
 *   grams = 0, differences of ascending hashes (varints) | 1, GRAMS_BITS / 8 bytes of a bitmap */
#ifndef CAIRN_LOGS_STORE_GRAMS_H
#define CAIRN_LOGS_STORE_GRAMS_H

#include "base/buf.h"
#include "base/str.h"

enum {
    GRAMS_BITS = 1 << 16
};

/* `scratch` has GRAMS_BITS bytes. Appends to dst, whose failure it is. */
void grams_write(struct buf *dst, struct str text, uint8_t *scratch);
/* False when the needle is surely not in the text. `bitmap` has GRAMS_BITS / 64 words and holds the sequences
 * afterwards. What cannot be read tells nothing: true. */
void grams_read(struct str grams, uint64_t *bitmap);
bool grams_may_contain(const uint64_t *bitmap, struct str needle);

#endif
