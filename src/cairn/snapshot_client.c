/* One request to a program on this host.
 *
 * BASE/snapshots is locked while a snapshot is asked for, the snapshot itself as long as it is used: so what
 * is not locked was left behind by a process that was killed. */
#include "cairn/snapshot_client.h"

#include "backup/backup.h"
#include "cairn/snapshot.h"
#include "codec/json.h"
#include "disk/file.h"
#include "net/http_client.h"

enum {
    SNAPSHOT_TIMEOUT_MS = 600 * 1000,
    CONTROL_BYTES_MAX = 4096
};

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_OOM, "no memory for a path");
}

/* Nobody begins to use one meanwhile: the caller has the folder's lock. */
static enum err leftovers_remove(struct arena *a, struct str folder, struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = dir_list(folder.p, a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        int fd = -1;
        struct str path = arena_printf(a, "%.*s/%.*s", STR_FMT(folder), STR_FMT(names[i]));
        if (!path.p) {
            return no_memory(info);
        }
        if (str_starts(names[i], STR(SNAPSHOT_NAME_BEGINS)) && dir_lock(path.p, &fd, NULL) == ERR_OK) {
            e = dir_remove(path.p, info);
            dir_unlock(fd);
        }
    }
    return e;
}

static enum err answer_read(struct arena *a, struct str folder, const struct http_answer *answer,
                            struct snapshot_use *u, struct err_info *info)
{
    const struct json_value *root = NULL;
    enum err e = json_parse(a, buf_view(&answer->body), &root, info);
    const struct json_value *name = e ? NULL : json_get(root, STR("name")),
                            *why = e ? NULL : json_get(root, STR("error")),
                            *files = e ? NULL : json_get(root, STR("files"));
    if (!e && (answer->status != 200 || !name || !backup_name_valid(name->string))) {
        return err_set(info, ERR_EXECUTION, "the program refused a snapshot (HTTP %d): %.*s", answer->status,
                       STR_FMT(why ? why->string : STR("without a reason")));
    }
    if (e) {
        return e;
    }
    const struct json_value *prometheus = json_get(root, STR("prometheus"));
    u->prometheus = prometheus ? arena_str(a, prometheus->string) : (struct str){0};
    struct str *list = arena_array(a, (files ? files->count : 0) + 1, sizeof(*list));
    u->folder = arena_printf(a, "%.*s/%.*s", STR_FMT(folder), STR_FMT(name->string));
    if (!list || !u->folder.p || (prometheus && !u->prometheus.p)) {
        u->folder = (struct str){0};
        return no_memory(info);
    }
    u->files = list;
    for (const struct json_value *f = files ? files->child : NULL; f; f = f->next) {
        list[u->file_count] = arena_str(a, f->string); /* the answer goes away */
        if (!list[u->file_count++].p) {
            return no_memory(info);
        }
    }
    return ERR_OK;
}

static enum err ask(struct arena *a, struct str control, struct str folder, struct snapshot_use *u,
                    struct err_info *info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = CONTROL_BYTES_MAX};
    struct http_client *client = NULL;
    struct http_answer answer = {0};
    enum err e = file_load(control.p, &text, info);
    struct str secret = str_trim(buf_view(&text)), url = str_cut(&secret, ' ');
    const struct http_header header = {STR(SNAPSHOT_SECRET_HEADER), secret};
    const struct http_call call = {.method = STR("POST"),
                                   .url = url,
                                   .headers = &header,
                                   .header_count = 1,
                                   .timeout_ms = SNAPSHOT_TIMEOUT_MS};
    e = e ? e : http_client_new("snapshot", &client);
    e = e ? e : http_client_do(client, &call, &answer, info);
    http_client_free(client);
    e = e ? e : answer_read(a, folder, &answer, u, info);
    http_answer_done(&answer);
    return e ? e : dir_lock(u->folder.p, &u->lock_fd, info);
}

bool snapshot_offered(struct arena *a, struct str base)
{
    struct str control = arena_printf(a, "%.*s/" SNAPSHOT_CONTROL, STR_FMT(base));
    return base.n && control.p && file_exists(control.p);
}

enum err snapshot_take(struct arena *a, struct str base, struct snapshot_use *ret_use, struct err_info *info)
{
    struct snapshot_use u = {.lock_fd = -1};
    int fd = -1;
    struct str control = arena_printf(a, "%.*s/" SNAPSHOT_CONTROL, STR_FMT(base)),
               folder = arena_printf(a, "%.*s/" SNAPSHOT_FOLDER, STR_FMT(base));
    if (!control.p || !folder.p) {
        return no_memory(info);
    }
    enum err e = dir_make(folder.p, info);
    e = e ? e : dir_lock(folder.p, &fd, info);
    if (e == ERR_EXISTS) {
        return err_set(info, ERR_UNAVAILABLE,
                       "another command asks the program of %.*s for a snapshot; try again", STR_FMT(base));
    }
    e = e ? e : leftovers_remove(a, folder, info);
    e = e ? e : ask(a, control, folder, &u, info);
    dir_unlock(fd);
    if (e) {
        snapshot_drop(&u);
    } else {
        *ret_use = u;
    }
    return e;
}

void snapshot_drop(struct snapshot_use *u)
{
    if (u->folder.n) {
        (void)(dir_remove(u->folder.p, NULL) == ERR_OK);
        dir_unlock(u->lock_fd);
    }
    *u = (struct snapshot_use){0};
}
