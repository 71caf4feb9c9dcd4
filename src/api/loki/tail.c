/* /tail: lines as they are stored, over a WebSocket. First the newest of the past, then what comes.
 *
 * The store calls `arrived` on the thread that stores: it copies the line into `waiting` and returns; the
 * connection's own thread runs the pipeline and sends. Between the two stands one bounded queue: a reader
 * that does not keep up loses lines and is told which. */
#include "api/loki/loki_call.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/units.h"

enum {
    TAIL_DELAY_S_MAX = 5,
    TAIL_FRAME_ENTRIES = 100,
    TAIL_WAITING_MAX = 1000, /* entries between store and reader; Loki holds ten frames of a hundred */
    TAIL_DROPPED_MAX = 1000, /* lost entries that are still told one by one */
    TAIL_POLL_MS = 100,
    TAIL_SINCE_S = 3600,
    TAILS_MAX = 10 /* Loki's max_concurrent_tail_requests */
};

#define TAIL_WAITING_BYTES_MAX ((size_t)4 << 20)
#define TAIL_OVERLAP_NS (5 * NS_PER_S)         /* how long a line of the past may still arrive */
#define TAIL_DURATION_NS_MAX (3600 * NS_PER_S) /* Loki's tail_max_duration */

struct tail_entry {
    ts_ns ts;
    struct str line;
    struct labels labels, metadata;
};

struct tail_lost {
    ts_ns ts;
    struct labels labels;
};

/* What has arrived and is not yet sent; one arena for all of it. */
struct tail_batch {
    struct arena arena;
    struct tail_entry entries[TAIL_WAITING_MAX];
    size_t n;
    struct tail_lost lost[TAIL_DROPPED_MAX];
    size_t lost_n;
};

struct tail_call {
    struct loki_api *api;
    struct str tenant, expr;
    struct logql_pipeline *pipeline;
    ts_ns start;
    size_t limit;
    int64_t delay_ns;
    struct mutex lock; /* guards waiting and first_mono_ns */
    struct tail_batch *waiting;
    int64_t first_mono_ns; /* when the oldest of `waiting` arrived */
    uint64_t *past;        /* lines sent from the past, so that none of them comes twice; heap */
    size_t past_n;
};

/* -- the store's side ------------------------------------------------------------------------------------ */

static void lose(struct tail_batch *b, const struct log_stream_view *stream, ts_ns ts)
{
    struct labels labels;
    if (b->lost_n < TAIL_DROPPED_MAX && labels_dup(&b->arena, stream->labels, &labels) == ERR_OK) {
        b->lost[b->lost_n++] = (struct tail_lost){ts, labels};
    }
}

static void arrived(void *ctx, const struct log_stream_view *stream, ts_ns ts, struct str line,
                    struct labels metadata)
{
    struct tail_call *t = ctx;
    mutex_lock(&t->lock);
    struct tail_batch *b = t->waiting;
    struct tail_entry e = {.ts = ts};
    bool kept = b->n < TAIL_WAITING_MAX && b->arena.used_bytes < TAIL_WAITING_BYTES_MAX;
    if (kept) {
        e.line = arena_str(&b->arena, line);
        kept = e.line.p && labels_dup(&b->arena, stream->labels, &e.labels) == ERR_OK &&
               labels_dup(&b->arena, metadata, &e.metadata) == ERR_OK;
    }
    if (kept) {
        t->first_mono_ns = b->n ? t->first_mono_ns : clock_mono_ns(clock_real());
        b->entries[b->n++] = e;
    } else {
        lose(b, stream, ts);
    }
    mutex_unlock(&t->lock);
}

/* -- the reader's side ----------------------------------------------------------------------------------- */

struct frame {
    struct buf out;
    struct json_writer w;
    size_t entries;
};

static void frame_begin(struct frame *f)
{
    buf_reset(&f->out);
    f->w = json_writer(&f->out);
    f->entries = 0;
    json_object_begin(&f->w);
    json_key(&f->w, "streams");
    json_array_begin(&f->w);
}

