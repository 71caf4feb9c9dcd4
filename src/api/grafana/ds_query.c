/* POST /api/ds/query: several queries to Prometheus or Loki sources, answered as data frames. This is the way
 * tools and Grafana's own front end ask; Cairn's pages use the proxy. */
#include "api/grafana/source_int.h"

#include <stdio.h>

#include "codec/units.h"

enum {
    QUERIES_MAX = 100,
    ANSWER_BYTES_MAX = 32 << 20,
    POINTS_MAX = 11000, /* what Prometheus allows a range query */
    INTERVAL_MS_DEFAULT = 15000,
    LINES_DEFAULT = 1000,
};

struct range {
    ts_ms from, to;
};

/* "1700000000000", "now", "now-6h", RFC 3339. */
static bool parse_time(struct str s, ts_ms now, ts_ms *ret_t)
{
    int64_t v;
    if (str_to_i64(s, ret_t) == ERR_OK) {
        return true;
    }
    if (units_rfc3339_parse(s, &v) == ERR_OK) {
        *ret_t = v / NS_PER_MS;
        return true;
    }
    if (!str_starts(s, STR("now"))) {
        return false;
    }
    struct str rest = str_slice(s, 3, s.n);
    if (rest.n == 0) {
        *ret_t = now;
        return true;
    }
    int sign = rest.p[0] == '-' ? -1 : 1;
    if ((rest.p[0] != '-' && rest.p[0] != '+') || units_duration_parse(str_slice(rest, 1, rest.n), &v)) {
        return false;
    }
    *ret_t = now + sign * v;
    return true;
}

static struct str member_text(const struct json_value *object, const char *name)
{
    const struct json_value *v = json_get(object, str_c(name));
    return !v ? STR("") : v->kind == JSON_STRING ? v->string : v->raw;
}

/* -- macros ---------------------------------------------------------------------------------------------- */

struct query {
    const struct json_value *json;
    struct data_source ds;
    struct str ref_id, expr;
    struct range range;
    int64_t step_ms;
    bool instant, both, loki;
};

static void duration(struct buf *b, int64_t ms)
{
    units_duration_format(b, ms < 1 ? 1 : ms);
}

static bool macro(struct buf *b, const struct query *q, struct str name)
{
    int64_t scrape_ms = INTERVAL_MS_DEFAULT, range_ms = q->range.to - q->range.from;
    int64_t rate_ms = q->step_ms + scrape_ms > 4 * scrape_ms ? q->step_ms + scrape_ms : 4 * scrape_ms;
    if (str_eq_c(name, "__interval") || str_eq_c(name, "__auto")) {
        duration(b, q->step_ms);
    } else if (str_eq_c(name, "__interval_ms")) {
        buf_i64(b, q->step_ms);
    } else if (str_eq_c(name, "__rate_interval")) {
        duration(b, rate_ms);
    } else if (str_eq_c(name, "__rate_interval_ms")) {
        buf_i64(b, rate_ms);
    } else if (str_eq_c(name, "__range")) {
        duration(b, range_ms / MS_PER_S * MS_PER_S);
    } else if (str_eq_c(name, "__range_s")) {
        buf_i64(b, range_ms / MS_PER_S);
    } else if (str_eq_c(name, "__range_ms")) {
        buf_i64(b, range_ms);
    } else {
        return false;
    }
    return true;
}

/* $__interval and ${__interval} by their values; any other '$' stays. */
static enum err expand(struct call *c, struct query *q)
{
    struct buf b AUTO_BUF = {0};
    struct str s = q->expr;
    for (size_t i = 0; i < s.n;) {
        size_t from = i + 1, end;
        bool braces = s.p[i] == '$' && from < s.n && s.p[from] == '{';
        from += braces;
        end = from;
        while (s.p[i] == '$' && end < s.n && (s.p[end] == '_' || (s.p[end] >= 'a' && s.p[end] <= 'z'))) {
            end++;
        }
        bool whole = s.p[i] == '$' && (!braces || (end < s.n && s.p[end] == '}'));
        if (whole && macro(&b, q, str_slice(s, from, end))) {
            i = end + braces;
        } else {
            buf_char(&b, s.p[i++]);
        }
    }
    if (b.err) {
        return b.err;
    }
    q->expr = arena_str(c->a, buf_view(&b));
    return q->expr.p ? ERR_OK : arena_err(c->a);
}

