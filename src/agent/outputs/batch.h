/* A batch: entries of one tenant that travel together, grouped by stream on the way out.
 *
 * Owned by one thread at a time. Everything added is copied; receipts are held until batch_free. */
#ifndef CAIRN_AGENT_OUTPUTS_BATCH_H
#define CAIRN_AGENT_OUTPUTS_BATCH_H

#include "agent/model/entry.h"
#include "base/buf.h"
#include "logs/model/sink.h"

struct batch_stream {
    struct labels raw;    /* as on the entry: what entries are compared with */
    struct labels labels; /* external ones added, internal and empty ones removed */
    uint64_t hash;
    size_t count, first; /* entries, and where they begin once sorted */
};

struct batch_item {
    uint32_t stream;
    struct log_entry entry;
};

struct batch {
    struct arena arena;
    struct batch_stream *streams;
    size_t stream_count, stream_cap;
    uint32_t *table; /* open addressing over streams: index + 1, 0 = empty */
    size_t table_cap;
    struct batch_item *items;
    size_t item_count, item_cap;
    uint32_t last_stream;
    struct receipt **receipts;
    size_t receipt_count, receipt_cap;
    size_t bytes; /* of lines and structured metadata: what batchsize limits */
    struct batch *next;
    unsigned tries;
};

MUST_USE enum err batch_new(struct batch **ret_batch);
/* ok false: the receipts are settled as failed. Accepts NULL. */
void batch_free(struct batch *b, bool ok);
/* Bytes that batch_add would add. */
size_t batch_entry_bytes(const struct entry *e, size_t line_bytes);
/* True when the entry's labels are those of a stream in the batch. */
bool batch_has_stream(struct batch *b, const struct entry *e);
/* `line` is the entry's, perhaps shortened. Errors: OOM (the batch is as before), LIMIT (streams). */
MUST_USE enum err batch_add(struct batch *b, const struct entry *e, struct str line, struct labels external);
/* Entries grouped by stream, each group in order of arrival; lives in the batch's arena. */
MUST_USE enum err batch_view(struct batch *b, struct str tenant, struct log_push *ret_push);
/* Moves the second half of the entries to a new batch (both keep all receipts). Errors: OOM. */
MUST_USE enum err batch_split(struct batch *b, struct batch **ret_second);
/* Loki's PushRequest, not compressed. */
MUST_USE enum err batch_encode(struct batch *b, struct buf *out);

#endif
