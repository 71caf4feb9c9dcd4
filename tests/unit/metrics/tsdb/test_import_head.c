/* Logs and mapped chunks of a Prometheus, written here byte by byte: what becomes of a head is what
 * Prometheus has in it. */
#include <stdio.h>

#include "codec/crc32c.h"
#include "codec/prom_chunk.h"
#include "codec/varint.h"
#include "disk/file.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_format.h"
#include "metrics/tsdb/import.h"

static void put_be(struct buf *b, uint64_t v, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--) {
        buf_char(b, (char)(v >> (i - 1) * 8));
    }
}

static void put_f64(struct buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_be(b, bits, 8);
}

/* A record of one fragment into the segment. */
static void put_record(struct buf *segment, const struct buf *record)
{
    buf_char(segment, PROM_WAL_FULL);
    put_be(segment, record->n, 2);
    put_be(segment, crc32c(0, record->p, record->n), 4);
    buf_str(segment, buf_view(record));
}

static void put_series(struct buf *segment, uint64_t ref, struct str name)
{
    struct buf b AUTO_BUF = {0};
    buf_char(&b, PROM_REC_SERIES);
    put_be(&b, ref, 8);
    write_varint(&b, 1);
    write_str(&b, STR("__name__"));
    write_str(&b, name);
    put_record(segment, &b);
}

static void put_floats(struct buf *segment, uint64_t ref, const ts_ms *ts, const double *values, size_t n)
{
    struct buf b AUTO_BUF = {0};
    buf_char(&b, PROM_REC_SAMPLES);
    put_be(&b, ref, 8);
    put_be(&b, 0, 8);
    for (size_t i = 0; i < n; i++) {
        write_zigzag(&b, 0);
        write_zigzag(&b, ts[i]);
        put_f64(&b, values[i]);
    }
    put_record(segment, &b);
}

static void put_stone(struct buf *segment, uint64_t ref, ts_ms min_ts, ts_ms max_ts)
{
    struct buf b AUTO_BUF = {0};
    buf_char(&b, PROM_REC_TOMBSTONES);
    put_be(&b, ref, 8);
    write_zigzag(&b, min_ts);
    write_zigzag(&b, max_ts);
    put_record(segment, &b);
}

/* A histogram of one bucket. */
static void put_histogram(struct buf *segment, uint64_t ref, ts_ms ts, uint64_t count)
{
    struct buf b AUTO_BUF = {0};
    buf_char(&b, PROM_REC_HISTOGRAMS);
    put_be(&b, ref, 8);
    put_be(&b, (uint64_t)ts, 8);
    write_zigzag(&b, 0);
    write_zigzag(&b, 0);
    buf_char(&b, 0);
    write_zigzag(&b, 0); /* schema */
    put_f64(&b, 0.001);
    write_varint(&b, 0);
    write_varint(&b, count);
    put_f64(&b, 1.5);
    write_varint(&b, 1); /* one span of one bucket, none negative */
    write_zigzag(&b, 0);
    write_varint(&b, 1);
    write_varint(&b, 0);
    write_varint(&b, 1);
    write_zigzag(&b, (int64_t)count);
    write_varint(&b, 0);
    put_record(segment, &b);
}

static void put_chunk(struct buf *file, uint64_t ref, const ts_ms *ts, const double *values, size_t n)
{
    struct buf data AUTO_BUF = {0};
    size_t from = file->n;
    prom_chunk_xor(&data, ts, values, n);
    put_be(file, ref, 8);
    put_be(file, (uint64_t)ts[0], 8);
    put_be(file, (uint64_t)ts[n - 1], 8);
    buf_char(file, PROM_ENC_XOR);
    write_str(file, buf_view(&data));
    put_be(file, crc32c(0, file->p + from, file->n - from), 4);
}

