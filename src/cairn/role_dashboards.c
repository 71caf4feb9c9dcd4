/* The role dashboards: what Grafana does, on its port, with its flags. Life and wiring; what happens at start
 * is role_dashboards_start.c.
 *
 * In one process the other roles' data sources are asked without a socket. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_dashboards_int.h"
#include "disk/file.h"

#define AT(field) offsetof(struct dashboards_role, field)

enum {
    SCAN_INTERVAL_S = 10, /* Grafana's updateIntervalSeconds */
    STOP_GRACE_MS = 3000
};

static const struct flag flags[] = {
    {"config", FLAG_STR, offsetof(struct role, config_file), "", "grafana.ini"},
    {"homepath", FLAG_STR, AT(home_path), "", "folder that relative paths of grafana.ini start from"},
    {"pidfile", FLAG_STR, AT(pid_file), "", "file to write the process id to"},
    {"packaging", FLAG_STR, AT(packaging), "", NULL},
};

static struct role *make(void)
{
    struct dashboards_role *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return NULL;
    }
    d->role.ops = &role_dashboards;
    d->lock_fd = -1;
    mutex_init(&d->provision_lock);
    mutex_init(&d->scan_lock);
    cond_init(&d->scan_wake);
    return &d->role;
}

static size_t flag_sets(struct role *r, struct flag_set *sets, size_t max)
{
    (void)max;
    sets[0] = (struct flag_set){"Grafana's own", flags, ARRAY_LEN(flags), r};
    return 1;
}

/* Pages of a role that is still loading say so. Also the handler of pages whose path the API has for other
 * methods. */
static void not_found(void *ctx, struct http_req *r)
{
    struct dashboards_role *d = ctx;
    if (atomic_load_explicit(&d->ready, memory_order_acquire)) {
        page_not_found(&d->page, r);
    } else {
        http_res_send(r, 503, "text/plain; charset=utf-8", STR("The dashboards are loading.\n"));
    }
}

static const struct http_route pages[] = {{"GET", "/login", not_found, HTTP_NO_AUTH, 0, "page"}};

static enum err pid_write(const struct dashboards_role *d, struct err_info *reterr_info)
{
    char text[32];
    if (!d->pid_file.n) {
        return ERR_OK;
    }
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    return file_store(d->pid_file.p, str_of(text, (size_t)n), reterr_info);
}

static enum err listen_role(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct dashboards_role *d = (struct dashboards_role *)r;
    enum err e = dashboards_settings(d, s, reterr_info);
    if (e) {
        return e;
    }
    const struct settings *set = &d->settings;
    struct str own = {0};
    if (set->http_addr.n || set->http_port != r->ops->port) {
        own =
            arena_printf(&d->arena, "%.*s:%llu", STR_FMT(set->http_addr), (unsigned long long)set->http_port);
    }
    char *address = role_address(r, s, own);
    if (!address) {
        return err_set(reterr_info, ERR_OOM, "no memory for an address");
    }
    struct http_server_options o = {.role = "dashboards",
                                    .listen_fd = role_listen_fd(r),
                                    .listen_address = str_c(address),
                                    .web = s->web,
                                    .path_prefix = set->sub_path,
                                    .loading = "The dashboards are loading.",
                                    .not_found = not_found,
                                    .not_found_ctx = d};
    e = http_server_start(&o, &d->server, reterr_info);
    mem_free(address);
    if (!e) {
        s->services.dashboards_server = d->server;
        e = pid_write(d, reterr_info);
    }
    return e;
}

/* -- parts ----------------------------------------------------------------------------------------------- */

static void scan_main(void *ctx)
{
    struct dashboards_role *d = ctx;
    mutex_lock(&d->scan_lock);
    while (!d->stopping) {
        int64_t until = clock_mono_ns(clock_real()) + SCAN_INTERVAL_S * NS_PER_S;
        while (!d->stopping && cond_wait_until(&d->scan_wake, &d->scan_lock, until)) {
        }
        if (d->stopping) {
            break;
        }
        mutex_unlock(&d->scan_lock);
        struct err_info info = {0};
        if (dashboards_provision(d, &info)) {
            char text[1024];
            LOG_EVENT(LVL_ERROR, "provisioning_failed", F_C("reason", err_render(&info, text, sizeof(text))),
                      F_C("instead", "what was provisioned before stays"));
        }
        mutex_lock(&d->scan_lock);
    }
    mutex_unlock(&d->scan_lock);
}

