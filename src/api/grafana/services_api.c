/* Service accounts and their tokens: how programs sign in. */
#include "api/grafana/call_int.h"
#include "dashboards/users.h"

static void service_object(struct call *c, const struct service_row *s)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "id");
    json_i64(w, s->id);
    json_key(w, "name");
    json_str(w, s->name);
    json_key(w, "login");
    json_str(w, arena_printf(c->a, "sa-%.*s", STR_FMT(s->name)));
    json_key(w, "orgId");
    json_i64(w, 1);
    json_key(w, "role");
    json_str(w, str_c(auth_role_name(s->role)));
    json_key(w, "isDisabled");
    json_bool(w, s->is_disabled);
    json_key(w, "tokens");
    json_i64(w, s->tokens);
    json_object_end(w);
}

static bool capture_number(struct call *c, const char *name, int64_t *ret_id)
{
    if (str_to_i64(http_req_capture(c->r, name), ret_id) == ERR_OK) {
        return true;
    }
    call_message(c, 400, "%s must be a number", name);
    return false;
}

static bool find_service(struct call *c, struct service_row *ret_row)
{
    int64_t id = 0;
    if (!capture_number(c, "id", &id)) {
        return false;
    }
    return call_ok(c, service_get(c->api->db, id, c->a, ret_row, &c->info));
}

static void search(struct call *c)
{
    struct service_row *rows = NULL;
    size_t n = 0;
    enum err e = service_list(c->api->db, http_req_param(c->r, "query"), c->a, &rows, &n, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "totalCount");
    json_u64(&c->w, n);
    json_key(&c->w, "serviceAccounts");
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        service_object(c, &rows[i]);
    }
    json_array_end(&c->w);
    json_key(&c->w, "page");
    json_i64(&c->w, 1);
    json_key(&c->w, "perPage");
    json_u64(&c->w, n);
    json_object_end(&c->w);
    call_send(c, 200);
}

static void get(struct call *c)
{
    struct service_row s;
    if (find_service(c, &s)) {
        service_object(c, &s);
        call_send(c, 200);
    }
}

static void update(struct call *c)
{
    const struct json_value *body;
    struct service_row s;
    if (!call_body(c, &body) || !find_service(c, &s)) {
        return;
    }
    struct str name = member_str(body, "name"), role = member_str(body, "role");
    s.name = name.n ? name : s.name;
    s.role = role.n ? auth_role_of(role) : s.role;
    s.is_disabled = json_get(body, STR("isDisabled")) ? member_bool(body, "isDisabled") : s.is_disabled;
    call_answer(c, service_update(c->api->db, &s, &c->info), "Service account updated");
}

static void delete (struct call *c)
{
    struct service_row s;
    if (!find_service(c, &s)) {
        return;
    }
    call_answer(c, service_delete(c->api->db, s.id, &c->info), "Service account deleted");
}

static void tokens(struct call *c)
{
    struct service_row s;
    struct token_row *rows = NULL;
    size_t n = 0;
    char text[40];
    if (!find_service(c, &s)) {
        return;
    }
    enum err e = token_list(c->api->db, s.id, c->a, &rows, &n, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    ts_ms now = clock_wall_ms(c->api->clock);
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        json_object_begin(&c->w);
        json_key(&c->w, "id");
        json_i64(&c->w, rows[i].id);
        json_key(&c->w, "name");
        json_str(&c->w, rows[i].name);
        json_key(&c->w, "created");
        json_str(&c->w, str_c(clock_format_rfc3339(rows[i].created_ms * NS_PER_MS, text, sizeof(text))));
        json_key(&c->w, "expiration");
        if (rows[i].expires_ms) {
            json_str(&c->w, str_c(clock_format_rfc3339(rows[i].expires_ms * NS_PER_MS, text, sizeof(text))));
        } else {
            json_null(&c->w);
        }
        json_key(&c->w, "hasExpired");
        json_bool(&c->w, rows[i].expires_ms && rows[i].expires_ms < now);
        json_object_end(&c->w);
    }
    json_array_end(&c->w);
    call_send(c, 200);
}

static void delete_token(struct call *c)
{
    struct service_row s;
    int64_t id = 0;
    if (!capture_number(c, "token", &id) || !find_service(c, &s)) {
        return;
    }
    call_answer(c, token_delete(c->api->db, s.id, id, &c->info), "Service account token deleted");
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
    if (!call_ok(c, e)) {
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
    if (!call_ok(c, e)) {
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

CALL_ROUTE(search, ROLE_ADMIN)
CALL_ROUTE(get, ROLE_ADMIN)
CALL_ROUTE(update, ROLE_ADMIN)
CALL_ROUTE(delete, ROLE_ADMIN)
CALL_ROUTE(tokens, ROLE_ADMIN)
CALL_ROUTE(delete_token, ROLE_ADMIN)
CALL_ROUTE(create_service, ROLE_ADMIN)
CALL_ROUTE(create_token, ROLE_ADMIN)

struct route_table routes_services(void)
{
    static const struct http_route rows[] = {
        {"POST", "/api/serviceaccounts", create_service_route, 0, 0, NULL},
        {"GET", "/api/serviceaccounts/search", search_route, 0, 0, NULL},
        {"GET", "/api/serviceaccounts/{id}", get_route, 0, 0, NULL},
        {"PATCH", "/api/serviceaccounts/{id}", update_route, 0, 0, NULL},
        {"DELETE", "/api/serviceaccounts/{id}", delete_route, 0, 0, NULL},
        {"GET", "/api/serviceaccounts/{id}/tokens", tokens_route, 0, 0, NULL},
        {"POST", "/api/serviceaccounts/{id}/tokens", create_token_route, 0, 0, NULL},
        {"DELETE", "/api/serviceaccounts/{id}/tokens/{token}", delete_token_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
