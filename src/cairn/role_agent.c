/* The role agent: what Promtail does, on its port, with its file and flags. Without a file it follows the
 * sample application's log and /var/log, and delivers to the log role of the same process. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "cairn/role.h"
#include "disk/file.h"

enum {
    STOP_GRACE_MS = 1000,
    CONFIG_BYTES_MAX = 65536
};

struct agent_role {
    struct role role;
    struct agent_flags set;
    struct agent_config *config; /* between listen and start */
    struct agent *agent;
    struct http_server *server;
    struct buf built_in;
};

#define AT(field) (offsetof(struct agent_role, set) + offsetof(struct agent_flags, field))

static const struct flag flags[] = {
    {"config.file", FLAG_STR, offsetof(struct role, config_file), "",
     "configuration file; the first of a list that exists"},
    {"config.expand-env", FLAG_BOOL, AT(expand_env), "", "expand ${VAR} in the configuration file"},
    {"print-config-stderr", FLAG_BOOL, AT(print_config), "", "show the configuration, with secrets masked"},
    {"check-syntax", FLAG_BOOL, AT(check_syntax), "",
     "check the configuration file, stages and globs too, and exit"},
    {"dry-run", FLAG_BOOL, AT(dry_run), "",
     "print entries instead of sending them; positions stay as they are"},
    {"stdin", FLAG_BOOL, AT(from_stdin), "", "read lines from standard input, until it ends"},
    {"client.url", FLAG_STR, AT(client_url), "", "where to push: one more client"},
    {"client.tenant-id", FLAG_STR, AT(client_tenant), "", "tenant of that client"},
    {"client.batch-wait", FLAG_DURATION, AT(client_batch_wait_ms), "1s",
     "longest wait of a line for company"},
    {"client.batch-size-bytes", FLAG_U64, AT(client_batch_bytes), "1048576", "bytes of lines in one batch"},
    {"client.timeout", FLAG_DURATION, AT(client_timeout_ms), "10s", "longest wait for an answer"},
    {"client.min-backoff", FLAG_DURATION, AT(client_backoff_min_ms), "500ms", "first pause after a failure"},
    {"client.max-backoff", FLAG_DURATION, AT(client_backoff_max_ms), "5m", "longest pause after a failure"},
    {"client.max-retries", FLAG_U64, AT(client_retries), "",
     "tries before lines are dropped; never unless given"},
    {"client.external-labels", FLAG_STR, AT(client_external_labels), "", "labels of every line: a=b,c=d"},
    {"positions.file", FLAG_STR, AT(positions_file), "/var/log/positions.yaml", "where positions are kept"},
    {"positions.sync-period", FLAG_DURATION, AT(positions_sync_ms), "1s", "how often positions are written"},
    {"target.sync-period", FLAG_DURATION, AT(target_sync_ms), "10s", "how often globs are walked"},
    {"positions.ignore-invalid-yaml", FLAG_BOOL, AT(ignore_invalid_positions), "",
     "begin anew when the positions file cannot be read"},
    {"server.http-listen-address", FLAG_STR, AT(listen_address), "", "address of the agent's own pages"},
    {"server.http-listen-port", FLAG_STR, AT(listen_port), "9080", "port of the agent's own pages"},
    {"server.disable", FLAG_BOOL, AT(server_disable), "", "no pages at all"},
    {"server.enable-runtime-reload", FLAG_BOOL, AT(enable_reload), "", "allow /reload"},
};

static struct role *make(void)
{
    struct agent_role *a = mem_zalloc(sizeof(*a));
    if (!a) {
        return NULL;
    }
    a->role.ops = &role_agent;
    a->built_in.size_bytes_max = CONFIG_BYTES_MAX;
    return &a->role;
}

static size_t flag_sets(struct role *r, struct flag_set *sets, size_t max)
{
    (void)max;
    sets[0] = (struct flag_set){"Promtail's own", flags, ARRAY_LEN(flags), r};
    return 1;
}

