/* The caller's side of snapshot.h, for commands that read the data of a running program. */
#ifndef CAIRN_CAIRN_SNAPSHOT_CLIENT_H
#define CAIRN_CAIRN_SNAPSHOT_CLIENT_H

#include "base/arena.h"

/* A snapshot that this process uses: nobody removes it while the lock is held. */
struct snapshot_use {
    struct str prometheus;   /* a folder whose blocks the program serves where they stand; empty: none */
    struct str folder;       /* BASE/snapshots/NAME, with a NUL behind it; empty: none */
    const struct str *files; /* of the configuration that the program's roles read; absolute */
    size_t file_count;
    int lock_fd;
};

/* True when a program says in that folder how to ask it. */
bool snapshot_offered(struct arena *a, struct str base);
/* Asks the program that has its control file in `base` for a snapshot; what killed processes left of theirs
 * is removed first. Everything in *ret_use is in the arena. Errors: NOT_FOUND (no program that could be
 * asked), UNAVAILABLE (somebody else is asking just now), EXECUTION, those of HTTP. */
MUST_USE enum err snapshot_take(struct arena *a, struct str base, struct snapshot_use *ret_use,
                                struct err_info *info);
/* Removes it. Accepts a zeroed struct. */
void snapshot_drop(struct snapshot_use *u);

#endif
