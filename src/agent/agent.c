/* The agent: what outlives a configuration. */
#include "agent/agent.h"

#include "agent/agent_int.h"
#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"

static enum err add_collectors(struct agent *a)
{
    static const struct cairn_label build[] = {{"version", CAIRN_VERSION}, {"revision", ""}, {"branch", ""}};
    enum err e = agent_metrics_init(&a->metrics);
    if (e) {
        return e;
    }
    if (cairn_process_collector(a->metrics.registry) != CAIRN_OK ||
        cairn_build_collector(a->metrics.registry, "promtail", build, ARRAY_LEN(build)) != CAIRN_OK) {
        return ERR_OOM;
    }
    return ERR_OK;
}

static void free_agent(struct agent *a)
{
    run_free(a->run);
    agent_metrics_done(&a->metrics);
    mutex_done(&a->lock);
    mutex_done(&a->reload_lock);
    mem_free(a->built_in);
    mem_free(a);
}

/* Waits until the inputs that end by themselves have, and everything of theirs is sent. */
static void wait_for_end(void *ctx)
{
    struct agent *a = ctx;
    struct agent_run *r = a->run;
    for (size_t i = 0; i < r->job_count; i++) {
        struct input *in = r->jobs[i].input;
        if (in && in->ops->wait_end) {
            in->ops->wait_end(in);
        }
        pipeline_flush(r->jobs[i].pipeline);
    }
    for (size_t i = 0; i < r->client_count; i++) {
        (void)client_drain(r->clients[i], INT64_MAX);
    }
    if (a->input_ended) {
        a->input_ended(a->input_ended_ctx);
    }
}

enum err agent_start(const struct agent_options *o, struct agent_config *config, struct agent **ret_agent,
                     struct err_info *reterr_info)
{
    struct agent *a = mem_zalloc(sizeof(*a));
    if (!a) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    a->flags = o->flags;
    a->sink = o->sink;
    a->input_ended = o->input_ended;
    a->input_ended_ctx = o->input_ended_ctx;
    mutex_init(&a->lock);
    mutex_init(&a->reload_lock);
    a->built_in = mem_dup(o->built_in.p ? o->built_in.p : "", o->built_in.n);
    enum err e = a->built_in ? add_collectors(a) : ERR_OOM;
    if (e) {
        (void)err_set(reterr_info, e, "cannot start the agent: %s", err_text(e));
    }
    e = e ? e : run_new(a, config, &a->run, reterr_info);
    if (!e) {
        e = run_start(a->run, reterr_info);
        if (!e && config->from_stdin && thread_start(&a->waiter, "agent-end", wait_for_end, a)) {
            e = err_set(reterr_info, ERR_UNAVAILABLE, "cannot start a thread");
        }
        if (e) {
            run_stop(a->run);
            a->run->config = NULL; /* stays the caller's */
        }
    }
    if (e) {
        free_agent(a);
        return e;
    }
    LOG_EVENT(LVL_INFO, "agent_started", F_U64("jobs", config->job_count),
              F_U64("clients", a->run->client_count), F_STR("positions", config->positions_file));
    *ret_agent = a;
    return ERR_OK;
}

/* Builds the new run, then replaces the old one. */
static enum err replace_run(struct agent *a, struct agent_config *config, struct err_info *info)
{
    struct agent_run *fresh, *old = a->run; /* only a reload changes it, and there is one at a time */
    enum err e = run_new(a, config, &fresh, info);
    if (e) {
        return e;
    }
    run_stop(old);
    e = run_start(fresh, info);
    if (e) { /* the port or the positions file: the old parts cannot be had back, so keep what works */
        LOG_EVENT(LVL_ERROR, "agent_input_not_started", F_C("reason", info->message));
    }
    mutex_lock(&a->lock);
    a->run = fresh;
    mutex_unlock(&a->lock);
    run_free(old);
    return ERR_OK;
}

enum err agent_positions_copy(struct agent *a, const char *path, struct err_info *reterr_info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = POSITIONS_FILE_BYTES_MAX};
    mutex_lock(&a->lock);
    struct str file = a->run->config->positions_file;
    char *from = mem_dup(file.p ? file.p : "", file.n); /* a reload lets go of the configuration */
    mutex_unlock(&a->lock);
    if (!from) {
        return err_set(reterr_info, ERR_OOM, "no memory for a path");
    }
    enum err e = file_exists(from) ? file_load(from, &text, reterr_info) : ERR_NOT_FOUND;
    e = e ? e : file_store(path, buf_view(&text), reterr_info);
    mem_free(from);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err agent_reload(struct agent *a, struct err_info *reterr_info)
{
    struct agent_config *config = NULL;
    struct err_info info = {0};
    mutex_lock(&a->reload_lock);
    enum err e = agent_config_load(&a->flags, str_c(a->built_in), &config, &info);
    if (!e && (e = replace_run(a, config, &info))) {
        agent_config_free(config);
    }
    mutex_unlock(&a->reload_lock);
    agent_count(&a->metrics, e ? AM_RELOAD_FAIL : AM_RELOAD_SUCCESS, 1, NULL);
    if (e) {
        char text[1024];
        LOG_EVENT(LVL_ERROR, "agent_reload_failed", F_C("reason", err_render(&info, text, sizeof(text))));
        if (reterr_info) {
            *reterr_info = info;
        }
        return e;
    }
    LOG_EVENT(LVL_INFO, "agent_reloaded", F_U64("jobs", config->job_count));
    return ERR_OK;
}

void agent_stop(struct agent *a)
{
    if (a) {
        run_stop(a->run);
        thread_join(&a->waiter);
        free_agent(a);
    }
}
