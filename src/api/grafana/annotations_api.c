/* Annotations: search, create, change, delete, and Graphite's form of an event. */
#include "api/grafana/call_int.h"
#include "dashboards/annotations.h"

enum {
    TAGS_MAX = 32,
    LIMIT_DEFAULT = 100
};

static void annotation_object(struct call *c, const struct annotation *row)
{
    struct json_writer *w = &c->w;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"id", row->id},
                   {"alertId", 0},
                   {"panelId", row->panel_id},
                   {"created", row->created_ms},
                   {"updated", row->created_ms},
                   {"time", row->time_ms},
                   {"timeEnd", row->time_end_ms}};
    json_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_key(w, numbers[i].key);
        json_i64(w, numbers[i].value);
    }
    json_key(w, "dashboardUID");
    json_str(w, row->dashboard_uid);
    json_key(w, "text");
    json_str(w, row->text);
    json_key(w, "tags");
    json_raw(w, row->tags);
    json_key(w, "login");
    json_str(w, row->login);
    json_key(w, "newState");
    json_str(w, STR(""));
    json_key(w, "prevState");
    json_str(w, STR(""));
    json_object_end(w);
}

static bool param_i64(struct call *c, const char *name, int64_t *value)
{
    struct str text = http_req_param(c->r, name);
    if (text.n && str_to_i64(text, value) != ERR_OK) {
        call_message(c, 400, "%s takes a whole number, not \"%.*s\"", name, STR_FMT(text));
        return false;
    }
    return true;
}

static void search(struct call *c)
{
    struct str tags[TAGS_MAX];
    struct annotation *rows = NULL;
    size_t n = 0;
    struct annotation_find f = {.dashboard_uid = http_req_param(c->r, "dashboardUID"),
                                .tags = tags,
                                .match_any = str_eq_c(http_req_param(c->r, "matchAny"), "true"),
                                .limit = LIMIT_DEFAULT};
    f.tag_count = http_req_params(c->r, "tags", tags, TAGS_MAX);
    if (!param_i64(c, "from", &f.from_ms) || !param_i64(c, "to", &f.to_ms) ||
        !param_i64(c, "panelId", &f.panel_id) || !param_i64(c, "limit", &f.limit)) {
        return;
    }
    f.limit = f.limit < 1 || f.limit > ANNOTATION_FOUND_MAX ? ANNOTATION_FOUND_MAX : f.limit;
    enum err e = annotation_search(c->api->db, &f, c->a, &rows, &n, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        annotation_object(c, &rows[i]);
    }
    json_array_end(&c->w);
    call_send(c, 200);
}

static bool capture_id(struct call *c, int64_t *ret_id)
{
    if (str_to_i64(http_req_capture(c->r, "id"), ret_id) == ERR_OK) {
        return true;
    }
    call_message(c, 400, "the annotation's id must be a number");
    return false;
}