/* One stream object an entry, as Loki sends them. */
static void frame_entry(struct frame *f, struct labels labels, ts_ns ts, struct str line)
{
    struct json_writer *w = &f->w;
    struct buf digits AUTO_BUF = {0};
    buf_i64(&digits, ts);
    json_object_begin(w);
    json_key(w, "stream");
    loki_json_labels(w, labels);
    json_key(w, "values");
    json_array_begin(w);
    json_array_begin(w);
    json_str(w, buf_view(&digits));
    json_str(w, line);
    json_array_end(w);
    json_array_end(w);
    json_object_end(w);
    f->entries++;
}

static void frame_lost(struct frame *f, const struct tail_lost *lost, size_t n)
{
    struct json_writer *w = &f->w;
    json_key(w, "dropped_entries");
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        struct buf digits AUTO_BUF = {0};
        buf_i64(&digits, lost[i].ts);
        json_object_begin(w);
        json_key(w, "timestamp");
        json_str(w, buf_view(&digits));
        json_key(w, "labels");
        loki_json_labels(w, lost[i].labels);
        json_object_end(w);
    }
    json_array_end(w);
}

/* Sends what the frame holds, with the losses of the batch when there are any. */
static enum err frame_send(struct frame *f, struct http_ws *ws, const struct tail_batch *b)
{
    size_t lost = b ? b->lost_n : 0;
    if (f->entries == 0 && lost == 0) {
        return ERR_OK;
    }
    json_array_end(&f->w);
    if (lost) {
        frame_lost(f, b->lost, lost);
    }
    json_object_end(&f->w);
    return f->out.err ? f->out.err : http_ws_send(ws, buf_view(&f->out));
}

static uint64_t entry_hash(ts_ns ts, struct str line)
{
    return hash_bytes(line.p, line.n) ^ (uint64_t)ts;
}

/* A line stored while the past was read is in both. */
static bool sent_already(const struct tail_call *t, uint64_t hash)
{
    for (size_t i = 0; i < t->past_n; i++) {
        if (t->past[i] == hash) {
            return true;
        }
    }
    return false;
}

/* The newest `limit` lines of the past, oldest first. */
static enum err send_past(struct tail_call *t, struct http_ws *ws, struct frame *f)
{
    struct mem_budget budget = {.limit_bytes = t->api->query_memory_bytes};
    struct arena a AUTO_ARENA;
    struct err_info info = {0};
    struct logql_result r;
    arena_init(&a, 0, &budget);
    struct query_ctx q = {.tenant = t->tenant,
                          .budget = &budget,
                          .deadline_mono_ns =
                              clock_mono_ns(clock_real()) + t->api->query_timeout_ms * NS_PER_MS};
    struct logql_request request = {.expr = t->expr,
                                    .start_ns = t->start,
                                    .end_ns = clock_wall_ns(t->api->clock),
                                    .backward = true,
                                    .limit = t->limit};
    enum err e = logql_query(&t->api->logql, t->api->source, &q, &request, &a, &r, &info);
    size_t *at = e ? NULL : arena_zarray(&a, r.stream_count + 1, sizeof(size_t));
    if (e || !at) {
        return e ? e : arena_err(&a);
    }
    t->past = mem_array(t->limit + 1, sizeof(uint64_t));
    if (!t->past) {
        return ERR_OOM;
    }
    frame_begin(f);
    for (;;) { /* each stream is newest first: merge from the ends */
        const struct logql_stream *oldest = NULL;
        const struct logql_entry *entry = NULL;
        size_t *pick = NULL;
        for (size_t i = 0; i < r.stream_count; i++) {
            const struct logql_stream *s = &r.streams[i];
            const struct logql_entry *x =
                at[i] < s->entry_count ? &s->entries[s->entry_count - 1 - at[i]] : NULL;
            if (x && (!entry || x->ts < entry->ts)) {
                oldest = s;
                entry = x;
                pick = &at[i];
            }
        }
        if (!entry || !oldest || !pick) {
            return frame_send(f, ws, NULL);
        }
        frame_entry(f, oldest->labels, entry->ts, entry->line);
        t->past[t->past_n++] = entry_hash(entry->ts, entry->line);
        (*pick)++;
        if (f->entries == TAIL_FRAME_ENTRIES) {
            e = frame_send(f, ws, NULL);
            if (e) {
                return e;
            }
            frame_begin(f);
        }
    }
}

