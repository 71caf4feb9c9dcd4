/* A server of its own. A push is acknowledged when all its lines are settled, so nothing is lost between two
 * agents; when that takes too long the sender is told to come back, and may then send lines twice. */
#include "agent/inputs/push.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/thread.h"
#include "codec/compress.h"
#include "codec/loki_push.h"
#include "net/http_server.h"

enum {
    WORKERS = 16,
    SETTLE_MS = 30000,
    STOP_GRACE_MS = 1000,
    LABELS_MAX = AGENT_LABELS_MAX
};

struct push_input {
    struct input base;
    struct input_common common;
    struct push_options o;
    struct http_server *server;
    struct http_route routes[3];
};

/* The receipt of a request: outlives the handler when it gives up waiting. */
struct push_receipt {
    struct receipt base;
    struct mutex lock;
    struct cond done;
    bool settled, ok, left; /* under the lock; left: the handler has gone */
};

static void receipt_free(struct push_receipt *r)
{
    cond_done(&r->done);
    mutex_done(&r->lock);
    mem_free(r);
}

static void push_settled(struct receipt *base, bool ok)
{
    struct push_receipt *r = (struct push_receipt *)base;
    mutex_lock(&r->lock);
    r->settled = true;
    r->ok = ok;
    bool left = r->left;
    cond_signal(&r->done);
    mutex_unlock(&r->lock);
    if (left) {
        receipt_free(r);
    }
}

static struct push_receipt *receipt_make(void)
{
    struct push_receipt *r = mem_zalloc(sizeof(*r));
    if (r) {
        receipt_init(&r->base, push_settled);
        mutex_init(&r->lock);
        cond_init(&r->done);
    }
    return r;
}

/* Drops the handler's reference, waits, answers. */
static void answer(struct push_receipt *r, struct http_req *req)
{
    int64_t deadline = clock_mono_ns(clock_real()) + SETTLE_MS * NS_PER_MS;
    receipt_unref(&r->base);
    mutex_lock(&r->lock);
    while (!r->settled && cond_wait_until(&r->done, &r->lock, deadline)) {
        /* woken early: look again */
    }
    bool settled = r->settled, ok = r->ok;
    r->left = true;
    mutex_unlock(&r->lock);
    if (settled) {
        receipt_free(r);
    }
    if (settled && ok) {
        http_res_send(req, 204, "text/plain; charset=utf-8", STR(""));
    } else {
        http_res_header(req, "Retry-After", STR("5"));
        http_res_send(req, 503, "text/plain; charset=utf-8",
                      STR("the lines could not be delivered yet, try again\n"));
    }
}

static void put_stream(struct push_input *in, const struct wire_stream *s, struct arena *a, struct receipt *r)
{
    struct label l[LABELS_MAX];
    struct labels labels;
    size_t n = 0;
    for (size_t i = 0; i < s->label_count && n < LABELS_MAX; i++) {
        l[n++] = (struct label){s->labels[i].name, s->labels[i].value};
    }
    if (!input_labels(&in->common, a, l, n, &labels)) {
        return; /* this stream only: the others of the request go on */
    }
    ts_ns now = clock_wall_ns(clock_real());
    struct arena line AUTO_ARENA;
    arena_init(&line, AGENT_ENTRY_BYTES_MAX, NULL);
    for (size_t i = 0; i < s->entry_count; i++) {
        const struct wire_entry *w = &s->entries[i];
        struct entry e;
        arena_reset(&line);
        entry_init(&e, &line, labels, in->o.use_incoming_timestamp ? w->ts : now++, w->line, r);
        for (size_t k = 0; k < w->metadata_count; k++) {
            entry_metadata_set(&e, w->metadata[k].name, w->metadata[k].value);
        }
        if (e.err) {
            receipt_fail(r);
        } else {
            in->common.sink.put(in->common.sink.ctx, &e);
        }
    }
}

