/* SQLite behind db.h. Invariant: `lock` is held while the connection is used; a transaction holds it
 * throughout (the mutex is recursive for that one purpose). */
#include "dashboards/db.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "dashboards/schema.h"

struct db {
    pthread_mutex_t lock; /* recursive */
    sqlite3 *sqlite;
};

struct db_row {
    sqlite3_stmt *stmt;
};

static enum err fail(struct db *db, struct err_info *info, const char *what)
{
    int code = sqlite3_extended_errcode(db->sqlite);
    enum err e = ERR_IO;
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        e = ERR_EXISTS;
        break;
    case SQLITE_FULL:
        e = ERR_NO_SPACE;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        e = ERR_CORRUPT;
        break;
    case SQLITE_NOMEM:
        e = ERR_OOM;
        break;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
        e = ERR_INTERNAL;
        break;
    default:
        break;
    }
    return err_set(info, e, "database: %s: %s", what, sqlite3_errmsg(db->sqlite));
}

static enum err exec(struct db *db, const char *sql, struct err_info *info)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : fail(db, info, sql);
}

/* Restoring is all there is: SQLite has no second copy of a page. */
static enum err damaged(const char *path, const char *why, struct err_info *info)
{
    return err_set(
        info, ERR_CORRUPT,
        "the database %s is damaged (%s): restore it from a backup (cairn restore), or move it away "
        "to begin with an empty one",
        path, why);
}

static enum err read_check(void *ctx, const struct db_row *r)
{
    struct str text = db_row_text(r, 0);
    if (!str_eq_c(text, "ok")) {
        buf_str(ctx, text);
    }
    return ERR_OK;
}

/* Damage that can be seen is told; what can be read is served all the same. Content has no checksums. */
static enum err check(struct db *db, const char *path)
{
    struct buf found AUTO_BUF = {.size_bytes_max = 1024};
    struct err_info info = {0};
    enum err e = db_query(db, "PRAGMA quick_check(1)", NULL, 0, read_check, &found, &info);
    if (e == ERR_CORRUPT || found.n) {
        LOG_EVENT(LVL_ERROR, "dashboards_database_damaged", F_C("file", path),
                  F_STR("why", found.n ? buf_view(&found) : str_c(info.message)),
                  F_C("action", "what can be read is served"),
                  F_C("cure", "restore it from a backup (cairn restore)"));
    }
    return e == ERR_CORRUPT ? ERR_OK : e;
}

static enum err read_version(void *ctx, const struct db_row *r)
{
    *(int64_t *)ctx = db_row_int(r, 0);
    return ERR_OK;
}

