/* Reading the http_client_config block. Messages are Prometheus' own. */
#include "net/http_config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "net/http_config_int.h"

const char *const http_config_keys[] = {"basic_auth",
                                        "authorization",
                                        "oauth2",
                                        "bearer_token",
                                        "bearer_token_file",
                                        "tls_config",
                                        "follow_redirects",
                                        "enable_http2",
                                        "proxy_url",
                                        "no_proxy",
                                        "proxy_from_environment",
                                        "proxy_connect_header",
                                        "http_headers",
                                        NULL};

struct reader {
    struct http_client_config *c;
    struct err_info *info;
};

/* A copy in the configuration's arena; absent stays as it is. */
static enum err read_str(const struct reader *in, const struct yaml_node *n, struct str *value)
{
    struct str text = {0};
    enum err e = yaml_str(n, &text, in->info);
    if (e != ERR_OK || !text.p) {
        return e;
    }
    *value = arena_str(&in->c->arena, text);
    return value->p ? ERR_OK : ERR_OOM;
}

/* As read_str, relative to the folder of the configuration file. */
static enum err read_path(const struct reader *in, const struct yaml_node *n, struct str *value)
{
    enum err e = read_str(in, n, value);
    if (e != ERR_OK || !n || value->n == 0 || value->p[0] == '/' || !n->file) {
        return e;
    }
    struct str file = str_c(n->file);
    while (file.n && file.p[file.n - 1] != '/') {
        file.n--;
    }
    *value = arena_printf(&in->c->arena, "%.*s%.*s", STR_FMT(file), STR_FMT(*value));
    return value->p ? ERR_OK : ERR_OOM;
}

static enum err read_secret(const struct reader *in, const struct yaml_node *map, const char *key,
                            const char *file_key, const char *what, struct http_secret *secret)
{
    enum err e = read_str(in, yaml_get(map, key), &secret->value);
    if (e == ERR_OK) {
        e = read_path(in, yaml_get(map, file_key), &secret->file);
    }
    if (e == ERR_OK && secret->value.n && secret->file.n) {
        return yaml_error(map, in->info, "at most one of %s%s & %s must be configured", what, key, file_key);
    }
    return e;
}

/* -- credentials ----------------------------------------------------------------------------------------- */

static enum err read_basic(const struct reader *in, const struct yaml_node *n)
{
    static const char *const keys[] = {"username", "username_file", "password", "password_file", NULL};
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    in->c->basic = true;
    enum err e = yaml_check_keys(n, "basic_auth", keys, in->info);
    e = e == ERR_OK ? read_secret(in, n, "username", "username_file", "basic_auth ", &in->c->username) : e;
    return e == ERR_OK ? read_secret(in, n, "password", "password_file", "basic_auth ", &in->c->password) : e;
}

