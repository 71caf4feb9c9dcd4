/* Pipelines: the chain of stages, its lock, and the helpers stages share. */
#include "agent/stages/pipeline.h"

#include "agent/stages/stage.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "labels/regex.h"

enum {
    KEYS_MAX = 64
};

struct end_stage {
    struct stage base;
    struct entry_sink out;
};

struct pipeline {
    struct arena arena;
    struct stage_env env;
    atomic_bool stop;  /* set by pipeline_stop, read by waiting stages */
    struct mutex lock; /* held while stages run */
    struct end_stage end;
    struct stage_chain chain;
};

static void end_process(struct stage *s, struct entry *e)
{
    struct end_stage *end = (struct end_stage *)s;
    if (e->err) { /* memory was short on the way: the input reads the line again */
        receipt_fail(e->receipt);
        LOG_EVENT(LVL_ERROR, "agent_line_not_processed", F_STR("job", s->env->job), F_ERR(e->err));
        return;
    }
    end->out.put(end->out.ctx, e);
}

static const struct stage_ops end_ops = {.process = end_process};

enum err pipeline_new(const struct pipeline_options *o, const struct yaml_node *stages,
                      struct pipeline **ret_pipeline, struct err_info *reterr_info)
{
    struct pipeline *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    arena_init(&p->arena, 0, NULL);
    atomic_init(&p->stop, false);
    mutex_init(&p->lock);
    p->env = (struct stage_env){
        .arena = &p->arena, .metrics = o->metrics, .clock = o->clock, .job = o->job, .stop = &p->stop};
    p->end = (struct end_stage){{&end_ops, NULL, &p->env}, o->out};
    enum err e = stage_chain_new(&p->env, stages, &p->end.base, &p->chain, reterr_info);
    if (e) {
        pipeline_free(p);
        return e;
    }
    *ret_pipeline = p;
    return ERR_OK;
}

void pipeline_free(struct pipeline *p)
{
    if (p) {
        stage_chain_done(&p->chain);
        mutex_done(&p->lock);
        arena_done(&p->arena);
        mem_free(p);
    }
}

void pipeline_put(struct pipeline *p, struct entry *e)
{
    mutex_lock(&p->lock);
    if (p->chain.n) {
        entry_seed(e);
    }
    p->chain.first->ops->process(p->chain.first, e);
    mutex_unlock(&p->lock);
}

void pipeline_tick(struct pipeline *p)
{
    /* A put that waits for a client holds the lock, perhaps for hours; then there is nothing to let go. */
    if (mutex_trylock(&p->lock)) {
        stage_chain_tick(&p->chain);
        mutex_unlock(&p->lock);
    }
}

void pipeline_flush(struct pipeline *p)
{
    mutex_lock(&p->lock);
    stage_chain_flush(&p->chain);
    mutex_unlock(&p->lock);
}

void pipeline_stop(struct pipeline *p)
{
    atomic_store_explicit(&p->stop, true, memory_order_relaxed);
}

/* -- chains -----------------------------------------------------------------------------------------------
 */

static enum err make_stage(const struct stage_env *env, const struct yaml_node *n, struct stage **ret,
                           struct err_info *info)
{
    const char *names[KEYS_MAX];
    size_t count;
    const struct stage_kind *kinds = stage_kinds(&count);
    if (n->kind != YAML_MAP || n->count != 1) {
        return yaml_error(n, info, "a pipeline stage must have exactly one key, its name");
    }
    const struct yaml_node *body = n->child;
    for (size_t i = 0; i < count && i < KEYS_MAX; i++) {
        if (str_eq_c(body->key, kinds[i].name)) {
            return kinds[i].make(env, body, ret, info);
        }
        names[i] = kinds[i].name;
    }
    const char *near = str_nearest(body->key, names, count);
    enum err e = yaml_error(body, info, "invalid stage type: %.*s%s%s%s", STR_FMT(body->key),
                            near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    if (info) {
        info->line = body->key_line;
        info->col = body->key_col;
    }
    return e;
}

enum err stage_chain_new(const struct stage_env *env, const struct yaml_node *list, struct stage *end,
                         struct stage_chain *ret_chain, struct err_info *reterr_info)
{
    struct stage_chain c = {.first = end};
    if (!yaml_is_null(list) && list->kind != YAML_LIST) {
        return yaml_error(list, reterr_info, "%.*s must be a list of stages", STR_FMT(list->key));
    }
    size_t n = yaml_is_null(list) ? 0 : list->count;
    c.items = arena_array(env->arena, n + 1, sizeof(struct stage *));
    enum err e = c.items ? ERR_OK : ERR_OOM;
    for (const struct yaml_node *s = n ? list->child : NULL; s && !e; s = s->next) {
        struct stage *made = NULL;
        e = make_stage(env, s, &made, reterr_info);
        if (!e) {
            c.items[c.n++] = made;
        }
    }
    if (e) {
        stage_chain_done(&c);
        return e == ERR_OOM ? err_set(reterr_info, e, "out of memory") : e;
    }
    for (size_t i = c.n; i-- > 0;) {
        c.items[i]->next = c.first;
        c.first = c.items[i];
    }
    *ret_chain = c;
    return ERR_OK;
}

void stage_chain_done(struct stage_chain *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->items[i]->ops->free) {
            c->items[i]->ops->free(c->items[i]);
        }
    }
    c->n = 0;
}

