/* Nothing acknowledged is lost and nothing is there twice: not when the process ends at any disk operation,
 * not when any one of them, or any allocation, fails. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "disk/file.h"
#include "harness.h"
#include "model.h"

enum {
    PUSHES = 9,
    KILL_STEP = 3, /* every third operation; the seed says which third */
    PUSH_ENTRIES = 24,
    DISORDER = 40
};

static struct log_store *open_with(const char *dir, struct clock *clock)
{
    struct log_store_options o = {.dir = dir,
                                  .clock = clock,
                                  .durability = DURABILITY_OS,
                                  .disk_reserve_bytes = 1,
                                  .retention_ms = -1,
                                  .head_bytes = 2 << 10,
                                  .group_bytes = 600};
    struct log_store *s = NULL;
    return log_store_open(&o, &s, NULL) ? NULL : s;
}

static uint64_t count_all(struct log_store *s)
{
    struct log_select sel = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .order = LOG_UNORDERED};
    struct query_ctx q = {.tenant = STR("t1")};
    struct log_source *src = log_store_source(s);
    struct log_cursor *c = NULL;
    struct log_batch b;
    uint64_t n = 0;
    enum err e = src->ops->select(src, &q, &sel, &c, NULL);
    while (!e && (e = src->ops->next(c, &b, NULL)) == ERR_OK) {
        n += b.count;
    }
    src->ops->close(c);
    return e == ERR_NOT_FOUND ? n : UINT64_MAX;
}

/* The store has what the model has after `acked` pushes, or after one more: the last may have been written
 * and not yet answered. */
static bool same_as_model(struct log_store *s, unsigned acked)
{
    struct rng rng;
    rng_init(&rng, test_seed());
    struct model m = {0};
    ts_ns now = 5000;
    for (unsigned i = 0; i < acked; i++) {
        (void)(model_push(&m, NULL, &rng, PUSH_ENTRIES, &now, DISORDER) == ERR_OK);
    }
    if (count_all(s) != m.n) {
        (void)(model_push(&m, NULL, &rng, PUSH_ENTRIES, &now, DISORDER) == ERR_OK);
    }
    struct log_select all = {
        .start_ns = INT64_MIN, .end_ns = INT64_MAX, .lines_needed = true, .metadata_needed = true};
    bool same = model_check_query(&m, s, &all);
    model_done(&m);
    return same;
}

/* One life: pushes with housekeeping between them, told through `fd` as they are acknowledged. */
static void live(const char *dir, uint64_t kill_at, int fd)
{
    struct clock clock;
    clock_fake_init(&clock, NS_PER_S);
    struct rng rng;
    rng_init(&rng, test_seed());
    struct model m = {0};
    ts_ns now = 5000;
    fault_arm_kill(FAULT_DISK, kill_at);
    struct log_store *s = open_with(dir, &clock);
    for (unsigned i = 0; s && i < PUSHES; i++) {
        bool ok = model_push(&m, s, &rng, PUSH_ENTRIES, &now, DISORDER) == ERR_OK && write(fd, "+", 1) == 1 &&
                  log_store_maintain(s, NULL) == ERR_OK;
        if (!ok) {
            _exit(1);
        }
    }
    log_store_close(s);
    _exit(s ? 0 : 1);
}

TEST(the_process_may_end_at_any_disk_operation)
{
    bool killed = true;
    uint64_t at = 1 + test_seed() % KILL_STEP;
    for (; killed && !test_failed(); at += KILL_STEP) {
        const char *dir = test_dir();
        int fds[2];
        CHECK_EQ(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            live(dir, at, fds[1]);
        }
        (void)close(fds[1]);
        unsigned acked = 0;
        for (char c; read(fds[0], &c, 1) == 1;) {
            acked++;
        }
        (void)close(fds[0]);
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        CHECK(killed || status == 0);
        struct clock clock;
        clock_fake_init(&clock, NS_PER_S);
        struct log_store *s = open_with(dir, &clock);
        CHECK(s);
        CHECK(same_as_model(s, acked));
        log_store_close(s);
        s = open_with(dir, &clock);
        CHECK(s);
        CHECK(same_as_model(s, acked));
        log_store_close(s);
        CHECK_OK(dir_remove(dir, NULL));
    }
    CHECK(at > 60);
}