/* -- one query ------------------------------------------------------------------------------------------- */

static enum err find_source(struct call *c, const struct json_value *json, struct data_source *ret_ds)
{
    const struct json_value *ref = json_get(json, STR("datasource"));
    struct str key = ref && ref->kind == JSON_STRING ? ref->string : member_str(ref, "uid");
    if (key.n == 0) {
        key = member_text(json, "datasourceId");
    }
    if (key.n == 0) {
        return err_set(&c->info, ERR_INVALID, "datasource.uid is missing");
    }
    return data_source_get(c->api->db, key, c->a, ret_ds, &c->info);
}

static enum err read_query(struct call *c, const struct json_value *json, struct range range, struct query *q)
{
    *q = (struct query){.json = json, .range = range, .ref_id = member_str(json, "refId")};
    enum err e = find_source(c, json, &q->ds);
    if (e) {
        return e;
    }
    q->loki = str_eq_c(q->ds.type, "loki");
    if (!q->loki && !str_eq_c(q->ds.type, "prometheus")) {
        return err_set(&c->info, ERR_UNSUPPORTED, "data sources of type \"%.*s\" cannot be queried here",
                       STR_FMT(q->ds.type));
    }
    q->expr = member_str(json, "expr");
    if (q->expr.n == 0) {
        return err_set(&c->info, ERR_INVALID, "expr is missing");
    }
    bool wants_range = member_bool(json, "range") || str_eq_c(member_str(json, "queryType"), "range");
    q->instant = member_bool(json, "instant") || str_eq_c(member_str(json, "queryType"), "instant");
    q->both = q->instant && wants_range;
    q->step_ms = member_i64(json, "intervalMs", INTERVAL_MS_DEFAULT);
    int64_t points = member_i64(json, "maxDataPoints", POINTS_MAX), own = 0;
    points = points < 1 || points > POINTS_MAX ? POINTS_MAX : points;
    if (units_duration_parse(member_str(json, "interval"), &own) == ERR_OK && own > q->step_ms) {
        q->step_ms = own;
    }
    int64_t least = (range.to - range.from + points - 1) / points;
    q->step_ms = q->step_ms < least ? least : q->step_ms;
    q->step_ms = q->step_ms < 1 ? 1 : q->step_ms;
    return expand(c, q);
}

static void param_ms(struct buf *b, const char *name, ts_ms t, bool loki)
{
    buf_printf(b, "&%s=%lld", name, (long long)(loki ? t : t / MS_PER_S));
    if (loki) {
        buf_c(b, "000000");
    } else {
        buf_printf(b, ".%03d", (int)(t % MS_PER_S));
    }
}

static void write_params(struct buf *b, const struct query *q, bool instant)
{
    buf_c(b, "query=");
    source_encode(b, q->expr);
    if (instant) {
        param_ms(b, "time", q->range.to, q->loki);
    } else {
        ts_ms from = q->range.from, to = q->range.to;
        if (!q->loki) { /* steps stay where they are when the range moves */
            from -= from % q->step_ms;
            to -= to % q->step_ms;
        }
        param_ms(b, "start", from, q->loki);
        param_ms(b, "end", to, q->loki);
        buf_printf(b, "&step=%lld.%03d", (long long)(q->step_ms / MS_PER_S), (int)(q->step_ms % MS_PER_S));
    }
    if (q->loki) {
        int64_t lines = member_i64(q->json, "maxLines", LINES_DEFAULT);
        struct str direction = member_str(q->json, "direction");
        buf_printf(b, "&limit=%lld&direction=", (long long)(lines > 0 ? lines : LINES_DEFAULT));
        buf_str(b, str_eq_c(direction, "forward") ? direction : STR("backward"));
    }
}

static enum err source_failure(struct call *c, const struct http_answer *answer)
{
    const struct json_value *json = NULL;
    struct str text = str_trim(buf_view(&answer->body));
    if (json_parse(c->a, text, &json, NULL) == ERR_OK && member_str(json, "error").n) {
        text = member_str(json, "error");
    }
    return err_set(&c->info, answer->status == 404 ? ERR_NOT_FOUND : ERR_INVALID, "%.*s (status %d)",
                   (int)(text.n < 400 ? text.n : 400), text.p, answer->status);
}

