/* The role metrics: what Prometheus does, on its port, with its flags and its configuration file. */
#include <signal.h>
#include <unistd.h>

#include "api/prom/query_gate.h"
#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_metrics_int.h"
#include "codec/units.h"

#define LOADING_TEXT "Service Unavailable: the metrics store is loading."
#define RETENTION_DEFAULT_MS (INT64_C(15) * 86400 * MS_PER_S)
#define RETENTION_NONE_MS (INT64_C(100) * 365 * 86400 * MS_PER_S)

static struct role *make(void)
{
    struct metrics_role *m = mem_zalloc(sizeof(*m));
    if (!m) {
        return NULL;
    }
    m->role.ops = &role_metrics;
    m->f = (struct metrics_flags){.lookback_ms = 5 * 60 * MS_PER_S,
                                  .timeout_ms = 2 * 60 * MS_PER_S,
                                  .samples_max = 50000000,
                                  .concurrency = 20,
                                  .connections_max = 512,
                                  .search_limit_max = 10000,
                                  .notification_readers_max = 16,
                                  .cors_origin = STR(".*")};
    mutex_init(&m->reload_lock);
    mutex_init(&m->rules_lock);
    mutex_init(&m->remotes_lock);
    return &m->role;
}

static size_t flag_sets(struct role *r, struct flag_set *sets, size_t max)
{
    (void)max;
    sets[0] = (struct flag_set){"Prometheus' own", metrics_flag_table, metrics_flag_count, r};
    return 1;
}

/* -- listening ------------------------------------------------------------------------------------------- */

/* "/prom" of "http://host/prom/" or "prom/"; empty for the root. */
static struct str prefix_of(struct str url)
{
    size_t scheme = str_find(url, STR("://"), 0);
    struct str path = url;
    if (scheme != STR_NPOS) {
        size_t slash = str_find_char(url, '/', scheme + 3);
        path = slash == STR_NPOS ? STR("") : str_slice(url, slash, url.n);
    }
    while (path.n && path.p[path.n - 1] == '/') {
        path.n--;
    }
    return path;
}

static enum err external_url(struct metrics_role *m, struct err_info *info)
{
    char host[256] = {0};
    struct buf b AUTO_BUF = {0};
    bool tls = web_config_tls(m->web ? m->web : m->serve->web);
    if (m->f.external_url.n) {
        buf_str(&b, m->f.external_url);
    } else {
        if (gethostname(host, sizeof(host) - 1) != 0) {
            host[0] = '\0';
        }
        buf_printf(&b, "%s://%s:%u%.*s", tls ? "https" : "http", host[0] ? host : "localhost",
                   http_server_port(m->server), STR_FMT(m->f.route_prefix));
    }
    m->external_url = buf_take(&b, NULL);
    return m->external_url ? ERR_OK : err_set(info, ERR_OOM, "out of memory");
}

/* Threads for queries: as many as may run at once, and some in which the next in turn wait. */
static unsigned query_workers(const struct metrics_role *m)
{
    uint64_t n = m->f.concurrency + QUERY_WORKERS_WAITING;
    return n < QUERY_WORKERS_MAX ? (unsigned)n : QUERY_WORKERS_MAX;
}

static void not_found(void *ctx, struct http_req *r)
{
    struct metrics_role *m = ctx;
    struct str path = http_req_path(r);
    if (http_req_while_loading(r) && (str_starts(path, STR("/api/")) || str_starts(path, STR("/-/")) ||
                                      str_eq_c(path, "/federate") || str_eq_c(path, "/metrics"))) {
        http_res_header(r, "Retry-After", STR("1"));
        http_res_send(r, 503, "text/plain; charset=utf-8", STR(LOADING_TEXT));
    } else if (!prom_api_redirect_slashes(&m->api, r)) {
        page_not_found(&m->page, r);
    }
}

static enum err serve_start(struct metrics_role *m, struct str address, struct err_info *info)
{
    static const char *const pages[] = {"/query",  "/targets", "/service-discovery", "/rules",
                                        "/alerts", "/status",  "/tsdb-status",       "/flags",
                                        "/config", NULL};
    m->f.route_prefix = prefix_of(m->f.route_prefix.n ? m->f.route_prefix : m->f.external_url);
    m->page = (struct page){.role = "metrics", .sub_path = m->f.route_prefix, .paths = pages};
    struct http_server_options o = {.role = "metrics",
                                    .listen_fd = role_listen_fd(&m->role),
                                    .listen_address = address,
                                    .web = m->web ? m->web : m->serve->web,
                                    .connections_max = (unsigned)m->f.connections_max,
                                    .query_workers = query_workers(m),
                                    .path_prefix = m->f.route_prefix,
                                    .loading = LOADING_TEXT,
                                    .cors_origin = m->f.cors_origin,
                                    .on_done = metrics_self_request,
                                    .on_done_ctx = m->self,
                                    .not_found = not_found,
                                    .not_found_ctx = m,
                                    .not_found_while_loading = true};
    if (!o.web && role_address_is_open(o.listen_address)) {
        LOG_EVENT(LVL_WARN, "open_listener", F_C("role", "metrics"), F_STR("address", o.listen_address),
                  F_C("cure", "set --web.config.file or listen on 127.0.0.1"));
    }
    enum err e = http_server_start(&o, &m->server, info);
    if (!e) {
        m->serve->services.metrics_server = m->server;
    }
    return e ? e : external_url(m, info);
}

