/* Data sources: list, get, create, change, delete. */
#include "api/grafana/source_int.h"

/* Which secrets are set, not what they are. */
static void secret_names(struct call *c, struct str secrets)
{
    const struct json_value *v;
    json_object_begin(&c->w);
    if (json_parse(c->a, secrets, &v, NULL) == ERR_OK) {
        for (const struct json_value *s = v->child; s; s = s->next) {
            json_key_str(&c->w, s->key);
            json_bool(&c->w, true);
        }
    }
    json_object_end(&c->w);
}

static void source_object(struct call *c, const struct data_source *ds)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "id");
    json_i64(w, ds->id);
    json_key(w, "uid");
    json_str(w, ds->uid);
    json_key(w, "orgId");
    json_i64(w, 1);
    json_key(w, "name");
    json_str(w, ds->name);
    json_key(w, "type");
    json_str(w, ds->type);
    json_key(w, "typeName");
    json_str(w, str_eq_c(ds->type, "loki") ? STR("Loki") : STR("Prometheus"));
    json_key(w, "access");
    json_str(w, ds->access);
    json_key(w, "url");
    json_str(w, ds->url);
    json_key(w, "user");
    json_str(w, STR(""));
    json_key(w, "database");
    json_str(w, STR(""));
    json_key(w, "basicAuth");
    json_bool(w, ds->basic_auth);
    json_key(w, "basicAuthUser");
    json_str(w, ds->basic_auth_user);
    json_key(w, "isDefault");
    json_bool(w, ds->is_default);
    json_key(w, "jsonData");
    json_raw(w, ds->json_data);
    json_key(w, "secureJsonFields");
    secret_names(c, ds->secrets);
    json_key(w, "readOnly");
    json_bool(w, ds->read_only);
    json_key(w, "version");
    json_i64(w, ds->version);
    json_object_end(w);
}

enum err call_data_sources(struct call *c)
{
    struct data_source *rows = NULL;
    size_t n = 0;
    enum err e = data_source_list(c->api->db, c->a, &rows, &n, &c->info);
    if (e) {
        return e;
    }
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        source_object(c, &rows[i]);
    }
    json_array_end(&c->w);
    return ERR_OK;
}

static void list(struct call *c)
{
    enum err e = call_data_sources(c);
    if (!call_ok(c, e)) {
        return;
    }
    call_send(c, 200);
}

static void get(struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    source_object(c, &ds);
    call_send(c, 200);
}

/* The members of a request body; json objects as their raw text. */
static struct data_source from_body(const struct json_value *body)
{
    const struct json_value *json_data = json_get(body, STR("jsonData"));
    const struct json_value *secrets = json_get(body, STR("secureJsonData"));
    return (struct data_source){
        .uid = member_str(body, "uid"),
        .name = member_str(body, "name"),
        .type = member_str(body, "type"),
        .url = member_str(body, "url"),
        .access = member_str(body, "access"),
        .is_default = member_bool(body, "isDefault"),
        .basic_auth = member_bool(body, "basicAuth"),
        .basic_auth_user = member_str(body, "basicAuthUser"),
        .json_data = json_data && json_data->kind == JSON_OBJECT ? json_data->raw : STR("{}"),
        .secrets = secrets && secrets->kind == JSON_OBJECT ? secrets->raw : STR("{}"),
    };
}

/* The stored secrets with those of the body over them: a client never sees them, so it cannot send them back.
 */
static enum err merge_secrets(struct call *c, struct str stored, struct str *secrets)
{
    const struct json_value *old = NULL, *new = NULL;
    struct buf b AUTO_BUF = {0};
    struct json_writer w = json_writer(&b);
    enum err e = json_parse(c->a, stored, &old, &c->info);
    e = e ? e : json_parse(c->a, *secrets, &new, &c->info);
    if (e) {
        return e;
    }
    json_object_begin(&w);
    for (const struct json_value *v = old->child; v; v = v->next) {
        if (!json_get(new, v->key)) {
            json_key_str(&w, v->key);
            json_raw(&w, v->raw);
        }
    }
    for (const struct json_value *v = new->child; v; v = v->next) {
        json_key_str(&w, v->key);
        json_raw(&w, v->raw);
    }
    json_object_end(&w);
    *secrets = arena_str(c->a, buf_view(&b));
    return b.err ? b.err : secrets->p ? ERR_OK : arena_err(c->a);
}

