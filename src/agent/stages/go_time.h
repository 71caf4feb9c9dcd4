/* Go's time layouts: "2006-01-02T15:04:05.000Z07:00", "Jan _2 15:04:05". Compiled once, immutable. */
#ifndef CAIRN_AGENT_STAGES_GO_TIME_H
#define CAIRN_AGENT_STAGES_GO_TIME_H

#include "agent/stages/tz.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

struct go_layout;

MUST_USE enum err go_layout_new(struct arena *a, struct str layout, const struct go_layout **ret_layout);

/* What a layout found; a field it does not have keeps Go's zero value. */
struct go_time {
    int64_t year; /* 0 when the layout has none */
    int month, day, hour, minute, second;
    int32_t ns;
    bool has_offset;
    int32_t offset_s;
};

/* The whole text must match. `zone` is for layouts without an offset and for abbreviations; NULL = UTC.
 * Errors: INVALID. */
MUST_USE enum err go_time_parse(const struct go_layout *l, struct str text, const struct tz *zone,
                                struct go_time *ret_time);
/* The instant. */
ts_ns go_time_ns(const struct go_time *t, const struct tz *zone);
/* Formats an instant in the zone (NULL = UTC). */
void go_time_format(const struct go_layout *l, ts_ns at, const struct tz *zone, struct buf *out);
/* Days since 1970 of a date, and back (proleptic Gregorian). */
int64_t civil_days(int64_t year, int month, int day);
void civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

#endif