static enum err listen_role(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct metrics_role *m = (struct metrics_role *)r;
    m->serve = s;
    char *address = role_address(r, s, m->f.listen.n ? m->f.listen.items[0] : (struct str){0});
    if (!address) {
        return err_set(reterr_info, ERR_OOM, "no memory for an address");
    }
    enum err e = m->f.web_config.n ? web_config_load(m->f.web_config.p, &m->web, reterr_info) : ERR_OK;
    if (!e && metrics_self_new(m, &m->self)) {
        e = err_set(reterr_info, ERR_OOM, "the self-metrics: out of memory");
    }
    e = e ? e : serve_start(m, str_c(address), reterr_info);
    mem_free(address);
    return e;
}

/* -- the store ------------------------------------------------------------------------------------------- */

/* The file's retention block wins over the flags, and switches the default off. */
static void settle_retention(struct metrics_role *m, const struct prom_config *c)
{
    bool none = m->f.retention_ms == 0 && m->f.retention_bytes == 0;
    m->shown = (struct prom_config_flags){.retention_ms = none ? RETENTION_DEFAULT_MS : m->f.retention_ms,
                                          .retention_bytes = m->f.retention_bytes,
                                          .exemplars = metrics_feature(m, "exemplar-storage")};
    if (c->has_retention) {
        m->f.retention_ms = c->retention_ms;
        m->f.retention_bytes = c->retention_bytes;
    }
    if (m->f.retention_ms == 0 && m->f.retention_bytes == 0) {
        m->f.retention_ms = RETENTION_DEFAULT_MS;
    }
}

static enum err retention_text(struct metrics_role *m, struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    if (m->f.retention_ms) {
        units_duration_format(&b, m->f.retention_ms);
    }
    if (m->f.retention_bytes) {
        buf_c(&b, m->f.retention_ms ? " or " : "");
        units_size_format(&b, m->f.retention_bytes);
    }
    m->retention = buf_take(&b, NULL);
    return m->retention ? ERR_OK : err_set(info, ERR_OOM, "out of memory");
}

/* --storage.tsdb.path, or DATA/metrics. Where a Prometheus left its own there, ours is a folder below. */
static enum err data_dir(struct metrics_role *m, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 4096};
    char *dir = m->f.path.n ? mem_dup(m->f.path.p, m->f.path.n) : role_data_dir(m->serve, "metrics", info);
    if (!dir) {
        return m->f.path.n ? err_set(info, ERR_OOM, "no memory for a path") : ERR_IO;
    }
    if (!metrics_in_place(dir)) {
        m->data_dir = dir;
        return ERR_OK;
    }
    m->prometheus_dir = dir;
    buf_printf(&b, "%s/" METRICS_IN_PLACE_DIR, dir);
    m->data_dir = buf_take(&b, NULL);
    return m->data_dir ? ERR_OK : err_set(info, ERR_OOM, "no memory for a path");
}

/* The log is replayed, or the role is complete. */
static void loaded(struct metrics_role *m)
{
    if (atomic_fetch_sub(&m->loads, 1) == 1) {
        http_server_set_loading(m->server, NULL);
    }
}

static void store_loaded(void *role, enum err e, const struct err_info *info)
{
    struct metrics_role *m = role;
    (void)info; /* logged by the store */
    if (e) {
        http_server_set_loading(m->server,
                                "Service Unavailable: the metrics store could not replay its log.");
    } else {
        loaded(m);
    }
}

int64_t metrics_exemplars_max(const struct prom_config *c)
{
    return c->exemplars_max == 0 ? -1 : c->exemplars_max > INT64_MAX ? INT64_MAX : (int64_t)c->exemplars_max;
}

/* Memory is short: what only saves time goes. */
static void pressed(void *ctx)
{
    struct metrics_role *m = ctx;
    range_cache_clear(m->range_cache);
    arena_pool_shrink(m->query_memory);
}