static enum err read_authorization(const struct reader *in, const struct yaml_node *n)
{
    static const char *const keys[] = {"type", "credentials", "credentials_file", NULL};
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    in->c->authorized = true;
    enum err e = yaml_check_keys(n, "authorization", keys, in->info);
    e = e == ERR_OK ? read_str(in, yaml_get(n, "type"), &in->c->auth_type) : e;
    if (e == ERR_OK && str_ieq(str_trim(in->c->auth_type), STR("basic"))) {
        return yaml_error(n, in->info,
                          "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    }
    return e == ERR_OK
               ? read_secret(in, n, "credentials", "credentials_file", "authorization ", &in->c->credentials)
               : e;
}

static enum err read_credentials(const struct reader *in, const struct yaml_node *n)
{
    struct http_secret bearer = {0};
    if (!yaml_is_null(yaml_get(n, "oauth2"))) {
        (void)yaml_error(yaml_get(n, "oauth2"), in->info, "oauth2 is not supported");
        return ERR_UNSUPPORTED;
    }
    enum err e = read_secret(in, n, "bearer_token", "bearer_token_file", "", &bearer);
    e = e == ERR_OK ? read_basic(in, yaml_get(n, "basic_auth")) : e;
    e = e == ERR_OK ? read_authorization(in, yaml_get(n, "authorization")) : e;
    if (e != ERR_OK) {
        return e;
    }
    bool has_bearer = bearer.value.n || bearer.file.n;
    if (has_bearer && in->c->authorized) {
        return yaml_error(n, in->info,
                          "authorization is not compatible with bearer_token & bearer_token_file");
    }
    if (has_bearer && in->c->basic) {
        return yaml_error(
            n, in->info,
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
    }
    if (in->c->basic && in->c->authorized) {
        return yaml_error(n, in->info,
                          "at most one of basic_auth, oauth2 & authorization must be configured");
    }
    if (has_bearer) {
        in->c->authorized = true;
        in->c->credentials = bearer;
    }
    return ERR_OK;
}

/* -- TLS ------------------------------------------------------------------------------------------------- */

static enum err read_version(const struct reader *in, const struct yaml_node *n, const long *versions,
                             long *value)
{
    static const char *const names[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    struct str text = {0};
    enum err e = yaml_str(n, &text, in->info);
    if (e != ERR_OK || text.n == 0) {
        return e;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_c(text, names[i])) {
            *value = versions[i];
            return ERR_OK;
        }
    }
    return yaml_error(n, in->info, "unknown TLS version: %.*s", STR_FMT(text));
}

/* libcurl over GnuTLS reads certificates from files only: a value given in line becomes an anonymous one. */
static enum err value_as_file(const struct reader *in, const char *name, struct http_secret *secret, int *fd)
{
    if (secret->value.n == 0) {
        return ERR_OK;
    }
    *fd = memfd_create(name, MFD_CLOEXEC);
    if (*fd < 0 || write(*fd, secret->value.p, secret->value.n) != (ssize_t)secret->value.n) {
        return err_set(in->info, ERR_IO, "tls_config: %s cannot be kept in memory", name);
    }
    secret->file = arena_printf(&in->c->arena, "/proc/self/fd/%d", *fd);
    return secret->file.p ? ERR_OK : ERR_OOM;
}

static enum err read_tls(const struct reader *in, const struct yaml_node *n)
{
    static const char *const keys[] = {"ca",          "ca_file",     "cert",        "cert_file",
                                       "key",         "key_file",    "server_name", "insecure_skip_verify",
                                       "min_version", "max_version", NULL};
    static const long min[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                               CURL_SSLVERSION_TLSv1_3};
    static const long max[] = {CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
                               CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3};
    struct http_client_config *c = in->c;
    enum err e = yaml_check_keys(n, "tls_config", keys, in->info);
    e = e == ERR_OK ? read_secret(in, n, "ca", "ca_file", "", &c->ca) : e;
    e = e == ERR_OK ? read_secret(in, n, "cert", "cert_file", "", &c->cert) : e;
    e = e == ERR_OK ? read_secret(in, n, "key", "key_file", "", &c->key) : e;
    e = e == ERR_OK ? read_str(in, yaml_get(n, "server_name"), &c->server_name) : e;
    e = e == ERR_OK ? yaml_bool(yaml_get(n, "insecure_skip_verify"), &c->insecure_skip_verify, in->info) : e;
    e = e == ERR_OK ? read_version(in, yaml_get(n, "min_version"), min, &c->tls_min) : e;
    e = e == ERR_OK ? read_version(in, yaml_get(n, "max_version"), max, &c->tls_max) : e;
    bool cert = c->cert.value.n || c->cert.file.n, key = c->key.value.n || c->key.file.n;
    if (e == ERR_OK && cert != key) {
        return yaml_error(n, in->info,
                          cert ? "exactly one of key or key_file must be configured when a client "
                                 "certificate is configured"
                               : "exactly one of cert or cert_file must be configured when a client key "
                                 "is configured");
    }
    e = e == ERR_OK ? value_as_file(in, "ca", &c->ca, &c->ca_fd) : e;
    e = e == ERR_OK ? value_as_file(in, "cert", &c->cert, &c->cert_fd) : e;
    return e == ERR_OK ? value_as_file(in, "key", &c->key, &c->key_fd) : e;
}

/* -- headers and proxy ----------------------------------------------------------------------------------- */

static enum err add_header(const struct reader *in, const struct yaml_node *value, struct str name,
                           enum http_header_source source, struct http_extra_header **list)
{
    struct http_extra_header *h = arena_zalloc(&in->c->arena, sizeof(*h));
    if (!h) {
        return ERR_OOM;
    }
    h->source = source;
    h->name = arena_str(&in->c->arena, name);
    while (*list) {
        list = &(*list)->next;
    }
    *list = h;
    return !h->name.p              ? ERR_OOM
           : source == HEADER_FILE ? read_path(in, value, &h->value)
                                   : read_str(in, value, &h->value);
}

static enum err add_list(const struct reader *in, const struct yaml_node *n, struct str name,
                         enum http_header_source source, struct http_extra_header **list)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_LIST) {
        return add_header(in, n, name, source, list);
    }
    enum err e = ERR_OK;
    for (const struct yaml_node *v = n->child; v && e == ERR_OK; v = v->next) {
        e = add_header(in, v, name, source, list);
    }
    return e;
}

/* The headers the client writes itself; Prometheus refuses them. */
static bool reserved(struct str name)
{
    static const char *const names[] = {"Authorization",
                                        "Host",
                                        "Content-Encoding",
                                        "Content-Length",
                                        "Content-Type",
                                        "User-Agent",
                                        "Connection",
                                        "Keep-Alive",
                                        "Proxy-Authenticate",
                                        "Proxy-Authorization",
                                        "Www-Authenticate",
                                        "Accept-Encoding",
                                        "X-Prometheus-Remote-Write-Version",
                                        "X-Prometheus-Remote-Read-Version",
                                        "X-Prometheus-Scrape-Timeout-Seconds"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_ieq(name, str_c(names[i]))) {
            return true;
        }
    }
    return false;
}

