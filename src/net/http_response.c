/* Answers: whole ones, streamed ones, and the moment they are given back to the network thread.
 *
 * A whole answer of a worker is sent when its handler has returned; that of a detached request at once. A
 * streamed answer starts with http_res_begin: from then on the network thread takes bytes out of stream.data
 * while the writer puts more in, each waiting for the other under the request's lock (the reader by
 * suspending its connection). */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_int.h"
#include "net/web_config_int.h"

enum {
    WAIT_SLICE_MS = 100
};

void http_req_unref(struct http_req *r)
{
    if (atomic_fetch_sub(&r->owners, 1) != 1) {
        return;
    }
    buf_done(&r->body);
    buf_done(&r->answer);
    buf_done(&r->stream.data);
    cond_done(&r->stream.room);
    mutex_done(&r->lock);
    arena_done(&r->arena);
    mem_free(r);
}

/* With r->lock held: the connection that the caller must give to `resume` after unlocking, or NULL.
 * libmicrohttpd's own lock is taken by resuming, and libmicrohttpd may hold it when it calls request_over:
 * none of our locks may be held meanwhile. A suspended connection stays alive until then. */
static struct MHD_Connection *give_back(struct http_req *r)
{
    bool wait = r->suspended && !r->gone;
    r->suspended = false;
    return wait ? r->connection : NULL;
}

/* The same for a reader that waits for more of a stream. */
static struct MHD_Connection *wake_reader(struct http_req *r)
{
    bool wait = r->stream.reader_suspended && !r->gone;
    r->stream.reader_suspended = false;
    return wait ? r->connection : NULL;
}

static void resume(struct MHD_Connection *connection)
{
    if (connection) {
        MHD_resume_connection(connection);
    }
}

struct MHD_Connection *http_req_abandon(struct http_req *r)
{
    struct MHD_Connection *connection = NULL;
    mutex_lock(&r->lock);
    if (r->detached && r->suspended) {
        r->abandoned = r->answer_kind == ANSWER_NONE;
        r->answer_kind = r->abandoned ? ANSWER_WHOLE : r->answer_kind;
        connection = give_back(r);
    } else if (r->detached && r->stream.reader_suspended) {
        r->stream.broken = true;
        connection = wake_reader(r);
    }
    mutex_unlock(&r->lock);
    return connection;
}

/* -- what handlers say ----------------------------------------------------------------------------------- */

void http_res_header(struct http_req *r, const char *name, struct str value)
{
    r = r->root;
    struct http_param h = {arena_str(&r->arena, str_c(name)), arena_str(&r->arena, value)};
    if (h.name.p && h.value.p &&
        arena_reserve(&r->arena, (void **)&r->headers, &r->header_cap, r->header_count + 1,
                      sizeof(*r->headers)) == ERR_OK) {
        r->headers[r->header_count++] = h;
    }
}

static bool answered(struct http_req *r)
{
    mutex_lock(&r->lock);
    bool yes = r->answer_kind != ANSWER_NONE;
    mutex_unlock(&r->lock);
    return yes;
}

/* The answer is complete; a detached request loses its answerer with it. */
void http_res_commit(struct http_req *r, int status, const char *content_type, enum http_answer_kind kind)
{
    r->status = status;
    r->content_type = arena_str(&r->arena, str_c(content_type));
    if (r->encode) {
        http_body_encode(r);
    }
    mutex_lock(&r->lock);
    bool detached = r->detached;
    if (r->answer_kind == ANSWER_NONE) {
        r->answer_kind = kind;
    }
    struct MHD_Connection *back = detached ? give_back(r) : NULL;
    mutex_unlock(&r->lock);
    resume(back);
    if (detached) {
        http_req_unref(r);
    }
}

static void answer(struct http_req *r, int status, const char *content_type)
{
    http_res_commit(r, status, content_type, ANSWER_WHOLE);
}

/* A second answer to the same request is dropped, but ends the ownership of a detached one. */
static void answer_again(struct http_req *r)
{
    mutex_lock(&r->lock);
    bool detached = r->detached;
    mutex_unlock(&r->lock);
    if (detached) {
        http_req_unref(r);
    }
}

void http_res_send(struct http_req *r, int status, const char *content_type, struct str body)
{
    r = r->root;
    if (answered(r)) {
        answer_again(r);
        return;
    }
    r->fixed = arena_str(&r->arena, body);
    r->encode = true;
    if (!r->fixed.p) {
        r->fixed = STR("out of memory\n");
        status = 503;
        content_type = "text/plain; charset=utf-8";
    }
    answer(r, status, content_type);
}