static enum err parts_make(struct dashboards_role *d, struct err_info *reterr_info)
{
    struct auth_tries *tries = NULL;
    struct str path = arena_printf(&d->arena, "%s/cairn.db", d->dir.p);
    enum err e = path.p ? dir_lock(d->dir.p, &d->lock_fd, reterr_info) : arena_err(&d->arena);
    e = e ? e : db_open(path.p, &d->db, reterr_info);
    e = e ? e : http_client_new("dashboards", &d->client);
    e = e ? e : auth_tries_new(&tries);
    d->api = (struct grafana_api){
        .db = d->db,
        .clock = clock_real(),
        .tries = tries,
        .settings = &d->settings,
        .client = d->client,
        .cairn_version = str_c(CAIRN_VERSION),
        .anonymous_role = d->settings.anonymous ? d->settings.anonymous_role : ROLE_NONE,
        .provision = d->provisioning.n ? dashboards_provision : NULL,
        .provision_ctx = d,
    };
    d->page = (struct page){.role = "dashboards",
                            .boot = grafana_page_boot,
                            .ctx = &d->api,
                            .api_in_json = true,
                            .allow_embedding = d->settings.allow_embedding,
                            .sub_path = d->settings.sub_path};
    return e;
}

static enum err start(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct dashboards_role *d = (struct dashboards_role *)r;
    enum err e = parts_make(d, reterr_info);
    e = e ? e : dashboards_first_user(d, reterr_info);
    e = e ? e : dashboards_content(d, s, reterr_info);
    e = e ? e : grafana_api_routes(&d->api, d->server);
    e = e ? e : http_server_routes(d->server, pages, ARRAY_LEN(pages), d);
    if (!e && d->provisioning.n) {
        e = thread_start(&d->scanner, "provisioning", scan_main, d);
    }
    if (e) {
        return reterr_info->message[0] ? e : err_set(reterr_info, e, "dashboards: %s", err_text(e));
    }
    r->dir = d->dir;
    atomic_store_explicit(&d->ready, true, memory_order_release);
    http_server_set_loading(d->server, NULL);
    return ERR_OK;
}

static void reload(struct role *r)
{
    struct err_info info = {0};
    char text[1024];
    if (dashboards_provision(r, &info)) {
        LOG_EVENT(LVL_ERROR, "reload_failed", F_C("role", "dashboards"),
                  F_C("reason", err_render(&info, text, sizeof(text))));
    }
}

static enum err snapshot(struct role *r, const char *to, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct str dir = arena_printf(&a, "%s/dashboards", to),
               path = arena_printf(&a, "%s/dashboards/cairn.db", to);
    enum err e = dir.p && path.p ? dir_make(dir.p, reterr_info)
                                 : err_set(reterr_info, ERR_OOM, "no memory for a path");
    return e ? e : db_backup(((struct dashboards_role *)r)->db, path.p, reterr_info);
}

static void files(struct role *r, void (*name)(void *ctx, struct str path), void *ctx)
{
    const struct dashboards_role *d = (const struct dashboards_role *)r;
    if (d->provisioning.n && dir_is(d->provisioning.p)) {
        name(ctx, d->provisioning);
    }
}

static void stop(struct role *r)
{
    struct dashboards_role *d = (struct dashboards_role *)r;
    mutex_lock(&d->scan_lock);
    d->stopping = true;
    cond_signal(&d->scan_wake);
    mutex_unlock(&d->scan_lock);
    thread_join(&d->scanner);
    http_server_stop(d->server, STOP_GRACE_MS);
    http_client_free(d->client);
    auth_tries_free(d->api.tries);
    db_close(d->db);
    dir_unlock(d->lock_fd);
    struct err_info info = {0};
    if (d->pid_file.n && file_remove(d->pid_file.p, &info)) {
        LOG_EVENT(LVL_WARN, "pid_file_left", F_C("reason", info.message));
    }
    cond_done(&d->scan_wake);
    mutex_done(&d->scan_lock);
    mutex_done(&d->provision_lock);
    arena_done(&d->arena);
    mem_free(d);
}

const struct role_ops role_dashboards = {
    .name = "dashboards",
    .replaces = "Grafana",
    .port = 3000,
    .takes_arguments = true,
    .make = make,
    .flags = flag_sets,
    .check = dashboards_check,
    .listen = listen_role,
    .start = start,
    .snapshot = snapshot,
    .files = files,
    .reload = reload,
    .stop = stop,
};
