/* Slabs, and what is cut from them. */
#include "metrics/tsdb/head_pool.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metrics/tsdb/limits.h"

enum {
    LINE_BYTES = 64
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
        mem_free(p->slabs[i]);
    }
    mem_free(p->slabs);
    mutex_done(&p->lock);
}

/* n zeroed bytes of a slab, n <= HEAD_SLAB_BYTES_MIN; under the lock. */
static void *cut(struct head_pool *p, size_t n)
{
    if (n > p->left) {
        void *slab = NULL;
        if (vec_reserve((void **)&p->slabs, &p->slab_cap, p->slab_count + 1, sizeof(void *)) != ERR_OK ||
            !(slab = mem_slab(p->next_bytes))) {
            return NULL;
        }
        p->slabs[p->slab_count++] = slab;
        p->p = slab;
        p->left = p->next_bytes;
        p->next_bytes = p->next_bytes < HEAD_SLAB_BYTES_MAX ? p->next_bytes * 2 : HEAD_SLAB_BYTES_MAX;
    }
    void *out = p->p;
    p->p += n;
    p->left -= n;
    return out;
}

void *head_pool_page(struct head_pool *p, size_t n)
{
    mutex_lock(&p->lock);
    size_t skip = -(uintptr_t)p->p % LINE_BYTES;
    skip = skip < p->left ? skip : p->left;
    p->p += skip;
    p->left -= skip;
    void *out = cut(p, (n + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
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

void *head_pool_tail(struct head_pool *p, size_t size)
{
    size_t i = class_of(size);
    ASSERT(i < TAIL_CLASSES && tail_sizes[i] == size);
    mutex_lock(&p->lock);
    void *out = p->free[i];
    if (out) {
        memcpy(&p->free[i], out, sizeof(void *));
    } else {
        out = cut(p, size);
    }
    mutex_unlock(&p->lock);
    return out;
}

void head_pool_tail_free(struct head_pool *p, void *tail, size_t size)
{
    size_t i = class_of(size);
    if (!tail) {
        return;
    }
    mutex_lock(&p->lock);
    memcpy(tail, &p->free[i], sizeof(void *));
    p->free[i] = tail;
    mutex_unlock(&p->lock);
}
