/* Up to where each series was sent: a table from series id to timestamp. One owner. */
#ifndef CAIRN_METRICS_REMOTE_SENT_TABLE_H
#define CAIRN_METRICS_REMOTE_SENT_TABLE_H

#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"

struct sent_slot {
    uint64_t id;
    ts_ms ts;
    bool used;
};

struct sent_table {
    struct sent_slot *slots;
    size_t count, cap; /* cap 0 or a power of two */
};

void sent_table_done(struct sent_table *t);
/* `otherwise` when the series is not there. */
ts_ms sent_table_get(const struct sent_table *t, uint64_t id, ts_ms otherwise);
/* Errors: OOM. */
MUST_USE enum err sent_table_put(struct sent_table *t, uint64_t id, ts_ms ts);

#endif
