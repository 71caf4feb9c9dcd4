/* `scrape_configs`: jobs, their inputs, and the targets of file jobs after relabelling. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/config_int.h"
#include "base/log.h"
#include "metrics/discovery/relabel_config.h"

enum {
    HOST_BYTES_MAX = 256,
    PATH_BYTES_MAX = 4096
};

/* Every key of a job. The kinds of target stand last: first those offered, in the order in which Promtail
 * picks one (the first given wins) and of enum job_kind, then those that are not. */
enum {
    KINDS_OFFERED = 6,
    KINDS_NOT_OFFERED = 10
};
static const char *const job_keys[] = {"job_name",
                                       "pipeline_stages",
                                       "relabel_configs",
                                       "encoding",
                                       "decompression",
                                       "entry_parser",
                                       "static_configs",
                                       "journal",
                                       "syslog",
                                       "loki_push_api",
                                       "file_sd_configs",
                                       "kubernetes_sd_configs",
                                       "docker_sd_configs",
                                       "consul_sd_configs",
                                       "consulagent_sd_configs",
                                       "dns_sd_configs",
                                       "digitalocean_sd_configs",
                                       "dockerswarm_sd_configs",
                                       "serverset_sd_configs",
                                       "nerve_sd_configs",
                                       "marathon_sd_configs",
                                       "gce_sd_configs",
                                       "ec2_sd_configs",
                                       "openstack_sd_configs",
                                       "azure_sd_configs",
                                       "triton_sd_configs",
                                       "gcplog",
                                       "windows_events",
                                       "kafka",
                                       "azure_event_hubs",
                                       "azure_event_hub",
                                       "gelf",
                                       "cloudflare",
                                       "heroku_drain",
                                       NULL};

/* -- file targets -----------------------------------------------------------------------------------------
 */

enum {
    DROPPED = 0,
    NO_PATH,
    WRONG_HOST
};

static bool is_here(struct str host)
{
    char name[HOST_BYTES_MAX] = "";
    const char *given = getenv("HOSTNAME"); // NOLINT(concurrency-mt-unsafe): nobody sets the environment
    if (given && *given) {
        return str_eq_c(host, given);
    }
    return gethostname(name, sizeof(name) - 1) == 0 && str_eq_c(host, name);
}

static struct str absolute(struct agent_config *c, struct str path)
{
    char here[PATH_BYTES_MAX];
    if (path.n == 0 || path.p[0] == '/' || !getcwd(here, sizeof(here))) {
        return arena_str(&c->arena, path);
    }
    return arena_printf(&c->arena, "%s/%.*s", here, STR_FMT(path));
}

static enum err without_internal(struct agent_config *c, struct labels ls, struct labels *ret)
{
    struct label *l = arena_array(&c->arena, ls.n + 1, sizeof(*l));
    size_t n = 0;
    for (size_t i = 0; l && i < ls.n; i++) {
        if (!str_starts(ls.l[i].name, STR("__"))) {
            l[n++] = ls.l[i];
        }
    }
    *ret = (struct labels){l, n};
    return l ? ERR_OK : ERR_OOM;
}

static bool known_target(const struct scrape_job *j, const struct file_target *t)
{
    for (size_t i = 0; i < j->target_count; i++) {
        const struct file_target *o = &j->targets[i];
        if (str_eq(o->path, t->path) && str_eq(o->exclude, t->exclude) && labels_eq(o->labels, t->labels)) {
            return true;
        }
    }
    return false;
}

