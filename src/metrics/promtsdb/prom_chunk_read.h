/* Chunks of samples decoded, in every encoding Prometheus has. Pure functions, any thread. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_CHUNK_READ_H
#define CAIRN_METRICS_PROMTSDB_PROM_CHUNK_READ_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct histogram;

/* The samples of a chunk; arrays in the arena. */
struct prom_samples {
    size_t n;
    ts_ms *ts;                           /* strictly ascending */
    double *values;                      /* 0 beside a histogram */
    const struct histogram **histograms; /* NULL for chunks of floats */
    ts_ms *starts;                       /* NULL: the encoding has none; 0 = unknown */
};

/* The number of samples, without decoding them. Errors: CORRUPT; UNSUPPORTED (an unknown encoding). */
MUST_USE enum err prom_chunk_count(unsigned encoding, struct str data, uint32_t *ret_n);
/* Whether samples of the encoding are more than floats. */
bool prom_chunk_rich(unsigned encoding);
/* Errors: as above, and those of the arena. */
MUST_USE enum err prom_chunk_decode(unsigned encoding, struct str data, struct arena *a,
                                    struct prom_samples *ret_samples);

#endif
