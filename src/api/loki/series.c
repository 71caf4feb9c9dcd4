/* /labels, /label/{name}/values, /series, /index/stats. */
#include <stdlib.h>

#include "api/loki/loki_call.h"

static void json_strings(struct json_writer *w, const struct str_list *l)
{
    json_array_begin(w);
    for (size_t i = 0; i < l->n; i++) {
        json_str(w, l->items[i]);
    }
    json_array_end(w);
}

static bool select_of(struct loki_call *c, struct str text, struct log_select *sel, struct matcher **m)
{
    *sel = (struct log_select){0};
    return loki_param_span(c, &sel->start_ns, &sel->end_ns) && loki_param_select(c, text, sel, m);
}

/* name.p NULL: label names; else the values of that label. */
static void label_list(struct loki_call *c, struct str name)
{
    struct log_select sel;
    struct matcher *m;
    struct str_list list = {0};
    if (!select_of(c, http_req_param(c->r, "query"), &sel, &m)) {
        return;
    }
    const struct log_source_ops *ops = c->api->source->ops;
    enum err e = name.p
                     ? ops->label_values(c->api->source, &c->q, name, &sel, &c->query_arena, &list, &c->info)
                     : ops->label_names(c->api->source, &c->q, &sel, &c->query_arena, &list, &c->info);
    loki_select_done(m, sel.matcher_count);
    if (e) {
        loki_call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "status");
    json_str(&c->w, STR("success"));
    if (list.n) {
        json_key(&c->w, "data");
        json_strings(&c->w, &list);
    }
    json_object_end(&c->w);
    loki_call_send(c);
}

static void labels(struct loki_call *c)
{
    label_list(c, (struct str){0});
}

static void label_values(struct loki_call *c)
{
    label_list(c, http_req_capture(c->r, "name"));
}

static int compare_streams(const void *a, const void *b)
{
    return labels_cmp(((const struct log_stream_view *)a)->labels,
                      ((const struct log_stream_view *)b)->labels);
}

struct stream_list {
    struct log_stream_view *items;
    size_t n, cap;
};

static enum err streams_of(struct loki_call *c, const struct log_select *sel, struct stream_list *all)
{
    const struct log_stream_view *rows;
    size_t n;
    enum err e =
        c->api->source->ops->streams(c->api->source, &c->q, sel, &c->query_arena, &rows, &n, &c->info);
    if (!e) {
        e = arena_reserve(&c->query_arena, (void **)&all->items, &all->cap, all->n + n, sizeof(*rows));
    }
    if (!e && n) {
        memcpy(all->items + all->n, rows, n * sizeof(*rows));
        all->n += n;
    }
    return e;
}

static void series(struct loki_call *c)
{
    struct str texts[LOKI_MATCH_MAX];
    size_t n = http_req_params(c->r, "match[]", texts, LOKI_MATCH_MAX);
    struct stream_list all = {0};
    n += http_req_params(c->r, "match", texts + n, LOKI_MATCH_MAX - n);
    if (n == 0) {
        texts[n++] = STR("{}");
    }
    for (size_t i = 0; i < n; i++) {
        struct log_select sel;
        struct matcher *m;
        if (!select_of(c, texts[i], &sel, &m)) {
            return;
        }
        enum err e = streams_of(c, &sel, &all);
        loki_select_done(m, sel.matcher_count);
        if (e) {
            loki_call_error(c, e);
            return;
        }
    }
    if (all.n > 1) {
        qsort(all.items, all.n, sizeof(*all.items), compare_streams);
    }
    json_object_begin(&c->w);
    json_key(&c->w, "status");
    json_str(&c->w, STR("success"));
    json_key(&c->w, "data");
    json_array_begin(&c->w);
    for (size_t i = 0; i < all.n; i++) {
        if (i == 0 || !labels_eq(all.items[i].labels, all.items[i - 1].labels)) {
            loki_json_labels(&c->w, all.items[i].labels);
        }
    }
    json_array_end(&c->w);
    json_object_end(&c->w);
    loki_call_send(c);
}

static void index_stats(struct loki_call *c)
{
    struct log_select sel = {0};
    struct matcher *m;
    struct log_store_volume v;
    if (!loki_param_span(c, &sel.start_ns, &sel.end_ns) ||
        !loki_param_selector(c, http_req_param(c->r, "query"), &sel, &m)) {
        return;
    }
    enum err e = log_store_volume(c->api->store, &c->q, &sel, &v, &c->info);
    loki_select_done(m, sel.matcher_count);
    if (e) {
        loki_call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "streams");
    json_u64(&c->w, v.streams);
    json_key(&c->w, "chunks");
    json_u64(&c->w, v.chunks);
    json_key(&c->w, "bytes");
    json_u64(&c->w, v.bytes);
    json_key(&c->w, "entries");
    json_u64(&c->w, v.entries);
    json_object_end(&c->w);
    loki_call_send(c);
}

LOKI_ROUTE(labels)
LOKI_ROUTE(label_values)
LOKI_ROUTE(series)
LOKI_ROUTE(index_stats)

struct loki_routes loki_routes_series(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/loki/api/v1/labels", labels_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/loki/api/v1/label", labels_route, HTTP_FORM, 0, "/loki/api/v1/labels"},
        {"GET|POST", "/loki/api/v1/label/{name}/values", label_values_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/loki/api/v1/series", series_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/api/prom/series", series_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/loki/api/v1/index/stats", index_stats_route, HTTP_FORM, 0, NULL},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
