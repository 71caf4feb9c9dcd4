/* Time. Wall time for data, monotonic time for deadlines; both can be driven by tests.
 *
 * Metric time is milliseconds and log time nanoseconds since the Unix epoch: two named types, never bare. */
#ifndef CAIRN_BASE_CLOCK_H
#define CAIRN_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t ts_ms; /* wall time, milliseconds since 1970-01-01T00:00:00Z */
typedef int64_t ts_ns; /* wall time, nanoseconds since then */

#define NS_PER_MS ((int64_t)1000000)
#define NS_PER_S ((int64_t)1000000000)
#define MS_PER_S ((int64_t)1000)

/* A clock is real, or fake and moved by clock_fake_advance. Pointers to it are shared freely; any thread. */
struct clock {
    bool fake;
    _Atomic int64_t wall_ns;
    _Atomic int64_t mono_ns;
};

/* The first of n sorted times that is not before t; n when there is none. */
static inline size_t ts_lower_bound(const ts_ms *ts, size_t n, ts_ms t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ts[mid] < t) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* The machine's own clock. */
struct clock *clock_real(void);
void clock_fake_init(struct clock *c, ts_ns wall_ns);
void clock_fake_advance(struct clock *c, int64_t by_ns);

ts_ns clock_wall_ns(const struct clock *c);
ts_ms clock_wall_ms(const struct clock *c);
/* Never goes back; origin unspecified. */
int64_t clock_mono_ns(const struct clock *c);
/* CPU time of the calling thread. */
int64_t clock_thread_cpu_ns(void);

/* Sleeps on the real clock. For back-off loops only; threads that can be stopped wait on a cond. */
void clock_sleep_ms(int64_t ms);

/* RFC 3339 with milliseconds and Z into buf (at least 32 bytes). Returns buf. */
const char *clock_format_rfc3339(ts_ns t, char *buf, size_t buf_size);

#endif
