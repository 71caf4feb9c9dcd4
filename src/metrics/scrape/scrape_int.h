/* The manager's insides. Private to this folder.
 *
 * Locks: `pools_lock` (configuration, pools, which targets there are) before `lock` (the timetable, a
 * target's facts) before a target's own `status_lock`. None is held while a scrape runs, except status_lock
 * while a body is read (the metadata table). */
#ifndef CAIRN_METRICS_SCRAPE_SCRAPE_INT_H
#define CAIRN_METRICS_SCRAPE_SCRAPE_INT_H

#include "base/arena.h"
#include "base/thread.h"
#include "metrics/scrape/body.h"
#include "metrics/scrape/limits.h"
#include "metrics/scrape/scrape.h"
#include "metrics/scrape/target.h"
#include "net/http_client.h"

enum {
    REPORT_UP = 0,
    REPORT_DURATION,
    REPORT_SAMPLES,
    REPORT_POST_RELABEL,
    REPORT_SERIES_ADDED,
    REPORT_TIMEOUT, /* from here on only with extra_scrape_metrics */
    REPORT_SAMPLE_LIMIT,
    REPORT_BODY_SIZE,
    REPORT_COUNT
};

/* What one synchronisation of a pool found: immutable, shared by count by its targets and by readers. */
struct pool_snapshot {
    atomic_uint refs;
    struct arena memory;
    struct prom_config *config; /* a reference */
    const struct scrape_job *job;
    struct labels *dropped; /* discovered labels, at most as many as are remembered */
    size_t dropped_count, dropped_cap, dropped_total;
    struct str forced_error; /* every scrape fails with it: target_limit */
};

/* What may change about a target while it stays the same target. In its snapshot. */
struct target_facts {
    struct pool_snapshot *snapshot;
    struct labels discovered;
    int64_t interval_ms, timeout_ms;
    bool native_histograms, classic_histograms;
    struct str accept;
};

enum target_state {
    TARGET_RUNNING = 0,
    TARGET_ENDING, /* its staleness markers are due */
    TARGET_GONE
};

struct scrape_target {
    atomic_uint refs;
    struct scrape_manager *m;
    struct arena memory;
    uint64_t identity;
    struct labels labels;
    struct str url, unix_socket;
    struct labels report[REPORT_COUNT];

    /* The timetable's, under m->lock. */
    const struct target_facts *facts; /* with a reference to its snapshot */
    enum target_state state;
    bool busy, kept; /* kept: by the synchronisation under way */
    ts_ms due_ms, last_tick_ms;

    /* The running scrape's (busy). */
    struct pool_snapshot *run_snapshot; /* a reference */
    const struct target_facts *run;
    ts_ms run_ts;
    int64_t run_started_ns, last_started_ns;
    enum err answer_err;
    struct http_answer answer;
    struct err_info answer_info;
    struct scrape_cache cache;
    series_ref report_ref[REPORT_COUNT];
    uint64_t report_hash[REPORT_COUNT], epoch;

    struct mutex status_lock; /* guards what follows */
    struct metadata_table metadata;
    enum scrape_health health;
    char *last_error;
    ts_ms last_scrape_ms;
    double last_seconds;
};

struct scrape_pool {
    struct scrape_pool *next;
    struct prom_config *config; /* a reference */
    const struct scrape_job *job;
    struct sd_provider **providers;
    size_t provider_count;
    struct scrape_target **targets; /* a reference each */
    size_t target_count, target_cap;
    struct pool_snapshot *snapshot;
    uint64_t syncs, sync_failures, sync_ns;
};

struct scrape_manager {
    struct scrape_options o;
    struct http_client *client;
    struct pool *workers;
    struct discovery *discovery;
    struct thread thread;

    struct mutex pools_lock; /* guards the next three */
    struct prom_config *config;
    struct scrape_pool *pools;
    uint64_t seed; /* of the phases */

    struct mutex lock; /* guards the timetable */
    struct cond wake;
    struct scrape_target **heap; /* by due_ms; a reference each */
    size_t heap_count, heap_cap;
    bool stopping, sync_wanted, sync_running;
    int64_t sync_after_ns; /* monotonic */

    _Atomic uint64_t pools_failed, reloads, reloads_failed, target_limit_hits, label_limit_hits;
    _Atomic uint64_t sample_limit_hits, body_limit_hits, bucket_limit_hits;
    _Atomic uint64_t duplicates, out_of_bounds, out_of_order, exemplars_out_of_order;
    _Atomic uint64_t scrapes, scrapes_failed, samples;
};

/* scrape_target.c: making, sharing */
MUST_USE enum err scrape_target_new(struct scrape_manager *m, const struct target_spec *spec,
                                    struct scrape_target **ret_target);
struct scrape_target *scrape_target_ref(struct scrape_target *t);
void scrape_target_unref(struct scrape_target *t); /* accepts NULL */
MUST_USE enum err pool_snapshot_new(struct prom_config *c, const struct scrape_job *job,
                                    struct pool_snapshot **ret_snapshot);
struct pool_snapshot *pool_snapshot_ref(struct pool_snapshot *s);
void pool_snapshot_unref(struct pool_snapshot *s); /* accepts NULL */

/* scrape_run.c: one scrape. The caller has set busy and the run_ fields and hands over a reference. */
void scrape_start(struct scrape_target *t);
/* Staleness markers of a target that ended, at run_ts. Takes the reference. For a worker. */
void scrape_end_task(void *ctx);

/* timetable.c. With m->lock held unless said otherwise. */
void timetable_main(void *manager); /* the thread; without the lock */
/* Puts a target on the timetable (takes a reference of its own). Errors: OOM. */
MUST_USE enum err timetable_add(struct scrape_manager *m, struct scrape_target *t);
/* The target ends: after two intervals its series go stale. */
void timetable_end(struct scrape_manager *m, struct scrape_target *t);
/* A scrape is over. Without the lock; drops the reference of the run. */
void timetable_done(struct scrape_target *t);

/* pools.c */
void pools_sync_task(void *manager); /* for a worker: what discovery changed */
void pools_free(struct scrape_manager *m);
MUST_USE enum err pools_apply(struct scrape_manager *m, struct prom_config *c, struct err_info *info);

/* failure_log.c. Nothing when the job has no such file. */
void scrape_failure_log(const struct scrape_job *job, struct str url, const char *error);

/* negotiate.c: the Accept header of a job's protocols. p == NULL: out of memory. */
struct str scrape_accept(struct arena *a, const struct scrape_job *job, bool native_histograms);

#endif
