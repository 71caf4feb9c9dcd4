/* Runes, quoting and number texts of Go. */
#include "golang/gostr.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "codec/num.h"
#include "codec/units.h"
#include "labels/labels.h"

/* -- runes ----------------------------------------------------------------------------------------------- */

static bool continues(struct str s, size_t i, unsigned char low, unsigned char high)
{
    return i < s.n && (unsigned char)s.p[i] >= low && (unsigned char)s.p[i] <= high;
}

size_t go_rune(struct str s, int32_t *ret_rune)
{
    unsigned char c = (unsigned char)s.p[0];
    const unsigned char *p = (const unsigned char *)s.p;
    *ret_rune = c;
    if (c < 0x80) {
        return 1;
    }
    if (c >= 0xc2 && c < 0xe0 && continues(s, 1, 0x80, 0xbf)) {
        *ret_rune = (c & 31) << 6 | (p[1] & 63);
        return 2;
    }
    if (c >= 0xe0 && c < 0xf0 && continues(s, 1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) &&
        continues(s, 2, 0x80, 0xbf)) {
        *ret_rune = (c & 15) << 12 | (p[1] & 63) << 6 | (p[2] & 63);
        return 3;
    }
    if (c >= 0xf0 && c < 0xf5 && continues(s, 1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) &&
        continues(s, 2, 0x80, 0xbf) && continues(s, 3, 0x80, 0xbf)) {
        *ret_rune = (c & 7) << 18 | (p[1] & 63) << 12 | (p[2] & 63) << 6 | (p[3] & 63);
        return 4;
    }
    *ret_rune = GO_RUNE_ERROR;
    return 1;
}

size_t go_rune_count(struct str s)
{
    size_t n = 0;
    int32_t c;
    for (size_t i = 0; i < s.n; n++) {
        i += go_rune(str_slice(s, i, s.n), &c);
    }
    return n;
}

void go_put_rune(struct buf *b, int32_t c)
{
    if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        c = GO_RUNE_ERROR;
    }
    char text[4];
    buf_append(b, text, utf8_put(text, (uint32_t)c));
}

/* Ranges beyond ASCII that hold no letters, coarsely; everything else beyond ASCII counts as a letter. */
static const struct {
    int32_t from, to;
} not_letters[] = {
    {0x80, 0xa9},     {0xab, 0xb4},     {0xb6, 0xb9},     {0xbb, 0xbf},     {0xd7, 0xd7},
    {0xf7, 0xf7},     {0x300, 0x36f},   {0x660, 0x66d},   {0x1680, 0x1680}, {0x2000, 0x2070},
    {0x2080, 0x2089}, {0x20a0, 0x20ff}, {0x2190, 0x2bff}, {0x3000, 0x3004}, {0x3007, 0x3020},
    {0xd800, 0xf8ff}, {0xfe00, 0xfe2f}, {0xff00, 0xff20}, {0xfff0, 0xffff}, {0x1f000, 0x1faff},
};

bool go_is_letter(int32_t c)
{
    if (c < 0x80) {
        return c > 0 && isalpha((int)c);
    }
    for (size_t i = 0; i < ARRAY_LEN(not_letters); i++) {
        if (c >= not_letters[i].from && c <= not_letters[i].to) {
            return false;
        }
    }
    return c <= 0x10ffff;
}

bool go_is_digit(int32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 0x660 && c <= 0x669) || (c >= 0xff10 && c <= 0xff19);
}

bool go_is_number(int32_t c)
{
    return go_is_digit(c) || c == 0xb2 || c == 0xb3 || c == 0xb9 || (c >= 0xbc && c <= 0xbe) ||
           (c >= 0x2070 && c <= 0x2089) || (c >= 0x2150 && c <= 0x2189);
}

bool go_is_space(int32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

/* Case of the scripts that have one at a fixed distance; others stay as they are. */
static const struct {
    int32_t from, to,
        distance; /* of the upper-case letters; to lower case add distance; 0: pairs, even first */
} cases[] = {
    {'A', 'Z', 32},      {0xc0, 0xd6, 32},     {0xd8, 0xde, 32},   {0x100, 0x12e, 0},  {0x132, 0x136, 0},
    {0x14a, 0x176, 0},   {0x391, 0x3a1, 32},   {0x3a3, 0x3ab, 32}, {0x410, 0x42f, 32}, {0x400, 0x40f, 80},
    {0x460, 0x480, 0},   {0x48a, 0x4be, 0},    {0x4d0, 0x52e, 0},  {0x531, 0x556, 48}, {0x1e00, 0x1e94, 0},
    {0x1ea0, 0x1efe, 0}, {0xff21, 0xff3a, 32},
};

int32_t go_lower(int32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (c >= cases[i].from && c <= cases[i].to) {
            return cases[i].distance ? c + cases[i].distance : c | 1;
        }
    }
    return c;
}

