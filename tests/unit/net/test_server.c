/* What a client on the wire sees of the server. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../harness.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/http_server.h"
#include "wire.h"

struct gate {
    struct mutex lock;
    struct cond changed;
    bool entered, open, saw_cancel;
    struct http_req *detached;
    atomic_int done_status;
};

static struct gate gate;

static void gate_reset(void)
{
    mutex_init(&gate.lock);
    cond_init(&gate.changed);
    gate.entered = gate.open = gate.saw_cancel = false;
    gate.detached = NULL;
}

static void gate_set(bool *flag)
{
    mutex_lock(&gate.lock);
    *flag = true;
    cond_broadcast(&gate.changed);
    mutex_unlock(&gate.lock);
}

static void gate_wait(const bool *flag)
{
    mutex_lock(&gate.lock);
    while (!*flag) {
        cond_wait(&gate.changed, &gate.lock);
    }
    mutex_unlock(&gate.lock);
}

/* -- handlers -------------------------------------------------------------------------------------------- */

static void echo(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct buf b = {0};
    size_t pos = 0;
    struct str name, value;
    buf_printf(&b, "%.*s %.*s", STR_FMT(http_req_method(r)), STR_FMT(http_req_path(r)));
    while (http_req_param_next(r, &pos, &name, &value)) {
        buf_printf(&b, " %.*s=%.*s", STR_FMT(name), STR_FMT(value));
    }
    buf_printf(&b, " [%.*s] {%.*s}", STR_FMT(http_req_capture(r, "name")), STR_FMT(http_req_body(r)));
    http_res_header(r, "X-Echo", http_req_header(r, "x-ask"));
    http_res_send_buf(r, 200, "text/plain", &b);
}

static void constant(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send_static(r, 200, "text/plain", STR("hello\n"));
}

static void peer(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send(r, 200, "text/plain", http_req_peer(r));
}

static void silent(void *ctx, struct http_req *r)
{
    (void)ctx;
    (void)r;
}

static void blocked(void *ctx, struct http_req *r)
{
    (void)ctx;
    gate_set(&gate.entered);
    gate_wait(&gate.open);
    http_res_send(r, 200, "text/plain", STR("at last"));
}

static void until_canceled(void *ctx, struct http_req *r)
{
    (void)ctx;
    gate_set(&gate.entered);
    while (!atomic_load(http_req_canceled(r))) {
        clock_sleep_ms(5);
    }
    gate_set(&gate.saw_cancel);
    http_res_send(r, 503, "text/plain", STR("canceled"));
}

static void stream(void *ctx, struct http_req *r)
{
    (void)ctx;
    char block[1000];
    memset(block, 'x', sizeof(block));
    if (http_res_begin(r, 200, "text/plain") != ERR_OK) {
        return;
    }
    for (int i = 0; i < 5000; i++) {
        if (http_res_write(r, block, sizeof(block)) != ERR_OK) {
            gate_set(&gate.saw_cancel);
            break;
        }
    }
    http_res_end(r);
}

/* Writes one piece, then waits for the test before the next. */
static void stepwise(void *ctx, struct http_req *r)
{
    (void)ctx;
    enum err e = http_res_begin(r, 200, "text/event-stream");
    if (e == ERR_OK) {
        e = http_res_write(r, "first", 5);
    }
    gate_wait(&gate.open);
    if (e == ERR_OK) {
        e = http_res_write(r, "second", 6);
    }
    http_res_end(r);
}

static void detach(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_req_detach(r);
    mutex_lock(&gate.lock);
    gate.detached = r;
    gate.entered = true;
    cond_broadcast(&gate.changed);
    mutex_unlock(&gate.lock);
}

static const struct http_route routes[] = {
    {"GET", "/echo", echo, 0, 0, NULL},
    {"GET", "/inline", constant, HTTP_INLINE | HTTP_CORS, 0, NULL},
    {"GET|POST", "/form", echo, HTTP_FORM, 64, NULL},
    {"GET|POST", "/lenient", echo, HTTP_FORM | HTTP_DROP_BROKEN, 64, NULL},
    {"GET", "/label/{name}/values", echo, HTTP_INLINE, 0, NULL},
    {"GET", "/files/{name...}", echo, HTTP_INLINE, 0, NULL},
    {"GET", "/peer", peer, HTTP_INLINE, 0, NULL},
    {"GET", "/silent", silent, 0, 0, NULL},
    {"GET", "/blocked", blocked, 0, 0, NULL},
    {"GET", "/until-canceled", until_canceled, 0, 0, NULL},
    {"GET", "/stream", stream, 0, 0, NULL},
    {"GET", "/stepwise", stepwise, 0, 0, NULL},
    {"GET", "/detach", detach, HTTP_INLINE, 0, NULL},
    {"GET", "/detach-worker", detach, 0, 0, NULL},
    {"GET", "/ready", constant, HTTP_INLINE | HTTP_WHILE_LOADING, 0, NULL},
};

