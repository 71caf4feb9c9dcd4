/* Writing an instant by a layout, and the calendar under both directions. */
#include "golang/go_time_int.h"

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil and civil_from_days. */
int64_t civil_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (*ret_month <= 2);
}

struct go_civil go_civil_of(const struct go_moment *at)
{
    int64_t wall = at->s + at->offset_s, days = wall / 86400 - (wall % 86400 < 0),
            in_day = wall - days * 86400;
    struct go_civil c = {.hour = (int)(in_day / 3600),
                         .minute = (int)(in_day / 60 % 60),
                         .second = (int)(in_day % 60),
                         .weekday = (int)((days % 7 + 11) % 7)};
    civil_of_days(days, &c.year, &c.month, &c.day);
    c.yearday = (int)(days - civil_days(c.year, 1, 1) + 1);
    return c;
}

static void put_padded(struct buf *out, int64_t v, int width, char pad)
{
    int64_t limit = 10;
    for (int i = 1; i < width; i++, limit *= 10) {
        if (v < limit) {
            for (int k = i; k < width; k++) {
                buf_char(out, pad);
            }
            break;
        }
    }
    buf_i64(out, v);
}

static void put_offset(struct buf *out, int32_t offset, size_t parts, bool colon)
{
    buf_char(out, offset < 0 ? '-' : '+');
    int32_t v = offset < 0 ? -offset : offset;
    int32_t part[] = {v / 3600, v / 60 % 60, v % 60};
    for (size_t i = 0; i < parts; i++) {
        buf_c(out, i && colon ? ":" : "");
        put_padded(out, part[i], 2, '0');
    }
}

static void put_fraction(struct buf *out, const struct go_element *e, int32_t ns)
{
    char text[9];
    size_t n = e->n < 9 ? e->n : 9;
    for (size_t i = 9; i-- > 0; ns /= 10) {
        text[i] = (char)('0' + ns % 10);
    }
    while (e->kind == EL_FRACTION9 && n > 0 && text[n - 1] == '0') {
        n--;
    }
    if (n) {
        buf_char(out, e->mark);
        buf_append(out, text, n);
    }
}

static void put_date(struct buf *out, const struct go_element *e, const struct go_civil *m)
{
    switch ((int)e->kind) {
    case EL_LONG_MONTH:
        buf_c(out, go_months[m->month - 1]);
        break;
    case EL_MONTH:
        buf_append(out, go_months[m->month - 1], 3);
        break;
    case EL_NUM_MONTH:
        buf_i64(out, m->month);
        break;
    case EL_ZERO_MONTH:
        put_padded(out, m->month, 2, '0');
        break;
    case EL_LONG_WEEKDAY:
        buf_c(out, go_weekdays[m->weekday]);
        break;
    case EL_WEEKDAY:
        buf_append(out, go_weekdays[m->weekday], 3);
        break;
    case EL_DAY:
        buf_i64(out, m->day);
        break;
    case EL_UNDER_DAY:
        put_padded(out, m->day, 2, ' ');
        break;
    case EL_ZERO_DAY:
        put_padded(out, m->day, 2, '0');
        break;
    case EL_UNDER_YEARDAY:
    case EL_ZERO_YEARDAY:
        put_padded(out, m->yearday, 3, e->kind == EL_ZERO_YEARDAY ? '0' : ' ');
        break;
    case EL_LONG_YEAR:
        put_padded(out, m->year, 4, '0');
        break;
    default:
        put_padded(out, m->year % 100, 2, '0');
        break;
    }
}

static void put_clock(struct buf *out, const struct go_element *e, const struct go_civil *m)
{
    int hour12 = m->hour % 12 ? m->hour % 12 : 12;
    switch ((int)e->kind) {
    case EL_HOUR:
        put_padded(out, m->hour, 2, '0');
        break;
    case EL_HOUR12:
        buf_i64(out, hour12);
        break;
    case EL_ZERO_HOUR12:
        put_padded(out, hour12, 2, '0');
        break;
    case EL_MINUTE:
        buf_i64(out, m->minute);
        break;
    case EL_ZERO_MINUTE:
        put_padded(out, m->minute, 2, '0');
        break;
    case EL_SECOND:
        buf_i64(out, m->second);
        break;
    case EL_ZERO_SECOND:
        put_padded(out, m->second, 2, '0');
        break;
    case EL_PM:
        buf_c(out, m->hour >= 12 ? "PM" : "AM");
        break;
    case EL_PM_LOWER:
        buf_c(out, m->hour >= 12 ? "pm" : "am");
        break;
    default:
        break;
    }
}

/* Without an abbreviation Go writes the offset, with minutes. */
static void put_zone(struct buf *out, const struct go_element *e, const struct go_moment *at)
{
    if (e->kind == EL_OFFSET && e->z && at->offset_s == 0) {
        buf_char(out, 'Z');
    } else if (e->kind == EL_OFFSET) {
        put_offset(out, at->offset_s, e->parts, e->colon);
    } else if (at->zone[0]) {
        buf_c(out, at->zone);
    } else {
        put_offset(out, at->offset_s, 2, false);
    }
}

void go_time_format(const struct go_layout *l, const struct go_moment *at, struct buf *out)
{
    struct go_civil m = go_civil_of(at);
    for (size_t i = 0; i < l->n; i++) {
        const struct go_element *e = &l->e[i];
        if (e->kind == EL_TEXT) {
            buf_str(out, e->text);
        } else if (e->kind <= EL_ZERO_YEARDAY || e->kind == EL_LONG_YEAR || e->kind == EL_YEAR) {
            put_date(out, e, &m);
        } else if (e->kind == EL_OFFSET || e->kind == EL_ZONE) {
            put_zone(out, e, at);
        } else if (e->kind == EL_FRACTION0 || e->kind == EL_FRACTION9) {
            put_fraction(out, e, at->ns);
        } else {
            put_clock(out, e, &m);
        }
    }
}
