/* The role metrics: what Prometheus does, on its port, with its flags. */
#include "api/prom/prom_api.h"
#include "base/log.h"
#include "base/mem.h"
#include "cairn/role.h"
#include "codec/yaml.h"
#include "metrics/ingest/series_cache.h"

struct metrics_role {
    struct role role;
    /* flags */
    struct str path, web_config, config_text_flag;
    struct flag_list listen, features;
    int64_t retention_ms, lookback_ms, timeout_ms;
    uint64_t retention_bytes, samples_max, concurrency;
    bool remote_write, admin, lifecycle;
    struct str cors_origin;
    int64_t late_window_ms;
    /* parts */
    struct web_config *web;
    struct http_server *server;
    struct tsdb *db;
    struct series_cache *series_cache;
    struct prom_api api;
};

#define AT(field) offsetof(struct metrics_role, field)

static const struct flag flags[] = {
    {"config.file", FLAG_STR, offsetof(struct role, config_file), "prometheus.yml", "configuration file"},
    {"storage.tsdb.path", FLAG_STR, AT(path), "data/", "folder of the store"},
    {"storage.tsdb.retention.time", FLAG_DURATION, AT(retention_ms), "15d", "how long samples are kept"},
    {"storage.tsdb.retention.size", FLAG_SIZE, AT(retention_bytes), "", "how much disk the store may take"},
    {"web.listen-address", FLAG_LIST, AT(listen), "0.0.0.0:9090", "where to listen"},
    {"web.config.file", FLAG_STR, AT(web_config), "", "TLS and authentication"},
    {"web.cors.origin", FLAG_STR, AT(cors_origin), ".*",
     "regular expression of origins that may read the API"},
    {"web.enable-remote-write-receiver", FLAG_BOOL, AT(remote_write), "", "accept remote write"},
    {"web.enable-admin-api", FLAG_BOOL, AT(admin), "", "allow deletes and snapshots"},
    {"web.enable-lifecycle", FLAG_BOOL, AT(lifecycle), "", "allow reload and quit over HTTP"},
    {"query.lookback-delta", FLAG_DURATION, AT(lookback_ms), "5m", "how far back an instant selector looks"},
    {"query.timeout", FLAG_DURATION, AT(timeout_ms), "2m", "how long a query may take"},
    {"query.max-samples", FLAG_U64, AT(samples_max), "50000000", "samples a query may hold"},
    {"query.max-concurrency", FLAG_U64, AT(concurrency), "20", "queries that run at once"},
    {"enable-feature", FLAG_LIST, AT(features), "", "feature names, comma-separated"},
};

static struct role *make(void)
{
    struct metrics_role *m = mem_zalloc(sizeof(*m));
    if (!m) {
        return NULL;
    }
    m->role.ops = &role_metrics;
    m->retention_ms = (int64_t)15 * 86400 * MS_PER_S;
    m->lookback_ms = 5 * 60 * MS_PER_S;
    m->timeout_ms = 2 * 60 * MS_PER_S;
    m->samples_max = 50000000;
    m->concurrency = 20;
    m->cors_origin = STR(".*");
    return &m->role;
}

static size_t flag_sets(struct role *r, struct flag_set *sets, size_t max)
{
    (void)max;
    sets[0] = (struct flag_set){"Prometheus' own", flags, ARRAY_LEN(flags), r};
    return 1;
}

static enum err listen_role(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct metrics_role *m = (struct metrics_role *)r;
    char *address = role_address(r, s, m->listen.n ? m->listen.items[0] : (struct str){0});
    if (!address) {
        return err_set(reterr_info, ERR_OOM, "no memory for an address");
    }
    enum err e = m->web_config.n ? web_config_load(m->web_config.p, &m->web, reterr_info) : ERR_OK;
    struct http_server_options o = {.role = "metrics",
                                    .listen_address = str_c(address),
                                    .web = m->web ? m->web : s->web,
                                    .cors_origin = m->cors_origin};
    if (!e && !o.web && role_address_is_open(o.listen_address)) {
        LOG_EVENT(LVL_WARN, "open_listener", F_C("role", "metrics"), F_STR("address", o.listen_address),
                  F_C("cure", "set --web.config.file or listen on 127.0.0.1"));
    }
    if (!e) {
        e = http_server_start(&o, &m->server, reterr_info);
    }
    if (!e) {
        http_server_set_loading(m->server, "The metrics store is loading.");
        s->services.metrics_server = m->server;
    }
    mem_free(address);
    return e;
}

