/* Parameters, envelope and errors shared by the endpoints. */
#include "api/prom/prom_call.h"

#include <stdio.h>

#include "base/mem_promise.h"

void prom_call_begin(struct prom_call *c, struct prom_api *api, struct http_req *r)
{
    *c = (struct prom_call){.api = api, .r = r, .a = http_req_arena(r), .now = clock_wall_ms(api->clock)};
    c->budget.limit_bytes = api->query_memory_bytes;
    c->budget.pool = api->query_memory;
    c->budget.promise = c->out.promise = api->promise;
    arena_init(&c->query_arena, 0, &c->budget);
    c->q = (struct query_ctx){
        .tenant = QUERY_TENANT_DEFAULT,
        .budget = &c->budget,
        .deadline_mono_ns = clock_mono_ns(clock_real()) + api->query_timeout_ms * NS_PER_MS,
        .samples_max = api->query_samples_max,
        .canceled_by = http_req_canceled(r),
    };
    c->w = json_writer(&c->out);
    c->w.html = true;
}

void prom_call_end(struct prom_call *c)
{
    arena_done(&c->query_arena);
    buf_done(&c->out);
}

/* -- envelope -------------------------------------------------------------------------------------------- */

void prom_call_data(struct prom_call *c)
{
    json_object_begin(&c->w);
    json_key(&c->w, "status");
    json_str(&c->w, STR("success"));
    json_key(&c->w, "data");
}

static void json_strings(struct json_writer *w, const char *key, const struct str *items, size_t n)
{
    if (n == 0) {
        return;
    }
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_str(w, items[i]);
    }
    json_array_end(w);
}

/* The answer grew beyond what the process may use. */
static void refuse_answer(struct prom_call *c)
{
    char used[64];
    mem_promise_refused(c->api->promise);
    mem_promise_explain(c->api->promise, used, sizeof(used));
    c->info = (struct err_info){0};
    prom_call_error(c, err_set(&c->info, ERR_LIMIT,
                               "the answer needs more memory than is left (setting memory: %s): narrow the "
                               "selection or enlarge the step",
                               used));
}

void prom_call_send_annotated(struct prom_call *c, const struct str *warnings, size_t warning_count,
                              const struct str *infos, size_t info_count)
{
    if (c->out.err == ERR_LIMIT && c->api->promise) {
        refuse_answer(c);
        return;
    }
    json_strings(&c->w, "warnings", warnings, warning_count);
    json_strings(&c->w, "infos", infos, info_count);
    json_object_end(&c->w);
    http_res_send_buf(c->r, 200, "application/json", &c->out);
}

void prom_call_send(struct prom_call *c)
{
    prom_call_send_annotated(c, NULL, 0, NULL, 0);
}

static void send_error(struct prom_call *c, int status, const char *type, struct str message)
{
    buf_reset(&c->out);
    c->w = json_writer(&c->out);
    c->w.html = true;
    json_object_begin(&c->w);
    json_key(&c->w, "status");
    json_str(&c->w, STR("error"));
    json_key(&c->w, "errorType");
    json_str(&c->w, str_c(type));
    json_key(&c->w, "error");
    json_str(&c->w, message);
    json_object_end(&c->w);
    http_res_send_buf(c->r, status, "application/json", &c->out);
}

void prom_call_error(struct prom_call *c, enum err e)
{
    if (e == ERR_LIMIT && !c->info.message[0] && atomic_load(&c->budget.promise_refused)) {
        (void)query_ctx_no_memory(&c->q, e, &c->info);
    }
    const char *text = c->info.message[0] ? c->info.message : err_text(e);
    const char *type = err_prom_type(e);
    int status = err_http_status(e);
    if (e == ERR_CANCELED) {
        status = 499;
    } else if (str_eq_c(str_c(type), "bad_data")) {
        status = 400;
    } else if (str_eq_c(str_c(type), "execution")) {
        status = 422;
    } else if (str_eq_c(str_c(type), "timeout")) {
        status = 503;
    }
    atomic_fetch_add_explicit(&c->api->queries_failed, 1, memory_order_relaxed);
    send_error(c, status, type, str_c(text));
}

