/* Lines on their way from the thread that stores them to the connection that shows them. Bounded: what a slow
 * client leaves no room for is dropped, and it is told. */
#ifndef CAIRN_API_LOKI_TAIL_QUEUE_H
#define CAIRN_API_LOKI_TAIL_QUEUE_H

#include "query/log_source.h"

/* One line with all its text in one piece of memory. */
struct tail_item {
    struct tail_item *next;
    ts_ns ts;
    uint64_t number; /* order of arrival */
    size_t bytes;
    struct labels stream, metadata;
    struct str line; /* empty in the list of dropped lines */
};

struct tail_queue;

MUST_USE enum err tail_queue_new(struct tail_queue **ret_queue);
void tail_queue_free(struct tail_queue *q); /* accepts NULL */
/* As log_source.tail calls it; ctx is the queue. */
void tail_queue_put(void *ctx, const struct log_stream_view *stream, ts_ns ts, struct str line,
                    struct labels metadata);
/* Takes all there is, oldest arrival first; the caller ends both lists with tail_items_free. */
void tail_queue_take(struct tail_queue *q, struct tail_item **ret_items, struct tail_item **ret_dropped);
void tail_items_free(struct tail_item *list);

#endif
