/* What the files that decode chunks share. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_CHUNK_INT_H
#define CAIRN_METRICS_PROMTSDB_PROM_CHUNK_INT_H

#include "metrics/model/histogram.h"
#include "metrics/promtsdb/prom_bits.h"
#include "metrics/promtsdb/prom_chunk_read.h"

/* Fills the arrays, which have room for out->n samples. */
MUST_USE enum err prom_histograms_decode(unsigned encoding, struct str data, struct arena *a,
                                         struct prom_samples *out);
/* A histogram as it was read becomes a value: finer schemas are reduced, what makes no sense is CORRUPT. *h
 * lives in the arena. */
MUST_USE enum err prom_histogram_settle(struct arena *a, struct histogram *h, const struct histogram **ret_h);
/* Layouts in bit streams and in records. */
MUST_USE enum err prom_zero_threshold(struct prom_bits *b, double *ret_threshold);

#endif
