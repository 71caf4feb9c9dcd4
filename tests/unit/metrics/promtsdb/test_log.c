/* The log and the head chunks that a Prometheus left behind. */
#include <stdio.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "disk/file.h"
#include "fixture.h"
#include "harness.h"
#include "metrics/promtsdb/prom_chunk_read.h"
#include "metrics/promtsdb/prom_format.h"
#include "metrics/promtsdb/prom_head_chunks.h"
#include "metrics/promtsdb/prom_log.h"

enum {
    REFS_MAX = 64
};

struct log_seen {
    bool st;
    char names[REFS_MAX][24];
    size_t series, samples, wrong, exemplars;
};

static enum err see_series(void *ctx, uint64_t ref, struct labels ls)
{
    struct log_seen *s = ctx;
    s->series++;
    if (ref < REFS_MAX) {
        (void)snprintf(s->names[ref], sizeof(s->names[ref]), "%.*s",
                       STR_FMT(labels_get(ls, LABEL_METRIC_NAME)));
    }
    return ERR_OK;
}

static enum err see_sample(void *ctx, const struct prom_log_sample *in)
{
    struct log_seen *s = ctx;
    struct str name = str_c(in->ref < REFS_MAX ? s->names[in->ref] : "");
    if (s->st && !fixture_series_st(name)) {
        return ERR_OK;
    }
    int tick = s->st ? fixture_tick_st(in->value, in->h) : fixture_tick(in->ts);
    bool time = s->st ? in->start == fixture_start(tick) : fixture_ts(tick) == in->ts;
    s->samples++;
    s->wrong += !time || !fixture_sample_is(name, tick, in->value, in->h);
    return ERR_OK;
}

static enum err see_exemplar(void *ctx, uint64_t ref, struct labels ls, double value, ts_ms ts)
{
    struct log_seen *s = ctx;
    int tick = fixture_tick(ts);
    char id[16];
    (void)ref;
    (void)snprintf(id, sizeof(id), "t%d", tick);
    s->exemplars++;
    s->wrong += value != fixture_float(0, tick) || !str_eq(labels_get(ls, STR("trace_id")), str_c(id));
    return ERR_OK;
}

static struct prom_log_visitor visitor(struct log_seen *s)
{
    return (struct prom_log_visitor){
        .series = see_series, .sample = see_sample, .exemplar = see_exemplar, .ctx = s};
}

TEST(every_record_of_a_log)
{
    struct log_seen s = {0};
    struct prom_log_visitor v = visitor(&s);
    struct prom_log_report report = {0};
    struct err_info info = {0};
    CHECK_OK(prom_log_read(TEST_DATA "/data/wal", &v, &report, &info));
    CHECK_EQ(s.series, FIXTURE_SERIES);
    CHECK_EQ(s.samples, FIXTURE_SERIES * FIXTURE_TICKS);
    CHECK_EQ(s.exemplars, 3);
    CHECK_EQ(s.wrong, 0);
    CHECK_EQ(report.bad, 0);
    CHECK(!report.torn);
}

TEST(records_with_start_timestamps)
{
    struct log_seen s = {.st = true};
    struct prom_log_visitor v = visitor(&s);
    struct prom_log_report report = {0};
    struct err_info info = {0};
    CHECK_OK(prom_log_read(TEST_DATA "/data_st/wal", &v, &report, &info));
    CHECK(s.samples >= (size_t)FIXTURE_SERIES_ST * FIXTURE_TICKS_ST);
    CHECK_EQ(s.wrong, 0);
    CHECK_EQ(report.bad, 0);
}

TEST(an_absent_log_is_empty)
{
    struct log_seen s = {0};
    struct prom_log_visitor v = visitor(&s);
    struct prom_log_report report = {0};
    CHECK_OK(prom_log_read(TEST_DATA "/absent", &v, &report, NULL));
    CHECK_EQ(report.segments, 0);
}

TEST(a_log_cut_off_anywhere_gives_what_came_before)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    size_t before = 0;
    CHECK_OK(file_load(TEST_DATA "/data_st/wal/00000000", &b, &info));
    for (size_t n = 0; n <= b.n; n++) {
        struct log_seen s = {.st = true};
        struct prom_log_visitor v = visitor(&s);
        struct prom_log_report report = {0};
        CHECK_OK(prom_segment_read(str_of(b.p, n), true, "segment", &v, &report));
        CHECK_EQ(s.wrong, 0);
        CHECK_EQ(report.bad, 0);
        CHECK(s.samples >= before);
        before = s.samples;
        memset(&report, 0, sizeof(report));
        CHECK_OK(prom_segment_read(str_of(b.p, n), false, "segment", &v, &report));
        CHECK(!report.torn); /* a segment that others follow is whole or damaged */
    }
    CHECK(before >= (size_t)FIXTURE_SERIES_ST * FIXTURE_TICKS_ST);
}

