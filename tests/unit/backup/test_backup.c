/* The list of a backup, and a backup written, verified and restored. */
#include <stdio.h>

#include "backup/backup.h"
#include "disk/file.h"
#include "harness.h"

TEST(paths_that_lead_out_of_the_folder_are_refused)
{
    static const char *const bad[] = {
        "",           "/etc/passwd", "metrics", "metrics/",  "metrics/../x", "../metrics/a",
        "metrics//a", "metrics/./a", "other/a", "logs/a\nb", "logs/a b",     "logs/a\\b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!backup_path_valid(str_c(bad[i])));
    }
    CHECK(backup_path_valid(STR("logs/blocks/000000000001-a%20b.blk")));
    CHECK(!backup_name_valid(STR("../x")) && !backup_name_valid(STR("")) &&
          backup_name_valid(STR("20260101T000000Z")));
}

TEST(a_list_with_a_changed_byte_is_refused)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct backup_file f = {.path = STR("logs/MANIFEST"), .size_bytes = 7};
    struct backup_list l = {.files = &f, .n = 1}, back = {0};
    backup_hash(STR("1234567"), f.hash);
    CHECK_OK(backup_list_write(&l, &b, NULL));
    CHECK_OK(backup_list_read(buf_view(&b), &a, &back, NULL));
    CHECK_EQ(back.n, 1);
    CHECK_STR(back.files[0].path, "logs/MANIFEST");
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        CHECK(backup_list_read(buf_view(&b), &a, &back, NULL) != ERR_OK);
        b.p[i] ^= 1;
        CHECK(i + 1 == b.n || backup_list_read(str_of(b.p, i), &a, &back, NULL) != ERR_OK);
    }
}

TEST(a_second_backup_copies_only_what_is_new_and_a_flipped_byte_is_found)
{
    char path[512], store[512], to[512], key[512];
    const char *base = test_dir(); /* each call empties it */
    struct object_store *s = NULL;
    struct backup_result r = {0};
    struct err_info info = {0};
    (void)snprintf(path, sizeof(path), "%s/logs", base);
    const struct backup_source source = {path, "logs"};
    CHECK_OK(dir_make(path, NULL));
    char file[600];
    (void)snprintf(file, sizeof(file), "%s/one", path);
    CHECK_OK(file_store(file, STR("first"), NULL));
    (void)snprintf(store, sizeof(store), "%s/store", base);
    CHECK_OK(object_store_open_dir(store, &s, NULL));
    CHECK_OK(backup_write(s, STR("a"), &source, 1, NULL, &r, &info));
    CHECK_EQ(r.files_copied, 1);
    CHECK_EQ(backup_write(s, STR("a"), &source, 1, NULL, &r, &info), ERR_EXISTS);
    (void)snprintf(file, sizeof(file), "%s/two", path);
    CHECK_OK(file_store(file, STR("second"), NULL));
    CHECK_OK(backup_write(s, STR("b"), &source, 1, NULL, &r, &info));
    CHECK_EQ(r.files_copied, 1);
    CHECK_EQ(r.files, 2);
    (void)snprintf(to, sizeof(to), "%s/restored", base);
    CHECK_OK(backup_restore(s, STR("b"), to, NULL, &r, &info));
    CHECK_EQ(backup_restore(s, STR("b"), to, NULL, &r, &info), ERR_EXISTS);
    struct buf text AUTO_BUF = {0};
    (void)snprintf(file, sizeof(file), "%s/logs/two", to);
    CHECK_OK(file_load(file, &text, NULL));
    CHECK_STR(buf_view(&text), "second");
    char hash[BACKUP_HASH_CHARS + 1];
    backup_hash(STR("second"), hash);
    (void)snprintf(key, sizeof(key), "objects/%.2s/%s", hash, hash);
    CHECK_OK(object_remove(s, str_c(key), NULL));
    CHECK_OK(object_put_if_absent(s, str_c(key), STR("secomd"), NULL));
    uint64_t bad = 0;
    CHECK_EQ(backup_verify(s, STR("b"), NULL, &r, &bad, &info), ERR_CORRUPT);
    CHECK_EQ(bad, 1);
    (void)snprintf(to, sizeof(to), "%s/again", base);
    CHECK_EQ(backup_restore(s, STR("b"), to, NULL, &r, &info), ERR_CORRUPT);
    CHECK(!dir_is(to));
    object_store_close(s);
}