struct work {
    unsigned pushes;
    bool compare; /* row by row; not when the comparison itself may lack memory */
};

struct through {
    bool compare;
    struct log_store *s;
    struct model m;
    struct rng rng;
    ts_ns now;
    enum err first; /* of all errors */
};

static void note(struct through *t, enum err e)
{
    t->first = t->first ? t->first : e;
}

/* All acknowledged lines are there; a push that failed may be too. */
static void check_through(struct through *t)
{
    uint64_t n = count_all(t->s);
    struct log_select all = {
        .start_ns = INT64_MIN, .end_ns = INT64_MAX, .lines_needed = true, .metadata_needed = true};
    if (n == UINT64_MAX) {
        note(t, ERR_OOM);
    } else if (n < t->m.n || (t->first == ERR_OK && t->compare && !model_check_query(&t->m, t->s, &all))) {
        test_fail(__FILE__, __LINE__, "lines are missing after a failure");
    }
}

/* A failed fsync of the log ends writing until the store is opened again: pushes may then fail to the end. */
static enum err through_failure(void *ctx)
{
    const struct work *w = ctx;
    const char *dir = test_dir();
    struct clock clock;
    clock_fake_init(&clock, NS_PER_S);
    struct through t = {.compare = w->compare, .s = open_with(dir, &clock), .now = 5000};
    if (!t.s) {
        return ERR_IO;
    }
    rng_init(&t.rng, test_seed());
    for (unsigned i = 0; i < w->pushes; i++) {
        note(&t, model_push(&t.m, t.s, &t.rng, PUSH_ENTRIES, &t.now, DISORDER));
        note(&t, log_store_maintain(t.s, NULL));
    }
    check_through(&t);
    log_store_close(t.s);
    t.s = open_with(dir, &clock);
    if (t.s) {
        check_through(&t);
    } else {
        note(&t, ERR_IO);
    }
    log_store_close(t.s);
    model_done(&t.m);
    (void)(dir_remove(dir, NULL) == ERR_OK);
    return t.first;
}

/* A log of several heads, as the end of a process leaves it. */
static void leave_log(const char *dir, unsigned pushes)
{
    pid_t child = fork();
    if (child == 0) {
        struct clock clock;
        clock_fake_init(&clock, NS_PER_S);
        struct log_store_options o = {
            .dir = dir, .clock = &clock, .durability = DURABILITY_OS, .disk_reserve_bytes = 1};
        struct log_store *s = NULL;
        struct rng rng;
        rng_init(&rng, test_seed());
        struct model m = {0};
        ts_ns now = 5000;
        bool ok = log_store_open(&o, &s, NULL) == ERR_OK;
        for (unsigned i = 0; ok && i < pushes; i++) {
            ok = model_push(&m, s, &rng, PUSH_ENTRIES, &now, DISORDER) == ERR_OK;
        }
        _exit(ok ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

TEST(a_start_that_cannot_write_a_block_loses_nothing)
{
    unsigned pushes = 8, opened = 0;
    for (uint64_t at = 1; at < 60 && !test_failed(); at += 2) {
        const char *dir = test_dir();
        leave_log(dir, pushes);
        struct clock clock;
        clock_fake_init(&clock, NS_PER_S);
        fault_arm(FAULT_DISK, at, false);
        struct log_store *s = open_with(dir, &clock);
        fault_arm(FAULT_DISK, 0, false);
        opened += s != NULL;
        CHECK(!s || same_as_model(s, pushes));
        log_store_close(s);
        s = open_with(dir, &clock);
        CHECK(s);
        CHECK(same_as_model(s, pushes));
        log_store_close(s);
        CHECK_OK(dir_remove(dir, NULL));
    }
    CHECK(opened > 10);
}

TEST(any_disk_operation_may_fail)
{
    struct work w = {.pushes = 5, .compare = true};
    test_fail_each(FAULT_DISK, through_failure, &w);
}

TEST(any_allocation_may_fail)
{
    struct work w = {.pushes = 2};
    test_fail_each(FAULT_ALLOC, through_failure, &w);
}
