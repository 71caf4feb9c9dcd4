/* The role logs: what Loki does, on its port, with its flags and its configuration file. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_logs_int.h"
#include "disk/file.h"

enum {
    STOP_GRACE_MS = 3000,
    QUERY_MEMORY_BYTES = 512 << 20,
    PUSH_BODY_BYTES_MAX = 256 << 20
};

#define AT(field) (offsetof(struct logs_role, f) + offsetof(struct logs_flags, field))

static const struct flag flags[] = {
    {"config.file", FLAG_STR, offsetof(struct role, config_file), "",
     "configuration file; the first of a list that exists"},
    {"config.expand-env", FLAG_BOOL, AT(expand_env), "", "expand ${VAR} in the configuration file"},
    {"verify-config", FLAG_BOOL, AT(verify), "", "check the configuration and exit"},
    {"print-config-stderr", FLAG_BOOL, AT(print_config), "", "show the configuration file at start"},
    {"server.http-listen-address", FLAG_STR, AT(listen_address), "", "address to listen on"},
    {"server.http-listen-port", FLAG_STR, AT(listen_port), "3100", "port to listen on"},
    {"server.path-prefix", FLAG_STR, AT(path_prefix), "", "prefix of every path"},
    {"auth.multitenancy-enabled", FLAG_STR, AT(auth), "", "demand X-Scope-OrgID (true or false)"},
    {"storage.path", FLAG_STR, AT(store_path), "", "folder of the store"},
    {"target", FLAG_STR, AT(target), "all", NULL},
    {"log.level", FLAG_STR, AT(log_level), "info", NULL},
    {"server.grpc-listen-port", FLAG_STR, AT(ignored[0]), "9095", NULL},
    {"server.grpc-listen-address", FLAG_STR, AT(ignored[1]), "", NULL},
    {"log.format", FLAG_STR, AT(ignored[2]), "logfmt", NULL},
    {"log-config-reverse-order", FLAG_STR, AT(ignored[3]), "", NULL},
    {"limits.per-user-override-config", FLAG_STR, AT(ignored[4]), "", NULL},
    {"legacy-read-mode", FLAG_STR, AT(ignored[5]), "", NULL},
    {"memberlist.join", FLAG_STR, AT(ignored[6]), "", NULL},
};

static struct role *make(void)
{
    struct logs_role *l = mem_zalloc(sizeof(*l));
    if (!l) {
        return NULL;
    }
    l->role.ops = &role_logs;
    logs_config_init(&l->config, false);
    return &l->role;
}

static size_t flag_sets(struct role *r, struct flag_set *sets, size_t max)
{
    (void)max;
    sets[0] = (struct flag_set){"Loki's own", flags, ARRAY_LEN(flags), r};
    return 1;
}

/* -- configuration --------------------------------------------------------------------------------------- */

static enum err flags_over_config(struct logs_role *l, struct err_info *info)
{
    struct logs_config *c = &l->config;
    const struct logs_flags *f = &l->f;
    if (f->listen_port.n && (str_to_u64(f->listen_port, &c->listen_port) || c->listen_port > UINT16_MAX)) {
        return err_set(info, ERR_INVALID, "-server.http-listen-port=%.*s is no port",
                       STR_FMT(f->listen_port));
    }
    if (f->auth.n && !str_eq_c(f->auth, "true") && !str_eq_c(f->auth, "false")) {
        return err_set(info, ERR_INVALID, "-auth.multitenancy-enabled=%.*s is neither true nor false",
                       STR_FMT(f->auth));
    }
    c->auth_enabled = f->auth.n ? str_eq_c(f->auth, "true") : c->auth_enabled;
    c->listen_host = f->listen_address.n ? f->listen_address : c->listen_host;
    c->path_prefix = f->path_prefix.n ? f->path_prefix : c->path_prefix;
    c->data_dir = f->store_path.n ? f->store_path : c->data_dir;
    return ERR_OK;
}

static enum err configure(struct logs_role *l, struct err_info *info)
{
    bool own = l->role.config_file.n > 0;
    logs_config_done(&l->config);
    logs_config_init(&l->config, own);
    enum err e = own ? logs_config_load(&l->config, l->role.config_file, l->f.expand_env, info) : ERR_OK;
    e = e ? e : flags_over_config(l, info);
    if (!e && l->f.print_config) {
        (void)fprintf(stderr, "%.*s\n", STR_FMT(l->config.text));
    }
    return e;
}

static enum err check(struct role *r, struct err_info *reterr_info)
{
    return configure((struct logs_role *)r, reterr_info);
}

/* -- listening ------------------------------------------------------------------------------------------- */

static char *address_of(const struct logs_role *l, const struct serve *s)
{
    const struct logs_config *c = &l->config;
    struct buf own AUTO_BUF = {.size_bytes_max = 1024};
    if (c->listen_port || c->listen_host.n) {
        bool bare_v6 = str_find_char(c->listen_host, ':', 0) != STR_NPOS && c->listen_host.p[0] != '[';
        struct str host = c->listen_host.n ? c->listen_host : s->listen;
        host = host.n || s->alone ? host : STR("127.0.0.1");
        buf_printf(&own, bare_v6 ? "[%.*s]:%llu" : "%.*s:%llu", STR_FMT(host),
                   (unsigned long long)(c->listen_port ? c->listen_port : role_logs.port));
    }
    return own.err ? NULL : role_address(&l->role, s, buf_view(&own));
}

