/* Functions of templates that pipelines of agents have and LogQL has not: Promtail's digests, and sprig's
 * lists and maps. */
#include <gnutls/crypto.h>
#include <stdio.h>

#include "codec/json.h"
#include "codec/num.h"
#include "golang/tmpl_funcs.h"
#include "labels/regex.h"

enum {
    DIGEST_BYTES_MAX = 64
};

/* -- digests --------------------------------------------------------------------------------------------- */

static void hex_digest(call *c, gnutls_digest_algorithm_t algorithm)
{
    unsigned char sum[DIGEST_BYTES_MAX];
    struct buf text AUTO_BUF = {0}, hex AUTO_BUF = {0};
    for (size_t i = 0; i < c->n; i++) {
        buf_str(&text, tmpl_arg_str(c, i));
    }
    if (text.err || gnutls_hash_fast(algorithm, text.p ? text.p : "", text.n, sum) != 0) {
        c->out_of_memory = true;
        return;
    }
    for (unsigned i = 0; i < gnutls_hash_get_len(algorithm); i++) {
        buf_printf(&hex, "%02x", sum[i]);
    }
    tmpl_give(c, &hex);
}

/* Hash(salt, text). */
static void fn_hash(call *c)
{
    hex_digest(c, GNUTLS_DIG_SHA3_256);
}

static void fn_sha2_hash(call *c)
{
    hex_digest(c, GNUTLS_DIG_SHA256);
}

/* -- lists and maps -------------------------------------------------------------------------------------- */

static void fn_list(call *c)
{
    c->out_of_memory = tmpl_list(c->a, c->args, c->n, &c->result) != ERR_OK;
}

/* As text; nil is an empty one in a key. */
static struct str text_of(call *c, const struct tmpl_value *v)
{
    struct buf b AUTO_BUF = {0};
    if (v->kind == VAL_STRING) {
        return v->s.p ? v->s : STR("");
    }
    if (v->kind != VAL_NONE) {
        tmpl_print(&b, v);
    }
    struct str s = b.err ? (struct str){0} : arena_str(c->a, buf_view(&b));
    c->out_of_memory = c->out_of_memory || !s.p;
    return s;
}

/* A key without a value has an empty one, as sprig has it. */
static void fn_dict(call *c)
{
    size_t n = (c->n + 1) / 2;
    struct str *keys = arena_array(c->a, n + 1, sizeof(*keys));
    struct tmpl_value *v = arena_array(c->a, n + 1, sizeof(*v));
    c->out_of_memory = !keys || !v;
    for (size_t i = 0; i < n && !c->out_of_memory; i++) {
        keys[i] = text_of(c, &c->args[2 * i]);
        v[i] = 2 * i + 1 < c->n ? c->args[2 * i + 1] : tmpl_string(STR(""));
    }
    c->out_of_memory = c->out_of_memory || tmpl_map(c->a, keys, v, n, &c->result) != ERR_OK;
}

static bool end_of_list(call *c, const char *name, bool last)
{
    const struct tmpl_value *v = &c->args[0];
    if (v->kind != VAL_LIST) {
        tmpl_fail(c, "Cannot find %s on type %s", name, tmpl_type(v));
        return false;
    }
    c->result = v->items->n ? v->items->v[last ? v->items->n - 1 : 0] : tmpl_none();
    return true;
}

static void fn_first(call *c)
{
    (void)end_of_list(c, "first", false);
}

static void fn_last(call *c)
{
    (void)end_of_list(c, "last", true);
}

/* strings.Split: without a separator, each rune. The parts, into the arena. */
static struct tmpl_value *parts(call *c, struct str glue, struct str s, size_t *ret_n)
{
    struct tmpl_value *v = NULL;
    size_t cap = 0, n = 0, at = 0;
    for (bool more = glue.n || s.n; more;) {
        int32_t rune;
        size_t hit = glue.n ? str_find(s, glue, at) : at + go_rune(str_slice(s, at, s.n), &rune);
        more = hit != STR_NPOS && (glue.n || hit < s.n);
        if (arena_reserve(c->a, (void **)&v, &cap, n + 1, sizeof(*v))) {
            c->out_of_memory = true;
            return NULL;
        }
        v[n++] = tmpl_string(str_slice(s, at, hit == STR_NPOS ? s.n : hit));
        at = hit + glue.n;
    }
    *ret_n = n;
    return v;
}

static void fn_split_list(call *c)
{
    size_t n = 0;
    struct tmpl_value *v = parts(c, tmpl_arg_str(c, 0), tmpl_arg_str(c, 1), &n);
    c->out_of_memory = c->out_of_memory || tmpl_list(c->a, v, n, &c->result) != ERR_OK;
}

/* sprig's split gives a map: _0, _1, ... */
static void fn_split(call *c)
{
    size_t n = 0;
    struct tmpl_value *v = parts(c, tmpl_arg_str(c, 0), tmpl_arg_str(c, 1), &n);
    struct str *keys = arena_array(c->a, n + 1, sizeof(*keys));
    for (size_t i = 0; keys && i < n; i++) {
        keys[i] = arena_printf(c->a, "_%zu", i);
    }
    c->out_of_memory = c->out_of_memory || !keys || arena_err(c->a) || tmpl_map(c->a, keys, v, n, &c->result);
}

