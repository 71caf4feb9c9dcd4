/* Template text into tokens. */
#include <stdio.h>

#include "golang/gostr.h"
#include "golang/tmpl_int.h"

struct tlex {
    struct arena *a;
    struct str text;
    size_t pos, start;
    unsigned line;
    int depth; /* of parentheses */
    struct tmpl_token *tokens;
    size_t n, cap;
    enum err err;
    bool ended;
};

static bool is_space(int32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(int32_t c)
{
    return c == '_' || go_is_letter(c) || go_is_digit(c);
}

static struct str rest(const struct tlex *l)
{
    return str_slice(l->text, l->pos, l->text.n);
}

/* -1 at the end. */
static int32_t peek(const struct tlex *l)
{
    int32_t c = -1;
    if (l->pos < l->text.n) {
        (void)go_rune(rest(l), &c);
    }
    return c;
}

static int32_t next(struct tlex *l)
{
    int32_t c = -1;
    if (l->pos < l->text.n) {
        l->pos += go_rune(rest(l), &c);
    }
    return c;
}

static void put(struct tlex *l, enum tmpl_item kind, struct str text)
{
    if (!l->err) {
        l->err = arena_reserve(l->a, (void **)&l->tokens, &l->cap, l->n + 1, sizeof(*l->tokens));
    }
    if (!l->err) {
        l->tokens[l->n++] = (struct tmpl_token){kind, l->start, l->line, text};
    }
    for (size_t i = l->start; i < l->pos; i++) {
        l->line += l->text.p[i] == '\n';
    }
    l->start = l->pos;
}

static void emit(struct tlex *l, enum tmpl_item kind)
{
    put(l, kind, str_slice(l->text, l->start, l->pos));
}

static void fault(struct tlex *l, struct str text)
{
    put(l, ITEM_ERROR, text);
    l->ended = true;
}

static void bad_character(struct tlex *l, const char *what, int32_t c)
{
    struct buf b AUTO_BUF = {0};
    buf_printf(&b, "%s U+%04X", what, (unsigned)(c < 0 ? -1 : c));
    if (c >= ' ' && c != 0x7f) {
        buf_c(&b, " '");
        go_put_rune(&b, c);
        buf_char(&b, '\'');
    }
    fault(l, arena_str(l->a, buf_view(&b)));
}

static bool trims_right(struct str s)
{
    return s.n >= 2 && is_space((unsigned char)s.p[0]) && s.p[1] == '-' &&
           str_starts(str_slice(s, 2, s.n), STR("}}"));
}

/* Behind a right delimiter whose marker asks for it. */
static void skip_spaces(struct tlex *l)
{
    while (l->pos < l->text.n && is_space((unsigned char)l->text.p[l->pos])) {
        l->pos++;
    }
    for (size_t i = l->start; i < l->pos; i++) {
        l->line += l->text.p[i] == '\n';
    }
    l->start = l->pos;
}

static void comment(struct tlex *l)
{
    size_t end = str_find(l->text, STR("*/"), l->pos + 2);
    if (end == STR_NPOS) {
        fault(l, STR("unclosed comment"));
        return;
    }
    l->pos = end + 2;
    bool trim = trims_right(rest(l));
    if (!trim && !str_starts(rest(l), STR("}}"))) {
        fault(l, STR("comment ends before closing delimiter"));
        return;
    }
    l->pos += trim ? 4 : 2;
    if (trim) {
        skip_spaces(l);
    } else {
        for (size_t i = l->start; i < l->pos; i++) {
            l->line += l->text.p[i] == '\n';
        }
        l->start = l->pos;
    }
}

static bool at_terminator(const struct tlex *l)
{
    int32_t c = peek(l);
    return c < 0 || is_space(c) || (c < 128 && strchr(".,|:)(", (int)c)) || str_starts(rest(l), STR("}}"));
}

static void word_run(struct tlex *l, enum tmpl_item kind)
{
    while (is_word(peek(l))) {
        (void)next(l);
    }
    if (at_terminator(l)) {
        emit(l, kind);
    } else {
        bad_character(l, "bad character", peek(l));
    }
}

static void identifier(struct tlex *l)
{
    static const struct {
        const char *word;
        enum tmpl_item kind;
    } keys[] = {{"block", ITEM_BLOCK},
                {"break", ITEM_BREAK},
                {"continue", ITEM_CONTINUE},
                {"define", ITEM_DEFINE},
                {"else", ITEM_ELSE},
                {"end", ITEM_END},
                {"if", ITEM_IF},
                {"range", ITEM_RANGE},
                {"nil", ITEM_NIL},
                {"template", ITEM_TEMPLATE},
                {"with", ITEM_WITH},
                {"true", ITEM_BOOL},
                {"false", ITEM_BOOL}};
    while (is_word(peek(l))) {
        (void)next(l);
    }
    struct str word = str_slice(l->text, l->start, l->pos);
    if (!at_terminator(l)) {
        bad_character(l, "bad character", peek(l));
        return;
    }
    enum tmpl_item kind = ITEM_IDENTIFIER;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        kind = str_eq_c(word, keys[i].word) ? keys[i].kind : kind;
    }
    emit(l, kind);
}

