/* How a cursor sees one partition: columns of timestamps, and for every picked series its runs of samples.
 *
 * Head and blocks fill it in (pick_*.c), the merge hands batches out (cursor.c). Everything lives in the
 * partition's arena; chunks of the head are held by reference. */
#ifndef CAIRN_METRICS_TSDB_CURSOR_INT_H
#define CAIRN_METRICS_TSDB_CURSOR_INT_H

#include "metrics/promtsdb/prom_chunk_read.h"
#include "metrics/promtsdb/prom_stones.h"
#include "metrics/tsdb/selection.h"
#include "metrics/tsdb/store.h"
#include "metrics/tsdb/tsdb_int.h"

#define COLUMN_NONE UINT32_MAX

/* Timestamps that several runs share: ts[i] is tick first + i. */
struct column {
    const ts_ms *ts;
    uint32_t first, n;
};

struct run {
    const uint8_t *times, *values;
    uint32_t times_bytes, value_bytes;
    uint32_t column, first_tick; /* column == COLUMN_NONE: own times */
    uint32_t count;
    uint8_t mode;
    uint8_t prom_encoding; /* of a chunk of Prometheus, which `values` is with its times; 0: one of ours */
    uint32_t prom_stone_count;
    const struct prom_stone *prom_stones; /* deletions that concern it */
    ts_ms min_ts, max_ts;
    uint64_t
        rank; /* number of the block, UINT64_MAX for the head: on equal times the lower was written first */
};

struct picked {
    struct labels labels;
    uint64_t hash;
    struct run *runs; /* by min_ts once complete; they may overlap */
    size_t run_count, run_cap;
    struct late_sample *late;
    size_t late_count;
    size_t sample_count; /* of all runs */
    uint64_t signature;  /* of the sequence of columns; 0 = a clock of its own */
    uint64_t id;         /* as metric_series tells it */
    bool rich;           /* some run has histograms or start timestamps */
};

/* The clock of the series at hand that share their columns. */
struct shared_clock {
    uint64_t signature; /* theirs; 0 = none yet */
    uint64_t number;    /* counts up */
    const ts_ms *ts;
    uint32_t n, first_tick; /* the tick of ts[0] in the series' first column */
};

struct metric_cursor {
    struct tsdb *db;
    struct query_ctx *q;
    struct tenant *tenant;
    uint64_t map_failures; /* when it began */
    struct metric_select sel;
    struct arena all;                  /* labels, matchers, warnings: as long as the cursor */
    struct arena part;                 /* what was picked from the partition */
    struct arena out;                  /* the batch */
    struct index *indexes[PARTITIONS]; /* the texts of the labels */
    struct store_set *sets[PARTITIONS];
    bool heads_only;               /* flush */
    struct store_set *only_blocks; /* compaction: these and no head */
    struct prom_choice *prom;      /* series of blocks of a Prometheus; NULL until needed */
    uint32_t *by_hash;             /* hash table of picked + 1, while blocks are merged in */
    size_t by_hash_cap;
    unsigned partition; /* the next to be picked */
    struct column *columns;
    size_t column_count, column_cap;
    struct picked *picked;
    size_t picked_count, picked_cap, picked_next;
    struct shared_clock clock;
    uint64_t *bits; /* a decoded run on its way */
    size_t bits_cap;
    ts_ms flushed_before;     /* as of the set the masks are of */
    struct tombstone **masks; /* those of the present set that concern the tenant and the span */
    size_t mask_count;
    struct chunk **held; /* in mem_alloc memory */
    size_t held_count, held_cap;
    struct selection **selections;         /* of each block of selections_of; NULL: not remembered */
    const struct store_set *selections_of; /* one of `sets` */
    struct selection **held_selections;    /* all that were got; in mem_alloc memory */
    size_t held_selection_count, held_selection_cap;
    struct str *warnings;
    size_t warning_count;
};

/* Adds what the head of the partition has. Takes the partition's lock for a short time. */
MUST_USE enum err pick_head(struct metric_cursor *c, unsigned partition);

/* Adds what the blocks of the set have; a damaged section becomes a warning. */
MUST_USE enum err pick_blocks(struct metric_cursor *c, unsigned partition, struct store_set *set);
/* Adds what the blocks of a Prometheus have that are read in place, after pick_blocks. */
MUST_USE enum err pick_prom(struct metric_cursor *c, unsigned partition);
/* The samples of a run of Prometheus', in the cursor's `out`; none when it is damaged. */
MUST_USE enum err prom_run_decode(struct metric_cursor *c, const struct run *r, struct prom_samples *ret_s);
/* The picked series with these labels (`hash` as labels_hash has it), made when absent. */
MUST_USE enum err cursor_picked_for(struct metric_cursor *c, struct labels ls, uint64_t hash,
                                    struct picked **ret_p);
/* Remembers a sentence for the client; few are kept. */
void cursor_warn(struct metric_cursor *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