void http_res_send_buf(struct http_req *r, int status, const char *content_type, struct buf *b)
{
    r = r->root;
    if (answered(r)) {
        buf_done(b);
        answer_again(r);
        return;
    }
    if (b->err != ERR_OK) {
        bool memory = b->err == ERR_OOM;
        buf_done(b);
        r->fixed = memory ? STR("out of memory\n") : STR("the answer is too large\n");
        answer(r, 500, "text/plain; charset=utf-8");
        return;
    }
    r->answer = *b;
    *b = (struct buf){.size_bytes_max = b->size_bytes_max};
    r->encode = true;
    answer(r, status, content_type);
}

void http_res_send_static(struct http_req *r, int status, const char *content_type, struct str body)
{
    r = r->root;
    if (answered(r)) {
        answer_again(r);
        return;
    }
    r->fixed = body;
    answer(r, status, content_type);
}

void http_req_detach(struct http_req *r)
{
    r->detached = r->detached || r != r->root; /* a forwarded one notes it for http_forward */
    r = r->root;
    if (!r->detached) {
        http_req_keep_headers(r);
        atomic_fetch_add(&r->owners, 1);
        mutex_lock(&r->lock);
        r->detached = true;
        mutex_unlock(&r->lock);
    }
}

void http_req_finish(struct http_req *r)
{
    mutex_lock(&r->lock);
    bool detached = r->detached;
    bool silent = r->answer_kind == ANSWER_NONE;
    bool open = r->answer_kind == ANSWER_STREAM && !r->stream.ended;
    mutex_unlock(&r->lock);
    if (!detached && silent) {
        http_res_send_static(r, 500, "text/plain; charset=utf-8", STR("the handler gave no answer\n"));
    }
    if (!detached && open) {
        http_res_end(r);
    }
    if (!detached) {
        mutex_lock(&r->lock);
        struct MHD_Connection *back = give_back(r);
        mutex_unlock(&r->lock);
        resume(back);
    }
    http_req_unref(r);
}

/* -- streaming ------------------------------------------------------------------------------------------- */

enum err http_res_begin(struct http_req *r, int status, const char *content_type)
{
    r = r->root;
    struct str type = arena_str(&r->arena, str_c(content_type));
    if (!type.p) {
        return ERR_OOM;
    }
    enum err e = ERR_OK;
    struct MHD_Connection *back = NULL;
    mutex_lock(&r->lock);
    if (r->answer_kind != ANSWER_NONE) {
        e = ERR_CONFLICT;
    } else {
        r->status = status;
        r->content_type = type;
        r->answer_kind = ANSWER_STREAM;
        back = give_back(r);
    }
    mutex_unlock(&r->lock);
    resume(back);
    return e;
}

/* Waits until there is room. With r->lock held. In slices: http_req_cancel signals without the lock. */
static enum err wait_for_room(struct http_req *r)
{
    int64_t deadline_ns = clock_mono_ns(clock_real()) + r->write_timeout_ns;
    while (!r->gone && !atomic_load(&r->canceled) &&
           r->stream.data.n - r->stream.taken >= HTTP_STREAM_BYTES_MAX) {
        int64_t now_ns = clock_mono_ns(clock_real()), slice_ns = now_ns + WAIT_SLICE_MS * NS_PER_MS;
        if (!r->may_block) {
            return ERR_LIMIT;
        }
        if (now_ns >= deadline_ns) {
            r->stream.broken = true;
            atomic_store(&r->canceled, true);
            return ERR_TIMEOUT;
        }
        (void)cond_wait_until(&r->stream.room, &r->lock, slice_ns < deadline_ns ? slice_ns : deadline_ns);
    }
    return r->gone || atomic_load(&r->canceled) ? ERR_CANCELED : ERR_OK;
}

enum err http_res_write(struct http_req *r, const void *p, size_t n)
{
    r = r->root;
    if (r->head || n == 0) {
        return atomic_load(&r->canceled) && !r->head ? ERR_CANCELED : ERR_OK;
    }
    mutex_lock(&r->lock);
    struct http_stream *s = &r->stream;
    enum err e = r->answer_kind != ANSWER_STREAM || s->ended ? ERR_CONFLICT
                 : s->broken                                 ? ERR_TIMEOUT
                                                             : wait_for_room(r);
    if (e == ERR_OK) {
        if (s->taken && s->taken >= s->data.n / 2) {
            memmove(s->data.p, s->data.p + s->taken, s->data.n - s->taken);
            s->data.n -= s->taken;
            s->taken = 0;
        }
        buf_append(&s->data, p, n);
        e = s->data.err;
        s->broken |= e != ERR_OK;
        r->bytes_out += n;
    }
    s->broken |= e == ERR_CANCELED;
    struct MHD_Connection *reader = wake_reader(r);
    mutex_unlock(&r->lock);
    resume(reader);
    return e;
}

