/* Connections that hold a place without asking for anything. Those whose request line and headers do not
 * come are cut off in time, and when most places are taken the longest waiting make room, so that somebody
 * who opens many connections and says nothing keeps nobody else out. */
#include <sys/socket.h>

#include "base/clock.h"
#include "net/http_int.h"

enum {
    HEAD_TIMEOUT_S = 30,
    /* When crowded: how long a connection may be silent, and a body may take. */
    CROWDED_SILENT_MS = 50,
    CROWDED_BODY_S = 10
};

static bool crowded(const struct http_server *s)
{
    return s->conn_count * 4 > (size_t)s->options.connections_max * 3;
}

struct http_conn *http_conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        connection ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT) : NULL;
    return info ? info->socket_context : NULL;
}

static void opened(struct http_server *s, struct MHD_Connection *connection, struct http_conn *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->server = s;
    c->fd = info ? info->connect_fd : -1;
    atomic_init(&c->busy, false);
    atomic_init(&c->since_ns, clock_mono_ns(clock_real()));
    mutex_lock(&s->lock);
    c->prev = s->conn_newest;
    *(c->prev ? &c->prev->next : &s->conn_oldest) = c;
    s->conn_newest = c;
    s->conn_count++;
    bool full = crowded(s);
    mutex_unlock(&s->lock);
    if (full) {
        http_watch_wake(s);
    }
}

static void closed(struct http_server *s, struct http_conn *c)
{
    mutex_lock(&s->lock);
    *(c->prev ? &c->prev->next : &s->conn_oldest) = c->next;
    *(c->next ? &c->next->prev : &s->conn_newest) = c->prev;
    s->conn_count--;
    mutex_unlock(&s->lock);
    mem_free(c);
}

void http_conn_seen(void *server, struct MHD_Connection *connection, void **context,
                    enum MHD_ConnectionNotificationCode what)
{
    struct http_conn *c = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = c = mem_zalloc(sizeof(*c));
        if (c) {
            opened(server, connection, c);
        }
    } else if (c) {
        *context = NULL;
        closed(server, c);
    }
}

void http_conn_stamp(struct MHD_Connection *connection, int64_t now_ns)
{
    struct http_conn *c = http_conn_of(connection);
    if (c) {
        atomic_store_explicit(&c->since_ns, now_ns, memory_order_relaxed);
    }
}

void http_conn_busy(struct MHD_Connection *connection, bool busy)
{
    struct http_conn *c = http_conn_of(connection);
    if (!c) {
        return;
    }
    if (!busy) {
        http_conn_stamp(connection, clock_mono_ns(clock_real()));
        atomic_store_explicit(&c->served, true, memory_order_relaxed);
    }
    atomic_store_explicit(&c->busy, busy, memory_order_relaxed);
}

/* Cuts the connections that were silent longer than `silent_ns`, oldest first, but no more than `max`. */
static size_t cut(struct http_server *s, int64_t now_ns, int64_t silent_ns, bool served, size_t max)
{
    size_t n = 0;
    for (struct http_conn *c = s->conn_oldest; c && n < max; c = c->next) {
        if (c->fd >= 0 && !c->cut && !atomic_load_explicit(&c->busy, memory_order_relaxed) &&
            atomic_load_explicit(&c->served, memory_order_relaxed) == served &&
            now_ns - atomic_load_explicit(&c->since_ns, memory_order_relaxed) > silent_ns) {
            (void)shutdown(c->fd, SHUT_RDWR);
            c->cut = true;
            n++;
        }
    }
    return n;
}

bool http_conns_trim(struct http_server *s, int64_t now_ns)
{
    int64_t idle_ns = (int64_t)s->options.idle_timeout_s * NS_PER_S;
    int64_t head_ns = idle_ns < HEAD_TIMEOUT_S * NS_PER_S ? idle_ns : HEAD_TIMEOUT_S * NS_PER_S;
    (void)cut(s, now_ns, head_ns, false, SIZE_MAX);
    (void)cut(s, now_ns, idle_ns, true, SIZE_MAX);
    if (!crowded(s)) {
        return false;
    }
    size_t many = s->conn_count - s->options.connections_max / 2;
    many -= cut(s, now_ns, CROWDED_SILENT_MS * NS_PER_MS, false, many);
    (void)cut(s, now_ns, CROWDED_SILENT_MS * NS_PER_MS, true, many);
    return true;
}

int64_t http_conns_body_ns(const struct http_server *s)
{
    int64_t idle_ns = (int64_t)s->options.idle_timeout_s * NS_PER_S;
    return crowded(s) && idle_ns > CROWDED_BODY_S * NS_PER_S ? CROWDED_BODY_S * NS_PER_S : idle_ns;
}
