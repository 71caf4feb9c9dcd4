/* The log sink: the only way lines enter storage (push API, the agent in the same process).
 *
 * One call carries one push. It returns after the durability promise holds. Any thread. */
#ifndef CAIRN_LOGS_MODEL_SINK_H
#define CAIRN_LOGS_MODEL_SINK_H

#include "base/clock.h"
#include "base/err.h"
#include "labels/labels.h"

struct log_entry {
    ts_ns ts;
    struct str line;              /* any bytes */
    const struct label *metadata; /* structured metadata, sorted by name; may be NULL */
    uint32_t metadata_count;
};

struct log_stream_push {
    struct labels labels; /* sorted, valid */
    const struct log_entry *entries;
    size_t entry_count;
};

struct log_push {
    struct str tenant;
    const struct log_stream_push *streams;
    size_t stream_count;
};

struct log_push_result {
    uint64_t stored, refused;
    struct err_info first_refusal; /* Loki's own text and code; code OK when nothing was refused */
};

struct log_sink;
struct log_sink_ops {
    /* OK also when some entries were refused. An error means nothing was stored and the sender may retry when
     * err_retryable. */
    MUST_USE enum err (*push)(struct log_sink *s, const struct log_push *push,
                              struct log_push_result *ret_result, struct err_info *reterr_info);
};

struct log_sink {
    const struct log_sink_ops *ops;
};

#endif
