/* Samples that are more than a float: histograms and start timestamps, as a stream of bytes.
 *
 *   sample = flags, [start difference], value
 *   flags  = kind (bits 0-1), reset hint (2-3), start differs (4), layout as before (5), staleness marker (6)
 *   float  = bits XOR those of the float before
 *   histogram = [layout], sum, count, zero count, buckets
 *   layout = schema, zero threshold, spans of both sides, custom bounds
 *
 * Integer counts are differences to the histogram before when the layout is the same, else to the bucket
 * before; floats are XORed the same way, byte-swapped and written as varints. Histograms come back exactly,
 * spans without buckets included; a staleness marker keeps its sum only. */
#ifndef CAIRN_METRICS_TSDB_RICH_H
#define CAIRN_METRICS_TSDB_RICH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "metrics/model/histogram.h"

struct sample_value {
    uint64_t bits;             /* of the float; 0 for a histogram */
    ts_ms start;               /* 0 = unknown */
    const struct histogram *h; /* borrowed; NULL for a float */
};

static inline bool value_is_rich(const struct sample_value *v)
{
    return v->h || v->start;
}

/* Equal for equal values: the bits of a float, a hash of a histogram's content. Start and hint do not count.
 */
uint64_t value_identity(const struct sample_value *v);

/* What the samples before leave behind, for writer and reader. */
struct rich_state {
    uint64_t bits;
    ts_ms start;
    const struct histogram *last; /* newest that is no staleness marker; borrowed */
    uint8_t last_kind;
};

/* Appends v; on b->err the state is of no use any more. state->last is v->h afterwards. */
void rich_write(struct buf *b, struct rich_state *state, const struct sample_value *v);
/* More than rich_write needs for v. */
size_t rich_bound(const struct sample_value *v);

/* Where decoded samples go; starts and histograms may be NULL. Histograms live in the arena. */
struct rich_columns {
    uint64_t *bits; /* 0 for histograms */
    const struct histogram **histograms;
    ts_ms *starts;
};

/* Errors: CORRUPT when the bytes are not n samples, OOM, LIMIT. */
MUST_USE enum err rich_read(struct str bytes, size_t n, struct arena *a, struct rich_columns *out);
/* One sample on its own. */
MUST_USE enum err rich_read_one(struct str bytes, struct arena *a, struct sample_value *ret_v);

#endif
