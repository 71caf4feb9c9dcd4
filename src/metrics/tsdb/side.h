/* Exemplars and metadata of a tenant. */
#ifndef CAIRN_METRICS_TSDB_SIDE_H
#define CAIRN_METRICS_TSDB_SIDE_H

#include "codec/varint.h"
#include "metrics/tsdb/tsdb_int.h"

/* Keeps and logs what is new. Exemplars of series that are not in `known` (one flag a series; NULL: all are)
 * are left out. Counts exemplars in *ret_result. Errors: OOM, those of the log. */
MUST_USE enum err side_store(struct tsdb *db, struct tenant *t, const struct sink_batch *b, const bool *known,
                             struct sink_result *ret_result, struct err_info *info);
/* Errors: CORRUPT, OOM. */
MUST_USE enum err side_replay(struct tsdb *db, struct str record);
/* Everything as one record; false when there is nothing. */
bool side_save(struct tenant *t, struct buf *b);
void side_done(struct tenant *t);

void side_labels_write(struct buf *b, struct labels ls);
/* Views in out[LABELS_MAX]; the reader turns bad when there are more. */
struct labels side_labels_read(struct reader *r, struct label *out);

/* exemplars.c, under the side lock. */
enum exemplar_verdict {
    EXEMPLAR_NEW = 0,
    EXEMPLAR_KNOWN,   /* as it is there: accepted and not kept */
    EXEMPLAR_LATE,    /* older than the newest of its series by the out-of-order window or more */
    EXEMPLAR_LEFT_OUT /* its labels are too long, or none are kept */
};
MUST_USE enum err exemplar_check(const struct exemplar_ring *ring, const struct sink_exemplar *x,
                                 struct labels series, int64_t window_ms, enum exemplar_verdict *ret_verdict);
/* Stores it when it is new, *ret_new. */
MUST_USE enum err exemplar_store(struct exemplar_ring *ring, const struct sink_exemplar *x,
                                 struct labels series, int64_t window_ms, bool *ret_new);
/* Every tenant gets its limits, an equal part of the memory for exemplars; the oldest beyond them go. Under
 * tenants_lock. */
void exemplars_limit(struct tsdb *db);
void exemplars_done(struct exemplar_ring *ring);
/* How many tsdb_options.exemplars_max means. */
uint32_t exemplars_count_max(int64_t option);
static inline const struct exemplar *exemplar_at(const struct exemplar_ring *ring, uint32_t from_oldest)
{
    return &ring->items[(ring->first + from_oldest) & (ring->cap - 1)];
}

#endif
