/* Text into tokens. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec/num.h"
#include "codec/units.h"
#include "metrics/promql/ast.h"

enum err parse_error(struct str text, size_t pos, struct err_info *info, const char *fmt, ...)
{
    char what[420];
    unsigned line = 1, col = 1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < pos && i < text.n; i++) {
        col++;
        if (text.p[i] == '\n') {
            line++;
            col = 1;
        }
    }
    enum err e = err_set_at(info, ERR_INVALID, line, col, "%u:%u: parse error: %s", line, col, what);
    if (info) {
        info->pos = pos;
    }
    return e;
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct lexer *l)
{
    while (l->pos < l->text.n) {
        char c = l->text.p[l->pos];
        if (c == '#') {
            while (l->pos < l->text.n && l->text.p[l->pos] != '\n') {
                l->pos++;
            }
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            l->pos++;
        } else {
            return;
        }
    }
}

/* -- strings --------------------------------------------------------------------------------------------- */

static void put_utf8(char *out, size_t *n, uint32_t code)
{
    if (code < 0x80) {
        out[(*n)++] = (char)code;
    } else if (code < 0x800) {
        out[(*n)++] = (char)(0xc0 | (code >> 6));
        out[(*n)++] = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        out[(*n)++] = (char)(0xe0 | (code >> 12));
        out[(*n)++] = (char)(0x80 | ((code >> 6) & 63));
        out[(*n)++] = (char)(0x80 | (code & 63));
    } else {
        out[(*n)++] = (char)(0xf0 | (code >> 18));
        out[(*n)++] = (char)(0x80 | ((code >> 12) & 63));
        out[(*n)++] = (char)(0x80 | ((code >> 6) & 63));
        out[(*n)++] = (char)(0x80 | (code & 63));
    }
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool unescape_one(struct str raw, size_t *i, char quote, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    char c = raw.p[(*i)++];
    const char *at = c ? strchr(from, c) : NULL;
    if (at || c == quote) {
        out[(*n)++] = at ? to[at - from] : quote;
        return true;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    unsigned base = digits == 3 ? 8 : 16;
    uint32_t v = 0;
    *i -= digits == 3;
    for (size_t k = 0; k < digits; k++) {
        int d = *i < raw.n ? hex_value(raw.p[(*i)++]) : -1;
        if (d < 0 || (unsigned)d >= base) {
            return false;
        }
        v = v * base + (uint32_t)d;
    }
    if (digits == 0 || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) || (digits == 3 && v > 255)) {
        return false;
    }
    if (digits <= 3) {
        out[(*n)++] = (char)v;
    } else {
        put_utf8(out, n, v);
    }
    return true;
}

static enum err lex_string(struct lexer *l, struct token *t)
{
    char quote = l->text.p[l->pos++];
    size_t from = l->pos;
    bool escaped = false;
    while (l->pos < l->text.n && l->text.p[l->pos] != quote) {
        if (quote != '`' && l->text.p[l->pos] == '\\') {
            escaped = true;
            l->pos++;
        } else if (quote != '`' && l->text.p[l->pos] == '\n') {
            return parse_error(l->text, t->pos, l->info, "unterminated quoted string");
        }
        l->pos++;
    }
    if (l->pos >= l->text.n) {
        return parse_error(l->text, t->pos, l->info,
                           quote == '`' ? "unterminated raw string" : "unterminated quoted string");
    }
    struct str raw = str_slice(l->text, from, l->pos++);
    t->kind = T_STRING;
    if (!escaped) {
        t->string = raw;
        return ERR_OK;
    }
    char *out = arena_bytes(l->arena, raw.n * 2 + 8);
    size_t n = 0;
    for (size_t i = 0; out && i < raw.n;) {
        if (raw.p[i] != '\\') {
            out[n++] = raw.p[i++];
            continue;
        }
        i++;
        if (!unescape_one(raw, &i, quote, out, &n)) {
            return parse_error(l->text, t->pos, l->info, "unknown escape sequence in string");
        }
    }
    t->string = str_of(out, n);
    return out ? ERR_OK : arena_err(l->arena);
}

/* -- numbers --------------------------------------------------------------------------------------------- */

/* Hexadecimal, octal and decimal integers, with '_' between digits. */
static bool parse_integer(struct str s, double *ret_v)
{
    bool hex = s.n > 2 && s.p[0] == '0' && (s.p[1] | 32) == 'x';
    bool octal = !hex && s.n > 1 && s.p[0] == '0';
    unsigned base = hex ? 16 : octal ? 8 : 10;
    double v = 0;
    for (size_t i = hex ? 2 : 0; i < s.n; i++) {
        if (s.p[i] == '_') {
            continue;
        }
        int d = hex_value(s.p[i]);
        if (d < 0 || (unsigned)d >= base) {
            return false;
        }
        v = v * base + d;
    }
    *ret_v = v;
    return true;
}

static enum err lex_number(struct lexer *l, struct token *t)
{
    struct str s = l->text;
    size_t i = l->pos;
    bool hex = i + 1 < s.n && s.p[i] == '0' && (s.p[i + 1] | 32) == 'x', underscore = false;
    i += hex ? 2 : 0;
    while (i < s.n &&
           (is_alpha(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '.' ||
            ((s.p[i] == '+' || s.p[i] == '-') && !hex && (s.p[i - 1] | 32) == 'e' && i > l->pos))) {
        underscore |= s.p[i] == '_';
        i++;
    }
    struct str word = str_slice(s, l->pos, i);
    int64_t ms;
    l->pos = i;
    t->kind = T_NUMBER;
    if (num_f64_parse(word, &t->value) != ERR_INVALID &&
        !(word.n > 1 && word.p[0] == '0' && is_digit(word.p[1]))) {
        return ERR_OK;
    }
    if ((hex || underscore || word.p[0] == '0') && parse_integer(word, &t->value)) {
        return ERR_OK;
    }
    if (num_f64_parse(word, &t->value) != ERR_INVALID) {
        return ERR_OK;
    }
    enum err e = units_duration_parse(word, &ms);
    if (e == ERR_OK) {
        t->kind = T_DURATION;
        t->value = (double)ms / 1000;
        return ERR_OK;
    }
    if (e == ERR_LIMIT) {
        return parse_error(l->text, t->pos, l->info, "duration out of range");
    }
    return parse_error(l->text, t->pos, l->info, "bad number or duration syntax: \"%.*s\"", STR_FMT(word));
}

/* -- the rest -------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum token_kind kind;
} symbols[] = {
    {"==", T_EQL},   {"=~", T_RE},      {"!=", T_NEQ},     {"!~", T_NRE},   {"<=", T_LE},    {">=", T_GE},
    {"=", T_EQ},     {"<", T_LT},       {">", T_GT},       {"(", T_LPAREN}, {")", T_RPAREN}, {"{", T_LBRACE},
    {"}", T_RBRACE}, {"[", T_LBRACKET}, {"]", T_RBRACKET}, {",", T_COMMA},  {":", T_COLON},  {"@", T_AT},
    {"+", T_ADD},    {"-", T_SUB},      {"*", T_MUL},      {"/", T_DIV},    {"%", T_MOD},    {"^", T_POW},
};

enum err lex_next(struct lexer *l, struct token *t)
{
    skip_space(l);
    *t = (struct token){.pos = l->pos, .end = l->pos};
    if (l->pos >= l->text.n) {
        return ERR_OK;
    }
    char c = l->text.p[l->pos];
    enum err e = ERR_OK;
    if (is_digit(c) || (c == '.' && l->pos + 1 < l->text.n && is_digit(l->text.p[l->pos + 1]))) {
        e = lex_number(l, t);
    } else if (is_alpha(c) || (c == ':' && l->pos + 1 < l->text.n && is_alpha(l->text.p[l->pos + 1]))) {
        while (l->pos < l->text.n &&
               (is_alpha(l->text.p[l->pos]) || is_digit(l->text.p[l->pos]) || l->text.p[l->pos] == ':')) {
            l->pos++;
        }
        t->kind = T_WORD;
    } else if (c == '"' || c == '\'' || c == '`') {
        e = lex_string(l, t);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(symbols) && !t->kind; i++) {
            if (str_starts(str_slice(l->text, l->pos, l->text.n), str_c(symbols[i].text))) {
                t->kind = symbols[i].kind;
                l->pos += strlen(symbols[i].text);
            }
        }
        if (!t->kind) {
            return parse_error(l->text, l->pos, l->info, "unexpected character: '%c'", c);
        }
    }
    t->end = l->pos;
    t->text = str_slice(l->text, t->pos, t->end);
    return e;
}

bool word_is(const struct token *t, const char *keyword)
{
    return t->kind == T_WORD && str_ieq(t->text, str_c(keyword));
}
