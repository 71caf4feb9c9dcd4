/* /tail: a WebSocket that gets what is there and then what comes.
 *
 * The store hands lines to the queue on the thread that stores them. The connection's own thread takes them
 * out, waits until they are as old as the client asked (delay_for), runs the pipeline and sends them in the
 * order of their times. */
#include <stdlib.h>

#include "api/loki/loki_call.h"
#include "api/loki/tail_queue.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    TAIL_DELAY_MAX_S = 5,
    TAIL_FRAME_ENTRIES_MAX = 100,
    TAIL_WAIT_MS = 50,
    TAIL_LIFE_S = 3600, /* tail_max_duration */
    TAILS_MAX = 10      /* max_concurrent_tail_requests */
};

struct tail {
    struct loki_api *api;
    struct str tenant, query;
    size_t limit;
    ts_ns start;
    int64_t delay_ns;
    bool categorize, legacy;
    /* while it runs */
    struct http_ws *ws;
    struct logql_pipeline *pipeline;
    struct tail_queue *queue;
    struct tail_item **waiting; /* in the order of their times */
    size_t waiting_count, waiting_cap;
    struct tail_item *dropped;
    struct logql_stream *history; /* one entry each, oldest first */
    size_t history_count;
};

/* -- frames ---------------------------------------------------------------------------------------------- */

static void json_stream(struct json_writer *w, const struct tail *t, const struct logql_stream *s)
{
    if (t->legacy) {
        loki_json_legacy_stream(w, s);
        return;
    }
    json_object_begin(w);
    json_key(w, "stream");
    loki_json_labels(w, s->labels);
    json_key(w, "values");
    json_array_begin(w);
    for (size_t i = 0; i < s->entry_count; i++) {
        loki_json_entry(w, &s->entries[i], t->categorize);
    }
    json_array_end(w);
    json_object_end(w);
}

static void json_drop(struct json_writer *w, const struct tail *t, const struct tail_item *d)
{
    struct buf text AUTO_BUF = {0};
    json_object_begin(w);
    if (t->legacy) {
        loki_time_format(&text, d->ts);
        json_key(w, "Timestamp");
        json_str(w, buf_view(&text));
        buf_reset(&text);
        labels_format_loki(&text, d->stream);
        json_key(w, "Labels");
        json_str(w, buf_view(&text));
    } else {
        buf_i64(&text, d->ts);
        json_key(w, "timestamp");
        json_str(w, buf_view(&text));
        json_key(w, "labels");
        loki_json_labels(w, d->stream);
    }
    json_object_end(w);
}

static void json_dropped(struct json_writer *w, const struct tail *t)
{
    if (t->dropped) {
        json_key(w, "dropped_entries");
        json_array_begin(w);
        for (const struct tail_item *d = t->dropped; d; d = d->next) {
            json_drop(w, t, d);
        }
        json_array_end(w);
    } else if (t->legacy) {
        json_key(w, "dropped_entries");
        json_null(w);
    }
}

/* One stream object for each entry, as Loki sends them. */
static enum err send_frame(struct tail *t, const struct logql_stream *streams, size_t n)
{
    struct buf out AUTO_BUF = {0};
    struct json_writer w = json_writer(&out);
    json_object_begin(&w);
    json_key(&w, "streams");
    json_array_begin(&w);
    for (size_t i = 0; i < n; i++) {
        json_stream(&w, t, &streams[i]);
    }
    json_array_end(&w);
    json_dropped(&w, t);
    if (t->categorize && !t->legacy) {
        json_key(&w, "encodingFlags");
        json_raw(&w, STR("[\"categorize-labels\"]"));
    }
    json_object_end(&w);
    tail_items_free(t->dropped);
    t->dropped = NULL;
    return out.err ? out.err : http_ws_send(t->ws, buf_view(&out));
}

/* -- what is there --------------------------------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
    const struct logql_stream *x = a, *y = b;
    ts_ns p = x->entries[0].ts, q = y->entries[0].ts;
    return p < q ? -1 : p > q;
}

static enum err history_list(struct tail *t, struct arena *a, const struct logql_result *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->stream_count; i++) {
        n += r->streams[i].entry_count;
    }
    t->history = arena_array(a, n + 1, sizeof(*t->history));
    if (!t->history) {
        return arena_err(a);
    }
    for (size_t i = 0; i < r->stream_count; i++) {
        const struct logql_stream *s = &r->streams[i];
        for (size_t k = s->entry_count; k-- > 0;) {
            t->history[t->history_count++] = (struct logql_stream){s->labels, &s->entries[k], 1};
        }
    }
    if (n > 1) {
        qsort(t->history, n, sizeof(*t->history), compare_times);
    }
    return ERR_OK;
}

/* The newest `limit` lines since `start`, oldest first. */
static enum err history(struct tail *t, struct arena *a)
{
    struct err_info info = {0};
    struct logql_result r;
    struct query_ctx q = {
        .tenant = t->tenant,
        .budget = a->budget,
        .deadline_mono_ns = clock_mono_ns(clock_real()) + t->api->query_timeout_ms * NS_PER_MS,
    };
    struct logql_request request = {
        .expr = t->query,
        .start_ns = t->start,
        .end_ns = clock_wall_ns(t->api->clock),
        .backward = true,
        .categorize_labels = t->categorize,
        .limit = t->limit,
    };
    enum err e = logql_query(&t->api->logql, t->api->source, &q, &request, a, &r, &info);
    e = e ? e : history_list(t, a, &r);
    for (size_t i = 0; i < t->history_count && !e; i += TAIL_FRAME_ENTRIES_MAX) {
        size_t left = t->history_count - i;
        e = send_frame(t, t->history + i, left < TAIL_FRAME_ENTRIES_MAX ? left : TAIL_FRAME_ENTRIES_MAX);
    }
    return e;
}

