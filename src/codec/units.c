/* Durations, sizes and instants. Each format is a table of units over one scanner. */
#include "codec/units.h"

#include <math.h>
#include <time.h>

#include "codec/num.h"

struct unit {
    const char *name;
    int64_t value;
};

static const struct unit prom_units[] = {
    {"y", INT64_C(365) * 86400000},
    {"w", INT64_C(7) * 86400000},
    {"d", INT64_C(86400000)},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cuts leading digits off *s. False when there is none or the number is out of range. */
static bool cut_number(struct str *s, int64_t *ret_value)
{
    size_t n = 0;
    while (n < s->n && is_digit(s->p[n])) {
        n++;
    }
    if (n == 0 || str_to_i64(str_of(s->p, n), ret_value) != ERR_OK) {
        return false;
    }
    *s = str_slice(*s, n, s->n);
    return true;
}

static struct str cut_letters(struct str *s)
{
    size_t n = 0;
    while (n < s->n && !is_digit(s->p[n]) && s->p[n] != '.') {
        n++;
    }
    struct str word = str_of(s->p, n);
    *s = str_slice(*s, n, s->n);
    return word;
}

enum err units_duration_parse(struct str s, int64_t *ret_ms)
{
    if (str_eq_c(s, "0")) {
        *ret_ms = 0;
        return ERR_OK;
    }
    int64_t total = 0;
    size_t next = 0;
    if (s.n == 0) {
        return ERR_INVALID;
    }
    while (s.n) {
        int64_t v, part;
        if (!cut_number(&s, &v)) {
            return ERR_INVALID;
        }
        struct str word = cut_letters(&s);
        while (next < ARRAY_LEN(prom_units) && !str_eq_c(word, prom_units[next].name)) {
            next++;
        }
        if (next == ARRAY_LEN(prom_units)) {
            return ERR_INVALID;
        }
        if (__builtin_mul_overflow(v, prom_units[next++].value, &part) ||
            __builtin_add_overflow(total, part, &total) || total > INT64_MAX / NS_PER_MS) {
            return ERR_LIMIT;
        }
    }
    *ret_ms = total;
    return ERR_OK;
}

void units_duration_format(struct buf *b, int64_t ms)
{
    if (ms == 0) {
        buf_c(b, "0s");
        return;
    }
    if (ms < 0) {
        buf_char(b, '-');
        ms = -ms;
    }
    for (size_t i = 0; i < ARRAY_LEN(prom_units); i++) {
        const struct unit *u = &prom_units[i];
        bool exact_only = i < 2; /* years and weeks only when nothing is left over */
        if (exact_only && ms % u->value != 0) {
            continue;
        }
        if (ms / u->value > 0) {
            buf_i64(b, ms / u->value);
            buf_c(b, u->name);
            ms %= u->value;
        }
    }
}

static const struct unit go_units[] = {
    {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S},     {"ms", NS_PER_MS},
    {"us", 1000},           {"\xc2\xb5s", 1000},  {"\xce\xbcs", 1000}, {"ns", 1},
};

static enum err go_part(struct str *s, int64_t *total)
{
    size_t n = 0;
    while (n < s->n && (is_digit(s->p[n]) || s->p[n] == '.')) {
        n++;
    }
    struct str number = str_of(s->p, n);
    *s = str_slice(*s, n, s->n);
    struct str word = cut_letters(s);
    size_t u = 0;
    while (u < ARRAY_LEN(go_units) && !str_eq_c(word, go_units[u].name)) {
        u++;
    }
    if (u == ARRAY_LEN(go_units) || n == 0) {
        return ERR_INVALID;
    }
    size_t point = str_find_char(number, '.', 0);
    int64_t whole = 0, part = 0;
    if (point != 0 && str_to_i64(str_of(number.p, point == STR_NPOS ? n : point), &whole) != ERR_OK) {
        return ERR_INVALID;
    }
    if (point != STR_NPOS) {
        double scale = (double)go_units[u].value;
        for (size_t i = point + 1; i < n; i++) {
            if (!is_digit(number.p[i])) {
                return ERR_INVALID;
            }
        }
        double fraction;
        if (n > point + 1) {
            if (num_f64_parse(str_slice(number, point, n), &fraction) != ERR_OK) {
                return ERR_INVALID;
            }
            part = (int64_t)(fraction * scale + 1e-6);
        } else if (point == 0) {
            return ERR_INVALID;
        }
    }
    int64_t value;
    if (__builtin_mul_overflow(whole, go_units[u].value, &value) ||
        __builtin_add_overflow(value, part, &value) || __builtin_add_overflow(*total, value, total)) {
        return ERR_LIMIT;
    }
    return ERR_OK;
}

enum err units_go_duration_parse(struct str s, int64_t *ret_ns)
{
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        s = str_slice(s, 1, s.n);
    }
    if (s.n == 0) {
        return ERR_INVALID;
    }
    int64_t total = 0;
    if (!str_eq_c(s, "0")) {
        while (s.n) {
            enum err e = go_part(&s, &total);
            if (e) {
                return e;
            }
        }
    }
    *ret_ns = negative ? -total : total;
    return ERR_OK;
}

