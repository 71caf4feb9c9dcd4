/* Build, flags, configuration, run-time, head statistics, health, lifecycle and admin endpoints. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/prom/prom_call.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

enum {
    CARDINALITY_ROWS_MAX = 10000,
    ULID_TIME_CHARS = 10,
    ULID_CHARS = 26
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
    http_res_send_buf(c->r, 200, "text/plain; charset=utf-8", &c->out);
}

static int by_flag_name(const void *a, const void *b)
{
    const struct prom_flag *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void flags(struct prom_call *c)
{
    size_t n = c->api->flag_count;
    const struct prom_flag **sorted = arena_array(c->a, n + 1, sizeof(const struct prom_flag *));
    if (!sorted) {
        prom_call_error(c, ERR_OOM);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &c->api->flags[i];
    }
    qsort((void *)sorted, n, sizeof(const struct prom_flag *), by_flag_name);
    prom_call_data(c);
    json_object_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        json_member(&c->w, sorted[i]->name, sorted[i]->value);
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
    json_key(w, "GOMEMLIMIT");
    json_i64(w, st.memory_bytes ? (int64_t)st.memory_bytes : INT64_MAX);
    json_member(w, "GOGC", STR(""));
    json_member(w, "GODEBUG", STR(""));
    json_member(w, "storageRetention", c->api->retention);
    json_object_end(w);
    prom_call_send(c);
}

static void walreplay(struct prom_call *c)
{
    size_t done, all;
    tsdb_replay_progress(c->api->db, &done, &all);
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "min");
    json_u64(&c->w, 0);
    json_key(&c->w, "max");
    json_u64(&c->w, all);
    json_key(&c->w, "current");
    json_u64(&c->w, done);
    json_object_end(&c->w);
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

/* A name of the form that Prometheus' blocks have: the block's last millisecond, and 80 bits that its own
 * name decides. */
static struct str ulid_of(struct prom_call *c, const struct tsdb_block *b)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    if (b->name.n == ULID_CHARS) { /* one of Prometheus has its own */
        return b->name;
    }
    struct hash128 h = hash128_bytes(b->name.p, b->name.n);
    char *text = arena_bytes(c->a, ULID_CHARS);
    uint64_t time = (uint64_t)(b->max_ts < 0 ? 0 : b->max_ts);
    for (size_t i = 0; text && i < ULID_TIME_CHARS; i++, time >>= 5) {
        text[ULID_TIME_CHARS - 1 - i] = digits[time & 31];
    }
    for (size_t i = ULID_TIME_CHARS; text && i < ULID_CHARS; i++) {
        text[i] = digits[h.lo & 31];
        h.lo = h.lo >> 5 | h.hi << 59;
        h.hi >>= 5;
    }
    return str_of(text, text ? ULID_CHARS : 0);
}

static void json_block(struct prom_call *c, const struct tsdb_block *b)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_member(w, "ulid", ulid_of(c, b));
    json_key(w, "minTime");
    json_i64(w, b->min_ts);
    json_key(w, "maxTime");
    json_i64(w, b->max_ts + 1); /* not itself in the block, there */
    json_key(w, "stats");
    json_object_begin(w);
    json_key(w, "numSamples");
    json_u64(w, b->samples);
    json_key(w, "numSeries");
    json_u64(w, b->series);
    json_object_end(w);
    json_key(w, "compaction");
    json_object_begin(w);
    json_key(w, "level");
    json_u64(w, b->level);
    json_object_end(w);
    json_key(w, "version");
    json_u64(w, 1);
    json_member(w, "cairnName", b->name);
    json_key(w, "cairnBytes");
    json_u64(w, b->bytes);
    json_object_end(w);
}

static void tsdb_block_list(struct prom_call *c)
{
    const struct tsdb_block *blocks = NULL;
    size_t n = 0;
    enum err e = tsdb_blocks(c->api->db, c->a, &blocks, &n);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "blocks");
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        json_block(c, &blocks[i]);
    }
    json_array_end(&c->w);
    json_object_end(&c->w);
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
    struct err_info why = {0};
    if (!tsdb_healthy(api->db, &why)) {
        char text[700];
        snprintf(text, sizeof(text), "The store is read-only until it is restarted: %s\n", why.message);
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
    http_res_send(r, 200, NULL, STR(""));
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
        if (s.sets[i].n) { /* {} deletes nothing, as at the original */
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

/* -- paths beside the API -------------------------------------------------------------------------------- */

static void options_route(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send(r, 204, NULL, STR(""));
}

static void redirect(struct http_req *r, struct str prefix, const char *path, struct str query)
{
    prom_redirect(r, 302,
                  arena_printf(http_req_arena(r), "%.*s%s%.*s", STR_FMT(prefix), path, STR_FMT(query)));
}

static void home_route(void *ctx, struct http_req *r)
{
    redirect(r, ((struct prom_api *)ctx)->route_prefix, "/query", (struct str){0});
}

/* Links of old dashboards and alerts. */
static void graph_route(void *ctx, struct http_req *r)
{
    redirect(r, ((struct prom_api *)ctx)->route_prefix, "/query?", http_req_query(r));
}

static void otlp_route(void *ctx, struct http_req *r)
{
    const struct prom_api *api = ctx;
    http_res_header(r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send(r, 404, "text/plain; charset=utf-8",
                  api->otlp_asked
                      ? STR("the OTLP receiver is not part of this version of Cairn\n")
                      : STR("otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n"));
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
PROM_ROUTE(tsdb_block_list)
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
        {"GET", "/api/v1/status/tsdb/blocks", tsdb_block_list_route, HTTP_CORS, 0, NULL},
        {"OPTIONS", "/api/v1/{path...}", options_route, HTTP_CORS, 0, "/api/v1"},
        {"GET", "/", home_route, 0, 0, NULL},
        {"GET", "/graph", graph_route, 0, 0, NULL},
        {"POST", "/api/v1/otlp/v1/metrics", otlp_route, HTTP_RAW_BODY, 0, NULL},
        {"POST|PUT", "/api/v1/admin/tsdb/delete_series", delete_series_route, HTTP_CORS | HTTP_FORM, 0, NULL},
        {"POST|PUT", "/api/v1/admin/tsdb/clean_tombstones", clean_tombstones_route, HTTP_CORS | HTTP_FORM, 0,
         NULL},
        {"POST|PUT", "/api/v1/admin/tsdb/snapshot", snapshot_route, HTTP_CORS | HTTP_FORM, 0, NULL},
        {"GET", "/-/healthy", healthy_route, HTTP_INLINE | HTTP_WHILE_LOADING, 0, NULL},
        {"GET", "/-/ready", ready_route, HTTP_INLINE, 0, NULL},
        {"GET", "/-/reload", only_post_route, HTTP_INLINE, 0, NULL},
        {"GET", "/-/quit", only_post_route, HTTP_INLINE, 0, NULL},
        {"POST|PUT", "/-/reload", reload_route, 0, 0, NULL},
        {"POST|PUT", "/-/quit", quit_route, 0, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
