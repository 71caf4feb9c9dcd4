/* Parsing and running templates. */
#include "agent/stages/template.h"

#include <stdio.h>

#include "agent/stages/template_int.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/num.h"

enum operand_kind {
    OP_LITERAL = 0,
    OP_DOT,
    OP_VAR,
    OP_FUNC,
    OP_PIPE /* in parentheses */
};

struct pipe;

struct operand {
    enum operand_kind kind;
    struct tval literal;
    struct str name; /* variable, without $ */
    const struct tfunc_row *fn;
    const struct pipe *pipe;
    struct str *fields; /* .A.B behind it */
    size_t field_count;
};

struct command {
    struct operand *args;
    size_t n;
};

struct pipe {
    struct str vars[2];
    size_t var_count;
    bool assigns; /* = instead of := */
    struct command *commands;
    size_t n;
};

enum node_kind {
    NODE_TEXT = 0,
    NODE_ACTION,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_BREAK,
    NODE_CONTINUE
};

struct node {
    enum node_kind kind;
    struct str text;
    const struct pipe *pipe;
    struct node *body, *otherwise;
    struct node *next;
};

struct template
{
    struct node *root;
    struct strmap regexes; /* of struct regex */
};

/* -- parsing: characters ------------------------------------------------------------------------------------
 */

struct parser {
    struct arena *a;
    struct str text;
    size_t at;
    unsigned depth;
    struct err_info *info;
};

static enum err fail(const struct parser *p, enum err e, const char *what)
{
    unsigned line = 1;
    for (size_t i = 0; i < p->at && i < p->text.n; i++) {
        line += p->text.p[i] == '\n';
    }
    return err_set(p->info, e, "template: line %u: %s", line, what);
}

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c & 0x80);
}

static struct str rest(const struct parser *p)
{
    return str_slice(p->text, p->at, p->text.n);
}

