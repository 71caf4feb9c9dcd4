/* Content encodings in both directions. */
#include <stdio.h>

#include "../harness.h"
#include "codec/compress.h"
#include "net/http_client.h"
#include "net/http_server.h"

enum {
    LIMIT = 100000
};

/* "n first-byte" of the body. */
static void measure(void *ctx, struct http_req *r)
{
    struct buf b = {0};
    struct str body = http_req_body(r);
    (void)ctx;
    buf_printf(&b, "%zu %c", body.n, body.n ? body.p[0] : '-');
    http_res_send_buf(r, 200, "text/plain", &b);
}

static void text(void *ctx, struct http_req *r)
{
    struct buf b = {0};
    (void)ctx;
    for (int i = 0; i < 20000; i++) {
        buf_c(&b, "words ");
    }
    http_res_send_buf(r, 200, "text/plain", &b);
}

static const struct http_route routes[] = {
    {"POST", "/plain", measure, 0, LIMIT, NULL},
    {"POST", "/raw", measure, HTTP_RAW_BODY, LIMIT, NULL},
    {"GET", "/text", text, 0, 0, NULL},
};

struct world {
    struct http_server *server;
    struct http_client *client;
    struct http_answer answer;
};

static bool world_open(struct world *w)
{
    struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0")};
    *w = (struct world){0};
    return http_server_start(&o, &w->server, NULL) == ERR_OK &&
           http_server_routes(w->server, routes, ARRAY_LEN(routes), NULL) == ERR_OK &&
           http_client_new("test", &w->client) == ERR_OK;
}

static void world_close(struct world *w)
{
    http_answer_done(&w->answer);
    http_client_free(w->client);
    http_server_stop(w->server, 100);
}

/* The status; the answer is in w->answer. */
static int ask(struct world *w, const char *path, struct str body, const struct http_header *header,
               bool accept)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_server_port(w->server), path);
    http_answer_done(&w->answer);
    struct http_call call = {.method = body.n ? STR("POST") : STR("GET"),
                             .url = str_c(url),
                             .headers = header,
                             .header_count = header ? 1 : 0,
                             .body = body,
                             .accept_compressed = accept};
    return http_client_do(w->client, &call, &w->answer, NULL) == ERR_OK ? w->answer.status : 0;
}

TEST(request_bodies_are_decompressed_within_the_limit)
{
    static const struct {
        enum compression c;
        const char *name;
    } cases[] = {{COMPRESS_GZIP, "gzip"},
                 {COMPRESS_ZLIB, "deflate"},
                 {COMPRESS_DEFLATE, "deflate"},
                 {COMPRESS_ZSTD, "zstd"}};
    static char zeros[LIMIT + 1];
    struct world w;
    CHECK(world_open(&w));
    memset(zeros, 'a', sizeof(zeros));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf fits AUTO_BUF = {0}, over AUTO_BUF = {0};
        struct http_header header = {STR("Content-Encoding"), str_c(cases[i].name)};
        CHECK_OK(compress_bytes(cases[i].c, 0, str_of(zeros, LIMIT), &fits));
        CHECK_OK(compress_bytes(cases[i].c, 0, str_of(zeros, LIMIT + 1), &over));
        CHECK_EQ(ask(&w, "/plain", buf_view(&fits), &header, false), 200);
        CHECK_STR(buf_view(&w.answer.body), "100000 a");
        CHECK_EQ(ask(&w, "/plain", buf_view(&over), &header, false), 413);
        CHECK_EQ(ask(&w, "/plain", str_of(fits.p, fits.n / 2), &header, false), 400);
        CHECK_EQ(ask(&w, "/raw", buf_view(&over), &header, false), 200);
    }
    struct http_header other = {STR("Content-Encoding"), STR("br")};
    CHECK_EQ(ask(&w, "/plain", STR("abc"), &other, false), 415);
    world_close(&w);
}

TEST(answers_are_compressed_as_the_client_asks)
{
    struct world w;
    struct http_header zstd = {STR("Accept-Encoding"), STR("gzip;q=0.5, zstd")},
                       no_zstd = {STR("Accept-Encoding"), STR("zstd;q=0, gzip")};
    CHECK(world_open(&w));
    CHECK_EQ(ask(&w, "/text", STR(""), NULL, false), 200);
    CHECK_EQ(w.answer.body.n, 120000);
    CHECK(http_answer_header(&w.answer, "Content-Encoding").p == NULL);
    CHECK_EQ(ask(&w, "/text", STR(""), NULL, true), 200);
    CHECK_EQ(w.answer.body.n, 120000);
    CHECK(w.answer.body_bytes_wire < 2000);
    CHECK_STR(http_answer_header(&w.answer, "Vary"), "Accept-Encoding");
    CHECK_EQ(ask(&w, "/text", STR(""), &zstd, false), 200);
    CHECK_STR(http_answer_header(&w.answer, "Content-Encoding"), "zstd");
    CHECK_EQ(ask(&w, "/text", STR(""), &no_zstd, false), 200);
    CHECK_STR(http_answer_header(&w.answer, "Content-Encoding"), "gzip");
    world_close(&w);
}