static void field_or_variable(struct tlex *l, enum tmpl_item kind)
{
    if (at_terminator(l)) {
        emit(l, kind == ITEM_FIELD ? ITEM_DOT : ITEM_VARIABLE);
    } else {
        word_run(l, kind);
    }
}

static void quoted(struct tlex *l, char quote, enum tmpl_item kind, const char *complaint)
{
    for (;;) {
        int32_t c = next(l);
        if (c == '\\' && quote != '`') {
            c = next(l);
            if (c >= 0 && c != '\n') {
                continue;
            }
        }
        if (c < 0 || (c == '\n' && quote != '`')) {
            fault(l, str_c(complaint));
            return;
        }
        if (c == quote) {
            emit(l, kind);
            return;
        }
    }
}

static void run_of(struct tlex *l, const char *set)
{
    while (l->pos < l->text.n && strchr(set, l->text.p[l->pos]) && l->text.p[l->pos]) {
        l->pos++;
    }
}

static bool accept(struct tlex *l, const char *set)
{
    bool yes = l->pos < l->text.n && l->text.p[l->pos] && strchr(set, l->text.p[l->pos]);
    l->pos += yes;
    return yes;
}

static void number(struct tlex *l)
{
    const char *digits = "0123456789_";
    bool decimal = true;
    (void)accept(l, "+-");
    if (accept(l, "0")) {
        decimal = false;
        if (accept(l, "xX")) {
            digits = "0123456789abcdefABCDEF_";
        } else if (accept(l, "oO")) {
            digits = "01234567_";
        } else if (accept(l, "bB")) {
            digits = "01_";
        } else {
            decimal = true;
        }
    }
    run_of(l, digits);
    if (accept(l, ".")) {
        run_of(l, digits);
    }
    if (accept(l, decimal ? "eE" : "pP")) {
        (void)accept(l, "+-");
        run_of(l, "0123456789_");
    }
    bool imaginary = accept(l, "i");
    if (imaginary || is_word(peek(l))) {
        struct buf q AUTO_BUF = {0};
        (void)next(l);
        labels_quote(&q, str_slice(l->text, l->start, l->pos));
        fault(l, arena_printf(l->a, "bad number syntax: %.*s", STR_FMT(buf_view(&q))));
        return;
    }
    emit(l, ITEM_NUMBER);
}

