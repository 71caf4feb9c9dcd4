/* Functions of templates over any value, and the look-up of all of them. */
#include <stdarg.h>
#include <stdio.h>

#include "codec/json.h"
#include "codec/num.h"
#include "golang/tmpl_funcs.h"

void tmpl_fail(call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->fault, sizeof(c->fault), fmt, ap);
    va_end(ap);
}

void tmpl_give(call *c, const struct buf *b)
{
    struct str s = b->err ? (struct str){0} : arena_str(c->a, buf_view(b));
    c->out_of_memory = c->out_of_memory || !s.p;
    c->result = tmpl_string(s.p ? s : STR(""));
}

struct str tmpl_arg_str(const call *c, size_t i)
{
    return c->args[i].s.p ? c->args[i].s : STR("");
}

static void give_str(call *c, struct str s)
{
    c->result = tmpl_string(s);
}

/* -- values ---------------------------------------------------------------------------------------------- */

static void fn_default(call *c)
{
    c->result = c->n > 1 && tmpl_true(&c->args[1]) ? c->args[1] : c->args[0];
    if (c->n > 1 && (c->args[1].kind == VAL_TIME)) {
        c->result = c->args[1];
    }
}

static enum err from_json(struct arena *a, const struct json_value *j, struct tmpl_value *ret_v);

// NOLINTNEXTLINE(misc-no-recursion): the JSON parser bounds the depth
static enum err from_children(struct arena *a, const struct json_value *j, struct tmpl_value *ret_v)
{
    struct tmpl_value *v = arena_array(a, j->count + 1, sizeof(*v));
    struct str *keys = arena_array(a, j->count + 1, sizeof(*keys));
    size_t n = 0;
    if (!v || !keys) {
        return arena_err(a);
    }
    for (const struct json_value *c = j->child; c; c = c->next) {
        enum err e = from_json(a, c, &v[n]);
        if (e) {
            return e;
        }
        keys[n++] = c->key;
    }
    return j->kind == JSON_ARRAY ? tmpl_list(a, v, n, ret_v) : tmpl_map(a, keys, v, n, ret_v);
}

// NOLINTNEXTLINE(misc-no-recursion): the JSON parser bounds the depth
static enum err from_json(struct arena *a, const struct json_value *j, struct tmpl_value *ret_v)
{
    enum err e = ERR_OK;
    *ret_v = tmpl_none();
    switch (j->kind) {
    case JSON_NULL:
        break;
    case JSON_BOOL:
        *ret_v = tmpl_bool(j->boolean);
        break;
    case JSON_NUMBER:
        *ret_v = tmpl_float(0);
        (void)!num_f64_parse(j->raw, &ret_v->f);
        break;
    case JSON_STRING:
        *ret_v = tmpl_string(j->string);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        e = from_children(a, j, ret_v);
        break;
    }
    ret_v->boxed = true;
    return e;
}

static void fn_from_json(call *c)
{
    const struct json_value *v;
    struct err_info ignored;
    /* the tree borrows from a copy, which lives as long as it */
    c->result = tmpl_none();
    if (json_parse(c->a, tmpl_arg_str(c, 0), &v, &ignored) == ERR_OK) {
        c->out_of_memory = from_json(c->a, v, &c->result) != ERR_OK;
    }
}

static void fn_not(call *c)
{
    c->result = tmpl_bool(!tmpl_true(&c->args[0]));
}

static void fn_len(call *c)
{
    const struct tmpl_value *v = &c->args[0];
    switch ((int)v->kind) {
    case VAL_STRING:
        c->result = tmpl_int((int64_t)v->s.n);
        break;
    case VAL_LABELS:
        c->result = tmpl_int((int64_t)v->labels->n);
        break;
    case VAL_MAP:
    case VAL_LIST:
        c->result = tmpl_int((int64_t)v->items->n);
        break;
    case VAL_NONE:
        tmpl_fail(c, "len of nil pointer");
        break;
    default:
        tmpl_fail(c, "len of type %s", tmpl_type(v));
    }
}

static bool is_integer(const struct tmpl_value *v)
{
    return v->kind == VAL_INT || v->kind == VAL_INT64 || v->kind == VAL_BYTE || v->kind == VAL_MONTH ||
           v->kind == VAL_WEEKDAY;
}

