/* Checking a configuration without running it. */
#include "agent/agent.h"
#include "agent/inputs/decode.h"
#include "agent/inputs/glob.h"
#include "agent/stages/pipeline.h"

static void nowhere(void *ctx, struct entry *e)
{
    (void)ctx;
    (void)e;
}

static enum err check_job(const struct scrape_job *j, struct agent_metrics *metrics, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    struct pipeline *p = NULL;
    struct decoder *d = NULL;
    struct pipeline_options o = {
        .job = j->name, .metrics = metrics, .clock = clock_real(), .out = {nowhere, NULL}};
    arena_init(&a, 0, NULL);
    enum err e = pipeline_new(&o, j->stages, &p, info);
    pipeline_free(p);
    e = e ? e : decoder_new(j->encoding, &d, info);
    decoder_free(d);
    for (size_t i = 0; i < j->target_count && !e; i++) {
        struct glob g;
        e = glob_new(&a, j->targets[i].path, &g, info);
        e = e ? e : glob_new(&a, j->targets[i].exclude, &g, info);
    }
    return e;
}

enum err agent_check(const struct agent_config *config, struct err_info *reterr_info)
{
    struct agent_metrics metrics;
    enum err e = agent_metrics_init(&metrics);
    if (e) {
        return err_set(reterr_info, e, "out of memory");
    }
    for (size_t i = 0; i < config->job_count && !e; i++) {
        e = check_job(&config->jobs[i], &metrics, reterr_info);
    }
    agent_metrics_done(&metrics);
    return e;
}
