/* The listening side: one thread polls the socket and its connections. Messages are framed by octet counting
 * or by newline, told apart by their first byte (RFC 6587). A full client makes the thread wait, and senders
 * over TCP with it. */
#include "agent/inputs/syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    CONNECTIONS_MAX = 512,
    READ_BYTES = 64 << 10,
    DATAGRAM_BYTES_MAX = 65536,
    LABELS_MAX = 280,
    ADDRESS_BYTES = 128,
    UDP_BUFFER_BYTES = 1 << 20,
    BACKLOG = 128
};

struct connection {
    int fd;
    char peer[INET6_ADDRSTRLEN];
    struct buf in;
    int64_t last_ns;
    struct connection *next;
};

struct syslog_input {
    struct input base;
    struct input_common common;
    struct syslog_options o;
    struct thread thread;
    int fd, wake_fd;
    unsigned port;
    atomic_bool stop; /* set by the stopping thread */
    /* The thread's: */
    struct connection *connections;
    size_t connection_count;
    struct pollfd *polled; /* CONNECTIONS_MAX + 2 */
    struct arena arena;
    char *datagram;
};

/* -- messages -----------------------------------------------------------------------------------------------
 */

static void add_label(struct label *l, size_t *n, const char *name, struct str value)
{
    if (value.n && *n < LABELS_MAX) {
        l[(*n)++] = (struct label){str_c(name), value};
    }
}

static size_t make_labels(struct syslog_input *in, const struct syslog_message *m, const char *peer,
                          struct label *l)
{
    size_t n = 0;
    add_label(l, &n, "__syslog_connection_ip_address", str_c(peer));
    add_label(l, &n, "__syslog_message_severity", str_c(syslog_severity_name(m->severity)));
    add_label(l, &n, "__syslog_message_facility", str_c(syslog_facility_name(m->facility)));
    add_label(l, &n, "__syslog_message_hostname", m->hostname);
    add_label(l, &n, "__syslog_message_app_name", m->app_name);
    add_label(l, &n, "__syslog_message_proc_id", m->proc_id);
    add_label(l, &n, "__syslog_message_msg_id", m->msg_id);
    for (size_t i = 0; in->o.label_structured_data && i < m->param_count; i++) {
        const struct syslog_param *p = &m->params[i];
        struct str name =
            arena_printf(&in->arena, "__syslog_message_sd_%.*s_%.*s", STR_FMT(p->id), STR_FMT(p->name));
        char *c = name.p ? arena_bytes(&in->arena, name.n + 1) : NULL;
        for (size_t k = 0; c && k < name.n; k++) {
            bool ok = name.p[k] == '_' || (name.p[k] >= '0' && name.p[k] <= '9') ||
                      ((name.p[k] | 32) >= 'a' && (name.p[k] | 32) <= 'z');
            c[k] = ok ? name.p[k] : '_';
        }
        if (c) {
            c[name.n] = '\0';
            add_label(l, &n, c, p->value);
        }
    }
    return n;
}

static void put_message(struct syslog_input *in, struct str text, const char *peer)
{
    struct syslog_message m;
    struct label l[LABELS_MAX];
    struct labels labels;
    ts_ns now = clock_wall_ns(clock_real());
    arena_reset(&in->arena);
    while (text.n &&
           (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' || text.p[text.n - 1] == '\0')) {
        text.n--;
    }
    if (text.n == 0) {
        return;
    }
    if (syslog_parse(&in->arena, text, in->o.rfc3164, now, &m)) {
        agent_count(in->common.metrics, AM_SYSLOG_ERRORS, 1, NULL);
        LOG_EVENT(LVL_WARN, "syslog_message_wrong", F_STR("job", in->common.job), F_C("peer", peer));
        return;
    }
    if (m.message.n == 0) {
        agent_count(in->common.metrics, AM_SYSLOG_EMPTY, 1, NULL);
        return;
    }
    if (!input_labels(&in->common, &in->arena, l, make_labels(in, &m, peer, l), &labels)) {
        return;
    }
    struct entry e;
    entry_init(&e, &in->arena, labels, in->o.use_incoming_timestamp && m.has_time ? m.ts : now,
               in->o.use_rfc5424_message ? text : m.message, NULL);
    if (!e.err) {
        agent_count(in->common.metrics, AM_SYSLOG_ENTRIES, 1, NULL);
        in->common.sink.put(in->common.sink.ctx, &e);
    }
}

/* -- framing ------------------------------------------------------------------------------------------------
 */

/* Length of the first frame with its *ret_skip bytes before the message; 0: more is needed; SIZE_MAX: wrong.
 */
static size_t first_frame(struct str s, size_t max, size_t *ret_skip)
{
    *ret_skip = 0;
    if (s.p[0] == '<') {
        size_t end = str_find_char(s, '\n', 0);
        return end != STR_NPOS ? end + 1 : s.n > max ? SIZE_MAX : 0;
    }
    size_t n = 0;
    uint64_t length;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') {
        n++;
    }
    if (n == s.n && n < 10) {
        return 0;
    }
    if (n == 0 || n > 9 || s.p[n] != ' ' || str_to_u64(str_slice(s, 0, n), &length) || length > max) {
        return SIZE_MAX;
    }
    *ret_skip = n + 1;
    return s.n < n + 1 + length ? 0 : n + 1 + (size_t)length;
}

