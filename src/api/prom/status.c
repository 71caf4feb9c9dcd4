/* Build, flags, configuration, run-time, head statistics, health, lifecycle and admin endpoints. */
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "api/prom/prom_call.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

enum {
    CARDINALITY_ROWS_MAX = 10000
};

static void json_member(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

static void json_build(struct prom_call *c)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_member(w, "version", STR(PROMETHEUS_VERSION_TEXT));
    json_member(w, "revision", STR(""));
    json_member(w, "branch", STR(""));
    json_member(w, "buildUser", STR(""));
    json_member(w, "buildDate", STR(""));
    json_member(w, "goVersion", STR(""));
    json_member(w, "cairnVersion", c->api->cairn_version);
    json_object_end(w);
}

static void buildinfo(struct prom_call *c)
{
    prom_call_data(c);
    json_build(c);
    prom_call_send(c);
}

static void version(struct prom_call *c)
{
    json_build(c);
    http_res_send_buf(c->r, 200, "application/json", &c->out);
}

static void flags(struct prom_call *c)
{
    prom_call_data(c);
    json_object_begin(&c->w);
    for (size_t i = 0; i < c->api->flag_count; i++) {
        json_member(&c->w, c->api->flags[i].name, c->api->flags[i].value);
    }
    json_object_end(&c->w);
    prom_call_send(c);
}

static void config(struct prom_call *c)
{
    char *text = c->api->config_text ? c->api->config_text(c->api->ctx) : NULL;
    prom_call_data(c);
    json_object_begin(&c->w);
    json_member(&c->w, "yaml", str_c(text));
    json_object_end(&c->w);
    mem_free(text);
    prom_call_send(c);
}

static void json_time(struct json_writer *w, const char *key, ts_ms ms)
{
    char text[40];
    json_member(w, key, str_c(clock_format_rfc3339(ms * NS_PER_MS, text, sizeof(text))));
}

static void runtimeinfo(struct prom_call *c)
{
    char folder[PATH_MAX], host[256];
    struct tsdb_stats st;
    struct json_writer *w = &c->w;
    tsdb_stats(c->api->db, &st);
    if (!getcwd(folder, sizeof(folder))) {
        folder[0] = '\0';
    }
    if (gethostname(host, sizeof(host)) != 0) {
        host[0] = '\0';
    }
    host[sizeof(host) - 1] = '\0';
    prom_call_data(c);
    json_object_begin(w);
    json_time(w, "startTime", c->api->started_ms);
    json_member(w, "CWD", str_c(folder));
    json_member(w, "hostname", str_c(host));
    json_time(w, "serverTime", c->now);
    json_key(w, "reloadConfigSuccess");
    json_bool(w, atomic_load(&c->api->reload_ok));
    json_time(w, "lastConfigTime", atomic_load(&c->api->reload_ms));
    json_key(w, "corruptionCount");
    json_u64(w, st.wal_bad_segments);
    json_key(w, "goroutineCount");
    json_i64(w, 0);
    json_key(w, "GOMAXPROCS");
    json_u64(w, thread_cpu_count());
    json_member(w, "GOGC", STR(""));
    json_member(w, "GODEBUG", STR(""));
    json_member(w, "storageRetention", c->api->retention);
    json_object_end(w);
    prom_call_send(c);
}

static void walreplay(struct prom_call *c)
{
    prom_call_data(c);
    json_raw(&c->w, STR("{\"min\":0,\"max\":0,\"current\":0}"));
    prom_call_send(c);
}

/* -- head statistics ------------------------------------------------------------------------------------- */

static void json_rows(struct json_writer *w, const char *key, const struct tsdb_stat_row *rows, size_t n)
{
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_object_begin(w);
        json_member(w, "name", rows[i].name);
        json_key(w, "value");
        json_u64(w, rows[i].value);
        json_object_end(w);
    }
    json_array_end(w);
}

