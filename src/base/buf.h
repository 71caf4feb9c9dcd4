/* A growing byte buffer with a mandatory ceiling and a sticky failure: append freely, check `err` once.
 *
 * Ownership: the caller owns the struct; buf_done releases the bytes. Not thread-safe. */
#ifndef CAIRN_BASE_BUF_H
#define CAIRN_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct mem_promise;

struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t size_bytes_max;       /* the ceiling; 0 means BUF_SIZE_BYTES_DEFAULT_MAX */
    enum err err;                /* OOM or LIMIT once an append failed; later appends do nothing */
    struct mem_promise *promise; /* of the process; large buffers are charged to it. May be NULL */
};

#define BUF_SIZE_BYTES_DEFAULT_MAX ((size_t)1 << 30)
/* struct buf b AUTO_BUF = {0}; releases at the end of the scope. */
#define AUTO_BUF __attribute__((cleanup(buf_done)))

/* Releases the bytes and clears the struct, failure included. Accepts a zeroed struct. */
void buf_done(struct buf *b);
/* Forgets the content, keeps memory and ceilings, clears the failure. */
void buf_reset(struct buf *b);
/* Room for `more` further bytes. False (and b->err set) when there is none. */
MUST_USE bool buf_reserve(struct buf *b, size_t more);
/* Reserves and returns the tail to write into; the caller adds to b->n. NULL on failure. */
MUST_USE char *buf_tail(struct buf *b, size_t more);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Decimal integers without printf. */
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
/* Moves the bytes out (NUL-terminated, not counted); NULL on failure or OOM. Freed by mem_free. ret_n may be
 * NULL. */
MUST_USE char *buf_take(struct buf *b, size_t *ret_n);

static inline void buf_str(struct buf *b, struct str s)
{
    buf_append(b, s.p, s.n);
}

static inline void buf_c(struct buf *b, const char *c)
{
    buf_append(b, c, strlen(c));
}

static inline void buf_char(struct buf *b, char c)
{
    if (LIKELY(b->n < b->cap && b->err == ERR_OK)) {
        b->p[b->n++] = c;
    } else {
        buf_append(b, &c, 1);
    }
}

static inline struct str buf_view(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

#endif
