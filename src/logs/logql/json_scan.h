/* JSON of log lines, read without a tree and as leniently as Loki reads it: nothing is checked but what is
 * needed to find the ends of values. Faults are sentences, which clients see in __error_details__. */
#ifndef CAIRN_LOGS_LOGQL_JSON_SCAN_H
#define CAIRN_LOGS_LOGQL_JSON_SCAN_H

#include "base/arena.h"
#include "base/str.h"

enum scan_type {
    SCAN_STRING = 0,
    SCAN_NUMBER,
    SCAN_OBJECT,
    SCAN_ARRAY,
    SCAN_BOOL,
    SCAN_NULL
};

struct scan_value {
    enum scan_type type;
    struct str text; /* strings without their quotes, still escaped */
};

/* Faults are pointers; NULL is none. The callbacks end the walk with any other, which is handed through. */
typedef const char *(*scan_member_fn)(void *ctx, struct str key, const struct scan_value *v);

/* Calls fn for each member. Keys are unescaped (in the arena where an escape occurs). */
const char *scan_object(struct arena *a, struct str text, scan_member_fn fn, void *ctx);

/* Unescapes into the arena, or borrows. False: not a valid string. */
bool scan_unescape(struct arena *a, struct str s, struct str *ret_text);

/* One step of a path: a name, or an index into an array. */
struct scan_step {
    bool is_index;
    struct str name;
    int64_t index;
};

struct scan_path {
    const struct scan_step *steps;
    size_t n;
};

enum {
    SCAN_PATHS_MAX = 128,
    SCAN_PATH_STEPS_MAX = 128,
    SCAN_DEPTH_MAX = 256
};

/* Calls fn once for each path that leads somewhere, in the order of the text. `fault` set: v is nothing. */
typedef void (*scan_path_fn)(void *ctx, size_t path, const struct scan_value *v, const char *fault);
void scan_paths(struct arena *a, struct str text, const struct scan_path *paths, size_t n, scan_path_fn fn,
                void *ctx);

/* Parses a path expression (a.b[0]["c d"]). Errors: INVALID (Loki's text), OOM. */
MUST_USE enum err scan_path_parse(struct arena *a, struct str text, struct scan_path *ret_path,
                                  struct err_info *reterr_info);

#endif
