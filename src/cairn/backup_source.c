/* The locks of the stores tell whether a program uses a folder: then it is asked for a snapshot, which is
 * read and removed; otherwise the files are read as they are, under the locks. */
#include "cairn/backup_source.h"

#include <limits.h>
#include <stdlib.h>

#include "cairn/role_metrics_int.h"
#include "cairn/snapshot.h"
#include "disk/file.h"
#include "metrics/promtsdb/prom_dir.h"

#define POSITIONS_ROOT "agent/positions.yaml"

enum {
    POSITIONS_BYTES_MAX = 64 << 20 /* as the agent reads */
};

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
    if (s->n == BACKUP_SOURCES_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d files and folders to back up; name a folder instead",
                       BACKUP_SOURCES_MAX);
    }
    if (arena_reserve(&s->a, (void **)&s->rows, &s->cap, s->n + 1, sizeof(*s->rows))) {
        return no_memory(info);
    }
    s->rows[s->n++] = (struct backup_source){.path = path.p, .root = root.p, .config = config};
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

/* -- the agent's positions --------------------------------------------------------------------------------
 */

/* Before any store is asked for a snapshot: then what they say was read is in the stores. */
static enum err positions_read(struct backup_sources *s, const struct backup_places *places,
                               struct err_info *info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = POSITIONS_BYTES_MAX};
    struct str path = places->positions.n
                          ? arena_str(&s->a, places->positions)
                          : arena_printf(&s->a, "%.*s/" POSITIONS_ROOT, STR_FMT(places->data));
    if (!path.p) {
        return no_memory(info);
    }
    if (!places->positions.n && (!places->data.n || !file_exists(path.p))) {
        return ERR_OK;
    }
    enum err e = file_load(path.p, &text, info);
    s->positions = e ? s->positions : arena_str(&s->a, buf_view(&text));
    return e ? e : s->positions.p ? ERR_OK : no_memory(info);
}

/* The agent of a program that was asked knows better where they are than we do. */
static enum err positions_add(struct backup_sources *s, bool named, struct err_info *info)
{
    for (size_t i = 0; i < s->program_count && !named; i++) {
        struct str path =
            arena_printf(&s->a, "%.*s/" POSITIONS_ROOT, STR_FMT(s->programs[i].snapshot.folder));
        if (!path.p || file_exists(path.p)) {
            return row_add(s, path, STR(POSITIONS_ROOT), false, info);
        }
    }
    enum err e =
        s->positions.p ? row_add(s, STR("positions.yaml"), STR(POSITIONS_ROOT), false, info) : ERR_OK;
    if (!e && s->positions.p) {
        s->rows[s->n - 1].content = s->positions;
    }
    return e;
}

/* -- a folder of Prometheus --------------------------------------------------------------------------------
 */

/* Every block's folder as it stands: nothing alters or removes them. */
static enum err blocks_add(struct backup_sources *s, struct str dir, struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    struct str last = {0};
    enum err e = prom_dir_files(dir.p, &s->a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        struct str rest = names[i], block = str_cut(&rest, '/');
        if (!str_eq(block, last)) {
            e = row_add(s, arena_printf(&s->a, "%.*s/%.*s", STR_FMT(dir), STR_FMT(block)),
                        arena_printf(&s->a, "metrics/%.*s", STR_FMT(block)), false, info);
        }
        last = block;
    }
    return e;
}

/* Ours, below a Prometheus' folder: that one is meant. */
static struct str above(struct backup_sources *s, struct str dir)
{
    const struct str end = STR("/" METRICS_IN_PLACE_DIR);
    struct str up = str_ends(dir, end) ? arena_str(&s->a, str_slice(dir, 0, dir.n - end.n)) : dir;
    return up.p && up.n < dir.n && metrics_in_place(up.p) ? up : dir;
}

/* -- roles ----------------------------------------------------------------------------------------------- */

/* The program that has the lock of the folder. */
static enum err running_ask(struct backup_sources *s, struct str data, struct str dir, struct err_info *info)
{
    bool found = false;
    enum err e = program_ask(s, dir, &found, info);
    e = e || found ? e : program_ask(s, data, &found, info);
    return e || found ? e
                      : err_set(info, ERR_UNAVAILABLE,
                                "a program uses %s, but no " SNAPSHOT_CONTROL
                                " file there says how to ask it for a snapshot; name its --data, or stop it",
                                dir.p);
}

