/* Reading a backup: its list, every byte compared with its name, the files written anew. */
#include <sodium.h>

#include "backup/backup_int.h"
#include "disk/file.h"

static const char in_work[] = ".restoring"; /* after the folder's name, until it is whole */

/* -- the list -------------------------------------------------------------------------------------------- */

enum err backup_names(struct object_store *from, struct arena *a, const struct str **ret_names, size_t *ret_n,
                      struct err_info *reterr_info)
{
    const struct str prefix = STR("backups/");
    const struct object_entry *keys = NULL;
    size_t n = 0;
    enum err e = object_list(from, prefix, a, &keys, &n, reterr_info);
    struct str *names = e ? NULL : arena_array(a, n + 1, sizeof(*names));
    if (!names) {
        return e ? e : err_set(reterr_info, ERR_OOM, "no memory for the names of the backups");
    }
    for (size_t i = 0; i < n; i++) {
        names[i] = str_slice(keys[i].key, prefix.n, keys[i].key.n);
    }
    *ret_names = names;
    *ret_n = n;
    return ERR_OK;
}

static enum err list_load(struct object_store *from, struct str name, struct arena *a,
                          struct backup_list *ret_list, struct err_info *info)
{
    char key[KEY_BYTES];
    uint64_t size = 0;
    struct buf text AUTO_BUF = {.size_bytes_max = LIST_BYTES_MAX};
    if (!backup_name_valid(name)) {
        return err_set(info, ERR_INVALID, "\"%.*s\" is no name of a backup", STR_FMT(name));
    }
    enum err e = object_size(from, list_key(name, key), &size, NULL);
    if (e == ERR_NOT_FOUND) {
        return err_set(info, e, "there is no backup %.*s", STR_FMT(name));
    }
    e = e ? err_set(info, e, "cannot read the backup %.*s", STR_FMT(name))
          : object_get_range(from, str_c(key), 0, size, &text, info);
    return e ? e : backup_list_read(buf_view(&text), a, ret_list, info);
}

/* -- the files ------------------------------------------------------------------------------------------- */

/* Reads the object in pieces, into fd unless that is -1, and compares it with its name. */
static enum err object_read(struct object_store *from, const struct backup_file *f, int fd,
                            struct err_info *info)
{
    char key[KEY_BYTES], hash[BACKUP_HASH_CHARS + 1];
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    struct buf piece AUTO_BUF = {.size_bytes_max = 2 * (size_t)PIECE_BYTES};
    uint64_t size = 0;
    (void)crypto_hash_sha256_init(&state);
    enum err e = object_size(from, object_key(f, key), &size, info);
    if (!e && size != f->size_bytes) {
        e = err_set(info, ERR_CORRUPT, "%.*s: its object %s has %llu bytes instead of %llu", STR_FMT(f->path),
                    key, (unsigned long long)size, (unsigned long long)f->size_bytes);
    }
    for (uint64_t at = 0; at < size && !e;) {
        uint64_t n = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
        buf_reset(&piece);
        e = object_get_range(from, str_c(key), at, n, &piece, info);
        e = e || fd < 0 ? e : file_write(fd, piece.p, piece.n, info);
        (void)crypto_hash_sha256_update(&state, (const unsigned char *)(piece.p ? piece.p : ""), piece.n);
        at += n;
    }
    (void)crypto_hash_sha256_final(&state, digest);
    (void)sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
    if (!e && !str_eq(str_c(hash), str_c(f->hash))) {
        e = err_set(info, ERR_CORRUPT, "%.*s: the bytes of its object %s are not what they were",
                    STR_FMT(f->path), key);
    }
    return e;
}

static uint64_t total_bytes(const struct backup_list *l)
{
    uint64_t total = 0;
    for (size_t i = 0; i < l->n; i++) {
        total += l->files[i].size_bytes;
    }
    return total;
}

enum err backup_verify(struct object_store *from, struct str name, const struct backup_progress *progress,
                       struct backup_result *ret_result, uint64_t *ret_bad, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_list list = {0};
    struct backup_result result = {0};
    uint64_t bad = 0;
    enum err e = list_load(from, name, &a, &list, reterr_info), first = ERR_OK;
    uint64_t total = total_bytes(&list);
    for (size_t i = 0; i < list.n && !e; i++) {
        enum err one = object_read(from, &list.files[i], -1, first ? NULL : reterr_info);
        bool damage = one == ERR_CORRUPT || one == ERR_NOT_FOUND;
        e = damage ? ERR_OK : one;
        first = damage && !first ? ERR_CORRUPT : first;
        bad += damage;
        result.files++;
        result.bytes += list.files[i].size_bytes;
        progress_tell(progress, result.bytes, total);
    }
    *ret_result = result;
    *ret_bad = bad;
    return e ? e : first;
}

/* -- restoring ------------------------------------------------------------------------------------------- */

static enum err file_restore(struct object_store *from, const struct backup_file *f, const char *dir,
                             struct arena *a, struct err_info *info)
{
    int fd = -1;
    struct str path = arena_printf(a, "%s/%.*s", dir, STR_FMT(f->path));
    struct str folder = path;
    while (folder.n && folder.p[folder.n - 1] != '/') {
        folder.n--;
    }
    folder = path.p ? arena_str(a, folder) : path;
    enum err e = folder.p ? dir_make(folder.p, info) : err_set(info, ERR_OOM, "no memory for a path");
    e = e ? e : file_open(path.p, FILE_WRITE_NEW, &fd, info);
    e = e ? e : object_read(from, f, fd, info);
    e = e ? e : file_sync_data(fd, info);
    file_close(fd);
    return e ? e : dir_sync(folder.p, info);
}

/* Absent, or an empty folder, whose place is then taken. */
static enum err target_free(const char *dir, struct arena *a, struct err_info *info)
{
    const struct str *names = NULL;
    size_t n = 0;
    if (!file_exists(dir)) {
        return ERR_OK;
    }
    enum err e = dir_list(dir, a, &names, &n, info);
    return e   ? e
           : n ? err_set(info, ERR_EXISTS, "%s is not empty; restore into a folder that does not exist", dir)
               : ERR_OK;
}

enum err backup_restore(struct object_store *from, struct str name, const char *dir,
                        const struct backup_progress *progress, struct backup_result *ret_result,
                        struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_list list = {0};
    struct backup_result result = {0};
    struct str work = arena_printf(&a, "%s%s", dir, in_work);
    enum err e = work.p ? target_free(dir, &a, reterr_info) : err_set(reterr_info, ERR_OOM, "no memory");
    e = e ? e : list_load(from, name, &a, &list, reterr_info);
    e = e ? e : dir_remove(work.p, reterr_info); /* what an interrupted run left */
    e = e ? e : dir_make(work.p, reterr_info);
    uint64_t total = total_bytes(&list);
    for (size_t i = 0; i < list.n && !e; i++) {
        e = file_restore(from, &list.files[i], work.p, &a, reterr_info);
        result.files += !e;
        result.bytes += e ? 0 : list.files[i].size_bytes;
        progress_tell(progress, result.bytes, total);
    }
    e = e ? e : dir_sync(work.p, reterr_info);
    e = e ? e : file_rename(work.p, dir, reterr_info);
    e = e ? e : dir_sync_parent(dir, reterr_info);
    if (!e) {
        *ret_result = result;
    }
    return e;
}
