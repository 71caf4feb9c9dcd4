/* A request handed to another server's handler in the same process. The handler sees a request of its own
 * (route, captures, parameters) whose `root` is the client's; body, headers and answer are the root's. */
#include "base/clock.h"
#include "net/http_int.h"

/* A detached root has nobody else to notice that the handler gave no answer, or left a stream open. */
static void settle(struct http_req *f)
{
    struct http_req *root = f->root;
    mutex_lock(&root->lock);
    bool ours = root->detached && !f->detached;
    bool silent = root->answer_kind == ANSWER_NONE;
    bool open = root->answer_kind == ANSWER_STREAM && !root->stream.ended;
    mutex_unlock(&root->lock);
    if (ours && silent) {
        http_res_send_static(root, 500, "text/plain; charset=utf-8", STR("the handler gave no answer\n"));
    }
    if (ours && open) {
        http_res_end(root);
    }
}

static void run(void *ctx)
{
    struct http_req *f = ctx, *root = f->root;
    const struct http_server *to = f->server;
    http_req_run(f);
    settle(f);
    if (to->options.on_done && !f->detached && root->status) {
        uint64_t bytes = root->detached ? 0 : root->answer.n + root->fixed.n;
        to->options.on_done(to->options.on_done_ctx, http_req_route_name(f), f->method, root->status,
                            (double)(clock_mono_ns(clock_real()) - f->started_ns) / 1e9, bytes);
    }
    http_req_unref(root);
}

/* On a network thread: a handler that may block goes to the other server's workers. */
static void run_on_worker(struct http_req *f)
{
    struct http_req *root = f->root;
    http_req_detach(root);
    root->may_block = true;
    if (pool_submit(http_req_pool(f), run, f) != ERR_OK) {
        http_req_refuse(f, 503, "all workers are busy and the queue is full, try again\n");
        http_req_answer_refusal(f);
        http_req_unref(root);
    }
}

void http_forward(struct http_req *r, struct http_server *to, struct str path, struct str query)
{
    struct http_req *root = r->root;
    struct http_req *f = arena_zalloc(&root->arena, sizeof(*f));
    struct str own_path = arena_str(&root->arena, path), own_query = arena_str(&root->arena, query);
    if (!f || !own_path.p || !own_query.p) {
        http_res_send_static(r, 503, "text/plain; charset=utf-8", STR("out of memory\n"));
        return;
    }
    *f = (struct http_req){.server = to,
                           .root = root,
                           .method = root->method,
                           .raw_path = own_path,
                           .query = own_query,
                           .started_ns = clock_mono_ns(clock_real())};
    http_req_route(f);
    http_req_body_complete(f);
    if (f->refused_status) {
        http_req_answer_refusal(f);
        return;
    }
    atomic_fetch_add(&root->owners, 1); /* dropped by run */
    bool is_inline = !f->binding || (f->binding->route->flags & HTTP_INLINE);
    if (is_inline || root->may_block || root->detached) {
        run(f);
    } else {
        run_on_worker(f);
    }
}