static void answer_stored(struct call *c, enum err e, const struct data_source *stored, struct str message)
{
    if (!call_ok(c, e)) {
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "datasource");
    source_object(c, stored);
    json_key(&c->w, "id");
    json_i64(&c->w, stored->id);
    json_key(&c->w, "message");
    json_str(&c->w, message);
    json_key(&c->w, "name");
    json_str(&c->w, stored->name);
    json_object_end(&c->w);
    call_send(c, 200);
}

static void create(struct call *c)
{
    const struct json_value *body;
    struct data_source stored = {0};
    if (!call_body(c, &body)) {
        return;
    }
    struct data_source ds = from_body(body);
    bool taken = (ds.name.n && data_source_get(c->api->db, ds.name, c->a, &stored, NULL) == ERR_OK) ||
                 (ds.uid.n && data_source_get(c->api->db, ds.uid, c->a, &stored, NULL) == ERR_OK);
    if (taken) {
        call_message(c, 409, "data source with the same name already exists");
        return;
    }
    enum err e = data_source_put(c->api->db, &ds, c->a, &stored, &c->info);
    answer_stored(c, e, &stored, STR("Datasource added"));
}

static void update(struct call *c)
{
    const struct json_value *body;
    struct data_source stored = {0};
    if (!call_body(c, &body)) {
        return;
    }
    struct data_source ds = from_body(body);
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &stored, &c->info);
    if (!e && stored.read_only) {
        call_message(c, 403, "Cannot update read-only data source");
        return;
    }
    if (!e) {
        ds.uid = stored.uid;
        e = merge_secrets(c, stored.secrets, &ds.secrets);
    }
    e = e ? e : data_source_put(c->api->db, &ds, c->a, &stored, &c->info);
    answer_stored(c, e, &stored, STR("Datasource updated"));
}

static void delete (struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (e == ERR_OK && ds.read_only) {
        call_message(c, 403, "Cannot delete read-only data source");
        return;
    }
    e = e == ERR_OK ? data_source_delete(c->api->db, ds.uid, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    call_message(c, 200, "Data source deleted");
}

static void id_by_name(struct call *c)
{
    struct data_source ds;
    enum err e = data_source_get(c->api->db, http_req_capture(c->r, "key"), c->a, &ds, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "id");
    json_i64(&c->w, ds.id);
    json_object_end(&c->w);
    call_send(c, 200);
}

CALL_ROUTE(list, ROLE_VIEWER)
CALL_ROUTE(get, ROLE_VIEWER)
CALL_ROUTE(create, ROLE_ADMIN)
CALL_ROUTE(update, ROLE_ADMIN)
CALL_ROUTE(delete, ROLE_ADMIN)
CALL_ROUTE(id_by_name, ROLE_VIEWER)

struct route_table routes_data_sources(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/datasources", list_route, 0, 0, NULL},
        {"POST", "/api/datasources", create_route, 0, 0, NULL},
        {"GET", "/api/datasources/{key}", get_route, 0, 0, NULL},
        {"PUT", "/api/datasources/{key}", update_route, 0, 0, NULL},
        {"DELETE", "/api/datasources/{key}", delete_route, 0, 0, NULL},
        {"GET", "/api/datasources/uid/{key}", get_route, 0, 0, NULL},
        {"PUT", "/api/datasources/uid/{key}", update_route, 0, 0, NULL},
        {"DELETE", "/api/datasources/uid/{key}", delete_route, 0, 0, NULL},
        {"GET", "/api/datasources/name/{key}", get_route, 0, 0, NULL},
        {"DELETE", "/api/datasources/name/{key}", delete_route, 0, 0, NULL},
        {"GET", "/api/datasources/id/{key}", id_by_name_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
