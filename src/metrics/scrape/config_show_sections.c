/* The sections of prometheus.yml as they are shown: keys in their order, and what stands where the file says
 * nothing. */
#include <stddef.h>

#include "metrics/scrape/config_show.h"

#define OF_JOB(member) offsetof(struct scrape_job, member)
#define OF_CONFIG(member) offsetof(struct prom_config, member)

/* -- parts that several sections have ----------------------------------------------------------------------
 */

static const struct show_field show_tls_fields[] = {
    SHOWN("ca", STR),          SHOWN("cert", STR),
    SHOWN("key", SECRET),      SHOWN("ca_file", PATH),
    SHOWN("cert_file", PATH),  SHOWN("key_file", PATH),
    SHOWN("server_name", STR), SHOWN_ALWAYS("insecure_skip_verify", BOOL),
    SHOWN("min_version", STR), SHOWN("max_version", STR),
};
const struct show_section show_tls = {show_tls_fields, ARRAY_LEN(show_tls_fields)};

static const struct show_field basic_auth_fields[] = {
    SHOWN("username", STR),
    SHOWN("username_file", PATH),
    SHOWN("password", SECRET),
    SHOWN("password_file", PATH),
};
const struct show_section show_basic_auth = {basic_auth_fields, ARRAY_LEN(basic_auth_fields)};

static const struct show_field authorization_fields[] = {
    SHOWN_OR("type", STR, "Bearer"),
    SHOWN("credentials", SECRET),
    SHOWN("credentials_file", PATH),
};
const struct show_section show_authorization_parts = {authorization_fields, ARRAY_LEN(authorization_fields)};

static const struct show_field oauth2_fields[] = {
    SHOWN("client_id", STR),
    SHOWN("client_secret", SECRET),
    SHOWN("client_secret_file", PATH),
    SHOWN("client_certificate_key_id", STR),
    SHOWN("client_certificate_key", SECRET),
    SHOWN("client_certificate_key_file", STR),
    SHOWN("grant_type", STR),
    SHOWN("signature_algorithm", STR),
    SHOWN("iss", STR),
    SHOWN("audience", STR),
    SHOWN("claims", ANY),
    SHOWN("scopes", STRS),
    SHOWN("token_url", STR),
    SHOWN("endpoint_params", MAP),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN("proxy_url", URL),
    SHOWN("no_proxy", STR),
    SHOWN("proxy_from_environment", BOOL),
    SHOWN("proxy_connect_header", SECRET_LISTS),
};
static const struct show_section oauth2 = {oauth2_fields, ARRAY_LEN(oauth2_fields)};

static const struct show_field header_fields[] = {
    SHOWN("values", STRS),
    SHOWN("secrets", SECRETS),
    SHOWN("files", PATHS),
};
static const struct show_section header = {header_fields, ARRAY_LEN(header_fields)};

static const struct show_field show_http_fields[] = {
    SHOWN_PART("basic_auth", ONE, show_basic_auth),
    SHOWN_PART("authorization", AUTHORIZATION, show_authorization_parts),
    SHOWN_PART("oauth2", ONE, oauth2),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN_ALWAYS_OR("follow_redirects", BOOL, "true"),
    SHOWN_ALWAYS_OR("enable_http2", BOOL, "true"),
    SHOWN("proxy_url", URL),
    SHOWN("no_proxy", STR),
    SHOWN("proxy_from_environment", BOOL),
    SHOWN("proxy_connect_header", SECRET_LISTS),
    SHOWN_PART("http_headers", HEADERS, header),
};
const struct show_section show_http = {show_http_fields, ARRAY_LEN(show_http_fields)};

