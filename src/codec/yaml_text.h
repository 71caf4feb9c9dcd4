/* A string as Go's YAML writes it: plain where that reads back as the same string, else in quotes or as a
 * block, folded behind column 80. Pure, any thread. */
#ifndef CAIRN_CODEC_YAML_TEXT_H
#define CAIRN_CODEC_YAML_TEXT_H

#include "base/buf.h"
#include "base/str.h"

enum yaml_place {
    YAML_IN_BLOCK = 0, /* a value in a block */
    YAML_IN_FLOW,      /* in [a, b] */
    YAML_AS_KEY
};

/* Appends `s`. `column` is that of its first character; what is folded goes on behind `indent` blanks. */
void yaml_text(struct buf *b, struct str s, enum yaml_place place, size_t column, size_t indent);
/* The order of keys of a map: letters as they are, numbers by their value. */
int yaml_key_cmp(struct str a, struct str b);

#endif
