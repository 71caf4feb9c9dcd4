/* Numbers, durations, and expressions of durations (ranges, steps, offsets). */
#include <math.h>

#include "codec/num.h"
#include "metrics/promql/go_math.h"
#include "metrics/promql/parse_int.h"

/* -- numbers --------------------------------------------------------------------------------------------- */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
}

/* Underscores stand between digits, or between a base prefix and a digit. */
static bool underscores_fit(struct str s)
{
    bool prefixed = s.n > 1 && s.p[0] == '0' && (s.p[1] | 32) == 'x';
    char before = prefixed ? '0' : '!';
    for (size_t i = prefixed ? 2 : 0; i < s.n; i++) {
        char c = s.p[i];
        if (digit_value(c) < (prefixed ? 16 : 10)) {
            before = '0';
        } else if (c == '_') {
            if (before != '0') {
                return false;
            }
            before = '_';
        } else if (before == '_') {
            return false;
        } else {
            before = '!';
        }
    }
    return before != '_';
}

/* Hexadecimal, octal (leading 0) and decimal integers that fit 64 bits. */
static bool parse_integer(struct str s, double *ret_v)
{
    bool hex = s.n > 2 && s.p[0] == '0' && (s.p[1] | 32) == 'x', octal = !hex && s.n > 1 && s.p[0] == '0';
    int base = hex ? 16 : octal ? 8 : 10;
    uint64_t v = 0;
    for (size_t i = hex ? 2 : 0; i < s.n; i++) {
        if (s.p[i] == '_') {
            continue;
        }
        int d = digit_value(s.p[i]);
        if (d >= base || v > ((uint64_t)INT64_MAX - (uint64_t)d) / (uint64_t)base) {
            return false;
        }
        v = v * (uint64_t)base + (uint64_t)d;
    }
    *ret_v = (double)v;
    return true;
}

enum err parse_number(struct parser *p, const struct token *t, double *ret_v)
{
    struct buf plain AUTO_BUF = {0}, shown AUTO_BUF = {0};
    bool fits = underscores_fit(t->text);
    if (fits && parse_integer(t->text, ret_v)) {
        return ERR_OK;
    }
    for (size_t i = 0; i < t->text.n; i++) {
        if (t->text.p[i] != '_') {
            buf_char(&plain, t->text.p[i]);
        }
    }
    enum err e = fits ? num_f64_parse(buf_view(&plain), ret_v) : ERR_INVALID;
    if (e == ERR_OK) {
        return ERR_OK;
    }
    return parse_fail(p, t->pos, "error parsing number: strconv.ParseFloat: parsing %.*s: %s",
                      STR_FMT(quoted(&shown, t->text)),
                      e == ERR_LIMIT ? "value out of range" : "invalid syntax");
}

/* -- durations ------------------------------------------------------------------------------------------- */

static const struct {
    char text[3];
    int64_t ns;
} units[] = {{"y", INT64_C(31536000000000000)},
             {"w", INT64_C(604800000000000)},
             {"d", INT64_C(86400000000000)},
             {"h", INT64_C(3600000000000)},
             {"m", INT64_C(60000000000)},
             {"s", INT64_C(1000000000)},
             {"ms", 1000000}};

/* One number and its unit; unit numbers must rise. */
static enum err duration_part(struct parser *p, const struct token *t, size_t *i, size_t *unit, uint64_t *ns)
{
    struct buf shown AUTO_BUF = {0}, shown_unit AUTO_BUF = {0};
    struct str s = t->text;
    size_t from = *i;
    uint64_t v = 0;
    bool valid = true;
    for (; *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9'; (*i)++) {
        valid &= v <= (UINT64_MAX - 9) / 10;
        v = v * 10 + (uint64_t)(s.p[*i] - '0');
    }
    size_t unit_from = *i, at = 0;
    while (*i < s.n && !(s.p[*i] >= '0' && s.p[*i] <= '9')) {
        (*i)++;
    }
    if (!valid || unit_from == from || *i == unit_from) {
        return parse_fail(p, t->pos, "not a valid duration string: %.*s", STR_FMT(quoted(&shown, s)));
    }
    struct str u = str_slice(s, unit_from, *i);
    while (at < ARRAY_LEN(units) && !str_eq_c(u, units[at].text)) {
        at++;
    }
    if (at == ARRAY_LEN(units)) {
        return parse_fail(p, t->pos, "unknown unit %.*s in duration %.*s", STR_FMT(quoted(&shown_unit, u)),
                          STR_FMT(quoted(&shown, s)));
    }
    if (at + 1 <= *unit) {
        return parse_fail(p, t->pos, "not a valid duration string: %.*s", STR_FMT(quoted(&shown, s)));
    }
    *unit = at + 1;
    if (v > (UINT64_C(1) << 63) / (uint64_t)units[at].ns) {
        return parse_fail(p, t->pos, "duration out of range");
    }
    *ns += v * (uint64_t)units[at].ns;
    return *ns > INT64_MAX ? parse_fail(p, t->pos, "duration out of range") : ERR_OK;
}