void stage_chain_tick(struct stage_chain *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->items[i]->ops->tick) {
            c->items[i]->ops->tick(c->items[i]);
        }
    }
}

void stage_chain_flush(struct stage_chain *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->items[i]->ops->flush) {
            c->items[i]->ops->flush(c->items[i]);
        }
    }
}

/* -- helpers ----------------------------------------------------------------------------------------------
 */

void *stage_alloc(const struct stage_env *env, size_t size, const struct stage_ops *ops)
{
    struct stage *s = arena_zalloc(env->arena, size);
    if (s) {
        s->ops = ops;
        s->env = env;
    }
    return s;
}

const struct yaml_node *stage_option(const struct yaml_node *n, const char *key)
{
    for (const struct yaml_node *c = n->kind == YAML_MAP ? n->child : NULL; c; c = c->next) {
        if (str_ieq(c->key, str_c(key))) {
            return c;
        }
    }
    return NULL;
}

void stage_unknown_options(const struct yaml_node *n, const char *stage, const char *const *keys)
{
    for (const struct yaml_node *c = n->kind == YAML_MAP ? n->child : NULL; c; c = c->next) {
        size_t k = 0;
        while (keys[k] && !str_ieq(c->key, str_c(keys[k]))) {
            k++;
        }
        if (!keys[k]) {
            const char *near = str_nearest(c->key, keys, k);
            LOG_EVENT(LVL_WARN, "unknown_stage_option", F_C("file", c->file), F_U64("line", c->key_line),
                      F_U64("column", c->key_col), F_C("stage", stage), F_STR("option", c->key),
                      F_C("nearest", near ? near : ""), F_C("effect", "ignored"));
        }
    }
}

enum err stage_str(const struct yaml_node *n, const char *key, struct str *value,
                   struct err_info *reterr_info)
{
    return yaml_str(stage_option(n, key), value, reterr_info);
}

enum err stage_regex(const struct yaml_node *n, const char *key, struct regex **value,
                     struct err_info *reterr_info)
{
    const struct yaml_node *at = stage_option(n, key);
    struct str pattern = {0};
    struct err_info why = {0};
    enum err e = yaml_str(at, &pattern, reterr_info);
    if (e || !pattern.p) {
        return e;
    }
    e = regex_new(pattern, 0, value, &why);
    return e ? yaml_error(at, reterr_info, "%s: could not compile regular expression: %s", key, why.message)
             : ERR_OK;
}

enum err stage_pairs(const struct stage_env *env, const struct yaml_node *n, const char *stage,
                     const struct stage_pair **ret_pairs, size_t *ret_n, struct err_info *reterr_info)
{
    if (yaml_is_null(n) || n->kind != YAML_MAP) {
        return n ? yaml_error(n, reterr_info, "%s needs a map of names", stage)
                 : err_set(reterr_info, ERR_INVALID, "%s needs a map of names", stage);
    }
    struct stage_pair *pairs = arena_array(env->arena, n->count + 1, sizeof(*pairs));
    size_t count = 0;
    enum err e = pairs ? ERR_OK : ERR_OOM;
    for (const struct yaml_node *c = n->child; c && !e; c = c->next) {
        pairs[count] = (struct stage_pair){c->key, STR(""), c};
        e = yaml_str(c, &pairs[count++].value, reterr_info);
    }
    if (!e) {
        *ret_pairs = pairs;
        *ret_n = count;
    }
    return e;
}

bool stage_source(const struct entry *e, struct str source, struct str *ret_text)
{
    if (source.n == 0) {
        *ret_text = e->line;
        return true;
    }
    const struct value *v = entry_value(e, source);
    return v && value_text(v, e->arena, ret_text);
}
