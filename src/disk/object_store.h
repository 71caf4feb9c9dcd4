/* Immutable objects under keys, as buckets have them: put once, read ranges, list, delete. Two
 * implementations: files below a folder, and S3 with what speaks its API.
 *
 * A key is parts of [A-Za-z0-9._-] separated by '/', no part beginning with '.'; at most 512 bytes. Any
 * thread. */
#ifndef CAIRN_DISK_OBJECT_STORE_H
#define CAIRN_DISK_OBJECT_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    OBJECT_KEY_BYTES_MAX = 512
};

/* What S3 keeps as one object. */
#define OBJECT_BYTES_MAX ((uint64_t)5 << 40)

struct object_store;

struct object_entry {
    struct str key;
    uint64_t size_bytes;
};

struct object_store_ops {
    enum err (*put_if_absent)(struct object_store *s, struct str key, struct str content,
                              struct err_info *info);
    enum err (*get_range)(struct object_store *s, struct str key, uint64_t offset, uint64_t n, struct buf *b,
                          struct err_info *info);
    enum err (*size)(struct object_store *s, struct str key, uint64_t *ret_bytes, struct err_info *info);
    enum err (*list)(struct object_store *s, struct str prefix, struct arena *a,
                     const struct object_entry **ret_entries, size_t *ret_n, struct err_info *info);
    enum err (*remove)(struct object_store *s, struct str key, struct err_info *info);
    enum err (*tidy)(struct object_store *s, struct err_info *info); /* NULL: a put leaves nothing behind */
    void (*close)(struct object_store *s);
};

struct object_store {
    const struct object_store_ops *ops;
};

/* Durable and whole when it returns. Of several writers one wins. Errors: EXISTS, INVALID (the key), LIMIT
 * (larger than OBJECT_BYTES_MAX), NO_SPACE, IO, DENIED, UNAVAILABLE, OOM. */
MUST_USE enum err object_put_if_absent(struct object_store *s, struct str key, struct str content,
                                       struct err_info *reterr_info);
/* Appends exactly n bytes to b. Errors: NOT_FOUND, CORRUPT (the object is shorter), INVALID, IO, DENIED,
 * UNAVAILABLE, OOM. */
MUST_USE enum err object_get_range(struct object_store *s, struct str key, uint64_t offset, uint64_t n,
                                   struct buf *b, struct err_info *reterr_info);
/* Errors: NOT_FOUND, INVALID, IO, DENIED, UNAVAILABLE. */
MUST_USE enum err object_size(struct object_store *s, struct str key, uint64_t *ret_bytes,
                              struct err_info *reterr_info);
/* The objects whose keys begin with the prefix (which may be empty), sorted by key, in the arena. */
MUST_USE enum err object_list(struct object_store *s, struct str prefix, struct arena *a,
                              const struct object_entry **ret_entries, size_t *ret_n,
                              struct err_info *reterr_info);
/* Absent is OK. */
MUST_USE enum err object_remove(struct object_store *s, struct str key, struct err_info *reterr_info);
/* Ends what puts of writers that were killed have left half done, and costs room. The caller is the only
 * writer and is not putting. Errors: UNAVAILABLE, OOM. */
MUST_USE enum err object_tidy(struct object_store *s, struct err_info *reterr_info);
void object_store_close(struct object_store *s); /* accepts NULL */

/* True for s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&profile=NAME&style=path|virtual&
 * ca=FILE&part=MIB]. */
bool object_place_is_bucket(struct str place);
/* That bucket, asked whether it is there and may be listed; or a folder, which is created when absent.
 * Errors: INVALID (the place), NOT_FOUND (no keys), DENIED, UNAVAILABLE, IO, OOM. */
MUST_USE enum err object_store_open(struct str place, struct object_store **ret_s,
                                    struct err_info *reterr_info);
/* Objects as files below a folder, which is created when absent. */
MUST_USE enum err object_store_open_dir(const char *dir, struct object_store **ret_s,
                                        struct err_info *reterr_info);

#endif
