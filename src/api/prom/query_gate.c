/* A counter with a queue. A client that leaves while it waits is noticed by a look at its flag now and then.
 */
#include "api/prom/query_gate.h"

#include "base/mem.h"
#include "base/thread.h"

enum {
    LOOK_EVERY_MS = 100
};

struct query_gate {
    struct mutex lock; /* guards what follows */
    struct cond left;
    unsigned inside, max;
};

enum err query_gate_new(unsigned max, struct query_gate **ret_gate)
{
    struct query_gate *g = mem_zalloc(sizeof(*g));
    if (!g) {
        return ERR_OOM;
    }
    mutex_init(&g->lock);
    cond_init(&g->left);
    g->max = max;
    *ret_gate = g;
    return ERR_OK;
}

void query_gate_free(struct query_gate *g)
{
    if (g) {
        cond_done(&g->left);
        mutex_done(&g->lock);
        mem_free(g);
    }
}

/* Why the query waits no longer. */
static enum err given_up(const struct query_ctx *q, struct err_info *info)
{
    enum err e = query_ctx_check(q, NULL);
    if (e == ERR_TIMEOUT) {
        return err_set(info, e, "query timed out in query queue");
    }
    return e == ERR_CANCELED ? err_set(info, e, "query was canceled in query queue") : e;
}

enum err query_gate_enter(struct query_gate *g, const struct query_ctx *q, struct err_info *reterr_info)
{
    mutex_lock(&g->lock);
    enum err e = given_up(q, reterr_info);
    while (e == ERR_OK && g->inside >= g->max) {
        int64_t until = clock_mono_ns(clock_real()) + LOOK_EVERY_MS * NS_PER_MS;
        until = q->deadline_mono_ns && q->deadline_mono_ns < until ? q->deadline_mono_ns : until;
        (void)cond_wait_until(&g->left, &g->lock, until);
        e = given_up(q, reterr_info);
    }
    g->inside += e == ERR_OK;
    if (e != ERR_OK && g->inside < g->max) {
        cond_signal(&g->left); /* the signal may have been meant for another */
    }
    mutex_unlock(&g->lock);
    return e;
}

void query_gate_leave(struct query_gate *g)
{
    mutex_lock(&g->lock);
    g->inside--;
    cond_signal(&g->left);
    mutex_unlock(&g->lock);
}
