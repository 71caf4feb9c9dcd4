/* Replay's two halves: replay.c reads the log and shares out the work, replay_apply.c puts records into the
 * heads. */
#ifndef CAIRN_METRICS_TSDB_REPLAY_INT_H
#define CAIRN_METRICS_TSDB_REPLAY_INT_H

#include "metrics/tsdb/tsdb_int.h"

#define OFFSET_NONE UINT64_MAX /* of a record that is not of the log */

/* A record's place in its partition's queue; its bytes follow. */
struct queued {
    uint64_t offset; /* or OFFSET_NONE */
    struct tenant *tenant;
    uint32_t bytes;
    uint32_t order; /* of the first series it defines */
};

/* Samples that wait to be applied series by series; one for each thread that applies. */
struct replay_group;

MUST_USE struct replay_group *replay_group_new(void);
void replay_group_free(struct replay_group *g); /* accepts NULL */

/* Applies a queue of struct queued in its order, and empties it. Records that make no sense are counted.
 * Errors: OOM. One thread for each partition. */
MUST_USE enum err replay_queue_apply(struct tsdb *db, unsigned partition, struct buf *queue,
                                     struct replay_group *g);

/* Tenant and numbers for the series the record defines, so that their order is that of the log. CORRUPT: no
 * record of samples. */
MUST_USE enum err replay_record_look(struct tsdb *db, struct str record, struct tenant **ret_t,
                                     uint32_t *ret_order);

#endif
