/* Passwords, sessions and tokens. */
#include "dashboards/auth.h"

#include <crypt.h>
#include <sodium.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/strmap.h"
#include "base/thread.h"

enum {
    SECRET_BYTES = 32,
    HASH_HEX_BYTES = 65,
    BCRYPT_COST = 10,
    PASSWORD_BYTES_MIN = 4
};

static const char *const role_names[] = {"None", "Viewer", "Editor", "Admin"};

const char *auth_role_name(enum auth_role r)
{
    return role_names[r];
}

enum auth_role auth_role_of(struct str name)
{
    for (unsigned i = 0; i < ARRAY_LEN(role_names); i++) {
        if (str_eq_c(name, role_names[i])) {
            return (enum auth_role)i;
        }
    }
    return ROLE_NONE;
}

/* -- wrong passwords lately
 * ------------------------------------------------------------------------------------- */

struct tries {
    unsigned count;
    ts_ms since;
};

enum {
    TRIES_LOGINS_MAX = 4096
};

struct auth_tries {
    struct mutex lock; /* guards map */
    struct strmap map; /* login -> struct tries */
};

enum err auth_tries_new(struct auth_tries **ret_tries)
{
    struct auth_tries *t = mem_zalloc(sizeof(*t));
    if (!t) {
        return ERR_OOM;
    }
    mutex_init(&t->lock);
    *ret_tries = t;
    return ERR_OK;
}

void auth_tries_free(struct auth_tries *t)
{
    if (t) {
        strmap_clear(&t->map, mem_free);
        strmap_done(&t->map);
        mutex_done(&t->lock);
        mem_free(t);
    }
}

static bool tries_blocked(struct auth_tries *t, struct str login, ts_ms now)
{
    mutex_lock(&t->lock);
    const struct tries *x = strmap_get(&t->map, login);
    bool blocked = x && now - x->since < AUTH_TRIES_WINDOW_MS && x->count >= AUTH_TRIES_MAX;
    mutex_unlock(&t->lock);
    return blocked;
}

/* Best effort: without memory a try goes uncounted. */
static void tries_note(struct auth_tries *t, struct str login, ts_ms now, bool good)
{
    mutex_lock(&t->lock);
    struct tries *x = strmap_get(&t->map, login);
    if (good) {
        mem_free(strmap_remove(&t->map, login));
    } else if (x) {
        if (now - x->since >= AUTH_TRIES_WINDOW_MS) {
            *x = (struct tries){0, now};
        }
        x->count++;
    } else {
        if (t->map.count >= TRIES_LOGINS_MAX) {
            strmap_clear(&t->map, mem_free);
        }
        x = mem_alloc(sizeof(*x));
        if (x) {
            *x = (struct tries){1, now};
            if (strmap_put(&t->map, login, x, NULL) != ERR_OK) {
                mem_free(x);
            }
        }
    }
    mutex_unlock(&t->lock);
}

/* -- passwords
 * --------------------------------------------------------------------------------------------------- */

static enum err password_hash(struct str password, char *out, size_t out_size, struct err_info *info)
{
    if (password.n < PASSWORD_BYTES_MIN || password.n > AUTH_PASSWORD_BYTES_MAX) {
        return err_set(info, ERR_INVALID, "a password has %d to %d bytes", PASSWORD_BYTES_MIN,
                       AUTH_PASSWORD_BYTES_MAX);
    }
    char text[AUTH_PASSWORD_BYTES_MAX + 1], salt[CRYPT_GENSALT_OUTPUT_SIZE];
    unsigned char random[16];
    memcpy(text, password.p, password.n);
    text[password.n] = '\0';
    struct crypt_data *data = mem_zalloc(sizeof(*data));
    enum err e = data ? rng_secret(random, sizeof(random)) : ERR_OOM;
    if (e == ERR_OK &&
        crypt_gensalt_rn("$2b$", BCRYPT_COST, (const char *)random, sizeof(random), salt, sizeof(salt)) &&
        crypt_rn(text, salt, data, (int)sizeof(*data))) {
        (void)snprintf(out, out_size, "%s", data->output);
    } else if (e == ERR_OK) {
        e = err_set(info, ERR_INTERNAL, "hashing the password failed");
    }
    sodium_memzero(text, sizeof(text));
    mem_free(data);
    return e;
}

