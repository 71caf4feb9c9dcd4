/* Containers: what was written comes back, and any damage is noticed. */
#include <stdio.h>

#include "disk/container.h"
#include "disk/file.h"
#include "harness.h"

static const struct str kind = STR_INIT("test");

static enum err write_one(const char *path, struct str big)
{
    struct container_writer *w;
    enum err e = container_create(path, kind, 7, &w, NULL);
    if (e) {
        return e;
    }
    uint32_t page = 9;
    e = container_add_page(w, STR("first page"), &page, NULL);
    e = e ? e : page != 0 ? ERR_INTERNAL : container_add_page(w, big, &page, NULL);
    e = e ? e : container_add_section(w, STR("index"), STR("the index"), NULL);
    e = e ? e : container_add_section(w, STR("empty"), STR(""), NULL);
    if (e) {
        container_abort(w);
        return e;
    }
    uint64_t bytes;
    return container_finish(w, &bytes, NULL);
}

static const char *folder; /* of this test */

static void path_in(char *out, size_t n, const char *name)
{
    (void)snprintf(out, n, "%s/%s", folder, name);
}

TEST(pages_and_sections_come_back)
{
    char path[512];
    folder = test_dir();
    static char big[300000];
    memset(big, 'x', sizeof(big));
    path_in(path, sizeof(path), "whole");
    CHECK_OK(write_one(path, str_of(big, sizeof(big))));
    struct container *c;
    CHECK_OK(container_open(path, kind, &c, NULL));
    CHECK_EQ(container_version(c), 7);
    CHECK_EQ(container_page_count(c), 4);
    struct str s;
    CHECK_OK(container_page(c, 0, &s, NULL));
    CHECK_STR(s, "first page");
    CHECK_OK(container_page(c, 1, &s, NULL));
    CHECK(str_eq(s, str_of(big, sizeof(big))));
    CHECK_OK(container_section(c, STR("index"), &s, NULL));
    CHECK_STR(s, "the index");
    CHECK_EQ((uintptr_t)s.p % 8, 0);
    CHECK_OK(container_section(c, STR("empty"), &s, NULL));
    CHECK_EQ(s.n, 0);
    CHECK_EQ(container_section(c, STR("absent"), &s, NULL), ERR_NOT_FOUND);
    CHECK_EQ(container_page(c, 4, &s, NULL), ERR_NOT_FOUND);
    CHECK_OK(container_verify(c, NULL));
    container_close(c);
    CHECK_EQ(container_open(path, STR("other"), &c, NULL), ERR_INVALID);
}

static enum err open_and_verify(const char *path)
{
    struct container *c;
    enum err e = container_open(path, kind, &c, NULL);
    if (!e) {
        e = container_verify(c, NULL);
        container_close(c);
    }
    return e;
}

TEST(every_changed_or_missing_byte_is_noticed)
{
    char path[512], bad[512];
    folder = test_dir();
    path_in(path, sizeof(path), "small");
    path_in(bad, sizeof(bad), "bad");
    CHECK_OK(write_one(path, STR("second, 8 x")));
    struct buf whole AUTO_BUF = {0};
    CHECK_OK(file_load(path, &whole, NULL));
    for (size_t i = 0; i < whole.n; i++) {
        CHECK_OK(file_store(bad, str_of(whole.p, i), NULL));
        CHECK_EQ(open_and_verify(bad), ERR_CORRUPT);
        char keep = whole.p[i];
        whole.p[i] = (char)(keep ^ 0x10);
        CHECK_OK(file_store(bad, buf_view(&whole), NULL));
        whole.p[i] = keep;
        enum err e = open_and_verify(bad);
        bool padding = keep == 0 && e == ERR_OK && i >= 16 && i < 64; /* between pages */
        CHECK(padding || e != ERR_OK);
    }
}

static enum err write_and_open(void *ctx)
{
    char path[512];
    (void)ctx;
    path_in(path, sizeof(path), "fails");
    enum err e = write_one(path, STR("second"));
    return e ? e : open_and_verify(path);
}

TEST(every_failure_is_an_error_without_leaks)
{
    folder = test_dir();
    test_fail_each(FAULT_DISK, write_and_open, NULL);
    test_fail_each(FAULT_ALLOC, write_and_open, NULL);
    char left[512];
    path_in(left, sizeof(left), "fails.tmp");
    CHECK(!file_exists(left));
}
