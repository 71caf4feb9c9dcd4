/* match: entries that a selector accepts run through inner stages or are dropped; others pass by. Everything
 * stays in order. */
#include "agent/stages/group.h"
#include "agent/stages/selector.h"

enum {
    NESTED_MAX = 16
};

struct match_stage {
    struct stage base;
    struct stage_env env; /* of the inner stages */
    struct selector *selector;
    bool drop;
    struct str reason;
    struct group group;
};

static void match_process(struct stage *s, struct entry *e)
{
    struct match_stage *m = (struct match_stage *)s;
    if (!selector_matches(m->selector, entry_labels(e), e->line)) {
        stage_pass(s, e);
    } else if (m->drop) {
        agent_line_dropped(s->env->metrics, m->reason);
    } else {
        entry_seed(e); /* as when a pipeline begins: labels win over what was extracted */
        group_enter(&m->group, e);
    }
}

static void match_tick(struct stage *s)
{
    group_tick(&((struct match_stage *)s)->group);
}

static void match_flush(struct stage *s)
{
    group_flush(&((struct match_stage *)s)->group);
}

static void match_free(struct stage *s)
{
    group_done(&((struct match_stage *)s)->group);
    selector_free(((struct match_stage *)s)->selector);
}

static const struct stage_ops ops = {
    .process = match_process, .tick = match_tick, .flush = match_flush, .free = match_free};

static enum err read_options(struct match_stage *m, const struct yaml_node *n, struct err_info *info)
{
    struct str selector = {0}, action = STR("keep");
    const struct yaml_node *stages = stage_option(n, "stages");
    struct err_info why = {0};
    enum err e = stage_str(n, "selector", &selector, info);
    e = e ? e : stage_str(n, "action", &action, info);
    e = e ? e : stage_str(n, "drop_counter_reason", &m->reason, info);
    if (e) {
        return e;
    }
    if (!selector.n) {
        return yaml_error(n, info, "selector statement required for match stage");
    }
    m->drop = str_eq_c(action, "drop");
    bool empty = yaml_is_null(stages) || stages->count == 0;
    if (!m->drop && !str_eq_c(action, "keep")) {
        return yaml_error(stage_option(n, "action"), info, "match stage action should be 'keep' or 'drop'");
    }
    if (!m->drop && empty) {
        return yaml_error(n, info,
                          "match stage requires at least one additional stage to be defined in `stages`");
    }
    if (m->drop && !empty) {
        return yaml_error(stages, info, "match stage with action 'drop' must not have `stages`");
    }
    e = selector_new(m->base.env->arena, selector, &m->selector, &why);
    if (e && e != ERR_OOM) {
        return yaml_error(stage_option(n, "selector"), info, "%s", why.message);
    }
    return e ? e : group_init(&m->group, &m->base, stages, info);
}

enum err stage_match_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                         struct err_info *reterr_info)
{
    static const char *const keys[] = {"selector", "stages", "action", "pipeline_name", "drop_counter_reason",
                                       NULL};
    struct match_stage *m = stage_alloc(env, sizeof(*m), &ops);
    if (!m) {
        return ERR_OOM;
    }
    if (env->depth >= NESTED_MAX) {
        return yaml_error(n, reterr_info, "match stages are nested more than %d deep", NESTED_MAX);
    }
    m->env = *env;
    m->env.depth++;
    m->base.env = &m->env;
    m->reason = STR("match_stage");
    stage_unknown_options(n, "match", keys);
    enum err e = read_options(m, n, reterr_info);
    if (e) {
        selector_free(m->selector);
        return e;
    }
    *ret_stage = &m->base;
    return ERR_OK;
}
