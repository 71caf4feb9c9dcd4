/* JSON writer and tree parser. Recursive descent with a depth limit; the scan of plain string bytes is the
 * hot loop. */
#include "codec/json.h"

#include <math.h>
#include <stdlib.h>

/* -- writer
 * ------------------------------------------------------------------------------------------------------- */

struct json_writer json_writer(struct buf *b)
{
    return (struct json_writer){.b = b};
}

static void quote(struct buf *b, struct str s, bool html);

static void value_start(struct json_writer *w)
{
    if (w->comma) {
        buf_char(w->b, ',');
    }
    w->comma = true;
}

void json_object_begin(struct json_writer *w)
{
    value_start(w);
    buf_char(w->b, '{');
    w->comma = false;
}

void json_object_end(struct json_writer *w)
{
    buf_char(w->b, '}');
    w->comma = true;
}

void json_array_begin(struct json_writer *w)
{
    value_start(w);
    buf_char(w->b, '[');
    w->comma = false;
}

void json_array_end(struct json_writer *w)
{
    buf_char(w->b, ']');
    w->comma = true;
}

void json_key_str(struct json_writer *w, struct str key)
{
    value_start(w);
    quote(w->b, key, w->html);
    buf_char(w->b, ':');
    w->comma = false;
}

void json_key(struct json_writer *w, const char *key)
{
    json_key_str(w, str_c(key));
}

void json_str(struct json_writer *w, struct str s)
{
    value_start(w);
    quote(w->b, s, w->html);
}

void json_i64(struct json_writer *w, int64_t v)
{
    value_start(w);
    buf_i64(w->b, v);
}

void json_u64(struct json_writer *w, uint64_t v)
{
    value_start(w);
    buf_u64(w->b, v);
}

void json_bool(struct json_writer *w, bool v)
{
    value_start(w);
    buf_c(w->b, v ? "true" : "false");
}

void json_null(struct json_writer *w)
{
    value_start(w);
    buf_c(w->b, "null");
}

void json_raw(struct json_writer *w, struct str text)
{
    value_start(w);
    buf_str(w->b, text);
}

/* Length of the well-formed UTF-8 sequence at p, 0 when malformed. */
static size_t sequence_length(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return len <= n && str_utf8_valid(str_of(p, len)) ? len : 0;
}

static void quote_special(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char *const shorts[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    if (c == '"' || c == '\\') {
        buf_char(b, '\\');
        buf_char(b, (char)c);
    } else if (c < ARRAY_LEN(shorts) && shorts[c]) {
        buf_append(b, shorts[c], 2);
    } else {
        buf_append(b, "\\u00", 4);
        buf_char(b, hex[c >> 4]);
        buf_char(b, hex[c & 15]);
    }
}

static void quote(struct buf *b, struct str s, bool html)
{
    buf_char(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        if (LIKELY(c >= 0x20 && c < 0x80 && c != '"' && c != '\\' &&
                   !(html && (c == '<' || c == '>' || c == '&')))) {
            i++;
            continue;
        }
        size_t len = c >= 0x80 ? sequence_length(s.p + i, s.n - i) : 0;
        /* U+2028 and U+2029 are escaped by Go: they end lines in JavaScript. */
        bool separator =
            len == 3 && c == 0xe2 && s.p[i + 1] == '\x80' && ((unsigned char)s.p[i + 2] & 0xfe) == 0xa8;
        if (len && !separator) {
            i += len;
            continue;
        }
        buf_append(b, s.p + from, i - from);
        if (separator) {
            buf_c(b, s.p[i + 2] == '\xa8' ? "\\u2028" : "\\u2029");
        } else if (c >= 0x80) {
            buf_c(b, "\\ufffd");
        } else {
            quote_special(b, c);
        }
        i += separator ? 3 : 1;
        from = i;
    }
    if (s.n) {
        buf_append(b, s.p + from, s.n - from);
    }
    buf_char(b, '"');
}

void json_quote(struct buf *b, struct str s)
{
    quote(b, s, false);
}

/* -- parser
 * ------------------------------------------------------------------------------------------------------- */

struct parser {
    struct arena *a;
    const char *start, *p, *end;
    struct err_info *info;
    unsigned depth;
};

static enum err fail(struct parser *x, enum err code, const char *what)
{
    unsigned line = 1, col = 1;
    for (const char *c = x->start; c < x->p; c++) {
        col = *c == '\n' ? 1 : col + 1;
        line += *c == '\n';
    }
    enum err e = err_set_at(x->info, code, line, col, "%s", what);
    if (x->info) {
        x->info->pos = (size_t)(x->p - x->start);
    }
    return e;
}

static void skip_space(struct parser *x)
{
    while (x->p < x->end && (*x->p == ' ' || *x->p == '\n' || *x->p == '\t' || *x->p == '\r')) {
        x->p++;
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four digits at p; -1 when they are not there. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int d = p + i < end ? hex_digit(p[i]) : -1;
        if (d < 0) {
            return -1;
        }
        v = v * 16 + d;
    }
    return v;
}

/* \uXXXX at x->p (after the u), pairs of surrogates joined; a lone surrogate is U+FFFD. */
static bool unicode_escape(struct parser *x, char **out)
{
    int32_t c = hex4(x->p, x->end);
    if (c < 0) {
        return false;
    }
    x->p += 4;
    uint32_t code = (uint32_t)c;
    if (code >= 0xd800 && code < 0xe000) {
        int32_t low = x->end - x->p >= 6 && x->p[0] == '\\' && x->p[1] == 'u' ? hex4(x->p + 2, x->end) : -1;
        bool pair = code < 0xdc00 && low >= 0xdc00 && low < 0xe000;
        code = pair ? 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00) : 0xfffd;
        x->p += pair ? 6 : 0;
    }
    *out += utf8_put(*out, code);
    return true;
}

