/* What the process may use of memory, and what it uses: one figure for all of its parts, measured.
 *
 * The measure is the process' anonymous memory (mapped files are the kernel's to take back), so that what no
 * part counts is counted too: the allocator's own, stacks, bodies of requests. Whoever is about to take more
 * asks first: queries through their budget (arena.h) and their answer's buffer (buf.h), stores before they
 * make what stays. Where /proc does not tell, nothing is measured and every part has its own limits alone.
 *
 *     3/4   what stays may go up to here: mem_promise_full
 *     7/8   queries and answers may fill up the rest to here: mem_promise_take */
#ifndef CAIRN_BASE_MEM_PROMISE_H
#define CAIRN_BASE_MEM_PROMISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct mem_promise;

/* Errors: OOM. */
MUST_USE enum err mem_promise_new(uint64_t bytes, struct mem_promise **ret_p);
void mem_promise_free(struct mem_promise *p); /* accepts NULL */

/* All below: any thread, NULL accepted (everything fits). */

/* Memory of a query, for as long as it runs. False: there is no room for it. */
MUST_USE bool mem_promise_take(struct mem_promise *p, size_t bytes);
/* The same without asking: the little that every query gets. */
void mem_promise_take_small(struct mem_promise *p, size_t bytes);
void mem_promise_release(struct mem_promise *p, size_t bytes);
/* A query was refused for want of room: counted. */
void mem_promise_refused(struct mem_promise *p);
/* So much that stays was allocated since. */
void mem_promise_grew(struct mem_promise *p, size_t bytes);
/* What stays has reached its part: make no more of it. */
bool mem_promise_full(struct mem_promise *p);
/* What stays is near that: write out, shrink caches. Measures; for a thread that looks every few seconds. */
bool mem_promise_pressed(struct mem_promise *p);

/* Housekeeping has used much and let go of it, as if a query had. */
void mem_promise_worked(struct mem_promise *p);
/* When queries had much and none came since the last call, what the C library keeps of it goes back to the
 * system: true. For one thread at a time, that looks every few seconds. */
bool mem_promise_rest(struct mem_promise *p);

struct mem_promise_stats {
    uint64_t promise, anonymous;       /* 0: not measured */
    uint64_t queries, queries_refused; /* bytes; count */
    uint64_t full;                     /* 1: what stays has reached its part */
};

void mem_promise_stats(struct mem_promise *p, struct mem_promise_stats *ret_stats);
/* "48 of 64 MiB are in use" */
void mem_promise_explain(struct mem_promise *p, char *text, size_t text_bytes);

#endif
