/* A layout is cut into elements once; parsing and formatting walk them. The elements and how leniently each
 * is read are those of Go's time package. */
#include "agent/stages/go_time.h"

enum element_kind {
    EL_TEXT = 0,
    EL_LONG_MONTH,
    EL_MONTH,
    EL_NUM_MONTH,
    EL_ZERO_MONTH,
    EL_LONG_WEEKDAY,
    EL_WEEKDAY,
    EL_DAY,
    EL_UNDER_DAY,
    EL_ZERO_DAY,
    EL_UNDER_YEARDAY,
    EL_ZERO_YEARDAY,
    EL_HOUR,
    EL_HOUR12,
    EL_ZERO_HOUR12,
    EL_MINUTE,
    EL_ZERO_MINUTE,
    EL_SECOND,
    EL_ZERO_SECOND,
    EL_LONG_YEAR,
    EL_YEAR,
    EL_PM,
    EL_PM_LOWER,
    EL_ZONE,
    EL_OFFSET,    /* -07 with `parts` and colon; Z instead of +00 when `z` */
    EL_FRACTION0, /* .000: exactly n digits */
    EL_FRACTION9  /* .999: up to any number, none too */
};

struct element {
    enum element_kind kind;
    struct str text;  /* EL_TEXT */
    uint8_t parts, n; /* offset: 1..3; fraction: digits */
    bool colon, z;    /* offset */
    char mark;        /* fraction: '.' or ',' */
};

struct go_layout {
    struct element *e;
    size_t n;
};

struct token {
    const char *text;
    enum element_kind kind;
    uint8_t parts;
    bool colon, z;
};

/* Longer ones before their prefixes. */
static const struct token tokens[] = {
    {"January", EL_LONG_MONTH, 0, false, false},
    {"Jan", EL_MONTH, 0, false, false},
    {"Monday", EL_LONG_WEEKDAY, 0, false, false},
    {"Mon", EL_WEEKDAY, 0, false, false},
    {"MST", EL_ZONE, 0, false, false},
    {"002", EL_ZERO_YEARDAY, 0, false, false},
    {"01", EL_ZERO_MONTH, 0, false, false},
    {"02", EL_ZERO_DAY, 0, false, false},
    {"03", EL_ZERO_HOUR12, 0, false, false},
    {"04", EL_ZERO_MINUTE, 0, false, false},
    {"05", EL_ZERO_SECOND, 0, false, false},
    {"06", EL_YEAR, 0, false, false},
    {"15", EL_HOUR, 0, false, false},
    {"1", EL_NUM_MONTH, 0, false, false},
    {"2006", EL_LONG_YEAR, 0, false, false},
    {"2", EL_DAY, 0, false, false},
    {"__2", EL_UNDER_YEARDAY, 0, false, false},
    {"_2", EL_UNDER_DAY, 0, false, false},
    {"3", EL_HOUR12, 0, false, false},
    {"4", EL_MINUTE, 0, false, false},
    {"5", EL_SECOND, 0, false, false},
    {"PM", EL_PM, 0, false, false},
    {"pm", EL_PM_LOWER, 0, false, false},
    {"-07:00:00", EL_OFFSET, 3, true, false},
    {"-07:00", EL_OFFSET, 2, true, false},
    {"-070000", EL_OFFSET, 3, false, false},
    {"-0700", EL_OFFSET, 2, false, false},
    {"-07", EL_OFFSET, 1, false, false},
    {"Z07:00:00", EL_OFFSET, 3, true, true},
    {"Z07:00", EL_OFFSET, 2, true, true},
    {"Z070000", EL_OFFSET, 3, false, true},
    {"Z0700", EL_OFFSET, 2, false, true},
    {"Z07", EL_OFFSET, 1, false, true},
};

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* -- compiling --------------------------------------------------------------------------------------------
 */

/* ".000", ",999": a run of one digit that no other digit follows. */
static size_t fraction_at(struct str s, struct element *e)
{
    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9')) {
        return 0;
    }
    size_t n = 1;
    while (n < s.n && s.p[n] == s.p[1]) {
        n++;
    }
    if (n < s.n && digit(s.p[n])) {
        return 0;
    }
    *e = (struct element){.kind = s.p[1] == '0' ? EL_FRACTION0 : EL_FRACTION9,
                          .n = (uint8_t)(n - 1 < 18 ? n - 1 : 18),
                          .mark = s.p[0]};
    return n;
}

static size_t token_at(struct str s, struct element *e)
{
    size_t fraction = fraction_at(s, e);
    if (fraction) {
        return fraction;
    }
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct str t = str_c(tokens[i].text);
        if (!str_starts(s, t)) {
            continue;
        }
        /* "Mont" and "Janet" are words, not Mon and Jan with something behind. */
        bool word = tokens[i].kind == EL_MONTH || tokens[i].kind == EL_WEEKDAY;
        if (word && s.n > t.n && s.p[t.n] >= 'a' && s.p[t.n] <= 'z') {
            continue;
        }
        *e = (struct element){
            .kind = tokens[i].kind, .parts = tokens[i].parts, .colon = tokens[i].colon, .z = tokens[i].z};
        return t.n;
    }
    return 0;
}

