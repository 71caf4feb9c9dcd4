/* Values of templates: types, truth, conversions, and fmt's printing. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/num.h"
#include "golang/gostr.h"
#include "golang/tmpl_int.h"

const char *tmpl_type(const struct tmpl_value *v)
{
    static const char *const names[] = {[VAL_NONE] = "<nil>",
                                        [VAL_MISSING] = "<nil>",
                                        [VAL_BOOL] = "bool",
                                        [VAL_INT] = "int",
                                        [VAL_INT64] = "int64",
                                        [VAL_FLOAT] = "float64",
                                        [VAL_BYTE] = "uint8",
                                        [VAL_STRING] = "string",
                                        [VAL_TIME] = "time.Time",
                                        [VAL_MONTH] = "time.Month",
                                        [VAL_WEEKDAY] = "time.Weekday",
                                        [VAL_LABELS] = "map[string]string",
                                        [VAL_MAP] = "map[string]interface {}",
                                        [VAL_LIST] = "[]interface {}"};
    return names[v->kind];
}

bool tmpl_true(const struct tmpl_value *v)
{
    switch (v->kind) {
    case VAL_NONE:
    case VAL_MISSING:
        return false;
    case VAL_BOOL:
        return v->b;
    case VAL_INT:
    case VAL_INT64:
    case VAL_BYTE:
    case VAL_MONTH:
    case VAL_WEEKDAY:
        return v->i != 0;
    case VAL_FLOAT:
        return v->f != 0;
    case VAL_STRING:
        return v->s.n > 0;
    case VAL_LABELS:
        return v->labels->n > 0;
    case VAL_MAP:
    case VAL_LIST:
        return v->items->n > 0;
    case VAL_TIME:
        break;
    }
    return true;
}

/* -- lists and maps -------------------------------------------------------------------------------------- */

enum err tmpl_list(struct arena *a, const struct tmpl_value *v, size_t n, struct tmpl_value *ret_v)
{
    struct tmpl_items *items = arena_zalloc(a, sizeof(*items));
    struct tmpl_value *copy = arena_array(a, n + 1, sizeof(*copy));
    if (!items || !copy) {
        return arena_err(a);
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = v[i];
        copy[i].boxed = true;
    }
    *items = (struct tmpl_items){.v = copy, .n = n};
    *ret_v = (struct tmpl_value){.kind = VAL_LIST, .items = items};
    return ERR_OK;
}

