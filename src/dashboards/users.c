/* Users, service accounts and their tokens in the database. */
#include "dashboards/users.h"

struct users {
    struct arena *a;
    struct user_row *rows;
    size_t n, cap;
};

static enum err read_user(void *ctx, const struct db_row *r)
{
    struct users *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    if (e) {
        return e;
    }
    struct user_row u = {.login = arena_str(x->a, db_row_text(r, 0)),
                         .email = arena_str(x->a, db_row_text(r, 1)),
                         .name = arena_str(x->a, db_row_text(r, 2)),
                         .role = auth_role_of(db_row_text(r, 3)),
                         .id = db_row_int(r, 4),
                         .is_server_admin = db_row_int(r, 5) != 0,
                         .is_disabled = db_row_int(r, 6) != 0,
                         .created_ms = db_row_int(r, 7),
                         .seen_ms = db_row_int(r, 8)};
    if (!u.login.p || !u.email.p || !u.name.p) {
        return arena_err(x->a);
    }
    x->rows[x->n++] = u;
    return ERR_OK;
}

#define USER_SELECT                                                                  \
    "SELECT login, email, name, role, id, is_admin, is_disabled, created_ms,"        \
    " (SELECT coalesce(max(s.seen_ms), 0) FROM session s WHERE s.user_id = user.id)" \
    " FROM user WHERE "

enum err user_list(struct db *db, struct str find, struct arena *a, struct user_row **ret_rows, size_t *ret_n,
                   struct err_info *reterr_info)
{
    struct users x = {.a = a};
    enum err e = db_query(db,
                          USER_SELECT "instr(lower(login || ' ' || name || ' ' || email), lower(?1)) > 0"
                                      " ORDER BY login",
                          DB_VALUES(DB_S(find)), read_user, &x, reterr_info);
    if (!e) {
        *ret_rows = x.rows;
        *ret_n = x.n;
    }
    return e;
}

enum err user_get(struct db *db, struct str key, struct arena *a, struct user_row *ret_row,
                  struct err_info *reterr_info)
{
    struct users x = {.a = a};
    int64_t id = 0;
    if (str_to_i64(key, &id) != ERR_OK) {
        id = 0;
    }
    enum err e = db_query(
        db, USER_SELECT "login = ?1 OR (email <> '' AND email = ?1) OR id = ?2 ORDER BY id = ?2 DESC",
        DB_VALUES(DB_S(key), DB_I(id)), read_user, &x, reterr_info);
    if (!e && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "user not found");
    }
    if (!e) {
        *ret_row = x.rows[0];
    }
    return e;
}

static enum err read_int(void *ctx, const struct db_row *r)
{
    *(int64_t *)ctx = db_row_int(r, 0);
    return ERR_OK;
}

/* Someone must be left who can let others in. */
static enum err keep_one_admin(struct db *db, int64_t without, struct err_info *info)
{
    int64_t others = 0;
    enum err e = db_query(db, "SELECT count(*) FROM user WHERE is_admin = 1 AND is_disabled = 0 AND id <> ?1",
                          DB_VALUES(DB_I(without)), read_int, &others, info);
    return e        ? e
           : others ? ERR_OK
                    : err_set(info, ERR_CONFLICT, "the last server administrator must stay one");
}

struct change {
    const struct user_row *row;
    int64_t id;
};

static enum err update_in_transaction(struct db *db, void *ctx, struct err_info *info)
{
    const struct user_row *u = ((struct change *)ctx)->row;
    int64_t changed = 0;
    enum err e = u->is_server_admin && !u->is_disabled ? ERR_OK : keep_one_admin(db, u->id, info);
    if (!e) {
        e = db_run(db,
                   "UPDATE user SET login = ?2, email = ?3, name = ?4, role = ?5, is_admin = ?6,"
                   " is_disabled = ?7 WHERE id = ?1",
                   DB_VALUES(DB_I(u->id), DB_S(u->login), DB_S(u->email), DB_S(u->name),
                             DB_S(str_c(auth_role_name(u->role))), DB_I(u->is_server_admin),
                             DB_I(u->is_disabled)),
                   &changed, NULL, info);
    }
    if (!e && changed == 0) {
        return err_set(info, ERR_NOT_FOUND, "user not found");
    }
    return !e && u->is_disabled ? user_sign_out(db, u->id, info) : e;
}

enum err user_update(struct db *db, const struct user_row *row, struct err_info *reterr_info)
{
    struct change x = {.row = row};
    if (row->login.n == 0 || row->role == ROLE_NONE) {
        return err_set(reterr_info, ERR_INVALID, "a user needs a login and a role (Viewer, Editor, Admin)");
    }
    return db_transaction(db, update_in_transaction, &x, reterr_info);
}

static enum err delete_in_transaction(struct db *db, void *ctx, struct err_info *info)
{
    int64_t id = ((struct change *)ctx)->id, changed = 0;
    enum err e = keep_one_admin(db, id, info);
    e = e ? e : db_run(db, "DELETE FROM star WHERE user_id = ?1", DB_VALUES(DB_I(id)), NULL, NULL, info);
    e = e ? e : user_sign_out(db, id, info);
    e = e ? e : db_run(db, "DELETE FROM user WHERE id = ?1", DB_VALUES(DB_I(id)), &changed, NULL, info);
    return !e && changed == 0 ? err_set(info, ERR_NOT_FOUND, "user not found") : e;
}

