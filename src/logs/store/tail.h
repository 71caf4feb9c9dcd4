/* Live tails: whoever asked is called for each line stored, on the thread that stored it. */
#ifndef CAIRN_LOGS_STORE_TAIL_H
#define CAIRN_LOGS_STORE_TAIL_H

#include "base/thread.h"
#include "logs/model/sink.h"
#include "query/log_source.h"

typedef void tail_fn(void *ctx, const struct log_stream_view *stream, ts_ns ts, struct str line,
                     struct labels metadata);

struct tail;

struct tails {
    struct mutex lock; /* guards the list; never held while a callback runs */
    struct tail **items;
    size_t n, cap;
    atomic_size_t count; /* relaxed: a hint that spares the lock when nobody listens */
};

void tails_init(struct tails *t);
/* All tails are closed by then. */
void tails_done(struct tails *t);
MUST_USE enum err tail_new(struct tails *ts, struct str tenant, const struct log_select *sel, tail_fn *fn,
                           void *ctx, struct tail **ret_tail);
/* When it returns no callback runs or will run. */
void tail_close(struct tail *t);
bool tails_any(const struct tails *ts);
/* `stored` has one byte per entry of the push, in order: 1 when it was stored now. */
void tails_tell(struct tails *ts, const struct log_push *push, const uint8_t *stored);

#endif
