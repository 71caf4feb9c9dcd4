/* Heap memory with one lifetime: an object and its single owner. Every call can fail. */
#ifndef CAIRN_BASE_MEM_H
#define CAIRN_BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* NULL when memory is short (or a fault point says so). Size 0 gives a valid pointer. */
MUST_USE void *mem_alloc(size_t size_bytes);
MUST_USE void *mem_zalloc(size_t size_bytes);
MUST_USE void *mem_realloc(void *p, size_t size_bytes);
/* count * size with an overflow check; uninitialised / zeroed. */
MUST_USE void *mem_array(size_t count, size_t size_bytes);
MUST_USE void *mem_zarray(size_t count, size_t size_bytes);
/* Cache-line or page aligned memory; `align` is a power of two. Freed by mem_free. */
MUST_USE void *mem_aligned(size_t align, size_t size_bytes);
/* Zeroed memory from the system for many small things of one lifetime, a multiple of its pages; a multiple of
 * 2 MiB is asked for as huge pages. */
MUST_USE void *mem_slab(size_t size_bytes);
void mem_slab_free(void *p, size_t size_bytes); /* accepts NULL */
/* A NUL-terminated copy of n bytes. */
MUST_USE char *mem_dup(const char *p, size_t n);
/* Accepts NULL. */
void mem_free(void *p);
/* Returns to the system what the C library keeps of freed memory: after large work, it may be a lot. */
void mem_give_back(void);

/* Growth of a caller's array: makes room for `need` items of item_size in *items, doubling *cap.
 * *items and *cap are untouched on failure. Errors: OOM (also on overflow).
 *   e = vec_reserve((void **)&v->items, &v->cap, v->n + 1, sizeof(*v->items)); */
MUST_USE enum err vec_reserve(void **items, size_t *cap, size_t need, size_t item_size);

#endif
