/* Records of the log: definitions come back as they were written, also where they share labels with the one
 * before; the bytes of the format stay; damage is refused. */
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/limits.h"
#include "metrics/tsdb/record.h"

static const struct label cpu0[] = {{STR_INIT("__name__"), STR_INIT("cpu")},
                                    {STR_INIT("instance"), STR_INIT("a:1")},
                                    {STR_INIT("mode"), STR_INIT("idle")}};
static const struct label cpu1[] = {{STR_INIT("__name__"), STR_INIT("cpu")},
                                    {STR_INIT("instance"), STR_INIT("a:1")},
                                    {STR_INIT("mode"), STR_INIT("user")}};
static const struct label up[] = {{STR_INIT("__name__"), STR_INIT("up")},
                                  {STR_INIT("instance"), STR_INIT("a:1")}};
static const struct labels sets[] = {{cpu0, 3}, {cpu1, 3}, {up, 2}, {cpu0, 3}};

static void record_make(struct buf *b)
{
    struct record_writer w;
    record_begin(&w, b, STR("t"));
    for (uint32_t i = 0; i < ARRAY_LEN(sets); i++) {
        record_define(&w, i * 7, sets[i]);
    }
    record_samples(&w);
    struct sample_value v = {.bits = f64_bits(2)};
    record_sample(&w, 0, 1000, &v);
}

TEST(definitions_come_back_as_they_were_written)
{
    struct buf b AUTO_BUF = {0};
    struct label labels[LABELS_MAX];
    struct record_reader r = {.labels = labels};
    struct str tenant;
    struct labels ls;
    uint32_t slot = 0;
    record_make(&b);
    CHECK_EQ(record_open(&r, buf_view(&b), &tenant), ERR_OK);
    for (uint32_t i = 0; i < ARRAY_LEN(sets); i++) {
        CHECK_EQ(record_next_definition(&r, &slot, &ls), ERR_OK);
        CHECK_EQ(slot, i * 7);
        CHECK(labels_eq(ls, sets[i]));
    }
    CHECK_EQ(record_next_definition(&r, &slot, &ls), ERR_NOT_FOUND);
    ts_ms ts = 0;
    struct sample_value v;
    CHECK_EQ(record_next_sample(&r, &slot, &ts, &v), ERR_OK);
    CHECK(slot == 0 && ts == 1000 && f64_of_bits(v.bits) == 2);
    CHECK_EQ(record_next_sample(&r, &slot, &ts, &v), ERR_NOT_FOUND);
}

TEST(the_bytes_of_a_record_are_frozen)
{
    static const char golden[] = "\1\1t"
                                 "\1\0\3\10__name__\3cpu\10instance\3a:1\4mode\4idle"
                                 "\2\7\3\3\4mode\4user"
                                 "\2\16\2\2\10__name__\2up"
                                 "\2\25\3\2\10__name__\3cpu\4mode\4idle"
                                 "\0"
                                 "\5\320\17\100";
    struct buf b AUTO_BUF = {0};
    record_make(&b);
    CHECK(str_eq(buf_view(&b), str_of(golden, sizeof(golden) - 1)));
}

TEST(a_shared_label_that_no_definition_had_is_damage)
{
    struct label labels[LABELS_MAX] = {{STR("left"), STR("over")}};
    struct record_reader r = {.labels = labels};
    struct str tenant;
    struct labels ls;
    uint32_t slot = 0;
    CHECK_EQ(record_open(&r, STR("\1\1t\2\0\1\1"), &tenant), ERR_OK);
    CHECK_EQ(record_next_definition(&r, &slot, &ls), ERR_CORRUPT);
    struct record_reader longer = {.labels = labels};
    CHECK_EQ(record_open(&longer, STR("\1\1t\1\0\1\1a\1b\2\1\2\2"), &tenant), ERR_OK);
    CHECK_EQ(record_next_definition(&longer, &slot, &ls), ERR_OK);
    CHECK_EQ(record_next_definition(&longer, &slot, &ls), ERR_CORRUPT);
}
