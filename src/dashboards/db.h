/* A small face over SQLite: one file, one connection, statements with bound values, rows by callback.
 *
 * The database holds dashboards, folders, users, sessions, tokens and data sources of every organisation. Any
 * thread may call; a mutex serialises (the data is small and the statements are indexed). SQLite's WAL mode
 * with synchronous=FULL makes a returned write durable. */
#ifndef CAIRN_DASHBOARDS_DB_H
#define CAIRN_DASHBOARDS_DB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct db;
struct db_row; /* valid during the callback */

/* Opens or creates the file and brings the schema up to date. Errors: IO, CORRUPT, OOM. */
MUST_USE enum err db_open(const char *path, struct db **ret_db, struct err_info *reterr_info);
/* Accepts NULL. */
void db_close(struct db *db);

enum db_kind {
    DB_NULL = 0,
    DB_INT,
    DB_TEXT
};

struct db_value {
    enum db_kind kind;
    int64_t i;
    struct str s;
};

#define DB_I(v) ((struct db_value){.kind = DB_INT, .i = (v)})
#define DB_S(v) ((struct db_value){.kind = DB_TEXT, .s = (v)})
#define DB_VALUES(...)                      \
    (const struct db_value[]){__VA_ARGS__}, \
        sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)

int64_t db_row_int(const struct db_row *r, int column);
/* Valid during the callback; copy into an arena to keep. */
struct str db_row_text(const struct db_row *r, int column);

/* Runs one statement; row (may be NULL) is called for each row and stops the statement by returning an error,
 * which is passed on. Errors: EXISTS (a unique constraint), IO, NO_SPACE, CORRUPT, INTERNAL (bad SQL). */
MUST_USE enum err db_query(struct db *db, const char *sql, const struct db_value *values, size_t value_count,
                           enum err (*row)(void *ctx, const struct db_row *r), void *ctx,
                           struct err_info *reterr_info);
/* A statement without rows; ret_changed (may be NULL) gets the number of rows changed, ret_id the last row
 * id. */
MUST_USE enum err db_run(struct db *db, const char *sql, const struct db_value *values, size_t value_count,
                         int64_t *ret_changed, int64_t *ret_id, struct err_info *reterr_info);
/* Runs fn inside one transaction: commits when it returns OK, rolls back otherwise. Not nested. */
MUST_USE enum err db_transaction(struct db *db,
                                 enum err (*fn)(struct db *db, void *ctx, struct err_info *info), void *ctx,
                                 struct err_info *reterr_info);
/* Writes a consistent copy to path while the database is in use (backup). */
MUST_USE enum err db_backup(struct db *db, const char *path, struct err_info *reterr_info);

#endif
