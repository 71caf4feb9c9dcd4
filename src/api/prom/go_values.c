/* Values of requests as Go's strconv and time read them.
 *
 * Conversions that Go leaves to the processor (NaN or a number beyond the range to an integer) give what
 * amd64 gives: the least integer. */
#include "api/prom/go_values.h"

#include <math.h>
#include <time.h>

#include "codec/num.h"
#include "codec/units.h"
#include "labels/labels.h"

enum {
    FLOAT_TEXT_MAX = 400 /* longer numbers are no times */
};

#define UNIX_TO_YEAR_ONE_S INT64_C(62135596800)

static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrap_mul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

static int64_t to_int(double v)
{
    return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str quoted(struct buf *b, struct str s)
{
    labels_quote(b, s);
    return buf_view(b);
}

/* -- numbers --------------------------------------------------------------------------------------------- */

/* Underscores stand between digits, or between a base prefix and the first digit. */
static bool underscores_ok(struct str s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    bool hex = i + 1 < s.n && s.p[i] == '0' && (s.p[i + 1] | 32) == 'x';
    char before = hex ? '0' : '^';
    for (i += hex ? 2 : 0; i < s.n; i++) {
        char c = s.p[i];
        bool digit = is_digit(c) || (hex && (c | 32) >= 'a' && (c | 32) <= 'f');
        if ((c == '_' && before != '0') || (c != '_' && !digit && before == '_')) {
            return false;
        }
        before = digit ? '0' : c == '_' ? '_' : '!';
    }
    return before != '_';
}

/* strconv.ParseFloat. */
static bool float_parse(struct str s, double *ret_value)
{
    char text[FLOAT_TEXT_MAX];
    size_t n = 0;
    if (s.n > sizeof(text) || (str_find_char(s, '_', 0) != STR_NPOS && !underscores_ok(s))) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') {
            text[n++] = s.p[i];
        }
    }
    return num_f64_parse(str_of(text, n), ret_value) == ERR_OK;
}

enum err go_param_int(const char *function, struct str s, int64_t *ret_value, struct err_info *reterr_info)
{
    if (str_to_i64(s, ret_value) == ERR_OK) {
        return ERR_OK;
    }
    size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    bool digits = s.n > sign;
    for (size_t i = sign; i < s.n; i++) {
        digits &= is_digit(s.p[i]);
    }
    struct buf q AUTO_BUF = {0};
    struct str shown = quoted(&q, s);
    return err_set(reterr_info, ERR_INVALID, "strconv.%s: parsing %.*s: %s", function, STR_FMT(shown),
                   digits ? "value out of range" : "invalid syntax");
}

enum err go_param_bool(struct str s, bool *ret_value, struct err_info *reterr_info)
{
    static const char *const words[] = {"0",     "1",    "f",     "t",    "F",     "T",
                                        "FALSE", "TRUE", "false", "true", "False", "True"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_c(s, words[i])) {
            *ret_value = i % 2;
            return ERR_OK;
        }
    }
    struct buf q AUTO_BUF = {0};
    struct str shown = quoted(&q, s);
    return err_set(reterr_info, ERR_INVALID, "strconv.ParseBool: parsing %.*s: invalid syntax",
                   STR_FMT(shown));
}

/* -- times ----------------------------------------------------------------------------------------------- */

/* time.Unix: nanoseconds outside a second are carried over. */
static struct go_time unix_time(int64_t sec, int64_t ns)
{
    sec = wrap_add(sec, ns / NS_PER_S);
    ns %= NS_PER_S;
    if (ns < 0) {
        sec = wrap_add(sec, -1);
        ns += NS_PER_S;
    }
    return (struct go_time){sec, ns};
}

static bool number_at(struct str s, size_t at, size_t n, int *ret_value)
{
    int v = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= s.n || !is_digit(s.p[i])) {
            return false;
        }
        v = v * 10 + (s.p[i] - '0');
    }
    *ret_value = v;
    return true;
}