static enum err run(struct call *c, const struct query *q, bool instant)
{
    struct buf params AUTO_BUF = {0};
    struct http_answer answer = {0};
    const struct json_value *json = NULL;
    write_params(&params, q, instant);
    struct source_request request = {
        .method = STR("POST"),
        .path = q->loki ? (instant ? STR("/loki/api/v1/query") : STR("/loki/api/v1/query_range"))
                        : (instant ? STR("/api/v1/query") : STR("/api/v1/query_range")),
        .body = buf_view(&params),
        .content_type = STR("application/x-www-form-urlencoded"),
        .response_bytes_max = ANSWER_BYTES_MAX,
    };
    enum err e = params.err ? params.err : source_ask(c, &q->ds, &request, &answer);
    if (e) {
        return e;
    }
    struct str body = arena_str(c->a, buf_view(&answer.body));
    e = answer.status / 100 != 2 ? source_failure(c, &answer)
        : body.p                 ? json_parse(c->a, body, &json, &c->info)
                                 : arena_err(c->a);
    http_answer_done(&answer);
    struct frame_request frames = {.ref_id = q->ref_id,
                                   .query = q->expr,
                                   .legend = member_str(q->json, "legendFormat"),
                                   .step_ms = q->step_ms,
                                   .instant = instant};
    return e ? e : frames_write(c, &frames, json_get(json, STR("data")));
}

/* "A": {"status": 200, "frames": [...]}; a failure leaves what was written before it as it was. */
static bool one(struct call *c, const struct json_value *json, struct range range)
{
    struct json_writer *w = &c->w;
    struct query q;
    struct str ref = member_str(json, "refId");
    json_key_str(w, ref.n ? ref : STR("A"));
    json_object_begin(w);
    size_t mark = c->out.n;
    struct json_writer before = *w;
    c->info = (struct err_info){0};
    enum err e = read_query(c, json, range, &q);
    json_key(w, "status");
    json_i64(w, 200);
    json_key(w, "frames");
    json_array_begin(w);
    if (!e && (!q.instant || q.both)) {
        e = run(c, &q, false);
    }
    if (!e && q.instant) {
        e = run(c, &q, true);
    }
    if (!e) {
        json_array_end(w);
    } else {
        c->out.n = mark;
        *w = before;
        json_key(w, "status");
        json_i64(w, e == ERR_NOT_FOUND ? 404 : e == ERR_UNAVAILABLE ? 502 : e == ERR_TIMEOUT ? 504 : 400);
        json_key(w, "error");
        json_str(w, str_c(c->info.message[0] ? c->info.message : err_text(e)));
        json_key(w, "errorSource");
        json_str(w, STR("downstream"));
    }
    json_object_end(w);
    return e == ERR_OK;
}

static void ds_query(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    ts_ms now = clock_wall_ms(c->api->clock);
    struct range range = {0, 0};
    const struct json_value *queries = json_get(body, STR("queries"));
    if (!queries || queries->kind != JSON_ARRAY || queries->count == 0) {
        call_message(c, 400, "no queries found: the member \"queries\" must be a list");
        return;
    }
    if (queries->count > QUERIES_MAX) {
        call_message(c, 400, "%zu queries in one request, at most %d are allowed", queries->count,
                     QUERIES_MAX);
        return;
    }
    if (!parse_time(member_text(body, "from"), now, &range.from) ||
        !parse_time(member_text(body, "to"), now, &range.to) || range.to < range.from) {
        call_message(c, 400, "from and to must be a time range: milliseconds since 1970, or now-1h");
        return;
    }
    bool good = true;
    json_object_begin(&c->w);
    json_key(&c->w, "results");
    json_object_begin(&c->w);
    for (const struct json_value *q = queries->child; q; q = q->next) {
        good = !member_bool(q, "hide") && !one(c, q, range) ? false : good;
    }
    json_object_end(&c->w);
    json_object_end(&c->w);
    call_send(c, good ? 200 : queries->count == 1 ? 400 : 207);
}

CALL_ROUTE(ds_query, ROLE_VIEWER)

struct route_table routes_ds_query(void)
{
    static const struct http_route rows[] = {
        {"POST", "/api/ds/query", ds_query_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
