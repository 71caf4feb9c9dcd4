/* Seen by backup's own files only. */
#ifndef CAIRN_BACKUP_BACKUP_INT_H
#define CAIRN_BACKUP_BACKUP_INT_H

#include <stdio.h>

#include "backup/backup.h"
#include "backup/limits.h"

enum {
    KEY_BYTES = 192
};

static inline struct str object_key(struct str piece, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "objects/%.2s/%.*s", piece.p, STR_FMT(piece));
    return str_c(key);
}

static inline struct str list_key(struct str name, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "backups/%.*s", STR_FMT(name));
    return str_c(key);
}

static inline void progress_tell(const struct backup_progress *p, uint64_t done, uint64_t total)
{
    if (p && p->step) {
        p->step(p->ctx, done, total);
    }
}

/* store.c: sealed when the store has a key. */
MUST_USE enum err store_put(struct backup_store *s, struct str key, struct str plain, struct err_info *info);
/* The same for what nobody else writes: that it is there already, with these bytes, is the answer that got
 * lost. */
MUST_USE enum err store_put_mine(struct backup_store *s, struct str key, struct str plain,
                                 struct err_info *info);
/* Appends the object's bytes, opened. plain_bytes: how many they must be, or UINT64_MAX. Errors: NOT_FOUND,
 * CORRUPT, as the store's. */
MUST_USE enum err store_get(struct backup_store *s, struct str key, uint64_t plain_bytes, struct buf *plain,
                            struct err_info *info);
/* The bytes an object of so many plain ones has. */
uint64_t store_bytes(const struct backup_store *s, uint64_t plain_bytes);

/* lock.c: before a list is written: that nobody removed the lock, or the place of the backups with it.
 * Errors: CONFLICT, as the store's. */
MUST_USE enum err lock_still_ours(struct backup_store *s, struct err_info *info);

/* read.c: the list of a backup, in the arena. */
MUST_USE enum err list_load(struct backup_store *from, struct str name, struct arena *a,
                            struct backup_list *ret_list, struct err_info *info);
/* Appends the piece's bytes, compared with its name. Errors: NOT_FOUND, CORRUPT (both name the file), as the
 * store's. */
MUST_USE enum err piece_read(struct backup_store *from, const struct backup_list *l,
                             const struct backup_file *f, size_t i, struct buf *bytes, struct err_info *info);
uint64_t list_total_bytes(const struct backup_list *l);
/* Bytes of the i-th piece. */
uint64_t piece_bytes(const struct backup_list *l, const struct backup_file *f, size_t i);

#endif
