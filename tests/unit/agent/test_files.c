/* Following files: what arrives, what is remembered. The rotation matrix. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/inputs/file_input.h"
#include "base/buf.h"
#include "base/thread.h"
#include "codec/compress.h"
#include "disk/file.h"
#include "harness.h"
#include "world.h"

TEST(lines_arrive_whole_and_unfinished_ones_wait)
{
    struct world w;
    world_init(&w, "whole", "*.log");
    world_append(&w, "a.log", STR("one\n\ntwo\r\nthr"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 3));
    world_append(&w, "a.log", STR("ee\nfour\n"));
    CHECK(world_wait(&w, 5));
    CHECK_STR(buf_view(&w.lines), "one\n\ntwo\r\nthree\nfour\n");
    world_done(&w);
}

TEST(a_renamed_file_is_read_to_its_end_even_without_a_newline)
{
    struct world w;
    world_init(&w, "rename", "*.log");
    world_append(&w, "a.log", STR("1\n"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 1));
    world_move(&w, "a.log", "a.log.1");
    world_append(&w, "a.log.1", STR("2\nlast"));
    CHECK(world_wait(&w, 3));
    world_append(&w, "a.log", STR("4\n"));
    CHECK(world_wait(&w, 4));
    CHECK_STR(buf_view(&w.lines), "1\n2\nlast\n4\n");
    world_done(&w);
}

TEST(a_renamed_file_that_still_matches_is_not_read_twice)
{
    struct world w;
    world_init(&w, "twice", "a.log*");
    world_append(&w, "a.log", STR("1\n2\n"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 2));
    world_move(&w, "a.log", "a.log.1");
    world_append(&w, "a.log", STR("3\n"));
    CHECK(world_wait(&w, 3));
    world_append(&w, "a.log.1", STR("late\n"));
    world_append(&w, "a.log", STR("4\n"));
    CHECK(world_wait(&w, 5));
    world_done(&w);
}

TEST(a_file_cut_and_grown_again_is_noticed_by_its_content)
{
    struct world w;
    char path[512];
    world_init(&w, "cut", "*.log");
    world_append(&w, "a.log", STR("old 1\nold 2\n"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 2));
    (void)snprintf(path, sizeof(path), "%s/a.log", w.dir);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK(fd >= 0);
    static const char text[] = "new 1 is longer than all the old ones\nnew 2\n";
    CHECK(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    (void)close(fd);
    CHECK(world_wait(&w, 4));
    CHECK_STR(buf_view(&w.lines), "old 1\nold 2\nnew 1 is longer than all the old ones\nnew 2\n");
    world_done(&w);
}

TEST(positions_move_only_past_what_is_settled)
{
    struct world w;
    char key[512];
    world_init(&w, "settled", "*.log");
    w.hold = true;
    world_append(&w, "a.log", STR("1\n2\n"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 2));
    CHECK(world_save(&w));
    world_stop(&w); /* the held chunk fails */
    w.hold = false;
    CHECK(world_start(&w));
    (void)snprintf(key, sizeof(key), "%s/a.log", w.dir);
    CHECK_STR(positions_text(w.positions, str_c(key)), "0");
    CHECK(world_wait(&w, 4)); /* delivered again */
    file_input_stop(w.in);
    CHECK(world_save(&w));
    world_stop(&w);
    world_append(&w, "a.log", STR("3\n"));
    CHECK(world_start(&w));
    CHECK_STR(positions_text(w.positions, str_c(key)), "4");
    CHECK(world_wait(&w, 5));
    CHECK_STR(buf_view(&w.lines), "1\n2\n1\n2\n3\n");
    world_done(&w);
}

TEST(files_rotated_while_nobody_looked_are_found_again)
{
    struct world w;
    world_init(&w, "down", "*.log");
    world_append(&w, "a.log", STR("1\n"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 1));
    file_input_stop(w.in);
    CHECK(world_save(&w));
    world_stop(&w);
    world_append(&w, "a.log", STR("2\n"));
    world_move(&w, "a.log", "a.log.1");
    world_append(&w, "a.log", STR("3\n"));
    world_move(&w, "a.log.1", "a.log.2");
    world_move(&w, "a.log", "a.log.1");
    world_append(&w, "a.log", STR("4\n"));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 4));
    CHECK(str_find(buf_view(&w.lines), STR("2\n"), 0) != STR_NPOS);
    CHECK(str_find(buf_view(&w.lines), STR("3\n"), 0) != STR_NPOS);
    CHECK(str_find(buf_view(&w.lines), STR("4\n"), 0) != STR_NPOS);
    world_done(&w);
}

