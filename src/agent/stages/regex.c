/* regex: named groups become extracted values. */
#include "labels/regex.h"

#include "agent/stages/stage.h"

struct regex_stage {
    struct stage base;
    struct regex *re;
    struct str source;
    size_t groups;
    struct str names[REGEX_CAPTURES_MAX + 1];
};

static void regex_process(struct stage *s, struct entry *e)
{
    const struct regex_stage *r = (const struct regex_stage *)s;
    struct str text, captures[REGEX_CAPTURES_MAX + 1] = {{0}};
    if (stage_source(e, r->source, &text) && regex_find(r->re, text, 0, captures, r->groups + 1)) {
        for (size_t i = 1; i <= r->groups; i++) {
            if (r->names[i].n) {
                entry_value_set(e, r->names[i], value_str(captures[i].p ? captures[i] : STR("")));
            }
        }
    }
    stage_pass(s, e);
}

static void regex_stage_free(struct stage *s)
{
    regex_free(((struct regex_stage *)s)->re);
}

static const struct stage_ops ops = {.process = regex_process, .free = regex_stage_free};

enum err stage_regex_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                         struct err_info *reterr_info)
{
    static const char *const keys[] = {"expression", "source", NULL};
    struct regex_stage *r = stage_alloc(env, sizeof(*r), &ops);
    const struct yaml_node *source = stage_option(n, "source");
    enum err e = r ? stage_regex(n, "expression", &r->re, reterr_info) : ERR_OOM;
    e = e ? e : yaml_str(source, &r->source, reterr_info);
    if (!e && !r->re) {
        return yaml_error(n, reterr_info, "expression is required");
    }
    if (!e && !yaml_is_null(source) && r->source.n == 0) {
        e = yaml_error(source, reterr_info, "empty source");
    }
    if (!e && regex_group_count(r->re) >= REGEX_CAPTURES_MAX) {
        e = yaml_error(n, reterr_info, "more than %d groups in one expression", REGEX_CAPTURES_MAX - 1);
    }
    if (e) {
        if (r) {
            regex_free(r->re);
        }
        return e;
    }
    stage_unknown_options(n, "regex", keys);
    r->groups = regex_group_count(r->re);
    for (size_t i = 1; i <= r->groups; i++) {
        r->names[i] = regex_group_name(r->re, i);
    }
    *ret_stage = &r->base;
    return ERR_OK;
}
