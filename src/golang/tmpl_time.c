/* Instants in templates: Go's reference layouts both ways, and zones out of the system's database. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "golang/tmpl_int.h"

/* -- calendar -------------------------------------------------------------------------------------------- */

/* The year 1 in seconds from 1970: Go's zero time. */
#define ZERO_TIME_S INT64_C(-62135596800)

struct civil {
    int64_t year;
    int month, day, hour, minute, second, weekday,
        yearday; /* month 1-12, yearday 1-366, weekday 0 = Sunday */
};

static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static struct civil civil_of(const struct tmpl_time *t)
{
    int64_t s = t->s + t->offset_s, days = floor_div(s, 86400), rest = s - days * 86400;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
            doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {.day = (int)(doy - (153 * mp + 2) / 5 + 1), .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(((days % 7) + 11) % 7);
    c.yearday = (int)(days - days_of(c.year, 1, 1) + 1);
    return c;
}

/* -- zones ----------------------------------------------------------------------------------------------- */

enum {
    ZONE_FILE_BYTES_MAX = 65536
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The offset and abbreviation at an instant in a zone file (version 2 or later); false: not such a file. */
static bool zone_at(const unsigned char *p, size_t n, int64_t at, int32_t *ret_offset, char abbreviation[8])
{
    if (n < 88 || memcmp(p, "TZif", 4) != 0 || p[4] < '2') {
        return false;
    }
    size_t skip = 44 + be32(p + 32) * 5u + be32(p + 36) * 6u + be32(p + 40) + be32(p + 28) * 8u +
                  be32(p + 24) + be32(p + 20);
    if (skip + 44 > n || memcmp(p + skip, "TZif", 4) != 0) {
        return false;
    }
    const unsigned char *h = p + skip;
    size_t times = be32(h + 32), types = be32(h + 36), chars = be32(h + 40);
    const unsigned char *t = h + 44, *index = t + times * 8, *type = index + times, *names = type + types * 6;
    if (types == 0 || (size_t)(names - p) + chars > n) {
        return false;
    }
    size_t low = 0, high = times;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (be64(t + mid * 8) <= at) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    size_t k = low ? index[low - 1] : 0;
    for (size_t i = 0; low == 0 && i < types; i++) {
        if (!type[i * 6 + 4]) {
            k = i; /* before the first change: the first standard time */
            break;
        }
    }
    if (k >= types || type[k * 6 + 5] >= chars) {
        return false;
    }
    *ret_offset = (int32_t)be32(type + k * 6);
    snprintf(abbreviation, 8, "%.7s", (const char *)names + type[k * 6 + 5]);
    return true;
}

static unsigned char *zone_read(struct str zone, size_t *ret_n)
{
    char path[128];
    struct stat st;
    bool plain = zone.n > 0 && zone.n < 80 && zone.p[0] != '/' && str_find(zone, STR(".."), 0) == STR_NPOS &&
                 !memchr(zone.p, 0, zone.n);
    if (!plain) {
        return NULL;
    }
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", STR_FMT(zone));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    unsigned char *p = NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= ZONE_FILE_BYTES_MAX) {
        size_t n = (size_t)st.st_size;
        p = mem_alloc(n);
        if (p && read(fd, p, n) != (ssize_t)n) {
            mem_free(p);
            p = NULL;
        }
        *ret_n = n;
    }
    close(fd);
    return p;
}

/* Offset and abbreviation of a zone at an instant; UTC when it is unknown. */
static int32_t zone_offset(struct str zone, int64_t at, char abbreviation[8])
{
    int32_t offset = 0;
    size_t n = 0;
    snprintf(abbreviation, 8, "UTC");
    if (zone.n == 0 || str_eq_c(zone, "UTC")) {
        return 0;
    }
    if (str_eq_c(zone, "Local")) {
        struct tm tm;
        time_t t = (time_t)at;
        if (localtime_r(&t, &tm)) {
            snprintf(abbreviation, 8, "%.7s", tm.tm_zone);
            return (int32_t)tm.tm_gmtoff;
        }
        return 0;
    }
    unsigned char *p = zone_read(zone, &n);
    if (p && !zone_at(p, n, at, &offset, abbreviation)) {
        offset = 0;
    }
    mem_free(p);
    return offset;
}

/* Abbreviations live as long as the program; there are few. */
static const char *keep_name(const char *name)
{
    static const char *const known[] = {
        "UTC",  "GMT",  "CET",  "CEST", "EET",  "EEST", "WET",  "WEST", "MSK",  "EST",  "EDT",
        "CST",  "CDT",  "MST",  "MDT",  "PST",  "PDT",  "JST",  "KST",  "IST",  "HKT",  "BST",
        "AEST", "AEDT", "ACST", "ACDT", "AWST", "NZST", "NZDT", "SAST", "AKST", "AKDT", "HST",
        "AST",  "ADT",  "NST",  "NDT",  "EAT",  "CAT",  "WAT",  "PKT"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_eq_c(str_c(name), known[i])) {
            return known[i];
        }
    }
    return ""; /* a number: Go prints the offset instead */
}