int32_t go_upper(int32_t c)
{
    if (c == 0xff) {
        return 0x178;
    }
    if (c == 0xb5) {
        return 0x39c;
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int32_t d = cases[i].distance;
        if (d && c >= cases[i].from + d && c <= cases[i].to + d && c != 0xf7) {
            return c - d;
        }
        if (!d && c >= cases[i].from && c <= cases[i].to + 1) {
            return c & ~1;
        }
    }
    return c;
}

struct str go_trim_space(struct str s)
{
    int32_t c;
    while (s.n) {
        size_t n = go_rune(s, &c);
        if (!go_is_space(c)) {
            break;
        }
        s = str_slice(s, n, s.n);
    }
    while (s.n) {
        size_t at = s.n - 1;
        while (at > 0 && s.n - at < 4 && ((unsigned char)s.p[at] & 0xc0) == 0x80) {
            at--;
        }
        size_t n = go_rune(str_slice(s, at, s.n), &c);
        if (at + n != s.n || !go_is_space(c)) {
            break;
        }
        s.n = at;
    }
    return s;
}

bool go_has_rune_error(struct str s)
{
    return !str_utf8_valid(s) || str_find(s, STR("\xef\xbf\xbd"), 0) != STR_NPOS;
}

/* -- quoting --------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number in `n` digits at s; false when they are not there. */
static bool escape_digits(struct str s, size_t n, unsigned base, uint32_t *ret_value)
{
    uint32_t v = 0;
    if (s.n < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int d = hex_value(s.p[i]);
        if (d < 0 || (unsigned)d >= base) {
            return false;
        }
        v = v * base + (uint32_t)d;
    }
    *ret_value = v;
    return true;
}

/* One escape after the backslash; returns its length, 0 when it is none. */
static size_t unescape(struct str s, char quote, struct buf *b)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    uint32_t v;
    char c = s.n ? s.p[0] : 0;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        buf_char(b, to[simple - from]);
        return 1;
    }
    if (c && c == quote) {
        buf_char(b, c);
        return 1;
    }
    if (c >= '0' && c <= '7') {
        if (!escape_digits(s, 3, 8, &v) || v > 255) {
            return 0;
        }
        buf_char(b, (char)v);
        return 3;
    }
    size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n == 0 || !escape_digits(str_slice(s, 1, s.n), n, 16, &v)) {
        return 0;
    }
    if (c == 'x') {
        buf_char(b, (char)v);
    } else if (v > 0x10ffff) {
        return 0;
    } else {
        go_put_rune(b, (int32_t)v);
    }
    return n + 1;
}

enum err go_unquote(struct arena *a, struct str s, struct str *ret_text)
{
    struct buf b AUTO_BUF = {0};
    if (s.n < 2 || s.p[0] != s.p[s.n - 1]) {
        return ERR_INVALID;
    }
    char quote = s.p[0];
    s = str_slice(s, 1, s.n - 1);
    if (quote == '`' || (str_find_char(s, '\\', 0) == STR_NPOS && str_find_char(s, quote, 0) == STR_NPOS)) {
        if (str_find_char(s, quote == '`' ? '`' : '\n', 0) != STR_NPOS) {
            return ERR_INVALID;
        }
        *ret_text = s;
        return ERR_OK;
    }
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i++];
        if (c == quote || c == '\n') {
            return ERR_INVALID;
        }
        if (c != '\\') {
            buf_char(&b, c);
            continue;
        }
        size_t n = unescape(str_slice(s, i, s.n), quote, &b);
        if (n == 0) {
            return ERR_INVALID;
        }
        i += n;
    }
    struct str text = b.err ? (struct str){0} : arena_str(a, buf_view(&b));
    if (!text.p) {
        return b.err ? b.err : arena_err(a);
    }
    *ret_text = text;
    return ERR_OK;
}

static int32_t json_unit(struct str s, size_t at)
{
    uint32_t v;
    if (at + 6 > s.n || s.p[at] != '\\' || s.p[at + 1] != 'u' ||
        !escape_digits(str_slice(s, at + 2, s.n), 4, 16, &v)) {
        return -1;
    }
    return (int32_t)v;
}

