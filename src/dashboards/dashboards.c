/* Dashboards: rows in, rows out. A save is one transaction: check the version, write the row, keep the old
 * version. */
#include "dashboards/dashboards.h"

#include <stdio.h>

#include "base/rng.h"

#define DASH_COLUMNS                                                                                      \
    "d.id, d.version, d.uid, d.slug, d.title, d.folder_uid, coalesce(f.title, ''), d.tags, d.created_ms," \
    " d.updated_ms, d.created_by, d.updated_by, d.provisioned_from, d.provisioned_hash, "                 \
    "d.provisioned_editable, "
#define DASH_FROM " FROM dashboard d LEFT JOIN folder f ON f.uid = d.folder_uid AND f.org_id = d.org_id "

enum err dash_slug(struct arena *a, struct str title, struct str *ret_slug)
{
    char *out = arena_bytes(a, title.n * 4 + 2);
    if (!out) {
        return arena_err(a);
    }
    size_t n = 0;
    for (size_t i = 0; i < title.n; i++) {
        char c = title.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
        if (word) {
            out[n++] = c;
        } else if (c == '&') {
            if (n && out[n - 1] != '-') {
                out[n++] = '-';
            }
            memcpy(out + n, "and-", 4);
            n += 4;
        } else if (n && out[n - 1] != '-') {
            out[n++] = '-';
        }
    }
    while (n && out[n - 1] == '-') {
        n--;
    }
    if (n == 0) {
        out[n++] = '-';
    }
    *ret_slug = str_of(out, n);
    return ERR_OK;
}

enum {
    UID_NEW_BYTES = 14
};

enum err dash_uid_new(struct arena *a, struct str *ret_uid)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char random[UID_NEW_BYTES];
    char *out = arena_bytes(a, UID_NEW_BYTES + 1);
    if (!out) {
        return arena_err(a);
    }
    enum err e = rng_secret(random, sizeof(random));
    for (size_t i = 0; i < UID_NEW_BYTES; i++) {
        out[i] = digits[random[i] % 36];
    }
    out[UID_NEW_BYTES] = '\0';
    *ret_uid = str_of(out, UID_NEW_BYTES);
    return e;
}

bool dash_uid_valid(struct str uid)
{
    for (size_t i = 0; i < uid.n; i++) {
        char c = uid.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_')) {
            return false;
        }
    }
    return uid.n > 0 && uid.n <= DASH_UID_BYTES_MAX;
}

/* -- rows
 * ---------------------------------------------------------------------------------------------------------
 */

struct reading {
    struct arena *a;
    struct dash *rows;
    size_t n, cap;
    bool with_json;
};

/* Copies a text column; sets *failed when the arena is spent. */
static struct str keep(struct arena *a, const struct db_row *r, int column, bool *failed)
{
    struct str s = arena_str(a, db_row_text(r, column));
    *failed |= s.p == NULL;
    return s;
}

static enum err read_dash(void *ctx, const struct db_row *r)
{
    struct reading *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    if (e != ERR_OK) {
        return e;
    }
    bool failed = false;
    x->rows[x->n++] = (struct dash){
        .id = db_row_int(r, 0),
        .version = db_row_int(r, 1),
        .uid = keep(x->a, r, 2, &failed),
        .slug = keep(x->a, r, 3, &failed),
        .title = keep(x->a, r, 4, &failed),
        .folder_uid = keep(x->a, r, 5, &failed),
        .folder_title = keep(x->a, r, 6, &failed),
        .tags = keep(x->a, r, 7, &failed),
        .created_ms = db_row_int(r, 8),
        .updated_ms = db_row_int(r, 9),
        .created_by = keep(x->a, r, 10, &failed),
        .updated_by = keep(x->a, r, 11, &failed),
        .provisioned_from = keep(x->a, r, 12, &failed),
        .provisioned_hash = keep(x->a, r, 13, &failed),
        .provisioned_editable = db_row_int(r, 14) != 0,
        .json = x->with_json ? keep(x->a, r, 15, &failed) : (struct str){0},
    };
    return failed ? arena_err(x->a) : ERR_OK;
}

