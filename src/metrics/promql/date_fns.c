/* Dates in UTC, for any number of seconds a float can hold: the arithmetic wraps as Go's does. */
#include "metrics/promql/functions.h"
#include "metrics/promql/go_math.h"
#include "metrics/promql/vector_fns.h"

/* The proleptic Gregorian calendar counted from 1 March of a year far in the past (a multiple of 400), so
 * that every day that 64 bits of seconds reach has a positive number. */
static const uint64_t cycles_before_zero = 730692556; /* of 400 years */
enum {
    DAYS_IN_CYCLE = 146097,
    DAYS_IN_CENTURY = 36524,
    SECONDS_IN_DAY = 86400,
};

struct date {
    int64_t year;
    int month, day, day_of_year, weekday, month_days; /* month, day, day_of_year from 1; 0 = Sunday */
    int hour, minute;
};

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static struct date date_of(int64_t seconds)
{
    static const int days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    /* seconds from the calendar's start to 1970: its cycles, March to December of year 0, years 1 to 1969 */
    uint64_t absolute =
        (uint64_t)seconds + (cycles_before_zero * DAYS_IN_CYCLE + 306 + 719162) * SECONDS_IN_DAY;
    uint64_t day = absolute / SECONDS_IN_DAY, cycle = day / DAYS_IN_CYCLE, in_cycle = day % DAYS_IN_CYCLE;
    uint64_t century = in_cycle / DAYS_IN_CENTURY - (in_cycle == DAYS_IN_CYCLE - 1);
    uint64_t in_century = in_cycle - century * DAYS_IN_CENTURY;
    uint64_t year = in_century / 1461 * 4, in_four = in_century % 1461;
    uint64_t of_four = in_four / 365 - (in_four == 1460);
    int march_day = (int)(in_four - of_four * 365); /* from 1 March */
    int month = (5 * march_day + 2) / 153;
    struct date d = {.hour = (int)(absolute % SECONDS_IN_DAY / 3600),
                     .minute = (int)(absolute % 3600 / 60),
                     .weekday = (int)((day + 3) % 7),
                     .day = march_day - (153 * month + 2) / 5 + 1,
                     .month = month < 10 ? month + 3 : month - 9};
    d.year = (int64_t)(cycle * 400 + century * 100 + year + of_four) - (int64_t)(cycles_before_zero * 400) +
             (month >= 10);
    d.day_of_year = days_before[d.month - 1] + d.day + (d.month > 2 && is_leap(d.year));
    d.month_days = days_before[d.month] - days_before[d.month - 1] + (d.month == 2 && is_leap(d.year));
    return d;
}

enum date_part {
    DATE_MINUTE,
    DATE_HOUR,
    DATE_WEEKDAY,
    DATE_MONTHDAY,
    DATE_YEARDAY,
    DATE_MONTHDAYS,
    DATE_MONTH,
    DATE_YEAR
};

static double part_of(enum date_part part, double seconds)
{
    bool fits = seconds > -9223372036854775808.0 && seconds < 9223372036854775808.0;
    struct date d = date_of(fits ? (int64_t)seconds : INT64_MIN); /* as amd64 converts what does not fit */
    switch (part) {
    case DATE_MINUTE:
        return d.minute;
    case DATE_HOUR:
        return d.hour;
    case DATE_WEEKDAY:
        return d.weekday;
    case DATE_MONTHDAY:
        return d.day;
    case DATE_YEARDAY:
        return d.day_of_year;
    case DATE_MONTHDAYS:
        return d.month_days;
    case DATE_MONTH:
        return d.month;
    case DATE_YEAR:
        return (double)d.year;
    }
    return 0;
}

static enum err now(struct eval *e, struct value *v)
{
    struct series *s = NULL;
    *v = (struct value){.type = TYPE_VECTOR};
    enum err err = value_add(e, v, (struct labels){0}, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        int64_t seconds = step_time(e, i) / 1000;
        s->v[i] = (double)seconds;
        s->has[i] = 1;
    }
    return err;
}

static enum err date(struct eval *e, const struct node *n, struct value *v, enum date_part part)
{
    enum err err = n->arg_count ? eval_node(e, n->args[0], v) : now(e, v);
    if (err) {
        return err;
    }
    value_drop_histograms(e, v);
    for (size_t k = 0; !err && k < v->n; k++) {
        err = series_drop_name(e, &v->s[k]);
        for (size_t i = 0; i < e->steps; i++) {
            v->s[k].v[i] = v->s[k].has[i] ? part_of(part, v->s[k].v[i]) : 0;
        }
    }
    return err ? err : value_merge_now(e, v);
}

#define DATE_CALL(name, part)                                            \
    enum err name(struct eval *e, const struct node *n, struct value *v) \
    {                                                                    \
        return date(e, n, v, part);                                      \
    }

DATE_CALL(call_minute, DATE_MINUTE)
DATE_CALL(call_hour, DATE_HOUR)
DATE_CALL(call_day_of_week, DATE_WEEKDAY)
DATE_CALL(call_day_of_month, DATE_MONTHDAY)
DATE_CALL(call_day_of_year, DATE_YEARDAY)
DATE_CALL(call_days_in_month, DATE_MONTHDAYS)
DATE_CALL(call_month, DATE_MONTH)
DATE_CALL(call_year, DATE_YEAR)
