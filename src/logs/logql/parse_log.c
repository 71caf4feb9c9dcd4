/* Selectors and pipelines: the half of the grammar that log queries need. */
#include <stdarg.h>

#include "golang/gostr.h"
#include "logs/logql/parse_int.h"
#include "logs/logql/pattern.h"

static bool line_op_of(enum token_kind k, enum line_op *ret_op)
{
    static const enum token_kind kinds[] = {T_PIPE_EXACT, T_NEQ, T_PIPE_MATCH, T_NRE, T_PIPE_PATTERN, T_NPA};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i] == k) {
            *ret_op = (enum line_op)i;
            return true;
        }
    }
    return false;
}

static bool is_line_op(enum token_kind k)
{
    enum line_op ignored;
    return line_op_of(k, &ignored);
}

/* -- matchers -------------------------------------------------------------------------------------------- */

static bool matcher_op_of(enum token_kind k, enum matcher_op *ret_op)
{
    *ret_op = k == T_EQ ? MATCH_EQ : k == T_NEQ ? MATCH_NEQ : k == T_RE ? MATCH_RE : MATCH_NRE;
    return k == T_EQ || k == T_NEQ || k == T_RE || k == T_NRE;
}

/* Fills *m; a bad expression ends the parse at once, as in Loki. */
static enum err make_matcher(struct parser *p, struct matcher *m, enum matcher_op op, struct str name,
                             struct str value)
{
    struct err_info why = {0};
    enum err e = matcher_init(m, op, name, value, &why);
    if (e == ERR_INVALID || e == ERR_LIMIT) {
        return lex_fault(&p->lex, "%s", why.message);
    }
    if (!e && m->re) {
        e = ast_own_regex(p->ast, m->re);
    }
    return e ? logql_parse_no_memory(p) : ERR_OK;
}

static enum err parse_matcher(struct parser *p, struct matcher *m)
{
    struct str name = {0}, value = {0};
    enum matcher_op op;
    enum err e = parse_text(p, T_IDENTIFIER, &name);
    if (e) {
        return e;
    }
    if (!matcher_op_of(p->t.kind, &op)) {
        return logql_parse_unexpected(p, T_EQ, T_RE, T_NRE, T_NEQ, T_END);
    }
    e = parse_advance(p);
    if (!e) {
        e = parse_text(p, T_STRING, &value);
    }
    return e ? e : make_matcher(p, m, op, name, value);
}

/* A selector that does not close is complained about, and the parse goes on behind it as Loki's does: a stage
 * that is wrong in itself is then reported instead. */
