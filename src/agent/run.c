/* One configuration at work: made whole, started, stopped in the order in which lines flow. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_int.h"
#include "agent/inputs/journal.h"
#include "agent/inputs/push.h"
#include "agent/inputs/syslog.h"
#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"

enum {
    TICK_MS = 100,
    POSITIONS_DEFAULT_MS = 1000, /* Promtail's is 10 s; less is repeated after a crash */
    INPUT_GRACE_MS = 2000,
    CLIENT_GRACE_MS = 5000
};

/* -- from the stages to the clients ------------------------------------------------------------------------
 */

/* limits_config.readline_rate: one bucket for all jobs. True: take the line. */
static bool within_rate(struct agent_run *r)
{
    const struct agent_config *c = r->config;
    while (!atomic_load_explicit(&r->unblock, memory_order_relaxed)) {
        mutex_lock(&r->rate_lock);
        int64_t now = clock_mono_ns(clock_real());
        r->tokens += (double)(now - r->tokens_ns) / (double)NS_PER_S * c->rate;
        r->tokens = r->tokens > (double)c->rate_burst ? (double)c->rate_burst : r->tokens;
        r->tokens_ns = now;
        bool ok = r->tokens >= 1;
        r->tokens -= ok ? 1 : 0;
        mutex_unlock(&r->rate_lock);
        if (ok || c->rate_drop) {
            return ok;
        }
        clock_sleep_ms(1);
    }
    return true;
}

static void fan_out(void *ctx, struct entry *e)
{
    struct agent_run *r = ((struct run_job *)ctx)->run;
    if (r->config->rate_enabled && !within_rate(r)) {
        agent_line_dropped(&r->agent->metrics, STR("global_rate_limiter_drop"));
        return;
    }
    if (r->agent->flags.dry_run) {
        print_entry(e);
        return;
    }
    for (size_t i = 0; i < r->client_count; i++) {
        client_put(r->clients[i], e);
    }
}

static void into_pipeline(void *ctx, struct entry *e)
{
    pipeline_put(((struct run_job *)ctx)->pipeline, e);
}

/* -- the clock ----------------------------------------------------------------------------------------------
 */

static void save_positions(struct agent_run *r)
{
    struct err_info info = {0};
    positions_begin(r->positions);
    if (r->files) {
        file_input_report(r->files, r->positions);
    }
    for (size_t i = 0; i < r->job_count; i++) {
        struct input *in = r->jobs[i].input;
        if (in && in->ops->report) {
            in->ops->report(in, r->positions);
        }
    }
    if (positions_commit(r->positions, &info)) {
        LOG_EVENT(LVL_ERROR, "positions_not_saved", F_C("reason", info.message),
                  F_C("effect", "lines may be delivered twice after a restart"));
    }
}

/* Is there anything to write down? Inputs with a cursor say so by themselves, so they are asked each time. */
static bool moved(struct agent_run *r)
{
    bool yes = r->files && file_input_take_changed(r->files);
    for (size_t i = 0; i < r->job_count; i++) {
        yes |= r->jobs[i].input && r->jobs[i].input->ops->report;
    }
    return yes;
}

static void clock_main(void *ctx)
{
    struct agent_run *r = ctx;
    int64_t period_ms = r->config->positions_sync_ms ? r->config->positions_sync_ms : POSITIONS_DEFAULT_MS;
    int64_t save_ns = clock_mono_ns(clock_real()) + period_ms * NS_PER_MS;
    mutex_lock(&r->lock);
    while (!r->stopping) {
        (void)cond_wait_until(&r->wake, &r->lock, clock_mono_ns(clock_real()) + TICK_MS * NS_PER_MS);
        mutex_unlock(&r->lock);
        for (size_t i = 0; i < r->job_count; i++) {
            pipeline_tick(r->jobs[i].pipeline);
        }
        bool news = r->files && file_input_take_news(r->files);
        if (news || clock_mono_ns(clock_real()) >= save_ns) {
            if (moved(r)) {
                save_positions(r);
            }
            save_ns = clock_mono_ns(clock_real()) + period_ms * NS_PER_MS;
        }
        mutex_lock(&r->lock);
    }
    mutex_unlock(&r->lock);
}

