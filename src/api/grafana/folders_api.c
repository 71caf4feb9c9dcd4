/* Folders. */
#include "api/grafana/call_int.h"
#include "dashboards/dashboards.h"

static void folder_object(struct call *c, const struct folder *f)
{
    struct json_writer *w = &c->w;
    char text[40];
    bool edit = c->who.role >= ROLE_EDITOR;
    json_object_begin(w);
    json_key(w, "id");
    json_i64(w, f->id);
    json_key(w, "uid");
    json_str(w, f->uid);
    json_key(w, "title");
    json_str(w, f->title);
    json_key(w, "url");
    json_str(w, arena_printf(c->a, "/dashboards/f/%.*s", STR_FMT(f->uid)));
    json_key(w, "parentUid");
    json_str(w, f->parent_uid);
    json_key(w, "hasAcl");
    json_bool(w, false);
    json_key(w, "canSave");
    json_bool(w, edit);
    json_key(w, "canEdit");
    json_bool(w, edit);
    json_key(w, "canAdmin");
    json_bool(w, c->who.role >= ROLE_ADMIN);
    json_key(w, "canDelete");
    json_bool(w, edit);
    json_key(w, "created");
    json_str(w, str_c(clock_format_rfc3339(f->created_ms * NS_PER_MS, text, sizeof(text))));
    json_key(w, "updated");
    json_str(w, str_c(clock_format_rfc3339(f->updated_ms * NS_PER_MS, text, sizeof(text))));
    json_key(w, "version");
    json_i64(w, f->version);
    json_object_end(w);
}

static void answer(struct call *c, enum err e, const struct folder *f)
{
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    folder_object(c, f);
    call_send(c, 200);
}

static void list(struct call *c)
{
    struct folder *rows = NULL;
    size_t n = 0;
    enum err e = folder_list(c->api->db, c->a, &rows, &n, &c->info);
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    struct str parent = http_req_param(c->r, "parentUid");
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(rows[i].parent_uid, parent)) {
            folder_object(c, &rows[i]);
        }
    }
    json_array_end(&c->w);
    call_send(c, 200);
}

static void get(struct call *c)
{
    struct folder f = {0};
    answer(c, folder_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &f, &c->info), &f);
}

static void create(struct call *c)
{
    const struct json_value *body;
    struct folder f = {0};
    if (call_body(c, &body)) {
        answer(c,
               folder_create(c->api->db, clock_wall_ms(c->api->clock), member_str(body, "uid"),
                             member_str(body, "title"), member_str(body, "parentUid"), c->a, &f, &c->info),
               &f);
    }
}

static void update(struct call *c)
{
    const struct json_value *body;
    struct folder f = {0};
    if (!call_body(c, &body)) {
        return;
    }
    struct str uid = http_req_capture(c->r, "uid");
    enum err e = folder_rename(c->api->db, clock_wall_ms(c->api->clock), uid, member_str(body, "title"),
                               member_i64(body, "version", 0), member_bool(body, "overwrite"), &c->info);
    answer(c, e == ERR_OK ? folder_get(c->api->db, uid, c->a, &f, &c->info) : e, &f);
}

static enum err read_count(void *ctx, const struct db_row *r)
{
    *(int64_t *)ctx = db_row_int(r, 0);
    return ERR_OK;
}

static void counts(struct call *c)
{
    struct folder f = {0};
    int64_t n = 0;
    enum err e = folder_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &f, &c->info);
    e = e ? e
          : db_query(c->api->db, "SELECT count(*) FROM dashboard WHERE org_id = 1 AND folder_uid = ?1",
                     DB_VALUES(DB_S(f.uid)), read_count, &n, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "dashboard");
    json_i64(&c->w, n);
    json_object_end(&c->w);
    call_send(c, 200);
}

static void delete (struct call *c)
{
    struct folder f = {0};
    enum err e = folder_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &f, &c->info);
    e = e == ERR_OK ? folder_delete(c->api->db, f.uid, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    call_message(c, 200, "Folder deleted");
}

CALL_ROUTE(list, ROLE_VIEWER)
CALL_ROUTE(get, ROLE_VIEWER)
CALL_ROUTE(create, ROLE_EDITOR)
CALL_ROUTE(update, ROLE_EDITOR)
CALL_ROUTE(counts, ROLE_VIEWER)
CALL_ROUTE(delete, ROLE_EDITOR)

struct route_table routes_folders(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/folders", list_route, 0, 0, NULL},
        {"POST", "/api/folders", create_route, 0, 0, NULL},
        {"GET", "/api/folders/{uid}", get_route, 0, 0, NULL},
        {"PUT", "/api/folders/{uid}", update_route, 0, 0, NULL},
        {"GET", "/api/folders/{uid}/counts", counts_route, 0, 0, NULL},
        {"DELETE", "/api/folders/{uid}", delete_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