static void fn_join(call *c)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TMPL_OUT_BYTES_MAX};
    const struct tmpl_value *v = &c->args[1];
    if (v->kind != VAL_LIST) {
        c->result = tmpl_string(text_of(c, v));
        return;
    }
    for (size_t i = 0; i < v->items->n; i++) {
        buf_str(&b, i ? tmpl_arg_str(c, 0) : STR(""));
        buf_str(&b, text_of(c, &v->items->v[i]));
    }
    tmpl_give(c, &b);
}

// NOLINTNEXTLINE(misc-no-recursion): lists are as deep as the template that made them
static void write_json(struct json_writer *w, const struct tmpl_value *v)
{
    struct buf text AUTO_BUF = {0};
    switch ((int)v->kind) {
    case VAL_NONE:
        json_null(w);
        break;
    case VAL_BOOL:
        json_bool(w, v->b);
        break;
    case VAL_INT:
    case VAL_INT64:
    case VAL_BYTE:
        json_i64(w, v->i);
        break;
    case VAL_FLOAT:
        num_f64_api(&text, v->f);
        json_raw(w, buf_view(&text));
        break;
    case VAL_LIST:
        json_array_begin(w);
        for (size_t i = 0; i < v->items->n; i++) {
            write_json(w, &v->items->v[i]);
        }
        json_array_end(w);
        break;
    case VAL_MAP:
        json_object_begin(w);
        for (size_t i = 0; i < v->items->n; i++) {
            json_key_str(w, v->items->keys[i]);
            write_json(w, &v->items->v[i]);
        }
        json_object_end(w);
        break;
    default:
        tmpl_print(&text, v);
        json_str(w, buf_view(&text));
    }
}

static void fn_to_json(call *c)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TMPL_OUT_BYTES_MAX};
    struct json_writer w = json_writer(&b);
    w.html = true;
    write_json(&w, &c->args[0]);
    tmpl_give(c, &b);
}

/* -- choices and conversions ----------------------------------------------------------------------------- */

static void fn_empty(call *c)
{
    c->result = tmpl_bool(!tmpl_true(&c->args[0]));
}

static void fn_coalesce(call *c)
{
    c->result = tmpl_none();
    for (size_t i = 0; i < c->n && !tmpl_true(&c->result); i++) {
        c->result = tmpl_true(&c->args[i]) ? c->args[i] : c->result;
    }
}

static void fn_ternary(call *c)
{
    if (c->args[2].kind != VAL_BOOL) {
        tmpl_fail(c, "wrong type for value; expected bool; got %s", tmpl_type(&c->args[2]));
        return;
    }
    c->result = c->args[2].b ? c->args[0] : c->args[1];
}

static void fn_to_string(call *c)
{
    c->result = tmpl_string(text_of(c, &c->args[0]));
}

static void fn_int64(call *c)
{
    c->result = tmpl_int64(tmpl_to_int(&c->args[0]));
}

/* -- regular expressions --------------------------------------------------------------------------------- */

static void fn_regex_match(call *c)
{
    struct regex *re = tmpl_regex(c, tmpl_arg_str(c, 0));
    if (re) {
        c->result = tmpl_bool(regex_match(re, tmpl_arg_str(c, 1)));
        tmpl_regex_done(c, re);
    }
}

static void fn_regex_find(call *c)
{
    struct regex *re = tmpl_regex(c, tmpl_arg_str(c, 0));
    struct str hit = {0};
    if (re) {
        bool any = regex_find(re, tmpl_arg_str(c, 1), 0, &hit, 1);
        c->result = tmpl_string(any && hit.p ? hit : STR(""));
        tmpl_regex_done(c, re);
    }
}

/* -- the table ------------------------------------------------------------------------------------------- */

#define S ARG_STRING
#define A ARG_ANY

static const struct tmpl_function functions[] = {
    {"Hash", {S, S}, ARG_NONE, fn_hash},
    {"Sha2Hash", {S, S}, ARG_NONE, fn_sha2_hash},
    {"sha256sum", {S}, ARG_NONE, fn_sha2_hash},
    {"list", {ARG_NONE}, A, fn_list},
    {"dict", {ARG_NONE}, A, fn_dict},
    {"first", {A}, ARG_NONE, fn_first},
    {"last", {A}, ARG_NONE, fn_last},
    {"splitList", {S, S}, ARG_NONE, fn_split_list},
    {"split", {S, S}, ARG_NONE, fn_split},
    {"join", {S, A}, ARG_NONE, fn_join},
    {"toJson", {A}, ARG_NONE, fn_to_json},
    {"empty", {A}, ARG_NONE, fn_empty},
    {"coalesce", {ARG_NONE}, A, fn_coalesce},
    {"ternary", {A, A, A}, ARG_NONE, fn_ternary},
    {"toString", {A}, ARG_NONE, fn_to_string},
    {"int64", {A}, ARG_NONE, fn_int64},
    {"regexMatch", {S, S}, ARG_NONE, fn_regex_match},
    {"regexFind", {S, S}, ARG_NONE, fn_regex_find},
};

struct tmpl_table tmpl_table_sprig(void)
{
    return (struct tmpl_table){functions, ARRAY_LEN(functions)};
}