static void tsdb_status(struct prom_call *c)
{
    int64_t limit = 10;
    struct tsdb_stats st;
    struct tsdb_cardinality rows;
    struct json_writer *w = &c->w;
    struct str given = http_req_param(c->r, "limit");
    if (given.n && (str_to_i64(given, &limit) || limit < 1)) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "limit must be a positive number"));
        return;
    }
    if (limit > CARDINALITY_ROWS_MAX) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "limit must not exceed %d", CARDINALITY_ROWS_MAX));
        return;
    }
    enum err e = tsdb_cardinality(c->api->db, &c->q, (size_t)limit, &c->query_arena, &rows, &c->info);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    tsdb_stats(c->api->db, &st);
    prom_call_data(c);
    json_object_begin(w);
    json_key(w, "headStats");
    json_object_begin(w);
    json_key(w, "numSeries");
    json_u64(w, st.series);
    json_key(w, "numLabelPairs");
    json_u64(w, st.label_pairs);
    json_key(w, "chunkCount");
    json_u64(w, st.chunks);
    json_key(w, "minTime");
    json_i64(w, st.min_time);
    json_key(w, "maxTime");
    json_i64(w, st.max_time);
    json_object_end(w);
    json_rows(w, "seriesCountByMetricName", rows.series_by_metric, rows.series_by_metric_count);
    json_rows(w, "labelValueCountByLabelName", rows.values_by_label, rows.values_by_label_count);
    json_rows(w, "memoryInBytesByLabelName", rows.bytes_by_label, rows.bytes_by_label_count);
    json_rows(w, "seriesCountByLabelValuePair", rows.series_by_pair, rows.series_by_pair_count);
    json_object_end(w);
    prom_call_send(c);
}

/* -- health and lifecycle -------------------------------------------------------------------------------- */

static void healthy_route(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send(r, 200, "text/plain; charset=utf-8", STR("Prometheus Server is Healthy.\n"));
}

static void ready_route(void *ctx, struct http_req *r)
{
    struct prom_api *api = ctx;
    struct tsdb_stats st;
    tsdb_stats(api->db, &st);
    if (st.read_only) {
        char text[400];
        snprintf(text, sizeof(text), "The store is read-only until it is restarted: %s\n",
                 st.read_only_reason);
        http_res_send(r, 503, "text/plain; charset=utf-8", str_c(text));
        return;
    }
    http_res_send(r, 200, "text/plain; charset=utf-8", STR("Prometheus Server is Ready.\n"));
}

static void reload_route(void *ctx, struct http_req *r)
{
    struct prom_api *api = ctx;
    struct err_info info = {0};
    if (!api->reload) {
        http_res_send(r, 403, "text/plain; charset=utf-8", STR("Lifecycle API is not enabled.\n"));
        return;
    }
    enum err e = api->reload(api->ctx, &info);
    if (e) {
        char place[800], text[900];
        int n = snprintf(text, sizeof(text), "failed to reload config: %s\n",
                         err_render(&info, place, sizeof(place)));
        http_res_send(r, 500, "text/plain; charset=utf-8",
                      str_of(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1));
        return;
    }
    http_res_send(r, 200, "text/plain; charset=utf-8", STR(""));
}

static void quit_route(void *ctx, struct http_req *r)
{
    struct prom_api *api = ctx;
    if (!api->quit) {
        http_res_send(r, 403, "text/plain; charset=utf-8", STR("Lifecycle API is not enabled.\n"));
        return;
    }
    http_res_send(r, 200, "text/plain; charset=utf-8", STR("Requesting termination... Goodbye!"));
    api->quit(api->ctx);
}

/* -- admin ----------------------------------------------------------------------------------------------- */

static bool admin_enabled(struct prom_call *c)
{
    if (c->api->admin) {
        return true;
    }
    prom_call_unavailable(c, "admin APIs disabled");
    return false;
}

/* Without a matcher that asks for anything the original deletes nothing. */
static bool asks_for_something(const struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (m[i].op != MATCH_RE || !str_eq_c(m[i].value, ".*")) {
            return true;
        }
    }
    return false;
}

static void delete_series(struct prom_call *c)
{
    ts_ms start = INT64_MIN, end = INT64_MAX;
    struct prom_selectors s = {0};
    if (!admin_enabled(c)) {
        return;
    }
    if (http_req_param(c->r, "match[]").p == NULL) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "no match[] parameter provided"));
        return;
    }
    if (!param_time(c, "start", &start) || !param_time(c, "end", &end) ||
        !param_selectors(c, SELECTORS_ANY, &s)) {
        return;
    }
    enum err e = ERR_OK;
    for (size_t i = 0; i < s.count && !e; i++) {
        if (asks_for_something(s.sets[i].m, s.sets[i].n)) {
            e = tsdb_delete(c->api->db, &c->q, s.sets[i].m, s.sets[i].n, start, end, &c->info);
        }
    }
    prom_selectors_done(&s);
    if (e) {
        prom_call_error(c, e);
    } else {
        http_res_send(c->r, 204, NULL, STR(""));
    }
}