static bool password_matches(struct str password, const char *hash)
{
    if (password.n > AUTH_PASSWORD_BYTES_MAX) {
        return false;
    }
    char text[AUTH_PASSWORD_BYTES_MAX + 1];
    if (password.n) {
        memcpy(text, password.p, password.n);
    }
    text[password.n] = '\0';
    struct crypt_data *data = mem_zalloc(sizeof(*data));
    bool same = false;
    if (data && crypt_rn(text, hash, data, (int)sizeof(*data))) {
        size_t n = strlen(hash);
        same = strlen(data->output) == n && sodium_memcmp(data->output, hash, n) == 0;
    }
    sodium_memzero(text, sizeof(text));
    mem_free(data);
    return same;
}

enum err auth_user_create(struct db *db, ts_ms now, const struct auth_user_new *u, int64_t *ret_id,
                          struct err_info *reterr_info)
{
    if (u->login.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "a user needs a login name");
    }
    char hash[CRYPT_OUTPUT_SIZE];
    enum err e = password_hash(u->password, hash, sizeof(hash), reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    e = db_run(db,
               "INSERT INTO user (login, email, name, password_hash, role, is_admin, created_ms)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
               DB_VALUES(DB_S(u->login), DB_S(u->email), DB_S(u->name), DB_S(str_c(hash)),
                         DB_S(str_c(auth_role_name(u->role))), DB_I(u->is_server_admin), DB_I(now)),
               NULL, ret_id, reterr_info);
    return e == ERR_EXISTS
               ? err_set(reterr_info, e, "User with login \"%.*s\" already exists", STR_FMT(u->login))
               : e;
}

enum err auth_user_set_password(struct db *db, int64_t user_id, struct str password,
                                struct err_info *reterr_info)
{
    char hash[CRYPT_OUTPUT_SIZE];
    int64_t changed = 0;
    enum err e = password_hash(password, hash, sizeof(hash), reterr_info);
    e = e == ERR_OK ? db_run(db, "UPDATE user SET password_hash = ?1 WHERE id = ?2",
                             DB_VALUES(DB_S(str_c(hash)), DB_I(user_id)), &changed, NULL, reterr_info)
                    : e;
    return e == ERR_OK && changed == 0 ? err_set(reterr_info, ERR_NOT_FOUND, "user not found") : e;
}

static enum err read_int(void *ctx, const struct db_row *r)
{
    *(int64_t *)ctx = db_row_int(r, 0);
    return ERR_OK;
}

enum err auth_user_count(struct db *db, int64_t *ret_n, struct err_info *reterr_info)
{
    return db_query(db, "SELECT count(*) FROM user", NULL, 0, read_int, ret_n, reterr_info);
}

/* -- identities out of rows: id, role, is_admin, login, name, email, then what the query adds
 * --------------------- */

struct reading {
    struct arena *a;
    struct auth_identity who;
    char hash[CRYPT_OUTPUT_SIZE];
    int64_t created_ms, seen_ms;
    bool found;
};

static enum err read_identity(void *ctx, const struct db_row *r)
{
    struct reading *x = ctx;
    x->found = true;
    x->who.user_id = db_row_int(r, 0);
    x->who.role = auth_role_of(db_row_text(r, 1));
    x->who.is_server_admin = db_row_int(r, 2) != 0;
    x->who.login = arena_str(x->a, db_row_text(r, 3));
    x->who.name = arena_str(x->a, db_row_text(r, 4));
    x->who.email = arena_str(x->a, db_row_text(r, 5));
    struct str hash = db_row_text(r, 6);
    (void)snprintf(x->hash, sizeof(x->hash), "%.*s", STR_FMT(hash));
    x->created_ms = db_row_int(r, 7);
    x->seen_ms = db_row_int(r, 8);
    return x->who.login.p && x->who.name.p && x->who.email.p ? ERR_OK : arena_err(x->a);
}

