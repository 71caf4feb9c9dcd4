/* Inside of the store. `lock` guards everything below it in the struct; it is never held over disk
 * operations.
 */
#ifndef CAIRN_LOGS_STORE_STORE_INT_H
#define CAIRN_LOGS_STORE_STORE_INT_H

#include "base/thread.h"
#include "disk/expiry.h"
#include "disk/quota.h"
#include "logs/store/blocks.h"
#include "logs/store/cursor_int.h"
#include "logs/store/limits.h"
#include "logs/store/log_store.h"
#include "logs/store/source_int.h"
#include "logs/store/tail.h"

/* A push between its record and the head. The record's offset is `from` or later, so that a head cut
 * meanwhile does not count the record as its own. */
struct push_ticket {
    uint64_t from;
    struct push_ticket *next;
};

struct log_store {
    struct log_sink sink;
    struct log_source source;
    struct log_store_options o;
    struct clock *clock;
    char *dir;
    int lock_fd;
    struct ingest_log *wal;
    struct tails tails;
    struct quota quota;

    struct mutex maintenance; /* one thread keeps house; taken before `lock` */
    uint64_t manifest_generation, groups_bad_told;
    uint64_t heads_flushed, merges, flush_failures; /* changed under both locks, read under one */
    struct thread thread;

    struct mutex lock;
    struct cond wake, room; /* for the maintenance thread; for pushes that wait for a head to be flushed */
    bool stopping, threaded;
    struct block_list blocks;
    struct head *active;
    struct head *waiting[HEADS_WAITING_MAX]; /* cut, oldest first */
    size_t waiting_n;
    struct push_ticket *tickets;
    uint64_t entries_stored, bytes_stored, entries_duplicate;
    uint64_t wal_bad_segments;
    struct expiry expiry; /* housekeeping's */
};

static inline struct log_store *store_of_sink(struct log_sink *s)
{
    return (struct log_store *)(void *)((char *)s - offsetof(struct log_store, sink));
}

static inline struct log_store *store_of_source(struct log_source *s)
{
    return (struct log_store *)(void *)((char *)s - offsetof(struct log_store, source));
}

/* push.c */
MUST_USE enum err store_push(struct log_sink *sink, const struct log_push *push,
                             struct log_push_result *ret_result, struct err_info *reterr_info);
MUST_USE enum err store_replay(struct log_store *s, uint64_t from, struct err_info *reterr_info);

/* flush.c */
/* The active head joins those that wait. lock held. OOM, LIMIT when too many wait. */
MUST_USE enum err store_cut(struct log_store *s);
/* Writes the oldest waiting head as blocks, one a tenant. maintenance held (or before the first push). */
MUST_USE enum err store_flush_oldest(struct log_store *s, struct err_info *info);
/* Every line stored so far becomes blocks. maintenance held. */
MUST_USE enum err store_flush_all(struct log_store *s, struct err_info *info);

/* merge.c */
/* Merges the blocks (of one tenant, oldest first) into one of the next level. maintenance held. */
MUST_USE enum err store_merge(struct log_store *s, struct block *const *blocks, size_t n,
                              struct err_info *info);

/* maintain.c */
MUST_USE enum err log_maintain_start(struct log_store *s, struct err_info *info);
void log_maintain_stop(struct log_store *s);

/* source.c */
extern const struct log_source_ops store_source_ops;

#endif