/* Where the key stands or belongs. */
static size_t key_at(const struct tmpl_items *m, struct str key)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (str_cmp(m->keys[mid], key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

enum err tmpl_map(struct arena *a, const struct str *keys, const struct tmpl_value *v, size_t n,
                  struct tmpl_value *ret_v)
{
    struct tmpl_items *m = arena_zalloc(a, sizeof(*m));
    if (!m) {
        return arena_err(a);
    }
    m->v = arena_array(a, n + 1, sizeof(*m->v));
    m->keys = arena_array(a, n + 1, sizeof(*m->keys));
    if (!m->v || !m->keys) {
        return arena_err(a);
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = key_at(m, keys[i]);
        if (at == m->n || !str_eq(m->keys[at], keys[i])) {
            memmove(m->v + at + 1, m->v + at, (m->n - at) * sizeof(*m->v));
            memmove(m->keys + at + 1, m->keys + at, (m->n - at) * sizeof(*m->keys));
            m->n++;
        }
        m->keys[at] = keys[i];
        m->v[at] = v[i];
        m->v[at].boxed = true;
    }
    *ret_v = (struct tmpl_value){.kind = VAL_MAP, .items = m};
    return ERR_OK;
}

struct tmpl_value tmpl_member(const struct tmpl_value *map, struct str key)
{
    size_t at = key_at(map->items, key);
    return at < map->items->n && str_eq(map->items->keys[at], key) ? map->items->v[at] : tmpl_none();
}

/* -- conversions ----------------------------------------------------------------------------------------- */

/* Digits before a point that only zeros follow... and any others: cast drops the fraction of a decimal. */
static struct str without_fraction(struct str s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0, start = i;
    while (i < s.n && isdigit((unsigned char)s.p[i])) {
        i++;
    }
    size_t dot = i;
    if (i == s.n || s.p[i] != '.') {
        return s;
    }
    for (i++; i < s.n; i++) {
        if (!isdigit((unsigned char)s.p[i])) {
            return s;
        }
    }
    return dot == start ? STR("0") : str_slice(s, 0, dot);
}

static int64_t string_to_int(struct str s)
{
    s = without_fraction(s);
    char text[80];
    char *end;
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < sizeof(text) - 1; i++) {
        text[n++] = s.p[i];
    }
    text[n] = 0;
    const char *p = text + (text[0] == '-' || text[0] == '+');
    int base = 10;
    if (p[0] == '0' && (p[1] | 32) == 'x') {
        base = 16;
    } else if (p[0] == '0' && (p[1] | 32) == 'b') {
        base = 2;
        p += 2;
    } else if (p[0] == '0' && (p[1] | 32) == 'o') {
        base = 8;
        p += 2;
    } else if (p[0] == '0' && p[1]) {
        base = 8;
    }
    if (!isxdigit((unsigned char)*p)) {
        return 0;
    }
    errno = 0;
    long long v = strtoimax(p, &end, base);
    if (*end || errno || s.n >= sizeof(text)) {
        return 0;
    }
    return text[0] == '-' ? -v : v;
}

static int64_t float_to_int(double f)
{
    if (isnan(f) || f >= 0x1p63 || f < -0x1p63) {
        return INT64_MIN; /* what amd64 makes of it */
    }
    return (int64_t)f;
}

int64_t tmpl_to_int(const struct tmpl_value *v)
{
    switch ((int)v->kind) {
    case VAL_BOOL:
        return v->b;
    case VAL_INT:
    case VAL_INT64:
    case VAL_BYTE:
    case VAL_MONTH:
    case VAL_WEEKDAY:
        return v->i;
    case VAL_FLOAT:
        return float_to_int(v->f);
    case VAL_STRING:
        return string_to_int(v->s);
    default:
        return 0;
    }
}

double tmpl_to_float(const struct tmpl_value *v)
{
    double f = 0;
    if (v->kind == VAL_FLOAT) {
        return v->f;
    }
    if (v->kind == VAL_STRING) {
        return num_f64_parse(v->s, &f) == ERR_OK ? f : 0;
    }
    return (double)tmpl_to_int(v);
}

/* -- printing -------------------------------------------------------------------------------------------- */

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

static void print_float(struct buf *b, double f)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, f, 'g'));
}

static void print_arg(struct buf *b, const struct tmpl_value *v)
{
    if (v->kind == VAL_NONE) {
        buf_c(b, "<nil>");
    } else {
        tmpl_print(b, v);
    }
}

static void print_items(struct buf *b, const struct tmpl_items *m)
{
    buf_c(b, m->keys ? "map[" : "[");
    for (size_t i = 0; i < m->n; i++) {
        buf_c(b, i ? " " : "");
        if (m->keys) {
            buf_str(b, m->keys[i]);
            buf_char(b, ':');
        }
        print_arg(b, &m->v[i]);
    }
    buf_char(b, ']');
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp((*(const struct label *const *)a)->name, (*(const struct label *const *)b)->name);
}

static void print_labels(struct buf *b, const struct labels *ls)
{
    const struct label *rows[128];
    size_t n = ls->n < ARRAY_LEN(rows) ? ls->n : ARRAY_LEN(rows);
    for (size_t i = 0; i < n; i++) {
        rows[i] = &ls->l[i];
    }
    qsort(rows, n, sizeof(const struct label *), compare_names);
    buf_c(b, "map[");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s%.*s:%.*s", i ? " " : "", STR_FMT(rows[i]->name), STR_FMT(rows[i]->value));
    }
    buf_char(b, ']');
}

