/* Users and service accounts as an administrator sees them: lists, changes, removal. What proves who they are
 * is auth.h. Any thread. */
#ifndef CAIRN_DASHBOARDS_USERS_H
#define CAIRN_DASHBOARDS_USERS_H

#include "dashboards/auth.h"

struct user_row {
    int64_t id;
    struct str login, email, name;
    enum auth_role role;
    bool is_server_admin, is_disabled;
    ts_ms created_ms, seen_ms; /* seen_ms: of the newest session; 0 = never */
};

/* Ordered by login; find: part of login, name or e-mail, empty = all. */
MUST_USE enum err user_list(struct db *db, struct str find, struct arena *a, struct user_row **ret_rows,
                            size_t *ret_n, struct err_info *reterr_info);
/* By login or e-mail, or by a decimal id. Errors: NOT_FOUND. */
MUST_USE enum err user_get(struct db *db, struct str key, struct arena *a, struct user_row *ret_row,
                           struct err_info *reterr_info);
/* Stores all but id, created and seen; disabling ends the user's sessions. Errors: NOT_FOUND, EXISTS (login),
 * CONFLICT (the last server administrator must stay one). */
MUST_USE enum err user_update(struct db *db, const struct user_row *row, struct err_info *reterr_info);
MUST_USE enum err user_delete(struct db *db, int64_t id, struct err_info *reterr_info);
/* Ends all sessions of the user. */
MUST_USE enum err user_sign_out(struct db *db, int64_t id, struct err_info *reterr_info);

struct service_row {
    int64_t id, tokens;
    struct str name;
    enum auth_role role;
    bool is_disabled;
};

MUST_USE enum err service_list(struct db *db, struct str find, struct arena *a, struct service_row **ret_rows,
                               size_t *ret_n, struct err_info *reterr_info);
/* Errors: NOT_FOUND. */
MUST_USE enum err service_get(struct db *db, int64_t id, struct arena *a, struct service_row *ret_row,
                              struct err_info *reterr_info);
MUST_USE enum err service_update(struct db *db, const struct service_row *row, struct err_info *reterr_info);
MUST_USE enum err service_delete(struct db *db, int64_t id, struct err_info *reterr_info);

struct token_row {
    int64_t id;
    struct str name;
    ts_ms created_ms, expires_ms, seen_ms;
};

MUST_USE enum err token_list(struct db *db, int64_t service_id, struct arena *a, struct token_row **ret_rows,
                             size_t *ret_n, struct err_info *reterr_info);
MUST_USE enum err token_delete(struct db *db, int64_t service_id, int64_t token_id,
                               struct err_info *reterr_info);

#endif
