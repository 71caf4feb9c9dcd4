/* The top level of the configuration file, and how flags lie over it. */
#include "agent/config.h"

#include <stdio.h>

#include "agent/config_int.h"
#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"
#include "metrics/discovery/relabel_config.h"

enum {
    CONFIG_BYTES_MAX = 16 << 20,
    PATH_BYTES_MAX = 4096
};

static const char *const top_keys[] = {
    "global",        "server",  "client",  "clients", "positions",     "scrape_configs",
    "target_config", "options", "tracing", "wal",     "limits_config", NULL};

static const char *const server_keys[] = {"disable",
                                          "http_listen_address",
                                          "http_listen_port",
                                          "http_path_prefix",
                                          "external_url",
                                          "health_check_target",
                                          "enable_runtime_reload",
                                          "log_level",
                                          "log_format",
                                          "http_listen_network",
                                          "http_listen_conn_limit",
                                          "register_instrumentation",
                                          "graceful_shutdown_timeout",
                                          "http_server_read_timeout",
                                          "http_server_write_timeout",
                                          "http_server_read_header_timeout",
                                          "http_server_idle_timeout",
                                          "http_tls_config",
                                          "http_log_closed_connections_without_response_enabled",
                                          "tls_cipher_suites",
                                          "tls_min_version",
                                          "log_source_ips_enabled",
                                          "log_source_ips_full",
                                          "log_source_ips_header",
                                          "log_source_ips_regex",
                                          "log_request_headers",
                                          "log_request_at_info_level_enabled",
                                          "log_request_exclude_headers_list",
                                          "proxy_protocol_enabled",
                                          "profiling_enabled",
                                          "grpc_listen_network",
                                          "grpc_listen_address",
                                          "grpc_listen_port",
                                          "grpc_listen_conn_limit",
                                          "grpc_tls_config",
                                          "grpc_collect_max_streams_by_conn",
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
                                          NULL};
/* The first of server_keys that change nothing. */
enum {
    SERVER_KEYS_USED = 7
};

void config_unused(const struct yaml_node *map, const char *const *keys)
{
    for (size_t i = 0; keys[i]; i++) {
        const struct yaml_node *n = yaml_get(map, keys[i]);
        if (n) {
            LOG_EVENT(LVL_INFO, "config_key_without_effect", F_C("file", n->file), F_U64("line", n->key_line),
                      F_C("key", keys[i]));
        }
    }
}

enum err config_labels(struct agent_config *c, const struct yaml_node *n, struct labels *ret_labels,
                       struct err_info *reterr_info)
{
    *ret_labels = (struct labels){0};
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_MAP) {
        return yaml_error(n, reterr_info, "labels must be a map of names and values");
    }
    struct label *l = arena_array(&c->arena, n->count + 1, sizeof(*l));
    size_t count = 0;
    enum err e = l ? ERR_OK : err_set(reterr_info, ERR_OOM, "out of memory");
    for (const struct yaml_node *v = n->child; v && !e; v = v->next) {
        if (!label_name_is_legacy(v->key)) {
            return yaml_error(v, reterr_info, "\"%.*s\" is not a valid label name", STR_FMT(v->key));
        }
        l[count] = (struct label){v->key, STR("")};
        e = yaml_str(v, &l[count++].value, reterr_info);
    }
    e = e ? e : labels_normalise(l, &count, reterr_info);
    if (!e) {
        *ret_labels = (struct labels){l, count};
    }
    return e;
}

/* -- blocks -----------------------------------------------------------------------------------------------
 */

enum err config_server_keys(const struct yaml_node *n, struct err_info *reterr_info)
{
    const struct yaml_node *tls = yaml_get(n, "http_tls_config");
    enum err e = yaml_check_keys(n, "server", server_keys, reterr_info);
    if (!e && !yaml_is_null(tls) && tls->count) {
        (void)yaml_error(
            tls, reterr_info,
            "http_tls_config is not offered yet: use --web.config.file for TLS on the agent's pages");
        return ERR_UNSUPPORTED;
    }
    config_unused(n, server_keys + SERVER_KEYS_USED);
    return e;
}

static enum err read_server(struct agent_config *c, const struct yaml_node *n, struct err_info *info)
{
    const struct yaml_node *port = yaml_get(n, "http_listen_port");
    enum err e = config_server_keys(n, info);
    e = e ? e : yaml_bool(yaml_get(n, "disable"), &c->server_disable, info);
    e = e ? e : yaml_str(yaml_get(n, "http_listen_address"), &c->listen_host, info);
    e = e ? e : yaml_u64(port, &c->listen_port, info);
    e = e ? e : yaml_str(yaml_get(n, "http_path_prefix"), &c->path_prefix, info);
    e = e ? e : yaml_bool(yaml_get(n, "health_check_target"), &c->health_check_target, info);
    e = e ? e : yaml_bool(yaml_get(n, "enable_runtime_reload"), &c->runtime_reload, info);
    c->port_given = !yaml_is_null(port);
    if (!e && c->listen_port > UINT16_MAX) {
        return yaml_error(port, info, "http_listen_port must be at most 65535");
    }
    return e;
}

