/* YAML configuration files: a tree with places (libyaml), and a reader that reports unknown keys with the
 * nearest valid name.
 *
 * The tree is immutable and lives in the arena. Anchors, aliases and merge keys (<<) are resolved. Errors
 * carry file, line and column. */
#ifndef CAIRN_CODEC_YAML_H
#define CAIRN_CODEC_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum yaml_kind {
    YAML_NULL = 0, /* absent value, ~, null */
    YAML_SCALAR,
    YAML_LIST,
    YAML_MAP
};

struct yaml_node {
    enum yaml_kind kind;
    bool quoted;                /* a scalar in quotes or a block scalar: always a string */
    unsigned line, col;         /* from 1 */
    unsigned key_line, key_col; /* when it is a member */
    struct str text;            /* scalar */
    struct str key;             /* when it is a member of a map */
    const struct yaml_node *child, *next;
    size_t count;
    const char *file; /* for messages; borrowed from yaml_parse */
};

enum {
    YAML_DEPTH_MAX = 64,
    YAML_NODES_MAX = 1000000 /* after aliases are expanded */
};

/* One document; an empty one gives a YAML_NULL node. Errors: INVALID (syntax, duplicate key), LIMIT, OOM. */
MUST_USE enum err yaml_parse(struct arena *a, struct str text, const char *file,
                             const struct yaml_node **ret_root, struct err_info *reterr_info);
/* Reads the file (at most 16 MiB) and parses it; `path` is copied. Errors: also NOT_FOUND, DENIED, IO. */
MUST_USE enum err yaml_load(struct arena *a, const char *path, const struct yaml_node **ret_root,
                            struct err_info *reterr_info);

/* Member of a map; NULL when absent or when `map` is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
bool yaml_is_null(const struct yaml_node *n); /* NULL or YAML_NULL */

/* INVALID at the node, with file, line and column. */
enum err yaml_error(const struct yaml_node *n, struct err_info *reterr_info, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Every key of `map` is one of `keys` (NULL-terminated); a null node passes. The error reads
 * `field tarets not found in static_configs (did you mean "targets"?)`. */
MUST_USE enum err yaml_check_keys(const struct yaml_node *map, const char *what, const char *const *keys,
                                  struct err_info *reterr_info);

/* Typed reading of an optional node: absent or null leaves *value as it is. */
MUST_USE enum err yaml_str(const struct yaml_node *n, struct str *value, struct err_info *reterr_info);
MUST_USE enum err yaml_bool(const struct yaml_node *n, bool *value, struct err_info *reterr_info);
MUST_USE enum err yaml_i64(const struct yaml_node *n, int64_t *value, struct err_info *reterr_info);
MUST_USE enum err yaml_u64(const struct yaml_node *n, uint64_t *value, struct err_info *reterr_info);
MUST_USE enum err yaml_f64(const struct yaml_node *n, double *value, struct err_info *reterr_info);
/* Prometheus' duration ("15s") in milliseconds; Go's durations as well when `go_too`. */
MUST_USE enum err yaml_duration(const struct yaml_node *n, bool go_too, int64_t *value_ms,
                                struct err_info *reterr_info);
MUST_USE enum err yaml_size(const struct yaml_node *n, uint64_t *value_bytes, struct err_info *reterr_info);
/* A list of scalars (a single scalar counts as a list of one). */
MUST_USE enum err yaml_str_list(struct arena *a, const struct yaml_node *n, const struct str **ret_items,
                                size_t *ret_n, struct err_info *reterr_info);

#endif
