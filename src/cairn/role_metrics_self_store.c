/* Self-metrics of what the store does, of the rules there are and of limits: read when they are asked for.
 *
 * Prometheus' names, where there is the same thing to count: a flush or a merge is its compaction, and the
 * head is truncated by a flush; checkpoints are of sealed chunks (metrics/tsdb/checkpoint.h). Rules are not
 * evaluated: their evaluations are none, and every iteration that was due counts as missed. Nothing is sent
 * to Alertmanagers, so its counters are absent; that none of those is connected is told. */
#include <cairn/metrics.h>

#include "cairn/role_metrics_int.h"

static void emit_one(struct cairn_emit *emit, double v)
{
    cairn_emit(emit, NULL, v);
}

#define ACTIVITY(fn, expression)                                       \
    static void fn(struct cairn_emit *emit, void *context)             \
    {                                                                  \
        struct tsdb_activity a;                                        \
        tsdb_activity(((const struct metrics_role *)context)->db, &a); \
        emit_one(emit, (double)(expression));                          \
    }
ACTIVITY(emit_compactions, a.flushes + a.merges)
ACTIVITY(emit_triggered, a.flushes + a.merges + a.failures)
ACTIVITY(emit_failed, a.failures)
ACTIVITY(emit_truncations, a.flushes)
ACTIVITY(emit_time_retentions, a.time_retentions)
ACTIVITY(emit_size_retentions, a.size_retentions)
ACTIVITY(emit_created, a.series_created)
ACTIVITY(emit_replay, a.replay_seconds)
ACTIVITY(emit_checkpoints, a.checkpoints)
ACTIVITY(emit_chunk_corruptions, a.checkpoints_bad)
ACTIVITY(emit_restored, a.chunks_restored)
ACTIVITY(emit_replayed, a.records_replayed)

static void emit_removed(struct cairn_emit *emit, void *context)
{
    const struct metrics_role *m = context;
    struct tsdb_activity a;
    struct tsdb_stats s;
    tsdb_stats(m->db, &s); /* first: what is made meanwhile must not look removed */
    tsdb_activity(m->db, &a);
    emit_one(emit, a.series_created > s.series ? (double)(a.series_created - s.series) : 0);
}

static void emit_bad_blocks(struct cairn_emit *emit, void *context)
{
    struct tsdb_stats s;
    tsdb_stats(((const struct metrics_role *)context)->db, &s);
    emit_one(emit, (double)s.blocks_bad);
}

static void emit_write_failures(struct cairn_emit *emit, void *context)
{
    struct tsdb_stats s;
    tsdb_stats(((const struct metrics_role *)context)->db, &s);
    emit_one(emit, s.read_only); /* after the first nothing more is written */
}

static void emit_none(struct cairn_emit *emit, void *context)
{
    (void)context;
    emit_one(emit, 0);
}

/* -- rules ----------------------------------------------------------------------------------------------- */

enum group_figure {
    GROUP_RULES = 0,
    GROUP_INTERVAL, /* in seconds */
    GROUP_MISSED,   /* iterations that were due since the rules were loaded */
    GROUP_NONE      /* what evaluating would count */
};

static double group_figure(const struct metrics_role *m, const struct rule_group *g, enum group_figure what)
{
    int64_t loaded_ms = clock_wall_ms(clock_real()) - atomic_load(&m->api.reload_ms);
    int64_t due = loaded_ms > 0 && g->interval_ms > 0 ? loaded_ms / g->interval_ms : 0;
    switch (what) {
    case GROUP_RULES:
        return (double)g->n;
    case GROUP_INTERVAL:
        return (double)g->interval_ms / MS_PER_S;
    case GROUP_MISSED:
        return (double)due;
    case GROUP_NONE:
        break;
    }
    return 0;
}

static void emit_groups(struct cairn_emit *emit, struct metrics_role *m, enum group_figure what)
{
    struct rule_set *s = metrics_rule_set(m);
    for (size_t i = 0; s && i < s->n; i++) {
        const struct rule_group *g = &s->groups[i];
        struct buf name AUTO_BUF = {0};
        buf_printf(&name, "%.*s;%.*s", STR_FMT(g->file), STR_FMT(g->name));
        buf_char(&name, '\0');
        if (!name.err) {
            const char *value = name.p;
            cairn_emit(emit, &value, group_figure(m, g, what));
        }
    }
    rule_set_unref(s);
}

static void emit_group_rules(struct cairn_emit *emit, void *context)
{
    emit_groups(emit, context, GROUP_RULES);
}

static void emit_group_intervals(struct cairn_emit *emit, void *context)
{
    emit_groups(emit, context, GROUP_INTERVAL);
}

static void emit_group_missed(struct cairn_emit *emit, void *context)
{
    emit_groups(emit, context, GROUP_MISSED);
}

static void emit_group_none(struct cairn_emit *emit, void *context)
{
    emit_groups(emit, context, GROUP_NONE);
}

/* -- discovery, remote read, notifications ------------------------------------------------------------------
 */

