/* Objects and the disk reserve. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"
#include "disk/file.h"
#include "disk/object_store.h"
#include "disk/quota.h"
#include "harness.h"

static void put_read_list(struct object_store *s)
{
    struct arena a AUTO_ARENA = {0};
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
    const struct object_entry *found;
    size_t count;
    CHECK_OK(object_list(s, STR("t/m"), &a, &found, &count, NULL));
    CHECK_EQ(count, 2);
    CHECK_STR(found[0].key, "t/metrics/1");
    CHECK_EQ(found[1].size_bytes, 10);
    CHECK_OK(object_list(s, STR(""), &a, &found, &count, NULL));
    CHECK_EQ(count, 3);
    CHECK_STR(found[0].key, "t-2/metrics/1");
    CHECK_OK(object_remove(s, STR("t/metrics/2"), NULL));
    CHECK_OK(object_remove(s, STR("t/metrics/2"), NULL));
    CHECK_EQ(object_size(s, STR("t/metrics/2"), &n, NULL), ERR_NOT_FOUND);
    CHECK_EQ(object_get_range(s, STR("t/metrics/2"), 0, 0, &b, NULL), ERR_NOT_FOUND);
}

TEST(an_object_is_put_once_read_in_ranges_and_listed)
{
    struct object_store *s;
    CHECK_OK(object_store_open_dir(test_dir(), &s, NULL));
    put_read_list(s);
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

static void race(struct object_store *s)
{
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
}

TEST(of_several_writers_one_wins)
{
    struct object_store *s;
    CHECK_OK(object_store_open_dir(test_dir(), &s, NULL));
    race(s);
    object_store_close(s);
}

TEST(what_root_puts_into_anothers_folder_is_that_ones)
{
    enum {
        SOMEBODY = 12345
    };
    struct object_store *s;
    struct stat st;
    char path[600];
    const char *dir = test_dir();
    bool root = geteuid() == 0 && chown(dir, SOMEBODY, SOMEBODY) == 0;
    CHECK_OK(object_store_open_dir(dir, &s, NULL));
    CHECK_OK(object_put_if_absent(s, STR("a/b/c"), STR("x"), NULL));
    static const char *const made[] = {".tmp", "a", "a/b", "a/b/c"};
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
        CHECK_EQ(stat(path, &st), 0);
        CHECK_EQ(st.st_uid, root ? SOMEBODY : geteuid());
    }
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

/* -- the same in a real bucket: only where CAIRN_TEST_S3 names an empty place (tests/backup does) -----------
 */

static struct object_store *bucket_open(void)
{
    struct object_store *s = NULL;
    struct err_info info = {0};
    enum err e =
        object_store_open(str_c(getenv("CAIRN_TEST_S3")), &s, &info); /* NOLINT(concurrency-mt-unsafe) */
    if (e) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return s;
}

static void bucket_does_what_a_folder_does(void)
{
    struct object_store *s = bucket_open();
    CHECK(s);
    put_read_list(s);
    race(s);
    object_store_close(s);
}

/* More than a page, in order, and nothing of its neighbours. */
static void bucket_lists_page_after_page(void)
{
    enum {
        MANY = 1005
    };
    struct arena a AUTO_ARENA = {0};
    const struct object_entry *found = NULL;
    size_t n = 0;
    struct object_store *s = bucket_open();
    CHECK(s);
    for (unsigned i = 0; i < MANY; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "many/%04u", i);
        CHECK_OK(object_put_if_absent(s, str_c(key), STR("x"), NULL));
    }
    CHECK_OK(object_put_if_absent(s, STR("many-more/1"), STR("x"), NULL));
    CHECK_OK(object_list(s, STR("many/"), &a, &found, &n, NULL));
    CHECK_EQ(n, MANY);
    CHECK_STR(found[1000].key, "many/1000");
    object_store_close(s);
}

/* Of the size of a large block: one request each way. */
static void bucket_takes_a_large_object(void)
{
    enum {
        LARGE = 40 << 20
    };
    struct buf content AUTO_BUF = {0}, back AUTO_BUF = {0};
    struct object_store *s = bucket_open();
    CHECK(s);
    char *p = buf_tail(&content, LARGE);
    CHECK(p);
    for (size_t i = 0; i < LARGE; i++) {
        p[i] = (char)(i * 2654435761U >> 13);
    }
    content.n = LARGE;
    CHECK_OK(object_put_if_absent(s, STR("large"), buf_view(&content), NULL));
    CHECK_OK(object_get_range(s, STR("large"), LARGE / 2, LARGE / 2, &back, NULL));
    CHECK(str_eq(buf_view(&back), str_slice(buf_view(&content), LARGE / 2, LARGE)));
    CHECK_EQ(object_get_range(s, STR("large"), LARGE - 1, 2, &back, NULL), ERR_CORRUPT);
    object_store_close(s);
}

__attribute__((constructor)) static void register_bucket(void)
{
    static struct test_case tests[] = {{__FILE__, "bucket_folder", bucket_does_what_a_folder_does, NULL},
                                       {__FILE__, "bucket_pages", bucket_lists_page_after_page, NULL},
                                       {__FILE__, "bucket_large", bucket_takes_a_large_object, NULL}};
    for (size_t i = 0; getenv("CAIRN_TEST_S3") && i < ARRAY_LEN(tests);
         i++) { /* NOLINT(concurrency-mt-unsafe) */
        test_register(&tests[i]);
    }
}
