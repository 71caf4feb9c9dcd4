/* The write-ahead log: what was acknowledged comes back, in order, whatever happened to the file's end. */
#include <stdio.h>

#include "base/thread.h"
#include "codec/crc32c.h"
#include "disk/file.h"
#include "disk/ingest_log.h"
#include "harness.h"

struct seen {
    size_t n;
    uint64_t last_offset;
    uint64_t sum;
    bool ordered, whole; /* whole: every segment counts as replayed */
};

static enum err count(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct seen *s = ctx;
    s->ordered &= s->n == 0 || offset > s->last_offset;
    s->last_offset = offset;
    s->n++;
    s->sum += partition + record.n;
    return ERR_OK;
}

static struct ingest_log *open_log(const char *dir, enum durability d, uint64_t segment_bytes)
{
    struct ingest_log *l;
    struct ingest_log_options o = {.dir = dir, .durability = d, .segment_bytes = segment_bytes};
    return ingest_log_open(&o, &l, NULL) == ERR_OK ? l : NULL;
}

static struct seen replay(const char *dir, uint64_t *bad)
{
    struct seen s = {.ordered = true};
    struct ingest_log *l = open_log(dir, DURABILITY_OS, 0);
    if (l) {
        size_t before, done, all;
        ingest_log_progress(l, &before, &all);
        enum err e = ingest_log_replay(l, 0, count, &s, bad, NULL);
        ingest_log_progress(l, &done, &all);
        s.whole = !e && before == 0 && all > 0 && done == all;
        ingest_log_close(l);
    }
    return s;
}

TEST(crc32c_known_answer)
{
    CHECK_EQ(crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_EQ(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

TEST(records_come_back_in_every_mode)
{
    static const char *const names[] = {"async", "os", "interval", "sync"};
    for (size_t m = 0; m < ARRAY_LEN(names); m++) {
        enum durability d;
        char dir[512];
        CHECK_OK(durability_parse(str_c(names[m]), &d));
        snprintf(dir, sizeof(dir), "%s/%s", test_dir(), names[m]);
        struct ingest_log *l = open_log(dir, d, 4096);
        CHECK(l != NULL);
        uint64_t want = 0, offset;
        for (unsigned i = 0; i < 500; i++) {
            struct str parts[] = {STR("hello "), str_of("0123456789", i % 11)};
            CHECK_OK(ingest_log_append(l, i % 7, parts, 2, &offset, NULL));
            want += i % 7 + 6 + i % 11;
        }
        ingest_log_close(l);
        uint64_t bad = 9;
        struct seen s = replay(dir, &bad);
        CHECK_EQ(s.n, 500);
        CHECK_EQ(s.sum, want);
        CHECK(s.ordered);
        CHECK(s.whole);
        CHECK_EQ(bad, 0);
    }
}

TEST(a_tail_cut_anywhere_loses_only_what_was_cut)
{
    char dir[512], path[600];
    snprintf(dir, sizeof(dir), "%s/cut", test_dir());
    struct ingest_log *l = open_log(dir, DURABILITY_OS, 0);
    uint64_t offset;
    struct str record = STR("a record of some length");
    for (int i = 0; i < 10; i++) {
        CHECK_OK(ingest_log_append(l, 1, &record, 1, &offset, NULL));
    }
    ingest_log_close(l);
    snprintf(path, sizeof(path), "%s/%016x.log", dir, 0);
    struct buf whole AUTO_BUF = {0};
    CHECK_OK(file_load(path, &whole, NULL));
    size_t each = (whole.n - 32) / 10;
    for (size_t keep = whole.n - each; keep < whole.n; keep++) {
        char copy[512], copy_path[600];
        snprintf(copy, sizeof(copy), "%s/cut-%zu", test_dir(), keep);
        snprintf(copy_path, sizeof(copy_path), "%s/%016x.log", copy, 0);
        CHECK_OK(dir_make(copy, NULL));
        CHECK_OK(file_store(copy_path, str_of(whole.p, keep), NULL));
        CHECK_EQ(replay(copy, NULL).n, 9);
        /* and what is appended afterwards is kept */
        l = open_log(copy, DURABILITY_OS, 0);
        CHECK_OK(ingest_log_append(l, 1, &record, 1, &offset, NULL));
        ingest_log_close(l);
        CHECK_EQ(replay(copy, NULL).n, 10);
    }
}

struct writer {
    struct ingest_log *log;
    struct thread thread;
    enum err e;
};

static void write_many(void *ctx)
{
    struct writer *w = ctx;
    for (int i = 0; i < 300 && !w->e; i++) {
        uint64_t offset;
        struct str record = STR("x");
        w->e = ingest_log_append(w->log, 0, &record, 1, &offset, NULL);
    }
}

TEST(many_threads_share_the_log)
{
    char dir[512];
    struct writer w[8] = {0};
    snprintf(dir, sizeof(dir), "%s/threads", test_dir());
    struct ingest_log *l = open_log(dir, DURABILITY_SYNC, 2048);
    CHECK(l != NULL);
    for (size_t i = 0; i < ARRAY_LEN(w); i++) {
        w[i].log = l;
        CHECK_OK(thread_start(&w[i].thread, "writer", write_many, &w[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(w); i++) {
        thread_join(&w[i].thread);
        CHECK_OK(w[i].e);
    }
    ingest_log_close(l);
    CHECK_EQ(replay(dir, NULL).n, 2400);
}

TEST(trimmed_segments_go_and_are_reused_without_ghosts)
{
    char dir[512];
    uint64_t offset = 0;
    struct str record = STR("0123456789012345678901234567890123456789");
    snprintf(dir, sizeof(dir), "%s/trim", test_dir());
    struct ingest_log *l = open_log(dir, DURABILITY_OS, 1024);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) {
            CHECK_OK(ingest_log_append(l, 0, &record, 1, &offset, NULL));
        }
        CHECK_OK(ingest_log_trim(l, offset, NULL));
    }
    CHECK(ingest_log_bytes(l) < 8192);
    ingest_log_close(l);
    struct seen s = replay(dir, NULL);
    CHECK(s.n < 60);
    CHECK_EQ(s.last_offset, offset);
    CHECK(s.ordered);
}

/* Appends until the first refusal, then counts what a reopened log has. */
static bool survives(uint64_t nth)
{
    char dir[512];
    uint64_t offset;
    size_t acknowledged = 0;
    struct str record = STR("0123456789");
    struct ingest_log *l = NULL;
    snprintf(dir, sizeof(dir), "%s/fail-%d", test_dir(), (int)nth);
    struct ingest_log_options o = {.dir = dir, .durability = DURABILITY_SYNC, .segment_bytes = 256};
    fault_arm(FAULT_DISK, nth, false);
    enum err e = ingest_log_open(&o, &l, NULL);
    for (int i = 0; i < 20 && !e; i++) {
        e = ingest_log_append(l, 0, &record, 1, &offset, NULL);
        acknowledged += !e;
    }
    fault_arm(FAULT_DISK, 0, false);
    ingest_log_close(l);
    return replay(dir, NULL).n >= acknowledged;
}

TEST(every_disk_failure_leaves_acknowledged_records)
{
    for (uint64_t nth = 1; nth < 80; nth++) {
        CHECK(survives(nth));
    }
}