static enum err check(struct role *r, struct err_info *reterr_info)
{
    struct agent_role *a = (struct agent_role *)r;
    struct agent_config *c = NULL;
    a->set.config_file = r->config_file;
    enum err e = agent_config_load(&a->set, STR(""), &c, reterr_info);
    e = e ? e : agent_check(c, reterr_info);
    agent_config_free(c);
    return e;
}

/* A YAML string in single quotes. */
static void quote(struct buf *b, struct str s)
{
    buf_char(b, '\'');
    for (size_t i = 0; i < s.n; i++) {
        buf_c(b, s.p[i] == '\'' ? "'" : "");
        buf_char(b, s.p[i]);
    }
    buf_char(b, '\'');
}

static void put_job(struct buf *b, const char *name, struct str path, struct str exclude)
{
    buf_printf(b, "- job_name: %s\n  static_configs:\n  - labels:\n      job: %s\n      __path__: ", name,
               name);
    quote(b, path);
    if (exclude.n) {
        buf_c(b, "\n      __path_exclude__: ");
        quote(b, exclude);
    }
    buf_char(b, '\n');
}

/* systemd's journal, where there is one. */
static void put_journal(struct buf *b)
{
    if (dir_is("/var/log/journal") || dir_is("/run/log/journal")) {
        buf_c(b, "- job_name: systemd-journal\n  journal:\n    max_age: 12h\n    labels:\n      job: "
                 "systemd-journal\n"
                 "  relabel_configs:\n  - source_labels: [__journal__systemd_unit]\n    target_label: unit\n"
                 "  - source_labels: [__journal_priority_keyword]\n    target_label: level\n");
    }
}

/* The configuration without a file. */
static enum err make_built_in(struct agent_role *a, struct serve *s, struct err_info *reterr_info)
{
    char *dir = role_data_dir(s, "agent", reterr_info);
    if (!dir) {
        return ERR_IO;
    }
    struct buf *b = &a->built_in;
    struct buf positions AUTO_BUF = {.size_bytes_max = CONFIG_BYTES_MAX};
    buf_printf(&positions, "%s/positions.yaml", dir);
    mem_free(dir);
    buf_c(b, "positions:\n  filename: ");
    quote(b, buf_view(&positions));
    /* Alone, and told by flags only what to do with standard input, it follows nothing. */
    buf_c(b, a->set.from_stdin ? "\n" : "\nscrape_configs:\n");
    if (s->services.demo && !a->set.from_stdin) {
        put_job(b, "flask-app", s->services.demo_log, (struct str){0});
    }
    if (!a->set.from_stdin) {
        put_job(b, "varlogs", STR("/var/log/*.log"),
                s->services.demo ? s->services.demo_log : (struct str){0});
        put_journal(b);
    }
    return b->err || positions.err ? err_set(reterr_info, ERR_OOM, "no memory for the agent") : ERR_OK;
}

/* Where Promtail's file and flags say, else the role's address. */
static char *address_of(const struct agent_role *a, const struct serve *s)
{
    const struct agent_config *c = a->config;
    struct buf own AUTO_BUF = {.size_bytes_max = 1024};
    if (c->port_given || c->listen_host.n) {
        bool bare_v6 = str_find_char(c->listen_host, ':', 0) != STR_NPOS && c->listen_host.p[0] != '[';
        struct str host = c->listen_host.n ? c->listen_host : s->alone ? STR("") : s->listen;
        host = host.n || s->alone ? host : STR("127.0.0.1");
        buf_printf(&own, bare_v6 ? "[%.*s]:%llu" : "%.*s:%llu", STR_FMT(host),
                   (unsigned long long)(c->port_given ? c->listen_port : role_agent.port));
    }
    return own.err ? NULL : role_address(&a->role, s, buf_view(&own));
}

