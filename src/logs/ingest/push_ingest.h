/* From a decoded push to the store: Loki's limits in Loki's order, its texts, its partial acceptance.
 *
 * Per stream: labels are sorted and checked, service_name is discovered; per entry: age, size, structured
 * metadata, level. What is bad is dropped and counted by reason, the rest is stored. Any thread. */
#ifndef CAIRN_LOGS_INGEST_PUSH_INGEST_H
#define CAIRN_LOGS_INGEST_PUSH_INGEST_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/loki_push.h"
#include "logs/model/sink.h"

struct push_limits {         /* 0 = no limit, unless told otherwise */
    uint64_t line_bytes_max; /* max_line_size: 256 KiB */
    bool line_truncate;
    uint64_t label_name_bytes_max, label_value_bytes_max, label_count_max; /* 1024, 2048, 15 */
    bool reject_old;                                                       /* reject_old_samples: true */
    int64_t old_max_ms;                                                    /* 7 days */
    int64_t future_max_ms; /* creation_grace_period: 10 minutes */
    bool metadata_allowed;
    uint64_t metadata_bytes_max, metadata_count_max; /* 64 KiB, 128 */
    bool increment_duplicate;
    bool discover_service_name, discover_level;
    uint64_t rate_bytes_s, rate_burst_bytes; /* ingestion_rate_mb, ingestion_burst_size_mb; 0 = none */
};

enum push_reason {
    PUSH_LINE_TOO_LONG = 0,
    PUSH_TOO_OLD,
    PUSH_TOO_NEW,
    PUSH_LABEL_COUNT,
    PUSH_LABEL_NAME_LONG,
    PUSH_LABEL_VALUE_LONG,
    PUSH_LABEL_DUPLICATE,
    PUSH_LABEL_MISSING,
    PUSH_LABEL_INVALID,
    PUSH_METADATA_FORBIDDEN,
    PUSH_METADATA_LARGE,
    PUSH_METADATA_MANY,
    PUSH_RATE_LIMITED,
    PUSH_REASON_COUNT
};

/* Loki's name: "line_too_long". */
const char *push_reason_name(enum push_reason r);

struct push_ingest;

/* Loki's defaults, without a rate limit. */
void push_limits_default(struct push_limits *l);
MUST_USE enum err push_ingest_new(const struct push_limits *limits, struct log_sink *sink,
                                  struct clock *clock, struct push_ingest **ret_ingest);
void push_ingest_free(struct push_ingest *p); /* accepts NULL */

struct push_outcome {
    int status;      /* 204; 400, 422, 429 with text; 5xx: nothing stored, try again */
    struct str text; /* for the client; in the arena */
    uint64_t stored, discarded;
};

/* Checks and stores. `a` holds what is made on the way and must live until the outcome has been used. Errors:
 * OOM, LIMIT (memory); every other refusal is in the outcome. */
MUST_USE enum err push_ingest_push(struct push_ingest *p, struct str tenant, const struct wire_push *push,
                                   struct arena *a, struct push_outcome *ret_outcome);

struct push_counts {
    uint64_t lines, bytes; /* stored */
    uint64_t discarded_lines[PUSH_REASON_COUNT], discarded_bytes[PUSH_REASON_COUNT];
};

void push_ingest_counts(struct push_ingest *p, struct push_counts *ret_counts);

/* The level Loki detects: from a label or metadata of one of the usual names, else from the line; lower case,
 * "unknown" when there is none. Lives in the arena, the arguments or the program. */
struct str push_detect_level(struct arena *a, struct labels stream, struct labels metadata, struct str line);

#endif