struct tmpl_time tmpl_time_in(struct tmpl_time t, struct str zone)
{
    char name[8];
    t.offset_s = zone_offset(zone, t.s, name);
    t.zone = keep_name(name);
    return t;
}

struct tmpl_time tmpl_time_unix(int64_t s, int64_t ns)
{
    int64_t carry = floor_div(ns, NS_PER_S);
    struct tmpl_time t = {.s = s + carry, .ns = (int32_t)(ns - carry * NS_PER_S)};
    return tmpl_time_in(t, STR("Local"));
}

/* -- layouts --------------------------------------------------------------------------------------------- */

enum chunk {
    CHUNK_NONE = 0,
    CHUNK_LONG_MONTH,
    CHUNK_MONTH,
    CHUNK_NUM_MONTH,
    CHUNK_ZERO_MONTH,
    CHUNK_LONG_WEEKDAY,
    CHUNK_WEEKDAY,
    CHUNK_DAY,
    CHUNK_UNDER_DAY,
    CHUNK_ZERO_DAY,
    CHUNK_UNDER_YEARDAY,
    CHUNK_ZERO_YEARDAY,
    CHUNK_HOUR,
    CHUNK_HOUR12,
    CHUNK_ZERO_HOUR12,
    CHUNK_MINUTE,
    CHUNK_ZERO_MINUTE,
    CHUNK_SECOND,
    CHUNK_ZERO_SECOND,
    CHUNK_LONG_YEAR,
    CHUNK_YEAR,
    CHUNK_PM,
    CHUNK_LOWER_PM,
    CHUNK_ZONE,
    CHUNK_Z_NUM,   /* Z0700 and its kin: "Z" for UTC */
    CHUNK_NUM,     /* -0700 and its kin */
    CHUNK_FRACTION /* .000, .999 */
};

struct piece {
    enum chunk chunk;
    size_t n;      /* length in the layout */
    char style;    /* FRACTION: '0' or '9'; NUM: see put_offset */
    size_t digits; /* FRACTION */
};