static enum err caches_make(struct metrics_role *m, struct err_info *info)
{
    size_t part = (size_t)(m->serve->memory_bytes / CACHE_PART);
    size_t range = part < RANGE_CACHE_BYTES ? part : RANGE_CACHE_BYTES;
    size_t pool = part < QUERY_POOL_BYTES ? part : QUERY_POOL_BYTES;
    return series_cache_new(part, &m->series_cache) || range_cache_new(range, &m->range_cache) ||
                   arena_pool_new(pool, &m->query_memory) ||
                   (m->f.concurrency && query_gate_new((unsigned)m->f.concurrency, &m->query_gate))
               ? err_set(info, ERR_OOM, "no memory for the metrics role")
               : ERR_OK;
}

static enum err store_open(struct metrics_role *m, const struct prom_config *c, struct err_info *info)
{
    settle_retention(m, c);
    enum err e = data_dir(m, info);
    if (e) {
        return e;
    }
    bool in_place = m->prometheus_dir != NULL;
    struct tsdb_options o = {.dir = m->data_dir,
                             .prometheus_dir = m->prometheus_dir,
                             .durability = m->serve->durability,
                             .retention_ms = m->f.retention_ms ? m->f.retention_ms : RETENTION_NONE_MS,
                             .retention_bytes = m->f.retention_bytes,
                             .late_window_ms =
                                 c->has_late_window ? c->late_window_ms ? c->late_window_ms : -1 : 0,
                             .memory_bytes = m->serve->memory_bytes,
                             .exemplars_max = metrics_exemplars_max(c),
                             .promise = m->serve->promise,
                             .on_pressure = pressed,
                             .on_pressure_ctx = m,
                             /* Scrapes and writes flow from the first second; what stands in the folder of a
                              * Prometheus is read first. */
                             .replay_later = !in_place,
                             .on_loaded = store_loaded,
                             .on_loaded_ctx = m};
    atomic_init(&m->loads, in_place ? 1 : 2);
    e = tsdb_open(&o, &m->db, info);
    e = e || !in_place ? e : metrics_in_place_head(m->db, m->prometheus_dir, info);
    return e ? e : retention_text(m, info);
}

/* -- life ------------------------------------------------------------------------------------------------ */

static void quit(void *role)
{
    (void)role;
    (void)kill(getpid(), SIGTERM);
}

/* Half of the memory promise, within bounds that leave small machines queries and large ones some memory. */
static size_t query_memory(const struct metrics_role *m)
{
    uint64_t half = m->serve->memory_bytes / 2;
    return (size_t)(half < QUERY_MEMORY_BYTES_MIN   ? QUERY_MEMORY_BYTES_MIN
                    : half > QUERY_MEMORY_BYTES_MAX ? QUERY_MEMORY_BYTES_MAX
                                                    : half);
}

static size_t write_body(const struct metrics_role *m)
{
    uint64_t part = m->serve->memory_bytes / 8;
    return (size_t)(part < WRITE_BODY_BYTES_MIN   ? WRITE_BODY_BYTES_MIN
                    : part > WRITE_BODY_BYTES_MAX ? WRITE_BODY_BYTES_MAX
                                                  : part);
}

static void api_fill(struct metrics_role *m)
{
    struct prom_api *a = &m->api;
    a->clock = clock_real();
    a->source = tsdb_source(m->db);
    a->sink = tsdb_sink(m->db);
    a->db = m->db;
    a->series_cache = m->series_cache;
    a->range_cache = m->range_cache;
    a->query_memory = m->query_memory;
    a->gate = m->query_gate;
    a->promise = m->serve->promise;
    a->scrape = m->scrape;
    a->promql =
        (struct promql_options){.lookback_ms = m->f.lookback_ms,
                                .experimental = metrics_feature(m, "promql-experimental-functions"),
                                .delayed_name = metrics_feature(m, "promql-delayed-name-removal"),
                                .extended_ranges = metrics_feature(m, "promql-extended-range-selectors"),
                                .fill_modifiers = metrics_feature(m, "promql-binop-fill-modifiers"),
                                .type_and_unit = metrics_feature(m, "type-and-unit-labels"),
                                .start_times = metrics_feature(m, "use-start-timestamps")};
    a->query_timeout_ms = m->f.timeout_ms;
    a->query_samples_max = m->f.samples_max;
    a->query_memory_bytes = query_memory(m);
    a->query_concurrency = (unsigned)m->f.concurrency;
    a->write_body_bytes_max = write_body(m);
    a->remote_write = m->f.remote_write || !m->serve->alone;
    a->otlp_asked = m->f.no_effect[1];
    a->admin = m->f.admin;
    a->per_step_stats = metrics_feature(m, "promql-per-step-stats");
    a->search = metrics_feature(m, "search-api");
    a->search_limit_max = m->f.search_limit_max;
    a->snapshot_dir = m->snapshot_dir;
    a->started_ms = clock_wall_ms(clock_real());
    a->retention = str_c(m->retention);
    a->cairn_version = str_c(CAIRN_VERSION);
    a->external_url = str_c(m->external_url);
    a->listen_address = http_server_address(m->server);
    a->route_prefix = m->f.route_prefix;
    a->notification_readers_max = (unsigned)m->f.notification_readers_max;
    a->self_metrics = metrics_self_text;
    a->self_metrics_ctx = m->self;
    a->on_query = metrics_self_query;
    a->on_query_ctx = m->self;
    a->config_text = metrics_config_text;
    a->rule_set = metrics_rule_set;
    a->reload = m->f.lifecycle ? metrics_reload : NULL;
    a->quit = m->f.lifecycle ? quit : NULL;
    a->ctx = m;
}

