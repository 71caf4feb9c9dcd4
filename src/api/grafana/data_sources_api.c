/* Data sources, and the proxy through which panels ask them. */
#include "api/grafana/call_int.h"
#include "base/mem.h"
#include "dashboards/data_sources.h"

static void source_object(struct call *c, const struct data_source *ds)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "id");
    json_i64(w, ds->id);
    json_key(w, "uid");
    json_str(w, ds->uid);
    json_key(w, "orgId");
    json_i64(w, 1);
    json_key(w, "name");
    json_str(w, ds->name);
    json_key(w, "type");
    json_str(w, ds->type);
    json_key(w, "typeName");
    json_str(w, str_eq_c(ds->type, "loki") ? STR("Loki") : STR("Prometheus"));
    json_key(w, "access");
    json_str(w, ds->access);
    json_key(w, "url");
    json_str(w, ds->url);
    json_key(w, "user");
    json_str(w, STR(""));
    json_key(w, "database");
    json_str(w, STR(""));
    json_key(w, "basicAuth");
    json_bool(w, ds->basic_auth);
    json_key(w, "basicAuthUser");
    json_str(w, ds->basic_auth_user);
    json_key(w, "isDefault");
    json_bool(w, ds->is_default);
    json_key(w, "jsonData");
    json_raw(w, ds->json_data);
    json_key(w, "readOnly");
    json_bool(w, ds->read_only);
    json_key(w, "version");
    json_i64(w, ds->version);
    json_object_end(w);
}

enum err call_data_sources(struct call *c)
{
    struct data_source *rows = NULL;
    size_t n = 0;
    enum err e = data_source_list(c->api->db, c->a, &rows, &n, &c->info);
    if (e) {
        return e;
    }
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        source_object(c, &rows[i]);
    }
    json_array_end(&c->w);
    return ERR_OK;
}

static void list(struct call *c)
{
    enum err e = call_data_sources(c);
    if (e) {
        call_error(c, e);
        return;
    }
    call_send(c, 200);
}

static void get(struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    source_object(c, &ds);
    call_send(c, 200);
}

/* The members of a request body; json objects as their raw text. */
static struct data_source from_body(const struct json_value *body)
{
    const struct json_value *json_data = json_get(body, STR("jsonData"));
    const struct json_value *secrets = json_get(body, STR("secureJsonData"));
    return (struct data_source){
        .uid = member_str(body, "uid"),
        .name = member_str(body, "name"),
        .type = member_str(body, "type"),
        .url = member_str(body, "url"),
        .access = member_str(body, "access"),
        .is_default = member_bool(body, "isDefault"),
        .basic_auth = member_bool(body, "basicAuth"),
        .basic_auth_user = member_str(body, "basicAuthUser"),
        .json_data = json_data && json_data->kind == JSON_OBJECT ? json_data->raw : STR("{}"),
        .secrets = secrets && secrets->kind == JSON_OBJECT ? secrets->raw : STR("{}"),
    };
}

static void put(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    struct data_source ds = from_body(body), stored;
    struct str uid = http_req_capture(c->r, "key");
    enum err e = ERR_OK;
    if (uid.n) {
        e = data_source_get(c->api->db, uid, c->a, &stored, &c->info);
        ds.uid = e == ERR_OK ? stored.uid : ds.uid;
        if (e == ERR_OK && stored.read_only) {
            call_message(c, 403, "Cannot update read-only data source");
            return;
        }
    }
    e = e == ERR_OK ? data_source_put(c->api->db, &ds, c->a, &stored, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "datasource");
    source_object(c, &stored);
    json_key(&c->w, "id");
    json_i64(&c->w, stored.id);
    json_key(&c->w, "message");
    json_str(&c->w, uid.n ? STR("Datasource updated") : STR("Datasource added"));
    json_key(&c->w, "name");
    json_str(&c->w, stored.name);
    json_object_end(&c->w);
    call_send(c, 200);
}

