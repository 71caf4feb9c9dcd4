/* Segments of sealed chunks. */
#include "metrics/tsdb/chunk_pool.h"

#include "base/mem.h"
#include "disk/file.h"
#include "metrics/tsdb/limits.h"

struct chunk_segment {
    struct chunk_pool *pool;
    atomic_size_t refs; /* one for each chunk and reader, and one while it is the current one */
    char *p;
    size_t used, size; /* used: guarded by pool.lock */
};

enum {
    ALIGN = 8,
    PAUSE_ALLOCATIONS = 4096 /* after a failure, before the disk is asked again */
};

void chunk_pool_init(struct chunk_pool *p, const char *dir)
{
    *p = (struct chunk_pool){.dir = dir, .next_bytes = CHUNK_SEGMENT_BYTES_MIN};
    mutex_init(&p->lock);
    atomic_init(&p->bytes, 0);
    head_pool_init(&p->heads);
}

void chunk_pool_done(struct chunk_pool *p)
{
    if (p->current) {
        chunk_segment_unref(p->current);
    }
    head_pool_done(&p->heads);
    mutex_done(&p->lock);
}

static struct chunk_segment *segment_new(struct chunk_pool *p, size_t size)
{
    void *map = NULL;
    struct chunk_segment *s = mem_zalloc(sizeof(*s));
    if (!s || file_map_scratch(p->dir, size, &map, NULL) != ERR_OK) {
        mem_free(s);
        return NULL;
    }
    s->pool = p;
    s->p = map;
    s->size = size;
    atomic_init(&s->refs, 1);
    atomic_fetch_add_explicit(&p->bytes, size, memory_order_relaxed);
    return s;
}

void chunk_segment_ref(struct chunk_segment *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void chunk_segment_unref(struct chunk_segment *s)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        file_unmap_scratch(s->p, s->size);
        atomic_fetch_sub_explicit(&s->pool->bytes, s->size, memory_order_relaxed);
        mem_free(s);
    }
}

/* A current segment with room for n bytes; under the lock. */
static bool room(struct chunk_pool *p, size_t n)
{
    if (p->current && n <= p->current->size - p->current->used) {
        return true;
    }
    if (p->pause > 0) {
        p->pause--;
        return false;
    }
    struct chunk_segment *s = segment_new(p, p->next_bytes);
    if (!s) {
        p->pause = PAUSE_ALLOCATIONS;
        return false;
    }
    if (p->current) {
        chunk_segment_unref(p->current);
    }
    p->current = s;
    p->next_bytes = p->next_bytes * 2 < CHUNK_SEGMENT_BYTES_MAX ? p->next_bytes * 2 : CHUNK_SEGMENT_BYTES_MAX;
    return true;
}

void *chunk_pool_alloc(struct chunk_pool *p, size_t n, struct chunk_segment **ret_segment)
{
    void *out = NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (n > CHUNK_SEGMENT_BYTES_MIN / 4) {
        return NULL;
    }
    mutex_lock(&p->lock);
    if (room(p, n)) {
        out = p->current->p + p->current->used;
        p->current->used += n;
        chunk_segment_ref(p->current);
        *ret_segment = p->current;
    }
    mutex_unlock(&p->lock);
    return out;
}
