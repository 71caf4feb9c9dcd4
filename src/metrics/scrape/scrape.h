/* The scrape manager: targets of a configuration, scraped on time into a sink.
 *
 * One thread keeps the timetable, one drives the HTTP calls, workers parse and append. Any thread may call.
 */
#ifndef CAIRN_METRICS_SCRAPE_SCRAPE_H
#define CAIRN_METRICS_SCRAPE_SCRAPE_H

#include "base/clock.h"
#include "metrics/discovery/discovery.h"
#include "metrics/model/sink.h"
#include "metrics/scrape/config.h"

struct scrape_manager;

struct scrape_options {
    struct clock *clock;
    struct metric_sink *sink;
    struct str tenant;     /* borrowed for life, like user_agent */
    struct str user_agent; /* "Prometheus/3.14.0" */
    unsigned workers;      /* 0 = processors */
    /* The length of an interval between two scrapes, after each; may be NULL. */
    void (*on_interval)(void *ctx, int64_t interval_ms, double seconds);
    void *ctx;
};

MUST_USE enum err scrape_manager_new(const struct scrape_options *o, struct scrape_manager **ret_manager);
/* Scrapes no more; series of running targets are not marked stale. Views go on working. Accepts NULL. */
void scrape_manager_stop(struct scrape_manager *m);
/* Stops and frees. Accepts NULL. */
void scrape_manager_free(struct scrape_manager *m);
/* Takes a reference. Unchanged jobs go on undisturbed; targets that end go stale. Errors: OOM (the jobs that
 * could not be made are left out). */
MUST_USE enum err scrape_manager_apply(struct scrape_manager *m, struct prom_config *c,
                                       struct err_info *reterr_info);
/* A reference to the configuration in force; NULL before the first. */
struct prom_config *scrape_manager_config(struct scrape_manager *m);

/* -- what is going on: copies into an arena -------------------------------------------------------------- */

enum scrape_health {
    SCRAPE_UNKNOWN = 0, /* not scraped yet */
    SCRAPE_UP,
    SCRAPE_DOWN
};

struct scrape_target_view {
    struct labels discovered, labels;
    struct str pool, url, last_error;
    ts_ms last_scrape_ms; /* 0 = never */
    double last_seconds;
    enum scrape_health health;
    int64_t interval_ms, timeout_ms;
};

struct scrape_pool_view {
    struct str name;
    const struct scrape_target_view *active;
    size_t active_count;
    const struct scrape_target_view *dropped; /* discovered labels only */
    size_t dropped_count;                     /* of the list, which keep_dropped_targets cuts */
    size_t dropped_total;
    uint64_t target_limit, syncs, sync_failures;
};

/* Pools by name; targets by labels. `only` (empty: all) names one pool. Errors: OOM. */
MUST_USE enum err scrape_view(struct scrape_manager *m, struct arena *a, struct str only,
                              const struct scrape_pool_view **ret_pools, size_t *ret_n);

struct scrape_metadata_view {
    struct labels target;
    struct str metric, type, help, unit;
};

/* What the targets say of their metrics; `metric` empty: of all. Errors: OOM. */
MUST_USE enum err scrape_metadata_view(struct scrape_manager *m, struct arena *a, struct str metric,
                                       const struct scrape_metadata_view **ret_rows, size_t *ret_n);

struct scrape_stats {
    uint64_t pools, pools_failed, reloads, reloads_failed, target_limit_hits, label_limit_hits;
    uint64_t sample_limit_hits, body_limit_hits, bucket_limit_hits;
    uint64_t duplicates, out_of_bounds, out_of_order, exemplars_out_of_order;
    uint64_t scrapes, scrapes_failed, samples;
    struct discovery_stats discovery;
};

void scrape_stats(struct scrape_manager *m, struct scrape_stats *ret_stats);

struct scrape_pool_stats {
    struct str name;
    uint64_t targets, dropped, target_limit, syncs, sync_failures;
    uint64_t sync_ns;                          /* all syncs together */
    uint64_t metadata_entries, metadata_bytes; /* of the pool's targets */
};

/* Figures of every pool, for the self-metrics. Errors: OOM. */
MUST_USE enum err scrape_pool_stats(struct scrape_manager *m, struct arena *a,
                                    const struct scrape_pool_stats **ret_rows, size_t *ret_n);

#endif
