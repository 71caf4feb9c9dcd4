/* What a backup holds: the list of its files with size and SHA-256, and its text form.
 *
 *   cairn-backup 1
 *   file SIZE SHA256 PATH        sorted by path
 *   end COUNT SHA256             of everything before this line
 *
 * A path is below the data folder: metrics/..., logs/..., dashboards/.... A list that was read can be trusted
 * as far as names go: none is absolute, has "." or ".." or an empty part, or is there twice. Pure; any
 * thread. */
#ifndef CAIRN_BACKUP_LIST_H
#define CAIRN_BACKUP_LIST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    BACKUP_HASH_CHARS = 64 /* SHA-256 in lower-case hexadecimal digits */
};

struct backup_file {
    struct str path;
    uint64_t size_bytes;
    char hash[BACKUP_HASH_CHARS + 1];
};

struct backup_list {
    struct backup_file *files;
    size_t n, cap;
};

/* True for a path that may be restored. */
bool backup_path_valid(struct str path);
/* True for the name of a backup: [A-Za-z0-9_-] and inner dots, at most 100 bytes. */
bool backup_name_valid(struct str name);
/* Sorts the files by path and writes the list. Errors: INVALID (a path that could not be read back), OOM. */
MUST_USE enum err backup_list_write(struct backup_list *l, struct buf *b, struct err_info *reterr_info);
/* Into the arena. Errors: CORRUPT (with the line), UNSUPPORTED (a newer version), OOM. */
MUST_USE enum err backup_list_read(struct str text, struct arena *a, struct backup_list *ret_list,
                                   struct err_info *reterr_info);
/* The SHA-256 of bytes. */
void backup_hash(struct str bytes, char ret_hash[BACKUP_HASH_CHARS + 1]);

#endif
