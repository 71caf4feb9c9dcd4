/* Runs the registered tests of one program. */
#include "harness.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct test_case *first, **last = &first;
static bool current_failed;
static char dir_path[64];

void test_register(struct test_case *t)
{
    *last = t;
    last = &t->next;
}

void test_fail(const char *file, int line, const char *what)
{
    current_failed = true;
    (void)printf("%s:%d: failed: %s\n", file, line, what);
}

void test_fail_i64(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    current_failed = true;
    (void)printf("%s:%d: failed: %s is %lld, expected %lld\n", file, line, what, (long long)got,
                 (long long)want);
}

void test_fail_str(const char *file, int line, const char *what, struct str got, struct str want)
{
    current_failed = true;
    (void)printf("%s:%d: failed: %s is\n  %.*s\nexpected\n  %.*s\n", file, line, what, STR_FMT(got),
                 STR_FMT(want));
}

bool test_failed(void)
{
    return current_failed;
}

uint64_t test_seed(void)
{
    const char *s = getenv("CAIRN_TEST_SEED");
    return s ? strtoull(s, NULL, 10) : 20241124;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_dir(void)
{
    if (dir_path[0]) {
        (void)nftw(dir_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        dir_path[0] = '\0';
    }
}

const char *test_dir(void)
{
    remove_dir();
    (void)snprintf(dir_path, sizeof(dir_path), "/tmp/cairn-test-XXXXXX");
    if (!mkdtemp(dir_path)) {
        perror("mkdtemp");
        exit(2);
    }
    return dir_path;
}

enum {
    FAIL_EACH_MAX = 100000
};

void test_fail_each(enum fault_kind kind, enum err (*fn)(void *ctx), void *ctx)
{
    for (uint64_t n = 1; n < FAIL_EACH_MAX; n++) {
        fault_arm(kind, n, false);
        enum err e = fn(ctx);
        bool hit = fault_hits(kind) >= n;
        fault_arm(kind, 0, false);
        if ((unsigned)e >= ERR_COUNT) {
            test_fail(__FILE__, __LINE__, "an error outside the enum");
            return;
        }
        if (!hit) {
            if (e != ERR_OK) {
                test_fail_i64(__FILE__, __LINE__, "the run without a fault", e, ERR_OK);
            }
            return;
        }
    }
    test_fail(__FILE__, __LINE__, "the operation never ran without a fault");
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test_case *t = first; t; t = t->next) {
        char full[256];
        const char *base = strrchr(t->file, '/');
        (void)snprintf(full, sizeof(full), "%s:%s", base ? base + 1 : t->file, t->name);
        if (argc > 1 && !strstr(full, argv[1])) {
            continue;
        }
        current_failed = false;
        t->fn();
        if (current_failed) {
            failed++;
            (void)printf("FAILED %s (seed %llu)\n", full, (unsigned long long)test_seed());
        } else {
            passed++;
        }
    }
    remove_dir();
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
