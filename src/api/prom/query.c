/* /query, /query_range, /query_exemplars, /format_query, /parse_query. */
#include "api/prom/prom_call.h"
#include "api/prom/query_gate.h"
#include "api/prom/result_json.h"
#include "base/thread.h"
#include "codec/num.h"
#include "metrics/promql/range_cache.h"

/* The `timeout` parameter shortens the deadline, never lengthens it. One that has run out before the query
 * began is refused as the original mostly refuses it. */
static bool apply_timeout(struct prom_call *c)
{
    int64_t ns = INT64_MAX;
    if (!param_duration(c, "timeout", &ns)) {
        return false;
    }
    if (ns <= 0) {
        (void)err_set(&c->info, ERR_INVALID, "context deadline exceeded");
        prom_call_bad_parameter(c, "query");
        return false;
    }
    if (ns < c->api->query_timeout_ms * NS_PER_MS) {
        c->q.deadline_mono_ns = clock_mono_ns(clock_real()) + ns;
    }
    return true;
}

/* A lookback that is not positive leaves the configured one in force. */
static bool engine_options(struct prom_call *c, struct promql_options *o)
{
    *o = c->api->promql;
    o->step_usage = http_req_param(c->r, "stats").n > 0;
    o->subquery_step_ms = atomic_load(&c->api->evaluation_interval_ms);
    struct str text = http_req_param(c->r, "lookback_delta");
    struct err_info why = {0};
    int64_t ns = 0;
    if (text.n && go_param_duration(text, &ns, &why) != ERR_OK) {
        prom_call_error(
            c, err_set(&c->info, ERR_INVALID, "error parsing lookback delta duration: %s", why.message));
        return false;
    }
    if (ns > 0) {
        o->lookback_ms = ns / NS_PER_MS;
    }
    return true;
}

static void json_seconds(struct json_writer *w, const char *key, double seconds)
{
    struct buf number AUTO_BUF = {0};
    num_f64_api(&number, seconds);
    json_key(w, key);
    json_raw(w, buf_view(&number));
}

/* A count for each step, as pairs of the step's time and the number. */
static void json_steps(struct json_writer *w, const char *key, const struct promql_result *r,
                       const uint64_t *at)
{
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < r->steps; i++) {
        json_array_begin(w);
        num_ts_api(w->b, r->start_ms + (ts_ms)i * r->step_ms);
        w->comma = true;
        json_u64(w, at[i]);
        json_array_end(w);
    }
    json_array_end(w);
}

static void json_stats(struct prom_call *c, const struct promql_result *r, double seconds)
{
    struct json_writer *w = &c->w;
    bool each = c->api->per_step_stats && str_eq_c(http_req_param(c->r, "stats"), "all");
    json_key(w, "stats");
    json_object_begin(w);
    json_key(w, "timings");
    json_object_begin(w);
    json_seconds(w, "evalTotalTime", seconds);
    json_seconds(w, "resultSortTime", 0);
    json_seconds(w, "queryPreparationTime", 0);
    json_seconds(w, "innerEvalTime", seconds);
    json_seconds(w, "execQueueTime", c->queue_seconds);
    json_seconds(w, "execTotalTime", c->queue_seconds + seconds);
    json_object_end(w);
    json_key(w, "samples");
    json_object_begin(w);
    if (each) {
        json_steps(w, "totalQueryableSamplesPerStep", r, r->samples_total_at);
    }
    json_key(w, "totalQueryableSamples");
    json_u64(w, r->samples_total);
    if (each) {
        json_steps(w, "samplesReadPerStep", r, r->samples_read_at);
    }
    json_key(w, "samplesRead");
    json_u64(w, r->samples_read);
    json_key(w, "peakSamples");
    json_u64(w, r->samples_peak);
    json_object_end(w);
    json_object_end(w);
}