static const struct {
    const char *text;
    enum chunk chunk;
    char style;
} fixed_pieces[] = {
    {"January", CHUNK_LONG_MONTH, 0},
    {"Monday", CHUNK_LONG_WEEKDAY, 0},
    {"MST", CHUNK_ZONE, 0},
    {"2006", CHUNK_LONG_YEAR, 0},
    {"002", CHUNK_ZERO_YEARDAY, 0},
    {"__2", CHUNK_UNDER_YEARDAY, 0},
    {"01", CHUNK_ZERO_MONTH, 0},
    {"02", CHUNK_ZERO_DAY, 0},
    {"03", CHUNK_ZERO_HOUR12, 0},
    {"04", CHUNK_ZERO_MINUTE, 0},
    {"05", CHUNK_ZERO_SECOND, 0},
    {"06", CHUNK_YEAR, 0},
    {"15", CHUNK_HOUR, 0},
    {"_2", CHUNK_UNDER_DAY, 0},
    {"PM", CHUNK_PM, 0},
    {"pm", CHUNK_LOWER_PM, 0},
    {"-070000", CHUNK_NUM, 's'},
    {"-07:00:00", CHUNK_NUM, 'S'},
    {"-0700", CHUNK_NUM, 'm'},
    {"-07:00", CHUNK_NUM, 'M'},
    {"-07", CHUNK_NUM, 'h'},
    {"Z070000", CHUNK_Z_NUM, 's'},
    {"Z07:00:00", CHUNK_Z_NUM, 'S'},
    {"Z0700", CHUNK_Z_NUM, 'm'},
    {"Z07:00", CHUNK_Z_NUM, 'M'},
    {"Z07", CHUNK_Z_NUM, 'h'},
    {"1", CHUNK_NUM_MONTH, 0},
    {"2", CHUNK_DAY, 0},
    {"3", CHUNK_HOUR12, 0},
    {"4", CHUNK_MINUTE, 0},
    {"5", CHUNK_SECOND, 0},
};

static bool lower_at(struct str s, size_t at)
{
    return at < s.n && s.p[at] >= 'a' && s.p[at] <= 'z';
}

