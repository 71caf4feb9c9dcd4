/* Protobuf exposition: every type becomes the samples that the text formats would show. */
#include "codec/exposition.h"
#include "codec/proto.h"
#include "harness.h"

enum {
    COUNTER = 0,
    SUMMARY = 2,
    HISTOGRAM = 4
};

static size_t family_begin(struct buf *b, const char *name, uint64_t type)
{
    proto_write_bytes(b, 1, str_c(name));
    proto_write_bytes(b, 2, STR("What."));
    proto_write_u64(b, 3, type);
    return proto_nested_begin(b, 4);
}

static void label(struct buf *b, const char *name, const char *value)
{
    size_t mark = proto_nested_begin(b, 1);
    proto_write_bytes(b, 1, str_c(name));
    proto_write_bytes(b, 2, str_c(value));
    proto_nested_end(b, mark);
}

/* All samples of one family as text, a line each; histograms as H. */
static struct str read_all(struct arena *a, struct buf *family, bool native, bool classic, enum err *ret_e)
{
    struct buf body AUTO_BUF = {0}, out AUTO_BUF = {0};
    struct exposition_parser p;
    struct exposition_item item;
    enum exposition_event event = EXPOSITION_COMMENT;
    write_varint(&body, family->n);
    buf_str(&body, buf_view(family));
    struct str bytes = arena_str(a, buf_view(&body));
    exposition_init(&p, EXPOSITION_PROTO, bytes);
    p.native = native;
    p.classic = classic;
    while (!(*ret_e = exposition_next(&p, a, &event, &item, NULL)) && event != EXPOSITION_END) {
        if (event == EXPOSITION_TYPE) {
            buf_printf(&out, "TYPE %.*s %.*s\n", STR_FMT(item.metric), STR_FMT(item.text));
        } else if (event == EXPOSITION_SAMPLE) {
            buf_str(&out, item.raw);
            if (item.histogram) {
                buf_printf(&out, " H schema %d count %llu buckets %zu", item.histogram->schema,
                           (unsigned long long)item.histogram->count_int, item.histogram->positive_count);
            } else {
                buf_printf(&out, " %g", item.value);
            }
            if (item.has_ts) {
                buf_printf(&out, " %lld", (long long)item.ts);
            }
            if (item.has_exemplar) {
                buf_printf(&out, " # %.*s %g %lld", STR_FMT(item.exemplar_raw), item.exemplar_value,
                           (long long)item.exemplar_ts);
            }
            buf_char(&out, '\n');
        }
    }
    return arena_str(a, buf_view(&out));
}

TEST(a_counter_with_exemplar_and_time)
{
    struct arena a AUTO_ARENA = {0};
    struct buf f AUTO_BUF = {0};
    enum err e;
    size_t metric = family_begin(&f, "a_total", COUNTER);
    label(&f, "x", "q\"\n");
    size_t counter = proto_nested_begin(&f, 3);
    proto_write_f64(&f, 1, 2.5);
    size_t exemplar = proto_nested_begin(&f, 2);
    label(&f, "trace", "t");
    proto_write_f64(&f, 2, 1);
    size_t time = proto_nested_begin(&f, 3);
    proto_write_u64(&f, 1, 5);
    proto_write_u64(&f, 2, 250000000);
    proto_nested_end(&f, time);
    proto_nested_end(&f, exemplar);
    proto_nested_end(&f, counter);
    proto_write_u64(&f, 6, 7000);
    proto_nested_end(&f, metric);
    CHECK_STR(read_all(&a, &f, false, false, &e),
              "TYPE a_total counter\na_total{x=\"q\\\"\\n\"} 2.5 7000 # {trace=\"t\"} 1 5250\n");
    CHECK_OK(e);
}

TEST(a_summary)
{
    struct arena a AUTO_ARENA = {0};
    struct buf f AUTO_BUF = {0};
    enum err e;
    size_t metric = family_begin(&f, "s.x", SUMMARY);
    size_t summary = proto_nested_begin(&f, 4);
    proto_write_u64(&f, 1, 3);
    proto_write_f64(&f, 2, 6);
    size_t quantile = proto_nested_begin(&f, 3);
    proto_write_f64(&f, 1, 1);
    proto_write_f64(&f, 2, 4);
    proto_nested_end(&f, quantile);
    proto_nested_end(&f, summary);
    proto_nested_end(&f, metric);
    CHECK_STR(read_all(&a, &f, false, false, &e), "TYPE s.x summary\n{\"s.x_count\"} 3\n{\"s.x_sum\"} 6\n"
                                                  "{\"s.x\",quantile=\"1.0\"} 4\n");
    CHECK_OK(e);
}

/* A histogram with one classic bucket and, when asked for, native ones. */
static void histogram(struct buf *f, bool native)
{
    size_t metric = family_begin(f, "h", HISTOGRAM);
    size_t h = proto_nested_begin(f, 7);
    proto_write_u64(f, 1, 3);
    proto_write_f64(f, 2, 6);
    size_t bucket = proto_nested_begin(f, 3);
    proto_write_u64(f, 1, 2);
    proto_write_f64(f, 2, 1);
    proto_nested_end(f, bucket);
    if (native) {
        proto_write_u64(f, 5, 6); /* schema 3, zigzag */
        size_t span = proto_nested_begin(f, 12);
        proto_write_u64(f, 1, 0);
        proto_write_u64(f, 2, 2);
        proto_nested_end(f, span);
        proto_write_u64(f, 13, 2); /* deltas 1, 1 as zigzag */
        proto_write_u64(f, 13, 2);
    }
    proto_nested_end(f, h);
    proto_nested_end(f, metric);
}

TEST(histograms_are_classic_native_or_both)
{
    static const char *const classic =
        "h_count 3\nh_sum 6\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 3\n";
    static const struct {
        bool has_native, want_native, want_classic, shows_native, shows_classic;
    } cases[] = {{false, true, false, false, true},
                 {true, false, false, false, true},
                 {true, true, false, true, false},
                 {true, true, true, true, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a AUTO_ARENA = {0};
        struct buf f AUTO_BUF = {0};
        enum err e;
        histogram(&f, cases[i].has_native);
        struct str want = arena_printf(&a, "TYPE h histogram\n%s%s",
                                       cases[i].shows_native ? "h H schema 3 count 3 buckets 2\n" : "",
                                       cases[i].shows_classic ? classic : "");
        CHECK_STR(read_all(&a, &f, cases[i].want_native, cases[i].want_classic, &e), want.p);
        CHECK_OK(e);
    }
}

TEST(cut_messages_are_refused)
{
    struct buf f AUTO_BUF = {0};
    histogram(&f, true);
    size_t whole = f.n;
    for (size_t n = 1; n < whole; n++) {
        struct arena a AUTO_ARENA = {0};
        struct buf cut AUTO_BUF = {0};
        enum err e;
        buf_append(&cut, f.p, n);
        (void)read_all(&a, &cut, true, true,
                       &e); /* some prefixes are whole messages: no crash is what counts */
        CHECK(e == ERR_OK || e == ERR_INVALID);
    }
}
