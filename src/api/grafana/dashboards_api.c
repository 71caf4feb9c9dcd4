/* Dashboards: get, save, delete, versions, search, home, tags, stars. */
#include "api/grafana/call_int.h"
#include "dashboards/dashboards.h"
#include "dashboards/model.h"

static void key_str(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

static void key_i64(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_i64(w, value);
}

static void key_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_bool(w, value);
}

static void key_time(struct json_writer *w, const char *key, ts_ms t)
{
    char text[40];
    key_str(w, key, str_c(clock_format_rfc3339(t * NS_PER_MS, text, sizeof(text))));
}

static struct str dash_url(struct call *c, const struct dash *d)
{
    return arena_printf(c->a, "/d/%.*s/%.*s", STR_FMT(d->uid), STR_FMT(d->slug));
}

/* -- stars ----------------------------------------------------------------------------------------------- */

enum {
    STARS_MAX = 5000
};

struct stars {
    struct dash *rows;
    size_t n;
};

static enum err stars_of(struct call *c, struct stars *ret_stars)
{
    struct dash_find f = {.starred_by = c->who.user_id, .limit = STARS_MAX, .page = 1};
    *ret_stars = (struct stars){NULL, 0};
    return c->who.user_id ? dash_search(c->api->db, &f, c->a, &ret_stars->rows, &ret_stars->n, &c->info)
                          : ERR_OK;
}

static bool is_starred(const struct stars *s, struct str uid)
{
    for (size_t i = 0; i < s->n; i++) {
        if (str_eq(s->rows[i].uid, uid)) {
            return true;
        }
    }
    return false;
}

static void meta_object(struct call *c, const struct dash *d)
{
    struct json_writer *w = &c->w;
    bool locked = d->provisioned_from.n && !d->provisioned_editable;
    bool edit = c->who.role >= ROLE_EDITOR && !locked;
    struct stars stars = {NULL, 0};
    bool starred = stars_of(c, &stars) == ERR_OK && is_starred(&stars, d->uid);
    json_object_begin(w);
    key_str(w, "type", STR("db"));
    key_bool(w, "canSave", edit);
    key_bool(w, "canEdit", edit || c->who.role >= ROLE_EDITOR);
    key_bool(w, "canAdmin", c->who.role >= ROLE_ADMIN);
    key_bool(w, "canStar", c->who.user_id != 0);
    key_bool(w, "isStarred", starred);
    key_bool(w, "canDelete", edit);
    key_str(w, "slug", d->slug);
    key_str(w, "url", dash_url(c, d));
    key_str(w, "expires", STR("0001-01-01T00:00:00Z"));
    key_time(w, "created", d->created_ms);
    key_time(w, "updated", d->updated_ms);
    key_str(w, "updatedBy", d->updated_by.n ? d->updated_by : STR("Anonymous"));
    key_str(w, "createdBy", d->created_by.n ? d->created_by : STR("Anonymous"));
    key_i64(w, "version", d->version);
    key_bool(w, "hasAcl", false);
    key_bool(w, "isFolder", false);
    key_str(w, "folderUid", d->folder_uid);
    key_str(w, "folderTitle", d->folder_uid.n ? d->folder_title : STR("General"));
    key_str(w, "folderUrl",
            d->folder_uid.n ? arena_printf(c->a, "/dashboards/f/%.*s", STR_FMT(d->folder_uid)) : STR(""));
    key_bool(w, "provisioned", d->provisioned_from.n > 0);
    key_str(w, "provisionedExternalId", d->provisioned_from);
    json_object_end(w);
}

/* {"dashboard": ..., "meta": ...}; also part of the page's boot data. */
static enum err full_object(struct call *c, const struct dash *d)
{
    struct str json;
    enum err e = dash_model_patch(c->a, d->json, d->id, d->uid, d->version, &json, &c->info);
    if (e != ERR_OK) {
        return e;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "dashboard");
    json_raw(&c->w, json);
    json_key(&c->w, "meta");
    meta_object(c, d);
    json_object_end(&c->w);
    return ERR_OK;
}

static void get(struct call *c)
{
    struct dash d;
    enum err e = dash_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &d, &c->info);
    e = e == ERR_OK ? full_object(c, &d) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    call_send(c, 200);
}

