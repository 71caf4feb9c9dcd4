/* Authentication, answers and errors of the Grafana API. */
#include "api/grafana/call_int.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

/* -- who asks
 * ----------------------------------------------------------------------------------------------------- */

/* The value of one cookie in a Cookie header. */
static struct str cookie(struct str header, struct str name)
{
    struct str rest = header;
    while (rest.p) {
        struct str pair = str_trim(str_cut(&rest, ';'));
        struct str key = str_cut(&pair, '=');
        if (pair.p && str_eq(key, name)) {
            return pair;
        }
    }
    return (struct str){0};
}

static enum err from_basic(struct call *c, struct str encoded)
{
    char text[512];
    size_t n = 0;
    if (encoded.n > sizeof(text) ||
        sodium_base642bin((unsigned char *)text, sizeof(text), encoded.p, encoded.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return err_set(&c->info, ERR_DENIED, "Invalid username or password");
    }
    struct str password = arena_str(c->a, str_of(text, n));
    sodium_memzero(text, sizeof(text));
    if (!password.p) {
        return arena_err(c->a);
    }
    struct str login = str_cut(&password, ':');
    if (!password.p) {
        return err_set(&c->info, ERR_DENIED, "Invalid username or password");
    }
    if (str_eq_c(login, "api_key")) {
        return auth_token_check(c->api->db, clock_wall_ms(c->api->clock), password, c->a, &c->who, &c->info);
    }
    return auth_check_password(c->api->db, c->api->tries, clock_wall_ms(c->api->clock), login, password, c->a,
                               &c->who, &c->info);
}

enum err call_identify(struct call *c)
{
    ts_ms now = clock_wall_ms(c->api->clock);
    struct str header = http_req_header(c->r, "Authorization"), let_in = http_req_user(c->r);
    if (let_in.n) { /* the listener's own authentication: whoever passes it may do everything on every role */
        c->who = (struct auth_identity){
            .role = ROLE_ADMIN, .is_server_admin = true, .login = let_in, .name = let_in, .email = STR("")};
        return ERR_OK;
    }
    if (str_starts(header, STR("Bearer "))) {
        return auth_token_check(c->api->db, now, str_trim(str_slice(header, 7, header.n)), c->a, &c->who,
                                &c->info);
    }
    if (str_starts(header, STR("Basic ")) && c->api->settings->basic_auth) {
        return from_basic(c, str_trim(str_slice(header, 6, header.n)));
    }
    struct str token = cookie(http_req_header(c->r, "Cookie"), STR(SESSION_COOKIE));
    if (token.n && auth_session_check(c->api->db, now, token, c->a, &c->who, NULL) == ERR_OK) {
        return ERR_OK;
    }
    if (c->api->anonymous_role != ROLE_NONE) {
        c->who = (struct auth_identity){.role = c->api->anonymous_role,
                                        .is_server_admin = c->api->anonymous_role == ROLE_ADMIN,
                                        .login = STR("anonymous"),
                                        .name = STR("Anonymous"),
                                        .email = STR("")};
        return ERR_OK;
    }
    return err_set(&c->info, ERR_DENIED, "Unauthorized");
}

/* The host part of "scheme://host[:port]". */
static struct str origin_host(struct str origin)
{
    size_t at = str_find(origin, STR("://"), 0);
    return at == STR_NPOS ? origin : str_slice(origin, at + 3, origin.n);
}

static bool same_origin(const struct http_req *r)
{
    struct str origin = http_req_header(r, "Origin"), method = http_req_method(r);
    if (!origin.p || str_eq_c(method, "GET") || str_eq_c(method, "HEAD")) {
        return true;
    }
    struct str forwarded = http_req_header(r, "X-Forwarded-Host");
    return str_ieq(origin_host(origin), http_req_header(r, "Host")) ||
           (forwarded.p && str_ieq(origin_host(origin), forwarded));
}

void call_open(struct call *c, struct grafana_api *api, struct http_req *r)
{
    *c = (struct call){.api = api, .r = r, .a = http_req_arena(r)};
    c->w = json_writer(&c->out);
}

bool call_begin(struct call *c, struct grafana_api *api, struct http_req *r, enum auth_role need)
{
    call_open(c, api, r);
    if (!same_origin(r)) {
        call_message(c, 403, "origin not allowed");
        return false;
    }
    if (need == ROLE_NONE) {
        return true;
    }
    enum err e = call_identify(c);
    if (e == ERR_DENIED || e == ERR_LIMIT) {
        call_message(c, 401, "%s", c->info.message);
        return false;
    }
    if (e != ERR_OK) {
        call_error(c, e);
        return false;
    }
    if (c->who.role < need) {
        call_message(c, 403,
                     "You'll need additional permissions to perform this action. Permissions needed: %s",
                     auth_role_name(need));
        return false;
    }
    return true;
}

void call_done(struct call *c)
{
    buf_done(&c->out);
}

/* -- answers
 * ------------------------------------------------------------------------------------------------------ */

void call_send(struct call *c, int status)
{
    http_res_header(c->r, "Cache-Control", STR("no-store"));
    http_res_send_buf(c->r, status, "application/json; charset=UTF-8", &c->out);
}

void call_message(struct call *c, int status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_reset(&c->out);
    c->w = json_writer(&c->out);
    json_object_begin(&c->w);
    json_key(&c->w, "message");
    json_str(&c->w, str_c(text));
    json_object_end(&c->w);
    call_send(c, status);
}

static int status_of(enum err e)
{
    switch ((int)e) {
    case ERR_DENIED:
    case ERR_INVALID:
        return 400;
    case ERR_CONFLICT:
        return 412;
    case ERR_EXISTS:
        return 409;
    case ERR_UNAVAILABLE:
        return 502;
    case ERR_TIMEOUT:
        return 504;
    default:
        return err_http_status(e);
    }
}

void call_error(struct call *c, enum err e)
{
    call_message(c, status_of(e), "%s", c->info.message[0] ? c->info.message : err_text(e));
}

bool call_ok(struct call *c, enum err e)
{
    if (e) {
        call_error(c, e);
    }
    return e == ERR_OK;
}

void call_answer(struct call *c, enum err e, const char *message)
{
    if (call_ok(c, e)) {
        call_message(c, 200, "%s", message);
    }
}

bool call_body(struct call *c, const struct json_value **ret_object)
{
    const struct json_value *v;
    enum err e = json_parse(c->a, http_req_body(c->r), &v, &c->info);
    if (e != ERR_OK) {
        call_message(c, 400, "bad request data: %s (at byte %zu)", c->info.message, c->info.pos);
        return false;
    }
    if (v->kind != JSON_OBJECT) {
        call_message(c, 400, "bad request data: expected a JSON object");
        return false;
    }
    *ret_object = v;
    return true;
}

struct str member_str(const struct json_value *object, const char *name)
{
    const struct json_value *v = json_get(object, str_c(name));
    return v && v->kind == JSON_STRING ? v->string : STR("");
}

int64_t member_i64(const struct json_value *object, const char *name, int64_t fallback)
{
    int64_t n;
    return json_to_i64(json_get(object, str_c(name)), &n) == ERR_OK ? n : fallback;
}

bool member_bool(const struct json_value *object, const char *name)
{
    const struct json_value *v = json_get(object, str_c(name));
    return v && v->kind == JSON_BOOL && v->boolean;
}
