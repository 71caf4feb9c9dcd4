/* Globs as Promtail's library (doublestar) reads them: * ? [a-z] [^x] {a,b} within a segment, ** for any
 * number of folders where it is a whole segment. Dot files match; case counts. Pure; any thread. */
#ifndef CAIRN_AGENT_INPUTS_GLOB_H
#define CAIRN_AGENT_INPUTS_GLOB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
    GLOB_ALTERNATIVES_MAX = 1024, /* of the braces of one pattern */
    GLOB_DEPTH_MAX = 64           /* folders; symbolic links may form a loop */
};

struct glob {
    const struct str *alternatives; /* without braces */
    size_t n;
};

/* The pattern lives in the arena. Errors: INVALID (brackets or braces that do not close), LIMIT, OOM. */
MUST_USE enum err glob_new(struct arena *a, struct str pattern, struct glob *ret_glob,
                           struct err_info *reterr_info);
bool glob_match(const struct glob *g, struct str path);

struct glob_visitor {
    /* A path that matches and exists; strings are valid during the call. Anything but OK ends the walk. */
    enum err (*found)(void *ctx, struct str path);
    /* A folder in which matches may appear. */
    enum err (*folder)(void *ctx, struct str path);
    void *ctx;
};

/* Walks the file system. What cannot be read is passed over. Errors: OOM, and what the visitor returned. */
MUST_USE enum err glob_walk(const struct glob *g, const struct glob_visitor *v);

#endif
