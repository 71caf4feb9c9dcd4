/* The server: starts libmicrohttpd, collects requests, hands them to handlers, stops.
 *
 * A request belongs to its network thread until it is dispatched; then to the handler (inline: same thread;
 * else a worker, with the connection suspended) until it is answered; then to the network thread again. */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_int.h"
#include "net/web_config_int.h"

enum {
    WORKERS_MIN = 4,
    /* After the grace: how long a detached request may take to notice that it is canceled. */
    ABANDON_AFTER_S = 5
};

/* -- a request arrives ----------------------------------------------------------------------------------- */

struct http_req_box {
    struct http_req r;
    struct http_lazy lazy;
};

static void *uri_seen(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_req_box *box = mem_zalloc(sizeof(*box));
    if (!box) {
        return NULL;
    }
    struct http_req *r = &box->r;
    r->server = cls;
    r->root = r;
    r->lazy = &box->lazy;
    r->connection = connection;
    atomic_init(&r->owners, 1);
    arena_init(&r->arena, 0, NULL);
    mutex_init(&r->lock);
    cond_init(&r->stream.room);
    r->raw_path = arena_str(&r->arena, str_c(uri));
    r->started_ns = clock_mono_ns(clock_real());
    r->write_timeout_ns = (int64_t)r->server->options.idle_timeout_s * NS_PER_S;
    http_conn_stamp(connection, r->started_ns);
    http_watch_add(r);
    return r;
}

/* "/prometheus/x" with the prefix "/prometheus" becomes "/x". */
static struct str without_prefix(struct str path, struct str prefix)
{
    if (prefix.n > 1 && str_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/')) {
        path = str_slice(path, prefix.n, path.n);
        return path.n ? path : STR("/");
    }
    return path;
}

/* Rate, client certificate and identity, as far as they can be known without blocking. */
static void admit(struct http_req *r)
{
    const struct web_config *w = r->server->options.web;
    if (!w) {
        return;
    }
    enum err e = web_rate(w);
    if (e == ERR_OK && w->tls && !web_tls_client_ok(w, r->connection) &&
        !web_auth_own(w, http_header_of(r, "Authorization"))) {
        http_req_refuse_first(r, 403, "a client certificate is required\n");
    }
    bool open = r->binding && (r->binding->route->flags & HTTP_NO_AUTH);
    if (e == ERR_OK && !open) {
        e = web_auth(w, &r->arena, http_header_of(r, "Authorization"), false, &r->user);
    }
    r->unproven = e == ERR_UNAVAILABLE;
    http_req_deny(r, e);
}

struct framing {
    unsigned hosts, lengths, codings;
};

static enum MHD_Result count_framing(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    (void)value;
    struct framing *f = cls;
    struct str name = str_c(key);
    f->hosts += str_ieq(name, STR("Host"));
    f->lengths += str_ieq(name, STR("Content-Length"));
    f->codings += str_ieq(name, STR("Transfer-Encoding"));
    return MHD_YES;
}

/* Requests whose end or addressee two programs in a row could see differently (RFC 9112 3.2, 6.3). The
 * connection is closed: what follows is not to be taken for the next request. NULL = fine. */
static const char *framing_wrong(struct http_req *r, const char *version)
{
    struct framing f = {0};
    (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_framing, &f);
    if (f.lengths > 1 || f.codings > 1 || (f.lengths && f.codings)) {
        return "400 Bad Request: more than one of Content-Length and Transfer-Encoding\n";
    }
    if (f.hosts > 1) {
        return "400 Bad Request: too many Host headers\n";
    }
    bool asks_host = str_eq_c(str_c(version), "HTTP/1.1");
    return f.hosts == 0 && asks_host ? "400 Bad Request: missing required Host header\n" : NULL;
}

