/* The snapshot endpoint: BASE/control says where it is and holds its secret. */
#include "cairn/snapshot.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "codec/json.h"
#include "disk/file.h"

enum {
    STAMP_BYTES = 64,
    ANSWER_BYTES_MAX = 1 << 20 /* names of files */
};

/* -- the request ----------------------------------------------------------------------------------------- */

static void refuse(struct http_req *r, int status, struct str why)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 4096};
    struct json_writer w = json_writer(&b);
    json_object_begin(&w);
    json_key(&w, "status");
    json_str(&w, STR("error"));
    json_key(&w, "error");
    json_str(&w, why);
    json_object_end(&w);
    http_res_send_buf(r, status, "application/json", &b);
}

/* Takes as long for any wrong secret. */
static bool secret_right(const struct snapshots *s, struct str given)
{
    struct str own = str_c(s->secret);
    unsigned char different = given.n != own.n;
    for (size_t i = 0; i < own.n; i++) {
        different |= (unsigned char)(own.p[i] ^ (i < given.n ? given.p[i] : 0));
    }
    return !different;
}

static bool allowed(const struct snapshots *s, const struct http_req *r)
{
    struct str peer = http_req_peer(r);
    bool here = str_starts(peer, STR("127.")) || str_starts(peer, STR("[::1]")) ||
                str_starts(peer, STR("[::ffff:127."));
    return here && secret_right(s, http_req_header(r, SNAPSHOT_SECRET_HEADER));
}

/* backup-20060102T150405Z-0123abcd; cairn backup removes what is called so and was left behind. */
static enum err name_make(char name[STAMP_BYTES])
{
    uint32_t random = 0;
    time_t now = time(NULL);
    struct tm t;
    char stamp[32];
    if (rng_secret(&random, sizeof(random)) || !gmtime_r(&now, &t) ||
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &t) == 0) {
        return ERR_INTERNAL;
    }
    (void)snprintf(name, STAMP_BYTES, SNAPSHOT_NAME_BEGINS "%s-%08x", stamp, random);
    return ERR_OK;
}

/* Every role's part below BASE/snapshots/NAME, or nothing. lock held. */
static enum err snapshot_make(struct snapshots *s, const char *name, struct arena *a, struct json_writer *w,
                              struct err_info *info)
{
    struct str path = arena_printf(a, "%.*s/" SNAPSHOT_FOLDER "/%s", STR_FMT(s->base), name);
    enum err e = path.p ? dir_make(path.p, info) : err_set(info, ERR_OOM, "no memory for a path");
    /* The agent's positions first: what they say was read is in the stores by then. */
    for (size_t i = 0; i < 2 * s->role_count && !e; i++) {
        struct role *r = s->roles[i % s->role_count];
        bool first = r->ops == &role_agent;
        if (r->ops->snapshot && first == (i < s->role_count)) {
            e = r->ops->snapshot(r, path.p, info);
            json_str(w, str_c(r->ops->name));
        }
    }
    e = e ? e : dir_sync(path.p, info);
    if (e && path.p) {
        (void)(dir_remove(path.p, NULL) == ERR_OK);
    }
    return e;
}

struct naming {
    struct json_writer *w;
    struct arena *a;
};

/* Relative to the working folder as the roles are told, absolute in the answer. */
static void name_file(void *ctx, struct str path)
{
    struct naming *n = ctx;
    struct str text = arena_str(n->a, path);
    char whole[PATH_MAX];
    if (path.n && text.p && realpath(text.p, whole)) { /* else there is nothing to keep */
        json_str(n->w, path.p[0] == '/' ? path : str_c(whole));
    }
}

static void files_write(const struct snapshots *s, struct json_writer *w, struct arena *a)
{
    struct naming n = {w, a};
    json_key(w, "files");
    json_array_begin(w);
    name_file(&n, s->serve->config_file);
    name_file(&n, s->serve->web_file);
    for (size_t i = 0; i < s->role_count; i++) {
        name_file(&n, s->roles[i]->config_file);
        if (s->roles[i]->ops->files) {
            s->roles[i]->ops->files(s->roles[i], name_file, &n);
        }
    }
    json_array_end(w);
}

/* The blocks of a Prometheus need no snapshot: nothing alters them. */
static void prometheus_write(const struct snapshots *s, struct json_writer *w)
{
    char whole[PATH_MAX];
    for (size_t i = 0; i < s->role_count; i++) {
        struct str dir = s->roles[i]->prometheus_dir;
        if (dir.n && realpath(dir.p, whole)) {
            json_key(w, "prometheus");
            json_str(w, str_c(whole));
        }
    }
}

