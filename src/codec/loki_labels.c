/* The text of a stream's labels, read as Loki reads it: by the grammar of a metric in Prometheus' text
 * queries (promql/parser, START_METRIC), with its words for what is wrong. */
#include "codec/loki_push.h"

#include <stdio.h>

#include "codec/json.h"

enum {
    SHOWN_BYTES = 10 /* of a token in a message; longer ones end in "..." */
};

struct scan {
    struct arena *a;
    struct str text;
    size_t i; /* the next byte */
    struct err_info *info;
};

enum token_kind {
    TOKEN_END,
    TOKEN_MARK, /* one of { } , = */
    TOKEN_OPERATOR,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_BAD /* said already */
};

struct token {
    enum token_kind kind;
    size_t at;
    struct str text;  /* as written */
    struct str value; /* of a string, unquoted */
};

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* -- messages -------------------------------------------------------------------------------------------- */

static void say(struct scan *s, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(struct scan *s, size_t at, const char *fmt, ...)
{
    char what[160];
    unsigned line = 1, column = 1;
    for (size_t k = 0; k < at && k < s->text.n; k++) {
        bool end = s->text.p[k] == '\n';
        line += end;
        column = end ? 1 : column + 1;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    (void)err_set_at(s->info, ERR_INVALID, line, column, "couldn't parse labels: %u:%u: parse error: %s",
                     line, column, what);
}

static struct token bad(struct scan *s, size_t at, const char *what, struct str shown)
{
    say(s, at, "%s%s%.*s%s", what, shown.n ? ": \'" : "", STR_FMT(shown), shown.n ? "\'" : "");
    return (struct token){.kind = TOKEN_BAD, .at = at};
}

/* One rune, for a message. */
static struct str rune_at(struct str t, size_t i)
{
    size_t n = i < t.n;
    while (n && i + n < t.n && ((unsigned char)t.p[i + n] & 0xc0) == 0x80) {
        n++;
    }
    return str_slice(t, i, i + n);
}

/* What stands there instead of what was expected. */
static void unexpected(struct scan *s, struct token t, const char *context)
{
    static const char *const names[] = {
        [TOKEN_NAME] = "identifier ", [TOKEN_NUMBER] = "number ", [TOKEN_STRING] = "string "};
    struct buf shown AUTO_BUF = {0};
    if (t.kind == TOKEN_BAD) {
        return;
    }
    if (t.kind == TOKEN_END) {
        buf_c(&shown, "end of input");
    } else if (t.kind == TOKEN_OPERATOR) {
        buf_printf(&shown, "<op:%.*s>", STR_FMT(t.text));
    } else {
        bool whole = t.kind == TOKEN_NAME || t.text.n <= SHOWN_BYTES;
        buf_c(&shown, t.kind == TOKEN_MARK ? "" : names[t.kind]);
        json_quote(&shown, whole ? t.text : str_slice(t.text, 0, SHOWN_BYTES));
        buf_c(&shown, whole ? "" : "...");
    }
    say(s, t.at, "unexpected %.*s%s", STR_FMT(buf_view(&shown)), context);
}

/* -- tokens ---------------------------------------------------------------------------------------------- */

/* Go's escapes; *i stands behind the backslash. */
static bool unescape_one(struct str t, size_t *i, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
    char c = t.p[(*i)++];
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        out[(*n)++] = to[at - from];
        return true;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    uint32_t v = 0;
    if (digits == 3) {
        --*i;
    }
    for (size_t k = 0; k < digits; k++) {
        char d = *i < t.n ? t.p[(*i)++] : '\0';
        int x = d >= '0' && d <= '9'                 ? d - '0'
                : (d | 32) >= 'a' && (d | 32) <= 'f' ? (d | 32) - 'a' + 10
                                                     : -1;
        if (x < 0 || (digits == 3 && x > 7)) {
            return false;
        }
        v = v * (digits == 3 ? 8 : 16) + (uint32_t)x;
    }
    if (digits == 0 || v > 0x10ffff) {
        return false;
    }
    if (digits <= 3) {
        out[(*n)++] = (char)v;
    } else {
        *n += utf8_put(out + *n, v);
    }
    return true;
}

static void skip_space(struct scan *s)
{
    struct str t = s->text;
    while (s->i < t.n && strchr(" \t\n\r#", t.p[s->i]) && t.p[s->i]) {
        size_t end = t.p[s->i] == '#' ? str_find_char(t, '\n', s->i) : s->i + 1;
        s->i = end == STR_NPOS ? t.n : end;
    }
}

/* The end of the string that begins at s->i, behind its quote; 0 = said what is wrong. */
static size_t string_end(struct scan *s, bool *ret_escaped)
{
    struct str t = s->text;
    char quote = t.p[s->i];
    size_t i = s->i + 1;
    *ret_escaped = false;
    while (i < t.n && t.p[i] != quote && (quote == '`' || t.p[i] != '\n')) {
        if (t.p[i] == '\\' && quote != '`') {
            *ret_escaped = true;
            i++;
            if (i < t.n && !strchr("abfnrtv\\xuU01234567", t.p[i]) && t.p[i] != quote) {
                (void)say(s, s->i, "unknown escape sequence U+%04X '%c'", (unsigned)(unsigned char)t.p[i],
                          t.p[i]);
                return 0;
            }
        }
        i++;
    }
    if (i >= t.n || t.p[i] != quote) {
        say(s, s->i, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
        return 0;
    }
    return i + 1;
}

static struct token cut_string(struct scan *s)
{
    bool escaped;
    size_t from = s->i, end = string_end(s, &escaped), n = 0;
    struct token t = {.kind = end ? TOKEN_STRING : TOKEN_BAD, .at = from};
    if (!end) {
        return t;
    }
    s->i = end;
    t.text = str_slice(s->text, from, end);
    t.value = str_slice(s->text, from + 1, end - 1);
    char *out = escaped ? arena_bytes(s->a, t.value.n * 2 + 8) : NULL;
    for (size_t k = 0; out && k < t.value.n;) {
        if (t.value.p[k] != '\\') {
            out[n++] = t.value.p[k++];
            continue;
        }
        k++;
        if (!unescape_one(t.value, &k, out, &n)) {
            say(s, from, "error unquoting string %.*s: invalid syntax", STR_FMT(t.text));
            t.kind = TOKEN_BAD;
            return t;
        }
    }
    t.value = out ? str_of(out, n) : t.value;
    return t;
}

static struct token cut(struct scan *s, enum token_kind kind, size_t n)
{
    struct token t = {.kind = kind, .at = s->i, .text = str_slice(s->text, s->i, s->i + n)};
    s->i += n;
    return t;
}

static struct token name_token(struct scan *s, bool colons)
{
    size_t n = 0;
    while (s->i + n < s->text.n &&
           (is_name(s->text.p[s->i + n], n == 0) || (colons && s->text.p[s->i + n] == ':'))) {
        n++;
    }
    return cut(s, TOKEN_NAME, n);
}

static struct token next_inside(struct scan *s)
{
    skip_space(s);
    struct str t = s->text;
    char c = s->i < t.n ? t.p[s->i] : '\0', then = s->i + 1 < t.n ? t.p[s->i + 1] : '\0';
    if (s->i >= t.n) {
        return bad(s, s->i, "unexpected end of input inside braces", STR(""));
    }
    if (is_name(c, true)) {
        return name_token(s, false);
    }
    if (c == '"' || c == '\'' || c == '`') {
        return cut_string(s);
    }
    if ((c == '=' && then == '~') || (c == '!' && (then == '=' || then == '~'))) {
        return cut(s, TOKEN_OPERATOR, 2);
    }
    if (c == '}' || c == ',' || c == '=') {
        return cut(s, TOKEN_MARK, 1);
    }
    return c == '!'   ? bad(s, s->i, "unexpected character after '!' inside braces", rune_at(t, s->i + 1))
           : c == '{' ? bad(s, s->i, "unexpected left brace '{'", STR(""))
                      : bad(s, s->i, "unexpected character inside braces", rune_at(t, s->i));
}

static struct token next_outside(struct scan *s)
{
    skip_space(s);
    struct str t = s->text;
    char c = s->i < t.n ? t.p[s->i] : '\0';
    if (s->i >= t.n) {
        return (struct token){.kind = TOKEN_END, .at = s->i};
    }
    if (is_name(c, true) || c == ':') {
        return name_token(s, true);
    }
    if (c >= '0' && c <= '9') {
        size_t n = 1;
        while (s->i + n < t.n && ((t.p[s->i + n] >= '0' && t.p[s->i + n] <= '9') || t.p[s->i + n] == '.')) {
            n++;
        }
        return cut(s, TOKEN_NUMBER, n);
    }
    if (c == '"' || c == '\'' || c == '`') {
        return cut_string(s);
    }
    if (strchr("{,=()[", c)) {
        return cut(s, TOKEN_MARK, 1);
    }
    return strchr("+-*/%^@<>", c) ? cut(s, TOKEN_OPERATOR, 1)
                                  : bad(s, s->i, "unexpected character", rune_at(t, s->i));
}

static bool is_mark(struct token t, char c)
{
    return t.kind == TOKEN_MARK && t.text.p[0] == c;
}

/* -- the grammar ----------------------------------------------------------------------------------------- */

/* name = "value", or "name" alone; *t is the token behind it. */
static bool cut_label(struct scan *s, struct token *t, struct wire_label *ret_l)
{
    struct token name = *t;
    if (name.kind != TOKEN_NAME && name.kind != TOKEN_STRING) {
        unexpected(s, name, " in label set, expected identifier or \"}\"");
        return false;
    }
    *t = next_inside(s);
    if (name.kind == TOKEN_STRING && (is_mark(*t, ',') || is_mark(*t, '}'))) {
        *ret_l = (struct wire_label){STR("__name__"), name.value};
        return true;
    }
    if (!is_mark(*t, '=')) {
        unexpected(s, *t,
                   name.kind == TOKEN_NAME ? " in label set, expected \"=\""
                                           : " in label set, expected \",\" or \"}\"");
        return false;
    }
    *t = next_inside(s);
    if (t->kind != TOKEN_STRING) {
        unexpected(s, *t, " in label set, expected string");
        return false;
    }
    *ret_l = (struct wire_label){name.kind == TOKEN_NAME ? name.text : name.value, t->value};
    *t = next_inside(s);
    return true;
}

static bool cut_labels(struct scan *s, struct wire_label *out, size_t *n)
{
    struct token t = next_inside(s);
    while (!is_mark(t, '}')) {
        if (!cut_label(s, &t, &out[*n])) {
            return false;
        }
        ++*n;
        if (is_mark(t, ',')) {
            t = next_inside(s);
        } else if (!is_mark(t, '}')) {
            unexpected(s, t, " in label set, expected \",\" or \"}\"");
            return false;
        }
    }
    return true;
}

enum err loki_labels_parse(struct arena *a, struct str text, const struct wire_label **ret_labels,
                           size_t *ret_n, struct err_info *reterr_info)
{
    struct err_info unused;
    struct scan s = {a, text, 0, reterr_info ? reterr_info : &unused};
    size_t n = 0, most = 2;
    for (size_t k = 0; k < text.n; k++) {
        most += text.p[k] == '=' || text.p[k] == ',';
    }
    struct wire_label *out = arena_array(a, most, sizeof(*out));
    if (!out) {
        return err_set(reterr_info, arena_err(a), "not enough memory for the labels of a stream");
    }
    struct token t = next_outside(&s);
    if (t.kind == TOKEN_NAME) {
        out[n++] = (struct wire_label){STR("__name__"), t.text};
        t = next_outside(&s);
    }
    if (is_mark(t, '{')) {
        if (!cut_labels(&s, out, &n)) {
            return ERR_INVALID;
        }
        t = next_outside(&s);
    }
    if (t.kind != TOKEN_END) {
        unexpected(&s, t, "");
        return ERR_INVALID;
    }
    *ret_labels = out;
    *ret_n = n;
    return arena_err(a);
}
