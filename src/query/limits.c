/* Deadlines and cancellation of queries. */
#include "query/limits.h"

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
