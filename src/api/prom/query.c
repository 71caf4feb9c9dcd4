/* /query, /query_range, /query_exemplars, /format_query, /parse_query. */
#include "api/prom/prom_call.h"
#include "api/prom/result_json.h"
#include "base/thread.h"
#include "codec/num.h"

/* The `timeout` parameter shortens the deadline, never lengthens it. */
static bool apply_timeout(struct prom_call *c)
{
    int64_t ms = 0;
    if (!param_duration(c, "timeout", &ms)) {
        return false;
    }
    if (ms > 0 && ms < c->api->query_timeout_ms) {
        c->q.deadline_mono_ns = clock_mono_ns(clock_real()) + ms * NS_PER_MS;
    }
    return true;
}

static bool engine_options(struct prom_call *c, struct promql_options *o)
{
    *o = c->api->promql;
    return param_duration(c, "lookback_delta", &o->lookback_ms);
}

static void json_seconds(struct json_writer *w, const char *key, double seconds)
{
    struct buf number AUTO_BUF = {0};
    num_f64_api(&number, seconds);
    json_key(w, key);
    json_raw(w, buf_view(&number));
}

static void json_stats(struct prom_call *c, const struct promql_result *r, double seconds)
{
    struct json_writer *w = &c->w;
    json_key(w, "stats");
    json_object_begin(w);
    json_key(w, "timings");
    json_object_begin(w);
    json_seconds(w, "evalTotalTime", seconds);
    json_seconds(w, "resultSortTime", 0);
    json_seconds(w, "queryPreparationTime", 0);
    json_seconds(w, "innerEvalTime", seconds);
    json_seconds(w, "execQueueTime", 0);
    json_seconds(w, "execTotalTime", seconds);
    json_object_end(w);
    json_key(w, "samples");
    json_object_begin(w);
    json_key(w, "totalQueryableSamples");
    json_u64(w, r->samples_total);
    json_key(w, "peakSamples");
    json_u64(w, r->samples_peak);
    json_object_end(w);
    json_object_end(w);
}

static void send_result(struct prom_call *c, const struct promql_result *r, size_t limit, int64_t started_ns)
{
    double seconds = (double)(clock_mono_ns(clock_real()) - started_ns) / (double)NS_PER_S;
    atomic_fetch_add_explicit(&c->api->queries_done, 1, memory_order_relaxed);
    prom_call_data(c);
    json_object_begin(&c->w);
    json_promql_result(&c->w, r, limit);
    if (http_req_param(c->r, "stats").n) {
        json_stats(c, r, seconds);
    }
    json_object_end(&c->w);
    bool cut = limit && r->series_count > limit;
    struct str *warnings = arena_array(c->a, r->warning_count + 1, sizeof(*warnings));
    if (!warnings) {
        prom_call_error(c, ERR_OOM);
        return;
    }
    if (r->warning_count) {
        memcpy(warnings, r->warnings, r->warning_count * sizeof(*warnings));
    }
    warnings[r->warning_count] = STR("results truncated due to limit");
    prom_call_send_annotated(c, warnings, r->warning_count + cut, r->infos, r->info_count);
}

static void query(struct prom_call *c)
{
    ts_ms at = c->now;
    size_t limit = 0;
    struct promql_options o;
    struct promql_result r;
    if (!param_limit(c, "limit", &limit) || !param_time(c, "time", &at) || !apply_timeout(c) ||
        !engine_options(c, &o)) {
        return;
    }
    int64_t started = clock_mono_ns(clock_real());
    enum err e = promql_instant(&o, c->api->source, &c->q, http_req_param(c->r, "query"), at, &c->query_arena,
                                &r, &c->info);
    if (e == ERR_INVALID) {
        prom_call_bad_parameter(c, "query");
    } else if (e) {
        prom_call_error(c, e);
    } else {
        send_result(c, &r, limit, started);
    }
}

