/* Text into tokens: the part of Go's text/scanner that Loki relies on, and Loki's own words on top. */
#include "logs/logql/lex.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec/units.h"
#include "golang/gostr.h"

enum {
    CH_END = -1,
    CH_NONE = -2
};

static const struct {
    const char *word;
    enum token_kind kind;
} words[] = {
    {",", T_COMMA},
    {".", T_DOT},
    {"{", T_OPEN_BRACE},
    {"}", T_CLOSE_BRACE},
    {"=", T_EQ},
    {"!=", T_NEQ},
    {"=~", T_RE},
    {"!~", T_NRE},
    {"!>", T_NPA},
    {"|=", T_PIPE_EXACT},
    {"|~", T_PIPE_MATCH},
    {"|>", T_PIPE_PATTERN},
    {"|", T_PIPE},
    {"unwrap", T_UNWRAP},
    {"(", T_OPEN_PAREN},
    {")", T_CLOSE_PAREN},
    {"by", T_BY},
    {"without", T_WITHOUT},
    {"bool", T_BOOL},
    {"[", T_OPEN_BRACKET},
    {"]", T_CLOSE_BRACKET},
    {"label_replace", T_LABEL_REPLACE},
    {"offset", T_OFFSET},
    {"on", T_ON},
    {"ignoring", T_IGNORING},
    {"group_left", T_GROUP_LEFT},
    {"group_right", T_GROUP_RIGHT},
    {"or", T_OR},
    {"and", T_AND},
    {"unless", T_UNLESS},
    {"+", T_ADD},
    {"-", T_SUB},
    {"*", T_MUL},
    {"/", T_DIV},
    {"%", T_MOD},
    {"^", T_POW},
    {"==", T_CMP_EQ},
    {">", T_GT},
    {">=", T_GTE},
    {"<", T_LT},
    {"<=", T_LTE},
    {"json", T_JSON},
    {"regexp", T_REGEXP},
    {"logfmt", T_LOGFMT},
    {"unpack", T_UNPACK},
    {"pattern", T_PATTERN},
    {"label_format", T_LABEL_FMT},
    {"line_format", T_LINE_FMT},
    {"ip", T_IP},
    {"decolorize", T_DECOLORIZE},
    {"drop", T_DROP},
    {"keep", T_KEEP},
};

/* Words only where a parenthesis or a grouping follows; label names everywhere else. */
static const struct {
    const char *word;
    enum token_kind kind;
    const char *name;
} functions[] = {
    {"rate", T_RATE, "RATE"},
    {"rate_counter", T_RATE_COUNTER, "RATE_COUNTER"},
    {"count_over_time", T_COUNT_OVER_TIME, "COUNT_OVER_TIME"},
    {"bytes_rate", T_BYTES_RATE, "BYTES_RATE"},
    {"bytes_over_time", T_BYTES_OVER_TIME, "BYTES_OVER_TIME"},
    {"avg_over_time", T_AVG_OVER_TIME, "AVG_OVER_TIME"},
    {"sum_over_time", T_SUM_OVER_TIME, "SUM_OVER_TIME"},
    {"min_over_time", T_MIN_OVER_TIME, "MIN_OVER_TIME"},
    {"max_over_time", T_MAX_OVER_TIME, "MAX_OVER_TIME"},
    {"stdvar_over_time", T_STDVAR_OVER_TIME, "STDVAR_OVER_TIME"},
    {"stddev_over_time", T_STDDEV_OVER_TIME, "STDDEV_OVER_TIME"},
    {"quantile_over_time", T_QUANTILE_OVER_TIME, "QUANTILE_OVER_TIME"},
    {"first_over_time", T_FIRST_OVER_TIME, "FIRST_OVER_TIME"},
    {"last_over_time", T_LAST_OVER_TIME, "LAST_OVER_TIME"},
    {"absent_over_time", T_ABSENT_OVER_TIME, "ABSENT_OVER_TIME"},
    {"vector", T_VECTOR, "VECTOR"},
    {"sum", T_SUM, "SUM"},
    {"avg", T_AVG, "AVG"},
    {"max", T_MAX, "MAX"},
    {"min", T_MIN, "MIN"},
    {"count", T_COUNT, "COUNT"},
    {"stddev", T_STDDEV, "STDDEV"},
    {"stdvar", T_STDVAR, "STDVAR"},
    {"bottomk", T_BOTTOMK, "BOTTOMK"},
    {"topk", T_TOPK, "TOPK"},
    {"sort", T_SORT, "SORT"},
    {"sort_desc", T_SORT_DESC, "SORT_DESC"},
    {"label_replace", T_LABEL_REPLACE, NULL},
    {"approx_topk", T_APPROX_TOPK, "APPROX_TOPK"},
    {"bytes", T_BYTES_CONV, "BYTES_CONV"},
    {"duration", T_DURATION_CONV, "DURATION_CONV"},
    {"duration_seconds", T_DURATION_SECONDS_CONV, "DURATION_SECONDS_CONV"},
    {"ip", T_IP, NULL},
};

