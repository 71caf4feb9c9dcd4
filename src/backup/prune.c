/* Forgetting old backups, and then the pieces that no backup uses. */
#include <stdlib.h>

#include "backup/backup_int.h"
#include "base/mem.h"

bool backup_name_timed(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        bool digit = name.p[i] >= '0' && name.p[i] <= '9';
        if (i == 8 ? name.p[i] != 'T' : i == 15 ? name.p[i] != 'Z' : !digit) {
            return false;
        }
    }
    return name.n == 16;
}

struct used {
    struct arena *a;
    struct str *pieces;
    size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void sort_once(struct used *u)
{
    size_t kept = 0;
    if (u->n > 1) {
        qsort(u->pieces, u->n, sizeof(*u->pieces), by_text);
    }
    for (size_t i = 0; i < u->n; i++) {
        if (!kept || !str_eq(u->pieces[kept - 1], u->pieces[i])) {
            u->pieces[kept++] = u->pieces[i];
        }
    }
    u->n = kept;
}

/* The pieces of a list are kept once, so that many lists of the same files need little memory. */
static enum err use(struct backup_store *s, struct str name, struct used *u, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_list list = {0};
    enum err e = list_load(s, name, &a, &list, info);
    size_t sorted = u->n;
    for (size_t i = 0; i < list.n && !e; i++) {
        for (size_t k = 0; k < backup_piece_count(&list, &list.files[i]) && !e; k++) {
            struct str piece = backup_piece(&list.files[i], k);
            if (sorted && bsearch(&piece, u->pieces, sorted, sizeof(*u->pieces), by_text)) {
                continue;
            }
            piece = arena_str(u->a, piece);
            e = piece.p ? vec_reserve((void **)&u->pieces, &u->cap, u->n + 1, sizeof(piece)) : ERR_OOM;
            e = e ? err_set(info, e, "no memory for the pieces in use") : ERR_OK;
            if (!e) {
                u->pieces[u->n++] = piece;
            }
        }
    }
    sort_once(u);
    return e;
}

/* Everything below objects/ that is not in use. */
static enum err sweep(struct backup_store *s, const struct used *u, uint64_t *ret_pieces,
                      struct err_info *info)
{
    const struct object_entry *entries = NULL;
    size_t n = 0;
    enum err e = object_list(s->objects, STR("objects/"), u->a, &entries, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        struct str key = entries[i].key, piece = key;
        piece = key.n > BACKUP_HASH_CHARS ? str_slice(key, key.n - BACKUP_HASH_CHARS, key.n) : key;
        if (u->n && bsearch(&piece, u->pieces, u->n, sizeof(*u->pieces), by_text)) {
            continue;
        }
        e = object_remove(s->objects, key, info);
        *ret_pieces += !e;
    }
    return e;
}

/* A store that shows an old state would have us remove what the newest backup uses. */
static enum err shows(const struct str *names, size_t n, struct str made, struct err_info *info)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], made)) {
            return ERR_OK;
        }
    }
    return err_set(info, ERR_UNAVAILABLE,
                   "the store does not show the backup %.*s yet; nothing was removed, the next run will",
                   STR_FMT(made));
}

enum err backup_prune(struct backup_store *s, struct str made, size_t keep, uint64_t *ret_backups,
                      uint64_t *ret_pieces, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct used u = {.a = &a};
    const struct str *names = NULL;
    size_t n = 0, timed = 0, seen = 0;
    *ret_backups = 0;
    *ret_pieces = 0;
    enum err e = backup_names(s, &a, &names, &n, reterr_info);
    e = e ? e : shows(names, n, made, reterr_info);
    for (size_t i = 0; i < n; i++) {
        timed += backup_name_timed(names[i]);
    }
    size_t going = timed > keep ? timed - keep : 0; /* the oldest: names sort as times do */
    for (size_t i = 0; i < n && !e; i++) {
        bool goes = backup_name_timed(names[i]) && seen++ < going;
        e = goes ? ERR_OK : use(s, names[i], &u, reterr_info);
    }
    seen = 0;
    for (size_t i = 0; i < n && !e; i++) {
        char key[KEY_BYTES];
        if (backup_name_timed(names[i]) && seen++ < going) {
            e = object_remove(s->objects, list_key(names[i], key), reterr_info);
            *ret_backups += !e;
        }
    }
    e = e ? e : sweep(s, &u, ret_pieces, reterr_info);
    mem_free(u.pieces);
    return e;
}
