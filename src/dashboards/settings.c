/* grafana.ini by table: one row a key. The file is parsed line by line; then each row's environment variable
 * is looked up, so that the environment wins. */
#include "dashboards/settings.h"

#include <stddef.h>
#include <stdio.h>

enum kind {
    KIND_STR,
    KIND_BOOL,
    KIND_U64,
    KIND_ROLE,
    KIND_UNUSED
};

struct row {
    const char *section, *key;
    enum kind kind;
    size_t offset;
};

#define ROW(section, key, kind, field)                       \
    {                                                        \
        section, key, kind, offsetof(struct settings, field) \
    }
#define UNUSED(section, key)         \
    {                                \
        section, key, KIND_UNUSED, 0 \
    }

static const struct row rows[] = {
    ROW("", "instance_name", KIND_STR, instance_name),
    UNUSED("", "app_mode"),
    ROW("paths", "data", KIND_STR, data_path),
    ROW("paths", "provisioning", KIND_STR, provisioning_path),
    UNUSED("paths", "logs"),
    UNUSED("paths", "plugins"),
    UNUSED("paths", "temp_data_lifetime"),
    ROW("server", "http_addr", KIND_STR, http_addr),
    ROW("server", "http_port", KIND_U64, http_port),
    ROW("server", "root_url", KIND_STR, root_url),
    ROW("server", "serve_from_sub_path", KIND_BOOL, serve_from_sub_path),
    UNUSED("server", "protocol"),
    UNUSED("server", "domain"),
    UNUSED("server", "enforce_domain"),
    UNUSED("server", "router_logging"),
    UNUSED("server", "static_root_path"),
    UNUSED("server", "enable_gzip"),
    UNUSED("server", "cert_file"),
    UNUSED("server", "cert_key"),
    UNUSED("server", "read_timeout"),
    ROW("security", "admin_user", KIND_STR, admin_user),
    ROW("security", "admin_password", KIND_STR, admin_password),
    ROW("security", "cookie_secure", KIND_BOOL, cookie_secure),
    ROW("security", "allow_embedding", KIND_BOOL, allow_embedding),
    ROW("security", "disable_gravatar", KIND_BOOL, disable_gravatar),
    UNUSED("security", "admin_email"),
    UNUSED("security", "secret_key"),
    UNUSED("security", "disable_initial_admin_creation"),
    UNUSED("security", "cookie_samesite"),
    UNUSED("security", "strict_transport_security"),
    UNUSED("security", "x_content_type_options"),
    UNUSED("security", "x_xss_protection"),
    UNUSED("security", "content_security_policy"),
    ROW("auth.anonymous", "enabled", KIND_BOOL, anonymous),
    ROW("auth.anonymous", "org_role", KIND_ROLE, anonymous_role),
    UNUSED("auth.anonymous", "org_name"),
    UNUSED("auth.anonymous", "hide_version"),
    ROW("auth.basic", "enabled", KIND_BOOL, basic_auth),
    UNUSED("auth", "disable_login_form"),
    UNUSED("auth", "login_cookie_name"),
    UNUSED("auth", "login_maximum_inactive_lifetime_duration"),
    UNUSED("auth", "login_maximum_lifetime_duration"),
    ROW("users", "default_theme", KIND_STR, default_theme),
    UNUSED("users", "allow_sign_up"),
    UNUSED("users", "allow_org_create"),
    UNUSED("users", "auto_assign_org"),
    UNUSED("users", "auto_assign_org_id"),
    UNUSED("users", "auto_assign_org_role"),
    UNUSED("users", "viewers_can_edit"),
    UNUSED("users", "default_language"),
    ROW("dashboards", "default_home_dashboard_path", KIND_STR, home_dashboard_path),
    UNUSED("dashboards", "versions_to_keep"),
    UNUSED("dashboards", "min_refresh_interval"),
};

/* Sections whose keys are accepted whole: they configure what Cairn does not have or does by itself. */
static const char *const open_sections[] = {
    "database",
    "session",
    "dataproxy",
    "analytics",
    "snapshots",
    "log",
    "log.console",
    "log.file",
    "log.syslog",
    "smtp",
    "emails",
    "quota",
    "alerting",
    "unified_alerting",
    "explore",
    "metrics",
    "metrics.graphite",
    "tracing.jaeger",
    "grafana_com",
    "external_image_storage",
    "rendering",
    "plugins",
    "live",
    "feature_toggles",
    "date_formats",
    "expressions",
    "geomap",
    "news",
    "annotations",
    "query_history",
    "public_dashboards",
    "remote_cache",
    "aws",
    "azure",
    "profile",
    "panels",
    "grafana_net",
    "support_bundles",
    "enterprise",
    "auth.generic_oauth",
    "auth.google",
    "auth.github",
    "auth.ldap",
    "auth.proxy",
    "auth.jwt",
    "auth.azuread",
    "auth.okta",
    "auth.gitlab",
    "auth.grafana_com",
    "recording_rules",
    "navigation.app_sections",
    "secure_socks_datasource_proxy",
};

