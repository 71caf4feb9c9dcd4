/* Tenants, parameters, answers and errors shared by the endpoints. */
#include "api/loki/loki_call.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/num.h"
#include "codec/units.h"

enum {
    TENANT_BYTES_MAX = 150
};

static bool tenant_valid(struct str s)
{
    if (s.n == 0 || s.n > TENANT_BYTES_MAX || str_eq_c(s, ".") || str_eq_c(s, "..")) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && !(c && strchr("!-_.*'()", c))) {
            return false;
        }
    }
    return true;
}

bool loki_call_begin(struct loki_call *c, struct loki_api *api, struct http_req *r)
{
    *c = (struct loki_call){.api = api, .r = r, .a = http_req_arena(r), .now = clock_wall_ns(api->clock)};
    c->budget.limit_bytes = api->query_memory_bytes;
    c->budget.promise = api->promise;
    arena_init(&c->query_arena, 0, &c->budget);
    c->q = (struct query_ctx){
        .tenant = QUERY_TENANT_DEFAULT,
        .budget = &c->budget,
        .deadline_mono_ns = clock_mono_ns(clock_real()) + api->query_timeout_ms * NS_PER_MS,
        .canceled_by = http_req_canceled(r),
    };
    c->w = json_writer(&c->out);
    if (!api->auth_enabled) {
        return true;
    }
    struct str tenant = http_req_header(r, "X-Scope-OrgID");
    if (tenant.n == 0) {
        loki_call_refuse(c, 401, "no org id");
        return false;
    }
    if (str_find_char(tenant, '|', 0) != STR_NPOS) {
        loki_call_refuse(c, 400, "multiple org IDs present");
        return false;
    }
    if (!tenant_valid(tenant)) {
        loki_call_refuse(
            c, 400, "tenant ID '%.*s' is not valid: letters, digits and !-_.*'() only, at most 150 bytes",
            STR_FMT(tenant));
        return false;
    }
    c->q.tenant = tenant;
    return true;
}

void loki_call_end(struct loki_call *c)
{
    arena_done(&c->query_arena);
    buf_done(&c->out);
}

void loki_call_send(struct loki_call *c)
{
    buf_char(&c->out, '\n');
    http_res_send_buf(c->r, 200, "application/json; charset=UTF-8", &c->out);
}

