/* Grafana's API as its clients meet it: a real server, real requests, a data source that is a server too. */
#include <stdio.h>
#include <string.h>

#include "api/grafana/grafana_api.h"
#include "certificate.h"
#include "codec/json.h"
#include "dashboards/data_sources.h"
#include "dashboards/users.h"
#include "disk/file.h"
#include "harness.h"
#include "net/web_config.h"

/* -- the stage ------------------------------------------------------------------------------------------- */

struct stage {
    struct db *db;
    struct clock clock;
    struct settings settings;
    struct grafana_api api;
    struct http_server *server, *source;
    char root[64], source_url[64];
    struct arena a;
};

/* Answers with what it was asked, as Prometheus would with a vector. */
static void source_query(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct buf b AUTO_BUF = {0};
    struct json_writer w = json_writer(&b);
    struct str auth = http_req_header(r, "Authorization");
    buf_c(&b,
          "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"query\":");
    json_str(&w, http_req_param(r, "query"));
    w = json_writer(&b);
    buf_c(&b, ",\"auth\":");
    json_str(&w, auth);
    buf_c(&b, "},\"value\":[1700000000.5,\"NaN\"]},{\"metric\":{},\"value\":[1700000000.5,\"2\"]}]}}");
    http_res_send_buf(r, 200, "application/json", &b);
}

static const struct http_route source_routes[] = {
    {"GET|POST", "/api/v1/query", source_query, HTTP_FORM, 0, NULL},
    {"POST", "/api/v1/admin/tsdb/delete_series", source_query, HTTP_FORM, 0, NULL},
};

static bool stage_open(struct stage *s, const char *name)
{
    char path[600];
    int64_t id;
    struct err_info info = {0};
    *s = (struct stage){.db = NULL};
    arena_init(&s->a, 0, NULL);
    clock_fake_init(&s->clock, INT64_C(1700000000) * NS_PER_S);
    settings_defaults(&s->settings);
    (void)snprintf(path, sizeof(path), "%s/%s.db", test_dir(), name);
    struct auth_user_new admin = {.login = STR("admin"),
                                  .email = STR("admin@localhost"),
                                  .name = STR("A"),
                                  .password = STR("secret"),
                                  .role = ROLE_ADMIN,
                                  .is_server_admin = true};
    struct auth_user_new viewer = {.login = STR("vera"),
                                   .email = STR("v@x"),
                                   .name = STR("V"),
                                   .password = STR("look"),
                                   .role = ROLE_VIEWER};
    struct http_server_options o = {.role = "dashboards", .listen_address = STR("127.0.0.1:0")};
    struct http_server_options so = {.role = "source", .listen_address = STR("127.0.0.1:0")};
    enum err e = db_open(path, &s->db, &info);
    e = e ? e : auth_user_create(s->db, 1, &admin, &id, &info);
    e = e ? e : auth_user_create(s->db, 1, &viewer, &id, &info);
    e = e ? e : auth_tries_new(&s->api.tries);
    e = e ? e : http_client_new("test", &s->api.client);
    e = e ? e : http_server_start(&o, &s->server, &info);
    e = e ? e : http_server_start(&so, &s->source, &info);
    s->api.db = s->db;
    s->api.clock = &s->clock;
    s->api.settings = &s->settings;
    s->api.cairn_version = STR("test");
    e = e ? e : grafana_api_routes(&s->api, s->server);
    e = e ? e : http_server_routes(s->source, source_routes, ARRAY_LEN(source_routes), NULL);
    if (!e) {
        (void)snprintf(s->root, sizeof(s->root), "http://127.0.0.1:%u", http_server_port(s->server));
        (void)snprintf(s->source_url, sizeof(s->source_url), "http://127.0.0.1:%u",
                       http_server_port(s->source));
    }
    return e == ERR_OK;
}

static void stage_close(struct stage *s)
{
    http_server_stop(s->server, 1000);
    http_server_stop(s->source, 1000);
    http_client_free(s->api.client);
    auth_tries_free(s->api.tries);
    db_close(s->db);
    arena_done(&s->a);
}