void settings_defaults(struct settings *s)
{
    *s = (struct settings){
        .http_port = 3000,
        .root_url = STR("http://localhost:3000/"),
        .data_path = STR(""),
        .provisioning_path = STR(""),
        .admin_user = STR("admin"),
        .admin_password = STR(""),
        .anonymous_role = ROLE_VIEWER,
        .basic_auth = true,
        .default_theme = STR("dark"),
    };
}

struct parse {
    struct settings *s;
    const struct settings_host *host;
    struct arena *a;
    struct err_info *info;
    unsigned line;
    struct buf unused;
};

/* ${NAME}, $__env{NAME}, $__file{path}; anything else starting with '$' is literal. */
static enum err expand(struct parse *p, struct str value, struct str *ret_value)
{
    if (!str_starts(value, STR("$")) || value.n < 3 || value.p[value.n - 1] != '}') {
        *ret_value = value;
        return ERR_OK;
    }
    size_t open = str_find_char(value, '{', 0);
    struct str head = open == STR_NPOS ? (struct str){0} : str_slice(value, 0, open);
    struct str arg = open == STR_NPOS ? (struct str){0} : str_slice(value, open + 1, value.n - 1);
    struct str name = arena_str(p->a, arg);
    if (!name.p) {
        return arena_err(p->a);
    }
    if (str_eq_c(head, "$") || str_eq_c(head, "$__env")) {
        *ret_value = str_c(p->host->env(name.p));
        return ERR_OK;
    }
    if (str_eq_c(head, "$__file")) {
        enum err e = p->host->read_file(p->a, name.p, ret_value, p->info);
        *ret_value = e == ERR_OK ? str_trim(*ret_value) : *ret_value;
        return e;
    }
    *ret_value = value;
    return ERR_OK;
}

static enum err store(struct parse *p, const struct row *row, struct str raw)
{
    struct str value;
    enum err e = expand(p, raw, &value);
    if (e != ERR_OK) {
        return e;
    }
    char *at = (char *)p->s + row->offset;
    switch (row->kind) {
    case KIND_STR:
        *(struct str *)(void *)at = value;
        return ERR_OK;
    case KIND_BOOL:
        if (!str_eq_c(value, "true") && !str_eq_c(value, "false") && value.n) {
            return err_set_at(p->info, ERR_INVALID, p->line, 0, "[%s] %s takes true or false, not \"%.*s\"",
                              row->section, row->key, STR_FMT(value));
        }
        *(bool *)(void *)at = str_eq_c(value, "true");
        return ERR_OK;
    case KIND_U64:
        if (str_to_u64(value, (uint64_t *)(void *)at) != ERR_OK) {
            return err_set_at(p->info, ERR_INVALID, p->line, 0, "[%s] %s takes a whole number, not \"%.*s\"",
                              row->section, row->key, STR_FMT(value));
        }
        return ERR_OK;
    case KIND_ROLE:
        if (auth_role_of(value) == ROLE_NONE) {
            return err_set_at(p->info, ERR_INVALID, p->line, 0,
                              "[%s] %s takes Viewer, Editor or Admin, not \"%.*s\"", row->section, row->key,
                              STR_FMT(value));
        }
        *(enum auth_role *)(void *)at = auth_role_of(value);
        return ERR_OK;
    case KIND_UNUSED:
        break;
    }
    buf_printf(&p->unused, "%s%s.%s", p->unused.n ? ", " : "", row->section, row->key);
    return ERR_OK;
}

static bool section_is_open(struct str section)
{
    for (size_t i = 0; i < ARRAY_LEN(open_sections); i++) {
        if (str_eq_c(section, open_sections[i])) {
            return true;
        }
    }
    return false;
}

static enum err unknown_key(struct parse *p, struct str section, struct str key)
{
    const char *names[ARRAY_LEN(rows)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_eq_c(section, rows[i].section)) {
            names[n++] = rows[i].key;
        }
    }
    const char *nearest = str_nearest(key, names, n);
    return err_set_at(p->info, ERR_INVALID, p->line, 1, "unknown key \"%.*s\" in section [%.*s]%s%s%s",
                      STR_FMT(key), STR_FMT(section), nearest ? ", did you mean \"" : "",
                      nearest ? nearest : "", nearest ? "\"?" : "");
}