/* "Z" or "+02:00", the rest of the text. */
static bool zone_parse(struct str s, int64_t *ret_offset_s)
{
    int hours, minutes;
    if (str_eq_c(s, "Z")) {
        *ret_offset_s = 0;
        return true;
    }
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' || !number_at(s, 1, 2, &hours) ||
        !number_at(s, 4, 2, &minutes) || hours > 24 || minutes > 60) {
        return false;
    }
    *ret_offset_s = (int64_t)(s.p[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool clock_parse(struct str s, struct tm *t)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month;
    if (s.n < 20 || !number_at(s, 0, 4, &year) || s.p[4] != '-' || !number_at(s, 5, 2, &month) ||
        s.p[7] != '-' || !number_at(s, 8, 2, &t->tm_mday) || s.p[10] != 'T' ||
        !number_at(s, 11, 2, &t->tm_hour) || s.p[13] != ':' || !number_at(s, 14, 2, &t->tm_min) ||
        s.p[16] != ':' || !number_at(s, 17, 2, &t->tm_sec)) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    t->tm_year = year - 1900;
    t->tm_mon = month - 1;
    return month >= 1 && month <= 12 && t->tm_mday >= 1 &&
           t->tm_mday <= days[month - 1] + (month == 2 && leap) && t->tm_hour < 24 && t->tm_min < 60 &&
           t->tm_sec < 60;
}

static bool rfc3339_parse(struct str s, struct go_time *ret_time)
{
    struct tm t = {0};
    int64_t ns = 0, unit = NS_PER_S, offset_s = 0;
    size_t at = 19;
    if (!clock_parse(s, &t)) {
        return false;
    }
    if (s.p[at] == '.' || s.p[at] == ',') {
        for (at++; at < s.n && is_digit(s.p[at]); at++) {
            unit /= 10;
            ns += unit * (s.p[at] - '0');
        }
        if (at == 20) {
            return false;
        }
    }
    if (!zone_parse(str_slice(s, at, s.n), &offset_s)) {
        return false;
    }
    *ret_time = (struct go_time){(int64_t)timegm(&t) - offset_s, ns};
    return true;
}

/* The ends of the range that the API of the original itself prints, in years its own parser cannot read. */
static bool boundary_parse(struct str s, struct go_time *ret_time)
{
    if (str_eq_c(s, "-292273086-05-16T16:47:06Z")) {
        *ret_time = (struct go_time){INT64_MIN / 1000 + UNIX_TO_YEAR_ONE_S + 1, 0};
        return true;
    }
    if (str_eq_c(s, "292277025-08-18T07:12:54.999999999Z")) {
        *ret_time = (struct go_time){INT64_MAX / 1000 - UNIX_TO_YEAR_ONE_S - 1, NS_PER_S - 1};
        return true;
    }
    return false;
}

enum err go_param_time(struct str s, struct go_time *ret_time, struct err_info *reterr_info)
{
    double v;
    if (float_parse(s, &v)) {
        double whole = v, fraction = isfinite(v) ? modf(v, &whole) : nan("");
        *ret_time = unix_time(to_int(whole), to_int(round(fraction * 1000) / 1000 * (double)NS_PER_S));
        return ERR_OK;
    }
    if (rfc3339_parse(s, ret_time) || boundary_parse(s, ret_time)) {
        return ERR_OK;
    }
    struct buf q AUTO_BUF = {0};
    struct str shown = quoted(&q, s);
    return err_set(reterr_info, ERR_INVALID, "cannot parse %.*s to a valid timestamp", STR_FMT(shown));
}

ts_ms go_time_storage_ms(struct go_time t)
{
    return wrap_add(wrap_mul(t.sec, MS_PER_S), t.ns / NS_PER_MS);
}

ts_ms go_time_engine_ms(struct go_time t)
{
    return wrap_add(wrap_mul(t.sec, NS_PER_S), t.ns) / NS_PER_MS;
}

/* The original counts from the year 1, and what does not fit wraps. */
static int64_t since_year_one(struct go_time t)
{
    return wrap_add(t.sec, UNIX_TO_YEAR_ONE_S);
}

bool go_time_before(struct go_time a, struct go_time b)
{
    int64_t x = since_year_one(a), y = since_year_one(b);
    return x < y || (x == y && a.ns < b.ns);
}

int64_t go_time_sub(struct go_time a, struct go_time b)
{
    int64_t sec, ns;
    if (!__builtin_sub_overflow(since_year_one(a), since_year_one(b), &sec) &&
        !__builtin_mul_overflow(sec, NS_PER_S, &ns) && !__builtin_add_overflow(ns, a.ns - b.ns, &ns)) {
        return ns;
    }
    return go_time_before(a, b) ? INT64_MIN : INT64_MAX;
}

/* -- durations ------------------------------------------------------------------------------------------- */

enum err go_param_duration(struct str s, int64_t *ret_ns, struct err_info *reterr_info)
{
    double v;
    int64_t ms;
    struct buf q AUTO_BUF = {0};
    if (float_parse(s, &v)) {
        v *= (double)NS_PER_S;
        if (v > 0x1p63 || v < -0x1p63) {
            struct str shown = quoted(&q, s);
            return err_set(reterr_info, ERR_INVALID,
                           "cannot parse %.*s to a valid duration. It overflows int64", STR_FMT(shown));
        }
        *ret_ns = to_int(v);
        return ERR_OK;
    }
    if (units_duration_parse(s, &ms) == ERR_OK && !__builtin_mul_overflow(ms, NS_PER_MS, ret_ns)) {
        return ERR_OK;
    }
    struct str shown = quoted(&q, s);
    return err_set(reterr_info, ERR_INVALID, "cannot parse %.*s to a valid duration", STR_FMT(shown));
}
