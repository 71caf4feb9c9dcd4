/* One series line: name{label="value"} and its values: 1 2 3, 1+2x5, _x3, stale, {{count:1 buckets:[1]}}x2.
 */
#include <math.h>

#include "codec/num.h"
#include "codec/units.h"
#include "metrics/model/histogram_arith.h"
#include "metrics/model/value.h"
#include "metrics/script/script_int.h"

enum {
    REPEAT_MAX = 1000000, /* of one value */
    BUCKETS_MAX = 10000
};

static void skip_spaces(struct str *s)
{
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\t')) {
        *s = str_slice(*s, 1, s->n);
    }
}

enum err script_number(struct str text, double *ret_v)
{
    return num_f64_parse(text, ret_v) == ERR_INVALID ? ERR_INVALID : ERR_OK;
}

enum err script_duration(struct str text, int64_t *ret_ms, struct err_info *reterr_info)
{
    bool minus = text.n && text.p[0] == '-', sign = minus || (text.n && text.p[0] == '+');
    struct str rest = sign ? str_slice(text, 1, text.n) : text;
    double seconds = 0;
    int64_t ms = 0;
    if (units_duration_parse(rest, &ms) != ERR_OK) {
        if (script_number(rest, &seconds) != ERR_OK) {
            return err_set(reterr_info, ERR_INVALID, "\"%.*s\" is no duration", STR_FMT(text));
        }
        ms = (int64_t)llround(seconds * 1000);
    }
    *ret_ms = minus ? -ms : ms;
    return ERR_OK;
}

/* -- strings and labels ---------------------------------------------------------------------------------- */

/* n digits of a base at s[at]; UINT32_MAX: they are not there. */
static uint32_t code_at(struct str s, size_t at, size_t n, unsigned base)
{
    uint32_t code = 0;
    for (size_t i = at; i < at + n; i++) {
        char c = i < s.n ? s.p[i] : '\0';
        unsigned digit = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a') + 10
                                                              : base;
        if (digit >= base) {
            return UINT32_MAX;
        }
        code = code * base + digit;
    }
    return code;
}

/* The escape behind a backslash; moves *at past it. False: it is none. */
static bool put_escape(struct buf *b, struct str s, size_t *at)
{
    static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
    char c = *at < s.n ? s.p[*at] : '\0';
    const char *letter = c ? strchr(letters, c) : NULL;
    bool octal = c >= '0' && c <= '7';
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : octal ? 3 : 0, from = *at + !octal;
    if (letter) {
        buf_char(b, meanings[letter - letters]);
        ++*at;
        return true;
    }
    uint32_t code = digits ? code_at(s, from, digits, octal ? 8 : 16) : UINT32_MAX;
    if (code == UINT32_MAX) {
        return false;
    }
    if (digits <= 3) {
        buf_char(b, (char)code);
    } else {
        char text[4];
        buf_append(b, text, utf8_put(text, code));
    }
    *at = from + digits;
    return true;
}

enum err script_unquote(struct arena *a, struct str *text, struct str *ret_value)
{
    char quote = text->n ? text->p[0] : '\0';
    struct buf b AUTO_BUF = {0};
    size_t at = 1;
    if (quote != '"' && quote != '\'' && quote != '`') {
        return ERR_INVALID;
    }
    while (at < text->n && text->p[at] != quote) {
        if (quote != '`' && text->p[at] == '\\') {
            at++;
            if (!put_escape(&b, *text, &at)) {
                return ERR_INVALID;
            }
        } else {
            buf_char(&b, text->p[at++]);
        }
    }
    if (at >= text->n) {
        return ERR_INVALID;
    }
    *text = str_slice(*text, at + 1, text->n);
    *ret_value = arena_str(a, buf_view(&b));
    return b.err || (b.n && !ret_value->p) ? ERR_OOM : ERR_OK;
}

static struct str take_word(struct str *s)
{
    size_t n = 0;
    while (n < s->n &&
           (s->p[n] == '_' || s->p[n] == ':' || s->p[n] == '.' || (s->p[n] >= '0' && s->p[n] <= '9') ||
            ((s->p[n] | 32) >= 'a' && (s->p[n] | 32) <= 'z'))) {
        n++;
    }
    struct str word = str_slice(*s, 0, n);
    *s = str_slice(*s, n, s->n);
    return word;
}