/* Hands on all whole frames. False: the stream is broken. */
static bool take_frames(struct syslog_input *in, struct connection *c, bool end)
{
    struct str s = buf_view(&c->in);
    size_t skip, n = 1;
    while (s.n) {
        if (s.p[0] == '\n' || s.p[0] == '\r') {
            s = str_slice(s, 1, s.n);
            continue;
        }
        n = first_frame(s, in->o.message_bytes_max, &skip);
        n = n == 0 && end && s.p[0] == '<' ? s.n : n; /* the last line may lack its newline */
        if (n == 0 || n == SIZE_MAX) {
            break;
        }
        put_message(in, str_slice(s, skip, n), c->peer);
        s = str_slice(s, n, s.n);
    }
    if (s.n) {
        memmove(c->in.p, s.p, s.n);
    }
    c->in.n = s.n;
    return s.n == 0 || n != SIZE_MAX;
}

/* -- connections --------------------------------------------------------------------------------------------
 */

static void peer_name(const struct sockaddr_storage *a, char out[INET6_ADDRSTRLEN])
{
    const void *address = a->ss_family == AF_INET
                              ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
                              : (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    if (!inet_ntop(a->ss_family, address, out, INET6_ADDRSTRLEN)) {
        out[0] = '\0';
    }
    if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.')) {
        memmove(out, out + 7, strlen(out + 7) + 1);
    }
}

static void accept_one(struct syslog_input *in)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof(from);
    int fd = accept4(in->fd, (struct sockaddr *)(void *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    struct connection *c = in->connection_count < CONNECTIONS_MAX ? mem_zalloc(sizeof(*c)) : NULL;
    if (!c) {
        LOG_EVENT(LVL_WARN, "syslog_connection_refused", F_U64("connections", in->connection_count));
        (void)close(fd);
        return;
    }
    c->fd = fd;
    c->last_ns = clock_mono_ns(clock_real());
    c->in.size_bytes_max = in->o.message_bytes_max + READ_BYTES + 64;
    peer_name(&from, c->peer);
    c->next = in->connections;
    in->connections = c;
    in->connection_count++;
}

/* Reads what is there. False: the connection is done. */
static bool read_connection(struct syslog_input *in, struct connection *c)
{
    char *to = buf_tail(&c->in, READ_BYTES);
    ssize_t n = to ? recv(c->fd, to, READ_BYTES, 0) : 0;
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    c->in.n += (size_t)n;
    c->last_ns = clock_mono_ns(clock_real());
    if (!take_frames(in, c, n == 0)) {
        agent_count(in->common.metrics, AM_SYSLOG_ERRORS, 1, NULL);
        LOG_EVENT(LVL_WARN, "syslog_stream_wrong", F_STR("job", in->common.job), F_C("peer", c->peer),
                  F_C("effect", "the connection is closed"));
        return false;
    }
    return n > 0;
}

static void close_connection(struct syslog_input *in, struct connection **at)
{
    struct connection *c = *at;
    *at = c->next;
    in->connection_count--;
    (void)close(c->fd);
    buf_done(&c->in);
    mem_free(c);
}

static void serve_connections(struct syslog_input *in)
{
    int64_t now = clock_mono_ns(clock_real());
    size_t i = 2;
    for (struct connection **at = &in->connections; *at; i++) {
        struct connection *c = *at;
        bool open = !(in->polled[i].revents & (POLLIN | POLLHUP | POLLERR)) || read_connection(in, c);
        open = open && now - c->last_ns < in->o.idle_timeout_ms * NS_PER_MS;
        if (open) {
            at = &c->next;
        } else {
            close_connection(in, at);
        }
    }
}

static void read_datagrams(struct syslog_input *in)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof(from);
    char peer[INET6_ADDRSTRLEN];
    ssize_t n;
    while ((n = recvfrom(in->fd, in->datagram, DATAGRAM_BYTES_MAX, MSG_DONTWAIT,
                         (struct sockaddr *)(void *)&from, &size)) >= 0) {
        peer_name(&from, peer);
        put_message(in, str_of(in->datagram, (size_t)n), peer);
        size = sizeof(from);
        if (atomic_load_explicit(&in->stop, memory_order_acquire)) {
            return;
        }
    }
}

