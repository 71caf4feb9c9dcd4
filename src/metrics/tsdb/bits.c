/* The careful end of the bit reader: the last bytes of a stream. */
#include "metrics/tsdb/bits.h"

uint64_t bits_get_slow(struct bit_reader *r, unsigned n)
{
    if (r->bad || n > r->n_bytes * 8 - r->pos) {
        r->bad = true;
        return 0;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++, r->pos++) {
        unsigned byte = r->p[r->pos >> 3];
        v = v << 1 | (byte >> (7 - (r->pos & 7)) & 1u);
    }
    return v;
}