enum err user_delete(struct db *db, int64_t id, struct err_info *reterr_info)
{
    struct change x = {.id = id};
    return db_transaction(db, delete_in_transaction, &x, reterr_info);
}

enum err user_sign_out(struct db *db, int64_t id, struct err_info *reterr_info)
{
    return db_run(db, "DELETE FROM session WHERE user_id = ?1", DB_VALUES(DB_I(id)), NULL, NULL, reterr_info);
}

/* -- service accounts ------------------------------------------------------------------------------------ */

struct services {
    struct arena *a;
    struct service_row *rows;
    size_t n, cap;
};

static enum err read_service(void *ctx, const struct db_row *r)
{
    struct services *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    struct str name = arena_str(x->a, db_row_text(r, 0));
    if (e || !name.p) {
        return e ? e : arena_err(x->a);
    }
    x->rows[x->n++] = (struct service_row){.name = name,
                                           .role = auth_role_of(db_row_text(r, 1)),
                                           .id = db_row_int(r, 2),
                                           .is_disabled = db_row_int(r, 3) != 0,
                                           .tokens = db_row_int(r, 4)};
    return ERR_OK;
}

#define SERVICE_SELECT                                                                    \
    "SELECT name, role, id, is_disabled,"                                                 \
    " (SELECT count(*) FROM api_token t WHERE t.service_account_id = service_account.id)" \
    " FROM service_account WHERE org_id = 1 AND "

enum err service_list(struct db *db, struct str find, struct arena *a, struct service_row **ret_rows,
                      size_t *ret_n, struct err_info *reterr_info)
{
    struct services x = {.a = a};
    enum err e = db_query(db, SERVICE_SELECT "instr(lower(name), lower(?1)) > 0 ORDER BY name",
                          DB_VALUES(DB_S(find)), read_service, &x, reterr_info);
    if (!e) {
        *ret_rows = x.rows;
        *ret_n = x.n;
    }
    return e;
}

enum err service_get(struct db *db, int64_t id, struct arena *a, struct service_row *ret_row,
                     struct err_info *reterr_info)
{
    struct services x = {.a = a};
    enum err e = db_query(db, SERVICE_SELECT "id = ?1", DB_VALUES(DB_I(id)), read_service, &x, reterr_info);
    if (!e && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "service account not found");
    }
    if (!e) {
        *ret_row = x.rows[0];
    }
    return e;
}

enum err service_update(struct db *db, const struct service_row *row, struct err_info *reterr_info)
{
    int64_t changed = 0;
    if (row->name.n == 0 || row->role == ROLE_NONE) {
        return err_set(reterr_info, ERR_INVALID,
                       "a service account needs a name and a role (Viewer, Editor, Admin)");
    }
    enum err e = db_run(db, "UPDATE service_account SET name = ?2, role = ?3, is_disabled = ?4 WHERE id = ?1",
                        DB_VALUES(DB_I(row->id), DB_S(row->name), DB_S(str_c(auth_role_name(row->role))),
                                  DB_I(row->is_disabled)),
                        &changed, NULL, reterr_info);
    return !e && changed == 0 ? err_set(reterr_info, ERR_NOT_FOUND, "service account not found") : e;
}

enum err service_delete(struct db *db, int64_t id, struct err_info *reterr_info)
{
    int64_t changed = 0;
    enum err e = db_run(db, "DELETE FROM service_account WHERE org_id = 1 AND id = ?1", DB_VALUES(DB_I(id)),
                        &changed, NULL, reterr_info);
    return !e && changed == 0 ? err_set(reterr_info, ERR_NOT_FOUND, "service account not found") : e;
}

/* -- tokens ---------------------------------------------------------------------------------------------- */

struct tokens {
    struct arena *a;
    struct token_row *rows;
    size_t n, cap;
};

static enum err read_token(void *ctx, const struct db_row *r)
{
    struct tokens *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    struct str name = arena_str(x->a, db_row_text(r, 0));
    if (e || !name.p) {
        return e ? e : arena_err(x->a);
    }
    x->rows[x->n++] = (struct token_row){.name = name,
                                         .id = db_row_int(r, 1),
                                         .created_ms = db_row_int(r, 2),
                                         .expires_ms = db_row_int(r, 3),
                                         .seen_ms = db_row_int(r, 4)};
    return ERR_OK;
}

enum err token_list(struct db *db, int64_t service_id, struct arena *a, struct token_row **ret_rows,
                    size_t *ret_n, struct err_info *reterr_info)
{
    struct tokens x = {.a = a};
    enum err e = db_query(db,
                          "SELECT name, id, created_ms, expires_ms, seen_ms FROM api_token"
                          " WHERE service_account_id = ?1 ORDER BY id",
                          DB_VALUES(DB_I(service_id)), read_token, &x, reterr_info);
    if (!e) {
        *ret_rows = x.rows;
        *ret_n = x.n;
    }
    return e;
}

enum err token_delete(struct db *db, int64_t service_id, int64_t token_id, struct err_info *reterr_info)
{
    int64_t changed = 0;
    enum err e = db_run(db, "DELETE FROM api_token WHERE service_account_id = ?1 AND id = ?2",
                        DB_VALUES(DB_I(service_id), DB_I(token_id)), &changed, NULL, reterr_info);
    return !e && changed == 0 ? err_set(reterr_info, ERR_NOT_FOUND, "service account token not found") : e;
}
