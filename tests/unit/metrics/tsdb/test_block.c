/* The block file: a frozen example of its version is read, and written again byte for byte; matchers against
 * postings find what they find by walking; damage is seen. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "metrics/model/histogram.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/block.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/section.h"
#include "metrics/tsdb/values.h"

enum {
    SERIES = 40,
    TICKS = 500
};

static const ts_ms T0 = 1600000000000;

static double value_at(int series, int tick)
{
    switch (series % 4) {
    case 0:
        return series; /* constant */
    case 1:
        return tick * 3 + tick % 2; /* a counter */
    case 2:
        return (double)(tick * tick % 97) / 100;
    default:
        return (double)tick / 7; /* no short decimal */
    }
}

struct content {
    char text[SERIES][2][24];
    struct label labels[SERIES][4];
    ts_ms ts[TICKS], own[3];
    double values[SERIES][TICKS];
    struct metric_series series[SERIES];
    const struct histogram *histograms[3];
    struct histogram h;
    struct histogram_span spans[1];
    double counts[2];
};

/* Series 0 to 37 on one clock, from tick series % 3 on; 38 has times of its own; 39 a histogram among floats.
 */
static void content_fill(struct content *c)
{
    *c = (struct content){.own = {T0 + 7, T0 + 1007, T0 + 5000}};
    for (int t = 0; t < TICKS; t++) {
        c->ts[t] = T0 + t * 15000 + t % 5;
    }
    for (int i = 0; i < SERIES; i++) {
        (void)snprintf(c->text[i][0], sizeof(c->text[i][0]), "metric_%d", i % 10);
        (void)snprintf(c->text[i][1], sizeof(c->text[i][1]), "mode-%d", i / 10);
        size_t n = 0;
        c->labels[i][n++] = (struct label){STR("__name__"), str_c(c->text[i][0])};
        c->labels[i][n++] = (struct label){STR("instance"), STR("host:9100")};
        c->labels[i][n++] = (struct label){STR("mode"), str_c(c->text[i][1])};
        if (i % 3 == 0) {
            c->labels[i][n++] = (struct label){STR("spare"), STR("yes")};
        }
        for (int t = 0; t < TICKS; t++) {
            c->values[i][t] = value_at(i, t);
        }
        c->series[i] = (struct metric_series){.labels = {c->labels[i], n},
                                              .clock_first = (uint32_t)(i < 38 ? i % 3 : 0),
                                              .count = (uint32_t)(i < 38 ? TICKS - i % 3 : 3),
                                              .values = c->values[i]};
    }
    c->spans[0] = (struct histogram_span){-2, 2};
    c->counts[0] = 4;
    c->counts[1] = 1;
    c->h = (struct histogram){.count = 5,
                              .sum = 2.5,
                              .positive_spans = c->spans,
                              .positive_span_count = 1,
                              .positive = c->counts,
                              .positive_count = 2};
    c->histograms[1] = &c->h;
    c->series[39].histograms = c->histograms;
}

static enum err golden_write(const char *path)
{
    static struct content c;
    struct block_writer w;
    struct err_info info = {0};
    content_fill(&c);
    struct metric_batch shared = {.ts = c.ts, .ts_count = TICKS, .series_count = 38, .series = c.series};
    struct metric_batch own = {.ts = c.own, .ts_count = 3, .series_count = 1, .series = &c.series[38]};
    struct metric_batch rich = {.ts = c.own, .ts_count = 3, .series_count = 1, .series = &c.series[39]};
    enum err e = file_remove(path, &info);
    e = e ? e : block_writer_begin(&w, path, &info);
    e = e ? e : block_section_begin(&w, STR("acme"), 9, &info);
    e = e ? e : block_section_add(&w, &shared, INT64_MIN, INT64_MAX, &info);
    e = e ? e : block_section_add(&w, &own, INT64_MIN, INT64_MAX, &info);
    e = e ? e : block_section_add(&w, &rich, INT64_MIN, INT64_MAX, &info);
    e = e ? e : block_section_end(&w, &info);
    e = e ? e : block_writer_finish(&w, &info);
    block_writer_done(&w);
    return e;
}

