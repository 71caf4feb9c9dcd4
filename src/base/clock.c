/* Clocks. The real one reads the kernel's vDSO clocks; a fake one is two atomics. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

struct clock *clock_real(void)
{
    static struct clock real = {.fake = false};
    return &real;
}

void clock_fake_init(struct clock *c, ts_ns wall_ns)
{
    c->fake = true;
    atomic_store(&c->wall_ns, wall_ns);
    atomic_store(&c->mono_ns, NS_PER_S);
}

void clock_fake_advance(struct clock *c, int64_t by_ns)
{
    atomic_fetch_add(&c->wall_ns, by_ns);
    atomic_fetch_add(&c->mono_ns, by_ns);
}

ts_ns clock_wall_ns(const struct clock *c)
{
    return c->fake ? atomic_load(&c->wall_ns) : read_ns(CLOCK_REALTIME);
}

ts_ms clock_wall_ms(const struct clock *c)
{
    return clock_wall_ns(c) / NS_PER_MS;
}

int64_t clock_mono_ns(const struct clock *c)
{
    return c->fake ? atomic_load(&c->mono_ns) : read_ns(CLOCK_MONOTONIC);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / MS_PER_S, .tv_nsec = (ms % MS_PER_S) * NS_PER_MS};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

const char *clock_format_rfc3339(ts_ns t, char *buf, size_t buf_size)
{
    int64_t s = t / NS_PER_S, rest = t % NS_PER_S;
    if (rest < 0) {
        rest += NS_PER_S;
        s--;
    }
    time_t secs = (time_t)s;
    struct tm tm;
    (void)gmtime_r(&secs, &tm);
    (void)snprintf(buf, buf_size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(rest / NS_PER_MS));
    return buf;
}
