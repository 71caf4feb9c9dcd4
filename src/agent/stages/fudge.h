/* What becomes of a line whose timestamp cannot be read: the last good time of its stream, a nanosecond on.
 */
#ifndef CAIRN_AGENT_STAGES_FUDGE_H
#define CAIRN_AGENT_STAGES_FUDGE_H

#include "agent/model/entry.h"
#include "agent/stages/streams.h"

struct fudge {
    struct streams streams;
};

void fudge_init(struct fudge *f);
void fudge_done(struct fudge *f);
/* The entry's time is right: remember it. */
void fudge_good(struct fudge *f, const struct entry *e);
/* The entry has no time of its own: give it one, if the stream is known. */
void fudge_bad(struct fudge *f, struct entry *e);

#endif
