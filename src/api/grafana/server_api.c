/* The server about itself: front-end settings, plugins, administration, provisioning on demand; and the lists
 * that are always empty here because Cairn keeps no such things. */
#include "api/grafana/source_int.h"
#include "dashboards/dashboards.h"

static void member(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

static void plugin_meta(struct json_writer *w, const char *id, const char *name, const char *type)
{
    json_object_begin(w);
    member(w, "id", str_c(id));
    member(w, "name", str_c(name));
    member(w, "type", str_c(type));
    json_key(w, "enabled");
    json_bool(w, true);
    json_key(w, "hasUpdate");
    json_bool(w, false);
    json_key(w, "info");
    json_raw(w, STR("{\"version\":\"" GRAFANA_VERSION_TEXT "\"}"));
    member(w, "signature", STR("internal"));
    json_object_end(w);
}

static const struct {
    const char *id, *name, *type;
} plugin_rows[] = {
    {"prometheus", "Prometheus", "datasource"},
    {"loki", "Loki", "datasource"},
    {"timeseries", "Time series", "panel"},
    {"stat", "Stat", "panel"},
    {"gauge", "Gauge", "panel"},
    {"bargauge", "Bar gauge", "panel"},
    {"table", "Table", "panel"},
    {"logs", "Logs", "panel"},
    {"text", "Text", "panel"},
};

static void plugins(struct call *c)
{
    struct str type = http_req_param(c->r, "type");
    json_array_begin(&c->w);
    for (size_t i = 0; i < ARRAY_LEN(plugin_rows); i++) {
        if (type.n == 0 || str_eq_c(type, plugin_rows[i].type)) {
            plugin_meta(&c->w, plugin_rows[i].id, plugin_rows[i].name, plugin_rows[i].type);
        }
    }
    json_array_end(&c->w);
    call_send(c, 200);
}

static enum err source_settings(struct call *c)
{
    struct data_source *rows = NULL;
    size_t n = 0;
    struct json_writer *w = &c->w;
    struct str fallback = STR("");
    enum err e = data_source_list(c->api->db, c->a, &rows, &n, &c->info);
    if (e) {
        return e;
    }
    json_key(w, "datasources");
    json_object_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_key_str(w, rows[i].name);
        json_object_begin(w);
        json_key(w, "id");
        json_i64(w, rows[i].id);
        member(w, "uid", rows[i].uid);
        member(w, "name", rows[i].name);
        member(w, "type", rows[i].type);
        member(w, "url", arena_printf(c->a, "/api/datasources/proxy/uid/%.*s", STR_FMT(rows[i].uid)));
        json_key(w, "isDefault");
        json_bool(w, rows[i].is_default);
        json_key(w, "jsonData");
        json_raw(w, rows[i].json_data);
        json_key(w, "readOnly");
        json_bool(w, rows[i].read_only);
        json_object_end(w);
        fallback = rows[i].is_default ? rows[i].name : fallback;
    }
    json_object_end(w);
    member(w, "defaultDatasource", fallback);
    return ERR_OK;
}

static void frontend_settings(struct call *c)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    enum err e = source_settings(c);
    if (!call_ok(c, e)) {
        return;
    }
    member(w, "appUrl", c->api->settings->root_url);
    member(w, "appSubUrl", c->api->settings->sub_path);
    json_key(w, "anonymousEnabled");
    json_bool(w, c->api->anonymous_role != ROLE_NONE);
    json_key(w, "allowOrgCreate");
    json_bool(w, false);
    json_key(w, "authProxyEnabled");
    json_bool(w, false);
    json_key(w, "buildInfo");
    json_object_begin(w);
    member(w, "version", STR(GRAFANA_VERSION_TEXT));
    member(w, "commit", STR("cairn"));
    member(w, "edition", STR("Open Source"));
    member(w, "env", STR("production"));
    member(w, "cairnVersion", c->api->cairn_version);
    json_object_end(w);
    json_key(w, "featureToggles");
    json_raw(w, STR("{}"));
    json_key(w, "unifiedAlertingEnabled");
    json_bool(w, false);
    json_object_end(w);
    call_send(c, 200);
}

/* -- administration -------------------------------------------------------------------------------------- */

static void admin_settings(struct call *c)
{
    const struct settings *s = c->api->settings;
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "server");
    json_object_begin(w);
    member(w, "http_addr", s->http_addr);
    member(w, "http_port", arena_printf(c->a, "%llu", (unsigned long long)s->http_port));
    member(w, "root_url", s->root_url);
    json_object_end(w);
    json_key(w, "paths");
    json_object_begin(w);
    member(w, "data", s->data_path);
    member(w, "provisioning", s->provisioning_path);
    json_object_end(w);
    json_key(w, "security");
    json_object_begin(w);
    member(w, "admin_user", s->admin_user);
    member(w, "admin_password", STR("*********"));
    member(w, "cookie_secure", s->cookie_secure ? STR("true") : STR("false"));
    json_object_end(w);
    json_key(w, "auth.anonymous");
    json_object_begin(w);
    member(w, "enabled", s->anonymous ? STR("true") : STR("false"));
    member(w, "org_role", str_c(auth_role_name(s->anonymous_role)));
    json_object_end(w);
    json_object_end(w);
    call_send(c, 200);
}

#define COUNT_ROWS                                                            \
    "SELECT (SELECT count(*) FROM dashboard), (SELECT count(*) FROM folder)," \
    " (SELECT count(*) FROM data_source), (SELECT count(*) FROM user),"       \
    " (SELECT count(*) FROM session), (SELECT count(*) FROM star)"

enum {
    COUNTS = 6
};

