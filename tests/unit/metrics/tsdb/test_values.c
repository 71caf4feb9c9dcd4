/* Columns come back bit for bit, in no more bytes than promised; cut and damaged ones are refused. */
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/values.h"

enum {
    COUNT_MAX = 500,
    KINDS = 10
};

static uint64_t value_of(struct rng *r, unsigned kind, size_t i)
{
    static const uint64_t odd[] = {STALE_NAN_BITS,
                                   NORMAL_NAN_BITS,
                                   0x7ff800000000abcd,
                                   0x8000000000000000,
                                   0x7ff0000000000000,
                                   0xfff0000000000000,
                                   1,
                                   0xffffffffffffffff,
                                   0,
                                   0x4340000000000000,
                                   0x433fffffffffffff,
                                   0x7fefffffffffffff};
    double step = (double)i;
    switch (kind) {
    case 0:
        return f64_bits(42);
    case 1:
        return f64_bits(step * 15);
    case 2:
        return f64_bits(step * 1000 + (double)rng_below(r, 10));
    case 3:
        return f64_bits((double)rng_below(r, 10000) / 100);
    case 4:
        return f64_bits(rng_f64(r));
    case 5:
        return rng_u64(r);
    case 6:
        return odd[rng_below(r, ARRAY_LEN(odd))];
    case 7:
        return rng_below(r, 40) ? f64_bits(step * step) : odd[rng_below(r, ARRAY_LEN(odd))];
    case 8:
        return f64_bits(-1e15 + (double)rng_below(r, 3) * 2e15);
    default:
        return f64_bits(0.1 * step);
    }
}

/* Whether integers are decoded alike with and without the instructions of some processors. */
static bool plain_same(unsigned mode, const uint8_t *p, size_t bytes, size_t n, enum err e,
                       const uint64_t *back)
{
    static uint64_t plain[COUNT_MAX];
    if (mode != VALUES_INTEGERS) {
        return true;
    }
    enum err other = integers_decode_plain(p, bytes, n, plain);
    return other == e && (e != ERR_OK || memcmp(plain, back, n * sizeof(*plain)) == 0);
}

TEST(every_column_comes_back_bit_for_bit)
{
    struct rng r;
    rng_init(&r, test_seed());
    static uint64_t v[COUNT_MAX], back[COUNT_MAX];
    for (unsigned round = 0; round < 3000; round++) {
        size_t n = 1 + rng_below(&r, round % 7 ? 120 : COUNT_MAX);
        for (size_t i = 0; i < n; i++) {
            v[i] = value_of(&r, round % KINDS, i);
        }
        uint8_t *out = malloc(values_bound(n));
        uint8_t mode = 255;
        size_t bytes = values_encode(v, n, out, &mode);
        bool fits = bytes <= values_bound(n);
        uint8_t *exact = malloc(bytes); /* no byte behind the column may be read */
        memcpy(exact, out, bytes);
        enum err e = values_decode(mode, exact, bytes, n, back);
        bool same =
            e == ERR_OK && memcmp(v, back, n * sizeof(*v)) == 0 && plain_same(mode, exact, bytes, n, e, back);
        free(out);
        free(exact);
        CHECK(fits);
        CHECK(same);
    }
}

TEST(damaged_columns_are_refused_or_harmless)
{
    struct rng r;
    rng_init(&r, test_seed());
    static uint64_t v[120], back[120];
    for (unsigned round = 0; round < 3000; round++) {
        size_t n = 2 + rng_below(&r, 118);
        for (size_t i = 0; i < n; i++) {
            v[i] = value_of(&r, round % KINDS, i);
        }
        uint8_t *out = malloc(values_bound(n));
        uint8_t mode = 255;
        size_t bytes = values_encode(v, n, out, &mode), cut = rng_below(&r, bytes + 1);
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, out, cut);
        if (cut && round % 2) {
            exact[rng_below(&r, cut)] ^= (uint8_t)(1u << rng_below(&r, 8));
        }
        enum err e = values_decode(mode, exact, cut, n, back);
        bool same = plain_same(mode, exact, cut, n, e, back);
        free(out);
        free(exact);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        CHECK(same);
        /* A constant of fewer bytes is another constant: pages have checksums. */
        CHECK(round % 2 || cut == bytes || mode == VALUES_CONST || e == ERR_CORRUPT);
    }
}

TEST(usual_columns_are_small)
{
    struct rng r;
    rng_init(&r, test_seed());
    static const struct {
        unsigned kind;
        double bytes_max; /* a value, at 120 values */
    } want[] = {{0, 0.1}, {1, 0.2}, {2, 0.9}, {3, 2.0}};
    for (size_t k = 0; k < ARRAY_LEN(want); k++) {
        uint64_t v[120];
        uint8_t out[120 * XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES + 32], mode;
        for (size_t i = 0; i < 120; i++) {
            v[i] = value_of(&r, want[k].kind, i);
        }
        CHECK((double)values_encode(v, 120, out, &mode) <= want[k].bytes_max * 120);
    }
}

TEST(timestamps_come_back)
{
    struct rng r;
    rng_init(&r, test_seed());
    int64_t ts[200], back[200];
    for (unsigned round = 0; round < 500; round++) {
        size_t n = 1 + rng_below(&r, 199);
        ts[0] = round % 5 ? (int64_t)1700000000000 : INT64_MIN + (int64_t)rng_below(&r, 100);
        for (size_t i = 1; i < n; i++) {
            ts[i] = ts[i - 1] + 1 + (int64_t)(round % 3 ? 15000 : rng_u64(&r) >> (8 + rng_below(&r, 50)));
        }
        uint8_t out[2000];
        size_t bytes = times_encode(ts, n, out);
        CHECK_OK(times_decode(out, bytes, ts[0], n, back));
        CHECK(memcmp(ts, back, n * sizeof(*ts)) == 0);
    }
}