static void delete (struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (e == ERR_OK && ds.read_only) {
        call_message(c, 403, "Cannot delete read-only data source");
        return;
    }
    e = e == ERR_OK ? data_source_delete(c->api->db, ds.uid, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    call_message(c, 200, "Data source deleted");
}

/* -- proxy
 * -------------------------------------------------------------------------------------------------------- */

static struct http_server *local_server(const struct grafana_api *api, struct str url)
{
    for (size_t i = 0; i < GRAFANA_LOCAL_SOURCES_MAX && api->local[i].server; i++) {
        if (str_eq(api->local[i].url, url)) {
            return api->local[i].server;
        }
    }
    return NULL;
}

static void forward_remote(struct call *c, const struct data_source *ds, struct str path)
{
    struct str query = http_req_query(c->r);
    bool slash = str_ends(ds->url, STR("/"));
    struct str url = arena_printf(c->a, "%.*s%.*s%s%.*s", (int)(ds->url.n - (slash ? 1 : 0)), ds->url.p,
                                  STR_FMT(path), query.n ? "?" : "", STR_FMT(query));
    struct http_header headers[2];
    size_t n = 0;
    struct str type = http_req_header(c->r, "Content-Type");
    if (type.n) {
        headers[n++] = (struct http_header){STR("Content-Type"), type};
    }
    struct http_call call = {.method = http_req_method(c->r),
                             .url = url,
                             .headers = headers,
                             .header_count = n,
                             .body = http_req_body(c->r),
                             .accept_compressed = true};
    struct http_answer answer = {0};
    enum err e = url.p ? http_client_do(c->api->client, &call, &answer, &c->info) : arena_err(c->a);
    if (e != ERR_OK) {
        call_message(c, 502, "data source %.*s: %s", STR_FMT(ds->name), c->info.message);
        return;
    }
    struct str content_type = arena_str(c->a, answer.content_type);
    http_res_send_buf(c->r, answer.status, content_type.p ? content_type.p : "application/json",
                      &answer.body);
    http_answer_done(&answer);
}

static void proxy(struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    struct str path = arena_printf(c->a, "/%.*s", STR_FMT(http_req_capture(c->r, "rest")));
    if (!path.p) {
        call_error(c, arena_err(c->a));
        return;
    }
    /* A viewer may ask questions, not change the source: only the query endpoints are open. */
    bool query = str_starts(path, STR("/api/v1/")) || str_starts(path, STR("/loki/api/v1/"));
    bool harmful = str_starts(path, STR("/api/v1/admin")) || str_starts(path, STR("/api/v1/write")) ||
                   str_starts(path, STR("/loki/api/v1/push")) || str_starts(path, STR("/loki/api/v1/delete"));
    if (!query || (harmful && c->who.role < ROLE_ADMIN)) {
        call_message(c, 403, "the proxy does not pass on %.*s", STR_FMT(path));
        return;
    }
    struct http_server *local = local_server(c->api, ds.url);
    if (local) {
        http_forward(c->r, local, path, http_req_query(c->r));
    } else {
        forward_remote(c, &ds, path);
    }
}

CALL_ROUTE(list, ROLE_VIEWER)
CALL_ROUTE(get, ROLE_VIEWER)
CALL_ROUTE(put, ROLE_ADMIN)
CALL_ROUTE(delete, ROLE_ADMIN)
CALL_ROUTE(proxy, ROLE_VIEWER)

struct route_table routes_data_sources(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/datasources", list_route, 0, 0, NULL},
        {"POST", "/api/datasources", put_route, 0, 0, NULL},
        {"GET", "/api/datasources/{key}", get_route, 0, 0, NULL},
        {"PUT", "/api/datasources/{key}", put_route, 0, 0, NULL},
        {"DELETE", "/api/datasources/{key}", delete_route, 0, 0, NULL},
        {"GET", "/api/datasources/uid/{key}", get_route, 0, 0, NULL},
        {"PUT", "/api/datasources/uid/{key}", put_route, 0, 0, NULL},
        {"DELETE", "/api/datasources/uid/{key}", delete_route, 0, 0, NULL},
        {"GET", "/api/datasources/name/{key}", get_route, 0, 0, NULL},
        {"DELETE", "/api/datasources/name/{key}", delete_route, 0, 0, NULL},
        {"GET|POST", "/api/datasources/proxy/uid/{key}/{rest...}", proxy_route, HTTP_FORM, BODY_BYTES_MAX,
         "proxy"},
        {"GET|POST", "/api/datasources/proxy/{key}/{rest...}", proxy_route, HTTP_FORM, BODY_BYTES_MAX,
         "proxy"},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
