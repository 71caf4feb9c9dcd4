/* The API before v1, /api/prom: the same queries and labels in other shapes. */
#include <stdio.h>
#include <time.h>

#include "api/loki/loki_call.h"

void loki_time_format(struct buf *b, ts_ns ts)
{
    int64_t seconds = ts / NS_PER_S, ns = ts % NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    struct tm tm;
    time_t t = (time_t)seconds;
    char text[64], digits[16];
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm)) {
        return;
    }
    buf_str(b, str_c(text));
    if (ns) {
        int n = snprintf(digits, sizeof(digits), ".%09d", (int)ns);
        while (n > 0 && digits[n - 1] == '0') {
            n--;
        }
        buf_str(b, str_of(digits, (size_t)n));
    }
    buf_char(b, 'Z');
}

void loki_json_legacy_stream(struct json_writer *w, const struct logql_stream *s)
{
    struct buf text AUTO_BUF = {0};
    labels_format_loki(&text, s->labels);
    json_object_begin(w);
    json_key(w, "labels");
    json_str(w, buf_view(&text));
    json_key(w, "entries");
    json_array_begin(w);
    for (size_t i = 0; i < s->entry_count; i++) {
        buf_reset(&text);
        loki_time_format(&text, s->entries[i].ts);
        json_object_begin(w);
        json_key(w, "ts");
        json_str(w, buf_view(&text));
        json_key(w, "line");
        json_str(w, s->entries[i].line);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void send_streams(struct loki_call *c, const struct logql_result *r)
{
    struct json_writer *w = &c->w;
    uint64_t entries = 0;
    w->html = true;
    json_object_begin(w);
    json_key(w, "streams");
    json_array_begin(w);
    for (size_t i = 0; i < r->stream_count; i++) {
        loki_json_legacy_stream(w, &r->streams[i]);
        entries += r->streams[i].entry_count;
    }
    json_array_end(w);
    loki_json_stats(w, &r->stats, entries);
    json_object_end(w);
    loki_call_send(c);
}

/* The text of the parameter `regexp` as a line filter behind the query. */
static struct str with_regexp(struct loki_call *c, struct str query)
{
    struct str regexp = http_req_param(c->r, "regexp");
    struct buf quoted AUTO_BUF = {0};
    if (regexp.n == 0) {
        return query;
    }
    labels_quote(&quoted, regexp);
    return arena_printf(c->a, "%.*s |~ %.*s", STR_FMT(query), STR_FMT(buf_view(&quoted)));
}

static void legacy_query(struct loki_call *c)
{
    struct logql_request q = {.expr = with_regexp(c, http_req_param(c->r, "query"))};
    struct logql_result r;
    bool is_log;
    if (!loki_param_span(c, &q.start_ns, &q.end_ns) || !loki_param_limit(c, &q.limit) ||
        !loki_param_direction(c, &q.backward) || !loki_param_step(c, q.start_ns, q.end_ns, &q.step_ns)) {
        return;
    }
    enum err e = logql_is_log_query(q.expr, &is_log, &c->info);
    if (!e && !is_log) {
        e = err_set(&c->info, ERR_INVALID,
                    "legacy endpoints only support streams result type, current type is matrix");
    }
    if (!e && !loki_entries_allowed(c, q.limit)) {
        return;
    }
    e = e ? e : logql_query(&c->api->logql, c->api->source, &c->q, &q, &c->query_arena, &r, &c->info);
    if (e) {
        loki_call_error(c, e);
    } else {
        send_streams(c, &r);
    }
}

static void legacy_labels(struct loki_call *c, struct str name)
{
    struct log_select sel = {0};
    struct str_list list = {0};
    if (!loki_param_span(c, &sel.start_ns, &sel.end_ns)) {
        return;
    }
    const struct log_source_ops *ops = c->api->source->ops;
    enum err e = name.p
                     ? ops->label_values(c->api->source, &c->q, name, &sel, &c->query_arena, &list, &c->info)
                     : ops->label_names(c->api->source, &c->q, &sel, &c->query_arena, &list, &c->info);
    if (e) {
        loki_call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    if (list.n) {
        json_key(&c->w, "values");
        json_array_begin(&c->w);
        for (size_t i = 0; i < list.n; i++) {
            json_str(&c->w, list.items[i]);
        }
        json_array_end(&c->w);
    }
    json_object_end(&c->w);
    loki_call_send(c);
}

static void legacy_label_names(struct loki_call *c)
{
    legacy_labels(c, (struct str){0});
}

static void legacy_label_values(struct loki_call *c)
{
    legacy_labels(c, http_req_capture(c->r, "name"));
}

LOKI_ROUTE(legacy_query)
LOKI_ROUTE(legacy_label_names)
LOKI_ROUTE(legacy_label_values)

struct loki_routes loki_routes_legacy(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/api/prom/query", legacy_query_route, HTTP_FORM, 0, "api_prom_query"},
        {"GET|POST", "/api/prom/label", legacy_label_names_route, HTTP_FORM, 0, "api_prom_label"},
        {"GET|POST", "/api/prom/label/{name}/values", legacy_label_values_route, HTTP_FORM, 0,
         "api_prom_label_name_values"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
