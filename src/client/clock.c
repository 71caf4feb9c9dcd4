/* The two clocks of libcairn, which its unit test can drive, and the numbering of threads into stripes.
 * Any thread. The globals are process-wide by nature: a thread's stripe and the processor count. */
#include "client_int.h"

#include <time.h>
#include <unistd.h>

static _Atomic int64_t override_ns; /* relaxed: tests set it before they start what reads it */
static _Atomic unsigned thread_count;
static _Atomic unsigned stripe_copies; /* 0: not computed yet */

_Thread_local unsigned cairn__stripe_id;

static int64_t clock_ns(clockid_t id)
{
    int64_t fixed = atomic_load_explicit(&override_ns, memory_order_relaxed);
    if (fixed != 0) {
        return fixed;
    }
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cairn__monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

int64_t cairn__wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

void cairn__clock_override(int64_t now_ns)
{
    atomic_store_explicit(&override_ns, now_ns, memory_order_relaxed);
}

/* Round robin, from 1: threads spread over the copies whatever their order of arrival. */
unsigned cairn__stripe_assign(void)
{
    unsigned id = atomic_fetch_add_explicit(&thread_count, 1, memory_order_relaxed) + 1;
    cairn__stripe_id = id == 0 ? 1 : id;
    return cairn__stripe_id;
}

unsigned cairn__stripe_mask(void)
{
    unsigned copies = atomic_load_explicit(&stripe_copies, memory_order_relaxed);
    if (copies == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        copies = 1;
        while (copies < CAIRN__STRIPES_MAX && (long)copies < processors) {
            copies *= 2;
        }
        atomic_store_explicit(&stripe_copies, copies, memory_order_relaxed);
    }
    return copies - 1;
}
