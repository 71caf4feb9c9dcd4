/* Go's time layouts ("2006-01-02T15:04:05.000Z07:00", "Jan _2 15:04:05") and its calendar, as of its packages
 * time and text. A layout is compiled once and immutable then; all functions may run on any thread. */
#ifndef CAIRN_GOLANG_GO_TIME_H
#define CAIRN_GOLANG_GO_TIME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "golang/tz.h"

struct go_layout;

MUST_USE enum err go_layout_new(struct arena *a, struct str layout, const struct go_layout **ret_layout);

/* What a layout found; a field it does not have keeps Go's zero value. */
struct go_time {
    int64_t year; /* 0 when the layout has none */
    int month, day, hour, minute, second;
    int32_t ns;
    bool has_offset, utc; /* utc: the text says Z or UTC */
    int32_t offset_s;
    struct str zone; /* the abbreviation that was read, a part of the text */
};

/* The whole text must match. `zone` is for layouts without an offset and for abbreviations; NULL = UTC.
 * Errors: INVALID. */
MUST_USE enum err go_time_parse(const struct go_layout *l, struct str text, const struct tz *zone,
                                struct go_time *ret_time);
/* The instant in seconds since 1970. */
int64_t go_time_s(const struct go_time *t, const struct tz *zone);
/* The instant; the nearest one outside the years that nanoseconds can hold. */
ts_ns go_time_ns(const struct go_time *t, const struct tz *zone);

/* An instant as a place's clock shows it. */
struct go_moment {
    int64_t s; /* since 1970 */
    int32_t ns;
    int32_t offset_s; /* east of UTC */
    const char *zone; /* its abbreviation; "": the offset is written instead */
};

void go_time_format(const struct go_layout *l, const struct go_moment *at, struct buf *out);

/* A moment's fields. */
struct go_civil {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
    int weekday, yearday;                 /* 0 = Sunday; from 1 */
};

struct go_civil go_civil_of(const struct go_moment *at);
/* Days since 1970 of a date, and back (proleptic Gregorian). */
int64_t civil_days(int64_t year, int month, int day);
void civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

extern const char *const go_months[12];
extern const char *const go_weekdays[7];

#endif
