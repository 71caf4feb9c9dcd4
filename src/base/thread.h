/* Threads, locks and a worker pool. Threads have names that `top -H` shows. */
#ifndef CAIRN_BASE_THREAD_H
#define CAIRN_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct mutex {
    pthread_mutex_t m;
};

struct cond {
    pthread_cond_t c; /* waits on CLOCK_MONOTONIC */
};

void mutex_init(struct mutex *m);
void mutex_done(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_trylock(struct mutex *m);

void cond_init(struct cond *c);
void cond_done(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m);
/* Waits until signalled or until deadline_ns of the real monotonic clock. False on timeout. */
bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

struct thread {
    pthread_t t;
    bool started;
};

/* `name` has at most 15 bytes and static lifetime. All signals are blocked in the new thread.
 * Errors: OOM, UNAVAILABLE (no thread to be had). */
MUST_USE enum err thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx);
/* Waits for the end; does nothing for a thread that never started. */
void thread_join(struct thread *t);

/* Online processors that this process may use, at least 1. */
unsigned thread_cpu_count(void);

/* A fixed set of workers with one bounded queue. Tasks run in order of arrival. */
struct pool;

MUST_USE enum err pool_new(const char *name, unsigned workers, unsigned queue_max, struct pool **ret_pool);
/* Errors: LIMIT when the queue is full, UNAVAILABLE after pool_stop. `fn` owns ctx. Any thread. */
MUST_USE enum err pool_submit(struct pool *p, void (*fn)(void *ctx), void *ctx);
/* Refuses new tasks, runs the queued ones, joins the workers. */
void pool_stop(struct pool *p);
/* pool_stop and release. Accepts NULL. */
void pool_free(struct pool *p);
unsigned pool_queued(struct pool *p);

#endif
