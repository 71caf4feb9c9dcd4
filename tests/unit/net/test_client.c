/* The client against the server: what callers rely on. */
#include <stdio.h>
#include <unistd.h>

#include "../harness.h"
#include "base/arena.h"
#include "base/thread.h"
#include "net/http_client.h"
#include "net/http_config.h"
#include "net/http_server.h"
#include "wire.h"

static void echo(void *ctx, struct http_req *r)
{
    (void)ctx;
    static const char *const shown[] = {"Authorization", "X-Team", "Content-Type", "Expect"};
    struct buf b = {0};
    buf_printf(&b, "%.*s %.*s {", STR_FMT(http_req_method(r)), STR_FMT(http_req_path(r)));
    buf_str(&b, http_req_body(r));
    buf_char(&b, '}');
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        struct str value = http_req_header(r, shown[i]);
        if (value.p) {
            buf_printf(&b, " %s=%.*s", shown[i], STR_FMT(value));
        }
    }
    http_res_send_buf(r, 200, "text/plain", &b);
}

static void large(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct buf b = {0};
    for (int i = 0; i < 10000; i++) {
        buf_c(&b, "0123456789");
    }
    http_res_send_buf(r, 200, "text/plain", &b);
}

static void moved(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_header(r, "Location", STR("/echo"));
    http_res_send_static(r, 302, "text/plain", STR("moved"));
}

/* Answers when its client has gone. */
static void never(void *ctx, struct http_req *r)
{
    (void)ctx;
    while (!atomic_load(http_req_canceled(r))) {
        (void)usleep(2000);
    }
    http_res_send(r, 500, "text/plain", STR("gone"));
}

static const struct http_route routes[] = {{"GET|POST|PUT", "/echo", echo, HTTP_INLINE, 0, NULL},
                                           {"GET", "/large", large, HTTP_INLINE, 0, NULL},
                                           {"GET", "/moved", moved, HTTP_INLINE, 0, NULL},
                                           {"GET", "/never", never, 0, 0, NULL}};

struct world {
    struct http_server *server;
    struct http_client *client;
    struct http_answer answer;
    struct err_info info;
    char url[128];
};

static bool world_open(struct world *w)
{
    struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0")};
    *w = (struct world){0};
    return http_server_start(&o, &w->server, &w->info) == ERR_OK &&
           http_server_routes(w->server, routes, ARRAY_LEN(routes), NULL) == ERR_OK &&
           http_client_new("test", &w->client) == ERR_OK;
}

static void world_close(struct world *w)
{
    http_answer_done(&w->answer);
    http_client_free(w->client);
    http_server_stop(w->server, 100);
}

static enum err ask(struct world *w, const char *path, struct http_call call)
{
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u%s", http_server_port(w->server), path);
    call.url = str_c(w->url);
    http_answer_done(&w->answer);
    w->info = (struct err_info){0};
    return http_client_do(w->client, &call, &w->answer, &w->info);
}

TEST(methods_bodies_and_headers)
{
    struct world w;
    CHECK(world_open(&w));
    struct http_header header = {STR("X-Team"), STR("")};
    CHECK_OK(ask(&w, "/echo", (struct http_call){.headers = &header, .header_count = 1}));
    CHECK_EQ(w.answer.status, 200);
    CHECK_STR(buf_view(&w.answer.body), "GET /echo {} X-Team=");
    CHECK_STR(w.answer.content_type, "text/plain");
    CHECK_STR(http_answer_header(&w.answer, "content-LENGTH"), "20");
    CHECK_OK(ask(&w, "/echo", (struct http_call){.method = STR("POST"), .body = STR("a\0b")}));
    CHECK(str_eq(buf_view(&w.answer.body), STR("POST /echo {a\0b}")));
    CHECK_OK(ask(&w, "/echo", (struct http_call){.method = STR("PUT"), .body = STR("x")}));
    CHECK_STR(buf_view(&w.answer.body), "PUT /echo {x}");
    CHECK_OK(ask(&w, "/echo", (struct http_call){.method = STR("HEAD")}));
    CHECK_EQ(w.answer.status, 200);
    CHECK_EQ(w.answer.body.n, 0);
    CHECK_OK(ask(&w, "/moved", (struct http_call){0}));
    CHECK_EQ(w.answer.status, 302);
    CHECK_OK(ask(&w, "/moved", (struct http_call){.follow_redirects = true}));
    CHECK_STR(buf_view(&w.answer.body), "GET /echo {}");
    header.value = STR("a\r\nEvil: b");
    CHECK_EQ(ask(&w, "/echo", (struct http_call){.headers = &header, .header_count = 1}), ERR_INVALID);
    world_close(&w);
}

TEST(failures_have_their_kind)
{
    struct world w;
    CHECK(world_open(&w));
    CHECK_EQ(ask(&w, "/large", (struct http_call){.response_bytes_max = 99999}), ERR_LIMIT);
    CHECK_STR(str_c(w.info.message), "the response is larger than 99999 bytes");
    CHECK_OK(ask(&w, "/large", (struct http_call){.response_bytes_max = 100000}));
    CHECK_EQ(ask(&w, "/never", (struct http_call){.timeout_ms = 50}), ERR_TIMEOUT);
    CHECK_EQ(
        http_client_do(w.client, &(struct http_call){.url = STR("file:///etc/passwd")}, &w.answer, &w.info),
        ERR_INVALID);
    CHECK_EQ(http_client_do(w.client, &(struct http_call){.url = STR("http://[")}, &w.answer, &w.info),
             ERR_INVALID);
    unsigned port = http_server_port(w.server);
    http_server_stop(w.server, 0);
    w.server = NULL;
    (void)snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%u/", port);
    CHECK_EQ(http_client_do(w.client, &(struct http_call){.url = str_c(w.url)}, &w.answer, &w.info),
             ERR_UNAVAILABLE);
    CHECK(str_find(str_c(w.info.message), STR("127.0.0.1 port"), 0) != STR_NPOS);
    world_close(&w);
}

