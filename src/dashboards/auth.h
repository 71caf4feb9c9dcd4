/* Who is asking: users with passwords, browser sessions, service accounts with tokens, the anonymous visitor.
 *
 * Passwords are kept as bcrypt (cost 10), session and API tokens as SHA-256 of 256 random bits: what is in
 * the database opens no door. Any thread. */
#ifndef CAIRN_DASHBOARDS_AUTH_H
#define CAIRN_DASHBOARDS_AUTH_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "dashboards/db.h"

enum auth_role {
    ROLE_NONE = 0,
    ROLE_VIEWER,
    ROLE_EDITOR,
    ROLE_ADMIN
};

const char *auth_role_name(enum auth_role r);
/* ROLE_NONE for an unknown name. */
enum auth_role auth_role_of(struct str name);

struct auth_identity {
    int64_t user_id; /* 0 = anonymous */
    enum auth_role role;
    bool is_server_admin;
    bool is_service;               /* a service account's token */
    struct str login, name, email; /* in the caller's arena */
};

enum {
    AUTH_PASSWORD_BYTES_MAX = 72, /* what bcrypt looks at */
    AUTH_TRIES_MAX = 5,           /* wrong passwords per login within AUTH_TRIES_WINDOW_MS */
    AUTH_TRIES_WINDOW_MS = 5 * 60 * 1000,
    AUTH_TOKEN_TEXT_BYTES = 80,
};

#define AUTH_SESSION_IDLE_MS ((int64_t)7 * 24 * 3600 * 1000)
#define AUTH_SESSION_MAX_MS ((int64_t)30 * 24 * 3600 * 1000)

struct auth_user_new {
    struct str login, email, name, password;
    enum auth_role role;
    bool is_server_admin;
};

struct auth_tries; /* wrong passwords lately, in memory */
MUST_USE enum err auth_tries_new(struct auth_tries **ret_tries);
void auth_tries_free(struct auth_tries *t);

/* Errors: EXISTS, INVALID (empty login, password too short or too long). */
MUST_USE enum err auth_user_create(struct db *db, ts_ms now, const struct auth_user_new *u, int64_t *ret_id,
                                   struct err_info *reterr_info);
MUST_USE enum err auth_user_set_password(struct db *db, int64_t user_id, struct str password,
                                         struct err_info *reterr_info);
MUST_USE enum err auth_user_count(struct db *db, int64_t *ret_n, struct err_info *reterr_info);
/* By login or e-mail. Errors: DENIED ("Invalid username or password"), LIMIT (too many tries). */
MUST_USE enum err auth_check_password(struct db *db, struct auth_tries *tries, ts_ms now, struct str login,
                                      struct str password, struct arena *a, struct auth_identity *ret_who,
                                      struct err_info *reterr_info);
/* A new session; ret_token holds AUTH_TOKEN_TEXT_BYTES. */
MUST_USE enum err auth_session_create(struct db *db, ts_ms now, int64_t user_id, struct str client,
                                      char *ret_token, struct err_info *reterr_info);
/* Errors: DENIED when unknown, expired or the user is disabled. */
MUST_USE enum err auth_session_check(struct db *db, ts_ms now, struct str token, struct arena *a,
                                     struct auth_identity *ret_who, struct err_info *reterr_info);
MUST_USE enum err auth_session_end(struct db *db, struct str token, struct err_info *reterr_info);

MUST_USE enum err auth_service_create(struct db *db, ts_ms now, struct str name, enum auth_role role,
                                      int64_t *ret_id, struct err_info *reterr_info);
/* A token of a service account; the text (prefix glsa_) is shown once. expires_ms 0 = never. */
MUST_USE enum err auth_token_create(struct db *db, ts_ms now, int64_t service_id, struct str name,
                                    ts_ms expires_ms, char *ret_token, int64_t *ret_id,
                                    struct err_info *reterr_info);
MUST_USE enum err auth_token_check(struct db *db, ts_ms now, struct str token, struct arena *a,
                                   struct auth_identity *ret_who, struct err_info *reterr_info);

#endif
