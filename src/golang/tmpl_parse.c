/* Tokens of a template into a tree, with the complaints of Go's text/template/parse. */
#include <stdarg.h>
#include <stdio.h>

#include "codec/num.h"
#include "golang/gostr.h"
#include "golang/tmpl_int.h"

struct tparse {
    struct arena *a;
    struct tmpl *t;
    struct tmpl_token *tokens;
    size_t at;
    struct str vars[256];
    size_t var_count;
    unsigned range_depth, depth, action_line;
    struct err_info *info;
};

static enum err complain(struct tparse *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum err complain(struct tparse *p, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const struct tmpl_token *t = &p->tokens[p->at];
    return err_set(p->info, ERR_INVALID, "template: %.*s:%u: %s", STR_FMT(p->t->name), t->line, text);
}

static enum err no_memory(struct tparse *p)
{
    enum err e = arena_err(p->a);
    return err_set(p->info, e ? e : ERR_OOM, "not enough memory for the template");
}

static struct tmpl_node *new_node(struct tparse *p, enum tmpl_node_kind kind, size_t pos)
{
    struct tmpl_node *n = arena_zalloc(p->a, sizeof(*n));
    if (n) {
        n->kind = kind;
        n->pos = pos;
    }
    return n;
}

static const struct tmpl_token *peek(const struct tparse *p)
{
    return &p->tokens[p->at];
}

static void advance(struct tparse *p)
{
    enum tmpl_item k = peek(p)->kind;
    p->at += k != ITEM_EOF && k != ITEM_ERROR;
}

static const struct tmpl_token *peek_solid(struct tparse *p)
{
    while (peek(p)->kind == ITEM_SPACE) {
        advance(p);
    }
    return peek(p);
}

static void token_text(struct buf *b, const struct tmpl_token *t)
{
    if (t->kind == ITEM_EOF) {
        buf_c(b, "EOF");
    } else if (t->kind > ITEM_KEYWORD || t->kind == ITEM_NIL) {
        buf_printf(b, "<%.*s>", STR_FMT(t->text));
    } else {
        size_t cut = 0;
        int32_t c;
        for (size_t i = 0; i < 10 && cut < t->text.n; i++) {
            cut += go_rune(str_slice(t->text, cut, t->text.n), &c);
        }
        bool longer = t->text.n > 10;
        labels_quote(b, longer ? str_slice(t->text, 0, cut) : t->text);
        buf_c(b, longer ? "..." : "");
    }
}

static enum err unexpected(struct tparse *p, const char *context)
{
    const struct tmpl_token *t = peek(p);
    struct buf b AUTO_BUF = {0};
    if (t->kind == ITEM_ERROR) {
        char extra[100] = "";
        if (p->action_line && p->action_line != t->line) {
            snprintf(extra, sizeof(extra), " in action started at %.*s:%u", STR_FMT(p->t->name),
                     p->action_line);
        }
        const char *from = extra[0] && str_ends(t->text, STR(" action")) ? extra + 10 : extra;
        return complain(p, "%.*s%s", STR_FMT(t->text), from);
    }
    token_text(&b, t);
    return complain(p, "unexpected %.*s in %s", STR_FMT(buf_view(&b)), context);
}

static enum err expect(struct tparse *p, enum tmpl_item kind, const char *context)
{
    if (peek_solid(p)->kind != kind) {
        return unexpected(p, context);
    }
    advance(p);
    return ERR_OK;
}

/* -- operands -------------------------------------------------------------------------------------------- */

static enum err add_ident(struct tparse *p, struct tmpl_node *n, struct str name)
{
    struct str *grown = arena_array(p->a, n->ident_count + 1, sizeof(*grown));
    if (!grown) {
        return no_memory(p);
    }
    if (n->ident_count) {
        memcpy(grown, n->idents, n->ident_count * sizeof(*grown));
    }
    grown[n->ident_count++] = name;
    n->idents = grown;
    return ERR_OK;
}

static bool integer_of(struct str s, int64_t *ret_value)
{
    bool minus = s.n && s.p[0] == '-';
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
    unsigned base = 10;
    uint64_t v = 0;
    if (i + 1 < s.n && s.p[i] == '0') {
        char c = (char)(s.p[i + 1] | 32);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        i += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    if (i == s.n) {
        return false;
    }
    for (; i < s.n; i++) {
        char c = s.p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 99;
        if (c == '_') {
            continue;
        }
        if (d >= base || v > (UINT64_MAX - d) / base) {
            return false;
        }
        v = v * base + d;
    }
    if (v > (uint64_t)INT64_MAX + minus) {
        return false;
    }
    *ret_value = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static enum err number_node(struct tparse *p, const struct tmpl_token *t, struct tmpl_node **ret_n)
{
    struct tmpl_node *n = new_node(p, NODE_NUMBER, t->pos);
    struct buf q AUTO_BUF = {0};
    if (!n) {
        return no_memory(p);
    }
    n->text = t->text;
    *ret_n = n;
    labels_quote(&q, t->text);
    if (t->kind == ITEM_CHAR_CONSTANT) {
        struct str text;
        int32_t c;
        enum err e = go_unquote(p->a, t->text, &text);
        if (e || text.n == 0 || go_rune(text, &c) != text.n) {
            return complain(p, "malformed character constant: %.*s", STR_FMT(t->text));
        }
        n->is_int = n->is_float = true;
        n->integer = c;
        n->number = c;
        return ERR_OK;
    }
    n->is_int = integer_of(t->text, &n->integer);
    if (n->is_int) {
        n->is_float = true;
        n->number = (double)n->integer;
        return ERR_OK;
    }
    if (num_f64_parse(t->text, &n->number) != ERR_OK) {
        return complain(p, "illegal number syntax: %.*s", STR_FMT(buf_view(&q)));
    }
    n->is_float = true;
    bool plain = true;
    for (size_t i = 0; i < t->text.n; i++) {
        plain = plain && !strchr(".eEpP", t->text.p[i]);
    }
    if (plain) {
        return complain(p, "integer overflow: %.*s", STR_FMT(buf_view(&q)));
    }
    if (n->number > -9.2e18 && n->number < 9.2e18 && (double)(int64_t)n->number == n->number) {
        n->is_int = true;
        n->integer = (int64_t)n->number;
    }
    return ERR_OK;
}

static enum err pipeline(struct tparse *p, const char *context, enum tmpl_item end, struct tmpl_node **ret_n);

static enum err use_variable(struct tparse *p, const struct tmpl_token *t, struct tmpl_node **ret_n)
{
    struct tmpl_node *n = new_node(p, NODE_VARIABLE, t->pos);
    if (!n) {
        return no_memory(p);
    }
    *ret_n = n;
    for (size_t i = 0; i < p->var_count; i++) {
        if (str_eq(p->vars[i], t->text)) {
            return add_ident(p, n, t->text);
        }
    }
    struct buf q AUTO_BUF = {0};
    labels_quote(&q, t->text);
    return complain(p, "undefined variable %.*s", STR_FMT(buf_view(&q)));
}

static enum err string_node(struct tparse *p, const struct tmpl_token *t, struct tmpl_node **ret_n)
{
    struct tmpl_node *n = new_node(p, NODE_STRING, t->pos);
    if (!n) {
        return no_memory(p);
    }
    *ret_n = n;
    n->quoted = t->text;
    enum err e = go_unquote(p->a, t->text, &n->text);
    return e == ERR_INVALID ? complain(p, "invalid syntax") : e ? no_memory(p) : ERR_OK;
}

static enum err paren(struct tparse *p, struct tmpl_node **ret_n)
{
    if (++p->depth > TMPL_DEPTH_MAX) {
        return complain(p, "max expression depth exceeded");
    }
    enum err e = pipeline(p, "parenthesized pipeline", ITEM_RIGHT_PAREN, ret_n);
    p->depth--;
    return e;
}

/* One operand without its fields; NULL when the token is none. */
static enum err term(struct tparse *p, struct tmpl_node **ret_n)
{
    const struct tmpl_token *t = peek_solid(p);
    const struct tmpl_function *function;
    struct tmpl_node *n = NULL;
    *ret_n = NULL;
    switch ((int)t->kind) {
    case ITEM_IDENTIFIER:
        function = tmpl_function(p->t->dialect, t->text);
        if (!function) {
            struct buf q AUTO_BUF = {0};
            labels_quote(&q, t->text);
            return complain(p, "function %.*s not defined", STR_FMT(buf_view(&q)));
        }
        n = new_node(p, NODE_IDENTIFIER, t->pos);
        if (n) {
            n->function = function;
        }
        break;
    case ITEM_DOT:
        n = new_node(p, NODE_DOT, t->pos);
        break;
    case ITEM_NIL:
        n = new_node(p, NODE_NIL, t->pos);
        break;
    case ITEM_VARIABLE:
        advance(p);
        return use_variable(p, t, ret_n);
    case ITEM_FIELD:
        n = new_node(p, NODE_FIELD, t->pos);
        if (n && add_ident(p, n, str_slice(t->text, 1, t->text.n)) != ERR_OK) {
            return no_memory(p);
        }
        break;
    case ITEM_BOOL:
        n = new_node(p, NODE_BOOL, t->pos);
        break;
    case ITEM_CHAR_CONSTANT:
    case ITEM_NUMBER:
        advance(p);
        return number_node(p, t, ret_n);
    case ITEM_LEFT_PAREN:
        advance(p);
        return paren(p, ret_n);
    case ITEM_STRING:
    case ITEM_RAW_STRING:
        advance(p);
        return string_node(p, t, ret_n);
    default:
        return ERR_OK;
    }
    if (!n) {
        return no_memory(p);
    }
    n->text = t->text;
    n->boolean = str_eq_c(t->text, "true");
    advance(p);
    *ret_n = n;
    return ERR_OK;
}

static enum err operand(struct tparse *p, struct tmpl_node **ret_n)
{
    enum err e = term(p, ret_n);
    struct tmpl_node *n = *ret_n;
    if (e || !n || peek(p)->kind != ITEM_FIELD) {
        return e;
    }
    if (n->kind == NODE_BOOL || n->kind == NODE_STRING || n->kind == NODE_NUMBER || n->kind == NODE_NIL ||
        n->kind == NODE_DOT) {
        struct buf text AUTO_BUF = {0}, q AUTO_BUF = {0};
        tmpl_node_text(&text, n);
        labels_quote(&q, buf_view(&text));
        return complain(p, "unexpected . after term %.*s", STR_FMT(buf_view(&q)));
    }
    if (n->kind != NODE_FIELD && n->kind != NODE_VARIABLE) {
        struct tmpl_node *chain = new_node(p, NODE_CHAIN, peek(p)->pos);
        if (!chain) {
            return no_memory(p);
        }
        chain->child = n;
        n = *ret_n = chain;
    } else {
        n->pos = peek(p)->pos;
    }
    while (!e && peek(p)->kind == ITEM_FIELD) {
        e = add_ident(p, n, str_slice(peek(p)->text, 1, peek(p)->text.n));
        advance(p);
    }
    return e;
}

static enum err command(struct tparse *p, struct tmpl_node **ret_n)
{
    struct tmpl_node *cmd = new_node(p, NODE_COMMAND, peek_solid(p)->pos);
    struct tmpl_node **tail;
    if (!cmd) {
        return no_memory(p);
    }
    *ret_n = cmd;
    tail = &cmd->child;
    for (;;) {
        struct tmpl_node *n;
        enum err e = operand(p, &n);
        if (e) {
            return e;
        }
        if (n) {
            *tail = n;
            tail = &n->next;
        }
        enum tmpl_item k = peek(p)->kind;
        if (k == ITEM_SPACE) {
            advance(p);
            continue;
        }
        if (k == ITEM_PIPE) {
            advance(p);
        } else if (k != ITEM_RIGHT_DELIM && k != ITEM_RIGHT_PAREN) {
            return unexpected(p, "operand");
        }
        break;
    }
    return cmd->child ? ERR_OK : complain(p, "empty command");
}

/* -- pipelines ------------------------------------------------------------------------------------------- */

static enum err declare(struct tparse *p, struct tmpl_node *pipe, const struct tmpl_token *v)
{
    struct tmpl_node *n = new_node(p, NODE_VARIABLE, v->pos), **tail = &pipe->decl;
    if (!n) {
        return no_memory(p);
    }
    while (*tail) {
        tail = &(*tail)->next;
    }
    *tail = n;
    if (p->var_count == ARRAY_LEN(p->vars)) {
        return complain(p, "more than %zu variables", ARRAY_LEN(p->vars));
    }
    p->vars[p->var_count++] = v->text;
    return add_ident(p, n, v->text);
}

/* "$x :=", "$x =", and in a range "$i, $x :=". */
static enum err declarations(struct tparse *p, const char *context, struct tmpl_node *pipe)
{
    for (size_t n = 0;; n++) {
        const struct tmpl_token *v = peek_solid(p);
        size_t back = p->at;
        if (v->kind != ITEM_VARIABLE) {
            return ERR_OK;
        }
        advance(p);
        const struct tmpl_token *after = peek_solid(p);
        if (after->kind == ITEM_ASSIGN || after->kind == ITEM_DECLARE) {
            pipe->is_assign = after->kind == ITEM_ASSIGN;
            advance(p);
            return declare(p, pipe, v);
        }
        if (after->kind != ITEM_CHAR || !str_eq_c(after->text, ",")) {
            p->at = back;
            return ERR_OK;
        }
        advance(p);
        enum err e = declare(p, pipe, v);
        if (e) {
            return e;
        }
        if (!str_eq_c(str_c(context), "range") || n > 0) {
            return complain(p, "too many declarations in %s", context);
        }
        enum tmpl_item k = peek_solid(p)->kind;
        if (k != ITEM_VARIABLE && k != ITEM_RIGHT_DELIM && k != ITEM_RIGHT_PAREN) {
            return complain(p, "range can only initialize variables");
        }
    }
}

static bool starts_operand(enum tmpl_item k)
{
    return k == ITEM_BOOL || k == ITEM_CHAR_CONSTANT || k == ITEM_DOT || k == ITEM_FIELD ||
           k == ITEM_IDENTIFIER || k == ITEM_NUMBER || k == ITEM_NIL || k == ITEM_RAW_STRING ||
           k == ITEM_STRING || k == ITEM_VARIABLE || k == ITEM_LEFT_PAREN;
}

static enum err check_pipeline(struct tparse *p, const struct tmpl_node *pipe, const char *context)
{
    size_t stage = 1;
    if (!pipe->child) {
        return complain(p, "missing value for %s", context);
    }
    for (const struct tmpl_node *c = pipe->child->next; c; c = c->next) {
        enum tmpl_node_kind k = c->child->kind;
        stage++;
        if (k == NODE_BOOL || k == NODE_DOT || k == NODE_NIL || k == NODE_NUMBER || k == NODE_STRING) {
            return complain(p, "non executable command in pipeline stage %zu", stage);
        }
    }
    return ERR_OK;
}

static enum err pipeline(struct tparse *p, const char *context, enum tmpl_item end, struct tmpl_node **ret_n)
{
    struct tmpl_node *pipe = new_node(p, NODE_PIPE, peek_solid(p)->pos), **tail;
    if (!pipe) {
        return no_memory(p);
    }
    *ret_n = pipe;
    tail = &pipe->child;
    enum err e = declarations(p, context, pipe);
    while (!e) {
        const struct tmpl_token *t = peek_solid(p);
        if (t->kind == end) {
            e = check_pipeline(p, pipe, context);
            if (!e) {
                advance(p);
            }
            return e;
        }
        if (!starts_operand(t->kind)) {
            return unexpected(p, context);
        }
        e = command(p, tail);
        if (!e) {
            tail = &(*tail)->next;
        }
    }
    return e;
}

/* -- actions --------------------------------------------------------------------------------------------- */

static enum err text_or_action(struct tparse *p, struct tmpl_node **ret_n);

static const char *control_text(const struct tmpl_node *n)
{
    return n->kind == NODE_END ? "{{end}}" : "{{else}}";
}

/* Nodes up to an end or else, which is handed out. */
static enum err item_list(struct tparse *p, struct tmpl_node **ret_list, struct tmpl_node **ret_end)
{
    struct tmpl_node *list = new_node(p, NODE_LIST, peek_solid(p)->pos), **tail;
    if (!list) {
        return no_memory(p);
    }
    *ret_list = list;
    tail = &list->child;
    while (peek(p)->kind != ITEM_EOF) {
        struct tmpl_node *n = NULL;
        enum err e = text_or_action(p, &n);
        if (e) {
            return e;
        }
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            *ret_end = n;
            return ERR_OK;
        }
        *tail = n;
        tail = &n->next;
    }
    return complain(p, "unexpected EOF");
}

static enum err control(struct tparse *p, enum tmpl_node_kind kind, const char *context, struct tmpl_node *n)
{
    struct tmpl_node *end = NULL;
    size_t vars = p->var_count;
    if (++p->depth > TMPL_DEPTH_MAX) {
        return complain(p, "nested deeper than %d levels", TMPL_DEPTH_MAX);
    }
    enum err e = pipeline(p, context, ITEM_RIGHT_DELIM, &n->pipe);
    n->kind = kind;
    p->range_depth += kind == NODE_RANGE;
    e = e ? e : item_list(p, &n->list, &end);
    p->range_depth -= kind == NODE_RANGE;
    if (!e && end->kind == NODE_ELSE) {
        enum tmpl_item again = kind == NODE_IF ? ITEM_IF : kind == NODE_WITH ? ITEM_WITH : ITEM_EOF;
        if (again != ITEM_EOF && peek(p)->kind == again) {
            struct tmpl_node *inner = new_node(p, kind, peek(p)->pos);
            n->else_list = new_node(p, NODE_LIST, end->pos);
            if (!inner || !n->else_list) {
                return no_memory(p);
            }
            advance(p);
            n->else_list->child = inner;
            e = control(p, kind, context, inner);
        } else {
            e = item_list(p, &n->else_list, &end);
            if (!e && end->kind != NODE_END) {
                e = complain(p, "expected end; found %s", control_text(end));
            }
        }
    }
    p->var_count = vars;
    p->depth--;
    return e;
}

static enum err template_name(struct tparse *p, const char *context, struct str *ret_name)
{
    const struct tmpl_token *t = peek_solid(p);
    if (t->kind != ITEM_STRING && t->kind != ITEM_RAW_STRING) {
        return unexpected(p, context);
    }
    if (go_unquote(p->a, t->text, ret_name) != ERR_OK) {
        return complain(p, "invalid syntax");
    }
    advance(p);
    return ERR_OK;
}

/* A definition with its own variables. */
static enum err define(struct tparse *p, struct str name, const char *context)
{
    struct tmpl_def *d = arena_zalloc(p->a, sizeof(*d));
    struct tmpl_node *end = NULL;
    size_t vars = p->var_count;
    if (!d) {
        return no_memory(p);
    }
    p->var_count = 1;
    enum err e = item_list(p, &d->root, &end);
    p->var_count = vars;
    if (!e && end->kind != NODE_END) {
        e = complain(p, "unexpected %s in %s", control_text(end), context);
    }
    d->name = name;
    d->next = p->t->defs;
    p->t->defs = d;
    return e;
}

static enum err template_action(struct tparse *p, struct tmpl_node *n)
{
    n->kind = NODE_TEMPLATE;
    enum err e = template_name(p, "template clause", &n->text);
    if (e) {
        return e;
    }
    if (peek_solid(p)->kind == ITEM_RIGHT_DELIM) {
        advance(p);
        return ERR_OK;
    }
    return pipeline(p, "template clause", ITEM_RIGHT_DELIM, &n->pipe);
}

static enum err block_action(struct tparse *p, struct tmpl_node *n)
{
    n->kind = NODE_TEMPLATE;
    enum err e = template_name(p, "block clause", &n->text);
    e = e ? e : pipeline(p, "block clause", ITEM_RIGHT_DELIM, &n->pipe);
    return e ? e : define(p, n->text, "block clause");
}

static enum err loop_action(struct tparse *p, struct tmpl_node *n, bool is_break)
{
    const char *text = is_break ? "{{break}}" : "{{continue}}";
    n->kind = is_break ? NODE_BREAK : NODE_CONTINUE;
    enum err e = expect(p, ITEM_RIGHT_DELIM, text);
    return e ? e : p->range_depth ? ERR_OK : complain(p, "%s outside {{range}}", text);
}

static enum err else_action(struct tparse *p, struct tmpl_node *n)
{
    enum tmpl_item k = peek_solid(p)->kind;
    n->kind = NODE_ELSE;
    return k == ITEM_IF || k == ITEM_WITH ? ERR_OK : expect(p, ITEM_RIGHT_DELIM, "else");
}

static enum err action(struct tparse *p, struct tmpl_node **ret_n)
{
    const struct tmpl_token *t = peek_solid(p);
    struct tmpl_node *n = new_node(p, NODE_ACTION, t->pos);
    if (!n) {
        return no_memory(p);
    }
    *ret_n = n;
    if (t->kind > ITEM_KEYWORD && t->kind != ITEM_DEFINE) {
        advance(p);
    }
    switch ((int)t->kind) {
    case ITEM_BLOCK:
        return block_action(p, n);
    case ITEM_BREAK:
    case ITEM_CONTINUE:
        return loop_action(p, n, t->kind == ITEM_BREAK);
    case ITEM_ELSE:
        return else_action(p, n);
    case ITEM_END:
        n->kind = NODE_END;
        return expect(p, ITEM_RIGHT_DELIM, "end");
    case ITEM_IF:
        return control(p, NODE_IF, "if", n);
    case ITEM_RANGE:
        return control(p, NODE_RANGE, "range", n);
    case ITEM_TEMPLATE:
        return template_action(p, n);
    case ITEM_WITH:
        return control(p, NODE_WITH, "with", n);
    default:
        return pipeline(p, "command", ITEM_RIGHT_DELIM, &n->pipe);
    }
}

static enum err text_or_action(struct tparse *p, struct tmpl_node **ret_n)
{
    const struct tmpl_token *t = peek_solid(p);
    if (t->kind == ITEM_TEXT) {
        struct tmpl_node *n = new_node(p, NODE_TEXT, t->pos);
        if (!n) {
            return no_memory(p);
        }
        n->text = t->text;
        *ret_n = n;
        advance(p);
        return ERR_OK;
    }
    if (t->kind != ITEM_LEFT_DELIM) {
        return unexpected(p, "input");
    }
    advance(p);
    p->action_line = t->line;
    enum err e = action(p, ret_n);
    p->action_line = 0;
    return e;
}

static enum err definition(struct tparse *p)
{
    struct str name;
    advance(p);
    enum err e = template_name(p, "define clause", &name);
    e = e ? e : expect(p, ITEM_RIGHT_DELIM, "define clause");
    return e ? e : define(p, name, "define clause");
}

enum err tmpl_parse(struct arena *a, enum tmpl_dialect dialect, struct str name, struct str text,
                    const struct tmpl **ret_tmpl, struct err_info *reterr_info)
{
    struct tmpl *t = arena_zalloc(a, sizeof(*t));
    struct tparse *p = arena_zalloc(a, sizeof(*p));
    size_t n;
    if (!t || !p) {
        return arena_err(a);
    }
    *p = (struct tparse){.a = a, .t = t, .info = reterr_info, .vars = {STR_INIT("$")}, .var_count = 1};
    t->dialect = dialect;
    t->name = name;
    t->text = text;
    t->root = new_node(p, NODE_LIST, 0);
    enum err e = tmpl_lex(a, text, &p->tokens, &n);
    if (e || !t->root) {
        return no_memory(p);
    }
    struct tmpl_node **tail = &t->root->child;
    while (peek(p)->kind != ITEM_EOF) {
        struct tmpl_node *node = NULL;
        size_t back = p->at;
        if (peek(p)->kind == ITEM_LEFT_DELIM) {
            advance(p);
            if (peek_solid(p)->kind == ITEM_DEFINE) {
                e = definition(p);
                if (e) {
                    return e;
                }
                continue;
            }
            p->at = back;
        }
        e = text_or_action(p, &node);
        if (e) {
            return e;
        }
        if (node->kind == NODE_END || node->kind == NODE_ELSE) {
            return complain(p, "unexpected %s", control_text(node));
        }
        *tail = node;
        tail = &node->next;
    }
    *ret_tmpl = t;
    return ERR_OK;
}
