/* The database with a flipped bit or cut somewhere: it opens, or says which file is damaged and what to do;
 * what is asked of it is answered or refused, and nothing breaks. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/rng.h"
#include "dashboards/dashboards.h"
#include "disk/file.h"
#include "harness.h"

enum {
    DASHBOARDS = 30,
    FLIPS = 400,
    CUTS = 40
};

static bool fill(const char *path)
{
    struct db *db = NULL;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    bool ok = db_open(path, &db, NULL) == ERR_OK;
    for (int i = 0; ok && i < DASHBOARDS; i++) {
        struct dash d;
        struct dash_save s = {.uid = arena_printf(&a, "u%d", i),
                              .title = arena_printf(&a, "Dashboard %d", i),
                              .tags = STR("[\"a\"]"),
                              .json = arena_printf(&a, "{\"title\":\"Dashboard %d\",\"panels\":[]}", i),
                              .login = STR("ann")};
        ok = dash_put(db, 1000 + i, &s, &a, &d, NULL) == ERR_OK;
    }
    db_close(db);
    return ok;
}

static bool write_over(const char *path, struct str content)
{
    char wal[200];
    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    (void)unlink(wal);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n;
    return close(fd) == 0 && ok;
}

/* Reads and writes; false: it did not open, and did not say why. */
static bool used(const char *path, struct str content, unsigned *opened)
{
    struct db *db = NULL;
    struct arena a AUTO_ARENA;
    struct err_info info = {0};
    arena_init(&a, 0, NULL);
    if (!write_over(path, content)) {
        return false;
    }
    enum err e = db_open(path, &db, &info);
    if (e != ERR_OK) {
        return str_find(str_c(info.message), str_c(path), 0) != STR_NPOS;
    }
    ++*opened;
    for (int i = 0; i < DASHBOARDS; i++) {
        struct dash d;
        (void)(dash_get(db, arena_printf(&a, "u%d", i), &a, &d, NULL) == ERR_OK);
    }
    struct dash d;
    struct dash_save s = {
        .uid = STR("new"), .title = STR("New"), .tags = STR("[]"), .json = STR("{}"), .login = STR("ann")};
    (void)(dash_put(db, 9000, &s, &a, &d, NULL) == ERR_OK);
    db_close(db);
    return true;
}

TEST(a_damaged_database_opens_or_says_which_file_and_what_to_do)
{
    char path[160];
    struct buf content AUTO_BUF = {.size_bytes_max = 16 << 20};
    struct rng r;
    unsigned opened = 0;
    rng_init(&r, test_seed());
    (void)snprintf(path, sizeof(path), "%s/d.db", test_dir());
    CHECK(fill(path));
    CHECK_OK(file_load(path, &content, NULL));
    for (int i = 0; i < FLIPS; i++) {
        /* every bit of the header in its turn, then anywhere */
        size_t bit = i % 2 ? rng_below(&r, content.n * 8) : rng_below(&r, 100 * 8);
        content.p[bit / 8] ^= (char)(1 << bit % 8);
        bool ok = used(path, buf_view(&content), &opened);
        content.p[bit / 8] ^= (char)(1 << bit % 8);
        CHECK(ok);
    }
    for (int i = 0; i < CUTS; i++) {
        CHECK(used(path, str_slice(buf_view(&content), 0, rng_below(&r, content.n)), &opened));
    }
    CHECK(opened > FLIPS / 2);
}