static void home(struct call *c)
{
    struct dash d;
    enum err e = dash_get(c->api->db, STR("cairn-app"), c->a, &d, NULL);
    if (e != ERR_OK) {
        struct dash *rows;
        size_t n = 0;
        e = dash_search(c->api->db, &(struct dash_find){.limit = 1}, c->a, &rows, &n, &c->info);
        e = e == ERR_OK && n ? dash_get(c->api->db, rows[0].uid, c->a, &d, &c->info)
            : e == ERR_OK    ? ERR_NOT_FOUND
                             : e;
    }
    e = e == ERR_OK ? full_object(c, &d) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    call_send(c, 200);
}

/* Grafana's answers for a refused save: 412 with a status word for conflicts. */
static void save_refused(struct call *c, enum err e)
{
    if (e != ERR_CONFLICT && e != ERR_EXISTS) {
        call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    key_str(&c->w, "message", str_c(c->info.message));
    key_str(&c->w, "status", e == ERR_CONFLICT ? STR("version-mismatch") : STR("name-exists"));
    json_object_end(&c->w);
    call_send(c, 412);
}

static void save_answer(struct call *c, const struct dash *d)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    key_i64(w, "id", d->id);
    key_str(w, "uid", d->uid);
    key_str(w, "url", dash_url(c, d));
    key_str(w, "status", STR("success"));
    key_i64(w, "version", d->version);
    key_str(w, "slug", d->slug);
    key_str(w, "folderUid", d->folder_uid);
    json_object_end(w);
    call_send(c, 200);
}

/* The save of a model out of a request body; `overwrite` as given there. */
static void save_model(struct call *c, const struct json_value *body, struct str json, bool overwrite)
{
    struct dash_model m;
    enum err e = dash_model_read(c->a, json, &m, &c->info);
    if (e == ERR_OK && m.uid.n == 0) {
        e = dash_uid_new(c->a, &m.uid);
    }
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    struct dash_save s = {
        .json = json,
        .uid = m.uid,
        .title = m.title,
        .tags = m.tags,
        .folder_uid = member_str(body, "folderUid"),
        .base_version = m.version,
        .overwrite = overwrite,
        .message = member_str(body, "message"),
        .login = c->who.login,
    };
    struct dash d;
    e = dash_put(c->api->db, clock_wall_ms(c->api->clock), &s, c->a, &d, &c->info);
    if (e != ERR_OK) {
        save_refused(c, e);
        return;
    }
    save_answer(c, &d);
}

static void save(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    const struct json_value *model = json_get(body, STR("dashboard"));
    if (!model || model->kind != JSON_OBJECT) {
        call_message(c, 400, "bad request data: the member \"dashboard\" must be an object");
        return;
    }
    save_model(c, body, model->raw, member_bool(body, "overwrite"));
}

static void import(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    const struct json_value *model = json_get(body, STR("dashboard"));
    if (!model || model->kind != JSON_OBJECT) {
        call_message(c, 400, "bad request data: the member \"dashboard\" must be an object");
        return;
    }
    struct str json;
    enum err e = dash_model_fill_inputs(c->a, model, json_get(body, STR("inputs")), &json, &c->info);
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    save_model(c, body, json, member_bool(body, "overwrite"));
}

static void delete (struct call *c)
{
    struct dash d;
    enum err e = dash_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &d, &c->info);
    e = e == ERR_OK ? dash_delete(c->api->db, d.uid, false, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    key_str(&c->w, "title", d.title);
    key_str(&c->w, "message", arena_printf(c->a, "Dashboard %.*s deleted", STR_FMT(d.title)));
    key_i64(&c->w, "id", d.id);
    json_object_end(&c->w);
    call_send(c, 200);
}

static void version_object(struct call *c, const struct dash *d, const struct dash_version *v, bool with_data)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    key_i64(w, "id", v->version);
    key_i64(w, "dashboardId", d->id);
    key_str(w, "dashboardUID", d->uid);
    key_i64(w, "version", v->version);
    key_time(w, "created", v->created_ms);
    key_str(w, "createdBy", v->created_by);
    key_str(w, "message", v->message);
    if (with_data) {
        json_key(w, "data");
        json_raw(w, v->json);
    }
    json_object_end(w);
}

static void versions(struct call *c)
{
    struct dash d;
    struct dash_version *rows = NULL;
    size_t n = 0;
    enum err e = dash_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &d, &c->info);
    e = e == ERR_OK ? dash_versions(c->api->db, d.id, c->a, &rows, &n, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "versions");
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        version_object(c, &d, &rows[i], false);
    }
    json_array_end(&c->w);
    json_object_end(&c->w);
    call_send(c, 200);
}