void http_res_end(struct http_req *r)
{
    r = r->root;
    mutex_lock(&r->lock);
    bool last = r->detached && !r->stream.ended;
    r->stream.ended = true;
    struct MHD_Connection *reader = wake_reader(r);
    mutex_unlock(&r->lock);
    resume(reader);
    if (last) {
        http_req_unref(r);
    }
}

/* libmicrohttpd takes bytes. */
static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
    (void)pos;
    struct http_req *r = cls;
    struct http_stream *s = &r->stream;
    ssize_t result = 0;
    mutex_lock(&r->lock);
    size_t n = s->data.n - s->taken;
    n = n < max ? n : max;
    if (s->broken) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n) {
        memcpy(out, s->data.p + s->taken, n);
        s->taken += n;
        if (s->taken == s->data.n) {
            s->taken = s->data.n = 0;
        }
        cond_signal(&s->room);
        result = (ssize_t)n;
    } else if (s->ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        s->reader_suspended = true;
        MHD_suspend_connection(r->connection);
    }
    mutex_unlock(&r->lock);
    return result;
}

/* -- to libmicrohttpd ------------------------------------------------------------------------------------ */

enum {
    STREAM_BLOCK_BYTES = 16384
};

static struct MHD_Response *response_make(struct http_req *r)
{
    switch (r->answer_kind) {
    case ANSWER_STREAM:
        if (r->head) { /* libmicrohttpd would send the last chunk */
            return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        }
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, r, NULL);
    case ANSWER_UPGRADE:
        return http_ws_response(r);
    case ANSWER_WHOLE:
    case ANSWER_NONE:
        break;
    }
    struct str body = r->abandoned  ? STR("the server is stopping\n")
                      : r->answer.n ? buf_view(&r->answer)
                                    : r->fixed;
    r->bytes_out = r->head ? 0 : body.n;
    return MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_PERSISTENT);
}

/* As Prometheus: every answer below the routes with HTTP_CORS varies with the origin; to a request that names
 * one it carries the four, and a matching origin is allowed. */
static void cors_headers(const struct http_req *r, struct MHD_Response *m)
{
    const struct http_server *s = r->server;
    const char *origin = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Origin");
    (void)MHD_add_response_header(m, "Vary", "Origin");
    if (!origin || origin[0] == '\0') {
        return;
    }
    (void)MHD_add_response_header(m, "Access-Control-Allow-Headers",
                                  "Accept, Authorization, Content-Type, Origin");
    (void)MHD_add_response_header(m, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    (void)MHD_add_response_header(m, "Access-Control-Expose-Headers", "Date");
    if (regex_match(s->cors, str_c(origin))) {
        (void)MHD_add_response_header(m, "Access-Control-Allow-Origin", origin);
    }
}

enum MHD_Result http_response_queue(struct http_req *r)
{
    if (r->answer_kind == ANSWER_NONE) {
        http_res_send_static(r, 500, "text/plain; charset=utf-8", STR("the handler gave no answer\n"));
    }
    bool stopping = atomic_load_explicit(&r->server->stopping, memory_order_relaxed);
    struct MHD_Response *m = stopping && r->answer_kind == ANSWER_UPGRADE ? NULL : response_make(r);
    if (!m) {
        return MHD_NO;
    }
    if (!r->abandoned && r->content_type.n && r->status != 204 && r->status != 304) {
        (void)MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type.p);
    }
    for (size_t i = 0; i < r->header_count && !r->abandoned; i++) {
        (void)MHD_add_response_header(m, r->headers[i].name.p, r->headers[i].value.p);
    }
    if (r->server->cors && r->binding && (r->binding->route->flags & HTTP_CORS)) {
        cors_headers(r, m);
    }
    if (r->server->options.web) {
        web_headers(r->server->options.web, m);
    }
    if (stopping) {
        (void)MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    if (r->abandoned) {
        r->status = 503;
    }
    enum MHD_Result result = MHD_queue_response(r->connection, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return result;
}