static void clean_tombstones(struct prom_call *c)
{
    if (!admin_enabled(c)) {
        return;
    }
    enum err e = tsdb_maintain(c->api->db, &c->info);
    if (e) {
        prom_call_error(c, e);
    } else {
        http_res_send(c->r, 204, NULL, STR(""));
    }
}

/* 20060102T150405Z and a random number, as Prometheus names them. */
static bool snapshot_name(ts_ms now, char *name, size_t size)
{
    uint64_t random = 0;
    time_t seconds = (time_t)(now / MS_PER_S);
    struct tm t;
    char stamp[32];
    if (rng_secret(&random, sizeof(random)) || !gmtime_r(&seconds, &t) ||
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &t) == 0) {
        return false;
    }
    (void)snprintf(name, size, "%s-%016llx", stamp, (unsigned long long)(random >> 1));
    return true;
}

static void snapshot(struct prom_call *c)
{
    char name[64];
    bool skip_head = false;
    if (!admin_enabled(c) || !param_bool(c, "skip_head", "unable to parse boolean", &skip_head)) {
        return;
    }
    enum err e = snapshot_name(c->now, name, sizeof(name)) ? ERR_OK : ERR_INTERNAL;
    struct str path = arena_printf(c->a, "%s/%s", c->api->snapshot_dir, name);
    e = e ? e : !path.p ? ERR_OOM : tsdb_snapshot(c->api->db, path.p, skip_head, &c->info);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_member(&c->w, "name", str_c(name));
    json_object_end(&c->w);
    prom_call_send(c);
}

static void only_post_route(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_header(r, "Allow", STR("POST, PUT"));
    http_res_send(r, 405, "text/plain; charset=utf-8", STR("Only POST or PUT requests allowed"));
}

PROM_ROUTE(buildinfo)
PROM_ROUTE(version)
PROM_ROUTE(flags)
PROM_ROUTE(config)
PROM_ROUTE(runtimeinfo)
PROM_ROUTE(walreplay)
PROM_ROUTE(tsdb_status)
PROM_ROUTE(delete_series)
PROM_ROUTE(clean_tombstones)
PROM_ROUTE(snapshot)

struct prom_routes prom_routes_status(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/status/buildinfo", buildinfo_route, HTTP_CORS, 0, NULL},
        {"GET", "/version", version_route, 0, 0, NULL},
        {"GET", "/api/v1/status/flags", flags_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/status/config", config_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/status/runtimeinfo", runtimeinfo_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/status/walreplay", walreplay_route, HTTP_CORS | HTTP_WHILE_LOADING, 0, NULL},
        {"GET", "/api/v1/status/tsdb", tsdb_status_route, HTTP_CORS, 0, NULL},
        {"POST|PUT", "/api/v1/admin/tsdb/delete_series", delete_series_route, HTTP_CORS | HTTP_FORM, 0, NULL},
        {"POST|PUT", "/api/v1/admin/tsdb/clean_tombstones", clean_tombstones_route, HTTP_CORS | HTTP_FORM, 0,
         NULL},
        {"POST|PUT", "/api/v1/admin/tsdb/snapshot", snapshot_route, HTTP_CORS | HTTP_FORM, 0, NULL},
        {"GET", "/-/healthy", healthy_route, HTTP_INLINE | HTTP_WHILE_LOADING, 0, NULL},
        {"GET", "/-/ready", ready_route, 0, 0, NULL},
        {"GET", "/-/reload", only_post_route, HTTP_INLINE, 0, NULL},
        {"GET", "/-/quit", only_post_route, HTTP_INLINE, 0, NULL},
        {"POST|PUT", "/-/reload", reload_route, 0, 0, NULL},
        {"POST|PUT", "/-/quit", quit_route, 0, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
