/* Memory of heads: pages of series, and the first bytes of their tails, all of one size; most series need no
 * more. Longer tails are on the heap, where neighbours that are free become one.
 *
 * It comes in slabs, the large ones in huge pages where the system has them: samples of many targets touch
 * memory all over, and what a small page costs is its address, not its bytes. Slabs go when the pool does.
 *
 * The pool: any thread. A head's tails: whoever holds its partition's lock. */
#ifndef CAIRN_METRICS_TSDB_HEAD_POOL_H
#define CAIRN_METRICS_TSDB_HEAD_POOL_H

#include "base/attr.h"
#include "base/thread.h"

enum {
    TAIL_BYTES_FIRST = 32
};

struct slab {
    void *p;
    size_t bytes;
};

struct head_pool {
    struct mutex lock; /* guards all */
    struct slab *slabs;
    size_t slab_count, slab_cap;
    char *p; /* what is left of the newest slab */
    size_t left, next_bytes;
};

/* Of one head. Zeroed before use; there is nothing to end. */
struct tail_pool {
    char *p; /* what is left of the newest run */
    size_t left;
    void *free; /* each begins with a pointer to the next */
};

void head_pool_init(struct head_pool *p);
void head_pool_done(struct head_pool *p); /* takes all it gave */
/* n zeroed bytes at a cache line, for as long as the pool lives. NULL when there is no memory. */
MUST_USE void *head_pool_page(struct head_pool *p, size_t n);
/* TAIL_BYTES_FIRST bytes; NULL when there is no memory. */
MUST_USE void *head_pool_tail(struct head_pool *p, struct tail_pool *t);
void head_pool_tail_free(struct tail_pool *t, void *tail); /* accepts NULL */

#endif
