/* Fault points: tests make the N-th allocation or the N-th disk operation fail.
 *
 * In a build without CAIRN_FAULTS the checks compile to nothing. Counters are process-wide atomics, so a test
 * that arms a fault runs one thread, or accepts that any thread may be hit. */
#ifndef CAIRN_BASE_FAULT_H
#define CAIRN_BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_ALLOC = 0, /* mem_*, arena growth */
    FAULT_DISK,      /* every operation in src/disk */
    FAULT_COUNT
};

/* Makes the n-th hit from now (1 = the next) fail, then, if `sticky`, all that follow. n = 0 disarms. */
void fault_arm(enum fault_kind kind, uint64_t n, bool sticky);

/* Ends the process by SIGKILL at the n-th hit from now: the crash tests' power switch. n = 0 disarms. */
void fault_arm_kill(enum fault_kind kind, uint64_t n);

/* Hits since fault_arm. */
uint64_t fault_hits(enum fault_kind kind);

/* Reads CAIRN_FAULT_DISK_KILL=N from the environment (crash tests of the whole program). */
void fault_init_from_env(void);

#ifdef CAIRN_FAULTS
/* True when this operation must fail. */
bool fault_hit(enum fault_kind kind);
#else
static inline bool fault_hit(enum fault_kind kind)
{
    (void)kind;
    return false;
}
#endif

#endif