struct tally {
    struct mutex lock;
    struct cond changed;
    unsigned ok, canceled, other;
};

static void counted(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info)
{
    struct tally *t = ctx;
    (void)info;
    mutex_lock(&t->lock);
    t->ok += e == ERR_OK && answer->status == 200;
    t->canceled += e == ERR_CANCELED;
    t->other += e != ERR_OK && e != ERR_CANCELED;
    cond_signal(&t->changed);
    mutex_unlock(&t->lock);
}

TEST(many_calls_at_once_and_an_early_end)
{
    struct world w;
    struct tally t = {0};
    mutex_init(&t.lock);
    cond_init(&t.changed);
    CHECK(world_open(&w));
    (void)snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%u/echo", http_server_port(w.server));
    for (int i = 0; i < 50; i++) {
        char body[] = "copied"; /* gone before the call is made */
        struct http_call call = {.method = STR("POST"), .url = str_c(w.url), .body = str_c(body)};
        CHECK_OK(http_client_start(w.client, &call, counted, &t, &w.info));
        memset(body, 'x', sizeof(body));
    }
    mutex_lock(&t.lock);
    while (t.ok < 50 && t.other == 0) {
        cond_wait(&t.changed, &t.lock);
    }
    mutex_unlock(&t.lock);
    CHECK_EQ(t.ok, 50);
    (void)snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%u/never", http_server_port(w.server));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(http_client_start(w.client, &(struct http_call){.url = str_c(w.url)}, counted, &t, &w.info));
    }
    http_client_free(w.client);
    w.client = NULL;
    CHECK_EQ(t.canceled, 3);
    world_close(&w);
}

/* -- http_client_config ---------------------------------------------------------------------------------- */

static const char *folder(void)
{
    static const char *dir;
    dir = dir ? dir : test_dir();
    return dir;
}

static struct http_client_config *config_of(struct world *w, const char *yaml)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root = NULL;
    char file[256];
    struct http_client_config *c = NULL;
    (void)snprintf(file, sizeof(file), "%s/cairn.yml", folder());
    w->info = (struct err_info){0};
    if (yaml_parse(&a, str_c(yaml), file, &root, &w->info) == ERR_OK) {
        (void)!http_config_parse(root, &c, &w->info);
    }
    return c;
}

static bool file_write(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder(), name);
    FILE *f = fopen(path, "w");
    bool ok = f && fputs(text, f) >= 0;
    return f && fclose(f) == 0 && ok;
}

TEST(credentials_of_the_configuration_are_sent)
{
    struct world w;
    CHECK(world_open(&w));
    struct http_client_config *c =
        config_of(&w, "basic_auth: {username: aladdin, password: 'open sesame'}\nscrape_interval: 15s\n");
    CHECK(c != NULL);
    CHECK_OK(ask(&w, "/echo", (struct http_call){.config = c}));
    CHECK_STR(buf_view(&w.answer.body), "GET /echo {} Authorization=Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    http_config_free(c);
    CHECK(file_write("token", "s3cret\n"));
    c = config_of(&w, "authorization: {credentials_file: token}\nhttp_headers: {X-Team: {values: [a]}}\n");
    CHECK(c != NULL);
    CHECK_OK(ask(&w, "/echo", (struct http_call){.config = c}));
    CHECK_STR(buf_view(&w.answer.body), "GET /echo {} Authorization=Bearer s3cret X-Team=a");
    CHECK(file_write("token", "changed\n")); /* read anew at every call */
    CHECK_OK(ask(&w, "/moved", (struct http_call){.config = c}));
    CHECK_STR(buf_view(&w.answer.body), "GET /echo {} Authorization=Bearer changed X-Team=a");
    http_config_free(c);
    c = config_of(&w, "bearer_token_file: absent\nfollow_redirects: false\n");
    CHECK_EQ(ask(&w, "/echo", (struct http_call){.config = c}), ERR_NOT_FOUND);
    http_config_free(c);
    world_close(&w);
}

TEST(configuration_mistakes_are_named)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"bearer_token: a\nbearer_token_file: b",
         "at most one of bearer_token & bearer_token_file must be configured"},
        {"basic_auth: {password: a, password_file: b}",
         "at most one of basic_auth password & password_file must be configured"},
        {"basic_auth: {username: a}\nauthorization: {credentials: b}",
         "at most one of basic_auth, oauth2 & authorization must be configured"},
        {"authorization: {type: Basic}",
         "authorization type cannot be set to \"basic\", use \"basic_auth\" instead"},
        {"tls_config: {min_version: SSL3}", "unknown TLS version: SSL3"},
        {"tls_config: {cert_file: a}",
         "exactly one of key or key_file must be configured when a client certificate is configured"},
        {"no_proxy: x", "if no_proxy is configured, proxy_url must also be configured"},
        {"http_headers: {Authorization: {values: [x]}}", "setting header \"Authorization\" is not allowed"},
        {"oauth2: {client_id: x}", "oauth2 is not supported"},
    };
    struct world w = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(config_of(&w, cases[i].yaml) == NULL);
        CHECK_STR(str_c(w.info.message), cases[i].message);
        CHECK(w.info.line > 0);
    }
}