/* Of remote write, which begins with HTTP 1. */
static const struct show_field http_1_fields[] = {
    SHOWN_PART("basic_auth", ONE, show_basic_auth),
    SHOWN_PART("authorization", AUTHORIZATION, show_authorization_parts),
    SHOWN_PART("oauth2", ONE, oauth2),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN_ALWAYS_OR("follow_redirects", BOOL, "true"),
    SHOWN_ALWAYS_OR("enable_http2", BOOL, "false"),
    SHOWN("proxy_url", URL),
    SHOWN("no_proxy", STR),
    SHOWN("proxy_from_environment", BOOL),
    SHOWN("proxy_connect_header", SECRET_LISTS),
    SHOWN_PART("http_headers", HEADERS, header),
};
static const struct show_section http_1 = {http_1_fields, ARRAY_LEN(http_1_fields)};

static const struct show_field rule_fields[] = {
    SHOWN("source_labels", FLOW),
    SHOWN_ALWAYS_OR("separator", STR, ";"),
    SHOWN("regex", GIVEN),
    SHOWN("modulus", INT),
    SHOWN("target_label", STR),
    SHOWN_ALWAYS_OR("replacement", STR, "$1"),
    SHOWN_OR("action", LOWER, "replace"),
};
static const struct show_section rule = {rule_fields, ARRAY_LEN(rule_fields)};

/* -- global and scrape_configs -----------------------------------------------------------------------------
 */

static const struct show_field global_fields[] = {
    SHOWN_AT("scrape_interval", AT_DURATION, OF_CONFIG(global.interval_ms)),
    SHOWN_AT("scrape_timeout", AT_DURATION, OF_CONFIG(global.timeout_ms)),
    SHOWN("scrape_protocols", STRS),
    SHOWN_AT("evaluation_interval", AT_DURATION, OF_CONFIG(evaluation_interval_ms)),
    SHOWN_AT("rule_query_offset", AT_DURATION, OF_CONFIG(rule_query_offset_ms)),
    SHOWN("query_log_file", PATH),
    SHOWN("scrape_failure_log_file", PATH),
    SHOWN("external_labels", LABELS),
    SHOWN_AT("body_size_limit", AT_SIZE, OF_CONFIG(global.limits.body_size_bytes)),
    SHOWN_AT("sample_limit", AT_U64, OF_CONFIG(global.limits.samples)),
    SHOWN_AT("target_limit", AT_U64, OF_CONFIG(global.limits.targets)),
    SHOWN_AT("label_limit", AT_U64, OF_CONFIG(global.limits.labels)),
    SHOWN_AT("label_name_length_limit", AT_U64, OF_CONFIG(global.limits.label_name_length)),
    SHOWN_AT("label_value_length_limit", AT_U64, OF_CONFIG(global.limits.label_value_length)),
    SHOWN_AT("keep_dropped_targets", AT_U64, OF_CONFIG(global.limits.keep_dropped_targets)),
    SHOWN_AT("metric_name_validation_scheme", AT_LEGACY, OF_CONFIG(global.legacy_names)),
    SHOWN("metric_name_escaping_scheme", ESCAPING),
    SHOWN_ALWAYS_AT("scrape_native_histograms", AT_BOOL, OF_CONFIG(global.native_histograms)),
    SHOWN_AT("convert_classic_histograms_to_nhcb", AT_BOOL, OF_CONFIG(global.convert_classic_histograms)),
    SHOWN_AT("always_scrape_classic_histograms", AT_BOOL, OF_CONFIG(global.classic_histograms)),
    SHOWN_ALWAYS_AT("extra_scrape_metrics", AT_BOOL, OF_CONFIG(global.extra_metrics)),
};
static const struct show_section global = {global_fields, ARRAY_LEN(global_fields)};

