/* The metrics store: a WAL-backed head of recent samples in front of immutable blocks.
 *
 * Layout below `dir`: lock, wal/, chunks/, blocks/, MANIFEST. Any thread may use sink and source at once;
 * readers never wait for writers of other partitions. */
#ifndef CAIRN_METRICS_TSDB_TSDB_H
#define CAIRN_METRICS_TSDB_TSDB_H

#include "base/clock.h"
#include "base/err.h"
#include "base/mem_promise.h"
#include "disk/ingest_log.h"
#include "metrics/model/sink.h"
#include "query/metric_source.h"

struct tsdb_options {
    const char *dir;
    /* A data directory of Prometheus whose blocks are queried where they stand, as QUERY_TENANT_DEFAULT's;
     * never written to. NULL = none. */
    const char *prometheus_dir;
    struct clock *clock;        /* NULL = the real one */
    enum durability durability; /* of the WAL; DURABILITY_INTERVAL unless told */
    int64_t retention_ms;       /* 0 = 15 days */
    uint64_t retention_bytes;   /* 0 = no limit; over everything in dir */
    int64_t late_window_ms;     /* out-of-order window; 0 = 1 h, < 0 = none */
    int64_t block_ms;           /* head span that is flushed to one block; 0 = 2 h */
    /* What the heads may use; 0 = a quarter of the host, or half of a cgroup limit. Above a half of it heads
     * are flushed early, above three quarters new series are refused. */
    uint64_t memory_bytes;
    /* Of the process, of which the heads are a part: when it is full new series are refused as well, when it
     * is pressed heads are flushed early and on_pressure is called by housekeeping. NULL: the heads stand
     * alone. */
    struct mem_promise *promise;
    void (*on_pressure)(void *ctx);
    void *on_pressure_ctx;
    uint64_t series_max;         /* per tenant; 0 = as many as memory_bytes has room for */
    int64_t exemplars_max;       /* newest that are kept, per tenant; 0 = 100,000, < 0 = none */
    uint64_t disk_reserve_bytes; /* refuse writes below this much free disk; 0 = 256 MiB */
    /* tsdb_open returns before the log is replayed, which goes on in a thread: batches are logged,
     * acknowledged and kept until it is over, queries are UNAVAILABLE. on_loaded (may be NULL) is then called
     * by that thread; with an error the store stays as it is. */
    bool replay_later;
    void (*on_loaded)(void *ctx, enum err e, const struct err_info *info);
    void *on_loaded_ctx;
    bool no_housekeeping; /* no thread of its own: nothing is merged or expires unless it is asked for */
};

struct tsdb;

/* What memory_bytes is unless told: a quarter of the host's memory, or half of the smallest limit of the
 * cgroups the process is in. */
uint64_t tsdb_memory_default_bytes(void);

/* Locks the folder, loads the manifest and replays the WAL (or begins to). Errors: EXISTS (another process
 * has it), CORRUPT, IO, DENIED, OOM. */
MUST_USE enum err tsdb_open(const struct tsdb_options *o, struct tsdb **ret_db, struct err_info *reterr_info);
/* Seals and syncs what is open, so that the next start replays nothing, and unlocks. Accepts NULL. */
void tsdb_close(struct tsdb *db);

struct metric_sink *tsdb_sink(struct tsdb *db);
struct metric_source *tsdb_source(struct tsdb *db);

/* Marks the samples that matching series have in [start_ms, end_ms] now as deleted, after the heads were
 * written to a block: what comes later for the same time stays. Queries stop seeing them at once, compaction
 * drops them. Durable when it returns. */
MUST_USE enum err tsdb_delete(struct tsdb *db, struct query_ctx *q, const struct matcher *matchers,
                              size_t matcher_count, ts_ms start_ms, ts_ms end_ms,
                              struct err_info *reterr_info);
/* Housekeeping that is due: seal, flush, compact, retention, WAL trim. Called by a thread of the store every
 * few seconds, and by tests. */
