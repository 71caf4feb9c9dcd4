/* Last good times by label set. */
#include "agent/stages/fudge.h"

struct last_time {
    struct stream_state base;
    ts_ns ts;
};

void fudge_init(struct fudge *f)
{
    f->streams = (struct streams){.max = AGENT_STREAM_STATES_MAX, .size_bytes = sizeof(struct last_time)};
}

void fudge_done(struct fudge *f)
{
    streams_done(&f->streams);
}

void fudge_good(struct fudge *f, const struct entry *e)
{
    struct last_time *t = (struct last_time *)streams_get(&f->streams, entry_labels(e), true);
    if (t) { /* without memory the stream is simply not known */
        t->ts = e->ts;
    }
}

void fudge_bad(struct fudge *f, struct entry *e)
{
    struct last_time *t = (struct last_time *)streams_get(&f->streams, entry_labels(e), false);
    if (t) {
        e->ts = ++t->ts;
    }
}
