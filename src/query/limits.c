/* Deadlines and cancellation of queries. */
#include "query/limits.h"

#include "base/mem_promise.h"

enum err query_ctx_check(const struct query_ctx *q, struct err_info *reterr_info)
{
    if (atomic_load_explicit(&q->canceled, memory_order_relaxed) ||
        (q->canceled_by && atomic_load_explicit(q->canceled_by, memory_order_relaxed))) {
        return err_set(reterr_info, ERR_CANCELED, "query was canceled");
    }
    if (q->deadline_mono_ns && clock_mono_ns(clock_real()) > q->deadline_mono_ns) {
        return err_set(reterr_info, ERR_TIMEOUT, "query timed out");
    }
    return ERR_OK;
}

enum err query_ctx_no_memory(const struct query_ctx *q, enum err e, struct err_info *reterr_info)
{
    if (!q->budget || !atomic_load_explicit(&q->budget->promise_refused, memory_order_relaxed)) {
        return err_set(reterr_info, e, "no memory left for the query: narrow it or raise its limit");
    }
    char used[64];
    mem_promise_explain(q->budget->promise, used, sizeof(used));
    return err_set(reterr_info, e,
                   "the query needs more memory than is left (setting memory: %s): narrow the selection or "
                   "enlarge the step",
                   used);
}