const char *token_name(enum token_kind k)
{
    static const char *const kinds[] = {"$end",   "BYTES",         "IDENTIFIER", "STRING",
                                        "NUMBER", "FUNCTION_FLAG", "DURATION",   "RANGE"};
    if ((size_t)k < ARRAY_LEN(kinds)) {
        return kinds[k];
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].kind == k) {
            return words[i].word;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (functions[i].kind == k) {
            return functions[i].name;
        }
    }
    return "?";
}

/* -- complaints ------------------------------------------------------------------------------------------ */

void lex_complain(struct lexer *l, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    if (l->failed) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    l->failed = true;
    if (l->token_line == 0 && l->token_column == 0) {
        (void)err_set(l->info, ERR_INVALID, "parse error : %s", text);
    } else {
        (void)err_set_at(l->info, ERR_INVALID, l->token_line, l->token_column,
                         "parse error at line %u, col %u: %s", l->token_line, l->token_column, text);
    }
}

enum err lex_fault(struct lexer *l, const char *fmt, ...)
{
    char text[480];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(l->info, ERR_INVALID, "parse error : %s", text);
}

/* -- characters ------------------------------------------------------------------------------------------ */

void lex_init(struct lexer *l, struct str text, struct arena *a, struct err_info *info)
{
    *l = (struct lexer){.text = text, .a = a, .ch = CH_NONE, .line = 1, .info = info};
}

static int32_t read_char(struct lexer *l)
{
    int32_t c;
    if (l->pos >= l->text.n) {
        if (l->ch_bytes > 0) {
            l->column++;
        }
        l->ch_bytes = 0;
        return CH_END;
    }
    l->ch_bytes = go_rune(str_slice(l->text, l->pos, l->text.n), &c);
    bool broken = c == GO_RUNE_ERROR && l->ch_bytes == 1;
    l->pos += l->ch_bytes;
    l->column++;
    if (broken) {
        lex_complain(l, "invalid UTF-8 encoding");
    } else if (c == 0) {
        lex_complain(l, "invalid character NUL");
    } else if (c == '\n') {
        l->line++;
        l->last_line_len = l->column;
        l->column = 0;
    }
    return c;
}

static int32_t peek(struct lexer *l)
{
    if (l->ch == CH_NONE) {
        l->ch = read_char(l);
        if (l->ch == 0xfeff) {
            l->ch = read_char(l);
        }
    }
    return l->ch;
}

/* Takes a character outside a token, which makes the token's line unknown. */
static int32_t take(struct lexer *l)
{
    l->token_line = 0;
    int32_t c = peek(l);
    if (c != CH_END) {
        l->ch = read_char(l);
    }
    return c;
}

static int32_t lower(int32_t c)
{
    return c | ('a' - 'A');
}

