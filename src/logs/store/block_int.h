/* What writer and reader of blocks share. Private to this folder. */
#ifndef CAIRN_LOGS_STORE_BLOCK_INT_H
#define CAIRN_LOGS_STORE_BLOCK_INT_H

#include "logs/store/block.h"

#define BLOCK_KIND "CAIRNLOG"

enum {
    BLOCK_SCALES = 4
};

/* Units of time differences, in nanoseconds: the coarsest that loses nothing is used. */
static const uint64_t block_scale[BLOCK_SCALES] = {1, 1000, 1000000, 1000000000};

#endif
