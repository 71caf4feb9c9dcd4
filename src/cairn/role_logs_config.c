/* Loki's configuration file, of the 2.x and the 3.x vocabulary: unknown keys are errors, known ones that
 * change nothing here are named once in the log. */
#include <unistd.h>

#include "agent/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_logs_int.h"
#include "codec/yaml.h"
#include "disk/file.h"

enum {
    CONFIG_BYTES_MAX = 16 << 20,
    PATH_BYTES_MAX = 4096
};

#define MS_PER_HOUR (INT64_C(3600) * MS_PER_S)

void logs_config_init(struct logs_config *c, bool alone)
{
    *c = (struct logs_config){.auth_enabled = alone,
                              .series_max = 500,
                              .entries_max = 5000,
                              .query_length_max_ms = 721 * MS_PER_HOUR,
                              .query_timeout_ms = 60 * MS_PER_S,
                              .split_ms = MS_PER_HOUR,
                              .volume_enabled = true};
    arena_init(&c->a, 0, NULL);
    push_limits_default(&c->push);
}

void logs_config_done(struct logs_config *c)
{
    arena_done(&c->a);
}

/* -- what may stand where -------------------------------------------------------------------------------- */

static const char *const top_keys[] = {"target",
                                       "auth_enabled",
                                       "lbac",
                                       "no_auth_tenant",
                                       "http_prefix",
                                       "ballast_bytes",
                                       "server",
                                       "internal_server",
                                       "ui",
                                       "distributor",
                                       "querier",
                                       "query_engine",
                                       "query_scheduler",
                                       "frontend",
                                       "query_range",
                                       "ruler",
                                       "ruler_storage",
                                       "ingester_client",
                                       "ingester",
                                       "pattern_ingester",
                                       "index_gateway",
                                       "bloom_build",
                                       "bloom_gateway",
                                       "bloom_compactor",
                                       "storage_config",
                                       "chunk_store_config",
                                       "schema_config",
                                       "compactor",
                                       "compactor_client",
                                       "compactor_grpc_client",
                                       "limits_config",
                                       "frontend_worker",
                                       "memberlist",
                                       "kafka_config",
                                       "dataobj",
                                       "dataobj_explorer",
                                       "ingest_limits",
                                       "ingest_limits_frontend",
                                       "ingest_limits_frontend_client",
                                       "runtime_config",
                                       "operational_config",
                                       "tracing",
                                       "analytics",
                                       "profiling",
                                       "tenant_limits_allow_publish",
                                       "common",
                                       "shutdown_delay",
                                       "metrics_namespace",
                                       "table_manager",
                                       "block_builder",
                                       "block_scheduler",
                                       "usage_report",
                                       NULL};

static const char *const server_keys[] = {"http_listen_address",
                                          "http_listen_port",
                                          "http_path_prefix",
                                          "http_listen_network",
                                          "http_listen_conn_limit",
                                          "grpc_listen_network",
                                          "grpc_listen_address",
                                          "grpc_listen_port",
                                          "grpc_listen_conn_limit",
                                          "grpc_collect_max_streams_by_conn",
                                          "proxy_protocol_enabled",
                                          "tls_cipher_suites",
                                          "tls_min_version",
                                          "http_tls_config",
                                          "grpc_tls_config",
                                          "register_instrumentation",
                                          "report_grpc_codes_in_instrumentation_label_enabled",
                                          "graceful_shutdown_timeout",
                                          "http_server_read_timeout",
                                          "http_server_read_header_timeout",
                                          "http_server_write_timeout",
                                          "http_server_idle_timeout",
                                          "http_log_closed_connections_without_response_enabled",
                                          "grpc_server_max_recv_msg_size",
                                          "grpc_server_max_send_msg_size",
                                          "grpc_server_max_concurrent_streams",
                                          "grpc_server_max_connection_idle",
                                          "grpc_server_max_connection_age",
                                          "grpc_server_max_connection_age_grace",
                                          "grpc_server_keepalive_time",
                                          "grpc_server_keepalive_timeout",
                                          "grpc_server_min_time_between_pings",
                                          "grpc_server_ping_without_stream_allowed",
                                          "grpc_server_num_workers",
                                          "grpc_server_stats_tracking_enabled",
                                          "grpc_server_recv_buffer_pools_enabled",
                                          "grpc_server_read_buffer_size",
                                          "grpc_server_write_buffer_size",
                                          "log_format",
                                          "log_level",
                                          "log_source_ips_enabled",
                                          "log_source_ips_full",
                                          "log_source_ips_header",
                                          "log_source_ips_regex",
                                          "log_request_headers",
                                          "log_request_at_info_level_enabled",
                                          "log_request_exclude_headers_list",
                                          "trace_request_headers",
                                          "trace_request_exclude_headers_list",
                                          "cluster_validation",
                                          "create_new_traces",
                                          NULL};