static bool is_digit(int32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int32_t c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

/* -- numbers --------------------------------------------------------------------------------------------- */

enum {
    SEEN_DIGIT = 1,
    SEEN_SEPARATOR = 2
};

static int32_t digits(struct lexer *l, int32_t c, int base, int32_t *invalid, unsigned *seen)
{
    if (base <= 10) {
        int32_t most = '0' + base;
        while (is_digit(c) || c == '_') {
            if (c != '_' && c >= most && *invalid == 0) {
                *invalid = c;
            }
            *seen |= c == '_' ? SEEN_SEPARATOR : SEEN_DIGIT;
            c = read_char(l);
        }
        return c;
    }
    while (is_hex(c) || c == '_') {
        *seen |= c == '_' ? SEEN_SEPARATOR : SEEN_DIGIT;
        c = read_char(l);
    }
    return c;
}

static const char *literal_name(char prefix)
{
    switch (prefix) {
    case 'x':
        return "hexadecimal literal";
    case 'o':
    case '0':
        return "octal literal";
    case 'b':
        return "binary literal";
    default:
        return "decimal literal";
    }
}

/* True when every '_' stands between digits (a base prefix counts as one). */
static bool separators_right(struct str s)
{
    bool hex = s.n >= 2 && s.p[0] == '0' && lower(s.p[1]) == 'x';
    bool prefixed = hex || (s.n >= 2 && s.p[0] == '0' && (lower(s.p[1]) == 'o' || lower(s.p[1]) == 'b'));
    char before = prefixed ? '0' : '.';
    for (size_t i = prefixed ? 2 : 0; i < s.n; i++) {
        char c = s.p[i], kind = c == '_' ? '_' : (is_digit(c) || (hex && is_hex(c))) ? '0' : '.';
        if ((kind == '_' && before != '0') || (kind == '.' && before == '_')) {
            return false;
        }
        before = kind;
    }
    return before != '_';
}

static int32_t number_base(struct lexer *l, int32_t c, int *base, char *prefix, unsigned *seen)
{
    if (c != '0') {
        return c;
    }
    c = read_char(l);
    if (lower(c) == 'x') {
        c = read_char(l);
        *base = 16;
        *prefix = 'x';
    } else if (lower(c) == 'o') {
        c = read_char(l);
        *base = 8;
        *prefix = 'o';
    } else if (lower(c) == 'b') {
        /* Go peeks at where the scan began, which is the 0 itself unless white space came first */
        if (l->ch == '0' || l->ch == '1') {
            c = read_char(l);
            *base = 2;
            *prefix = 'b';
        }
    } else {
        *base = 8;
        *prefix = '0';
        *seen = SEEN_DIGIT;
    }
    return c;
}

static int32_t scan_number(struct lexer *l, int32_t c, size_t start, bool seen_dot)
{
    int base = 10;
    char prefix = 0;
    int32_t invalid = 0;
    unsigned seen = 0;
    bool is_float = false;
    if (!seen_dot) {
        c = number_base(l, c, &base, &prefix, &seen);
        c = digits(l, c, base, &invalid, &seen);
        if (c == '.') {
            c = read_char(l);
            seen_dot = true;
        }
    }
    if (seen_dot) {
        is_float = true;
        if (prefix == 'o' || prefix == 'b') {
            lex_complain(l, "invalid radix point in %s", literal_name(prefix));
        }
        c = digits(l, c, base, &invalid, &seen);
    }
    if (!(seen & SEEN_DIGIT)) {
        lex_complain(l, "%s has no digits", literal_name(prefix));
    }
    int32_t e = lower(c);
    if (c > 0 && (e == 'e' || (e == 'p' && prefix == 'x'))) {
        unsigned exponent = 0;
        if (e == 'e' && prefix != 0 && prefix != '0') {
            lex_complain(l, "'%c' exponent requires decimal mantissa", (char)c);
        }
        c = read_char(l);
        is_float = true;
        if (c == '+' || c == '-') {
            c = read_char(l);
        }
        int32_t ignored = '0';
        c = digits(l, c, 10, &ignored, &exponent);
        seen |= exponent;
        if (!(exponent & SEEN_DIGIT)) {
            lex_complain(l, "exponent has no digits");
        }
    } else if (prefix == 'x' && is_float) {
        lex_complain(l, "hexadecimal mantissa requires a 'p' exponent");
    }
    if (!is_float && invalid) {
        lex_complain(l, "invalid digit '%c' in %s", (char)invalid, literal_name(prefix));
    }
    if ((seen & SEEN_SEPARATOR) && !separators_right(str_slice(l->text, start, l->pos - l->ch_bytes))) {
        lex_complain(l, "'_' must separate successive digits");
    }
    return c;
}

/* -- strings --------------------------------------------------------------------------------------------- */

static int digit_value(int32_t c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    return c > 0 && is_hex(c) ? lower(c) - 'a' + 10 : 16;
}

static int32_t scan_digits(struct lexer *l, int32_t c, int base, int n)
{
    while (n > 0 && digit_value(c) < base) {
        c = read_char(l);
        n--;
    }
    if (n > 0) {
        lex_complain(l, "invalid char escape");
    }
    return c;
}

static int32_t scan_escape(struct lexer *l, int32_t quote)
{
    int32_t c = read_char(l);
    if (c == quote || (c > 0 && strchr("abfnrtv\\", (int)c))) {
        return read_char(l);
    }
    if (c >= '0' && c <= '7') {
        return scan_digits(l, c, 8, 3);
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        return scan_digits(l, read_char(l), 16, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    }
    lex_complain(l, "invalid char escape");
    return c;
}

/* The number of characters between the quotes. */
static size_t scan_string(struct lexer *l, int32_t quote)
{
    size_t n = 0;
    int32_t c = read_char(l);
    while (c != quote) {
        if (c == '\n' || c < 0) {
            lex_complain(l, "literal not terminated");
            return n;
        }
        c = c == '\\' ? scan_escape(l, quote) : read_char(l);
        n++;
    }
    return n;
}

static void scan_raw_string(struct lexer *l)
{
    int32_t c = read_char(l);
    while (c != '`') {
        if (c < 0) {
            lex_complain(l, "literal not terminated");
            return;
        }
        c = read_char(l);
    }
}

/* Comments of Go are white space to the scanner, so they are to Loki. */
static int32_t skip_comment(struct lexer *l, int32_t c)
{
    if (c == '/') {
        do {
            c = read_char(l);
        } while (c != '\n' && c >= 0);
        return c;
    }
    c = read_char(l);
    for (;;) {
        if (c < 0) {
            lex_complain(l, "comment not terminated");
            return c;
        }
        int32_t before = c;
        c = read_char(l);
        if (before == '*' && c == '/') {
            return read_char(l);
        }
    }
}

/* -- scanner tokens -------------------------------------------------------------------------------------- */

enum raw_kind {
    RAW_END,
    RAW_WORD,
    RAW_NUMBER,
    RAW_STRING,
    RAW_RAW_STRING,
    RAW_CHAR
};

static void token_place(struct lexer *l)
{
    if (l->column > 0) {
        l->token_line = l->line;
        l->token_column = l->column;
    } else {
        l->token_line = l->line - 1;
        l->token_column = l->last_line_len;
    }
}

static enum raw_kind scan(struct lexer *l, struct str *ret_text)
{
    int32_t c = peek(l);
    enum raw_kind kind = RAW_CHAR;
    size_t start;
    l->token_line = 0;
    for (;;) {
        while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            c = read_char(l);
        }
        start = l->pos - l->ch_bytes;
        token_place(l);
        if (c != '/') {
            break;
        }
        c = read_char(l);
        if (c != '/' && c != '*') {
            l->ch = c;
            *ret_text = str_slice(l->text, start, start + 1);
            return RAW_CHAR;
        }
        c = skip_comment(l, c);
    }
    if (c == CH_END) {
        kind = RAW_END;
    } else if (c == '_' || go_is_letter(c)) {
        kind = RAW_WORD;
        do {
            c = read_char(l);
        } while (c == '_' || go_is_letter(c) || go_is_digit(c));
    } else if (is_digit(c)) {
        kind = RAW_NUMBER;
        c = scan_number(l, c, start, false);
    } else if (c == '"' || c == '\'') {
        size_t n = scan_string(l, c);
        if (c == '\'' && n != 1) {
            lex_complain(l, "invalid char literal");
        }
        kind = c == '"' ? RAW_STRING : RAW_CHAR;
        c = read_char(l);
    } else if (c == '`') {
        scan_raw_string(l);
        kind = RAW_RAW_STRING;
        c = read_char(l);
    } else if (c == '.') {
        c = read_char(l);
        if (is_digit(c)) {
            kind = RAW_NUMBER;
            c = scan_number(l, c, start, true);
        }
    } else {
        c = read_char(l);
    }
    *ret_text = str_slice(l->text, start, l->pos - l->ch_bytes);
    l->ch = c;
    return kind;
}

/* -- Loki's words ---------------------------------------------------------------------------------------- */

/* The run of characters of `set` (digits of any script too) that follows, up to white space; the scanner does
 * not move. */
static struct str run_of(struct lexer *l, const char *set)
{
    size_t from = l->pos - l->ch_bytes, at = from;
    if (peek(l) == CH_END) {
        return (struct str){0};
    }
    while (at < l->text.n) {
        int32_t c;
        size_t n = go_rune(str_slice(l->text, at, l->text.n), &c);
        bool member = c == '.' || go_is_number(c) || (c == 0xb5 && set[0] == 'n') ||
                      (c > 0 && c < 128 && strchr(set, (int)c));
        if (!member) {
            break;
        }
        at += n;
    }
    return str_slice(l->text, from, at);
}

static void consume(struct lexer *l, struct str run)
{
    const char *end = run.p + run.n;
    while (l->text.p + (l->pos - l->ch_bytes) < end) {
        take(l);
    }
}

static bool try_duration(struct lexer *l, struct str number, int64_t *ret_ns)
{
    struct str run = run_of(l, "numshdwy");
    int64_t ms;
    if (run.n == 0) {
        return false;
    }
    struct str whole = {number.p, (size_t)(run.p + run.n - number.p)};
    if (units_duration_parse(whole, &ms) == ERR_OK) {
        *ret_ns = ms * NS_PER_MS;
    } else if (units_go_duration_parse(whole, ret_ns) != ERR_OK) {
        return false;
    }
    consume(l, run);
    return true;
}

static bool try_bytes(struct lexer *l, struct str number, uint64_t *ret_bytes)
{
    struct str run = run_of(l, "BikKMGTP");
    struct err_info ignored;
    if (run.n == 0) {
        return false;
    }
    struct str whole = {number.p, (size_t)(run.p + run.n - number.p)};
    if (go_bytes_parse(whole, ret_bytes, &ignored) != ERR_OK) {
        return false;
    }
    consume(l, run);
    return true;
}

static bool try_flag(struct lexer *l, struct str dash, struct str *ret_flag)
{
    size_t at = l->pos - l->ch_bytes;
    while (at < l->text.n) {
        int32_t c;
        size_t n = go_rune(str_slice(l->text, at, l->text.n), &c);
        if (c != '-' && !go_is_letter(c)) {
            break;
        }
        at += n;
    }
    struct str flag = {dash.p, (size_t)(l->text.p + at - dash.p)};
    if (!str_eq_c(flag, "--strict") && !str_eq_c(flag, "--keep-empty")) {
        return false;
    }
    consume(l, str_slice(flag, 1, flag.n));
    *ret_flag = flag;
    return true;
}

static size_t skip_space(struct str s, size_t at)
{
    while (at < s.n) {
        int32_t c;
        size_t n = go_rune(str_slice(s, at, s.n), &c);
        if (!go_is_space(c)) {
            break;
        }
        at += n;
    }
    return at;
}

/* True when "(" or a grouping follows: the word before is a function. */
static bool is_function(struct lexer *l)
{
    size_t at = peek(l) == CH_END ? l->text.n : skip_space(l->text, l->pos - l->ch_bytes);
    struct str rest = str_slice(l->text, at, l->text.n);
    if (rest.n && rest.p[0] == '(') {
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        struct str word = i ? STR("without") : STR("by");
        if (rest.n >= word.n && str_ieq(str_slice(rest, 0, word.n), word)) {
            size_t after = skip_space(rest, word.n);
            return after < rest.n && rest.p[after] == '(';
        }
    }
    return false;
}

static enum err scan_range(struct lexer *l, struct token *t)
{
    struct buf text AUTO_BUF = {0};
    int64_t ms;
    for (int32_t c = take(l); c != CH_END; c = take(l)) {
        if (c != ']') {
            go_put_rune(&text, c);
            continue;
        }
        if (text.err) {
            return text.err;
        }
        enum err e = units_duration_parse(buf_view(&text), &ms);
        if (e != ERR_OK) {
            struct err_info why = {0};
            go_duration_complaint(&why, buf_view(&text), e);
            lex_complain(l, "%s", why.message);
            return ERR_OK;
        }
        t->kind = T_RANGE;
        t->duration_ns = ms * NS_PER_MS;
        return ERR_OK;
    }
    lex_complain(l, "missing closing ']' in duration");
    return ERR_OK;
}

static enum err string_token(struct lexer *l, struct str text, struct token *t)
{
    if (!str_utf8_valid(text)) {
        lex_complain(l, "invalid UTF-8 rune");
        return ERR_OK;
    }
    enum err e = go_unquote(l->a, text, &t->text);
    if (e == ERR_INVALID) {
        lex_complain(l, "invalid syntax");
        return ERR_OK;
    }
    t->kind = e ? T_END : T_STRING;
    return e;
}

static void word_token(struct lexer *l, enum raw_kind kind, struct str text, struct token *t)
{
    char pair[8];
    t->kind = T_IDENTIFIER;
    t->text = text;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (str_ieq(text, str_c(functions[i].word))) {
            t->kind = is_function(l) ? functions[i].kind : T_IDENTIFIER;
            return;
        }
    }
    if (kind == RAW_CHAR && text.n == 1 && l->ch > 0 && l->ch < 128) {
        snprintf(pair, sizeof(pair), "%c%c", text.p[0], (char)l->ch);
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            if (str_eq_c(str_c(pair), words[i].word)) {
                take(l);
                t->kind = words[i].kind;
                return;
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_ieq(text, str_c(words[i].word))) {
            t->kind = words[i].kind;
            return;
        }
    }
}