static enum err migrate(struct db *db, struct err_info *info)
{
    int64_t version = 0;
    enum err e = db_query(db, "PRAGMA user_version", NULL, 0, read_version, &version, info);
    size_t count;
    const char *const *steps = schema_steps(&count);
    if (e == ERR_OK && version > (int64_t)count) {
        return err_set(info, ERR_UNSUPPORTED,
                       "the dashboards database has schema %lld, this program knows up to %zu: it was "
                       "written by a newer version",
                       (long long)version, count);
    }
    for (size_t i = (size_t)version; e == ERR_OK && i < count; i++) {
        char bump[64];
        (void)snprintf(bump, sizeof(bump), "PRAGMA user_version = %zu", i + 1);
        e = exec(db, "BEGIN IMMEDIATE", info);
        e = e == ERR_OK ? exec(db, steps[i], info) : e;
        e = e == ERR_OK ? exec(db, bump, info) : e;
        e = e == ERR_OK ? exec(db, "COMMIT", info) : e;
        if (e != ERR_OK) {
            (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    return e;
}

enum {
    BUSY_TIMEOUT_MS = 5000
};

enum err db_open(const char *path, struct db **ret_db, struct err_info *reterr_info)
{
    struct db *db = mem_zalloc(sizeof(*db));
    if (!db) {
        return ERR_OOM;
    }
    pthread_mutexattr_t attr;
    ASSERT(pthread_mutexattr_init(&attr) == 0);
    ASSERT(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE) == 0);
    ASSERT(pthread_mutex_init(&db->lock, &attr) == 0);
    ASSERT(pthread_mutexattr_destroy(&attr) == 0);
    enum err e = ERR_OK;
    struct err_info info = {0};
    if (sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK) {
        e = fail(db, &info, path);
    }
    if (e == ERR_OK) {
        (void)sqlite3_busy_timeout(db->sqlite, BUSY_TIMEOUT_MS);
        e = exec(db,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA "
                 "cache_size=-1024; PRAGMA cell_size_check=ON",
                 &info);
    }
    e = e == ERR_OK ? migrate(db, &info) : e;
    e = e == ERR_OK ? check(db, path) : e;
    if (e != ERR_OK) {
        db_close(db);
        return e == ERR_CORRUPT ? damaged(path, info.message, reterr_info)
                                : err_set(reterr_info, e, "%s: %s", path, info.message);
    }
    *ret_db = db;
    return ERR_OK;
}

void db_close(struct db *db)
{
    if (db) {
        (void)sqlite3_close_v2(db->sqlite);
        ASSERT(pthread_mutex_destroy(&db->lock) == 0);
        mem_free(db);
    }
}

int64_t db_row_int(const struct db_row *r, int column)
{
    return sqlite3_column_int64(r->stmt, column);
}

struct str db_row_text(const struct db_row *r, int column)
{
    const char *p = (const char *)sqlite3_column_text(r->stmt, column);
    return str_of(p, p ? (size_t)sqlite3_column_bytes(r->stmt, column) : 0);
}

static bool bind(sqlite3_stmt *stmt, const struct db_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int at = (int)i + 1, rc = SQLITE_OK;
        switch (values[i].kind) {
        case DB_NULL:
            rc = sqlite3_bind_null(stmt, at);
            break;
        case DB_INT:
            rc = sqlite3_bind_int64(stmt, at, values[i].i);
            break;
        case DB_TEXT:
            rc = sqlite3_bind_text(stmt, at, values[i].s.p ? values[i].s.p : "", (int)values[i].s.n,
                                   SQLITE_STATIC);
            break;
        }
        if (rc != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

static enum err step_all(struct db *db, sqlite3_stmt *stmt,
                         enum err (*row)(void *ctx, const struct db_row *r), void *ctx, const char *sql,
                         struct err_info *info)
{
    struct db_row r = {stmt};
    for (;;) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE) {
            return ERR_OK;
        }
        if (rc != SQLITE_ROW) {
            return fail(db, info, sql);
        }
        enum err e = row ? row(ctx, &r) : ERR_OK;
        if (e != ERR_OK) {
            return e;
        }
    }
}

enum err db_query(struct db *db, const char *sql, const struct db_value *values, size_t value_count,
                  enum err (*row)(void *ctx, const struct db_row *r), void *ctx, struct err_info *reterr_info)
{
    ASSERT(pthread_mutex_lock(&db->lock) == 0);
    sqlite3_stmt *stmt = NULL;
    enum err e;
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL) != SQLITE_OK ||
        !bind(stmt, values, value_count)) {
        e = fail(db, reterr_info, sql);
    } else {
        e = step_all(db, stmt, row, ctx, sql, reterr_info);
    }
    (void)sqlite3_finalize(stmt);
    ASSERT(pthread_mutex_unlock(&db->lock) == 0);
    return e;
}

enum err db_run(struct db *db, const char *sql, const struct db_value *values, size_t value_count,
                int64_t *ret_changed, int64_t *ret_id, struct err_info *reterr_info)
{
    ASSERT(pthread_mutex_lock(&db->lock) == 0);
    enum err e = db_query(db, sql, values, value_count, NULL, NULL, reterr_info);
    if (e == ERR_OK && ret_changed) {
        *ret_changed = sqlite3_changes64(db->sqlite);
    }
    if (e == ERR_OK && ret_id) {
        *ret_id = sqlite3_last_insert_rowid(db->sqlite);
    }
    ASSERT(pthread_mutex_unlock(&db->lock) == 0);
    return e;
}

enum err db_transaction(struct db *db, enum err (*fn)(struct db *db, void *ctx, struct err_info *info),
                        void *ctx, struct err_info *reterr_info)
{
    ASSERT(pthread_mutex_lock(&db->lock) == 0);
    enum err e = exec(db, "BEGIN IMMEDIATE", reterr_info);
    if (e == ERR_OK) {
        e = fn(db, ctx, reterr_info);
        e = e == ERR_OK ? exec(db, "COMMIT", reterr_info) : e;
        if (e != ERR_OK) {
            (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    ASSERT(pthread_mutex_unlock(&db->lock) == 0);
    return e;
}

enum err db_backup(struct db *db, const char *path, struct err_info *reterr_info)
{
    return db_query(db, "VACUUM INTO ?1", DB_VALUES(DB_S(str_c(path))), NULL, NULL, reterr_info);
}