/* DATA/snapshots; made by the first snapshot. */
static enum err snapshot_dir(struct metrics_role *m, struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    buf_printf(&b, "%s/snapshots", m->data_dir);
    m->snapshot_dir = buf_take(&b, NULL);
    return m->snapshot_dir ? ERR_OK : err_set(info, ERR_OOM, "out of memory");
}

static enum err start(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct metrics_role *m = (struct metrics_role *)r;
    struct prom_config *c = NULL;
    enum err e = metrics_config_load(m, &c, reterr_info);
    e = e ? e : caches_make(m, reterr_info);
    e = e ? e : store_open(m, c, reterr_info);
    e = e ? e : snapshot_dir(m, reterr_info);
    e = e ? e : metrics_scrape_start(m, c, reterr_info);
    prom_config_unref(c);
    if (e) {
        return e;
    }
    api_fill(m);
    e = metrics_flag_rows(m);
    e = e ? e : prom_api_routes(&m->api, m->server);
    e = e ? e : metrics_self_start(m);
    if (e) {
        return err_set(reterr_info, e, "the metrics API: %s", err_text(e));
    }
    metrics_flags_log(m);
    r->dir = str_c(m->data_dir);
    r->prometheus_dir = m->prometheus_dir ? str_c(m->prometheus_dir) : (struct str){0};
    s->services.metric_source = m->api.source;
    s->services.metric_sink = m->api.sink;
    loaded(m);
    return ERR_OK;
}

static void reload(struct role *r)
{
    struct err_info info = {0};
    (void)metrics_reload(r, &info); /* logged */
}

static enum err snapshot(struct role *r, const char *to, struct err_info *reterr_info)
{
    struct buf path AUTO_BUF = {.size_bytes_max = 4096};
    buf_printf(&path, "%s/metrics", to);
    buf_char(&path, '\0');
    return path.err ? err_set(reterr_info, path.err, "no memory for a path")
                    : tsdb_snapshot(((struct metrics_role *)r)->db, path.p, false, reterr_info);
}

static void files(struct role *r, void (*name)(void *ctx, struct str path), void *ctx)
{
    const struct metrics_role *m = (const struct metrics_role *)r;
    struct rule_set *rules = metrics_rule_set(r);
    for (size_t i = 0; rules && i < rules->n; i++) {
        name(ctx, rules->groups[i].file);
    }
    rule_set_unref(rules);
    if (m->f.web_config.n) {
        name(ctx, m->f.web_config);
    }
}

static void stop(struct role *r)
{
    struct metrics_role *m = (struct metrics_role *)r;
    prom_api_stopping(&m->api);
    if (m->server) {
        http_server_set_stopping(m->server, "Service Unavailable");
    }
    scrape_manager_stop(m->scrape);
    metrics_remote_stop(m);
    http_server_stop(m->server, 3000);
    prom_api_done(&m->api);
    scrape_manager_free(m->scrape);
    tsdb_close(m->db);
    series_cache_free(m->series_cache);
    range_cache_free(m->range_cache);
    arena_pool_free(m->query_memory);
    query_gate_free(m->query_gate);
    web_config_free(m->web);
    metrics_self_free(m->self);
    for (size_t i = 0; i < m->api.flag_count; i++) {
        mem_free((void *)(uintptr_t)m->flag_rows[i].value.p);
    }
    mem_free(m->flag_rows);
    mem_free(m->external_url);
    mem_free(m->retention);
    mem_free(m->data_dir);
    mem_free(m->snapshot_dir);
    mem_free(m->prometheus_dir);
    rule_set_unref(m->rules);
    strmap_done(&m->logged);
    mutex_done(&m->reload_lock);
    mutex_done(&m->rules_lock);
    mutex_done(&m->remotes_lock);
    mem_free(m);
}

const struct role_ops role_metrics = {
    .name = "metrics",
    .replaces = "Prometheus",
    .port = 9090,
    .make = make,
    .flags = flag_sets,
    .check = metrics_config_check,
    .listen = listen_role,
    .start = start,
    .snapshot = snapshot,
    .files = files,
    .reload = reload,
    .stop = stop,
};
