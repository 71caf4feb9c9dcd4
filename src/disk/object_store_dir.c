/* Objects as files: written under DIR/.tmp, synced, and linked to their name, which fails when it is taken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "disk/file.h"
#include "disk/object_store.h"

enum {
    LIST_DEPTH_MAX = 32
};

struct dir_store {
    struct object_store base;
    char *dir;
    bool give; /* we are root and the folder is somebody's, who must be able to go on: */
    uid_t uid;
    gid_t gid;
    struct mutex lock; /* guards swept */
    bool swept;        /* DIR/.tmp is there, without what a crash left */
};

static struct dir_store *of(struct object_store *s)
{
    return (struct dir_store *)s;
}

static enum err path_of(struct object_store *s, struct str key, struct buf *path)
{
    buf_printf(path, "%s/%.*s", of(s)->dir, STR_FMT(key));
    buf_char(path, '\0');
    return path->err;
}

/* Everything that we made on the way to the path gets the folder's owner. */
static enum err give(const struct dir_store *s, char *path, struct err_info *info)
{
    enum err e = ERR_OK;
    for (char *at = path + strlen(s->dir); s->give && at && !e;) {
        char *slash = strchr(at + 1, '/');
        if (slash) {
            *slash = '\0';
        }
        if (lchown(path, s->uid, s->gid) != 0) {
            e = err_set_errno(info, errno, "cannot give %s to its owner", path);
        }
        if (slash) {
            *slash = '/';
        }
        at = slash;
    }
    return e;
}

/* Before the first put, so that who only reads disturbs no writer. */
static enum err sweep(struct dir_store *s, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    enum err e = ERR_OK;
    buf_printf(&path, "%s/.tmp", s->dir);
    buf_char(&path, '\0');
    if (path.err) {
        return err_set(info, path.err, "no memory to write to %s", s->dir);
    }
    mutex_lock(&s->lock);
    if (!s->swept) {
        e = dir_remove(path.p, info);
        e = e ? e : dir_make(path.p, info);
        e = e ? e : give(s, path.p, info);
        s->swept = !e;
    }
    mutex_unlock(&s->lock);
    return e;
}

static enum err write_whole(const char *path, struct str content, struct err_info *info)
{
    struct err_info why = {0};
    int fd = -1;
    enum err e = file_open(path, FILE_WRITE_NEW, &fd, info);
    e = e ? e : file_write(fd, content.p, content.n, &why);
    e = e ? e : file_sync_data(fd, &why);
    file_close(fd);
    return e && why.message[0] ? err_set(info, e, "%s: %.400s", path, why.message) : e;
}

static enum err make_parent(char *path, struct err_info *info)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    enum err e = dir_make(path, info);
    *slash = '/';
    return e;
}

static enum err dir_put(struct object_store *s, struct str key, struct str content, struct err_info *info)
{
    struct buf path AUTO_BUF = {0}, temporary AUTO_BUF = {0};
    uint64_t unique = 0;
    enum err e = path_of(s, key, &path);
    e = e ? e : rng_secret(&unique, sizeof(unique));
    if (e) {
        return err_set(info, e, "cannot store %.*s: %s", STR_FMT(key), err_text(e));
    }
    if (file_exists(path.p)) {
        return err_set(info, ERR_EXISTS, "the object %.*s exists", STR_FMT(key));
    }
    buf_printf(&temporary, "%s/.tmp/%016llx", of(s)->dir, (unsigned long long)unique);
    buf_char(&temporary, '\0');
    if (temporary.err) {
        return err_set(info, temporary.err, "cannot store %.*s", STR_FMT(key));
    }
    e = sweep(of(s), info);
    e = e ? e : write_whole(temporary.p, content, info);
    e = e ? e : make_parent(path.p, info);
    e = e ? e : file_link(temporary.p, path.p, info);
    e = e ? e : give(of(s), path.p, info);
    e = e ? e : dir_sync_parent(path.p, info);
    (void)!file_remove(temporary.p, NULL);
    return e;
}

static enum err dir_size(struct object_store *s, struct str key, uint64_t *ret_bytes, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    int fd = -1;
    enum err e = path_of(s, key, &path);
    e = e ? e : file_open(path.p, FILE_READ, &fd, info);
    e = e ? e : file_size(fd, ret_bytes, info);
    file_close(fd);
    return e;
}

