/* Delivery over HTTP: what is sent, and what each answer means for the batch. */
#include <stdio.h>

#include "agent/outputs/deliver.h"
#include "base/thread.h"
#include "codec/compress.h"
#include "codec/loki_push.h"
#include "codec/yaml.h"
#include "harness.h"
#include "net/http_server.h"

struct loki {
    struct http_server *server;
    char url[128];
    struct mutex lock;
    int status; /* to answer */
    const char *retry_after;
    char headers[512], body[512]; /* of the last request */
};

static void keep(struct loki *l, struct http_req *r)
{
    struct buf plain AUTO_BUF = {0}, text AUTO_BUF = {0};
    struct wire_push push;
    if (decompress_bytes(COMPRESS_SNAPPY, http_req_body(r), 1 << 20, &plain, NULL) ||
        loki_push_decode_proto(http_req_arena(r), buf_view(&plain), &push, NULL)) {
        (void)snprintf(l->body, sizeof(l->body), "cannot be read");
        return;
    }
    for (size_t i = 0; i < push.stream_count; i++) {
        for (size_t k = 0; k < push.streams[i].label_count; k++) {
            buf_printf(&text, "%.*s=%.*s ", STR_FMT(push.streams[i].labels[k].name),
                       STR_FMT(push.streams[i].labels[k].value));
        }
        for (size_t k = 0; k < push.streams[i].entry_count; k++) {
            buf_printf(&text, "%lld:%.*s;", (long long)push.streams[i].entries[k].ts,
                       STR_FMT(push.streams[i].entries[k].line));
        }
    }
    (void)snprintf(l->body, sizeof(l->body), "%.*s", STR_FMT(text));
    (void)snprintf(l->headers, sizeof(l->headers), "%.*s|%.*s|%.*s|%.*s",
                   STR_FMT(http_req_header(r, "Content-Type")), STR_FMT(http_req_header(r, "X-Scope-OrgID")),
                   STR_FMT(http_req_header(r, "Authorization")), STR_FMT(http_req_header(r, "X-Own")));
}

static void push_handler(void *ctx, struct http_req *r)
{
    struct loki *l = ctx;
    mutex_lock(&l->lock);
    keep(l, r);
    int status = l->status;
    if (l->retry_after) {
        http_res_header(r, "Retry-After", str_c(l->retry_after));
    }
    mutex_unlock(&l->lock);
    http_res_send(r, status, "text/plain", STR("first line\nsecond\n"));
}

static const struct http_route routes[] = {
    {.method = "POST", .path = "/loki/api/v1/push", .handler = push_handler, .flags = HTTP_RAW_BODY}};

static bool loki_start(struct loki *l)
{
    struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0")};
    *l = (struct loki){.status = 204};
    mutex_init(&l->lock);
    if (http_server_start(&o, &l->server, NULL) || http_server_routes(l->server, routes, 1, l)) {
        return false;
    }
    (void)snprintf(l->url, sizeof(l->url), "http://127.0.0.1:%u/loki/api/v1/push",
                   http_server_port(l->server));
    return true;
}

static void loki_stop(struct loki *l)
{
    http_server_stop(l->server, 0);
    mutex_done(&l->lock);
}

/* One batch of one line. */
static struct delivery deliver(const struct client_config *config, const char *tenant)
{
    struct delivery out = {.status = -2};
    struct deliverer *d;
    struct batch *b;
    struct arena a AUTO_ARENA;
    struct entry e;
    struct label l[] = {{STR("job"), STR("j")}};
    arena_init(&a, 0, NULL);
    entry_init(&e, &a, (struct labels){l, 1}, 7, STR("hello"), NULL);
    if (batch_new(&b)) {
        return out;
    }
    if (batch_add(b, &e, e.line, (struct labels){0}) == ERR_OK &&
        deliver_http_new(config, NULL, &d) == ERR_OK) {
        d->ops->deliver(d, b, str_c(tenant), &out);
        d->ops->free(d);
    }
    batch_free(b, true);
    return out;
}

TEST(a_push_carries_what_loki_wants)
{
    struct loki l;
    struct arena a AUTO_ARENA;
    const struct yaml_node *root;
    struct client_config c;
    char yaml[512];
    arena_init(&a, 0, NULL);
    CHECK(loki_start(&l));
    (void)snprintf(
        yaml, sizeof(yaml),
        "url: %s\nbasic_auth: {username: u, password: p}\nheaders: {X-Own: mine, Content-Type: no}\n", l.url);
    CHECK_OK(yaml_parse(&a, str_c(yaml), "t", &root, NULL));
    CHECK_OK(client_config_parse(&a, root, &c, NULL));
    struct delivery d = deliver(&c, "team");
    CHECK_EQ(d.verdict, DELIVERY_DONE);
    CHECK_EQ(d.status, 204);
    CHECK_STR(str_c(l.body), "job=j 7:hello;");
    CHECK_STR(str_c(l.headers), "application/x-protobuf|team|Basic dTpw|mine");
    client_config_done(&c);
    loki_stop(&l);
}

TEST(answers_and_what_they_mean)
{
    static const struct {
        int status;
        enum delivery_verdict verdict;
    } rows[] = {{200, DELIVERY_DONE},      {204, DELIVERY_DONE},      {400, DELIVERY_REFUSED},
                {401, DELIVERY_HELD},      {403, DELIVERY_HELD},      {404, DELIVERY_HELD},
                {413, DELIVERY_TOO_LARGE}, {429, DELIVERY_THROTTLED}, {500, DELIVERY_AWAY},
                {503, DELIVERY_AWAY}};
    struct loki l;
    struct client_config c;
    client_config_default(&c);
    CHECK(loki_start(&l));
    c.url = str_c(l.url);
    c.host = STR("h");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        l.status = rows[i].status;
        CHECK_EQ(deliver(&c, "").verdict, rows[i].verdict);
    }
    l.status = 429;
    l.retry_after = "7";
    struct delivery d = deliver(&c, "");
    CHECK_EQ(d.retry_after_ms, 7000);
    CHECK_STR(str_c(d.reason), "server returned HTTP status 429: first line");
    loki_stop(&l);
}

TEST(nobody_there_is_no_answer)
{
    struct loki l;
    struct client_config c;
    client_config_default(&c);
    CHECK(loki_start(&l));
    c.url = str_c(l.url);
    c.host = STR("h");
    loki_stop(&l);
    struct delivery d = deliver(&c, "");
    CHECK_EQ(d.verdict, DELIVERY_AWAY);
    CHECK_EQ(d.status, -1);
    CHECK(d.reason[0] != '\0');
}
