/* The store's own structures, for the files of this folder. */
#ifndef CAIRN_METRICS_TSDB_TSDB_INT_H
#define CAIRN_METRICS_TSDB_TSDB_INT_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "disk/expiry.h"
#include "metrics/promtsdb/prom_dir.h"
#include "metrics/tsdb/head.h"
#include "metrics/tsdb/match_cache.h"
#include "metrics/tsdb/selection.h"
#include "metrics/tsdb/store.h"
#include "metrics/tsdb/tsdb.h"

struct exemplar {
    char *packed; /* labels of the series, then its own, as records have them (side.c); on the heap */
    uint32_t series_n, own_n; /* bytes of the two */
    uint32_t before; /* number of the series' one before; a hint, true when it is there and of the series */
    uint64_t hash;   /* of the series */
    double value;
    ts_ms ts;
    bool timeless; /* it came without a time of its own, or that is not known */
};

/* The newest exemplars. They are numbered as they come (modulo 2^32); number k is at k modulo cap. */
struct exemplar_ring {
    struct exemplar *items;
    uint32_t cap; /* a power of two; grows */
    uint32_t first, n;
    size_t bytes, bytes_max;
    uint32_t count_max;   /* 0 = nothing is kept */
    struct u64map newest; /* hash of a series -> number of its newest in time; a hint */
};

/* Never freed before the store is. */
struct tenant {
    uint32_t number;
    struct str name;
    atomic_uint_fast64_t series;
    atomic_uint_fast32_t created; /* numbers given to new series; wraps */
    _Atomic int64_t max_ts;       /* newest sample of any series; INT64_MIN when there is none */
    struct mutex side_lock;       /* guards what follows */
    struct exemplar_ring exemplars;
    struct strmap metadata; /* metric -> struct metadata_row list */
};

struct partition {
    struct mutex writer; /* one appender at a time; taken before lock, and held while the log writes */
    struct mutex lock;   /* guards the heads; never held across I/O */
    struct head **heads; /* by tenant number; NULL where it has no series here */
    size_t head_count, head_cap;
    unsigned number;
    uint8_t generation;          /* of the heads */
    uint64_t begun[GENERATIONS]; /* the offset from which on a generation's samples are in the log */
    uint64_t end;                /* offset of the newest record placed, plus one */
    struct buf record;           /* scratch of the appender that holds the lock */
} __attribute__((aligned(64)));

/* All samples of records below `offset` are at most max_ts. */
struct mark {
    uint64_t offset;
    ts_ms max_ts;
};

/* See memory.h. */
struct memory_watch {
    atomic_uint_fast64_t measured, made; /* bytes of the heads; of series made since. Sums, order nothing */
    atomic_uint_fast64_t late_measured, late_made; /* the same of late samples */
    struct mutex lock;                             /* guards offender */
    char offender[192];
};

/* See staging.h. */
struct staging {
    atomic_bool active; /* the log is being replayed: batches wait */
    struct mutex lock;  /* guards what follows */
    size_t bytes_max;   /* of the queue */
    struct buf queue;   /* of whole records, each behind its length (u32) */
    struct err_info failed;
    struct buf found; /* the same, of the log: touched by the replaying thread alone */
    uint64_t end;     /* offset behind the newest whole record; the same */
};

/* See checkpoint.h. */
struct checkpoint {
    bool found;                /* the one on disk fits the store; not yet put into the heads */
    uint64_t from[PARTITIONS]; /* offset where the log goes on behind it */
    uint64_t side_from;        /* the same of what is kept beside the samples */
    /* numbers of the files of its definitions: all there were, and then those that were new */
    uint64_t series_files[CHECKPOINT_SERIES_FILES_MAX];
    size_t series_file_count;
    struct chunk_extent *segments; /* that it is made of */
    size_t segment_count;
    struct buf content; /* of the file, until it is put into the heads */
    size_t heads_at;    /* place in it */
    /* of the newest one */
    uint64_t flushes, log_bytes,
        series;      /* how many flushes and series there had been, how long the log was */
    int64_t made_ns; /* monotonic; 0: none yet */
};

