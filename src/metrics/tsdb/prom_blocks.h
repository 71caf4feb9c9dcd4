/* Blocks of a Prometheus that are read where they stand.
 *
 * They are opened with the store and stay as they are until it is closed; nothing of theirs is ever written
 * or removed. They belong to the tenant of single-tenant use. What is past retention is hidden. */
#ifndef CAIRN_METRICS_TSDB_PROM_BLOCKS_H
#define CAIRN_METRICS_TSDB_PROM_BLOCKS_H

#include "metrics/promtsdb/prom_dir.h"
#include "metrics/tsdb/tsdb_int.h"

/* Opens the blocks below o.prometheus_dir; damaged ones are logged, counted and left out. Errors: those of
 * prom_dir_open; UNAVAILABLE when a Prometheus is running there. */
MUST_USE enum err prom_blocks_open(struct tsdb *db, struct err_info *info);
/* Whether the block has a part in the span and is not past retention. */
bool prom_block_wanted(const struct tsdb *db, const struct prom_block *b, ts_ms start, ts_ms end);
/* What is remembered of the matchers' result, by the block's place in db->prom. */
enum prom_remembered {
    PROM_IDS,         /* ids ascending */
    PROM_BY_PARTITION /* the first of each partition and the end, then ids by partition */
};
struct match_key prom_match_key(size_t block, enum prom_remembered what, const struct matcher *m, size_t n);
/* Whether a deletion still has to hide samples there. */
bool prom_blocks_concern(const struct tsdb *db, struct str tenant, ts_ms start, ts_ms end);
/* Hides what is older. */
void prom_blocks_retain(struct tsdb *db, ts_ms newest);

#endif