static bool feature(const struct metrics_role *m, const char *name)
{
    for (size_t i = 0; i < m->features.n; i++) {
        for (struct str rest = m->features.items[i]; rest.p;) {
            if (str_eq_c(str_cut(&rest, ','), name)) {
                return true;
            }
        }
    }
    return false;
}

/* What the store needs to know of the configuration file before it opens. */
static enum err config_read(struct metrics_role *m, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root = NULL;
    if (!m->role.config_file.n) {
        return ERR_OK;
    }
    enum err e = yaml_load(&a, m->role.config_file.p, &root, reterr_info);
    if (e) {
        return e;
    }
    const struct yaml_node *tsdb = yaml_get(yaml_get(root, "storage"), "tsdb");
    return yaml_duration(yaml_get(tsdb, "out_of_order_time_window"), false, &m->late_window_ms, reterr_info);
}

static enum err store_open(struct metrics_role *m, struct serve *s, struct err_info *reterr_info)
{
    char *own = m->path.n ? NULL : role_data_dir(s, "metrics", reterr_info);
    if (!m->path.n && !own) {
        return ERR_IO;
    }
    struct tsdb_options o = {.dir = own ? own : m->path.p,
                             .durability = s->durability,
                             .retention_ms = m->retention_ms,
                             .retention_bytes = m->retention_bytes,
                             .late_window_ms = m->late_window_ms,
                             .memory_bytes = s->memory_bytes};
    enum err e = tsdb_open(&o, &m->db, reterr_info);
    mem_free(own);
    return e;
}

static enum err start(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct metrics_role *m = (struct metrics_role *)r;
    enum err e = config_read(m, reterr_info);
    if (!e) {
        e = store_open(m, s, reterr_info);
    }
    if (!e && series_cache_new(&m->series_cache)) {
        e = err_set(reterr_info, ERR_OOM, "no memory for the metrics role");
    }
    if (e) {
        return e;
    }
    m->api = (struct prom_api){
        .clock = clock_real(),
        .source = tsdb_source(m->db),
        .sink = tsdb_sink(m->db),
        .db = m->db,
        .series_cache = m->series_cache,
        .promql = {.lookback_ms = m->lookback_ms,
                   .experimental = feature(m, "promql-experimental-functions"),
                   .delayed_name = feature(m, "promql-delayed-name-removal")},
        .query_timeout_ms = m->timeout_ms,
        .query_samples_max = m->samples_max,
        .query_memory_bytes = (size_t)1 << 30,
        .query_concurrency = (unsigned)m->concurrency,
        .write_body_bytes_max = (size_t)32 << 20,
        .admin = m->admin,
        .started_ms = clock_wall_ms(clock_real()),
        .retention = STR("15d"),
        .cairn_version = str_c(CAIRN_VERSION),
    };
    e = prom_api_routes(&m->api, m->server);
    if (e) {
        return err_set(reterr_info, e, "the metrics API: %s", err_text(e));
    }
    s->services.metric_source = m->api.source;
    s->services.metric_sink = m->api.sink;
    http_server_set_loading(m->server, NULL);
    return ERR_OK;
}

static void stop(struct role *r)
{
    struct metrics_role *m = (struct metrics_role *)r;
    http_server_stop(m->server, 3000);
    series_cache_free(m->series_cache);
    tsdb_close(m->db);
    web_config_free(m->web);
    mem_free(m);
}

const struct role_ops role_metrics = {
    .name = "metrics",
    .replaces = "Prometheus",
    .port = 9090,
    .make = make,
    .flags = flag_sets,
    .listen = listen_role,
    .start = start,
    .stop = stop,
};
