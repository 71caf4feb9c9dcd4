/* Every limit of the log store, each with its reason. */
#ifndef CAIRN_LOGS_STORE_LIMITS_H
#define CAIRN_LOGS_STORE_LIMITS_H

enum {
    /* A line must fit a page's 32-bit offsets with room to spare; Loki's own default is 256 KiB. */
    LINE_BYTES_MAX = 16 << 20,
    STREAM_LABELS_MAX = 4096,
    ENTRY_METADATA_MAX = 4096,
    /* Heads waiting for their block. More means that flushing is broken: pushes are refused before memory
     * is. */
    HEADS_WAITING_MAX = 2,
    /* How long a push waits for a head to be flushed before it is refused: flushing is behind for moments
     * only, unless the disk is broken. */
    PUSH_WAIT_MS = 5000,
    /* Lines of a group of a block: compression hardly gains beyond a megabyte, and a query that wants one
     * line decodes the whole group. Rows are bounded for the columns of very short lines. */
    GROUP_BYTES = 1 << 20,
    GROUP_ROWS = 32768,
    /* Of a group's metadata, which is to be read into memory whole. */
    META_PAGE_BYTES_MAX = 256 << 20,
    /* Blocks of a level that become one of the next, the highest level, and the lines of the largest block
     * that merging makes: a query may hold the groups of a block in memory at once. */
    MERGE_BLOCKS = 4,
    MERGE_LEVEL_MAX = 4,
    MERGE_INPUT_BYTES_MAX =
        8 << 20, /* larger blocks are left alone: reading them together gains too little */
    MERGE_LINE_BYTES_MAX = 64 << 20,
    /* Entries a cursor hands out at once: enough to spread the cost of a call, small enough for a cache. */
    BATCH_ENTRIES = 4096,
    /* A batch is closed early when its lines reach this, so that a few large lines do not pile up. */
    BATCH_LINE_BYTES = 4 << 20,
};

/* What emptied segments of the write-ahead log may take. */
#define SPARE_BYTES ((uint64_t)48 << 20)
#define HEAD_BYTES_DEFAULT ((uint64_t)16 << 20)
#define HEAD_MS_DEFAULT ((int64_t)3600 * 1000)
#define RETENTION_MS_DEFAULT ((int64_t)168 * 3600 * 1000)
#define DISK_RESERVE_DEFAULT ((uint64_t)256 << 20)

#endif
