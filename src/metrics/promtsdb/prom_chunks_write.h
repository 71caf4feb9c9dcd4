/* The samples of a series as Prometheus' chunks: at most 120 samples each, cut where the kind of sample, a
 * histogram's layout or what is known of counter resets changes. Private to this folder.
 *
 *   encoded = (zigzag first time, varint last - first, varint bytes, encoding byte, data)*
 *
 * which is how they wait for the series to be sorted. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_CHUNKS_WRITE_H
#define CAIRN_METRICS_PROMTSDB_PROM_CHUNKS_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/prom_chunk.h"
#include "query/metric_source.h"

struct prom_chunk_encoder {
    struct arena scratch;
    struct prom_histogram_chunk *histograms;
    struct buf data; /* of the chunk at hand */
    bool
        with_starts; /* chunks with start timestamps where there are any; set after prom_chunk_encoder_init */
};

MUST_USE enum err prom_chunk_encoder_init(struct prom_chunk_encoder *c);
void prom_chunk_encoder_done(struct prom_chunk_encoder *c);

struct prom_encoded {
    uint64_t chunks, floats, histograms;
    uint64_t starts; /* samples that have a start timestamp */
};

/* Appends the samples [from, from + n) of s, whose times are ts, to out; adds to *counts. Errors: OOM. */
MUST_USE enum err prom_chunks_encode(struct prom_chunk_encoder *c, const ts_ms *ts,
                                     const struct metric_series *s, size_t from, size_t n, struct buf *out,
                                     struct prom_encoded *counts);

#endif