/* What arrived while the history was read may be in both. */
static bool in_history(const struct tail *t, const struct logql_stream *s)
{
    for (size_t i = t->history_count; i-- > 0;) {
        const struct logql_stream *h = &t->history[i];
        if (h->entries[0].ts < s->entries[0].ts) {
            return false;
        }
        if (h->entries[0].ts == s->entries[0].ts && str_eq(h->entries[0].line, s->entries[0].line) &&
            labels_eq(h->labels, s->labels)) {
            return true;
        }
    }
    return false;
}

/* -- what comes ------------------------------------------------------------------------------------------ */

static int compare_items(const void *a, const void *b)
{
    const struct tail_item *x = *(struct tail_item *const *)a, *y = *(struct tail_item *const *)b;
    if (x->ts != y->ts) {
        return x->ts < y->ts ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum err take(struct tail *t)
{
    struct tail_item *items, *dropped;
    tail_queue_take(t->queue, &items, &dropped);
    if (dropped) {
        tail_items_free(t->dropped);
        t->dropped = dropped;
    }
    if (!items) {
        return ERR_OK;
    }
    while (items) {
        if (vec_reserve((void **)&t->waiting, &t->waiting_cap, t->waiting_count + 1,
                        sizeof(struct tail_item *)) != ERR_OK) {
            tail_items_free(items);
            return ERR_OOM;
        }
        t->waiting[t->waiting_count++] = items;
        items = items->next;
        t->waiting[t->waiting_count - 1]->next = NULL;
    }
    qsort(t->waiting, t->waiting_count, sizeof(struct tail_item *), compare_items);
    return ERR_OK;
}

/* False: the pipeline drops the line, or the client has it from the history. */
static bool show(struct tail *t, struct arena *a, const struct tail_item *item, struct logql_stream *s)
{
    struct logql_entry *entry = arena_zalloc(a, sizeof(*entry));
    struct labels all;
    if (!entry || !logql_pipeline_run(t->pipeline, a, item->stream, item->metadata, item->ts, item->line,
                                      &entry->line, &all)) {
        return false;
    }
    entry->ts = item->ts;
    *s = (struct logql_stream){all, entry, 1};
    if (t->categorize &&
        logql_pipeline_split(t->pipeline, a, &s->labels, &entry->metadata, &entry->parsed) != ERR_OK) {
        return false;
    }
    return !in_history(t, s);
}

/* Sends at most one frame; *ret_more: there may be another. */
static enum err send_due(struct tail *t, struct arena *a, bool *ret_more)
{
    struct logql_stream streams[TAIL_FRAME_ENTRIES_MAX];
    ts_ns due = clock_wall_ns(t->api->clock) - t->delay_ns;
    size_t n = 0, done = 0;
    arena_reset(a);
    while (done < t->waiting_count && n < TAIL_FRAME_ENTRIES_MAX && t->waiting[done]->ts < due) {
        n += show(t, a, t->waiting[done++], &streams[n]);
    }
    *ret_more = n == TAIL_FRAME_ENTRIES_MAX;
    enum err e = n ? send_frame(t, streams, n) : ERR_OK;
    for (size_t i = 0; i < done; i++) {
        tail_items_free(t->waiting[i]);
    }
    t->waiting_count -= done;
    if (t->waiting_count) {
        memmove(t->waiting, t->waiting + done, t->waiting_count * sizeof(struct tail_item *));
    }
    return e;
}

static enum err follow(struct tail *t, struct arena *a)
{
    int64_t end = clock_mono_ns(clock_real()) + TAIL_LIFE_S * NS_PER_S;
    enum err e = ERR_OK;
    while (!e && !http_ws_closing(t->ws) && clock_mono_ns(clock_real()) < end) {
        struct str ignored;
        bool more = true;
        e = http_ws_receive(t->ws, TAIL_WAIT_MS, &ignored);
        e = e == ERR_TIMEOUT ? ERR_OK : e;
        e = e ? e : take(t);
        while (more && !e) {
            e = send_due(t, a, &more);
        }
    }
    return e;
}

/* -- the connection -------------------------------------------------------------------------------------- */

/* Listens before it reads what is there, so that nothing falls between the two. */
static enum err listen_and_follow(struct tail *t, const struct matcher *m, size_t n)
{
    struct mem_budget budget = {.limit_bytes = t->api->query_memory_bytes};
    struct arena past AUTO_ARENA = {0}, frame AUTO_ARENA = {0};
    struct log_cursor *cursor = NULL;
    struct err_info info = {0};
    struct query_ctx q = {.tenant = t->tenant, .budget = &budget};
    struct log_select sel = {
        .matchers = m, .matcher_count = n, .lines_needed = true, .metadata_needed = true};
    struct log_source *source = t->api->source;
    arena_init(&past, 0, &budget);
    arena_init(&frame, 0, &budget);
    enum err e = source->ops->tail(source, &q, &sel, tail_queue_put, t->queue, &cursor, &info);
    if (e) {
        return e;
    }
    e = history(t, &past);
    e = e ? e : follow(t, &frame);
    source->ops->close(cursor);
    return e;
}

/* Ends what the tail owns. */
static void done(struct tail *t)
{
    for (size_t i = 0; i < t->waiting_count; i++) {
        tail_items_free(t->waiting[i]);
    }
    mem_free(t->waiting);
    tail_items_free(t->dropped);
    tail_queue_free(t->queue);
    logql_pipeline_free(t->pipeline);
}

static void run(void *ctx, struct http_ws *ws)
{
    struct tail *t = ctx;
    const struct matcher *m = NULL;
    size_t n = 0;
    struct err_info info = {0};
    t->ws = ws;
    atomic_fetch_add_explicit(&t->api->tails_open, 1, memory_order_relaxed);
    enum err e = tail_queue_new(&t->queue);
    e = e ? e : logql_pipeline_new(t->query, &t->pipeline, &m, &n, &info);
    if (!e) {
        e = listen_and_follow(t, m, n);
    }
    if (e && e != ERR_CANCELED) {
        LOG_EVENT(LVL_WARN, "tail_ended", F_C("err", info.message[0] ? info.message : err_text(e)));
    }
    done(t);
    atomic_fetch_sub_explicit(&t->api->tails_open, 1, memory_order_relaxed);
}

/* -- the request ----------------------------------------------------------------------------------------- */

static bool param_delay(struct loki_call *c, int64_t *ret_ns)
{
    struct str s = http_req_param(c->r, "delay_for");
    int64_t n = 0;
    if (s.n && str_to_i64(s, &n) != ERR_OK) {
        loki_call_refuse(c, 400, "strconv.Atoi: parsing \"%.*s\": invalid syntax", STR_FMT(s));
        return false;
    }
    if (n < 0 || n > UINT32_MAX) {
        loki_call_refuse(c, 400, "delay_for value %lld is out of range [0, %lld]", (long long)n,
                         (long long)UINT32_MAX);
        return false;
    }
    if (n > TAIL_DELAY_MAX_S) {
        loki_call_refuse(c, 400, "delay_for can't be greater than %d", TAIL_DELAY_MAX_S);
        return false;
    }
    *ret_ns = n * NS_PER_S;
    return true;
}

/* The query once through the compiler, while the answer can still be an error. */
static bool query_compiles(struct loki_call *c, struct str query)
{
    struct logql_pipeline *p = NULL;
    const struct matcher *m;
    size_t n;
    enum err e = logql_pipeline_new(query, &p, &m, &n, &c->info);
    if (e) {
        loki_call_error(c, e);
        return false;
    }
    logql_pipeline_free(p);
    return true;
}

static bool one_more_tail(struct loki_call *c)
{
    unsigned open = atomic_load_explicit(&c->api->tails_open, memory_order_relaxed) + 1;
    if (open <= TAILS_MAX) {
        return true;
    }
    loki_call_refuse(c, 400, "max concurrent tail requests limit exceeded, count > limit (%u > %d)", open,
                     TAILS_MAX);
    return false;
}

static void tail_request(struct loki_call *c, bool legacy)
{
    struct tail *t = arena_zalloc(c->a, sizeof(*t));
    ts_ns end;
    if (!t) {
        loki_call_error(c, ERR_OOM);
        return;
    }
    t->api = c->api;
    t->legacy = legacy;
    t->tenant = arena_str(c->a, c->q.tenant);
    t->query = arena_str(c->a, http_req_param(c->r, "query"));
    t->categorize = loki_wants_categories(c);
    if (!t->tenant.p || !t->query.p) {
        loki_call_error(c, ERR_OOM);
    } else if (query_compiles(c, t->query) && loki_param_limit(c, &t->limit) &&
               loki_param_span(c, &t->start, &end) && param_delay(c, &t->delay_ns) &&
               loki_entries_allowed(c, t->limit) && one_more_tail(c)) {
        http_res_websocket(c->r, run, t);
    }
}

static void tail(struct loki_call *c)
{
    tail_request(c, false);
}

static void tail_legacy(struct loki_call *c)
{
    tail_request(c, true);
}

LOKI_ROUTE(tail)
LOKI_ROUTE(tail_legacy)

struct loki_routes loki_routes_tail(void)
{
    static const struct http_route rows[] = {
        {"GET", "/loki/api/v1/tail", tail_route, 0, 0, "loki_api_v1_tail"},
        {"GET", "/api/prom/tail", tail_legacy_route, 0, 0, "api_prom_tail"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