/* One token inside an action. False: the action ended. */
static bool inside(struct tlex *l)
{
    bool trim = trims_right(rest(l));
    if (trim || str_starts(rest(l), STR("}}"))) {
        if (l->depth) {
            fault(l, STR("unclosed left paren"));
            return false;
        }
        if (trim) {
            l->pos += 2;
            l->start = l->pos;
        }
        l->pos += 2;
        emit(l, ITEM_RIGHT_DELIM);
        if (trim) {
            skip_spaces(l);
        }
        return false;
    }
    int32_t c = next(l);
    if (c < 0) {
        fault(l, STR("unclosed action"));
    } else if (is_space(c)) {
        while (is_space(peek(l)) && !trims_right(rest(l))) {
            (void)next(l);
        }
        emit(l, ITEM_SPACE);
    } else if (c == '=') {
        emit(l, ITEM_ASSIGN);
    } else if (c == ':') {
        if (next(l) == '=') {
            emit(l, ITEM_DECLARE);
        } else {
            fault(l, STR("expected :="));
        }
    } else if (c == '|') {
        emit(l, ITEM_PIPE);
    } else if (c == '"') {
        quoted(l, '"', ITEM_STRING, "unterminated quoted string");
    } else if (c == '`') {
        quoted(l, '`', ITEM_RAW_STRING, "unterminated raw quoted string");
    } else if (c == '\'') {
        quoted(l, '\'', ITEM_CHAR_CONSTANT, "unterminated character constant");
    } else if (c == '$') {
        field_or_variable(l, ITEM_VARIABLE);
    } else if (c == '.' && (l->pos >= l->text.n || l->text.p[l->pos] < '0' || l->text.p[l->pos] > '9')) {
        field_or_variable(l, ITEM_FIELD);
    } else if (c == '.' || c == '+' || c == '-' || (c >= '0' && c <= '9')) {
        l->pos = l->start;
        number(l);
    } else if (is_word(c)) {
        identifier(l);
    } else if (c == '(') {
        l->depth++;
        emit(l, ITEM_LEFT_PAREN);
    } else if (c == ')') {
        if (--l->depth < 0) {
            fault(l, STR("unexpected right paren"));
        } else {
            emit(l, ITEM_RIGHT_PAREN);
        }
    } else if (c > ' ' && c < 0x7f) {
        emit(l, ITEM_CHAR);
    } else {
        bad_character(l, "unrecognized character in action:", c);
    }
    return !l->ended;
}

/* Text up to the next action, and its left delimiter. False: there is none. */
static bool outside(struct tlex *l)
{
    size_t at = str_find(l->text, STR("{{"), l->pos);
    if (at == STR_NPOS) {
        l->pos = l->text.n;
        if (l->pos > l->start) {
            emit(l, ITEM_TEXT);
        }
        return false;
    }
    struct str after = str_slice(l->text, at + 2, l->text.n);
    bool trim = after.n >= 2 && after.p[0] == '-' && is_space((unsigned char)after.p[1]);
    size_t end = at;
    while (trim && end > l->start && is_space((unsigned char)l->text.p[end - 1])) {
        end--;
    }
    l->pos = end;
    if (end > l->start) {
        emit(l, ITEM_TEXT);
    }
    l->pos = at;
    skip_spaces(l);
    l->start = l->pos = at;
    size_t marker = trim ? 2 : 0;
    if (str_starts(str_slice(after, marker, after.n), STR("/*"))) {
        l->pos += 2 + marker;
        comment(l);
        return !l->ended;
    }
    l->pos += 2;
    emit(l, ITEM_LEFT_DELIM);
    l->pos += marker;
    l->start = l->pos;
    l->depth = 0;
    while (inside(l)) {
    }
    return !l->ended;
}

enum err tmpl_lex(struct arena *a, struct str text, struct tmpl_token **ret_tokens, size_t *ret_n)
{
    struct tlex l = {.a = a, .text = text, .line = 1};
    while (outside(&l)) {
    }
    if (!l.ended) {
        put(&l, ITEM_EOF, STR("EOF"));
    }
    *ret_tokens = l.tokens;
    *ret_n = l.n;
    return l.err;
}
