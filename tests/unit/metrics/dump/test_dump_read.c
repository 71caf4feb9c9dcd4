/* Text dumps into a store: formats, compressions, windows, and where an error is. */
#include <stdio.h>

#include "base/buf.h"
#include "codec/compress.h"
#include "disk/file.h"
#include "harness.h"
#include "metrics/dump/dump_read.h"

struct store {
    struct tsdb *db;
    struct tsdb_bulk *bulk;
    char dir[256], file[256];
};

static bool store_open(struct store *s, const char *name)
{
    struct err_info info = {0};
    const char *dir = test_dir(); /* a new one, the one before goes */
    (void)snprintf(s->dir, sizeof(s->dir), "%s/%s", dir, name);
    (void)snprintf(s->file, sizeof(s->file), "%s/%s.dump", dir, name);
    struct tsdb_options o = {.dir = s->dir, .durability = DURABILITY_OS, .no_housekeeping = true};
    return tsdb_open(&o, &s->db, &info) == ERR_OK &&
           tsdb_bulk_new(s->db, QUERY_TENANT_DEFAULT, 8 << 20, &s->bulk, &info) == ERR_OK;
}

static void store_close(struct store *s)
{
    tsdb_bulk_free(s->bulk);
    tsdb_close(s->db);
}

static enum err read_text(struct store *s, struct str text, enum exposition_format format,
                          struct err_info *info)
{
    static const struct label extra[] = {{STR_INIT("env"), STR_INIT("test")}};
    struct dump_target t = {.bulk = s->bulk,
                            .sink = tsdb_sink(s->db),
                            .tenant = QUERY_TENANT_DEFAULT,
                            .labels = extra,
                            .label_count = 1};
    enum err e = file_store(s->file, text, info);
    return e == ERR_OK ? dump_read(&t, s->file, format, info) : e;
}

/* A metric's samples as "labels time value" lines. */
static void stored(struct store *s, const char *metric, struct buf *out)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct metric_source *src = tsdb_source(s->db);
    if (matcher_init(&m, MATCH_EQ, LABEL_METRIC_NAME, str_c(metric), &info) != ERR_OK) {
        return;
    }
    struct metric_select sel = {
        .matchers = &m, .matcher_count = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    if (src->ops->select(src, &q, &sel, &c, &info) == ERR_OK) {
        while (src->ops->next(c, &b, &info) == ERR_OK) {
            for (uint32_t i = 0; i < b.series_count; i++) {
                for (uint32_t k = 0; k < b.series[i].count; k++) {
                    labels_format(out, b.series[i].labels);
                    buf_printf(out, " %lld %g\n", (long long)b.ts[b.series[i].clock_first + k],
                               b.series[i].values[k]);
                }
            }
        }
        src->ops->close(c);
    }
    matcher_done(&m);
}

TEST(openmetrics_with_exemplars_and_metadata_is_stored)
{
    struct store s = {0};
    struct err_info info = {0};
    struct tsdb_bulk_stats stats = {0};
    struct buf got AUTO_BUF = {0};
    struct arena a AUTO_ARENA = {0};
    const struct metric_metadata *rows = NULL;
    const struct metric_exemplar_series *exemplars = NULL;
    size_t n = 0;
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    CHECK(store_open(&s, "om"));
    CHECK_OK(read_text(&s,
                       STR("# HELP requests What came.\n# TYPE requests counter\n"
                           "requests_total{code=\"200\"} 3 1600000000.5 # {trace=\"x\"} 0.5 1600000000\n"
                           "requests_total{env=\"own\"} 4 1600000000\n# EOF\n"),
                       EXPOSITION_OPENMETRICS, &info));
    CHECK_OK(tsdb_bulk_finish(s.bulk, &stats, &info));
    CHECK_EQ(stats.samples, 2);
    stored(&s, "requests_total", &got);
    CHECK(str_find(buf_view(&got), STR("requests_total{code=\"200\", env=\"test\"} 1600000000500 3\n"), 0) !=
          STR_NPOS);
    CHECK(str_find(buf_view(&got), STR("requests_total{env=\"own\"} 1600000000000 4\n"), 0) != STR_NPOS);
    struct metric_source *src = tsdb_source(s.db);
    CHECK_OK(src->ops->metadata(src, &q, STR("requests"), 0, &a, &rows, &n, &info));
    CHECK_EQ(n, 1);
    CHECK_STR(rows[0].type, "counter");
    CHECK_STR(rows[0].help, "What came.");
    struct metric_select all = {.start_ms = INT64_MIN, .end_ms = INT64_MAX};
    CHECK_OK(src->ops->exemplars(src, &q, &all, &a, &exemplars, &n, &info));
    CHECK_EQ(n, 1);
    CHECK_EQ(exemplars[0].exemplars[0].ts, INT64_C(1600000000000));
    store_close(&s);
}