MUST_USE enum err tsdb_maintain(struct tsdb *db, struct err_info *reterr_info);
/* A consistent copy below `to` (hard links to blocks, the head as a block unless skip_head). */
MUST_USE enum err tsdb_snapshot(struct tsdb *db, const char *to, bool skip_head,
                                struct err_info *reterr_info);

struct tsdb_stats {
    uint64_t series, chunks, label_pairs; /* of the head */
    uint64_t samples_appended, samples_refused[SAMPLE_STATUS_COUNT];
    uint64_t head_bytes, wal_bytes, block_bytes, blocks;
    /* head_bytes by purpose */
    uint64_t series_bytes, index_bytes, tail_bytes, clock_bytes, chunk_bytes, late_bytes;
    uint64_t log_bytes;                 /* memory of the log's buffers and of batches that wait for replay */
    uint64_t chunk_file_bytes;          /* files of sealed chunks: on disk, mapped */
    uint64_t exemplars, exemplar_bytes; /* kept, of all tenants */
    uint64_t exemplars_max;             /* of a tenant */
    uint64_t selection_bytes;           /* what selectors chose of blocks, remembered */
    uint64_t match_cache_bytes, match_cache_hits, match_cache_misses; /* what matchers left of blocks */
    uint64_t memory_bytes;                                            /* the promise */
    ts_ms min_time, max_time; /* of the head; INT64_MAX, INT64_MIN when empty */
    ts_ms oldest_time;        /* of everything; as above when there is nothing */
    ts_ms newest_time;
    uint64_t wal_bad_segments, blocks_bad;
    uint64_t prom_blocks, prom_block_bytes,
        prom_blocks_bad; /* of Prometheus, read in place: among those above */
    bool read_only;
    char read_only_reason[256];
};

/* False when the store is read-only; the reason goes to reterr_info. Never waits: for health checks. */
bool tsdb_healthy(const struct tsdb *db, struct err_info *reterr_info);
void tsdb_stats(struct tsdb *db, struct tsdb_stats *ret_stats);

/* What the store has done since it was opened. Any thread. */
struct tsdb_activity {
    uint64_t flushes, merges, failures; /* of blocks written; failures: flushes and merges that failed */
    uint64_t time_retentions, size_retentions;
    uint64_t series_created; /* in the head, those that replay found included */
    double replay_seconds;
    uint64_t checkpoints, checkpoints_bad; /* made; found damaged at the start */
    uint64_t records_replayed;
    uint64_t chunks_restored; /* sealed chunks that the last start found in files, instead of replaying */
};

void tsdb_activity(struct tsdb *db, struct tsdb_activity *ret_activity);
/* Segments of the log that the replay has read, of all there were when the store was opened. Any thread. */
void tsdb_replay_progress(struct tsdb *db, size_t *ret_done, size_t *ret_all);

/* From now on at most `max` exemplars are kept per tenant; as tsdb_options.exemplars_max. Any thread. */
void tsdb_exemplars_limit(struct tsdb *db, int64_t max);

/* The blocks there are, from the oldest, in the arena. Errors: OOM. */
struct tsdb_block {
    struct str name;
    ts_ms min_ts, max_ts;
    uint64_t samples, series, bytes; /* a series counts once for each tenant */
    unsigned level;                  /* by the span it covers: 1 as flushed, one more for each merge */
};

MUST_USE enum err tsdb_blocks(struct tsdb *db, struct arena *a, const struct tsdb_block **ret_blocks,
                              size_t *ret_n);

/* The rows of /api/v1/status/tsdb: top `limit` of each, descending, in the arena. */
struct tsdb_stat_row {
    struct str name;
    uint64_t value;
};

struct tsdb_cardinality {
    const struct tsdb_stat_row *series_by_metric, *values_by_label, *bytes_by_label, *series_by_pair;
    size_t series_by_metric_count, values_by_label_count, bytes_by_label_count, series_by_pair_count;
};

MUST_USE enum err tsdb_cardinality(struct tsdb *db, struct query_ctx *q, size_t limit, struct arena *a,
                                   struct tsdb_cardinality *ret_rows, struct err_info *reterr_info);

#endif
