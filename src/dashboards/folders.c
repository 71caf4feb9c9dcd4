/* Folders: a tree by parent_uid; the root is the empty uid and is called General. */
#include "dashboards/dashboards.h"

struct reading {
    struct arena *a;
    struct folder *rows;
    size_t n, cap;
};

static enum err read_folder(void *ctx, const struct db_row *r)
{
    struct reading *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    if (e != ERR_OK) {
        return e;
    }
    struct folder f = {
        .id = db_row_int(r, 0),
        .uid = arena_str(x->a, db_row_text(r, 1)),
        .title = arena_str(x->a, db_row_text(r, 2)),
        .parent_uid = arena_str(x->a, db_row_text(r, 3)),
        .version = db_row_int(r, 4),
        .created_ms = db_row_int(r, 5),
        .updated_ms = db_row_int(r, 6),
    };
    x->rows[x->n++] = f;
    return f.uid.p && f.title.p && f.parent_uid.p ? ERR_OK : arena_err(x->a);
}

#define FOLDER_COLUMNS "SELECT id, uid, title, parent_uid, version, created_ms, updated_ms FROM folder "

enum err folder_get(struct db *db, struct str uid, struct arena *a, struct folder *ret_folder,
                    struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    enum err e = db_query(db, FOLDER_COLUMNS "WHERE org_id = 1 AND uid = ?1", DB_VALUES(DB_S(uid)),
                          read_folder, &x, reterr_info);
    if (e == ERR_OK && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "folder not found");
    }
    if (e == ERR_OK) {
        *ret_folder = x.rows[0];
    }
    return e;
}

enum err folder_list(struct db *db, struct arena *a, struct folder **ret_rows, size_t *ret_n,
                     struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    enum err e = db_query(db, FOLDER_COLUMNS "WHERE org_id = 1 ORDER BY title COLLATE NOCASE, id", NULL, 0,
                          read_folder, &x, reterr_info);
    *ret_rows = x.rows;
    *ret_n = x.n;
    return e;
}

enum err folder_create(struct db *db, ts_ms now, struct str uid, struct str title, struct str parent_uid,
                       struct arena *a, struct folder *ret_folder, struct err_info *reterr_info)
{
    struct folder parent;
    enum err e = ERR_OK;
    if (title.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "folder title cannot be empty");
    }
    if (parent_uid.n) {
        e = folder_get(db, parent_uid, a, &parent, reterr_info);
    }
    if (e == ERR_OK && uid.n == 0) {
        e = dash_uid_new(a, &uid);
    } else if (e == ERR_OK && !dash_uid_valid(uid)) {
        e = err_set(reterr_info, ERR_INVALID, "uid contains illegal characters or is longer than 40");
    }
    e = e == ERR_OK
            ? db_run(db,
                     "INSERT INTO folder (uid, title, parent_uid, created_ms, updated_ms)"
                     " VALUES (?1, ?2, ?3, ?4, ?4)",
                     DB_VALUES(DB_S(uid), DB_S(title), DB_S(parent_uid), DB_I(now)), NULL, NULL, reterr_info)
            : e;
    if (e == ERR_EXISTS) {
        return err_set(reterr_info, e, "a folder with the uid %.*s already exists", STR_FMT(uid));
    }
    return e == ERR_OK ? folder_get(db, uid, a, ret_folder, reterr_info) : e;
}

enum err folder_rename(struct db *db, ts_ms now, struct str uid, struct str title, int64_t base_version,
                       bool overwrite, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct folder f;
    enum err e = folder_get(db, uid, &a, &f, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    if (title.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "folder title cannot be empty");
    }
    if (!overwrite && base_version != f.version) {
        return err_set(reterr_info, ERR_CONFLICT, "the folder has been changed by someone else");
    }
    return db_run(db, "UPDATE folder SET title = ?1, version = version + 1, updated_ms = ?2 WHERE id = ?3",
                  DB_VALUES(DB_S(title), DB_I(now), DB_I(f.id)), NULL, NULL, reterr_info);
}

static const char tree[] = "WITH RECURSIVE below (uid) AS (VALUES (?1) UNION SELECT f.uid FROM folder f JOIN "
                           "below b ON f.parent_uid = b.uid) ";

static enum err delete_tree(struct db *db, void *ctx, struct err_info *info)
{
    const struct str *uid = ctx;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct folder f;
    enum err e = folder_get(db, *uid, &a, &f, info);
    static const char *const deletes[] = {
        "DELETE FROM dashboard WHERE folder_uid IN (SELECT uid FROM below)",
        "DELETE FROM folder WHERE uid IN (SELECT uid FROM below)",
    };
    for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(deletes); i++) {
        struct str sql = arena_printf(&a, "%s%s", tree, deletes[i]);
        e = sql.p ? db_run(db, sql.p, DB_VALUES(DB_S(*uid)), NULL, NULL, info) : arena_err(&a);
    }
    return e;
}

enum err folder_delete(struct db *db, struct str uid, struct err_info *reterr_info)
{
    return db_transaction(db, delete_tree, &uid, reterr_info);
}