/* The headers are whole: route and limits. MHD_NO closes the connection. */
static enum MHD_Result request_begin(struct http_req *r, const char *method, const char *version)
{
    struct str target = r->raw_path;
    size_t mark = str_find_char(target, '?', 0);
    r->begun = true;
    http_conn_busy(r->connection, true);
    r->method = arena_str(&r->arena, str_c(method));
    r->query = mark == STR_NPOS ? STR("") : str_slice(target, mark + 1, target.n);
    r->raw_path = without_prefix(mark == STR_NPOS ? target : str_slice(target, 0, mark),
                                 r->server->options.path_prefix);
    r->head = str_eq_c(r->method, "HEAD");
    if (!r->method.p) {
        return MHD_NO;
    }
    const char *wrong = framing_wrong(r, version);
    if (wrong) {
        http_req_refuse(r, 400, wrong);
        http_res_header(r, "Connection", STR("close"));
        http_req_answer_refusal(r);
        return http_response_queue(r);
    }
    http_req_route(r);
    admit(r);
    uint64_t length = 0;
    struct str declared = http_header_of(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (declared.n && str_to_u64(declared, &length) == ERR_OK && length > r->body_bytes_max) {
        http_req_refuse(r, 413, "the request body is too large\n");
    }
    /* Answered before the body, which closes the connection: else the body is read first. */
    if (r->refused_status &&
        (length > HTTP_SWALLOW_BYTES_MAX || http_header_of(r, MHD_HTTP_HEADER_EXPECT).n)) {
        http_req_answer_refusal(r);
        return http_response_queue(r);
    }
    return MHD_YES;
}

static enum MHD_Result upload(struct http_req *r, const char *data, size_t n)
{
    if (r->refused_status) {
        r->body.n += n; /* counts only: the bytes are gone already */
        return r->body.n > HTTP_SWALLOW_BYTES_MAX + r->body_bytes_max ? MHD_NO : MHD_YES;
    }
    r->body.size_bytes_max = r->body_bytes_max;
    buf_append(&r->body, data, n);
    if (r->body.err != ERR_OK) {
        bool limit = r->body.err == ERR_LIMIT;
        http_req_refuse(r, limit ? 413 : 503, limit ? "the request body is too large\n" : "out of memory\n");
        buf_done(&r->body);
    }
    return MHD_YES;
}

/* -- running the handler --------------------------------------------------------------------------------- */

/* Worker task. */
static void work(void *ctx)
{
    struct http_req *r = ctx;
    if (r->unproven) {
        http_req_deny(r, web_auth(r->server->options.web, &r->arena, http_header_of(r, "Authorization"), true,
                                  &r->user));
    }
    if (r->refused_status) {
        http_req_answer_refusal(r);
    } else {
        http_req_run(r);
    }
    http_req_finish(r);
}

static enum MHD_Result run_inline(struct http_req *r)
{
    http_req_run(r);
    mutex_lock(&r->lock);
    bool wait = r->detached && r->answer_kind == ANSWER_NONE;
    if (wait) {
        r->suspended = true;
        MHD_suspend_connection(r->connection);
    }
    mutex_unlock(&r->lock);
    if (wait) {
        http_watch_wake(r->server);
        return MHD_YES;
    }
    return http_response_queue(r);
}

static enum MHD_Result dispatch(struct http_req *r)
{
    struct http_server *s = r->server;
    atomic_store_explicit(&r->dispatched, true, memory_order_relaxed);
    http_req_body_complete(r);
    if (r->refused_status && !r->unproven) {
        http_req_answer_refusal(r);
        return http_response_queue(r);
    }
    if (!r->unproven && (!r->binding || (r->binding->route->flags & HTTP_INLINE))) {
        return run_inline(r);
    }
    http_req_keep_headers(r);
    r->may_block = true;
    r->suspended = true;
    atomic_fetch_add(&r->owners, 1);
    MHD_suspend_connection(r->connection);
    http_watch_wake(s);
    if (pool_submit(http_req_pool(r), work, r) != ERR_OK) {
        http_req_refuse(r, 503, "all workers are busy and the queue is full, try again\n");
        http_req_answer_refusal(r);
        http_req_finish(r);
    }
    return MHD_YES;
}

/* -- libmicrohttpd's callbacks --------------------------------------------------------------------------- */

static enum MHD_Result access_seen(void *cls, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *data_size, void **request)
{
    (void)cls;
    (void)connection;
    (void)url;
    struct http_req *r = *request;
    if (!r || !r->raw_path.p) {
        return MHD_NO;
    }
    if (!r->begun) {
        return request_begin(r, method, version);
    }
    if (*data_size) {
        size_t n = *data_size;
        *data_size = 0;
        return upload(r, data, n);
    }
    if (!atomic_load_explicit(&r->dispatched, memory_order_relaxed)) {
        return dispatch(r);
    }
    return http_response_queue(r);
}

static void request_over(void *cls, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode why)
{
    const struct http_server *s = cls;
    struct http_req *r = *request;
    if (!r) {
        return;
    }
    *request = NULL;
    if (s->options.on_done && r->status) {
        s->options.on_done(s->options.on_done_ctx, http_req_route_name(r), r->method, r->status,
                           (double)(clock_mono_ns(clock_real()) - r->started_ns) / 1e9, r->bytes_out);
    }
    mutex_lock(&r->lock);
    if (r->answer_kind != ANSWER_UPGRADE) {
        http_conn_busy(connection, false);
    }
    r->gone = true;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        atomic_store(&r->canceled, true);
    }
    cond_broadcast(&r->stream.room);
    mutex_unlock(&r->lock);
    http_watch_remove(r);
    http_req_unref(r);
}

