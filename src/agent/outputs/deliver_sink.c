/* Straight into the log role of the same process. */
#include <stdatomic.h>
#include <stdio.h>

#include "agent/outputs/deliver.h"
#include "base/mem.h"

struct sink_deliverer {
    struct deliverer base;
    struct log_sink *sink;
    atomic_bool canceled; /* set by the stopping thread, read before each push */
};

static void sink_deliver(struct deliverer *base, struct batch *b, struct str tenant, struct delivery *ret)
{
    struct sink_deliverer *d = (struct sink_deliverer *)base;
    struct log_push push;
    struct log_push_result result = {0};
    struct err_info info = {0};
    *ret = (struct delivery){.verdict = DELIVERY_AWAY, .status = -1};
    if (atomic_load_explicit(&d->canceled, memory_order_relaxed)) {
        return;
    }
    enum err e = batch_view(b, tenant.n ? tenant : STR("anonymous"), &push);
    e = e ? e : d->sink->ops->push(d->sink, &push, &result, &info);
    if (e == ERR_OK) {
        ret->verdict = DELIVERY_DONE;
        ret->status = 204;
        ret->encoded_bytes = b->bytes;
        ret->refused = result.refused;
        (void)snprintf(ret->reason, sizeof(ret->reason), "%.250s",
                       result.refused ? result.first_refusal.message : "");
        return;
    }
    ret->verdict = e == ERR_INVALID ? DELIVERY_REFUSED : DELIVERY_AWAY;
    (void)snprintf(ret->reason, sizeof(ret->reason), "%.250s", info.message[0] ? info.message : err_text(e));
}

static void sink_cancel(struct deliverer *base)
{
    atomic_store_explicit(&((struct sink_deliverer *)base)->canceled, true, memory_order_relaxed);
}

static void sink_free(struct deliverer *base)
{
    mem_free(base);
}

static const struct deliverer_ops sink_ops = {sink_deliver, sink_cancel, sink_free};

enum err deliver_sink_new(struct log_sink *sink, struct deliverer **ret_deliverer)
{
    struct sink_deliverer *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return ERR_OOM;
    }
    d->base.ops = &sink_ops;
    d->sink = sink;
    atomic_init(&d->canceled, false);
    *ret_deliverer = &d->base;
    return ERR_OK;
}
