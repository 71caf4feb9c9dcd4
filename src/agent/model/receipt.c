/* Reference counts with a consequence. */
#include "agent/model/receipt.h"

#include "base/assert.h"

void receipt_init(struct receipt *r, void (*settled)(struct receipt *r, bool ok))
{
    atomic_init(&r->refs, 1);
    atomic_init(&r->failed, false);
    r->settled = settled;
}

void receipt_ref(struct receipt *r)
{
    (void)atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
}

void receipt_unref(struct receipt *r)
{
    if (!r) {
        return;
    }
    unsigned before = atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1) {
        r->settled(r, !atomic_load_explicit(&r->failed, memory_order_relaxed));
    }
}

void receipt_fail(struct receipt *r)
{
    if (r) {
        atomic_store_explicit(&r->failed, true, memory_order_relaxed);
    }
}
