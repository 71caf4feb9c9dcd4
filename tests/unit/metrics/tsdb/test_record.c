/* Records of the log: definitions come back as they were written, also where they share labels with the one
 * before; the bytes of the format stay; damage is refused. */
#include "base/mem.h"
#include "base/rng.h"
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

static void sets_write(struct record_writer *w)
{
    for (uint32_t i = 0; i < ARRAY_LEN(sets); i++) {
        record_define(w, i * 7, sets[i]);
    }
    record_samples(w);
    struct sample_value v = {.bits = f64_bits(2)};
    record_sample(w, 0, 1000, &v);
}

static void record_make(struct buf *b)
{
    struct record_writer w;
    record_begin(&w, b, STR("t"));
    sets_write(&w);
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

#define SHARED                                           \
    "\1\0\3\10__name__\3cpu\10instance\3a:1\4mode\4idle" \
    "\2\7\3\3\4mode\4user"                               \
    "\2\16\2\2\10__name__\2up"                           \
    "\2\25\3\2\10__name__\3cpu\4mode\4idle"              \
    "\0"
#define WHOLE                                             \
    "\1\0\3\10__name__\3cpu\10instance\3a:1\4mode\4idle"  \
    "\1\7\3\10__name__\3cpu\10instance\3a:1\4mode\4user"  \
    "\1\16\2\10__name__\2up\10instance\3a:1"              \
    "\1\25\3\10__name__\3cpu\10instance\3a:1\4mode\4idle" \
    "\0"
#define SAMPLE "\5\320\17\100"

TEST(the_bytes_of_records_5_and_6_are_frozen)
{
    static const char samples[] = "\5\1t" SHARED SAMPLE, whole[] = "\6\1t\1" SHARED SAMPLE;
    struct buf b AUTO_BUF = {0};
    struct record_writer w;
    record_make(&b);
    CHECK(str_eq(buf_view(&b), str_of(samples, sizeof(samples) - 1)));
    record_begin_whole(&w, &b, STR("t"), true);
    sets_write(&w);
    CHECK(str_eq(buf_view(&b), str_of(whole, sizeof(whole) - 1)));
}

/* The number before the bytes of definitions and one sample; `late` for whole records. */
static bool sets_are_read(struct str record, bool whole)
{
    struct label labels[LABELS_MAX];
    struct record_reader r = {.labels = labels};
    struct str tenant;
    struct labels ls;
    struct sample_value v;
    uint32_t slot = 0;
    ts_ms ts = 0;
    bool late = false;
    enum err e = whole ? record_open_whole(&r, record, &tenant, &late) : record_open(&r, record, &tenant);
    bool same = e == ERR_OK && late == whole;
    for (uint32_t i = 0; same && i < ARRAY_LEN(sets); i++) {
        same = record_next_definition(&r, &slot, &ls) == ERR_OK && slot == i * 7 && labels_eq(ls, sets[i]);
    }
    same = same && record_next_definition(&r, &slot, &ls) == ERR_NOT_FOUND &&
           record_next_sample(&r, &slot, &ts, &v) == ERR_OK;
    return same && slot == 0 && ts == 1000 && f64_of_bits(v.bits) == 2;
}

TEST(records_of_every_version_stay_readable)
{
    static const char one[] = "\1\1t" WHOLE SAMPLE, three[] = "\3\1t\1" WHOLE SAMPLE;
    static const char five[] = "\5\1t" SHARED SAMPLE, six[] = "\6\1t\1" SHARED SAMPLE;
    CHECK(sets_are_read(str_of(one, sizeof(one) - 1), false));
    CHECK(sets_are_read(str_of(three, sizeof(three) - 1), true));
    CHECK(sets_are_read(str_of(five, sizeof(five) - 1), false));
    CHECK(sets_are_read(str_of(six, sizeof(six) - 1), true));
    CHECK(!sets_are_read(str_of(one, sizeof(one) - 1), true));
    CHECK(!sets_are_read(str_of(six, sizeof(six) - 1), false));
}

TEST(a_shared_label_that_no_definition_had_is_damage)
{
    struct label labels[LABELS_MAX] = {{STR("left"), STR("over")}};
    struct record_reader r = {.labels = labels};
    struct str tenant;
    struct labels ls;
    uint32_t slot = 0;
    CHECK_EQ(record_open(&r, STR("\5\1t\2\0\1\1"), &tenant), ERR_OK);
    CHECK_EQ(record_next_definition(&r, &slot, &ls), ERR_CORRUPT);
    struct record_reader longer = {.labels = labels};
    CHECK_EQ(record_open(&longer, STR("\5\1t\1\0\1\1a\1b\2\1\2\2"), &tenant), ERR_OK);
    CHECK_EQ(record_next_definition(&longer, &slot, &ls), ERR_OK);
    CHECK_EQ(record_next_definition(&longer, &slot, &ls), ERR_CORRUPT);
}

/* Random samples of a record: floats of every form, a start timestamp now and then. */
static void samples_make(struct rng *r, struct buf *b, size_t n)
{
    struct record_writer w;
    record_begin(&w, b, STR("t"));
    record_samples(&w);
    ts_ms ts = 0;
    uint32_t slot = 0;
    for (size_t i = 0; i < n; i++) {
        ts = rng_below(r, 4) ? ts : (ts_ms)(rng_u64(r) >> rng_below(r, 63)) - 1000;
        slot = rng_below(r, 3) ? slot + 1 : (uint32_t)rng_below(r, SLOTS_MAX);
        slot = slot < SLOTS_MAX ? slot : 0;
        uint64_t bits = rng_below(r, 2) ? f64_bits((double)(rng_u64(r) >> rng_below(r, 64)))
                                        : rng_u64(r) << (8 * rng_below(r, 8));
        struct sample_value v = {.bits = bits, .start = rng_below(r, 30) ? 0 : 7};
        record_sample(&w, slot, ts, &v);
    }
}

/* The samples from here on, read fast where that is possible or one by one. */
static enum err samples_sum(struct record_reader *in, bool fast, uint64_t *ret_sum)
{
    struct record_float row[7];
    struct sample_value v = {0};
    uint32_t slot = 0;
    ts_ms ts = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        size_t n = fast ? record_next_floats(in, row, ARRAY_LEN(row)) : 0;
        for (size_t i = 0; i < n; i++) {
            *ret_sum = (*ret_sum ^ row[i].slot ^ (uint64_t)row[i].ts ^ row[i].bits) * 0x9e3779b97f4a7c15u;
        }
        if (n == 0 && (e = record_next_sample(in, &slot, &ts, &v)) == ERR_OK) {
            *ret_sum = (*ret_sum ^ slot ^ (uint64_t)ts ^ v.bits) * 0x9e3779b97f4a7c15u;
        }
    }
    return e;
}