static size_t keep_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void log_library(void *cls, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void log_library(void *cls, const char *fmt, va_list ap)
{
    char text[512];
    const struct http_server *s = cls;
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    LOG_EVENT(LVL_DEBUG, "http_library", F_C("role", s->options.role), F_STR("text", str_trim(str_c(text))));
}

/* -- start ----------------------------------------------------------------------------------------------- */

static void server_free(struct http_server *s)
{
    http_bindings_free(s);
    pool_free(s->pool);
    pool_free(s->queries);
    regex_free(s->cors);
    if (s->wake_fd >= 0) {
        (void)close(s->wake_fd);
    }
    cond_done(&s->idle);
    cond_done(&s->watcher_wake);
    mutex_done(&s->lock);
    mutex_done(&s->routes_lock);
    arena_done(&s->arena);
    mem_free(s);
}

/* Own copies and defaults of the options. */
static enum err options_take(struct http_server *s, const struct http_server_options *o,
                             struct err_info *info)
{
    struct http_server_options *t = &s->options;
    *t = *o;
    struct str role = arena_str(&s->arena, str_c(o->role));
    t->role = role.p;
    t->listen_address = arena_str(&s->arena, o->listen_address);
    t->path_prefix = arena_str(&s->arena, o->path_prefix);
    while (t->path_prefix.n && t->path_prefix.p[t->path_prefix.n - 1] == '/') {
        t->path_prefix.n--;
    }
    unsigned processors = thread_cpu_count();
    t->workers = o->workers ? o->workers : processors < WORKERS_MIN ? WORKERS_MIN : processors;
    t->queue_max = o->queue_max ? o->queue_max : HTTP_QUEUE_MAX;
    t->connections_max = o->connections_max ? o->connections_max : HTTP_CONNECTIONS_MAX;
    t->idle_timeout_s = o->idle_timeout_s ? o->idle_timeout_s : HTTP_IDLE_TIMEOUT_S;
    if (arena_err(&s->arena) != ERR_OK) {
        return ERR_OOM;
    }
    return o->cors_origin.n ? regex_new(o->cors_origin, REGEX_ANCHORED, &s->cors, info) : ERR_OK;
}

static struct MHD_Daemon *start_daemon(struct http_server *s, int fd)
{
    const struct http_server_options *o = &s->options;
    unsigned threads = o->network_threads > 1 ? o->network_threads : 0;
    bool tls = web_config_tls(o->web);
    struct MHD_OptionItem more[4] = {{MHD_OPTION_END, 0, NULL}};
    if (tls) {
        more[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0,
                                          (void *)(uintptr_t)web_tls_certificate};
        more[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, o->web->priorities};
        more[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, o->web->client_ca};
        more[o->web->client_ca ? 3 : 2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG |
            (tls ? (unsigned)MHD_USE_TLS : 0u),
        0, NULL, NULL, access_seen, s, MHD_OPTION_EXTERNAL_LOGGER, log_library, s, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT, o->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK, uri_seen, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_over, s,
        MHD_OPTION_NOTIFY_CONNECTION, http_conn_seen, s, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

static enum err server_open(struct http_server *s, struct err_info *info)
{
    struct http_server_options *o = &s->options;
    char bound[96];
    int fd = o->listen_fd;
    enum err e = fd > 0 ? ERR_OK : http_listen(o, &fd, info);
    if (e != ERR_OK) {
        return e;
    }
    s->port = http_bound(fd, bound, sizeof(bound));
    s->address = arena_str(&s->arena, str_c(bound));
    e = s->address.p ? pool_new(o->role, o->workers, o->queue_max, &s->pool) : ERR_OOM;
    if (e == ERR_OK && o->query_workers) {
        e = pool_new(o->role, o->query_workers, o->queue_max, &s->queries);
    }
    s->daemon = e == ERR_OK ? start_daemon(s, fd) : NULL;
    if (!s->daemon) {
        (void)close(fd);
        return e != ERR_OK ? e
                           : err_set(info, ERR_UNAVAILABLE, "%s: the HTTP server did not start on %s",
                                     o->role, bound);
    }
    e = thread_start(&s->watcher, "http-watch", http_watch_main, s);
    if (e != ERR_OK) {
        MHD_stop_daemon(s->daemon);
    }
    return e;
}

enum err http_server_start(const struct http_server_options *o, struct http_server **ret_server,
                           struct err_info *reterr_info)
{
    struct http_server *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    arena_init(&s->arena, 0, NULL);
    mutex_init(&s->lock);
    mutex_init(&s->routes_lock);
    cond_init(&s->idle);
    cond_init(&s->watcher_wake);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store_explicit(&s->loading, o->loading, memory_order_release);
    enum err e = s->wake_fd < 0 ? err_set(reterr_info, ERR_IO, "%s: no file descriptor left", o->role)
                                : options_take(s, o, reterr_info);
    if (e == ERR_OK) {
        e = server_open(s, reterr_info);
    }
    if (e != ERR_OK) {
        server_free(s);
        return e;
    }
    *ret_server = s;
    return ERR_OK;
}

void http_server_set_loading(struct http_server *s, const char *reason)
{
    atomic_store_explicit(&s->loading, reason, memory_order_release);
}

void http_server_set_stopping(struct http_server *s, const char *reason)
{
    atomic_store_explicit(&s->refusing_for_good, true, memory_order_relaxed);
    http_server_set_loading(s, reason);
}

unsigned http_server_port(const struct http_server *s)
{
    return s->port;
}

struct str http_server_address(const struct http_server *s)
{
    return s->address;
}

/* -- stop ------------------------------------------------------------------------------------------------ */

/* With s->lock held: waits until no request is between its handler and the end of its answer. */
static bool wait_idle(struct http_server *s, int64_t deadline_ns)
{
    for (;;) {
        const struct http_req *r = s->open;
        while (r && !atomic_load(&r->dispatched)) {
            r = r->next;
        }
        if (!r || !cond_wait_until(&s->idle, &s->lock, deadline_ns)) {
            return !r;
        }
    }
}

/* Detached requests that nobody answers get 503. */
static void abandon_all(struct http_server *s)
{
    struct MHD_Connection *connection;
    do {
        connection = NULL;
        mutex_lock(&s->lock);
        for (struct http_req *r = s->open; r && !connection; r = r->next) {
            connection = http_req_abandon(r);
        }
        mutex_unlock(&s->lock);
        if (connection) {
            MHD_resume_connection(connection);
        }
    } while (connection);
}

void http_server_stop(struct http_server *s, int64_t grace_ms)
{
    if (!s) {
        return;
    }
    int fd = MHD_quiesce_daemon(s->daemon);
    atomic_store(&s->stopping, true);
    http_ws_wake(s);
    bool late = false;
    mutex_lock(&s->lock);
    if (!wait_idle(s, clock_mono_ns(clock_real()) + grace_ms * NS_PER_MS)) {
        for (struct http_req *r = s->open; r; r = r->next) {
            http_req_cancel(r);
        }
        mutex_unlock(&s->lock);
        http_ws_hang_up(s);
        mutex_lock(&s->lock);
        late = !wait_idle(s, clock_mono_ns(clock_real()) + ABANDON_AFTER_S * NS_PER_S);
    }
    s->watcher_stops = true;
    cond_broadcast(&s->watcher_wake);
    mutex_unlock(&s->lock);
    thread_join(&s->watcher);
    if (late) {
        abandon_all(s);
    }
    http_ws_hang_up(s);
    pool_stop(s->pool); /* handlers end: they see `canceled` */
    if (s->queries) {
        pool_stop(s->queries);
    }
    MHD_stop_daemon(s->daemon);
    if (fd >= 0) {
        (void)close(fd);
    }
    server_free(s);
}