static enum err listen_role(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct logs_role *l = (struct logs_role *)r;
    l->serve = s;
    enum err e = configure(l, reterr_info);
    if (e) {
        return e;
    }
    if (l->f.verify) { /* Loki's way to check a file: the answer is the exit status */
        (void)printf("the configuration is valid\n");
        exit(EXIT_SUCCESS); // NOLINT(concurrency-mt-unsafe): nothing has started yet
    }
    char *address = address_of(l, s);
    if (!address || logs_self_new(&l->self) != ERR_OK) {
        mem_free(address);
        return err_set(reterr_info, ERR_OOM, "no memory for the logs role");
    }
    struct http_server_options o = {.role = "logs",
                                    .listen_fd = role_listen_fd(r),
                                    .listen_address = str_c(address),
                                    .web = s->web,
                                    .path_prefix = l->config.path_prefix,
                                    .loading = "Ingester not ready: the log store is loading",
                                    .on_done = logs_self_request,
                                    .on_done_ctx = l->self};
    if (!o.web && role_address_is_open(o.listen_address)) {
        LOG_EVENT(LVL_WARN, "open_listener", F_C("role", "logs"), F_STR("address", o.listen_address),
                  F_C("cure", "set --web.config.file or listen on 127.0.0.1"));
    }
    e = http_server_start(&o, &l->server, reterr_info);
    mem_free(address);
    if (!e) {
        s->services.logs_server = l->server;
    }
    return e;
}

/* -- life ------------------------------------------------------------------------------------------------ */

/* Below a folder of Loki's everything of ours stands in a folder of its own. */
static enum err data_dir(struct logs_role *l, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 4096};
    if (l->config.data_dir.n == 0) {
        l->data_dir = role_data_dir(l->serve, "logs", info);
        return l->data_dir ? ERR_OK : ERR_IO;
    }
    buf_printf(&b, "%.*s", STR_FMT(l->config.data_dir));
    l->data_dir = buf_take(&b, NULL);
    enum err e = l->data_dir ? dir_make(l->data_dir, info) : ERR_OOM;
    mem_free(l->data_dir);
    buf_printf(&b, "%.*s/cairn", STR_FMT(l->config.data_dir));
    l->data_dir = e ? NULL : buf_take(&b, NULL);
    return e ? e : l->data_dir ? ERR_OK : err_set(info, ERR_OOM, "no memory for a path");
}

static char *config_text(void *ctx)
{
    struct logs_role *l = ctx;
    return mem_dup(l->config.text.p ? l->config.text.p : "", l->config.text.n);
}

static void api_fill(struct logs_role *l)
{
    const struct logs_config *c = &l->config;
    l->api = (struct loki_api){.clock = clock_real(),
                               .source = log_store_source(l->store),
                               .store = l->store,
                               .ingest = l->ingest,
                               .logql = {.series_max = (unsigned)c->series_max},
                               .query_timeout_ms = c->query_timeout_ms,
                               .query_memory_bytes = QUERY_MEMORY_BYTES,
                               .promise = l->serve->promise,
                               .entries_max = (size_t)c->entries_max,
                               .query_length_max_ms = c->query_length_max_ms,
                               .split_ms = c->split_ms,
                               .volume_enabled = c->volume_enabled,
                               .push_body_bytes_max = PUSH_BODY_BYTES_MAX,
                               .auth_enabled = c->auth_enabled,
                               .cairn_version = STR(CAIRN_VERSION),
                               .config_text = config_text,
                               .ctx = l};
}

static enum err start(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct logs_role *l = (struct logs_role *)r;
    enum err e = data_dir(l, reterr_info);
    if (e) {
        return e;
    }
    struct log_store_options o = {
        .dir = l->data_dir, .durability = s->durability, .retention_ms = l->config.retention_ms};
    e = log_store_open(&o, &l->store, reterr_info);
    if (!e &&
        push_ingest_new(&l->config.push, log_store_sink(l->store), clock_real(), &l->ingest) != ERR_OK) {
        e = err_set(reterr_info, ERR_OOM, "no memory for the logs role");
    }
    if (e) {
        return e;
    }
    api_fill(l);
    e = loki_api_routes(&l->api, l->server);
    e = e ? e : logs_self_start(l);
    if (e) {
        return err_set(reterr_info, e, "the logs API: %s", err_text(e));
    }
    r->dir = str_c(l->data_dir);
    s->services.log_source = log_store_source(l->store);
    s->services.log_sink = log_store_sink(l->store);
    http_server_set_loading(l->server, NULL);
    return ERR_OK;
}

static enum err snapshot(struct role *r, const char *to, struct err_info *reterr_info)
{
    struct buf path AUTO_BUF = {.size_bytes_max = 4096};
    buf_printf(&path, "%s/logs", to);
    buf_char(&path, '\0');
    return path.err ? err_set(reterr_info, path.err, "no memory for a path")
                    : log_store_snapshot(((struct logs_role *)r)->store, path.p, reterr_info);
}

static void stop(struct role *r)
{
    struct logs_role *l = (struct logs_role *)r;
    http_server_stop(l->server, STOP_GRACE_MS);
    push_ingest_free(l->ingest);
    log_store_close(l->store);
    logs_self_free(l->self);
    logs_config_done(&l->config);
    mem_free(l->data_dir);
    mem_free(l);
}

const struct role_ops role_logs = {
    .name = "logs",
    .replaces = "Loki",
    .port = 3100,
    .make = make,
    .flags = flag_sets,
    .check = check,
    .listen = listen_role,
    .start = start,
    .snapshot = snapshot,
    .stop = stop,
};