static void version(struct call *c)
{
    struct dash d;
    struct dash_version v;
    int64_t number = 0;
    enum err e = str_to_i64(http_req_capture(c->r, "version"), &number);
    e = e == ERR_OK ? dash_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &d, &c->info) : e;
    e = e == ERR_OK ? dash_version_get(c->api->db, d.id, number, c->a, &v, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    version_object(c, &d, &v, true);
    call_send(c, 200);
}

static void restore(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    struct dash d;
    struct dash_version v;
    struct dash_model m;
    enum err e = dash_get(c->api->db, http_req_capture(c->r, "uid"), c->a, &d, &c->info);
    e = e == ERR_OK ? dash_version_get(c->api->db, d.id, member_i64(body, "version", 0), c->a, &v, &c->info)
                    : e;
    e = e == ERR_OK ? dash_model_read(c->a, v.json, &m, &c->info) : e;
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    struct dash_save s = {
        .json = v.json,
        .uid = d.uid,
        .title = m.title,
        .tags = m.tags,
        .folder_uid = d.folder_uid,
        .overwrite = true,
        .message = arena_printf(c->a, "Restored from version %lld", (long long)v.version),
        .login = c->who.login,
    };
    e = dash_put(c->api->db, clock_wall_ms(c->api->clock), &s, c->a, &d, &c->info);
    if (e != ERR_OK) {
        save_refused(c, e);
        return;
    }
    save_answer(c, &d);
}

/* -- search
 * ------------------------------------------------------------------------------------------------------- */

enum {
    FILTERS_MAX = 64,
    SEARCH_LIMIT_DEFAULT = 1000
};

static void found_folder(struct call *c, const struct folder *f)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    key_i64(w, "id", f->id);
    key_str(w, "uid", f->uid);
    key_str(w, "title", f->title);
    key_str(w, "uri", arena_printf(c->a, "db/%.*s", STR_FMT(f->uid)));
    key_str(w, "url", arena_printf(c->a, "/dashboards/f/%.*s", STR_FMT(f->uid)));
    key_str(w, "slug", STR(""));
    key_str(w, "type", STR("dash-folder"));
    json_key(w, "tags");
    json_raw(w, STR("[]"));
    key_bool(w, "isStarred", false);
    key_str(w, "folderUid", f->parent_uid);
    key_i64(w, "sortMeta", 0);
    json_object_end(w);
}

static void found_dash(struct call *c, const struct dash *d, const struct stars *stars)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    key_i64(w, "id", d->id);
    key_str(w, "uid", d->uid);
    key_str(w, "title", d->title);
    key_str(w, "uri", arena_printf(c->a, "db/%.*s", STR_FMT(d->slug)));
    key_str(w, "url", dash_url(c, d));
    key_str(w, "slug", STR(""));
    key_str(w, "type", STR("dash-db"));
    json_key(w, "tags");
    json_raw(w, d->tags);
    key_bool(w, "isStarred", is_starred(stars, d->uid));
    if (d->folder_uid.n) {
        key_str(w, "folderUid", d->folder_uid);
        key_str(w, "folderTitle", d->folder_title);
        key_str(w, "folderUrl", arena_printf(c->a, "/dashboards/f/%.*s", STR_FMT(d->folder_uid)));
    }
    key_i64(w, "sortMeta", 0);
    json_object_end(w);
}

static enum err search_folders(struct call *c, struct str text)
{
    struct folder *rows = NULL;
    size_t n = 0;
    enum err e = folder_list(c->api->db, c->a, &rows, &n, &c->info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        bool hit = text.n == 0;
        for (size_t at = 0; !hit && at + text.n <= rows[i].title.n; at++) {
            hit = str_ieq(str_slice(rows[i].title, at, at + text.n), text);
        }
        if (hit) {
            found_folder(c, &rows[i]);
        }
    }
    return e;
}

