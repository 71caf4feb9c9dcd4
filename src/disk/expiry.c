/* Leaps of the wall clock against the monotonic one, and gaps in the data. */
#include "disk/expiry.h"

#include "base/log.h"

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;
/* No merged file spans more; one that does holds samples of a wrong clock beside others. */
static const int64_t SPAN_MS_MAX = INT64_C(32) * 24 * 3600 * 1000;

void expiry_init(struct expiry *x, const struct clock *clock)
{
    int64_t mono = clock_mono_ns(clock);
    *x = (struct expiry){.clock = clock,
                         .wall_ms = clock_wall_ms(clock),
                         .mono_ns = mono,
                         .hold_until_ns = mono + DAY_MS * NS_PER_MS};
}

/* True while gaps in the data count. */
static bool holds(struct expiry *x, ts_ms wall, int64_t mono)
{
    int64_t leap = (wall - x->wall_ms) - (mono - x->mono_ns) / NS_PER_MS;
    x->wall_ms = wall;
    x->mono_ns = mono;
    if (leap > DAY_MS) {
        x->hold_until_ns = mono + DAY_MS * NS_PER_MS;
        LOG_EVENT(LVL_WARN, "clock_leapt", F_I64("by_ms", leap),
                  F_C("action", "for a day nothing expires that would not have without the leap"));
    }
    return mono < x->hold_until_ns;
}

ts_ms expiry_now(struct expiry *x, const struct expiry_span *spans, size_t n)
{
    ts_ms wall = clock_wall_ms(x->clock), known = INT64_MIN;
    bool hold = holds(x, wall, clock_mono_ns(x->clock));
    for (size_t i = 0; i < n && spans[i].from <= wall + DAY_MS; i++) {
        if (hold && known != INT64_MIN && spans[i].from > known + DAY_MS) {
            break;
        }
        ts_ms end = spans[i].to - spans[i].from > SPAN_MS_MAX ? spans[i].from : spans[i].to;
        known = end > known ? end : known;
    }
    if (known == INT64_MIN) {
        return INT64_MIN;
    }
    return hold && known + DAY_MS < wall ? known + DAY_MS : wall;
}
