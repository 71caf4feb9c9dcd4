/* Writing a backup: walk, hash, put what is missing, the list last. */
#include <errno.h>
#include <sys/stat.h>

#include "backup/backup_int.h"
#include "disk/file.h"

/* What a store makes anew by itself, or what is no use elsewhere. */
static const char *const left_out[] = {"lock", "quarantine", "snapshots", "initial-admin-password"};

struct walk {
    struct arena *a;
    struct backup_list *list;
    const char **paths; /* of the files on disk, as in the list */
    size_t path_cap;
    uint64_t bytes;
};

static bool is_left_out(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
        if (str_eq_c(name, left_out[i])) {
            return true;
        }
    }
    return str_ends(name, STR(".tmp"));
}

static enum err file_add(struct walk *w, const char *path, struct str key, uint64_t size,
                         struct err_info *info)
{
    struct backup_list *l = w->list;
    enum err e = arena_reserve(w->a, (void **)&l->files, &l->cap, l->n + 1, sizeof(*l->files));
    e = e ? e : arena_reserve(w->a, (void **)&w->paths, &w->path_cap, l->n + 1, sizeof(*w->paths));
    if (e) {
        return err_set(info, e, "no memory for the list of files");
    }
    if (!backup_path_valid(key)) {
        return err_set(info, ERR_INVALID, "a file with the name %.*s cannot be kept in a backup",
                       STR_FMT(key));
    }
    w->paths[l->n] = path;
    l->files[l->n++] = (struct backup_file){.path = key, .size_bytes = size};
    w->bytes += size;
    return ERR_OK;
}

/* Links are not followed: a data folder has none of its own. */
static enum err folder_add(struct walk *w, const char *dir, struct str key, unsigned depth,
                           struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = depth > DEPTH_MAX
                     ? err_set(info, ERR_LIMIT, "%s is nested deeper than %d folders", dir, DEPTH_MAX)
                     : dir_list(dir, w->a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        struct str path = arena_printf(w->a, "%s/%.*s", dir, STR_FMT(names[i]));
        struct str below = arena_printf(w->a, "%.*s/%.*s", STR_FMT(key), STR_FMT(names[i]));
        struct stat st;
        if (!path.p || !below.p) {
            return err_set(info, ERR_OOM, "no memory for the list of files");
        }
        if (is_left_out(names[i])) {
            continue;
        }
        if (lstat(path.p, &st) != 0) {
            return err_set_errno(info, errno, "cannot look at %s", path.p);
        }
        if (S_ISDIR(st.st_mode)) {
            e = folder_add(w, path.p, below, depth + 1, info);
        } else if (S_ISREG(st.st_mode)) {
            e = file_add(w, path.p, below, (uint64_t)st.st_size, info);
        }
    }
    return e;
}

/* Hashes the file and puts it unless it is there. */
static enum err file_put(struct object_store *to, struct backup_file *f, const char *path,
                         struct backup_result *result, struct err_info *info)
{
    char key[KEY_BYTES];
    struct file_map map = {0};
    enum err e = file_map(path, &map, info);
    if (e) {
        return e;
    }
    backup_hash(map.data, f->hash);
    f->size_bytes = map.data.n;
    uint64_t size = map.data.n;
    e = object_put_if_absent(to, object_key(f, key), map.data, info);
    result->files_copied += !e;
    result->bytes_copied += e ? 0 : size;
    e = e == ERR_EXISTS ? object_size(to, str_c(key), &size, info) : e;
    if (!e && size != f->size_bytes) {
        e = err_set(info, ERR_CORRUPT,
                    "the object %s has %llu bytes instead of %llu; remove it and try again", key,
                    (unsigned long long)size, (unsigned long long)f->size_bytes);
    }
    file_unmap(&map);
    result->files += !e;
    result->bytes += e ? 0 : f->size_bytes;
    return e;
}

static enum err list_put(struct object_store *to, struct str name, struct backup_list *list,
                         struct err_info *info)
{
    char key[KEY_BYTES];
    struct buf text AUTO_BUF = {.size_bytes_max = LIST_BYTES_MAX};
    enum err e = backup_list_write(list, &text, info);
    return e ? e : object_put_if_absent(to, list_key(name, key), buf_view(&text), info);
}

static enum err name_free(struct object_store *to, struct str name, struct err_info *info)
{
    char key[KEY_BYTES];
    uint64_t size = 0;
    if (!backup_name_valid(name)) {
        return err_set(info, ERR_INVALID,
                       "\"%.*s\" is no name for a backup: letters, digits, '-', '_' and '.'", STR_FMT(name));
    }
    enum err e = object_size(to, list_key(name, key), &size, NULL);
    return e == ERR_NOT_FOUND ? ERR_OK
           : e                ? err_set(info, e, "cannot look for the backup %.*s", STR_FMT(name))
                              : err_set(info, ERR_EXISTS, "there is a backup %.*s already", STR_FMT(name));
}

enum err backup_write(struct object_store *to, struct str name, const struct backup_source *sources,
                      size_t source_count, const struct backup_progress *progress,
                      struct backup_result *ret_result, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_list list = {0};
    struct walk w = {.a = &a, .list = &list};
    struct backup_result result = {0};
    enum err e = name_free(to, name, reterr_info);
    for (size_t i = 0; i < source_count && !e; i++) {
        e = folder_add(&w, sources[i].dir, str_c(sources[i].root), 0, reterr_info);
    }
    for (size_t i = 0; i < list.n && !e; i++) {
        e = file_put(to, &list.files[i], w.paths[i], &result, reterr_info);
        progress_tell(progress, result.bytes, w.bytes);
    }
    e = e ? e : list_put(to, name, &list, reterr_info);
    if (!e) {
        *ret_result = result;
    }
    return e;
}