static const struct show_field show_job_fields[] = {
    SHOWN_ALWAYS("job_name", STR),
    SHOWN("honor_labels", BOOL),
    SHOWN_ALWAYS_OR("honor_timestamps", BOOL, "true"),
    SHOWN_ALWAYS("track_timestamps_staleness", BOOL),
    SHOWN("params", LISTS),
    SHOWN_AT("scrape_interval", AT_DURATION, OF_JOB(d.interval_ms)),
    SHOWN_AT("scrape_timeout", AT_DURATION, OF_JOB(d.timeout_ms)),
    SHOWN_AT("scrape_protocols", AT_PROTOCOLS, OF_JOB(d.protocols)),
    SHOWN("fallback_scrape_protocol", STR),
    SHOWN_ALWAYS_AT("scrape_native_histograms", AT_BOOL, OF_JOB(d.native_histograms)),
    SHOWN_ALWAYS_AT("always_scrape_classic_histograms", AT_BOOL, OF_JOB(d.classic_histograms)),
    SHOWN_ALWAYS_AT("convert_classic_histograms_to_nhcb", AT_BOOL, OF_JOB(d.convert_classic_histograms)),
    SHOWN_AT("scrape_failure_log_file", AT_PATH, OF_JOB(d.failure_log_file)),
    SHOWN_OR("metrics_path", STR, "/metrics"),
    SHOWN_OR("scheme", STR, "http"),
    SHOWN_ALWAYS_OR("enable_compression", BOOL, "true"),
    SHOWN_AT("body_size_limit", AT_SIZE, OF_JOB(d.limits.body_size_bytes)),
    SHOWN_AT("sample_limit", AT_U64, OF_JOB(d.limits.samples)),
    SHOWN_AT("target_limit", AT_U64, OF_JOB(d.limits.targets)),
    SHOWN_AT("label_limit", AT_U64, OF_JOB(d.limits.labels)),
    SHOWN_AT("label_name_length_limit", AT_U64, OF_JOB(d.limits.label_name_length)),
    SHOWN_AT("label_value_length_limit", AT_U64, OF_JOB(d.limits.label_value_length)),
    SHOWN("native_histogram_bucket_limit", INT),
    SHOWN("native_histogram_min_bucket_factor", FLOAT),
    SHOWN_AT("keep_dropped_targets", AT_U64, OF_JOB(d.limits.keep_dropped_targets)),
    SHOWN_AT("metric_name_validation_scheme", AT_LEGACY, OF_JOB(d.legacy_names)),
    SHOWN_AT("metric_name_escaping_scheme", AT_STR, OF_JOB(d.escaping)),
    SHOWN_ALWAYS_AT("extra_scrape_metrics", AT_BOOL, OF_JOB(d.extra_metrics)),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_PART("relabel_configs", MANY, rule),
    SHOWN_PART("metric_relabel_configs", MANY, rule),
    SHOWN_PART("", INLINE, show_discovery),
};
const struct show_section show_job = {show_job_fields, ARRAY_LEN(show_job_fields)};

/* -- the rest ----------------------------------------------------------------------------------------------
 */

static const struct show_field sigv4_fields[] = {
    SHOWN("region", STR),
    SHOWN("access_key", STR),
    SHOWN("secret_key", SECRET),
    SHOWN("profile", STR),
    SHOWN("role_arn", STR),
    SHOWN("external_id", STR),
    SHOWN("use_fips_sts_endpoint", BOOL),
    SHOWN("service_name", STR),
};
static const struct show_section sigv4 = {sigv4_fields, ARRAY_LEN(sigv4_fields)};

static const struct show_field alertmanager_fields[] = {
    SHOWN_PART("", INLINE, show_http),         SHOWN_PART("sigv4", ONE, sigv4),
    SHOWN_OR("scheme", STR, "http"),           SHOWN("path_prefix", STR),
    SHOWN_OR("timeout", DURATION, "10s"),      SHOWN_ALWAYS_OR("api_version", STR, "v2"),
    SHOWN_PART("relabel_configs", MANY, rule), SHOWN_PART("alert_relabel_configs", MANY, rule),
    SHOWN_PART("", INLINE, show_discovery),
};
static const struct show_section alertmanager = {alertmanager_fields, ARRAY_LEN(alertmanager_fields)};

static const struct show_field alerting_fields[] = {
    SHOWN_PART("alert_relabel_configs", MANY, rule),
    SHOWN_PART("alertmanagers", MANY, alertmanager),
};
static const struct show_section alerting = {alerting_fields, ARRAY_LEN(alerting_fields)};