/* A position in something of n elements; false: it failed. */
static bool position(call *c, const struct tmpl_value *v, size_t most, size_t *ret_at)
{
    if (v->kind == VAL_NONE) {
        tmpl_fail(c, "cannot index slice/array with nil");
        return false;
    }
    if (!is_integer(v)) {
        tmpl_fail(c, "cannot index slice/array with type %s", tmpl_type(v));
        return false;
    }
    if (v->i < 0 || (uint64_t)v->i > most) {
        tmpl_fail(c, "index out of range: %lld", (long long)v->i);
        return false;
    }
    *ret_at = (size_t)v->i;
    return true;
}

static bool index_one(call *c, struct tmpl_value *v, const struct tmpl_value *by)
{
    size_t at;
    switch ((int)v->kind) {
    case VAL_NONE:
        tmpl_fail(c, "index of nil pointer");
        return false;
    case VAL_STRING:
        if (!position(c, by, v->s.n, &at)) {
            return false;
        }
        if (at == v->s.n) {
            tmpl_fail(c, "reflect: string index out of range");
            return false;
        }
        *v = (struct tmpl_value){.kind = VAL_BYTE, .i = (unsigned char)v->s.p[at]};
        return true;
    case VAL_LIST:
        if (!position(c, by, v->items->n, &at)) {
            return false;
        }
        if (at == v->items->n) {
            tmpl_fail(c, "reflect: slice index out of range");
            return false;
        }
        *v = v->items->v[at];
        return true;
    case VAL_LABELS:
    case VAL_MAP:
        if (by->kind != VAL_STRING) {
            if (by->kind == VAL_NONE) {
                tmpl_fail(c, "value is nil; should be of type string");
            } else {
                tmpl_fail(c, "value has type %s; should be string", tmpl_type(by));
            }
            return false;
        }
        *v = v->kind == VAL_MAP ? tmpl_member(v, by->s) : tmpl_label(c->in, by->s);
        return true;
    default:
        tmpl_fail(c, "can't index item of type %s", tmpl_type(v));
        return false;
    }
}

static void fn_index(call *c)
{
    struct tmpl_value v = c->args[0];
    if (v.kind == VAL_NONE) {
        tmpl_fail(c, "index of untyped nil");
        return;
    }
    for (size_t i = 1; i < c->n; i++) {
        if (!index_one(c, &v, &c->args[i])) {
            return;
        }
    }
    c->result = v;
}

static void fn_slice(call *c)
{
    const struct tmpl_value *v = &c->args[0];
    size_t at[2] = {0, v->s.n};
    if (v->kind != VAL_STRING) {
        if (v->kind == VAL_NONE) {
            tmpl_fail(c, "slice of untyped nil");
        } else {
            tmpl_fail(c, "can't slice item of type %s", tmpl_type(v));
        }
        return;
    }
    if (c->n > 4) {
        tmpl_fail(c, "too many slice indexes: %zu", c->n - 1);
        return;
    }
    if (c->n == 4) {
        tmpl_fail(c, "cannot 3-index slice a string");
        return;
    }
    for (size_t i = 1; i < c->n; i++) {
        if (!position(c, &c->args[i], v->s.n, &at[i - 1])) {
            return;
        }
    }
    if (at[0] > at[1]) {
        tmpl_fail(c, "invalid slice index: %zu > %zu", at[0], at[1]);
        return;
    }
    give_str(c, str_slice(v->s, at[0], at[1]));
}

static void fn_print(call *c)
{
    struct buf b AUTO_BUF = {0};
    tmpl_sprint(&b, c->args, c->n, false);
    tmpl_give(c, &b);
}

static void fn_println(call *c)
{
    struct buf b AUTO_BUF = {0};
    tmpl_sprint(&b, c->args, c->n, true);
    tmpl_give(c, &b);
}

static void fn_printf(call *c)
{
    struct buf b AUTO_BUF = {0};
    tmpl_sprintf(&b, tmpl_arg_str(c, 0), c->args + 1, c->n - 1);
    tmpl_give(c, &b);
}

