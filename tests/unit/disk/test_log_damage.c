/* A damaged write-ahead log: what is hit is passed over, counted and told; all else is read. */
#include <stdio.h>

#include "base/rng.h"
#include "disk/file.h"
#include "disk/ingest_log.h"
#include "harness.h"

enum {
    RECORDS = 12,
    HEADER_BYTES = 32
};

struct found {
    uint64_t n;
    bool wrong;
};

static void record_text(uint64_t offset, char out[64])
{
    (void)snprintf(out, 64, "record %llu of some length", (unsigned long long)offset);
}

static enum err look(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct found *f = ctx;
    char want[64];
    record_text(offset, want);
    f->wrong |= partition != 5 || !str_eq_c(record, want);
    f->n++;
    return ERR_OK;
}

static enum err append(struct ingest_log *l)
{
    char text[64];
    uint64_t offset;
    record_text(ingest_log_end(l), text);
    struct str part = str_c(text);
    return ingest_log_append(l, 5, &part, 1, &offset, NULL);
}

/* A log of RECORDS records in DIR/NAME; its one segment's bytes. */
static enum err log_write(const char *name, char dir[512], char path[600], struct buf *ret_whole)
{
    struct ingest_log *l = NULL;
    (void)snprintf(dir, 512, "%s/%s", test_dir(), name);
    struct ingest_log_options o = {.dir = dir, .durability = DURABILITY_OS};
    enum err e = ingest_log_open(&o, &l, NULL);
    for (unsigned i = 0; !e && i < RECORDS; i++) {
        e = append(l);
    }
    ingest_log_close(l);
    (void)snprintf(path, 600, "%s/%016x.log", dir, 0);
    return e ? e : file_load(path, ret_whole, NULL);
}

/* Reads the log whose only segment has this content; the next append must come back too. */
static bool read_back(const char *dir, const char *path, struct str content, uint64_t want,
                      struct ingest_log_damage *ret_damage)
{
    struct found f = {0};
    uint64_t bad = 0;
    struct ingest_log *l = NULL;
    struct ingest_log_options o = {.dir = dir, .durability = DURABILITY_OS};
    bool ok = dir_remove(dir, NULL) == ERR_OK && dir_make(dir, NULL) == ERR_OK &&
              file_store(path, content, NULL) == ERR_OK && ingest_log_open(&o, &l, NULL) == ERR_OK &&
              ingest_log_replay(l, 0, look, &f, &bad, NULL) == ERR_OK && append(l) == ERR_OK;
    if (l) {
        ingest_log_damage(l, ret_damage);
    }
    ok = ok && bad == ret_damage->segments && f.n == want && !f.wrong;
    ingest_log_close(l);
    l = NULL;
    f = (struct found){0};
    ok = ok && ingest_log_open(&o, &l, NULL) == ERR_OK &&
         ingest_log_replay(l, 0, look, &f, NULL, NULL) == ERR_OK && f.n == want + 1;
    ingest_log_close(l);
    return ok;
}

TEST(one_flipped_bit_costs_its_record_and_is_told)
{
    char dir[512], path[600];
    struct buf whole AUTO_BUF = {0};
    CHECK_OK(log_write("bit", dir, path, &whole));
    size_t each = (whole.n - HEADER_BYTES) / RECORDS;
    for (size_t at = 0; at < whole.n; at++) {
        struct ingest_log_damage d = {0};
        /* what is there of the header beyond its checksum says nothing */
        bool header = at < HEADER_BYTES, nothing = header && at >= HEADER_BYTES - 4;
        whole.p[at] = (char)(whole.p[at] ^ 1 << at % 8);
        CHECK(read_back(dir, path, buf_view(&whole), header ? RECORDS : RECORDS - 1, &d));
        CHECK_EQ(d.segments, nothing ? 0 : 1);
        CHECK(header ? d.bytes == 0 : d.bytes >= each - 2 && d.bytes <= each + 2);
        whole.p[at] = (char)(whole.p[at] ^ 1 << at % 8);
    }
}

TEST(what_follows_a_run_of_damage_is_read)
{
    char dir[512], path[600];
    struct buf whole AUTO_BUF = {0};
    struct rng rng;
    CHECK_OK(log_write("run", dir, path, &whole));
    rng_init(&rng, 7);
    size_t each = (whole.n - HEADER_BYTES) / RECORDS;
    for (size_t at = HEADER_BYTES + each + 3; at < HEADER_BYTES + 4 * each + 3; at++) {
        whole.p[at] = (char)rng_below(&rng, 256);
    }
    struct ingest_log_damage d = {0};
    CHECK(read_back(dir, path, buf_view(&whole), RECORDS - 4, &d));
    CHECK_EQ(d.segments, 1);
    CHECK(d.bytes >= 3 * each && d.bytes <= 5 * each);
}

TEST(a_tail_of_garbage_is_counted_and_one_of_zeros_is_none)
{
    char dir[512], path[600];
    struct buf whole AUTO_BUF = {0};
    struct rng rng;
    struct ingest_log_damage d = {0};
    CHECK_OK(log_write("tail", dir, path, &whole));
    size_t n = whole.n;
    for (size_t i = 0; i < 4096; i++) {
        buf_char(&whole, '\0');
    }
    CHECK(read_back(dir, path, buf_view(&whole), RECORDS, &d));
    CHECK_EQ(d.segments, 0);
    rng_init(&rng, 9);
    for (size_t i = 0; i < 4096; i++) {
        whole.p[n + i] = (char)rng_below(&rng, 256);
    }
    CHECK(read_back(dir, path, buf_view(&whole), RECORDS, &d));
    CHECK_EQ(d.segments, 1);
    CHECK_EQ(d.bytes, 4096);
}

/* New records must not look flushed already, however little is left of the log. */
TEST(offsets_go_on_where_they_are_told_to)
{
    char dir[512];
    struct ingest_log *l = NULL;
    (void)snprintf(dir, sizeof(dir), "%s/first", test_dir());
    struct ingest_log_options o = {.dir = dir, .durability = DURABILITY_OS, .first_offset = 1000};
    CHECK_OK(ingest_log_open(&o, &l, NULL));
    CHECK_EQ(ingest_log_end(l), 1000);
    CHECK_OK(append(l));
    ingest_log_close(l);
    o.first_offset = 7;
    CHECK_OK(ingest_log_open(&o, &l, NULL));
    CHECK_EQ(ingest_log_end(l), 1001);
    ingest_log_close(l);
}
