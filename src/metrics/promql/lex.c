/* Text into tokens. The lexer knows where it is (braces, brackets, a duration), because the same word is a
 * keyword here and a label there. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "metrics/promql/ast.h"

enum {
    WORD_BYTES_MAX = 16, /* longer words are no keywords */
    RUNE_ERROR = 0xfffd
};

static void format_place(char *out, size_t size, struct str text, size_t pos, unsigned *ret_line,
                         unsigned *ret_col)
{
    unsigned line = 1, col = 1;
    for (size_t i = 0; i < pos && i < text.n; i++) {
        col++;
        if (text.p[i] == '\n') {
            line++;
            col = 1;
        }
    }
    *ret_line = line;
    *ret_col = col;
    if (text.n == 0) {
        snprintf(out, size, "unknown position");
    } else if (pos > text.n) {
        snprintf(out, size, "invalid position");
    } else {
        snprintf(out, size, "%u:%u", line, col);
    }
}

enum err parse_error(struct str text, size_t pos, struct err_info *info, const char *fmt, ...)
{
    char what[420], place[32];
    unsigned line, col;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    format_place(place, sizeof(place), text, pos, &line, &col);
    enum err e = err_set_at(info, ERR_INVALID, line, col, "%s: parse error: %s", place, what);
    if (info) {
        info->pos = pos;
    }
    return e;
}

struct str quoted(struct buf *b, struct str s)
{
    buf_reset(b);
    labels_quote(b, s);
    return buf_view(b);
}

/* -- characters ------------------------------------------------------------------------------------------ */

