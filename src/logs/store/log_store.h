/* The log store: a WAL-backed head of recent lines in front of immutable compressed blocks.
 *
 * Layout below `dir`: lock, wal/, blocks/, MANIFEST. Any thread may use sink and source at once. */
#ifndef CAIRN_LOGS_STORE_LOG_STORE_H
#define CAIRN_LOGS_STORE_LOG_STORE_H

#include "base/clock.h"
#include "base/err.h"
#include "disk/ingest_log.h"
#include "logs/model/sink.h"
#include "query/log_source.h"

struct log_store_options {
    const char *dir;            /* created when absent; one process at a time has it (dir/lock) */
    struct clock *clock;        /* NULL = the real one. With a fake one there is no thread: call maintain */
    enum durability durability; /* what an acknowledged push survives: disk/ingest_log.h */
    /* A line is kept at least this long after its own timestamp, and goes with its block, at most the span of
     * a block (an eighth of the retention) later. 0 = 168 h; < 0 = for ever. */
    int64_t retention_ms;
    /* Of a tenant, asked at each round of housekeeping and when blocks are merged: milliseconds, 0 = the
     * store's, < 0 = for ever. May be NULL. Called without locks of the store's readers and writers. */
    int64_t (*tenant_retention_ms)(void *ctx, struct str tenant);
    void *tenant_retention_ctx;
    /* The most the folder may use, write-ahead log included: beyond it the blocks with the oldest lines go,
     * whatever their age. 0 = no cap. Below 64 MiB the log alone may exceed it. */
    uint64_t retention_bytes;
    /* Memory of the lines that wait for their block: lines, metadata and 32 bytes a line. 0 = 16 MiB. Up to
     * HEADS_WAITING_MAX (2) such heads may wait to be written beside the one being filled, and writing a
     * block takes some MiB more, so the store needs about four times this under full load. Queries pay from
     * their own budgets. */
    uint64_t head_bytes;
    int64_t head_ms;      /* the same by age of the first line in the head; 0 = 1 h */
    uint64_t group_bytes; /* lines that are compressed and searched together; 0 = 1 MiB. Smaller for tests */
    /* Pushes are refused (NO_SPACE) while the file system has less than this free, and merging stops; reading
     * and flushing go on; it ends by itself. 0 = 256 MiB. */
    uint64_t disk_reserve_bytes;
};

struct log_store;

/* Locks the folder, opens the blocks, replays the WAL and starts the housekeeping thread. Damaged blocks are
 * put aside (dir/quarantine), logged and counted, and do not keep the store from opening. Errors: EXISTS
 * (another process has the folder), DENIED, IO, NO_SPACE, UNSUPPORTED (a newer format), OOM. */
MUST_USE enum err log_store_open(const struct log_store_options *o, struct log_store **ret_store,
                                 struct err_info *reterr_info);
/* Flushes, so that the next start has nothing to replay, and unlocks. Cursors and tails are closed by then.
 * Accepts NULL. */
void log_store_close(struct log_store *s);
struct log_sink *log_store_sink(struct log_store *s);
struct log_source *log_store_source(struct log_store *s);
/* Housekeeping that is due: cut, flush, WAL trim, retention, one merge. Called by a thread of the store every
 * second, and by tests. Any thread. */
MUST_USE enum err log_store_maintain(struct log_store *s, struct err_info *reterr_info);
/* Everything in memory becomes blocks now. */
MUST_USE enum err log_store_flush(struct log_store *s, struct err_info *reterr_info);
/* A folder `to` (which must not exist, on the same file system) that can be opened as a store of its own:
 * every line that was acknowledged before the call, in hard links to the blocks. Any thread. Errors: EXISTS,
 * NO_SPACE, IO, OOM. */
MUST_USE enum err log_store_snapshot(struct log_store *s, const char *to, struct err_info *reterr_info);

struct log_store_stats {
    uint64_t streams, head_entries, head_bytes, wal_bytes, block_bytes, blocks;
    uint64_t entries_stored, bytes_stored, entries_duplicate;
    uint64_t wal_bad_segments, blocks_bad, groups_bad; /* damaged since the store was opened */
    uint64_t heads_flushed, flush_failures, merges;
    bool read_only;
    char read_only_reason[256];
};

/* False when the store is read-only; the reason goes to reterr_info. Never waits: for health checks. */
bool log_store_healthy(const struct log_store *s, struct err_info *reterr_info);
void log_store_stats(struct log_store *s, struct log_store_stats *ret_stats);

/* What index/stats and index/volume answer: streams, entries, bytes and blocks that a selection touches. */
struct log_store_volume {
    uint64_t streams, chunks, entries, bytes;
};

MUST_USE enum err log_store_volume(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                                   struct log_store_volume *ret_volume, struct err_info *reterr_info);

#endif
