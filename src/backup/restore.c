/* Restoring a backup into folders.
 *
 * Everything is written below DIR/.restoring, whose file .state names the backup; a later call with the same
 * backup keeps what is there whole. When all is there and synced the state turns to "finish" and the entries
 * are moved up, so that DIR never holds half a backup under its names; .restoring goes last. */
#include <sys/stat.h>

#include "backup/backup_int.h"
#include "disk/file.h"

#define WORK_NAME ".restoring"
#define WORK "/" WORK_NAME
#define STATE WORK "/.state"

enum {
    STATE_BYTES_MAX = 1024,
    TARGETS_MAX = 8
};

struct place {
    const struct backup_target *target;
    struct arena *a;
    struct str work, state;
    bool finishing;
    int held; /* the folder: two restores at a time would write over each other's parts */
};

struct restore {
    struct backup_store *from;
    const struct backup_list *list;
    struct str name;
    struct arena *a; /* of the places */
    struct place places[TARGETS_MAX];
    size_t place_count;
    const struct backup_progress *progress;
    struct backup_result result;
    uint64_t total;
};

/* -- where a file goes ----------------------------------------------------------------------------------- */

/* The path below the target's folder; empty: it does not go there. */
static struct str below(const struct backup_target *t, struct str path)
{
    struct str rest = path, root = str_cut(&rest, '/');
    if (!t->root) {
        return str_eq_c(root, "config") ? (struct str){0} : path;
    }
    return str_eq_c(root, t->root) ? rest : (struct str){0};
}

static struct place *place_of(struct restore *r, struct str path, struct str *ret_below)
{
    for (size_t i = 0; i < r->place_count; i++) {
        *ret_below = below(r->places[i].target, path);
        if (ret_below->n) {
            return &r->places[i];
        }
    }
    return NULL;
}

/* -- begin ----------------------------------------------------------------------------------------------- */

/* Whether the folder holds nothing but what an interrupted restore and the making of a file system leave. */
static enum err holds_nothing(const struct place *p, bool *ret_nothing, struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    *ret_nothing = true;
    enum err e = dir_is(p->target->dir) ? dir_list(p->target->dir, p->a, &names, &n, info) : ERR_OK;
    for (size_t i = 0; i < n; i++) {
        *ret_nothing &= str_eq_c(names[i], WORK_NAME) || str_eq_c(names[i], "lost+found");
    }
    return e;
}

/* "write NAME ROOT" or "finish NAME ROOT" */
static struct str state_text(const struct restore *r, const struct place *p, const char *phase)
{
    return arena_printf(r->a, "%s %.*s %s\n", phase, STR_FMT(r->name),
                        p->target->root ? p->target->root : "data");
}

/* What somebody else put there could lead elsewhere. */
static enum err work_is_ours(const struct place *p, struct err_info *info)
{
    struct stat st;
    return lstat(p->work.p, &st) != 0 || S_ISDIR(st.st_mode)
               ? ERR_OK
               : err_set(info, ERR_INVALID, "%s is no folder of a restore; remove it", p->work.p);
}

static enum err place_begin(struct restore *r, struct place *p, struct err_info *info)
{
    struct buf state AUTO_BUF = {.size_bytes_max = STATE_BYTES_MAX};
    struct str writing = state_text(r, p, "write"), finishing = state_text(r, p, "finish");
    bool nothing = false;
    p->work = arena_printf(r->a, "%s" WORK, p->target->dir);
    p->state = arena_printf(r->a, "%s" STATE, p->target->dir);
    if (!p->work.p || !p->state.p || !writing.p || !finishing.p) {
        return err_set(info, ERR_OOM, "no memory for a path");
    }
    enum err e = dir_make(p->target->dir, info);
    e = e ? e : dir_hold(p->target->dir, &p->held, info);
    if (e == ERR_EXISTS) {
        return err_set(info, ERR_UNAVAILABLE, "another restore works on %s; wait for it", p->target->dir);
    }
    e = e ? e : work_is_ours(p, info);
    e = e ? e : file_exists(p->state.p) ? file_load(p->state.p, &state, info) : ERR_OK;
    p->finishing = !e && str_eq(buf_view(&state), finishing);
    if (e || p->finishing) {
        return e;
    }
    e = holds_nothing(p, &nothing, info);
    if (!e && !nothing) {
        e = err_set(info, ERR_EXISTS, "%s is not empty; restore into a folder that is, or does not exist",
                    p->target->dir);
    }
    if (!e && !str_eq(buf_view(&state), writing)) { /* nothing there, or of another backup */
        e = dir_remove(p->work.p, info);
        e = e ? e : dir_make(p->work.p, info);
        e = e ? e : file_store(p->state.p, writing, info);
    }
    return e;
}

/* -- files ----------------------------------------------------------------------------------------------- */

/* Whether an earlier run wrote it whole, permissions included: an empty file has nothing else to show. */
static bool is_there(const struct restore *r, const struct backup_file *f, const char *path)
{
    struct file_map map = {0};
    struct stat st;
    if (lstat(path, &st) != 0 || (st.st_mode & 0777U) != f->mode || file_map(path, &map, NULL)) {
        return false;
    }
    bool same = map.data.n == f->size_bytes;
    for (size_t i = 0; same && i < backup_piece_count(r->list, f); i++) {
        char name[BACKUP_HASH_CHARS + 1];
        size_t at = i * (size_t)r->list->piece_bytes;
        backup_piece_name(r->from->key, str_slice(map.data, at, at + (size_t)piece_bytes(r->list, f, i)),
                          name);
        same = str_eq(str_c(name), backup_piece(f, i));
    }
    file_unmap(&map);
    return same;
}