enum {
    SERVER_USED = 3
};

static const char *const common_keys[] = {"path_prefix",
                                          "storage",
                                          "persist_tokens",
                                          "replication_factor",
                                          "ring",
                                          "instance_interface_names",
                                          "instance_addr",
                                          "instance_enable_ipv6",
                                          "compactor_address",
                                          "compactor_grpc_address",
                                          "scratch_path",
                                          NULL};
enum {
    COMMON_USED = 2
};

static const char *const store_keys[] = {"filesystem",   "s3",    "gcs",     "azure", "alibabacloud",
                                         "bos",          "swift", "hedging", "cos",   "congestion_control",
                                         "object_store", NULL};

static const char *const storage_keys[] = {"filesystem",
                                           "alibabacloud",
                                           "aws",
                                           "azure",
                                           "bos",
                                           "bigtable",
                                           "gcs",
                                           "cassandra",
                                           "boltdb",
                                           "grpc_store",
                                           "swift",
                                           "hedging",
                                           "named_stores",
                                           "cos",
                                           "congestion_control",
                                           "object_prefix",
                                           "index_cache_validity",
                                           "index_queries_cache_config",
                                           "disable_broad_index_queries",
                                           "max_parallel_get_chunk",
                                           "use_thanos_objstore",
                                           "object_store",
                                           "max_chunk_batch_size",
                                           "boltdb_shipper",
                                           "tsdb_shipper",
                                           "bloom_shipper",
                                           NULL};

static const char *const schema_keys[] = {"configs", NULL};
static const char *const period_keys[] = {"from",  "store",  "object_store", "schema",
                                          "index", "chunks", "row_shards",   NULL};

static const char *const compactor_keys[] = {"retention_enabled",
                                             "working_directory",
                                             "compaction_interval",
                                             "apply_retention_interval",
                                             "retention_delete_delay",
                                             "retention_delete_worker_count",
                                             "retention_table_timeout",
                                             "retention_backoff_config",
                                             "delete_request_store",
                                             "delete_request_store_key_prefix",
                                             "delete_request_store_db_type",
                                             "backup_delete_request_store_db_type",
                                             "delete_batch_size",
                                             "delete_request_cancel_period",
                                             "delete_max_interval",
                                             "max_compaction_parallelism",
                                             "upload_parallelism",
                                             "compactor_ring",
                                             "_",
                                             "tables_to_compact",
                                             "skip_latest_n_tables",
                                             "horizontal_scaling_mode",
                                             "worker_config",
                                             "jobs_config",
                                             "shared_store",
                                             "shared_store_key_prefix",
                                             "deletion_mode",
                                             "allow_deletes",
                                             "run_once",
                                             NULL};
enum {
    COMPACTOR_USED = 1
};

static const char *const table_keys[] = {
    "retention_deletes_enabled", "retention_period",          "throughput_updates_disabled", "poll_interval",
    "creation_grace_period",     "index_tables_provisioning", "chunk_tables_provisioning",   NULL};
enum {
    TABLE_USED = 2
};

static const char *const chunk_store_keys[] = {
    "max_look_back_period",     "chunk_cache_config",
    "chunk_cache_config_l2",    "write_dedupe_cache_config",
    "cache_lookups_older_than", "skip_query_writeback_cache_older_than",
    "l2_chunk_cache_handoff",   NULL};

