/* Every limit of the metrics store, with its reason. */
#ifndef CAIRN_METRICS_TSDB_LIMITS_H
#define CAIRN_METRICS_TSDB_LIMITS_H

enum {
    PARTITIONS = 64,         /* fixed for ever: part of names and records (DESIGN.md section 8) */
    CHUNK_SAMPLES_MAX = 120, /* half an hour at 15 s; small enough that a read decodes little in excess */
    RICH_TAIL_BYTES_MAX =
        16 << 10,         /* of histograms in an open tail: sealed beyond, so that reads decode little */
    CLOCK_SERIES_MIN = 4, /* fewer series than this do not pay for a clock of their own */
    CUT_SAMPLES_MIN = 32, /* a chunk this long is sealed at a gap; a shorter one gets own timestamps */
    CHUNK_SEGMENT_BYTES_MIN =
        1 << 20, /* the first; later ones double, so that a small store takes little disk */
    CHUNK_SEGMENT_BYTES_MAX = 16 << 20,
    HEAD_SLAB_BYTES_MIN = 64 << 10,   /* of series and tails: the first; later ones double */
    HEAD_SLAB_BYTES_MAX = 2 << 20,    /* a huge page */
    CHECKPOINT_SERIES_FILES_MAX = 16, /* then all definitions are written anew */
    LABELS_MAX = 256,                 /* of a series */
    LABEL_BYTES_MAX = 1 << 16,        /* of a name or a value */
    SLOTS_MAX = 1 << 26,              /* series of one tenant in one partition */
    TENANTS_MAX = 1024,
    TENANT_BYTES_MAX = 150,
    LATE_SAMPLES_MAX = 1 << 16,    /* unordered samples of one series that wait for a flush */
    EXEMPLARS_DEFAULT = 100000,    /* of a tenant, as Prometheus has it */
    EXEMPLARS_MAX = 1 << 24,       /* numbers wrap at 2^32, and a hint must not come back to life */
    EXEMPLARS_PART = 32,           /* of the memory promise, for those of all tenants */
    EXEMPLAR_RUNES_MAX = 128,      /* of its labels, as OpenMetrics has it */
    MATCH_CACHE_PART = 32,         /* of the memory promise: what matchers left of blocks (match_cache.h) */
    METADATA_MAX = 65536,          /* metric names of a tenant with metadata */
    MANIFEST_BYTES_MAX = 64 << 20, /* far above what the blocks and deletions of years need */
    TOMBSTONE_MATCHERS_MAX = 64,   /* of one deletion */
    STAGED_BYTES_MAX =
        128 << 20,         /* batches that wait for the end of replay: half a minute of a million series */
    SELECTIONS_SHARE = 32, /* of the memory promise: what selectors chose in blocks */
    SELECTIONS_BYTES_MAX = 32 << 20, /* a hundred thousand series of a block */
    BATCH_SAMPLES_MAX =
        1 << 15 /* decoded samples handed out at once: 256 KiB of values, near the processor */
};

#endif