TEST(promtails_number_is_honoured_and_one_past_the_end_means_from_the_start)
{
    struct world w;
    char text[700];
    world_init(&w, "promtail", "*.log");
    world_append(&w, "a.log", STR("1\n2\n"));
    world_append(&w, "b.log", STR("3\n"));
    (void)snprintf(text, sizeof(text), "positions:\n  %s/a.log: \"2\"\n  %s/b.log: \"999\"\n", w.dir, w.dir);
    CHECK_OK(file_store(w.positions_path, str_c(text), NULL));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 2));
    CHECK(str_find(buf_view(&w.lines), STR("1\n"), 0) == STR_NPOS);
    world_done(&w);
}

TEST(excluded_files_and_second_names_are_left_alone)
{
    struct world w;
    char from[512], to[512];
    world_init(&w, "exclude", "*.log");
    (void)snprintf(w.exclude, sizeof(w.exclude), "%s/b*", w.dir);
    w.targets[0].exclude = str_c(w.exclude);
    world_append(&w, "a.log", STR("1\n"));
    world_append(&w, "b.log", STR("no\n"));
    (void)snprintf(from, sizeof(from), "%s/a.log", w.dir);
    (void)snprintf(to, sizeof(to), "%s/link.log", w.dir);
    CHECK_EQ(symlink(from, to), 0);
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 1));
    world_append(&w, "a.log", STR("2\n"));
    CHECK(world_wait(&w, 2));
    CHECK_STR(buf_view(&w.lines), "1\n2\n");
    world_done(&w);
}

TEST(new_files_in_new_folders_are_found)
{
    struct world w;
    char path[512];
    world_init(&w, "folders", "**/*.log");
    CHECK(world_start(&w));
    world_append(&w, "a.log", STR("1\n"));
    CHECK(world_wait(&w, 1));
    (void)snprintf(path, sizeof(path), "%s/x/y", w.dir);
    CHECK_OK(dir_make(path, NULL));
    world_append(&w, "x/y/b.log", STR("2\n"));
    CHECK(world_wait(&w, 2));
    world_done(&w);
}

TEST(utf_16_is_decoded_before_lines_are_split)
{
    struct world w;
    world_init(&w, "utf16", "*.log");
    w.job.encoding = STR("utf-16");
    world_append(&w, "a.log", (struct str){"\xfe\xff\0a\0\n\0\xe4\x0a\x0a\0\n\0c", 14});
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 2));
    CHECK_STR(buf_view(&w.lines), "a\n\xc3\xa4\xe0\xa8\x8a\n");
    world_done(&w);
}

TEST(a_line_beyond_the_limit_comes_in_pieces)
{
    struct world w;
    struct buf text AUTO_BUF = {0};
    world_init(&w, "long", "*.log");
    for (size_t i = 0; i < AGENT_LINE_BYTES_MAX / 4 + 10; i++) {
        buf_c(&text, "wxyz");
    }
    buf_char(&text, '\n');
    world_append(&w, "a.log", buf_view(&text));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 2));
    CHECK_EQ(w.lines.n, text.n + 1);
    world_done(&w);
}

TEST(a_compressed_file_that_is_still_being_written_is_read_to_its_end)
{
    struct world w;
    struct buf packed AUTO_BUF = {0};
    world_init(&w, "writing", "*.gz");
    w.job.packing = FILE_GZIP;
    CHECK_OK(compress_bytes(COMPRESS_GZIP, 0, STR("1\n2\nlast"), &packed));
    world_append(&w, "a.gz", STR(""));
    CHECK(world_start(&w));
    for (size_t i = 0; i < packed.n; i++) { /* the input looks wherever it happens to */
        world_append(&w, "a.gz", str_of(packed.p + i, 1));
    }
    CHECK(world_wait(&w, 3));
    world_done(&w);
}

TEST(compressed_files_are_read_once_and_counted_in_lines)
{
    struct world w;
    struct buf packed AUTO_BUF = {0};
    char key[512];
    world_init(&w, "packed", "*.gz");
    w.job.packing = FILE_GZIP;
    CHECK_OK(compress_bytes(COMPRESS_GZIP, 0, STR("1\n2\nlast"), &packed));
    world_append(&w, "a.gz", buf_view(&packed));
    CHECK(world_start(&w));
    CHECK(world_wait(&w, 3));
    file_input_stop(w.in);
    CHECK(world_save(&w));
    world_stop(&w);
    CHECK(world_start(&w));
    (void)snprintf(key, sizeof(key), "%s/a.gz", w.dir);
    CHECK_STR(positions_text(w.positions, str_c(key)), "3");
    world_append(&w, "b.gz", buf_view(&packed));
    CHECK(world_wait(&w, 6)); /* only those of b.gz */
    world_done(&w);
}
