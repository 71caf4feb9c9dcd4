/* Reference counts with a consequence. */
#include "agent/model/receipt.h"

#include "base/assert.h"
#include "base/mem.h"

struct receipt_join {
    struct receipt base;
    struct receipt **members;
    size_t n, cap;
};

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

static void join_settled(struct receipt *r, bool ok)
{
    struct receipt_join *j = (struct receipt_join *)r;
    for (size_t i = 0; i < j->n; i++) {
        if (!ok) {
            receipt_fail(j->members[i]);
        }
        receipt_unref(j->members[i]);
    }
    mem_free(j->members);
    mem_free(j);
}

struct receipt_join *receipt_join_new(void)
{
    struct receipt_join *j = mem_zalloc(sizeof(*j));
    if (j) {
        receipt_init(&j->base, join_settled);
    }
    return j;
}

bool receipt_join_add(struct receipt_join *j, struct receipt *r)
{
    if (!r || (j->n && j->members[j->n - 1] == r)) {
        return true;
    }
    if (vec_reserve((void **)&j->members, &j->cap, j->n + 1, sizeof(struct receipt *))) {
        return false;
    }
    receipt_ref(r);
    j->members[j->n++] = r;
    return true;
}

struct receipt *receipt_join_receipt(struct receipt_join *j)
{
    return &j->base;
}
