/* The web configuration file: TLS, passwords, tokens, headers, and mending it while the server runs. */
#include <crypt.h>
#include <stdio.h>

#include "../certificate.h"
#include "../harness.h"
#include "net/http_client.h"
#include "net/http_config.h"
#include "net/http_server.h"
#include "net/web_config.h"

static void whoami(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send(r, 200, "text/plain", http_req_user(r));
}

static const struct http_route routes[] = {
    {"GET", "/inline", whoami, HTTP_INLINE, 0, NULL},
    {"GET|POST", "/worker", whoami, 0, 0, NULL},
    {"GET", "/healthy", whoami, HTTP_INLINE | HTTP_NO_AUTH, 0, NULL},
};

struct world {
    struct web_config *web;
    struct http_server *server;
    struct http_client *client;
    struct http_client_config *config;
    struct http_answer answer;
    struct err_info info;
    char dir[200], file[256];
};

static bool write_text(const struct world *w, const char *name, const char *text)
{
    return certificate_file(w->dir, name, text, strlen(text));
}

static void world_init(struct world *w)
{
    *w = (struct world){0};
    (void)snprintf(w->dir, sizeof(w->dir), "%s", test_dir());
    (void)snprintf(w->file, sizeof(w->file), "%s/web.yml", w->dir);
}

static bool world_start(struct world *w)
{
    if (web_config_load(w->file, &w->web, &w->info) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", w->info.message);
        return false;
    }
    struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0"), .web = w->web};
    return http_server_start(&o, &w->server, &w->info) == ERR_OK &&
           http_server_routes(w->server, routes, ARRAY_LEN(routes), NULL) == ERR_OK &&
           http_client_new("test", &w->client) == ERR_OK;
}

static void world_close(struct world *w)
{
    http_answer_done(&w->answer);
    http_client_free(w->client);
    http_server_stop(w->server, 100);
    web_config_free(w->web);
    http_config_free(w->config);
}

/* The client's configuration; relative files are in the test's folder. */
static bool client_config(struct world *w, const char *yaml)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root = NULL;
    http_config_free(w->config);
    w->config = NULL;
    return yaml_parse(&a, str_c(yaml), w->file, &root, &w->info) == ERR_OK &&
           http_config_parse(root, &w->config, &w->info) == ERR_OK;
}

/* The status, or minus the error. */
static int ask(struct world *w, const char *path)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", web_config_tls(w->web) ? "https" : "http",
                   http_server_port(w->server), path);
    http_answer_done(&w->answer);
    struct http_call call = {.url = str_c(url), .config = w->config};
    enum err e = http_client_do(w->client, &call, &w->answer, &w->info);
    return e == ERR_OK ? w->answer.status : -(int)e;
}

/* bcrypt of the lowest cost. */
static void hash_of(const char *password, char *hash)
{
    static struct crypt_data work;
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    (void)crypt_gensalt_rn("$2y$", 4, "0123456789abcdef", 16, salt, sizeof(salt));
    (void)snprintf(hash, 64, "%s", crypt_r(password, salt, &work));
}

TEST(passwords_and_tokens)
{
    struct world w;
    char hash[64], yaml[256];
    world_init(&w);
    hash_of("sesame", hash);
    (void)snprintf(yaml, sizeof(yaml),
                   "basic_auth_users: {ali: '%s'}\nbearer_tokens: {robot: 0123456789abcdef}\n", hash);
    CHECK(write_text(&w, "web.yml", yaml));
    CHECK(world_start(&w));
    CHECK_EQ(ask(&w, "/inline"), 401);
    CHECK_STR(http_answer_header(&w.answer, "WWW-Authenticate"), "Basic");
    CHECK_STR(buf_view(&w.answer.body), "Unauthorized\n");
    CHECK_EQ(ask(&w, "/nowhere"), 401);
    CHECK_EQ(ask(&w, "/healthy"), 200);
    CHECK(client_config(&w, "basic_auth: {username: ali, password: sesame}"));
    for (int i = 0; i < 2; i++) { /* hashed on a worker, then from the cache */
        CHECK_EQ(ask(&w, "/inline"), 200);
        CHECK_STR(buf_view(&w.answer.body), "ali");
        CHECK_EQ(ask(&w, "/worker"), 200);
        CHECK_EQ(ask(&w, "/nowhere"), 404);
    }
    CHECK(client_config(&w, "basic_auth: {username: ali, password: 'sesame '}"));
    CHECK_EQ(ask(&w, "/inline"), 401);
    CHECK_EQ(ask(&w, "/inline"), 401);
    CHECK(client_config(&w, "basic_auth: {username: baba, password: sesame}"));
    CHECK_EQ(ask(&w, "/worker"), 401);
    CHECK(client_config(&w, "authorization: {credentials: 0123456789abcdef}"));
    CHECK_EQ(ask(&w, "/inline"), 200);
    CHECK_STR(buf_view(&w.answer.body), "robot");
    CHECK(client_config(&w, "authorization: {credentials: 0123456789abcdeF}"));
    CHECK_EQ(ask(&w, "/inline"), 401);
    world_close(&w);
}

