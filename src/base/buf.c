/* Growing byte buffer. Invariant: err != OK implies no further growth; n <= cap <= ceiling. */
#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/mem_promise.h"

enum {
    ASKED_BYTES = 256 << 10 /* smaller buffers grow without asking the promise */
};

/* What a buffer of so many bytes takes of the promise. */
static size_t charge_of(const struct buf *b, size_t cap)
{
    return b->promise && cap > ASKED_BYTES ? cap : 0;
}

void buf_done(struct buf *b)
{
    mem_promise_release(b->promise, charge_of(b, b->cap));
    mem_free(b->p);
    *b = (struct buf){.size_bytes_max = b->size_bytes_max, .promise = b->promise};
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->err = ERR_OK;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->err != ERR_OK) {
        return false;
    }
    if (more <= b->cap - b->n) {
        return true;
    }
    size_t max = b->size_bytes_max ? b->size_bytes_max : BUF_SIZE_BYTES_DEFAULT_MAX;
    if (more > max || b->n > max - more) {
        b->err = ERR_LIMIT;
        return false;
    }
    size_t need = b->n + more;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need) {
        cap *= 2;
    }
    cap = cap > max ? max : cap;
    size_t more_charge = charge_of(b, cap) - charge_of(b, b->cap);
    if (more_charge && !mem_promise_take(b->promise, more_charge)) {
        b->err = ERR_LIMIT;
        return false;
    }
    char *p = mem_realloc(b->p, cap);
    if (!p) {
        mem_promise_release(b->promise, more_charge);
        b->err = ERR_OOM;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

/* NULL also when nothing is asked of an empty one. */
char *buf_tail(struct buf *b, size_t more)
{
    return buf_reserve(b, more) && b->p ? b->p + b->n : NULL;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n && buf_reserve(b, n)) {
        memcpy(b->p + b->n, p, n);
        b->n += n;
    }
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char small[256];
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        buf_append(b, small, (size_t)n);
    } else if (n >= 0 && buf_reserve(b, (size_t)n + 1)) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0) {
        buf_char(b, '-');
    }
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

char *buf_take(struct buf *b, size_t *ret_n)
{
    if (b->err != ERR_OK) {
        return NULL;
    }
    char *p = mem_realloc(b->p, b->n + 1);
    if (!p) {
        return NULL;
    }
    p[b->n] = '\0';
    if (ret_n) {
        *ret_n = b->n;
    }
    mem_promise_release(b->promise, charge_of(b, b->cap));
    *b = (struct buf){.size_bytes_max = b->size_bytes_max, .promise = b->promise};
    return p;
}