static struct http_server *start(const struct http_server_options *more)
{
    struct http_server_options o = more ? *more : (struct http_server_options){0};
    struct http_server *s = NULL;
    struct err_info info = {0};
    o.role = "metrics";
    o.listen_address = STR("127.0.0.1:0");
    gate_reset();
    if (http_server_start(&o, &s, &info) != ERR_OK ||
        http_server_routes(s, routes, ARRAY_LEN(routes), NULL) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", info.message);
        return NULL;
    }
    return s;
}

/* -- tests ----------------------------------------------------------------------------------------------- */

TEST(routes_parameters_and_captures)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    CHECK(s != NULL);
    unsigned port = http_server_port(s);
    CHECK(wire_get(port, "/echo?a=1&b=x%20y+z&a=2&flag", "X-Ask: 42\r\n", &a));
    CHECK_EQ(wire_status(&a), 200);
    CHECK_STR(wire_body(&a), "GET /echo a=1 b=x y z a=2 flag= [] {}");
    CHECK_STR(wire_header(&a, "X-Echo"), "42");
    CHECK(wire_get(port, "/label/job%2Fname/values", NULL, &a));
    CHECK_STR(wire_body(&a), "GET /label/job/name/values [job/name] {}");
    CHECK(wire_get(port, "/files/a/b.css", NULL, &a));
    CHECK_STR(wire_body(&a), "GET /files/a/b.css [a/b.css] {}");
    CHECK(wire_get(port, "/peer", NULL, &a));
    CHECK(str_starts(wire_body(&a), STR("127.0.0.1:")));
    CHECK(wire_get(port, "/silent", NULL, &a));
    CHECK_EQ(wire_status(&a), 500);
    http_server_stop(s, 1000);
}

TEST(pages_are_served_while_loading)
{
    const struct http_server_options o = {.not_found = constant, .not_found_while_loading = true};
    struct http_server *s = start(&o);
    struct buf a AUTO_BUF = {0};
    unsigned port = http_server_port(s);
    http_server_set_loading(s, "loading\n");
    CHECK(wire_get(port, "/echo", NULL, &a));
    CHECK_EQ(wire_status(&a), 503);
    CHECK(wire_get(port, "/some/page", NULL, &a));
    CHECK_EQ(wire_status(&a), 200);
    http_server_set_loading(s, NULL);
    CHECK(wire_get(port, "/echo", NULL, &a));
    CHECK_EQ(wire_status(&a), 200);
    http_server_stop(s, 1000);
}