static enum err parse_duration(struct parser *p, const struct token *t, double *ret_seconds)
{
    uint64_t ns = 0;
    size_t i = 0, unit = 0;
    enum err e = ERR_OK;
    while (!e && i < t->text.n) {
        e = duration_part(p, t, &i, &unit, &ns);
    }
    *ret_seconds = go_seconds((int64_t)(ns / 1000000));
    return e;
}

int64_t duration_ms(double seconds)
{
    double ns = round(seconds * 1e9);
    if (!(ns < 9223372036854775808.0)) {
        return INT64_MIN / 1000000; /* what Go's conversion gives on amd64 */
    }
    return ns < -9223372036854775808.0 ? INT64_MIN / 1000000 : (int64_t)ns / 1000000;
}

enum err parse_literal(struct parser *p, struct node **ret_n)
{
    struct token t = parse_take(p);
    struct node *n = parse_node(p, N_NUMBER, t.pos);
    if (!n) {
        return parse_no_memory(p);
    }
    n->end = t.end;
    n->as_duration = t.kind == T_DURATION;
    *ret_n = n;
    return t.kind == T_DURATION ? parse_duration(p, &t, &n->number) : parse_number(p, &t, &n->number);
}

/* -- expressions of durations ---------------------------------------------------------------------------- */

static enum err duration_expr(struct parser *p, unsigned min_precedence, struct node **ret_n);

static bool out_of_range(double seconds)
{
    return seconds > 9223372036854775808.0 / 1e9 || seconds < -9223372036854775808.0 / 1e9;
}

static enum err new_duration(struct parser *p, enum duration_op op, size_t pos, size_t end, struct node *left,
                             struct node *right, struct node **ret_n)
{
    struct node *n = parse_node(p, N_DURATION, pos);
    if (!n) {
        return parse_no_memory(p);
    }
    n->duration = op;
    n->end = end;
    enum err e = node_add_arg(p, n, left);
    *ret_n = n;
    return e ? e : node_add_arg(p, n, right);
}

/* An error found only once the next token is known: one of the lexer comes first. */
static enum err parse_semantic(struct parser *p, size_t pos, const char *what)
{
    return parse_peek(p)->kind == T_ERROR ? ERR_INVALID : parse_fail(p, pos, "%s", what);
}

static bool literal_ahead(struct parser *p)
{
    return parse_peek(p)->kind == T_NUMBER || parse_peek(p)->kind == T_DURATION;
}

static bool sign_ahead(struct parser *p)
{
    return parse_is_op(p, OP_ADD) || parse_is_op(p, OP_SUB);
}

static enum err range_literal(struct parser *p, struct node **ret_n)
{
    enum err e = parse_literal(p, ret_n);
    return !e && out_of_range((*ret_n)->number) ? parse_fail(p, (*ret_n)->pos, "duration out of range") : e;
}

/* step(), range(), min_of(a, b), max_of(a, b) */
static enum err duration_call(struct parser *p, struct node **ret_n)
{
    struct token t = parse_take(p);
    struct node *left = NULL, *right = NULL;
    enum duration_op op = t.kind == T_STEP     ? DURATION_STEP
                          : t.kind == T_RANGE  ? DURATION_RANGE
                          : t.kind == T_MIN_OF ? DURATION_MIN_OF
                                               : DURATION_MAX_OF;
    enum err e = parse_expect(p, T_LPAREN);
    if (op == DURATION_MIN_OF || op == DURATION_MAX_OF) {
        e = e ? e : duration_expr(p, 0, &left);
        e = e ? e : parse_expect(p, T_COMMA);
        e = e ? e : duration_expr(p, 0, &right);
    }
    e = e ? e : parse_expect(p, T_RPAREN);
    if (e) {
        return e;
    }
    /* as the original: the place of two operands is theirs, without the word before */
    return new_duration(p, op, left ? left->pos : t.pos, right ? right->end : p->last_end, left, right,
                        ret_n);
}

static enum err paren_duration(struct parser *p, struct node **ret_n)
{
    struct token open = parse_take(p);
    struct node *n = NULL;
    enum err e = parse_nest(p);
    e = e ? e : duration_expr(p, 0, &n);
    e = e ? e : parse_expect(p, T_RPAREN);
    p->depth--;
    if (!e && n->kind != N_DURATION) {
        e = new_duration(p, DURATION_ADD, open.pos, n->end, NULL, n, &n);
    }
    if (!e) {
        n->wrapped = true;
        *ret_n = n;
    }
    return e;
}