/* Whether the chunk's samples are the content's from sample *at of the series on. */
static bool chunk_same(const struct content *c, const struct section_reader *s, int series,
                       const struct section_chunk *k, size_t *at, struct arena *a)
{
    uint64_t bits[BLOCK_CHUNK_SAMPLES];
    ts_ms ts[TICKS];
    const struct histogram *histograms[BLOCK_CHUNK_SAMPLES] = {NULL};
    struct rich_columns out = {.bits = bits, .histograms = histograms};
    bool ok;
    if (k->column == UINT32_MAX) {
        ok = times_decode((const uint8_t *)k->times.p, k->times.n, k->min_ts, k->count, ts) == ERR_OK;
    } else {
        const struct section_column *col = &s->columns[k->column];
        ok = times_decode((const uint8_t *)col->times.p, col->times.n, col->first, col->n, ts) == ERR_OK;
        ok = ok && ts[col->n - 1] == col->last;
    }
    ok = ok && (k->mode == CHUNK_RICH ? rich_read(k->values, k->count, a, &out)
                                      : values_decode(k->mode, (const uint8_t *)k->values.p, k->values.n,
                                                      k->count, bits)) == ERR_OK;
    const ts_ms *want = series < 38 ? c->ts + c->series[series].clock_first : c->own;
    for (size_t i = 0; ok && i < k->count; i++, ++*at) {
        const struct histogram *h = c->series[series].histograms ? c->series[series].histograms[*at] : NULL;
        ok = ts[k->first_tick + i] == want[*at] && (h != NULL) == (histograms[i] != NULL) &&
             (h || bits[i] == f64_bits(c->values[series][*at]));
    }
    return ok;
}