TEST(floats_read_fast_are_those_read_one_by_one_also_when_damaged)
{
    struct rng r;
    rng_init(&r, test_seed());
    for (unsigned round = 0; round < 2000; round++) {
        struct buf b AUTO_BUF = {0};
        samples_make(&r, &b, rng_below(&r, 60));
        size_t n = round % 3 ? b.n : 4 + rng_below(&r, b.n - 3);
        char *exact = mem_dup(b.p, n); /* no byte behind the record may be read */
        CHECK(exact != NULL);
        if (round % 5 == 0 && n > 4) {
            exact[4 + rng_below(&r, n - 4)] ^= (char)(1u << rng_below(&r, 8));
        }
        enum err e[2];
        uint64_t sum[2] = {0};
        for (int fast = 0; fast < 2; fast++) {
            struct label labels[LABELS_MAX];
            struct arena memory AUTO_ARENA;
            struct record_reader in = {.labels = labels, .memory = &memory};
            struct str tenant;
            struct labels ls;
            uint32_t slot = 0;
            arena_init(&memory, 0, NULL);
            CHECK_EQ(record_open(&in, str_of(exact, n), &tenant), ERR_OK);
            CHECK_EQ(record_next_definition(&in, &slot, &ls), ERR_NOT_FOUND);
            e[fast] = samples_sum(&in, fast, &sum[fast]);
        }
        mem_free(exact);
        CHECK_EQ(e[0], e[1]);
        CHECK(sum[0] == sum[1]);
    }
}
