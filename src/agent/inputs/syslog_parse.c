/* RFC 5424 section 6 and RFC 3164 section 4. */
#include "agent/inputs/syslog.h"
#include "codec/units.h"

enum {
    PARAMS_MAX = 256
};

const char *syslog_severity_name(int severity)
{
    static const char *const names[] = {"emergency", "alert",  "critical",      "error",
                                        "warning",   "notice", "informational", "debug"};
    return severity >= 0 && severity < 8 ? names[severity] : "";
}

const char *syslog_facility_name(int facility)
{
    static const char *const names[] = {
        "kern",   "user",   "mail",     "daemon", "auth",   "syslog",   "lpr",     "news",
        "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "security", "console", "solaris-cron",
        "local0", "local1", "local2",   "local3", "local4", "local5",   "local6",  "local7"};
    return facility >= 0 && facility < 24 ? names[facility] : "";
}

/* "<134>" */
static bool take_priority(struct str *s, struct syslog_message *m)
{
    size_t close = s->n && s->p[0] == '<' ? str_find_char(*s, '>', 1) : STR_NPOS;
    uint64_t p;
    if (close == STR_NPOS || close > 4 || str_to_u64(str_slice(*s, 1, close), &p) || p > 191) {
        return false;
    }
    m->facility = (int)(p / 8);
    m->severity = (int)(p % 8);
    *s = str_slice(*s, close + 1, s->n);
    return true;
}

static bool take_word(struct str *s, struct str *ret)
{
    if (!s->p || !s->n) {
        return false;
    }
    struct str word = str_cut(s, ' ');
    *ret = str_eq_c(word, "-") ? STR("") : word;
    return word.n > 0;
}

/* name="value" with \" \\ \] inside. */
static enum err take_param(struct arena *a, struct str *s, struct syslog_param *p)
{
    size_t equals = str_find(*s, STR("=\""), 0), end;
    if (equals == STR_NPOS || equals == 0) {
        return ERR_INVALID;
    }
    p->name = str_slice(*s, 0, equals);
    *s = str_slice(*s, equals + 2, s->n);
    for (end = 0; end < s->n && s->p[end] != '"'; end++) {
        end += s->p[end] == '\\';
    }
    char *out = end < s->n ? arena_bytes(a, end + 1) : NULL;
    size_t n = 0;
    if (!out) {
        return end < s->n ? ERR_OOM : ERR_INVALID;
    }
    for (size_t i = 0; i < end; i++) {
        i += s->p[i] == '\\' && i + 1 < end && strchr("\"\\]", s->p[i + 1]);
        out[n++] = s->p[i];
    }
    p->value = str_of(out, n);
    *s = str_slice(*s, end + 1, s->n);
    return ERR_OK;
}

/* "-" or [id name="value" ...][id ...] */
static enum err take_structured(struct arena *a, struct str *s, struct syslog_message *m)
{
    enum err e = ERR_OK;
    if (s->n && s->p[0] == '-') {
        *s = str_slice(*s, 1, s->n);
        return ERR_OK;
    }
    m->params = arena_array(a, PARAMS_MAX, sizeof(*m->params));
    if (!m->params) {
        return ERR_OOM;
    }
    while (!e && s->n && s->p[0] == '[') {
        size_t n = 1;
        while (n < s->n && s->p[n] != ' ' && s->p[n] != ']') {
            n++;
        }
        struct str id = str_slice(*s, 1, n);
        *s = str_slice(*s, n, s->n);
        while (!e && s->n && s->p[0] == ' ') {
            struct syslog_param p = {.id = id};
            *s = str_slice(*s, 1, s->n);
            e = take_param(a, s, &p);
            if (!e && m->param_count < PARAMS_MAX) {
                m->params[m->param_count++] = p;
            }
        }
        if (!e && (!s->n || s->p[0] != ']')) {
            return ERR_INVALID;
        }
        *s = e ? *s : str_slice(*s, 1, s->n);
    }
    return e;
}