/* Twenty megabytes: many windows, and a load that is full in between. */
TEST(a_compressed_dump_larger_than_window_and_memory_is_whole)
{
    enum {
        SERIES = 500,
        SAMPLES = 800
    };
    static const enum compression kinds[] = {COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD};
    struct buf text AUTO_BUF = {0};
    for (int t = 0; t < SAMPLES; t++) {
        for (int i = 0; i < SERIES; i++) {
            buf_printf(&text, "metric_with_a_name{instance=\"host-%d\"} %d %lld\n", i, t * i,
                       1600000000000LL + t * 15000LL);
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct store s = {0};
        struct err_info info = {0};
        struct tsdb_bulk_stats stats = {0};
        struct buf file AUTO_BUF = {0};
        char name[16];
        (void)snprintf(name, sizeof(name), "large%zu", k);
        CHECK_OK(compress_bytes(kinds[k], 1, buf_view(&text), &file));
        CHECK(store_open(&s, name));
        CHECK_OK(read_text(&s, buf_view(&file), EXPOSITION_TEXT, &info));
        CHECK_OK(tsdb_bulk_finish(s.bulk, &stats, &info));
        CHECK_EQ(stats.samples, SERIES * SAMPLES);
        if (kinds[k] != COMPRESS_NONE) {
            CHECK_EQ(read_text(&s, str_of(file.p, file.n / 2), EXPOSITION_TEXT, &info), ERR_CORRUPT);
        }
        store_close(&s);
    }
}

TEST(an_error_names_file_and_line)
{
    static const struct {
        const char *text, *want;
        enum exposition_format format;
        unsigned line;
    } cases[] = {
        {"a 1 1000\n\n# x\nb{c=\"d\" 2 3\n", "expected comma or closing brace", EXPOSITION_TEXT, 4},
        {"a 1 1000\na 2\n", "the sample of a has no timestamp", EXPOSITION_TEXT, 2},
        {"a 1 1000\n# EOF\n", "import it as openmetrics", EXPOSITION_TEXT, 2},
        {"a 1 1000\n", "does not end with # EOF", EXPOSITION_OPENMETRICS, 1},
        {"a 1 1000\n# EOF\na 2 2000\n", "unexpected data after # EOF", EXPOSITION_OPENMETRICS, 2},
        {"a 1 1600000000000\n# EOF\n", "more than a day in the future", EXPOSITION_OPENMETRICS, 1},
        {"a 1 1000\na{b=\"1\",b=\"2\"} 2 1000\n", "b", EXPOSITION_TEXT, 2},
        {"# TYPE a gauge\r\na 1 1000\r\n# EOF\r\n", "lines end with CR LF", EXPOSITION_OPENMETRICS, 1},
        {"# TYPE a gauge\r\na 1 1000\r\n", "lines end with CR LF", EXPOSITION_TEXT, 1},
        {"a 1 1000\r\n", "lines end with CR LF", EXPOSITION_TEXT, 1},
        {"a 1 1000\n\nb 1 1000\n# EOF\n", "an empty line", EXPOSITION_OPENMETRICS, 2},
        {"\xfd"
         "7zXZ\x01\x02\n",
         "xz -dc", EXPOSITION_TEXT, 1},
        {"BZh91AY\n", "bzip2 -dc", EXPOSITION_OPENMETRICS, 1},
    };
    struct store s = {0};
    CHECK(store_open(&s, "errors"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err_info info = {0};
        CHECK_EQ(read_text(&s, str_c(cases[i].text), cases[i].format, &info), ERR_INVALID);
        CHECK_EQ(info.line, cases[i].line);
        CHECK(str_find(str_c(info.message), str_c(cases[i].want), 0) != STR_NPOS);
        CHECK(str_ends(str_c(info.file), STR("errors.dump")));
    }
    store_close(&s);
}

TEST(a_line_of_twenty_megabytes_is_refused)
{
    struct store s = {0};
    struct err_info info = {0};
    struct buf text AUTO_BUF = {0};
    CHECK(store_open(&s, "line"));
    char *p = buf_tail(&text, 20 << 20);
    CHECK(p);
    memset(p, 'a', 20 << 20);
    text.n = 20 << 20;
    CHECK_EQ(read_text(&s, buf_view(&text), EXPOSITION_TEXT, &info), ERR_LIMIT);
    store_close(&s);
}