static enum err label_read(struct arena *a, struct str *s, struct label *l)
{
    enum err e = ERR_OK;
    struct str name = {0};
    if (s->n && (s->p[0] == '"' || s->p[0] == '\'' || s->p[0] == '`')) {
        e = script_unquote(a, s, &name);
    } else {
        name = take_word(s);
    }
    skip_spaces(s);
    if (e || !name.n) {
        return e ? e : ERR_INVALID;
    }
    if (!s->n || s->p[0] != '=') { /* a quoted metric name */
        *l = (struct label){STR("__name__"), name};
        return ERR_OK;
    }
    *s = str_slice(*s, 1, s->n);
    skip_spaces(s);
    l->name = name;
    return script_unquote(a, s, &l->value);
}

enum {
    LABELS_MAX = 64
};

static enum err labels_read(struct arena *a, struct str *s, struct labels *ret_labels)
{
    struct label *l = arena_array(a, LABELS_MAX + 1, sizeof(*l));
    size_t n = 0;
    enum err e = l ? ERR_OK : ERR_OOM;
    struct str name = take_word(s);
    if (!e && name.n) {
        l[n++] = (struct label){STR("__name__"), name};
    }
    if (!e && s->n && s->p[0] == '{' && !str_starts(*s, STR("{{"))) {
        *s = str_slice(*s, 1, s->n);
        for (skip_spaces(s); !e && s->n && s->p[0] != '}'; skip_spaces(s)) {
            e = n < LABELS_MAX ? label_read(a, s, &l[n++]) : ERR_LIMIT;
            skip_spaces(s);
            if (!e && s->n && s->p[0] == ',') {
                *s = str_slice(*s, 1, s->n);
            }
        }
        if (!e && !s->n) {
            return ERR_INVALID;
        }
        *s = e ? *s : str_slice(*s, 1, s->n);
    }
    e = e ? e : labels_normalise(l, &n, NULL);
    *ret_labels = (struct labels){l, n};
    return e;
}

/* -- histograms ------------------------------------------------------------------------------------------ */

static enum err numbers_read(struct arena *a, struct str list, const double **ret_v, uint32_t *ret_n)
{
    double *v = arena_array(a, list.n + 1, sizeof(*v));
    uint32_t n = 0;
    if (!v) {
        return ERR_OOM;
    }
    for (skip_spaces(&list); list.n; skip_spaces(&list)) {
        size_t end = str_find_char(list, ' ', 0);
        end = end == STR_NPOS ? list.n : end;
        if (n == BUCKETS_MAX || script_number(str_slice(list, 0, end), &v[n++])) {
            return ERR_INVALID;
        }
        list = str_slice(list, end, list.n);
    }
    *ret_v = v;
    *ret_n = n;
    return ERR_OK;
}

/* Offsets of the two sides while the fields are read. */
struct offsets {
    double positive, negative, schema;
};

static enum err field_set(struct arena *a, struct histogram *h, struct offsets *o, struct str key,
                          struct str value)
{
    static const char *const hints[] = {"unknown", "reset", "not_reset", "gauge"};
    if (str_eq_c(key, "custom_values")) {
        return numbers_read(a, value, &h->custom_values, &h->custom_value_count);
    }
    if (str_eq_c(key, "buckets")) {
        return numbers_read(a, value, &h->positive, &h->positive_count);
    }
    if (str_eq_c(key, "n_buckets")) {
        return numbers_read(a, value, &h->negative, &h->negative_count);
    }
    if (str_eq_c(key, "counter_reset_hint")) {
        for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
            h->reset_hint = str_eq_c(value, hints[i]) ? (uint8_t)i : h->reset_hint;
        }
        return ERR_OK;
    }
    double *to = str_eq_c(key, "schema")       ? &o->schema
                 : str_eq_c(key, "count")      ? &h->count
                 : str_eq_c(key, "sum")        ? &h->sum
                 : str_eq_c(key, "z_bucket")   ? &h->zero_count
                 : str_eq_c(key, "z_bucket_w") ? &h->zero_threshold
                 : str_eq_c(key, "offset")     ? &o->positive
                 : str_eq_c(key, "n_offset")   ? &o->negative
                                               : NULL;
    return to ? script_number(value, to) : ERR_INVALID;
}

