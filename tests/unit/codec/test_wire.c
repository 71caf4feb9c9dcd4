/* Wire formats: round trips, refusals, and the limits of decompression. */
#include "codec/compress.h"
#include "codec/exposition.h"
#include "codec/loki_push.h"
#include "codec/remote_write.h"
#include "harness.h"

TEST(compression_round_trips_within_limits)
{
    static const enum compression all[] = {COMPRESS_NONE,    COMPRESS_SNAPPY, COMPRESS_GZIP, COMPRESS_ZLIB,
                                           COMPRESS_DEFLATE, COMPRESS_ZSTD,   COMPRESS_LZ4};
    char text[20000];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)("abcdefg"[i % 7] + (i % 97 == 0));
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct buf packed AUTO_BUF = {0}, back AUTO_BUF = {0}, small AUTO_BUF = {0};
        CHECK_OK(compress_bytes(all[i], 0, str_of(text, sizeof(text)), &packed));
        CHECK_OK(decompress_bytes(all[i], buf_view(&packed), sizeof(text), &back, NULL));
        CHECK(str_eq(buf_view(&back), str_of(text, sizeof(text))));
        CHECK(decompress_bytes(all[i], buf_view(&packed), sizeof(text) - 1, &small, NULL) != ERR_OK);
        if (all[i] != COMPRESS_NONE) {
            buf_reset(&small);
            CHECK(decompress_bytes(all[i], STR("certainly not compressed data"), 1000, &small, NULL) !=
                  ERR_OK);
        }
    }
}

TEST(remote_write_round_trips)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct wire_label labels[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("x")}};
    struct wire_sample samples[] = {{1.5, 1000, 0}, {2.5, -2000, 0}};
    struct wire_series s = {.labels = labels, .label_count = 2, .samples = samples, .sample_count = 2};
    struct wire_write in = {.series = &s, .series_count = 1}, out;
    remote_write_encode_v1(&b, &in);
    CHECK_OK(remote_write_decode_v1(&a, buf_view(&b), true, &out, NULL));
    CHECK_EQ(out.series[0].label_count, 0);
    CHECK_OK(remote_write_labels(&a, (struct wire_series *)(uintptr_t)&out.series[0], NULL));
    CHECK_STR(out.series[0].labels[0].value, "up");
    CHECK_OK(remote_write_decode_v1(&a, buf_view(&b), false, &out, NULL));
    CHECK_EQ(out.series_count, 1);
    CHECK_STR(out.series[0].labels[1].value, "x");
    CHECK(out.series[0].samples[1].value == 2.5 && out.series[0].samples[1].ts == -2000);
    for (size_t n = 1; n < b.n; n++) {
        CHECK_EQ(remote_write_decode_v1(&a, str_of(b.p, n), false, &out, NULL), ERR_INVALID);
    }
}

struct parsed {
    size_t samples;
    double sum;
    enum err e;
    struct err_info info;
};

static struct parsed parse(enum exposition_format f, const char *text)
{
    struct arena a AUTO_ARENA = {0};
    struct exposition_parser p;
    struct exposition_item item;
    enum exposition_event ev;
    struct parsed r = {0};
    exposition_init(&p, f, str_c(text));
    while ((r.e = exposition_next(&p, &a, &ev, &item, &r.info)) == ERR_OK && ev != EXPOSITION_END) {
        if (ev == EXPOSITION_SAMPLE) {
            r.samples++;
            r.sum += item.value;
        }
    }
    return r;
}