static void get(struct call *c)
{
    struct annotation row;
    int64_t id = 0;
    if (!capture_id(c, &id)) {
        return;
    }
    enum err e = annotation_get(c->api->db, id, c->a, &row, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    annotation_object(c, &row);
    call_send(c, 200);
}

/* What the body names replaces what the row has. */
static void take_members(const struct json_value *body, struct annotation *row)
{
    const struct json_value *tags = json_get(body, STR("tags")), *text = json_get(body, STR("text"));
    const struct json_value *time = json_get(body, STR("time")), *end = json_get(body, STR("timeEnd"));
    row->text = text && text->kind == JSON_STRING ? text->string : row->text;
    row->tags = tags && tags->kind == JSON_ARRAY ? tags->raw : row->tags;
    row->time_ms = time ? member_i64(body, "time", row->time_ms) : row->time_ms;
    row->time_end_ms = end ? member_i64(body, "timeEnd", row->time_end_ms) : row->time_end_ms;
    row->time_end_ms = row->time_end_ms ? row->time_end_ms : row->time_ms;
}

static void put_answer(struct call *c, const struct annotation *row, const char *message)
{
    int64_t id = 0;
    enum err e = annotation_put(c->api->db, row, &id, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    json_object_begin(&c->w);
    json_key(&c->w, "id");
    json_i64(&c->w, id);
    json_key(&c->w, "message");
    json_str(&c->w, str_c(message));
    json_object_end(&c->w);
    call_send(c, 200);
}

static void create(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    ts_ms now = clock_wall_ms(c->api->clock);
    struct annotation row = {.dashboard_uid = member_str(body, "dashboardUID"),
                             .panel_id = member_i64(body, "panelId", 0),
                             .time_ms = now,
                             .text = STR(""),
                             .tags = STR("[]"),
                             .login = c->who.login,
                             .created_ms = now};
    take_members(body, &row);
    put_answer(c, &row, "Annotation added");
}

static void update(struct call *c)
{
    const struct json_value *body;
    struct annotation row;
    int64_t id = 0;
    if (!capture_id(c, &id) || !call_body(c, &body)) {
        return;
    }
    enum err e = annotation_get(c->api->db, id, c->a, &row, &c->info);
    if (!call_ok(c, e)) {
        return;
    }
    take_members(body, &row);
    put_answer(c, &row, "Annotation updated");
}

static void delete (struct call *c)
{
    int64_t id = 0;
    if (!capture_id(c, &id)) {
        return;
    }
    call_answer(c, annotation_delete(c->api->db, id, &c->info), "Annotation deleted");
}

/* {"what": ..., "tags": [...] or "a b", "when": seconds, "data": ...} */
static void graphite(struct call *c)
{
    const struct json_value *body;
    if (!call_body(c, &body)) {
        return;
    }
    const struct json_value *tags = json_get(body, STR("tags"));
    struct str what = member_str(body, "what"), data = member_str(body, "data");
    ts_ms now = clock_wall_ms(c->api->clock);
    struct annotation row = {.dashboard_uid = STR(""),
                             .time_ms = member_i64(body, "when", now / MS_PER_S) * MS_PER_S,
                             .text = data.n ? arena_printf(c->a, "%.*s\n%.*s", STR_FMT(what), STR_FMT(data))
                                            : what,
                             .tags = tags && tags->kind == JSON_ARRAY ? tags->raw : STR("[]"),
                             .login = c->who.login,
                             .created_ms = now};
    if (tags && tags->kind == JSON_STRING) {
        struct buf list AUTO_BUF = {0};
        struct json_writer w = json_writer(&list);
        struct str rest = tags->string;
        json_array_begin(&w);
        while (rest.p) {
            struct str tag = str_trim(str_cut(&rest, ' '));
            if (tag.n) {
                json_str(&w, tag);
            }
        }
        json_array_end(&w);
        row.tags = arena_str(c->a, buf_view(&list));
    }
    row.time_end_ms = row.time_ms;
    if (!row.tags.p || !row.text.p) {
        call_error(c, ERR_OOM);
        return;
    }
    put_answer(c, &row, "Graphite annotation added");
}

CALL_ROUTE(search, ROLE_VIEWER)
CALL_ROUTE(get, ROLE_VIEWER)
CALL_ROUTE(create, ROLE_EDITOR)
CALL_ROUTE(update, ROLE_EDITOR)
CALL_ROUTE(delete, ROLE_EDITOR)
CALL_ROUTE(graphite, ROLE_EDITOR)

struct route_table routes_annotations(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/annotations", search_route, 0, 0, NULL},
        {"POST", "/api/annotations", create_route, 0, 0, NULL},
        {"POST", "/api/annotations/graphite", graphite_route, 0, 0, NULL},
        {"GET", "/api/annotations/{id}", get_route, 0, 0, NULL},
        {"PUT|PATCH", "/api/annotations/{id}", update_route, 0, 0, NULL},
        {"DELETE", "/api/annotations/{id}", delete_route, 0, 0, NULL},
    };
    return (struct route_table){rows, ARRAY_LEN(rows)};
}
