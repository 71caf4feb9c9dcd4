/* /index/volume and /index/volume_range: bytes per group of streams, and per step. */
#include <stdlib.h>

#include "api/loki/loki_call.h"
#include "base/hash.h"
#include "base/strmap.h"
#include "codec/num.h"

enum {
    VOLUME_LIMIT_DEFAULT = 100,
    VOLUME_SERIES_MAX = 1000,
    VOLUME_TARGETS_MAX = 64
};

struct volume_group {
    struct labels labels;
    struct str name;
    uint64_t *bytes; /* per bucket */
    size_t next;     /* answers: the first bucket that holds anything */
};

/* The groups that one stream counts for. */
struct volume_stream {
    struct volume_group **groups;
    size_t n;
};

struct volume {
    struct arena *a;
    struct log_select sel;
    struct str targets[VOLUME_TARGETS_MAX];
    size_t target_count;
    bool by_labels;
    int64_t step_ns; /* 0: one bucket */
    size_t limit;
    ts_ns first; /* where the first bucket would begin */
    size_t buckets;
    struct volume_group **groups;
    size_t group_count, group_cap;
    struct strmap by_name, by_stream;
};

/* -- the request ----------------------------------------------------------------------------------------- */

static bool param_targets(struct loki_call *c, struct volume *v)
{
    struct str rest = http_req_param(c->r, "targetLabels");
    if (rest.n == 0) {
        return true;
    }
    while (rest.p) {
        if (v->target_count == VOLUME_TARGETS_MAX) {
            loki_call_refuse(c, 400, "more than %d target labels", VOLUME_TARGETS_MAX);
            return false;
        }
        v->targets[v->target_count++] = str_cut(&rest, ',');
    }
    return true;
}

static bool param_volume_limit(struct loki_call *c, size_t *limit)
{
    struct str s = http_req_param(c->r, "limit");
    if (s.n == 0 || str_eq_c(s, "0")) {
        *limit = VOLUME_LIMIT_DEFAULT;
        return true;
    }
    return loki_param_limit(c, limit);
}

static bool param_aggregate(struct loki_call *c, struct volume *v)
{
    struct str s = http_req_param(c->r, "aggregateBy");
    if (s.n && !str_eq_c(s, "series") && !str_eq_c(s, "labels")) {
        loki_call_refuse(c, 400, "invalid aggregation option");
        return false;
    }
    v->by_labels = str_eq_c(s, "labels");
    return true;
}