static enum err role_add(struct backup_sources *s, const struct backup_places *places, size_t role,
                         bool *ret_done, struct err_info *info)
{
    struct str given = places->roles[role];
    struct str dir = given.n ? arena_str(&s->a, given)
                             : arena_printf(&s->a, "%.*s/%s", STR_FMT(places->data), backup_roles[role]);
    *ret_done = false;
    if (!dir.p) {
        return no_memory(info);
    }
    if ((!given.n && !places->data.n) || !dir_is(dir.p)) {
        return given.n ? err_set(info, ERR_NOT_FOUND, "there is no folder %s", dir.p) : ERR_OK;
    }
    dir = role == 0 ? above(s, dir) : dir;
    bool in_place = role == 0 && metrics_in_place(dir.p);
    struct str own = in_place ? arena_printf(&s->a, "%.*s/" METRICS_IN_PLACE_DIR, STR_FMT(dir)) : dir;
    if (!own.p) {
        return no_memory(info);
    }
    if (in_place && prom_dir_busy(dir.p)) {
        return err_set(info, ERR_UNAVAILABLE,
                       "a Prometheus is running in %s; stop it, then its files can be kept", dir.p);
    }
    /* Nothing is written into a Prometheus' folder that has none of ours. */
    enum err e = in_place && !dir_is(own.p) ? ERR_OK : dir_lock(own.p, &s->locks[role], info);
    if (e == ERR_EXISTS) {
        return running_ask(s, places->data, own, info);
    }
    *ret_done = !e;
    return e ? e : row_add(s, dir, str_c(backup_roles[role]), false, info);
}

/* What a snapshot holds of one role. */
static enum err snapshot_add(struct backup_sources *s, const struct snapshot_use *u, size_t role, bool *done,
                             struct err_info *info)
{
    struct str dir = arena_printf(&s->a, "%.*s/%s", STR_FMT(u->folder), backup_roles[role]);
    if (!dir.p) {
        return no_memory(info);
    }
    if (*done || !dir_is(dir.p)) {
        return ERR_OK;
    }
    bool in_place = role == 0 && u->prometheus.n;
    *done = true;
    enum err e = in_place ? blocks_add(s, u->prometheus, info) : ERR_OK;
    return e ? e
             : row_add(s, dir, in_place ? STR("metrics/" METRICS_IN_PLACE_DIR) : str_c(backup_roles[role]),
                       false, info);
}

/* What the snapshots hold, of roles that were asked for or not. */
static enum err snapshots_add(struct backup_sources *s, bool done[BACKUP_ROLES], struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->program_count; i++) {
        for (size_t k = 0; k < BACKUP_ROLES && !e; k++) {
            e = snapshot_add(s, &s->programs[i].snapshot, k, &done[k], info);
        }
    }
    return e;
}

/* The path without links, of what is there of it. */
static struct str whole_path(struct arena *a, struct str path)
{
    char whole[PATH_MAX];
    struct str there = arena_str(a, path);
    for (size_t n = path.n; there.p && n > 0; n--) {
        if (n < path.n && path.p[n] != '/') {
            continue;
        }
        there = arena_str(a, str_slice(path, 0, n));
        if (there.p && realpath(there.p, whole)) {
            return arena_printf(a, "%s%.*s", whole, (int)(path.n - n), path.p + n);
        }
    }
    return realpath(".", whole) ? arena_printf(a, "%s/%.*s", whole, STR_FMT(path)) : path;
}

bool backup_place_inside(const struct backup_places *places, struct str place, struct str *ret_dir,
                         struct arena *a)
{
    struct str to = whole_path(a, place);
    for (size_t i = 0; i < BACKUP_ROLES; i++) {
        struct str given = places->roles[i];
        struct str dir = given.n || !places->data.n
                             ? given
                             : arena_printf(a, "%.*s/%s", STR_FMT(places->data), backup_roles[i]);
        struct str whole = dir.n ? whole_path(a, dir) : dir;
        if (whole.n && str_starts(to, whole) && (to.n == whole.n || to.p[whole.n] == '/')) {
            *ret_dir = dir;
            return true;
        }
    }
    return false;
}

enum err backup_sources_open(const struct backup_places *places, struct backup_sources *ret_s,
                             struct err_info *reterr_info)
{
    bool done[BACKUP_ROLES] = {false};
    enum err e = ERR_OK;
    *ret_s = (struct backup_sources){.locks = {-1, -1, -1}};
    e = positions_read(ret_s, places, reterr_info);
    for (size_t i = 0; i < BACKUP_ROLES && !e; i++) {
        e = role_add(ret_s, places, i, &done[i], reterr_info);
    }
    e = e ? e : snapshots_add(ret_s, done, reterr_info);
    e = e ? e : positions_add(ret_s, places->positions.n > 0, reterr_info);
    for (size_t i = 0; i < places->config.n && !e; i++) {
        e = config_add(ret_s, places->config.items[i], reterr_info);
    }
    if (!e && !done[0] && !done[1] && !done[2] &&
        (places->data.n || (!places->config.n && !places->positions.n))) {
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
