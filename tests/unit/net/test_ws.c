/* WebSockets on the wire: handshake, frames, the end from either side. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "../harness.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/http_server.h"
#include "wire.h"

static atomic_int ended; /* how the last connection ended: an enum err */

/* Echoes; "burst" sends a large message instead. */
static void echo(void *ctx, struct http_ws *ws)
{
    struct str text;
    enum err e;
    (void)ctx;
    while ((e = http_ws_receive(ws, 10000, &text)) == ERR_OK) {
        struct buf large AUTO_BUF = {0};
        if (str_eq_c(text, "burst")) {
            for (int i = 0; i < 70000; i++) {
                buf_char(&large, 'x');
            }
            text = buf_view(&large);
        }
        e = http_ws_send(ws, text);
        if (e != ERR_OK) {
            break;
        }
    }
    atomic_store(&ended, (int)e);
}

static void upgrade_inline(void *ctx, struct http_req *r)
{
    http_res_websocket(r, echo, ctx);
}

static const struct http_route routes[] = {
    {"GET", "/ws", upgrade_inline, HTTP_INLINE, 0, NULL},
    {"GET", "/ws-worker", upgrade_inline, 0, 0, NULL},
};

static struct http_server *start(void)
{
    struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0")};
    struct http_server *s = NULL;
    atomic_store(&ended, -1);
    return http_server_start(&o, &s, NULL) == ERR_OK &&
                   http_server_routes(s, routes, ARRAY_LEN(routes), NULL) == ERR_OK
               ? s
               : NULL;
}

#define HANDSHAKE(path)                                                                             \
    "GET " path " HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

/* A client's frame, masked with 1 2 3 4. */
static void frame(struct buf *b, unsigned first_byte, struct str payload)
{
    buf_char(b, (char)first_byte);
    buf_char(b, (char)(0x80u | (unsigned)payload.n));
    buf_append(b, "\1\2\3\4", 4);
    for (size_t i = 0; i < payload.n; i++) {
        buf_char(b, (char)(payload.p[i] ^ "\1\2\3\4"[i & 3]));
    }
}

/* Opens a connection and reads up to the end of the handshake's answer. */
static int open_ws(struct http_server *s, const char *handshake, struct buf *got)
{
    int fd = wire_connect(http_server_port(s));
    buf_reset(got);
    if (!wire_send(fd, str_c(handshake)) || !wire_read_until(fd, "\r\n\r\n", got)) {
        return -1;
    }
    return fd;
}

TEST(handshake_and_refusals)
{
    struct http_server *s = start();
    struct buf a AUTO_BUF = {0};
    int fd = open_ws(s, HANDSHAKE("/ws"), &a);
    CHECK_EQ(wire_status(&a), 101);
    CHECK_STR(wire_header(&a, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
    CHECK_STR(wire_header(&a, "Upgrade"), "websocket");
    (void)close(fd);
    CHECK(wire_get(http_server_port(s), "/ws", NULL, &a));
    CHECK_EQ(wire_status(&a), 400);
    CHECK(wire_get(http_server_port(s), "/ws",
                   "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                   "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n",
                   &a));
    CHECK(wire_status(&a) == 426 || wire_status(&a) == 400);
    http_server_stop(s, 1000);
}

TEST(messages_fragments_pings_and_close)
{
    struct http_server *s = start();
    const char *const handshakes[] = {HANDSHAKE("/ws"), HANDSHAKE("/ws-worker")};
    for (size_t i = 0; i < ARRAY_LEN(handshakes); i++) {
        struct buf a AUTO_BUF = {0}, out AUTO_BUF = {0};
        int fd = open_ws(s, handshakes[i], &a);
        CHECK(fd >= 0);
        frame(&out, 0x81, STR("hello"));
        frame(&out, 0x01, STR("frag"));
        frame(&out, 0x89, STR("are you there")); /* between fragments, as allowed */
        frame(&out, 0x80, STR("ments"));
        frame(&out, 0x81, STR("burst"));
        frame(&out, 0x88, STR("\x03\xe8"));
        CHECK(wire_send(fd, buf_view(&out)));
        CHECK(wire_read_until(fd,
                              "\x81\x05hello\x8a\x0d"
                              "are you there\x81\x09"
                              "fragments\x81\x7f",
                              &a));
        CHECK(wire_read_until(fd, "x\x88\x02\x03\xe8", &a));
        CHECK(!wire_read_until(fd, "never", &a)); /* the server closes */
        CHECK_EQ(atomic_load(&ended), ERR_CANCELED);
        (void)close(fd);
    }
    http_server_stop(s, 1000);
}

TEST(frames_that_break_the_protocol_close_it)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *close;
    } cases[] = {
        {"\x81\x05hello", 7, "\x88\x02\x03\xea"},                     /* not masked */
        {"\xc1\x80\1\2\3\4", 6, "\x88\x02\x03\xea"},                  /* a reserved bit */
        {"\x80\x80\1\2\3\4", 6, "\x88\x02\x03\xea"},                  /* continues nothing */
        {"\x83\x80\1\2\3\4", 6, "\x88\x02\x03\xea"},                  /* an unknown opcode */
        {"\x81\xff\0\0\0\1\0\0\0\0\1\2\3\4", 14, "\x88\x02\x03\xf1"}, /* 4 GiB */
        {"\x81\x81\0\0\0\0\xff", 7, "\x88\x02\x03\xef"},              /* not UTF-8 */
    };
    struct http_server *s = start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf a AUTO_BUF = {0};
        int fd = open_ws(s, HANDSHAKE("/ws"), &a);
        CHECK(wire_send(fd, str_of(cases[i].bytes, cases[i].n)));
        CHECK(wire_read_until(fd, cases[i].close, &a));
        (void)close(fd);
    }
    http_server_stop(s, 1000);
}

TEST(stop_tells_open_connections)
{
    struct http_server *s = start();
    struct buf a AUTO_BUF = {0};
    int fd = open_ws(s, HANDSHAKE("/ws"), &a);
    int64_t before_ns = clock_mono_ns(clock_real());
    http_server_stop(s, 8000);
    CHECK(clock_mono_ns(clock_real()) - before_ns <
          4 * NS_PER_S); /* receive wakes up: the grace is not used up */
    CHECK(wire_read_until(fd, "\x88\x02\x03\xe9", &a));
    CHECK_EQ(atomic_load(&ended), ERR_CANCELED);
    (void)close(fd);
}