static enum err parse_5424(struct arena *a, struct str s, struct syslog_message *m)
{
    struct str version, time;
    if (!take_word(&s, &version) || !str_eq_c(version, "1") || !take_word(&s, &time) ||
        !take_word(&s, &m->hostname) || !take_word(&s, &m->app_name) || !take_word(&s, &m->proc_id) ||
        !take_word(&s, &m->msg_id)) {
        return ERR_INVALID;
    }
    m->has_time = time.n > 0;
    if (m->has_time && units_rfc3339_parse(time, &m->ts)) {
        return ERR_INVALID;
    }
    if (!s.p || !s.n) {
        return ERR_INVALID;
    }
    enum err e = take_structured(a, &s, m);
    if (e) {
        return e;
    }
    s = s.n && s.p[0] == ' ' ? str_slice(s, 1, s.n) : s;
    m->message = str_starts(s, STR("\xef\xbb\xbf")) ? str_slice(s, 3, s.n) : s;
    return ERR_OK;
}

static int two_digits(struct str s, size_t at)
{
    char a = s.p[at], b = s.p[at + 1];
    a = a == ' ' ? '0' : a;
    return a >= '0' && a <= '9' && b >= '0' && b <= '9' ? (a - '0') * 10 + (b - '0') : -1;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970 of a date; month from 0. */
static int64_t days_of(int64_t year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1, leaps = y / 4 - y / 100 + y / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    return (year - 1970) * 365 + leaps + before[month] + (month > 1 && is_leap(year)) + day - 1;
}

/* The year is not in the message: it is this one, unless that were more than a day ahead. */
static ts_ns time_of_year(int month, int day, int seconds, ts_ns now)
{
    int64_t day_s = 86400, now_s = now / NS_PER_S, year = 1970;
    while (days_of(year + 1, 0, 1) <= now_s / day_s) {
        year++;
    }
    int64_t at = days_of(year, month, day) * day_s + seconds;
    if (at > now_s + day_s) {
        at = days_of(year - 1, month, day) * day_s + seconds;
    }
    return at * NS_PER_S;
}

/* "Jan  2 15:04:05 host tag[12]: text" */
static enum err parse_3164(struct str s, ts_ns now, struct syslog_message *m)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (s.n >= 16 && s.p[3] == ' ' && s.p[6] == ' ' && s.p[9] == ':' && s.p[12] == ':' && s.p[15] == ' ') {
        int month = 0, day = two_digits(s, 4), h = two_digits(s, 7), min = two_digits(s, 10),
            sec = two_digits(s, 13);
        while (month < 12 && memcmp(months + (size_t)month * 3, s.p, 3) != 0) {
            month++;
        }
        if (month == 12 || day < 1 || day > 31 || h < 0 || h > 23 || min < 0 || min > 59 || sec < 0 ||
            sec > 60) {
            return ERR_INVALID;
        }
        m->has_time = true;
        m->ts = time_of_year(month, day, h * 3600 + min * 60 + sec, now);
        s = str_slice(s, 16, s.n);
        (void)take_word(&s, &m->hostname);
        s = s.p ? s : STR("");
    }
    size_t n = 0;
    while (n < s.n && n < 48 && s.p[n] != ':' && s.p[n] != '[' && s.p[n] != ' ') {
        n++;
    }
    size_t after = n;
    struct str pid = {0};
    if (after < s.n && s.p[after] == '[') {
        size_t close = str_find_char(s, ']', after);
        if (close != STR_NPOS) {
            pid = str_slice(s, after + 1, close);
            after = close + 1;
        }
    }
    if (n && after < s.n && s.p[after] == ':') {
        m->app_name = str_slice(s, 0, n);
        m->proc_id = pid.p ? pid : STR("");
        s = str_slice(s, after + 1, s.n);
        s = s.n && s.p[0] == ' ' ? str_slice(s, 1, s.n) : s;
    }
    m->message = s;
    return ERR_OK;
}

enum err syslog_parse(struct arena *a, struct str text, bool rfc3164, ts_ns now,
                      struct syslog_message *ret_message)
{
    struct syslog_message m = {0};
    if (!take_priority(&text, &m)) {
        return ERR_INVALID;
    }
    enum err e = rfc3164 ? parse_3164(text, now, &m) : parse_5424(a, text, &m);
    if (!e) {
        *ret_message = m;
    }
    return e;
}
