/* Data sources in the database. */
#include "dashboards/data_sources.h"

#include "dashboards/dashboards.h"

struct reading {
    struct arena *a;
    struct data_source *rows;
    size_t n, cap;
};

static enum err read_row(void *ctx, const struct db_row *r)
{
    struct reading *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    if (e != ERR_OK) {
        return e;
    }
    struct str text[8];
    for (int i = 0; i < 8; i++) {
        text[i] = arena_str(x->a, db_row_text(r, i));
        if (!text[i].p) {
            return arena_err(x->a);
        }
    }
    x->rows[x->n++] = (struct data_source){
        .uid = text[0],
        .name = text[1],
        .type = text[2],
        .url = text[3],
        .access = text[4],
        .basic_auth_user = text[5],
        .json_data = text[6],
        .secrets = text[7],
        .id = db_row_int(r, 8),
        .version = db_row_int(r, 9),
        .is_default = db_row_int(r, 10) != 0,
        .basic_auth = db_row_int(r, 11) != 0,
        .read_only = db_row_int(r, 12) != 0,
    };
    return ERR_OK;
}

#define DS_SELECT                                                                                         \
    "SELECT uid, name, type, url, access, basic_auth_user, json_data, secrets, id, version, is_default, " \
    "basic_auth,"                                                                                         \
    " read_only FROM data_source WHERE org_id = 1 "

enum err data_source_list(struct db *db, struct arena *a, struct data_source **ret_rows, size_t *ret_n,
                          struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    enum err e = db_query(db, DS_SELECT "ORDER BY name COLLATE NOCASE", NULL, 0, read_row, &x, reterr_info);
    *ret_rows = x.rows;
    *ret_n = x.n;
    return e;
}

enum err data_source_get(struct db *db, struct str key, struct arena *a, struct data_source *ret_ds,
                         struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    int64_t id = 0;
    if (str_to_i64(key, &id) != ERR_OK) {
        id = 0;
    }
    enum err e = db_query(
        db, DS_SELECT "AND (uid = ?1 OR name = ?1 OR id = ?2) ORDER BY uid = ?1 DESC, name = ?1 DESC",
        DB_VALUES(DB_S(key), DB_I(id)), read_row, &x, reterr_info);
    if (e == ERR_OK && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "Data source not found");
    }
    if (e == ERR_OK) {
        *ret_ds = x.rows[0];
    }
    return e;
}

struct putting {
    struct data_source ds;
    struct arena *a;
};

static enum err put_in_transaction(struct db *db, void *ctx, struct err_info *info)
{
    struct putting *x = ctx;
    const struct data_source *ds = &x->ds;
    enum err e = ERR_OK;
    if (ds->is_default) {
        e = db_run(db, "UPDATE data_source SET is_default = 0 WHERE uid <> ?1", DB_VALUES(DB_S(ds->uid)),
                   NULL, NULL, info);
    }
    if (e != ERR_OK) {
        return e;
    }
    return db_run(db,
                  "INSERT INTO data_source (uid, name, type, url, access, basic_auth_user, json_data, "
                  "secrets, is_default,"
                  " basic_auth, read_only) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                  " ON CONFLICT (org_id, uid) DO UPDATE SET name = ?2, type = ?3, url = ?4, access = ?5,"
                  " basic_auth_user = ?6, json_data = ?7, secrets = ?8, is_default = ?9, basic_auth = ?10,"
                  " read_only = ?11, version = version + 1",
                  DB_VALUES(DB_S(ds->uid), DB_S(ds->name), DB_S(ds->type), DB_S(ds->url), DB_S(ds->access),
                            DB_S(ds->basic_auth_user), DB_S(ds->json_data), DB_S(ds->secrets),
                            DB_I(ds->is_default), DB_I(ds->basic_auth), DB_I(ds->read_only)),
                  NULL, NULL, info);
}

enum err data_source_put(struct db *db, const struct data_source *ds, struct arena *a,
                         struct data_source *ret_ds, struct err_info *reterr_info)
{
    struct putting x = {.ds = *ds, .a = a};
    if (ds->name.n == 0 || ds->type.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "a data source needs a name and a type");
    }
    if (ds->uid.n == 0) {
        struct data_source same_name;
        enum err found = data_source_get(db, ds->name, a, &same_name, NULL);
        enum err e = found == ERR_OK ? ERR_OK : dash_uid_new(a, &x.ds.uid);
        if (e != ERR_OK) {
            return e;
        }
        x.ds.uid = found == ERR_OK ? same_name.uid : x.ds.uid;
    }
    x.ds.access = ds->access.n ? ds->access : STR("proxy");
    x.ds.json_data = ds->json_data.n ? ds->json_data : STR("{}");
    x.ds.secrets = ds->secrets.n ? ds->secrets : STR("{}");
    enum err e = db_transaction(db, put_in_transaction, &x, reterr_info);
    if (e == ERR_EXISTS) {
        return err_set(reterr_info, e, "data source with the same name already exists");
    }
    return e == ERR_OK ? data_source_get(db, x.ds.uid, a, ret_ds, reterr_info) : e;
}

enum err data_source_delete(struct db *db, struct str uid, struct err_info *reterr_info)
{
    int64_t changed = 0;
    enum err e = db_run(db, "DELETE FROM data_source WHERE org_id = 1 AND uid = ?1", DB_VALUES(DB_S(uid)),
                        &changed, NULL, reterr_info);
    return e == ERR_OK && changed == 0 ? err_set(reterr_info, ERR_NOT_FOUND, "Data source not found") : e;
}
