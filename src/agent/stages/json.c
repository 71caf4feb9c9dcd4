/* json: values of a JSON line, found by JMESPath, become extracted values. */
#include "codec/json.h"

#include <stdlib.h>

#include "agent/stages/jmespath.h"
#include "agent/stages/stage.h"
#include "codec/num.h"

struct json_stage {
    struct stage base;
    struct str source;
    bool drop_malformed;
    size_t n;
    const struct stage_pair *pairs;
    const struct jmespath **paths;
};

/* -- values back to text, as Go's encoding/json writes them ------------------------------------------------
 */

static int by_key(const void *a, const void *b)
{
    return str_cmp((*(const struct json_value *const *)a)->key, (*(const struct json_value *const *)b)->key);
}

static bool is_whole(struct str raw)
{
    for (size_t i = raw.n && raw.p[0] == '-'; i < raw.n; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9') {
            return false;
        }
    }
    return raw.n > 0;
}

static enum err write_value(struct arena *a, struct json_writer *w, const struct json_value *v);

// NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth
static enum err write_object(struct arena *a, struct json_writer *w, const struct json_value *v)
{
    const struct json_value **sorted = arena_array(a, v->count + 1, sizeof(*sorted));
    size_t n = 0;
    if (!sorted) {
        return arena_err(a);
    }
    for (const struct json_value *c = v->child; c; c = c->next) {
        sorted[n++] = c;
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    enum err e = ERR_OK;
    json_object_begin(w);
    for (size_t i = 0; i < n && !e; i++) {
        if (i + 1 < n && str_eq(sorted[i]->key, sorted[i + 1]->key)) {
            continue; /* a key given twice: the last one in the input wins, which json_get knows */
        }
        json_key_str(w, sorted[i]->key);
        e = write_value(a, w, json_get(v, sorted[i]->key));
    }
    json_object_end(w);
    return e;
}

// NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth
static enum err write_value(struct arena *a, struct json_writer *w, const struct json_value *v)
{
    double number;
    enum err e = ERR_OK;
    switch (v->kind) {
    case JSON_NULL:
        json_null(w);
        break;
    case JSON_BOOL:
        json_bool(w, v->boolean);
        break;
    case JSON_NUMBER:
        if (is_whole(v->raw) || num_f64_parse(v->raw, &number)) {
            json_raw(w, v->raw);
        } else {
            struct buf text AUTO_BUF = {0};
            num_f64_api(&text, number);
            json_raw(w, buf_view(&text));
        }
        break;
    case JSON_STRING:
        json_str(w, v->string);
        break;
    case JSON_ARRAY:
        json_array_begin(w);
        for (const struct json_value *c = v->child; c && !e; c = c->next) {
            e = write_value(a, w, c);
        }
        json_array_end(w);
        break;
    case JSON_OBJECT:
        e = write_object(a, w, v);
        break;
    }
    return e;
}

static struct value composite(struct entry *e, const struct json_value *v)
{
    struct buf text AUTO_BUF = {0};
    struct json_writer w = json_writer(&text);
    w.html = true;
    if (write_value(e->arena, &w, v) || text.err) {
        e->err = e->err ? e->err : ERR_OOM;
        return (struct value){0};
    }
    return value_str(arena_str(e->arena, buf_view(&text)));
}

static struct value to_value(struct entry *e, const struct json_value *v)
{
    struct value out = {0};
    if (!v) {
        return out;
    }
    switch (v->kind) {
    case JSON_NULL:
        break;
    case JSON_BOOL:
        return value_bool(v->boolean);
    case JSON_NUMBER:
        out.kind = num_f64_parse(v->raw, &out.num) == ERR_OK ? VALUE_NUM : VALUE_NULL;
        out.s = is_whole(v->raw) ? v->raw : (struct str){0};
        break;
    case JSON_STRING:
        return value_str(v->string);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return composite(e, v);
    }
    return out;
}

/* -- the stage ----------------------------------------------------------------------------------------------
 */

/* True when the text is an object (or null, in which nothing is found). */
static bool extract(const struct json_stage *j, struct entry *e, struct str text)
{
    const struct json_value *root;
    enum err err = json_parse(e->arena, text, &root, NULL);
    if (err == ERR_OOM) {
        e->err = err;
        return true;
    }
    if (err || (root->kind != JSON_OBJECT && root->kind != JSON_NULL)) {
        return false;
    }
    for (size_t i = 0; i < j->n; i++) {
        entry_value_set(e, j->pairs[i].key, to_value(e, jmespath_find(j->paths[i], root)));
    }
    return true;
}

static void json_process(struct stage *s, struct entry *e)
{
    const struct json_stage *j = (const struct json_stage *)s;
    struct str text;
    bool good = !stage_source(e, j->source, &text) || extract(j, e, text);
    if (!good && j->drop_malformed) {
        agent_line_dropped(s->env->metrics, STR("malformed_json"));
        return;
    }
    stage_pass(s, e);
}

static const struct stage_ops ops = {.process = json_process};

static enum err compile(const struct stage_env *env, struct json_stage *j, struct err_info *info)
{
    j->paths = arena_array(env->arena, j->n + 1, sizeof(*j->paths));
    enum err e = j->paths ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < j->n && !e; i++) {
        struct str text = j->pairs[i].value.n ? j->pairs[i].value : j->pairs[i].key;
        struct err_info why = {0};
        e = jmespath_new(env->arena, text, &j->paths[i], &why);
        if (e && e != ERR_OOM) {
            (void)yaml_error(j->pairs[i].node, info, "could not compile JMES expression: %s", why.message);
        }
    }
    return e;
}

enum err stage_json_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                        struct err_info *reterr_info)
{
    static const char *const keys[] = {"expressions", "source", "drop_malformed", NULL};
    struct json_stage *j = stage_alloc(env, sizeof(*j), &ops);
    const struct yaml_node *expressions = stage_option(n, "expressions"), *source = stage_option(n, "source");
    if (!j) {
        return ERR_OOM;
    }
    if (yaml_is_null(expressions) || expressions->count == 0) {
        return yaml_error(n, reterr_info, "JMES expression is required");
    }
    stage_unknown_options(n, "json", keys);
    enum err e = stage_pairs(env, expressions, "expressions", &j->pairs, &j->n, reterr_info);
    e = e ? e : yaml_str(source, &j->source, reterr_info);
    e = e ? e : yaml_bool(stage_option(n, "drop_malformed"), &j->drop_malformed, reterr_info);
    if (!e && !yaml_is_null(source) && j->source.n == 0) {
        return yaml_error(source, reterr_info, "empty source");
    }
    e = e ? e : compile(env, j, reterr_info);
    if (!e) {
        *ret_stage = &j->base;
    }
    return e;
}
