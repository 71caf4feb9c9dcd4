/* The store's list of blocks and its manifest.
 *
 * The list is in order of age (a merged block stands where its first part stood) and guarded by the store's
 * lock; only opening and the maintenance, one at a time, change it. What the manifest does not name does not
 * exist: a file is written whole first, then named, and only then its predecessors are removed. */
#ifndef CAIRN_LOGS_STORE_BLOCKS_H
#define CAIRN_LOGS_STORE_BLOCKS_H

#include "logs/store/block.h"

struct log_store;

struct block_list {
    struct block **items;
    size_t n, cap;
    uint64_t last_number; /* of a block; only grows */
    uint64_t wal_from;    /* records before it are in blocks */
    uint64_t file_bytes;
    uint64_t bad_blocks, bad_groups_gone; /* the groups of blocks that are no longer listed */
};

/* Reads the manifest, opens the blocks, puts aside what is damaged, removes what is not named. */
MUST_USE enum err blocks_open(struct log_store *s, struct err_info *info);
void blocks_done(struct block_list *l);

struct block_change {
    struct block *const *gone;
    size_t gone_n;
    struct block *const *fresh; /* references are taken over on success */
    size_t fresh_n;
    bool head_done;    /* the oldest waiting head leaves in the same moment */
    uint64_t wal_from; /* 0 = as before */
};

/* Errors: NO_SPACE, IO, OOM, with the list unchanged. After IO the manifest on disk may be either: new files
 * stay where they are. */
MUST_USE enum err blocks_change(struct log_store *s, const struct block_change *ch, struct err_info *info);
/* The manifest of a copy of the store below `dir`: the same blocks, and a write-ahead log that begins anew.
 * maintenance held. */
MUST_USE enum err blocks_copy_manifest(struct log_store *s, const char *dir, struct err_info *info);
/* A name and a path for the next block of a tenant. */
MUST_USE enum err blocks_new_path(struct log_store *s, struct str tenant, struct buf *path,
                                  struct str *ret_name, uint64_t *ret_number);
/* References to the blocks of a tenant (all tenants: empty) that overlap [start, end), oldest first, in the
 * arena. The caller holds the store's lock. */
MUST_USE enum err blocks_pick(const struct block_list *l, struct str tenant, ts_ns start, ts_ns end,
                              struct arena *a, struct block ***ret_blocks, size_t *ret_n);

#endif
