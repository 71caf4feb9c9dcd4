/* The container of immutable blocks: pages with a CRC32C each, a footer that says where they are, and named
 * sections (a section is a page with a name).
 *
 *   file   = magic "CAIRNBLK", kind (8 bytes), page*, footer, footer length u32, footer CRC32C u32, magic
 *   footer = container version, content version, pages {offset, length, CRC32C}, sections {name, page}
 *
 * Pages begin at multiples of 8, so that a section may hold little-endian arrays that are read in place. A
 * file appears under its name only when it is whole and synced. Readers map the file; a page's checksum is
 * verified when it is first asked for. Reading is safe from any thread; a writer belongs to one. */
#ifndef CAIRN_DISK_CONTAINER_H
#define CAIRN_DISK_CONTAINER_H

#include "base/err.h"
#include "base/str.h"

enum {
    CONTAINER_KIND_BYTES = 8,
    CONTAINER_NAME_BYTES_MAX = 255,
    CONTAINER_PAGES_MAX = 1 << 24
};

struct container_writer;

/* Begins PATH.tmp; `kind` has at most 8 bytes. Errors: INVALID, DENIED, NO_SPACE, IO, OOM. */
MUST_USE enum err container_create(const char *path, struct str kind, uint32_t version,
                                   struct container_writer **ret_w, struct err_info *reterr_info);
/* Appends a page; *ret_page (may be NULL) is its number, counted from 0. After an error only container_abort
 * is of use. Errors: LIMIT (4 GiB a page, CONTAINER_PAGES_MAX), NO_SPACE, IO, OOM. */
MUST_USE enum err container_add_page(struct container_writer *w, struct str bytes, uint32_t *ret_page,
                                     struct err_info *reterr_info);
/* The same with a name. Errors: also EXISTS and INVALID (the name). */
MUST_USE enum err container_add_section(struct container_writer *w, struct str name, struct str bytes,
                                        struct err_info *reterr_info);
/* Writes the footer, syncs, and gives the file its name; an older file of that name is replaced. Releases w,
 * also on failure: then nothing is left, or, when only the folder could not be synced, a whole file that no
 * manifest names. *ret_bytes (may be NULL) is the size of the file. */
MUST_USE enum err container_finish(struct container_writer *w, uint64_t *ret_bytes,
                                   struct err_info *reterr_info);
/* Removes what was written. Accepts NULL. */
void container_abort(struct container_writer *w);

struct container;

/* Errors: NOT_FOUND, CORRUPT (magic, footer), INVALID (another kind), UNSUPPORTED (a newer container), IO,
 * OOM. */
MUST_USE enum err container_open(const char *path, struct str kind, struct container **ret_c,
                                 struct err_info *reterr_info);
/* Accepts NULL. What was borrowed from it ends with it. */
void container_close(struct container *c);
uint32_t container_version(const struct container *c);
uint32_t container_page_count(const struct container *c);
uint64_t container_bytes(const struct container *c);
/* The page's bytes, in the mapping. Errors: NOT_FOUND, CORRUPT. */
MUST_USE enum err container_page(struct container *c, uint32_t page, struct str *ret_bytes,
                                 struct err_info *reterr_info);
/* Errors: NOT_FOUND, CORRUPT. */
MUST_USE enum err container_section(struct container *c, struct str name, struct str *ret_bytes,
                                    struct err_info *reterr_info);
/* Verifies every page: for `cairn check` and after a download. Errors: CORRUPT. */
MUST_USE enum err container_verify(struct container *c, struct err_info *reterr_info);

#endif