static enum err decode(struct push_input *in, struct http_req *req, struct wire_push *push, struct buf *plain,
                       struct err_info *info)
{
    struct str type = http_req_header(req, "Content-Type"), body = http_req_body(req);
    struct arena *a = http_req_arena(req);
    if (str_starts(type, STR("application/json"))) {
        return loki_push_decode_json(a, body, push, info);
    }
    enum err e = decompress_bytes(COMPRESS_SNAPPY, body, in->o.body_bytes_max, plain, info);
    return e ? e : loki_push_decode_proto(a, buf_view(plain), push, info);
}

static void push(void *ctx, struct http_req *req)
{
    struct push_input *in = ctx;
    struct wire_push p = {0};
    struct err_info info = {0};
    struct buf plain AUTO_BUF = {.size_bytes_max = in->o.body_bytes_max};
    if (decode(in, req, &p, &plain, &info)) {
        http_res_send(req, 400, "text/plain; charset=utf-8", str_c(info.message));
        return;
    }
    struct push_receipt *r = receipt_make();
    if (!r) {
        http_res_send(req, 503, "text/plain; charset=utf-8", STR("out of memory\n"));
        return;
    }
    for (size_t i = 0; i < p.stream_count; i++) {
        put_stream(in, &p.streams[i], http_req_arena(req), &r->base);
    }
    answer(r, req);
}

/* One entry a line, with the job's labels only. */
static void raw(void *ctx, struct http_req *req)
{
    struct push_input *in = ctx;
    struct str body = http_req_body(req);
    struct push_receipt *r = receipt_make();
    if (!r) {
        http_res_send(req, 503, "text/plain; charset=utf-8", STR("out of memory\n"));
        return;
    }
    struct arena a AUTO_ARENA;
    arena_init(&a, AGENT_ENTRY_BYTES_MAX, NULL);
    ts_ns now = clock_wall_ns(clock_real());
    while (body.p) {
        struct str line = str_cut(&body, '\n');
        while (line.n && line.p[line.n - 1] == '\r') {
            line.n--;
        }
        if (line.n) {
            struct entry e;
            arena_reset(&a);
            entry_init(&e, &a, in->common.labels, now++, line, &r->base);
            if (e.err) {
                receipt_fail(&r->base);
            } else {
                in->common.sink.put(in->common.sink.ctx, &e);
            }
        }
    }
    answer(r, req);
}

static void ready(void *ctx, struct http_req *req)
{
    (void)ctx;
    http_res_send(req, 200, "text/plain; charset=utf-8", STR("ready"));
}

static void push_stop(struct input *base)
{
    struct push_input *in = (struct push_input *)base;
    http_server_stop(in->server, STOP_GRACE_MS);
    in->server = NULL;
}

static void push_free(struct input *base)
{
    struct push_input *in = (struct push_input *)base;
    http_server_stop(in->server, 0);
    mem_free(in);
}

static bool push_ready(struct input *base)
{
    (void)base;
    return true;
}

static const struct input_ops ops = {
    .type = "Push", .stop = push_stop, .free = push_free, .ready = push_ready};

unsigned input_push_port(const struct input *in)
{
    return http_server_port(((const struct push_input *)in)->server);
}

enum err input_push_new(const struct input_common *c, const struct push_options *o, struct input **ret_input,
                        struct err_info *reterr_info)
{
    struct push_input *in = mem_zalloc(sizeof(*in));
    if (!in) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    in->base.ops = &ops;
    in->common = *c;
    in->o = *o;
    const struct http_route routes[] = {
        {.method = "POST", .path = "/loki/api/v1/push", .handler = push, .body_bytes_max = o->body_bytes_max},
        {.method = "POST",
         .path = "/promtail/api/v1/raw",
         .handler = raw,
         .body_bytes_max = o->body_bytes_max},
        {.method = "GET", .path = "/ready", .handler = ready},
    };
    memcpy(in->routes, routes, sizeof(routes));
    struct http_server_options server = {
        .role = "agent", .listen_address = o->listen_address, .workers = WORKERS, .loading = "starting"};
    enum err e = http_server_start(&server, &in->server, reterr_info);
    if (!e) {
        e = http_server_routes(in->server, in->routes, ARRAY_LEN(in->routes), in);
        http_server_set_loading(in->server, NULL);
    }
    if (e) {
        push_free(&in->base);
        return e;
    }
    *ret_input = &in->base;
    return ERR_OK;
}