struct reply {
    int status;
    struct str body;
};

/* auth: "Basic ..." or "Bearer ..."; NULL = nobody. */
static struct reply ask(struct stage *s, const char *method, const char *path, const char *auth,
                        const char *body)
{
    struct http_header headers[] = {{STR("Authorization"), str_c(auth)},
                                    {STR("Content-Type"), STR("application/json")}};
    struct http_answer answer = {0};
    struct str url = arena_printf(&s->a, "%s%s", s->root, path);
    struct http_call call = {.method = str_c(method),
                             .url = url,
                             .headers = auth ? headers : headers + 1,
                             .header_count = auth ? 2 : 1,
                             .body = str_c(body),
                             .timeout_ms = 10000};
    struct reply r = {0};
    if (http_client_do(s->api.client, &call, &answer, NULL) == ERR_OK) {
        r.status = answer.status;
        r.body = arena_str(&s->a, buf_view(&answer.body));
        http_answer_done(&answer);
    }
    return r;
}

static bool says(struct reply r, const char *text)
{
    return str_find(r.body, str_c(text), 0) != STR_NPOS;
}

#define ADMIN "Basic YWRtaW46c2VjcmV0" /* admin:secret */
#define VIEWER "Basic dmVyYTpsb29r"    /* vera:look */
#define WRONG "Basic YWRtaW46d3Jvbmc=" /* admin:wrong */

static bool add_source(struct stage *s, bool with_password)
{
    struct str body = arena_printf(&s->a,
                                   "{\"name\":\"P\",\"uid\":\"p\",\"type\":\"prometheus\",\"url\":\"%s\","
                                   "\"access\":\"proxy\",\"basicAuth\":%s,\"basicAuthUser\":\"u\","
                                   "\"secureJsonData\":{\"basicAuthPassword\":\"w\"}}",
                                   s->source_url, with_password ? "true" : "false");
    return ask(s, "POST", "/api/datasources", ADMIN, body.p).status == 200;
}

/* -- cases ----------------------------------------------------------------------------------------------- */

TEST(only_who_signs_in_is_answered_and_only_as_far_as_the_role_reaches)
{
    struct stage s;
    CHECK(stage_open(&s, "roles"));
    CHECK_EQ(ask(&s, "GET", "/api/health", NULL, "").status, 200);
    CHECK_EQ(ask(&s, "GET", "/api/search", NULL, "").status, 401);
    CHECK_EQ(ask(&s, "GET", "/api/search", WRONG, "").status, 401);
    CHECK_EQ(ask(&s, "GET", "/api/search", VIEWER, "").status, 200);
    CHECK_EQ(ask(&s, "POST", "/api/dashboards/db", VIEWER, "{\"dashboard\":{\"title\":\"x\"}}").status, 403);
    CHECK_EQ(ask(&s, "GET", "/api/users", VIEWER, "").status, 403);
    CHECK_EQ(ask(&s, "GET", "/api/users", ADMIN, "").status, 200);
    CHECK(says(ask(&s, "GET", "/api/user", VIEWER, ""), "\"orgRole\":\"Viewer\""));
    stage_close(&s);
}