struct tsdb {
    struct metric_sink sink;
    struct metric_source source;
    struct tsdb_options o;
    char *dir, *prom_dir;
    int lock_fd;
    struct ingest_log *log;
    struct store store;
    struct prom_dir prom;               /* read in place; unchanged while the store is open */
    _Atomic int64_t prom_hidden_before; /* retention */
    struct mutex maintenance; /* one flush, compaction or deletion at a time; taken before any other lock */
    struct mark *marks;       /* ring; guarded by maintenance */
    size_t mark_count;
    struct expiry expiry; /* guarded by maintenance */
    struct thread thread; /* of maintenance */
    struct thread loader; /* replays the log when tsdb_options.replay_later */
    struct staging staging;
    atomic_bool closing;
    struct mutex thread_lock;
    struct cond wake;
    bool stopping;
    atomic_bool hurry; /* housekeeping is wanted now */
    atomic_bool disk_full;
    atomic_uint_fast64_t sections_bad;
    _Atomic int64_t flushing_before; /* samples below it come late while a flush runs; INT64_MIN */
    struct mutex tenants_lock;
    struct tenant **tenants;
    size_t tenant_count, tenant_cap;
    char *chunk_dir;
    struct chunk_pool pool;       /* of all heads */
    struct checkpoint checkpoint; /* guarded by maintenance, as replay holds it */
    uint64_t rested_after;        /* flushes and checkpoints; guarded by maintenance */
    bool loaded;                  /* replay is over; guarded by maintenance */
    struct memory_watch memory;
    struct selection_cache selections;
    struct match_cache match_cache; /* of all blocks */
    uint64_t match_cache_swept;     /* sum over the blocks there were then; guarded by maintenance */
    struct partition partitions[PARTITIONS];
    atomic_uint_fast64_t epoch;      /* of series references */
    atomic_uint_fast64_t generation; /* of the past */
    atomic_uint_fast64_t appended, refused[SAMPLE_STATUS_COUNT];
    atomic_uint_fast64_t flushes, merges, block_failures, time_retentions, size_retentions, series_created;
    atomic_uint_fast64_t checkpoints, checkpoints_bad, chunks_restored, records_replayed;
    _Atomic int64_t replay_ns;
    atomic_uint_fast64_t wal_bad_segments;
    atomic_uint_fast64_t wal_orphans; /* samples without a series, senseless records */
};

static inline struct tsdb *tsdb_of_sink(struct metric_sink *s)
{
    return (struct tsdb *)(void *)((char *)s - offsetof(struct tsdb, sink));
}

static inline struct tsdb *tsdb_of_source(struct metric_source *s)
{
    return (struct tsdb *)(void *)((char *)s - offsetof(struct tsdb, source));
}

/* A reference: slot + 1 above the partition's 6 bits. */
static inline series_ref ref_of(unsigned partition, uint32_t slot)
{
    return ((uint64_t)slot + 1) << 6 | partition;
}

/* Of the series' target: job and instance, the whole set when both are missing. */
uint64_t series_target(struct str tenant, struct labels ls, uint64_t hash);

/* Sorted, unique, neither empty nor beyond the limits. */
bool series_labels_valid(struct labels ls);

/* The tenant, made when absent (or NULL when `make` is false and it is). Errors: OOM, LIMIT, INVALID. */
MUST_USE enum err tenant_get(struct tsdb *db, struct str name, bool make, struct tenant **ret_t);
/* The partition's head of the tenant, made when absent. Under the partition's lock. */
MUST_USE enum err partition_head(struct partition *p, struct tenant *t, struct chunk_pool *pool,
                                 struct head **ret_h);
static inline struct head *partition_head_find(const struct partition *p, const struct tenant *t)
{
    return t->number < p->head_count ? p->heads[t->number] : NULL;
}

/* Samples before it change the past of which source_generation speaks; INT64_MIN: there are none. */
ts_ms tsdb_mutable_from(struct tsdb *db);

void tenant_max_ts_raise(struct tenant *t, ts_ms ts);

/* A cursor over one span, of blocks alone or of heads alone: for flush and compaction. */
MUST_USE enum err cursor_internal(struct tsdb *db, struct query_ctx *q, struct tenant *t, ts_ms start,
                                  ts_ms end, struct store_set *only_blocks, struct metric_cursor **ret_c);
/* Picks one partition instead of all; then cursor_next goes through it alone. */
MUST_USE enum err cursor_partition(struct metric_cursor *c, unsigned partition);

/* The sink's append when nothing is staged. */
MUST_USE enum err tsdb_append_now(struct tsdb *db, struct sink_batch *batch, struct sink_result *ret_result,
                                  struct err_info *reterr_info);
/* See struct metric_sink_ops. */
MUST_USE enum err tsdb_append_column(struct metric_sink *s, const struct sink_column *in,
                                     struct err_info *reterr_info);
/* Errors: NO_SPACE. */
MUST_USE enum err tsdb_writable(const struct tsdb *db, struct err_info *reterr_info);
/* What every sample must be, whatever the heads hold: STORED, INVALID or OUT_OF_BOUNDS. */
enum sample_status tsdb_sample_check(const struct sink_sample *m, ts_ms future);
ts_ms tsdb_future(const struct tsdb *db);

extern const struct metric_sink_ops tsdb_sink_ops;
extern const struct metric_source_ops tsdb_source_ops;

#endif
