/* Promtail's configuration file.
 *
 * Read strictly: an unknown key is an error with file, line, column and the nearest valid name. Keys that are
 * known but change nothing here are named once in the log. Within a stage unknown options are named in the
 * log and ignored, as Promtail ignores them. */
#ifndef CAIRN_AGENT_CONFIG_H
#define CAIRN_AGENT_CONFIG_H

#include "agent/inputs/file_input.h"
#include "agent/outputs/client.h"
#include "agent/outputs/client_config.h"
#include "codec/yaml.h"
#include "labels/relabel.h"

/* What the flags say; a flag given wins over the file. Strings are borrowed. */
struct agent_flags {
    struct str config_file; /* comma-separated: the first that exists */
    bool expand_env;
    bool print_config, dry_run, from_stdin, check_syntax;
    struct str client_url, client_tenant, client_external_labels;
    int64_t client_batch_wait_ms, client_timeout_ms, client_backoff_min_ms,
        client_backoff_max_ms; /* 0: default */
    uint64_t client_batch_bytes, client_retries;
    int64_t positions_sync_ms, target_sync_ms;
    struct str listen_address, listen_port, positions_file, log_level;
    bool server_disable, enable_reload, ignore_invalid_positions;
};

enum job_kind {
    JOB_FILES = 0,
    JOB_JOURNAL,
    JOB_SYSLOG,
    JOB_PUSH
};

struct journal_config {
    struct str path;
    bool json;
    int64_t max_age_ms;
    struct labels labels;
    struct str matches;
};

struct syslog_config {
    struct str listen_address;
    bool udp, rfc3164;
    int64_t idle_timeout_ms;
    bool label_structured_data, use_incoming_timestamp, use_rfc5424_message;
    uint64_t message_bytes_max;
    struct labels labels;
};

struct push_config {
    struct str listen_address; /* host:port */
    struct labels labels;
    bool use_incoming_timestamp;
    uint64_t body_bytes_max;
};

struct scrape_job {
    struct str name;
    enum job_kind kind;
    const struct yaml_node *stages; /* may be NULL */
    struct relabel_rule *rules;
    size_t rule_count;
    /* JOB_FILES */
    struct file_target *targets;
    size_t target_count;
    size_t dropped[3]; /* targets that were not taken: dropped, no_path, wrong_host */
    struct str encoding;
    enum file_packing packing;
    struct journal_config journal;
    struct syslog_config syslog;
    struct push_config push;
};

struct agent_config {
    struct arena arena;
    const struct yaml_node *root;
    struct str text; /* as read, for /config: secrets masked */
    /* server */
    bool server_disable;
    struct str listen_host;
    uint64_t listen_port; /* 0 with port_given false: the default */
    bool port_given, health_check_target, runtime_reload;
    struct str path_prefix;
    /* positions */
    struct str positions_file;
    int64_t positions_sync_ms;
    bool positions_ignore_invalid;
    struct client_config *clients;
    size_t client_count;
    struct scrape_job *jobs;
    size_t job_count;
    int64_t target_sync_ms;
    int64_t poll_ms;
    bool from_stdin;
    struct client_limits limits;
    bool rate_enabled, rate_drop;
    double rate;
    uint64_t rate_burst;
};

/* Reads `flags->config_file`, or `text` when that is empty (the built-in configuration; may be empty too).
 * Errors: INVALID (with place), UNSUPPORTED (an input that is not offered), NOT_FOUND, DENIED, OOM. */
MUST_USE enum err agent_config_load(const struct agent_flags *flags, struct str text,
                                    struct agent_config **ret_config, struct err_info *reterr_info);
void agent_config_free(struct agent_config *c); /* accepts NULL */

/* The text as read, secrets masked. */
void agent_config_print(const struct agent_config *c, struct buf *out);

/* ${NAME}, ${NAME:-default} and the other forms over the whole text, as -config.expand-env does. Errors:
 * INVALID (a form that does not end), OOM. */
MUST_USE enum err config_expand_env(struct str text, struct buf *out, struct err_info *reterr_info);

#endif
