/* Reading the web configuration file, and reading it again when it changes. */
#include "net/web_config.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <unistd.h>

#include "base/log.h"
#include "net/web_config_int.h"

enum {
    PEM_BYTES_MAX = 1 << 20
};

struct reader {
    struct web_snapshot *s;
    struct err_info *info;
};

enum err web_file_read(const char *path, struct buf *ret_text, struct err_info *info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    ret_text->size_bytes_max = PEM_BYTES_MAX;
    while (fd >= 0) {
        char *tail = buf_tail(ret_text, 4096);
        n = tail ? read(fd, tail, 4096) : 0;
        if (n <= 0) {
            break;
        }
        ret_text->n += (size_t)n;
    }
    int saved = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0) {
        return err_set_errno(info, saved, "cannot read %s", path);
    }
    buf_char(ret_text, '\0');
    ret_text->n -= ret_text->n > 0;
    return ret_text->err == ERR_OK ? ERR_OK : err_set(info, ret_text->err, "%s is too large", path);
}

static enum err read_str(const struct reader *in, const struct yaml_node *n, struct str *value)
{
    struct str text = {0};
    enum err e = yaml_str(n, &text, in->info);
    if (e == ERR_OK && text.p) {
        *value = arena_str(&in->s->arena, text);
        e = value->p ? ERR_OK : ERR_OOM;
    }
    return e;
}

static enum err read_pem(const struct reader *in, const struct yaml_node *map, const char *key,
                         const char *file_key, struct web_pem *pem)
{
    const struct yaml_node *file = yaml_get(map, file_key);
    enum err e = read_str(in, yaml_get(map, key), &pem->text);
    e = e == ERR_OK ? read_str(in, file, &pem->file) : e;
    if (e == ERR_OK && pem->text.n && pem->file.n) {
        return yaml_error(map, in->info, "at most one of %s & %s must be configured", key, file_key);
    }
    if (e == ERR_OK && pem->file.n && pem->file.p[0] != '/') {
        struct str folder = str_c(file->file);
        while (folder.n && folder.p[folder.n - 1] != '/') {
            folder.n--;
        }
        pem->file = arena_printf(&in->s->arena, "%.*s%.*s", STR_FMT(folder), STR_FMT(pem->file));
        e = pem->file.p ? ERR_OK : ERR_OOM;
    }
    return e;
}

/* -- tls_server_config ----------------------------------------------------------------------------------- */

static enum err read_choice(const struct reader *in, const struct yaml_node *n, const char *what,
                            const char *const *names, size_t count, unsigned *value)
{
    struct str text = {0};
    enum err e = yaml_str(n, &text, in->info);
    if (e != ERR_OK || text.n == 0) {
        return e;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(text, names[i])) {
            *value = (unsigned)i;
            return ERR_OK;
        }
    }
    return yaml_error(n, in->info, "unknown %s: %.*s", what, STR_FMT(text));
}

static enum err read_client_auth(const struct reader *in, const struct yaml_node *n)
{
    static const char *const names[] = {"NoClientCert",
                                        "RequestClientCert",
                                        "RequireAnyClientCert",
                                        "VerifyClientCertIfGiven",
                                        "RequireAndVerifyClientCert",
                                        "RequireClientCert"};
    struct web_snapshot *s = in->s;
    unsigned choice = 0;
    enum err e = read_choice(in, yaml_get(n, "client_auth_type"), "client_auth_type", names, ARRAY_LEN(names),
                             &choice);
    if (e != ERR_OK) {
        return e;
    }
    s->client_auth = choice == 5 ? CLIENT_REQUIRE_ANY : (enum web_client_auth)choice;
    bool ca = s->client_ca.text.n || s->client_ca.file.n;
    if (ca && s->client_auth == CLIENT_NONE) {
        return yaml_error(n, in->info, "client CA's have been configured without a Client Auth Policy");
    }
    if (!ca && s->client_auth != CLIENT_NONE) {
        (void)yaml_error(n, in->info, "client_auth_type %s needs client_ca_file here", names[choice]);
        return ERR_UNSUPPORTED;
    }
    return ERR_OK;
}

