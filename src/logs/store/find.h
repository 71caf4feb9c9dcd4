/* Finding a text in a large one: two of its rarer bytes are compared sixteen places at a time, the rest only
 * where both fit. Pure. */
#ifndef CAIRN_LOGS_STORE_FIND_H
#define CAIRN_LOGS_STORE_FIND_H

#include "base/str.h"

struct finder {
    struct str needle; /* borrowed */
    size_t probe[2];   /* positions in the needle, ascending */
};

void finder_init(struct finder *f, struct str needle);
/* Byte offset of the first match at or after `from`, or STR_NPOS. An empty needle matches at `from`. */
size_t finder_next(const struct finder *f, struct str text, size_t from);

#endif
