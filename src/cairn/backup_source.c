/* The locks of the stores tell whether a program uses a folder: then it is asked for a snapshot, which is
 * read and removed; otherwise the files are read as they are, under the locks. */
#include "cairn/backup_source.h"

#include "cairn/snapshot.h"
#include "disk/file.h"

const char *const backup_roles[BACKUP_ROLES] = {"metrics", "logs", "dashboards"};

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_OOM, "no memory for a path");
}

static enum err row_add(struct backup_sources *s, struct str path, struct str root, bool config,
                        struct err_info *info)
{
    if (!path.p || !root.p) {
        return no_memory(info);
    }
    if (s->n == ARRAY_LEN(s->rows)) {
        return err_set(info, ERR_LIMIT, "more than %zu files and folders to back up; name a folder instead",
                       ARRAY_LEN(s->rows));
    }
    s->rows[s->n++] = (struct backup_source){path.p, root.p, config};
    return ERR_OK;
}

/* -- configuration --------------------------------------------------------------------------------------- */

/* Kept as config/ and the absolute path. */
static enum err config_add(struct backup_sources *s, struct str path, struct err_info *info)
{
    while (path.n > 1 && path.p[path.n - 1] == '/') {
        path.n--;
    }
    struct str whole = arena_str(&s->a, path);
    if (path.n < 2 || path.p[0] != '/' ||
        !backup_path_valid(arena_printf(&s->a, "config%.*s", STR_FMT(path)))) {
        return err_set(info, ERR_INVALID, "--config=%.*s: give an absolute path without \".\" and \"..\"",
                       STR_FMT(path));
    }
    return row_add(s, whole, arena_printf(&s->a, "config%.*s", STR_FMT(path)), true, info);
}

/* -- a running program ----------------------------------------------------------------------------------- */

/* The program whose control file is in the folder: asked once, however many roles it has. *ret_found: there
 * is such a file. */
static enum err program_ask(struct backup_sources *s, struct str base, bool *ret_found, struct err_info *info)
{
    *ret_found = true;
    for (size_t i = 0; i < s->program_count; i++) {
        if (str_eq(s->programs[i].base, base)) {
            return ERR_OK;
        }
    }
    if (!snapshot_offered(&s->a, base)) {
        *ret_found = false;
        return ERR_OK;
    }
    struct backup_program *p = &s->programs[s->program_count++];
    p->base = base;
    enum err e = snapshot_take(&s->a, base, &p->snapshot, info);
    for (size_t i = 0; i < p->snapshot.file_count && !e; i++) {
        e = config_add(s, p->snapshot.files[i], info);
    }
    return e;
}

/* -- roles ----------------------------------------------------------------------------------------------- */

static enum err role_add(struct backup_sources *s, const struct backup_places *places, size_t role,
                         bool *ret_done, struct err_info *info)
{
    struct str given = places->roles[role];
    struct str dir = given.n ? arena_str(&s->a, given)
                             : arena_printf(&s->a, "%.*s/%s", STR_FMT(places->data), backup_roles[role]);
    bool found = false;
    *ret_done = false;
    if (!dir.p) {
        return no_memory(info);
    }
    if ((!given.n && !places->data.n) || !dir_is(dir.p)) {
        return given.n ? err_set(info, ERR_NOT_FOUND, "there is no folder %s", dir.p) : ERR_OK;
    }
    enum err e = dir_lock(dir.p, &s->locks[role], info);
    if (e == ERR_EXISTS) { /* a program runs */
        e = program_ask(s, dir, &found, info);
        e = e || found ? e : program_ask(s, places->data, &found, info);
        if (!e && !found) {
            e = err_set(info, ERR_UNAVAILABLE,
                        "a program uses %s, but no " SNAPSHOT_CONTROL
                        " file there says how to ask it for a snapshot; name its --data, or stop it",
                        dir.p);
        }
        return e;
    }
    *ret_done = !e;
    return e ? e : row_add(s, dir, str_c(backup_roles[role]), false, info);
}

/* What the snapshots hold, of roles that were asked for or not. */
static enum err snapshots_add(struct backup_sources *s, bool done[BACKUP_ROLES], struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->program_count; i++) {
        for (size_t k = 0; k < BACKUP_ROLES && !e; k++) {
            struct str dir =
                arena_printf(&s->a, "%.*s/%s", STR_FMT(s->programs[i].snapshot.folder), backup_roles[k]);
            if (!dir.p || (!done[k] && dir_is(dir.p))) {
                e = row_add(s, dir, str_c(backup_roles[k]), false, info);
                done[k] = true;
            }
        }
    }
    return e;
}

enum err backup_sources_open(const struct backup_places *places, struct backup_sources *ret_s,
                             struct err_info *reterr_info)
{
    bool done[BACKUP_ROLES] = {false};
    enum err e = ERR_OK;
    *ret_s = (struct backup_sources){.locks = {-1, -1, -1}};
    for (size_t i = 0; i < BACKUP_ROLES && !e; i++) {
        e = role_add(ret_s, places, i, &done[i], reterr_info);
    }
    e = e ? e : snapshots_add(ret_s, done, reterr_info);
    for (size_t i = 0; i < places->config.n && !e; i++) {
        e = config_add(ret_s, places->config.items[i], reterr_info);
    }
    if (!e && !done[0] && !done[1] && !done[2] && (places->data.n || !places->config.n)) {
        e = err_set(
            reterr_info, ERR_NOT_FOUND,
            "%.*s holds none of the folders metrics, logs and dashboards; name a role's own folder with "
            "--metrics-data, --logs-data, --dashboards-data",
            STR_FMT(places->data));
    }
    return e;
}

void backup_sources_close(struct backup_sources *s)
{
    for (size_t i = 0; i < BACKUP_ROLES; i++) {
        dir_unlock(s->locks[i]);
    }
    for (size_t i = 0; i < s->program_count; i++) {
        snapshot_drop(&s->programs[i].snapshot);
    }
    arena_done(&s->a);
}