static enum err span_set(struct arena *a, double offset, uint32_t n, const struct histogram_span **ret_spans,
                         uint32_t *ret_n)
{
    struct histogram_span *s = arena_zalloc(a, sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    *s = (struct histogram_span){(int32_t)offset, n};
    *ret_spans = s;
    *ret_n = n ? 1 : 0;
    return ERR_OK;
}

/* {{...}} at the beginning of *s, which is cut off. */
static enum err histogram_read(struct arena *a, struct str *s, const struct histogram **ret_h)
{
    struct histogram *h = arena_zalloc(a, sizeof(*h));
    struct offsets o = {0};
    size_t close = str_find(*s, STR("}}"), 0);
    enum err e = !h ? ERR_OOM : close == STR_NPOS ? ERR_INVALID : ERR_OK;
    if (e) {
        return e;
    }
    struct str body = str_slice(*s, 2, close);
    *s = str_slice(*s, close + 2, s->n);
    h->is_float = true;
    for (skip_spaces(&body); !e && body.n; skip_spaces(&body)) {
        size_t colon = str_find_char(body, ':', 0);
        if (colon == STR_NPOS) {
            return ERR_INVALID;
        }
        struct str key = str_slice(body, 0, colon), value;
        body = str_slice(body, colon + 1, body.n);
        bool list = body.n && body.p[0] == '[';
        size_t end = str_find_char(body, list ? ']' : ' ', 0);
        end = end == STR_NPOS ? body.n : end;
        value = str_slice(body, list, end);
        body = str_slice(body, end + (list && end < body.n), body.n);
        e = field_set(a, h, &o, key, value);
    }
    h->schema = (int8_t)o.schema;
    e = e ? e : span_set(a, o.positive, h->positive_count, &h->positive_spans, &h->positive_span_count);
    e = e ? e : span_set(a, o.negative, h->negative_count, &h->negative_spans, &h->negative_span_count);
    *ret_h = h;
    return e;
}

static enum err histogram_step(struct arena *a, const struct histogram *h, const struct histogram *step,
                               bool minus, const struct histogram **ret_h)
{
    struct histogram_acc acc;
    struct histogram_meeting m;
    enum err e = histogram_acc_init(&acc, a, h);
    e = e ? e : minus ? histogram_acc_sub(&acc, step, &m) : histogram_acc_add(&acc, step, &m);
    acc.reset_hint = h->reset_hint;
    return e ? e : histogram_acc_value(&acc, ret_h);
}

/* -- values ---------------------------------------------------------------------------------------------- */

static enum err add(struct arena *a, struct script_series *s, struct script_value v)
{
    if (arena_reserve(a, (void **)&s->values, &s->cap, s->n + 1, sizeof(*s->values))) {
        return ERR_OOM;
    }
    s->values[s->n++] = v;
    return ERR_OK;
}

/* xN behind a value; absent: 0. */
static enum err times_read(struct str text, uint64_t *ret_times)
{
    *ret_times = 0;
    return !text.n ? ERR_OK
           : text.p[0] != 'x' || str_to_u64(str_slice(text, 1, text.n), ret_times) || *ret_times > REPEAT_MAX
               ? ERR_INVALID
               : ERR_OK;
}

static enum err histograms_read(struct arena *a, struct str *text, struct script_series *s)
{
    const struct histogram *h = NULL, *step = NULL;
    enum err e = histogram_read(a, text, &h);
    bool minus = text->n && text->p[0] == '-';
    if (!e && (str_starts(*text, STR("+{{")) || str_starts(*text, STR("-{{")))) {
        *text = str_slice(*text, 1, text->n);
        e = histogram_read(a, text, &step);
    }
    size_t end = str_find_char(*text, ' ', 0);
    struct str repeat = str_slice(*text, 0, end == STR_NPOS ? text->n : end);
    *text = str_slice(*text, repeat.n, text->n);
    uint64_t times = 0;
    e = e ? e : times_read(repeat, &times);
    for (uint64_t i = 0; !e && i <= times; i++) {
        e = add(a, s, (struct script_value){.h = h});
        e = !e && step && i < times ? histogram_step(a, h, step, minus, &h) : e;
    }
    return e;
}

/* Where the first number of 1+2x5 or -3-1x4 ends: at a sign that is no exponent's, or at the x. */
static size_t number_end(struct str w, size_t from)
{
    for (size_t i = from + 1; i < w.n; i++) {
        bool exponent = (w.p[i - 1] | 32) == 'e' && i >= 2 && w.p[i - 2] >= '0' && w.p[i - 2] <= '9';
        if (((w.p[i] == '+' || w.p[i] == '-') && !exponent) || w.p[i] == 'x') {
            return i;
        }
    }
    return w.n;
}

static enum err floats_read(struct arena *a, struct str word, struct script_series *s)
{
    double v = 0, step = 0;
    uint64_t times = 0;
    size_t end = number_end(word, 0), then = end;
    enum err e = script_number(str_slice(word, 0, end), &v);
    if (!e && end < word.n && word.p[end] != 'x') {
        then = number_end(word, end);
        e = script_number(str_slice(word, end, then), &step);
    }
    e = e ? e : times_read(str_slice(word, then, word.n), &times);
    if (e && script_number(word, &v) == ERR_OK) { /* hexadecimal */
        return add(a, s, (struct script_value){.v = v});
    }
    for (uint64_t i = 0; !e && i <= times; i++) {
        e = add(a, s, (struct script_value){.v = v});
        v += step;
    }
    return e;
}

static enum err word_read(struct arena *a, struct str word, struct script_series *s)
{
    uint64_t times = 0;
    bool gap = word.p[0] == '_', stale = str_starts(word, STR("stale"));
    if (!gap && !stale) {
        return floats_read(a, word, s);
    }
    enum err e = times_read(str_slice(word, gap ? 1 : 5, word.n), &times);
    uint64_t n = gap ? (times ? times : 1) : times + 1;
    for (uint64_t i = 0; !e && i < n; i++) {
        e = add(a, s, (struct script_value){.absent = gap, .v = stale_nan()});
    }
    return e;
}

/* Durations in place of numbers: -30s-1mx2. */
static enum err starts_read(struct arena *a, struct str word, struct script_series *s)
{
    int64_t start = 0, step = 0;
    uint64_t times = 0;
    if (word.p[0] == '_') {
        return word_read(a, word, s);
    }
    size_t end = number_end(word, 0), then = end;
    enum err e = script_duration(str_slice(word, 0, end), &start, NULL);
    if (!e && end < word.n && word.p[end] != 'x') {
        then = number_end(word, end);
        size_t from = end + (word.p[end] == '+');
        e = script_duration(str_slice(word, from, then), &step, NULL);
    }
    e = e ? e : times_read(str_slice(word, then, word.n), &times);
    for (uint64_t i = 0; !e && i <= times; i++, start += step) {
        e = add(a, s, (struct script_value){.has_start = true, .start_ms = start});
    }
    return e;
}

enum err script_series_read(struct arena *a, struct str line, struct script_series *ret_series,
                            struct err_info *reterr_info)
{
    struct script_series s = {0};
    struct str rest = line;
    enum err e = labels_read(a, &rest, &s.labels);
    if (!e && str_starts(rest, STR("@st"))) {
        s.starts = true;
        rest = str_slice(rest, 3, rest.n);
    }
    for (skip_spaces(&rest); !e && rest.n; skip_spaces(&rest)) {
        if (str_starts(rest, STR("{{"))) {
            e = histograms_read(a, &rest, &s);
            continue;
        }
        size_t end = 0;
        while (end < rest.n && rest.p[end] != ' ' && rest.p[end] != '\t') {
            end++;
        }
        struct str word = str_slice(rest, 0, end);
        e = s.starts ? starts_read(a, word, &s) : word_read(a, word, &s);
        rest = str_slice(rest, end, rest.n);
    }
    if (e) {
        return err_set(reterr_info, e, e == ERR_OOM ? "out of memory" : "not a series line: %.*s",
                       STR_FMT(line));
    }
    *ret_series = s;
    return ERR_OK;
}

enum err script_add(struct arena *a, struct script_block *b, const struct script_series *s)
{
    for (size_t i = 0; i < b->n; i++) { /* a later line of the same series replaces the earlier one */
        if (labels_eq(b->series[i].labels, s->labels)) {
            b->series[i] = *s;
            return ERR_OK;
        }
    }
    if (arena_reserve(a, (void **)&b->series, &b->cap, b->n + 1, sizeof(*b->series))) {
        return ERR_OOM;
    }
    b->series[b->n++] = *s;
    return ERR_OK;
}