/* Takes what waits, leaving `spare` in its place; NULL while there is nothing or it is too young. */
static struct tail_batch *take(struct tail_call *t, struct tail_batch *spare)
{
    struct tail_batch *b = NULL;
    mutex_lock(&t->lock);
    bool any = t->waiting->n || t->waiting->lost_n;
    if (any && clock_mono_ns(clock_real()) - t->first_mono_ns >= t->delay_ns) {
        b = t->waiting;
        t->waiting = spare;
    }
    mutex_unlock(&t->lock);
    return b;
}

static int by_time(const void *a, const void *b)
{
    const struct tail_entry *x = a, *y = b;
    return (x->ts > y->ts) - (x->ts < y->ts);
}

static enum err send_batch(struct tail_call *t, struct http_ws *ws, struct frame *f, struct tail_batch *b)
{
    enum err e = ERR_OK;
    if (b->n) {
        qsort(b->entries, b->n, sizeof(b->entries[0]), by_time);
    }
    frame_begin(f);
    for (size_t i = 0; i < b->n && !e; i++) {
        const struct tail_entry *x = &b->entries[i];
        struct str line;
        struct labels labels;
        if (logql_pipeline_run(t->pipeline, &b->arena, x->labels, x->metadata, x->ts, x->line, &line,
                               &labels) &&
            !sent_already(t, entry_hash(x->ts, line))) {
            frame_entry(f, labels, x->ts, line);
        }
        if (f->entries == TAIL_FRAME_ENTRIES) {
            e = frame_send(f, ws, NULL);
            frame_begin(f);
        }
    }
    e = e ? e : frame_send(f, ws, b);
    arena_reset(&b->arena);
    b->n = b->lost_n = 0;
    return e;
}

static void live(struct tail_call *t, struct http_ws *ws, struct frame *f, struct tail_batch *spare)
{
    int64_t now = clock_mono_ns(clock_real()), end = now + TAIL_DURATION_NS_MAX;
    int64_t overlap = now + t->delay_ns + TAIL_OVERLAP_NS;
    enum err e = ERR_OK;
    while (!e && !http_ws_closing(ws) && clock_mono_ns(clock_real()) < end) {
        struct str said;
        enum err heard = http_ws_receive(ws, TAIL_POLL_MS, &said); /* what clients say means nothing here */
        if (heard && heard != ERR_TIMEOUT) {
            return;
        }
        struct tail_batch *b = take(t, spare);
        if (b) {
            e = send_batch(t, ws, f, b);
            spare = b;
            t->past_n = clock_mono_ns(clock_real()) > overlap ? 0 : t->past_n;
        }
    }
}