static bool named(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Whether a label of a stream is part of the answer. */
static bool counts(const struct volume *v, struct str name)
{
    if (v->target_count) {
        return named(v->targets, v->target_count, name);
    }
    if (v->by_labels || v->sel.matcher_count == 0) {
        return true;
    }
    for (size_t i = 0; i < v->sel.matcher_count; i++) {
        if (str_eq(v->sel.matchers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* -- groups ---------------------------------------------------------------------------------------------- */

static enum err group_of(struct volume *v, struct labels ls, struct str name, struct volume_group **ret)
{
    struct volume_group *g = strmap_get(&v->by_name, name);
    if (g) {
        *ret = g;
        return ERR_OK;
    }
    g = arena_zalloc(v->a, sizeof(*g));
    enum err e = g ? labels_dup(v->a, ls, &g->labels) : arena_err(v->a);
    if (!e) {
        g->name = arena_str(v->a, name);
        g->bytes = arena_zarray(v->a, v->buckets, sizeof(*g->bytes));
        e = g->name.p && g->bytes ? ERR_OK : arena_err(v->a);
    }
    if (!e) {
        e = arena_reserve(v->a, (void **)&v->groups, &v->group_cap, v->group_count + 1,
                          sizeof(struct volume_group *));
    }
    if (!e) {
        e = strmap_put(&v->by_name, name, g, NULL);
    }
    if (!e) {
        v->groups[v->group_count++] = g;
        *ret = g;
    }
    return e;
}

static enum err groups_of_series(struct volume *v, struct labels kept, struct volume_stream *s)
{
    struct buf name AUTO_BUF = {0};
    labels_format_loki(&name, kept);
    if (name.err) {
        return name.err;
    }
    s->n = 1;
    return group_of(v, kept, buf_view(&name), &s->groups[0]);
}

static enum err groups_of_labels(struct volume *v, struct labels kept, struct volume_stream *s)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < kept.n && !e; i++) {
        struct label l = {.name = kept.l[i].name, .value = STR("")};
        e = group_of(v, (struct labels){.l = &l, .n = 1}, l.name, &s->groups[s->n++]);
    }
    return e;
}

/* A stream that lacks a target label counts for nothing. */
static bool has_targets(const struct volume *v, struct labels ls)
{
    for (size_t i = 0; i < v->target_count; i++) {
        if (labels_get(ls, v->targets[i]).n == 0) {
            return false;
        }
    }
    return true;
}

static enum err stream_groups(struct volume *v, struct labels ls, struct volume_stream **ret)
{
    struct volume_stream *s = arena_zalloc(v->a, sizeof(*s));
    struct label *kept = arena_array(v->a, ls.n + 1, sizeof(*kept));
    size_t n = 0;
    if (!s || !kept) {
        return arena_err(v->a);
    }
    *ret = s;
    if (!has_targets(v, ls)) {
        return ERR_OK;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (counts(v, ls.l[i].name)) {
            kept[n++] = ls.l[i];
        }
    }
    s->groups = arena_array(v->a, n + 1, sizeof(struct volume_group *));
    if (!s->groups) {
        return arena_err(v->a);
    }
    struct labels k = {.l = kept, .n = n};
    return v->by_labels ? groups_of_labels(v, k, s) : groups_of_series(v, k, s);
}

static enum err stream_of(struct volume *v, const struct log_stream_view *view, struct volume_stream **ret)
{
    struct hash128 h = labels_hash128(view->labels);
    struct str key = str_of((const char *)&h, sizeof(h));
    *ret = strmap_get(&v->by_stream, key);
    if (*ret) {
        return ERR_OK;
    }
    enum err e = stream_groups(v, view->labels, ret);
    return e ? e : strmap_put(&v->by_stream, key, *ret, NULL);
}

/* -- counting -------------------------------------------------------------------------------------------- */

static uint64_t entry_bytes(const struct log_batch *b, size_t i)
{
    uint64_t n = b->lines[i].n;
    if (b->metadata) {
        struct labels m = b->metadata[i];
        for (size_t k = 0; k < m.n; k++) {
            n += m.l[k].name.n + m.l[k].value.n;
        }
    }
    return n;
}

static enum err count_batch(struct volume *v, const struct log_batch *b)
{
    struct arena scratch AUTO_ARENA = {0};
    arena_init(&scratch, 0, v->a->budget);
    struct volume_stream **known = arena_zarray(&scratch, b->stream_count, sizeof(struct volume_stream *));
    if (b->stream_count && !known) {
        return arena_err(&scratch);
    }
    for (size_t i = 0; i < b->count; i++) {
        struct volume_stream **s = &known[b->stream[i]];
        enum err e = *s ? ERR_OK : stream_of(v, &b->streams[b->stream[i]], s);
        if (e) {
            return e;
        }
        size_t bucket = v->step_ns ? (size_t)((b->ts[i] - v->first) / v->step_ns) : 0;
        uint64_t n = entry_bytes(b, i);
        for (size_t k = 0; k < (*s)->n && bucket < v->buckets; k++) {
            (*s)->groups[k]->bytes[bucket] += n;
        }
    }
    return ERR_OK;
}

static enum err count(struct loki_call *c, struct volume *v)
{
    struct log_source *source = c->api->source;
    struct log_cursor *cursor;
    enum err e = source->ops->select(source, &c->q, &v->sel, &cursor, &c->info);
    if (e) {
        return e;
    }
    for (;;) {
        struct log_batch b;
        e = source->ops->next(cursor, &b, &c->info);
        if (e) {
            break;
        }
        e = count_batch(v, &b);
        if (e) {
            break;
        }
        if (v->group_count > VOLUME_SERIES_MAX) {
            e = err_set(&c->info, ERR_LIMIT,
                        "the query hit the max number of series limit (limit: %d series)", VOLUME_SERIES_MAX);
            break;
        }
    }
    source->ops->close(cursor);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* -- the answer ------------------------------------------------------------------------------------------ */

static _Thread_local size_t sort_bucket;

static int compare_bucket(const void *a, const void *b)
{
    const struct volume_group *x = *(struct volume_group *const *)a, *y = *(struct volume_group *const *)b;
    uint64_t p = x->bytes[sort_bucket], q = y->bytes[sort_bucket];
    return p == q ? str_cmp(x->name, y->name) : p < q ? 1 : -1;
}

/* Each bucket keeps its largest groups. */
static void apply_limit(struct volume *v)
{
    if (v->group_count <= v->limit) {
        return;
    }
    for (size_t k = 0; k < v->buckets; k++) {
        sort_bucket = k;
        qsort(v->groups, v->group_count, sizeof(struct volume_group *), compare_bucket);
        for (size_t i = v->limit; i < v->group_count; i++) {
            v->groups[i]->bytes[k] = 0;
        }
    }
}

static int compare_first(const void *a, const void *b)
{
    const struct volume_group *x = *(struct volume_group *const *)a, *y = *(struct volume_group *const *)b;
    uint64_t p = x->bytes[x->next], q = y->bytes[y->next];
    return p == q ? str_cmp(x->name, y->name) : p < q ? 1 : -1;
}

/* Groups with bytes, by those of their first bucket. *ret_matrix: one has several buckets. */
static void arrange(struct volume *v, bool *ret_matrix)
{
    size_t kept = 0;
    *ret_matrix = false;
    for (size_t i = 0; i < v->group_count; i++) {
        struct volume_group *g = v->groups[i];
        size_t points = 0;
        for (size_t k = 0; k < v->buckets; k++) {
            if (g->bytes[k]) {
                g->next = points++ ? g->next : k;
            }
        }
        if (points) {
            v->groups[kept++] = g;
            *ret_matrix = *ret_matrix || points > 1;
        }
    }
    v->group_count = kept;
    if (kept > 1) {
        qsort(v->groups, kept, sizeof(struct volume_group *), compare_first);
    }
}

static void json_bucket(struct json_writer *w, const struct volume *v, const struct volume_group *g, size_t k)
{
    ts_ns end = v->sel.end_ns;
    if (v->step_ns && v->first + (ts_ns)(k + 1) * v->step_ns < end) {
        end = v->first + (ts_ns)(k + 1) * v->step_ns - NS_PER_MS;
    }
    struct buf digits AUTO_BUF = {0};
    buf_u64(&digits, g->bytes[k]);
    json_array_begin(w);
    num_ts_api(w->b, end / NS_PER_MS);
    w->comma = true;
    json_str(w, buf_view(&digits));
    json_array_end(w);
}

static void json_group(struct json_writer *w, const struct volume *v, const struct volume_group *g,
                       bool matrix)
{
    json_object_begin(w);
    json_key(w, "metric");
    loki_json_labels(w, g->labels);
    json_key(w, matrix ? "values" : "value");
    if (!matrix) {
        json_bucket(w, v, g, g->next);
    } else {
        json_array_begin(w);
        for (size_t k = 0; k < v->buckets; k++) {
            if (g->bytes[k]) {
                json_bucket(w, v, g, k);
            }
        }
        json_array_end(w);
    }
    json_object_end(w);
}

static void send(struct loki_call *c, struct volume *v)
{
    struct json_writer *w = &c->w;
    bool matrix;
    apply_limit(v);
    arrange(v, &matrix);
    json_object_begin(w);
    json_key(w, "status");
    json_str(w, STR("success"));
    json_key(w, "data");
    json_object_begin(w);
    json_key(w, "resultType");
    json_str(w, matrix ? STR("matrix") : STR("vector"));
    json_key(w, "result");
    json_array_begin(w);
    for (size_t i = 0; i < v->group_count; i++) {
        json_group(w, v, v->groups[i], matrix);
    }
    json_array_end(w);
    loki_json_stats(w, &(struct logql_stats){0}, 0);
    json_object_end(w);
    json_object_end(w);
    loki_call_send(c);
}

/* -- the endpoints --------------------------------------------------------------------------------------- */

static void run(struct loki_call *c, struct volume *v)
{
    struct matcher *m;
    struct str query = http_req_param(c->r, "query");
    if (!(str_eq_c(query, "{}") ? loki_param_select(c, query, &v->sel, &m)
                                : loki_param_selector(c, query, &v->sel, &m))) {
        return;
    }
    ts_ns span = v->sel.end_ns - v->sel.start_ns;
    v->first = v->step_ns ? v->sel.start_ns - v->sel.start_ns % v->step_ns : v->sel.start_ns;
    v->buckets = v->step_ns ? (size_t)((span + v->sel.start_ns - v->first + v->step_ns - 1) / v->step_ns) : 1;
    v->sel.start_ns -= v->sel.start_ns % NS_PER_S;
    v->sel.start_ns = v->sel.start_ns < v->first ? v->first : v->sel.start_ns;
    v->sel.order = LOG_UNORDERED;
    v->sel.metadata_needed = true;
    enum err e = v->buckets ? count(c, v) : ERR_OK;
    loki_select_done(m, v->sel.matcher_count);
    strmap_done(&v->by_name);
    strmap_done(&v->by_stream);
    if (e) {
        loki_call_error(c, e);
    } else {
        send(c, v);
    }
}

static void volume_request(struct loki_call *c, bool range)
{
    struct volume v = {.a = &c->query_arena};
    bool backward;
    if (!c->api->volume_enabled) {
        loki_call_refuse(c, 404, "not found");
        return;
    }
    if (param_volume_limit(c, &v.limit) && loki_param_span(c, &v.sel.start_ns, &v.sel.end_ns) &&
        loki_param_direction(c, &backward) &&
        (!range || loki_param_step(c, v.sel.start_ns, v.sel.end_ns, &v.step_ns)) && param_aggregate(c, &v) &&
        param_targets(c, &v)) {
        run(c, &v);
    }
}

static void index_volume(struct loki_call *c)
{
    volume_request(c, false);
}

static void index_volume_range(struct loki_call *c)
{
    volume_request(c, true);
}

LOKI_ROUTE(index_volume)
LOKI_ROUTE(index_volume_range)

struct loki_routes loki_routes_volume(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/loki/api/v1/index/volume", index_volume_route, HTTP_FORM, 0,
         "loki_api_v1_index_volume"},
        {"GET|POST", "/loki/api/v1/index/volume_range", index_volume_range_route, HTTP_FORM, 0,
         "loki_api_v1_index_volume_range"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
