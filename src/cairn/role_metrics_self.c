/* What the metrics role says of itself at /metrics, under Prometheus' own names.
 *
 * Figures of the store and the scrape manager are read once for each answer, under one lock, and handed out
 * by one row each of the table below; request and interval figures are kept by libcairn as they come. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/mem_promise.h"
#include "cairn/role_metrics_int.h"
#include "cairn/self.h"
#include "codec/units.h"

/* Read once for an answer. */
struct snapshot {
    struct tsdb_stats db;
    struct scrape_stats scrape;
    struct mem_promise_stats memory;
    uint64_t series_cache_bytes, range_cache_bytes, query_pool_bytes;
    const struct scrape_pool_stats *pools;
    size_t pool_count;
    uint64_t queries_running, queries_done, queries_failed, write_samples, write_refused, reload_ok,
        concurrency;
    uint64_t federation_errors, ready, retention_bytes, log_errors, log_warnings, memory_budget;
    int64_t reload_ms, retention_ms;
};

#define AT(field) offsetof(struct snapshot, field)

static const struct self_row rows[] = {
    {"prometheus_web_federation_errors_total", CAIRN_COUNTER, SELF_U64, AT(federation_errors),
     "Total number of errors that occurred while sending federation responses."},
    {"prometheus_remote_storage_highest_timestamp_in_seconds", CAIRN_GAUGE, SELF_MS_IN_S, AT(db.max_time),
     "Highest timestamp that has come into the store."},
    {"prometheus_remote_storage_samples_in_total", CAIRN_COUNTER, SELF_U64, AT(db.samples_appended),
     "Samples in to remote storage, compare to samples out for queue managers."},
    {"prometheus_ready", CAIRN_GAUGE, SELF_U64, AT(ready),
     "Whether Prometheus startup was fully completed and the server is ready for normal operation."},
    {"prometheus_config_last_reload_successful", CAIRN_GAUGE, SELF_U64, AT(reload_ok),
     "Whether the last configuration reload attempt was successful."},
    {"prometheus_config_last_reload_success_timestamp_seconds", CAIRN_GAUGE, SELF_MS_IN_S, AT(reload_ms),
     "Timestamp of the last successful configuration reload."},
    {"prometheus_engine_queries", CAIRN_GAUGE, SELF_U64, AT(queries_running),
     "The current number of queries being executed or waiting."},
    {"prometheus_engine_queries_concurrent_max", CAIRN_GAUGE, SELF_U64, AT(concurrency),
     "The max number of concurrent queries."},
    {"prometheus_tsdb_head_series", CAIRN_GAUGE, SELF_U64, AT(db.series),
     "Total number of series in the head block."},
    {"prometheus_tsdb_head_chunks", CAIRN_GAUGE, SELF_U64, AT(db.chunks),
     "Total number of chunks in the head block."},
    {"prometheus_tsdb_head_min_time", CAIRN_GAUGE, SELF_MS, AT(db.min_time),
     "Minimum time bound of the head block, in milliseconds."},
    {"prometheus_tsdb_head_min_time_seconds", CAIRN_GAUGE, SELF_MS_IN_S, AT(db.min_time),
     "Minimum time bound of the head block."},
    {"prometheus_tsdb_head_max_time", CAIRN_GAUGE, SELF_MS, AT(db.max_time),
     "Maximum timestamp of the head block, in milliseconds."},
    {"prometheus_tsdb_head_max_time_seconds", CAIRN_GAUGE, SELF_MS_IN_S, AT(db.max_time),
     "Maximum timestamp of the head block."},
    {"prometheus_tsdb_lowest_timestamp", CAIRN_GAUGE, SELF_MS, AT(db.oldest_time),
     "Lowest timestamp value stored in the database, in milliseconds."},
    {"prometheus_tsdb_lowest_timestamp_seconds", CAIRN_GAUGE, SELF_MS_IN_S, AT(db.oldest_time),
     "Lowest timestamp value stored in the database."},
    {"prometheus_tsdb_out_of_order_samples_total", CAIRN_COUNTER, SELF_U64,
     AT(db.samples_refused[SAMPLE_OUT_OF_ORDER]),
     "Total number of out of order samples ingestion failed attempts due to out of order being disabled."},
    {"prometheus_tsdb_out_of_bound_samples_total", CAIRN_COUNTER, SELF_U64,
     AT(db.samples_refused[SAMPLE_OUT_OF_BOUNDS]),
     "Total number of out of bound samples ingestion failed attempts with out of order support disabled."},
    {"prometheus_tsdb_too_old_samples_total", CAIRN_COUNTER, SELF_U64, AT(db.samples_refused[SAMPLE_TOO_OLD]),
     "Total number of samples refused because they are older than the out of order window."},
    {"prometheus_tsdb_blocks_loaded", CAIRN_GAUGE, SELF_U64, AT(db.blocks),
     "Number of currently loaded data blocks."},
    {"prometheus_tsdb_storage_blocks_bytes", CAIRN_GAUGE, SELF_U64, AT(db.block_bytes),
     "The number of bytes that are currently used for local storage by all blocks."},
    {"prometheus_tsdb_wal_storage_size_bytes", CAIRN_GAUGE, SELF_U64, AT(db.wal_bytes),
     "Size of the write log directory."},
    {"prometheus_tsdb_wal_corruptions_total", CAIRN_COUNTER, SELF_U64, AT(db.wal_bad_segments),
     "Total number of WAL corruptions."},
    {"prometheus_tsdb_retention_limit_bytes", CAIRN_GAUGE, SELF_U64, AT(retention_bytes),
     "Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled."},
    {"prometheus_tsdb_retention_limit_seconds", CAIRN_GAUGE, SELF_MS_IN_S, AT(retention_ms),
     "How long to retain samples in storage."},
    {"prometheus_tsdb_exemplar_exemplars_in_storage", CAIRN_GAUGE, SELF_U64, AT(db.exemplars),
     "Number of exemplars currently in circular storage."},
    {"prometheus_tsdb_exemplar_max_exemplars", CAIRN_GAUGE, SELF_U64, AT(db.exemplars_max),
     "Total number of exemplars the exemplar storage can store, resizeable."},
    {"prometheus_target_scrape_pools_total", CAIRN_COUNTER, SELF_U64, AT(scrape.pools),
     "Total number of scrape pool creation attempts."},
    {"prometheus_target_scrape_pools_failed_total", CAIRN_COUNTER, SELF_U64, AT(scrape.pools_failed),
     "Total number of scrape pool creations that failed."},
    {"prometheus_target_scrape_pool_reloads_total", CAIRN_COUNTER, SELF_U64, AT(scrape.reloads),
     "Total number of scrape pool reloads."},
    {"prometheus_target_scrape_pool_reloads_failed_total", CAIRN_COUNTER, SELF_U64, AT(scrape.reloads_failed),
     "Total number of failed scrape pool reloads."},
    {"prometheus_target_scrape_pool_exceeded_target_limit_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.target_limit_hits),
     "Total number of times scrape pools hit the target limit, during sync or config reload."},
    {"prometheus_target_scrape_pool_exceeded_label_limits_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.label_limit_hits),
     "Total number of times scrape pools hit the label limits, during sync or config reload."},
    {"prometheus_target_scrapes_exceeded_sample_limit_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.sample_limit_hits), "Total number of scrapes that hit the sample limit and were rejected."},
    {"prometheus_target_scrapes_exceeded_body_size_limit_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.body_limit_hits), "Total number of scrapes that hit the body size limit."},
    {"prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.bucket_limit_hits),
     "Total number of scrapes that hit the native histogram bucket limit and were rejected."},
    {"prometheus_target_scrapes_sample_duplicate_timestamp_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.duplicates),
     "Total number of samples rejected due to duplicate timestamps but different values."},
    {"prometheus_target_scrapes_sample_out_of_bounds_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.out_of_bounds),
     "Total number of samples rejected due to timestamp falling outside of the time bounds."},
    {"prometheus_target_scrapes_sample_out_of_order_total", CAIRN_COUNTER, SELF_U64, AT(scrape.out_of_order),
     "Total number of samples rejected due to not being out of the expected order."},
    {"prometheus_target_scrapes_exemplar_out_of_order_total", CAIRN_COUNTER, SELF_U64,
     AT(scrape.exemplars_out_of_order),
     "Total number of exemplar rejected due to not being out of the expected order."},
    {"prometheus_sd_updates_total", CAIRN_COUNTER, SELF_U64, AT(scrape.discovery.updates),
     "Total number of update events sent to the SD consumers."},
    {"prometheus_sd_received_updates_total", CAIRN_COUNTER, SELF_U64, AT(scrape.discovery.updates),
     "Total number of update events received from the SD providers."},
    {"prometheus_sd_file_read_errors_total", CAIRN_COUNTER, SELF_U64, AT(scrape.discovery.file_read_errors),
     "The number of File-SD read errors."},
    {"prometheus_sd_dns_lookups_total", CAIRN_COUNTER, SELF_U64, AT(scrape.discovery.dns_lookups),
     "The number of DNS-SD lookups."},
    {"prometheus_sd_dns_lookup_failures_total", CAIRN_COUNTER, SELF_U64, AT(scrape.discovery.dns_failures),
     "The number of DNS-SD lookup failures."},
    {"prometheus_sd_http_failures_total", CAIRN_COUNTER, SELF_U64, AT(scrape.discovery.http_failures),
     "Number of HTTP service discovery refresh failures."},
    {"cairn_scrapes_total", CAIRN_COUNTER, SELF_U64, AT(scrape.scrapes),
     "Scrapes that ended, in whatever way."},
    {"cairn_scrapes_failed_total", CAIRN_COUNTER, SELF_U64, AT(scrape.scrapes_failed),
     "Scrapes that failed."},
    {"cairn_scrape_samples_total", CAIRN_COUNTER, SELF_U64, AT(scrape.samples),
     "Samples that scrapes sent to the store, staleness markers included."},
    {"cairn_remote_write_samples_total", CAIRN_COUNTER, SELF_U64, AT(write_samples),
     "Samples that came by remote write and were stored."},
    {"cairn_remote_write_refused_samples_total", CAIRN_COUNTER, SELF_U64, AT(write_refused),
     "Samples that came by remote write and were refused."},
    {"cairn_queries_total", CAIRN_COUNTER, SELF_U64, AT(queries_done), "Queries that were answered."},
    {"cairn_queries_failed_total", CAIRN_COUNTER, SELF_U64, AT(queries_failed),
     "API calls that ended with an error."},
    {"cairn_tsdb_head_bytes", CAIRN_GAUGE, SELF_U64, AT(db.head_bytes), "Memory of the head."},
    {"cairn_memory_promise_bytes", CAIRN_GAUGE, SELF_U64, AT(memory.promise),
     "What the process may use of memory (setting memory): new series are refused above three quarters of "
     "it, "
     "queries above seven eighths."},
    {"cairn_memory_anonymous_bytes", CAIRN_GAUGE, SELF_U64, AT(memory.anonymous),
     "Memory of the process that stands in no file, as measured."},
    {"cairn_memory_full", CAIRN_GAUGE, SELF_U64, AT(memory.full),
     "1 while new series are refused because of what the process uses."},
    {"cairn_memory_queries_refused_total", CAIRN_COUNTER, SELF_U64, AT(memory.queries_refused),
     "Queries that were refused because the process had no memory left for them."},
    {"cairn_tsdb_memory_promise_bytes", CAIRN_GAUGE, SELF_U64, AT(db.memory_bytes),
     "What the head may use: at a half it is flushed early, at three quarters new series are refused."},
    {"cairn_tsdb_memory_series_bytes", CAIRN_GAUGE, SELF_U64, AT(db.series_bytes),
     "Memory of the head for series records and their tables."},
    {"cairn_tsdb_memory_index_bytes", CAIRN_GAUGE, SELF_U64, AT(db.index_bytes),
     "Memory of the head for labels and postings."},
    {"cairn_tsdb_memory_tails_bytes", CAIRN_GAUGE, SELF_U64, AT(db.tail_bytes),
     "Memory of the head for open tails."},
    {"cairn_tsdb_memory_clocks_bytes", CAIRN_GAUGE, SELF_U64, AT(db.clock_bytes),
     "Memory of the head for shared timestamps."},
    {"cairn_tsdb_memory_chunks_bytes", CAIRN_GAUGE, SELF_U64, AT(db.chunk_bytes),
     "Memory of the head for sealed chunks that have no room on the disk."},
    {"cairn_tsdb_memory_late_bytes", CAIRN_GAUGE, SELF_U64, AT(db.late_bytes),
     "Memory of the head for samples that came late."},
    {"cairn_tsdb_memory_exemplars_bytes", CAIRN_GAUGE, SELF_U64, AT(db.exemplar_bytes),
     "Memory for exemplars."},
    {"cairn_tsdb_memory_selections_bytes", CAIRN_GAUGE, SELF_U64, AT(db.selection_bytes),
     "Memory for what selectors chose of blocks."},
    {"cairn_tsdb_memory_match_cache_bytes", CAIRN_GAUGE, SELF_U64, AT(db.match_cache_bytes),
     "Memory for what single matchers left of blocks, and label values of blocks."},
    {"cairn_tsdb_match_cache_hits_total", CAIRN_COUNTER, SELF_U64, AT(db.match_cache_hits),
     "Look-ups of matchers and labels in blocks that were answered from memory."},
    {"cairn_tsdb_match_cache_misses_total", CAIRN_COUNTER, SELF_U64, AT(db.match_cache_misses),
     "Look-ups of matchers and labels in blocks that went to the block."},
    {"cairn_tsdb_chunk_file_bytes", CAIRN_GAUGE, SELF_U64, AT(db.chunk_file_bytes),
     "Scratch files of sealed chunks: on the disk and mapped, not the process's own memory."},
    {"cairn_tsdb_blocks_bad", CAIRN_GAUGE, SELF_U64, AT(db.blocks_bad),
     "Blocks that are damaged and were left out."},
    {"cairn_log_errors_total", CAIRN_COUNTER, SELF_U64, AT(log_errors),
     "Lines of level error that the program logged."},
    {"cairn_log_warnings_total", CAIRN_COUNTER, SELF_U64, AT(log_warnings),
     "Lines of level warn that the program logged."},
};

enum {
    SCRAPE_POOLS_SHOWN_MAX = 10000
};

struct metrics_self {
    struct self self;
    struct metrics_role *m;
    struct snapshot now; /* this and memory are guarded by self.lock */
    struct arena memory;
    struct cairn_family *requests, *durations, *sizes, *intervals, *interval_histogram, *queries,
        *query_histogram, *query_samples, *query_samples_read;
};

/* -- values read for an answer --------------------------------------------------------------------------- */

static void take_memory(struct metrics_self *s)
{
    struct range_cache_stats cache;
    range_cache_stats(s->m->range_cache, &cache);
    mem_promise_stats(s->m->serve->promise, &s->now.memory);
    s->now.range_cache_bytes = cache.bytes;
    s->now.series_cache_bytes = series_cache_bytes(s->m->series_cache);
    s->now.query_pool_bytes = arena_pool_bytes(s->m->query_memory);
}

static void take_snapshot(struct self *self)
{
    struct metrics_self *s = (struct metrics_self *)self;
    struct metrics_role *m = s->m;
    struct prom_api *api = &m->api;
    arena_reset(&s->memory);
    s->now = (struct snapshot){.queries_running = atomic_load(&api->queries_running),
                               .queries_done = atomic_load(&api->queries_done),
                               .queries_failed = atomic_load(&api->queries_failed),
                               .write_samples = atomic_load(&api->write_samples),
                               .write_refused = atomic_load(&api->write_refused),
                               .reload_ok = atomic_load(&api->reload_ok),
                               .federation_errors = atomic_load(&api->federation_errors),
                               .reload_ms = atomic_load(&api->reload_ms),
                               .concurrency = api->query_concurrency,
                               .ready = 1,
                               .retention_bytes = m->f.retention_bytes,
                               .retention_ms = m->f.retention_ms,
                               .log_errors = log_count(LVL_ERROR),
                               .log_warnings = log_count(LVL_WARN)};
    tsdb_stats(m->db, &s->now.db);
    scrape_stats(m->scrape, &s->now.scrape);
    take_memory(s);
    if (scrape_pool_stats(m->scrape, &s->memory, &s->now.pools, &s->now.pool_count)) {
        s->now.pool_count = 0;
    }
}

static void emit_pools(struct cairn_emit *emit, const struct metrics_self *s, size_t offset)
{
    for (size_t i = 0; i < s->now.pool_count; i++) {
        const struct scrape_pool_stats *p = &s->now.pools[i];
        uint64_t v;
        memcpy(&v, (const char *)p + offset, sizeof(v));
        cairn_emit(emit, &p->name.p, (double)v); /* arena strings end with NUL */
    }
}

#define POOL_COLLECTOR(fn, field)                                             \
    static void fn(struct cairn_emit *emit, void *context)                    \
    {                                                                         \
        emit_pools(emit, context, offsetof(struct scrape_pool_stats, field)); \
    }
POOL_COLLECTOR(emit_pool_targets, targets)
POOL_COLLECTOR(emit_pool_limits, target_limit)
POOL_COLLECTOR(emit_pool_syncs, syncs)
POOL_COLLECTOR(emit_sync_failures, sync_failures)
POOL_COLLECTOR(emit_metadata_entries, metadata_entries)
POOL_COLLECTOR(emit_metadata_bytes, metadata_bytes)

/* The sum of the summary that Prometheus has; its quantiles are not kept. */
static void emit_sync_seconds(struct cairn_emit *emit, void *context)
{
    const struct metrics_self *s = context;
    for (size_t i = 0; i < s->now.pool_count; i++) {
        const struct scrape_pool_stats *p = &s->now.pools[i];
        cairn_emit(emit, &p->name.p, (double)p->sync_ns / (double)NS_PER_S);
    }
}

static void emit_discovered(struct cairn_emit *emit, void *context)
{
    const struct metrics_self *s = context;
    for (size_t i = 0; i < s->now.pool_count; i++) {
        const struct scrape_pool_stats *p = &s->now.pools[i];
        const char *values[] = {"scrape", p->name.p};
        cairn_emit(emit, values, (double)(p->targets + p->dropped));
    }
}

static void emit_refresh_failures(struct cairn_emit *emit, void *context)
{
    const struct metrics_self *s = context;
    for (unsigned k = SD_FILE; k < SD_KIND_COUNT; k++) {
        const char *values[] = {sd_mechanism_name((enum sd_kind)k)};
        cairn_emit(emit, values, (double)s->now.scrape.discovery.refresh_failures[k]);
    }
}

static void emit_appended(struct cairn_emit *emit, void *context)
{
    const struct metrics_self *s = context;
    const char *values[] = {"float"};
    cairn_emit(emit, values, (double)s->now.db.samples_appended);
}

static void emit_refused(struct cairn_emit *emit, void *context)
{
    static const char *const reasons[SAMPLE_STATUS_COUNT] = {
        [SAMPLE_CONFLICT] = "duplicate", [SAMPLE_OUT_OF_ORDER] = "out_of_order",
        [SAMPLE_TOO_OLD] = "too_old",    [SAMPLE_OUT_OF_BOUNDS] = "out_of_bounds",
        [SAMPLE_LIMIT] = "limit",        [SAMPLE_INVALID] = "invalid"};
    const struct metrics_self *s = context;
    for (size_t i = SAMPLE_CONFLICT; i < SAMPLE_STATUS_COUNT; i++) {
        cairn_emit(emit, &reasons[i], (double)s->now.db.samples_refused[i]);
    }
}

/* The process' memory by purpose; what none of these counts is "other": bodies of requests and answers,
 * stacks, what the allocator keeps, other roles. */
static void emit_memory(struct cairn_emit *emit, void *context)
{
    const struct metrics_self *s = context;
    const struct snapshot *n = &s->now;
    const struct {
        const char *purpose;
        uint64_t bytes;
    } rows_of[] = {{"heads", n->db.head_bytes},
                   {"log", n->db.log_bytes},
                   {"queries", n->memory.queries},
                   {"query_pool", n->query_pool_bytes},
                   {"range_cache", n->range_cache_bytes},
                   {"series_cache", n->series_cache_bytes},
                   {"block_caches", n->db.selection_bytes + n->db.match_cache_bytes}};
    uint64_t known = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows_of); i++) {
        cairn_emit(emit, &rows_of[i].purpose, (double)rows_of[i].bytes);
        known += rows_of[i].bytes;
    }
    static const char *const other = "other";
    cairn_emit(emit, &other, n->memory.anonymous > known ? (double)(n->memory.anonymous - known) : 0);
}

