/* Groups, and docker, which is one. */
#include "agent/stages/group.h"

static void exit_process(struct stage *s, struct entry *e)
{
    struct group *g = (struct group *)s;
    stage_pass(g->owner, e);
}

static const struct stage_ops exit_ops = {.process = exit_process};

enum err group_init(struct group *g, struct stage *owner, const struct yaml_node *list,
                    struct err_info *reterr_info)
{
    g->exit = (struct stage){&exit_ops, NULL, owner->env};
    g->owner = owner;
    return stage_chain_new(owner->env, list, &g->exit, &g->chain, reterr_info);
}

void group_enter(struct group *g, struct entry *e)
{
    g->chain.first->ops->process(g->chain.first, e);
}

void group_tick(struct group *g)
{
    stage_chain_tick(&g->chain);
}

void group_flush(struct group *g)
{
    stage_chain_flush(&g->chain);
}

void group_done(struct group *g)
{
    stage_chain_done(&g->chain);
}

/* -- docker
 * --------------------------------------------------------------------------------------------------- */

struct docker_stage {
    struct stage base;
    struct group group;
};

static void docker_process(struct stage *s, struct entry *e)
{
    group_enter(&((struct docker_stage *)s)->group, e);
}

static void docker_free(struct stage *s)
{
    group_done(&((struct docker_stage *)s)->group);
}

static const struct stage_ops docker_ops = {.process = docker_process, .free = docker_free};

enum err stage_docker_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                          struct err_info *reterr_info)
{
    static const char *const none[] = {NULL};
    static const struct str stages =
        STR_INIT("- json: {expressions: {output: log, stream: stream, timestamp: time}}\n"
                 "- labels: {stream: stream}\n"
                 "- timestamp: {source: timestamp, format: RFC3339Nano}\n"
                 "- output: {source: output}\n");
    const struct yaml_node *list;
    struct docker_stage *d = stage_alloc(env, sizeof(*d), &docker_ops);
    if (!d) {
        return ERR_OOM;
    }
    stage_unknown_options(n, "docker", none);
    enum err e = yaml_parse(env->arena, stages, "the docker stage", &list, reterr_info);
    e = e ? e : group_init(&d->group, &d->base, list, reterr_info);
    if (!e) {
        *ret_stage = &d->base;
    }
    return e;
}
