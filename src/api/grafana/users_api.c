/* The user's own password, users and service-account tokens made by an administrator. */
#include "api/grafana/call_int.h"

static void set_password(struct call *c)
{
    const struct json_value *body;
    struct auth_identity who;
    if (!call_body(c, &body)) {
        return;
    }
    if (c->who.user_id == 0 || c->who.is_service) {
        call_message(c, 401, "sign in with a user's password to change it");
        return;
    }
    enum err e = auth_check_password(c->api->db, c->api->tries, clock_wall_ms(c->api->clock), c->who.login,
                                     member_str(body, "oldPassword"), c->a, &who, &c->info);
    e = e ? e : auth_user_set_password(c->api->db, who.user_id, member_str(body, "newPassword"), &c->info);
    if (e) {
        call_message(c, e == ERR_DENIED ? 401 : 400, "%s", c->info.message);
        return;
    }
    call_message(c, 200, "User password changed");
}

static void create_user(struct call *c)
{
    const struct json_value *body;
    int64_t id = 0;
    if (!call_body(c, &body)) {
        return;
    }
    struct str role = member_str(body, "role");
    struct auth_user_new u = {
        .login = member_str(body, "login"),
        .email = member_str(body, "email"),
        .name = member_str(body, "name"),
        .password = member_str(body, "password"),
        .role = role.n ? auth_role_of(role) : ROLE_VIEWER,
    };
    if (u.role == ROLE_NONE) {
        call_message(c, 400, "role \"%.*s\" is not one of Viewer, Editor, Admin", STR_FMT(role));
        return;
    }
    enum err e = auth_user_create(c->api->db, clock_wall_ms(c->api->clock), &u, &id, &c->info);
    if (e) {
        call_message(c, e == ERR_EXISTS ? 412 : 400, "%s", c->info.message);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "id");
    json_i64(&c->w, id);
    json_key(&c->w, "message");
    json_str(&c->w, STR("User created"));
    json_object_end(&c->w);
    call_send(c, 200);
}

static void create_service(struct call *c)
{
    const struct json_value *body;
    int64_t id = 0;
    if (!call_body(c, &body)) {
        return;
    }
    struct str role = member_str(body, "role"), name = member_str(body, "name");
    enum auth_role r = role.n ? auth_role_of(role) : ROLE_VIEWER;
    enum err e = r == ROLE_NONE
                     ? err_set(&c->info, ERR_INVALID, "role must be Viewer, Editor or Admin")
                     : auth_service_create(c->api->db, clock_wall_ms(c->api->clock), name, r, &id, &c->info);
    if (e) {
        call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "id");
    json_i64(&c->w, id);
    json_key(&c->w, "name");
    json_str(&c->w, name);
    json_key(&c->w, "role");
    json_str(&c->w, str_c(auth_role_name(r)));
    json_object_end(&c->w);
    call_send(c, 201);
}

static void create_token(struct call *c)
{
    const struct json_value *body;
    char token[AUTH_TOKEN_TEXT_BYTES];
    int64_t service = 0, id = 0;
    if (!call_body(c, &body)) {
        return;
    }
    if (str_to_i64(http_req_capture(c->r, "id"), &service)) {
        call_message(c, 400, "the service account's id must be a number");
        return;
    }
    ts_ms now = clock_wall_ms(c->api->clock);
    int64_t seconds = member_i64(body, "secondsToLive", 0);
    enum err e = auth_token_create(c->api->db, now, service, member_str(body, "name"),
                                   seconds > 0 ? now + seconds * MS_PER_S : 0, token, &id, &c->info);
    if (e) {
        call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "id");
    json_i64(&c->w, id);
    json_key(&c->w, "name");
    json_str(&c->w, member_str(body, "name"));
    json_key(&c->w, "key");
    json_str(&c->w, str_c(token));
    json_object_end(&c->w);
    call_send(c, 200);
}

CALL_ROUTE(set_password, ROLE_VIEWER)
CALL_ROUTE(create_user, ROLE_ADMIN)
CALL_ROUTE(create_service, ROLE_ADMIN)
CALL_ROUTE(create_token, ROLE_ADMIN)

struct route_table routes_users(void)
{
    static const struct http_route rows[] = {
        {"PUT", "/api/user/password", set_password_route, 0, 0, NULL},
        {"POST", "/api/admin/users", create_user_route, 0, 0, NULL},
        {"POST", "/api/serviceaccounts", create_service_route, 0, 0, NULL},
        {"POST", "/api/serviceaccounts/{id}/tokens", create_token_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
