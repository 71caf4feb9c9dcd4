/* Exemplars and metadata of a tenant. */
#ifndef CAIRN_METRICS_TSDB_SIDE_H
#define CAIRN_METRICS_TSDB_SIDE_H

#include "codec/varint.h"
#include "metrics/tsdb/tsdb_int.h"

/* Keeps and logs what is new. Errors: OOM, those of the log. */
MUST_USE enum err side_store(struct tsdb *db, struct tenant *t, const struct sink_batch *b,
                             struct err_info *info);
/* Errors: CORRUPT, OOM. */
MUST_USE enum err side_replay(struct tsdb *db, struct str record);
/* Everything as one record; false when there is nothing. */
bool side_save(struct tenant *t, struct buf *b);
void side_done(struct tenant *t);

void side_labels_write(struct buf *b, struct labels ls);
/* Views in out[LABELS_MAX]; the reader turns bad when there are more. */
struct labels side_labels_read(struct reader *r, struct label *out);

/* exemplars.c, under the side lock. *ret_new: it was neither known nor older than the series' newest. */
MUST_USE enum err exemplar_store(struct exemplar_ring *ring, const struct sink_exemplar *x,
                                 struct labels series, bool *ret_new);
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
