/* Slabs, and what is cut from them. */
#include "metrics/tsdb/head_pool.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metrics/tsdb/limits.h"

enum {
    LINE_BYTES = 64,
    TAIL_RUN_BYTES = 4096 /* that a head takes at once */
};

/* Steps of a half to a third: a tail grows a few times in its life. The last takes any. */
static const uint16_t tail_sizes[TAIL_CLASSES] = {32, 48, 72, 104, 144, 200, 272, 368, 488, 648, 864, 1200};

void head_pool_init(struct head_pool *p)
{
    *p = (struct head_pool){.next_bytes = HEAD_SLAB_BYTES_MIN};
    mutex_init(&p->lock);
}

void head_pool_done(struct head_pool *p)
{
    for (size_t i = 0; i < p->slab_count; i++) {
        mem_slab_free(p->slabs[i].p, p->slabs[i].bytes);
    }
    mem_free(p->slabs);
    mutex_done(&p->lock);
}

static bool slab_add(struct head_pool *p)
{
    void *slab = NULL;
    if (vec_reserve((void **)&p->slabs, &p->slab_cap, p->slab_count + 1, sizeof(*p->slabs)) != ERR_OK ||
        !(slab = mem_slab(p->next_bytes))) {
        return false;
    }
    p->slabs[p->slab_count++] = (struct slab){slab, p->next_bytes};
    p->p = slab;
    p->left = p->next_bytes;
    p->next_bytes = p->next_bytes < HEAD_SLAB_BYTES_MAX ? p->next_bytes * 2 : HEAD_SLAB_BYTES_MAX;
    return true;
}

void *head_pool_page(struct head_pool *p, size_t n)
{
    void *out = NULL;
    n = (n + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    mutex_lock(&p->lock);
    if (n <= p->left || slab_add(p)) {
        out = p->p;
        p->p += n;
        p->left -= n;
    }
    mutex_unlock(&p->lock);
    return out;
}

static size_t class_of(size_t n)
{
    size_t i = 0;
    while (i < TAIL_CLASSES && tail_sizes[i] < n) {
        i++;
    }
    return i;
}

size_t head_pool_tail_size(size_t n)
{
    size_t i = class_of(n);
    return i < TAIL_CLASSES ? tail_sizes[i] : 0;
}

static void free_put(struct tail_pool *t, size_t i, void *tail)
{
    memcpy(tail, &t->free[i], sizeof(void *));
    t->free[i] = tail;
}

/* The rest of a run is good for smaller tails. */
static void rest_keep(struct tail_pool *t)
{
    for (size_t i = TAIL_CLASSES; i-- > 0;) {
        while (t->left >= tail_sizes[i]) {
            free_put(t, i, t->p);
            t->p += tail_sizes[i];
            t->left -= tail_sizes[i];
        }
    }
}

void *head_pool_tail(struct head_pool *p, struct tail_pool *t, size_t size)
{
    size_t i = class_of(size);
    ASSERT(i < TAIL_CLASSES && tail_sizes[i] == size);
    void *out = t->free[i];
    if (out) {
        memcpy(&t->free[i], out, sizeof(void *));
        return out;
    }
    if (size > t->left) {
        void *run = head_pool_page(p, TAIL_RUN_BYTES);
        if (!run) {
            return NULL;
        }
        rest_keep(t);
        t->p = run;
        t->left = TAIL_RUN_BYTES;
    }
    out = t->p;
    t->p += size;
    t->left -= size;
    return out;
}

void head_pool_tail_free(struct tail_pool *t, void *tail, size_t size)
{
    if (tail) {
        free_put(t, class_of(size), tail);
    }
}
