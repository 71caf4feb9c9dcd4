/* Measuring the process. The kernel's figure is read again when it is old, or when much was asked for since.
 */
#include "base/mem_promise.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    FRESH_MS = 20,           /* a measurement holds for so long, */
    GROWN_BYTES = 256 << 10, /* or until so much was asked for */
    QUIET_BYTES = 1 << 20,   /* with fewer in use, what is measured counts as without queries */
    TRIM_EVERY_MS = 1000,
    REST_BYTES = 16 << 20 /* queries that had less between them leave little behind */
};

struct mem_promise {
    uint64_t bytes;
    int statm;
    long page_bytes;
    /* Sums and measurements; they order nothing. */
    atomic_uint_fast64_t anonymous, quiet; /* measured: now, and when hardly a query ran */
    atomic_uint_fast64_t grown;            /* asked for since */
    atomic_uint_fast64_t queries, refused;
    atomic_uint_fast64_t taken; /* by queries, ever */
    uint64_t seen, rested;      /* taken at the last look, and when memory went back; of mem_promise_rest */
    _Atomic int64_t measured_ns, trimmed_ns;
};

enum err mem_promise_new(uint64_t bytes, struct mem_promise **ret_p)
{
    struct mem_promise *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    p->bytes = bytes;
    p->page_bytes = sysconf(_SC_PAGESIZE);
    p->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    *ret_p = p;
    return ERR_OK;
}

void mem_promise_free(struct mem_promise *p)
{
    if (p) {
        if (p->statm >= 0) {
            (void)close(p->statm);
        }
        mem_free(p);
    }
}

/* Resident pages less those of files: "size resident shared ..." */
static uint64_t statm_anonymous(const struct mem_promise *p)
{
    char text[128];
    uint64_t resident = 0, shared = 0;
    ssize_t n = p->statm < 0 ? -1 : pread(p->statm, text, sizeof(text), 0);
    struct str rest = str_of(text, n > 0 ? (size_t)n : 0);
    (void)str_cut(&rest, ' ');
    if (n <= 0 || str_to_u64(str_cut(&rest, ' '), &resident) != ERR_OK ||
        str_to_u64(str_cut(&rest, ' '), &shared) != ERR_OK || resident < shared) {
        return 0;
    }
    return (resident - shared) * (uint64_t)p->page_bytes;
}

static uint64_t load(const atomic_uint_fast64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void measure(struct mem_promise *p)
{
    uint64_t now = statm_anonymous(p);
    atomic_store_explicit(&p->grown, 0, memory_order_relaxed);
    atomic_store_explicit(&p->anonymous, now, memory_order_relaxed);
    if (load(&p->queries) < QUIET_BYTES) {
        atomic_store_explicit(&p->quiet, now, memory_order_relaxed);
    }
    atomic_store_explicit(&p->measured_ns, clock_mono_ns(clock_real()), memory_order_relaxed);
}

static void measure_when_old(struct mem_promise *p)
{
    if (load(&p->grown) > GROWN_BYTES ||
        clock_mono_ns(clock_real()) - atomic_load_explicit(&p->measured_ns, memory_order_relaxed) >
            FRESH_MS * NS_PER_MS) {
        measure(p);
    }
}

/* Memory that the C library keeps is no part's: before anything is refused it goes back, once in a while. */
static bool give_back(struct mem_promise *p)
{
    int64_t now = clock_mono_ns(clock_real()),
            before = atomic_load_explicit(&p->trimmed_ns, memory_order_relaxed);
    if (now - before < TRIM_EVERY_MS * NS_PER_MS ||
        !atomic_compare_exchange_strong(&p->trimmed_ns, &before, now)) {
        return false;
    }
    mem_give_back();
    measure(p);
    return true;
}

/* -- queries --------------------------------------------------------------------------------------------- */

/* What was allocated need not have been touched yet, and what was measured need not be counted: the larger.
 */
static bool fits(const struct mem_promise *p, uint64_t more)
{
    uint64_t measured = load(&p->anonymous) + load(&p->grown), counted = load(&p->quiet) + load(&p->queries);
    return (measured > counted ? measured : counted) + more <= p->bytes / 8 * 7;
}

bool mem_promise_take(struct mem_promise *p, size_t bytes)
{
    if (!p) {
        return true;
    }
    measure_when_old(p);
    if (!fits(p, bytes) && !(give_back(p) && fits(p, bytes))) {
        return false;
    }
    mem_promise_take_small(p, bytes);
    return true;
}

void mem_promise_take_small(struct mem_promise *p, size_t bytes)
{
    if (p) {
        atomic_fetch_add_explicit(&p->queries, bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->taken, bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->grown, bytes, memory_order_relaxed);
    }
}

void mem_promise_release(struct mem_promise *p, size_t bytes)
{
    if (p) {
        atomic_fetch_sub_explicit(&p->queries, bytes, memory_order_relaxed);
    }
}

void mem_promise_refused(struct mem_promise *p)
{
    if (p) {
        atomic_fetch_add_explicit(&p->refused, 1, memory_order_relaxed);
    }
}

/* -- what stays ------------------------------------------------------------------------------------------ */

static uint64_t staying(const struct mem_promise *p)
{
    uint64_t all = load(&p->anonymous) + load(&p->grown), queries = load(&p->queries);
    return all > queries ? all - queries : 0;
}

void mem_promise_grew(struct mem_promise *p, size_t bytes)
{
    if (p && atomic_fetch_add_explicit(&p->grown, bytes, memory_order_relaxed) + bytes > GROWN_BYTES) {
        measure(p);
    }
}

bool mem_promise_full(struct mem_promise *p)
{
    if (!p || staying(p) <= p->bytes / 4 * 3) {
        return false;
    }
    measure_when_old(p);
    return staying(p) > p->bytes / 4 * 3 && (!give_back(p) || staying(p) > p->bytes / 4 * 3);
}

bool mem_promise_pressed(struct mem_promise *p)
{
    if (!p) {
        return false;
    }
    measure(p);
    return staying(p) > p->bytes / 8 * 5;
}

void mem_promise_worked(struct mem_promise *p)
{
    if (p) {
        atomic_fetch_add_explicit(&p->taken, REST_BYTES, memory_order_relaxed);
    }
}

bool mem_promise_rest(struct mem_promise *p)
{
    if (!p) {
        return false;
    }
    uint64_t taken = load(&p->taken), before = p->seen;
    p->seen = taken;
    if (taken != before || taken - p->rested < REST_BYTES || load(&p->queries) >= QUIET_BYTES) {
        return false;
    }
    p->rested = taken;
    mem_give_back();
    return true;
}

void mem_promise_stats(struct mem_promise *p, struct mem_promise_stats *ret_stats)
{
    *ret_stats = (struct mem_promise_stats){0};
    if (p) {
        measure(p);
        *ret_stats = (struct mem_promise_stats){.promise = p->bytes,
                                                .anonymous = load(&p->anonymous),
                                                .queries = load(&p->queries),
                                                .queries_refused = load(&p->refused),
                                                .full = staying(p) > p->bytes / 4 * 3};
    }
}

void mem_promise_explain(struct mem_promise *p, char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "%llu of %llu MiB are in use",
                   (unsigned long long)(p ? load(&p->anonymous) >> 20 : 0),
                   (unsigned long long)(p ? p->bytes >> 20 : 0));
}