static enum err read_headers(const struct reader *in, const struct yaml_node *n)
{
    static const char *const keys[] = {"values", "secrets", "files", NULL};
    if (!yaml_is_null(n) && n->kind != YAML_MAP) {
        return yaml_error(n, in->info, "http_headers must be a map");
    }
    enum err e = ERR_OK;
    for (const struct yaml_node *h = yaml_is_null(n) ? NULL : n->child; h && e == ERR_OK; h = h->next) {
        if (reserved(h->key)) {
            return yaml_error(h, in->info, "setting header \"%.*s\" is not allowed", STR_FMT(h->key));
        }
        e = yaml_check_keys(h, "http_headers", keys, in->info);
        e = e == ERR_OK ? add_list(in, yaml_get(h, "values"), h->key, HEADER_VALUE, &in->c->headers) : e;
        e = e == ERR_OK ? add_list(in, yaml_get(h, "secrets"), h->key, HEADER_VALUE, &in->c->headers) : e;
        e = e == ERR_OK ? add_list(in, yaml_get(h, "files"), h->key, HEADER_FILE, &in->c->headers) : e;
    }
    return e;
}

static enum err read_proxy(const struct reader *in, const struct yaml_node *n)
{
    struct http_client_config *c = in->c;
    const struct yaml_node *connect_headers = yaml_get(n, "proxy_connect_header");
    enum err e = read_str(in, yaml_get(n, "proxy_url"), &c->proxy_url);
    e = e == ERR_OK ? read_str(in, yaml_get(n, "no_proxy"), &c->no_proxy) : e;
    e = e == ERR_OK ? yaml_bool(yaml_get(n, "proxy_from_environment"), &c->proxy_from_environment, in->info)
                    : e;
    if (e == ERR_OK && c->proxy_from_environment && c->proxy_url.n) {
        return yaml_error(n, in->info,
                          "if proxy_from_environment is configured, proxy_url must not be configured");
    }
    if (e == ERR_OK && c->proxy_from_environment && c->no_proxy.n) {
        return yaml_error(n, in->info,
                          "if proxy_from_environment is configured, no_proxy must not be configured");
    }
    if (e == ERR_OK && c->no_proxy.n && !c->proxy_url.n) {
        return yaml_error(n, in->info, "if no_proxy is configured, proxy_url must also be configured");
    }
    for (const struct yaml_node *h = yaml_is_null(connect_headers) ? NULL : connect_headers->child;
         h && e == ERR_OK; h = h->next) {
        e = add_list(in, h, h->key, HEADER_VALUE, &c->proxy_headers);
    }
    return e;
}

enum err http_config_parse(const struct yaml_node *node, struct http_client_config **ret_config,
                           struct err_info *reterr_info)
{
    struct http_client_config *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    arena_init(&c->arena, 0, NULL);
    c->ca_fd = c->cert_fd = c->key_fd = -1;
    c->follow_redirects = c->http2 = true;
    c->auth_type = STR("Bearer");
    struct reader in = {c, reterr_info};
    enum err e = read_credentials(&in, node);
    e = e == ERR_OK ? read_tls(&in, yaml_get(node, "tls_config")) : e;
    e = e == ERR_OK ? read_proxy(&in, node) : e;
    e = e == ERR_OK ? read_headers(&in, yaml_get(node, "http_headers")) : e;
    e = e == ERR_OK ? yaml_bool(yaml_get(node, "follow_redirects"), &c->follow_redirects, reterr_info) : e;
    e = e == ERR_OK ? yaml_bool(yaml_get(node, "enable_http2"), &c->http2, reterr_info) : e;
    if (e == ERR_OOM) {
        (void)err_set(reterr_info, ERR_OOM, "out of memory");
    }
    if (e != ERR_OK) {
        http_config_free(c);
        return e;
    }
    *ret_config = c;
    return ERR_OK;
}

void http_config_free(struct http_client_config *c)
{
    if (!c) {
        return;
    }
    int fds[] = {c->ca_fd, c->cert_fd, c->key_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    arena_done(&c->arena);
    mem_free(c);
}