/* The escape at `at`; its length, 0 when it is none. */
static size_t json_escape(struct str s, size_t at, struct buf *b)
{
    static const char from[] = "\"\\/'bfnrt", to[] = "\"\\/'\b\f\n\r\t";
    char c = at + 1 < s.n ? s.p[at + 1] : 0;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        buf_char(b, to[simple - from]);
        return 2;
    }
    int32_t high = json_unit(s, at);
    if (high < 0) {
        return 0;
    }
    if (high < 0xd800 || high > 0xdfff) {
        go_put_rune(b, high);
        return 6;
    }
    int32_t low = json_unit(s, at + 6);
    if (high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
        go_put_rune(b, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        return 12;
    }
    go_put_rune(b, GO_RUNE_ERROR);
    return 6;
}

bool go_json_unquote(struct arena *a, struct str s, struct str *ret_text)
{
    struct buf b AUTO_BUF = {0};
    for (size_t i = 0; i < s.n;) {
        int32_t c = 0;
        size_t n = s.p[i] == '\\' ? json_escape(s, i, &b) : go_rune(str_slice(s, i, s.n), &c);
        if (n == 0 || s.p[i] == '"') {
            return false;
        }
        if (s.p[i] != '\\') {
            go_put_rune(&b, c);
        }
        i += n;
    }
    struct str text = b.err ? (struct str){0} : arena_str(a, buf_view(&b));
    *ret_text = text;
    return text.p != NULL;
}

/* -- numbers --------------------------------------------------------------------------------------------- */

enum err go_float_parse(struct str s, double *ret_value, struct err_info *reterr_info)
{
    enum err e = num_f64_parse(s, ret_value);
    if (e == ERR_OK) {
        return ERR_OK;
    }
    struct buf b AUTO_BUF = {0};
    labels_quote(&b, s);
    return err_set(reterr_info, ERR_INVALID, "strconv.ParseFloat: parsing %.*s: %s", STR_FMT(buf_view(&b)),
                   e == ERR_LIMIT ? "value out of range" : "invalid syntax");
}