static enum err read_positions(struct agent_config *c, const struct yaml_node *n, struct err_info *info)
{
    static const char *const keys[] = {"filename", "sync_period", "ignore_invalid_yaml", NULL};
    enum err e = yaml_check_keys(n, "positions", keys, info);
    e = e ? e : yaml_str(yaml_get(n, "filename"), &c->positions_file, info);
    e = e ? e : yaml_duration(yaml_get(n, "sync_period"), true, &c->positions_sync_ms, info);
    e = e ? e : yaml_bool(yaml_get(n, "ignore_invalid_yaml"), &c->positions_ignore_invalid, info);
    return e;
}

static enum err read_limits(struct agent_config *c, const struct yaml_node *n, struct err_info *info)
{
    static const char *const keys[] = {
        "readline_rate", "readline_burst", "readline_rate_enabled",  "readline_rate_drop",
        "max_streams",   "max_line_size",  "max_line_size_truncate", NULL};
    enum err e = yaml_check_keys(n, "limits_config", keys, info);
    e = e ? e : yaml_f64(yaml_get(n, "readline_rate"), &c->rate, info);
    e = e ? e : yaml_u64(yaml_get(n, "readline_burst"), &c->rate_burst, info);
    e = e ? e : yaml_bool(yaml_get(n, "readline_rate_enabled"), &c->rate_enabled, info);
    e = e ? e : yaml_bool(yaml_get(n, "readline_rate_drop"), &c->rate_drop, info);
    e = e ? e : yaml_u64(yaml_get(n, "max_streams"), &c->limits.streams_max, info);
    e = e ? e : yaml_size(yaml_get(n, "max_line_size"), &c->limits.line_bytes_max, info);
    e = e ? e : yaml_bool(yaml_get(n, "max_line_size_truncate"), &c->limits.line_truncate, info);
    return e;
}

static enum err read_targets(struct agent_config *c, const struct yaml_node *n, struct err_info *info)
{
    static const char *const keys[] = {"sync_period", "stdin", NULL};
    enum err e = yaml_check_keys(n, "target_config", keys, info);
    e = e ? e : yaml_duration(yaml_get(n, "sync_period"), true, &c->target_sync_ms, info);
    e = e ? e : yaml_bool(yaml_get(n, "stdin"), &c->from_stdin, info);
    if (!e && c->target_sync_ms <= 0) {
        return yaml_error(n, info, "sync_period must be above 0");
    }
    return e;
}

static enum err read_global(struct agent_config *c, const struct yaml_node *n, struct err_info *info)
{
    static const char *const keys[] = {"file_watch_config", NULL};
    static const char *const watch_keys[] = {"min_poll_frequency", "max_poll_frequency", NULL};
    const struct yaml_node *watch = yaml_get(n, "file_watch_config");
    int64_t max_ms = c->poll_ms;
    enum err e = yaml_check_keys(n, "global", keys, info);
    e = e ? e : yaml_check_keys(watch, "file_watch_config", watch_keys, info);
    e = e ? e : yaml_duration(yaml_get(watch, "min_poll_frequency"), true, &c->poll_ms, info);
    max_ms = max_ms > c->poll_ms ? max_ms : c->poll_ms;
    e = e ? e : yaml_duration(yaml_get(watch, "max_poll_frequency"), true, &max_ms, info);
    if (!e && (c->poll_ms <= 0 || max_ms < c->poll_ms)) {
        return yaml_error(watch, info, "min_poll_frequency must be above 0 and at most max_poll_frequency");
    }
    return e;
}

static enum err read_without_effect(const struct yaml_node *root, struct err_info *info)
{
    static const char *const options[] = {"stream_lag_labels", NULL};
    static const char *const tracing[] = {"enabled", NULL};
    static const char *const wal[] = {"enabled", "dir", "cleanSegmentsOlderThan", "watchConfig", NULL};
    static const char *const unused[] = {"tracing", "wal", NULL};
    enum err e = yaml_check_keys(yaml_get(root, "options"), "options", options, info);
    e = e ? e : yaml_check_keys(yaml_get(root, "tracing"), "tracing", tracing, info);
    e = e ? e : yaml_check_keys(yaml_get(root, "wal"), "wal", wal, info);
    config_unused(root, unused);
    config_unused(yaml_get(root, "options"), options);
    return e;
}

/* -- clients ----------------------------------------------------------------------------------------------
 */

