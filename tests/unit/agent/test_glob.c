/* Globs: what __path__ may say. */
#include <stdio.h>

#include "agent/inputs/glob.h"
#include "base/buf.h"
#include "disk/file.h"
#include "harness.h"

static bool matches(const char *pattern, const char *path)
{
    struct arena a AUTO_ARENA;
    struct glob g;
    arena_init(&a, 0, NULL);
    return glob_new(&a, str_c(pattern), &g, NULL) == ERR_OK && glob_match(&g, str_c(path));
}

TEST(stars_stay_within_a_segment)
{
    CHECK(matches("/var/log/*.log", "/var/log/a.log"));
    CHECK(matches("/var/log/*.log", "/var/log/.hidden.log"));
    CHECK(!matches("/var/log/*.log", "/var/log/x/a.log"));
    CHECK(!matches("/var/log/*.log", "/var/log/a.logs"));
    CHECK(matches("/a/*b*c", "/a/xxbyybzzc"));
    CHECK(!matches("/a/*b*c", "/a/xxbyyzz"));
    CHECK(matches("/a/?", "/a/\xc3\xa4"));
    CHECK(!matches("/a/?", "/a/"));
}

TEST(double_stars_are_any_number_of_folders_and_only_alone)
{
    CHECK(matches("/a/**/z.log", "/a/z.log"));
    CHECK(matches("/a/**/z.log", "/a/b/c/z.log"));
    CHECK(!matches("/a/**/z.log", "/a/b/c/y.log"));
    CHECK(matches("/a/**", "/a/b/c"));
    CHECK(matches("/a/x**/z", "/a/xyz/z"));
    CHECK(!matches("/a/x**/z", "/a/xyz/q/z"));
    CHECK(matches("/**/b/**/d", "/a/b/c/b/d"));
}

TEST(braces_classes_and_escapes)
{
    CHECK(matches("/l/{a,b}.log", "/l/b.log"));
    CHECK(!matches("/l/{a,b}.log", "/l/c.log"));
    CHECK(matches("/l/{a,x/{b,c}}.log", "/l/x/c.log"));
    CHECK(matches("/l/[a-c]1", "/l/b1"));
    CHECK(!matches("/l/[!a-c]1", "/l/b1"));
    CHECK(matches("/l/[^a-c]1", "/l/z1"));
    CHECK(matches("/l/\\*", "/l/*"));
    CHECK(!matches("/l/\\*", "/l/x"));
    struct arena a AUTO_ARENA;
    struct glob g;
    struct err_info info = {0};
    arena_init(&a, 0, NULL);
    CHECK_EQ(glob_new(&a, STR("/l/{a,b"), &g, &info), ERR_INVALID);
    CHECK_EQ(glob_new(&a, STR("/l/[ab"), &g, &info), ERR_INVALID);
}

static enum err collect(void *ctx, struct str path)
{
    struct buf *b = ctx;
    buf_str(b, path);
    buf_char(b, '\n');
    return b->err;
}

static enum err ignore(void *ctx, struct str path)
{
    (void)ctx;
    (void)path;
    return ERR_OK;
}

static void touch(const char *dir, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    enum err e = file_store(path, STR("x"), NULL);
    if (e) {
        test_fail(__FILE__, __LINE__, path);
    }
}

TEST(a_walk_finds_what_a_match_would)
{
    char path[512], want[2048];
    struct arena a AUTO_ARENA;
    struct buf found AUTO_BUF = {0};
    const char *d = test_dir();
    arena_init(&a, 0, NULL);
    (void)snprintf(path, sizeof(path), "%s/glob/x/y", d);
    CHECK_OK(dir_make(path, NULL));
    touch(d, "glob/a.log");
    touch(d, "glob/x/b.log");
    touch(d, "glob/x/y/c.log");
    touch(d, "glob/x/y/c.txt");
    (void)snprintf(path, sizeof(path), "%s/glob/**/*.log", d);
    struct glob g;
    CHECK_OK(glob_new(&a, str_c(path), &g, NULL));
    struct glob_visitor v = {collect, ignore, &found};
    CHECK_OK(glob_walk(&g, &v));
    (void)snprintf(want, sizeof(want), "%s/glob/a.log\n%s/glob/x/b.log\n%s/glob/x/y/c.log\n", d, d, d);
    CHECK_STR(buf_view(&found), want);
}
