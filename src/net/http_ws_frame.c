/* RFC 6455 frames. Server frames are never masked, client frames always; extensions are not offered. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "net/http_ws_int.h"

enum {
    WS_HEADER_BYTES_MAX = 10,
    WS_CONTROL_BYTES_MAX = 125,
    WS_READ_BYTES = 16384,
    WS_IN_BYTES_MAX = WS_MESSAGE_BYTES_MAX + WS_READ_BYTES * 2,
};

/* -- writing --------------------------------------------------------------------------------------------- */

static size_t header_write(unsigned char *h, enum ws_opcode opcode, size_t n)
{
    h[0] = (unsigned char)(0x80u | (unsigned)opcode);
    if (n < 126) {
        h[1] = (unsigned char)n;
        return 2;
    }
    size_t bytes = n < 65536 ? 2 : 8;
    h[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++) {
        h[2 + i] = (unsigned char)((uint64_t)n >> (8 * (bytes - 1 - i)));
    }
    return 2 + bytes;
}

/* Waits for room on the socket. */
static enum err wait_writable(const struct http_ws *ws, int64_t deadline_ns)
{
    int64_t left_ms = (deadline_ns - clock_mono_ns(clock_real())) / NS_PER_MS;
    struct pollfd p = {.fd = ws->fd, .events = POLLOUT};
    if (left_ms <= 0) {
        return ERR_TIMEOUT;
    }
    int rc = poll(&p, 1, (int)left_ms);
    return rc == 0 ? ERR_TIMEOUT : rc < 0 && errno != EINTR ? ERR_CANCELED : ERR_OK;
}

static enum err write_all(const struct http_ws *ws, struct iovec *iov, size_t count)
{
    int64_t deadline_ns = clock_mono_ns(clock_real()) + WS_SEND_TIMEOUT_MS * NS_PER_MS;
    while (count) {
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
        ssize_t n = sendmsg(ws->fd, &m, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            enum err e = wait_writable(ws, deadline_ns);
            if (e != ERR_OK) {
                return e;
            }
            continue;
        }
        if (n < 0) {
            return ERR_CANCELED;
        }
        size_t sent = (size_t)n;
        while (count && sent >= iov->iov_len) {
            sent -= iov->iov_len;
            iov++;
            count--;
        }
        if (count) {
            iov->iov_base = (char *)iov->iov_base + sent;
            iov->iov_len -= sent;
        }
    }
    return ERR_OK;
}

enum err ws_frame_send(struct http_ws *ws, enum ws_opcode opcode, struct str payload)
{
    unsigned char header[WS_HEADER_BYTES_MAX];
    struct iovec iov[2] = {{header, header_write(header, opcode, payload.n)},
                           {(void *)(uintptr_t)payload.p, payload.n}};
    mutex_lock(&ws->write_lock);
    enum err e = ws->close_sent ? ERR_CANCELED : write_all(ws, iov, payload.n ? 2 : 1);
    ws->close_sent |= opcode == WS_CLOSE || e != ERR_OK; /* half a frame: nothing may follow */
    mutex_unlock(&ws->write_lock);
    return e;
}

void ws_close_send(struct http_ws *ws, enum ws_close_code code)
{
    char payload[2] = {(char)((unsigned)code >> 8), (char)((unsigned)code & 0xff)};
    enum err e = ws_frame_send(ws, WS_CLOSE, str_of(payload, sizeof(payload)));
    (void)e; /* the peer may have gone, or has been told already */
}

enum err ws_keep_alive(struct http_ws *ws, int64_t now_ns)
{
    if (now_ns - ws->heard_ns > WS_DEAD_AFTER_MS * NS_PER_MS) {
        ws->closed = true;
        return ERR_CANCELED;
    }
    if (now_ns - ws->ping_ns < WS_PING_EVERY_MS * NS_PER_MS) {
        return ERR_OK;
    }
    ws->ping_ns = now_ns;
    return ws_frame_send(ws, WS_PING, STR(""));
}

/* -- reading --------------------------------------------------------------------------------------------- */

