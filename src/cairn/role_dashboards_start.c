/* What the role dashboards does at start: settings, the first user, dashboards and data sources. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/rng.h"
#include "cairn/role_dashboards_int.h"
#include "dashboards/data_sources.h"
#include "dashboards/provision.h"
#include "disk/file.h"

enum {
    PASSWORD_BYTES = 20,
    PATH_DEPTH_MAX = 4096
};

/* -- settings -------------------------------------------------------------------------------------------- */

static const char *environment(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing sets variables after start */
}

static enum err read_file(struct arena *a, const char *path, struct str *ret_text, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 65536};
    enum err e = file_load(path, &b, info);
    if (e) {
        return e;
    }
    *ret_text = arena_str(a, buf_view(&b));
    return ret_text->p ? ERR_OK : arena_err(a);
}

static const struct settings_host host = {environment, read_file};

static enum err overrides(struct dashboards_role *d, const struct serve *s, bool defaults,
                          struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->arg_count && !e; i++) {
        struct str arg = str_c(s->args[i]);
        if (settings_override_is_default(arg) == defaults) {
            e = settings_override(&d->settings, arg, &host, &d->arena, info);
        }
    }
    return e;
}

static enum err settings_read(struct dashboards_role *d, const struct serve *s, struct err_info *info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 1 << 20};
    struct str kept = STR("");
    settings_defaults(&d->settings);
    enum err e = overrides(d, s, true, info);
    if (!e && d->role.config_file.n) {
        e = file_load(d->role.config_file.p, &text, info);
        kept = e ? kept : arena_str(&d->arena, buf_view(&text));
        e = e || kept.p ? e : arena_err(&d->arena);
    }
    e = e ? e : settings_parse(&d->settings, kept, &host, &d->arena, info);
    if (e && d->role.config_file.n) {
        err_in_file(info, d->role.config_file.p);
    }
    return e ? e : overrides(d, s, false, info);
}

enum err dashboards_check(struct role *r, struct err_info *reterr_info)
{
    static const struct serve no_arguments;
    return settings_read((struct dashboards_role *)r, &no_arguments, reterr_info);
}

/* An absolute path, or one below the home path. */
static struct str below_home(struct dashboards_role *d, struct str path)
{
    bool relative = path.n && path.p[0] != '/' && d->home_path.n;
    return relative ? arena_printf(&d->arena, "%.*s/%.*s", STR_FMT(d->home_path), STR_FMT(path))
                    : arena_str(&d->arena, path);
}

/* The folder the settings name; else what Grafana's packages use, when the role is started as Grafana is and
 * it is there. */
static enum err paths(struct dashboards_role *d, const struct serve *s, struct err_info *info)
{
    static const char packaged[] = "/etc/grafana/provisioning";
    struct settings *set = &d->settings;
    bool as_grafana = s->alone && d->role.config_file.n;
    if (!set->provisioning_path.n && as_grafana && dir_is(packaged)) {
        set->provisioning_path = STR("/etc/grafana/provisioning");
    }
    d->provisioning = below_home(d, set->provisioning_path);
    d->dir = set->data_path.n ? below_home(d, set->data_path)
                              : arena_printf(&d->arena, "%.*s/dashboards", STR_FMT(s->data));
    if (!d->provisioning.p || !d->dir.p) {
        return arena_err(&d->arena);
    }
    set->data_path = d->dir;
    set->provisioning_path = d->provisioning;
    return dir_make(d->dir.p, info);
}

enum err dashboards_settings(struct dashboards_role *d, const struct serve *s, struct err_info *reterr_info)
{
    enum err e = settings_read(d, s, reterr_info);
    e = e ? e : paths(d, s, reterr_info);
    if (!e && d->settings.unused.n) {
        LOG_EVENT(LVL_INFO, "settings_without_effect", F_C("role", "dashboards"),
                  F_STR("keys", d->settings.unused));
    }
    return e;
}

/* -- the first user -------------------------------------------------------------------------------------- */

