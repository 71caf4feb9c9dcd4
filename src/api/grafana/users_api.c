/* The user's own password, and users as an administrator keeps them. */
#include "api/grafana/call_int.h"
#include "dashboards/users.h"

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

static void time_member(struct call *c, const char *key, ts_ms t)
{
    char text[40];
    json_key(&c->w, key);
    json_str(&c->w, str_c(clock_format_rfc3339(t * NS_PER_MS, text, sizeof(text))));
}

static void user_object(struct call *c, const struct user_row *u)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "id");
    json_i64(w, u->id);
    json_key(w, "userId");
    json_i64(w, u->id);
    json_key(w, "orgId");
    json_i64(w, 1);
    json_key(w, "login");
    json_str(w, u->login);
    json_key(w, "email");
    json_str(w, u->email);
    json_key(w, "name");
    json_str(w, u->name);
    json_key(w, "role");
    json_str(w, str_c(auth_role_name(u->role)));
    json_key(w, "isAdmin");
    json_bool(w, u->is_server_admin);
    json_key(w, "isGrafanaAdmin");
    json_bool(w, u->is_server_admin);
    json_key(w, "isDisabled");
    json_bool(w, u->is_disabled);
    json_key(w, "isExternal");
    json_bool(w, false);
    json_key(w, "authLabels");
    json_raw(w, STR("[]"));
    time_member(c, "lastSeenAt", u->seen_ms ? u->seen_ms : u->created_ms);
    time_member(c, "createdAt", u->created_ms);
    json_object_end(w);
}

static bool users_array(struct call *c, size_t *ret_n)
{
    struct user_row *rows = NULL;
    size_t n = 0;
    enum err e = user_list(c->api->db, http_req_param(c->r, "query"), c->a, &rows, &n, &c->info);
    if (e) {
        call_error(c, e);
        return false;
    }
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        user_object(c, &rows[i]);
    }
    json_array_end(&c->w);
    *ret_n = n;
    return true;
}

static void list(struct call *c)
{
    size_t n;
    if (users_array(c, &n)) {
        call_send(c, 200);
    }
}

static void search(struct call *c)
{
    size_t n = 0;
    json_object_begin(&c->w);
    json_key(&c->w, "users");
    if (!users_array(c, &n)) {
        return;
    }
    json_key(&c->w, "totalCount");
    json_u64(&c->w, n);
    json_key(&c->w, "page");
    json_i64(&c->w, 1);
    json_key(&c->w, "perPage");
    json_u64(&c->w, n);
    json_object_end(&c->w);
    call_send(c, 200);
}

static bool find_user(struct call *c, struct str key, struct user_row *ret_user)
{
    return call_ok(c, user_get(c->api->db, key, c->a, ret_user, &c->info));
}

static void get(struct call *c)
{
    struct user_row u;
    if (find_user(c, http_req_capture(c->r, "id"), &u)) {
        user_object(c, &u);
        call_send(c, 200);
    }
}

static void lookup(struct call *c)
{
    struct user_row u;
    if (find_user(c, http_req_param(c->r, "loginOrEmail"), &u)) {
        user_object(c, &u);
        call_send(c, 200);
    }
}

static void store(struct call *c, const struct user_row *u, const char *message)
{
    call_answer(c, user_update(c->api->db, u, &c->info), message);
}

/* PUT /api/users/{id} (login, e-mail, name) and PATCH /api/org/users/{id} (role). */
static void update(struct call *c)
{
    const struct json_value *body;
    struct user_row u;
    if (!call_body(c, &body) || !find_user(c, http_req_capture(c->r, "id"), &u)) {
        return;
    }
    struct str login = member_str(body, "login"), role = member_str(body, "role");
    const struct json_value *name = json_get(body, STR("name")), *email = json_get(body, STR("email"));
    u.login = login.n ? login : u.login;
    u.name = name && name->kind == JSON_STRING ? name->string : u.name;
    u.email = email && email->kind == JSON_STRING ? email->string : u.email;
    u.role = role.n ? auth_role_of(role) : u.role;
    store(c, &u, "User updated");
}

