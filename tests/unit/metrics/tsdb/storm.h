/* What the threads of the storm share (test_storm.c, storm_churn.c). */
#ifndef CAIRN_TESTS_TSDB_STORM_H
#define CAIRN_TESTS_TSDB_STORM_H

#include <stdatomic.h>

#include "metrics/tsdb/tsdb.h"

enum {
    STORM_TARGETS = 4,
    STORM_STEP_MS = 1000,
    STORM_BLOCK_MS = 20000,
    STORM_RETENTION_MS = 1200000,
};

#define STORM_T0 INT64_C(1700000000000)

enum wrong {
    WRONG_WRITE,
    WRONG_MAINTAIN,
    WRONG_DELETE,
    WRONG_QUERY,
    WRONG_SNAPSHOT,
    WRONG_CHURN,
    WRONG_LOOK,
    WRONG_COUNT
};

struct storm {
    struct tsdb *db;
    atomic_bool stop;
    atomic_uint wrong[WRONG_COUNT];    /* what failed, or the model does not allow */
    atomic_int acked[STORM_TARGETS];   /* ticks below it are there, unless they were deleted or are too old */
    atomic_uchar *gone[STORM_TARGETS]; /* enum deletion, by tick */
    atomic_uint queries, deletions, snapshots, columns, late, churned, looks;
    char dir[400];
};

int storm_acked_max(struct storm *s);

/* Threads: new series all the time, histograms and exemplars among them, each asked for at once; and what an
 * administrator's pages ask for. */
void storm_churn(void *ctx);
void storm_look_around(void *ctx);

#endif