static bool golden_same(const char *path)
{
    static struct content c;
    struct block *b = NULL;
    struct err_info info = {0};
    struct section_reader s;
    struct labels ls;
    struct arena a AUTO_ARENA;
    uint64_t chunks = 0;
    arena_init(&a, 0, NULL);
    content_fill(&c);
    if (block_open(path, "golden", &b, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
        return false;
    }
    struct block_section *sec = block_section_of(b, STR("acme"), 9);
    bool ok = sec && section_open(&s, b, sec, &a) == ERR_OK && section_select(&s, NULL, 0) == ERR_OK;
    for (int i = 0; ok && i < SERIES; i++) {
        size_t n = 0;
        ok = section_series_next(&s, &a, &ls, &chunks) == ERR_OK && labels_eq(ls, c.series[i].labels);
        for (uint64_t k = 0; ok && k < chunks; k++) {
            struct section_chunk in;
            ok = section_chunk_next(&s, &in) == ERR_OK && section_chunk_good(&s) &&
                 chunk_same(&c, &s, i, &in, &n, &a);
        }
        ok = ok && n == c.series[i].count;
    }
    ok = ok && section_series_next(&s, &a, &ls, &chunks) == ERR_NOT_FOUND;
    block_unref(b);
    return ok;
}

TEST(blocks_of_version_2_stay_readable)
{
    char path[256];
    struct buf frozen AUTO_BUF = {0}, now AUTO_BUF = {0};
    if (getenv("CAIRN_GOLDEN_WRITE")) {
        CHECK_OK(golden_write(TEST_DATA "/block-v2.block"));
    }
    CHECK(golden_same(TEST_DATA "/block-v2.block"));
    (void)snprintf(path, sizeof(path), "%s/now.block", test_dir());
    CHECK_OK(golden_write(path));
    CHECK(golden_same(path));
    CHECK_OK(file_load(TEST_DATA "/block-v2.block", &frozen, NULL));
    CHECK_OK(file_load(path, &now, NULL));
    CHECK(str_eq(buf_view(&frozen), buf_view(&now)));
}

static size_t count_matching(struct section_reader *s, const struct content *c, const struct matcher *m,
                             size_t n, size_t *ret_want)
{
    struct arena a AUTO_ARENA;
    struct labels ls;
    uint64_t chunks = 0;
    size_t got = 0;
    arena_init(&a, 0, NULL);
    *ret_want = 0;
    for (int i = 0; i < SERIES; i++) {
        *ret_want += matchers_match(m, n, c->series[i].labels);
    }
    if (section_select(s, m, n) != ERR_OK) {
        return SIZE_MAX;
    }
    while (section_series_next(s, &a, &ls, &chunks) == ERR_OK) {
        got += matchers_match(m, n, ls) ? 1 : SERIES;
    }
    return got;
}

TEST(matchers_find_by_postings_what_they_match)
{
    static struct content c;
    static const struct {
        enum matcher_op op;
        const char *name, *value;
    } cases[] = {{MATCH_EQ, "__name__", "metric_3"},
                 {MATCH_EQ, "__name__", "metric"},
                 {MATCH_EQ, "absent", ""},
                 {MATCH_EQ, "absent", "x"},
                 {MATCH_EQ, "spare", ""},
                 {MATCH_NEQ, "spare", ""},
                 {MATCH_NEQ, "spare", "yes"},
                 {MATCH_NEQ, "mode", "mode-1"},
                 {MATCH_RE, "mode", "mode-[02]"},
                 {MATCH_RE, "mode", "mode-1|mode-3|x"},
                 {MATCH_RE, "spare", "|no"},
                 {MATCH_RE, "spare", "yes|"},
                 {MATCH_NRE, "mode", "mode-[02]"},
                 {MATCH_NRE, "spare", ".+"},
                 {MATCH_RE, "__name__", ".+"},
                 {MATCH_NRE, "absent", "x"}};
    char path[256];
    struct block *b = NULL;
    struct err_info info = {0};
    struct section_reader s;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    content_fill(&c);
    (void)snprintf(path, sizeof(path), "%s/select.block", test_dir());
    CHECK_OK(golden_write(path));
    CHECK_OK(block_open(path, "select", &b, &info));
    CHECK_OK(section_open(&s, b, block_section_of(b, STR("acme"), 9), &a));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct matcher m[2];
        size_t want = 0;
        CHECK_OK(matcher_init(&m[0], cases[i].op, str_c(cases[i].name), str_c(cases[i].value), &info));
        CHECK_OK(matcher_init(&m[1], MATCH_NEQ, STR("__name__"), STR("metric_6"), &info));
        size_t got = count_matching(&s, &c, m, 1, &want);
        CHECK_EQ(got, want);
        got = count_matching(&s, &c, m, 2, &want);
        CHECK_EQ(got, want);
        matcher_done(&m[0]);
        matcher_done(&m[1]);
    }
    block_unref(b);
}

TEST(every_flipped_byte_of_a_block_is_noticed_or_harmless)
{
    char path[256];
    struct buf good AUTO_BUF = {0};
    struct err_info info = {0};
    (void)snprintf(path, sizeof(path), "%s/flip.block", test_dir());
    CHECK_OK(golden_write(path));
    CHECK_OK(file_load(path, &good, NULL));
    for (size_t i = 0; i < good.n; i += good.n / 300 + 1) {
        struct block *b = NULL;
        good.p[i] = (char)(good.p[i] ^ 0x41);
        CHECK_OK(file_store(path, buf_view(&good), &info));
        good.p[i] = (char)(good.p[i] ^ 0x41);
        if (block_open(path, "flip", &b, &info) != ERR_OK) {
            continue;
        }
        struct section_reader s;
        struct arena a AUTO_ARENA;
        struct labels ls;
        uint64_t chunks = 0;
        bool bad = false;
        arena_init(&a, 0, NULL);
        enum err e = section_open(&s, b, &b->sections[0], &a);
        e = e ? e : section_select(&s, NULL, 0);
        while (e == ERR_OK && (e = section_series_next(&s, &a, &ls, &chunks)) == ERR_OK) {
            for (uint64_t k = 0; e == ERR_OK && k < chunks; k++) {
                struct section_chunk in;
                e = section_chunk_next(&s, &in);
                bad = bad || (e == ERR_OK && !section_chunk_good(&s));
            }
        }
        CHECK(bad || e == ERR_CORRUPT);
        block_unref(b);
    }
}
