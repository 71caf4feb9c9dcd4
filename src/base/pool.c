/* Worker pool: a ring of tasks under one mutex. Invariant: queued <= queue_max; after `stopping` is set no
 * task enters, and every task that entered runs before the workers end. */
#include <stddef.h>

#include "base/mem.h"
#include "base/thread.h"

struct task {
    void (*fn)(void *ctx);
    void *ctx;
};

struct pool {
    struct mutex lock; /* guards everything below but the threads */
    struct cond work;
    struct task *ring;
    unsigned queue_max, first, queued;
    bool stopping;
    unsigned worker_count;
    struct thread workers[];
};

static void worker_main(void *ctx)
{
    struct pool *p = ctx;
    mutex_lock(&p->lock);
    for (;;) {
        while (p->queued == 0 && !p->stopping) {
            cond_wait(&p->work, &p->lock);
        }
        if (p->queued == 0) {
            break;
        }
        struct task t = p->ring[p->first];
        p->first = (p->first + 1) % p->queue_max;
        p->queued--;
        mutex_unlock(&p->lock);
        t.fn(t.ctx);
        mutex_lock(&p->lock);
    }
    mutex_unlock(&p->lock);
}

enum err pool_new(const char *name, unsigned workers, unsigned queue_max, struct pool **ret_pool)
{
    struct pool *p = mem_zalloc(sizeof(*p) + workers * sizeof(p->workers[0]));
    struct task *ring = mem_zarray(queue_max, sizeof(*ring));
    if (!p || !ring) {
        mem_free(p);
        mem_free(ring);
        return ERR_OOM;
    }
    mutex_init(&p->lock);
    cond_init(&p->work);
    p->ring = ring;
    p->queue_max = queue_max;
    for (unsigned i = 0; i < workers; i++) {
        enum err e = thread_start(&p->workers[i], name, worker_main, p);
        if (e != ERR_OK) {
            pool_free(p);
            return e;
        }
        p->worker_count++;
    }
    *ret_pool = p;
    return ERR_OK;
}

enum err pool_submit(struct pool *p, void (*fn)(void *ctx), void *ctx)
{
    enum err e = ERR_OK;
    mutex_lock(&p->lock);
    if (p->stopping) {
        e = ERR_UNAVAILABLE;
    } else if (p->queued == p->queue_max) {
        e = ERR_LIMIT;
    } else {
        p->ring[(p->first + p->queued++) % p->queue_max] = (struct task){fn, ctx};
        cond_signal(&p->work);
    }
    mutex_unlock(&p->lock);
    return e;
}

void pool_stop(struct pool *p)
{
    mutex_lock(&p->lock);
    p->stopping = true;
    cond_broadcast(&p->work);
    mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->worker_count; i++) {
        thread_join(&p->workers[i]);
    }
}

void pool_free(struct pool *p)
{
    if (!p) {
        return;
    }
    pool_stop(p);
    cond_done(&p->work);
    mutex_done(&p->lock);
    mem_free(p->ring);
    mem_free(p);
}

unsigned pool_queued(struct pool *p)
{
    mutex_lock(&p->lock);
    unsigned n = p->queued;
    mutex_unlock(&p->lock);
    return n;
}
