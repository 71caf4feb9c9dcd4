/* The way to a data source: its proxy, its resources, its health. In one process a request goes to the role's
 * own routes without a socket; otherwise over HTTP with the source's credentials. */
#include "api/grafana/source_int.h"

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
    struct source_request q = {.method = http_req_method(c->r),
                               .path = path,
                               .query = http_req_query(c->r),
                               .body = http_req_body(c->r),
                               .content_type = http_req_header(c->r, "Content-Type"),
                               .encoding_flags = http_req_header(c->r, "X-Loki-Response-Encoding-Flags")};
    struct http_answer answer = {0};
    enum err e = source_ask(c, ds, &q, &answer);
    if (e) {
        call_message(c, e == ERR_TIMEOUT ? 504 : 502, "data source %.*s: %s", STR_FMT(ds->name),
                     c->info.message[0] ? c->info.message : err_text(e));
        return;
    }
    struct str type = arena_str(c->a, answer.content_type);
    http_res_send_buf(c->r, answer.status, type.p && type.n ? type.p : "application/json", &answer.body);
    http_answer_done(&answer);
}

/* The part of the request's path after `segments` segments, as it was sent. */
static struct str raw_rest(const struct call *c, unsigned segments)
{
    struct str raw = http_req_raw_path(c->r);
    size_t at = 0;
    for (unsigned i = 0; i < segments && at != STR_NPOS; i++) {
        at = str_find_char(raw, '/', at + 1);
    }
    return at == STR_NPOS ? STR("/") : str_slice(raw, at, raw.n);
}

static bool is_one_of(struct str path, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_starts(path, str_c(list[i]))) {
            return true;
        }
    }
    return false;
}

/* A viewer may ask questions, not change the source. `path` is decoded. */
static bool may_pass(const struct call *c, struct str path)
{
    static const char *const changes[] = {"/api/v1/admin", "/api/v1/write",     "/api/v1/otlp",
                                          "/-/",           "/loki/api/v1/push", "/loki/api/v1/delete",
                                          "/flush",        "/ingester"};
    static const char *const questions[] = {"/api/v1/", "/loki/api/v1/"};
    if (str_find(path, STR(".."), 0) != STR_NPOS) {
        return false;
    }
    if (c->who.role < ROLE_ADMIN && is_one_of(path, changes, ARRAY_LEN(changes))) {
        return false;
    }
    return str_eq_c(http_req_method(c->r), "GET") || is_one_of(path, questions, ARRAY_LEN(questions));
}

static void pass_on(struct call *c, struct str prefix, unsigned segments)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    struct str decoded =
        arena_printf(c->a, "%.*s/%.*s", STR_FMT(prefix), STR_FMT(http_req_capture(c->r, "rest")));
    struct str path = arena_printf(c->a, "%.*s%.*s", STR_FMT(prefix), STR_FMT(raw_rest(c, segments)));
    if (!decoded.p || !path.p) {
        call_error(c, arena_err(c->a));
        return;
    }
    if (!may_pass(c, decoded)) {
        call_message(c, 403, "the proxy does not pass on %.*s %.*s for a %s", STR_FMT(http_req_method(c->r)),
                     STR_FMT(decoded), auth_role_name(c->who.role));
        return;
    }
    struct http_server *local = local_server(c->api, ds.url);
    if (local) {
        http_forward(c->r, local, path, http_req_query(c->r));
    } else {
        forward_remote(c, &ds, path);
    }
}

static void proxy_uid(struct call *c)
{
    pass_on(c, STR(""), 5); /* /api/datasources/proxy/uid/KEY */
}

static void proxy_id(struct call *c)
{
    pass_on(c, STR(""), 4); /* /api/datasources/proxy/KEY */
}

/* Grafana's back end has paths of its own below "resources": Prometheus' are the API's, Loki's leave out the
 * prefix. */
static void resources(struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    bool short_path = str_eq_c(ds.type, "loki") && !str_starts(http_req_capture(c->r, "rest"), STR("loki/"));
    pass_on(c, short_path ? STR("/loki/api/v1") : STR(""), 5); /* /api/datasources/uid/KEY/resources */
}

static void health_answer(struct call *c, bool good, const char *text)
{
    json_object_begin(&c->w);
    json_key(&c->w, "message");
    json_str(&c->w, str_c(text));
    json_key(&c->w, "status");
    json_str(&c->w, good ? STR("OK") : STR("ERROR"));
    json_object_end(&c->w);
    call_send(c, good ? 200 : 400);
}

static void health(struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    bool loki = str_eq_c(ds.type, "loki");
    struct source_request q = {.path = loki ? STR("/loki/api/v1/labels") : STR("/api/v1/query"),
                               .query = loki ? STR("") : STR("query=1%2B1")};
    struct http_answer answer = {0};
    char text[640];
    e = source_ask(c, &ds, &q, &answer);
    if (e) {
        (void)err_render(&c->info, text, sizeof(text));
        health_answer(c, false, text);
        return;
    }
    bool good = answer.status == 200;
    if (!good) {
        struct str why = str_trim(buf_view(&answer.body));
        struct str shown = arena_printf(c->a, "%.*s answered %d: %.*s", STR_FMT(ds.url), answer.status,
                                        (int)(why.n < 300 ? why.n : 300), why.p ? why.p : "");
        health_answer(c, false, shown.p ? shown.p : "the source answered with an error");
    } else {
        health_answer(c, true,
                      loki ? "Data source successfully connected."
                           : "Successfully queried the Prometheus API.");
    }
    http_answer_done(&answer);
}

CALL_ROUTE(proxy_uid, ROLE_VIEWER)
CALL_ROUTE(proxy_id, ROLE_VIEWER)
CALL_ROUTE(resources, ROLE_VIEWER)
CALL_ROUTE(health, ROLE_VIEWER)

struct route_table routes_proxy(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/api/datasources/proxy/uid/{key}/{rest...}", proxy_uid_route, HTTP_FORM, BODY_BYTES_MAX,
         "proxy"},
        {"GET|POST", "/api/datasources/proxy/{key}/{rest...}", proxy_id_route, HTTP_FORM, BODY_BYTES_MAX,
         "proxy"},
        {"GET|POST", "/api/datasources/uid/{key}/resources/{rest...}", resources_route, HTTP_FORM,
         BODY_BYTES_MAX, "resources"},
        {"GET", "/api/datasources/uid/{key}/health", health_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