static enum err key_line(struct parse *p, struct str section, struct str line)
{
    size_t eq = str_find_char(line, '=', 0);
    if (eq == STR_NPOS) {
        return err_set_at(p->info, ERR_INVALID, p->line, 1,
                          "expected \"key = value\", a [section] or a comment");
    }
    struct str key = str_trim(str_slice(line, 0, eq)), value = str_trim(str_slice(line, eq + 1, line.n));
    if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '`') && value.p[value.n - 1] == value.p[0]) {
        bool triple = value.n >= 6 && str_starts(value, STR("\"\"\"")) && str_ends(value, STR("\"\"\""));
        value = triple ? str_slice(value, 3, value.n - 3) : str_slice(value, 1, value.n - 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_eq_c(section, rows[i].section) && str_eq_c(key, rows[i].key)) {
            return store(p, &rows[i], value);
        }
    }
    if (section_is_open(section)) {
        buf_printf(&p->unused, "%s%.*s.%.*s", p->unused.n ? ", " : "", STR_FMT(section), STR_FMT(key));
        return ERR_OK;
    }
    return unknown_key(p, section, key);
}

static bool section_is_known(struct str section)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_eq_c(section, rows[i].section)) {
            return true;
        }
    }
    return section_is_open(section);
}

static enum err read_lines(struct parse *p, struct str text)
{
    struct str section = STR("");
    while (text.p) {
        struct str line = str_trim(str_cut(&text, '\n'));
        p->line++;
        enum err e = ERR_OK;
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';') {
            continue;
        }
        if (line.p[0] == '[' && line.p[line.n - 1] == ']') {
            section = str_trim(str_slice(line, 1, line.n - 1));
            if (!section_is_known(section)) {
                e = err_set_at(p->info, ERR_INVALID, p->line, 1, "unknown section [%.*s]", STR_FMT(section));
            }
        } else {
            e = key_line(p, section, line);
        }
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

/* GF_AUTH_ANONYMOUS_ENABLED for [auth.anonymous] enabled. */
static void env_name(const struct row *row, char *out, size_t out_size)
{
    (void)snprintf(out, out_size, "GF_%s%s%s", row->section, row->section[0] ? "_" : "", row->key);
    for (char *c = out; *c; c++) {
        *c = *c == '.' || *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    }
}

static enum err read_environment(struct parse *p)
{
    p->line = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[128];
        env_name(&rows[i], name, sizeof(name));
        const char *value = p->host->env(name);
        enum err e = value ? store(p, &rows[i], str_c(value)) : ERR_OK;
        if (e != ERR_OK) {
            err_in_file(p->info, name);
            return e;
        }
    }
    return ERR_OK;
}

/* The path of root_url without the slash at its end: "%(protocol)s://%(domain)s/grafana/" gives "/grafana".
 */
static struct str url_path(struct str url)
{
    size_t scheme = str_find(url, STR("://"), 0);
    size_t at = scheme == STR_NPOS ? STR_NPOS : str_find_char(url, '/', scheme + 3);
    struct str path = at == STR_NPOS ? STR("") : str_slice(url, at, url.n);
    while (path.n && path.p[path.n - 1] == '/') {
        path.n--;
    }
    return path;
}

enum err settings_parse(struct settings *s, struct str text, const struct settings_host *host,
                        struct arena *a, struct err_info *reterr_info)
{
    struct settings out = *s;
    struct parse p = {.s = &out, .host = host, .a = a, .info = reterr_info};
    enum err e = read_lines(&p, text);
    e = e == ERR_OK ? read_environment(&p) : e;
    if (e == ERR_OK) {
        out.sub_path = out.serve_from_sub_path ? url_path(out.root_url) : STR("");
        out.unused = arena_str(a, buf_view(&p.unused));
        e = out.unused.p ? ERR_OK : arena_err(a);
    }
    buf_done(&p.unused);
    if (e == ERR_OK) {
        *s = out;
    }
    return e;
}

static const struct str default_prefix = STR_INIT("cfg:default.");

bool settings_override_is_default(struct str argument)
{
    return str_starts(argument, default_prefix);
}

enum err settings_override(struct settings *s, struct str argument, const struct settings_host *host,
                           struct arena *a, struct err_info *reterr_info)
{
    size_t skip = settings_override_is_default(argument) ? default_prefix.n : sizeof("cfg:") - 1;
    size_t eq = str_find_char(argument, '=', 0), dot = STR_NPOS;
    if (!str_starts(argument, STR("cfg:")) || eq == STR_NPOS || eq < skip) {
        return err_set(reterr_info, ERR_INVALID,
                       "unexpected argument \"%.*s\": settings are given as cfg:section.key=value",
                       STR_FMT(argument));
    }
    for (size_t i = skip; i < eq; i++) {
        dot = argument.p[i] == '.' ? i : dot;
    }
    struct str section = dot == STR_NPOS ? STR("") : str_slice(argument, skip, dot);
    struct str line = str_slice(argument, dot == STR_NPOS ? skip : dot + 1, argument.n);
    struct settings out = *s;
    struct parse p = {.s = &out, .host = host, .a = a, .info = reterr_info};
    enum err e = key_line(&p, section, line);
    buf_done(&p.unused);
    if (!e) {
        *s = out;
    }
    return e;
}