static enum err escaped(struct parser *x, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    x->p++; /* the backslash */
    char c = x->p < x->end ? *x->p : '\0';
    const char *at = c ? memchr(names, c, sizeof(names) - 1) : NULL;
    if (at) {
        *(*out)++ = values[at - names];
        x->p++;
        return ERR_OK;
    }
    if (c == 'u') {
        x->p++;
        return unicode_escape(x, out) ? ERR_OK : fail(x, ERR_INVALID, "invalid \\u escape in string");
    }
    return fail(x, ERR_INVALID, "invalid escape in string");
}

/* x->p is at the opening quote. */
static enum err parse_string(struct parser *x, struct str *ret_string)
{
    const char *from = ++x->p;
    while (x->p < x->end && *x->p != '"' && *x->p != '\\' && (unsigned char)*x->p >= 0x20) {
        x->p++;
    }
    if (x->p < x->end && *x->p == '"') {
        *ret_string = str_of(from, (size_t)(x->p++ - from));
        return ERR_OK;
    }
    const char *close = x->p; /* the escaped form is never shorter than the text */
    while (close < x->end && *close != '"') {
        close += *close == '\\' && close + 1 < x->end ? 2 : 1;
    }
    char *out = arena_bytes(x->a, (size_t)(close - from) + 1), *at = out;
    if (!out) {
        return arena_err(x->a);
    }
    memcpy(at, from, (size_t)(x->p - from));
    at += x->p - from;
    while (x->p < x->end && *x->p != '"') {
        if ((unsigned char)*x->p < 0x20) {
            return fail(x, ERR_INVALID, "control character in string");
        }
        enum err e = ERR_OK;
        if (*x->p == '\\') {
            e = escaped(x, &at);
        } else {
            *at++ = *x->p++;
        }
        if (e != ERR_OK) {
            return e;
        }
    }
    if (x->p == x->end) {
        return fail(x, ERR_INVALID, "unexpected end inside a string");
    }
    x->p++;
    *ret_string = str_of(out, (size_t)(at - out));
    return ERR_OK;
}

static bool digits(struct parser *x)
{
    const char *from = x->p;
    while (x->p < x->end && *x->p >= '0' && *x->p <= '9') {
        x->p++;
    }
    return x->p > from;
}

static enum err parse_number(struct parser *x)
{
    x->p += *x->p == '-';
    bool zero = x->p < x->end && *x->p == '0';
    const char *from = x->p;
    if (!digits(x) || (zero && x->p - from > 1)) {
        return fail(x, ERR_INVALID, "invalid number");
    }
    if (x->p < x->end && *x->p == '.') {
        x->p++;
        if (!digits(x)) {
            return fail(x, ERR_INVALID, "invalid number");
        }
    }
    if (x->p < x->end && (*x->p == 'e' || *x->p == 'E')) {
        x->p++;
        x->p += x->p < x->end && (*x->p == '+' || *x->p == '-');
        if (!digits(x)) {
            return fail(x, ERR_INVALID, "invalid number");
        }
    }
    return ERR_OK;
}

static enum err parse_value(struct parser *x, struct json_value *v);