void tmpl_print(struct buf *b, const struct tmpl_value *v)
{
    switch (v->kind) {
    case VAL_NONE:
    case VAL_MISSING:
        buf_c(b, "<no value>");
        break;
    case VAL_BOOL:
        buf_c(b, v->b ? "true" : "false");
        break;
    case VAL_INT:
    case VAL_INT64:
    case VAL_BYTE:
        buf_i64(b, v->i);
        break;
    case VAL_FLOAT:
        print_float(b, v->f);
        break;
    case VAL_STRING:
        buf_str(b, v->s);
        break;
    case VAL_TIME:
        tmpl_time_format(b, &v->t, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
        break;
    case VAL_MONTH:
        buf_c(b, months[(v->i + 11) % 12]);
        break;
    case VAL_WEEKDAY:
        buf_c(b, days[v->i % 7]);
        break;
    case VAL_LABELS:
        print_labels(b, v->labels);
        break;
    case VAL_MAP:
    case VAL_LIST:
        print_items(b, v->items);
        break;
    }
}

void tmpl_sprint(struct buf *b, const struct tmpl_value *v, size_t n, bool newline)
{
    for (size_t i = 0; i < n; i++) {
        bool strings = i && (v[i].kind == VAL_STRING || v[i - 1].kind == VAL_STRING);
        buf_c(b, i && (newline || !strings) ? " " : "");
        print_arg(b, &v[i]);
    }
    buf_c(b, newline ? "\n" : "");
}

/* -- Sprintf --------------------------------------------------------------------------------------------- */

struct verb {
    bool minus, plus, sharp, space, zero, has_width, has_precision;
    int64_t width, precision;
    int32_t c;
};

/* Text with the padding its verb asks for. */
static void padded(struct buf *b, const struct verb *v, struct str text, bool number)
{
    size_t n = go_rune_count(text);
    size_t pad = v->has_width && v->width > (int64_t)n ? (size_t)v->width - n : 0;
    if (v->minus) {
        buf_str(b, text);
    }
    bool zeros = v->zero && !v->minus;
    if (zeros && number && text.n && (text.p[0] == '-' || text.p[0] == '+')) {
        buf_char(b, text.p[0]);
        text = str_slice(text, 1, text.n);
    }
    for (size_t i = 0; i < pad; i++) {
        buf_char(b, zeros ? '0' : ' ');
    }
    if (!v->minus) {
        buf_str(b, text);
    }
}

static void bad_verb(struct buf *b, const struct verb *v, const struct tmpl_value *a)
{
    buf_c(b, "%!");
    go_put_rune(b, v->c);
    buf_char(b, '(');
    if (a->kind == VAL_NONE) {
        buf_c(b, "<nil>)");
        return;
    }
    buf_printf(b, "%s=", tmpl_type(a));
    tmpl_print(b, a);
    buf_char(b, ')');
}

static struct str cut_runes(struct str s, int64_t most)
{
    size_t at = 0;
    int32_t c;
    while (at < s.n && most-- > 0) {
        at += go_rune(str_slice(s, at, s.n), &c);
    }
    return str_slice(s, 0, at);
}

static void format_string(struct buf *b, struct verb *v, const struct tmpl_value *a, struct str s)
{
    struct buf t AUTO_BUF = {0};
    s = v->has_precision && v->c != 'x' && v->c != 'X' ? cut_runes(s, v->precision) : s;
    switch (v->c) {
    case 'v':
    case 's':
        if (v->c == 'v' && v->sharp) {
            labels_quote(&t, s);
            padded(b, v, buf_view(&t), false);
            return;
        }
        padded(b, v, s, false);
        return;
    case 'q':
        labels_quote(&t, s);
        padded(b, v, buf_view(&t), false);
        return;
    case 'x':
    case 'X':
        for (size_t i = 0; i < s.n; i++) {
            buf_printf(&t, v->c == 'x' ? "%02x" : "%02X", (unsigned char)s.p[i]);
        }
        padded(b, v, buf_view(&t), false);
        return;
    default:
        bad_verb(b, v, a);
    }
}

static void format_int(struct buf *b, struct verb *v, const struct tmpl_value *a, int64_t i)
{
    struct buf t AUTO_BUF = {0}, digits AUTO_BUF = {0};
    uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    switch (v->c) {
    case 'd':
    case 'v':
        buf_u64(&digits, u);
        break;
    case 'x':
        buf_printf(&digits, "%s%llx", v->sharp ? "0x" : "", (unsigned long long)u);
        break;
    case 'X':
        buf_printf(&digits, "%s%llX", v->sharp ? "0X" : "", (unsigned long long)u);
        break;
    case 'o':
    case 'O':
        buf_printf(&digits, "%s%llo", v->c == 'O' ? "0o" : v->sharp ? "0" : "", (unsigned long long)u);
        break;
    case 'b':
        for (int k = 63, on = 0; k >= 0; k--) {
            on = on || (u >> k & 1) || k == 0;
            if (on) {
                buf_char(&digits, (char)('0' + (u >> k & 1)));
            }
        }
        break;
    case 'c':
        go_put_rune(&t, (int32_t)i);
        padded(b, v, buf_view(&t), false);
        return;
    case 'q':
        buf_char(&t, '\'');
        go_put_rune(&t, (int32_t)i);
        buf_char(&t, '\'');
        padded(b, v, buf_view(&t), false);
        return;
    case 'U':
        buf_printf(&t, "U+%04llX", (unsigned long long)u);
        padded(b, v, buf_view(&t), false);
        return;
    default:
        bad_verb(b, v, a);
        return;
    }
    buf_c(&t, i < 0 ? "-" : v->plus ? "+" : v->space ? " " : "");
    for (int64_t k = (int64_t)digits.n; v->has_precision && k < v->precision; k++) {
        buf_char(&t, '0');
    }
    buf_str(&t, buf_view(&digits));
    v->zero = v->zero && !v->has_precision;
    padded(b, v, buf_view(&t), true);
}

static void format_float(struct buf *b, struct verb *v, const struct tmpl_value *a)
{
    char text[NUM_F64_BYTES_MAX + 64];
    struct buf t AUTO_BUF = {0};
    double f = a->f;
    buf_c(&t, f >= 0 || isnan(f) ? (v->plus ? "+" : v->space ? " " : "") : "");
    bool shortest = !v->has_precision && (v->c == 'v' || v->c == 'g' || v->c == 'G');
    if (!strchr("vgGeEfF", v->c)) {
        bad_verb(b, v, a);
        return;
    }
    if (!isfinite(f)) {
        buf_c(&t, isnan(f) ? "NaN" : f > 0 ? (v->plus ? "Inf" : "+Inf") : "-Inf");
        v->zero = false;
    } else if (shortest) {
        buf_append(&t, text, num_f64_format(text, f, 'g'));
    } else {
        int precision = v->has_precision ? (int)(v->precision > 60 ? 60 : v->precision) : 6;
        int n = v->c == 'e'                  ? snprintf(text, sizeof(text), "%.*e", precision, f)
                : v->c == 'E'                ? snprintf(text, sizeof(text), "%.*E", precision, f)
                : v->c == 'f' || v->c == 'F' ? snprintf(text, sizeof(text), "%.*f", precision, f)
                : v->c == 'G'                ? snprintf(text, sizeof(text), "%.*G", precision, f)
                                             : snprintf(text, sizeof(text), "%.*g", precision, f);
        buf_append(&t, text, (size_t)n);
    }
    padded(b, v, buf_view(&t), true);
}

static void format_one(struct buf *b, struct verb *v, const struct tmpl_value *a)
{
    struct buf t AUTO_BUF = {0};
    if (v->c == 'T') {
        padded(b, v, str_c(tmpl_type(a)), false);
        return;
    }
    switch ((int)a->kind) {
    case VAL_STRING:
        format_string(b, v, a, a->s);
        return;
    case VAL_INT:
    case VAL_INT64:
    case VAL_BYTE:
        format_int(b, v, a, a->i);
        return;
    case VAL_FLOAT:
        format_float(b, v, a);
        return;
    case VAL_BOOL:
        if (v->c == 't' || v->c == 'v') {
            padded(b, v, a->b ? STR("true") : STR("false"), false);
        } else {
            bad_verb(b, v, a);
        }
        return;
    case VAL_NONE:
        if (v->c == 'v') {
            padded(b, v, STR("<nil>"), false);
        } else {
            bad_verb(b, v, a);
        }
        return;
    case VAL_MONTH:
    case VAL_WEEKDAY:
        if (v->c != 'v' && v->c != 's' && v->c != 'q') {
            format_int(b, v, a, a->i);
            return;
        }
        break;
    default:
        break;
    }
    tmpl_print(&t, a);
    format_string(b, v, a, buf_view(&t));
}

/* A number in the format, or an argument for "*". False: no number. */
static bool format_number(struct str f, size_t *at, const struct tmpl_value *args, size_t n, size_t *used,
                          int64_t *ret_value)
{
    if (*at < f.n && f.p[*at] == '*') {
        (*at)++;
        *ret_value = *used < n ? tmpl_to_int(&args[*used]) : 0;
        (*used)++;
        return true;
    }
    size_t start = *at;
    *ret_value = 0;
    while (*at < f.n && isdigit((unsigned char)f.p[*at]) && *ret_value < 100000) {
        *ret_value = *ret_value * 10 + (f.p[(*at)++] - '0');
    }
    return *at > start;
}

static size_t format_verb(struct buf *b, struct str f, size_t at, const struct tmpl_value *args, size_t n,
                          size_t *used)
{
    struct verb v = {0};
    for (; at < f.n && strchr("-+# 0", f.p[at]); at++) {
        char c = f.p[at];
        v.minus = v.minus || c == '-';
        v.plus = v.plus || c == '+';
        v.sharp = v.sharp || c == '#';
        v.space = v.space || c == ' ';
        v.zero = v.zero || c == '0';
    }
    v.has_width = format_number(f, &at, args, n, used, &v.width);
    if (v.width < 0) {
        v.minus = true;
        v.width = -v.width;
    }
    if (at < f.n && f.p[at] == '.') {
        at++;
        v.has_precision = true;
        (void)format_number(f, &at, args, n, used, &v.precision);
    }
    v.width = v.width > 10000 ? 10000 : v.width;
    if (at >= f.n) {
        buf_c(b, "%!(NOVERB)");
        return at;
    }
    at += go_rune(str_slice(f, at, f.n), &v.c);
    if (v.c == '%') {
        buf_char(b, '%');
    } else if (*used >= n) {
        buf_c(b, "%!");
        go_put_rune(b, v.c);
        buf_c(b, "(MISSING)");
    } else {
        format_one(b, &v, &args[(*used)++]);
    }
    return at;
}

void tmpl_sprintf(struct buf *b, struct str format, const struct tmpl_value *v, size_t n)
{
    size_t used = 0, at = 0;
    while (at < format.n) {
        if (format.p[at] != '%') {
            buf_char(b, format.p[at++]);
            continue;
        }
        at = format_verb(b, format, at + 1, v, n, &used);
    }
    if (used >= n) {
        return;
    }
    buf_c(b, "%!(EXTRA ");
    for (size_t i = used; i < n; i++) {
        buf_c(b, i > used ? ", " : "");
        if (v[i].kind == VAL_NONE) {
            buf_c(b, "<nil>");
            continue;
        }
        buf_printf(b, "%s=", tmpl_type(&v[i]));
        tmpl_print(b, &v[i]);
    }
    buf_char(b, ')');
}
