/* A sealed run of samples of one series: immutable, shared by reference count.
 *
 * Its timestamps are ticks of the series' clock, or its own. */
#ifndef CAIRN_METRICS_TSDB_CHUNK_H
#define CAIRN_METRICS_TSDB_CHUNK_H

#include <assert.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "metrics/tsdb/chunk_pool.h"
#include "metrics/tsdb/rich.h"

#define CLOCK_NONE UINT32_MAX

/* In a segment (chunk_pool.h) it is also what a file keeps: from `state` on as docs/formats/metrics-chunks.md
 * draws it, and what stands before means nothing there. */
struct chunk {
    struct chunk *older;           /* list of the series; followed under the head's lock only */
    struct chunk_segment *segment; /* whose references are the chunk's; NULL: on the heap */
    union {
        atomic_uint refs; /* of one on the heap */
        uint32_t crc;     /* of one in a segment that has a name: of all from count on */
    };
    uint8_t state;     /* enum chunk_state; under the head's lock */
    uint8_t count;     /* samples */
    uint8_t mode;      /* enum values_mode, or CHUNK_RICH */
    uint8_t partition; /* of its series, as what follows: once it has a name */
    uint32_t slot;
    uint32_t tenant;
    uint32_t clock;      /* number of the clock in the head, or CLOCK_NONE: own timestamps */
    uint32_t first_tick; /* absolute number of the first tick */
    ts_ms min_ts, max_ts;
    uint32_t times_bytes, value_bytes;
    uint8_t data[]; /* times (when own), then values */
};

static_assert(sizeof(struct chunk) == 64, "as the files have it");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "as the files have it");

enum chunk_state {
    CHUNK_NEW = 0,
    CHUNK_NAMED, /* its file says whose it is */
    CHUNK_GONE   /* no series has it any more */
};

enum {
    CHUNK_RICH = 128 /* a stream of rich samples (rich.h) */
};

/* One reference. From the pool (may be NULL) where it has room, else from the heap. NULL when out of memory.
 */
struct chunk *chunk_new(struct chunk_pool *pool, uint32_t times_bytes, uint32_t value_bytes);
struct chunk *chunk_ref(struct chunk *c);
/* Writes into a chunk of a segment whose it is, from when on its file alone is enough. */
void chunk_name(struct chunk *c, uint32_t tenant, unsigned partition, uint32_t slot);
/* The size it says is within `left`, and its checksum is right. */
bool chunk_whole(const struct chunk *c, size_t left);
void chunk_unref(struct chunk *c); /* accepts NULL */
static inline size_t chunk_bytes(const struct chunk *c)
{
    return sizeof(*c) + c->times_bytes + c->value_bytes;
}

/* Of the process's own memory. */
static inline size_t chunk_heap_bytes(const struct chunk *c)
{
    return c->segment ? 0 : chunk_bytes(c);
}

/* ret_v has count items. Errors: CORRUPT; OOM of rich chunks. */
MUST_USE enum err chunk_identities(const struct chunk *c, uint64_t *ret_v);
/* Of a rich chunk, or of one that is not. */
MUST_USE enum err chunk_samples(const struct chunk *c, struct arena *a, struct rich_columns *out);
/* Of a chunk with own timestamps. */
MUST_USE enum err chunk_times(const struct chunk *c, ts_ms *ret_ts);

#endif