static void syslog_main(void *ctx)
{
    struct syslog_input *in = ctx;
    while (!atomic_load_explicit(&in->stop, memory_order_acquire)) {
        size_t n = 2;
        in->polled[0] = (struct pollfd){.fd = in->wake_fd, .events = POLLIN};
        in->polled[1] = (struct pollfd){.fd = in->fd, .events = POLLIN};
        for (struct connection *c = in->connections; c; c = c->next) {
            in->polled[n++] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        }
        (void)poll(in->polled, n, 1000);
        bool pending = in->polled[1].revents & POLLIN;
        if (in->o.udp && pending) {
            read_datagrams(in);
        }
        serve_connections(in);
        if (!in->o.udp && pending) {
            accept_one(in);
        }
    }
}

/* -- life ---------------------------------------------------------------------------------------------------
 */

static enum err bind_socket(struct syslog_input *in, const struct addrinfo *a, struct err_info *info)
{
    int one = 1, size = UDP_BUFFER_BYTES;
    in->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (in->fd < 0) {
        return err_set_errno(info, errno, "cannot make a socket for syslog");
    }
    (void)setsockopt(in->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (in->o.udp) {
        (void)setsockopt(in->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }
    if (bind(in->fd, a->ai_addr, a->ai_addrlen) != 0 || (!in->o.udp && listen(in->fd, BACKLOG) != 0)) {
        return err_set_errno(info, errno, "cannot listen for syslog on %.*s", STR_FMT(in->o.listen_address));
    }
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof(bound);
    if (getsockname(in->fd, (struct sockaddr *)(void *)&bound, &length) == 0) {
        in->port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&bound)->sin_port
                                                    : ((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
    }
    return ERR_OK;
}

static enum err open_socket(struct syslog_input *in, struct err_info *info)
{
    char text[ADDRESS_BYTES];
    struct addrinfo want = {.ai_flags = AI_PASSIVE, .ai_socktype = in->o.udp ? SOCK_DGRAM : SOCK_STREAM},
                    *list;
    (void)snprintf(text, sizeof(text), "%.*s", STR_FMT(in->o.listen_address));
    char *colon = strrchr(text, ':');
    if (!colon) {
        return err_set(info, ERR_INVALID, "syslog listen_address \"%s\" is not host:port", text);
    }
    *colon = '\0';
    char *host = text[0] == '[' ? text + 1 : text;
    host[strcspn(host, "]")] = '\0';
    if (getaddrinfo(*host ? host : NULL, colon + 1, &want, &list) != 0) {
        return err_set(info, ERR_INVALID, "syslog listen_address \"%.*s\" cannot be resolved",
                       STR_FMT(in->o.listen_address));
    }
    enum err e = bind_socket(in, list, info);
    freeaddrinfo(list);
    return e;
}

static void syslog_stop(struct input *base)
{
    struct syslog_input *in = (struct syslog_input *)base;
    uint64_t one = 1;
    atomic_store_explicit(&in->stop, true, memory_order_release);
    ssize_t n = write(in->wake_fd, &one, sizeof(one));
    (void)n;
    thread_join(&in->thread);
    if (in->fd >= 0) { /* a configuration read anew wants the port */
        (void)close(in->fd);
        in->fd = -1;
    }
}

static void syslog_free(struct input *base)
{
    struct syslog_input *in = (struct syslog_input *)base;
    while (in->connections) {
        close_connection(in, &in->connections);
    }
    if (in->fd >= 0) {
        (void)close(in->fd);
    }
    if (in->wake_fd >= 0) {
        (void)close(in->wake_fd);
    }
    mem_free(in->polled);
    mem_free(in->datagram);
    arena_done(&in->arena);
    mem_free(in);
}

static bool syslog_ready(struct input *base)
{
    (void)base;
    return true;
}

static const struct input_ops ops = {
    .type = "Syslog", .stop = syslog_stop, .free = syslog_free, .ready = syslog_ready};

unsigned input_syslog_port(const struct input *in)
{
    return ((const struct syslog_input *)in)->port;
}

enum err input_syslog_new(const struct input_common *c, const struct syslog_options *o,
                          struct input **ret_input, struct err_info *reterr_info)
{
    struct syslog_input *in = mem_zalloc(sizeof(*in));
    if (!in) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    in->base.ops = &ops;
    in->common = *c;
    in->o = *o;
    in->fd = -1;
    atomic_init(&in->stop, false);
    arena_init(&in->arena, AGENT_ENTRY_BYTES_MAX, NULL);
    in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    in->polled = mem_zarray(CONNECTIONS_MAX + 2, sizeof(*in->polled));
    in->datagram = mem_alloc(DATAGRAM_BYTES_MAX);
    enum err e = in->wake_fd >= 0 && in->polled && in->datagram
                     ? open_socket(in, reterr_info)
                     : err_set(reterr_info, ERR_OOM, "out of memory");
    if (!e && thread_start(&in->thread, "agent-syslog", syslog_main, in)) {
        e = err_set(reterr_info, ERR_UNAVAILABLE, "cannot start a thread");
    }
    if (e) {
        syslog_free(&in->base);
        return e;
    }
    *ret_input = &in->base;
    return ERR_OK;
}