/* One target with its labels: relabelled, checked, added. */
static enum err add_target(struct agent_config *c, struct scrape_job *j, size_t *cap, struct labels found)
{
    struct labels ls;
    bool keep;
    enum err e = relabel(&c->arena, j->rules, j->rule_count, found, &ls, &keep);
    if (e) {
        return e;
    }
    struct str path = labels_get(ls, STR("__path__")), host = labels_get(ls, STR("__host__"));
    if (!keep || !path.n || (host.n && !is_here(host))) {
        j->dropped[!keep ? DROPPED : !path.n ? NO_PATH : WRONG_HOST]++;
        return ERR_OK;
    }
    struct file_target t = {.path = absolute(c, path),
                            .exclude = absolute(c, labels_get(ls, STR("__path_exclude__")))};
    e = t.path.p && t.exclude.p ? without_internal(c, ls, &t.labels) : ERR_OOM;
    if (e || known_target(j, &t)) {
        return e;
    }
    e = arena_reserve(&c->arena, (void **)&j->targets, cap, j->target_count + 1, sizeof(*j->targets));
    if (!e) {
        j->targets[j->target_count++] = t;
    }
    return e;
}

static enum err read_group(struct agent_config *c, struct scrape_job *j, size_t *cap,
                           const struct yaml_node *n, struct err_info *info)
{
    static const char *const keys[] = {"targets", "labels", NULL};
    static const struct str localhost = STR_INIT("localhost");
    const struct str *targets = NULL;
    size_t count = 0;
    struct labels group = {0};
    enum err e = yaml_check_keys(n, "static_configs", keys, info);
    e = e ? e : yaml_str_list(&c->arena, yaml_get(n, "targets"), &targets, &count, info);
    e = e ? e : config_labels(c, yaml_get(n, "labels"), &group, info);
    if (!e && count == 0) {
        targets = &localhost;
        count = 1;
    }
    for (size_t i = 0; i < count && !e; i++) {
        struct labels ls = group;
        if (!labels_get(group, STR("__address__")).n) {
            e = labels_with(&c->arena, group, STR("__address__"), targets[i], &ls);
        }
        e = e ? e : add_target(c, j, cap, ls);
    }
    return e;
}

static enum err read_packing(struct scrape_job *j, const struct yaml_node *n, struct err_info *info)
{
    static const char *const keys[] = {"enabled", "initial_delay", "format", NULL};
    static const char *const unused[] = {"initial_delay", NULL};
    struct str format = {0};
    bool enabled = false;
    enum err e = yaml_check_keys(n, "decompression", keys, info);
    e = e ? e : yaml_bool(yaml_get(n, "enabled"), &enabled, info);
    e = e ? e : yaml_str(yaml_get(n, "format"), &format, info);
    config_unused(n, unused);
    if (e || !enabled) {
        return e;
    }
    if (str_eq_c(format, "gz")) {
        j->packing = FILE_GZIP;
    } else if (str_eq_c(format, "z")) {
        j->packing = FILE_ZLIB;
    } else {
        return yaml_error(yaml_get(n, "format") ? yaml_get(n, "format") : n, info,
                          "decompression format must be gz or z; \"%.*s\" is not offered", STR_FMT(format));
    }
    return ERR_OK;
}

static enum err read_files(struct agent_config *c, struct scrape_job *j, const struct yaml_node *n,
                           struct err_info *info)
{
    const struct yaml_node *groups = yaml_get(n, "static_configs");
    size_t cap = 0;
    if (groups->kind != YAML_LIST) {
        return yaml_error(groups, info, "static_configs must be a list");
    }
    enum err e = yaml_str(yaml_get(n, "encoding"), &j->encoding, info);
    e = e ? e : read_packing(j, yaml_get(n, "decompression"), info);
    for (const struct yaml_node *g = groups->child; g && !e; g = g->next) {
        e = read_group(c, j, &cap, g, info);
    }
    return e;
}

/* -- other inputs -----------------------------------------------------------------------------------------
 */

static enum err read_journal(struct agent_config *c, struct scrape_job *j, const struct yaml_node *n,
                             struct err_info *info)
{
    static const char *const keys[] = {"json", "max_age", "path", "labels", "matches", NULL};
    const struct yaml_node *b = yaml_get(n, "journal");
    struct journal_config *o = &j->journal;
    o->max_age_ms = 7 * 3600 * MS_PER_S;
    enum err e = yaml_check_keys(b, "journal", keys, info);
    e = e ? e : yaml_bool(yaml_get(b, "json"), &o->json, info);
    e = e ? e : yaml_duration(yaml_get(b, "max_age"), true, &o->max_age_ms, info);
    e = e ? e : yaml_str(yaml_get(b, "path"), &o->path, info);
    e = e ? e : yaml_str(yaml_get(b, "matches"), &o->matches, info);
    return e ? e : config_labels(c, yaml_get(b, "labels"), &o->labels, info);
}