static void go_fraction(struct buf *b, int64_t v, int64_t unit)
{
    buf_i64(b, v / unit);
    int64_t rest = v % unit;
    if (rest == 0) {
        return;
    }
    buf_char(b, '.');
    while (rest) {
        unit /= 10;
        buf_char(b, (char)('0' + rest / unit));
        rest %= unit;
    }
}

void units_go_duration_format(struct buf *b, int64_t ns)
{
    if (ns < 0) {
        buf_char(b, '-');
        ns = -ns;
    }
    if (ns < NS_PER_S) {
        int64_t unit = ns == 0 ? NS_PER_S : ns < 1000 ? 1 : ns < NS_PER_MS ? 1000 : NS_PER_MS;
        go_fraction(b, ns, unit);
        buf_c(b, unit == NS_PER_S ? "s" : unit == 1 ? "ns" : unit == 1000 ? "\xc2\xb5s" : "ms");
        return;
    }
    int64_t hours = ns / (3600 * NS_PER_S), minutes = ns / (60 * NS_PER_S) % 60;
    if (hours) {
        buf_i64(b, hours);
        buf_char(b, 'h');
    }
    if (hours || minutes) {
        buf_i64(b, minutes);
        buf_char(b, 'm');
    }
    go_fraction(b, ns % (60 * NS_PER_S), NS_PER_S);
    buf_char(b, 's');
}

/* -- sizes ----------------------------------------------------------------------------------------------- */

enum err units_size_parse(struct str s, bool base2, uint64_t *ret_bytes)
{
    static const char prefixes[] = "KMGTPE";
    size_t n = 0;
    while (n < s.n && (is_digit(s.p[n]) || s.p[n] == '.')) {
        n++;
    }
    double v;
    if (n == 0 || num_f64_parse(str_of(s.p, n), &v) != ERR_OK) {
        return ERR_INVALID;
    }
    struct str word = str_trim(str_slice(s, n, s.n));
    double scale = 1;
    if (word.n) {
        char letter = (char)(word.p[0] >= 'a' ? word.p[0] - 32 : word.p[0]);
        const char *at = letter ? strchr(prefixes, letter) : NULL;
        if (at) {
            word = str_slice(word, 1, word.n);
            bool binary = word.n && (word.p[0] | 32) == 'i';
            if (binary) {
                word = str_slice(word, 1, word.n);
            }
            scale = pow(binary || base2 ? 1024 : 1000, (double)(at - prefixes + 1));
        }
        if (word.n && !str_ieq(word, STR("b"))) {
            return ERR_INVALID;
        }
    }
    v *= scale;
    if (v >= 18446744073709551615.0) {
        return ERR_LIMIT;
    }
    *ret_bytes = (uint64_t)v;
    return ERR_OK;
}

void units_size_format(struct buf *b, uint64_t bytes)
{
    static const char *const names[] = {"EiB", "PiB", "TiB", "GiB", "MiB", "KiB", "B"};
    bool any = false;
    for (size_t u = 0; u < ARRAY_LEN(names); u++) {
        uint64_t n = bytes >> (10 * (ARRAY_LEN(names) - 1 - u)) & (u ? 1023 : 15);
        if (n || (!any && u + 1 == ARRAY_LEN(names))) {
            buf_u64(b, n);
            buf_c(b, names[u]);
            any = true;
        }
    }
}

/* -- instants -------------------------------------------------------------------------------------------- */

static bool fixed_digits(struct str s, size_t at, size_t n, int *ret_value)
{
    int v = 0;
    if (at + n > s.n) {
        return false;
    }
    for (size_t i = at; i < at + n; i++) {
        if (!is_digit(s.p[i])) {
            return false;
        }
        v = v * 10 + (s.p[i] - '0');
    }
    *ret_value = v;
    return true;
}

static bool char_at(struct str s, size_t at, char c)
{
    return at < s.n && s.p[at] == c;
}