/* The arguments as one text: what html, js and urlquery escape. */
static void joined(call *c, struct buf *b)
{
    if (c->n == 1 && c->args[0].kind == VAL_STRING) {
        buf_str(b, c->args[0].s);
    } else {
        tmpl_sprint(b, c->args, c->n, false);
    }
}

static void fn_html(call *c)
{
    struct buf in AUTO_BUF = {0}, b AUTO_BUF = {0};
    joined(c, &in);
    for (size_t i = 0; i < in.n; i++) {
        static const char from[] = "\"'&<>";
        static const char *const to[] = {"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"};
        const char *at = in.p[i] ? strchr(from, in.p[i]) : NULL;
        if (in.p[i] == 0) {
            buf_c(&b, "\xef\xbf\xbd");
        } else if (at) {
            buf_c(&b, to[at - from]);
        } else {
            buf_char(&b, in.p[i]);
        }
    }
    tmpl_give(c, &b);
}

static void fn_js(call *c)
{
    struct buf in AUTO_BUF = {0}, b AUTO_BUF = {0};
    joined(c, &in);
    for (size_t i = 0; i < in.n; i++) {
        char ch = in.p[i];
        if (ch == '\\' || ch == '\'' || ch == '"') {
            buf_char(&b, '\\');
            buf_char(&b, ch);
        } else if ((unsigned char)ch < ' ' || strchr("<>&=", ch)) {
            buf_printf(&b, "\\u%04X", (unsigned char)ch);
        } else {
            buf_char(&b, ch);
        }
    }
    tmpl_give(c, &b);
}

static void fn_urlquery(call *c)
{
    struct buf in AUTO_BUF = {0}, b AUTO_BUF = {0};
    joined(c, &in);
    tmpl_url_encode(&b, buf_view(&in));
    tmpl_give(c, &b);
}

static void fn_call(call *c)
{
    if (c->args[0].kind == VAL_NONE) {
        tmpl_fail(c, "call of nil");
    } else {
        tmpl_fail(c, "non-function of type %s", tmpl_type(&c->args[0]));
    }
}

/* -- comparison ------------------------------------------------------------------------------------------ */

enum basic {
    BASIC_NONE = 0,
    BASIC_BOOL,
    BASIC_INT,
    BASIC_FLOAT,
    BASIC_STRING,
    BASIC_UINT
};

static enum basic basic_of(const struct tmpl_value *v)
{
    switch ((int)v->kind) {
    case VAL_BOOL:
        return BASIC_BOOL;
    case VAL_INT:
    case VAL_INT64:
    case VAL_MONTH:
    case VAL_WEEKDAY:
        return BASIC_INT;
    case VAL_BYTE:
        return BASIC_UINT;
    case VAL_FLOAT:
        return BASIC_FLOAT;
    case VAL_STRING:
        return BASIC_STRING;
    default:
        return BASIC_NONE;
    }
}

static bool incompatible(call *c, const struct tmpl_value *a, const struct tmpl_value *b)
{
    tmpl_fail(c, "incompatible types for comparison: %s and %s", tmpl_type(a), tmpl_type(b));
    return false;
}

static bool equal(call *c, const struct tmpl_value *a, const struct tmpl_value *b)
{
    enum basic x = basic_of(a), y = basic_of(b);
    bool whole = (x == BASIC_INT || x == BASIC_UINT) && (y == BASIC_INT || y == BASIC_UINT);
    if (x != y && !whole) {
        return a->kind != VAL_NONE && b->kind != VAL_NONE ? incompatible(c, a, b) : false;
    }
    if (whole) {
        return a->i == b->i;
    }
    switch (x) {
    case BASIC_BOOL:
        return a->b == b->b;
    case BASIC_FLOAT:
        return a->f == b->f;
    case BASIC_STRING:
        return str_eq(a->s, b->s);
    case BASIC_NONE:
    case BASIC_INT:
    case BASIC_UINT:
        break;
    }
    if (a->kind == VAL_TIME && b->kind == VAL_TIME) {
        return a->t.s == b->t.s && a->t.ns == b->t.ns;
    }
    if (a->kind == VAL_NONE || b->kind == VAL_NONE) {
        return a->kind == b->kind;
    }
    tmpl_fail(c, "non-comparable type %s: %s", tmpl_type(b), tmpl_type(b));
    return false;
}