static const struct show_field queue_config_fields[] = {
    SHOWN_OR("capacity", INT, "10000"),
    SHOWN_OR("max_shards", INT, "50"),
    SHOWN_OR("min_shards", INT, "1"),
    SHOWN_OR("max_samples_per_send", INT, "2000"),
    SHOWN_OR("batch_send_deadline", DURATION, "5s"),
    SHOWN_OR("min_backoff", DURATION, "30ms"),
    SHOWN_OR("max_backoff", DURATION, "5s"),
    SHOWN("retry_on_http_429", BOOL),
    SHOWN("sample_age_limit", DURATION),
};
static const struct show_section queue_config = {queue_config_fields, ARRAY_LEN(queue_config_fields)};

static const struct show_field metadata_config_fields[] = {
    SHOWN_ALWAYS_OR("send", BOOL, "true"),
    SHOWN_ALWAYS_OR("send_interval", DURATION, "1m"),
    SHOWN_OR("max_samples_per_send", INT, "2000"),
};
static const struct show_section metadata_config = {metadata_config_fields,
                                                    ARRAY_LEN(metadata_config_fields)};

static const struct show_field azure_client_fields[] = {
    SHOWN("client_id", STR),
    SHOWN("client_secret", SECRET),
    SHOWN("tenant_id", STR),
    SHOWN("token_file_path", PATH),
    SHOWN("certificate_path", PATH),
    SHOWN("certificate_key_path", PATH),
    SHOWN("certificate_password", SECRET),
    SHOWN("send_certificate_chain", BOOL),
};
static const struct show_section azure_client = {azure_client_fields, ARRAY_LEN(azure_client_fields)};

static const struct show_field azuread_fields[] = {
    SHOWN_PART("managed_identity", ONE, azure_client),
    SHOWN_PART("workload_identity", ONE, azure_client),
    SHOWN_PART("oauth", ONE, azure_client),
    SHOWN_PART("sdk", ONE, azure_client),
    SHOWN_PART("certificate", ONE, azure_client),
    SHOWN_OR("cloud", STR, "AzurePublic"),
    SHOWN("scope", STR),
};
static const struct show_section azuread = {azuread_fields, ARRAY_LEN(azuread_fields)};

static const struct show_field google_iam_fields[] = {
    SHOWN("credentials_file", PATH),
};
static const struct show_section google_iam = {google_iam_fields, ARRAY_LEN(google_iam_fields)};

static const struct show_field remote_write_fields[] = {
    SHOWN_ALWAYS("url", URL),
    SHOWN_OR("remote_timeout", DURATION, "30s"),
    SHOWN("headers", MAP),
    SHOWN_PART("write_relabel_configs", MANY, rule),
    SHOWN("name", STR),
    SHOWN("send_exemplars", BOOL),
    SHOWN("send_native_histograms", BOOL),
    SHOWN("round_robin_dns", BOOL),
    SHOWN_OR("protobuf_message", STR, "prometheus.WriteRequest"),
    SHOWN("failed_request_logging", BOOL),
    SHOWN_PART("", INLINE, http_1),
    SHOWN_PART("queue_config", VALUE, queue_config),
    SHOWN_PART("metadata_config", DEFAULTED, metadata_config),
    SHOWN_PART("sigv4", ONE, sigv4),
    SHOWN_PART("azuread", ONE, azuread),
    SHOWN_PART("google_iam", ONE, google_iam),
};
static const struct show_section remote_write = {remote_write_fields, ARRAY_LEN(remote_write_fields)};

static const struct show_field remote_read_fields[] = {
    SHOWN_ALWAYS("url", URL),
    SHOWN_OR("remote_timeout", DURATION, "1m"),
    SHOWN_OR("chunked_read_limit", INT, "50000000"),
    SHOWN("headers", MAP),
    SHOWN("read_recent", BOOL),
    SHOWN("name", STR),
    SHOWN_PART("", INLINE, show_http),
    SHOWN("required_matchers", MAP),
    SHOWN_OR("filter_external_labels", BOOL, "true"),
};
static const struct show_section remote_read = {remote_read_fields, ARRAY_LEN(remote_read_fields)};

