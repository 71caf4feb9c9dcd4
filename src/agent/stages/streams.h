/* State by stream, for stages that remember: a table by label set in which the least recently used gives way.
 */
#ifndef CAIRN_AGENT_STAGES_STREAMS_H
#define CAIRN_AGENT_STAGES_STREAMS_H

#include "base/strmap.h"
#include "labels/labels.h"

/* Begins the stage's own struct. */
struct stream_state {
    struct stream_state *older, *newer;
    uint64_t key[2];
};

struct streams {
    struct strmap map;
    struct stream_state *newest, *oldest;
    size_t n, max, size_bytes;
    /* Called before a state is freed; may hand on what it holds. */
    void (*leave)(void *ctx, struct stream_state *s);
    void *ctx;
};

/* The state of the label set, now the most recently used; made (zeroed) when `make`. NULL when absent or out
 * of memory. */
struct stream_state *streams_get(struct streams *t, struct labels ls, bool make);
void streams_remove(struct streams *t, struct stream_state *s);
void streams_done(struct streams *t);

#endif
