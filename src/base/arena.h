/* Request memory: bump allocation with a byte budget, freed whole.
 *
 * A budget overrun takes the same path as exhausted memory: NULL, and `arena_err` tells which of the two.
 * One owner at a time; not thread-safe. A parent budget may be shared by the arenas of one query. */
#ifndef CAIRN_BASE_ARENA_H
#define CAIRN_BASE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

/* Blocks that wait for their next use, so that the pages of one request need not be made anew for the next.
 */
struct arena_pool;

struct mem_promise;

/* Keeps up to `bytes_max`, none of them counted in a budget. Any thread. Errors: OOM. */
MUST_USE enum err arena_pool_new(size_t bytes_max, struct arena_pool **ret_pool);
/* After the arenas that used it; accepts NULL. */
void arena_pool_free(struct arena_pool *p);
/* Frees what waits; accepts NULL. */
void arena_pool_shrink(struct arena_pool *p);
size_t arena_pool_bytes(struct arena_pool *p);

/* A ledger of bytes that several arenas (of several threads) draw from. */
struct mem_budget {
    atomic_size_t used_bytes; /* relaxed: a sum, orders nothing */
    size_t limit_bytes;
    struct arena_pool *pool;     /* may be NULL */
    struct mem_promise *promise; /* of the process, beside the limit; may be NULL */
    atomic_bool promise_refused; /* it was the promise that did not have room */
};

struct arena_block;

struct arena {
    struct arena_block *head;
    char *next, *end;
    size_t used_bytes;         /* of all blocks */
    size_t limit_bytes;        /* of this arena; 0 = no own limit */
    struct mem_budget *budget; /* may be NULL */
    enum err err;
};

#define AUTO_ARENA __attribute__((cleanup(arena_done)))

/* limit_bytes 0 means none; `budget` may be NULL and must outlive the arena. */
void arena_init(struct arena *a, size_t limit_bytes, struct mem_budget *budget);
/* Frees everything; the arena may be used again. */
void arena_done(struct arena *a);
/* Frees all but one block and forgets the content: for reuse between batches. */
void arena_reset(struct arena *a);
/* 16-byte aligned, uninitialised / zeroed. NULL when out of memory or budget. */
MUST_USE void *arena_alloc(struct arena *a, size_t size_bytes);
MUST_USE void *arena_zalloc(struct arena *a, size_t size_bytes);
MUST_USE void *arena_array(struct arena *a, size_t count, size_t size_bytes);
MUST_USE void *arena_zarray(struct arena *a, size_t count, size_t size_bytes);
/* Unaligned bytes: for text. */
MUST_USE char *arena_bytes(struct arena *a, size_t size_bytes);
/* Copies; p == NULL on failure (an empty string gives a non-NULL p). A NUL follows the bytes. */
MUST_USE struct str arena_str(struct arena *a, struct str s);
MUST_USE struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Growth of an arena array, as vec_reserve; the old copy stays until the arena ends. */
MUST_USE enum err arena_reserve(struct arena *a, void **items, size_t *cap, size_t need, size_t item_size);
/* OK, or OOM / LIMIT after a failed call. */
enum err arena_err(const struct arena *a);

#endif