static enum err unique_names(const struct agent_config *c, const struct yaml_node *at, struct err_info *info)
{
    const struct client_config *last = &c->clients[c->client_count - 1];
    for (const struct client_config *o = c->clients; o < last; o++) {
        bool same = last->name.n
                        ? str_eq(o->name, last->name)
                        : !o->name.n && str_eq(o->url, last->url) && str_eq(o->tenant_id, last->tenant_id);
        if (same) {
            return yaml_error(at, info, "duplicate client config: give each client a name of its own");
        }
    }
    return ERR_OK;
}

static enum err add_client(struct agent_config *c, const struct yaml_node *n, struct err_info *info)
{
    if (c->client_count >= AGENT_CLIENTS_MAX) {
        return yaml_error(n, info, "more than %d clients", AGENT_CLIENTS_MAX);
    }
    enum err e = client_config_parse(&c->arena, n, &c->clients[c->client_count], info);
    if (e) {
        return e;
    }
    c->client_count++;
    return unique_names(c, n, info);
}

static enum err read_clients(struct agent_config *c, const struct yaml_node *root, struct err_info *info)
{
    const struct yaml_node *one = yaml_get(root, "client"), *list = yaml_get(root, "clients");
    enum err e = ERR_OK;
    c->clients = arena_zarray(&c->arena, AGENT_CLIENTS_MAX, sizeof(*c->clients));
    if (!c->clients) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    if (!yaml_is_null(list) && list->kind != YAML_LIST) {
        return yaml_error(list, info, "clients must be a list");
    }
    if (!yaml_is_null(one)) {
        e = add_client(c, one, info);
    }
    for (const struct yaml_node *n = yaml_is_null(list) ? NULL : list->child; n && !e; n = n->next) {
        e = add_client(c, n, info);
    }
    return e;
}

/* "a=b,c=d" of -client.external-labels, under the labels of every client. */
static enum err flag_labels(struct agent_config *c, struct str text, struct err_info *info)
{
    struct label l[AGENT_LABELS_MAX];
    size_t n = 0;
    while (text.p && text.n && n < AGENT_LABELS_MAX) {
        struct str value = str_cut(&text, ','), name = str_cut(&value, '=');
        if (!value.p || !label_name_is_legacy(name)) {
            return err_set(info, ERR_INVALID, "-client.external-labels: \"%.*s\" is not name=value",
                           STR_FMT(name));
        }
        l[n++] = (struct label){name, value};
    }
    enum err e = labels_normalise(l, &n, info);
    for (size_t i = 0; i < c->client_count && !e; i++) {
        for (size_t k = 0; k < n && !e; k++) {
            struct labels *have = &c->clients[i].external_labels;
            if (!labels_get(*have, l[k].name).n) {
                e = labels_with(&c->arena, *have, l[k].name, l[k].value, have);
            }
        }
    }
    return e;
}

static enum err flag_client(struct agent_config *c, const struct agent_flags *f, struct err_info *info)
{
    if (c->client_count >= AGENT_CLIENTS_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d clients", AGENT_CLIENTS_MAX);
    }
    struct client_config *to = &c->clients[c->client_count];
    client_config_default(to);
    to->url = f->client_url;
    to->tenant_id = f->client_tenant;
    to->batch_wait_ms = f->client_batch_wait_ms ? f->client_batch_wait_ms : to->batch_wait_ms;
    to->batch_size_bytes = f->client_batch_bytes ? f->client_batch_bytes : to->batch_size_bytes;
    to->timeout_ms = f->client_timeout_ms ? f->client_timeout_ms : to->timeout_ms;
    to->backoff_min_ms = f->client_backoff_min_ms ? f->client_backoff_min_ms : to->backoff_min_ms;
    to->backoff_max_ms = f->client_backoff_max_ms ? f->client_backoff_max_ms : to->backoff_max_ms;
    to->retries_max = f->client_retries;
    to->retries_explicit = f->client_retries > 0;
    if (client_url_host(to->url, &to->host)) {
        return err_set(info, ERR_INVALID,
                       "-client.url: \"%.*s\" is not a push URL (such as http://loki:3100/loki/api/v1/push)",
                       STR_FMT(to->url));
    }
    enum err e = http_config_parse(NULL, &to->http, info);
    c->client_count += !e;
    return e;
}