enum err dash_get(struct db *db, struct str uid, struct arena *a, struct dash *ret_dash,
                  struct err_info *reterr_info)
{
    struct reading x = {.a = a, .with_json = true};
    enum err e = db_query(db, "SELECT " DASH_COLUMNS "d.json" DASH_FROM "WHERE d.org_id = 1 AND d.uid = ?1",
                          DB_VALUES(DB_S(uid)), read_dash, &x, reterr_info);
    if (e == ERR_OK && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "Dashboard not found");
    }
    if (e == ERR_OK) {
        *ret_dash = x.rows[0];
    }
    return e;
}

/* -- saving
 * ------------------------------------------------------------------------------------------------------- */

struct saving {
    ts_ms now;
    const struct dash_save *s;
    struct arena *a;
    struct str slug;
    struct dash *ret_dash;
};

static enum err check_update(const struct dash *old, const struct dash_save *s, struct err_info *info)
{
    bool from_file = old->provisioned_from.n > 0;
    if (from_file && !old->provisioned_editable && s->provisioned_from.n == 0) {
        return err_set(info, ERR_DENIED, "Cannot save provisioned dashboard");
    }
    if (!s->overwrite && s->base_version != old->version) {
        return err_set(info, ERR_CONFLICT, "The dashboard has been changed by someone else");
    }
    return ERR_OK;
}

static enum err check_folder(struct db *db, const struct saving *x, struct err_info *info)
{
    struct folder f;
    if (x->s->folder_uid.n && folder_get(db, x->s->folder_uid, x->a, &f, NULL) != ERR_OK) {
        return err_set(info, ERR_NOT_FOUND, "folder not found");
    }
    return ERR_OK;
}

static enum err keep_version(struct db *db, const struct saving *x, int64_t id, int64_t version,
                             struct err_info *info)
{
    enum err e =
        db_run(db,
               "INSERT INTO dashboard_version (dashboard_id, version, json, created_ms, created_by, message)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
               DB_VALUES(DB_I(id), DB_I(version), DB_S(x->s->json), DB_I(x->now), DB_S(x->s->login),
                         DB_S(x->s->message)),
               NULL, NULL, info);
    return e == ERR_OK ? db_run(db, "DELETE FROM dashboard_version WHERE dashboard_id = ?1 AND version <= ?2",
                                DB_VALUES(DB_I(id), DB_I(version - DASH_VERSIONS_KEPT)), NULL, NULL, info)
                       : e;
}

static enum err insert(struct db *db, const struct saving *x, struct err_info *info)
{
    const struct dash_save *s = x->s;
    int64_t id = 0;
    enum err e = db_run(
        db,
        "INSERT INTO dashboard (uid, slug, title, folder_uid, tags, json, version, created_ms, updated_ms,"
        " created_by, updated_by, provisioned_from, provisioned_hash, provisioned_editable)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, ?8, ?8, ?9, ?10, ?11)",
        DB_VALUES(DB_S(s->uid), DB_S(x->slug), DB_S(s->title), DB_S(s->folder_uid), DB_S(s->tags),
                  DB_S(s->json), DB_I(x->now), DB_S(s->login), DB_S(s->provisioned_from),
                  DB_S(s->provisioned_hash), DB_I(s->provisioned_editable)),
        NULL, &id, info);
    return e == ERR_OK ? keep_version(db, x, id, 1, info) : e;
}

static enum err update(struct db *db, const struct saving *x, const struct dash *old, struct err_info *info)
{
    const struct dash_save *s = x->s;
    bool provisioning = s->provisioned_from.n > 0;
    enum err e = db_run(
        db,
        "UPDATE dashboard SET slug = ?1, title = ?2, folder_uid = ?3, tags = ?4, json = ?5, version = ?6,"
        " updated_ms = ?7, updated_by = ?8, provisioned_from = ?9, provisioned_hash = ?10,"
        " provisioned_editable = ?11 WHERE id = ?12",
        DB_VALUES(DB_S(x->slug), DB_S(s->title), DB_S(s->folder_uid), DB_S(s->tags), DB_S(s->json),
                  DB_I(old->version + 1), DB_I(x->now), DB_S(s->login),
                  DB_S(provisioning ? s->provisioned_from : old->provisioned_from),
                  DB_S(provisioning ? s->provisioned_hash : old->provisioned_hash),
                  DB_I(provisioning ? s->provisioned_editable : old->provisioned_editable), DB_I(old->id)),
        NULL, NULL, info);
    return e == ERR_OK ? keep_version(db, x, old->id, old->version + 1, info) : e;
}

