/* The life of a store with small blocks beside its model: the unit test lets it happen at random, a fuzz
 * target as its input says. */
#ifndef CAIRN_TESTS_TSDB_LIFE_H
#define CAIRN_TESTS_TSDB_LIFE_H

#include "model.h"

enum {
    LIFE_BLOCK_MS = 10 * 60 * 1000
};

enum life_event {
    LIFE_STEP,     /* a batch or a column */
    LIFE_RESTART,  /* and all is compared */
    LIFE_SNAPSHOT, /* everything goes to blocks, and the copy is what the store is */
    LIFE_COMPARE,  /* all */
    LIFE_PART,     /* some span */
    LIFE_MAINTAIN, /* flush, merge, retention as they are due */
    LIFE_DELETE,
    LIFE_COUNT
};

struct life {
    struct model m;
    struct clock clock;
    struct tsdb *db;
    char dir[300];
    unsigned snapshots;
};

/* A store in `dir` that housekeeping leaves alone; NULL, and the test failed. */
struct tsdb *life_open(const char *dir, struct clock *clock);
/* All of these: false, and the test failed, when something went wrong or the store is not what the model is.
 */
bool life_begin(struct life *l, const char *dir, uint64_t seed);
bool life_go_on(struct life *l, enum life_event event);
void life_end(struct life *l);

#endif