static enum err serve_pages(struct agent_role *a, struct serve *s, struct err_info *reterr_info)
{
    char *address = address_of(a, s);
    if (!address) {
        return err_set(reterr_info, ERR_OOM, "no memory for an address");
    }
    struct http_server_options o = {.role = "agent",
                                    .listen_fd = role_listen_fd(&a->role),
                                    .listen_address = str_c(address),
                                    .web = s->web,
                                    .workers = 2,
                                    .loading = "The agent is starting.",
                                    .path_prefix = a->config->path_prefix};
    if (!o.web && role_address_is_open(o.listen_address)) {
        LOG_EVENT(LVL_WARN, "open_listener", F_C("role", "agent"), F_STR("address", o.listen_address),
                  F_C("cure", "set --web.config.file or listen on 127.0.0.1"));
    }
    enum err e = http_server_start(&o, &a->server, reterr_info);
    mem_free(address);
    if (!e) {
        s->services.agent_server = a->server;
    }
    return e;
}

static enum err listen_role(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct agent_role *a = (struct agent_role *)r;
    a->set.config_file = r->config_file;
    enum err e = r->config_file.n ? ERR_OK : make_built_in(a, s, reterr_info);
    e = e ? e : agent_config_load(&a->set, buf_view(&a->built_in), &a->config, reterr_info);
    if (e) {
        return e;
    }
    if (a->set.print_config) {
        struct buf text AUTO_BUF = {0};
        agent_config_print(a->config, &text);
        (void)fprintf(stderr, "%.*s\n", STR_FMT(text));
    }
    if (a->set.check_syntax) {
        e = agent_check(a->config, reterr_info);
        if (e) {
            return e;
        }
        (void)printf("Valid config file! No syntax issues found\n");
        exit(EXIT_SUCCESS); // NOLINT(concurrency-mt-unsafe): nothing has started yet
    }
    return a->config->server_disable || a->config->from_stdin ? ERR_OK : serve_pages(a, s, reterr_info);
}

/* Standard input has ended and everything is sent: the process is done. */
static void input_ended(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGTERM);
}

static enum err start(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct agent_role *a = (struct agent_role *)r;
    struct agent_options o = {.flags = a->set,
                              .built_in = buf_view(&a->built_in),
                              .sink = s->services.log_sink,
                              .input_ended = input_ended};
    enum err e = agent_start(&o, a->config, &a->agent, reterr_info);
    if (e) {
        return e;
    }
    a->config = NULL;
    if (a->server) {
        e = agent_routes(a->agent, a->server);
        http_server_set_loading(a->server, NULL);
    }
    return e ? err_set(reterr_info, e, "the agent's pages: %s", err_text(e)) : ERR_OK;
}

static void reload(struct role *r)
{
    struct agent_role *a = (struct agent_role *)r;
    if (a->agent) {
        enum err e = agent_reload(a->agent, NULL);
        (void)e; /* the agent has logged it and goes on as before */
    }
}

/* Where positions stand says the configuration; in a backup they are agent/positions.yaml. */
static enum err snapshot(struct role *r, const char *to, struct err_info *reterr_info)
{
    const struct agent_role *a = (const struct agent_role *)r;
    struct buf path AUTO_BUF = {.size_bytes_max = 4096};
    buf_printf(&path, "%s/agent%c", to, '\0');
    enum err e = path.err ? err_set(reterr_info, path.err, "no memory for a path") : ERR_OK;
    e = e || !a->agent ? e : dir_make(path.p, reterr_info);
    buf_reset(&path);
    buf_printf(&path, "%s/agent/positions.yaml%c", to, '\0');
    e = e ? e : path.err ? err_set(reterr_info, path.err, "no memory for a path") : ERR_OK;
    return e || !a->agent ? e : agent_positions_copy(a->agent, path.p, reterr_info);
}

static void stop(struct role *r)
{
    struct agent_role *a = (struct agent_role *)r;
    http_server_stop(a->server, STOP_GRACE_MS);
    agent_stop(a->agent);
    agent_config_free(a->config);
    buf_done(&a->built_in);
    mem_free(a);
}

const struct role_ops role_agent = {
    .name = "agent",
    .replaces = "Promtail",
    .port = 9080,
    .make = make,
    .flags = flag_sets,
    .check = check,
    .listen = listen_role,
    .start = start,
    .reload = reload,
    .snapshot = snapshot,
    .stop = stop,
};