TEST(a_save_answers_as_grafana_does_conflicts_included)
{
    struct stage s;
    CHECK(stage_open(&s, "save"));
    struct reply r =
        ask(&s, "POST", "/api/dashboards/db", ADMIN, "{\"dashboard\":{\"uid\":\"d\",\"title\":\"One Two\"}}");
    CHECK_EQ(r.status, 200);
    CHECK(says(r, "\"uid\":\"d\"") && says(r, "\"url\":\"/d/d/one-two\"") && says(r, "\"version\":1"));
    r = ask(&s, "POST", "/api/dashboards/db", ADMIN,
            "{\"dashboard\":{\"uid\":\"d\",\"title\":\"One\",\"version\":7}}");
    CHECK_EQ(r.status, 412);
    CHECK(says(r, "version-mismatch"));
    CHECK_EQ(ask(&s, "POST", "/api/dashboards/db", ADMIN, "{\"dashboard\":").status, 400);
    r = ask(&s, "GET", "/api/dashboards/uid/d", VIEWER, "");
    CHECK(says(r, "\"title\":\"One Two\"") && says(r, "\"canSave\":false"));
    CHECK_EQ(ask(&s, "POST", "/api/user/stars/dashboard/uid/d", VIEWER, "").status, 200);
    CHECK(says(ask(&s, "GET", "/api/search", VIEWER, ""), "\"isStarred\":true"));
    CHECK(says(ask(&s, "GET", "/api/search", ADMIN, ""), "\"isStarred\":false"));
    CHECK_EQ(ask(&s, "DELETE", "/api/dashboards/uid/d", ADMIN, "").status, 200);
    CHECK_EQ(ask(&s, "GET", "/api/dashboards/uid/d", ADMIN, "").status, 404);
    stage_close(&s);
}

TEST(a_service_accounts_token_opens_the_api_until_it_is_deleted)
{
    struct stage s;
    CHECK(stage_open(&s, "tokens"));
    CHECK_EQ(ask(&s, "POST", "/api/serviceaccounts", ADMIN, "{\"name\":\"ci\",\"role\":\"Editor\"}").status,
             201);
    struct reply r = ask(&s, "POST", "/api/serviceaccounts/1/tokens", ADMIN, "{\"name\":\"t\"}");
    CHECK_EQ(r.status, 200);
    size_t at = str_find(r.body, STR("glsa_"), 0);
    CHECK(at != STR_NPOS);
    struct str token = str_slice(r.body, at, str_find_char(r.body, '"', at));
    struct str bearer = arena_printf(&s.a, "Bearer %.*s", STR_FMT(token));
    CHECK_EQ(ask(&s, "POST", "/api/folders", bearer.p, "{\"title\":\"F\"}").status, 200);
    CHECK_EQ(ask(&s, "GET", "/api/users", bearer.p, "").status, 403);
    CHECK(says(ask(&s, "GET", "/api/serviceaccounts/search", ADMIN, ""), "\"tokens\":1"));
    CHECK_EQ(ask(&s, "DELETE", "/api/serviceaccounts/1/tokens/1", ADMIN, "").status, 200);
    CHECK_EQ(ask(&s, "GET", "/api/search", bearer.p, "").status, 401);
    stage_close(&s);
}

TEST(the_proxy_passes_questions_on_with_the_sources_password_and_nothing_else)
{
    struct stage s;
    CHECK(stage_open(&s, "proxy"));
    CHECK(add_source(&s, true));
    struct reply r = ask(&s, "GET", "/api/datasources/proxy/uid/p/api/v1/query?query=a%2Bb", VIEWER, "");
    CHECK_EQ(r.status, 200);
    CHECK(says(r, "\"query\":\"a+b\"") && says(r, "\"auth\":\"Basic dTp3\""));
    CHECK_EQ(ask(&s, "GET", "/api/datasources/proxy/1/api/v1/query?query=up", VIEWER, "").status, 200);
    CHECK_EQ(
        ask(&s, "POST", "/api/datasources/proxy/uid/p/api/v1/admin/tsdb/delete_series", VIEWER, "").status,
        403);
    CHECK_EQ(
        ask(&s, "POST", "/api/datasources/proxy/uid/p/api/v1/%61dmin/tsdb/delete_series", VIEWER, "").status,
        403);
    CHECK_EQ(ask(&s, "GET", "/api/datasources/proxy/uid/none/api/v1/query", VIEWER, "").status, 404);
    CHECK(says(ask(&s, "GET", "/api/datasources", ADMIN, ""),
               "\"secureJsonFields\":{\"basicAuthPassword\":true}"));
    CHECK(!add_source(&s, true));
    /* a change that does not name the password keeps it */
    struct str body =
        arena_printf(&s.a,
                     "{\"name\":\"Q\",\"type\":\"prometheus\",\"url\":\"%s\",\"basicAuth\":true,"
                     "\"basicAuthUser\":\"u\"}",
                     s.source_url);
    CHECK_EQ(ask(&s, "PUT", "/api/datasources/uid/p", ADMIN, body.p).status, 200);
    CHECK(
        says(ask(&s, "GET", "/api/datasources/proxy/uid/p/api/v1/query?query=up", VIEWER, ""), "Basic dTp3"));
    r = ask(&s, "GET", "/api/datasources/uid/p/health", VIEWER, "");
    CHECK(r.status == 200 && says(r, "\"status\":\"OK\""));
    stage_close(&s);
}

