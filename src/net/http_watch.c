/* The list of open requests and the thread that looks after it: a client that leaves while a handler works
 * sets the request's cancel flag (libmicrohttpd does not look at suspended connections), and a client that
 * sends its request too slowly is cut off. A listed request's connection is alive: request_over unlists it
 * first. */
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/http_int.h"

enum {
    WATCH_EVERY_MS = 200,
    WATCH_CROWDED_MS = 20,
    DOZE_MS = 5000
};

void http_watch_add(struct http_req *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->lock);
    r->next = s->open;
    r->prev = NULL;
    if (s->open) {
        s->open->prev = r;
    }
    s->open = r;
    r->listed = true;
    mutex_unlock(&s->lock);
}

void http_watch_remove(struct http_req *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->lock);
    if (r->listed) {
        *(r->prev ? &r->prev->next : &s->open) = r->next;
        if (r->next) {
            r->next->prev = r->prev;
        }
        r->listed = false;
        if (atomic_load(&s->stopping)) {
            cond_broadcast(&s->idle);
        }
    }
    mutex_unlock(&s->lock);
}

void http_req_cancel(struct http_req *r)
{
    atomic_store(&r->canceled, true);
    cond_broadcast(&r->stream.room);
}

/* Wakes the watcher when it dozes: at most once in WATCH_EVERY_MS. */
void http_watch_wake(struct http_server *s)
{
    mutex_lock(&s->lock);
    if (s->watcher_dozes) {
        s->watcher_dozes = false;
        cond_signal(&s->watcher_wake);
    }
    mutex_unlock(&s->lock);
}

/* How soon the next look must be; 0 = no handler is at work and connections are few. */
static int64_t look(struct http_server *s, int64_t now_ns)
{
    int64_t read_max_ns = http_conns_body_ns(s);
    int64_t soon_ms = http_conns_trim(s, now_ns) ? WATCH_CROWDED_MS : 0;
    for (struct http_req *r = s->open; r; r = r->next) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        int fd = info ? info->connect_fd : -1;
        if (atomic_load(&r->dispatched)) {
            struct pollfd p = {.fd = fd, .events = POLLRDHUP};
            soon_ms = soon_ms ? soon_ms : WATCH_EVERY_MS;
            if (!atomic_load(&r->canceled) && poll(&p, 1, 0) == 1 &&
                (p.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
                http_req_cancel(r);
            }
        } else if (now_ns - r->started_ns > read_max_ns && fd >= 0) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    return soon_ms;
}

void http_watch_main(void *server)
{
    struct http_server *s = server;
    int64_t read_max_ns = (int64_t)s->options.idle_timeout_s * NS_PER_S;
    mutex_lock(&s->lock);
    while (!s->watcher_stops) {
        int64_t now_ns = clock_mono_ns(clock_real());
        int64_t soon_ms = look(s, now_ns);
        int64_t doze_ms = read_max_ns < 4 * DOZE_MS * NS_PER_MS ? DOZE_MS / 10 : DOZE_MS;
        s->watcher_dozes = soon_ms == 0;
        (void)cond_wait_until(&s->watcher_wake, &s->lock, now_ns + (soon_ms ? soon_ms : doze_ms) * NS_PER_MS);
    }
    mutex_unlock(&s->lock);
}
