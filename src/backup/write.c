/* Writing a backup: walk, name the pieces, put what is missing, the list last. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "backup/backup_int.h"
#include "disk/file.h"

/* What a store makes anew by itself, or what is no use elsewhere. */
static const char *const left_out[] = {"lock", "quarantine", "snapshots", "initial-admin-password"};

struct found {
    struct backup_file file;
    const char *path;   /* on disk */
    struct str content; /* p not NULL: in memory instead */
};

struct walk {
    struct arena *a;
    struct found *files;
    size_t n, cap;
    uint64_t bytes;
    bool config;
};

/* -- the walk -------------------------------------------------------------------------------------------- */

static bool is_left_out(const struct walk *w, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(left_out) && !w->config; i++) {
        if (str_eq_c(name, left_out[i])) {
            return true;
        }
    }
    return !w->config && str_ends(name, STR(".tmp"));
}

static enum err file_add(struct walk *w, const char *path, struct str key, const struct stat *st,
                         struct err_info *info)
{
    if (!backup_path_valid(key)) {
        return err_set(info, ERR_INVALID, "a file with the name %.*s cannot be kept in a backup",
                       STR_FMT(key));
    }
    enum err e = arena_reserve(w->a, (void **)&w->files, &w->cap, w->n + 1, sizeof(*w->files));
    if (e) {
        return err_set(info, e, "no memory for the list of files");
    }
    w->files[w->n++] = (struct found){
        .file = {.path = key, .size_bytes = (uint64_t)st->st_size, .mode = (unsigned)st->st_mode & 0777U},
        .path = path};
    w->bytes += (uint64_t)st->st_size;
    return ERR_OK;
}

static enum err content_add(struct walk *w, const struct backup_source *source, struct err_info *info)
{
    const struct stat st = {.st_size = (off_t)source->content.n, .st_mode = S_IRUSR | S_IWUSR};
    enum err e = file_add(w, source->path, str_c(source->root), &st, info);
    if (!e) {
        w->files[w->n - 1].content = source->content;
    }
    return e;
}

static enum err folder_add(struct walk *w, const char *dir, struct str key, unsigned depth,
                           struct err_info *info);

/* A data folder has no links of its own; in a configuration a link to a file stands for the file. */
static enum err entry_add(struct walk *w, const char *path, struct str key, unsigned depth,
                          struct err_info *info)
{
    struct stat st;
    bool bad = lstat(path, &st) != 0, link = !bad && S_ISLNK(st.st_mode);
    if (bad || (link && w->config && stat(path, &st) != 0)) {
        return err_set_errno(info, errno, "cannot look at %s", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return link && depth ? ERR_OK : folder_add(w, path, key, depth + 1, info);
    }
    return S_ISREG(st.st_mode) ? file_add(w, path, key, &st, info) : ERR_OK;
}

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
        if (!path.p || !below.p) {
            return err_set(info, ERR_OOM, "no memory for the list of files");
        }
        e = is_left_out(w, names[i]) ? ERR_OK : entry_add(w, path.p, below, depth, info);
    }
    return e;
}

static int by_path(const void *a, const void *b)
{
    return str_cmp(((const struct found *)a)->file.path, ((const struct found *)b)->file.path);
}

/* A file that two sources name is kept once. */
static void sort_once(struct walk *w)
{
    size_t kept = 0;
    if (w->n > 1) {
        qsort(w->files, w->n, sizeof(*w->files), by_path);
    }
    for (size_t i = 0; i < w->n; i++) {
        if (kept && str_eq(w->files[kept - 1].file.path, w->files[i].file.path)) {
            w->bytes -= w->files[i].file.size_bytes;
        } else {
            w->files[kept++] = w->files[i];
        }
    }
    w->n = kept;
}

/* -- pieces ---------------------------------------------------------------------------------------------- */

static int by_key(const void *key, const void *entry)
{
    return str_cmp(*(const struct str *)key, ((const struct object_entry *)entry)->key);
}

static const struct object_entry *known(const struct backup_store *s, struct str key)
{
    return s->known_count ? bsearch(&key, s->known, s->known_count, sizeof(*s->known), by_key) : NULL;
}

