/* Inside of the store. `lock` guards everything below it; it is never held over disk operations of blocks. */
#ifndef CAIRN_LOGS_STORE_STORE_INT_H
#define CAIRN_LOGS_STORE_STORE_INT_H

#include "base/thread.h"
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
    atomic_bool disk_low; /* relaxed: set by housekeeping, read by pushes */

    struct mutex lock;
    struct head *active;
    struct head *waiting[HEADS_WAITING_MAX + 1]; /* cut, oldest first */
    size_t waiting_n;
    struct push_ticket *tickets;
    uint64_t entries_stored, bytes_stored, entries_duplicate;
    uint64_t wal_bad_segments;
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

/* source.c */
extern const struct log_source_ops store_source_ops;

#endif
