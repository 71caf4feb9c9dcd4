/* Mappings of files whose pages cannot be read: the kernel says so by SIGBUS, in the middle of whoever reads.
 *
 * The handler puts a page of zeros in the place and notes it; the reader goes on, and asks afterwards
 * (file_map_failures) whether what it read was there. A fault that is in no mapping of ours goes to whoever
 * handled the signal before. Process-wide, as signals are; slots are written under a lock and read by the
 * handler without one. */
#include "disk/map_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/thread.h"

enum {
    SLOTS = 16384 /* mappings beyond are not guarded */
};

struct slot {
    atomic_uintptr_t from; /* 0: free; release, after the rest */
    atomic_size_t n;
    atomic_bool failed;
};

static struct slot slots[SLOTS];
static atomic_uint slots_used; /* the highest ever taken, plus one */
static atomic_uint_fast64_t failures;
static atomic_bool installed;
static struct sigaction before;
static struct mutex lock = {PTHREAD_MUTEX_INITIALIZER};

static struct slot *slot_of(uintptr_t at)
{
    unsigned n = atomic_load_explicit(&slots_used, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        uintptr_t from = atomic_load_explicit(&slots[i].from, memory_order_acquire);
        if (from && at >= from && at - from < atomic_load_explicit(&slots[i].n, memory_order_relaxed)) {
            return &slots[i];
        }
    }
    return NULL;
}

/* Async-signal-safe: system calls and atomics. */
static void on_bus(int number, siginfo_t *info, void *context)
{
    int why = errno;
    uintptr_t at = (uintptr_t)info->si_addr, page = at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    struct slot *s = slot_of(at);
    if (s && mmap((void *)page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
        atomic_store(&s->failed, true);
        atomic_fetch_add(&failures, 1);
    } else if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else {
        (void)sigaction(SIGBUS, &before, NULL); /* and again */
    }
    errno = why;
}

void map_guard_add(const void *p, size_t n)
{
    mutex_lock(&lock);
    if (!atomic_load(&installed)) {
        struct sigaction act = {.sa_flags = SA_SIGINFO, .sa_sigaction = on_bus};
        (void)sigemptyset(&act.sa_mask);
        atomic_store(&installed, sigaction(SIGBUS, &act, &before) == 0);
    }
    unsigned i = 0;
    while (i < SLOTS && atomic_load_explicit(&slots[i].from, memory_order_relaxed)) {
        i++;
    }
    if (i < SLOTS) {
        atomic_store_explicit(&slots[i].n, n, memory_order_relaxed);
        atomic_store_explicit(&slots[i].failed, false, memory_order_relaxed);
        atomic_store_explicit(&slots[i].from, (uintptr_t)p, memory_order_release);
        if (i >= atomic_load_explicit(&slots_used, memory_order_relaxed)) {
            atomic_store_explicit(&slots_used, i + 1, memory_order_release);
        }
    }
    mutex_unlock(&lock);
}

void map_guard_remove(const void *p)
{
    mutex_lock(&lock);
    struct slot *s = slot_of((uintptr_t)p);
    if (s) {
        atomic_store_explicit(&s->from, 0, memory_order_relaxed);
    }
    mutex_unlock(&lock);
}

bool file_map_failed(const struct file_map *m)
{
    if (atomic_load(&failures) == 0 || !m->data.p) {
        return false;
    }
    const struct slot *s = slot_of((uintptr_t)m->data.p);
    return s && atomic_load(&s->failed);
}

uint64_t file_map_failures(void)
{
    return atomic_load(&failures);
}