/* -- making -------------------------------------------------------------------------------------------------
 */

static enum err make_clients(struct agent_run *r, struct err_info *info)
{
    struct agent *a = r->agent;
    const struct agent_config *c = r->config;
    enum err e = ERR_OK;
    for (size_t i = 0; i < c->client_count && !e && !a->flags.dry_run; i++) {
        e = client_new(&c->clients[i], &c->limits, NULL, &a->metrics, &r->clients[r->client_count], info);
        r->client_count += !e;
    }
    if (!e && c->client_count == 0 && a->sink && !a->flags.dry_run) {
        client_config_default(&r->sink_config);
        e = client_new(&r->sink_config, &c->limits, a->sink, &a->metrics, &r->clients[0], info);
        r->client_count += !e;
    }
    if (!e && r->client_count == 0 && !a->flags.dry_run) {
        return err_set(
            info, ERR_INVALID,
            "at least one client config must be provided: add clients with a url, use -client.url, or run "
            "the role logs in the same process");
    }
    return e;
}

static enum err make_job(struct agent_run *r, const struct scrape_job *config, struct err_info *info)
{
    struct run_job *j = &r->jobs[r->job_count];
    *j = (struct run_job){.run = r, .config = config};
    struct pipeline_options o = {
        .job = config->name, .metrics = &r->agent->metrics, .clock = clock_real(), .out = {fan_out, j}};
    enum err e = pipeline_new(&o, config->stages, &j->pipeline, info);
    if (e) {
        return e;
    }
    r->job_count++;
    if (config->kind == JOB_FILES && !r->config->from_stdin) {
        r->file_jobs[r->file_job_count++] = (struct file_job){.name = config->name,
                                                              .targets = config->targets,
                                                              .target_count = config->target_count,
                                                              .encoding = config->encoding,
                                                              .packing = config->packing,
                                                              .sink = {into_pipeline, j}};
    }
    return ERR_OK;
}

static void count_targets(struct agent_run *r)
{
    static const char *const reasons[] = {"dropped", "no_path", "wrong_host"};
    size_t active = 0;
    for (size_t i = 0; i < r->config->job_count; i++) {
        const struct scrape_job *j = &r->config->jobs[i];
        active += j->kind == JOB_FILES ? j->target_count : 1;
        for (size_t k = 0; k < ARRAY_LEN(reasons); k++) {
            if (j->dropped[k]) {
                agent_count_1(&r->agent->metrics, AM_TARGETS_FAILED, (double)j->dropped[k], reasons[k]);
            }
        }
    }
    agent_gauge_set(&r->agent->metrics, AM_TARGETS_ACTIVE, (double)active, NULL);
}

enum err run_new(struct agent *a, struct agent_config *config, struct agent_run **ret_run,
                 struct err_info *reterr_info)
{
    struct agent_run *r = mem_zalloc(sizeof(*r));
    if (!r) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    r->agent = a;
    r->config = config;
    r->tokens = (double)config->rate_burst;
    r->tokens_ns = clock_mono_ns(clock_real());
    atomic_init(&r->unblock, false);
    mutex_init(&r->lock);
    mutex_init(&r->rate_lock);
    cond_init(&r->wake);
    r->jobs = mem_zarray(config->job_count + 1, sizeof(*r->jobs));
    r->file_jobs = mem_zarray(config->job_count + 1, sizeof(*r->file_jobs));
    enum err e = r->jobs && r->file_jobs ? ERR_OK : err_set(reterr_info, ERR_OOM, "out of memory");
    for (size_t i = 0; i < config->job_count && !e; i++) {
        e = make_job(r, &config->jobs[i], reterr_info);
    }
    e = e ? e : make_clients(r, reterr_info);
    if (e) {
        r->config = NULL; /* stays the caller's */
        run_free(r);
        return e;
    }
    *ret_run = r;
    return ERR_OK;
}