static enum err negated(struct parser *p, const struct token *sign, struct node *n, struct node **ret_n)
{
    bool minus = sign->number == OP_SUB;
    *ret_n = n;
    if (n->kind == N_DURATION) {
        return minus ? new_duration(p, DURATION_SUB, sign->pos, n->end, NULL, n, ret_n) : ERR_OK;
    }
    n->number = minus ? -n->number : n->number;
    n->pos = sign->pos;
    return out_of_range(n->number) ? parse_fail(p, sign->pos, "duration out of range") : ERR_OK;
}

enum {
    SIGN_PRECEDENCE = 2 /* that of multiplication */
};

static enum err duration_primary(struct parser *p, struct node **ret_n)
{
    if (literal_ahead(p)) {
        return range_literal(p, ret_n);
    }
    if (sign_ahead(p)) {
        struct token sign = parse_take(p);
        struct node *n = NULL;
        enum err e = parse_nest(p);
        e = e ? e : duration_expr(p, SIGN_PRECEDENCE + 1, &n);
        p->depth--;
        return e ? e : negated(p, &sign, n, ret_n);
    }
    switch ((int)parse_peek(p)->kind) {
    case T_STEP:
    case T_RANGE:
    case T_MAX_OF:
    case T_MIN_OF:
        return duration_call(p, ret_n);
    case T_LPAREN:
        return paren_duration(p, ret_n);
    default:
        return parse_unexpected(p);
    }
}

static bool duration_op_ahead(struct parser *p, enum duration_op *ret_op, unsigned *ret_precedence)
{
    static const struct {
        enum binary_op op;
        enum duration_op duration;
        unsigned precedence;
    } ops[] = {{OP_ADD, DURATION_ADD, 1}, {OP_SUB, DURATION_SUB, 1}, {OP_MUL, DURATION_MUL, 2},
               {OP_DIV, DURATION_DIV, 2}, {OP_MOD, DURATION_MOD, 2}, {OP_POW, DURATION_POW, 3}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (parse_is_op(p, ops[i].op)) {
            *ret_op = ops[i].duration;
            *ret_precedence = ops[i].precedence;
            return true;
        }
    }
    return false;
}

/* Binary operators after `left`. */
static enum err duration_rest(struct parser *p, unsigned min_precedence, struct node *left,
                              struct node **ret_n)
{
    enum duration_op op;
    unsigned precedence;
    enum err e = ERR_OK;
    while (!e && duration_op_ahead(p, &op, &precedence) && precedence >= min_precedence) {
        struct token t = parse_take(p);
        struct node *right = NULL;
        e = duration_expr(p, op == DURATION_POW ? precedence : precedence + 1, &right);
        if (!e && (op == DURATION_DIV || op == DURATION_MOD) && right->kind == N_NUMBER &&
            right->number == 0) {
            e = parse_semantic(p, t.pos, op == DURATION_DIV ? "division by zero" : "modulo by zero");
        }
        e = e ? e : new_duration(p, op, left->pos, right->end, left, right, &left);
    }
    *ret_n = left;
    return e;
}

static enum err duration_expr(struct parser *p, unsigned min_precedence, struct node **ret_n)
{
    struct node *left = NULL;
    enum err e = parse_nest(p);
    e = e ? e : duration_primary(p, &left);
    e = e ? e : duration_rest(p, min_precedence, left, ret_n);
    p->depth--;
    return e;
}

/* After a sign; *ret_more: operators may follow. */
static enum err signed_offset(struct parser *p, struct node **ret_n, bool *ret_more)
{
    struct token sign = parse_take(p);
    struct node *n = NULL;
    enum err e;
    enum token_kind k = parse_peek(p)->kind;
    if (literal_ahead(p)) {
        e = parse_literal(p, &n);
    } else if (k >= T_STEP && k <= T_MIN_OF) {
        e = duration_call(p, &n);
        if (!e) { /* a plus stays in the tree here */
            return new_duration(p, sign.number == OP_SUB ? DURATION_SUB : DURATION_ADD, sign.pos, n->end,
                                NULL, n, ret_n);
        }
    } else if (k == T_LPAREN) {
        e = paren_duration(p, &n);
    } else {
        *ret_more = true;
        e = duration_expr(p, SIGN_PRECEDENCE + 1, &n);
    }
    return e ? e : negated(p, &sign, n, ret_n);
}

enum err parse_offset_duration(struct parser *p, struct node **ret_n)
{
    struct node *n = NULL;
    bool more = false;
    enum err e;
    if (sign_ahead(p)) {
        e = signed_offset(p, &n, &more);
    } else {
        more = parse_peek(p)->kind == T_LPAREN;
        e = duration_primary(p, &n);
    }
    if (e || !more) {
        *ret_n = n;
        return e;
    }
    return duration_rest(p, 0, n, ret_n);
}

enum err parse_positive_duration(struct parser *p, struct node **ret_n)
{
    enum err e = duration_expr(p, 0, ret_n);
    if (!e && (*ret_n)->kind == N_NUMBER && !((*ret_n)->number > 0)) {
        return parse_semantic(p, (*ret_n)->pos, "duration must be greater than 0");
    }
    return e;
}