/* Letters and digits that are not mistaken for each other. */
static enum err password_make(char out[PASSWORD_BYTES + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    unsigned char bytes[PASSWORD_BYTES];
    enum err e = rng_secret(bytes, sizeof(bytes));
    for (size_t i = 0; i < PASSWORD_BYTES && !e; i++) {
        out[i] = letters[bytes[i] % (sizeof(letters) - 1)];
    }
    out[PASSWORD_BYTES] = '\0';
    return e;
}

/* Kept in a file only its owner reads, for whoever did not see it pass by. Never in the journal: others read
 * that, and the agent takes it into the log store. */
static enum err password_keep(const struct dashboards_role *d, const char *password, struct err_info *info)
{
    char path[PATH_DEPTH_MAX], line[PASSWORD_BYTES + 2];
    (void)snprintf(path, sizeof(path), "%s/initial-admin-password", d->dir.p);
    int n = snprintf(line, sizeof(line), "%s\n", password);
    mode_t before = umask(S_IRWXG | S_IRWXO);
    enum err e = file_store(path, str_of(line, (size_t)n), info);
    (void)umask(before);
    bool journal = getenv("JOURNAL_STREAM") != NULL; /* systemd sets it */
    if (!e) {
        (void)printf("dashboards: first start, sign in as %.*s with the password %s%s%s%s\n",
                     STR_FMT(d->settings.admin_user), journal ? "" : password, journal ? "in " : " (also in ",
                     path, journal ? "" : ")");
        (void)fflush(stdout);
    }
    return e;
}

enum err dashboards_first_user(struct dashboards_role *d, struct err_info *reterr_info)
{
    int64_t users = 0, id;
    char made[PASSWORD_BYTES + 1] = "";
    enum err e = auth_user_count(d->db, &users, reterr_info);
    if (e || users) {
        return e;
    }
    if (!d->settings.admin_password.n) {
        e = password_make(made);
    }
    struct auth_user_new admin = {.login = d->settings.admin_user,
                                  .email = STR("admin@localhost"),
                                  .name = STR("Administrator"),
                                  .password = made[0] ? str_c(made) : d->settings.admin_password,
                                  .role = ROLE_ADMIN,
                                  .is_server_admin = true};
    e = e ? e : auth_user_create(d->db, clock_wall_ms(clock_real()), &admin, &id, reterr_info);
    return !e && made[0] ? password_keep(d, made, reterr_info) : e;
}

/* -- content --------------------------------------------------------------------------------------------- */

enum err dashboards_provision(void *ctx, struct err_info *reterr_info)
{
    struct dashboards_role *d = ctx;
    struct provision_report report = {0};
    if (!d->provisioning.n) {
        return ERR_OK;
    }
    mutex_lock(&d->provision_lock);
    enum err e =
        provision_folder(d->db, clock_wall_ms(clock_real()), d->provisioning.p, &report, reterr_info);
    mutex_unlock(&d->provision_lock);
    if (report.problems) {
        char text[1024];
        LOG_EVENT(LVL_WARN, "dashboard_file_skipped", F_U64("files", report.problems),
                  F_C("first", err_render(&report.first_problem, text, sizeof(text))));
    }
    if (report.dashboards_changed || report.dashboards_removed) {
        LOG_EVENT(LVL_INFO, "dashboards_provisioned", F_U64("changed", report.dashboards_changed),
                  F_U64("removed", report.dashboards_removed), F_U64("data_sources", report.data_sources));
    }
    return e;
}

/* "http://127.0.0.1:9090" of a server of this process, as its own host reaches it. */
static struct str local_url(struct dashboards_role *d, const struct serve *s,
                            const struct http_server *server, unsigned port)
{
    const char *scheme = web_config_tls(s->web) ? "https" : "http";
    struct str bound = server ? http_server_address(server) : STR("");
    bool everywhere = str_starts(bound, STR("0.0.0.0:")) || str_starts(bound, STR("[::]:"));
    if (server && !everywhere) {
        return arena_printf(&d->arena, "%s://%.*s", scheme, STR_FMT(bound));
    }
    return arena_printf(&d->arena, "%s://127.0.0.1:%u", scheme, server ? http_server_port(server) : port);
}

static enum err default_source(struct dashboards_role *d, const char *uid, const char *name, const char *type,
                               struct str url, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct data_source before, stored;
    struct data_source ds = {.uid = str_c(uid),
                             .name = str_c(name),
                             .type = str_c(type),
                             .url = url,
                             .is_default = strcmp(uid, "prometheus") == 0,
                             .read_only = true};
    enum err e = data_source_get(d->db, ds.uid, &a, &before, NULL);
    if (!e && (!before.read_only || str_eq(before.url, url))) {
        return ERR_OK; /* someone made it their own, or nothing changed */
    }
    return data_source_put(d->db, &ds, &a, &stored, info);
}

/* Prometheus and Loki as this process, or this host, has them: unless the user named sources. */
static enum err default_sources(struct dashboards_role *d, const struct str urls[2], struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct data_source *rows = NULL;
    size_t n = 0, own = 0;
    enum err e = data_source_list(d->db, &a, &rows, &n, info);
    for (size_t i = 0; i < n; i++) {
        own += str_eq_c(rows[i].uid, "prometheus") || str_eq_c(rows[i].uid, "loki");
    }
    if (e || own < n) {
        return e;
    }
    e = default_source(d, "prometheus", "Prometheus", "prometheus", urls[0], info);
    return e ? e : default_source(d, "loki", "Loki", "loki", urls[1], info);
}

enum err dashboards_content(struct dashboards_role *d, const struct serve *s, struct err_info *reterr_info)
{
    const struct services *v = &s->services;
    struct provision_report report = {0};
    struct str urls[2] = {local_url(d, s, v->metrics_server, 9090), local_url(d, s, v->logs_server, 3100)};
    if (!urls[0].p || !urls[1].p) {
        return arena_err(&d->arena);
    }
    size_t n = 0;
    if (v->metrics_server) {
        d->api.local[n++] = (struct grafana_local_source){urls[0], v->metrics_server};
    }
    if (v->logs_server) {
        d->api.local[n++] = (struct grafana_local_source){urls[1], v->logs_server};
    }
    enum err e = provision_builtin(d->db, clock_wall_ms(clock_real()), &report, reterr_info);
    e = e ? e : dashboards_provision(d, reterr_info);
    return e ? e : default_sources(d, urls, reterr_info);
}
