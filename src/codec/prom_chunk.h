/* Prometheus' chunk encodings, written: what remote read streams. The formats are those of Prometheus' chunk
 * files (XOR, histogram, float histogram, and those with start timestamps). */
#ifndef CAIRN_CODEC_PROM_CHUNK_H
#define CAIRN_CODEC_PROM_CHUNK_H

#include "base/buf.h"
#include "codec/wire_series.h"

enum prom_chunk_encoding {
    PROM_CHUNK_XOR = 1,
    PROM_CHUNK_HISTOGRAM = 2,
    PROM_CHUNK_FLOAT_HISTOGRAM = 3,
    PROM_CHUNK_XOR2 = 4, /* these have start timestamps, and are read since Prometheus 3.14 */
    PROM_CHUNK_HISTOGRAM_ST = 5,
    PROM_CHUNK_FLOAT_HISTOGRAM_ST = 6
};

enum {
    PROM_CHUNK_SAMPLES_MAX = 120
};

/* Appends a chunk of n floats, 1 <= n <= PROM_CHUNK_SAMPLES_MAX; timestamps ascend. */
void prom_chunk_xor(struct buf *b, const ts_ms *ts, const double *values, size_t n);
/* The same with start timestamps, 0 where unknown: PROM_CHUNK_XOR2. */
void prom_chunk_xor2(struct buf *b, const ts_ms *ts, const ts_ms *starts, const double *values, size_t n);
/* Appends a chunk of one native histogram (integer or float as h says). */
void prom_chunk_histogram(struct buf *b, const struct wire_histogram *h);

/* Where the next of several histograms goes; what came before is in here. One of a series at a time. */
struct prom_histogram_chunk;

/* A writer of chunks, to be used again and again. Errors: OOM. */
MUST_USE enum err prom_histogram_chunk_new(struct prom_histogram_chunk **ret_c);
void prom_histogram_chunk_free(struct prom_histogram_chunk *c); /* accepts NULL */
/* Begins a chunk at the end of b with its first histogram, which decides kind and layout; its reset_hint is
 * what the chunk says of resets before it. with_starts: a chunk that has their start_ts, too. Later ones of
 * the chunk have the same layout and are known not to be resets (or are gauges); a staleness marker has no
 * layout and may only be followed by others. */
void prom_histogram_chunk_begin(struct prom_histogram_chunk *c, struct buf *b, const struct wire_histogram *h,
                                bool with_starts);
void prom_histogram_chunk_add(struct prom_histogram_chunk *c, const struct wire_histogram *h);

#endif
