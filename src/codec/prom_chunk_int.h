/* What the chunk encoders share: a bit stream, most significant bit first. Private to this folder. */
#ifndef CAIRN_CODEC_PROM_CHUNK_INT_H
#define CAIRN_CODEC_PROM_CHUNK_INT_H

#include "codec/prom_chunk.h"

struct bits {
    struct buf *b;
    unsigned free; /* bits left in the last byte */
};

/* The low n bits. */
void bits_put(struct bits *s, uint64_t value, unsigned n);
void bits_put_uvarint(struct bits *s, uint64_t v);
/* One bit for 0, then classes of 3 to 64 bits. */
void bits_put_varbit_int(struct bits *s, int64_t v);

static inline uint64_t bits_of(double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof(u));
    return u;
}

static inline uint64_t bits_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* Start timestamps behind the samples of a chunk; prom_chunk_start.c. */
struct start_writer {
    size_t header; /* place of the byte that says where they begin to change */
    unsigned n;    /* samples so far */
    bool changed;
    ts_ms start, ts;    /* of the sample before */
    int64_t difference; /* of the sample before, once changed: the time before it minus its start */
};

/* After a sample; start 0 = unknown. */
void start_put(struct start_writer *w, struct bits *s, ts_ms ts, ts_ms start);

#endif
