/* Threads over pthreads. A failing lock operation is a broken invariant, not an error to handle. */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"

void mutex_init(struct mutex *m)
{
    ASSERT(pthread_mutex_init(&m->m, NULL) == 0);
}

void mutex_done(struct mutex *m)
{
    ASSERT(pthread_mutex_destroy(&m->m) == 0);
}

void mutex_lock(struct mutex *m)
{
    ASSERT(pthread_mutex_lock(&m->m) == 0);
}

void mutex_unlock(struct mutex *m)
{
    ASSERT(pthread_mutex_unlock(&m->m) == 0);
}

bool mutex_trylock(struct mutex *m)
{
    return pthread_mutex_trylock(&m->m) == 0;
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    ASSERT(pthread_condattr_init(&attr) == 0);
    ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&c->c, &attr) == 0);
    ASSERT(pthread_condattr_destroy(&attr) == 0);
}

void cond_done(struct cond *c)
{
    ASSERT(pthread_cond_destroy(&c->c) == 0);
}

void cond_wait(struct cond *c, struct mutex *m)
{
    ASSERT(pthread_cond_wait(&c->c, &m->m) == 0);
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    struct timespec t = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
    return pthread_cond_timedwait(&c->c, &m->m, &t) == 0;
}

void cond_signal(struct cond *c)
{
    ASSERT(pthread_cond_signal(&c->c) == 0);
}

void cond_broadcast(struct cond *c)
{
    ASSERT(pthread_cond_broadcast(&c->c) == 0);
}

struct start {
    void (*fn)(void *ctx);
    void *ctx;
    const char *name;
};

static void *thread_main(void *arg)
{
    struct start s = *(struct start *)arg;
    mem_free(arg);
    (void)pthread_setname_np(pthread_self(), s.name);
    s.fn(s.ctx);
    return NULL;
}

enum err thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx)
{
    struct start *s = mem_alloc(sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    *s = (struct start){fn, ctx, name};
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigdelset(&all,
                    SIGBUS); /* of the thread's own making: a mapped page that cannot be read (disk/file.h) */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->t, NULL, thread_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        mem_free(s);
        return ERR_UNAVAILABLE;
    }
    t->started = true;
    return ERR_OK;
}

void thread_join(struct thread *t)
{
    if (t->started) {
        ASSERT(pthread_join(t->t, NULL) == 0);
        t->started = false;
    }
}

unsigned thread_cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}