void prom_call_unavailable(struct prom_call *c, const char *text)
{
    send_error(c, 500, "unavailable", str_c(text));
}

void prom_call_bad_parameter(struct prom_call *c, const char *name)
{
    char text[700];
    snprintf(text, sizeof(text), "invalid parameter \"%s\": %s", name, c->info.message);
    atomic_fetch_add_explicit(&c->api->queries_failed, 1, memory_order_relaxed);
    send_error(c, 400, "bad_data", str_c(text));
}

/* -- parameters ------------------------------------------------------------------------------------------ */

bool param_instant(struct prom_call *c, const char *name, struct go_time *value)
{
    struct str s = http_req_param(c->r, name);
    struct err_info why = {0};
    if (s.n && go_param_time(s, value, &why) != ERR_OK) {
        (void)err_set(&c->info, ERR_INVALID, "invalid time value for '%s': %s", name, why.message);
        prom_call_bad_parameter(c, name);
        return false;
    }
    return true;
}

bool param_time(struct prom_call *c, const char *name, ts_ms *value)
{
    struct go_time t = {0};
    if (!param_instant(c, name, &t)) {
        return false;
    }
    if (http_req_param(c->r, name).n) {
        *value = go_time_storage_ms(t);
    }
    return true;
}

bool param_instant_required(struct prom_call *c, const char *name, struct go_time *value)
{
    if (go_param_time(http_req_param(c->r, name), value, &c->info) != ERR_OK) {
        prom_call_bad_parameter(c, name);
        return false;
    }
    return true;
}

bool param_duration(struct prom_call *c, const char *name, int64_t *value_ns)
{
    struct str s = http_req_param(c->r, name);
    if (s.n && go_param_duration(s, value_ns, &c->info) != ERR_OK) {
        prom_call_bad_parameter(c, name);
        return false;
    }
    return true;
}

bool param_bool(struct prom_call *c, const char *name, const char *why, bool *value)
{
    struct str s = http_req_param(c->r, name);
    struct err_info cause = {0};
    if (s.n && go_param_bool(s, value, &cause) != ERR_OK) {
        (void)err_set(&c->info, ERR_INVALID, "%s: %s", why, cause.message);
        prom_call_bad_parameter(c, name);
        return false;
    }
    return true;
}

bool param_limit(struct prom_call *c, const char *name, size_t *value)
{
    struct str s = http_req_param(c->r, name);
    int64_t v = 0;
    if (s.n == 0) {
        return true;
    }
    if (go_param_int("Atoi", s, &v, &c->info) == ERR_OK) {
        if (v >= 0) {
            *value = (size_t)v;
            return true;
        }
        (void)err_set(&c->info, ERR_INVALID, "limit must be non-negative");
    }
    prom_call_bad_parameter(c, name);
    return false;
}

static bool selects_something(const struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!matcher_matches_empty(&m[i])) {
            return true;
        }
    }
    return false;
}

bool param_selectors(struct prom_call *c, enum selectors_mode mode, struct prom_selectors *s)
{
    struct str texts[SELECTORS_MAX];
    s->count = 0;
    size_t n = http_req_params(c->r, "match[]", texts, SELECTORS_MAX);
    if (n == 0 && mode != SELECTORS_OPTIONAL) {
        (void)err_set(&c->info, ERR_INVALID, "no match[] parameter provided");
        prom_call_error(c, ERR_INVALID);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        enum err e = promql_selector(texts[i], c->a, &s->sets[i].m, &s->sets[i].n, &c->info);
        if (e == ERR_OK) {
            s->count++;
            if (mode == SELECTORS_ANY || selects_something(s->sets[i].m, s->sets[i].n)) {
                continue;
            }
            e = err_set(&c->info, ERR_INVALID, "match[] must contain at least one non-empty matcher");
        }
        prom_selectors_done(s);
        if (e == ERR_INVALID && mode != SELECTORS_OPTIONAL) {
            prom_call_bad_parameter(c, "match[]");
        } else {
            prom_call_error(c, e);
        }
        return false;
    }
    return true;
}

void prom_selectors_done(struct prom_selectors *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < s->sets[i].n; k++) {
            matcher_done(&s->sets[i].m[k]);
        }
    }
    s->count = 0;
}