void loki_call_refuse(struct loki_call *c, int status, const char *fmt, ...)
{
    va_list ap;
    buf_reset(&c->out);
    va_start(ap, fmt);
    buf_vprintf(&c->out, fmt, ap);
    va_end(ap);
    http_res_header(c->r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send_buf(c->r, status, "text/plain; charset=utf-8", &c->out);
}

static int status_of(enum err e)
{
    switch ((int)e) {
    case ERR_INVALID:
    case ERR_EXECUTION:
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
        return 400;
    case ERR_TIMEOUT:
        return 504;
    case ERR_CANCELED:
        return 499;
    default:
        return err_http_status(e);
    }
}

void loki_call_error(struct loki_call *c, enum err e)
{
    if (e == ERR_TIMEOUT) {
        loki_call_refuse(c, 504,
                         "request timed out, decrease the duration of the request or add more label matchers "
                         "(prefer exact match over regex match) to reduce the amount of data processed");
    } else if (e == ERR_CANCELED) {
        loki_call_refuse(c, 499, "the request was cancelled by the client");
    } else {
        loki_call_refuse(c, status_of(e), "%s", c->info.message[0] ? c->info.message : err_text(e));
    }
}

/* -- parameters ------------------------------------------------------------------------------------------ */

static bool param_time(struct loki_call *c, const char *name, ts_ns *value)
{
    struct str s = http_req_param(c->r, name);
    if (s.n && units_loki_time_parse(s, value, &c->info) != ERR_OK) {
        loki_call_refuse(c, 400, "could not parse '%s' parameter: %s", name, c->info.message);
        return false;
    }
    return true;
}

bool loki_param_span(struct loki_call *c, ts_ns *ret_start, ts_ns *ret_end)
{
    int64_t since_ms = 3600 * MS_PER_S;
    struct str since = http_req_param(c->r, "since");
    ts_ns end = c->now;
    if (since.n && units_duration_parse(since, &since_ms) != ERR_OK) {
        loki_call_refuse(c, 400, "could not parse 'since' parameter: not a valid duration string: \"%.*s\"",
                         STR_FMT(since));
        return false;
    }
    if (!param_time(c, "end", &end)) {
        return false;
    }
    ts_ns start = (end < c->now ? end : c->now) - since_ms * NS_PER_MS;
    if (!param_time(c, "start", &start)) {
        return false;
    }
    if (end < start) {
        loki_call_refuse(c, 400, "end timestamp must not be before or equal to start time");
        return false;
    }
    *ret_start = start;
    *ret_end = end;
    return true;
}

bool loki_param_count(struct loki_call *c, const char *name, size_t otherwise, size_t *ret_value)
{
    struct str s = http_req_param(c->r, name);
    int64_t n;
    *ret_value = otherwise;
    if (s.n == 0) {
        return true;
    }
    if (str_to_i64(s, &n) != ERR_OK) {
        loki_call_refuse(c, 400, "strconv.Atoi: parsing \"%.*s\": invalid syntax", STR_FMT(s));
        return false;
    }
    if (n <= 0) {
        loki_call_refuse(c, 400, "limit must be a positive value");
        return false;
    }
    *ret_value = (size_t)n;
    return true;
}

bool loki_param_limit(struct loki_call *c, size_t *value)
{
    return loki_param_count(c, "limit", LOKI_LIMIT_DEFAULT, value);
}

bool loki_entries_allowed(struct loki_call *c, size_t limit)
{
    if (c->api->entries_max == 0 || limit <= c->api->entries_max) {
        return true;
    }
    loki_call_refuse(c, 400,
                     "max entries limit per query exceeded, limit > max_entries_limit_per_query (%zu > %zu)",
                     limit, c->api->entries_max);
    return false;
}

bool loki_wants_categories(const struct loki_call *c)
{
    struct str flags = http_req_header(c->r, "X-Loki-Response-Encoding-Flags");
    return flags.p && str_find(flags, STR("categorize-labels"), 0) != STR_NPOS;
}

bool loki_param_direction(struct loki_call *c, bool *ret_backward)
{
    struct str s = http_req_param(c->r, "direction");
    if (s.n && !str_ieq(s, STR("forward")) && !str_ieq(s, STR("backward"))) {
        loki_call_refuse(c, 400, "invalid direction '%.*s'", STR_FMT(s));
        return false;
    }
    *ret_backward = !str_ieq(s, STR("forward"));
    return true;
}

bool loki_param_step(struct loki_call *c, ts_ns start, ts_ns end, int64_t *ret_step)
{
    struct str s = http_req_param(c->r, "step");
    int64_t seconds = (end - start) / NS_PER_S / 250, ms;
    int64_t step = (seconds > 1 ? seconds : 1) * NS_PER_S;
    if (s.n) {
        if (units_prom_duration_parse(s, &ms, &c->info) != ERR_OK) {
            loki_call_refuse(c, 400, "%s", c->info.message);
            return false;
        }
        step = ms * NS_PER_MS;
    }
    if (step <= 0) {
        loki_call_refuse(
            c, 400, "zero or negative query resolution step widths are not accepted. Try a positive integer");
        return false;
    }
    if ((end - start) / step > LOKI_RANGE_POINTS_MAX) {
        loki_call_refuse(
            c, 400,
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of "
            "the step parameter");
        return false;
    }
    *ret_step = step;
    return true;
}

bool loki_param_selector(struct loki_call *c, struct str text, struct log_select *sel, struct matcher **ret_m)
{
    struct matcher *m = NULL;
    size_t n = 0;
    enum err e = logql_selector(text, c->a, &m, &n, &c->info);
    if (e) {
        loki_call_error(c, e);
        return false;
    }
    sel->matchers = m;
    sel->matcher_count = n;
    *ret_m = m;
    return true;
}

bool loki_param_select(struct loki_call *c, struct str text, struct log_select *sel, struct matcher **ret_m)
{
    struct str t = str_trim(text);
    if (t.n && !str_eq_c(t, "{}")) {
        return loki_param_selector(c, t, sel, ret_m);
    }
    sel->matchers = NULL;
    sel->matcher_count = 0;
    *ret_m = NULL;
    return true;
}

void loki_select_done(struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        matcher_done(&m[i]);
    }
}

void loki_json_labels(struct json_writer *w, struct labels ls)
{
    json_object_begin(w);
    for (size_t i = 0; i < ls.n; i++) {
        json_key_str(w, ls.l[i].name);
        json_str(w, ls.l[i].value);
    }
    json_object_end(w);
}
