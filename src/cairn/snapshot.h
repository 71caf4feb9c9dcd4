/* Snapshots of every role of the process, asked for by `cairn backup` over HTTP.
 *
 * POST /api/v1/cairn/snapshot on one of the process's servers makes BASE/snapshots/NAME with a folder a role
 * and answers {"name":...,"roles":[...],"files":[...]}; files are the absolute paths of the configuration
 * that the roles read. BASE is the data folder, or the folder of the one role that keeps its data elsewhere.
 * Only callers on this host that know the secret in BASE/control are answered: whoever can read the data
 * folder may, with or without the listener's own authentication. */
#ifndef CAIRN_CAIRN_SNAPSHOT_H
#define CAIRN_CAIRN_SNAPSHOT_H

#include "base/thread.h"
#include "cairn/serve_int.h"

#define SNAPSHOT_PATH "/api/v1/cairn/snapshot"
#define SNAPSHOT_SECRET_HEADER "X-Cairn-Control"
#define SNAPSHOT_FOLDER "snapshots"
#define SNAPSHOT_CONTROL "control"     /* BASE/control: "URL SECRET\n" */
#define SNAPSHOT_NAME_BEGINS "backup-" /* of a name; others in the folder are not ours */

enum {
    SNAPSHOT_SECRET_BYTES = 32
};

/* Lives from before start until after the last role has stopped. */
struct snapshots {
    const struct serve *serve;
    struct role *const *roles;
    size_t role_count;
    struct str base;
    char secret[2 * SNAPSHOT_SECRET_BYTES + 1];
    char *control;     /* path of the file */
    struct mutex lock; /* one snapshot at a time; guards open */
    bool open;
};

/* Adds the route and writes BASE/control; does nothing when no role keeps data. A failure is logged: the
 * roles serve all the same. */
void snapshots_start(struct snapshots *s, const struct serve *serve, struct role *const *roles,
                     size_t role_count);
/* Waits for a running snapshot and takes no more. Before the roles stop. */
void snapshots_stop(struct snapshots *s);

#endif