static char peek(struct parser *p)
{
    while (p->at < p->text.n && space(p->text.p[p->at])) {
        p->at++;
    }
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static bool take(struct parser *p, const char *token)
{
    (void)peek(p);
    if (!str_starts(rest(p), str_c(token))) {
        return false;
    }
    p->at += strlen(token);
    return true;
}

static struct str take_word(struct parser *p)
{
    size_t from = p->at;
    while (p->at < p->text.n && word(p->text.p[p->at])) {
        p->at++;
    }
    return str_slice(p->text, from, p->at);
}

static bool at_end_of_action(struct parser *p)
{
    char c = peek(p);
    return c == '\0' || str_starts(rest(p), STR("}}")) || str_starts(rest(p), STR("-}}"));
}

/* -- parsing: operands --------------------------------------------------------------------------------------
 */

static enum err parse_pipe(struct parser *p, struct pipe **ret, bool declares);

static enum err parse_string(struct parser *p, struct tval *ret)
{
    size_t from = p->at;
    char quote = p->text.p[p->at++];
    while (p->at < p->text.n && p->text.p[p->at] != quote) {
        p->at += quote == '"' && p->text.p[p->at] == '\\' ? 2 : 1;
    }
    if (p->at >= p->text.n) {
        return fail(p, ERR_INVALID, "unterminated quoted string");
    }
    p->at++;
    if (quote == '`') {
        *ret = tv_str(str_slice(p->text, from + 1, p->at - 1));
        return ERR_OK;
    }
    const struct json_value *v;
    enum err e = json_parse(p->a, str_slice(p->text, from, p->at), &v, NULL);
    if (e) {
        return e == ERR_OOM ? e : fail(p, ERR_INVALID, "a string has an escape that is not offered");
    }
    *ret = tv_str(v->string);
    return ERR_OK;
}

static enum err parse_number(struct parser *p, struct tval *ret)
{
    size_t from = p->at++;
    while (p->at < p->text.n && (word(p->text.p[p->at]) || strchr(".+-", p->text.p[p->at]))) {
        p->at++;
    }
    struct str s = str_slice(p->text, from, p->at);
    if (str_to_i64(s, &ret->i) == ERR_OK) {
        ret->kind = TV_INT;
        return ERR_OK;
    }
    ret->kind = TV_FLOAT;
    return num_f64_parse(s, &ret->f) ? fail(p, ERR_INVALID, "bad number syntax") : ERR_OK;
}

static enum err parse_fields(struct parser *p, struct operand *o)
{
    size_t cap = o->field_count;
    while (p->at + 1 < p->text.n && p->text.p[p->at] == '.' && word(p->text.p[p->at + 1])) {
        p->at++;
        struct str name = take_word(p);
        enum err e = arena_reserve(p->a, (void **)&o->fields, &cap, o->field_count + 1, sizeof(*o->fields));
        if (e) {
            return e;
        }
        o->fields[o->field_count++] = name;
    }
    return ERR_OK;
}

static enum err parse_name(struct parser *p, struct operand *o)
{
    struct str name = take_word(p);
    if (str_eq_c(name, "true") || str_eq_c(name, "false")) {
        o->literal = tv_bool(name.n == 4);
        return ERR_OK;
    }
    if (str_eq_c(name, "nil")) {
        return ERR_OK;
    }
    o->kind = OP_FUNC;
    o->fn = tfunc_find(name);
    if (!o->fn) {
        char text[128];
        (void)snprintf(text, sizeof(text), "function \"%.*s\" not defined", (int)(name.n < 64 ? name.n : 64),
                       name.p);
        return fail(p, ERR_INVALID, text);
    }
    return ERR_OK;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by TEMPLATE_DEPTH_MAX
static enum err parse_operand(struct parser *p, struct operand *o)
{
    char c = peek(p);
    enum err e = ERR_OK;
    *o = (struct operand){0};
    if (c == '"' || c == '`') {
        return parse_string(p, &o->literal);
    }
    if ((c >= '0' && c <= '9') || ((c == '-' || c == '+') && p->at + 1 < p->text.n)) {
        return parse_number(p, &o->literal);
    }
    if (c == '$') {
        p->at++;
        o->kind = OP_VAR;
        o->name = take_word(p);
    } else if (c == '.') {
        o->kind = OP_DOT;
        if (p->at + 1 >= p->text.n || !word(p->text.p[p->at + 1])) {
            p->at++;
            return ERR_OK;
        }
    } else if (c == '(') {
        struct pipe *inner = NULL;
        p->at++;
        o->kind = OP_PIPE;
        e = parse_pipe(p, &inner, false);
        if (!e && !take(p, ")")) {
            e = fail(p, ERR_INVALID, "unclosed left paren");
        }
        o->pipe = inner;
    } else if (word(c)) {
        e = parse_name(p, o);
    } else {
        e = fail(p, ERR_INVALID, "unexpected character in an action");
    }
    return e ? e : parse_fields(p, o);
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by TEMPLATE_DEPTH_MAX
static enum err parse_command(struct parser *p, struct command *c)
{
    struct operand args[TEMPLATE_ARGS_MAX];
    size_t n = 0;
    enum err e = ERR_OK;
    while (!e && !at_end_of_action(p) && peek(p) != '|' && peek(p) != ')') {
        if (n >= TEMPLATE_ARGS_MAX) {
            return fail(p, ERR_LIMIT, "too many arguments");
        }
        e = parse_operand(p, &args[n]);
        n += !e;
    }
    if (!e && n == 0) {
        return fail(p, ERR_INVALID, "missing value for command");
    }
    c->args = e ? NULL : arena_array(p->a, n, sizeof(*c->args));
    c->n = n;
    if (c->args) {
        memcpy(c->args, args, n * sizeof(*args));
    }
    return e ? e : c->args ? ERR_OK : ERR_OOM;
}

/* "$x :=", "$i, $x :=", "$x =". */
static enum err parse_declaration(struct parser *p, struct pipe *pipe)
{
    size_t from = p->at;
    struct str names[2];
    size_t n = 0;
    while (n < 2 && peek(p) == '$') {
        p->at++;
        names[n++] = take_word(p);
        if (!take(p, ",")) {
            break;
        }
    }
    bool declares = n && take(p, ":=");
    bool assigns = n == 1 && !declares && peek(p) == '=' && !str_starts(rest(p), STR("=="));
    if (!declares && !assigns) {
        p->at = from;
        return ERR_OK;
    }
    p->at += assigns;
    pipe->assigns = assigns;
    pipe->var_count = n;
    memcpy(pipe->vars, names, n * sizeof(*names));
    return ERR_OK;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by TEMPLATE_DEPTH_MAX
static enum err parse_pipe(struct parser *p, struct pipe **ret, bool declares)
{
    struct pipe *pipe = arena_zalloc(p->a, sizeof(*pipe));
    size_t cap = 0;
    if (!pipe) {
        return ERR_OOM;
    }
    if (++p->depth > TEMPLATE_DEPTH_MAX) {
        return fail(p, ERR_LIMIT, "nested too deeply");
    }
    enum err e = declares && peek(p) == '$' ? parse_declaration(p, pipe) : ERR_OK;
    do {
        struct command c = {0};
        e = e ? e : parse_command(p, &c);
        e = e ? e : arena_reserve(p->a, (void **)&pipe->commands, &cap, pipe->n + 1, sizeof(c));
        if (!e) {
            pipe->commands[pipe->n++] = c;
        }
    } while (!e && take(p, "|"));
    p->depth--;
    *ret = pipe;
    return e;
}

/* -- parsing: nodes -----------------------------------------------------------------------------------------
 */

/* How a list of nodes ended. */
enum list_end {
    END_TEXT = 0,
    END_END,
    END_ELSE
};

static enum err parse_list(struct parser *p, struct node **ret, enum list_end *ret_end);

/* Behind an action: }} or -}}, which eats the blanks that follow. */
static enum err close_action(struct parser *p)
{
    (void)peek(p);
    if (take(p, "-}}")) {
        (void)peek(p);
        return ERR_OK;
    }
    return take(p, "}}") ? ERR_OK : fail(p, ERR_INVALID, "unexpected text in an action, or it is not closed");
}

static bool keyword(struct parser *p, const char *name)
{
    struct str k = str_c(name);
    (void)peek(p);
    struct str s = rest(p);
    if (!str_starts(s, k) || (s.n > k.n && word(s.p[k.n]))) {
        return false;
    }
    p->at += k.n;
    return true;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by TEMPLATE_DEPTH_MAX
static enum err parse_control(struct parser *p, struct node *n)
{
    struct pipe *pipe = NULL;
    enum list_end end = END_TEXT;
    if (++p->depth > TEMPLATE_DEPTH_MAX) {
        return fail(p, ERR_LIMIT, "nested too deeply");
    }
    enum err e = parse_pipe(p, &pipe, true);
    n->pipe = pipe;
    e = e ? e : close_action(p);
    e = e ? e : parse_list(p, &n->body, &end);
    if (!e && end == END_ELSE) {
        if (n->kind != NODE_RANGE && (keyword(p, "if") || keyword(p, "with"))) { /* else if: shares the end */
            struct node *inner = arena_zalloc(p->a, sizeof(*inner));
            if (!inner) {
                return ERR_OOM;
            }
            inner->kind = p->text.p[p->at - 1] == 'f' ? NODE_IF : NODE_WITH;
            n->otherwise = inner;
            e = parse_control(p, inner);
            p->depth--;
            return e;
        }
        e = close_action(p);
        e = e ? e : parse_list(p, &n->otherwise, &end);
    }
    if (!e && end != END_END) {
        e = fail(p, ERR_INVALID, "unexpected end of the template: {{end}} is missing");
    }
    e = e ? e : close_action(p);
    p->depth--;
    return e;
}

/* One action behind {{. *ret_end is set at {{end and {{else, whose rest the caller reads. */
// NOLINTNEXTLINE(misc-no-recursion): bounded by TEMPLATE_DEPTH_MAX
static enum err parse_action(struct parser *p, struct node *n, enum list_end *ret_end)
{
    static const struct {
        const char *name;
        enum node_kind kind;
    } controls[] = {{"if", NODE_IF}, {"with", NODE_WITH}, {"range", NODE_RANGE}};
    static const char *const refused[] = {"define", "template", "block"};
    struct pipe *pipe = NULL;
    if (keyword(p, "end")) {
        *ret_end = END_END;
        return ERR_OK;
    }
    if (keyword(p, "else")) {
        *ret_end = END_ELSE;
        return ERR_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        if (keyword(p, controls[i].name)) {
            n->kind = controls[i].kind;
            return parse_control(p, n);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (keyword(p, refused[i])) {
            return fail(p, ERR_UNSUPPORTED, "define, template and block are not offered");
        }
    }
    if (keyword(p, "break") || keyword(p, "continue")) {
        n->kind = p->text.p[p->at - 1] == 'k' ? NODE_BREAK : NODE_CONTINUE;
        return close_action(p);
    }
    n->kind = NODE_ACTION;
    enum err e = parse_pipe(p, &pipe, true);
    n->pipe = pipe;
    return e ? e : close_action(p);
}

/* Text up to the next {{, and what follows the braces. */
static struct str take_text(struct parser *p, bool *ret_action)
{
    size_t open = str_find(p->text, STR("{{"), p->at), end = open == STR_NPOS ? p->text.n : open;
    struct str text = str_slice(p->text, p->at, end);
    *ret_action = open != STR_NPOS;
    p->at = open == STR_NPOS ? p->text.n : open + 2;
    if (*ret_action && p->at + 1 < p->text.n && p->text.p[p->at] == '-' && space(p->text.p[p->at + 1])) {
        p->at++;
        while (text.n && space(text.p[text.n - 1])) {
            text.n--;
        }
    }
    return text;
}

/* {{/_* ... *_/}}. True when there was one. */
static bool take_comment(struct parser *p, enum err *ret_err)
{
    if (!take(p, "/*")) {
        return false;
    }
    size_t end = str_find(p->text, STR("*/"), p->at);
    p->at = end == STR_NPOS ? p->text.n : end + 2;
    *ret_err = close_action(p);
    return true;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by TEMPLATE_DEPTH_MAX
static enum err parse_list(struct parser *p, struct node **ret, enum list_end *ret_end)
{
    enum err e = ERR_OK;
    *ret_end = END_TEXT;
    while (!e && *ret_end == END_TEXT && p->at < p->text.n) {
        bool action;
        struct str text = take_text(p, &action);
        if (text.n) {
            struct node *n = arena_zalloc(p->a, sizeof(*n));
            if (!n) {
                return ERR_OOM;
            }
            n->text = text;
            *ret = n;
            ret = &n->next;
        }
        if (!action || take_comment(p, &e)) {
            continue;
        }
        struct node *n = arena_zalloc(p->a, sizeof(*n));
        e = n ? parse_action(p, n, ret_end) : ERR_OOM;
        if (!e && *ret_end == END_TEXT) {
            *ret = n;
            ret = &n->next;
        }
    }
    return e;
}

enum err template_new(struct arena *a, struct str text, struct template **ret_template,
                      struct err_info *reterr_info)
{
    struct template *t = arena_zalloc(a, sizeof(*t));
    struct parser p = {.a = a, .text = arena_str(a, text), .info = reterr_info};
    enum list_end end = END_TEXT;
    if (!t || !p.text.p) {
        return ERR_OOM;
    }
    enum err e = parse_list(&p, &t->root, &end);
    if (!e && end != END_TEXT) {
        e = fail(&p, ERR_INVALID, "unexpected {{end}} or {{else}}");
    }
    if (!e) {
        *ret_template = t;
    }
    return e;
}

static void free_regex(void *re)
{
    regex_free(re);
}

void template_free(struct template *t)
{
    if (t) {
        strmap_clear(&t->regexes, free_regex);
        strmap_done(&t->regexes);
    }
}

struct regex *template_regex(struct template *t, struct str pattern)
{
    struct regex *re = strmap_get(&t->regexes, pattern);
    if (re) {
        return re;
    }
    if (t->regexes.count >= TEMPLATE_REGEXES_MAX) { /* patterns made from data */
        strmap_clear(&t->regexes, free_regex);
    }
    if (regex_new(pattern, 0, &re, NULL)) {
        return NULL;
    }
    if (strmap_put(&t->regexes, pattern, re, NULL)) {
        regex_free(re);
        return NULL;
    }
    return re;
}

/* -- values -------------------------------------------------------------------------------------------------
 */

bool tv_truth(const struct texec *x, const struct tval *v)
{
    switch (v->kind) {
    case TV_NIL:
        return false;
    case TV_BOOL:
        return v->b;
    case TV_INT:
        return v->i != 0;
    case TV_FLOAT:
        return v->f < 0 || v->f > 0;
    case TV_STR:
        return v->s.n > 0;
    case TV_LIST:
    case TV_MAP:
        return v->n > 0;
    case TV_DATA:
        return x->data->entry->extracted_count > 0;
    }
    return false;
}

// NOLINTNEXTLINE(misc-no-recursion): lists are as deep as the template that made them
void tv_print(struct texec *x, struct buf *out, const struct tval *v)
{
    char number[NUM_F64_BYTES_MAX];
    switch (v->kind) {
    case TV_NIL:
        buf_c(out, x->data->zero_missing ? "" : "<no value>");
        break;
    case TV_BOOL:
        buf_c(out, v->b ? "true" : "false");
        break;
    case TV_INT:
        buf_i64(out, v->i);
        break;
    case TV_FLOAT:
        buf_append(out, number, num_f64_format(number, v->f, 'g'));
        break;
    case TV_STR:
        buf_str(out, v->s);
        break;
    case TV_LIST:
    case TV_MAP:
        buf_c(out, v->kind == TV_LIST ? "[" : "map[");
        for (size_t i = 0; i < v->n; i++) {
            buf_c(out, i ? " " : "");
            if (v->kind == TV_MAP) {
                buf_str(out, v->keys[i]);
                buf_char(out, ':');
            }
            tv_print(x, out, &v->items[i]);
        }
        buf_char(out, ']');
        break;
    case TV_DATA:
        buf_c(out, "map[...]");
        break;
    }
}

bool tv_take(struct texec *x, struct buf *b, struct tval *ret)
{
    *ret = tv_str(arena_str(x->a, buf_view(b)));
    return !b->err && ret->s.p;
}

bool tv_text(struct texec *x, const struct tval *v, struct str *ret)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    struct tval text;
    if (v->kind == TV_STR) {
        *ret = v->s;
        return true;
    }
    tv_print(x, &b, v);
    bool ok = tv_take(x, &b, &text);
    *ret = text.s;
    return ok;
}

static bool data_member(struct texec *x, struct str name, struct tval *ret)
{
    const struct template_data *d = x->data;
    *ret = (struct tval){0};
    if (d->value.p && str_eq_c(name, "Value")) {
        *ret = tv_str(d->value);
    } else if (d->line.p && str_eq_c(name, "Entry")) {
        *ret = tv_str(d->line);
    } else {
        const struct value *v = entry_value(d->entry, name);
        struct str text;
        if (v && value_text(v, x->a, &text)) {
            *ret = tv_str(text.p ? text : STR(""));
        }
    }
    return true;
}

bool tv_member(struct texec *x, const struct tval *v, struct str name, struct tval *ret)
{
    if (v->kind == TV_DATA) {
        return data_member(x, name, ret);
    }
    *ret = (struct tval){0};
    for (size_t i = 0; v->kind == TV_MAP && i < v->n; i++) {
        if (str_eq(v->keys[i], name)) {
            *ret = v->items[i];
        }
    }
    return v->kind == TV_MAP || v->kind == TV_NIL;
}

/* -- running ------------------------------------------------------------------------------------------------
 */

static bool run_pipe(struct texec *x, const struct pipe *p, const struct tval *dot, struct tval *ret);

static struct tvar *find_var(struct texec *x, struct str name)
{
    for (size_t i = x->var_count; i-- > 0;) {
        if (str_eq(x->vars[i].name, name)) {
            return &x->vars[i];
        }
    }
    return NULL;
}

static bool set_var(struct texec *x, struct str name, const struct tval *v, bool assigns)
{
    struct tvar *known = assigns ? find_var(x, name) : NULL;
    if (known) {
        known->value = *v;
        return true;
    }
    if (assigns || x->var_count >= TEMPLATE_VARS_MAX) {
        return false;
    }
    x->vars[x->var_count++] = (struct tvar){name, *v};
    return true;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_operand(struct texec *x, const struct operand *o, const struct tval *dot, struct tval *ret)
{
    struct tvar *var;
    bool ok = true;
    switch (o->kind) {
    case OP_LITERAL:
        *ret = o->literal;
        break;
    case OP_DOT:
        *ret = *dot;
        break;
    case OP_VAR:
        var = find_var(x, o->name);
        *ret = var ? var->value : (struct tval){0};
        ok = var != NULL;
        break;
    case OP_FUNC:
        ok = o->fn->min == 0 && o->fn->fn(x, NULL, 0, ret);
        break;
    case OP_PIPE:
        ok = run_pipe(x, o->pipe, dot, ret);
        break;
    }
    for (size_t i = 0; ok && i < o->field_count; i++) {
        struct tval of = *ret;
        ok = tv_member(x, &of, o->fields[i], ret);
    }
    return ok;
}

/* and, or: the first argument that decides; the rest is not looked at. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_logic(struct texec *x, const struct command *c, const struct tval *last,
                      const struct tval *dot, bool is_or, struct tval *ret)
{
    for (size_t i = 1; i < c->n; i++) {
        if (!run_operand(x, &c->args[i], dot, ret)) {
            return false;
        }
        if (tv_truth(x, ret) == is_or) {
            return true;
        }
    }
    if (last) {
        *ret = *last;
    }
    return c->n > 1 || last;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_command(struct texec *x, const struct command *c, const struct tval *last,
                        const struct tval *dot, struct tval *ret)
{
    struct tval args[TEMPLATE_ARGS_MAX + 1];
    const struct operand *first = &c->args[0];
    size_t n = 0;
    if (first->kind != OP_FUNC) {
        return c->n == 1 && !last && run_operand(x, first, dot, ret);
    }
    bool is_or = strcmp(first->fn->name, "or") == 0;
    if (is_or || strcmp(first->fn->name, "and") == 0) {
        return run_logic(x, c, last, dot, is_or, ret);
    }
    for (size_t i = 1; i < c->n; i++) {
        if (!run_operand(x, &c->args[i], dot, &args[n++])) {
            return false;
        }
    }
    if (last) {
        args[n++] = *last;
    }
    *ret = (struct tval){0};
    return n >= first->fn->min && n <= first->fn->max && first->fn->fn(x, args, n, ret);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_pipe(struct texec *x, const struct pipe *p, const struct tval *dot, struct tval *ret)
{
    struct tval last, value = {0};
    for (size_t i = 0; i < p->n; i++) {
        last = value;
        if (!run_command(x, &p->commands[i], i ? &last : NULL, dot, &value)) {
            return false;
        }
    }
    *ret = value;
    return true;
}

static bool run_list(struct texec *x, const struct node *n, const struct tval *dot);

/* The item with its variables, and the body. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_item(struct texec *x, const struct node *n, const struct tval *key, const struct tval *item)
{
    size_t vars = x->var_count;
    const struct pipe *p = n->pipe;
    bool ok = true;
    if (p->var_count == 2) {
        ok = set_var(x, p->vars[0], key, false) && set_var(x, p->vars[1], item, false);
    } else if (p->var_count == 1) {
        ok = set_var(x, p->vars[0], item, false);
    }
    ok = ok && run_list(x, n->body, item);
    x->var_count = vars;
    return ok;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_range(struct texec *x, const struct node *n, const struct tval *over, const struct tval *dot)
{
    bool ok = true;
    if (!tv_truth(x, over)) {
        return run_list(x, n->otherwise, dot);
    }
    size_t count = over->kind == TV_LIST || over->kind == TV_MAP ? over->n
                   : over->kind == TV_DATA                       ? x->data->entry->extracted_count
                   : over->kind == TV_INT && over->i > 0         ? (size_t)over->i
                                                                 : SIZE_MAX;
    for (size_t i = 0; ok && count != SIZE_MAX && i < count && x->loop != LOOP_BREAK; i++) {
        struct tval key = tv_int((int64_t)i), item = key;
        if (over->kind == TV_DATA) {
            key = tv_str(x->data->entry->extracted[i].name);
            (void)data_member(x, key.s, &item);
        } else if (over->kind != TV_INT) {
            item = over->items[i];
            key = over->kind == TV_MAP ? tv_str(over->keys[i]) : key;
        }
        x->loop = LOOP_NONE;
        ok = run_item(x, n, &key, &item);
    }
    x->loop = LOOP_NONE;
    return ok && count != SIZE_MAX;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_control(struct texec *x, const struct node *n, const struct tval *dot)
{
    struct tval v;
    size_t vars = x->var_count;
    bool ok = run_pipe(x, n->pipe, dot, &v);
    if (ok && n->kind == NODE_RANGE) {
        return run_range(x, n, &v, dot);
    }
    if (ok && n->pipe->var_count) {
        ok = set_var(x, n->pipe->vars[0], &v, n->pipe->assigns);
    }
    if (ok && tv_truth(x, &v)) {
        ok = run_list(x, n->body, n->kind == NODE_WITH ? &v : dot);
    } else if (ok) {
        ok = run_list(x, n->otherwise, dot);
    }
    x->var_count = vars;
    return ok;
}

static bool run_action(struct texec *x, const struct node *n, const struct tval *dot)
{
    struct tval v;
    if (!run_pipe(x, n->pipe, dot, &v)) {
        return false;
    }
    if (n->pipe->var_count) {
        return set_var(x, n->pipe->vars[0], &v, n->pipe->assigns);
    }
    tv_print(x, x->out, &v);
    return true;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the template
static bool run_list(struct texec *x, const struct node *n, const struct tval *dot)
{
    bool ok = ++x->depth <= TEMPLATE_DEPTH_MAX;
    for (; ok && n && x->loop == LOOP_NONE; n = n->next) {
        ok = ++x->steps <= TEMPLATE_STEPS_MAX && !x->out->err;
        switch (n->kind) {
        case NODE_TEXT:
            buf_str(x->out, n->text);
            break;
        case NODE_ACTION:
            ok = ok && run_action(x, n, dot);
            break;
        case NODE_IF:
        case NODE_WITH:
        case NODE_RANGE:
            ok = ok && run_control(x, n, dot);
            break;
        case NODE_BREAK:
            x->loop = LOOP_BREAK;
            break;
        case NODE_CONTINUE:
            x->loop = LOOP_CONTINUE;
            break;
        }
    }
    x->depth--;
    return ok;
}

bool template_run(struct template *t, struct arena *a, const struct template_data *data, struct buf *out)
{
    struct texec x = {.t = t, .a = a, .data = data, .out = out};
    struct tval root = {.kind = TV_DATA};
    x.vars[x.var_count++] = (struct tvar){STR(""), root}; /* $ */
    return run_list(&x, t->root, &root) && !out->err;
}
