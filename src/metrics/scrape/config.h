/* prometheus.yml: every key Prometheus 3 knows, read strictly, with its defaults.
 *
 * The result is immutable and shared by count. What is understood but not acted on yet is listed in `unused`
 * and named once in the log by the owner. Any thread. */
#ifndef CAIRN_METRICS_SCRAPE_CONFIG_H
#define CAIRN_METRICS_SCRAPE_CONFIG_H

#include <stdatomic.h>

#include "labels/relabel.h"
#include "metrics/discovery/sd_config.h"
#include "net/http_config.h"

enum scrape_protocol {
    SCRAPE_PROTO = 0,  /* PrometheusProto */
    SCRAPE_OM_1_0_0,   /* OpenMetricsText1.0.0 */
    SCRAPE_OM_0_0_1,   /* OpenMetricsText0.0.1 */
    SCRAPE_TEXT_1_0_0, /* PrometheusText1.0.0 */
    SCRAPE_TEXT_0_0_4, /* PrometheusText0.0.4 */
    SCRAPE_PROTOCOL_COUNT
};

struct scrape_protocols {
    uint8_t order[SCRAPE_PROTOCOL_COUNT];
    size_t n;
};

/* 0 = no limit. */
struct scrape_limits {
    uint64_t body_size_bytes, samples, targets, labels, label_name_length, label_value_length;
    uint64_t keep_dropped_targets, native_buckets;
    double native_min_bucket_factor;
};

/* What a job inherits from `global` when it leaves it out. */
struct scrape_defaults {
    int64_t interval_ms, timeout_ms;
    struct scrape_limits limits;
    struct scrape_protocols protocols; /* n 0: the default order */
    bool native_histograms, classic_histograms, convert_classic_histograms, extra_metrics;
    bool legacy_names;   /* metric_name_validation_scheme: legacy */
    struct str escaping; /* allow-utf-8, underscores, dots, values */
    struct str failure_log_file;
};

struct scrape_param {
    struct str name;
    const struct str *values;
    size_t n;
};

struct scrape_job {
    struct str name;
    struct scrape_defaults d; /* resolved */
    struct str metrics_path, scheme;
    struct scrape_param *params;
    size_t param_count;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, compression;
    int fallback_protocol; /* enum scrape_protocol, or -1 */
    struct relabel_rule *relabel, *metric_relabel;
    size_t relabel_count, metric_relabel_count;
    struct http_client_config *http;
    struct sd_configs sd;
    const struct yaml_node *node;
    struct str identity;        /* equal: nothing changed */
    struct str series_identity; /* equal: the same series come out, only timing, limits or client changed */
};

struct alertmanager_config {
    struct str scheme, path_prefix;
    int64_t timeout_ms;
    struct relabel_rule *relabel, *alert_relabel;
    size_t relabel_count, alert_relabel_count;
    struct http_client_config *http;
    struct sd_configs sd;
};

struct remote_config { /* a remote_read entry, as far as it is used */
    struct str name, url;
};

struct remote_write_config {
    struct str name, url, protobuf_message;
    int64_t timeout_ms;
    bool send_exemplars, native_histograms, round_robin_dns;
    struct http_header *headers;
    size_t header_count;
    struct relabel_rule *relabel;
    size_t relabel_count;
    struct http_client_config *http;
    uint64_t capacity, min_shards, max_shards, samples_max; /* queue_config */
    int64_t deadline_ms, backoff_min_ms, backoff_max_ms, age_max_ms;
    bool retry_429;
    struct str identity; /* equal, with equal external labels: unchanged */
};

struct prom_config {
    atomic_uint refs;
    struct arena memory;
    struct str path; /* of the main file; empty: built in */
    struct scrape_defaults global;
    int64_t evaluation_interval_ms, rule_query_offset_ms;
    struct labels external_labels;
    struct str query_log_file;
    struct scrape_job *jobs;
    size_t job_count, job_cap;
    struct str *rule_files; /* patterns, resolved */
    size_t rule_file_count;
    struct relabel_rule *alert_relabel;
    size_t alert_relabel_count;
    struct alertmanager_config *alertmanagers;
    size_t alertmanager_count;
    struct remote_write_config *remote_write;
    struct remote_config *remote_read;
    size_t remote_write_count, remote_read_count;
    bool has_late_window, has_retention;
    int64_t late_window_ms, retention_ms;
    uint64_t retention_bytes;
    double retention_percentage;
    uint64_t exemplars_max;
    const struct yaml_node *root;
    const char **unused; /* "scrape_configs: ec2_sd_configs", ... each once */
    size_t unused_count, unused_cap;
};

/* Reads the file and those of scrape_config_files. Errors: INVALID with file, line and column, NOT_FOUND,
 * DENIED, IO, LIMIT, OOM. */
MUST_USE enum err prom_config_load(const char *path, struct prom_config **ret_config,
                                   struct err_info *reterr_info);
/* The same where extra_scrape_metrics is that unless the file says otherwise (--enable-feature). */
MUST_USE enum err prom_config_load_extra(const char *path, bool extra_metrics,
                                         struct prom_config **ret_config, struct err_info *reterr_info);
/* The same from text; relative names are relative to `name`'s folder. */
MUST_USE enum err prom_config_parse(struct str text, const char *name, struct prom_config **ret_config,
                                    struct err_info *reterr_info);
struct prom_config *prom_config_ref(struct prom_config *c);
void prom_config_unref(struct prom_config *c); /* accepts NULL */

/* What the command line says and the configuration shows. */
struct prom_config_flags {
    int64_t retention_ms; /* of the flags, or their default; 0 = none */
    uint64_t retention_bytes;
    bool exemplars; /* are kept */
};

/* The configuration as Prometheus writes it, with all defaults, secrets as <secret>; with `job` non-NULL that
 * job alone. `flags` may be NULL then. */
void prom_config_print(struct buf *b, const struct prom_config *c, const struct prom_config_flags *flags,
                       const struct scrape_job *job);
const char *scrape_protocol_name(enum scrape_protocol p);

#endif
