/* Memory for sealed chunks that is not the process's own: files DIR/NUMBER.chunks, mapped.
 *
 * The kernel may write the pages out and drop them when memory is short, so what a head keeps in memory by
 * itself are open tails. A process that starts again maps the files and has the chunks back (checkpoint.h);
 * files that it cannot use go, for the log has everything.
 *
 * A segment lives while one of its chunks does; chunks of a head go in the order in which they were sealed,
 * so after a flush whole segments become free. Any thread. */
#ifndef CAIRN_METRICS_TSDB_CHUNK_POOL_H
#define CAIRN_METRICS_TSDB_CHUNK_POOL_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/thread.h"
#include "metrics/tsdb/head_pool.h"

struct chunk_segment;

struct chunk_pool {
    const char *dir; /* of the files; the owner's */
    struct mutex lock;
    struct chunk_segment *current; /* guarded by lock, as what follows */
    struct chunk_segment *first;   /* of all there are */
    uint64_t newest;               /* number */
    size_t next_bytes;             /* size of the next segment */
    unsigned pause;                /* allocations to refuse after a segment could not be made */
    bool keep;                     /* files outlive their segments: the store is being closed */
    atomic_size_t bytes;           /* of all segments; a sum, orders nothing */
    atomic_size_t missed;          /* chunks that went to the heap because there was no room; only rises */
    struct head_pool heads;        /* what of the same heads is not sealed */
};

void chunk_pool_init(struct chunk_pool *p, const char *dir);
/* All chunks must be gone. */
void chunk_pool_done(struct chunk_pool *p);
/* n bytes, 8-aligned, that begin with the header, and the segment that has them, with one reference. NULL
 * when there is no room on the disk or n is large: the caller takes the heap then. */
void *chunk_pool_alloc(struct chunk_pool *p, const void *header, size_t header_bytes, size_t n,
                       struct chunk_segment **ret_segment);
void chunk_segment_ref(struct chunk_segment *s);
void chunk_segment_unref(struct chunk_segment *s);

/* How much of a segment is taken. */
struct chunk_extent {
    uint64_t number;
    uint64_t bytes; /* from the begin of the file; chunks follow the first CHUNK_FILE_HEADER_BYTES */
    struct chunk_segment *segment; /* with a reference, or NULL */
};

enum {
    CHUNK_FILE_HEADER_BYTES = 64
};

/* What is taken of all segments, in an array on the heap; chunk_extents_free gives it back with the
 * references. Errors: OOM. */
MUST_USE enum err chunk_pool_extents(struct chunk_pool *p, struct chunk_extent **ret_extents, size_t *ret_n);
void chunk_extents_free(struct chunk_extent *x, size_t n); /* accepts NULL */
/* They are on the disk when it returns. Errors: IO. */
MUST_USE enum err chunk_pool_sync(struct chunk_pool *p, const struct chunk_extent *extents, size_t n,
                                  struct err_info *info);
/* DIR/NUMBER.chunks. */
void chunk_file_path(const char *dir, uint64_t number, char *path, size_t path_size);
/* The header of a file. */
bool chunk_file_is(const void *p, uint64_t number);
/* A file of before becomes a segment, x->segment with its reference; *ret_p is where its first chunk is.
 * Errors: OOM, IO, NOT_FOUND, CORRUPT (shorter). */
MUST_USE enum err chunk_pool_adopt(struct chunk_pool *p, struct chunk_extent *x, char **ret_p,
                                   struct err_info *info);
/* Removes the files that are no segments. */
void chunk_pool_sweep(struct chunk_pool *p);
/* From now on files stay when their chunks go. */
void chunk_pool_keep(struct chunk_pool *p);

#endif