static void post(void *ctx, struct http_req *r)
{
    struct snapshots *s = ctx;
    struct err_info info = {0};
    struct buf b AUTO_BUF = {.size_bytes_max = ANSWER_BYTES_MAX};
    struct json_writer w = json_writer(&b);
    char name[STAMP_BYTES] = "";
    if (!allowed(s, r)) {
        refuse(r, 403, STR("only for cairn backup on this host, which reads the secret in the data folder"));
        return;
    }
    enum err e = name_make(name);
    json_object_begin(&w);
    json_key(&w, "name");
    json_str(&w, str_c(name));
    json_key(&w, "roles");
    json_array_begin(&w);
    mutex_lock(&s->lock);
    e = e         ? e
        : s->open ? snapshot_make(s, name, http_req_arena(r), &w, &info)
                  : err_set(&info, ERR_UNAVAILABLE, "the program is starting or stopping");
    mutex_unlock(&s->lock);
    json_array_end(&w);
    files_write(s, &w, http_req_arena(r));
    prometheus_write(s, &w);
    json_object_end(&w);
    if (e) {
        refuse(r, err_http_status(e), str_c(info.message[0] ? info.message : err_text(e)));
        return;
    }
    LOG_EVENT(LVL_INFO, "snapshot_made", F_C("name", name));
    http_res_send_buf(r, 200, "application/json", &b);
}

static const struct http_route routes[] = {
    {.method = "POST", .path = SNAPSHOT_PATH, .handler = post, .flags = HTTP_NO_AUTH, .name = SNAPSHOT_PATH},
};

/* -- life ------------------------------------------------------------------------------------------------ */

static struct http_server *any_server(const struct serve *serve)
{
    const struct services *v = &serve->services;
    return v->metrics_server ? v->metrics_server : v->logs_server ? v->logs_server : v->dashboards_server;
}

/* The data folder when a role keeps its data below it; else the folder of the first that keeps any. */
static struct str base_of(const struct serve *serve, struct role *const *roles, size_t role_count)
{
    struct str first = {0}, data = serve->data;
    for (size_t i = 0; i < role_count; i++) {
        struct str dir = roles[i]->dir;
        if (dir.n > data.n && str_starts(dir, data) && dir.p[data.n] == '/') {
            return data;
        }
        first = first.n ? first : dir;
    }
    return first;
}

static enum err secret_make(struct snapshots *s)
{
    unsigned char bytes[SNAPSHOT_SECRET_BYTES];
    enum err e = rng_secret(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes) && !e; i++) {
        (void)snprintf(s->secret + 2 * i, 3, "%02x", bytes[i]);
    }
    return e;
}

/* Only its owner may read it. */
static enum err control_write(struct snapshots *s, const struct http_server *server, struct err_info *info)
{
    struct buf path AUTO_BUF = {.size_bytes_max = 4096}, text AUTO_BUF = {.size_bytes_max = 4096};
    struct str bound = http_server_address(server);
    bool v6 = str_starts(bound, STR("[")) && !str_starts(bound, STR("[::]"));
    buf_printf(&path, "%.*s/" SNAPSHOT_CONTROL, STR_FMT(s->base));
    s->control = buf_take(&path, NULL);
    buf_printf(&text, "http%s://%s:%u%s %s\n", web_config_tls(s->serve->web) ? "s" : "",
               v6 ? "[::1]" : "127.0.0.1", http_server_port(server), SNAPSHOT_PATH, s->secret);
    if (!s->control || text.err) {
        return err_set(info, ERR_OOM, "no memory for %.*s/" SNAPSHOT_CONTROL, STR_FMT(s->base));
    }
    mode_t before = umask(S_IRWXG | S_IRWXO);
    enum err e = file_store(s->control, buf_view(&text), info);
    (void)umask(before);
    return e;
}

void snapshots_start(struct snapshots *s, const struct serve *serve, struct role *const *roles,
                     size_t role_count)
{
    struct err_info info = {0};
    struct http_server *server = any_server(serve);
    *s = (struct snapshots){.serve = serve, .roles = roles, .role_count = role_count};
    mutex_init(&s->lock);
    s->base = base_of(serve, roles, role_count);
    if (!server || !s->base.n) {
        return;
    }
    enum err e = secret_make(s);
    e = e ? e : http_server_routes(server, routes, ARRAY_LEN(routes), s);
    e = e ? e : control_write(s, server, &info);
    if (e) {
        LOG_EVENT(LVL_WARN, "no_snapshots", F_C("reason", info.message[0] ? info.message : err_text(e)),
                  F_C("instead", "cairn backup works when the program is stopped"));
    }
    mutex_lock(&s->lock);
    s->open = !e;
    mutex_unlock(&s->lock);
}

void snapshots_stop(struct snapshots *s)
{
    mutex_lock(&s->lock);
    s->open = false;
    mutex_unlock(&s->lock);
    if (s->control) {
        (void)(file_remove(s->control, NULL) == ERR_OK);
    }
    mem_free(s->control);
    s->control = NULL;
}