static void tail_run(void *ctx, struct http_ws *ws)
{
    struct tail_call *t = ctx;
    struct tail_batch *batches = mem_zarray(2, sizeof(*batches));
    struct frame f = {.entries = 0};
    struct query_ctx q = {.tenant = t->tenant};
    const struct matcher *matchers = NULL;
    struct log_cursor *cursor = NULL;
    struct err_info info = {0};
    struct log_select sel = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .lines_needed = true};
    struct log_source *source = t->api->source;
    atomic_fetch_add_explicit(&t->api->tails_open, 1, memory_order_relaxed);
    enum err e =
        batches ? logql_pipeline_new(t->expr, &t->pipeline, &matchers, &sel.matcher_count, &info) : ERR_OOM;
    if (!e) {
        arena_init(&batches[0].arena, 0, NULL);
        arena_init(&batches[1].arena, 0, NULL);
        mutex_init(&t->lock);
        t->waiting = &batches[0];
        sel.matchers = matchers;
        e = source->ops->tail(source, &q, &sel, arrived, t, &cursor, &info);
        e = e ? e : send_past(t, ws, &f);
        if (!e) {
            live(t, ws, &f, &batches[1]);
        }
        source->ops->close(cursor);
        arena_done(&batches[0].arena);
        arena_done(&batches[1].arena);
        mutex_done(&t->lock);
    }
    logql_pipeline_free(t->pipeline);
    buf_done(&f.out);
    mem_free(t->past);
    mem_free(batches);
    atomic_fetch_sub_explicit(&t->api->tails_open, 1, memory_order_relaxed);
}

/* -- the request ----------------------------------------------------------------------------------------- */

static bool param_delay(struct loki_call *c, int64_t *ret_ns)
{
    struct str s = http_req_param(c->r, "delay_for");
    int64_t seconds = 0;
    if (s.n && (str_to_i64(s, &seconds) != ERR_OK || seconds < 0)) {
        loki_call_refuse(c, 400, "delay_for must be a whole number of seconds, not \"%.*s\"", STR_FMT(s));
        return false;
    }
    if (seconds > TAIL_DELAY_S_MAX) {
        loki_call_refuse(c, 400, "delay_for can't be greater than %d", TAIL_DELAY_S_MAX);
        return false;
    }
    *ret_ns = seconds * NS_PER_S;
    return true;
}

/* Everything that can be wrong is said before the upgrade. */
static bool params(struct loki_call *c, struct tail_call *t)
{
    struct str start = http_req_param(c->r, "start");
    struct logql_pipeline *p = NULL;
    const struct matcher *m;
    size_t n;
    t->start = c->now - TAIL_SINCE_S * NS_PER_S;
    t->expr = arena_str(c->a, http_req_param(c->r, "query"));
    t->tenant = arena_str(c->a, c->q.tenant);
    if (!t->expr.p || !t->tenant.p) {
        loki_call_error(c, arena_err(c->a));
        return false;
    }
    if (start.n && units_loki_time_parse(start, &t->start, &c->info) != ERR_OK) {
        loki_call_refuse(c, 400, "could not parse 'start' parameter: %s", c->info.message);
        return false;
    }
    if (!param_delay(c, &t->delay_ns) || !loki_param_limit(c, &t->limit)) {
        return false;
    }
    if (t->limit > c->api->entries_max) {
        loki_call_refuse(
            c, 400, "max entries limit per query exceeded, limit > max_entries_limit_per_query (%zu > %zu)",
            t->limit, c->api->entries_max);
        return false;
    }
    enum err e = logql_pipeline_new(t->expr, &p, &m, &n, &c->info);
    logql_pipeline_free(p);
    if (e) {
        loki_call_error(c, e);
    }
    return e == ERR_OK;
}

static void tail(struct loki_call *c)
{
    struct tail_call *t = arena_zalloc(c->a, sizeof(*t));
    if (!t) {
        loki_call_error(c, arena_err(c->a));
        return;
    }
    t->api = c->api;
    if (!params(c, t)) {
        return;
    }
    unsigned open = atomic_load_explicit(&c->api->tails_open, memory_order_relaxed) + 1;
    if (open > TAILS_MAX) {
        loki_call_refuse(c, 400, "max concurrent tail requests limit exceeded, count > limit (%u > %d)", open,
                         TAILS_MAX);
        return;
    }
    http_res_websocket(c->r, tail_run, t);
}

LOKI_ROUTE(tail)

struct loki_routes loki_routes_tail(void)
{
    static const struct http_route rows[] = {
        {"GET", "/loki/api/v1/tail", tail_route, 0, 0, "loki_api_v1_tail"},
        {"GET", "/api/prom/tail", tail_route, 0, 0, "api_prom_tail"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
