/* The table behind num_f64_digits. Private to this folder. */
#ifndef CAIRN_CODEC_NUM_INT_H
#define CAIRN_CODEC_NUM_INT_H

#include <stdint.h>

enum {
    POW10_128_MIN = -292,
    POW10_128_MAX = 324
};

struct pow10_128 {
    uint64_t high, low;
};

extern const struct pow10_128 pow10_128[POW10_128_MAX - POW10_128_MIN + 1];

#endif
