/* Stages built on templates: template and replace. */
#include <stdio.h>

#include "agent/stages/stage.h"
#include "agent/stages/template.h"
#include "labels/regex.h"

/* -- template -----------------------------------------------------------------------------------------------
 */

struct template_stage {
    struct stage base;
    struct str source;
    struct template *template;
};

static void template_process(struct stage *s, struct entry *e)
{
    struct template_stage *t = (struct template_stage *)s;
    const struct value *v = entry_value(e, t->source);
    struct template_data data = {.entry = e, .line = e->line.p ? e->line : STR("")};
    struct buf out AUTO_BUF = {.size_bytes_max = AGENT_ENTRY_BYTES_MAX};
    if (v && !value_text(v, e->arena, &data.value)) {
        data.value = (struct str){0};
    } else if (v && !data.value.p) {
        data.value = STR("");
    }
    if (template_run(t->template, e->arena, &data, &out)) {
        if (out.n) {
            struct str text = arena_str(e->arena, buf_view(&out));
            e->err = text.p ? e->err : arena_err(e->arena);
            entry_value_set(e, t->source, value_str(text));
        } else {
            entry_value_remove(e, t->source);
        }
    }
    stage_pass(s, e);
}

static void template_stage_free(struct stage *s)
{
    template_free(((struct template_stage *)s)->template);
}

static const struct stage_ops template_ops = {.process = template_process, .free = template_stage_free};

static enum err compile(const struct stage_env *env, const struct yaml_node *n, const char *key,
                        struct template **ret, struct err_info *info)
{
    const struct yaml_node *at = stage_option(n, key);
    struct str text = STR("");
    struct err_info why = {0};
    enum err e = yaml_str(at, &text, info);
    e = e ? e : template_new(env->arena, text, ret, &why);
    if (e && e != ERR_OOM && why.message[0]) {
        (void)yaml_error(at ? at : n, info, "could not parse template: %s", why.message);
    }
    return e;
}

enum err stage_template_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                            struct err_info *reterr_info)
{
    static const char *const keys[] = {"source", "template", NULL};
    struct template_stage *t = stage_alloc(env, sizeof(*t), &template_ops);
    enum err e = t ? stage_str(n, "source", &t->source, reterr_info) : ERR_OOM;
    if (!e && t->source.n == 0) {
        return yaml_error(n, reterr_info, "template source value is required");
    }
    if (!e) {
        stage_unknown_options(n, "template", keys);
    }
    e = e ? e : compile(env, n, "template", &t->template, reterr_info);
    if (!e) {
        *ret_stage = &t->base;
    }
    return e;
}

/* -- replace ------------------------------------------------------------------------------------------------
 */

struct replace_stage {
    struct stage base;
    struct regex *re;
    struct str source;
    bool has_source;
    size_t groups;
    struct template *template;
};

/* The text of one group, rendered. False: nothing is to change. */
static bool render(struct replace_stage *r, struct entry *e, struct str group, struct buf *out)
{
    struct template_data data = {.entry = e, .value = group.p ? group : STR(""), .zero_missing = true};
    buf_reset(out);
    return template_run(r->template, e->arena, &data, out);
}

/* One match: every group that does not lie in one already replaced. False: a template failed. */
static bool replace_match(struct replace_stage *r, struct entry *e, struct str text, const struct str *c,
                          size_t *at, struct buf *out)
{
    struct buf rendered AUTO_BUF = {.size_bytes_max = AGENT_ENTRY_BYTES_MAX};
    for (size_t i = 1; i <= r->groups; i++) {
        if (!c[i].p) {
            continue;
        }
        if (!render(r, e, c[i], &rendered)) {
            return false;
        }
        struct str name = regex_group_name(r->re, i);
        if (name.n) {
            entry_value_set(e, name, value_str(arena_str(e->arena, buf_view(&rendered))));
        }
        size_t from = (size_t)(c[i].p - text.p);
        if (from < *at) {
            continue;
        }
        buf_str(out, str_slice(text, *at, from));
        buf_str(out, buf_view(&rendered));
        *at = from + c[i].n;
    }
    return true;
}

static bool replace_text(struct replace_stage *r, struct entry *e, struct str text, struct str *ret)
{
    struct str c[REGEX_CAPTURES_MAX + 1] = {{0}};
    struct buf out AUTO_BUF = {.size_bytes_max = AGENT_ENTRY_BYTES_MAX};
    size_t at = 0, from = 0;
    bool hit = false;
    while (from <= text.n && regex_find(r->re, text, from, c, r->groups + 1)) {
        hit = true;
        if (!replace_match(r, e, text, c, &at, &out)) {
            return false;
        }
        size_t end = (size_t)(c[0].p - text.p) + c[0].n;
        from = c[0].n ? end : end + 1;
    }
    buf_str(&out, str_slice(text, at, text.n));
    *ret = arena_str(e->arena, buf_view(&out));
    e->err = ret->p && !out.err ? e->err : ERR_OOM;
    return hit && r->groups;
}

static void replace_process(struct stage *s, struct entry *e)
{
    struct replace_stage *r = (struct replace_stage *)s;
    struct str text, result;
    if (stage_source(e, r->source, &text) && replace_text(r, e, text.p ? text : STR(""), &result)) {
        if (r->has_source) {
            entry_value_set(e, r->source, value_str(result));
        } else {
            e->line = result;
        }
    }
    stage_pass(s, e);
}

static void replace_free(struct stage *s)
{
    regex_free(((struct replace_stage *)s)->re);
    template_free(((struct replace_stage *)s)->template);
}

static const struct stage_ops replace_ops = {.process = replace_process, .free = replace_free};

enum err stage_replace_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                           struct err_info *reterr_info)
{
    static const char *const keys[] = {"expression", "source", "replace", NULL};
    struct replace_stage *r = stage_alloc(env, sizeof(*r), &replace_ops);
    const struct yaml_node *source = stage_option(n, "source");
    enum err e = r ? stage_regex(n, "expression", &r->re, reterr_info) : ERR_OOM;
    if (!e && !r->re) {
        return yaml_error(n, reterr_info, "expression is required");
    }
    e = e ? e : yaml_str(source, &r->source, reterr_info);
    if (!e && !yaml_is_null(source) && r->source.n == 0) {
        e = yaml_error(source, reterr_info, "empty source in replace stage");
    }
    if (!e && regex_group_count(r->re) >= REGEX_CAPTURES_MAX) {
        e = yaml_error(n, reterr_info, "more than %d groups in one expression", REGEX_CAPTURES_MAX - 1);
    }
    e = e ? e : compile(env, n, "replace", &r->template, reterr_info);
    if (e) {
        if (r) {
            regex_free(r->re);
        }
        return e;
    }
    stage_unknown_options(n, "replace", keys);
    r->has_source = r->source.n > 0;
    r->groups = regex_group_count(r->re);
    *ret_stage = &r->base;
    return ERR_OK;
}