static void search(struct call *c)
{
    struct str tags[FILTERS_MAX], folders[FILTERS_MAX], uids[FILTERS_MAX];
    struct str type = http_req_param(c->r, "type"), text = http_req_param(c->r, "query");
    bool starred = str_eq_c(http_req_param(c->r, "starred"), "true");
    struct dash_find f = {.text = text,
                          .tags = tags,
                          .folder_uids = folders,
                          .uids = uids,
                          .limit = SEARCH_LIMIT_DEFAULT,
                          .page = 1,
                          .starred_by = starred ? c->who.user_id : 0};
    f.tag_count = http_req_params(c->r, "tag", tags, FILTERS_MAX);
    f.folder_uid_count = http_req_params(c->r, "folderUIDs", folders, FILTERS_MAX);
    f.uid_count = http_req_params(c->r, "dashboardUIDs", uids, FILTERS_MAX);
    struct str limit = http_req_param(c->r, "limit"), page = http_req_param(c->r, "page");
    if ((limit.n && str_to_i64(limit, &f.limit) != ERR_OK) ||
        (page.n && str_to_i64(page, &f.page) != ERR_OK)) {
        call_message(c, 422, "limit and page take whole numbers");
        return;
    }
    json_array_begin(&c->w);
    enum err e = ERR_OK;
    if (!str_eq_c(type, "dash-db") && f.tag_count == 0 && f.folder_uid_count == 0 && f.uid_count == 0 &&
        !starred) {
        e = search_folders(c, text);
    }
    struct dash *rows = NULL;
    size_t n = 0;
    struct stars stars = {NULL, 0};
    e = e ? e : stars_of(c, &stars);
    if (e == ERR_OK && !str_eq_c(type, "dash-folder")) {
        e = dash_search(c->api->db, &f, c->a, &rows, &n, &c->info);
    }
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        found_dash(c, &rows[i], &stars);
    }
    json_array_end(&c->w);
    call_send(c, 200);
}

static enum err read_tag(void *ctx, const struct db_row *r)
{
    struct json_writer *w = ctx;
    json_object_begin(w);
    key_str(w, "term", db_row_text(r, 0));
    key_i64(w, "count", db_row_int(r, 1));
    json_object_end(w);
    return w->b->err;
}

static void tags(struct call *c)
{
    json_array_begin(&c->w);
    enum err e = db_query(c->api->db,
                          "SELECT t.value, count(*) FROM dashboard, json_each(dashboard.tags) AS t"
                          " WHERE org_id = 1 GROUP BY t.value ORDER BY t.value",
                          NULL, 0, read_tag, &c->w, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_array_end(&c->w);
    call_send(c, 200);
}

static void star(struct call *c)
{
    if (c->who.user_id == 0) {
        call_message(c, 401, "sign in to star dashboards");
        return;
    }
    bool on = str_eq_c(http_req_method(c->r), "POST");
    enum err e = star_set(c->api->db, c->who.user_id, http_req_capture(c->r, "uid"), on, &c->info);
    if (e != ERR_OK) {
        call_error(c, e);
        return;
    }
    call_message(c, 200, on ? "Dashboard starred!" : "Dashboard unstarred");
}

CALL_ROUTE(get, ROLE_VIEWER)
CALL_ROUTE(home, ROLE_VIEWER)
CALL_ROUTE(save, ROLE_EDITOR)
CALL_ROUTE(import, ROLE_EDITOR)
CALL_ROUTE(delete, ROLE_EDITOR)
CALL_ROUTE(versions, ROLE_EDITOR)
CALL_ROUTE(version, ROLE_EDITOR)
CALL_ROUTE(restore, ROLE_EDITOR)
CALL_ROUTE(search, ROLE_VIEWER)
CALL_ROUTE(star, ROLE_VIEWER)
CALL_ROUTE(tags, ROLE_VIEWER)

struct route_table routes_dashboards(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/dashboards/uid/{uid}", get_route, 0, 0, NULL},
        {"DELETE", "/api/dashboards/uid/{uid}", delete_route, 0, 0, NULL},
        {"GET", "/api/dashboards/home", home_route, 0, 0, NULL},
        {"POST", "/api/dashboards/db", save_route, 0, BODY_BYTES_MAX, NULL},
        {"POST", "/api/dashboards/import", import_route, 0, BODY_BYTES_MAX, NULL},
        {"GET", "/api/dashboards/uid/{uid}/versions", versions_route, 0, 0, NULL},
        {"GET", "/api/dashboards/uid/{uid}/versions/{version}", version_route, 0, 0, NULL},
        {"POST", "/api/dashboards/uid/{uid}/restore", restore_route, 0, 0, NULL},
        {"GET", "/api/dashboards/tags", tags_route, 0, 0, NULL},
        {"GET", "/api/search", search_route, 0, 0, NULL},
        {"POST|DELETE", "/api/user/stars/dashboard/uid/{uid}", star_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
