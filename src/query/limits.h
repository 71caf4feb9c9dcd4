/* What a query may cost, and the means to stop it. Shared by both languages and by storage.
 *
 * One struct query_ctx lives as long as one query. Any of its threads may read it; `canceled` is set by the
 * connection when the client leaves. Long loops call query_ctx_check every few thousand steps. */
#ifndef CAIRN_QUERY_LIMITS_H
#define CAIRN_QUERY_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct query_ctx {
    struct str tenant; /* never empty: "anonymous" is the one of single-tenant use ("fake" in Loki's words) */
    struct mem_budget *budget;    /* may be NULL */
    int64_t deadline_mono_ns;     /* 0 = none */
    uint64_t samples_max;         /* that the evaluator holds at a time; 0 = no limit */
    atomic_uint_fast64_t samples; /* read by the source and shown by selectors: for statistics */
    atomic_bool canceled;
    const atomic_bool *canceled_by; /* the connection's own flag; may be NULL */
};

#define QUERY_TENANT_DEFAULT STR("anonymous")

/* OK, CANCELED or TIMEOUT; info carries the sentence for the client. */
MUST_USE enum err query_ctx_check(const struct query_ctx *q, struct err_info *reterr_info);

/* Why there was no memory for a query, of LIMIT or OOM: its own limit, or what the process may use. Returns
 * e. */
enum err query_ctx_no_memory(const struct query_ctx *q, enum err e, struct err_info *reterr_info);

#endif
