/* The store of backups: what it is, its key, its objects sealed and opened. */
#include "backup/backup_int.h"

#define STORE_KEY STR("store")
#define STORE_WORD "cairn-backup-store 1"

uint64_t store_bytes(const struct backup_store *s, uint64_t plain_bytes)
{
    return plain_bytes + (s->key ? BACKUP_SEAL_BYTES : 0);
}

enum err store_put(struct backup_store *s, struct str key, struct str plain, struct err_info *info)
{
    struct buf sealed AUTO_BUF = {.size_bytes_max = plain.n + BACKUP_SEAL_BYTES + 64};
    if (!s->key) {
        return object_put_if_absent(s->objects, key, plain, info);
    }
    enum err e = backup_seal(s->key, key, plain, &sealed);
    return e ? err_set(info, e, "no memory to encrypt %.*s", STR_FMT(key))
             : object_put_if_absent(s->objects, key, buf_view(&sealed), info);
}

/* Asks for the size only where the caller does not know it. */
static enum err raw_get(struct backup_store *s, struct str key, uint64_t plain_bytes, struct buf *raw,
                        struct err_info *info)
{
    uint64_t size = 0;
    enum err e = object_size(s->objects, key, &size, info);
    if (!e && plain_bytes != UINT64_MAX && size != store_bytes(s, plain_bytes)) {
        return err_set(info, ERR_CORRUPT, "the object %.*s has %llu bytes instead of %llu", STR_FMT(key),
                       (unsigned long long)size, (unsigned long long)store_bytes(s, plain_bytes));
    }
    return e ? e : object_get_range(s->objects, key, 0, size, raw, info);
}

enum err store_get(struct backup_store *s, struct str key, uint64_t plain_bytes, struct buf *plain,
                   struct err_info *info)
{
    struct buf sealed AUTO_BUF = {.size_bytes_max = (size_t)LIST_BYTES_MAX + 4096};
    if (!s->key) {
        return raw_get(s, key, plain_bytes, plain, info);
    }
    enum err e = raw_get(s, key, plain_bytes, &sealed, info);
    if (!e) {
        e = backup_unseal(s->key, key, buf_view(&sealed), plain);
        e = e ? err_set(info, e, "the bytes of the object %.*s are not what they were", STR_FMT(key))
              : ERR_OK;
    }
    return e;
}

enum err store_put_mine(struct backup_store *s, struct str key, struct str plain, struct err_info *info)
{
    struct buf there AUTO_BUF = {.size_bytes_max = (size_t)LIST_BYTES_MAX};
    struct err_info why = {0};
    enum err e = store_put(s, key, plain, &why);
    if (e == ERR_EXISTS && store_get(s, key, plain.n, &there, NULL) == ERR_OK &&
        str_eq(buf_view(&there), plain)) {
        return ERR_OK;
    }
    return e ? err_set(info, e, "%s", why.message) : ERR_OK;
}

/* -- what the store is ----------------------------------------------------------------------------------- */

/* "cairn-backup-store 1\nkey CHECK\n"; CHECK is "none" without a key. */
static enum err fits(struct backup_store *s, struct str text, struct err_info *info)
{
    struct str rest = text, first = str_cut(&rest, '\n'), check = str_cut(&rest, '\n');
    if (!str_eq_c(first, STORE_WORD) || !str_eq_c(str_cut(&check, ' '), "key")) {
        return err_set(info, ERR_UNSUPPORTED,
                       "these backups are of another form (%.*s); use the Cairn that made them",
                       first.n > 40 ? 40 : (int)first.n, first.p ? first.p : "");
    }
    bool open = str_eq_c(check, "none");
    if (open && s->key) {
        return err_set(
            info, ERR_DENIED,
            "the backups here are not encrypted; leave --key-file away, or begin in an empty place");
    }
    if (!open && !s->key) {
        return err_set(info, ERR_DENIED, "the backups here are encrypted; name the key with --key-file");
    }
    return open || str_eq_c(check, s->key->check)
               ? ERR_OK
               : err_set(info, ERR_DENIED, "this is not the key that the backups here are encrypted with");
}

static enum err store_begin(struct backup_store *s, struct err_info *info)
{
    char text[256];
    int n = snprintf(text, sizeof(text), STORE_WORD "\nkey %s\n", s->key ? s->key->check : "none");
    return object_put_if_absent(s->objects, STORE_KEY, str_of(text, (size_t)n), info);
}

enum err backup_store_open(struct object_store *objects, const struct backup_key *key, bool create,
                           struct backup_store *ret_store, struct err_info *reterr_info)
{
    struct backup_store s = {.objects = objects, .key = key};
    struct buf text AUTO_BUF = {.size_bytes_max = STORE_BYTES_MAX};
    uint64_t size = 0;
    enum err e = object_size(objects, STORE_KEY, &size, reterr_info);
    if (e == ERR_NOT_FOUND && create) {
        e = store_begin(&s, reterr_info);
        e = e == ERR_OK || e == ERR_EXISTS ? object_size(objects, STORE_KEY, &size, reterr_info) : e;
    } else if (e == ERR_NOT_FOUND) {
        e = err_set(reterr_info, e, "there are no backups here");
    }
    e = e ? e : object_get_range(objects, STORE_KEY, 0, size, &text, reterr_info);
    e = e ? e : fits(&s, buf_view(&text), reterr_info);
    if (!e) {
        *ret_store = s;
    }
    return e;
}

void backup_store_close(struct backup_store *s)
{
    if (s->locked && lock_still_ours(s, NULL) == ERR_OK) {
        (void)(backup_lock_break(s, NULL) == ERR_OK);
    }
    arena_done(&s->known_arena);
    arena_done(&s->lock_arena);
    *s = (struct backup_store){0};
}
