/* Annotations in the database. */
#include "dashboards/annotations.h"

#include "codec/json.h"

struct reading {
    struct arena *a;
    const struct annotation_find *find;
    struct annotation *rows;
    size_t n, cap;
};

static bool has_tag(const struct json_value *list, struct str tag)
{
    for (const struct json_value *v = list->child; v; v = v->next) {
        if (v->kind == JSON_STRING && str_eq(v->string, tag)) {
            return true;
        }
    }
    return false;
}

static enum err tags_match(const struct reading *x, struct str tags, bool *ret_match)
{
    const struct json_value *list;
    size_t hits = 0;
    if (!x->find || x->find->tag_count == 0) {
        *ret_match = true;
        return ERR_OK;
    }
    enum err e = json_parse(x->a, tags, &list, NULL);
    if (e) {
        return e;
    }
    for (size_t i = 0; i < x->find->tag_count; i++) {
        hits += has_tag(list, x->find->tags[i]);
    }
    *ret_match = x->find->match_any ? hits > 0 : hits == x->find->tag_count;
    return ERR_OK;
}

static enum err read_row(void *ctx, const struct db_row *r)
{
    struct reading *x = ctx;
    struct str text[4];
    bool match = false;
    if (x->find && (int64_t)x->n >= x->find->limit) {
        return ERR_OK;
    }
    for (int i = 0; i < 4; i++) {
        text[i] = arena_str(x->a, db_row_text(r, i));
        if (!text[i].p) {
            return arena_err(x->a);
        }
    }
    enum err e = tags_match(x, text[2], &match);
    if (e || !match) {
        return e;
    }
    e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    if (e) {
        return e;
    }
    x->rows[x->n++] = (struct annotation){.dashboard_uid = text[0],
                                          .text = text[1],
                                          .tags = text[2],
                                          .login = text[3],
                                          .id = db_row_int(r, 4),
                                          .panel_id = db_row_int(r, 5),
                                          .time_ms = db_row_int(r, 6),
                                          .time_end_ms = db_row_int(r, 7),
                                          .created_ms = db_row_int(r, 8)};
    return ERR_OK;
}

#define ANNOTATION_SELECT                                                                           \
    "SELECT dashboard_uid, text, tags, login, id, panel_id, time_ms, time_end_ms, created_ms FROM " \
    "annotation WHERE org_id = 1 "

enum err annotation_search(struct db *db, const struct annotation_find *f, struct arena *a,
                           struct annotation **ret_rows, size_t *ret_n, struct err_info *reterr_info)
{
    struct reading x = {.a = a, .find = f};
    enum err e =
        db_query(db,
                 ANNOTATION_SELECT "AND (?1 = 0 OR time_end_ms >= ?1) AND (?2 = 0 OR time_ms <= ?2)"
                                   " AND (?3 = '' OR dashboard_uid = ?3) AND (?4 = 0 OR panel_id = ?4)"
                                   " ORDER BY time_ms DESC, id DESC",
                 DB_VALUES(DB_I(f->from_ms), DB_I(f->to_ms), DB_S(f->dashboard_uid), DB_I(f->panel_id)),
                 read_row, &x, reterr_info);
    if (!e) {
        *ret_rows = x.rows;
        *ret_n = x.n;
    }
    return e;
}

enum err annotation_get(struct db *db, int64_t id, struct arena *a, struct annotation *ret_row,
                        struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    enum err e =
        db_query(db, ANNOTATION_SELECT "AND id = ?1", DB_VALUES(DB_I(id)), read_row, &x, reterr_info);
    if (!e && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "Annotation not found");
    }
    if (!e) {
        *ret_row = x.rows[0];
    }
    return e;
}

enum err annotation_put(struct db *db, const struct annotation *row, int64_t *ret_id,
                        struct err_info *reterr_info)
{
    int64_t changed = 0;
    if (row->text.n == 0 || row->text.n > ANNOTATION_TEXT_BYTES_MAX) {
        return err_set(reterr_info, ERR_INVALID, "text must have 1 to %d bytes", ANNOTATION_TEXT_BYTES_MAX);
    }
    if (row->time_end_ms < row->time_ms) {
        return err_set(reterr_info, ERR_INVALID, "timeEnd is before time");
    }
    if (row->id == 0) {
        return db_run(db,
                      "INSERT INTO annotation (dashboard_uid, panel_id, time_ms, time_end_ms, text, tags,"
                      " login, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                      DB_VALUES(DB_S(row->dashboard_uid), DB_I(row->panel_id), DB_I(row->time_ms),
                                DB_I(row->time_end_ms), DB_S(row->text), DB_S(row->tags), DB_S(row->login),
                                DB_I(row->created_ms)),
                      NULL, ret_id, reterr_info);
    }
    enum err e =
        db_run(db, "UPDATE annotation SET time_ms = ?2, time_end_ms = ?3, text = ?4, tags = ?5 WHERE id = ?1",
               DB_VALUES(DB_I(row->id), DB_I(row->time_ms), DB_I(row->time_end_ms), DB_S(row->text),
                         DB_S(row->tags)),
               &changed, NULL, reterr_info);
    if (!e && changed == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "Annotation not found");
    }
    if (!e) {
        *ret_id = row->id;
    }
    return e;
}

enum err annotation_delete(struct db *db, int64_t id, struct err_info *reterr_info)
{
    int64_t changed = 0;
    enum err e = db_run(db, "DELETE FROM annotation WHERE org_id = 1 AND id = ?1", DB_VALUES(DB_I(id)),
                        &changed, NULL, reterr_info);
    return !e && changed == 0 ? err_set(reterr_info, ERR_NOT_FOUND, "Annotation not found") : e;
}