static enum err read_syslog(struct agent_config *c, struct scrape_job *j, const struct yaml_node *n,
                            struct err_info *info)
{
    static const char *const keys[] = {"listen_address",
                                       "listen_protocol",
                                       "idle_timeout",
                                       "labels",
                                       "label_structured_data",
                                       "use_incoming_timestamp",
                                       "use_rfc5424_message",
                                       "syslog_format",
                                       "max_message_length",
                                       "tls_config",
                                       NULL};
    const struct yaml_node *b = yaml_get(n, "syslog"), *tls = yaml_get(b, "tls_config");
    struct syslog_config *o = &j->syslog;
    struct str protocol = STR("tcp"), format = STR("rfc5424");
    o->idle_timeout_ms = 120 * MS_PER_S;
    o->message_bytes_max = 8192;
    enum err e = yaml_check_keys(b, "syslog", keys, info);
    e = e ? e : yaml_str(yaml_get(b, "listen_address"), &o->listen_address, info);
    e = e ? e : yaml_str(yaml_get(b, "listen_protocol"), &protocol, info);
    e = e ? e : yaml_str(yaml_get(b, "syslog_format"), &format, info);
    e = e ? e : yaml_duration(yaml_get(b, "idle_timeout"), true, &o->idle_timeout_ms, info);
    e = e ? e : yaml_bool(yaml_get(b, "label_structured_data"), &o->label_structured_data, info);
    e = e ? e : yaml_bool(yaml_get(b, "use_incoming_timestamp"), &o->use_incoming_timestamp, info);
    e = e ? e : yaml_bool(yaml_get(b, "use_rfc5424_message"), &o->use_rfc5424_message, info);
    e = e ? e : yaml_u64(yaml_get(b, "max_message_length"), &o->message_bytes_max, info);
    e = e ? e : config_labels(c, yaml_get(b, "labels"), &o->labels, info);
    if (!e && !o->listen_address.n) {
        return yaml_error(b, info, "syslog needs a listen_address, host:port");
    }
    o->udp = str_eq_c(protocol, "udp");
    o->rfc3164 = str_eq_c(format, "rfc3164");
    if (!e && !o->udp && !str_eq_c(protocol, "tcp")) {
        return yaml_error(yaml_get(b, "listen_protocol"), info, "listen_protocol must be tcp or udp");
    }
    if (!e && !o->rfc3164 && !str_eq_c(format, "rfc5424")) {
        return yaml_error(yaml_get(b, "syslog_format"), info, "syslog_format must be rfc5424 or rfc3164");
    }
    if (!e && !yaml_is_null(tls)) {
        return yaml_error(tls, info, "TLS for syslog is not offered yet");
    }
    return e;
}

static enum err read_push(struct agent_config *c, struct scrape_job *j, const struct yaml_node *n,
                          struct err_info *info)
{
    static const char *const keys[] = {
        "server", "labels", "use_incoming_timestamp", "use_incoming_timestamps", "max_send_msg_size", NULL};
    const struct yaml_node *b = yaml_get(n, "loki_push_api"), *server = yaml_get(b, "server");
    struct push_config *o = &j->push;
    struct str host = STR("");
    uint64_t port = 80;
    o->body_bytes_max = (uint64_t)100 << 20;
    enum err e = yaml_check_keys(b, "loki_push_api", keys, info);
    e = e ? e : config_server_keys(server, info);
    e = e ? e : yaml_str(yaml_get(server, "http_listen_address"), &host, info);
    e = e ? e : yaml_u64(yaml_get(server, "http_listen_port"), &port, info);
    e = e ? e : yaml_bool(yaml_get(b, "use_incoming_timestamp"), &o->use_incoming_timestamp, info);
    e = e ? e : yaml_size(yaml_get(b, "max_send_msg_size"), &o->body_bytes_max, info);
    e = e ? e : config_labels(c, yaml_get(b, "labels"), &o->labels, info);
    if (!e) {
        o->listen_address = arena_printf(&c->arena, "%.*s:%llu", STR_FMT(host), (unsigned long long)port);
    }
    return e ? e : o->listen_address.p ? ERR_OK : ERR_OOM;
}

