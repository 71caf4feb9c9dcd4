/* What time it is for retention: a clock that leaps must not cost data.
 *
 * Ages are measured from the wall clock, but for a day after a start or a leap of the clock only as far as
 * the data goes on without a gap of more than a day: a machine that comes up with the wrong time, or gets it
 * for a while, deletes nothing that it would not delete otherwise. Whoever was switched off for longer
 * deletes a day later. One owner. */
#ifndef CAIRN_DISK_EXPIRY_H
#define CAIRN_DISK_EXPIRY_H

#include "base/clock.h"

struct expiry {
    const struct clock *clock;
    ts_ms wall_ms; /* as it was at the last look; the same moment as mono_ns */
    int64_t mono_ns, hold_until_ns;
};

/* The time of a file's data, first and last. */
struct expiry_span {
    ts_ms from, to;
};

void expiry_init(struct expiry *x, const struct clock *clock);
/* Spans ascend by `from`. INT64_MIN: nothing is to expire. */
ts_ms expiry_now(struct expiry *x, const struct expiry_span *spans, size_t n);

#endif
