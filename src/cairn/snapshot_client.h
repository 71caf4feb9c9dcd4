/* The caller's side of snapshot.h, for commands that read the data folder of a running program. */
#ifndef CAIRN_CAIRN_SNAPSHOT_CLIENT_H
#define CAIRN_CAIRN_SNAPSHOT_CLIENT_H

#include "base/arena.h"

/* Asks the program that uses the data folder for a snapshot; *ret_folder is DATA/snapshots/NAME, in the
 * arena, with a NUL behind it. The caller removes it. Errors: NOT_FOUND (no program that could be asked),
 * EXECUTION, those of HTTP. */
MUST_USE enum err snapshot_of_running(struct arena *a, struct str data, struct str *ret_folder,
                                      struct err_info *info);

#endif