static void put_chunks_header(struct buf *file)
{
    put_be(file, PROM_HEAD_CHUNKS_MAGIC, 4);
    put_be(file, (uint64_t)PROM_CHUNKS_VERSION << 24, 4);
}

static bool store(const char *dir, const char *folder, const char *name, const struct buf *content)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, folder);
    if (dir_make(path, NULL) != ERR_OK) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, name);
    return content->err == ERR_OK && file_store(path, buf_view(content), NULL) == ERR_OK;
}

struct seen {
    size_t n;
    ts_ms ts[32];
    double values[32];
    bool histogram[32], stale[32];
};

static void batch_see(const struct metric_batch *b, struct seen *s)
{
    for (uint32_t k = 0; k < b->series_count; k++) {
        const struct metric_series *row = &b->series[k];
        for (uint32_t i = 0; i < row->count && s->n < ARRAY_LEN(s->ts); i++) {
            const struct histogram *h = row->histograms ? row->histograms[i] : NULL;
            s->ts[s->n] = b->ts[row->clock_first + i];
            s->values[s->n] = h ? h->count : row->values[i];
            s->histogram[s->n] = h != NULL;
            s->stale[s->n] = is_stale_nan(h ? h->sum : row->values[i]);
            s->n++;
        }
    }
}

/* Brings in the head of `dir` and reads what came of it. */
static struct seen imported(const char *dir, struct tsdb_imported *ret_done)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct matcher m = {.op = MATCH_NEQ, .name = STR("__name__"), .value = STR("")};
    const struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = 0, .end_ms = INT64_MAX};
    const struct tsdb_import o = {.tenant = QUERY_TENANT_DEFAULT};
    static struct clock clock;
    char path[4096];
    struct seen s = {0};
    struct tsdb *db = NULL;
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    clock_fake_init(&clock, INT64_C(1000) * NS_PER_MS);
    (void)snprintf(path, sizeof(path), "%s/store", dir);
    const struct tsdb_options options = {.dir = path, .clock = &clock, .durability = DURABILITY_OS};
    if (tsdb_open(&options, &db, NULL) != ERR_OK) {
        return s;
    }
    struct metric_source *src = tsdb_source(db);
    if (tsdb_import_head(db, &o, dir, INT64_MIN, ret_done, NULL) == ERR_OK &&
        src->ops->select(src, &q, &sel, &c, NULL) == ERR_OK) {
        while (src->ops->next(c, &b, NULL) == ERR_OK) {
            batch_see(&b, &s);
        }
        src->ops->close(c);
    }
    tsdb_close(db);
    return s;
}

static const ts_ms times[] = {10, 20, 30, 40, 50, 60};
static const double values[] = {1, 2, 3, 4, 5, 6};

TEST(where_a_mapped_chunk_is_it_counts_and_not_the_log)
{
    static const ts_ms in_log[] = {10, 20, 60, 30,
                                   40, 50, 70}; /* 30 to 50 look late, but were taken in this order */
    static const double logged[] = {1, 2, 6, 3, 4, 5, 7};
    const char *dir = test_dir();
    struct buf segment AUTO_BUF = {0}, chunks AUTO_BUF = {0};
    struct tsdb_imported d = {0};
    put_series(&segment, 5, STR("a"));
    put_floats(&segment, 5, in_log, logged, ARRAY_LEN(in_log));
    put_chunks_header(&chunks);
    put_chunk(&chunks, 5, times, values, ARRAY_LEN(times));
    CHECK(store(dir, PROM_WAL_DIR, "00000000", &segment));
    CHECK(store(dir, PROM_HEAD_CHUNKS_DIR, "000001", &chunks));
    struct seen s = imported(dir, &d);
    CHECK_EQ(s.n, 7);
    for (size_t i = 0; i < s.n; i++) {
        CHECK_EQ(s.ts[i], (ts_ms)(i + 1) * 10);
        CHECK(s.values[i] == (double)(i + 1));
    }
    CHECK(!d.damage[0]);
}

