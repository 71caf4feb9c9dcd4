/* The life of a WebSocket: handshake, a thread of its own, the end.
 *
 * libmicrohttpd hands over the socket in `upgraded` (on the network thread) and wants it back by
 * MHD_upgrade_action before the daemon stops. Ended threads are joined at the next upgrade or at the stop. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_ws_int.h"

enum {
    SHA1_BYTES = 20,
    KEY_TEXT_BYTES = 24
};

/* -- handshake ------------------------------------------------------------------------------------------- */

/* True when the comma-separated list has the word. */
static bool list_has(struct str list, struct str word)
{
    while (list.p) {
        if (str_ieq(str_trim(str_cut(&list, ',')), word)) {
            return true;
        }
    }
    return false;
}

/* Sec-WebSocket-Accept for the key; empty when GnuTLS fails. */
static struct str accept_of(struct arena *a, struct str key)
{
    unsigned char digest[SHA1_BYTES];
    gnutls_datum_t text = {0}, raw = {digest, sizeof(digest)};
    struct str joined = arena_printf(a, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", STR_FMT(key));
    if (!joined.p || gnutls_hash_fast(GNUTLS_DIG_SHA1, joined.p, joined.n, digest) != 0 ||
        gnutls_base64_encode2(&raw, &text) != 0) {
        return (struct str){0};
    }
    struct str value = arena_str(a, str_of((const char *)text.data, text.size));
    gnutls_free(text.data);
    return value;
}

void http_res_websocket(struct http_req *r, void (*run)(void *ctx, struct http_ws *ws), void *ctx)
{
    r = r->root;
    struct str key = str_trim(http_header_of(r, "Sec-WebSocket-Key"));
    if (!str_eq_c(r->method, "GET") || !str_ieq(str_trim(http_header_of(r, "Upgrade")), STR("websocket")) ||
        !list_has(http_header_of(r, "Connection"), STR("upgrade")) || key.n != KEY_TEXT_BYTES) {
        http_res_send_static(r, 400, "text/plain; charset=utf-8",
                             STR("Bad Request: this path speaks WebSocket only\n"));
        return;
    }
    if (!str_eq_c(str_trim(http_header_of(r, "Sec-WebSocket-Version")), "13")) {
        http_res_header(r, "Sec-WebSocket-Version", STR("13"));
        http_res_send_static(r, 426, "text/plain; charset=utf-8", STR("WebSocket version 13 is required\n"));
        return;
    }
    struct str accept = accept_of(&r->arena, key);
    if (accept.n == 0) {
        http_res_send_static(r, 500, "text/plain; charset=utf-8", STR("the WebSocket handshake failed\n"));
        return;
    }
    http_res_header(r, "Upgrade", STR("websocket"));
    http_res_header(r, "Sec-WebSocket-Accept", accept);
    r->ws_run = run;
    r->ws_ctx = ctx;
    http_res_commit(r, 101, NULL, ANSWER_UPGRADE);
}

/* -- the thread ------------------------------------------------------------------------------------------ */

/* The thread has ended and is joined; frees it. */
static void ws_free(struct http_ws *ws)
{
    buf_done(&ws->in);
    buf_done(&ws->message);
    mutex_done(&ws->write_lock);
    mem_free(ws);
}

static void ws_main(void *arg)
{
    struct http_ws *ws = arg;
    struct http_server *s = ws->server;
    ws->run(ws->ctx, ws);
    ws_close_send(ws, http_ws_closing(ws) ? WS_CLOSE_GOING_AWAY : WS_CLOSE_NORMAL);
    http_req_unref(ws->request);
    mutex_lock(&s->lock);
    ws->fd = -1; /* http_ws_hang_up may use the socket until here */
    mutex_unlock(&s->lock);
    (void)MHD_upgrade_action(ws->handle, MHD_UPGRADE_ACTION_CLOSE); /* with no lock held: see give_back */
    mutex_lock(&s->lock);
    ws->over = true;
    cond_broadcast(&s->idle);
    mutex_unlock(&s->lock);
}

/* Joins threads that have ended. */
static void reap(struct http_server *s)
{
    struct http_ws *ended = NULL;
    mutex_lock(&s->lock);
    for (struct http_ws **p = &s->sockets; *p;) {
        struct http_ws *ws = *p;
        if (ws->over) {
            *p = ws->next;
            ws->next = ended;
            ended = ws;
        } else {
            p = &ws->next;
        }
    }
    mutex_unlock(&s->lock);
    while (ended) {
        struct http_ws *ws = ended;
        ended = ws->next;
        thread_join(&ws->thread);
        ws_free(ws);
    }
}

static void upgraded(void *cls, struct MHD_Connection *connection, void *request, const char *extra,
                     size_t extra_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    (void)connection;
    (void)request;
    struct http_req *r = cls;
    struct http_server *s = r->server;
    reap(s);
    struct http_ws *ws = mem_zalloc(sizeof(*ws));
    if (!ws) {
        (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        return;
    }
    ws->server = s;
    ws->request = r;
    ws->run = r->ws_run;
    ws->ctx = r->ws_ctx;
    ws->handle = handle;
    ws->fd = fd;
    ws->heard_ns = ws->ping_ns = clock_mono_ns(clock_real());
    mutex_init(&ws->write_lock);
    buf_append(&ws->in, extra, extra_size);
    atomic_fetch_add(&r->owners, 1);
    mutex_lock(&s->lock);
    enum err e = ws->in.err == ERR_OK ? thread_start(&ws->thread, "http-ws", ws_main, ws) : ERR_OOM;
    if (e == ERR_OK) {
        ws->next = s->sockets;
        s->sockets = ws;
    }
    mutex_unlock(&s->lock);
    if (e != ERR_OK) {
        (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        http_req_unref(r);
        ws_free(ws);
    }
}

struct MHD_Response *http_ws_response(struct http_req *r)
{
    return MHD_create_response_for_upgrade(upgraded, r);
}

void http_ws_wake(struct http_server *s)
{
    (void)eventfd_write(s->wake_fd, 1);
}

void http_ws_hang_up(struct http_server *s)
{
    mutex_lock(&s->lock);
    for (struct http_ws *ws = s->sockets; ws; ws = ws->next) {
        if (ws->fd >= 0) {
            (void)shutdown(ws->fd, SHUT_RDWR);
        }
    }
    for (struct http_ws *ws = s->sockets; ws; ws = ws->next) {
        while (!ws->over) {
            cond_wait(&s->idle, &s->lock);
        }
    }
    mutex_unlock(&s->lock);
    reap(s);
}

/* -- what the connection's owner says -------------------------------------------------------------------- */

bool http_ws_closing(const struct http_ws *ws)
{
    return atomic_load(&ws->server->stopping);
}

enum err http_ws_send(struct http_ws *ws, struct str text)
{
    enum err e = ws->closed || http_ws_closing(ws) ? ERR_CANCELED : ws_pump(ws);
    e = e == ERR_OK ? ws_keep_alive(ws, clock_mono_ns(clock_real())) : e;
    e = e == ERR_OK ? ws_frame_send(ws, WS_TEXT, text) : e;
    ws->closed |= e != ERR_OK;
    return e;
}

/* Waits for input, the server's stop, the deadline or the next ping. */
static void wait_input(const struct http_ws *ws, int64_t now_ns, int64_t deadline_ns)
{
    int64_t ping_ns = ws->ping_ns + WS_PING_EVERY_MS * NS_PER_MS;
    int64_t until_ns = deadline_ns < ping_ns ? deadline_ns : ping_ns;
    int64_t wait_ms = until_ns > now_ns ? (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    struct pollfd p[2] = {{.fd = ws->fd, .events = POLLIN}, {.fd = ws->server->wake_fd, .events = POLLIN}};
    (void)poll(p, 2, (int)wait_ms);
}

enum err http_ws_receive(struct http_ws *ws, int64_t timeout_ms, struct str *ret_text)
{
    int64_t now_ns = clock_mono_ns(clock_real()), deadline_ns = now_ns + timeout_ms * NS_PER_MS;
    enum err e = ws->closed ? ERR_CANCELED : ws_next_message(ws);
    while (e == ERR_TIMEOUT) {
        if (http_ws_closing(ws)) {
            return ERR_CANCELED;
        }
        bool open = ws_pump(ws) == ERR_OK;
        e = ws_next_message(ws);
        if (e != ERR_TIMEOUT) {
            break;
        }
        if (!open || ws_keep_alive(ws, now_ns) != ERR_OK) {
            e = ERR_CANCELED;
            break;
        }
        if (now_ns >= deadline_ns) {
            return ERR_TIMEOUT;
        }
        wait_input(ws, now_ns, deadline_ns);
        now_ns = clock_mono_ns(clock_real());
    }
    if (e == ERR_OK) {
        *ret_text = buf_view(&ws->message);
    } else {
        ws->closed = true;
    }
    return e;
}
