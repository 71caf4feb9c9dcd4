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
    HEADS_WAITING_MAX = 4,
    /* Entries a cursor hands out at once: enough to spread the cost of a call, small enough for a cache. */
    BATCH_ENTRIES = 4096,
    /* A batch is closed early when its lines reach this, so that a few large lines do not pile up. */
    BATCH_LINE_BYTES = 4 << 20,
};

#define HEAD_BYTES_DEFAULT ((uint64_t)32 << 20)
#define HEAD_MS_DEFAULT ((int64_t)3600 * 1000)
#define RETENTION_MS_DEFAULT ((int64_t)168 * 3600 * 1000)
#define DISK_RESERVE_DEFAULT ((uint64_t)256 << 20)

#endif
