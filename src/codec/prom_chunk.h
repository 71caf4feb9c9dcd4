/* Prometheus' chunk encodings, written: what remote read streams. The formats are those of Prometheus' chunk
 * files (XOR, histogram, float histogram). */
#ifndef CAIRN_CODEC_PROM_CHUNK_H
#define CAIRN_CODEC_PROM_CHUNK_H

#include "base/buf.h"
#include "codec/wire_series.h"

enum prom_chunk_encoding {
    PROM_CHUNK_XOR = 1,
    PROM_CHUNK_HISTOGRAM = 2,
    PROM_CHUNK_FLOAT_HISTOGRAM = 3
};

enum {
    PROM_CHUNK_SAMPLES_MAX = 120
};

/* Appends a chunk of n floats, 1 <= n <= PROM_CHUNK_SAMPLES_MAX; timestamps ascend. */
void prom_chunk_xor(struct buf *b, const ts_ms *ts, const double *values, size_t n);
/* Appends a chunk of one native histogram (integer or float as h says). */
void prom_chunk_histogram(struct buf *b, const struct wire_histogram *h);

#endif