static const char *const limit_keys[] = {
    "ingestion_rate_mb", "ingestion_burst_size_mb", "max_label_name_length", "max_label_value_length",
    "max_label_names_per_series", "reject_old_samples", "reject_old_samples_max_age", "creation_grace_period",
    "max_line_size", "max_line_size_truncate", "increment_duplicate_timestamp", "discover_service_name",
    "discover_log_levels", "max_query_series", "max_query_length", "max_entries_limit_per_query",
    "query_timeout", "split_queries_by_interval", "volume_enabled", "retention_period",
    "allow_structured_metadata", "max_structured_metadata_size", "max_structured_metadata_entries_count",
    /* understood, without effect */
    "ingestion_rate_strategy", "max_line_size_truncate_identifier", "simulated_push_latency",
    "discover_generic_fields", "log_level_fields", "log_level_from_json_max_depth", "use_owned_stream_count",
    "max_streams_per_user", "max_global_streams_per_user", "unordered_writes", "per_stream_rate_limit",
    "per_stream_rate_limit_burst", "max_chunks_per_query", "max_query_lookback", "max_query_range",
    "max_query_parallelism", "tsdb_max_query_parallelism", "tsdb_max_bytes_per_shard",
    "tsdb_sharding_strategy", "tsdb_precompute_chunks", "cardinality_limit", "max_streams_matchers_per_query",
    "max_concurrent_tail_requests", "max_cache_freshness_per_query", "max_metadata_cache_freshness",
    "max_stats_cache_freshness", "max_queriers_per_tenant", "max_query_capacity",
    "query_ready_index_num_days", "split_metadata_queries_by_interval",
    "split_recent_metadata_queries_by_interval", "recent_metadata_query_window",
    "split_instant_metric_queries_by_interval", "split_ingester_queries_by_interval",
    "engine_results_cache_time_bucket_interval", "min_sharding_lookback", "max_query_bytes_read",
    "max_querier_bytes_read", "volume_max_series", "ruler_max_rules_per_rule_group",
    "ruler_max_rule_groups_per_tenant", "ruler_alertmanager_config", "ruler_tenant_shard_size",
    "ruler_evaluation_delay_duration", "ruler_remote_write_disabled", "ruler_remote_write_url",
    "ruler_remote_write_timeout", "ruler_remote_write_headers", "ruler_remote_write_relabel_configs",
    "ruler_remote_write_queue_capacity", "ruler_remote_write_queue_min_shards",
    "ruler_remote_write_queue_max_shards", "ruler_remote_write_queue_max_samples_per_send",
    "ruler_remote_write_queue_batch_send_deadline", "ruler_remote_write_queue_min_backoff",
    "ruler_remote_write_queue_max_backoff", "ruler_remote_write_queue_retry_on_ratelimit",
    "ruler_remote_write_sigv4_config", "ruler_remote_write_config", "ruler_remote_evaluation_timeout",
    "ruler_remote_evaluation_max_response_size", "ruler_enable_wal_replay", "deletion_mode", "allow_deletes",
    "retention_stream", "per_tenant_override_config", "per_tenant_override_period", "shard_streams",
    "blocked_queries", "required_labels", "minimum_labels_number", "index_gateway_shard_size",
    "index_gateway_max_capacity", "bloom_gateway_shard_size", "bloom_gateway_enable_filtering",
    "bloom_gateway_cache_key_interval", "bloom_compactor_shard_size", "bloom_compactor_enable_compaction",
    "bloom_ngram_length", "bloom_ngram_skip", "bloom_false_positive_rate", "bloom_build_max_builders",
    "bloom_build_task_max_retries", "bloom_build_builder_response_timeout", "bloom_creation_enabled",
    "bloom_planning_strategy", "bloom_split_series_keyspace_by", "bloom_task_target_series_chunk_size",
    "bloom_block_encoding", "bloom_prefetch_blocks", "bloom_max_block_size", "bloom_max_bloom_size",
    "bloom_compactor_max_block_size", "bloom_compactor_max_bloom_size", "dataobj_index_compaction_enabled",
    "dataobj_log_compaction_enabled", "otlp_config", "block_ingestion_policy_until", "block_ingestion_until",
    "block_ingestion_status_code", "enforced_labels", "policy_enforced_labels", "policy_stream_mapping",
    "policy_override_limits", "ingestion_partitions_tenant_shard_size", "shard_aggregations",
    "pattern_ingester_tokenizable_json_fields_default", "pattern_ingester_tokenizable_json_fields_append",
    "pattern_ingester_tokenizable_json_fields_delete", "metric_aggregation_enabled",
    "pattern_persistence_enabled", "pattern_persistence_granularity", "pattern_rate_threshold", "s3_sse_type",
    "s3_sse_kms_key_id", "s3_sse_kms_encryption_context", "debug_engine_tasks", "debug_engine_streams",
    "sort_schema", "enforce_metric_name", "enable_multi_variant_queries", "increment_duplicate_timestamps",
    "max_stats_cache_freshness", NULL};