/* Compared against when the login is unknown, so that both cases take as long. */
static const char unknown_login_hash[] = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8.4lZ1YQ4Cq0D1uM6G9X1k3F7l7X7S";

enum err auth_check_password(struct db *db, struct auth_tries *tries, ts_ms now, struct str login,
                             struct str password, struct arena *a, struct auth_identity *ret_who,
                             struct err_info *reterr_info)
{
    if (tries_blocked(tries, login, now)) {
        return err_set(reterr_info, ERR_LIMIT,
                       "Too many wrong passwords for this user; try again in five minutes");
    }
    struct reading x = {.a = a};
    enum err e =
        db_query(db,
                 "SELECT id, role, is_admin, login, name, email, password_hash, created_ms, seen_ms FROM user"
                 " WHERE (login = ?1 OR (email <> '' AND email = ?1)) AND is_disabled = 0",
                 DB_VALUES(DB_S(login)), read_identity, &x, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    bool good = password_matches(password, x.found ? x.hash : unknown_login_hash) && x.found;
    tries_note(tries, login, now, good);
    if (!good) {
        return err_set(reterr_info, ERR_DENIED, "Invalid username or password");
    }
    *ret_who = x.who;
    return ERR_OK;
}

/* -- tokens
 * ------------------------------------------------------------------------------------------------------- */

static void token_hash(struct str token, char out[HASH_HEX_BYTES])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, (const unsigned char *)(token.p ? token.p : ""), token.n);
    (void)sodium_bin2hex(out, HASH_HEX_BYTES, digest, sizeof(digest));
}

static enum err token_make(const char *prefix, char *out, struct err_info *info)
{
    unsigned char secret[SECRET_BYTES];
    if (rng_secret(secret, sizeof(secret)) != ERR_OK) {
        return err_set(info, ERR_IO, "no random numbers from the kernel");
    }
    int n = snprintf(out, AUTH_TOKEN_TEXT_BYTES, "%s", prefix);
    (void)sodium_bin2hex(out + n, (size_t)(AUTH_TOKEN_TEXT_BYTES - n), secret, sizeof(secret));
    return ERR_OK;
}

