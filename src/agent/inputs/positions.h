/* The positions file: Promtail's YAML, so that one can come from Promtail and go back, and in comments behind
 * it what Promtail has no place for: which file a position was taken in, and a hash of all before it.
 *
 *     #cairn-begin
 *     positions:
 *       /var/log/app.log: "123"
 *     #cairn {"job":"app","path":"/var/log/app.log","dev":1,"ino":2,"offset":123,...}
 *     #cairn-sum 11146229398283193123
 *
 * One file, replaced whole, so both halves are always of the same moment. Promtail drops the comments when it
 * writes; then the plain numbers are used as Promtail would use them. One that is damaged gives way to its
 * predecessor (NAME.bak), or is read with doubt (positions_doubt.c).
 *
 * Loaded once, written by one thread: positions_begin, puts, positions_commit. */
#ifndef CAIRN_AGENT_INPUTS_POSITIONS_H
#define CAIRN_AGENT_INPUTS_POSITIONS_H

#include "base/err.h"
#include "base/str.h"

enum {
    POSITION_HEAD_BYTES = 256, /* hashed from the start of the file */
    POSITION_MARK_BYTES = 64,  /* hashed before the offset */
    POSITIONS_MAX = 131072,
    POSITIONS_FILE_BYTES_MAX = 64 << 20
};

struct position {
    struct str job, path;
    uint64_t dev, ino;
    uint64_t offset;
    uint64_t head_hash, mark_hash; /* hash_bytes */
    uint32_t head_len, mark_len;   /* 0: no hash taken */
    bool plain;                    /* loaded: its number was also written for Promtail */
};

struct positions;

struct positions_options {
    const char *path;
    bool read_only;      /* dry run: never written */
    bool ignore_invalid; /* a file that cannot be read as YAML counts as empty */
};

/* A missing file is an empty one. Errors: INVALID (with place), DENIED, IO, OOM. */
MUST_USE enum err positions_open(const struct positions_options *o, struct positions **ret_positions,
                                 struct err_info *reterr_info);
void positions_close(struct positions *p); /* accepts NULL; writes nothing */

/* As loaded; immutable, any thread. The text of a key ("123", a cursor); p == NULL when absent. */
struct str positions_text(const struct positions *p, struct str key);
/* The identified positions that count: where a plain one and the plain text differ somebody changed the
 * number since. */
const struct position *positions_list(const struct positions *p, size_t *ret_n);

/* Writing. Failure is sticky until the commit. */
void positions_begin(struct positions *p);
/* `plain` false: only the identified half (a rotated file that is still being read). An old number of that
 * path is then not kept. */
void positions_put_file(struct positions *p, const struct position *at, bool plain);
void positions_put_text(struct positions *p, struct str key, struct str value);
/* Keys that were loaded and not put stay as long as their path exists, or for an hour (a volume that is not
 * mounted yet). Writes only when something changed. Errors: NO_SPACE, IO, DENIED, OOM. */
MUST_USE enum err positions_commit(struct positions *p, struct err_info *reterr_info);

#endif