static enum err read_tls(const struct reader *in, const struct yaml_node *n)
{
    static const char *const keys[] = {"cert",
                                       "cert_file",
                                       "key",
                                       "key_file",
                                       "client_ca",
                                       "client_ca_file",
                                       "client_auth_type",
                                       "client_allowed_sans",
                                       "min_version",
                                       "max_version",
                                       "cipher_suites",
                                       "prefer_server_cipher_suites",
                                       "curve_preferences",
                                       NULL};
    static const char *const versions[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    struct web_snapshot *s = in->s;
    struct arena *a = &s->arena;
    s->tls_min = 2;
    s->tls_max = 3;
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    s->tls = true;
    enum err e = yaml_check_keys(n, "tls_server_config", keys, in->info);
    e = e == ERR_OK ? read_pem(in, n, "cert", "cert_file", &s->cert) : e;
    e = e == ERR_OK ? read_pem(in, n, "key", "key_file", &s->key) : e;
    e = e == ERR_OK ? read_pem(in, n, "client_ca", "client_ca_file", &s->client_ca) : e;
    e = e == ERR_OK ? read_client_auth(in, n) : e;
    e = e == ERR_OK ? read_choice(in, yaml_get(n, "min_version"), "TLS version", versions, 4, &s->tls_min)
                    : e;
    e = e == ERR_OK ? read_choice(in, yaml_get(n, "max_version"), "TLS version", versions, 4, &s->tls_max)
                    : e;
    e = e == ERR_OK ? yaml_str_list(a, yaml_get(n, "client_allowed_sans"), &s->allowed_sans,
                                    &s->allowed_san_count, in->info)
                    : e;
    e = e == ERR_OK
            ? yaml_str_list(a, yaml_get(n, "curve_preferences"), &s->curves, &s->curve_count, in->info)
            : e;
    e = e == ERR_OK ? yaml_str_list(a, yaml_get(n, "cipher_suites"), &s->ciphers, &s->cipher_count, in->info)
                    : e;
    if (e == ERR_OK && s->cert.text.n + s->cert.file.n == 0) {
        return yaml_error(n, in->info, "missing one of cert or cert_file");
    }
    if (e == ERR_OK && s->key.text.n + s->key.file.n == 0) {
        return yaml_error(n, in->info, "missing one of key or key_file");
    }
    return e;
}

/* -- the other blocks ------------------------------------------------------------------------------------ */

static enum err read_pairs(const struct reader *in, const struct yaml_node *map, const char *what,
                           struct web_pair **list)
{
    if (!yaml_is_null(map) && map->kind != YAML_MAP) {
        return yaml_error(map, in->info, "%s must be a map", what);
    }
    for (const struct yaml_node *n = yaml_is_null(map) ? NULL : map->child; n; n = n->next) {
        struct web_pair *p = arena_zalloc(&in->s->arena, sizeof(*p));
        if (!p) {
            return ERR_OOM;
        }
        p->name = arena_str(&in->s->arena, n->key);
        enum err e = p->name.p ? read_str(in, n, &p->value) : ERR_OOM;
        if (e != ERR_OK) {
            return e;
        }
        p->next = *list;
        *list = p;
    }
    return ERR_OK;
}

static enum err check_header(const struct reader *in, const struct yaml_node *at, const struct web_pair *h)
{
    static const char *const names[] = {"Content-Security-Policy", "Strict-Transport-Security",
                                        "X-XSS-Protection", "X-Frame-Options", "X-Content-Type-Options"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        known |= str_ieq(h->name, str_c(names[i]));
    }
    if (!known) {
        return yaml_error(at, in->info, "HTTP header \"%.*s\" can not be configured", STR_FMT(h->name));
    }
    bool frame = str_ieq(h->name, STR("X-Frame-Options")),
         type = str_ieq(h->name, STR("X-Content-Type-Options"));
    if ((frame && h->value.n && !str_ieq(h->value, STR("deny")) && !str_ieq(h->value, STR("sameorigin"))) ||
        (type && h->value.n && !str_ieq(h->value, STR("nosniff"))) ||
        str_find_char(h->value, '\n', 0) != STR_NPOS || str_find_char(h->value, '\r', 0) != STR_NPOS) {
        return yaml_error(at, in->info, "invalid value for %.*s: \"%.*s\"", STR_FMT(h->name),
                          STR_FMT(h->value));
    }
    return ERR_OK;
}

static enum err read_http(const struct reader *in, const struct yaml_node *n)
{
    static const char *const keys[] = {"http2", "headers", NULL};
    bool http2 = true; /* accepted; this server speaks HTTP/1.1 */
    enum err e = yaml_check_keys(n, "http_server_config", keys, in->info);
    e = e == ERR_OK ? yaml_bool(yaml_get(n, "http2"), &http2, in->info) : e;
    e = e == ERR_OK ? read_pairs(in, yaml_get(n, "headers"), "headers", &in->s->headers) : e;
    for (const struct web_pair *h = in->s->headers; h && e == ERR_OK; h = h->next) {
        e = check_header(in, yaml_get(n, "headers"), h);
    }
    return e;
}

static enum err read_auth(const struct reader *in, const struct yaml_node *root)
{
    static const char *const keys[] = {"interval", "burst", NULL};
    const struct yaml_node *rate = yaml_get(root, "rate_limit");
    enum err e = read_pairs(in, yaml_get(root, "basic_auth_users"), "basic_auth_users", &in->s->users);
    e = e == ERR_OK ? read_pairs(in, yaml_get(root, "bearer_tokens"), "bearer_tokens", &in->s->tokens) : e;
    for (const struct web_pair *u = in->s->users; u && e == ERR_OK; u = u->next) {
        if (!str_starts(u->value, STR("$2")) || u->value.n != 60) {
            return yaml_error(yaml_get(root, "basic_auth_users"), in->info,
                              "basic_auth_users: the password of %.*s is not a bcrypt hash",
                              STR_FMT(u->name));
        }
    }
    for (const struct web_pair *t = in->s->tokens; t && e == ERR_OK; t = t->next) {
        if (t->value.n < 16) {
            return yaml_error(yaml_get(root, "bearer_tokens"), in->info,
                              "bearer_tokens: the token of %.*s is shorter than 16 bytes", STR_FMT(t->name));
        }
    }
    e = e == ERR_OK ? yaml_check_keys(rate, "rate_limit", keys, in->info) : e;
    e = e == ERR_OK ? yaml_duration(yaml_get(rate, "interval"), true, &in->s->rate_interval_ms, in->info) : e;
    return e == ERR_OK ? yaml_u64(yaml_get(rate, "burst"), &in->s->rate_burst, in->info) : e;
}

/* -- the file -------------------------------------------------------------------------------------------- */

static void snapshot_free(struct web_snapshot *s)
{
    if (s) {
        arena_done(&s->arena);
        mem_free(s);
    }
}

static enum err snapshot_load(const char *path, struct web_snapshot **ret_snapshot, struct err_info *info)
{
    static const char *const keys[] = {"tls_server_config", "http_server_config", "basic_auth_users",
                                       "rate_limit",        "bearer_tokens",      NULL};
    const struct yaml_node *root = NULL;
    struct web_snapshot *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    arena_init(&s->arena, 0, NULL);
    s->rate_burst = 1;
    struct reader in = {s, info};
    enum err e = yaml_load(&s->arena, path, &root, info);
    e = e == ERR_OK ? yaml_check_keys(root, "web configuration", keys, info) : e;
    e = e == ERR_OK ? read_tls(&in, yaml_get(root, "tls_server_config")) : e;
    e = e == ERR_OK ? read_http(&in, yaml_get(root, "http_server_config")) : e;
    e = e == ERR_OK ? read_auth(&in, root) : e;
    if (e != ERR_OK) {
        snapshot_free(s);
        return e;
    }
    *ret_snapshot = s;
    return ERR_OK;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

const struct web_snapshot *web_lock(const struct web_config *w)
{
    struct web_state *state = w->state;
    struct stat st = {0};
    mutex_lock(&state->lock);
    (void)!stat(state->path, &st); /* an absent file reads as changed, and fails below */
    if (same_file(&st, &state->seen)) {
        return state->now;
    }
    struct err_info info = {0};
    struct web_snapshot *fresh = NULL;
    if (snapshot_load(state->path, &fresh, &info) != ERR_OK) {
        char text[768];
        LOG_EVENT(LVL_ERROR, "web_config_wrong", F_C("err", err_render(&info, text, sizeof(text))));
    }
    snapshot_free(state->now);
    state->now = fresh;
    state->seen = st;
    return fresh;
}

void web_unlock(const struct web_config *w)
{
    mutex_unlock(&w->state->lock);
}

static void own_token_make(struct web_config *w)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[WEB_OWN_TOKEN_BYTES / 2];
    if (gnutls_rnd(GNUTLS_RND_KEY, random, sizeof(random)) != 0) {
        return; /* no token: an empty one lets nobody in */
    }
    for (size_t i = 0; i < WEB_OWN_TOKEN_BYTES; i++) {
        w->own_token[i] = digits[random[i / 2] >> (i % 2 ? 0 : 4) & 15];
    }
}

struct str web_config_own_token(const struct web_config *w)
{
    return w ? str_c(w->own_token) : STR("");
}

enum err web_config_load(const char *path, struct web_config **ret_config, struct err_info *reterr_info)
{
    struct web_config *w = mem_zalloc(sizeof(*w));
    struct web_state *state = mem_zalloc(sizeof(*state));
    if (!w || !state) {
        mem_free(w);
        mem_free(state);
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    w->state = state;
    own_token_make(w);
    mutex_init(&state->lock);
    mutex_init(&state->bcrypt_lock);
    state->path = mem_dup(path, strlen(path));
    (void)!stat(path, &state->seen);
    enum err e = state->path ? snapshot_load(path, &state->now, reterr_info) : ERR_OOM;
    if (e == ERR_OK) {
        w->tls = state->now->tls;
        state->rate_tokens = (double)state->now->rate_burst;
        e = w->tls ? web_tls_prepare(w, reterr_info) : ERR_OK;
    }
    if (e != ERR_OK) {
        err_in_file(reterr_info, path);
        web_config_free(w);
        return e;
    }
    *ret_config = w;
    return ERR_OK;
}

void web_config_free(struct web_config *w)
{
    if (!w) {
        return;
    }
    snapshot_free(w->state->now);
    mutex_done(&w->state->lock);
    mutex_done(&w->state->bcrypt_lock);
    mem_free(w->state->path);
    mem_free(w->state);
    mem_free(w->priorities);
    mem_free(w->client_ca);
    mem_free(w);
}

bool web_config_tls(const struct web_config *w)
{
    return w && w->tls;
}
