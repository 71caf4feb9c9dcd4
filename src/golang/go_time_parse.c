/* Reading an instant by a layout: how leniently each element is read is Go's time package's. */
#include "golang/go_time_int.h"

struct parse {
    struct str rest;
    struct go_time t;
    bool pm, pm_set, numeric; /* numeric: an offset was read */
    int yday;                 /* 0: none */
    bool has_month, has_day;
    const struct tz *zone;
};

/* One or two digits, or exactly two when `fixed`. */
static bool number(struct parse *p, bool fixed, int *ret)
{
    if (p->rest.n < 1 || !go_digit(p->rest.p[0])) {
        return false;
    }
    bool two = p->rest.n > 1 && go_digit(p->rest.p[1]);
    if (!two && fixed) {
        return false;
    }
    *ret = two ? (p->rest.p[0] - '0') * 10 + (p->rest.p[1] - '0') : p->rest.p[0] - '0';
    p->rest = str_slice(p->rest, two ? 2 : 1, p->rest.n);
    return true;
}

static bool digits(struct parse *p, size_t n, int *ret)
{
    int v = 0;
    if (p->rest.n < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!go_digit(p->rest.p[i])) {
            return false;
        }
        v = v * 10 + (p->rest.p[i] - '0');
    }
    p->rest = str_slice(p->rest, n, p->rest.n);
    *ret = v;
    return true;
}

/* A name of the list, whole or by its first three letters; letters in any case. Index from 0. */
static bool name_of(struct parse *p, const char *const *names, size_t n, bool whole, int *ret)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = whole ? strlen(names[i]) : 3;
        if (p->rest.n >= len && str_ieq(str_slice(p->rest, 0, len), str_of(names[i], len))) {
            p->rest = str_slice(p->rest, len, p->rest.n);
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

static bool take_text(struct parse *p, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == ' ') { /* a run of blanks in the layout is any run in the text */
            if (p->rest.n && p->rest.p[0] != ' ') {
                return false;
            }
            while (i + 1 < text.n && text.p[i + 1] == ' ') {
                i++;
            }
            while (p->rest.n && p->rest.p[0] == ' ') {
                p->rest = str_slice(p->rest, 1, p->rest.n);
            }
            continue;
        }
        if (!p->rest.n || p->rest.p[0] != c) {
            return false;
        }
        p->rest = str_slice(p->rest, 1, p->rest.n);
    }
    return true;
}

/* Digits behind a point: `n` of them, or any number when n is 0. */
static bool take_fraction(struct parse *p, size_t n)
{
    size_t have = 1;
    while (have < p->rest.n && go_digit(p->rest.p[have]) && (n == 0 || have <= n)) {
        have++;
    }
    if (p->rest.n < 2 || (p->rest.p[0] != '.' && p->rest.p[0] != ',') || (n && have != n + 1)) {
        return false;
    }
    int32_t ns = 0;
    for (size_t i = 1; i <= 9; i++) {
        ns = ns * 10 + (i < have ? p->rest.p[i] - '0' : 0);
    }
    p->t.ns = ns;
    p->rest = str_slice(p->rest, have, p->rest.n);
    return true;
}

