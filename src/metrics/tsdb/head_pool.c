/* Slabs, and what is cut from them. */
#include "metrics/tsdb/head_pool.h"

#include <string.h>

#include "base/mem.h"
#include "metrics/tsdb/limits.h"

enum {
    LINE_BYTES = 64,
    TAIL_RUN_BYTES = 2048 /* of first tails, that a head takes at once */
};

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

void *head_pool_tail(struct head_pool *p, struct tail_pool *t)
{
    void *out = t->free;
    if (out) {
        memcpy(&t->free, out, sizeof(void *));
        return out;
    }
    if (t->left == 0) {
        t->p = head_pool_page(p, TAIL_RUN_BYTES);
        t->left = t->p ? TAIL_RUN_BYTES : 0;
    }
    if (t->left) {
        out = t->p;
        t->p += TAIL_BYTES_FIRST;
        t->left -= TAIL_BYTES_FIRST;
    }
    return out;
}

void head_pool_tail_free(struct tail_pool *t, void *tail)
{
    if (tail) {
        memcpy(tail, &t->free, sizeof(void *));
        t->free = tail;
    }
}