/* "Z" or "+hh:mm" to the end of s. */
static bool zone(struct str s, int64_t *ret_offset_s)
{
    int h, m;
    if (s.n == 1 && (s.p[0] == 'Z' || s.p[0] == 'z')) {
        *ret_offset_s = 0;
        return true;
    }
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || !fixed_digits(s, 1, 2, &h) || s.p[3] != ':' ||
        !fixed_digits(s, 4, 2, &m) || h > 24 || m > 59) {
        return false;
    }
    *ret_offset_s = (s.p[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return true;
}

enum err units_rfc3339_parse(struct str s, ts_ns *ret_ns)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct tm t = {0};
    int year, month;
    if (!fixed_digits(s, 0, 4, &year) || !char_at(s, 4, '-') || !fixed_digits(s, 5, 2, &month) ||
        !char_at(s, 7, '-') || !fixed_digits(s, 8, 2, &t.tm_mday) ||
        !(char_at(s, 10, 'T') || char_at(s, 10, 't')) || !fixed_digits(s, 11, 2, &t.tm_hour) ||
        !char_at(s, 13, ':') || !fixed_digits(s, 14, 2, &t.tm_min) || !char_at(s, 16, ':') ||
        !fixed_digits(s, 17, 2, &t.tm_sec)) {
        return ERR_INVALID;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || t.tm_mday < 1 ||
        t.tm_mday > month_days[month - 1] + (month == 2 && leap) || t.tm_hour > 23 || t.tm_min > 59 ||
        t.tm_sec > 59) {
        return ERR_INVALID;
    }
    size_t at = 19;
    int64_t nanos = 0;
    if (char_at(s, at, '.')) {
        int64_t unit = NS_PER_S;
        for (at++; at < s.n && is_digit(s.p[at]); at++) {
            unit /= 10;
            nanos += unit * (s.p[at] - '0');
        }
        if (unit == NS_PER_S) {
            return ERR_INVALID;
        }
    }
    int64_t offset_s, total;
    if (!zone(str_slice(s, at, s.n), &offset_s)) {
        return ERR_INVALID;
    }
    t.tm_year = year - 1900;
    t.tm_mon = month - 1;
    int64_t seconds = (int64_t)timegm(&t) - offset_s;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &total) || __builtin_add_overflow(total, nanos, &total)) {
        return ERR_LIMIT;
    }
    *ret_ns = total;
    return ERR_OK;
}

enum err units_prom_time_parse(struct str s, ts_ms *ret_ms, struct err_info *reterr_info)
{
    double v;
    if (num_f64_parse(s, &v) == ERR_OK && isfinite(v) && fabs(v) < 9.2e15) {
        double whole;
        double fraction = modf(v, &whole);
        *ret_ms = (ts_ms)whole * MS_PER_S + (ts_ms)(round(fraction * 1000));
        return ERR_OK;
    }
    ts_ns ns;
    if (units_rfc3339_parse(s, &ns) == ERR_OK) {
        *ret_ms = ns / NS_PER_MS - (ns % NS_PER_MS < 0);
        return ERR_OK;
    }
    return err_set(reterr_info, ERR_INVALID, "cannot parse \"%.*s\" to a valid timestamp", STR_FMT(s));
}

enum err units_prom_duration_parse(struct str s, int64_t *ret_ms, struct err_info *reterr_info)
{
    double v;
    if (num_f64_parse(s, &v) == ERR_OK) {
        if (!isfinite(v) || fabs(v) > 9.2e9) {
            return err_set(reterr_info, ERR_INVALID,
                           "cannot parse \"%.*s\" to a valid duration. It overflows int64", STR_FMT(s));
        }
        *ret_ms = (int64_t)(v * 1000);
        return ERR_OK;
    }
    if (units_duration_parse(s, ret_ms) == ERR_OK) {
        return ERR_OK;
    }
    return err_set(reterr_info, ERR_INVALID, "cannot parse \"%.*s\" to a valid duration", STR_FMT(s));
}

enum err units_loki_time_parse(struct str s, ts_ns *ret_ns, struct err_info *reterr_info)
{
    if (str_find_char(s, '.', 0) != STR_NPOS) {
        double v;
        if (num_f64_parse(s, &v) == ERR_OK && isfinite(v) && fabs(v) < 9.2e9) {
            double whole;
            double fraction = modf(v, &whole);
            *ret_ns = (ts_ns)whole * NS_PER_S + (ts_ns)(round(fraction * 1000) / 1000 * (double)NS_PER_S);
            return ERR_OK;
        }
    }
    int64_t n;
    if (str_to_i64(s, &n) == ERR_OK) {
        *ret_ns = s.n <= 10 ? n * NS_PER_S : n;
        return ERR_OK;
    }
    if (units_rfc3339_parse(s, ret_ns) == ERR_OK) {
        return ERR_OK;
    }
    return err_set(reterr_info, ERR_INVALID, "strconv.ParseInt: parsing \"%.*s\": invalid syntax",
                   STR_FMT(s));
}