TEST(a_changed_byte_of_a_log_is_seen)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    CHECK_OK(file_load(TEST_DATA "/data_st/wal/00000000", &b, &info));
    for (size_t i = 0; i < b.n; i++) {
        struct log_seen s = {.st = true};
        struct prom_log_visitor v = visitor(&s);
        struct prom_log_report report = {0};
        b.p[i] = (char)(b.p[i] ^ 0x02);
        CHECK_OK(prom_segment_read(buf_view(&b), false, "segment", &v, &report));
        b.p[i] = (char)(b.p[i] ^ 0x02);
        CHECK_EQ(report.bad, 1);
        CHECK_EQ(s.wrong, 0);
    }
}

struct chunks_seen {
    size_t chunks, samples, wrong;
};

static enum err see_chunk(void *ctx, const struct prom_head_chunk *c)
{
    struct chunks_seen *s = ctx;
    struct arena a AUTO_ARENA;
    struct prom_samples p;
    arena_init(&a, 0, NULL);
    enum err e = prom_chunk_decode(c->encoding, c->data, &a, &p);
    s->chunks++;
    s->samples += e == ERR_OK ? p.n : 0;
    s->wrong += e != ERR_OK || p.n == 0 || p.ts[0] != c->min_ts || p.ts[p.n - 1] != c->max_ts;
    return ERR_OK;
}

TEST(head_chunks_whole_and_damaged)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    struct chunks_seen all = {0};
    struct prom_head_report report = {0};
    CHECK_OK(prom_head_chunks_read(TEST_DATA "/data/chunks_head", see_chunk, &all, &report, &info));
    CHECK(all.chunks > 10 && all.samples > 500);
    CHECK_EQ(all.wrong + report.bad, 0);
    CHECK_OK(file_load(TEST_DATA "/data/chunks_head/000001", &b, &info));
    for (size_t i = 0; i < b.n; i++) {
        struct chunks_seen s = {0};
        memset(&report, 0, sizeof(report));
        b.p[i] = (char)(b.p[i] ^ 0x08);
        CHECK_OK(prom_head_file_read(buf_view(&b), false, "file", see_chunk, &s, &report));
        b.p[i] = (char)(b.p[i] ^ 0x08);
        CHECK(s.wrong == 0 && s.chunks <= all.chunks);
        CHECK_EQ(report.bad, i >= 5 && i < 8 ? 0 : 1); /* three bytes of the header say nothing */
        memset(&report, 0, sizeof(report));
        CHECK_OK(prom_head_file_read(str_of(b.p, i), true, "file", see_chunk, &s, &report));
        CHECK_EQ(report.bad, i > 0 && i < 8 ? 1 : 0); /* where a crash cut the last file is no damage */
    }
}

static enum err read_all(void *ctx)
{
    struct log_seen s = {0};
    struct prom_log_visitor v = visitor(&s);
    struct prom_log_report report = {0};
    (void)ctx;
    return prom_log_read(TEST_DATA "/data_st/wal", &v, &report, NULL);
}

TEST(no_memory_to_read_a_log)
{
    test_fail_each(FAULT_ALLOC, read_all, NULL);
}

/* The length of the second fragment is wrong: it would reach into the next page. */
TEST(a_fragment_that_leaves_its_page_is_damage_and_no_torn_end)
{
    static char data[2 * PROM_WAL_PAGE_BYTES];
    struct log_seen seen = {0};
    struct prom_log_visitor v = visitor(&seen);
    struct prom_log_report report = {0};
    const size_t first = PROM_WAL_PAGE_BYTES - 2 * PROM_WAL_HEADER_BYTES - 10;
    memset(data, 0, sizeof(data));
    for (size_t at = 0, n = first; at < PROM_WAL_PAGE_BYTES; at += PROM_WAL_HEADER_BYTES + n, n = 2000) {
        size_t length = at ? 2000 : first;
        data[at] = PROM_WAL_FULL;
        data[at + 1] = (char)(length >> 8);
        data[at + 2] = (char)length;
        data[at + PROM_WAL_HEADER_BYTES] = 100; /* a kind of record that later versions may have */
        uint32_t crc = crc32c(0, data + at + PROM_WAL_HEADER_BYTES, length);
        for (unsigned i = 0; i < 4; i++) {
            data[at + 3 + i] = (char)(crc >> (24 - 8 * i));
        }
    }
    CHECK_OK(prom_segment_read(str_of(data, PROM_WAL_PAGE_BYTES), true, "log", &v, &report));
    CHECK_EQ(report.records, 1);
    CHECK_EQ(report.bad, 1);
    CHECK(!report.torn);
}