static bool take_offset(struct parse *p, const struct go_element *e)
{
    int sign, part[3] = {0};
    if (e->z && p->rest.n && p->rest.p[0] == 'Z') {
        p->rest = str_slice(p->rest, 1, p->rest.n);
        p->t.has_offset = p->t.utc = true;
        return true;
    }
    if (!p->rest.n || (p->rest.p[0] != '+' && p->rest.p[0] != '-')) {
        return false;
    }
    sign = p->rest.p[0] == '-' ? -1 : 1;
    p->rest = str_slice(p->rest, 1, p->rest.n);
    for (size_t i = 0; i < e->parts; i++) {
        if (i && e->colon) {
            if (!p->rest.n || p->rest.p[0] != ':') {
                return false;
            }
            p->rest = str_slice(p->rest, 1, p->rest.n);
        }
        if (!digits(p, 2, &part[i])) {
            return false;
        }
    }
    if (part[0] > 24 || part[1] > 60 || part[2] > 60) {
        return false;
    }
    p->t.has_offset = p->numeric = true;
    p->t.offset_s = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

/* "+3", "-11": hours, at most 23. Returns the bytes taken. */
static size_t signed_hours(struct str s, int *ret)
{
    size_t n = 1;
    int v = 0;
    if (s.n < 2 || (s.p[0] != '+' && s.p[0] != '-')) {
        return 0;
    }
    while (n < s.n && go_digit(s.p[n]) && v < 100) {
        v = v * 10 + (s.p[n++] - '0');
    }
    if (n == 1 || v > 23) {
        return 0;
    }
    *ret = s.p[0] == '-' ? -v : v;
    return n;
}

/* The length of an abbreviation, as Go guesses it: three capitals, or four or five of which the last is T. */
static size_t zone_length(struct str s, int *ret_hours)
{
    size_t n = 0;
    if (s.n < 3 || s.p[0] == '+' || s.p[0] == '-') {
        return s.n < 3 ? 0 : signed_hours(s, ret_hours);
    }
    if (str_starts(s, STR("ChST")) || str_starts(s, STR("MeST")) || str_starts(s, STR("WITA"))) {
        return 4;
    }
    if (str_starts(s, STR("GMT"))) {
        return 3 + signed_hours(str_slice(s, 3, s.n), ret_hours);
    }
    while (n < s.n && n < 6 && s.p[n] >= 'A' && s.p[n] <= 'Z') {
        n++;
    }
    return n == 3 || ((n == 4 || n == 5) && s.p[n - 1] == 'T') ? n : 0;
}

/* An offset in numbers weighs more than an abbreviation, UTC more than both. */
static bool take_zone(struct parse *p)
{
    int hours = 0;
    bool utc = str_starts(p->rest, STR("UTC"));
    size_t n = utc ? 3 : zone_length(p->rest, &hours);
    if (n == 0) {
        return false;
    }
    struct str name = str_slice(p->rest, 0, n);
    p->rest = str_slice(p->rest, n, p->rest.n);
    p->t.has_offset = true;
    p->t.utc = p->t.utc || utc;
    p->t.zone = utc ? p->t.zone : name;
    if (!utc && !p->numeric && (!p->zone || !tz_abbreviation(p->zone, name, &p->t.offset_s))) {
        p->t.offset_s = str_starts(name, STR("GMT")) ? hours * 3600 : 0;
    }
    return true;
}

static bool take_day(struct parse *p, enum element_kind kind)
{
    if (kind == EL_UNDER_DAY && p->rest.n && p->rest.p[0] == ' ') {
        p->rest = str_slice(p->rest, 1, p->rest.n);
    }
    p->has_day = true;
    return number(p, kind == EL_ZERO_DAY, &p->t.day);
}

static bool take_yday(struct parse *p, enum element_kind kind)
{
    for (int i = 0; i < 2 && kind == EL_UNDER_YEARDAY && p->rest.n && p->rest.p[0] == ' '; i++) {
        p->rest = str_slice(p->rest, 1, p->rest.n);
    }
    size_t n = 0;
    while (n < 3 && n < p->rest.n && go_digit(p->rest.p[n])) {
        n++;
    }
    return n && (kind == EL_UNDER_YEARDAY || n == 3) && digits(p, n, &p->yday) && p->yday > 0;
}

static bool take_pm(struct parse *p, bool lower)
{
    if (p->rest.n < 2) {
        return false;
    }
    struct str s = str_slice(p->rest, 0, 2);
    p->pm = str_eq_c(s, lower ? "pm" : "PM");
    p->pm_set = true;
    p->rest = str_slice(p->rest, 2, p->rest.n);
    return p->pm || str_eq_c(s, lower ? "am" : "AM");
}

static bool take_year(struct parse *p, bool whole)
{
    int v;
    if (!digits(p, whole ? 4 : 2, &v)) {
        return false;
    }
    p->t.year = whole ? v : v >= 69 ? v + 1900 : v + 2000;
    return true;
}

/* Seconds, and a fraction behind them that the layout does not mention. */
static bool take_seconds(struct parse *p, bool fixed, const struct go_element *next)
{
    if (!number(p, fixed, &p->t.second) || p->t.second > 59) {
        return false;
    }
    bool mentioned = next && (next->kind == EL_FRACTION0 || next->kind == EL_FRACTION9);
    bool there = p->rest.n >= 2 && (p->rest.p[0] == '.' || p->rest.p[0] == ',') && go_digit(p->rest.p[1]);
    return mentioned || !there || take_fraction(p, 0);
}

static bool take_clock(struct parse *p, const struct go_element *e, const struct go_element *next)
{
    switch ((int)e->kind) {
    case EL_HOUR:
        return number(p, false, &p->t.hour) && p->t.hour < 24;
    case EL_HOUR12:
    case EL_ZERO_HOUR12:
        return number(p, e->kind == EL_ZERO_HOUR12, &p->t.hour) && p->t.hour <= 12;
    case EL_MINUTE:
    case EL_ZERO_MINUTE:
        return number(p, e->kind == EL_ZERO_MINUTE, &p->t.minute) && p->t.minute < 60;
    case EL_SECOND:
    case EL_ZERO_SECOND:
        return take_seconds(p, e->kind == EL_ZERO_SECOND, next);
    case EL_PM:
    case EL_PM_LOWER:
        return take_pm(p, e->kind == EL_PM_LOWER);
    case EL_FRACTION0:
        return take_fraction(p, e->n);
    case EL_FRACTION9:
        if (p->rest.n >= 2 && (p->rest.p[0] == '.' || p->rest.p[0] == ',') && go_digit(p->rest.p[1])) {
            return take_fraction(p, 0);
        }
        return true;
    case EL_OFFSET:
        return take_offset(p, e);
    case EL_ZONE:
        return take_zone(p);
    default:
        return false;
    }
}

static bool take(struct parse *p, const struct go_element *e, const struct go_element *next)
{
    int unused, month;
    switch ((int)e->kind) {
    case EL_TEXT:
        return take_text(p, e->text);
    case EL_LONG_MONTH:
    case EL_MONTH:
        p->has_month = name_of(p, go_months, ARRAY_LEN(go_months), e->kind == EL_LONG_MONTH, &month);
        p->t.month = p->has_month ? month + 1 : 1;
        return p->has_month;
    case EL_NUM_MONTH:
    case EL_ZERO_MONTH:
        p->has_month = true;
        return number(p, e->kind == EL_ZERO_MONTH, &p->t.month) && p->t.month >= 1 && p->t.month <= 12;
    case EL_LONG_WEEKDAY:
    case EL_WEEKDAY:
        return name_of(p, go_weekdays, ARRAY_LEN(go_weekdays), e->kind == EL_LONG_WEEKDAY, &unused);
    case EL_DAY:
    case EL_UNDER_DAY:
    case EL_ZERO_DAY:
        return take_day(p, e->kind);
    case EL_UNDER_YEARDAY:
    case EL_ZERO_YEARDAY:
        return take_yday(p, e->kind);
    case EL_LONG_YEAR:
    case EL_YEAR:
        return take_year(p, e->kind == EL_LONG_YEAR);
    default:
        return take_clock(p, e, next);
    }
}

static int days_in(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool check_date(struct parse *p)
{
    if (p->pm_set && p->pm && p->t.hour < 12) {
        p->t.hour += 12;
    } else if (p->pm_set && !p->pm && p->t.hour == 12) {
        p->t.hour = 0;
    }
    if (p->yday) {
        int64_t days = civil_days(p->t.year, 1, 1) + p->yday - 1, year;
        int month, day;
        civil_of_days(days, &year, &month, &day);
        bool agrees =
            year == p->t.year && (!p->has_month || month == p->t.month) && (!p->has_day || day == p->t.day);
        p->t.month = month;
        p->t.day = day;
        return agrees;
    }
    return p->t.day >= 1 && p->t.day <= days_in(p->t.year, p->t.month);
}

enum err go_time_parse(const struct go_layout *l, struct str text, const struct tz *zone,
                       struct go_time *ret_time)
{
    struct parse p = {.rest = text, .t = {.month = 1, .day = 1}, .zone = zone};
    for (size_t i = 0; i < l->n; i++) {
        if (!take(&p, &l->e[i], i + 1 < l->n ? &l->e[i + 1] : NULL)) {
            return ERR_INVALID;
        }
    }
    if (p.rest.n || !check_date(&p)) {
        return ERR_INVALID;
    }
    p.t.offset_s = p.t.utc ? 0 : p.t.offset_s;
    *ret_time = p.t;
    return ERR_OK;
}

int64_t go_time_s(const struct go_time *t, const struct tz *zone)
{
    int64_t wall =
        civil_days(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 + t->second;
    return wall - (t->has_offset ? t->offset_s : zone ? tz_offset_of_wall(zone, wall) : 0);
}

ts_ns go_time_ns(const struct go_time *t, const struct tz *zone)
{
    int64_t s = go_time_s(t, zone);
    /* Outside the years that nanoseconds can hold Go wraps around; the nearest instant is kinder. */
    if (s > INT64_MAX / NS_PER_S - 1) {
        return INT64_MAX;
    }
    if (s < INT64_MIN / NS_PER_S + 1) {
        return INT64_MIN;
    }
    return s * NS_PER_S + t->ns;
}
