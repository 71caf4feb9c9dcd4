/* Backups in an object store: pieces of files under the names of their content, and one list a backup.
 *
 *   store                   what this is, and which key it is sealed with
 *   objects/AB/ABCDEF...    bytes of a piece; the name is their SHA-256, or a keyed hash (crypt.h)
 *   backups/NAME            the list (list.h), written last: without it there is no backup
 *   lock                    who is writing now
 *
 * What is there already is not copied again, so a backup costs what is new since the one before, and one that
 * was interrupted goes on where it stopped. Blocking; one thread a store. */
#ifndef CAIRN_BACKUP_BACKUP_H
#define CAIRN_BACKUP_BACKUP_H

#include "backup/crypt.h"
#include "backup/list.h"
#include "disk/object_store.h"

struct backup_store {
    struct object_store *objects;     /* the caller's */
    const struct backup_key *key;     /* the caller's; NULL: not encrypted */
    struct arena known_arena;         /* of: */
    const struct object_entry *known; /* the pieces that were there when a backup began, sorted */
    size_t known_count;
    bool locked;
    struct arena lock_arena; /* of: */
    struct str lock_text;    /* what our lock says */
};

/* Told after each piece of work. Either may be NULL. */
struct backup_progress {
    void (*step)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
    void (*damaged)(void *ctx, const char *message); /* one more file */
    void *ctx;
};

/* A file or folder that is kept as ROOT or ROOT/...: {"DATA/snapshots/X/logs", "logs"}. */
struct backup_source {
    const char *path;
    const char *root;
    bool config;        /* everything in it is kept, and links to files are followed */
    struct str content; /* p not NULL: of a file called ROOT, in place of what is at the path */
};

/* Where the files of one root are restored to. */
struct backup_target {
    const char *dir;  /* absent, empty, or what an interrupted restore of the same backup left */
    const char *root; /* "logs": only that, without the word; NULL: every root but config */
};

struct backup_result {
    uint64_t files, bytes;                /* of the backup */
    uint64_t pieces_copied, bytes_copied; /* that were not there yet */
};

/* Looks whether the place holds backups and whether the key fits; with `create` it begins an empty one.
 * Errors: NOT_FOUND (no backups here), DENIED (key missing, wrong or not needed), as the store's. */
MUST_USE enum err backup_store_open(struct object_store *objects, const struct backup_key *key, bool create,
                                    struct backup_store *ret_store, struct err_info *reterr_info);
void backup_store_close(struct backup_store *s); /* gives the lock back */
/* One writer at a time. The lock of a process of this machine that has ended is taken over. Errors:
 * UNAVAILABLE (says who has it). */
MUST_USE enum err backup_lock(struct backup_store *s, struct err_info *reterr_info);
/* Removes whatever lock there is: for those whose owner is gone for good. */
MUST_USE enum err backup_lock_break(struct backup_store *s, struct err_info *reterr_info);

/* Under the lock. Locks, spare parts of an earlier crash and what was put aside for its damage are left out
 * (not of configuration). Errors: EXISTS (the name is taken), CONFLICT (the lock is gone), INVALID, NO_SPACE,
 * IO, OOM. */
MUST_USE enum err backup_write(struct backup_store *to, struct str name, const struct backup_source *sources,
                               size_t source_count, const struct backup_progress *progress,
                               struct backup_result *ret_result, struct err_info *reterr_info);
/* Names of the backups, sorted, in the arena. */
MUST_USE enum err backup_names(struct backup_store *from, struct arena *a, const struct str **ret_names,
                               size_t *ret_n, struct err_info *reterr_info);
/* Reads every byte of the backup and compares; each damaged file is told to the progress. Errors: NOT_FOUND,
 * CORRUPT (the message names the first file; *ret_bad counts all), IO, OOM. */
MUST_USE enum err backup_verify(struct backup_store *from, struct str name,
                                const struct backup_progress *progress, struct backup_result *ret_result,
                                uint64_t *ret_bad, struct err_info *reterr_info);
/* Writes the backup's files below the targets' folders; they get their names there when everything is there
 * and synced, and until then stand below DIR/.restoring, where a later call finds them. Errors: EXISTS (a
 * folder is not empty), NOT_FOUND, CORRUPT, NO_SPACE, IO, OOM. */
MUST_USE enum err backup_restore(struct backup_store *from, struct str name,
                                 const struct backup_target *targets, size_t target_count,
                                 const struct backup_progress *progress, struct backup_result *ret_result,
                                 struct err_info *reterr_info);
/* True for a name that a backup gets when none is given: 20060102T150405Z. */
bool backup_name_timed(struct str name);
/* Under the lock, after `made` was written: removes all but the newest `keep` of the backups with timed
 * names, then the pieces that none uses. Errors: CORRUPT (a list cannot be read), UNAVAILABLE (the store does
 * not show `made` yet): nothing is removed; as the store's. */
MUST_USE enum err backup_prune(struct backup_store *s, struct str made, size_t keep, uint64_t *ret_backups,
                               uint64_t *ret_pieces, struct err_info *reterr_info);

#endif
