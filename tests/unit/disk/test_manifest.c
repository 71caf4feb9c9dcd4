/* The manifest: written whole or not at all, and what it does not name goes. */
#include <stdio.h>

#include "disk/file.h"
#include "disk/manifest.h"
#include "harness.h"

static const struct manifest_entry two[] = {
    {STR_INIT("0001.blk"), STR_INIT("min=1 max=2\nlevel=3")},
    {STR_INIT("0002.blk"), STR_INIT("")},
};

TEST(manifest_comes_back_and_counts_generations)
{
    struct arena a AUTO_ARENA = {0};
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/MANIFEST", test_dir());
    struct manifest m;
    CHECK_OK(manifest_load(path, &a, &m, NULL));
    CHECK_EQ(m.generation, 0);
    CHECK_EQ(m.n, 0);
    m = (struct manifest){0, two, 2};
    CHECK_OK(manifest_store(path, &m, &m.generation, NULL));
    CHECK_OK(manifest_store(path, &m, &m.generation, NULL));
    struct manifest back;
    CHECK_OK(manifest_load(path, &a, &back, NULL));
    CHECK_EQ(back.generation, 2);
    CHECK_EQ(back.n, 2);
    CHECK_STR(manifest_find(&back, STR("0001.blk"))->text, "min=1 max=2\nlevel=3");
    CHECK(manifest_find(&back, STR("0003.blk")) == NULL);
    const struct manifest_entry same[] = {{STR("a"), STR("")}, {STR("a"), STR("")}},
                                slash[] = {{STR("a/b"), STR("")}};
    m = (struct manifest){2, same, 2};
    CHECK_EQ(manifest_store(path, &m, &m.generation, NULL), ERR_INVALID);
    m = (struct manifest){2, slash, 1};
    CHECK_EQ(manifest_store(path, &m, &m.generation, NULL), ERR_INVALID);
}

TEST(manifest_damage_is_noticed)
{
    struct arena a AUTO_ARENA = {0};
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/MANIFEST", test_dir());
    struct manifest m = {0, two, 2};
    CHECK_OK(manifest_store(path, &m, &m.generation, NULL));
    struct buf whole AUTO_BUF = {0};
    CHECK_OK(file_load(path, &whole, NULL));
    for (size_t i = 0; i < whole.n; i++) {
        CHECK_OK(file_store(path, str_of(whole.p, i), NULL));
        CHECK_EQ(manifest_load(path, &a, &m, NULL), ERR_CORRUPT);
        whole.p[i] ^= 2;
        CHECK_OK(file_store(path, buf_view(&whole), NULL));
        enum err e = manifest_load(path, &a, &m, NULL);
        CHECK(e == ERR_CORRUPT || e == ERR_UNSUPPORTED);
        whole.p[i] ^= 2;
    }
}

TEST(sweep_removes_the_unnamed_and_names_the_missing)
{
    struct arena a AUTO_ARENA = {0};
    const char *dir = test_dir();
    static const char *const files[] = {"0001.blk", "0009.blk", "0003.blk.tmp", "other.txt"};
    char path[512];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        CHECK_OK(file_store(path, STR("x"), NULL));
    }
    struct manifest m = {1, two, 2};
    const struct str *missing, *left;
    size_t missing_n, removed, n;
    CHECK_OK(manifest_sweep(&m, dir, STR(".blk"), &a, &missing, &missing_n, &removed, NULL));
    CHECK_EQ(removed, 2);
    CHECK_EQ(missing_n, 1);
    CHECK_STR(missing[0], "0002.blk");
    CHECK_OK(dir_list(dir, &a, &left, &n, NULL));
    CHECK_EQ(n, 2);
    CHECK_STR(left[0], "0001.blk");
    CHECK_STR(left[1], "other.txt");
}

static char fail_path[512];

/* Whatever fails, the manifest is the old or the new one. */
static enum err store_again(void *ctx)
{
    struct arena a AUTO_ARENA = {0};
    struct manifest m, back;
    (void)ctx;
    enum err e = manifest_load(fail_path, &a, &m, NULL);
    uint64_t before = m.generation, now;
    if (e) {
        return e;
    }
    m.entries = two;
    m.n = 2;
    e = manifest_store(fail_path, &m, &now, NULL);
    if (e == ERR_OK) {
        e = manifest_load(fail_path, &a, &back, NULL);
        return e || back.generation == before + 1 ? e : ERR_INTERNAL;
    }
    fault_arm(FAULT_DISK, 0, false);
    fault_arm(FAULT_ALLOC, 0, false);
    enum err after = manifest_load(fail_path, &a, &back, NULL);
    bool whole = after == ERR_OK && (back.generation == before || back.generation == before + 1);
    return whole ? e : ERR_INTERNAL;
}

TEST(a_failed_store_leaves_the_old_or_the_new_manifest)
{
    (void)snprintf(fail_path, sizeof(fail_path), "%s/MANIFEST", test_dir());
    for (uint64_t n = 1; n < 40; n++) {
        fault_arm(FAULT_DISK, n, false);
        enum err e = store_again(NULL);
        fault_arm(FAULT_DISK, 0, false);
        CHECK(e == ERR_OK || e == ERR_IO);
    }
    for (uint64_t n = 1; n < 40; n++) {
        fault_arm(FAULT_ALLOC, n, false);
        enum err e = store_again(NULL);
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(e == ERR_OK || e == ERR_OOM);
    }
}