TEST(text_exposition_as_prometheus_reads_it)
{
    CHECK_EQ(
        parse(EXPOSITION_TEXT, "# HELP a b\\nc\n# TYPE a counter\na 1\na{x=\"1\",} 2 1000\n\n# hi\n  b{} 3")
            .samples,
        3);
    static const char *const bad[] = {"a 1\r\n",       "a{x=1} 1\n",
                                      "a\n",           "a 1 2 3\n",
                                      "a{x=\"1} 1\n",  "1a 1\n",
                                      "a 0x1p3\n",     "# TYPE a thing\n",
                                      "a 1 -5\n",      "a{x=\"\xff\"} 1\n",
                                      "a 1e999\n",     "a{b:c=\"d\"} 1\n",
                                      "{b=\"c\"} 1\n", "{\"a\",\"b\"} 1\n",
                                      "a{\"b\"} 1\n",  "# TYPE a  counter\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(parse(EXPOSITION_TEXT, bad[i]).e, ERR_INVALID);
    }
    CHECK_EQ(parse(EXPOSITION_TEXT, "# HELP\n# HELP a\n{\"a b\",c=\"d\"} 1\n").samples, 1);
    CHECK_EQ(parse(EXPOSITION_OPENMETRICS, "# HELP a\na 1\n# EOF\n").e, ERR_INVALID);
    CHECK_EQ(parse(EXPOSITION_OPENMETRICS, "a 1 \n# EOF\n").e, ERR_INVALID);
    CHECK_EQ(
        parse(EXPOSITION_OPENMETRICS, "# TYPE a counter\na_total 1 # {id=\"1\"} 0.5 1.5\n# EOF\n").samples,
        1);
    CHECK_EQ(parse(EXPOSITION_OPENMETRICS, "a 1\n").e, ERR_INVALID);
    CHECK_EQ(parse(EXPOSITION_OPENMETRICS, "a  1\n# EOF\n").e, ERR_INVALID);
    CHECK_EQ(parse(EXPOSITION_OPENMETRICS, "a 1\n# EOF\nb 1\n").e, ERR_INVALID);
}

static enum err start_of(const char *line, bool inline_starts, ts_ms *ret_start)
{
    struct arena a AUTO_ARENA = {0};
    struct exposition_parser p;
    struct exposition_item item = {0};
    enum exposition_event ev;
    struct err_info info = {0};
    exposition_init(&p, EXPOSITION_OPENMETRICS, str_c(line));
    p.starts_inline = inline_starts;
    enum err e = exposition_next(&p, &a, &ev, &item, &info);
    *ret_start = item.start_ts;
    return e;
}

TEST(start_timestamps_in_a_line_are_read_where_they_are_asked_for)
{
    static const char *const bad[] = {"m 1 2 st@\n", "m 1 2 st@x\n", "m 1 2 st@1 st@1\n", "m 1 st@1\n",
                                      "m 1 2 st1\n", "m 1 2st@1\n",  "m 1 2 st@1 3\n"};
    ts_ms start = 0;
    CHECK_OK(start_of("m 1 2 st@1.5\n", true, &start));
    CHECK_EQ(start, 1500);
    CHECK_OK(start_of("m{a=\"b\"} 1 2 st@1 # {c=\"d\"} 3 4\n", true, &start));
    CHECK_EQ(start, 1000);
    CHECK_OK(start_of("m 1 2\n", true, &start));
    CHECK_EQ(start, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(start_of(bad[i], true, &start), ERR_INVALID);
    }
    CHECK_EQ(start_of("m 1 2 st@1.5\n", false, &start),
             ERR_INVALID); /* a scrape is refused, as by Prometheus */
}

TEST(exposition_labels_are_unescaped)
{
    struct arena a AUTO_ARENA = {0};
    const struct wire_label *l;
    size_t n;
    CHECK_OK(exposition_labels(&a, STR("http{path=\"a\\\"b\\n\", x = \"y\",}"), &l, &n, NULL));
    CHECK_EQ(n, 3);
    CHECK_STR(l[0].value, "http");
    CHECK_STR(l[1].value, "a\"b\n");
    CHECK_OK(exposition_labels(&a, STR("{\"my.metric\",\"a.b\"=\"c\"}"), &l, &n, NULL));
    CHECK_STR(l[0].value, "my.metric");
    CHECK_STR(l[1].name, "a.b");
}

