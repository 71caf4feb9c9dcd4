/* Bump allocator. Blocks double from 4 KiB to 1 MiB (with a pool the last steps are one); a larger request
 * gets a block of its own. Invariant: used_bytes equals the sum of block sizes and is what the budget was
 * charged with. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/mem_promise.h"
#include "base/thread.h"

enum {
    BLOCK_BYTES_MIN = 4096,
    BLOCK_BYTES_MAX = 1 << 20,
    BLOCK_BYTES_UNPOOLED_MAX = 32 << 10, /* with a pool, what is larger has the size of its blocks: their
                                            pages are there already */
    ALIGN = 16,
    GIVE_BACK_BYTES = 32 << 20, /* an arena of this size was filled for longer than giving back takes */
    SMALL_BYTES = 256 << 10,    /* what every query gets, however short memory is */
};

struct arena_block {
    struct arena_block *prev;
    size_t size_bytes; /* header included */
};

/* -- blocks in waiting ----------------------------------------------------------------------------------- */

/* All blocks have the largest regular size. */
struct arena_pool {
    struct mutex lock;
    struct arena_block *head;
    size_t count, count_max;
};

enum err arena_pool_new(size_t bytes_max, struct arena_pool **ret_pool)
{
    struct arena_pool *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    mutex_init(&p->lock);
    p->count_max = bytes_max / BLOCK_BYTES_MAX;
    *ret_pool = p;
    return ERR_OK;
}

void arena_pool_shrink(struct arena_pool *p)
{
    if (!p) {
        return;
    }
    mutex_lock(&p->lock);
    struct arena_block *all = p->head;
    p->head = NULL;
    p->count = 0;
    mutex_unlock(&p->lock);
    while (all) {
        struct arena_block *b = all;
        all = b->prev;
        mem_free(b);
    }
}

size_t arena_pool_bytes(struct arena_pool *p)
{
    if (!p) {
        return 0;
    }
    mutex_lock(&p->lock);
    size_t bytes = p->count * (size_t)BLOCK_BYTES_MAX;
    mutex_unlock(&p->lock);
    return bytes;
}

void arena_pool_free(struct arena_pool *p)
{
    if (p) {
        arena_pool_shrink(p);
        mutex_done(&p->lock);
        mem_free(p);
    }
}

static struct arena_block *pool_take(struct arena_pool *p, size_t size_bytes)
{
    if (!p || size_bytes != BLOCK_BYTES_MAX) {
        return NULL;
    }
    mutex_lock(&p->lock);
    struct arena_block *b = p->head;
    if (b) {
        p->head = b->prev;
        p->count--;
    }
    mutex_unlock(&p->lock);
    return b;
}

static bool pool_put(struct arena_pool *p, struct arena_block *b)
{
    if (!p || b->size_bytes != BLOCK_BYTES_MAX) {
        return false;
    }
    mutex_lock(&p->lock);
    bool kept = p->count < p->count_max;
    if (kept) {
        b->prev = p->head;
        p->head = b;
        p->count++;
    }
    mutex_unlock(&p->lock);
    return kept;
}

/* -- arenas ---------------------------------------------------------------------------------------------- */

void arena_init(struct arena *a, size_t limit_bytes, struct mem_budget *budget)
{
    *a = (struct arena){.limit_bytes = limit_bytes, .budget = budget};
}

static void discharge(struct arena *a, size_t size_bytes)
{
    if (a->budget) {
        atomic_fetch_sub_explicit(&a->budget->used_bytes, size_bytes, memory_order_relaxed);
        mem_promise_release(a->budget->promise, size_bytes);
    }
}

static void block_free(struct arena *a, struct arena_block *b)
{
    a->used_bytes -= b->size_bytes;
    discharge(a, b->size_bytes);
    if (!a->budget || !pool_put(a->budget->pool, b)) {
        mem_free(b);
    }
}

void arena_done(struct arena *a)
{
    bool large = a->used_bytes >= GIVE_BACK_BYTES;
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->prev;
        block_free(a, b);
    }
    a->next = a->end = NULL;
    a->err = ERR_OK;
    if (large) {
        mem_give_back();
    }
}

void arena_reset(struct arena *a)
{
    while (a->head && a->head->prev) {
        struct arena_block *b = a->head->prev;
        a->head->prev = b->prev;
        block_free(a, b);
    }
    if (a->head) {
        a->next = (char *)(a->head + 1);
        a->end = (char *)a->head + a->head->size_bytes;
    }
    a->err = ERR_OK;
}