TEST(where_a_mapped_chunk_is_damaged_the_log_counts)
{
    const char *dir = test_dir();
    struct buf segment AUTO_BUF = {0}, chunks AUTO_BUF = {0};
    struct tsdb_imported d = {0};
    put_series(&segment, 5, STR("a"));
    put_floats(&segment, 5, times, values, ARRAY_LEN(times));
    put_chunks_header(&chunks);
    put_chunk(&chunks, 5, times, values, 3);
    put_chunk(&chunks, 5, times + 3, values + 3, 3);
    chunks.p[chunks.n - 6] = (char)(chunks.p[chunks.n - 6] ^ 1);
    CHECK(store(dir, PROM_WAL_DIR, "00000000", &segment));
    CHECK(store(dir, PROM_HEAD_CHUNKS_DIR, "000001", &chunks));
    struct seen s = imported(dir, &d);
    CHECK_EQ(s.n, 6);
    CHECK(d.damage[0]);
}

TEST(a_mapped_chunk_that_a_crash_cut_off_is_no_damage)
{
    const char *dir = test_dir();
    struct buf segment AUTO_BUF = {0}, chunks AUTO_BUF = {0};
    struct tsdb_imported d = {0};
    put_series(&segment, 5, STR("a"));
    put_floats(&segment, 5, times, values, ARRAY_LEN(times));
    put_chunks_header(&chunks);
    put_chunk(&chunks, 5, times, values, 3);
    put_chunk(&chunks, 5, times + 3, values + 3, 3);
    chunks.n -= 7;
    CHECK(store(dir, PROM_WAL_DIR, "00000000", &segment));
    CHECK(store(dir, PROM_HEAD_CHUNKS_DIR, "000001", &chunks));
    struct seen s = imported(dir, &d);
    CHECK_EQ(s.n, 6);
    CHECK(!d.damage[0]);
}

TEST(the_end_of_a_series_of_histograms_is_a_histogram)
{
    const double end = stale_nan();
    const ts_ms at[] = {30, 40};
    const char *dir = test_dir();
    struct buf segment AUTO_BUF = {0};
    struct tsdb_imported d = {0};
    put_series(&segment, 5, STR("a"));
    put_histogram(&segment, 5, 10, 3);
    put_histogram(&segment, 5, 20, 4);
    put_floats(&segment, 5, &at[0], &end, 1);
    put_histogram(&segment, 5, 40, 1);
    CHECK(store(dir, PROM_WAL_DIR, "00000000", &segment));
    struct seen s = imported(dir, &d);
    CHECK_EQ(s.n, 4);
    CHECK(s.histogram[0] && s.histogram[1] && s.histogram[2] && s.histogram[3]);
    CHECK(!s.stale[1] && s.stale[2] && !s.stale[3]);
}

/* The block may have been deleted from since, or be gone by its age. */
TEST(what_went_to_a_block_of_stale_series_is_not_of_the_head)
{
    const char *dir = test_dir();
    struct buf segment AUTO_BUF = {0}, chunks AUTO_BUF = {0};
    struct tsdb_imported d = {0};
    put_series(&segment, 5, STR("a"));
    put_floats(&segment, 5, times, values, 4);
    put_stone(&segment, 5, INT64_MIN, INT64_MAX);
    put_series(&segment, 6, STR("a"));
    put_floats(&segment, 6, times + 4, values + 4, 2);
    put_chunks_header(&chunks);
    put_chunk(&chunks, 5, times, values, 3);
    CHECK(store(dir, PROM_WAL_DIR, "00000000", &segment));
    CHECK(store(dir, PROM_HEAD_CHUNKS_DIR, "000001", &chunks));
    struct seen s = imported(dir, &d);
    CHECK_EQ(s.n, 2);
    CHECK_EQ(s.ts[0], 50);
    CHECK_EQ(s.ts[1], 60);
}