static enum err put_in_transaction(struct db *db, void *ctx, struct err_info *info)
{
    struct saving *x = ctx;
    struct dash old;
    enum err e = check_folder(db, x, info);
    if (e != ERR_OK) {
        return e;
    }
    e = dash_get(db, x->s->uid, x->a, &old, info);
    if (e == ERR_OK) {
        e = check_update(&old, x->s, info);
        e = e == ERR_OK ? update(db, x, &old, info) : e;
    } else if (e == ERR_NOT_FOUND) {
        e = insert(db, x, info);
    }
    return e == ERR_OK ? dash_get(db, x->s->uid, x->a, x->ret_dash, info) : e;
}

enum err dash_put(struct db *db, ts_ms now, const struct dash_save *s, struct arena *a, struct dash *ret_dash,
                  struct err_info *reterr_info)
{
    if (s->title.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "Dashboard title cannot be empty");
    }
    if (s->title.n > DASH_TITLE_BYTES_MAX) {
        return err_set(reterr_info, ERR_INVALID, "Dashboard title cannot be longer than %d bytes",
                       DASH_TITLE_BYTES_MAX);
    }
    if (!dash_uid_valid(s->uid)) {
        return err_set(reterr_info, ERR_INVALID,
                       s->uid.n > DASH_UID_BYTES_MAX ? "uid too long, max 40 characters"
                                                     : "uid contains illegal characters");
    }
    struct saving x = {.now = now, .s = s, .a = a, .ret_dash = ret_dash};
    enum err e = dash_slug(a, s->title, &x.slug);
    return e == ERR_OK ? db_transaction(db, put_in_transaction, &x, reterr_info) : e;
}

enum err dash_delete(struct db *db, struct str uid, bool even_provisioned, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct dash d;
    enum err e = dash_get(db, uid, &a, &d, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    if (d.provisioned_from.n && !even_provisioned) {
        return err_set(reterr_info, ERR_DENIED, "provisioned dashboard cannot be deleted");
    }
    return db_run(db, "DELETE FROM dashboard WHERE id = ?1", DB_VALUES(DB_I(d.id)), NULL, NULL, reterr_info);
}

/* -- versions
 * ----------------------------------------------------------------------------------------------------- */

struct version_reading {
    struct arena *a;
    struct dash_version *rows;
    size_t n, cap;
};

static enum err read_version(void *ctx, const struct db_row *r)
{
    struct version_reading *x = ctx;
    enum err e = arena_reserve(x->a, (void **)&x->rows, &x->cap, x->n + 1, sizeof(*x->rows));
    if (e != ERR_OK) {
        return e;
    }
    bool failed = false;
    x->rows[x->n++] = (struct dash_version){
        .version = db_row_int(r, 0),
        .created_ms = db_row_int(r, 1),
        .created_by = keep(x->a, r, 2, &failed),
        .message = keep(x->a, r, 3, &failed),
        .json = keep(x->a, r, 4, &failed),
    };
    return failed ? arena_err(x->a) : ERR_OK;
}

enum err dash_versions(struct db *db, int64_t dashboard_id, struct arena *a, struct dash_version **ret_rows,
                       size_t *ret_n, struct err_info *reterr_info)
{
    struct version_reading x = {.a = a};
    enum err e = db_query(db,
                          "SELECT version, created_ms, created_by, message, '' FROM dashboard_version"
                          " WHERE dashboard_id = ?1 ORDER BY version DESC",
                          DB_VALUES(DB_I(dashboard_id)), read_version, &x, reterr_info);
    *ret_rows = x.rows;
    *ret_n = x.n;
    return e;
}

enum err dash_version_get(struct db *db, int64_t dashboard_id, int64_t version, struct arena *a,
                          struct dash_version *ret_row, struct err_info *reterr_info)
{
    struct version_reading x = {.a = a};
    enum err e = db_query(db,
                          "SELECT version, created_ms, created_by, message, json FROM dashboard_version"
                          " WHERE dashboard_id = ?1 AND version = ?2",
                          DB_VALUES(DB_I(dashboard_id), DB_I(version)), read_version, &x, reterr_info);
    if (e == ERR_OK && x.n == 0) {
        return err_set(reterr_info, ERR_NOT_FOUND, "dashboard version not found");
    }
    if (e == ERR_OK) {
        *ret_row = x.rows[0];
    }
    return e;
}

/* -- search
 * ------------------------------------------------------------------------------------------------------- */

static bool any_of(struct str s, const struct str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(s, list[i])) {
            return true;
        }
    }
    return n == 0;
}