enum err logql_lex_next(struct lexer *l, struct token *ret_token)
{
    struct str text;
    enum raw_kind kind = scan(l, &text);
    struct token *t = ret_token;
    *t = (struct token){.kind = T_END};
    while (kind == RAW_CHAR && text.n == 1 && text.p[0] == '#') {
        int32_t c = peek(l);
        while (c != '\n' && c != CH_END) {
            c = take(l);
        }
        kind = scan(l, &text);
    }
    if (kind == RAW_END) {
        return ERR_OK;
    }
    if (kind == RAW_NUMBER || (kind == RAW_CHAR && str_eq_c(text, "-"))) {
        if (kind == RAW_CHAR && l->ch == '-' && try_flag(l, text, &t->text)) {
            t->kind = T_FUNCTION_FLAG;
            return ERR_OK;
        }
        if (try_duration(l, text, &t->duration_ns)) {
            t->kind = T_DURATION;
            return ERR_OK;
        }
        if (kind == RAW_NUMBER) {
            t->kind = try_bytes(l, text, &t->bytes) ? T_BYTES : T_NUMBER;
            t->text = text;
            return ERR_OK;
        }
    }
    if (kind == RAW_STRING || kind == RAW_RAW_STRING) {
        return string_token(l, text, t);
    }
    if (kind == RAW_CHAR && str_eq_c(text, "[")) {
        return scan_range(l, t);
    }
    word_token(l, kind, text, t);
    return ERR_OK;
}