/* -- jobs -------------------------------------------------------------------------------------------------
 */

static enum err pick_kind(struct scrape_job *j, const struct yaml_node *n, struct err_info *info)
{
    int picked = -1;
    for (int i = 0; i < KINDS_NOT_OFFERED - KINDS_OFFERED; i++) {
        const char *kind = job_keys[KINDS_OFFERED + i];
        const struct yaml_node *k = yaml_get(n, kind);
        if (k && picked >= 0) {
            LOG_EVENT(LVL_WARN, "second_target_kind_ignored", F_STR("job", j->name), F_C("kind", kind));
        }
        picked = k && picked < 0 ? i : picked;
    }
    for (size_t i = KINDS_NOT_OFFERED; job_keys[i]; i++) {
        const struct yaml_node *k = yaml_get(n, job_keys[i]);
        if (k) {
            (void)yaml_error(k, info, "%s is not offered by this agent yet", job_keys[i]);
            return ERR_UNSUPPORTED;
        }
    }
    if (picked < 0) {
        return yaml_error(n, info, "no valid target scrape config defined for \"%.*s\"", STR_FMT(j->name));
    }
    j->kind = (enum job_kind)picked;
    return ERR_OK;
}

static enum err read_job(struct agent_config *c, struct scrape_job *j, const struct yaml_node *n,
                         struct err_info *info)
{
    static const char *const unused[] = {"entry_parser", NULL};
    enum err e = yaml_check_keys(n, "scrape_configs", job_keys, info);
    e = e ? e : yaml_str(yaml_get(n, "job_name"), &j->name, info);
    if (!e && j->name.n == 0) {
        return yaml_error(n, info, "`job_name` must be defined for the scrape config");
    }
    for (size_t i = 0; i < c->job_count && !e; i++) {
        if (str_eq(c->jobs[i].name, j->name)) {
            return yaml_error(yaml_get(n, "job_name"), info, "job name \"%.*s\" is used twice",
                              STR_FMT(j->name));
        }
    }
    config_unused(n, unused);
    j->stages = yaml_get(n, "pipeline_stages");
    e = e ? e : pick_kind(j, n, info);
    e = e ? e
          : relabel_config_parse(&c->arena, yaml_get(n, "relabel_configs"), &j->rules, &j->rule_count, info);
    if (e) {
        return e;
    }
    c->job_count++; /* from here on its rules are released with the configuration */
    switch (j->kind) {
    case JOB_FILES:
        return read_files(c, j, n, info);
    case JOB_JOURNAL:
        return read_journal(c, j, n, info);
    case JOB_SYSLOG:
        return read_syslog(c, j, n, info);
    case JOB_PUSH:
        return read_push(c, j, n, info);
    }
    return ERR_INTERNAL;
}

enum err config_scrape(struct agent_config *c, const struct yaml_node *list, struct err_info *reterr_info)
{
    if (yaml_is_null(list)) {
        return ERR_OK;
    }
    if (list->kind != YAML_LIST || list->count > AGENT_JOBS_MAX) {
        return yaml_error(list, reterr_info, "scrape_configs must be a list of at most %d jobs",
                          AGENT_JOBS_MAX);
    }
    c->jobs = arena_zarray(&c->arena, list->count + 1, sizeof(*c->jobs));
    enum err e = c->jobs ? ERR_OK : ERR_OOM;
    for (const struct yaml_node *n = list->child; n && !e; n = n->next) {
        e = read_job(c, &c->jobs[c->job_count], n, reterr_info);
    }
    return e == ERR_OOM ? err_set(reterr_info, e, "out of memory") : e;
}
