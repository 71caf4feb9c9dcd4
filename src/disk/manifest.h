/* The manifest: the only truth about which files belong to a store. Written whole and atomically
 * (file_store); what it does not name is removed at start, what it names and is missing is an error.
 *
 *   cairn-manifest 1
 *   generation 12
 *   entry NAME TEXT_BYTES        for each file; then its text and a line feed
 *   crc32c 0123abcd              of everything before this line
 *
 * Pure but for the two file operations; one owner at a time. */
#ifndef CAIRN_DISK_MANIFEST_H
#define CAIRN_DISK_MANIFEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct manifest_entry {
    struct str name; /* a file name: no '/', no white space, not empty */
    struct str text; /* the owner's own, any bytes */
};

struct manifest {
    uint64_t generation; /* counts the versions; 0 = never written */
    const struct manifest_entry *entries;
    size_t n;
};

/* Reads it into the arena. An absent file gives an empty manifest of generation 0. Errors: CORRUPT,
 * UNSUPPORTED (a newer version), IO, DENIED, OOM. */
MUST_USE enum err manifest_load(const char *path, struct arena *a, struct manifest *ret_m,
                                struct err_info *reterr_info);
/* Replaces the file by m as generation m->generation + 1, which *ret_generation gets. Errors: INVALID (a name
 * that is wrong or there twice), NO_SPACE, IO, OOM. After IO the file on disk may be either. */
MUST_USE enum err manifest_store(const char *path, const struct manifest *m, uint64_t *ret_generation,
                                 struct err_info *reterr_info);
const struct manifest_entry *manifest_find(const struct manifest *m, struct str name); /* or NULL */
/* Removes the files of the folder whose names end with `suffix` (or with suffix.tmp) and that m does not
 * name; *ret_removed (may be NULL) counts them. Files that m names and that are missing are listed in the
 * arena. Errors: IO, DENIED, OOM. */
MUST_USE enum err manifest_sweep(const struct manifest *m, const char *dir, struct str suffix,
                                 struct arena *a, const struct str **ret_missing, size_t *ret_missing_n,
                                 size_t *ret_removed, struct err_info *reterr_info);

#endif
