/* Counters behind the fault points. Relaxed atomics: a test arms before it starts the work under test. */
#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/str.h"

struct fault_state {
    atomic_uint_fast64_t hits;
    atomic_uint_fast64_t fail_at;
    atomic_uint_fast64_t kill_at;
    atomic_bool sticky;
};

static struct fault_state states[FAULT_COUNT];

void fault_arm(enum fault_kind kind, uint64_t n, bool sticky)
{
    struct fault_state *s = &states[kind];
    atomic_store(&s->hits, 0);
    atomic_store(&s->sticky, sticky);
    atomic_store(&s->fail_at, n);
}

void fault_arm_kill(enum fault_kind kind, uint64_t n)
{
    atomic_store(&states[kind].hits, 0);
    atomic_store(&states[kind].kill_at, n);
}

uint64_t fault_hits(enum fault_kind kind)
{
    return atomic_load(&states[kind].hits);
}

void fault_init_from_env(void)
{
    const char *n = getenv("CAIRN_FAULT_DISK_KILL");
    uint64_t hits;
    if (n && str_to_u64(str_c(n), &hits) == ERR_OK) {
        fault_arm_kill(FAULT_DISK, hits);
    }
}

#ifdef CAIRN_FAULTS
bool fault_hit(enum fault_kind kind)
{
    struct fault_state *s = &states[kind];
    uint64_t hit = atomic_fetch_add_explicit(&s->hits, 1, memory_order_relaxed) + 1;
    uint64_t kill_at = atomic_load_explicit(&s->kill_at, memory_order_relaxed);
    if (kill_at && hit == kill_at) {
        (void)raise(SIGKILL);
    }
    uint64_t fail_at = atomic_load_explicit(&s->fail_at, memory_order_relaxed);
    if (fail_at == 0) {
        return false;
    }
    return hit == fail_at || (hit > fail_at && atomic_load_explicit(&s->sticky, memory_order_relaxed));
}
#endif