static enum err recover(struct parser *p)
{
    enum err e = logql_parse_unexpected(p, T_CLOSE_BRACE, T_COMMA, T_END);
    if (e != ERR_INVALID) {
        return e;
    }
    while (p->t.kind != T_PIPE && p->t.kind != T_RANGE && !is_line_op(p->t.kind)) {
        if (!p->in_range || p->t.kind == T_END) {
            return ERR_INVALID;
        }
        e = parse_advance(p);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

enum err logql_parse_selector(struct parser *p, struct log_expr *log)
{
    struct matcher *items = NULL;
    size_t n = 0, cap = 0;
    enum err e = logql_parse_expect(p, T_OPEN_BRACE);
    if (e) {
        return e;
    }
    if (p->t.kind == T_CLOSE_BRACE) {
        return parse_advance(p);
    }
    if (p->t.kind != T_IDENTIFIER) {
        return logql_parse_unexpected(p, T_IDENTIFIER, T_CLOSE_BRACE, T_END);
    }
    for (;;) {
        e = arena_reserve(p->a, (void **)&items, &cap, n + 1, sizeof(*items));
        if (e) {
            return logql_parse_no_memory(p);
        }
        e = parse_matcher(p, &items[n]);
        if (e) {
            return e;
        }
        n++;
        if (p->t.kind == T_CLOSE_BRACE) {
            break;
        }
        if (p->t.kind != T_COMMA) {
            log->matchers = items;
            log->matcher_count = n;
            return recover(p);
        }
        e = parse_advance(p);
        if (e) {
            return e;
        }
    }
    log->matchers = items;
    log->matcher_count = n;
    return parse_advance(p);
}

/* -- line filters ---------------------------------------------------------------------------------------- */

static enum err line_operand(struct parser *p, enum line_op op, struct line_filter **ret_filter)
{
    struct line_filter *f = arena_zalloc(p->a, sizeof(*f));
    enum err e;
    if (!f) {
        return logql_parse_no_memory(p);
    }
    f->op = op;
    f->ip = p->t.kind == T_IP;
    *ret_filter = f;
    if (!f->ip) {
        return p->t.kind == T_STRING ? parse_text(p, T_STRING, &f->text)
                                     : logql_parse_unexpected(p, T_STRING, T_IP, T_END);
    }
    e = parse_advance(p);
    if (!e) {
        e = logql_parse_expect(p, T_OPEN_PAREN);
    }
    if (!e) {
        e = parse_text(p, T_STRING, &f->text);
    }
    return e ? e : logql_parse_expect(p, T_CLOSE_PAREN);
}

static bool line_op_is_negative(enum line_op op)
{
    return op == LINE_NEQ || op == LINE_NRE || op == LINE_NPATTERN;
}

/* One operator with its operands: alternatives of a positive one, a row of filters for a negative one. */
static enum err line_filter(struct parser *p, struct line_filter ***tail)
{
    enum line_op op = LINE_EQ;
    struct line_filter **alt;
    enum err e;
    (void)line_op_of(p->t.kind, &op);
    e = parse_advance(p);
    if (!e) {
        e = line_operand(p, op, *tail);
    }
    if (e) {
        return e;
    }
    alt = &(**tail)->alt;
    *tail = &(**tail)->next;
    while (p->t.kind == T_OR) {
        e = parse_advance(p);
        if (e) {
            return e;
        }
        struct line_filter ***at = line_op_is_negative(op) ? tail : &alt;
        e = line_operand(p, op, *at);
        if (e) {
            return e;
        }
        if (line_op_is_negative(op)) {
            *tail = &(**tail)->next;
        } else {
            alt = &(*alt)->alt;
        }
    }
    return ERR_OK;
}

static enum err line_filters(struct parser *p, struct stage *s)
{
    struct line_filter **tail = &s->lines;
    s->kind = STAGE_LINE_FILTER;
    while (is_line_op(p->t.kind)) {
        enum err e = line_filter(p, &tail);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

/* -- label filters --------------------------------------------------------------------------------------- */

static struct label_filter *new_filter(struct parser *p, enum label_filter_kind kind, struct str name,
                                       enum filter_op op)
{
    struct label_filter *f = arena_zalloc(p->a, sizeof(*f));
    if (f) {
        f->kind = kind;
        f->name = name;
        f->op = op;
    }
    return f;
}

static enum err string_filter(struct parser *p, struct label_filter *f, enum token_kind op)
{
    struct str value;
    enum matcher_op mop;
    (void)matcher_op_of(op, &mop);
    enum err e = parse_text(p, T_STRING, &value);
    if (e) {
        return e;
    }
    f->kind = LABEL_FILTER_STRING;
    f->matcher = arena_zalloc(p->a, sizeof(*f->matcher));
    return f->matcher ? make_matcher(p, f->matcher, mop, f->name, value) : logql_parse_no_memory(p);
}

static enum err ip_filter(struct parser *p, struct label_filter *f)
{
    f->kind = LABEL_FILTER_IP;
    enum err e = parse_advance(p);
    if (!e) {
        e = logql_parse_expect(p, T_OPEN_PAREN);
    }
    if (!e) {
        e = parse_text(p, T_STRING, &f->ip);
    }
    return e ? e : logql_parse_expect(p, T_CLOSE_PAREN);
}

static enum err number_filter(struct parser *p, struct label_filter *f)
{
    struct str fault = {0};
    f->kind = LABEL_FILTER_NUMBER;
    enum err e = logql_parse_number(p, &f->number, &fault);
    /* a number out of range ends the parse here, unlike elsewhere */
    return e ? e : fault.p ? err_set(p->info, ERR_INVALID, "%.*s", STR_FMT(fault)) : ERR_OK;
}

/* ident OP value; the identifier is the token looked at. */
static enum err comparison(struct parser *p, struct label_filter **ret_filter)
{
    static const struct {
        enum token_kind token;
        enum filter_op op;
    } ops[] = {{T_EQ, FILTER_EQ},   {T_CMP_EQ, FILTER_EQ}, {T_NEQ, FILTER_NEQ},
               {T_GT, FILTER_GT},   {T_GTE, FILTER_GTE},   {T_LT, FILTER_LT},
               {T_LTE, FILTER_LTE}, {T_RE, FILTER_EQ},     {T_NRE, FILTER_EQ}};
    size_t i = 0;
    struct label_filter *f = new_filter(p, LABEL_FILTER_NUMBER, p->t.text, FILTER_EQ);
    enum err e = f ? parse_advance(p) : logql_parse_no_memory(p);
    if (e) {
        return e;
    }
    enum token_kind op = p->t.kind;
    while (i < ARRAY_LEN(ops) && ops[i].token != op) {
        i++;
    }
    if (i == ARRAY_LEN(ops)) {
        return logql_parse_unexpected(p, T_END);
    }
    f->op = ops[i].op;
    *ret_filter = f;
    e = parse_advance(p);
    if (e) {
        return e;
    }
    bool stringy = op == T_EQ || op == T_NEQ;
    if (op == T_RE || op == T_NRE || (stringy && p->t.kind == T_STRING)) {
        return string_filter(p, f, op);
    }
    if (stringy && p->t.kind == T_IP) {
        return ip_filter(p, f);
    }
    if (p->t.kind == T_DURATION) {
        f->kind = LABEL_FILTER_DURATION;
        f->duration_ns = p->t.duration_ns;
        return parse_advance(p);
    }
    if (p->t.kind == T_BYTES) {
        f->kind = LABEL_FILTER_BYTES;
        f->bytes = go_bytes_rounded(p->t.bytes);
        return parse_advance(p);
    }
    if (p->t.kind == T_NUMBER || p->t.kind == T_ADD || p->t.kind == T_SUB) {
        return number_filter(p, f);
    }
    return logql_parse_unexpected(p, T_END);
}

enum joint {
    JOINT_NONE,
    JOINT_AND,
    JOINT_OR,
    JOINT_OTHER /* a comma or nothing at all between two filters */
};

static enum err filter_row(struct parser *p, enum joint pending, struct label_filter **ret_filter);

static enum err filter_primary(struct parser *p, struct label_filter **ret_filter)
{
    if (p->t.kind == T_IDENTIFIER) {
        return comparison(p, ret_filter);
    }
    if (p->t.kind != T_OPEN_PAREN) {
        return logql_parse_unexpected(p, T_IDENTIFIER, T_OPEN_PAREN, T_END);
    }
    enum err e = parse_deeper(p);
    if (!e) {
        e = parse_advance(p);
    }
    if (!e) {
        e = filter_row(p, JOINT_NONE, ret_filter);
    }
    if (e) {
        return e;
    }
    p->depth--;
    return p->t.kind == T_CLOSE_PAREN ? parse_advance(p) : logql_parse_unexpected(p, T_END);
}

/* `and` binds tighter than `or`; a comma and mere sequence have no rank: what follows them goes to the right.
 */
static enum err filter_row(struct parser *p, enum joint pending, struct label_filter **ret_filter)
{
    struct label_filter *left = NULL, *right = NULL;
    enum err e = parse_deeper(p);
    if (!e) {
        e = filter_primary(p, &left);
    }
    while (!e) {
        enum token_kind k = p->t.kind;
        enum joint j = k == T_AND ? JOINT_AND : k == T_OR ? JOINT_OR : JOINT_OTHER;
        bool more = k == T_AND || k == T_OR || k == T_COMMA || k == T_IDENTIFIER || k == T_OPEN_PAREN;
        bool ended = (pending == JOINT_AND && (j == JOINT_AND || j == JOINT_OR)) ||
                     (pending == JOINT_OR && j == JOINT_OR);
        if (!more || ended) {
            break;
        }
        if (k != T_IDENTIFIER && k != T_OPEN_PAREN) {
            e = parse_advance(p);
        }
        if (!e) {
            e = filter_row(p, j, &right);
        }
        if (!e) {
            struct label_filter *f =
                new_filter(p, j == JOINT_OR ? LABEL_FILTER_OR : LABEL_FILTER_AND, (struct str){0}, FILTER_EQ);
            if (!f) {
                return logql_parse_no_memory(p);
            }
            f->left = left;
            f->right = right;
            left = f;
        }
    }
    p->depth--;
    *ret_filter = left;
    return e;
}

enum err parse_label_filter(struct parser *p, struct label_filter **ret_filter)
{
    return filter_row(p, JOINT_NONE, ret_filter);
}

/* -- stages ---------------------------------------------------------------------------------------------- */

/* regexp and pattern are compiled as they are read; what is wrong with them ends the parse at once. */
static enum err stage_compile(struct parser *p, struct stage *s)
{
    struct err_info why = {0};
    enum err e = ERR_OK;
    if (s->kind == STAGE_REGEXP) {
        e = regexp_stage_new(s->text, &s->re, &why);
        if (!e) {
            e = ast_own_regex(p->ast, s->re);
        }
    } else if (s->kind == STAGE_PATTERN) {
        e = pattern_parse(p->a, s->text, &s->pattern, &why);
        if (!e) {
            e = pattern_check_captures(s->pattern, &why);
        }
    }
    if (e == ERR_INVALID || e == ERR_LIMIT) {
        return lex_fault(&p->lex, "invalid %s parser: %s", s->kind == STAGE_REGEXP ? "regexp" : "pattern",
                         why.message);
    }
    return e ? logql_parse_no_memory(p) : ERR_OK;
}

static enum err new_item(struct parser *p, struct stage_item ***tail, struct str name)
{
    struct stage_item *i = arena_zalloc(p->a, sizeof(*i));
    if (!i) {
        return logql_parse_no_memory(p);
    }
    i->name = name;
    **tail = i;
    return ERR_OK;
}

/* One of ident[="expr"]; at IDENTIFIER. */
static enum err extraction(struct parser *p, struct stage_item *i)
{
    i->value = i->name;
    if (p->t.kind != T_EQ) {
        return ERR_OK;
    }
    enum err e = parse_advance(p);
    return e ? e : parse_text(p, T_STRING, &i->value);
}

/* One of dst=src, dst="template". */
static enum err label_format(struct parser *p, struct stage_item *i)
{
    enum err e = logql_parse_expect(p, T_EQ);
    if (e) {
        return e;
    }
    if (p->t.kind != T_IDENTIFIER && p->t.kind != T_STRING) {
        return logql_parse_unexpected(p, T_IDENTIFIER, T_STRING, T_END);
    }
    i->rename = p->t.kind == T_IDENTIFIER;
    i->value = p->t.text;
    return parse_advance(p);
}

/* One of name, name="v" and its kin. */
static enum err named_matcher(struct parser *p, struct stage_item *i)
{
    enum matcher_op op;
    struct str value = {0};
    if (!matcher_op_of(p->t.kind, &op)) {
        return ERR_OK;
    }
    enum err e = parse_advance(p);
    if (!e) {
        e = parse_text(p, T_STRING, &value);
    }
    if (e) {
        return e;
    }
    i->matcher = arena_zalloc(p->a, sizeof(*i->matcher));
    return i->matcher ? make_matcher(p, i->matcher, op, i->name, value) : logql_parse_no_memory(p);
}

static enum err items(struct parser *p, struct stage *s,
                      enum err (*one)(struct parser *, struct stage_item *))
{
    struct stage_item **tail = &s->items;
    for (;;) {
        struct str name;
        enum err e = parse_text(p, T_IDENTIFIER, &name);
        if (!e) {
            e = new_item(p, &tail, name);
        }
        if (!e) {
            e = one(p, *tail);
        }
        if (e || p->t.kind != T_COMMA) {
            return e;
        }
        tail = &(*tail)->next;
        e = parse_advance(p);
        if (e) {
            return e;
        }
    }
}

static enum err logfmt_stage(struct parser *p, struct stage *s)
{
    s->kind = STAGE_LOGFMT;
    while (p->t.kind == T_FUNCTION_FLAG) {
        s->strict = s->strict || str_eq_c(p->t.text, "--strict");
        s->keep_empty = s->keep_empty || str_eq_c(p->t.text, "--keep-empty");
        enum err e = parse_advance(p);
        if (e) {
            return e;
        }
    }
    if (p->t.kind == T_IDENTIFIER) {
        s->kind = STAGE_LOGFMT_EXPR;
        return items(p, s, extraction);
    }
    return ERR_OK;
}

/* The stage after its keyword. */
static enum err keyword_stage(struct parser *p, struct stage *s, enum token_kind k)
{
    switch ((int)k) {
    case T_JSON:
        s->kind = p->t.kind == T_IDENTIFIER ? STAGE_JSON_EXPR : STAGE_JSON;
        return s->kind == STAGE_JSON ? ERR_OK : items(p, s, extraction);
    case T_LOGFMT:
        return logfmt_stage(p, s);
    case T_REGEXP:
        s->kind = STAGE_REGEXP;
        return parse_text(p, T_STRING, &s->text);
    case T_PATTERN:
        s->kind = STAGE_PATTERN;
        return parse_text(p, T_STRING, &s->text);
    case T_UNPACK:
        s->kind = STAGE_UNPACK;
        return ERR_OK;
    case T_LINE_FMT:
        s->kind = STAGE_LINE_FORMAT;
        return parse_text(p, T_STRING, &s->text);
    case T_LABEL_FMT:
        s->kind = STAGE_LABEL_FORMAT;
        return items(p, s, label_format);
    case T_DECOLORIZE:
        s->kind = STAGE_DECOLORIZE;
        return ERR_OK;
    case T_DROP:
        s->kind = STAGE_DROP;
        return items(p, s, named_matcher);
    default:
        s->kind = STAGE_KEEP;
        return items(p, s, named_matcher);
    }
}

static bool is_keyword(enum token_kind k)
{
    return k == T_JSON || k == T_LOGFMT || k == T_REGEXP || k == T_PATTERN || k == T_UNPACK ||
           k == T_LINE_FMT || k == T_LABEL_FMT || k == T_DECOLORIZE || k == T_DROP || k == T_KEEP;
}

/* After "|". */
static enum err pipe_stage(struct parser *p, struct stage *s)
{
    enum token_kind k = p->t.kind;
    if (is_keyword(k)) {
        enum err e = parse_advance(p);
        if (!e) {
            e = keyword_stage(p, s, k);
        }
        return e ? e : stage_compile(p, s);
    }
    if (k != T_IDENTIFIER && k != T_OPEN_PAREN) {
        return logql_parse_unexpected(p, T_END);
    }
    s->kind = STAGE_LABEL_FILTER;
    return parse_label_filter(p, &s->filter);
}

enum err parse_stages(struct parser *p, struct log_expr *log, bool *ret_unwrap)
{
    struct stage **tail = &log->stages;
    *ret_unwrap = false;
    while (p->t.kind == T_PIPE || is_line_op(p->t.kind)) {
        struct stage *s = arena_zalloc(p->a, sizeof(*s));
        enum err e = s ? ERR_OK : logql_parse_no_memory(p);
        if (!e && p->t.kind == T_PIPE) {
            e = parse_advance(p);
            if (!e && p->t.kind == T_UNWRAP) {
                *ret_unwrap = true;
                return ERR_OK;
            }
            e = e ? e : pipe_stage(p, s);
        } else if (!e) {
            e = line_filters(p, s);
        }
        if (e) {
            return e;
        }
        *tail = s;
        tail = &s->next;
    }
    return ERR_OK;
}