/* -- families -------------------------------------------------------------------------------------------- */

static const char *const by_job[] = {"scrape_job"}, *const by_type[] = {"type"},
                         *const by_reason[] = {"reason"}, *const by_mechanism[] = {"mechanism"},
                         *const by_config[] = {"name", "config"}, *const by_purpose[] = {"purpose"};
static const struct cairn_family_options collectors[] = {
    {.type = CAIRN_GAUGE,
     .name = "cairn_memory_bytes",
     .help = "Memory of the process by purpose.",
     .label_names = by_purpose,
     .label_count = 1,
     .collect = emit_memory},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_target_scrape_pool_targets",
     .help = "Current number of targets in this scrape pool.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_pool_targets},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_target_scrape_pool_target_limit",
     .help = "Maximum number of targets allowed in this scrape pool.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_pool_limits},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_target_scrape_pool_sync_total",
     .help = "Total number of syncs that were executed on a scrape pool.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_pool_syncs},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_target_sync_failed_total",
     .help = "Total number of target sync failures.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_sync_failures},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_target_sync_length_seconds_sum",
     .help = "Time spent syncing a scrape pool.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_sync_seconds},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_target_sync_length_seconds_count",
     .help = "Syncs of a scrape pool.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_pool_syncs},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_target_metadata_cache_entries",
     .help = "Total number of metric metadata entries in the cache.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_metadata_entries},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_target_metadata_cache_bytes",
     .help = "The number of bytes that are currently used for storing metric metadata in the cache.",
     .label_names = by_job,
     .label_count = 1,
     .collect = emit_metadata_bytes},
    {.type = CAIRN_GAUGE,
     .name = "prometheus_sd_discovered_targets",
     .help = "Current number of discovered targets.",
     .label_names = by_config,
     .label_count = 2,
     .collect = emit_discovered},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_sd_refresh_failures_total",
     .help = "Number of refresh failures for the given SD mechanism.",
     .label_names = by_mechanism,
     .label_count = 1,
     .collect = emit_refresh_failures},
    {.type = CAIRN_COUNTER,
     .name = "prometheus_tsdb_head_samples_appended_total",
     .help = "Total number of appended samples.",
     .label_names = by_type,
     .label_count = 1,
     .collect = emit_appended},
    {.type = CAIRN_COUNTER,
     .name = "cairn_tsdb_samples_refused_total",
     .help = "Samples that the store refused, by reason.",
     .label_names = by_reason,
     .label_count = 1,
     .collect = emit_refused},
};