enum err go_layout_new(struct arena *a, struct str layout, const struct go_layout **ret_layout)
{
    struct go_layout *l = arena_zalloc(a, sizeof(*l));
    struct str text = arena_str(a, layout);
    if (!l || !text.p) {
        return arena_err(a);
    }
    l->e = arena_array(a, layout.n + 1, sizeof(*l->e));
    if (!l->e) {
        return arena_err(a);
    }
    for (size_t i = 0; i < text.n;) {
        struct element e = {0};
        size_t n = token_at(str_slice(text, i, text.n), &e);
        struct element *last = l->n ? &l->e[l->n - 1] : NULL;
        /* "_2006" is an underscore and a year. */
        if (n == 2 && e.kind == EL_UNDER_DAY && str_starts(str_slice(text, i + 1, text.n), STR("2006"))) {
            n = 0;
        }
        if (n) {
            l->e[l->n++] = e;
            i += n;
        } else if (last && last->kind == EL_TEXT) {
            last->text.n++;
            i++;
        } else {
            l->e[l->n++] = (struct element){.text = str_slice(text, i, i + 1)};
            i++;
        }
    }
    *ret_layout = l;
    return ERR_OK;
}

/* -- parsing ----------------------------------------------------------------------------------------------
 */

struct parse {
    struct str rest;
    struct go_time t;
    bool pm, pm_set;
    int yday; /* 0: none */
    bool has_month, has_day;
    const struct tz *zone;
};

