/* The disk reserve: writers ask before they begin something large, so that the file system never fills up to
 * the brim and what frees space (merging, trimming, removing) can still work.
 *
 * The free space is measured at most once per QUOTA_CHECK_MS; what was granted since counts as used. Any
 * thread. */
#ifndef CAIRN_DISK_QUOTA_H
#define CAIRN_DISK_QUOTA_H

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"

enum {
    QUOTA_CHECK_MS = 1000
};

struct quota {
    const char *dir; /* borrowed */
    uint64_t reserve_bytes;
    const struct clock *clock;
    struct mutex lock; /* guards the rest */
    bool measured;
    int64_t measured_ns;
    uint64_t free_bytes, total_bytes, granted_bytes;
};

void quota_init(struct quota *q, const char *dir, uint64_t reserve_bytes, const struct clock *clock);
void quota_done(struct quota *q);
/* OK when `bytes` more leave the reserve untouched. Errors: NO_SPACE, and what dir_free_bytes gives. */
MUST_USE enum err quota_ask(struct quota *q, uint64_t bytes, struct err_info *reterr_info);
/* The last measurement (a new one when it is too old); false when it failed. */
bool quota_free(struct quota *q, uint64_t *ret_free, uint64_t *ret_total);

#endif