static enum cairn_err add_collectors(struct metrics_self *s)
{
    return self_add_collectors(&s->self, collectors, ARRAY_LEN(collectors), SCRAPE_POOLS_SHOWN_MAX);
}

static const double durations[] = {.1, .2, .4, 1, 3, 8, 20, 60, 120},
                    sizes[] = {100, 1000, 10000, 100000, 1e6, 1e7, 1e8, 1e9},
                    quantiles[] = {.01, .05, .5, .9, .99}, query_quantiles[] = {.5, .9, .99},
                    query_bounds[] = {.01, .1, 1, 10}, interval_bounds[] = {.01, .1, 1, 10, 30, 60, 300};
static const char *const by_handler_code[] = {"handler", "code"}, *const by_handler[] = {"handler"},
                         *const by_interval[] = {"interval"}, *const by_slice[] = {"slice"},
                         *const by_code[] = {"code"};
/* Counted as it happens; `at` is where the family stands in struct metrics_self. */
static const struct {
    struct cairn_family_options o;
    size_t at;
} kept[] = {
    {{.type = CAIRN_COUNTER,
      .name = "prometheus_http_requests_total",
      .help = "Counter of HTTP requests.",
      .label_names = by_handler_code,
      .label_count = 2},
     offsetof(struct metrics_self, requests)},
    {{.type = CAIRN_HISTOGRAM,
      .name = "prometheus_http_request_duration_seconds",
      .help = "Histogram of latencies for HTTP requests.",
      .label_names = by_handler,
      .label_count = 1,
      .bounds = durations,
      .bound_count = ARRAY_LEN(durations)},
     offsetof(struct metrics_self, durations)},
    {{.type = CAIRN_HISTOGRAM,
      .name = "prometheus_http_response_size_bytes",
      .help = "Histogram of response size for HTTP requests.",
      .label_names = by_handler,
      .label_count = 1,
      .bounds = sizes,
      .bound_count = ARRAY_LEN(sizes)},
     offsetof(struct metrics_self, sizes)},
    {{.type = CAIRN_SUMMARY,
      .name = "prometheus_target_interval_length_seconds",
      .help = "Actual intervals between scrapes.",
      .label_names = by_interval,
      .label_count = 1,
      .quantiles = quantiles,
      .quantile_count = ARRAY_LEN(quantiles)},
     offsetof(struct metrics_self, intervals)},
    {{.type = CAIRN_HISTOGRAM,
      .name = "prometheus_target_interval_length_histogram_seconds",
      .help = "Actual intervals between scrapes.",
      .label_names = by_interval,
      .label_count = 1,
      .bounds = interval_bounds,
      .bound_count = ARRAY_LEN(interval_bounds)},
     offsetof(struct metrics_self, interval_histogram)},
    {{.type = CAIRN_HISTOGRAM,
      .name = "prometheus_engine_query_duration_histogram_seconds",
      .help = "The duration of various parts of PromQL query execution.",
      .label_names = by_slice,
      .label_count = 1,
      .bounds = query_bounds,
      .bound_count = ARRAY_LEN(query_bounds)},
     offsetof(struct metrics_self, query_histogram)},
    {{.type = CAIRN_COUNTER,
      .name = "prometheus_engine_query_samples_total",
      .help = "The total number of samples that all queries looked at, each step anew."},
     offsetof(struct metrics_self, query_samples)},
    {{.type = CAIRN_COUNTER,
      .name = "prometheus_engine_query_samples_read_total",
      .help = "The total number of samples that all queries read from the store."},
     offsetof(struct metrics_self, query_samples_read)},
    {{.type = CAIRN_SUMMARY,
      .name = "prometheus_engine_query_duration_seconds",
      .help = "Query timings.",
      .label_names = by_slice,
      .label_count = 1,
      .quantiles = query_quantiles,
      .quantile_count = ARRAY_LEN(query_quantiles)},
     offsetof(struct metrics_self, queries)},
    {{.type = CAIRN_COUNTER,
      .name = "promhttp_metric_handler_requests_total",
      .help = "Total number of scrapes by HTTP status code.",
      .label_names = by_code,
      .label_count = 1},
     offsetof(struct metrics_self, self.answered)},
};