static enum err read_counts(void *ctx, const struct db_row *r)
{
    int64_t *counts = ctx;
    for (int i = 0; i < COUNTS; i++) {
        counts[i] = db_row_int(r, i);
    }
    return ERR_OK;
}

static void admin_stats(struct call *c)
{
    static const char *const names[] = {"dashboards", "folders",        "datasources",
                                        "users",      "activeSessions", "stars"};
    int64_t counts[COUNTS] = {0};
    enum err e = db_query(c->api->db, COUNT_ROWS, NULL, 0, read_counts, counts, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "orgs");
    json_i64(&c->w, 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_key(&c->w, names[i]);
        json_i64(&c->w, counts[i]);
    }
    json_object_end(&c->w);
    call_send(c, 200);
}

/* What a scrape of Grafana's own /metrics is looked at for. */
static void metrics(void *ctx, struct http_req *r)
{
    static const char *const names[] = {"dashboard", "folder", "datasource", "user", "session", "star"};
    struct grafana_api *api = ctx;
    int64_t counts[COUNTS] = {0};
    struct buf out AUTO_BUF = {0};
    struct err_info info = {0};
    if (db_query(api->db, COUNT_ROWS, NULL, 0, read_counts, counts, &info)) {
        http_res_send(r, 503, "text/plain; charset=utf-8", str_c(info.message));
        return;
    }
    buf_printf(&out,
               "# HELP grafana_build_info The version whose API is spoken, and Cairn's own.\n"
               "# TYPE grafana_build_info gauge\n"
               "grafana_build_info{edition=\"oss\",version=\"" GRAFANA_VERSION_TEXT
               "\",cairn_version=\"%.*s\"} 1\n",
               STR_FMT(api->cairn_version));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_printf(&out,
                   "# HELP grafana_stat_totals_%s How many there are.\n# TYPE grafana_stat_totals_%s gauge\n"
                   "grafana_stat_totals_%s %lld\n",
                   names[i], names[i], names[i], (long long)counts[i]);
    }
    http_res_send_buf(r, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void reload(struct call *c)
{
    if (!c->api->provision) {
        call_message(c, 400, "no provisioning folder is configured");
        return;
    }
    enum err e = c->api->provision(c->api->provision_ctx, &c->info);
    if (e) {
        char text[1024];
        call_message(c, 500, "%s", err_render(&c->info, text, sizeof(text)));
        return;
    }
    call_message(c, 200, "Dashboards config reloaded");
}

/* -- what does not exist here ---------------------------------------------------------------------------- */

static void permissions(struct call *c)
{
    bool edit = c->who.role >= ROLE_EDITOR, admin = c->who.role >= ROLE_ADMIN;
    struct json_writer *w = &c->w;
    const struct {
        const char *name;
        bool granted;
    } rows[] = {{"dashboards:read", true},    {"dashboards:write", edit},    {"dashboards:create", edit},
                {"dashboards:delete", edit},  {"folders:read", true},        {"folders:create", edit},
                {"folders:write", edit},      {"datasources:query", true},   {"datasources:read", edit},
                {"datasources:write", admin}, {"datasources:create", admin}, {"users:read", admin}};
    json_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].granted) {
            json_key(w, rows[i].name);
            json_raw(w, STR("[\"*\"]"));
        }
    }
    json_object_end(w);
    call_send(c, 200);
}

static void empty_list(struct call *c)
{
    json_raw(&c->w, STR("[]"));
    call_send(c, 200);
}

static void empty_elements(struct call *c)
{
    json_raw(&c->w, STR("{\"result\":{\"totalCount\":0,\"elements\":[],\"page\":1,\"perPage\":100}}"));
    call_send(c, 200);
}

static void empty_teams(struct call *c)
{
    json_raw(&c->w, STR("{\"totalCount\":0,\"teams\":[],\"page\":1,\"perPage\":1000}"));
    call_send(c, 200);
}

CALL_ROUTE(plugins, ROLE_VIEWER)
CALL_ROUTE(frontend_settings, ROLE_VIEWER)
CALL_ROUTE(admin_settings, ROLE_ADMIN)
CALL_ROUTE(admin_stats, ROLE_ADMIN)
CALL_ROUTE(reload, ROLE_ADMIN)
CALL_ROUTE(permissions, ROLE_VIEWER)
CALL_ROUTE(empty_list, ROLE_VIEWER)
CALL_ROUTE(empty_elements, ROLE_VIEWER)
CALL_ROUTE(empty_teams, ROLE_VIEWER)

struct route_table routes_server(void)
{
    static const struct http_route rows[] = {
        {"GET", "/metrics", metrics, HTTP_NO_AUTH, 0, NULL},
        {"GET", "/api/frontend/settings", frontend_settings_route, 0, 0, NULL},
        {"GET", "/api/plugins", plugins_route, 0, 0, NULL},
        {"GET", "/api/admin/settings", admin_settings_route, 0, 0, NULL},
        {"GET", "/api/admin/stats", admin_stats_route, 0, 0, NULL},
        {"POST", "/api/admin/provisioning/dashboards/reload", reload_route, 0, 0, NULL},
        {"POST", "/api/admin/provisioning/datasources/reload", reload_route, 0, 0, NULL},
        {"GET", "/api/access-control/user/permissions", permissions_route, 0, 0, NULL},
        {"GET", "/api/playlists", empty_list_route, 0, 0, NULL},
        {"GET", "/api/dashboard/snapshots", empty_list_route, 0, 0, NULL},
        {"GET", "/api/library-elements", empty_elements_route, 0, 0, NULL},
        {"GET", "/api/teams/search", empty_teams_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