static enum err apply_flags(struct agent_config *c, const struct agent_flags *f, struct err_info *info)
{
    enum err e = ERR_OK;
    c->positions_file = f->positions_file.n ? f->positions_file : c->positions_file;
    c->listen_host = f->listen_address.n ? f->listen_address : c->listen_host;
    c->server_disable |= f->server_disable;
    c->runtime_reload |= f->enable_reload;
    c->positions_ignore_invalid |= f->ignore_invalid_positions;
    c->from_stdin |= f->from_stdin;
    c->positions_sync_ms = f->positions_sync_ms ? f->positions_sync_ms : c->positions_sync_ms;
    c->target_sync_ms = f->target_sync_ms > 0 ? f->target_sync_ms : c->target_sync_ms;
    if (f->listen_port.n) {
        if (str_to_u64(f->listen_port, &c->listen_port) || c->listen_port > UINT16_MAX) {
            return err_set(info, ERR_INVALID, "-server.http-listen-port: \"%.*s\" is not a port",
                           STR_FMT(f->listen_port));
        }
        c->port_given = true;
    }
    if (f->client_url.n) {
        e = flag_client(c, f, info);
    }
    if (!e && c->from_stdin && c->job_count == 0) { /* any line will do */
        c->jobs = arena_zarray(&c->arena, 1, sizeof(*c->jobs));
        if (!c->jobs) {
            return err_set(info, ERR_OOM, "out of memory");
        }
        c->jobs[c->job_count++] = (struct scrape_job){.name = STR("stdin")};
    }
    return e ? e : flag_labels(c, f->client_external_labels, info);
}

/* -- loading ----------------------------------------------------------------------------------------------
 */

static enum err read_root(struct agent_config *c, const struct agent_flags *f, struct err_info *info)
{
    const struct yaml_node *root = c->root;
    enum err e = yaml_check_keys(root, "the configuration", top_keys, info);
    e = e ? e : read_server(c, yaml_get(root, "server"), info);
    e = e ? e : read_positions(c, yaml_get(root, "positions"), info);
    e = e ? e : read_limits(c, yaml_get(root, "limits_config"), info);
    e = e ? e : read_targets(c, yaml_get(root, "target_config"), info);
    e = e ? e : read_global(c, yaml_get(root, "global"), info);
    e = e ? e : read_without_effect(root, info);
    e = e ? e : read_clients(c, root, info);
    e = e ? e : config_scrape(c, yaml_get(root, "scrape_configs"), info);
    e = e ? e : apply_flags(c, f, info);
    return e;
}

/* The first file of the list that exists. */
static enum err load_text(const struct agent_flags *f, struct buf *out, char path[PATH_BYTES_MAX],
                          struct err_info *info)
{
    struct str list = f->config_file;
    while (list.p) {
        struct str one = str_trim(str_cut(&list, ','));
        (void)snprintf(path, PATH_BYTES_MAX, "%.*s", STR_FMT(one));
        if (file_exists(path)) {
            return file_load(path, out, info);
        }
    }
    return err_set(info, ERR_NOT_FOUND, "%.*s does not exist, set the flag -config.file",
                   STR_FMT(f->config_file));
}

static enum err parse(struct agent_config *c, const struct agent_flags *f, struct str text, const char *path,
                      struct err_info *info)
{
    struct buf expanded AUTO_BUF = {.size_bytes_max = CONFIG_BYTES_MAX};
    enum err e = ERR_OK;
    if (f->expand_env) {
        e = config_expand_env(text, &expanded, info);
        text = buf_view(&expanded);
    }
    if (e) {
        err_in_file(info, path);
        return e;
    }
    c->text = arena_str(&c->arena, text);
    struct str name = arena_str(&c->arena, str_c(path));
    if (!c->text.p || !name.p) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    e = yaml_parse(&c->arena, c->text, name.p, &c->root, info);
    return e ? e : read_root(c, f, info);
}

static void set_defaults(struct agent_config *c)
{
    c->positions_file = STR("/var/log/positions.yaml");
    c->target_sync_ms = 10000;
    c->poll_ms = 250;
    c->health_check_target = true;
    c->rate = 10000;
    c->rate_burst = 10000;
    c->rate_drop = true;
}

enum err agent_config_load(const struct agent_flags *flags, struct str text, struct agent_config **ret_config,
                           struct err_info *reterr_info)
{
    struct buf file AUTO_BUF = {.size_bytes_max = CONFIG_BYTES_MAX};
    char path[PATH_BYTES_MAX] = "built-in configuration";
    struct agent_config *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    arena_init(&c->arena, 0, NULL);
    set_defaults(c);
    enum err e = ERR_OK;
    if (flags->config_file.n) {
        e = load_text(flags, &file, path, reterr_info);
        text = buf_view(&file);
    }
    e = e ? e : parse(c, flags, text, path, reterr_info);
    if (e) {
        agent_config_free(c);
        return e;
    }
    *ret_config = c;
    return ERR_OK;
}

void agent_config_free(struct agent_config *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->client_count; i++) {
        client_config_done(&c->clients[i]);
    }
    for (size_t i = 0; i < c->job_count; i++) {
        relabel_rules_done(c->jobs[i].rules, c->jobs[i].rule_count);
    }
    arena_done(&c->arena);
    mem_free(c);
}