/* Puts the piece unless it is there whole; one of another size is damaged and written anew. */
static enum err piece_put(struct backup_store *to, struct str name, struct str bytes,
                          struct backup_result *result, struct err_info *info)
{
    char key[KEY_BYTES];
    struct str k = object_key(name, key);
    const struct object_entry *there = known(to, k);
    if (there && there->size_bytes == store_bytes(to, bytes.n)) {
        return ERR_OK;
    }
    enum err e = there ? object_remove(to->objects, k, info) : ERR_OK;
    e = e ? e : store_put(to, k, bytes, info);
    result->pieces_copied += !e;
    result->bytes_copied += e ? 0 : bytes.n;
    return e == ERR_EXISTS ? ERR_OK : e; /* twice in this backup */
}

static enum err file_put(struct backup_store *to, struct arena *a, struct found *f,
                         struct backup_result *result, const struct backup_progress *progress, uint64_t total,
                         struct err_info *info)
{
    struct file_map map = {0};
    struct buf names AUTO_BUF = {.size_bytes_max = LIST_BYTES_MAX};
    enum err e = f->content.p ? ERR_OK : file_map(f->path, &map, info);
    if (e) {
        return e;
    }
    struct str all = f->content.p ? f->content : map.data;
    f->file.size_bytes = all.n;
    for (size_t at = 0; at < all.n && !e; at += PIECE_BYTES) {
        char name[BACKUP_HASH_CHARS + 1];
        struct str bytes = str_slice(all, at, all.n - at < PIECE_BYTES ? all.n : at + PIECE_BYTES);
        backup_piece_name(to->key, bytes, name);
        e = piece_put(to, str_c(name), bytes, result, info);
        buf_printf(&names, "%s%s", at ? "," : "", name);
        result->bytes += e ? 0 : bytes.n;
        progress_tell(progress, result->bytes, total);
    }
    file_unmap(&map);
    f->file.pieces = arena_str(a, buf_view(&names));
    result->files += !e;
    return e                                ? e
           : names.err || !f->file.pieces.p ? err_set(info, ERR_OOM, "no memory for the list of files")
                                            : ERR_OK;
}

/* -- the backup ------------------------------------------------------------------------------------------ */

static enum err list_put(struct backup_store *to, struct str name, const struct walk *w,
                         struct err_info *info)
{
    char key[KEY_BYTES];
    struct buf text AUTO_BUF = {.size_bytes_max = LIST_BYTES_MAX};
    struct backup_list list = {.piece_bytes = PIECE_BYTES, .n = w->n};
    list.files = arena_array(w->a, w->n + 1, sizeof(*list.files));
    if (!list.files) {
        return err_set(info, ERR_OOM, "no memory for the list of files");
    }
    for (size_t i = 0; i < w->n; i++) {
        list.files[i] = w->files[i].file;
    }
    enum err e = backup_list_write(&list, &text, info);
    return e ? e : store_put_mine(to, list_key(name, key), buf_view(&text), info);
}

static enum err name_free(struct backup_store *to, struct str name, struct err_info *info)
{
    char key[KEY_BYTES];
    uint64_t size = 0;
    if (!backup_name_valid(name)) {
        return err_set(info, ERR_INVALID,
                       "\"%.*s\" is no name for a backup: letters, digits, '-', '_' and '.'", STR_FMT(name));
    }
    enum err e = object_size(to->objects, list_key(name, key), &size, info);
    return e == ERR_NOT_FOUND ? ERR_OK
           : e                ? e
                              : err_set(info, ERR_EXISTS, "there is a backup %.*s already", STR_FMT(name));
}

enum err backup_write(struct backup_store *to, struct str name, const struct backup_source *sources,
                      size_t source_count, const struct backup_progress *progress,
                      struct backup_result *ret_result, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct walk w = {.a = &a};
    struct backup_result result = {0};
    enum err e = name_free(to, name, reterr_info);
    for (size_t i = 0; i < source_count && !e; i++) {
        w.config = sources[i].config;
        e = sources[i].content.p ? content_add(&w, &sources[i], reterr_info)
                                 : entry_add(&w, sources[i].path, str_c(sources[i].root), 0, reterr_info);
    }
    sort_once(&w);
    arena_reset(&to->known_arena);
    e = e ? e
          : object_list(to->objects, STR("objects/"), &to->known_arena, &to->known, &to->known_count,
                        reterr_info);
    for (size_t i = 0; i < w.n && !e; i++) {
        e = file_put(to, &a, &w.files[i], &result, progress, w.bytes, reterr_info);
    }
    e = e ? e : lock_still_ours(to, reterr_info);
    e = e ? e : list_put(to, name, &w, reterr_info);
    e = e ? e : object_tidy(to->objects, reterr_info);
    if (!e) {
        *ret_result = result;
    }
    return e;
}
