/* Objects and the disk reserve. */
#include <stdio.h>

#include "base/thread.h"
#include "disk/file.h"
#include "disk/object_store.h"
#include "disk/quota.h"
#include "harness.h"

TEST(an_object_is_put_once_read_in_ranges_and_listed)
{
    struct arena a AUTO_ARENA = {0};
    struct object_store *s;
    CHECK_OK(object_store_open_dir(test_dir(), &s, NULL));
    CHECK_OK(object_put_if_absent(s, STR("t/metrics/2"), STR("0123456789"), NULL));
    CHECK_OK(object_put_if_absent(s, STR("t/metrics/1"), STR(""), NULL));
    CHECK_OK(object_put_if_absent(s, STR("t-2/metrics/1"), STR("x"), NULL));
    CHECK_EQ(object_put_if_absent(s, STR("t/metrics/2"), STR("other"), NULL), ERR_EXISTS);
    struct buf b AUTO_BUF = {0};
    CHECK_OK(object_get_range(s, STR("t/metrics/2"), 3, 4, &b, NULL));
    CHECK_STR(buf_view(&b), "3456");
    CHECK_EQ(object_get_range(s, STR("t/metrics/2"), 8, 3, &b, NULL), ERR_CORRUPT);
    CHECK_EQ(object_get_range(s, STR("t/metrics/3"), 0, 1, &b, NULL), ERR_NOT_FOUND);
    uint64_t n;
    CHECK_OK(object_size(s, STR("t/metrics/2"), &n, NULL));
    CHECK_EQ(n, 10);
    const struct str *keys;
    size_t count;
    CHECK_OK(object_list(s, STR("t/m"), &a, &keys, &count, NULL));
    CHECK_EQ(count, 2);
    CHECK_STR(keys[0], "t/metrics/1");
    CHECK_OK(object_list(s, STR(""), &a, &keys, &count, NULL));
    CHECK_EQ(count, 3);
    CHECK_STR(keys[0], "t-2/metrics/1");
    CHECK_OK(object_remove(s, STR("t/metrics/2"), NULL));
    CHECK_OK(object_remove(s, STR("t/metrics/2"), NULL));
    CHECK_EQ(object_size(s, STR("t/metrics/2"), &n, NULL), ERR_NOT_FOUND);
    object_store_close(s);
}

TEST(keys_cannot_leave_the_folder)
{
    struct object_store *s;
    CHECK_OK(object_store_open_dir(test_dir(), &s, NULL));
    static const char *const bad[] = {"", "/a", "a/", "a//b", "../a", "a/../b", ".tmp/a", "a b", "a\nb"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(object_put_if_absent(s, str_c(bad[i]), STR("x"), NULL), ERR_INVALID);
    }
    object_store_close(s);
}

struct putter {
    struct object_store *s;
    struct thread thread;
    enum err e;
};

static void put(void *ctx)
{
    struct putter *p = ctx;
    p->e = object_put_if_absent(p->s, STR("the/lease"), STR("mine"), NULL);
}

TEST(of_several_writers_one_wins)
{
    struct object_store *s;
    CHECK_OK(object_store_open_dir(test_dir(), &s, NULL));
    struct putter p[8] = {0};
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        p[i].s = s;
        CHECK_OK(thread_start(&p[i].thread, "putter", put, &p[i]));
    }
    size_t won = 0;
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        thread_join(&p[i].thread);
        won += p[i].e == ERR_OK;
        CHECK(p[i].e == ERR_OK || p[i].e == ERR_EXISTS);
    }
    CHECK_EQ(won, 1);
    object_store_close(s);
}

static const char *folder;

static enum err open_and_put(void *ctx)
{
    (void)ctx;
    struct object_store *s;
    enum err e = object_store_open_dir(folder, &s, NULL);
    if (!e) {
        e = object_put_if_absent(s, STR("a/b"), STR("content"), NULL);
        struct buf b AUTO_BUF = {0};
        if (e == ERR_OK || e == ERR_EXISTS) { /* then it is whole */
            e = object_get_range(s, STR("a/b"), 0, 7, &b, NULL);
            e = e || str_eq_c(buf_view(&b), "content") ? e : ERR_INTERNAL;
        }
        object_store_close(s);
    }
    return e;
}

TEST(every_failure_of_a_put_is_an_error)
{
    folder = test_dir();
    test_fail_each(FAULT_DISK, open_and_put, NULL);
    folder = test_dir();
    test_fail_each(FAULT_ALLOC, open_and_put, NULL);
}

TEST(the_reserve_is_not_touched_and_grants_add_up)
{
    struct clock c;
    struct quota q;
    uint64_t free_bytes, total;
    clock_fake_init(&c, NS_PER_S);
    quota_init(&q, test_dir(), 0, &c);
    CHECK(quota_free(&q, &free_bytes, &total));
    CHECK(free_bytes <= total);
    CHECK_OK(quota_ask(&q, free_bytes / 2, NULL));
    CHECK_EQ(quota_ask(&q, free_bytes / 4 * 3, NULL), ERR_NO_SPACE); /* granted bytes count as used */
    clock_fake_advance(&c, 2 * NS_PER_S);
    CHECK_OK(quota_ask(&q, free_bytes / 4 * 3, NULL)); /* measured anew */
    quota_done(&q);
    quota_init(&q, test_dir(), total + 1, &c);
    CHECK_EQ(quota_ask(&q, 0, NULL), ERR_NO_SPACE);
    quota_done(&q);
}