enum {
    LIMITS_USED = 23
};

static const char *const ingester_keys[] = {"lifecycler",
                                            "concurrent_flushes",
                                            "flush_check_period",
                                            "flush_op_backoff",
                                            "flush_op_timeout",
                                            "chunk_retain_period",
                                            "chunk_idle_period",
                                            "chunk_block_size",
                                            "chunk_target_size",
                                            "chunk_encoding",
                                            "max_chunk_age",
                                            "max_transfer_retries",
                                            "autoforget_unhealthy",
                                            "sync_period",
                                            "sync_min_utilization",
                                            "max_returned_stream_errors",
                                            "query_store_max_look_back_period",
                                            "wal",
                                            "index_shards",
                                            "max_dropped_streams",
                                            "shutdown_marker_path",
                                            "owned_streams_check_interval",
                                            "delegate_stream_limits_enabled",
                                            "kafka_ingestion",
                                            "unordered_writes",
                                            NULL};

static const char *const querier_keys[] = {"query_timeout",
                                           "tail_max_duration",
                                           "extra_query_delay",
                                           "query_ingesters_within",
                                           "engine",
                                           "engine_v2",
                                           "max_concurrent",
                                           "query_store_only",
                                           "query_ingester_only",
                                           "multi_tenant_queries_enabled",
                                           "per_request_limits_enabled",
                                           "query_partition_ingesters",
                                           NULL};

static const char *const query_range_keys[] = {"align_queries_with_step",
                                               "results_cache",
                                               "cache_results",
                                               "max_retries",
                                               "parallelise_shardable_queries",
                                               "shard_aggregations",
                                               "split_queries_by_interval",
                                               "cache_index_stats_results",
                                               "index_stats_results_cache",
                                               "cache_volume_results",
                                               "volume_results_cache",
                                               "cache_instant_metric_results",
                                               "instant_metric_results_cache",
                                               "instant_metric_query_split_align",
                                               "cache_series_results",
                                               "series_results_cache",
                                               "cache_label_results",
                                               "label_results_cache",
                                               NULL};

static const char *const frontend_keys[] = {"compress_responses",
                                            "downstream_url",
                                            "tail_proxy_url",
                                            "tail_tls_config",
                                            "support_parquet_encoding",
                                            "max_outstanding_per_tenant",
                                            "querier_forget_delay",
                                            "scheduler_address",
                                            "scheduler_dns_lookup_period",
                                            "scheduler_worker_concurrency",
                                            "grpc_client_config",
                                            "graceful_shutdown_timeout",
                                            "instance_interface_names",
                                            "instance_enable_ipv6",
                                            "address",
                                            "port",
                                            "encoding",
                                            "log_queries_longer_than",
                                            "max_body_size",
                                            "query_stats_enabled",
                                            "max_query_length",
                                            "max_query_capacity",
                                            NULL};

static const char *const ruler_keys[] = {"external_url",
                                         "datasource_uid",
                                         "external_labels",
                                         "ruler_client",
                                         "evaluation_interval",
                                         "poll_interval",
                                         "storage",
                                         "rule_path",
                                         "for_outage_tolerance",
                                         "for_grace_period",
                                         "resend_delay",
                                         "enable_sharding",
                                         "sharding_strategy",
                                         "sharding_algo",
                                         "search_pending_for",
                                         "ring",
                                         "flush_period",
                                         "enable_api",
                                         "enabled_tenants",
                                         "disabled_tenants",
                                         "query_stats_enabled",
                                         "disable_rule_group_label",
                                         "wal",
                                         "wal_cleaner",
                                         "remote_write",
                                         "evaluation",
                                         "alertmanager_url",
                                         "enable_alertmanager_discovery",
                                         "alertmanager_refresh_interval",
                                         "enable_alertmanager_v2",
                                         "notification_queue_capacity",
                                         "notification_timeout",
                                         "alert_relabel_configs",
                                         "alertmanager_client",
                                         NULL};

static const char *const analytics_keys[] = {"reporting_enabled", "usage_stats_url", "proxy_url",
                                             "tls_config", NULL};

/* -- reading --------------------------------------------------------------------------------------------- */

