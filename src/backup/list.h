/* What a backup holds: the list of its files and the pieces they are made of, and its text form.
 *
 *   cairn-backup 3
 *   piece BYTES                          of a file in one object; the last piece of a file may be smaller
 *   file MODE SIZE NAME[,NAME...] PATH   sorted by path; MODE is octal; "-" for no piece
 *   end COUNT SHA256                     of everything before this line
 *
 * A path begins with its root: metrics/..., logs/..., dashboards/..., agent/... of the data folder, or
 * config/ and the absolute path of a configuration file. A list that was read can be trusted as far as names
 * go: none is absolute, has "." or ".." or an empty part, or is there twice. Pure; any thread. */
#ifndef CAIRN_BACKUP_LIST_H
#define CAIRN_BACKUP_LIST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    BACKUP_HASH_CHARS = 64 /* a name of a piece: SHA-256 or HMAC-SHA256 in lower-case hexadecimal digits */
};

struct backup_file {
    struct str path;
    uint64_t size_bytes;
    unsigned mode;     /* permissions: at most 0777 */
    struct str pieces; /* names, separated by commas */
};

struct backup_list {
    uint64_t piece_bytes;
    struct backup_file *files;
    size_t n, cap;
};

/* True for a path that may be restored. */
bool backup_path_valid(struct str path);
/* True for the name of a backup: [A-Za-z0-9_-] and inner dots, at most 100 bytes. */
bool backup_name_valid(struct str name);
/* How many pieces a file of that size has. */
size_t backup_piece_count(const struct backup_list *l, const struct backup_file *f);
struct str backup_piece(const struct backup_file *f, size_t i);
/* Writes the list; the files are sorted by path. Errors: INVALID (a path that could not be read back), OOM.
 */
MUST_USE enum err backup_list_write(const struct backup_list *l, struct buf *b, struct err_info *reterr_info);
/* Into the arena. Errors: CORRUPT (with the line), UNSUPPORTED (another version), OOM. */
MUST_USE enum err backup_list_read(struct str text, struct arena *a, struct backup_list *ret_list,
                                   struct err_info *reterr_info);
/* The SHA-256 of bytes. */
void backup_hash(struct str bytes, char ret_hash[BACKUP_HASH_CHARS + 1]);

#endif