static enum err dir_get_range(struct object_store *s, struct str key, uint64_t offset, uint64_t n,
                              struct buf *b, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    int fd = -1;
    uint64_t size = 0;
    enum err e = path_of(s, key, &path);
    e = e ? e : file_open(path.p, FILE_READ, &fd, info);
    e = e ? e : file_size(fd, &size, info);
    if (!e && (offset > size || n > size - offset)) {
        e = err_set(info, ERR_CORRUPT, "the object %.*s has only %llu bytes", STR_FMT(key),
                    (unsigned long long)size);
    }
    char *to = e ? NULL : buf_tail(b, (size_t)n);
    if (!e && !to) {
        e = err_set(info, b->err, "no memory to read %.*s", STR_FMT(key));
    }
    e = e ? e : file_read_at(fd, offset, to, (size_t)n, info);
    b->n += e ? 0 : (size_t)n;
    file_close(fd);
    return e;
}

struct listing {
    struct arena *a;
    struct str prefix;
    struct object_entry *entries;
    size_t n, cap;
};

static enum err listing_add(struct listing *l, const char *path, struct str key, struct err_info *info)
{
    uint64_t size = 0;
    int fd = -1;
    enum err e = file_open(path, FILE_READ, &fd, info);
    e = e ? e : file_size(fd, &size, info);
    file_close(fd);
    if (e == ERR_NOT_FOUND) { /* removed meanwhile */
        return ERR_OK;
    }
    e = e ? e : arena_reserve(l->a, (void **)&l->entries, &l->cap, l->n + 1, sizeof(*l->entries));
    if (!e) {
        l->entries[l->n++] = (struct object_entry){key, size};
    }
    return e;
}

/* `below` is the key of the folder, with a '/' at the end unless it is empty. */
static enum err list_below(const char *dir, struct str below, unsigned depth, struct listing *l,
                           struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = dir_list(dir, l->a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        struct str key = arena_printf(l->a, "%.*s%.*s", STR_FMT(below), STR_FMT(names[i]));
        struct str path = arena_printf(l->a, "%s/%.*s", dir, STR_FMT(names[i]));
        if (!key.p || !path.p) {
            return arena_err(l->a);
        }
        if (names[i].p[0] == '.' || depth > LIST_DEPTH_MAX) {
            continue;
        }
        if (dir_is(path.p)) {
            struct str folder = arena_printf(l->a, "%.*s/", STR_FMT(key));
            bool may = folder.p && (str_starts(folder, l->prefix) || str_starts(l->prefix, folder));
            e = !folder.p ? arena_err(l->a) : may ? list_below(path.p, folder, depth + 1, l, info) : ERR_OK;
        } else if (str_starts(key, l->prefix)) {
            e = listing_add(l, path.p, key, info);
        }
    }
    return e;
}

static int compare_keys(const void *a, const void *b)
{
    return str_cmp(((const struct object_entry *)a)->key, ((const struct object_entry *)b)->key);
}

static enum err dir_list_keys(struct object_store *s, struct str prefix, struct arena *a,
                              const struct object_entry **ret_entries, size_t *ret_n, struct err_info *info)
{
    struct listing l = {.a = a, .prefix = prefix};
    enum err e = list_below(of(s)->dir, STR(""), 0, &l, info);
    if (e) {
        return e;
    }
    if (l.n > 1) { /* "a-b/c" sorts before "a/c" as a key, not as a walk */
        qsort(l.entries, l.n, sizeof(*l.entries), compare_keys);
    }
    *ret_entries = l.entries;
    *ret_n = l.n;
    return ERR_OK;
}

static enum err dir_remove_key(struct object_store *s, struct str key, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    enum err e = path_of(s, key, &path);
    return e ? e : file_remove(path.p, info);
}

static void dir_close(struct object_store *s)
{
    mutex_done(&of(s)->lock);
    mem_free(of(s)->dir);
    mem_free(s);
}

static const struct object_store_ops dir_ops = {
    .put_if_absent = dir_put,
    .get_range = dir_get_range,
    .size = dir_size,
    .list = dir_list_keys,
    .remove = dir_remove_key,
    .close = dir_close,
};

enum err object_store_open_dir(const char *dir, struct object_store **ret_s, struct err_info *reterr_info)
{
    struct dir_store *s = mem_zalloc(sizeof(*s));
    char *copy = mem_dup(dir, strlen(dir));
    enum err e =
        s && copy ? dir_make(dir, reterr_info) : err_set(reterr_info, ERR_OOM, "no memory to open %s", dir);
    if (e) {
        mem_free(copy);
        mem_free(s);
        return e;
    }
    struct stat st;
    s->base.ops = &dir_ops;
    s->dir = copy;
    s->give = geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid != 0;
    s->uid = s->give ? st.st_uid : 0;
    s->gid = s->give ? st.st_gid : 0;
    mutex_init(&s->lock);
    *ret_s = &s->base;
    return ERR_OK;
}