static void send_result(struct prom_call *c, const struct promql_result *r, size_t limit, int64_t started_ns)
{
    double seconds = (double)(clock_mono_ns(clock_real()) - started_ns) / (double)NS_PER_S;
    atomic_fetch_add_explicit(&c->api->queries_done, 1, memory_order_relaxed);
    if (c->api->on_query) {
        c->api->on_query(c->api->on_query_ctx, seconds, r->samples_total, r->samples_read);
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_promql_result(&c->w, r, limit);
    if (http_req_param(c->r, "stats").n) {
        json_stats(c, r, seconds);
    }
    json_object_end(&c->w);
    bool cut = limit && r->series_count > limit;
    size_t count = r->warning_count;
    struct str stats = http_req_param(c->r, "stats");
    struct str *warnings = arena_array(c->a, count + 2, sizeof(*warnings));
    if (!warnings) {
        prom_call_error(c, ERR_OOM);
        return;
    }
    if (r->warning_count) {
        memcpy(warnings, r->warnings, r->warning_count * sizeof(*warnings));
    }
    if (cut) {
        warnings[count++] = STR("results truncated due to limit");
    }
    if (stats.n && !str_eq_c(stats, "true") && !str_eq_c(stats, "all")) {
        warnings[count++] =
            arena_printf(c->a,
                         "value \"%.*s\" for parameter \"stats\" is deprecated and will be rejected "
                         "in the next major release, use \"true\" or \"all\"",
                         STR_FMT(stats));
    }
    prom_call_send_annotated(c, warnings, count, r->infos, r->info_count);
}

/* Counts the query and waits for its turn. */
static enum err begin(struct prom_call *c, int64_t *ret_started_ns)
{
    int64_t asked = clock_mono_ns(clock_real());
    atomic_fetch_add(&c->api->queries_running, 1);
    enum err e = c->api->gate ? query_gate_enter(c->api->gate, &c->q, &c->info) : ERR_OK;
    *ret_started_ns = clock_mono_ns(clock_real());
    c->queue_seconds = (double)(*ret_started_ns - asked) / (double)NS_PER_S;
    if (e != ERR_OK) {
        atomic_fetch_sub(&c->api->queries_running, 1);
    }
    return e;
}

static void end(struct prom_call *c)
{
    if (c->api->gate) {
        query_gate_leave(c->api->gate);
    }
    atomic_fetch_sub(&c->api->queries_running, 1);
}

static void query(struct prom_call *c)
{
    struct go_time at = {c->now / MS_PER_S, c->now % MS_PER_S * NS_PER_MS};
    size_t limit = 0;
    struct promql_options o;
    struct promql_result r;
    if (!param_limit(c, "limit", &limit) || !param_instant(c, "time", &at) || !apply_timeout(c) ||
        !engine_options(c, &o)) {
        return;
    }
    int64_t started = 0;
    enum err e = begin(c, &started);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    e = promql_instant(&o, c->api->source, &c->q, http_req_param(c->r, "query"), go_time_engine_ms(at),
                       &c->query_arena, &r, &c->info);
    end(c);
    if (e == ERR_INVALID) {
        prom_call_bad_parameter(c, "query");
    } else if (e) {
        prom_call_error(c, e);
    } else {
        send_result(c, &r, limit, started);
    }
}

static bool refuse(struct prom_call *c, const char *name, const char *text)
{
    (void)err_set(&c->info, ERR_INVALID, "%s", text);
    if (name) {
        prom_call_bad_parameter(c, name);
    } else {
        prom_call_error(c, ERR_INVALID);
    }
    return false;
}

struct range_params {
    ts_ms start, end;
    int64_t step_ms;
};

static bool range_parameters(struct prom_call *c, struct range_params *p)
{
    struct go_time start, end;
    int64_t step_ns = 0;
    if (!param_instant_required(c, "start", &start) || !param_instant_required(c, "end", &end)) {
        return false;
    }
    if (go_time_before(end, start)) {
        return refuse(c, "end", "end timestamp must not be before start time");
    }
    if (http_req_param(c->r, "step").n == 0) {
        return refuse(c, "step", "cannot parse \"\" to a valid duration");
    }
    if (!param_duration(c, "step", &step_ns)) {
        return false;
    }
    if (step_ns <= 0) {
        return refuse(
            c, "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer");
    }
    if (go_time_sub(end, start) / step_ns > RANGE_POINTS_MAX) {
        return refuse(c, NULL,
                      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                      "resolution (?step=XX)");
    }
    *p = (struct range_params){go_time_engine_ms(start), go_time_engine_ms(end), step_ns / NS_PER_MS};
    return true;
}

static void query_range(struct prom_call *c)
{
    struct range_params p;
    size_t limit = 0;
    struct promql_options o;
    struct promql_result r;
    if (!param_limit(c, "limit", &limit) || !range_parameters(c, &p) || !apply_timeout(c) ||
        !engine_options(c, &o)) {
        return;
    }
    if (p.step_ms == 0) {
        prom_call_error(c, err_set(&c->info, ERR_EXECUTION, "the step is shorter than a millisecond"));
        return;
    }
    int64_t started = 0;
    enum err e = begin(c, &started);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    struct str expr = http_req_param(c->r, "query");
    /* Whoever asks what the query costs gets the cost of the whole query. */
    bool cached = c->api->range_cache && !str_ieq(http_req_param(c->r, "nocache"), STR("1")) &&
                  http_req_param(c->r, "stats").n == 0;
    e = cached ? range_cache_query(c->api->range_cache, &o, c->api->source, &c->q, expr, p.start, p.end,
                                   p.step_ms, &c->query_arena, &r, &c->info)
               : promql_range(&o, c->api->source, &c->q, expr, p.start, p.end, p.step_ms, &c->query_arena, &r,
                              &c->info);
    end(c);
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

/* All selectors of the expression; series that several find are shown once for each. */
static enum err find_exemplars(struct prom_call *c, const struct promql_matchers *sets, size_t n, ts_ms start,
                               ts_ms end)
{
    struct metric_source *source = c->api->source;
    enum err e = ERR_OK;
    prom_call_data(c);
    json_array_begin(&c->w);
    for (size_t i = 0; i < n && !e; i++) {
        const struct metric_exemplar_series *rows = NULL;
        size_t row_count = 0;
        struct metric_select sel = {
            .matchers = sets[i].m, .matcher_count = sets[i].n, .start_ms = start, .end_ms = end};
        e = source->ops->exemplars(source, &c->q, &sel, &c->query_arena, &rows, &row_count, &c->info);
        for (size_t k = 0; k < row_count && !e; k++) {
            json_exemplars(&c->w, &rows[k]);
        }
    }
    json_array_end(&c->w);
    return e;
}

static void query_exemplars(struct prom_call *c)
{
    ts_ms start = INT64_MIN, end = INT64_MAX;
    struct promql_matchers *sets = NULL;
    size_t n = 0;
    if (!param_time(c, "start", &start) || !param_time(c, "end", &end)) {
        return;
    }
    if (end < start) {
        prom_call_error(c,
                        err_set(&c->info, ERR_INVALID, "end timestamp must not be before start timestamp"));
        return;
    }
    enum err e = promql_selectors(&c->api->promql, http_req_param(c->r, "query"), c->a, &sets, &n, &c->info);
    if (!e && n == 0) {
        http_res_send(c->r, 204, NULL, STR(""));
        return;
    }
    e = e ? e : find_exemplars(c, sets, n, start, end);
    if (e) {
        prom_call_error(c, e);
    } else {
        prom_call_send(c);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sets[i].n; k++) {
            matcher_done(&sets[i].m[k]);
        }
    }
}

static void parse_query(struct prom_call *c)
{
    struct buf text AUTO_BUF = {0};
    enum err e = promql_tree_json(&c->api->promql, http_req_param(c->r, "query"), &text, &c->info);
    if (e == ERR_INVALID) {
        prom_call_bad_parameter(c, "query");
    } else if (e == ERR_INTERNAL) { /* no envelope, as where the original's JSON writer gives up */
        buf_printf(&c->out, "v1.Response.Data: %s\n", c->info.message);
        http_res_header(c->r, "X-Content-Type-Options", STR("nosniff"));
        http_res_send_buf(c->r, 500, "text/plain; charset=utf-8", &c->out);
    } else if (e || text.err) {
        prom_call_error(c, e ? e : text.err);
    } else {
        prom_call_data(c);
        json_raw(&c->w, buf_view(&text));
        prom_call_send(c);
    }
}

PROM_ROUTE(query)
PROM_ROUTE(query_range)
PROM_ROUTE(query_exemplars)
PROM_ROUTE(format_query)
PROM_ROUTE(parse_query)

struct prom_routes prom_routes_query(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/api/v1/query", query_route, HTTP_CORS | HTTP_FORM | HTTP_DROP_BROKEN | HTTP_QUERY,
         FORM_BYTES_MAX, NULL},
        {"GET|POST", "/api/v1/query_range", query_range_route,
         HTTP_CORS | HTTP_FORM | HTTP_DROP_BROKEN | HTTP_QUERY, FORM_BYTES_MAX, NULL},
        {"GET|POST", "/api/v1/query_exemplars", query_exemplars_route,
         HTTP_CORS | HTTP_FORM | HTTP_DROP_BROKEN, FORM_BYTES_MAX, NULL},
        {"GET|POST", "/api/v1/parse_query", parse_query_route, HTTP_CORS | HTTP_FORM | HTTP_DROP_BROKEN,
         FORM_BYTES_MAX, NULL},
        {"GET|POST", "/api/v1/format_query", format_query_route, HTTP_CORS | HTTP_FORM | HTTP_DROP_BROKEN,
         FORM_BYTES_MAX, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