enum err auth_session_create(struct db *db, ts_ms now, int64_t user_id, struct str client, char *ret_token,
                             struct err_info *reterr_info)
{
    char token[AUTH_TOKEN_TEXT_BYTES], hash[HASH_HEX_BYTES];
    enum err e = token_make("", token, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    token_hash(str_c(token), hash);
    e = db_run(db, "DELETE FROM session WHERE created_ms < ?1 OR seen_ms < ?2",
               DB_VALUES(DB_I(now - AUTH_SESSION_MAX_MS), DB_I(now - AUTH_SESSION_IDLE_MS)), NULL, NULL,
               reterr_info);
    e = e == ERR_OK ? db_run(db,
                             "INSERT INTO session (token_hash, user_id, created_ms, seen_ms, client)"
                             " VALUES (?1, ?2, ?3, ?3, ?4)",
                             DB_VALUES(DB_S(str_c(hash)), DB_I(user_id), DB_I(now), DB_S(client)), NULL, NULL,
                             reterr_info)
                    : e;
    if (e == ERR_OK) {
        memcpy(ret_token, token, sizeof(token));
    }
    return e;
}

enum {
    SEEN_EVERY_MS = 60 * 1000
};

enum err auth_session_check(struct db *db, ts_ms now, struct str token, struct arena *a,
                            struct auth_identity *ret_who, struct err_info *reterr_info)
{
    char hash[HASH_HEX_BYTES];
    token_hash(token, hash);
    struct reading x = {.a = a};
    enum err e =
        db_query(db,
                 "SELECT u.id, u.role, u.is_admin, u.login, u.name, u.email, '', s.created_ms, s.seen_ms"
                 " FROM session s JOIN user u ON u.id = s.user_id"
                 " WHERE s.token_hash = ?1 AND u.is_disabled = 0",
                 DB_VALUES(DB_S(str_c(hash))), read_identity, &x, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    if (!x.found || now - x.created_ms > AUTH_SESSION_MAX_MS || now - x.seen_ms > AUTH_SESSION_IDLE_MS) {
        return err_set(reterr_info, ERR_DENIED, "the session has ended");
    }
    if (now - x.seen_ms > SEEN_EVERY_MS) {
        e = db_run(db, "UPDATE session SET seen_ms = ?1 WHERE token_hash = ?2",
                   DB_VALUES(DB_I(now), DB_S(str_c(hash))), NULL, NULL, reterr_info);
    }
    *ret_who = x.who;
    return e;
}

enum err auth_session_end(struct db *db, struct str token, struct err_info *reterr_info)
{
    char hash[HASH_HEX_BYTES];
    token_hash(token, hash);
    return db_run(db, "DELETE FROM session WHERE token_hash = ?1", DB_VALUES(DB_S(str_c(hash))), NULL, NULL,
                  reterr_info);
}

enum err auth_service_create(struct db *db, ts_ms now, struct str name, enum auth_role role, int64_t *ret_id,
                             struct err_info *reterr_info)
{
    if (name.n == 0 || role == ROLE_NONE) {
        return err_set(reterr_info, ERR_INVALID,
                       "a service account needs a name and a role (Viewer, Editor, Admin)");
    }
    return db_run(db, "INSERT INTO service_account (name, role, created_ms) VALUES (?1, ?2, ?3)",
                  DB_VALUES(DB_S(name), DB_S(str_c(auth_role_name(role))), DB_I(now)), NULL, ret_id,
                  reterr_info);
}

enum err auth_token_create(struct db *db, ts_ms now, int64_t service_id, struct str name, ts_ms expires_ms,
                           char *ret_token, int64_t *ret_id, struct err_info *reterr_info)
{
    char token[AUTH_TOKEN_TEXT_BYTES], hash[HASH_HEX_BYTES];
    enum err e = token_make("glsa_", token, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    token_hash(str_c(token), hash);
    e = db_run(db,
               "INSERT INTO api_token (service_account_id, name, token_hash, created_ms, expires_ms)"
               " VALUES (?1, ?2, ?3, ?4, ?5)",
               DB_VALUES(DB_I(service_id), DB_S(name), DB_S(str_c(hash)), DB_I(now), DB_I(expires_ms)), NULL,
               ret_id, reterr_info);
    if (e == ERR_OK) {
        memcpy(ret_token, token, sizeof(token));
    }
    return e;
}

enum err auth_token_check(struct db *db, ts_ms now, struct str token, struct arena *a,
                          struct auth_identity *ret_who, struct err_info *reterr_info)
{
    char hash[HASH_HEX_BYTES];
    token_hash(token, hash);
    struct reading x = {.a = a};
    enum err e = db_query(db,
                          "SELECT s.id, s.role, 0, 'sa-' || s.name, s.name, '', '', t.expires_ms, 0"
                          " FROM api_token t JOIN service_account s ON s.id = t.service_account_id"
                          " WHERE t.token_hash = ?1 AND s.is_disabled = 0",
                          DB_VALUES(DB_S(str_c(hash))), read_identity, &x, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    if (!x.found || (x.created_ms && x.created_ms < now)) {
        return err_set(reterr_info, ERR_DENIED, "Invalid API key");
    }
    x.who.is_service = true;
    *ret_who = x.who;
    return ERR_OK;
}