TEST(unknown_paths_methods_and_broken_escapes)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    unsigned port = http_server_port(s);
    CHECK(wire_get(port, "/nowhere", NULL, &a));
    CHECK_EQ(wire_status(&a), 404);
    CHECK_STR(wire_body(&a), "404 page not found\n");
    CHECK(wire_ask(port, "DELETE /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &a));
    CHECK_EQ(wire_status(&a), 405);
    CHECK_STR(wire_header(&a, "Allow"), "GET, HEAD, OPTIONS, POST");
    CHECK(wire_get(port, "/echo?a=%zz", NULL, &a));
    CHECK_EQ(wire_status(&a), 400);
    CHECK(wire_get(port, "/lenient?a=%zz&b=1&c=2;d=3", NULL, &a));
    CHECK_EQ(wire_status(&a), 200);
    CHECK(str_find(wire_body(&a), STR("b=1"), 0) != STR_NPOS);
    CHECK(str_find(wire_body(&a), STR("a="), 0) == STR_NPOS);
    CHECK(str_find(wire_body(&a), STR("c="), 0) == STR_NPOS);
    CHECK(wire_ask(port, "HEAD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &a));
    CHECK_EQ(wire_status(&a), 200);
    CHECK_STR(wire_header(&a, "Content-Length"), "16");
    CHECK_EQ(wire_body(&a).n, 0);
    CHECK(wire_ask(port, "HEAD /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &a));
    CHECK_EQ(wire_status(&a), 200);
    CHECK_EQ(wire_body(&a).n, 0);
    http_server_stop(s, 1000);
}

#define FORM_HEAD                                                     \
    "POST /form?q=query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
    "Content-Type: application/x-www-form-urlencoded\r\n"

TEST(form_parameters_come_before_those_of_the_query)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    CHECK(wire_ask(http_server_port(s), FORM_HEAD "Content-Length: 12\r\n\r\nq=body&r=%2B", &a));
    CHECK_STR(wire_body(&a), "POST /form q=body r=+ q=query [] {q=body&r=%2B}");
    CHECK(wire_ask(http_server_port(s),
                   FORM_HEAD "Transfer-Encoding: chunked\r\n\r\n6\r\nq=body\r\n0\r\n\r\n", &a));
    CHECK_STR(wire_body(&a), "POST /form q=body q=query [] {q=body}");
    http_server_stop(s, 1000);
}

TEST(bodies_past_the_limit_get_413)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    unsigned port = http_server_port(s);
    CHECK(wire_ask(port,
                   FORM_HEAD "Content-Length: 65\r\n\r\n"
                             "0123456789012345678901234567890123456789012345678901234567890123x",
                   &a));
    CHECK_EQ(wire_status(&a), 413);
    CHECK(wire_ask(port, FORM_HEAD "Content-Length: 100000000000\r\n\r\nabc",
                   &a)); /* answered before it is read */
    CHECK_EQ(wire_status(&a), 413);
    CHECK(wire_ask(port,
                   FORM_HEAD
                   "Transfer-Encoding: chunked\r\n\r\n40\r\n"
                   "0123456789012345678901234567890123456789012345678901234567890123\r\n1\r\nx\r\n0\r\n\r\n",
                   &a));
    CHECK_EQ(wire_status(&a), 413);
    http_server_stop(s, 1000);
}

TEST(connection_is_kept_and_pipelined_requests_are_answered_in_order)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    int fd = wire_connect(http_server_port(s));
    CHECK(wire_send(fd,
                    STR("GET /inline HTTP/1.1\r\nHost: x\r\n\r\nGET /echo?second HTTP/1.1\r\nHost: x\r\n\r\n"
                        "GET /inline?3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
    CHECK(wire_read_until(fd, "second=", &a));
    CHECK(str_find(buf_view(&a), STR("hello"), 0) < str_find(buf_view(&a), STR("second="), 0));
    while (wire_read_until(fd, "never", &a)) {
    }
    CHECK(str_ends(buf_view(&a), STR("hello\n")));
    (void)close(fd);
    http_server_stop(s, 1000);
}

TEST(loading_answers_503_but_for_marked_routes)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    http_server_set_loading(s, "loading: 40% of the log replayed\n");
    CHECK(wire_get(http_server_port(s), "/echo", NULL, &a));
    CHECK_EQ(wire_status(&a), 503);
    CHECK_STR(wire_body(&a), "loading: 40% of the log replayed\n");
    CHECK(wire_get(http_server_port(s), "/not/known/yet", NULL, &a));
    CHECK_EQ(wire_status(&a), 503);
    CHECK(wire_get(http_server_port(s), "/ready", NULL, &a));
    CHECK_EQ(wire_status(&a), 200);
    http_server_set_loading(s, NULL);
    CHECK(wire_get(http_server_port(s), "/echo", NULL, &a));
    CHECK_EQ(wire_status(&a), 200);
    http_server_stop(s, 1000);
}

TEST(who_waited_on_the_socket_before_the_start_hears_that_it_is_loading)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    struct buf a AUTO_BUF = {0};
    struct http_server *s = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd > 0 && bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    int waiting = wire_connect(ntohs(at.sin_port));
    CHECK(wire_send(waiting, STR("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
    struct http_server_options o = {.role = "test", .listen_fd = fd, .loading = "not yet\n"};
    CHECK_OK(http_server_start(&o, &s, NULL));
    CHECK(wire_read_until(waiting, "not yet", &a));
    CHECK_EQ(wire_status(&a), 503);
    (void)close(waiting);
    http_server_stop(s, 1000);
}

TEST(full_queue_answers_503_with_retry_after)
{
    struct http_server *s = start(&(struct http_server_options){.workers = 1, .queue_max = 1});
    struct buf a AUTO_BUF = {0}, b AUTO_BUF = {0};
    unsigned port = http_server_port(s);
    int first = wire_connect(port), second = wire_connect(port);
    CHECK(wire_send(first, STR("GET /blocked HTTP/1.1\r\nHost: x\r\n\r\n")));
    gate_wait(&gate.entered);
    /* Both on one connection: the first of the two is in the queue when the inline one has been answered. */
    CHECK(wire_send(second,
                    STR("GET /inline HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n")));
    CHECK(wire_read_until(second, "hello", &b));
    do {
        CHECK(wire_get(port, "/echo", NULL, &a)); /* until the queued one is in the queue */
    } while (wire_status(&a) == 0);
    CHECK_EQ(wire_status(&a), 503);
    CHECK_STR(wire_header(&a, "Retry-After"), "1");
    gate_set(&gate.open);
    CHECK(wire_read_until(second, "GET /echo", &b));
    buf_reset(&a);
    CHECK(wire_read_until(first, "at last", &a));
    (void)close(first);
    (void)close(second);
    http_server_stop(s, 1000);
}

TEST(a_stream_is_whole)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    unsigned port = http_server_port(s);
    CHECK(wire_ask(port, "GET /stream HTTP/1.0\r\n\r\n", &a));
    CHECK_EQ(wire_body(&a).n, 5000000);
    http_server_stop(s, 1000);
}

TEST(a_stream_piece_arrives_before_the_next_is_written)
{
    struct http_server *s = start(NULL);
    struct buf a AUTO_BUF = {0};
    int fd = wire_connect(http_server_port(s));
    CHECK(wire_send(fd, STR("GET /stepwise HTTP/1.1\r\nHost: x\r\n\r\n")));
    CHECK(wire_read_until(fd, "first", &a));
    gate_set(&gate.open);
    CHECK(wire_read_until(fd, "second\r\n0\r\n\r\n", &a));
    (void)close(fd);
    fd = wire_connect(http_server_port(s));
    CHECK(wire_send(fd, STR("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")));
    CHECK(wire_read_until(fd, "xxxx", &a));
    (void)close(fd); /* 4 MB are still to come: the writer hears of it */
    gate_wait(&gate.saw_cancel);
    http_server_stop(s, 1000);
}

TEST(a_client_that_leaves_cancels_its_handler)
{
    struct http_server *s = start(NULL);
    int fd = wire_connect(http_server_port(s));
    CHECK(wire_send(fd, STR("GET /until-canceled HTTP/1.1\r\nHost: x\r\n\r\n")));
    gate_wait(&gate.entered);
    (void)close(fd);
    gate_wait(&gate.saw_cancel);
    http_server_stop(s, 1000);
}

TEST(a_detached_request_is_answered_later)
{
    struct http_server *s = start(NULL);
    const char *const paths[] = {"GET /detach HTTP/1.1\r\nHost: x\r\n\r\n",
                                 "GET /detach-worker HTTP/1.1\r\nHost: x\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct buf a AUTO_BUF = {0};
        int fd = wire_connect(http_server_port(s));
        CHECK(wire_send(fd, str_c(paths[i])));
        gate_wait(&gate.entered);
        http_res_header(gate.detached, "X-Late", STR("yes"));
        http_res_send(gate.detached, 201, "text/plain", STR("later"));
        CHECK(wire_read_until(fd, "later", &a));
        CHECK_EQ(wire_status(&a), 201);
        CHECK_STR(wire_header(&a, "x-late"), "yes");
        gate.entered = false;
        (void)close(fd);
    }
    http_server_stop(s, 1000);
}

TEST(cors_follows_the_origin)
{
    struct http_server *s =
        start(&(struct http_server_options){.cors_origin = STR("https?://(a|b)\\.example")});
    struct buf a AUTO_BUF = {0};
    CHECK(wire_get(http_server_port(s), "/inline", "Origin: https://b.example\r\n", &a));
    CHECK_STR(wire_header(&a, "Access-Control-Allow-Origin"), "https://b.example");
    CHECK(wire_get(http_server_port(s), "/inline", "Origin: https://c.example\r\n", &a));
    CHECK(wire_header(&a, "Access-Control-Allow-Origin").p == NULL);
    CHECK_STR(wire_header(&a, "Vary"), "Origin");
    CHECK(wire_get(http_server_port(s), "/inline", NULL, &a));
    CHECK(wire_header(&a, "Access-Control-Allow-Headers").p == NULL);
    CHECK(wire_get(http_server_port(s), "/echo", "Origin: https://b.example\r\n",
                   &a)); /* not of the routes with it */
    CHECK(wire_header(&a, "Access-Control-Allow-Origin").p == NULL);
    CHECK(
        wire_ask(http_server_port(s), "OPTIONS /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &a));
    CHECK_EQ(wire_status(&a), 204);
    CHECK_STR(wire_header(&a, "Allow"), "GET, HEAD, OPTIONS, POST");
    http_server_stop(s, 1000);
}

TEST(prefix_is_cut_off)
{
    struct http_server *s = start(&(struct http_server_options){.path_prefix = STR("/prometheus/")});
    struct buf a AUTO_BUF = {0};
    CHECK(wire_get(http_server_port(s), "/prometheus/echo?x", NULL, &a));
    CHECK_STR(wire_body(&a), "GET /echo x= [] {}");
    http_server_stop(s, 1000);
}

TEST(a_taken_port_is_named_with_the_role)
{
    struct http_server *s = start(NULL), *other = NULL;
    char address[64], want[256];
    struct err_info info = {0};
    (void)snprintf(address, sizeof(address), "%.*s", STR_FMT(http_server_address(s)));
    struct http_server_options o = {.role = "logs", .listen_address = str_c(address)};
    CHECK_EQ(http_server_start(&o, &other, &info), ERR_EXISTS);
    (void)snprintf(want, sizeof(want), "role logs cannot listen on %s: address already in use;", address);
    CHECK(str_starts(str_c(info.message), str_c(want)));
    o.listen_address = STR("localhost");
    CHECK_EQ(http_server_start(&o, &other, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "logs: listen address \"localhost\" has no port (expected HOST:PORT)");
    http_server_stop(s, 0);
}

TEST(stop_waits_for_the_running_and_cancels_after_the_grace)
{
    struct http_server *s = start(NULL);
    int fd = wire_connect(http_server_port(s));
    struct buf a AUTO_BUF = {0};
    CHECK(wire_send(fd, STR("GET /until-canceled HTTP/1.1\r\nHost: x\r\n\r\n")));
    gate_wait(&gate.entered);
    http_server_stop(s, 20);
    CHECK(gate.saw_cancel);
    CHECK(wire_read_until(fd, "canceled", &a));
    CHECK_STR(wire_header(&a, "Connection"), "close");
    (void)close(fd);
}

TEST(a_client_that_dawdles_is_cut_off)
{
    struct http_server *s = start(&(struct http_server_options){.idle_timeout_s = 1});
    struct buf a AUTO_BUF = {0};
    int fd = wire_connect(http_server_port(s));
    CHECK(wire_send(fd, STR("GET /inline HTTP/1.1\r\nHo")));
    CHECK(!wire_read_until(fd, "HTTP/1.1", &a)); /* the end of the connection, not ten seconds */
    (void)close(fd);
    http_server_stop(s, 1000);
}

static void on_done(void *ctx, const char *route, struct str method, int status, double seconds,
                    uint64_t bytes)
{
    struct buf *b = ctx;
    buf_printf(b, "%s %.*s %d %llu %d;", route, STR_FMT(method), status, (unsigned long long)bytes,
               seconds >= 0 && seconds < 10);
}

TEST(done_is_reported_with_the_route)
{
    struct buf log AUTO_BUF = {0}, a AUTO_BUF = {0};
    struct http_server *s = start(&(struct http_server_options){.on_done = on_done, .on_done_ctx = &log});
    CHECK(wire_get(http_server_port(s), "/label/a/values", NULL, &a));
    CHECK(wire_get(http_server_port(s), "/nowhere", NULL, &a));
    http_server_stop(s, 1000);
    CHECK_STR(buf_view(&log), "/label/{name}/values GET 200 26 1;other GET 404 19 1;");
}

/* -- forwarding ------------------------------------------------------------------------------------------ */

struct proxy {
    struct http_server *to;
    const char *query; /* NULL: the client's own */
};

/* Cuts the first segment off the path. */
static void forward(void *ctx, struct http_req *r)
{
    const struct proxy *p = ctx;
    struct str path = http_req_raw_path(r);
    path = str_slice(path, str_find_char(path, '/', 1), path.n);
    http_forward(r, p->to, path, p->query ? str_c(p->query) : http_req_query(r));
}

static const struct http_route proxy_routes[] = {
    {"*", "/inline/{rest...}", forward, HTTP_INLINE, 0, NULL},
    {"*", "/worker/{rest...}", forward, 0, 0, NULL},
};

struct pair {
    struct http_server *to, *from;
    struct proxy proxy;
};

static bool pair_start(struct pair *p, const struct http_server_options *to)
{
    struct http_server_options o = {.role = "dashboards", .listen_address = STR("127.0.0.1:0")};
    p->to = start(to);
    p->proxy = (struct proxy){.to = p->to};
    return p->to && http_server_start(&o, &p->from, NULL) == ERR_OK &&
           http_server_routes(p->from, proxy_routes, ARRAY_LEN(proxy_routes), &p->proxy) == ERR_OK;
}

static void pair_stop(struct pair *p)
{
    http_server_stop(p->from, 1000);
    http_server_stop(p->to, 1000);
}

TEST(a_forwarded_request_runs_the_other_servers_handler)
{
    struct buf log AUTO_BUF = {0}, a AUTO_BUF = {0};
    struct pair p;
    CHECK(pair_start(&p, &(struct http_server_options){.on_done = on_done, .on_done_ctx = &log}));
    unsigned port = http_server_port(p.from);
    CHECK(wire_get(port, "/worker/label/a%2Fb/values?x=1", "X-Ask: 42\r\n", &a));
    CHECK_EQ(wire_status(&a), 200);
    CHECK_STR(wire_body(&a), "GET /label/a/b/values x=1 [a/b] {}");
    CHECK_STR(wire_header(&a, "X-Echo"), "42");
    p.proxy.query = "y=2";
    CHECK(wire_ask(port,
                   "POST /inline/form?q=query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nq=body",
                   &a));
    CHECK_STR(wire_body(&a), "POST /form q=body y=2 [] {q=body}");
    CHECK(wire_get(port, "/worker/nowhere", NULL, &a));
    CHECK_EQ(wire_status(&a), 404);
    CHECK(wire_get(port, "/inline/silent", NULL, &a));
    CHECK_EQ(wire_status(&a), 500);
    CHECK(wire_get(port, "/worker/silent", NULL, &a));
    CHECK_EQ(wire_status(&a), 500);
    http_server_set_loading(p.to, "loading\n");
    CHECK(wire_get(port, "/inline/echo", NULL, &a));
    CHECK_EQ(wire_status(&a), 503);
    pair_stop(&p);
    /* a request is over a moment after its answer came: not always before the next one is */
    CHECK(str_find(buf_view(&log), STR("/label/{name}/values GET 200 34 1;"), 0) != STR_NPOS);
    CHECK(str_find(buf_view(&log), STR("/form POST 200"), 0) != STR_NPOS);
}

TEST(a_forwarded_request_may_stream_and_detach)
{
    struct pair p;
    CHECK(pair_start(&p, NULL));
    const char *const ways[] = {"inline", "worker"};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct buf a AUTO_BUF = {0};
        char text[128];
        (void)snprintf(text, sizeof(text), "GET /%s/stream HTTP/1.0\r\n\r\n", ways[i]);
        CHECK(wire_ask(http_server_port(p.from), text, &a));
        CHECK_EQ(wire_body(&a).n, 5000000);
        const char *const detached[] = {"detach", "detach-worker"};
        for (size_t k = 0; k < ARRAY_LEN(detached); k++) {
            int fd = wire_connect(http_server_port(p.from));
            (void)snprintf(text, sizeof(text), "GET /%s/%s HTTP/1.1\r\nHost: x\r\n\r\n", ways[i],
                           detached[k]);
            CHECK(wire_send(fd, str_c(text)));
            gate_wait(&gate.entered);
            gate.entered = false;
            http_res_send(gate.detached, 201, "text/plain", STR("later"));
            buf_reset(&a);
            CHECK(wire_read_until(fd, "later", &a));
            CHECK_EQ(wire_status(&a), 201);
            (void)close(fd);
        }
    }
    pair_stop(&p);
}
