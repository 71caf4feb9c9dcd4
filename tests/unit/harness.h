/* The unit-test harness: TEST(name) { ... } in any test_*.c; each program runs its tests in order of
 * registration and ends with "N passed, N failed". Arguments filter by substring of "file:name".
 * A failed CHECK marks the test failed and returns from it. */
#ifndef CAIRN_TESTS_HARNESS_H
#define CAIRN_TESTS_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/str.h"

struct test_case {
    const char *file;
    const char *name;
    void (*fn)(void);
    struct test_case *next;
};

void test_register(struct test_case *t);
void test_fail(const char *file, int line, const char *what);
void test_fail_i64(const char *file, int line, const char *what, int64_t got, int64_t want);
void test_fail_str(const char *file, int line, const char *what, struct str got, struct str want);
bool test_failed(void);
/* Seed of this run (CAIRN_TEST_SEED or a fixed default), printed when a test fails. */
uint64_t test_seed(void);
/* A fresh empty folder, removed at the end of the program. */
const char *test_dir(void);

#define TEST(test_name)                                                             \
    static void test_##test_name(void);                                             \
    __attribute__((constructor)) static void register_##test_name(void)             \
    {                                                                               \
        static struct test_case t = {__FILE__, #test_name, test_##test_name, NULL}; \
        test_register(&t);                                                          \
    }                                                                               \
    static void test_##test_name(void)

#define CHECK(x)                               \
    do {                                       \
        if (!(x)) {                            \
            test_fail(__FILE__, __LINE__, #x); \
            return;                            \
        }                                      \
    } while (0)
#define CHECK_OK(x) CHECK_EQ((int64_t)(x), ERR_OK)
#define CHECK_EQ(got, want)                                       \
    do {                                                          \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);   \
        if (got_ != want_) {                                      \
            test_fail_i64(__FILE__, __LINE__, #got, got_, want_); \
            return;                                               \
        }                                                         \
    } while (0)
#define CHECK_STR(got, want)                                      \
    do {                                                          \
        struct str got_ = (got), want_ = str_c(want);             \
        if (!str_eq(got_, want_)) {                               \
            test_fail_str(__FILE__, __LINE__, #got, got_, want_); \
            return;                                               \
        }                                                         \
    } while (0)

/* Fail-the-Nth: runs fn with the 1st, 2nd, ... hit of the fault point failing, until a run has no hit left
 * to fail. fn returns the error it saw and must leave nothing behind (the leak checker looks). A run that
 * returns OK although its fault was hit is fine (a benign failure); any error must be a real enum value. */
void test_fail_each(enum fault_kind kind, enum err (*fn)(void *ctx), void *ctx);

#endif