static enum cairn_err add_kept(struct metrics_self *s)
{
    enum cairn_err e = CAIRN_OK;
    for (size_t i = 0; i < ARRAY_LEN(kept) && !e; i++) {
        e = cairn_family_new(s->self.registry, &kept[i].o,
                             (struct cairn_family **)(void *)((char *)s + kept[i].at));
    }
    return e;
}

enum err metrics_self_new(struct metrics_role *m, struct metrics_self **ret_self)
{
    struct metrics_self *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    s->m = m;
    s->self.take = take_snapshot;
    enum err e = self_init(&s->self, "prometheus", PROMETHEUS_VERSION_TEXT);
    e = e ? e : self_err(add_kept(s));
    if (e) {
        metrics_self_free(s);
        return e;
    }
    *ret_self = s;
    return ERR_OK;
}

void metrics_self_free(struct metrics_self *s)
{
    if (s) {
        self_done(&s->self);
        arena_done(&s->memory);
        mem_free(s);
    }
}

/* -- what comes as it happens ---------------------------------------------------------------------------- */

void metrics_self_request(void *self, const char *route, struct str method, int status, double seconds,
                          uint64_t bytes)
{
    struct metrics_self *s = self;
    char code[16];
    (void)method;
    (void)snprintf(code, sizeof(code), "%d", status);
    const char *values[] = {route ? route : "/", code};
    cairn_counter_inc(cairn_counter(s->requests, values));
    cairn_histogram_observe(cairn_histogram(s->durations, values), seconds);
    cairn_histogram_observe(cairn_histogram(s->sizes, values), (double)bytes);
}