/* A query gets its first bytes in any case, so that small ones are answered always. */
static bool promise_charge(struct mem_budget *b, size_t before, size_t size_bytes)
{
    if (before + size_bytes <= SMALL_BYTES) {
        mem_promise_take_small(b->promise, size_bytes);
        return true;
    }
    if (mem_promise_take(b->promise, size_bytes)) {
        return true;
    }
    if (!atomic_exchange(&b->promise_refused, true)) {
        mem_promise_refused(b->promise);
    }
    return false;
}

static bool budget_charge(struct mem_budget *b, size_t size_bytes)
{
    size_t before = atomic_fetch_add_explicit(&b->used_bytes, size_bytes, memory_order_relaxed);
    if (size_bytes > b->limit_bytes || before > b->limit_bytes - size_bytes ||
        !promise_charge(b, before, size_bytes)) {
        atomic_fetch_sub_explicit(&b->used_bytes, size_bytes, memory_order_relaxed);
        return false;
    }
    return true;
}

static bool charge(struct arena *a, size_t size_bytes)
{
    if (a->limit_bytes && size_bytes > a->limit_bytes - a->used_bytes) {
        return false;
    }
    return !a->budget || budget_charge(a->budget, size_bytes);
}

static bool grow(struct arena *a, size_t need)
{
    size_t size = a->head ? a->head->size_bytes * 2 : BLOCK_BYTES_MIN;
    bool pooled = a->budget && a->budget->pool;
    size = size > (pooled ? BLOCK_BYTES_UNPOOLED_MAX : BLOCK_BYTES_MAX) ? BLOCK_BYTES_MAX : size;
    size_t floor = need + sizeof(struct arena_block) + ALIGN;
    size = size < floor ? floor : size;
    if (a->limit_bytes && size > a->limit_bytes - a->used_bytes) {
        size = floor; /* near the limit: take no more than asked for */
    }
    if (!charge(a, size)) {
        a->err = ERR_LIMIT;
        return false;
    }
    struct arena_block *b = a->budget ? pool_take(a->budget->pool, size) : NULL;
    b = b ? b : mem_alloc(size);
    if (!b) {
        discharge(a, size);
        a->err = ERR_OOM;
        return false;
    }
    b->prev = a->head;
    b->size_bytes = size;
    a->head = b;
    a->used_bytes += size;
    a->next = (char *)(b + 1);
    a->end = (char *)b + size;
    return true;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2) {
        a->err = ERR_OOM;
        return NULL;
    }
    size_t pad = (size_t)(-(uintptr_t)a->next & (ALIGN - 1));
    if (!a->next || size_bytes + pad > (size_t)(a->end - a->next)) {
        if (!grow(a, size_bytes)) {
            return NULL;
        }
        pad = (size_t)(-(uintptr_t)a->next & (ALIGN - 1));
    }
    char *p = a->next + pad;
    a->next = p + size_bytes;
    return p;
}

void *arena_zalloc(struct arena *a, size_t size_bytes)
{
    void *p = arena_alloc(a, size_bytes);
    if (p) {
        memset(p, 0, size_bytes);
    }
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        a->err = ERR_OOM;
        return NULL;
    }
    return arena_alloc(a, total);
}

void *arena_zarray(struct arena *a, size_t count, size_t size_bytes)
{
    void *p = arena_array(a, count, size_bytes);
    if (p) {
        memset(p, 0, count * size_bytes);
    }
    return p;
}

char *arena_bytes(struct arena *a, size_t size_bytes)
{
    if (!a->next || size_bytes > (size_t)(a->end - a->next)) {
        if (size_bytes > SIZE_MAX / 2 || !grow(a, size_bytes)) {
            return NULL;
        }
    }
    char *p = a->next;
    a->next += size_bytes;
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_bytes(a, s.n + 1);
    if (!p) {
        return (struct str){0};
    }
    if (s.n) {
        memcpy(p, s.p, s.n);
    }
    p[s.n] = '\0';
    return str_of(p, s.n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n < 0 ? NULL : arena_bytes(a, (size_t)n + 1);
    if (p) {
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(ap);
    return p ? str_of(p, (size_t)n) : (struct str){0};
}

enum err arena_reserve(struct arena *a, void **items, size_t *cap, size_t need, size_t item_size)
{
    if (need <= *cap) {
        return ERR_OK;
    }
    size_t grown = *cap < 8 ? 8 : *cap;
    while (grown < need) {
        if (__builtin_mul_overflow(grown, (size_t)2, &grown)) {
            return ERR_OOM;
        }
    }
    void *p = arena_array(a, grown, item_size);
    if (!p) {
        return a->err;
    }
    if (*cap) {
        memcpy(p, *items, *cap * item_size);
    }
    *items = p;
    *cap = grown;
    return ERR_OK;
}

enum err arena_err(const struct arena *a)
{
    return a->err;
}
