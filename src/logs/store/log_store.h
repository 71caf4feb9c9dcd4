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
    const char *dir;
    struct clock *clock; /* NULL = the real one */
    enum durability durability;
    int64_t retention_ms;        /* 0 = 168 h; < 0 = none */
    uint64_t retention_bytes;    /* 0 = no cap; over everything in dir */
    uint64_t head_bytes;         /* raw bytes held before a block is cut; 0 = 32 MiB */
    int64_t head_ms;             /* or age of the oldest line in the head; 0 = 1 h */
    uint64_t disk_reserve_bytes; /* refuse writes below this much free disk; 0 = 256 MiB */
};

struct log_store;

/* Locks the folder, loads the manifest and replays the WAL. */
MUST_USE enum err log_store_open(const struct log_store_options *o, struct log_store **ret_store,
                                 struct err_info *reterr_info);
/* Flushes and unlocks. Accepts NULL. */
void log_store_close(struct log_store *s);
struct log_sink *log_store_sink(struct log_store *s);
struct log_source *log_store_source(struct log_store *s);
/* Housekeeping that is due: cut, flush, merge, retention, WAL trim. Called by a thread of the store, and by
 * tests. */
MUST_USE enum err log_store_maintain(struct log_store *s, struct err_info *reterr_info);

struct log_store_stats {
    uint64_t streams, head_entries, head_bytes, wal_bytes, block_bytes, blocks;
    uint64_t entries_stored, bytes_stored, entries_duplicate;
    uint64_t wal_bad_segments, blocks_bad;
    bool read_only;
    char read_only_reason[256];
};

void log_store_stats(struct log_store *s, struct log_store_stats *ret_stats);

/* What index/stats and index/volume answer: streams, entries, bytes and blocks that a selection touches. */
struct log_store_volume {
    uint64_t streams, chunks, entries, bytes;
};

MUST_USE enum err log_store_volume(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                                   struct log_store_volume *ret_volume, struct err_info *reterr_info);

#endif