/* One or two digits, or exactly two when `fixed`. */
static bool number(struct parse *p, bool fixed, int *ret)
{
    if (p->rest.n < 1 || !digit(p->rest.p[0])) {
        return false;
    }
    bool two = p->rest.n > 1 && digit(p->rest.p[1]);
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
        if (!digit(p->rest.p[i])) {
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
    while (have < p->rest.n && digit(p->rest.p[have]) && (n == 0 || have <= n)) {
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

static bool take_offset(struct parse *p, const struct element *e)
{
    int sign, part[3] = {0};
    if (e->z && p->rest.n && p->rest.p[0] == 'Z') {
        p->rest = str_slice(p->rest, 1, p->rest.n);
        p->t.has_offset = true;
        p->t.offset_s = 0;
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
    if (part[0] > 24 || part[1] > 59 || part[2] > 59) {
        return false;
    }
    p->t.has_offset = true;
    p->t.offset_s = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

/* "+3", "-11" behind GMT. Returns the bytes taken. */
static size_t signed_hours(struct str s, int *ret)
{
    if (s.n < 2 || (s.p[0] != '+' && s.p[0] != '-') || !digit(s.p[1])) {
        return 0;
    }
    size_t n = s.n > 2 && digit(s.p[2]) ? 3 : 2;
    int v = s.p[1] - '0';
    v = n == 3 ? v * 10 + (s.p[2] - '0') : v;
    if (v > 23) {
        return 0;
    }
    *ret = s.p[0] == '-' ? -v : v;
    return n;
}

static bool take_zone(struct parse *p)
{
    size_t n = 0;
    int hours = 0;
    while (n < p->rest.n && n < 5 && p->rest.p[n] >= 'A' && p->rest.p[n] <= 'Z') {
        n++;
    }
    struct str name = str_slice(p->rest, 0, n);
    if (str_eq_c(name, "GMT")) {
        size_t more = signed_hours(str_slice(p->rest, n, p->rest.n), &hours);
        p->rest = str_slice(p->rest, n + more, p->rest.n);
        p->t.has_offset = true;
        p->t.offset_s = hours * 3600;
        return true;
    }
    if (n < 3) {
        size_t more = signed_hours(p->rest, &hours);
        if (more == 0) {
            return false;
        }
        n = more;
    }
    p->rest = str_slice(p->rest, n, p->rest.n);
    p->t.has_offset = true;
    if (str_eq_c(name, "UTC") || !p->zone || !tz_abbreviation(p->zone, name, &p->t.offset_s)) {
        p->t.offset_s = 0;
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
    while (n < 3 && n < p->rest.n && digit(p->rest.p[n])) {
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
static bool take_seconds(struct parse *p, bool fixed, const struct element *next)
{
    if (!number(p, fixed, &p->t.second) || p->t.second > 59) {
        return false;
    }
    bool mentioned = next && (next->kind == EL_FRACTION0 || next->kind == EL_FRACTION9);
    bool there = p->rest.n >= 2 && (p->rest.p[0] == '.' || p->rest.p[0] == ',') && digit(p->rest.p[1]);
    return mentioned || !there || take_fraction(p, 0);
}

static bool take_clock(struct parse *p, const struct element *e, const struct element *next)
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
        if (p->rest.n >= 2 && (p->rest.p[0] == '.' || p->rest.p[0] == ',') && digit(p->rest.p[1])) {
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

static bool take(struct parse *p, const struct element *e, const struct element *next)
{
    int unused, month;
    switch ((int)e->kind) {
    case EL_TEXT:
        return take_text(p, e->text);
    case EL_LONG_MONTH:
    case EL_MONTH:
        p->has_month = name_of(p, months, ARRAY_LEN(months), e->kind == EL_LONG_MONTH, &month);
        p->t.month = p->has_month ? month + 1 : 1;
        return p->has_month;
    case EL_NUM_MONTH:
    case EL_ZERO_MONTH:
        p->has_month = true;
        return number(p, e->kind == EL_ZERO_MONTH, &p->t.month) && p->t.month >= 1 && p->t.month <= 12;
    case EL_LONG_WEEKDAY:
    case EL_WEEKDAY:
        return name_of(p, weekdays, ARRAY_LEN(weekdays), e->kind == EL_LONG_WEEKDAY, &unused);
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
    *ret_time = p.t;
    return ERR_OK;
}

/* -- calendar -----------------------------------------------------------------------------------------------
 */

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

ts_ns go_time_ns(const struct go_time *t, const struct tz *zone)
{
    int64_t wall =
        civil_days(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 + t->second;
    int32_t offset = t->has_offset ? t->offset_s : zone ? tz_offset_of_wall(zone, wall) : 0;
    int64_t s = wall - offset;
    /* Outside the years that nanoseconds can hold Go wraps around; the nearest instant is kinder. */
    if (s > INT64_MAX / NS_PER_S - 1) {
        return INT64_MAX;
    }
    if (s < INT64_MIN / NS_PER_S + 1) {
        return INT64_MIN;
    }
    return s * NS_PER_S + t->ns;
}

/* -- formatting
 * ---------------------------------------------------------------------------------------------- */

struct moment {
    int64_t year, days;
    int month, day, hour, minute, second;
    int32_t ns, offset_s;
};

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

static void put_offset(struct buf *out, const struct element *e, int32_t offset)
{
    if (e->z && offset == 0) {
        buf_char(out, 'Z');
        return;
    }
    buf_char(out, offset < 0 ? '-' : '+');
    int32_t v = offset < 0 ? -offset : offset;
    int32_t part[] = {v / 3600, v / 60 % 60, v % 60};
    for (size_t i = 0; i < e->parts; i++) {
        buf_c(out, i && e->colon ? ":" : "");
        put_padded(out, part[i], 2, '0');
    }
}

static void put_fraction(struct buf *out, const struct element *e, int32_t ns)
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

static void put_date(struct buf *out, const struct element *e, const struct moment *m)
{
    int weekday = (int)((m->days % 7 + 11) % 7);
    switch ((int)e->kind) {
    case EL_LONG_MONTH:
        buf_c(out, months[m->month - 1]);
        break;
    case EL_MONTH:
        buf_append(out, months[m->month - 1], 3);
        break;
    case EL_NUM_MONTH:
        buf_i64(out, m->month);
        break;
    case EL_ZERO_MONTH:
        put_padded(out, m->month, 2, '0');
        break;
    case EL_LONG_WEEKDAY:
        buf_c(out, weekdays[weekday]);
        break;
    case EL_WEEKDAY:
        buf_append(out, weekdays[weekday], 3);
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
        put_padded(out, m->days - civil_days(m->year, 1, 1) + 1, 3, e->kind == EL_ZERO_YEARDAY ? '0' : ' ');
        break;
    case EL_LONG_YEAR:
        put_padded(out, m->year, 4, '0');
        break;
    default:
        put_padded(out, m->year % 100, 2, '0');
        break;
    }
}

static void put_clock(struct buf *out, const struct element *e, const struct moment *m)
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

void go_time_format(const struct go_layout *l, ts_ns at, const struct tz *zone, struct buf *out)
{
    int64_t part = at % NS_PER_S, s = at / NS_PER_S - (part < 0);
    struct moment m = {.ns = (int32_t)(part < 0 ? part + NS_PER_S : part),
                       .offset_s = zone ? tz_offset(zone, s) : 0};
    int64_t wall = s + m.offset_s;
    m.days = wall / 86400 - (wall % 86400 < 0);
    int64_t in_day = wall - m.days * 86400;
    m.hour = (int)(in_day / 3600);
    m.minute = (int)(in_day / 60 % 60);
    m.second = (int)(in_day % 60);
    civil_of_days(m.days, &m.year, &m.month, &m.day);
    for (size_t i = 0; i < l->n; i++) {
        const struct element *e = &l->e[i];
        if (e->kind == EL_TEXT) {
            buf_str(out, e->text);
        } else if (e->kind <= EL_ZERO_YEARDAY || e->kind == EL_LONG_YEAR || e->kind == EL_YEAR) {
            put_date(out, e, &m);
        } else if (e->kind == EL_OFFSET) {
            put_offset(out, e, m.offset_s);
        } else if (e->kind == EL_ZONE) {
            buf_c(out, m.offset_s ? "" : "UTC");
        } else if (e->kind == EL_FRACTION0 || e->kind == EL_FRACTION9) {
            put_fraction(out, e, m.ns);
        } else {
            put_clock(out, e, &m);
        }
    }
}