TEST(the_file_is_read_again_when_it_changes)
{
    struct world w;
    world_init(&w);
    CHECK(write_text(&w, "web.yml", "http_server_config: {headers: {X-Frame-Options: deny}}\n"));
    CHECK(world_start(&w));
    CHECK_EQ(ask(&w, "/inline"), 200);
    CHECK_STR(http_answer_header(&w.answer, "X-Frame-Options"), "deny");
    CHECK(write_text(&w, "web.yml", "basic_auth_usres: {}\n"));
    CHECK_EQ(ask(&w, "/inline"), 500);
    CHECK(write_text(&w, "web.yml", "bearer_tokens: {robot: 0123456789abcdef}\n"));
    CHECK_EQ(ask(&w, "/inline"), 401);
    CHECK(write_text(&w, "web.yml", "rate_limit: {interval: 1h, burst: 1}\n"));
    CHECK_EQ(ask(&w, "/inline"), 200);
    CHECK_EQ(ask(&w, "/inline"), 429);
    world_close(&w);
}

TEST(web_configuration_mistakes_are_named)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"tls_server_config: {key_file: k}", "missing one of cert or cert_file"},
        {"tls_server_config: {cert: a, cert_file: b}", "at most one of cert & cert_file must be configured"},
        {"tls_server_config: {client_ca_file: a}",
         "client CA's have been configured without a Client Auth Policy"},
        {"tls_server_config: {cert: a, key: b}", "the certificate cannot be read: No certificate was found."},
        {"http_server_config: {headers: {Server: x}}", "HTTP header \"Server\" can not be configured"},
        {"http_server_config: {headers: {X-Frame-Options: x}}", "invalid value for X-Frame-Options: \"x\""},
        {"basic_auth_users: {a: plain}", "basic_auth_users: the password of a is not a bcrypt hash"},
    };
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(write_text(&w, "web.yml", cases[i].yaml));
        CHECK(web_config_load(w.file, &w.web, &w.info) != ERR_OK);
        CHECK_STR(str_c(w.info.message), cases[i].message);
    }
}

/* -- TLS ------------------------------------------------------------------------------------------------- */

static bool make_certificate(const struct world *w, const char *name, const char *dns)
{
    return certificate_make(w->dir, name, dns);
}

TEST(tls_with_a_certificate_that_is_renewed)
{
    struct world w;
    world_init(&w);
    CHECK(make_certificate(&w, "server", "first.example"));
    CHECK(write_text(&w, "web.yml", "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"));
    CHECK(world_start(&w));
    CHECK_EQ(ask(&w, "/inline"), -ERR_UNAVAILABLE); /* not trusted */
    CHECK(client_config(&w, "tls_config: {insecure_skip_verify: true}"));
    CHECK_EQ(ask(&w, "/worker"), 200);
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt}"));
    CHECK_EQ(ask(&w, "/inline"), 200);
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt, server_name: first.example}"));
    CHECK_EQ(ask(&w, "/inline"), 200);
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt, server_name: second.example}"));
    CHECK_EQ(ask(&w, "/inline"), -ERR_UNAVAILABLE);
    CHECK(make_certificate(&w, "server", "second.example"));
    http_client_free(w.client); /* its connections are of the old certificate */
    CHECK_OK(http_client_new("test", &w.client));
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt, server_name: second.example}"));
    CHECK_EQ(ask(&w, "/inline"), 200);
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt, max_version: TLS11, min_version: TLS10}"));
    CHECK_EQ(ask(&w, "/inline"), -ERR_UNAVAILABLE);
    world_close(&w);
}

TEST(client_certificates)
{
    struct world w;
    world_init(&w);
    CHECK(make_certificate(&w, "server", "server.example") &&
          make_certificate(&w, "client", "client.example") &&
          make_certificate(&w, "stranger", "client.example"));
    CHECK(write_text(
        &w, "web.yml",
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: client.crt, "
        "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [client.example]}\n"));
    CHECK(world_start(&w));
    char yaml[512], path[256];
    (void)snprintf(path, sizeof(path), "%s/client.crt", w.dir);
    (void)snprintf(yaml, sizeof(yaml),
                   "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: %s, "
                   "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [other.example]}\n",
                   path);
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt}"));
    CHECK_EQ(ask(&w, "/healthy"), 403);
    CHECK(client_config(&w, "tls_config: {ca_file: server.crt}\nauthorization: {credentials: wrong}"));
    CHECK_EQ(ask(&w, "/healthy"), 403);
    char own[128]; /* the process's own roles come in by its token */
    (void)snprintf(own, sizeof(own), "tls_config: {ca_file: server.crt}\nauthorization: {credentials: %.*s}",
                   STR_FMT(web_config_own_token(w.web)));
    CHECK(client_config(&w, own));
    CHECK_EQ(ask(&w, "/healthy"), 200);
    CHECK(client_config(
        &w, "tls_config: {ca_file: server.crt, cert_file: stranger.crt, key_file: stranger.key}"));
    CHECK(ask(&w, "/healthy") != 200);
    CHECK(
        client_config(&w, "tls_config: {ca_file: server.crt, cert_file: client.crt, key_file: client.key}"));
    CHECK_EQ(ask(&w, "/healthy"), 200);
    CHECK(write_text(&w, "web.yml", yaml));
    CHECK_EQ(ask(&w, "/healthy"), 403);
    world_close(&w);
}