/* The quoting of package time, which knows no Unicode. */
static void time_quote(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < ' ' || c >= 0x80) {
            buf_printf(b, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            buf_char(b, '\\');
        }
        buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

static const char *const go_units[] = {"ns", "us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", "m", "h"};

static bool is_go_unit(struct str u)
{
    for (size_t i = 0; i < ARRAY_LEN(go_units); i++) {
        if (str_eq_c(u, go_units[i])) {
            return true;
        }
    }
    return false;
}

static bool digit_or_dot(char c)
{
    return c == '.' || (c >= '0' && c <= '9');
}

/* What time.ParseDuration has against s: unit text in *ret_unit, or an empty one where it is missing. */
static const char *duration_fault(struct str s, struct str *ret_unit)
{
    *ret_unit = (struct str){0};
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
    if (i == s.n) {
        return "invalid duration";
    }
    while (i < s.n) {
        size_t start = i, dots = 0;
        if (!digit_or_dot(s.p[i])) {
            return "invalid duration";
        }
        while (i < s.n && digit_or_dot(s.p[i]) && !(s.p[i] == '.' && dots)) {
            dots += s.p[i] == '.';
            i++;
        }
        if (i - start == dots) {
            return "invalid duration";
        }
        start = i;
        while (i < s.n && !digit_or_dot(s.p[i])) {
            i++;
        }
        if (i == start) {
            return "missing unit in duration";
        }
        *ret_unit = str_slice(s, start, i);
        if (!is_go_unit(*ret_unit)) {
            return "unknown unit";
        }
        *ret_unit = (struct str){0};
    }
    return "invalid duration";
}

enum err go_duration_parse(struct str s, int64_t *ret_ns, struct err_info *reterr_info)
{
    struct buf q AUTO_BUF = {0}, u AUTO_BUF = {0};
    struct str unit;
    if (units_go_duration_parse(s, ret_ns) == ERR_OK) {
        return ERR_OK;
    }
    const char *fault = duration_fault(s, &unit);
    time_quote(&q, s);
    if (unit.n) {
        time_quote(&u, unit);
        return err_set(reterr_info, ERR_INVALID, "time: unknown unit %.*s in duration %.*s",
                       STR_FMT(buf_view(&u)), STR_FMT(buf_view(&q)));
    }
    return err_set(reterr_info, ERR_INVALID, "time: %s %.*s", fault, STR_FMT(buf_view(&q)));
}

static const struct {
    const char *name;
    double factor;
} sizes[] = {
    {"b", 1},       {"kib", 0x1p10}, {"kb", 1e3},    {"mib", 0x1p20}, {"mb", 1e6},    {"gib", 0x1p30},
    {"gb", 1e9},    {"tib", 0x1p40}, {"tb", 1e12},   {"pib", 0x1p50}, {"pb", 1e15},   {"eib", 0x1p60},
    {"eb", 1e18},   {"", 1},         {"ki", 0x1p10}, {"k", 1e3},      {"mi", 0x1p20}, {"m", 1e6},
    {"gi", 0x1p30}, {"g", 1e9},      {"ti", 0x1p40}, {"t", 1e12},     {"pi", 0x1p50}, {"p", 1e15},
    {"ei", 0x1p60}, {"e", 1e18},
};

enum err go_bytes_parse(struct str s, uint64_t *ret_bytes, struct err_info *reterr_info)
{
    char digits[64];
    size_t n = 0, at = 0;
    double f;
    while (at < s.n && (digit_or_dot(s.p[at]) || s.p[at] == ',')) {
        if (s.p[at] != ',' && n < sizeof(digits)) {
            digits[n++] = s.p[at];
        }
        at++;
    }
    enum err e = go_float_parse(str_of(digits, n), &f, reterr_info);
    if (e) {
        return e;
    }
    struct str unit = go_trim_space(str_slice(s, at, s.n));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        if (str_ieq(unit, str_c(sizes[i].name))) {
            f *= sizes[i].factor;
            if (f >= 0x1p64) {
                return err_set(reterr_info, ERR_INVALID, "too large: %.*s", STR_FMT(s));
            }
            *ret_bytes = (uint64_t)f;
            return ERR_OK;
        }
    }
    char lower[80];
    size_t k = unit.n < sizeof(lower) ? unit.n : sizeof(lower);
    for (size_t i = 0; i < k; i++) {
        lower[i] = (char)tolower((unsigned char)unit.p[i]);
    }
    return err_set(reterr_info, ERR_INVALID, "unhandled size name: %.*s", (int)k, lower);
}

void go_bytes_format(struct buf *b, uint64_t n)
{
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    char text[NUM_F64_BYTES_MAX];
    if (n < 10) {
        buf_printf(b, "%lluB", (unsigned long long)n);
        return;
    }
    double e = floor(log((double)n) / log(1000));
    double v = floor((double)n / pow(1000, e) * 10 + 0.5) / 10;
    buf_append(b, text, num_f64_fixed(text, v, v < 10 ? 1 : 0));
    buf_c(b, names[(size_t)e]);
}

uint64_t go_bytes_rounded(uint64_t n)
{
    struct buf text AUTO_BUF = {0};
    uint64_t rounded = n;
    go_bytes_format(&text, n);
    return go_bytes_parse(buf_view(&text), &rounded, NULL) == ERR_OK ? rounded : n;
}

/* -- Prometheus durations -------------------------------------------------------------------------------- */

void go_duration_complaint(struct err_info *info, struct str s, enum err e)
{
    static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};
    struct buf q AUTO_BUF = {0}, u AUTO_BUF = {0};
    labels_quote(&q, s);
    if (s.n == 0) {
        (void)err_set(info, ERR_INVALID, "empty duration string");
        return;
    }
    if (e == ERR_LIMIT) {
        (void)err_set(info, ERR_INVALID, "duration out of range");
        return;
    }
    for (size_t i = 0; i < s.n;) {
        size_t start = i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
            i++;
        }
        size_t unit = i;
        while (i < s.n && !(s.p[i] >= '0' && s.p[i] <= '9')) {
            i++;
        }
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(units); k++) {
            known = known || str_eq_c(str_slice(s, unit, i), units[k]);
        }
        if (unit == start || unit == i) {
            break;
        }
        if (!known) {
            labels_quote(&u, str_slice(s, unit, i));
            (void)err_set(info, ERR_INVALID, "unknown unit %.*s in duration %.*s", STR_FMT(buf_view(&u)),
                          STR_FMT(buf_view(&q)));
            return;
        }
    }
    (void)err_set(info, ERR_INVALID, "not a valid duration string: %.*s", STR_FMT(buf_view(&q)));
}
