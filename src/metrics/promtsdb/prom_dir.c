/* Which blocks of a folder count. */
#include "metrics/promtsdb/prom_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "base/mem.h"

static bool segment_name(struct str name)
{
    uint64_t number = 0;
    return name.n == 8 && str_to_u64(name, &number) == ERR_OK;
}

static bool has_log(const char *path)
{
    char wal[4096];
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    bool found = false;
    arena_init(&a, 0, NULL);
    (void)snprintf(wal, sizeof(wal), "%s/%s", path, PROM_WAL_DIR);
    if (!dir_is(wal) || dir_list(wal, &a, &names, &n, NULL) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        found = found || segment_name(names[i]) || str_starts(names[i], STR("checkpoint."));
    }
    return found;
}

bool prom_dir_is(const char *path)
{
    char part[4096];
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    (void)snprintf(part, sizeof(part), "%s/%s", path, PROM_HEAD_CHUNKS_DIR);
    if (dir_is(part) || has_log(path)) {
        return true;
    }
    if (!dir_is(path) || dir_list(path, &a, &names, &n, NULL) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(part, sizeof(part), "%s/%.*s/%s", path, STR_FMT(names[i]), PROM_META_FILE);
        if (prom_ulid_is(names[i]) && file_exists(part)) {
            return true;
        }
    }
    return false;
}

bool prom_dir_busy(const char *path)
{
    char lock[4096];
    int fd = -1;
    (void)snprintf(lock, sizeof(lock), "%s/lock", path);
    if (!file_exists(lock) || file_open(lock, FILE_READ, &fd, NULL) != ERR_OK) {
        return false;
    }
    bool busy = flock(fd, LOCK_EX | LOCK_NB) != 0;
    file_close(fd);
    return busy;
}

static enum err bad_add(struct prom_dir *d, struct str name, const struct err_info *why)
{
    if (vec_reserve((void **)&d->bad, &d->bad_cap, d->bad_count + 1, sizeof(*d->bad)) != ERR_OK) {
        return ERR_OOM;
    }
    struct prom_bad_block *b = &d->bad[d->bad_count++];
    (void)snprintf(b->name, sizeof(b->name), "%.*s", STR_FMT(name));
    (void)snprintf(b->why, sizeof(b->why), "%.255s", why->message);
    return ERR_OK;
}

static int block_cmp(const void *a, const void *b)
{
    const struct prom_block *x = *(struct prom_block *const *)a, *y = *(struct prom_block *const *)b;
    return x->meta.min_ts != y->meta.min_ts
               ? (x->meta.min_ts > y->meta.min_ts) - (x->meta.min_ts < y->meta.min_ts)
               : strcmp(x->meta.ulid, y->meta.ulid);
}

static bool replaced(const struct prom_dir *d, const struct prom_block *b)
{
    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; k < d->blocks[i]->meta.parent_count; k++) {
            if (d->blocks[i] != b && strcmp(d->blocks[i]->meta.parents[k], b->meta.ulid) == 0) {
                return true;
            }
        }
    }
    return b->meta.deletable;
}

/* Blocks name their parents, so the marks come before anything is removed. */
static enum err replaced_drop(struct prom_dir *d)
{
    bool *gone = mem_zarray(d->n + 1, sizeof(*gone));
    size_t kept = 0;
    if (!gone) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < d->n; i++) {
        gone[i] = replaced(d, d->blocks[i]);
    }
    for (size_t i = 0; i < d->n; i++) {
        if (gone[i]) {
            prom_block_unref(d->blocks[i]);
        } else {
            d->blocks[kept++] = d->blocks[i];
        }
    }
    d->n = kept;
    mem_free(gone);
    return ERR_OK;
}

static enum err block_add(struct prom_dir *d, const char *path, struct str name, struct err_info *info)
{
    char block[4096];
    struct err_info why = {0};
    (void)snprintf(block, sizeof(block), "%s/%.*s", path, STR_FMT(name));
    enum err e = prom_block_open(block, &d->blocks[d->n], &why);
    d->n += e == ERR_OK;
    if (e == ERR_CORRUPT || e == ERR_UNSUPPORTED || e == ERR_NOT_FOUND) {
        e = bad_add(d, name, &why);
    } else if (e != ERR_OK && info) {
        *info = why;
    }
    return e;
}

enum err prom_dir_open(const char *path, struct prom_dir *ret_dir, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    struct prom_dir d = {0};
    const struct str *names = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    enum err e = strlen(path) > 3900 ? err_set(info, ERR_LIMIT, "the folder's name is too long")
                                     : dir_list(path, &a, &names, &n, info);
    d.blocks = e == ERR_OK ? mem_array(n + 1, sizeof(struct prom_block *)) : NULL;
    if (e == ERR_OK && !d.blocks) {
        e = err_set(info, ERR_OOM, "no memory for the blocks of %s", path);
    }
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        if (prom_ulid_is(names[i])) {
            e = block_add(&d, path, names[i], info);
        }
    }
    e = e == ERR_OK ? replaced_drop(&d) : e;
    if (e != ERR_OK) {
        prom_dir_done(&d);
        return e;
    }
    if (d.n > 1) {
        qsort(d.blocks, d.n, sizeof(struct prom_block *), block_cmp);
    }
    *ret_dir = d;
    return ERR_OK;
}

void prom_dir_done(struct prom_dir *d)
{
    for (size_t i = 0; i < d->n; i++) {
        prom_block_unref(d->blocks[i]);
    }
    mem_free(d->blocks);
    mem_free(d->bad);
    *d = (struct prom_dir){0};
}

ts_ms prom_dir_head_from(const struct prom_dir *d)
{
    ts_ms from = INT64_MIN;
    for (size_t i = 0; i < d->n; i++) {
        const struct prom_meta *m = &d->blocks[i]->meta;
        from = !m->aside && m->max_ts > from ? m->max_ts : from;
    }
    return from;
}

/* -- files ----------------------------------------------------------------------------------------------- */

struct file_names {
    struct arena *a;
    struct str *items;
    size_t n, cap;
};

/* The files of a folder below `root`, and with `deeper` those of folders in it. */
static enum err files_add(struct file_names *f, const char *root, struct str folder, bool deeper,
                          struct err_info *info)
{
    char path[4096];
    const struct str *names = NULL;
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "%s/%.*s", root, STR_FMT(folder));
    enum err e = dir_list(path, f->a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct str name = arena_printf(f->a, "%.*s/%.*s", STR_FMT(folder), STR_FMT(names[i]));
        if (!name.p || arena_reserve(f->a, (void **)&f->items, &f->cap, f->n + 1, sizeof(name)) != ERR_OK) {
            return err_set(info, ERR_OOM, "no memory for the files of %s", path);
        }
        (void)snprintf(path, sizeof(path), "%s/%.*s", root, STR_FMT(name));
        if (!dir_is(path)) {
            f->items[f->n++] = name;
        } else if (deeper) {
            e = files_add(f, root, name, false, info);
        }
    }
    return e;
}

enum err prom_dir_files(const char *path, struct arena *a, const struct str **ret_names, size_t *ret_n,
                        struct err_info *info)
{
    struct file_names f = {.a = a};
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = strlen(path) > 3900 ? err_set(info, ERR_LIMIT, "the folder's name is too long")
                                     : dir_list(path, a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = prom_ulid_is(names[i]) ? files_add(&f, path, names[i], true, info) : e;
    }
    if (e == ERR_OK) {
        *ret_names = f.items;
        *ret_n = f.n;
    }
    return e;
}
