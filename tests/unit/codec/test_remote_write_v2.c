/* Remote write 2.0: symbols, references, everything a series may carry. */
#include "codec/proto.h"
#include "codec/remote_write.h"
#include "harness.h"

static void packed(struct buf *b, uint32_t number, const uint32_t *refs, size_t n)
{
    size_t mark = proto_nested_begin(b, number);
    for (size_t i = 0; i < n; i++) {
        write_varint(b, refs[i]);
    }
    proto_nested_end(b, mark);
}

/* Symbols "", __name__, a, trace, t, help text. */
static void symbols(struct buf *b)
{
    static const char *const words[] = {"", "__name__", "a", "trace", "t", "What."};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        proto_write_bytes(b, 4, str_c(words[i]));
    }
}

TEST(a_series_with_everything_is_decoded)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct wire_write w;
    struct err_info info = {0};
    symbols(&b);
    size_t series = proto_nested_begin(&b, 5);
    packed(&b, 1, (const uint32_t[]){1, 2}, 2);
    size_t sample = proto_nested_begin(&b, 2);
    proto_write_f64(&b, 1, 1.5);
    proto_write_u64(&b, 2, 2000);
    proto_write_u64(&b, 3, 1000);
    proto_nested_end(&b, sample);
    size_t histogram = proto_nested_begin(&b, 3);
    proto_write_u64(&b, 1, 3);
    proto_write_u64(&b, 4, 2); /* schema 1, zigzag */
    proto_write_u64(&b, 15, 3000);
    proto_nested_end(&b, histogram);
    size_t exemplar = proto_nested_begin(&b, 4);
    packed(&b, 1, (const uint32_t[]){3, 4}, 2);
    proto_write_f64(&b, 2, 0.5);
    proto_write_u64(&b, 3, 1999);
    proto_nested_end(&b, exemplar);
    size_t metadata = proto_nested_begin(&b, 5);
    proto_write_u64(&b, 1, 1);
    proto_write_u64(&b, 3, 5);
    proto_nested_end(&b, metadata);
    proto_nested_end(&b, series);
    CHECK_OK(remote_write_decode_v2(&a, buf_view(&b), &w, &info));
    CHECK_EQ(w.series_count, 1);
    const struct wire_series *s = &w.series[0];
    CHECK_EQ(s->label_count, 1);
    CHECK_STR(s->labels[0].name, "__name__");
    CHECK_STR(s->labels[0].value, "a");
    CHECK_EQ(s->samples[0].ts, 2000);
    CHECK_EQ(s->samples[0].start_ts, 1000);
    CHECK(s->samples[0].value == 1.5);
    CHECK_EQ(s->histogram_count, 1);
    CHECK_EQ(s->histograms[0].schema, 1);
    CHECK_EQ(s->histograms[0].ts, 3000);
    CHECK_STR(s->exemplars[0].labels[0].value, "t");
    CHECK_STR(s->meta_type, "counter");
    CHECK_STR(s->meta_help, "What.");
}

TEST(series_with_wrong_references_are_left_out)
{
    static const struct {
        uint32_t refs[3];
        size_t n;
        const char *want;
    } cases[] = {{{1, 2, 3}, 3, "parsing labels for series [1 2 3]: invalid labelRefs length 3"},
                 {{1, 9, 0},
                  2,
                  "parsing labels for series [1 9]: labelRefs 1 (name) = 9 (value) outside of symbols table "
                  "(size 6)"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a AUTO_ARENA = {0};
        struct buf b AUTO_BUF = {0};
        struct wire_write w;
        struct err_info info = {0};
        symbols(&b);
        size_t series = proto_nested_begin(&b, 5);
        packed(&b, 1, cases[i].refs, cases[i].n);
        proto_nested_end(&b, series);
        CHECK_OK(remote_write_decode_v2(&a, buf_view(&b), &w, &info));
        CHECK_EQ(w.series_count, 0);
        CHECK_EQ(w.refused, 1);
        CHECK_STR(w.refusal, cases[i].want);
    }
}

/* A request whose series has one field `number` more, a varint. */
static enum err with_field(uint32_t number)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct wire_write w;
    struct err_info info = {0};
    symbols(&b);
    size_t series = proto_nested_begin(&b, 5);
    packed(&b, 1, (const uint32_t[]){1, 2}, 2);
    proto_write_u64(&b, number, 1);
    proto_nested_end(&b, series);
    return remote_write_decode_v2(&a, buf_view(&b), &w, &info);
}

TEST(fields_of_another_kind_than_theirs_are_malformed)
{
    CHECK_EQ(with_field(2), ERR_INVALID);
    CHECK_EQ(with_field(3), ERR_INVALID);
    CHECK_EQ(with_field(5), ERR_INVALID);
    CHECK_OK(with_field(9)); /* there is no such field */
}

TEST(the_last_of_two_counts_says_what_a_histogram_is)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct wire_write w;
    struct err_info info = {0};
    symbols(&b);
    size_t series = proto_nested_begin(&b, 5);
    packed(&b, 1, (const uint32_t[]){1, 2}, 2);
    size_t histogram = proto_nested_begin(&b, 3);
    proto_write_f64(&b, 2, 3);
    proto_write_u64(&b, 1, 3);
    proto_write_f64(&b, 7, 1); /* a float zero count does not make it one */
    proto_nested_end(&b, histogram);
    proto_nested_end(&b, series);
    CHECK_OK(remote_write_decode_v2(&a, buf_view(&b), &w, &info));
    CHECK(!w.series[0].histograms[0].is_float);
    CHECK_EQ(w.series[0].histograms[0].count_int, 3);
    CHECK_EQ(w.series[0].histograms[0].zero_count_int, 0);
}