static bool less(call *c, const struct tmpl_value *a, const struct tmpl_value *b)
{
    enum basic x = basic_of(a), y = basic_of(b);
    bool whole = (x == BASIC_INT || x == BASIC_UINT) && (y == BASIC_INT || y == BASIC_UINT);
    if (x == BASIC_NONE || y == BASIC_NONE) {
        tmpl_fail(c, "invalid type for comparison");
        return false;
    }
    if (x != y && !whole) {
        return incompatible(c, a, b);
    }
    if (whole) {
        return a->i < b->i;
    }
    if (x == BASIC_FLOAT) {
        return a->f < b->f;
    }
    if (x == BASIC_STRING) {
        return str_cmp(a->s, b->s) < 0;
    }
    tmpl_fail(c, "invalid type for comparison");
    return false;
}

static void fn_eq(call *c)
{
    bool any = false;
    if (c->n < 2) {
        tmpl_fail(c, "missing argument for comparison");
        return;
    }
    for (size_t i = 1; i < c->n && !any && !c->fault[0]; i++) {
        any = equal(c, &c->args[0], &c->args[i]);
    }
    c->result = tmpl_bool(any);
}

static void fn_ne(call *c)
{
    c->result = tmpl_bool(!equal(c, &c->args[0], &c->args[1]));
}

static void fn_lt(call *c)
{
    c->result = tmpl_bool(less(c, &c->args[0], &c->args[1]));
}

static void fn_le(call *c)
{
    bool yes = less(c, &c->args[0], &c->args[1]);
    c->result = tmpl_bool(yes || (!c->fault[0] && equal(c, &c->args[0], &c->args[1])));
}

static void fn_gt(call *c)
{
    fn_le(c);
    c->result.b = !c->result.b;
}

static void fn_ge(call *c)
{
    fn_lt(c);
    c->result.b = !c->result.b;
}

/* -- the table ------------------------------------------------------------------------------------------- */

#define S ARG_STRING
#define I ARG_INT
#define A ARG_ANY
#define V ARG_VALUE
#define T ARG_TIME

static const struct tmpl_function functions[] = {
    {"and", {V}, V, NULL},
    {"or", {V}, V, NULL},
    {"not", {V}, ARG_NONE, fn_not},
    {"eq", {V}, V, fn_eq},
    {"ne", {V, V}, ARG_NONE, fn_ne},
    {"lt", {V, V}, ARG_NONE, fn_lt},
    {"le", {V, V}, ARG_NONE, fn_le},
    {"gt", {V, V}, ARG_NONE, fn_gt},
    {"ge", {V, V}, ARG_NONE, fn_ge},
    {"call", {V}, V, fn_call},
    {"html", {ARG_NONE}, A, fn_html},
    {"index", {V}, V, fn_index},
    {"slice", {V}, V, fn_slice},
    {"js", {ARG_NONE}, A, fn_js},
    {"len", {V}, ARG_NONE, fn_len},
    {"print", {ARG_NONE}, A, fn_print},
    {"printf", {S}, A, fn_printf},
    {"println", {ARG_NONE}, A, fn_println},
    {"urlquery", {ARG_NONE}, A, fn_urlquery},
    {"fromJson", {S}, ARG_NONE, fn_from_json},
    {"default", {A}, A, fn_default},
};

struct tmpl_table tmpl_table_go(void)
{
    return (struct tmpl_table){functions, ARRAY_LEN(functions)};
}

const struct tmpl_function *tmpl_function(enum tmpl_dialect dialect, struct str name)
{
    const bool loki = dialect == TMPL_LOKI;
    const struct tmpl_table tables[] = {tmpl_table_go(), tmpl_table_text(), tmpl_table_number(),
                                        loki ? tmpl_table_loki_text() : tmpl_table_sprig(),
                                        loki ? tmpl_table_loki_number() : (struct tmpl_table){0}};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            if (str_eq_c(name, tables[t].rows[i].name)) {
                return &tables[t].rows[i];
            }
        }
    }
    return NULL;
}