TEST(loki_push_in_both_encodings)
{
    struct arena a AUTO_ARENA = {0};
    struct wire_push p, q;
    struct buf b AUTO_BUF = {0};
    CHECK_OK(loki_push_decode_json(
        &a,
        STR("{\"streams\":[{\"stream\":{\"job\":\"x\\\"y\"},\"values\":[[\"1700000000000000001\",\"line\\n\","
            "{\"trace\":\"1\"}],[\"-5\",\"\"]]}]}"),
        &p, NULL));
    loki_push_encode_proto(&b, &p);
    CHECK_OK(loki_push_decode_proto(&a, buf_view(&b), &q, NULL));
    CHECK_EQ(q.streams[0].entry_count, 2);
    CHECK_STR(q.streams[0].labels[0].value, "x\"y");
    CHECK_STR(q.streams[0].entries[0].line, "line\n");
    CHECK_EQ(q.streams[0].entries[0].ts, 1700000000000000001);
    CHECK_EQ(q.streams[0].entries[1].ts, -5);
    CHECK_STR(q.streams[0].entries[0].metadata[0].value, "1");
    CHECK_EQ(loki_push_decode_json(&a, STR("{\"streams\":[{\"values\":[[1,\"x\"]]}]}"), &p, NULL),
             ERR_INVALID);
    for (size_t n = 1; n < b.n; n++) {
        CHECK_EQ(loki_push_decode_proto(&a, str_of(b.p, n), &q, NULL), ERR_INVALID);
    }
    const struct wire_label *l;
    size_t n;
    CHECK_OK(loki_labels_parse(&a, STR("{ a = \"x\\u00e9\", b=`\\n`,}"), &l, &n, NULL));
    CHECK_STR(l[0].value, "x\xc3\xa9");
    CHECK_STR(l[1].value, "\\n");
    CHECK_EQ(loki_labels_parse(&a, STR("{a!=\"x\"}"), &l, &n, NULL), ERR_INVALID);
}

static void expect_labels_refused(const char *text, const char *want)
{
    struct arena a;
    struct err_info info = {0};
    const struct wire_label *l;
    size_t n;
    arena_init(&a, 0, NULL);
    CHECK_EQ(loki_labels_parse(&a, str_c(text), &l, &n, &info), ERR_INVALID);
    CHECK(str_starts(str_c(info.message), STR("couldn't parse labels: ")));
    CHECK_STR(str_slice(str_c(info.message), strlen("couldn't parse labels: "), strlen(info.message)), want);
    arena_done(&a);
}

TEST(what_is_wrong_with_the_labels_of_a_stream_is_said_in_the_original_words)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{a}", "1:3: parse error: unexpected \"}\" in label set, expected \"=\""},
        {"{a=}", "1:4: parse error: unexpected \"}\" in label set, expected string"},
        {"{a=\"b\"", "1:7: parse error: unexpected end of input inside braces"},
        {"{a=~\"b\"}", "1:3: parse error: unexpected <op:=~> in label set, expected \"=\""},
        {"a=\"b\"", "1:2: parse error: unexpected \"=\""},
        {"{a-b=\"c\"}", "1:3: parse error: unexpected character inside braces: '-'"},
        {"{\xc3\xa4=\"c\"}", "1:2: parse error: unexpected character inside braces: '\xc3\xa4'"},
        {"{a=\"b\"} x", "1:9: parse error: unexpected identifier \"x\""},
        {"{a=\"b\" \"c\"=\"d\"}",
         "1:8: parse error: unexpected string \"\\\"c\\\"\" in label set, expected \",\" or \"}\""},
        {"{a=\"b\\q\"}", "1:4: parse error: unknown escape sequence U+0071 'q'"},
        {"{\na=\"b\"\n,\n c-}", "4:3: parse error: unexpected character inside braces: '-'"},
        {"{a!}", "1:3: parse error: unexpected character after '!' inside braces: '}'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_labels_refused(rows[i].text, rows[i].want);
    }
}

TEST(labels_may_be_quoted_and_have_a_name_before_them)
{
    struct arena a;
    const struct wire_label *l;
    size_t n;
    arena_init(&a, 0, NULL);
    CHECK_OK(loki_labels_parse(&a, STR("up{'a b'='c', \"d\"} # e"), &l, &n, NULL));
    CHECK_EQ(n, 3);
    CHECK_STR(l[0].value, "up");
    CHECK_STR(l[1].name, "a b");
    CHECK_STR(l[2].name, "__name__");
    CHECK_STR(l[2].value, "d");
    struct wire_push p;
    struct err_info info = {0};
    CHECK_EQ(
        loki_push_decode_json(&a, STR("{\"streams\":[{\"stream\":{\"z\":\"1\",\"a.b\":\"x\"}}]}"), &p, &info),
        ERR_INVALID);
    CHECK_STR(str_c(info.message),
              "couldn't parse labels: 1:3: parse error: unexpected character inside braces: '.'");
    CHECK_OK(loki_push_decode_json(&a, STR("{\"streams\":[{\"stream\":{\"a\":7},\"values\":[[\"5\"]]}]}"), &p,
                                   NULL));
    CHECK_STR(p.streams[0].labels[0].value, "7");
    CHECK_EQ(p.streams[0].entries[0].line.n, 0);
    arena_done(&a);
}