/* The system's reason with the file it is about. */
static enum err about(const char *path, enum err e, struct err_info *info)
{
    struct err_info why = info ? *info : (struct err_info){0};
    return e ? err_set(info, e, "%s: %.400s", path, why.message) : ERR_OK;
}

static enum err file_fetch(struct restore *r, const struct backup_file *f, const char *path,
                           struct err_info *info)
{
    struct buf bytes AUTO_BUF = {.size_bytes_max = 2 * (size_t)PIECE_BYTES_MAX};
    int fd = -1;
    enum err e = file_remove(path, info);
    e = e ? e : file_open(path, FILE_WRITE_NEW, &fd, info);
    e = e ? e : file_mode_set(fd, f->mode, info);
    for (size_t i = 0; i < backup_piece_count(r->list, f) && !e; i++) {
        buf_reset(&bytes);
        e = piece_read(r->from, r->list, f, i, &bytes, info);
        e = e ? e : about(path, file_write(fd, bytes.p, bytes.n, info), info);
        r->result.bytes_copied += e ? 0 : bytes.n;
        progress_tell(r->progress, r->result.bytes + (i + 1) * r->list->piece_bytes, r->total);
    }
    e = e ? e : about(path, file_sync_data(fd, info), info);
    file_close(fd);
    return e;
}

static enum err file_restore(struct restore *r, const struct backup_file *f, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct str under = {0};
    struct place *p = place_of(r, f->path, &under);
    if (!p) {
        return ERR_OK;
    }
    struct str path = p->finishing ? (struct str){0} : arena_printf(&a, "%s/%.*s", p->work.p, STR_FMT(under));
    struct str folder = path;
    while (folder.n && folder.p[folder.n - 1] != '/') {
        folder.n--;
    }
    folder = path.p ? arena_str(&a, folder) : path;
    enum err e = ERR_OK;
    if (!p->finishing) {
        e = folder.p ? dir_make(folder.p, info) : err_set(info, ERR_OOM, "no memory for a path");
        e = e || is_there(r, f, path.p) ? e : file_fetch(r, f, path.p, info);
        e = e ? e : dir_sync(folder.p, info);
    }
    r->result.files += !e;
    r->result.bytes += e ? 0 : f->size_bytes;
    progress_tell(r->progress, r->result.bytes, r->total);
    return e;
}

/* -- end ------------------------------------------------------------------------------------------------- */

/* Every entry gets its name in the folder itself. */
static enum err place_finish(struct restore *r, struct place *p, struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = dir_sync(p->work.p, info);
    e = e || p->finishing ? e : file_store(p->state.p, state_text(r, p, "finish"), info);
    e = e ? e : dir_list(p->work.p, r->a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        struct str from = arena_printf(r->a, "%s/%.*s", p->work.p, STR_FMT(names[i])),
                   to = arena_printf(r->a, "%s/%.*s", p->target->dir, STR_FMT(names[i]));
        if (!from.p || !to.p) {
            return err_set(info, ERR_OOM, "no memory for a path");
        }
        e = str_eq_c(names[i], ".state") ? ERR_OK : file_rename(from.p, to.p, info);
    }
    e = e ? e : dir_sync(p->target->dir, info);
    e = e ? e : dir_remove(p->work.p, info);
    e = e ? e : dir_sync(p->target->dir, info);
    return e ? e : dir_sync_parent(p->target->dir, info);
}

static enum err places_begin(struct restore *r, const struct backup_target *targets, size_t n,
                             struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && i < ARRAY_LEN(r->places) && !e; i++) {
        r->places[i] = (struct place){.target = &targets[i], .a = r->a, .held = -1};
        e = place_begin(r, &r->places[i], info);
        r->place_count++;
    }
    for (size_t i = 0; i < r->list->n; i++) {
        struct str unused = {0};
        r->total += place_of(r, r->list->files[i].path, &unused) ? r->list->files[i].size_bytes : 0;
    }
    return e;
}

enum err backup_restore(struct backup_store *from, struct str name, const struct backup_target *targets,
                        size_t target_count, const struct backup_progress *progress,
                        struct backup_result *ret_result, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_list list = {0};
    struct restore r = {.from = from, .list = &list, .name = name, .a = &a, .progress = progress};
    enum err e = list_load(from, name, &a, &list, reterr_info);
    e = e ? e : places_begin(&r, targets, target_count, reterr_info);
    for (size_t i = 0; i < list.n && !e; i++) {
        e = file_restore(&r, &list.files[i], reterr_info);
    }
    for (size_t i = 0; i < r.place_count && !e; i++) {
        e = place_finish(&r, &r.places[i], reterr_info);
    }
    for (size_t i = 0; i < r.place_count; i++) {
        dir_unlock(r.places[i].held);
    }
    if (!e) {
        *ret_result = r.result;
    }
    return e;
}