/* The tag as a quoted member of a JSON array; tags are stored re-encoded, so equality of text is equality. */
static bool has_tags(struct str tags, const struct str *want, size_t n, struct arena *a)
{
    for (size_t i = 0; i < n; i++) {
        struct str quoted = arena_printf(a, "\"%.*s\"", STR_FMT(want[i]));
        if (!quoted.p || str_find(tags, quoted, 0) == STR_NPOS) {
            return false;
        }
    }
    return true;
}

enum {
    SEARCH_LIMIT_MAX = 5000
};

enum err dash_search(struct db *db, const struct dash_find *f, struct arena *a, struct dash **ret_rows,
                     size_t *ret_n, struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    enum err e = db_query(
        db,
        "SELECT " DASH_COLUMNS "''" DASH_FROM
        "WHERE d.org_id = 1 AND (?1 = '' OR instr(lower(d.title), lower(?1)) > 0)"
        " AND (?2 = 0 OR EXISTS (SELECT 1 FROM star s WHERE s.user_id = ?2 AND s.dashboard_uid = d.uid))"
        " ORDER BY d.title COLLATE NOCASE, d.id",
        DB_VALUES(DB_S(f->text), DB_I(f->starred_by)), read_dash, &x, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    int64_t limit = f->limit < 1 || f->limit > SEARCH_LIMIT_MAX ? SEARCH_LIMIT_MAX : f->limit;
    int64_t skip = f->page > 1 ? (f->page - 1) * limit : 0;
    size_t kept = 0;
    for (size_t i = 0; i < x.n && (int64_t)kept < limit; i++) {
        if (any_of(x.rows[i].folder_uid, f->folder_uids, f->folder_uid_count) &&
            any_of(x.rows[i].uid, f->uids, f->uid_count) &&
            has_tags(x.rows[i].tags, f->tags, f->tag_count, a) && skip-- <= 0) {
            x.rows[kept++] = x.rows[i];
        }
    }
    *ret_rows = x.rows;
    *ret_n = kept;
    return ERR_OK;
}

enum err dash_provisioned(struct db *db, struct arena *a, struct dash **ret_rows, size_t *ret_n,
                          struct err_info *reterr_info)
{
    struct reading x = {.a = a};
    enum err e = db_query(db, "SELECT " DASH_COLUMNS "''" DASH_FROM "WHERE d.provisioned_from <> ''", NULL, 0,
                          read_dash, &x, reterr_info);
    *ret_rows = x.rows;
    *ret_n = x.n;
    return e;
}

enum err star_set(struct db *db, int64_t user_id, struct str dashboard_uid, bool starred,
                  struct err_info *reterr_info)
{
    const char *sql = starred ? "INSERT OR IGNORE INTO star (user_id, dashboard_uid) VALUES (?1, ?2)"
                              : "DELETE FROM star WHERE user_id = ?1 AND dashboard_uid = ?2";
    return db_run(db, sql, DB_VALUES(DB_I(user_id), DB_S(dashboard_uid)), NULL, NULL, reterr_info);
}
