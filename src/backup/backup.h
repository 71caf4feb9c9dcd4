/* Backups in an object store: files under the names of their content, and one list a backup.
 *
 *   objects/AB/ABCDEF...   a file's bytes; the name is their SHA-256
 *   backups/NAME           the list (list.h), written last: without it there is no backup
 *
 * What is there already is not copied again, so a backup costs what is new since the one before, and one that
 * was interrupted goes on where it stopped. Blocking; one thread a call. */
#ifndef CAIRN_BACKUP_BACKUP_H
#define CAIRN_BACKUP_BACKUP_H

#include "backup/list.h"
#include "disk/object_store.h"

/* Told after each piece of work. May be NULL. */
struct backup_progress {
    void (*step)(void *ctx, uint64_t done_bytes, uint64_t total_bytes);
    void *ctx;
};

/* A folder whose files are kept as ROOT/...: {"DATA/snapshots/X/logs", "logs"}. */
struct backup_source {
    const char *dir;
    const char *root;
};

struct backup_result {
    uint64_t files, bytes;               /* of the backup */
    uint64_t files_copied, bytes_copied; /* that were not there yet */
};

/* Locks, spare parts of an earlier crash and what was put aside for its damage are left out. Errors: EXISTS
 * (the name is taken), INVALID, NO_SPACE, IO, OOM. */
MUST_USE enum err backup_write(struct object_store *to, struct str name, const struct backup_source *sources,
                               size_t source_count, const struct backup_progress *progress,
                               struct backup_result *ret_result, struct err_info *reterr_info);
/* Names of the backups, sorted, in the arena. */
MUST_USE enum err backup_names(struct object_store *from, struct arena *a, const struct str **ret_names,
                               size_t *ret_n, struct err_info *reterr_info);
/* Reads every byte of the backup and compares. Errors: NOT_FOUND, CORRUPT (the message names the first file;
 * *ret_bad counts all), IO, OOM. */
MUST_USE enum err backup_verify(struct object_store *from, struct str name,
                                const struct backup_progress *progress, struct backup_result *ret_result,
                                uint64_t *ret_bad, struct err_info *reterr_info);
/* Writes the backup's files below dir, which must be absent or empty; it gets its name when everything is
 * there and synced. Errors: EXISTS (dir is not empty), NOT_FOUND, CORRUPT, NO_SPACE, IO, OOM. */
MUST_USE enum err backup_restore(struct object_store *from, struct str name, const char *dir,
                                 const struct backup_progress *progress, struct backup_result *ret_result,
                                 struct err_info *reterr_info);

#endif
