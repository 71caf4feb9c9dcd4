/* The one organisation, and preferences of a user or of the organisation. */
#include "api/grafana/call_int.h"

static void org_object(struct call *c, bool with_role)
{
    json_object_begin(&c->w);
    json_key(&c->w, with_role ? "orgId" : "id");
    json_i64(&c->w, 1);
    json_key(&c->w, "name");
    json_str(&c->w, STR("Main Org."));
    if (with_role) {
        json_key(&c->w, "role");
        json_str(&c->w, str_c(auth_role_name(c->who.role)));
    } else {
        json_key(&c->w, "address");
        json_raw(&c->w,
                 STR("{\"address1\":\"\",\"address2\":\"\",\"city\":\"\",\"zipCode\":\"\",\"state\":\"\","
                     "\"country\":\"\"}"));
    }
    json_object_end(&c->w);
}

static void org(struct call *c)
{
    org_object(c, false);
    call_send(c, 200);
}

static void org_by_name(struct call *c)
{
    struct str name = http_req_capture(c->r, "name");
    if (!str_eq_c(name, "1") && !str_ieq(name, STR("Main Org."))) {
        call_message(c, 404, "organization not found: there is one, \"Main Org.\"");
        return;
    }
    org(c);
}

static void orgs(struct call *c)
{
    json_array_begin(&c->w);
    org_object(c, false);
    json_array_end(&c->w);
    call_send(c, 200);
}

static void user_orgs(struct call *c)
{
    json_array_begin(&c->w);
    org_object(c, true);
    json_array_end(&c->w);
    call_send(c, 200);
}

static void use_org(struct call *c)
{
    if (!str_eq_c(http_req_capture(c->r, "id"), "1")) {
        call_message(c, 404, "organization not found: there is one, with the id 1");
        return;
    }
    call_message(c, 200, "Active organization changed");
}

/* -- preferences ----------------------------------------------------------------------------------------- */

enum {
    PREFERENCE_BYTES_MAX = 65536
};

static struct str scope(struct call *c)
{
    bool of_user = str_starts(http_req_path(c->r), STR("/api/user/"));
    return of_user ? arena_printf(c->a, "user:%lld", (long long)c->who.user_id) : STR("org:1");
}

static enum err read_text(void *ctx, const struct db_row *r)
{
    struct buf *b = ctx;
    buf_str(b, db_row_text(r, 0));
    return b->err;
}

static void preferences(struct call *c)
{
    enum err e = db_query(c->api->db, "SELECT json FROM preference WHERE scope = ?1",
                          DB_VALUES(DB_S(scope(c))), read_text, &c->out, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    if (c->out.n == 0) {
        buf_c(&c->out, "{}");
    }
    call_send(c, 200);
}

static void set_preferences(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    if (body->raw.n > PREFERENCE_BYTES_MAX) {
        call_message(c, 400, "preferences are limited to %d bytes", PREFERENCE_BYTES_MAX);
        return;
    }
    if (str_starts(scope(c), STR("org:")) && c->who.role < ROLE_ADMIN) {
        call_message(c, 403, "only an administrator sets the organization's preferences");
        return;
    }
    call_answer(c,
                db_run(c->api->db,
                       "INSERT INTO preference (scope, json) VALUES (?1, ?2)"
                       " ON CONFLICT (scope) DO UPDATE SET json = ?2",
                       DB_VALUES(DB_S(scope(c)), DB_S(body->raw)), NULL, NULL, &c->info),
                "Preferences updated");
}

CALL_ROUTE(org, ROLE_VIEWER)
CALL_ROUTE(org_by_name, ROLE_ADMIN)
CALL_ROUTE(orgs, ROLE_ADMIN)
CALL_ROUTE(user_orgs, ROLE_VIEWER)
CALL_ROUTE(use_org, ROLE_VIEWER)
CALL_ROUTE(preferences, ROLE_VIEWER)
CALL_ROUTE(set_preferences, ROLE_VIEWER)

struct route_table routes_org(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/org", org_route, 0, 0, NULL},
        {"GET", "/api/orgs", orgs_route, 0, 0, NULL},
        {"GET", "/api/orgs/{name}", org_by_name_route, 0, 0, NULL},
        {"GET", "/api/orgs/name/{name}", org_by_name_route, 0, 0, NULL},
        {"GET", "/api/user/orgs", user_orgs_route, 0, 0, NULL},
        {"POST", "/api/user/using/{id}", use_org_route, 0, 0, NULL},
        {"GET", "/api/org/preferences", preferences_route, 0, 0, NULL},
        {"PUT|PATCH", "/api/org/preferences", set_preferences_route, 0, 0, NULL},
        {"GET", "/api/user/preferences", preferences_route, 0, 0, NULL},
        {"PUT|PATCH", "/api/user/preferences", set_preferences_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
