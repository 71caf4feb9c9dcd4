/* /query_range, /query, /format_query and their answers. */
#include "api/loki/loki_call.h"
#include "codec/num.h"
#include "codec/units.h"

/* -- answers --------------------------------------------------------------------------------------------- */

static void json_text_number(struct json_writer *w, double v)
{
    struct buf t AUTO_BUF = {0};
    char *o = buf_tail(&t, NUM_F64_BYTES_MAX);
    if (o) {
        t.n += num_f64_format(o, v, 'f');
    }
    json_str(w, buf_view(&t));
}

static void json_point(struct json_writer *w, ts_ms ts, double v)
{
    json_array_begin(w);
    num_ts_api(w->b, ts);
    w->comma = true;
    json_text_number(w, v);
    json_array_end(w);
}

void loki_json_entry(struct json_writer *w, const struct logql_entry *e, bool categorize)
{
    struct buf digits AUTO_BUF = {0};
    buf_i64(&digits, e->ts);
    json_array_begin(w);
    json_str(w, buf_view(&digits));
    bool html = w->html;
    w->html = true;
    json_str(w, e->line);
    w->html = html;
    if (categorize) {
        json_object_begin(w);
        if (e->metadata.n) {
            json_key(w, "structuredMetadata");
            loki_json_labels(w, e->metadata);
        }
        if (e->parsed.n) {
            json_key(w, "parsed");
            loki_json_labels(w, e->parsed);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void json_streams(struct json_writer *w, const struct logql_result *r, bool categorize)
{
    json_array_begin(w);
    for (size_t i = 0; i < r->stream_count; i++) {
        const struct logql_stream *s = &r->streams[i];
        json_object_begin(w);
        json_key(w, "stream");
        loki_json_labels(w, s->labels);
        json_key(w, "values");
        json_array_begin(w);
        for (size_t k = 0; k < s->entry_count; k++) {
            loki_json_entry(w, &s->entries[k], categorize);
        }
        json_array_end(w);
        json_object_end(w);
    }
    json_array_end(w);
}

static void json_series(struct json_writer *w, const struct logql_result *r)
{
    json_array_begin(w);
    for (size_t i = 0; i < r->series_count; i++) {
        const struct logql_series *s = &r->series[i];
        json_object_begin(w);
        json_key(w, "metric");
        loki_json_labels(w, s->labels);
        if (r->kind == LOGQL_VECTOR) {
            json_key(w, "value");
            json_point(w, s->ts[0], s->values[0]);
        } else {
            json_key(w, "values");
            json_array_begin(w);
            for (size_t k = 0; k < s->n; k++) {
                json_point(w, s->ts[k], s->values[k]);
            }
            json_array_end(w);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static uint64_t entry_count(const struct logql_result *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->stream_count; i++) {
        n += r->streams[i].entry_count;
    }
    return n;
}

static void send_result(struct loki_call *c, const struct logql_result *r, bool categorize)
{
    static const char *const kinds[] = {"streams", "scalar", "vector", "matrix"};
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "status");
    json_str(w, STR("success"));
    if (r->warning_count) {
        json_key(w, "warnings");
        json_array_begin(w);
        for (size_t i = 0; i < r->warning_count; i++) {
            json_str(w, r->warnings[i]);
        }
        json_array_end(w);
    }
    json_key(w, "data");
    json_object_begin(w);
    json_key(w, "resultType");
    json_str(w, str_c(kinds[r->kind]));
    if (categorize && r->kind == LOGQL_STREAMS) {
        json_key(w, "encodingFlags");
        json_raw(w, STR("[\"categorize-labels\"]"));
    }
    json_key(w, "result");
    if (r->kind == LOGQL_STREAMS) {
        json_streams(w, r, categorize);
    } else if (r->kind == LOGQL_SCALAR) {
        json_point(w, r->ts, r->scalar);
    } else {
        json_series(w, r);
    }
    loki_json_stats(w, &r->stats, entry_count(r));
    json_object_end(w);
    json_object_end(w);
    loki_call_send(c);
}

/* -- requests -------------------------------------------------------------------------------------------- */

static bool query_text(struct loki_call *c, struct str *ret_text)
{
    *ret_text = http_req_param(c->r, "query");
    if (ret_text->n > LOKI_QUERY_BYTES_MAX) {
        loki_call_refuse(c, 400, "input size too long (%zu > %d)", ret_text->n, LOKI_QUERY_BYTES_MAX);
        return false;
    }
    return true;
}

/* At most one entry an interval; log queries. */
static bool param_interval(struct loki_call *c, struct logql_request *q)
{
    struct str s = http_req_param(c->r, "interval");
    int64_t ms = 0;
    if (s.n && str_starts(s, STR("-"))) {
        loki_call_refuse(c, 400, "interval must be >= 0");
        return false;
    }
    if (s.n && units_prom_duration_parse(s, &ms, &c->info) != ERR_OK) {
        loki_call_refuse(c, 400, "%s", c->info.message);
        return false;
    }
    q->interval_ns = ms * NS_PER_MS;
    return true;
}

/* What Loki's front end does to a metric query that it may split: whole steps. */
static void align(const struct loki_call *c, struct logql_request *q)
{
    if (c->api->split_ms > 0) {
        q->start_ns -= q->start_ns % q->step_ns;
        q->end_ns += q->end_ns % q->step_ns ? q->step_ns - q->end_ns % q->step_ns : 0;
    }
}

static bool length_allowed(struct loki_call *c, const struct logql_request *q)
{
    int64_t length = q->end_ns - q->start_ns, most = c->api->query_length_max_ms * NS_PER_MS;
    if (most == 0 || length <= most) {
        return true;
    }
    struct buf got AUTO_BUF = {0}, limit AUTO_BUF = {0};
    units_go_duration_format(&got, length);
    units_duration_format(&limit, c->api->query_length_max_ms);
    loki_call_refuse(c, 400, "the query time range exceeds the limit (query length: %.*s, limit: %.*s)",
                     STR_FMT(buf_view(&got)), STR_FMT(buf_view(&limit)));
    return false;
}

static void run(struct loki_call *c, struct logql_request *q, bool is_log)
{
    struct logql_result r;
    q->categorize_labels = loki_wants_categories(c);
    if (is_log && !loki_entries_allowed(c, q->limit)) {
        return;
    }
    enum err e = logql_query(&c->api->logql, c->api->source, &c->q, q, &c->query_arena, &r, &c->info);
    if (e) {
        loki_call_error(c, e);
    } else {
        send_result(c, &r, q->categorize_labels);
    }
}

static void query_range(struct loki_call *c)
{
    struct logql_request q = {0};
    bool is_log;
    if (!query_text(c, &q.expr) || !loki_param_span(c, &q.start_ns, &q.end_ns) ||
        !loki_param_limit(c, &q.limit) || !loki_param_direction(c, &q.backward) ||
        !loki_param_step(c, q.start_ns, q.end_ns, &q.step_ns) || !param_interval(c, &q) ||
        !length_allowed(c, &q)) {
        return;
    }
    enum err e = logql_is_log_query(q.expr, &is_log, &c->info);
    if (e) {
        loki_call_error(c, e);
        return;
    }
    if (!is_log) {
        align(c, &q);
    }
    run(c, &q, is_log);
}

static void query(struct loki_call *c)
{
    struct logql_request q = {.instant = true, .end_ns = c->now};
    struct str at = http_req_param(c->r, "time");
    bool is_log;
    if (!query_text(c, &q.expr)) {
        return;
    }
    if (at.n && units_loki_time_parse(at, &q.end_ns, &c->info) != ERR_OK) {
        loki_call_refuse(c, 400, "%s", c->info.message);
        return;
    }
    q.start_ns = q.end_ns;
    if (!loki_param_limit(c, &q.limit) || !loki_param_direction(c, &q.backward)) {
        return;
    }
    enum err e = logql_is_log_query(q.expr, &is_log, &c->info);
    if (e) {
        loki_call_error(c, e);
    } else if (is_log) {
        loki_call_refuse(
            c, 400,
            "log queries are not supported as an instant query type, please change your query to a "
            "range query type");
    } else {
        run(c, &q, false);
    }
}

static void format_query(struct loki_call *c)
{
    struct buf text AUTO_BUF = {0};
    enum err e = logql_format(http_req_param(c->r, "query"), &text, &c->info);
    json_object_begin(&c->w);
    json_key(&c->w, "status");
    json_str(&c->w, e ? STR("invalid-query") : STR("success"));
    json_key(&c->w, e ? "error" : "data");
    json_str(&c->w, e ? str_c(c->info.message) : buf_view(&text));
    json_object_end(&c->w);
    buf_char(&c->out, '\n');
    http_res_send_buf(c->r,
                      !e                 ? 200
                      : e == ERR_INVALID ? 400
                                         : err_http_status(e),
                      "application/json; charset=utf-8", &c->out);
}

LOKI_ROUTE(query_range)
LOKI_ROUTE(query)
LOKI_ROUTE(format_query)

struct loki_routes loki_routes_query(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/loki/api/v1/query_range", query_range_route, HTTP_FORM, 0, "loki_api_v1_query_range"},
        {"GET|POST", "/loki/api/v1/query", query_route, HTTP_FORM, 0, "loki_api_v1_query"},
        {"GET|POST", "/loki/api/v1/format_query", format_query_route, HTTP_FORM, 0,
         "loki_api_v1_format_query"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
