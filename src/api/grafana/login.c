/* Health, login, logout, the current user. */
#include "api/grafana/call_int.h"

#include <stdio.h>

static void health(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_send(
        r, 200, "application/json; charset=UTF-8",
        STR("{\n  \"commit\": \"cairn\",\n  \"database\": \"ok\",\n  \"version\": \"" GRAFANA_VERSION_TEXT
            "\"\n}"));
}

static void ping(struct call *c)
{
    call_message(c, 200, "Logged in");
}

static void set_cookie(struct call *c, const char *value, long age_s)
{
    char text[256];
    (void)snprintf(text, sizeof(text), SESSION_COOKIE "=%s; Path=/; Max-Age=%ld; HttpOnly; SameSite=Lax%s",
                   value, age_s, c->api->settings->cookie_secure ? "; Secure" : "");
    http_res_header(c->r, "Set-Cookie", str_c(text));
}

static void login(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    ts_ms now = clock_wall_ms(c->api->clock);
    char token[AUTH_TOKEN_TEXT_BYTES];
    enum err e = auth_check_password(c->api->db, c->api->tries, now, member_str(body, "user"),
                                     member_str(body, "password"), c->a, &c->who, &c->info);
    if (e == ERR_DENIED || e == ERR_LIMIT) {
        call_message(c, e == ERR_LIMIT ? 429 : 401, "%s", c->info.message);
        return;
    }
    struct str agent = http_req_header(c->r, "User-Agent");
    e = e == ERR_OK ? auth_session_create(c->api->db, now, c->who.user_id, agent, token, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    set_cookie(c, token, (long)(AUTH_SESSION_MAX_MS / MS_PER_S));
    call_message(c, 200, "Logged in");
}

/* The session's token out of the request's cookies, for logging out. */
static struct str session_token(const struct http_req *r)
{
    struct str rest = http_req_header(r, "Cookie");
    while (rest.p) {
        struct str pair = str_trim(str_cut(&rest, ';'));
        if (str_starts(pair, STR(SESSION_COOKIE "="))) {
            return str_slice(pair, sizeof(SESSION_COOKIE), pair.n);
        }
    }
    return (struct str){0};
}

static void logout(struct call *c)
{
    struct str token = session_token(c->r);
    enum err e = token.n ? auth_session_end(c->api->db, token, &c->info) : ERR_OK;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    set_cookie(c, "", 0);
    http_res_header(c->r, "Location", arena_printf(c->a, "%.*s/login", STR_FMT(c->api->settings->sub_path)));
    http_res_send(c->r, 302, "text/plain", STR(""));
}

void call_user_object(struct call *c)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "id");
    json_i64(w, c->who.user_id);
    json_key(w, "login");
    json_str(w, c->who.login);
    json_key(w, "name");
    json_str(w, c->who.name);
    json_key(w, "email");
    json_str(w, c->who.email);
    json_key(w, "orgId");
    json_i64(w, 1);
    json_key(w, "orgRole");
    json_str(w, str_c(auth_role_name(c->who.role)));
    json_key(w, "isGrafanaAdmin");
    json_bool(w, c->who.is_server_admin);
    json_key(w, "isSignedIn");
    json_bool(w, c->who.user_id != 0);
    json_key(w, "isDisabled");
    json_bool(w, false);
    json_key(w, "theme");
    json_str(w, STR(""));
    json_object_end(w);
}

static void user(struct call *c)
{
    call_user_object(c);
    call_send(c, 200);
}

CALL_ROUTE(ping, ROLE_VIEWER)
CALL_ROUTE(login, ROLE_NONE)
CALL_ROUTE(logout, ROLE_NONE)
CALL_ROUTE(user, ROLE_VIEWER)

struct route_table routes_login(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/health", health, HTTP_INLINE | HTTP_NO_AUTH | HTTP_WHILE_LOADING, 0, NULL},
        {"GET", "/healthz", health, HTTP_INLINE | HTTP_NO_AUTH | HTTP_WHILE_LOADING, 0, NULL},
        {"GET", "/api/login/ping", ping_route, 0, 0, NULL},
        {"POST", "/login", login_route, 0, 0, "/login"},
        {"GET|POST", "/logout", logout_route, 0, 0, NULL},
        {"GET", "/api/user", user_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