static void set_enabled(struct call *c)
{
    struct user_row u;
    if (find_user(c, http_req_capture(c->r, "id"), &u)) {
        u.is_disabled = str_ends(http_req_path(c->r), STR("/disable"));
        store(c, &u, u.is_disabled ? "User disabled" : "User enabled");
    }
}

static void set_permissions(struct call *c)
{
    const struct json_value *body;
    struct user_row u;
    if (call_body(c, &body) && find_user(c, http_req_capture(c->r, "id"), &u)) {
        u.is_server_admin = member_bool(body, "isGrafanaAdmin");
        u.role = u.is_server_admin ? ROLE_ADMIN : u.role;
        store(c, &u, "User permissions updated");
    }
}

static void set_user_password(struct call *c)
{
    const struct json_value *body;
    struct user_row u;
    if (!call_body(c, &body) || !find_user(c, http_req_capture(c->r, "id"), &u)) {
        return;
    }
    enum err e = auth_user_set_password(c->api->db, u.id, member_str(body, "password"), &c->info);
    e = e ? e : user_sign_out(c->api->db, u.id, &c->info);
    call_answer(c, e, "User password updated");
}

static void sign_out(struct call *c)
{
    struct user_row u;
    if (!find_user(c, http_req_capture(c->r, "id"), &u)) {
        return;
    }
    call_answer(c, user_sign_out(c->api->db, u.id, &c->info), "User logged out");
}

static void delete (struct call *c)
{
    struct user_row u;
    if (!find_user(c, http_req_capture(c->r, "id"), &u)) {
        return;
    }
    call_answer(c, user_delete(c->api->db, u.id, &c->info), "User deleted");
}

CALL_ROUTE(set_password, ROLE_VIEWER)
CALL_ROUTE(create_user, ROLE_ADMIN)
CALL_ROUTE(list, ROLE_ADMIN)
CALL_ROUTE(search, ROLE_ADMIN)
CALL_ROUTE(get, ROLE_ADMIN)
CALL_ROUTE(lookup, ROLE_ADMIN)
CALL_ROUTE(update, ROLE_ADMIN)
CALL_ROUTE(set_enabled, ROLE_ADMIN)
CALL_ROUTE(set_permissions, ROLE_ADMIN)
CALL_ROUTE(set_user_password, ROLE_ADMIN)
CALL_ROUTE(sign_out, ROLE_ADMIN)
CALL_ROUTE(delete, ROLE_ADMIN)

struct route_table routes_users(void)
{
    static const struct http_route rows[] = {
        {"PUT", "/api/user/password", set_password_route, 0, 0, NULL},
        {"POST", "/api/admin/users", create_user_route, 0, 0, NULL},
        {"DELETE", "/api/admin/users/{id}", delete_route, 0, 0, NULL},
        {"PUT", "/api/admin/users/{id}/password", set_user_password_route, 0, 0, NULL},
        {"PUT", "/api/admin/users/{id}/permissions", set_permissions_route, 0, 0, NULL},
        {"POST", "/api/admin/users/{id}/disable", set_enabled_route, 0, 0, NULL},
        {"POST", "/api/admin/users/{id}/enable", set_enabled_route, 0, 0, NULL},
        {"POST", "/api/admin/users/{id}/logout", sign_out_route, 0, 0, NULL},
        {"GET", "/api/users", list_route, 0, 0, NULL},
        {"GET", "/api/users/search", search_route, 0, 0, NULL},
        {"GET", "/api/users/lookup", lookup_route, 0, 0, NULL},
        {"GET", "/api/users/{id}", get_route, 0, 0, NULL},
        {"PUT", "/api/users/{id}", update_route, 0, 0, NULL},
        {"GET", "/api/org/users", list_route, 0, 0, NULL},
        {"GET", "/api/orgs/1/users", list_route, 0, 0, NULL},
        {"PATCH", "/api/org/users/{id}", update_route, 0, 0, NULL},
        {"PATCH", "/api/orgs/1/users/{id}", update_route, 0, 0, NULL},
        {"DELETE", "/api/org/users/{id}", delete_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