static void say_unused(const struct yaml_node *map, const char *const *keys)
{
    for (size_t i = 0; keys[i]; i++) {
        const struct yaml_node *n = yaml_get(map, keys[i]);
        if (n) {
            LOG_EVENT(LVL_INFO, "config_key_without_effect", F_C("file", n->file), F_U64("line", n->key_line),
                      F_C("key", keys[i]));
        }
    }
}

/* A section nothing acts on, its keys checked. */
static enum err unused_section(const struct yaml_node *root, const char *name, const char *const *keys,
                               struct err_info *info)
{
    const struct yaml_node *n = yaml_get(root, name);
    enum err e = yaml_check_keys(n, name, keys, info);
    if (!e) {
        say_unused(n, keys);
    }
    return e;
}

static enum err read_server(struct logs_config *c, const struct yaml_node *n, struct err_info *info)
{
    const struct yaml_node *port = yaml_get(n, "http_listen_port");
    enum err e = yaml_check_keys(n, "server", server_keys, info);
    e = e ? e : yaml_str(yaml_get(n, "http_listen_address"), &c->listen_host, info);
    e = e ? e : yaml_u64(port, &c->listen_port, info);
    e = e ? e : yaml_str(yaml_get(n, "http_path_prefix"), &c->path_prefix, info);
    if (!e && c->listen_port > UINT16_MAX) {
        return yaml_error(port, info, "http_listen_port must be at most 65535");
    }
    if (!e) {
        say_unused(n, server_keys + SERVER_USED);
    }
    return e;
}

/* The folder that chunks are kept in: the most particular place that names one. */
static enum err read_places(struct logs_config *c, const struct yaml_node *root, struct err_info *info)
{
    static const char *const file_keys[] = {"chunks_directory", "rules_directory", NULL};
    static const char *const directory_keys[] = {"directory", NULL};
    const struct yaml_node *common = yaml_get(root, "common"), *store = yaml_get(common, "storage");
    const struct yaml_node *storage = yaml_get(root, "storage_config");
    enum err e = yaml_check_keys(common, "common", common_keys, info);
    e = e ? e : yaml_check_keys(store, "storage", store_keys, info);
    e = e ? e : yaml_check_keys(yaml_get(store, "filesystem"), "filesystem", file_keys, info);
    e = e ? e : yaml_check_keys(storage, "storage_config", storage_keys, info);
    e = e ? e : yaml_check_keys(yaml_get(storage, "filesystem"), "filesystem", directory_keys, info);
    e = e ? e : yaml_str(yaml_get(common, "path_prefix"), &c->data_dir, info);
    e = e ? e : yaml_str(yaml_get(yaml_get(store, "filesystem"), "chunks_directory"), &c->data_dir, info);
    e = e ? e : yaml_str(yaml_get(yaml_get(storage, "filesystem"), "directory"), &c->data_dir, info);
    if (!e) {
        say_unused(common, common_keys + COMMON_USED);
        say_unused(store, store_keys + 1);
        say_unused(storage, storage_keys + 1);
    }
    return e;
}

static enum err read_schema(const struct yaml_node *n, struct err_info *info)
{
    static const char *const index_keys[] = {"prefix", "period", "tags", "path_prefix", NULL};
    const struct yaml_node *configs = yaml_get(n, "configs");
    enum err e = yaml_check_keys(n, "schema_config", schema_keys, info);
    for (const struct yaml_node *p = configs ? configs->child : NULL; p && !e; p = p->next) {
        e = yaml_check_keys(p, "configs", period_keys, info);
        e = e ? e : yaml_check_keys(yaml_get(p, "index"), "index", index_keys, info);
    }
    if (!e && n) {
        LOG_EVENT(LVL_INFO, "config_key_without_effect", F_C("file", n->file), F_U64("line", n->key_line),
                  F_C("key", "schema_config"), F_C("why", "there is one store, of its own format"));
    }
    return e;
}

static enum err mebibytes(const struct yaml_node *n, uint64_t *bytes, struct err_info *info)
{
    double mb = -1;
    enum err e = yaml_f64(n, &mb, info);
    if (!e && mb >= 0) {
        *bytes = (uint64_t)(mb * 1048576);
    }
    return e;
}