/* The file as a JSON string. */
static struct str pem(struct stage *s, const char *dir, const char *name)
{
    char path[600];
    struct buf text AUTO_BUF = {0}, quoted AUTO_BUF = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (file_load(path, &text, NULL) == ERR_OK) {
        json_quote(&quoted, buf_view(&text));
    }
    return arena_str(&s->a, buf_view(&quoted));
}

static int ask_over_tls(struct stage *s, const char *settings, const char *secrets)
{
    struct str body = arena_printf(&s->a,
                                   "{\"name\":\"T\",\"uid\":\"t\",\"type\":\"prometheus\",\"url\":\"%s\","
                                   "\"access\":\"proxy\",\"jsonData\":%s,\"secureJsonData\":%s}",
                                   s->source_url, settings, secrets);
    (void)ask(s, "DELETE", "/api/datasources/uid/t", ADMIN, "");
    return ask(s, "POST", "/api/datasources", ADMIN, body.p).status == 200
               ? ask(s, "GET", "/api/datasources/proxy/uid/t/api/v1/query?query=up", VIEWER, "").status
               : 0;
}

TEST(a_source_is_shown_a_certificate_and_shows_one)
{
    struct stage s;
    struct err_info info = {0};
    struct web_config *web = NULL;
    struct http_server *plain;
    const char *dir = test_dir();
    char path[600];
    static const char yaml[] =
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: "
        "client.crt, client_auth_type: RequireAndVerifyClientCert}\n";
    CHECK(stage_open(&s, "tls"));
    CHECK(certificate_make(dir, "server", "server.example") &&
          certificate_make(dir, "client", "client.example") &&
          certificate_file(dir, "web.yml", yaml, sizeof(yaml) - 1));
    (void)snprintf(path, sizeof(path), "%s/web.yml", dir);
    CHECK_OK(web_config_load(path, &web, &info));
    struct http_server_options o = {.role = "source", .listen_address = STR("127.0.0.1:0"), .web = web};
    plain = s.source;
    CHECK_OK(http_server_start(&o, &s.source, &info));
    CHECK_OK(http_server_routes(s.source, source_routes, ARRAY_LEN(source_routes), NULL));
    (void)snprintf(s.source_url, sizeof(s.source_url), "https://127.0.0.1:%u", http_server_port(s.source));
    struct str ca = arena_printf(&s.a, "{\"tlsCACert\":%s}", pem(&s, dir, "server.crt").p);
    struct str all = arena_printf(&s.a, "{\"tlsCACert\":%s,\"tlsClientCert\":%s,\"tlsClientKey\":%s}",
                                  pem(&s, dir, "server.crt").p, pem(&s, dir, "client.crt").p,
                                  pem(&s, dir, "client.key").p);
    CHECK_EQ(ask_over_tls(&s, "{}", "{}"), 502); /* an unknown authority */
    CHECK_EQ(ask_over_tls(&s, "{\"tlsAuthWithCACert\":true}", ca.p), 403);
    CHECK_EQ(ask_over_tls(&s, "{\"tlsAuthWithCACert\":true,\"tlsAuth\":true}", all.p), 200);
    CHECK_EQ(ask_over_tls(&s, "{\"tlsSkipVerify\":true,\"tlsAuth\":true}", all.p), 200);
    CHECK_EQ(ask_over_tls(&s, "{\"tlsSkipVerify\":true}", all.p), 403);
    CHECK_EQ(ask_over_tls(&s,
                          "{\"tlsAuthWithCACert\":true,\"tlsAuth\":true,\"serverName\":\"server.example\"}",
                          all.p),
             200);
    CHECK_EQ(ask_over_tls(
                 &s, "{\"tlsAuthWithCACert\":true,\"tlsAuth\":true,\"serverName\":\"other.example\"}", all.p),
             502);
    http_server_stop(plain, 1000);
    stage_close(&s);
    web_config_free(web);
}