static bool is_alpha(int32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(int32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(int32_t c)
{
    return is_alpha(c) || is_digit(c);
}

static bool is_space(int32_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The rune at `at` and its width; -1 at the end, U+FFFD of width 1 for a byte that begins no rune. */
static int32_t rune_at(struct str s, size_t at, size_t *ret_width)
{
    *ret_width = 0;
    if (at >= s.n) {
        return -1;
    }
    const unsigned char *p = (const unsigned char *)s.p + at;
    *ret_width = 1;
    if (p[0] < 0x80) {
        return p[0];
    }
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    int32_t c = n == 4 ? p[0] & 7 : n == 3 ? p[0] & 15 : p[0] & 31;
    if (p[0] < 0xc2 || p[0] > 0xf4 || at + n > s.n) {
        return RUNE_ERROR;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return RUNE_ERROR;
        }
        c = (c << 6) | (p[i] & 63);
    }
    if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (n == 4 && (c < 0x10000 || c > 0x10ffff))) {
        return RUNE_ERROR;
    }
    *ret_width = n;
    return c;
}

static int32_t peek(const struct lexer *l)
{
    size_t width;
    return rune_at(l->text, l->pos, &width);
}

static int32_t next(struct lexer *l)
{
    size_t width;
    int32_t c = rune_at(l->text, l->pos, &width);
    l->pos += width;
    return c;
}

static bool accept(struct lexer *l, const char *set)
{
    int32_t c = peek(l);
    if (c <= 0 || c > 127 || !strchr(set, (char)c)) {
        return false;
    }
    l->pos++;
    return true;
}

/* -- results --------------------------------------------------------------------------------------------- */

static struct token emit(struct lexer *l, enum token_kind kind, int number)
{
    struct token t = {.kind = kind, .number = number, .pos = l->start, .end = l->pos};
    t.text = str_slice(l->text, l->start, l->pos);
    l->start = l->pos;
    return t;
}

static struct token fail(struct lexer *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct token fail(struct lexer *l, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    (void)parse_error(l->text, l->start, l->info, "%s", what);
    l->failed = true;
    return (struct token){.kind = T_ERROR, .pos = l->start, .end = l->pos};
}

/* Go's %q of a rune. */
static struct token fail_rune(struct lexer *l, const char *what, int32_t c)
{
    static const char from[] = "\a\b\f\n\r\t\v\\'", to[] = "abfnrtv\\'";
    char shown[16];
    const char *at = c > 0 && c < 128 ? strchr(from, (char)c) : NULL;
    if (at) {
        snprintf(shown, sizeof(shown), "'\\%c'", to[at - from]);
    } else if (c == RUNE_ERROR || c < 0) {
        snprintf(shown, sizeof(shown), "'\xef\xbf\xbd'");
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(shown, sizeof(shown), "'\\x%02x'", (unsigned)c);
    } else {
        char rune[4];
        snprintf(shown, sizeof(shown), "'%.*s'", (int)utf8_put(rune, (uint32_t)c), rune);
    }
    return fail(l, "%s %s", what, shown);
}

/* -- strings --------------------------------------------------------------------------------------------- */

static int hex_value(int32_t c)
{
    if (is_digit(c)) {
        return (int)(c - '0');
    }
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (int)((c | 32) - 'a' + 10) : 16;
}

/* After the backslash. False: the error is in the lexer. */
static bool lex_escape(struct lexer *l, int32_t quote, struct token *ret_error)
{
    int32_t c = next(l);
    unsigned n = 0, base = 16;
    uint32_t max = 0x10ffff, x = 0;
    if (c == quote || (c > 0 && c < 128 && strchr("abfnrtv\\", (char)c))) {
        return true;
    }
    if (c >= '0' && c <= '7') {
        n = 3;
        base = 8;
        max = 255;
    } else if (c == 'x' || c == 'u' || c == 'U') {
        n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        max = c == 'x' ? 255 : max;
        c = next(l);
    } else if (c < 0) {
        *ret_error = fail(l, "escape sequence not terminated");
        return false;
    } else {
        char shown[8] = "";
        size_t width = c < 128 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (c >= 0x20 && c != 0x7f && c != RUNE_ERROR) {
            snprintf(shown, sizeof(shown), "%.*s", (int)width, l->text.p + l->pos - width);
        }
        *ret_error = fail(l, "unknown escape sequence U+%04X%s%s%s", (unsigned)c, *shown ? " '" : "", shown,
                          *shown ? "'" : "");
        return false;
    }
    for (; n > 0; n--) {
        unsigned d = (unsigned)hex_value(c);
        if (d >= base) {
            if (c < 0) {
                *ret_error = fail(l, "escape sequence not terminated");
            } else if (c >= 0x20 && c < 0x7f) {
                *ret_error = fail(l, "illegal character U+%04X '%c' in escape sequence", (unsigned)c, (int)c);
            } else {
                *ret_error = fail(l, "illegal character U+%04X in escape sequence", (unsigned)c);
            }
            return false;
        }
        x = x * base + d;
        if (n > 1) {
            c = next(l);
        }
    }
    if (x > max || (x >= 0xd800 && x < 0xe000)) {
        *ret_error = fail(l, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

static struct token lex_string(struct lexer *l, int32_t quote)
{
    for (;;) {
        int32_t c = next(l);
        struct token error;
        if (c == quote) {
            return emit(l, T_STRING, 0);
        }
        if (c == RUNE_ERROR) {
            return fail(l, "invalid UTF-8 rune");
        }
        if (c < 0 || (c == '\n' && quote != '`')) {
            return fail(l, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
        }
        if (c == '\\' && quote != '`' && !lex_escape(l, quote, &error)) {
            return error;
        }
    }
}

static void unescape_one(struct str raw, size_t *i, char quote, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    char c = raw.p[(*i)++];
    const char *at = c ? strchr(from, c) : NULL;
    if (at || c == quote) {
        out[(*n)++] = at ? to[at - from] : quote;
        return;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
    uint32_t v = 0;
    *i -= digits == 3;
    for (size_t k = 0; k < digits && *i < raw.n; k++) {
        v = v * (digits == 3 ? 8 : 16) + (uint32_t)hex_value(raw.p[(*i)++]);
    }
    if (digits <= 3) {
        out[(*n)++] = (char)v;
    } else {
        *n += utf8_put(out + *n, v);
    }
}

bool string_unquote(struct arena *a, struct str text, struct str *ret_value)
{
    struct str raw = str_slice(text, 1, text.n - 1);
    char quote = text.p[0];
    *ret_value = raw;
    if (quote == '`') {
        return true;
    }
    if (str_find_char(raw, '\n', 0) != STR_NPOS) {
        return false;
    }
    if (str_find_char(raw, '\\', 0) == STR_NPOS) {
        return true;
    }
    char *out = arena_bytes(a, raw.n + 8);
    size_t n = 0;
    for (size_t i = 0; out && i < raw.n;) {
        if (raw.p[i] != '\\') {
            out[n++] = raw.p[i++];
            continue;
        }
        i++;
        unescape_one(raw, &i, quote, out, &n);
    }
    *ret_value = str_of(out, n);
    return true;
}

/* -- numbers and durations ------------------------------------------------------------------------------- */

static bool next_in(const struct lexer *l, const char *set)
{
    int32_t c = peek(l);
    return c > 0 && c < 128 && strchr(set, (char)c) != NULL;
}

/* After the leading digits. False: no number. */
static bool scan_number_tail(struct lexer *l, const char *digits, bool hex)
{
    bool dot = false, exponent = false;
    while (next_in(l, digits) || next_in(l, "._eE")) {
        if (accept(l, ".")) {
            if (dot || accept(l, "_.") || hex) {
                return false;
            }
            dot = true;
        } else if (next_in(l, "eE")) {
            if (exponent) {
                l->pos++;
                return false;
            }
            l->pos++;
            exponent = true;
            (void)accept(l, "+-");
            if (accept(l, "._eE") || peek(l) < 0) {
                return false;
            }
        } else if (accept(l, "_")) {
            if (accept(l, "._eE") || peek(l) < 0) {
                return false;
            }
        } else {
            while (accept(l, digits)) {
            }
        }
    }
    return true;
}

/* Not necessarily a valid number: the parser finds out. */
static bool scan_number(struct lexer *l)
{
    size_t from = l->pos;
    bool hex = false;
    if (accept(l, "0") && accept(l, "xX")) {
        (void)accept(l, "_");
        hex = true;
    }
    const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    (void)accept(l, ".");
    (void)accept(l, digits);
    return scan_number_tail(l, digits, hex) && l->pos != from && !is_word(peek(l));
}

static bool scan_duration_tail(struct lexer *l)
{
    if (!accept(l, "smhdwy")) {
        return false;
    }
    (void)accept(l, "s");
    while (accept(l, "0123456789")) {
        while (accept(l, "0123456789")) {
        }
        if (!accept(l, "smhdw")) {
            return false;
        }
        (void)accept(l, "s");
    }
    if (is_word(peek(l))) {
        (void)next(l);
        return false;
    }
    return true;
}

static struct token lex_number(struct lexer *l)
{
    if (scan_number(l)) {
        return emit(l, T_NUMBER, 0);
    }
    if (scan_duration_tail(l)) {
        return emit(l, T_DURATION, 0);
    }
    struct buf b AUTO_BUF = {0};
    struct str shown = quoted(&b, str_slice(l->text, l->start, l->pos));
    return fail(l, "bad number or duration syntax: %.*s", STR_FMT(shown));
}

/* -- words ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum token_kind kind;
    int number;
} keywords[] = {
    {"and", T_BINARY, OP_AND},
    {"or", T_BINARY, OP_OR},
    {"unless", T_BINARY, OP_UNLESS},
    {"atan2", T_BINARY, OP_ATAN2},
    {"sum", T_AGGREGATE, AGG_SUM},
    {"avg", T_AGGREGATE, AGG_AVG},
    {"count", T_AGGREGATE, AGG_COUNT},
    {"min", T_AGGREGATE, AGG_MIN},
    {"max", T_AGGREGATE, AGG_MAX},
    {"group", T_AGGREGATE, AGG_GROUP},
    {"stddev", T_AGGREGATE, AGG_STDDEV},
    {"stdvar", T_AGGREGATE, AGG_STDVAR},
    {"topk", T_AGGREGATE, AGG_TOPK},
    {"bottomk", T_AGGREGATE, AGG_BOTTOMK},
    {"count_values", T_AGGREGATE, AGG_COUNT_VALUES},
    {"quantile", T_AGGREGATE, AGG_QUANTILE},
    {"limitk", T_AGGREGATE, AGG_LIMITK},
    {"limit_ratio", T_AGGREGATE, AGG_LIMIT_RATIO},
    {"offset", T_OFFSET, 0},
    {"smoothed", T_SMOOTHED, 0},
    {"anchored", T_ANCHORED, 0},
    {"by", T_BY, 0},
    {"without", T_WITHOUT, 0},
    {"on", T_ON, 0},
    {"ignoring", T_IGNORING, 0},
    {"group_left", T_GROUP_LEFT, 0},
    {"group_right", T_GROUP_RIGHT, 0},
    {"fill", T_FILL, 0},
    {"fill_left", T_FILL_LEFT, 0},
    {"fill_right", T_FILL_RIGHT, 0},
    {"bool", T_BOOL, 0},
    {"start", T_START, 0},
    {"end", T_STOP, 0},
    {"step", T_STEP, 0},
    {"range", T_RANGE, 0},
    {"max_of", T_MAX_OF, 0},
    {"min_of", T_MIN_OF, 0},
    {"inf", T_NUMBER, 0},
    {"nan", T_NUMBER, 0},
};

/* fill and its kin are keywords only before a parenthesis: they may name metrics elsewhere. */
static bool paren_follows(const struct lexer *l)
{
    size_t i = l->pos;
    while (i < l->text.n && is_space(l->text.p[i])) {
        i++;
    }
    return i < l->text.n && l->text.p[i] == '(';
}

static struct token lex_word(struct lexer *l)
{
    while (is_word(peek(l)) || peek(l) == ':') {
        l->pos++;
    }
    struct str word = str_slice(l->text, l->start, l->pos);
    for (size_t i = 0; i < ARRAY_LEN(keywords) && word.n <= WORD_BYTES_MAX; i++) {
        if (!str_ieq(word, str_c(keywords[i].text))) {
            continue;
        }
        bool fill = keywords[i].kind >= T_FILL && keywords[i].kind <= T_FILL_RIGHT;
        return fill && !paren_follows(l) ? emit(l, T_IDENTIFIER, 0)
                                         : emit(l, keywords[i].kind, keywords[i].number);
    }
    return emit(l, str_find_char(word, ':', 0) == STR_NPOS ? T_IDENTIFIER : T_METRIC_IDENTIFIER, 0);
}

/* step, range, max_of, min_of within brackets. */
static bool scan_duration_word(struct lexer *l, struct token *ret_token)
{
    while (is_alpha(peek(l))) {
        l->pos++;
    }
    struct str word = str_slice(l->text, l->start, l->pos);
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (keywords[i].kind >= T_STEP && str_ieq(word, str_c(keywords[i].text))) {
            *ret_token = emit(l, keywords[i].kind, 0);
            return true;
        }
    }
    return false;
}

static bool starts_duration_word(int32_t c)
{
    return c > 0 && c < 128 && strchr("srmSRM", (char)c) != NULL;
}

/* -- states ---------------------------------------------------------------------------------------------- */

static const struct {
    char text[3];
    enum token_kind kind;
    int number;
} symbols[] = {
    {"==", T_BINARY, OP_EQ}, {"!=", T_BINARY, OP_NEQ},
    {"<=", T_BINARY, OP_LE}, {"</", T_BINARY, OP_TRIM_UPPER},
    {">=", T_BINARY, OP_GE}, {">/", T_BINARY, OP_TRIM_LOWER},
    {"=", T_EQ, 0},          {"<", T_BINARY, OP_LT},
    {">", T_BINARY, OP_GT},  {"+", T_BINARY, OP_ADD},
    {"-", T_BINARY, OP_SUB}, {"*", T_BINARY, OP_MUL},
    {"/", T_BINARY, OP_DIV}, {"%", T_BINARY, OP_MOD},
    {"^", T_BINARY, OP_POW}, {",", T_COMMA, 0},
    {"@", T_AT, 0},
};

static bool scan_symbol(struct lexer *l, const char *first, struct token *ret_token)
{
    struct str rest = str_slice(l->text, l->pos, l->text.n);
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        if (str_starts(rest, str_c(symbols[i].text)) && strchr(first, symbols[i].text[0])) {
            l->pos += strlen(symbols[i].text);
            *ret_token = emit(l, symbols[i].kind, symbols[i].number);
            return true;
        }
    }
    return false;
}

static struct token close_paren(struct lexer *l)
{
    struct token t = emit(l, T_RPAREN, 0);
    if (l->paren_depth == 0) {
        return fail_rune(l, "unexpected right parenthesis", ')');
    }
    l->paren_depth--;
    return t;
}

static struct token open_paren(struct lexer *l)
{
    l->paren_depth++;
    return emit(l, T_LPAREN, 0);
}

static struct token close_bracket(struct lexer *l)
{
    l->in_brackets = l->in_duration = false;
    return emit(l, T_RBRACKET, 0);
}

/* Between brackets. */
static struct token lex_duration(struct lexer *l)
{
    struct token t;
    if (scan_symbol(l, "+-*/%^,", &t)) {
        return t;
    }
    int32_t c = next(l), after = peek(l);
    if (c < 0) {
        return fail(l, "unexpected end of input in duration expression");
    }
    switch (c) {
    case ']':
        l->saw_colon = false;
        return close_bracket(l);
    case ':':
        t = emit(l, T_COLON, 0);
        if (!l->saw_duration) {
            return fail(l, "unexpected colon before duration in duration expression");
        }
        if (l->saw_colon) {
            return fail(l, "unexpected repeated colon in duration expression");
        }
        l->saw_colon = true;
        return t;
    case '(':
        return open_paren(l);
    case ')':
        return close_paren(l);
    default:
        break;
    }
    if (starts_duration_word(c)) {
        return scan_duration_word(l, &t) ? t
                                         : fail_rune(l, "unexpected character in duration expression:", c);
    }
    if (is_digit(c) || (c == '.' && is_digit(after))) {
        l->pos--;
        l->saw_duration = true;
        l->in_duration = false; /* as in the original: the rest of the brackets is read as statements */
        return lex_number(l);
    }
    return fail_rune(l, "unexpected character in duration expression:", c);
}

static struct token lex_in_braces(struct lexer *l)
{
    int32_t c = next(l);
    if (c < 0) {
        return fail(l, "unexpected end of input inside braces");
    }
    if (is_alpha(c)) {
        while (is_word(peek(l))) {
            l->pos++;
        }
        return emit(l, T_IDENTIFIER, 0);
    }
    switch (c) {
    case ',':
        return emit(l, T_COMMA, 0);
    case '"':
    case '\'':
    case '`':
        return lex_string(l, c);
    case '=':
        return accept(l, "~") ? emit(l, T_RE, 0) : emit(l, T_EQ, 0);
    case '!':
        c = next(l);
        return c == '~'   ? emit(l, T_NRE, 0)
               : c == '=' ? emit(l, T_BINARY, OP_NEQ)
                          : fail_rune(l, "unexpected character after '!' inside braces:", c);
    case '{':
        return fail_rune(l, "unexpected left brace", c);
    case '}':
        l->in_braces = false;
        return emit(l, T_RBRACE, 0);
    default:
        return fail_rune(l, "unexpected character inside braces:", c);
    }
}

/* A letter or colon after the first number within brackets. */
static struct token lex_bracket_word(struct lexer *l, int32_t c)
{
    struct token t;
    if (c == ':') {
        if (l->saw_colon) {
            return fail_rune(l, "unexpected colon", c);
        }
        l->saw_colon = true;
        return emit(l, T_COLON, 0);
    }
    if (starts_duration_word(c) && scan_duration_word(l, &t)) {
        return t;
    }
    char what[64];
    snprintf(what, sizeof(what), "unexpected character: '%c', expected", (int)c);
    return fail_rune(l, what, ':');
}

static struct token lex_end(struct lexer *l)
{
    if (l->paren_depth) {
        return fail(l, "unclosed left parenthesis");
    }
    return l->in_brackets ? fail(l, "unclosed left bracket") : emit(l, T_END, 0);
}

static struct token open_bracket(struct lexer *l)
{
    if (l->in_brackets) {
        return fail_rune(l, "unexpected left bracket", '[');
    }
    struct token t = emit(l, T_LBRACKET, 0);
    l->saw_colon = false;
    l->in_brackets = l->in_duration = true;
    return t;
}

static struct token lex_statement(struct lexer *l)
{
    struct token t;
    int32_t c = peek(l);
    if (c == '=' && l->pos + 1 < l->text.n && l->text.p[l->pos + 1] == '~') {
        l->pos++;
        return fail_rune(l, "unexpected character after '=':", '~');
    }
    if (c != '!' && scan_symbol(l, "=<>+-*/%^,@", &t)) {
        return t;
    }
    (void)next(l);
    if (c < 0) {
        return lex_end(l);
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(l)))) {
        l->pos--;
        return lex_number(l);
    }
    if (is_alpha(c) || c == ':') {
        return l->in_brackets ? lex_bracket_word(l, c) : lex_word(l);
    }
    switch (c) {
    case '!':
        c = next(l);
        return c == '=' ? emit(l, T_BINARY, OP_NEQ) : fail_rune(l, "unexpected character after '!':", c);
    case '"':
    case '\'':
    case '`':
        return lex_string(l, c);
    case '(':
        return open_paren(l);
    case ')':
        return close_paren(l);
    case '{':
        l->in_braces = true;
        return emit(l, T_LBRACE, 0);
    case '[':
        return open_bracket(l);
    case ']':
        return l->in_brackets ? close_bracket(l) : fail_rune(l, "unexpected right bracket", c);
    default:
        return fail_rune(l, "unexpected character:", c);
    }
}

static void skip_space(struct lexer *l)
{
    while (l->pos < l->text.n) {
        char c = l->text.p[l->pos];
        if (c == '#' && !l->in_duration) {
            while (l->pos < l->text.n && l->text.p[l->pos] != '\n' && l->text.p[l->pos] != '\r') {
                l->pos++;
            }
        } else if (is_space(c)) {
            l->pos++;
        } else {
            break;
        }
    }
    l->start = l->pos;
}

struct token lex_next(struct lexer *l)
{
    if (l->failed) {
        return (struct token){.kind = T_END, .pos = l->start, .end = l->pos};
    }
    skip_space(l);
    return l->in_braces ? lex_in_braces(l) : l->in_duration ? lex_duration(l) : lex_statement(l);
}
