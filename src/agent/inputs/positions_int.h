/* What the two files of the positions share. */
#ifndef CAIRN_AGENT_INPUTS_POSITIONS_INT_H
#define CAIRN_AGENT_INPUTS_POSITIONS_INT_H

#include "agent/inputs/positions.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/strmap.h"

/* The first line of what Cairn wrote, and the beginning of its last: with the hash of all before it. */
#define POSITIONS_FIRST_LINE "#cairn-begin\n"
#define POSITIONS_SUM "#cairn-sum "

struct plain {
    struct str key, text;
    bool put; /* in the round at hand */
};

struct positions {
    char *path;
    bool read_only;
    bool doubtful;      /* the file is not as it was written */
    struct arena arena; /* what was loaded */
    struct plain *plain;
    size_t plain_count;
    struct strmap by_key; /* of plain */
    struct position *list;
    size_t list_count, list_cap;
    size_t own_count; /* doubtful: what is behind these comes from the predecessor */
    int64_t opened_ns;
    /* The round: */
    struct arena round;
    struct plain *keys;
    size_t key_count, key_cap;
    struct strmap key_index; /* index + 1 into keys */
    struct buf comments;
    enum err err;
    uint64_t written_hash;
};

/* The text is as Cairn wrote it, or Promtail did, which leaves nothing to tell by. */
bool positions_whole(struct str text);
/* p is damaged: adds what its predecessor knows and p does not, and takes its texts where nothing else says
 * which file a number is of. Errors: OOM. */
MUST_USE enum err positions_doubt(struct positions *p, const struct positions *before);
/* Drops identified positions whose plain number was changed since. Errors: OOM. */
MUST_USE enum err positions_settle(struct positions *p);

#endif