static bool range_parameters(struct prom_call *c, ts_ms *start, ts_ms *end, int64_t *step)
{
    static const char *const names[] = {"start", "end", "step"};
    for (size_t i = 0; i < 3; i++) {
        if (http_req_param(c->r, names[i]).n == 0) {
            (void)err_set(&c->info, ERR_INVALID, "cannot parse \"\" to a valid %s",
                          i == 2 ? "duration" : "timestamp");
            prom_call_bad_parameter(c, names[i]);
            return false;
        }
    }
    if (!param_time(c, "start", start) || !param_time(c, "end", end)) {
        return false;
    }
    if (*end < *start) {
        (void)err_set(&c->info, ERR_INVALID, "end timestamp must not be before start time");
        prom_call_bad_parameter(c, "end");
        return false;
    }
    if (!param_duration(c, "step", step)) {
        return false;
    }
    if (*step <= 0) {
        (void)err_set(
            &c->info, ERR_INVALID,
            "zero or negative query resolution step widths are not accepted. Try a positive integer");
        prom_call_bad_parameter(c, "step");
        return false;
    }
    if ((*end - *start) / *step > RANGE_POINTS_MAX) {
        (void)err_set(&c->info, ERR_INVALID,
                      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                      "resolution (?step=XX)");
        prom_call_error(c, ERR_INVALID);
        return false;
    }
    return true;
}

static void query_range(struct prom_call *c)
{
    ts_ms start = 0, end = 0;
    int64_t step = 0;
    size_t limit = 0;
    struct promql_options o;
    struct promql_result r;
    if (!param_limit(c, "limit", &limit) || !range_parameters(c, &start, &end, &step) || !apply_timeout(c) ||
        !engine_options(c, &o)) {
        return;
    }
    int64_t started = clock_mono_ns(clock_real());
    enum err e = promql_range(&o, c->api->source, &c->q, http_req_param(c->r, "query"), start, end, step,
                              &c->query_arena, &r, &c->info);
    if (e == ERR_INVALID) {
        prom_call_bad_parameter(c, "query");
    } else if (e) {
        prom_call_error(c, e);
    } else {
        send_result(c, &r, limit, started);
    }
}

static void format_query(struct prom_call *c)
{
    struct buf text AUTO_BUF = {0};
    enum err e = promql_format(&c->api->promql, http_req_param(c->r, "query"), &text, &c->info);
    if (e == ERR_INVALID) {
        prom_call_bad_parameter(c, "query");
        return;
    }
    if (e || text.err) {
        prom_call_error(c, e ? e : text.err);
        return;
    }
    prom_call_data(c);
    json_str(&c->w, buf_view(&text));
    prom_call_send(c);
}

static void json_exemplars(struct json_writer *w, const struct metric_exemplar_series *s)
{
    json_object_begin(w);
    json_key(w, "seriesLabels");
    json_labels(w, s->labels);
    json_key(w, "exemplars");
    json_array_begin(w);
    for (size_t i = 0; i < s->exemplar_count; i++) {
        struct buf text AUTO_BUF = {0};
        json_object_begin(w);
        json_key(w, "labels");
        json_labels(w, s->exemplars[i].labels);
        json_key(w, "value");
        num_f64_api(&text, s->exemplars[i].value);
        json_str(w, buf_view(&text));
        buf_reset(&text);
        json_key(w, "timestamp");
        num_ts_api(&text, s->exemplars[i].ts);
        json_raw(w, buf_view(&text));
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void query_exemplars(struct prom_call *c)
{
    ts_ms start = INT64_MIN, end = INT64_MAX;
    struct matcher *m;
    size_t n;
    if (!param_time(c, "start", &start) || !param_time(c, "end", &end)) {
        return;
    }
    enum err e = promql_selector(http_req_param(c->r, "query"), c->a, &m, &n, &c->info);
    if (e) {
        prom_call_bad_parameter(c, "query");
        return;
    }
    const struct metric_exemplar_series *rows;
    size_t row_count;
    struct metric_select sel = {.matchers = m, .matcher_count = n, .start_ms = start, .end_ms = end};
    e = c->api->source->ops->exemplars(c->api->source, &c->q, &sel, &c->query_arena, &rows, &row_count,
                                       &c->info);
    if (e) {
        prom_call_error(c, e);
    } else {
        prom_call_data(c);
        json_array_begin(&c->w);
        for (size_t i = 0; i < row_count; i++) {
            json_exemplars(&c->w, &rows[i]);
        }
        json_array_end(&c->w);
        prom_call_send(c);
    }
    for (size_t i = 0; i < n; i++) {
        matcher_done(&m[i]);
    }
}

PROM_ROUTE(query)
PROM_ROUTE(query_range)
PROM_ROUTE(query_exemplars)
PROM_ROUTE(format_query)

struct prom_routes prom_routes_query(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/api/v1/query", query_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/api/v1/query_range", query_range_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/api/v1/query_exemplars", query_exemplars_route, HTTP_FORM, 0, NULL},
        {"GET|POST", "/api/v1/format_query", format_query_route, HTTP_FORM, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
