/* DEPS metrics/tsdb metrics/promtsdb metrics/model query disk codec labels base */
/* WITH tests/unit/metrics/tsdb/life.c tests/unit/metrics/tsdb/model.c */
/* The life of a metrics store as the bytes say: batches, columns, late samples, deletions, flushes, merges,
 * snapshots and restarts, compared with a naive model. Three bytes an event: which, and the seed of what is
 * random in it.
 *
 * Not hostile bytes: what reads the disk has targets of its own. Here the order of good calls is what is
 * tried. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "disk/file.h"
#include "harness.h"
#include "life.h"

enum {
    EVENT_BYTES = 3,
    EVENTS_MAX = 400,
    STEPS_IN_A_ROW = 16
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void test_fail(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

void test_fail_i64(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    (void)fprintf(stderr, "%s:%d: %s: %lld, not %lld\n", file, line, what, (long long)got, (long long)want);
    abort();
}

/* One event. High values are runs of steps: most of a life are samples. */
static void event(struct life *l, const uint8_t *in)
{
    uint64_t seed = (uint64_t)in[1] << 8 | in[2];
    unsigned steps = in[0] < LIFE_COUNT ? 1 : in[0] % STEPS_IN_A_ROW + 1;
    rng_init(&l->m.rng, seed);
    for (unsigned i = 0; i < steps; i++) {
        ASSERT(life_go_on(l, in[0] < LIFE_COUNT ? (enum life_event)in[0] : LIFE_STEP));
    }
}

static char root[] = "/dev/shm/cairn-fuzz-XXXXXX"; /* nothing here is about disks, and they are slow */

static void root_remove(void)
{
    (void)(dir_remove(root, NULL) == ERR_OK);
}

static void root_make(void)
{
    static bool made;
    if (!made) {
        made = mkdtemp(root) != NULL && atexit(root_remove) == 0;
        ASSERT(made);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct life l;
    char dir[64];
    root_make();
    (void)snprintf(dir, sizeof(dir), "%s/life", root);
    ASSERT(life_begin(&l, dir, 0));
    for (size_t i = 0; i + EVENT_BYTES <= size && i < (size_t)EVENTS_MAX * EVENT_BYTES; i += EVENT_BYTES) {
        event(&l, data + i);
    }
    ASSERT(life_go_on(&l, LIFE_RESTART));
    life_end(&l);
    ASSERT(dir_remove(dir, NULL) == ERR_OK);
    return 0;
}