/* -- starting -----------------------------------------------------------------------------------------------
 */

static enum err open_positions(struct agent_run *r, struct err_info *info)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%.*s", STR_FMT(r->config->positions_file));
    struct positions_options o = {.path = path,
                                  .read_only = r->agent->flags.dry_run || r->config->from_stdin,
                                  .ignore_invalid = r->config->positions_ignore_invalid};
    char *slash = strrchr(path, '/');
    if (!o.read_only && slash && slash != path) {
        *slash = '\0';
        enum err e = dir_make(path, info);
        if (e) {
            return e;
        }
        *slash = '/';
    }
    return positions_open(&o, &r->positions, info);
}

static enum err start_files(struct agent_run *r, struct err_info *info)
{
    struct file_input_options o;
    file_input_options_default(&o);
    o.jobs = r->file_jobs;
    o.job_count = r->file_job_count;
    o.positions = r->positions;
    o.metrics = &r->agent->metrics;
    o.sync_ms = r->config->target_sync_ms;
    o.poll_ms = r->config->poll_ms;
    return file_input_new(&o, &r->files, info);
}

/* -stdin: the first job's labels and stages, nothing else of it. */
static enum err start_stdin(struct agent_run *r, struct err_info *info)
{
    char host[HOST_NAME_MAX + 1] = "localhost";
    (void)gethostname(host, sizeof(host) - 1);
    struct run_job *j = r->job_count ? &r->jobs[0] : NULL;
    if (!j) {
        return err_set(info, ERR_INVALID, "-stdin needs one scrape config, for its labels and stages");
    }
    struct input_common c = {.job = j->config->name,
                             .metrics = &r->agent->metrics,
                             .positions = r->positions,
                             .sink = {into_pipeline, j}};
    if (j->config->kind == JOB_FILES && j->config->target_count) {
        c.labels = j->config->targets[0].labels;
    }
    if (c.labels.n == 0) {
        struct str name = arena_str(&r->config->arena, str_c(host));
        enum err e =
            name.p ? labels_with(&r->config->arena, c.labels, STR("job"), STR("stdin"), &c.labels) : ERR_OOM;
        e = e ? e : labels_with(&r->config->arena, c.labels, STR("hostname"), name, &c.labels);
        if (e) {
            return err_set(info, e, "out of memory");
        }
    }
    return input_stdin_new(&c, &j->input, info);
}

static struct input_common common_of(struct agent_run *r, struct run_job *j, struct labels labels)
{
    return (struct input_common){.job = j->config->name,
                                 .labels = labels,
                                 .rules = j->config->rules,
                                 .rule_count = j->config->rule_count,
                                 .positions = r->positions,
                                 .metrics = &r->agent->metrics,
                                 .sink = {into_pipeline, j}};
}

static enum err start_journal(struct agent_run *r, struct run_job *j, struct err_info *info)
{
    const struct journal_config *c = &j->config->journal;
    struct input_common common = common_of(r, j, c->labels);
    struct journal_options o = {c->path, c->json, c->max_age_ms, c->matches};
    return input_journal_new(&common, &o, &j->input, info);
}

static enum err start_syslog(struct agent_run *r, struct run_job *j, struct err_info *info)
{
    const struct syslog_config *c = &j->config->syslog;
    struct input_common common = common_of(r, j, c->labels);
    struct syslog_options o = {.listen_address = c->listen_address,
                               .udp = c->udp,
                               .rfc3164 = c->rfc3164,
                               .idle_timeout_ms = c->idle_timeout_ms,
                               .label_structured_data = c->label_structured_data,
                               .use_incoming_timestamp = c->use_incoming_timestamp,
                               .use_rfc5424_message = c->use_rfc5424_message,
                               .message_bytes_max = (size_t)c->message_bytes_max};
    return input_syslog_new(&common, &o, &j->input, info);
}

