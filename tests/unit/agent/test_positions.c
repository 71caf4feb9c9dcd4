/* The positions file: read from Promtail, written so that Promtail can read it. */
#include <stdio.h>

#include "agent/inputs/positions.h"
#include "base/buf.h"
#include "disk/file.h"
#include "harness.h"

static const char *path_of(char path[512], const char *name)
{
    (void)snprintf(path, 512, "%s/%s", test_dir(), name);
    return path;
}

TEST(promtails_numbers_and_cursors_are_read)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "old.yaml")};
    struct positions *p = NULL;
    CHECK_OK(file_store(
        path, STR("positions:\n  /var/log/syslog: \"38291\"\n  /b: 12\n  cursor-j: \"s=1;i=2\"\n"), NULL));
    CHECK_OK(positions_open(&o, &p, NULL));
    CHECK_STR(positions_text(p, STR("/var/log/syslog")), "38291");
    CHECK_STR(positions_text(p, STR("/b")), "12");
    CHECK_STR(positions_text(p, STR("cursor-j")), "s=1;i=2");
    CHECK(positions_text(p, STR("/c")).p == NULL);
    positions_close(p);
}

TEST(a_missing_or_empty_file_is_no_error_and_a_broken_one_is)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "none.yaml")};
    struct positions *p = NULL;
    struct err_info info = {0};
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_close(p);
    CHECK_OK(file_store(path, STR(""), NULL));
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_close(p);
    CHECK_OK(file_store(path, STR("nonsense: 1\n"), NULL));
    CHECK_EQ(positions_open(&o, &p, &info), ERR_INVALID);
    o.ignore_invalid = true;
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_close(p);
}

TEST(what_is_written_is_read_again_with_the_identity)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "new.yaml")};
    struct positions *p = NULL;
    struct err_info info = {0};
    struct position at = {.job = STR("app"),
                          .path = STR("/l/a b.log"),
                          .dev = 7,
                          .ino = UINT64_MAX,
                          .offset = 42,
                          .head_hash = 5,
                          .head_len = 42,
                          .mark_hash = 6,
                          .mark_len = 42};
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_begin(p);
    positions_put_file(p, &at, true);
    at.ino = 9;
    at.offset = 4711;
    positions_put_file(p, &at, false);
    positions_put_text(p, STR("cursor-x"), STR("c"));
    CHECK_OK(positions_commit(p, &info));
    positions_close(p);
    CHECK_OK(positions_open(&o, &p, &info));
    size_t n;
    const struct position *list = positions_list(p, &n);
    CHECK_EQ(n, 2);
    CHECK_STR(list[0].path, "/l/a b.log");
    CHECK(list[0].plain && !list[1].plain);
    CHECK(list[0].ino == UINT64_MAX && list[0].offset == 42 && list[0].mark_hash == 6);
    CHECK_EQ(list[1].offset, 4711);
    CHECK_STR(positions_text(p, STR("/l/a b.log")), "42");
    CHECK_STR(positions_text(p, STR("cursor-x")), "c");
    positions_close(p);
}

TEST(two_jobs_on_one_path_leave_promtail_the_lower_number)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "two.yaml")};
    struct positions *p = NULL;
    struct position a = {.job = STR("a"), .path = STR("/l"), .offset = 10}, b = a;
    b.job = STR("b");
    b.offset = 5;
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_begin(p);
    positions_put_file(p, &a, true);
    positions_put_file(p, &b, true);
    CHECK_OK(positions_commit(p, NULL));
    positions_close(p);
    CHECK_OK(positions_open(&o, &p, NULL));
    CHECK_STR(positions_text(p, STR("/l")), "5");
    positions_close(p);
}

TEST(positions_of_paths_that_are_away_are_kept_for_a_while)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "away.yaml")};
    struct positions *p = NULL;
    CHECK_OK(file_store(path, STR("positions:\n  /mnt/away/x.log: \"99\"\n"), NULL));
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_begin(p);
    positions_put_text(p, STR("/other"), STR("1"));
    CHECK_OK(positions_commit(p, NULL));
    positions_close(p);
    CHECK_OK(positions_open(&o, &p, NULL));
    CHECK_STR(positions_text(p, STR("/mnt/away/x.log")), "99");
    positions_close(p);
}

TEST(a_damaged_file_gives_way_to_its_predecessor)
{
    char path[512], backup[520];
    struct positions_options o = {.path = path_of(path, "damaged.yaml")};
    struct positions *p = NULL;
    (void)snprintf(backup, sizeof(backup), "%s.bak", path);
    CHECK_OK(file_store(backup, STR("positions:\n  /l: \"7\"\n"), NULL));
    CHECK_OK(file_store(path, str_of("\0\0\0\0", 4), NULL));
    CHECK_OK(positions_open(&o, &p, NULL));
    CHECK_STR(positions_text(p, STR("/l")), "7");
    positions_close(p);
}

/* Nothing says of a cursor which of its bits are right. */
TEST(a_damaged_cursor_gives_way_to_the_one_before)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "cursor.yaml")};
    struct positions *p = NULL;
    struct buf content AUTO_BUF = {.size_bytes_max = 1 << 16};
    CHECK_OK(positions_open(&o, &p, NULL));
    for (int round = 1; round <= 2; round++) {
        positions_begin(p);
        positions_put_text(p, STR("cursor-j"), round == 1 ? STR("s=1;i=21") : STR("s=1;i=22"));
        CHECK_OK(positions_commit(p, NULL));
    }
    positions_close(p);
    CHECK_OK(file_load(path, &content, NULL));
    size_t at = str_find(buf_view(&content), STR("i=22"), 0);
    CHECK(at != STR_NPOS);
    content.p[at + 2] ^= 8;
    CHECK_OK(file_store(path, buf_view(&content), NULL));
    CHECK_OK(positions_open(&o, &p, NULL));
    CHECK_STR(positions_text(p, STR("cursor-j")), "s=1;i=21");
    positions_close(p);
}

/* Somebody stopped the agent and wants a file from its start: the number alone is changed. */
TEST(a_number_set_to_zero_by_hand_counts)
{
    char path[512];
    struct positions_options o = {.path = path_of(path, "zero.yaml")};
    struct positions *p = NULL;
    struct buf content AUTO_BUF = {.size_bytes_max = 1 << 16};
    struct position at = {.job = STR("a"), .path = STR("/l"), .offset = 9, .mark_len = 9, .mark_hash = 5};
    CHECK_OK(positions_open(&o, &p, NULL));
    positions_begin(p);
    positions_put_file(p, &at, true);
    CHECK_OK(positions_commit(p, NULL));
    positions_close(p);
    CHECK_OK(file_load(path, &content, NULL));
    size_t digit = str_find(buf_view(&content), STR("\"9\""), 0);
    CHECK(digit != STR_NPOS);
    content.p[digit + 1] = '0';
    CHECK_OK(file_store(path, buf_view(&content), NULL));
    CHECK_OK(positions_open(&o, &p, NULL));
    size_t n;
    const struct position *list = positions_list(p, &n);
    CHECK(n >= 1 && list[n - 1].offset == 0 && list[n - 1].mark_len == 0); /* the last that fits is taken */
    positions_close(p);
}