static enum err read_push_limits(struct logs_config *c, const struct yaml_node *n, struct err_info *info)
{
    struct push_limits *p = &c->push;
    const struct yaml_node *names = yaml_get(n, "discover_service_name");
    enum err e = mebibytes(yaml_get(n, "ingestion_rate_mb"), &p->rate_bytes_s, info);
    e = e ? e : mebibytes(yaml_get(n, "ingestion_burst_size_mb"), &p->rate_burst_bytes, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_label_name_length"), &p->label_name_bytes_max, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_label_value_length"), &p->label_value_bytes_max, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_label_names_per_series"), &p->label_count_max, info);
    e = e ? e : yaml_bool(yaml_get(n, "reject_old_samples"), &p->reject_old, info);
    e = e ? e : yaml_duration(yaml_get(n, "reject_old_samples_max_age"), true, &p->old_max_ms, info);
    e = e ? e : yaml_duration(yaml_get(n, "creation_grace_period"), true, &p->future_max_ms, info);
    e = e ? e : yaml_size(yaml_get(n, "max_line_size"), &p->line_bytes_max, info);
    e = e ? e : yaml_bool(yaml_get(n, "max_line_size_truncate"), &p->line_truncate, info);
    e = e ? e : yaml_bool(yaml_get(n, "increment_duplicate_timestamp"), &p->increment_duplicate, info);
    e = e ? e : yaml_bool(yaml_get(n, "discover_log_levels"), &p->discover_level, info);
    e = e ? e : yaml_bool(yaml_get(n, "allow_structured_metadata"), &p->metadata_allowed, info);
    e = e ? e : yaml_size(yaml_get(n, "max_structured_metadata_size"), &p->metadata_bytes_max, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_structured_metadata_entries_count"), &p->metadata_count_max, info);
    if (names && names->kind == YAML_LIST) {
        p->discover_service_name = names->count > 0;
    }
    return e;
}

static enum err read_limits(struct logs_config *c, const struct yaml_node *n, struct err_info *info)
{
    enum err e = yaml_check_keys(n, "limits_config", limit_keys, info);
    e = e ? e : read_push_limits(c, n, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_query_series"), &c->series_max, info);
    e = e ? e : yaml_duration(yaml_get(n, "max_query_length"), true, &c->query_length_max_ms, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_entries_limit_per_query"), &c->entries_max, info);
    e = e ? e : yaml_duration(yaml_get(n, "query_timeout"), true, &c->query_timeout_ms, info);
    e = e ? e : yaml_duration(yaml_get(n, "split_queries_by_interval"), true, &c->split_ms, info);
    e = e ? e : yaml_bool(yaml_get(n, "volume_enabled"), &c->volume_enabled, info);
    if (!e) {
        say_unused(n, limit_keys + LIMITS_USED);
    }
    return e;
}

/* Loki deletes only where the compactor (or the older table manager) is told to; a period alone does
 * nothing, which many have found out late. */
static enum err read_retention(struct logs_config *c, const struct yaml_node *root, struct err_info *info)
{
    const struct yaml_node *compactor = yaml_get(root, "compactor"),
                           *tables = yaml_get(root, "table_manager");
    const struct yaml_node *period = yaml_get(yaml_get(root, "limits_config"), "retention_period");
    int64_t period_ms = 0, table_ms = 0;
    bool on = false, tables_on = false;
    enum err e = yaml_check_keys(compactor, "compactor", compactor_keys, info);
    e = e ? e : yaml_check_keys(tables, "table_manager", table_keys, info);
    e = e ? e : yaml_bool(yaml_get(compactor, "retention_enabled"), &on, info);
    e = e ? e : yaml_bool(yaml_get(tables, "retention_deletes_enabled"), &tables_on, info);
    e = e ? e : yaml_duration(yaml_get(tables, "retention_period"), true, &table_ms, info);
    e = e ? e : yaml_duration(period, true, &period_ms, info);
    if (e) {
        return e;
    }
    say_unused(compactor, compactor_keys + COMPACTOR_USED);
    say_unused(tables, table_keys + TABLE_USED);
    c->retention_ms = on && period_ms > 0 ? period_ms : tables_on && table_ms > 0 ? table_ms : -1;
    if (period_ms > 0 && !on && c->retention_ms < 0) {
        LOG_EVENT(
            LVL_WARN, "retention_is_off", F_C("file", period->file), F_U64("line", period->key_line),
            F_C("why", "retention_period without compactor.retention_enabled deletes nothing, as in Loki"),
            F_C("cure", "set compactor.retention_enabled: true"));
    }
    return ERR_OK;
}

static enum err read_root(struct logs_config *c, const struct yaml_node *root, struct err_info *info)
{
    static const char *const elsewhere[] = {"lbac",
                                            "no_auth_tenant",
                                            "ballast_bytes",
                                            "internal_server",
                                            "ui",
                                            "distributor",
                                            "query_engine",
                                            "query_scheduler",
                                            "ruler_storage",
                                            "ingester_client",
                                            "pattern_ingester",
                                            "index_gateway",
                                            "bloom_build",
                                            "bloom_gateway",
                                            "bloom_compactor",
                                            "compactor_client",
                                            "compactor_grpc_client",
                                            "frontend_worker",
                                            "memberlist",
                                            "kafka_config",
                                            "dataobj",
                                            "runtime_config",
                                            "operational_config",
                                            "tracing",
                                            "profiling",
                                            "shutdown_delay",
                                            "metrics_namespace",
                                            NULL};
    enum err e = yaml_check_keys(root, "loki.ConfigWrapper", top_keys, info);
    e = e ? e : yaml_bool(yaml_get(root, "auth_enabled"), &c->auth_enabled, info);
    e = e ? e : yaml_str(yaml_get(root, "http_prefix"), &c->path_prefix, info);
    e = e ? e : read_server(c, yaml_get(root, "server"), info);
    e = e ? e : read_places(c, root, info);
    e = e ? e : read_schema(yaml_get(root, "schema_config"), info);
    e = e ? e : read_limits(c, yaml_get(root, "limits_config"), info);
    e = e ? e : read_retention(c, root, info);
    const struct yaml_node *range = yaml_get(root, "query_range");
    e = e ? e : yaml_duration(yaml_get(range, "split_queries_by_interval"), true, &c->split_ms, info);
    e = e ? e
          : yaml_duration(yaml_get(yaml_get(root, "querier"), "query_timeout"), true, &c->query_timeout_ms,
                          info);
    e = e ? e : unused_section(root, "ingester", ingester_keys, info);
    e = e ? e : unused_section(root, "querier", querier_keys, info);
    e = e ? e : unused_section(root, "query_range", query_range_keys, info);
    e = e ? e : unused_section(root, "frontend", frontend_keys, info);
    e = e ? e : unused_section(root, "ruler", ruler_keys, info);
    e = e ? e : unused_section(root, "analytics", analytics_keys, info);
    e = e ? e : unused_section(root, "chunk_store_config", chunk_store_keys, info);
    if (!e) {
        say_unused(root, elsewhere);
    }
    return e;
}

/* -- files ----------------------------------------------------------------------------------------------- */

/* The first of the list that exists; the last one when none does. */
static bool first_file(struct str files, char path[PATH_BYTES_MAX])
{
    while (files.p) {
        struct str one = str_trim(str_cut(&files, ','));
        if (one.n == 0 || one.n >= PATH_BYTES_MAX) {
            continue;
        }
        memcpy(path, one.p, one.n);
        path[one.n] = '\0';
        if (access(path, F_OK) == 0) {
            return true;
        }
    }
    return path[0] != '\0';
}

enum err logs_config_load(struct logs_config *c, struct str files, bool expand_env,
                          struct err_info *reterr_info)
{
    char path[PATH_BYTES_MAX] = "";
    struct buf text AUTO_BUF = {.size_bytes_max = CONFIG_BYTES_MAX};
    struct buf expanded AUTO_BUF = {.size_bytes_max = CONFIG_BYTES_MAX};
    const struct yaml_node *root;
    if (!first_file(files, path)) {
        return err_set(reterr_info, ERR_INVALID, "-config.file names no file");
    }
    enum err e = file_load(path, &text, reterr_info);
    e = e || !expand_env ? e : config_expand_env(buf_view(&text), &expanded, reterr_info);
    if (e) {
        err_in_file(reterr_info, path);
        return e;
    }
    c->text = arena_str(&c->a, expand_env ? buf_view(&expanded) : buf_view(&text));
    struct str name = arena_str(&c->a, str_c(path));
    if (!c->text.p || !name.p) {
        return err_set(reterr_info, ERR_OOM, "no memory for the configuration");
    }
    c->from_file = true;
    c->push.rate_bytes_s = 4 << 20;
    c->push.rate_burst_bytes = 6 << 20;
    e = yaml_parse(&c->a, c->text, name.p, &root, reterr_info);
    return e ? e : read_root(c, root, reterr_info);
}