static const struct show_field retention_fields[] = {
    SHOWN("time", DURATION),
    SHOWN("size", SIZE),
    SHOWN("percentage", FLOAT),
};
static const struct show_section retention = {retention_fields, ARRAY_LEN(retention_fields)};

static const struct show_field chunk_encoding_fields[] = {
    SHOWN("floats", STR),
};
static const struct show_section chunk_encoding = {chunk_encoding_fields, ARRAY_LEN(chunk_encoding_fields)};

static const struct show_field tsdb_fields[] = {
    SHOWN_ALWAYS("outofordertimewindow", LATE_MS),     SHOWN("out_of_order_time_window", DURATION),
    SHOWN("stale_series_compaction_threshold", FLOAT), SHOWN_PART("chunk_encoding", VALUE, chunk_encoding),
    SHOWN_PART("retention", RETENTION, retention),
};
static const struct show_section tsdb = {tsdb_fields, ARRAY_LEN(tsdb_fields)};

static const struct show_field exemplars_fields[] = {
    SHOWN_OR("max_exemplars", INT, "0"),
};
static const struct show_section exemplars = {exemplars_fields, ARRAY_LEN(exemplars_fields)};

static const struct show_field storage_fields[] = {
    SHOWN_PART("tsdb", VALUE, tsdb),
    SHOWN_PART("exemplars", EXEMPLARS, exemplars),
};
static const struct show_section storage = {storage_fields, ARRAY_LEN(storage_fields)};

static const struct show_field tracing_fields[] = {
    SHOWN_OR("client_type", STR, "grpc"),
    SHOWN("endpoint", STR),
    SHOWN("sampling_fraction", FLOAT),
    SHOWN("insecure", BOOL),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN("headers", MAP),
    SHOWN("compression", STR),
    SHOWN("timeout", DURATION),
};
static const struct show_section tracing = {tracing_fields, ARRAY_LEN(tracing_fields)};

static const struct show_field otlp_fields[] = {
    SHOWN("promote_all_resource_attributes", BOOL),
    SHOWN("promote_resource_attributes", TRIMMED),
    SHOWN("ignore_resource_attributes", TRIMMED),
    SHOWN_OR("translation_strategy", STR, "UnderscoreEscapingWithSuffixes"),
    SHOWN("keep_identifying_resource_attributes", BOOL),
    SHOWN("convert_histograms_to_nhcb", BOOL),
    SHOWN("promote_scope_metadata", BOOL),
    SHOWN_OR("label_name_underscore_sanitization", BOOL, "true"),
    SHOWN_OR("label_name_preserve_multiple_underscores", BOOL, "true"),
};
static const struct show_section otlp = {otlp_fields, ARRAY_LEN(otlp_fields)};

static const struct show_field runtime_fields[] = {
    SHOWN_OR("gogc", INT, "75"),
};
static const struct show_section runtime = {runtime_fields, ARRAY_LEN(runtime_fields)};

static const struct show_field show_config_fields[] = {
    SHOWN_ALWAYS_PART("global", VALUE, global),
    SHOWN_PART("runtime", VALUE, runtime),
    SHOWN_PART("alerting", VALUE, alerting),
    SHOWN("rule_files", PATHS),
    SHOWN("scrape_config_files", PATHS),
    SHOWN_PART("scrape_configs", JOBS, show_job),
    SHOWN_PART("storage", VALUE, storage),
    SHOWN_PART("tracing", ONE, tracing),
    SHOWN_PART("remote_write", MANY, remote_write),
    SHOWN_PART("remote_read", MANY, remote_read),
    SHOWN_PART("otlp", DEFAULTED, otlp),
};
const struct show_section show_config = {show_config_fields, ARRAY_LEN(show_config_fields)};
