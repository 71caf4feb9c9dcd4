/* Reading a backup: its list, every piece compared with its name. */
#include "backup/backup_int.h"

/* -- the list -------------------------------------------------------------------------------------------- */

enum err backup_names(struct backup_store *from, struct arena *a, const struct str **ret_names, size_t *ret_n,
                      struct err_info *reterr_info)
{
    const struct str prefix = STR("backups/");
    const struct object_entry *entries = NULL;
    size_t n = 0;
    enum err e = object_list(from->objects, prefix, a, &entries, &n, reterr_info);
    struct str *names = e ? NULL : arena_array(a, n + 1, sizeof(*names));
    if (!names) {
        return e ? e : err_set(reterr_info, ERR_OOM, "no memory for the names of the backups");
    }
    for (size_t i = 0; i < n; i++) {
        names[i] = str_slice(entries[i].key, prefix.n, entries[i].key.n);
    }
    *ret_names = names;
    *ret_n = n;
    return ERR_OK;
}

enum err list_load(struct backup_store *from, struct str name, struct arena *a, struct backup_list *ret_list,
                   struct err_info *info)
{
    char key[KEY_BYTES];
    struct buf text AUTO_BUF = {.size_bytes_max = LIST_BYTES_MAX};
    if (!backup_name_valid(name)) {
        return err_set(info, ERR_INVALID, "\"%.*s\" is no name of a backup", STR_FMT(name));
    }
    enum err e = store_get(from, list_key(name, key), UINT64_MAX, &text, info);
    if (e == ERR_NOT_FOUND) {
        return err_set(info, e, "there is no backup %.*s", STR_FMT(name));
    }
    return e ? e : backup_list_read(buf_view(&text), a, ret_list, info);
}

uint64_t list_total_bytes(const struct backup_list *l)
{
    uint64_t total = 0;
    for (size_t i = 0; i < l->n; i++) {
        total += l->files[i].size_bytes;
    }
    return total;
}

/* -- pieces ---------------------------------------------------------------------------------------------- */

uint64_t piece_bytes(const struct backup_list *l, const struct backup_file *f, size_t i)
{
    uint64_t left = f->size_bytes - i * l->piece_bytes;
    return left < l->piece_bytes ? left : l->piece_bytes;
}

enum err piece_read(struct backup_store *from, const struct backup_list *l, const struct backup_file *f,
                    size_t i, struct buf *bytes, struct err_info *info)
{
    char key[KEY_BYTES], name[BACKUP_HASH_CHARS + 1];
    struct str piece = backup_piece(f, i), k = object_key(piece, key);
    struct err_info why = {0};
    size_t before = bytes->n;
    enum err e = ERR_CORRUPT;
    for (unsigned reads = 0; reads < READS_MAX && e == ERR_CORRUPT; reads++) {
        bytes->n = before;
        e = store_get(from, k, piece_bytes(l, f, i), bytes, &why);
        if (!e) {
            backup_piece_name(from->key, str_slice(buf_view(bytes), before, bytes->n), name);
            e = str_eq(str_c(name), piece)
                    ? ERR_OK
                    : err_set(&why, ERR_CORRUPT, "the bytes of the object %s are not what they were", key);
        }
    }
    return e ? err_set(info, e, "%.*s: %s", STR_FMT(f->path), why.message) : ERR_OK;
}

enum err backup_verify(struct backup_store *from, struct str name, const struct backup_progress *progress,
                       struct backup_result *ret_result, uint64_t *ret_bad, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_list list = {0};
    struct backup_result result = {0};
    struct buf bytes AUTO_BUF = {.size_bytes_max = 2 * (size_t)PIECE_BYTES_MAX};
    uint64_t bad = 0;
    enum err e = list_load(from, name, &a, &list, reterr_info);
    uint64_t total = list_total_bytes(&list);
    for (size_t i = 0; i < list.n && !e; i++) {
        const struct backup_file *f = &list.files[i];
        struct err_info info = {0};
        enum err one = ERR_OK;
        for (size_t k = 0; k < backup_piece_count(&list, f) && !one; k++) {
            buf_reset(&bytes);
            one = piece_read(from, &list, f, k, &bytes, &info);
            result.bytes += piece_bytes(&list, f, k);
            progress_tell(progress, result.bytes, total);
        }
        bool damage = one == ERR_CORRUPT || one == ERR_NOT_FOUND;
        if (damage && progress && progress->damaged) {
            progress->damaged(progress->ctx, info.message);
        }
        if (one && (!damage || !bad) && reterr_info) {
            *reterr_info = info;
        }
        e = damage ? ERR_OK : one;
        bad += damage;
        result.files++;
    }
    *ret_result = result;
    *ret_bad = bad;
    return e ? e : bad ? ERR_CORRUPT : ERR_OK;
}