static enum err parse_word(struct parser *x, struct json_value *v)
{
    static const struct {
        struct str text;
        enum json_kind kind;
        bool boolean;
    } words[] = {{STR_INIT("true"), JSON_BOOL, true},
                 {STR_INIT("false"), JSON_BOOL, false},
                 {STR_INIT("null"), JSON_NULL, false}};
    struct str rest = str_of(x->p, (size_t)(x->end - x->p));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_starts(rest, words[i].text)) {
            v->kind = words[i].kind;
            v->boolean = words[i].boolean;
            x->p += words[i].text.n;
            return ERR_OK;
        }
    }
    return fail(x, ERR_INVALID,
                x->p == x->end ? "unexpected end of JSON input" : "unexpected character, expected a value");
}

static enum err parse_member_key(struct parser *x, struct json_value *child)
{
    if (x->p == x->end || *x->p != '"') {
        return fail(x, ERR_INVALID, "expected a quoted object key");
    }
    enum err e = parse_string(x, &child->key);
    skip_space(x);
    if (e == ERR_OK && (x->p == x->end || *x->p++ != ':')) {
        e = fail(x, ERR_INVALID, "expected ':' after an object key");
    }
    skip_space(x);
    return e;
}

/* Elements of an array or members of an object; x->p is after the opening bracket. */
static enum err parse_children(struct parser *x, struct json_value *v, char close)
{
    const struct json_value **link = &v->child;
    skip_space(x);
    if (x->p < x->end && *x->p == close) {
        x->p++;
        return ERR_OK;
    }
    for (;;) {
        struct json_value *child = arena_zalloc(x->a, sizeof(*child));
        if (!child) {
            return arena_err(x->a);
        }
        skip_space(x);
        enum err e = v->kind == JSON_OBJECT ? parse_member_key(x, child) : ERR_OK;
        e = e == ERR_OK ? parse_value(x, child) : e;
        if (e != ERR_OK) {
            return e;
        }
        *link = child;
        link = &child->next;
        v->count++;
        skip_space(x);
        if (x->p < x->end && *x->p == ',') {
            x->p++;
        } else if (x->p < x->end && *x->p == close) {
            x->p++;
            return ERR_OK;
        } else {
            return fail(x, ERR_INVALID, close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
        }
    }
}

static enum err parse_value(struct parser *x, struct json_value *v)
{
    const char *from = x->p;
    char c = x->p < x->end ? *x->p : '\0';
    enum err e;
    if (c == '{' || c == '[') {
        if (++x->depth > JSON_DEPTH_MAX) {
            return fail(x, ERR_LIMIT, "nested too deeply");
        }
        x->p++;
        v->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        e = parse_children(x, v, c == '{' ? '}' : ']');
        x->depth--;
    } else if (c == '"') {
        v->kind = JSON_STRING;
        e = parse_string(x, &v->string);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        v->kind = JSON_NUMBER;
        e = parse_number(x);
    } else {
        e = parse_word(x, v);
    }
    v->raw = str_of(from, (size_t)(x->p - from));
    return e;
}

enum err json_parse(struct arena *a, struct str text, const struct json_value **ret_value,
                    struct err_info *reterr_info)
{
    struct parser x = {.a = a, .start = text.p, .p = text.p, .end = text.p + text.n, .info = reterr_info};
    struct json_value *v = arena_zalloc(a, sizeof(*v));
    if (!v) {
        return arena_err(a);
    }
    skip_space(&x);
    enum err e = parse_value(&x, v);
    skip_space(&x);
    if (e == ERR_OK && x.p != x.end) {
        e = fail(&x, ERR_INVALID, "unexpected text after the value");
    }
    if (e == ERR_OK) {
        *ret_value = v;
    }
    return e;
}

const struct json_value *json_get(const struct json_value *object, struct str key)
{
    const struct json_value *found = NULL;
    if (object && object->kind == JSON_OBJECT) {
        for (const struct json_value *c = object->child; c; c = c->next) {
            found = str_eq(c->key, key) ? c : found;
        }
    }
    return found;
}

enum err json_to_i64(const struct json_value *v, int64_t *ret_value)
{
    if (!v || v->kind != JSON_NUMBER) {
        return ERR_INVALID;
    }
    if (str_to_i64(v->raw, ret_value) == ERR_OK) {
        return ERR_OK;
    }
    char text[64];
    if (v->raw.n >= sizeof(text)) {
        return ERR_INVALID;
    }
    memcpy(text, v->raw.p, v->raw.n);
    text[v->raw.n] = '\0';
    double d = strtod(text, NULL);
    if (!(fabs(d) < 0x1p63)) {
        return ERR_INVALID;
    }
    *ret_value = (int64_t)d;
    return ERR_OK;
}
