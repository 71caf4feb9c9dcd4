/* What matchers choose of a block, remembered: labels, hashes and the places of chunks, as cursors want them.
 *
 * Dashboards ask for the same series again and again, and blocks never change: once found, a selection needs
 * neither postings nor symbols. The cache is one for the store, bounded, and forgets what was not used for
 * longest. Entries of blocks that are gone are never asked for and leave in that order.
 *
 * A selection is immutable and shared by count. Its labels and chunks are views of the block's mapping:
 * whoever looks at one holds the block too. */
#ifndef CAIRN_METRICS_TSDB_SELECTION_H
#define CAIRN_METRICS_TSDB_SELECTION_H

#include "base/strmap.h"
#include "base/thread.h"
#include "metrics/tsdb/limits.h"
#include "metrics/tsdb/section.h"
#include "query/limits.h"

struct selected_chunk {
    const uint8_t *data; /* times, then values */
    uint32_t times_bytes, value_bytes;
    uint32_t column, first_tick, count; /* as in section_chunk */
    uint32_t page;
    uint8_t mode;
    ts_ms min_ts, max_ts;
};

struct selected_series {
    struct labels labels;
    uint64_t hash;
    struct selected_chunk *chunks;
    uint32_t chunk_count;
};

/* Of one section. */
struct selected_part {
    struct section_pages pages;
    const struct section_column *columns;
    uint32_t column_count, series_count;
    struct selected_series *series;
    bool damaged; /* some series are missing */
};

struct selection {
    atomic_uint refs;
    struct arena memory;
    bool too_large; /* to be remembered: the block is to be read as if there were no cache */
    struct selected_part *parts[PARTITIONS]; /* NULL: nothing there */
    struct str key;
    size_t bytes;
    struct selection *newer, *older; /* by use; under the cache's lock */
};

struct selection_cache {
    struct match_cache *matches; /* what expressions leave, where a selection is made; may be NULL */
    struct mutex lock;           /* guards what follows */
    struct strmap by_key;
    struct selection *newest, *oldest;
    size_t bytes, bytes_max;
};

void selection_cache_init(struct selection_cache *c, size_t bytes_max, struct match_cache *matches);
void selection_cache_done(struct selection_cache *c);
size_t selection_cache_bytes(struct selection_cache *c);
/* Memory is short: forgets all; what a query holds stays until it lets go. */
void selection_cache_clear(struct selection_cache *c);

/* The selection of the block, found or made; a reference. Errors: OOM, LIMIT (of the query), CANCELED,
 * TIMEOUT. Sections that are damaged are an answer, not an error. */
MUST_USE enum err selection_get(struct selection_cache *c, struct query_ctx *q, struct block *b,
                                uint64_t block_number, const struct matcher *m, size_t n,
                                struct selection **ret_s);
void selection_unref(struct selection *s); /* accepts NULL */

#endif
