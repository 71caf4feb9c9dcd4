/* Memory for sealed chunks that is not the process's own: scratch files without a name, mapped.
 *
 * The kernel may write the pages out and drop them when memory is short, so what a head keeps in memory by
 * itself are open tails. The files end with the process: after a crash the log has everything.
 *
 * A segment lives while one of its chunks does; chunks of a head go in the order in which they were sealed,
 * so after a flush whole segments become free. Any thread. */
#ifndef CAIRN_METRICS_TSDB_CHUNK_POOL_H
#define CAIRN_METRICS_TSDB_CHUNK_POOL_H

#include <stdatomic.h>

#include "base/thread.h"
#include "metrics/tsdb/head_pool.h"

struct chunk_segment;

struct chunk_pool {
    const char *dir; /* of the files; the owner's */
    struct mutex lock;
    struct chunk_segment *current; /* guarded by lock, as what follows */
    size_t next_bytes;             /* size of the next segment */
    unsigned pause;                /* allocations to refuse after a segment could not be made */
    atomic_size_t bytes;           /* of all segments; a sum, orders nothing */
    struct head_pool heads;        /* what of the same heads is not sealed */
};

void chunk_pool_init(struct chunk_pool *p, const char *dir);
/* All chunks must be gone. */
void chunk_pool_done(struct chunk_pool *p);
/* n bytes, 8-aligned, and the segment that has them, with one reference. NULL when there is no room on the
 * disk or n is large: the caller takes the heap then. */
void *chunk_pool_alloc(struct chunk_pool *p, size_t n, struct chunk_segment **ret_segment);
void chunk_segment_ref(struct chunk_segment *s);
void chunk_segment_unref(struct chunk_segment *s);

#endif