TEST(a_source_that_runs_in_this_process_is_asked_without_a_socket)
{
    struct stage s;
    CHECK(stage_open(&s, "local"));
    CHECK(add_source(&s, false));
    s.api.local[0] = (struct grafana_local_source){str_c(s.source_url), s.source};
    struct reply r = ask(&s, "GET", "/api/datasources/proxy/uid/p/api/v1/query?query=up", VIEWER, "");
    CHECK_EQ(r.status, 200);
    CHECK(says(r, "\"query\":\"up\""));
    CHECK_EQ(ask(&s, "GET", "/api/datasources/proxy/uid/p/api/v1/nothing", VIEWER, "").status, 404);
    stage_close(&s);
}

TEST(queries_come_back_as_data_frames)
{
    struct stage s;
    CHECK(stage_open(&s, "frames"));
    CHECK(add_source(&s, false));
    struct reply r =
        ask(&s, "POST", "/api/ds/query", VIEWER,
            "{\"from\":\"now-1h\",\"to\":\"now\",\"queries\":[{\"refId\":\"A\",\"datasource\":{\"uid\":"
            "\"p\"},\"expr\":\"rate(x[$__rate_interval])\",\"instant\":true,\"intervalMs\":15000}]}");
    CHECK_EQ(r.status, 200);
    CHECK(says(r, "rate(x[1m])"));
    CHECK(says(r, "\"values\":[[1700000000500],[null]],\"entities\":[null,{\"NaN\":[0],"));
    CHECK(says(r, "\"values\":[[1700000000500],[2]]"));
    r = ask(&s, "POST", "/api/ds/query", VIEWER,
            "{\"from\":\"1\",\"to\":\"2\",\"queries\":[{\"refId\":\"A\",\"datasource\":{\"uid\":\"p\"},"
            "\"expr\":\"x\","
            "\"instant\":true},{\"refId\":\"B\",\"datasource\":{\"uid\":\"gone\"},\"expr\":\"x\"}]}");
    CHECK_EQ(r.status, 207);
    CHECK(says(r, "\"B\":{\"status\":404,\"error\":\"Data source not found\""));
    CHECK_EQ(
        ask(&s, "POST", "/api/ds/query", VIEWER, "{\"from\":\"x\",\"to\":\"now\",\"queries\":[{}]}").status,
        400);
    stage_close(&s);
}

TEST(the_last_administrator_stays)
{
    struct stage s;
    CHECK(stage_open(&s, "admins"));
    CHECK_EQ(ask(&s, "DELETE", "/api/admin/users/1", ADMIN, "").status, 412);
    CHECK_EQ(ask(&s, "POST", "/api/admin/users/1/disable", ADMIN, "").status, 412);
    CHECK_EQ(ask(&s, "PUT", "/api/admin/users/2/permissions", ADMIN, "{\"isGrafanaAdmin\":true}").status,
             200);
    CHECK_EQ(ask(&s, "DELETE", "/api/admin/users/1", ADMIN, "").status, 200);
    CHECK_EQ(ask(&s, "GET", "/api/user", ADMIN, "").status, 401);
    CHECK_EQ(ask(&s, "GET", "/api/users", VIEWER, "").status, 200);
    stage_close(&s);
}
