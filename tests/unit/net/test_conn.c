/* What the server does with clients that say nothing, half of something, or something with two meanings. */
#include <unistd.h>

#include "../harness.h"
#include "net/http_server.h"
#include "wire.h"

enum {
    PLACES = 16
};

static void hello(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send(r, 200, "text/plain", STR("hello\n"));
}

static const struct http_route routes[] = {{"GET|POST", "/hello", hello, HTTP_INLINE, 0, NULL}};

static struct http_server *start(unsigned places, unsigned idle_timeout_s)
{
    struct http_server_options o = {.role = "metrics",
                                    .listen_address = STR("127.0.0.1:0"),
                                    .connections_max = places,
                                    .idle_timeout_s = idle_timeout_s};
    struct http_server *s = NULL;
    struct err_info info = {0};
    return http_server_start(&o, &s, &info) == ERR_OK &&
                   http_server_routes(s, routes, ARRAY_LEN(routes), NULL) == ERR_OK
               ? s
               : NULL;
}

static void check_crowd(const char *says, int times)
{
    struct http_server *s = start(PLACES, 60);
    struct buf a AUTO_BUF = {0};
    int fds[4 * PLACES];
    for (int i = 0; i < times; i++) {
        fds[i] = wire_connect(http_server_port(s));
        CHECK(fds[i] >= 0 && wire_send(fds[i], str_c(says)));
    }
    CHECK(wire_get(http_server_port(s), "/hello", NULL, &a));
    CHECK_EQ(wire_status(&a), 200);
    for (int i = 0; i < times; i++) {
        (void)close(fds[i]);
    }
    http_server_stop(s, 1000);
}

TEST(the_silent_make_room)
{
    check_crowd("", 4 * PLACES);
}

TEST(those_that_stop_in_their_headers_make_room)
{
    check_crowd("GET /hello HTTP/1.1\r\nHo", 4 * PLACES);
}

TEST(the_idle_after_a_request_make_room)
{
    check_crowd("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 4 * PLACES);
}

TEST(a_kept_connection_is_left_alone_when_there_is_room)
{
    struct http_server *s = start(PLACES, 60);
    struct buf a AUTO_BUF = {0};
    int fd = wire_connect(http_server_port(s));
    for (int i = 0; i < 3; i++) {
        buf_reset(&a);
        CHECK(wire_send(fd, STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")));
        CHECK(wire_read_until(fd, "hello\n", &a));
    }
    (void)close(fd);
    http_server_stop(s, 1000);
}

TEST(a_request_line_that_never_ends_is_cut_off)
{
    struct http_server *s = start(PLACES, 1);
    struct buf a AUTO_BUF = {0};
    int fd = wire_connect(http_server_port(s));
    while (wire_send(fd, STR("G"))) { /* ends: the watcher does not count bytes as life */
        (void)usleep(20000);
    }
    CHECK(!wire_read_until(fd, "HTTP/1.1 200", &a));
    (void)close(fd);
    http_server_stop(s, 1000);
}

TEST(requests_with_two_meanings_are_refused_and_the_connection_closed)
{
    static const struct {
        const char *request, *body;
    } cases[] = {
        {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
         "400 Bad Request: more than one of Content-Length and Transfer-Encoding\n"},
        {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
         "400 Bad Request: more than one of Content-Length and Transfer-Encoding\n"},
        {"GET /hello HTTP/1.1\r\n\r\n", "400 Bad Request: missing required Host header\n"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request: too many Host headers\n"},
    };
    struct http_server *s = start(PLACES, 60);
    struct buf a AUTO_BUF = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(wire_ask(http_server_port(s), cases[i].request, &a)); /* reads to the end of the connection */
        CHECK_EQ(wire_status(&a), 400);
        CHECK_STR(wire_body(&a), cases[i].body);
    }
    CHECK(wire_ask(http_server_port(s), "GET /hello HTTP/1.0\r\n\r\n", &a)); /* HTTP/1.0 needs no Host */
    CHECK(str_find(buf_view(&a), STR(" 200 OK"), 0) != STR_NPOS);
    http_server_stop(s, 1000);
}