/* Sections of mechanisms that are known and do not run here. */
static void emit_failed_configs(struct cairn_emit *emit, void *context)
{
    struct prom_config *c = scrape_manager_config(((struct metrics_role *)context)->scrape);
    const char *scrape = "scrape", *notify = "notify";
    size_t jobs = 0, managers = 0;
    for (size_t i = 0; c && i < c->job_count; i++) {
        jobs += c->jobs[i].sd.unused_count;
    }
    for (size_t i = 0; c && i < c->alertmanager_count; i++) {
        managers += c->alertmanagers[i].sd.unused_count;
    }
    cairn_emit(emit, &scrape, (double)jobs);
    cairn_emit(emit, &notify, (double)managers);
    prom_config_unref(c);
}

static void emit_reads(struct cairn_emit *emit, void *context)
{
    emit_one(emit, atomic_load(&((struct metrics_role *)context)->api.reads_running));
}

static void emit_subscribers(struct cairn_emit *emit, void *context)
{
    emit_one(emit, (double)prom_api_notification_readers(&((struct metrics_role *)context)->api));
}

/* -- families -------------------------------------------------------------------------------------------- */

static const char *const rule_group[] = {"rule_group"}, *const sd_name[] = {"name"};

static const struct cairn_family_options families[] = {
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_compactions_total",
     .help = "Total number of blocks that were written by flushing the head or merging blocks.",
     .collect = emit_compactions},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_compactions_triggered_total",
     .help = "Total number of flushes and merges that were begun.",
     .collect = emit_triggered},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_compactions_failed_total",
     .help = "Total number of flushes and merges that failed.",
     .collect = emit_failed},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_head_truncations_total",
     .help = "Total number of head truncations.",
     .collect = emit_truncations},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_time_retentions_total",
     .help = "The number of times that blocks were deleted because the maximum time limit was exceeded.",
     .collect = emit_time_retentions},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_size_retentions_total",
     .help = "The number of times that blocks were deleted because the maximum number of bytes was exceeded.",
     .collect = emit_size_retentions},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_head_series_created_total",
     .help = "Total number of series created in the head.",
     .collect = emit_created},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_head_series_removed_total",
     .help = "Total number of series removed in the head.",
     .collect = emit_removed},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_reloads_failures_total",
     .help = "Number of blocks that could not be loaded from disk.",
     .collect = emit_bad_blocks},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_wal_writes_failed_total",
     .help = "Total number of WAL writes that failed.",
     .collect = emit_write_failures},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_tsdb_data_replay_duration_seconds",
     .help = "Time taken to replay the data on disk.",
     .collect = emit_replay},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_checkpoint_creations_total",
     .help = "Total number of checkpoints of sealed chunks made.",
     .collect = emit_checkpoints},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_mmap_chunk_corruptions_total",
     .help = "Total number of damaged checkpoints or files of sealed chunks; the log was replayed instead.",
     .collect = emit_chunk_corruptions},
    {.type = CAIRN_GAUGE,
     .name = "cairn_tsdb_restored_chunks",
     .help = "Sealed chunks that the last start took from files instead of replaying their samples.",
     .collect = emit_restored},
    {.type = CAIRN_GAUGE,
     .name = "cairn_tsdb_replayed_records",
     .help = "Records of the log that the last start replayed.",
     .collect = emit_replayed},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_engine_query_log_enabled",
     .help = "State of the query log.",
     .collect = emit_none},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_notifications_alertmanagers_discovered",
     .help = "The number of alertmanagers discovered and active.",
     .collect = emit_none},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_rule_group_rules",
     .help = "The number of rules.",
     .label_names = rule_group,
     .label_count = 1,
     .collect = emit_group_rules},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_rule_group_interval_seconds",
     .help = "The interval of a rule group.",
     .label_names = rule_group,
     .label_count = 1,
     .collect = emit_group_intervals},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_rule_group_iterations_missed_total",
     .help = "The total number of rule group evaluations that were due and did not take place.",
     .label_names = rule_group,
     .label_count = 1,
     .collect = emit_group_missed},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_rule_group_iterations_total",
     .help = "The total number of rule group evaluations, those that took place.",
     .label_names = rule_group,
     .label_count = 1,
     .collect = emit_group_none},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_rule_evaluations_total",
     .help = "The total number of rule evaluations.",
     .label_names = rule_group,
     .label_count = 1,
     .collect = emit_group_none},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_rule_evaluation_failures_total",
     .help = "The total number of rule evaluation failures.",
     .label_names = rule_group,
     .label_count = 1,
     .collect = emit_group_none},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_sd_failed_configs",
     .help = "Current number of service discovery configurations that do not run.",
     .label_names = sd_name,
     .label_count = 1,
     .collect = emit_failed_configs},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_read_handler_queries",
     .help = "The current number of remote read queries being executed.",
     .collect = emit_reads},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_api_notification_active_subscribers",
     .help = "The current number of active notification subscribers.",
     .collect = emit_subscribers},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_engine_query_log_failures_total",
     .help = "The number of query log failures.",
     .collect = emit_none},
};

enum err metrics_self_store(struct metrics_role *m, struct cairn_registry *registry)
{
    enum {
        GROUPS_SHOWN_MAX = 10000
    };
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct cairn_family_options o = families[i];
        struct cairn_family *family;
        o.collect_context = m;
        o.series_max = GROUPS_SHOWN_MAX;
        enum cairn_err e = cairn_family_new(registry, &o, &family);
        if (e) {
            return e == CAIRN_ERR_OOM ? ERR_OOM : ERR_INTERNAL;
        }
    }
    return ERR_OK;
}