static bool digit_at(struct str s, size_t at)
{
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

/* The piece of the layout that starts at `at`. */
static struct piece piece_at(struct str layout, size_t at)
{
    struct str rest = str_slice(layout, at, layout.n);
    if (str_starts(rest, STR("_2006"))) {
        return (struct piece){0};
    }
    for (size_t i = 0; i < ARRAY_LEN(fixed_pieces); i++) {
        if (str_starts(rest, str_c(fixed_pieces[i].text))) {
            return (struct piece){fixed_pieces[i].chunk, strlen(fixed_pieces[i].text), fixed_pieces[i].style,
                                  0};
        }
    }
    if (str_starts(rest, STR("Jan")) && !lower_at(rest, 3)) {
        return (struct piece){CHUNK_MONTH, 3, 0, 0};
    }
    if (str_starts(rest, STR("Mon")) && !lower_at(rest, 3)) {
        return (struct piece){CHUNK_WEEKDAY, 3, 0, 0};
    }
    if (rest.n > 1 && (rest.p[0] == '.' || rest.p[0] == ',') && (rest.p[1] == '0' || rest.p[1] == '9')) {
        size_t n = 1;
        while (n < rest.n && rest.p[n] == rest.p[1]) {
            n++;
        }
        if (!digit_at(rest, n)) {
            return (struct piece){CHUNK_FRACTION, n, rest.p[1], n - 1};
        }
    }
    return (struct piece){0};
}

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

static void put_offset(struct buf *b, int32_t offset, char style)
{
    int32_t v = offset < 0 ? -offset : offset;
    const char *colon = style == 'S' || style == 'M' ? ":" : "";
    buf_printf(b, "%c%02d", offset < 0 ? '-' : '+', (int)(v / 3600));
    if (style != 'h') {
        buf_printf(b, "%s%02d", colon, (int)(v / 60 % 60));
    }
    if (style == 's' || style == 'S') {
        buf_printf(b, "%s%02d", colon, (int)(v % 60));
    }
}

static void put_fraction(struct buf *b, int32_t ns, const struct piece *p, char point)
{
    char digits[10];
    snprintf(digits, sizeof(digits), "%09d", (int)ns);
    size_t n = p->digits > 9 ? 9 : p->digits;
    while (p->style == '9' && n && digits[n - 1] == '0') {
        n--;
    }
    if (p->style == '9' && n == 0) {
        return;
    }
    buf_char(b, point);
    buf_append(b, digits, n);
    for (size_t i = 9; p->style == '0' && i < p->digits; i++) {
        buf_char(b, '0');
    }
}

static void put_piece(struct buf *b, const struct tmpl_time *t, const struct civil *c, const struct piece *p,
                      char first)
{
    int hour12 = c->hour % 12 ? c->hour % 12 : 12;
    switch (p->chunk) {
    case CHUNK_LONG_MONTH:
        buf_c(b, months[c->month - 1]);
        break;
    case CHUNK_MONTH:
        buf_append(b, months[c->month - 1], 3);
        break;
    case CHUNK_NUM_MONTH:
        buf_printf(b, "%d", c->month);
        break;
    case CHUNK_ZERO_MONTH:
        buf_printf(b, "%02d", c->month);
        break;
    case CHUNK_LONG_WEEKDAY:
        buf_c(b, days[c->weekday]);
        break;
    case CHUNK_WEEKDAY:
        buf_append(b, days[c->weekday], 3);
        break;
    case CHUNK_DAY:
        buf_printf(b, "%d", c->day);
        break;
    case CHUNK_UNDER_DAY:
        buf_printf(b, "%2d", c->day);
        break;
    case CHUNK_ZERO_DAY:
        buf_printf(b, "%02d", c->day);
        break;
    case CHUNK_UNDER_YEARDAY:
        buf_printf(b, "%3d", c->yearday);
        break;
    case CHUNK_ZERO_YEARDAY:
        buf_printf(b, "%03d", c->yearday);
        break;
    case CHUNK_HOUR:
        buf_printf(b, "%02d", c->hour);
        break;
    case CHUNK_HOUR12:
        buf_printf(b, "%d", hour12);
        break;
    case CHUNK_ZERO_HOUR12:
        buf_printf(b, "%02d", hour12);
        break;
    case CHUNK_MINUTE:
        buf_printf(b, "%d", c->minute);
        break;
    case CHUNK_ZERO_MINUTE:
        buf_printf(b, "%02d", c->minute);
        break;
    case CHUNK_SECOND:
        buf_printf(b, "%d", c->second);
        break;
    case CHUNK_ZERO_SECOND:
        buf_printf(b, "%02d", c->second);
        break;
    case CHUNK_LONG_YEAR:
        buf_printf(b, "%04lld", (long long)c->year);
        break;
    case CHUNK_YEAR:
        buf_printf(b, "%02d", (int)(c->year % 100));
        break;
    case CHUNK_PM:
        buf_c(b, c->hour >= 12 ? "PM" : "AM");
        break;
    case CHUNK_LOWER_PM:
        buf_c(b, c->hour >= 12 ? "pm" : "am");
        break;
    case CHUNK_ZONE:
        if (t->zone && !t->zone[0]) {
            put_offset(b, t->offset_s, t->offset_s % 3600 ? 'm' : 'h');
        } else {
            buf_c(b, t->zone ? t->zone : "UTC");
        }
        break;
    case CHUNK_Z_NUM:
    case CHUNK_NUM:
        if (p->chunk == CHUNK_Z_NUM && t->offset_s == 0) {
            buf_char(b, 'Z');
        } else {
            put_offset(b, t->offset_s, p->style);
        }
        break;
    case CHUNK_FRACTION:
        put_fraction(b, t->ns, p, first);
        break;
    case CHUNK_NONE:
        break;
    }
}

void tmpl_time_format(struct buf *b, const struct tmpl_time *t, struct str layout)
{
    struct civil c = civil_of(t);
    for (size_t at = 0; at < layout.n;) {
        struct piece p = piece_at(layout, at);
        if (p.chunk == CHUNK_NONE) {
            buf_char(b, layout.p[at++]);
            continue;
        }
        put_piece(b, t, &c, &p, layout.p[at]);
        at += p.n;
    }
}

/* -- parsing --------------------------------------------------------------------------------------------- */

struct parsed {
    struct civil c;
    int64_t ns;
    bool pm_seen, pm, zoned, utc_named;
    int32_t offset;
    int yearday;
};

static bool number(struct str s, size_t *at, size_t least, size_t most, int *ret_value)
{
    size_t n = 0;
    int v = 0;
    while (n < most && digit_at(s, *at + n)) {
        v = v * 10 + (s.p[*at + n++] - '0');
    }
    if (n < least) {
        return false;
    }
    *at += n;
    *ret_value = v;
    return true;
}

static bool name_of(struct str s, size_t *at, const char *const *names, size_t count, size_t cut,
                    int *ret_value)
{
    for (size_t i = 0; i < count; i++) {
        struct str name = str_c(names[i]);
        name.n = cut && cut < name.n ? cut : name.n;
        if (s.n - *at >= name.n && str_ieq(str_slice(s, *at, *at + name.n), name)) {
            *at += name.n;
            *ret_value = (int)i;
            return true;
        }
    }
    return false;
}

static bool offset_text(struct str s, size_t *at, const struct piece *p, struct parsed *out)
{
    int h = 0, m = 0, sec = 0;
    bool colon = p->style == 'M' || p->style == 'S';
    if (p->chunk == CHUNK_Z_NUM && *at < s.n && s.p[*at] == 'Z') {
        (*at)++;
        out->zoned = true;
        out->utc_named = true;
        return true;
    }
    if (*at >= s.n || (s.p[*at] != '+' && s.p[*at] != '-')) {
        return false;
    }
    bool minus = s.p[(*at)++] == '-';
    if (!number(s, at, 2, 2, &h)) {
        return false;
    }
    for (int part = 0; part < (p->style == 'h' ? 0 : p->style == 's' || p->style == 'S' ? 2 : 1); part++) {
        if (colon && (*at >= s.n || s.p[(*at)++] != ':')) {
            return false;
        }
        if (!number(s, at, 2, 2, part ? &sec : &m)) {
            return false;
        }
    }
    out->offset = (h * 3600 + m * 60 + sec) * (minus ? -1 : 1);
    out->zoned = true;
    return true;
}

static bool fraction_text(struct str s, size_t *at, struct parsed *out)
{
    size_t n = 0;
    int64_t v = 0;
    size_t start = *at + 1;
    while (digit_at(s, start + n)) {
        if (n < 9) {
            v = v * 10 + (s.p[start + n] - '0');
        }
        n++;
    }
    for (size_t i = n; i < 9; i++) {
        v *= 10;
    }
    *at = start + n;
    out->ns = v;
    return n > 0;
}

static bool zone_text(struct str s, size_t *at, struct parsed *out)
{
    size_t n = 0;
    while (*at + n < s.n && s.p[*at + n] >= 'A' && s.p[*at + n] <= 'Z') {
        n++;
    }
    if (n < 3 || n > 5) {
        return false;
    }
    out->utc_named = str_eq_c(str_slice(s, *at, *at + n), "UTC");
    out->zoned = out->zoned || out->utc_named;
    *at += n;
    return true;
}

static bool read_piece(struct str s, size_t *at, const struct piece *p, struct parsed *out)
{
    struct civil *c = &out->c;
    int v = 0;
    bool ok = true;
    switch (p->chunk) {
    case CHUNK_LONG_MONTH:
    case CHUNK_MONTH:
        ok = name_of(s, at, months, 12, p->chunk == CHUNK_MONTH ? 3 : 0, &v);
        c->month = v + 1;
        return ok;
    case CHUNK_NUM_MONTH:
    case CHUNK_ZERO_MONTH:
        return number(s, at, p->chunk == CHUNK_ZERO_MONTH ? 2 : 1, 2, &c->month) && c->month >= 1 &&
               c->month <= 12;
    case CHUNK_LONG_WEEKDAY:
    case CHUNK_WEEKDAY:
        return name_of(s, at, days, 7, p->chunk == CHUNK_WEEKDAY ? 3 : 0, &v);
    case CHUNK_DAY:
    case CHUNK_UNDER_DAY:
    case CHUNK_ZERO_DAY:
        *at += p->chunk == CHUNK_UNDER_DAY && *at < s.n && s.p[*at] == ' ';
        return number(s, at, p->chunk == CHUNK_ZERO_DAY ? 2 : 1, 2, &c->day);
    case CHUNK_UNDER_YEARDAY:
    case CHUNK_ZERO_YEARDAY:
        while (p->chunk == CHUNK_UNDER_YEARDAY && *at < s.n && s.p[*at] == ' ') {
            (*at)++;
        }
        return number(s, at, 1, 3, &out->yearday);
    case CHUNK_HOUR:
        return number(s, at, 1, 2, &c->hour) && c->hour < 24;
    case CHUNK_HOUR12:
    case CHUNK_ZERO_HOUR12:
        return number(s, at, p->chunk == CHUNK_ZERO_HOUR12 ? 2 : 1, 2, &c->hour) && c->hour <= 12;
    case CHUNK_MINUTE:
    case CHUNK_ZERO_MINUTE:
        return number(s, at, p->chunk == CHUNK_ZERO_MINUTE ? 2 : 1, 2, &c->minute) && c->minute < 60;
    case CHUNK_SECOND:
    case CHUNK_ZERO_SECOND:
        return number(s, at, p->chunk == CHUNK_ZERO_SECOND ? 2 : 1, 2, &c->second) && c->second < 60;
    case CHUNK_LONG_YEAR:
        ok = number(s, at, 4, 4, &v);
        c->year = v;
        return ok;
    case CHUNK_YEAR:
        ok = number(s, at, 2, 2, &v);
        c->year = v >= 69 ? 1900 + v : 2000 + v;
        return ok;
    case CHUNK_PM:
    case CHUNK_LOWER_PM:
        if (s.n - *at < 2 || (s.p[*at + 1] | 32) != 'm' ||
            ((s.p[*at] | 32) != 'p' && (s.p[*at] | 32) != 'a')) {
            return false;
        }
        out->pm_seen = true;
        out->pm = (s.p[*at] | 32) == 'p';
        *at += 2;
        return true;
    case CHUNK_ZONE:
        return zone_text(s, at, out);
    case CHUNK_Z_NUM:
    case CHUNK_NUM:
        return offset_text(s, at, p, out);
    case CHUNK_FRACTION:
        if (p->style == '9' &&
            (*at >= s.n || (s.p[*at] != '.' && s.p[*at] != ',') || !digit_at(s, *at + 1))) {
            return true;
        }
        return *at < s.n && fraction_text(s, at, out);
    case CHUNK_NONE:
        break;
    }
    return false;
}

static bool read_all(struct str layout, struct str s, struct parsed *out)
{
    size_t at = 0;
    for (size_t l = 0; l < layout.n;) {
        struct piece p = piece_at(layout, l);
        if (p.chunk == CHUNK_NONE) {
            if (at >= s.n || s.p[at] != layout.p[l]) {
                return false;
            }
            at++;
            l++;
            continue;
        }
        if (!read_piece(s, &at, &p, out)) {
            return false;
        }
        l += p.n;
        /* a fraction may follow seconds that the layout gives none */
        bool seconds = p.chunk == CHUNK_SECOND || p.chunk == CHUNK_ZERO_SECOND;
        bool planned = seconds && l < layout.n && piece_at(layout, l).chunk == CHUNK_FRACTION;
        if (seconds && !planned && at < s.n && (s.p[at] == '.' || s.p[at] == ',') && digit_at(s, at + 1) &&
            !fraction_text(s, &at, out)) {
            return false;
        }
    }
    return at == s.n;
}

struct tmpl_time tmpl_time_parse(struct str layout, struct str text, struct str zone)
{
    struct tmpl_time zero = {.s = ZERO_TIME_S, .zero = true};
    struct parsed p = {.c = {.year = 0, .month = 1, .day = 1}};
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    char name[8];
    if (!read_all(layout, text, &p)) {
        return zero;
    }
    bool leap = p.c.year % 4 == 0 && (p.c.year % 100 || p.c.year % 400 == 0);
    if (p.c.day < 1 || p.c.day > month_days[p.c.month - 1] + (leap && p.c.month == 2)) {
        return zero;
    }
    if (p.pm_seen) {
        p.c.hour = p.c.hour % 12 + (p.pm ? 12 : 0);
    }
    int64_t days_in =
        p.yearday ? days_of(p.c.year, 1, 1) + p.yearday - 1 : days_of(p.c.year, p.c.month, p.c.day);
    struct tmpl_time t = {.s = days_in * 86400 + p.c.hour * 3600 + p.c.minute * 60 + p.c.second,
                          .ns = (int32_t)p.ns};
    if (p.zoned) {
        t.s -= p.offset;
        t.offset_s = p.offset;
        t.zone = p.offset == 0 ? NULL : "";
        return t;
    }
    /* a time on the clocks of the zone: what offset holds there is found in two steps */
    int32_t offset = zone_offset(zone, t.s, name);
    offset = zone_offset(zone, t.s - offset, name);
    t.s -= offset;
    t.offset_s = offset;
    t.zone = keep_name(name);
    return t;
}

/* -- methods --------------------------------------------------------------------------------------------- */

static struct tmpl_value method_format(const struct tmpl_time *t, struct str layout, struct arena *a)
{
    struct buf b AUTO_BUF = {0};
    tmpl_time_format(&b, t, layout);
    struct str s = arena_str(a, buf_view(&b));
    return tmpl_string(s.p ? s : STR(""));
}

bool tmpl_time_method(const struct tmpl_time *t, struct str name, const struct tmpl_value *args, size_t n,
                      struct arena *a, struct tmpl_value *ret_value, size_t *ret_argc)
{
    struct civil c = civil_of(t);
    const struct {
        const char *name;
        struct tmpl_value v;
    } simple[] = {
        {"Unix", tmpl_int64(t->s)},
        {"UnixMilli", tmpl_int64(t->s * 1000 + t->ns / 1000000)},
        {"UnixMicro", tmpl_int64(t->s * 1000000 + t->ns / 1000)},
        {"UnixNano", tmpl_int64(t->s > 9223372036 || t->s < -9223372036 ? 0 : t->s * NS_PER_S + t->ns)},
        {"Year", tmpl_int(c.year)},
        {"Month", {.kind = VAL_MONTH, .i = c.month}},
        {"Day", tmpl_int(c.day)},
        {"Hour", tmpl_int(c.hour)},
        {"Minute", tmpl_int(c.minute)},
        {"Second", tmpl_int(c.second)},
        {"Nanosecond", tmpl_int(t->ns)},
        {"Weekday", {.kind = VAL_WEEKDAY, .i = c.weekday}},
        {"YearDay", tmpl_int(c.yearday)},
        {"IsZero", tmpl_bool(t->s == ZERO_TIME_S && t->ns == 0)},
        {"UTC", {.kind = VAL_TIME, .t = tmpl_time_in(*t, STR("UTC"))}},
        {"Local", {.kind = VAL_TIME, .t = tmpl_time_in(*t, STR("Local"))}},
    };
    *ret_argc = 0;
    for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
        if (str_eq_c(name, simple[i].name)) {
            *ret_value = simple[i].v;
            return true;
        }
    }
    if (str_eq_c(name, "String")) {
        *ret_value = method_format(t, STR("2006-01-02 15:04:05.999999999 -0700 MST"), a);
        return true;
    }
    if (str_eq_c(name, "Format")) {
        *ret_argc = 1;
        *ret_value = method_format(t, n == 1 && args[0].kind == VAL_STRING ? args[0].s : STR(""), a);
        return true;
    }
    return false;
}