static enum err start_push(struct agent_run *r, struct run_job *j, struct err_info *info)
{
    const struct push_config *c = &j->config->push;
    struct input_common common = common_of(r, j, c->labels);
    struct push_options o = {c->listen_address, c->use_incoming_timestamp, (size_t)c->body_bytes_max};
    return input_push_new(&common, &o, &j->input, info);
}

/* Inputs with a thread or server of their own. */
static enum err start_others(struct agent_run *r, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < r->job_count && !e; i++) {
        struct run_job *j = &r->jobs[i];
        switch (j->config->kind) {
        case JOB_FILES:
            break;
        case JOB_JOURNAL:
            e = start_journal(r, j, info);
            break;
        case JOB_SYSLOG:
            e = start_syslog(r, j, info);
            break;
        case JOB_PUSH:
            e = start_push(r, j, info);
            break;
        }
    }
    return e;
}

enum err run_start(struct agent_run *r, struct err_info *reterr_info)
{
    enum err e = open_positions(r, reterr_info);
    if (!e && r->config->from_stdin) {
        e = start_stdin(r, reterr_info);
    } else if (!e) {
        e = start_files(r, reterr_info);
        e = e ? e : start_others(r, reterr_info);
    }
    if (!e && thread_start(&r->clock, "agent-clock", clock_main, r)) {
        e = err_set(reterr_info, ERR_UNAVAILABLE, "cannot start a thread");
    }
    count_targets(r);
    return e;
}

/* -- stopping -----------------------------------------------------------------------------------------------
 */

static void stop_clock(struct agent_run *r)
{
    mutex_lock(&r->lock);
    r->stopping = true;
    cond_broadcast(&r->wake);
    mutex_unlock(&r->lock);
    thread_join(&r->clock);
}

static void stop_inputs(struct agent_run *r)
{
    bool blocked = false;
    for (size_t i = 0; i < r->client_count; i++) {
        blocked |= client_is_full(r->clients[i]);
    }
    int64_t deadline = clock_mono_ns(clock_real()) + (blocked ? 0 : INPUT_GRACE_MS * NS_PER_MS);
    bool gentle = !r->files || file_input_ask_stop(r->files, deadline);
    if (gentle) { /* nobody is blocked: what stages hold back can still go out */
        for (size_t i = 0; i < r->job_count && r->files; i++) {
            pipeline_flush(r->jobs[i].pipeline);
        }
    }
    atomic_store_explicit(&r->unblock, true, memory_order_relaxed);
    for (size_t i = 0; i < r->job_count; i++) {
        pipeline_stop(r->jobs[i].pipeline);
    }
    for (size_t i = 0; i < r->client_count; i++) {
        client_close(r->clients[i]);
    }
    if (r->files) {
        file_input_stop(r->files);
    }
    for (size_t i = 0; i < r->job_count; i++) {
        if (r->jobs[i].input) {
            r->jobs[i].input->ops->stop(r->jobs[i].input);
        }
    }
}

void run_stop(struct agent_run *r)
{
    stop_clock(r);
    stop_inputs(r);
    for (size_t i = 0; i < r->client_count; i++) {
        client_stop(r->clients[i], CLIENT_GRACE_MS);
    }
    if (r->positions) {
        save_positions(r);
    }
}

void run_free(struct agent_run *r)
{
    if (!r) {
        return;
    }
    for (size_t i = 0; i < r->client_count; i++) {
        client_stop(r->clients[i], 0); /* again is harmless; a run that never started has threads too */
        client_free(r->clients[i]);
    }
    for (size_t i = 0; i < r->job_count; i++) {
        pipeline_free(r->jobs[i].pipeline);
        if (r->jobs[i].input) {
            r->jobs[i].input->ops->free(r->jobs[i].input);
        }
    }
    file_input_free(r->files);
    positions_close(r->positions);
    agent_config_free(r->config);
    mutex_done(&r->lock);
    mutex_done(&r->rate_lock);
    cond_done(&r->wake);
    mem_free(r->jobs);
    mem_free(r->file_jobs);
    mem_free(r);
}