void metrics_self_query(void *self, double seconds, uint64_t samples, uint64_t samples_read)
{
    struct metrics_self *s = self;
    const char *slice = "inner_eval";
    cairn_summary_observe(cairn_summary(s->queries, &slice), seconds);
    cairn_histogram_observe(cairn_histogram(s->query_histogram, &slice), seconds);
    cairn_counter_add(cairn_counter(s->query_samples, NULL), (double)samples);
    cairn_counter_add(cairn_counter(s->query_samples_read, NULL), (double)samples_read);
}

void metrics_self_interval(void *self, int64_t interval_ms, double seconds)
{
    struct metrics_self *s = self;
    struct buf text AUTO_BUF = {0};
    units_go_duration_format(&text, interval_ms * NS_PER_MS);
    buf_char(&text, '\0');
    if (!text.err) {
        const char *values[] = {text.p};
        cairn_summary_observe(cairn_summary(s->intervals, values), seconds);
        cairn_histogram_observe(cairn_histogram(s->interval_histogram, values), seconds);
    }
}

enum err metrics_self_text(void *self, struct buf *b)
{
    return self_text(&((struct metrics_self *)self)->self, b);
}

enum err metrics_self_start(struct metrics_role *m)
{
    enum cairn_err e = self_add_rows(&m->self->self, rows, ARRAY_LEN(rows), &m->self->now);
    e = e ? e : add_collectors(m->self);
    if (e) {
        return self_err(e);
    }
    /* The slice is there from the start, as at the original, for queries that join on it. */
    const char *slice = "inner_eval";
    (void)cairn_summary(m->self->queries, &slice);
    (void)cairn_histogram(m->self->query_histogram, &slice);
    (void)cairn_counter(m->self->query_samples, NULL);
    (void)cairn_counter(m->self->query_samples_read, NULL);
    enum err rest = metrics_self_store(m, m->self->self.registry);
    rest = rest ? rest : metrics_self_remote(m, m->self->self.registry);
    return rest ? rest : self_serve(&m->self->self, m->server, NULL);
}
