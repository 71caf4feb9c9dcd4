/* The ingest log: durable records addressed by (partition, offset), in front of every store. Here: local
 * segment files (the write-ahead log); later a Kafka-protocol log may stand behind the same face.
 *
 * Offsets grow within every partition; records of one partition are replayed in the order of their offsets,
 * and may be replayed twice: a store applies them idempotently. A torn or corrupt record is passed over,
 * counted and told; what follows it is replayed. Any thread may append. */
#ifndef CAIRN_DISK_INGEST_LOG_H
#define CAIRN_DISK_INGEST_LOG_H

#include "base/err.h"
#include "base/str.h"

enum durability {
    DURABILITY_ASYNC = 0, /* acknowledged from memory; may lose what a crash of the process cuts off */
    DURABILITY_OS,        /* acknowledged when the kernel has it: survives kill -9 */
    DURABILITY_INTERVAL, /* the same, and synced every interval_ms: power loss takes at most that (default) */
    DURABILITY_SYNC,     /* acknowledged after fdatasync, one for all waiting (group commit) */
};

/* "async", "os", "interval", "sync". Errors: INVALID. */
MUST_USE enum err durability_parse(struct str s, enum durability *ret_d);

struct ingest_log_options {
    const char *dir; /* created when absent */
    enum durability durability;
    int64_t interval_ms;     /* 0 = 200 */
    uint64_t segment_bytes;  /* 0 = 32 MiB */
    unsigned segments_spare; /* emptied segments kept for reuse; 0 = 2 */
    uint64_t first_offset;   /* new records have at least this one, whatever is left of the log */
};

enum {
    INGEST_LOG_RECORD_BYTES_MAX = 256 << 20
};

struct ingest_log;

/* Opens for replay and appending; new records go to a new segment. Errors: IO, DENIED, NO_SPACE, OOM. */
MUST_USE enum err ingest_log_open(const struct ingest_log_options *o, struct ingest_log **ret_log,
                                  struct err_info *reterr_info);
/* Writes and syncs everything. Accepts NULL. */
void ingest_log_close(struct ingest_log *l);

/* Appends one record, given in parts, and returns after the durability mode's promise holds for it.
 * *ret_offset is the record's offset. Errors: NO_SPACE (nothing was appended; may be retried), UNAVAILABLE
 * (an earlier write or sync failed: the log is read-only until it is opened again), LIMIT (record too large).
 */
MUST_USE enum err ingest_log_append(struct ingest_log *l, unsigned partition, const struct str *parts,
                                    size_t part_count, uint64_t *ret_offset, struct err_info *reterr_info);
/* The same in two steps, for callers that hold a lock while they append: place first, wait after the lock is
 * gone. */
MUST_USE enum err ingest_log_place(struct ingest_log *l, unsigned partition, const struct str *parts,
                                   size_t part_count, uint64_t *ret_offset, struct err_info *reterr_info);
MUST_USE enum err ingest_log_wait(struct ingest_log *l, uint64_t offset, struct err_info *reterr_info);

/* Calls fn for each stored record with offset >= from, in order of offsets. An error of fn ends the replay
 * and is returned. *ret_bad (may be NULL) counts segments with damage; the log line of each has file and
 * bytes. Records that were placed since the log was opened are not among them, and may be placed meanwhile;
 * trimming waits until it is over.
 */
MUST_USE enum err ingest_log_replay(struct ingest_log *l, uint64_t from,
                                    enum err (*fn)(void *ctx, unsigned partition, uint64_t offset,
                                                   struct str record),
                                    void *ctx, uint64_t *ret_bad, struct err_info *reterr_info);
/* Segments that a replay has read, of all that were found when the log was opened. Any thread. */
void ingest_log_progress(struct ingest_log *l, size_t *ret_done, size_t *ret_all);
/* The offset the next record will be greater than or equal to. */
uint64_t ingest_log_end(struct ingest_log *l);
/* Records below `before` are not needed any more: whole segments below it are emptied or removed. */
MUST_USE enum err ingest_log_trim(struct ingest_log *l, uint64_t before, struct err_info *reterr_info);
/* Memory of its buffers. */
size_t ingest_log_memory_bytes(struct ingest_log *l);
/* Bytes on disk, spare segments included. */
uint64_t ingest_log_bytes(struct ingest_log *l);
/* What replay had to pass over. */
struct ingest_log_damage {
    uint64_t segments, bytes;
};

void ingest_log_damage(struct ingest_log *l, struct ingest_log_damage *ret_damage);
/* False after a failed write or sync; the reason goes to reterr_info. Never waits. */
bool ingest_log_healthy(const struct ingest_log *l, struct err_info *reterr_info);

#endif