enum err ws_pump(struct http_ws *ws)
{
    if (ws->in_taken) {
        memmove(ws->in.p, ws->in.p + ws->in_taken, ws->in.n - ws->in_taken);
        ws->in.n -= ws->in_taken;
        ws->in_taken = 0;
    }
    ws->in.size_bytes_max = WS_IN_BYTES_MAX;
    while (ws->in.n < WS_IN_BYTES_MAX - WS_READ_BYTES) {
        char *tail = buf_tail(&ws->in, WS_READ_BYTES);
        ssize_t n = tail ? recv(ws->fd, tail, WS_READ_BYTES, MSG_DONTWAIT) : -1;
        if (n > 0) {
            ws->in.n += (size_t)n;
            ws->heard_ns = clock_mono_ns(clock_real());
        } else if (tail && n < 0 && errno == EINTR) {
            continue;
        } else {
            bool open = tail && n < 0 && errno == EAGAIN;
            return open ? ERR_OK : ERR_CANCELED;
        }
    }
    return ERR_OK;
}

struct frame {
    enum ws_opcode opcode;
    bool fin;
    unsigned char *payload;
    size_t n;
};

static enum err refuse(struct http_ws *ws, enum ws_close_code code)
{
    ws_close_send(ws, code);
    ws->closed = true;
    return ERR_CANCELED;
}

/* OK, TIMEOUT (not whole yet), CANCELED (refused). The payload is unmasked in place. */
static enum err frame_parse(struct http_ws *ws, struct frame *f)
{
    unsigned char *p = (unsigned char *)ws->in.p + ws->in_taken;
    size_t have = ws->in.n - ws->in_taken, header = 2;
    if (have < 2) {
        return ERR_TIMEOUT;
    }
    uint64_t n = p[1] & 0x7fu;
    size_t bytes = n == 126 ? 2 : n == 127 ? 8 : 0;
    if ((p[0] & 0x70) || !(p[1] & 0x80)) {
        return refuse(ws, WS_CLOSE_PROTOCOL);
    }
    if (have < header + bytes + 4) {
        return ERR_TIMEOUT;
    }
    for (size_t i = 0; i < bytes; i++) {
        n = (i ? n << 8 : 0) | p[header + i];
    }
    header += bytes;
    f->opcode = (enum ws_opcode)(p[0] & 0x0f);
    f->fin = p[0] & 0x80;
    if (f->opcode >= WS_CLOSE && (n > WS_CONTROL_BYTES_MAX || !f->fin)) {
        return refuse(ws, WS_CLOSE_PROTOCOL);
    }
    if (n > WS_MESSAGE_BYTES_MAX) {
        return refuse(ws, WS_CLOSE_TOO_BIG);
    }
    if (have < header + 4 + n) {
        return ERR_TIMEOUT;
    }
    const unsigned char *mask = p + header;
    f->payload = p + header + 4;
    f->n = (size_t)n;
    for (size_t i = 0; i < f->n; i++) {
        f->payload[i] ^= mask[i & 3];
    }
    ws->in_taken += header + 4 + f->n;
    return ERR_OK;
}

static enum err data_frame(struct http_ws *ws, const struct frame *f)
{
    if (ws->message_open == (f->opcode != WS_CONTINUATION)) {
        return refuse(ws, WS_CLOSE_PROTOCOL);
    }
    if (f->opcode != WS_CONTINUATION) {
        buf_reset(&ws->message);
        ws->message.size_bytes_max = WS_MESSAGE_BYTES_MAX;
    }
    buf_append(&ws->message, f->payload, f->n);
    ws->message_open = !f->fin;
    if (ws->message.err != ERR_OK) {
        return refuse(ws, WS_CLOSE_TOO_BIG);
    }
    if (!f->fin) {
        return ERR_TIMEOUT;
    }
    return str_utf8_valid(buf_view(&ws->message)) ? ERR_OK : refuse(ws, WS_CLOSE_NOT_TEXT);
}

enum err ws_next_message(struct http_ws *ws)
{
    struct frame f;
    for (;;) {
        enum err e = frame_parse(ws, &f);
        if (e != ERR_OK) {
            return e;
        }
        switch ((int)f.opcode) {
        case WS_TEXT:
        case WS_BINARY:
        case WS_CONTINUATION:
            e = data_frame(ws, &f);
            if (e != ERR_TIMEOUT) {
                return e;
            }
            break;
        case WS_PING:
            e = ws_frame_send(ws, WS_PONG, str_of((const char *)f.payload, f.n));
            if (e != ERR_OK) {
                return ERR_CANCELED;
            }
            break;
        case WS_PONG:
            break;
        case WS_CLOSE:
            return refuse(ws, WS_CLOSE_NORMAL);
        default:
            return refuse(ws, WS_CLOSE_PROTOCOL);
        }
    }
}
