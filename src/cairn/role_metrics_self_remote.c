/* Self-metrics of remote write: a series for each entry of the configuration. */
#include <stddef.h>
#include <string.h>

#include <cairn/metrics.h>

#include "cairn/role_metrics_int.h"

static void emit_remotes(struct cairn_emit *emit, struct metrics_role *m, size_t offset, double scale)
{
    mutex_lock(&m->remotes_lock);
    for (size_t i = 0; i < m->remote_count; i++) {
        const struct metrics_remote *r = &m->remotes[i];
        struct remote_writer_stats stats;
        uint64_t v;
        remote_writer_stats(r->writer, &stats);
        memcpy(&v, (const char *)&stats + offset, sizeof(v));
        const char *values[] = {r->name, r->config->remote_write[r->index].url.p};
        cairn_emit(emit, values, (double)v * scale);
    }
    mutex_unlock(&m->remotes_lock);
}

/* A number of the entries' own configuration. */
static void emit_remote_config(struct cairn_emit *emit, struct metrics_role *m, size_t offset)
{
    mutex_lock(&m->remotes_lock);
    for (size_t i = 0; i < m->remote_count; i++) {
        const struct remote_write_config *c = &m->remotes[i].config->remote_write[m->remotes[i].index];
        const char *values[] = {m->remotes[i].name, c->url.p};
        uint64_t v;
        memcpy(&v, (const char *)c + offset, sizeof(v));
        cairn_emit(emit, values, (double)v);
    }
    mutex_unlock(&m->remotes_lock);
}

#define REMOTE_CONFIG(fn, field)                                                        \
    static void fn(struct cairn_emit *emit, void *context)                              \
    {                                                                                   \
        emit_remote_config(emit, context, offsetof(struct remote_write_config, field)); \
    }
REMOTE_CONFIG(emit_remote_max_shards, max_shards)
REMOTE_CONFIG(emit_remote_min_shards, min_shards)
REMOTE_CONFIG(emit_remote_capacity, capacity)
REMOTE_CONFIG(emit_remote_batch, samples_max)

/* A writer is one connection. */
static void emit_remote_shards(struct cairn_emit *emit, void *context)
{
    struct metrics_role *m = context;
    mutex_lock(&m->remotes_lock);
    for (size_t i = 0; i < m->remote_count; i++) {
        const char *values[] = {m->remotes[i].name,
                                m->remotes[i].config->remote_write[m->remotes[i].index].url.p};
        cairn_emit(emit, values, 1);
    }
    mutex_unlock(&m->remotes_lock);
}

#define REMOTE_COLLECTOR(fn, field, scale)                                               \
    static void fn(struct cairn_emit *emit, void *context)                               \
    {                                                                                    \
        emit_remotes(emit, context, offsetof(struct remote_writer_stats, field), scale); \
    }
REMOTE_COLLECTOR(emit_remote_samples, samples, 1)
REMOTE_COLLECTOR(emit_remote_failed, samples_failed, 1)
REMOTE_COLLECTOR(emit_remote_retried, samples_retried, 1)
REMOTE_COLLECTOR(emit_remote_dropped, samples_dropped, 1)
REMOTE_COLLECTOR(emit_remote_bytes, bytes, 1)
REMOTE_COLLECTOR(emit_remote_pending, samples_pending, 1)
REMOTE_COLLECTOR(emit_remote_until, sent_until_ms, 0.001)

/* A number that is the same for all of them. */
static void emit_same(struct cairn_emit *emit, struct metrics_role *m, double v)
{
    mutex_lock(&m->remotes_lock);
    for (size_t i = 0; i < m->remote_count; i++) {
        const struct metrics_remote *r = &m->remotes[i];
        const char *values[] = {r->name, r->config->remote_write[r->index].url.p};
        cairn_emit(emit, values, v);
    }
    mutex_unlock(&m->remotes_lock);
}

static void emit_remote_none(struct cairn_emit *emit, void *context)
{
    emit_same(emit, context, 0);
}

static void emit_remote_newest(struct cairn_emit *emit, void *context)
{
    struct metrics_role *m = context;
    struct tsdb_stats s;
    tsdb_stats(m->db, &s);
    emit_same(emit, m, s.newest_time == INT64_MIN ? 0 : (double)s.newest_time / MS_PER_S);
}

/* -- families -------------------------------------------------------------------------------------------- */

static const char *const remote[] = {"remote_name", "url"};

static const struct cairn_family_options families[] = {
    {.type = CAIRN_COUNTER,
     .name = "prometheus_remote_storage_samples_total",
     .help = "Total number of samples sent to remote storage.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_samples},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_remote_storage_samples_failed_total",
     .help = "Total number of samples which failed on send to remote storage, non-recoverable errors.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_failed},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_remote_storage_samples_retried_total",
     .help = "Total number of samples which failed on send to remote storage but were retried because "
             "the send error was recoverable.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_retried},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_remote_storage_samples_dropped_total",
     .help = "Total number of samples which were dropped after being read, by relabelling or age.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_dropped},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_samples_pending",
     .help = "The number of samples that were read and wait to be sent to the remote storage.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_pending},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_remote_storage_enqueue_retries_total",
     .help = "Total number of times enqueue has failed because a shard's queue was full: there is no queue "
             "to be full, samples are read when they can be sent.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_none},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_queue_highest_timestamp_seconds",
     .help = "Highest timestamp that is to be sent to the remote storage.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_newest},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_remote_storage_bytes_total",
     .help = "The total number of bytes of data sent by queues after compression.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_bytes},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_shards",
     .help = "The number of shards used for parallel sending to the remote storage.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_shards},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_shards_desired",
     .help = "The number of shards that the queues shard calculation wants to run based on the rate of "
             "samples in vs. samples out.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_shards},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_shards_max",
     .help = "The maximum number of shards that the queue is allowed to run.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_max_shards},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_shards_min",
     .help = "The minimum number of shards that the queue is allowed to run.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_min_shards},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_shard_capacity",
     .help = "The capacity of each shard of the queue used for parallel sending to the remote storage.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_capacity},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_max_samples_per_send",
     .help = "The maximum number of samples to be sent, in a single request, to the remote storage.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_batch},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
     .help = "Timestamp up to which everything was sent or given up.",
     .label_names = remote,
     .label_count = 2,
     .collect = emit_remote_until},
};

enum err metrics_self_remote(struct metrics_role *m, struct cairn_registry *registry)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct cairn_family_options o = families[i];
        struct cairn_family *family;
        o.collect_context = m;
        o.series_max = METRICS_REMOTES_MAX;
        enum cairn_err e = cairn_family_new(registry, &o, &family);
        if (e) {
            return e == CAIRN_ERR_OOM ? ERR_OOM : ERR_INTERNAL;
        }
    }
    return ERR_OK;
}
