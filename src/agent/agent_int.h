/* Inside of the agent: one run of a configuration, and what outlives it. */
#ifndef CAIRN_AGENT_AGENT_INT_H
#define CAIRN_AGENT_AGENT_INT_H

#include "agent/agent.h"
#include "agent/inputs/input.h"
#include "agent/outputs/client.h"
#include "agent/stages/pipeline.h"
#include "base/thread.h"

struct agent;

/* A job at work. */
struct run_job {
    struct agent_run *run;
    const struct scrape_job *config;
    struct pipeline *pipeline;
    struct input *input; /* other than files; may be NULL */
};

/* Everything made from one configuration. */
struct agent_run {
    struct agent *agent;
    struct agent_config *config;
    struct client *clients[AGENT_CLIENTS_MAX];
    size_t client_count;
    struct client_config sink_config; /* of the client for the sink */
    struct run_job *jobs;
    size_t job_count;
    struct file_job *file_jobs;
    size_t file_job_count;
    struct file_input *files;
    struct positions *positions;
    struct thread clock;
    struct mutex lock;
    struct cond wake;
    bool stopping; /* under the lock */
    /* The rate limit over all jobs, under rate_lock. */
    struct mutex rate_lock;
    double tokens;
    int64_t tokens_ns;
    atomic_bool unblock; /* set at the stop: nobody waits for the rate limit */
};

struct agent {
    struct agent_flags flags;
    char *built_in;
    struct log_sink *sink;
    void (*input_ended)(void *ctx);
    void *input_ended_ctx;
    struct thread waiter; /* for the end of standard input */
    struct agent_metrics metrics;
    struct mutex reload_lock; /* one reload at a time */
    struct mutex lock;
    struct agent_run *run; /* under the lock */
};

/* run.c */
MUST_USE enum err run_new(struct agent *a, struct agent_config *config, struct agent_run **ret_run,
                          struct err_info *reterr_info);
/* Starts the inputs. */
MUST_USE enum err run_start(struct agent_run *r, struct err_info *reterr_info);
void run_stop(struct agent_run *r);
/* After run_stop, or instead of run_start. The configuration goes with it. Accepts NULL. */
void run_free(struct agent_run *r);

/* print.c */
void print_entry(const struct entry *e);

#endif
