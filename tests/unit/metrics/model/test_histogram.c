/* Native histograms: known values of bounds, sums, quantiles, and what counts as valid, equal or reset. */
#include <float.h>
#include <math.h>

#include "base/err.h"
#include "harness.h"
#include "metrics/model/histogram_arith.h"
#include "metrics/model/value.h"

/* A histogram with one span a side. */
#define ONE_SPAN(offset, ...)                                                                             \
    .positive_spans = &(struct histogram_span){offset, sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, \
    .positive_span_count = 1, .positive = (double[]){__VA_ARGS__},                                        \
    .positive_count = sizeof((double[]){__VA_ARGS__}) / sizeof(double)
#define NEGATIVE_SPAN(offset, ...)                                                                        \
    .negative_spans = &(struct histogram_span){offset, sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, \
    .negative_span_count = 1, .negative = (double[]){__VA_ARGS__},                                        \
    .negative_count = sizeof((double[]){__VA_ARGS__}) / sizeof(double)
#define CUSTOM(...)                                                              \
    .schema = HISTOGRAM_SCHEMA_CUSTOM, .custom_values = (double[]){__VA_ARGS__}, \
    .custom_value_count = sizeof((double[]){__VA_ARGS__}) / sizeof(double)

static bool near(double got, double want)
{
    return got == want || fabs(got - want) <= 1e-15 * fabs(want);
}

TEST(bounds_are_powers_of_two_and_the_last_is_finite)
{
    CHECK(histogram_exponential_bound(0, 0) == 1);
    CHECK(histogram_exponential_bound(3, 0) == 8);
    CHECK(histogram_exponential_bound(-1, 0) == 0.5);
    CHECK(histogram_exponential_bound(1, -2) == 16);
    CHECK(histogram_exponential_bound(-1, -4) == 1.0 / 65536);
    CHECK(histogram_exponential_bound(512, 8) == 4);
    CHECK(near(histogram_exponential_bound(1, 3), 1.0905077326652577));
    CHECK(near(histogram_exponential_bound(-5, 3), 0.6484197773255048));
    CHECK(histogram_exponential_bound(1024, 0) == DBL_MAX);
    CHECK(isinf(histogram_exponential_bound(1025, 0)));
    CHECK(histogram_exponential_bound(64, -4) == DBL_MAX);
}

TEST(buckets_come_in_order_and_stop_at_the_zero_bucket)
{
    struct histogram h = {.zero_threshold = 0.75, .zero_count = 2, ONE_SPAN(0, 1, 3), NEGATIVE_SPAN(1, 4, 5)};
    static const double want[][3] = {{-4, -2, 5}, {-2, -1, 4}, {-0.75, 0.75, 2}, {0.75, 1, 1}, {1, 2, 3}};
    struct histogram_iter up = histogram_iter_all(&h, false), down = histogram_iter_all(&h, true);
    struct histogram_bucket b;
    for (size_t i = 0; i < 5; i++) {
        CHECK(histogram_iter_next(&up, &b));
        CHECK(b.lower == want[i][0] && b.upper == want[i][1] && b.count == want[i][2]);
        CHECK(histogram_iter_next(&down, &b));
        CHECK(b.lower == want[4 - i][0] && b.upper == want[4 - i][1] && b.count == want[4 - i][2]);
    }
    CHECK(!histogram_iter_next(&up, &b) && !histogram_iter_next(&down, &b));
}

TEST(spans_with_gaps_and_without_buckets)
{
    struct histogram_span spans[] = {{-2, 1}, {1, 0}, {2, 2}, {4, 0}};
    struct histogram h = {.positive_spans = spans,
                          .positive_span_count = 4,
                          .positive = (double[]){1, 2, 3},
                          .positive_count = 3};
    static const int64_t want[] = {-2, 2, 3};
    struct histogram_side up = histogram_side_up(&h, true), down = histogram_side_down(&h, true);
    int64_t index;
    double count;
    for (size_t i = 0; i < 3; i++) {
        CHECK(histogram_side_next(&up, &index, &count));
        CHECK_EQ(index, want[i]);
        CHECK(histogram_side_prev(&down, &index, &count));
        CHECK_EQ(index, want[2 - i]);
    }
    CHECK(!histogram_side_next(&up, &index, &count) && !histogram_side_prev(&down, &index, &count));
}

static bool counts_are(const double *got, uint32_t n, const double *want, size_t want_n)
{
    if (n != want_n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (got[i] != want[i]) {
            return false;
        }
    }
    return true;
}

TEST(sum_of_different_schemas_takes_the_coarser)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct histogram fine = {.schema = 1, .count = 10, .sum = 5, ONE_SPAN(1, 1, 2, 3, 4)};
    struct histogram coarse = {.schema = 0, .count = 30, .sum = 7, ONE_SPAN(0, 10, 20)};
    struct histogram_acc acc;
    struct histogram_meeting m;
    const struct histogram *sum = NULL;
    CHECK_OK(histogram_acc_init(&acc, &a, &fine));
    CHECK_OK(histogram_acc_add(&acc, &coarse, &m));
    CHECK_OK(histogram_acc_value(&acc, &sum));
    CHECK(!m.incompatible && !m.collision && !m.reconciled);
    CHECK(sum->schema == 0 && sum->count == 40 && sum->sum == 12 && sum->positive_spans[0].offset == 0);
    CHECK(counts_are(sum->positive, sum->positive_count, (double[]){10, 23, 7}, 3));
    CHECK_OK(histogram_acc_init(&acc, &a, &coarse));
    CHECK_OK(histogram_acc_sub(&acc, &fine, &m));
    histogram_acc_compact(&acc);
    CHECK_OK(histogram_acc_value(&acc, &sum));
    CHECK(counts_are(sum->positive, sum->positive_count, (double[]){10, 17, -7}, 3));
}

TEST(a_larger_zero_bucket_swallows_what_it_covers)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct histogram wide = {.zero_threshold = 3, .zero_count = 5, .count = 6, ONE_SPAN(4, 1)};
    struct histogram narrow = {.zero_threshold = 1, .zero_count = 1, .count = 14, ONE_SPAN(1, 2, 3, 4, 4)};
    struct histogram_acc acc;
    struct histogram_meeting m;
    const struct histogram *sum = NULL;
    CHECK_OK(histogram_acc_init(&acc, &a, &wide));
    CHECK_OK(histogram_acc_add(&acc, &narrow, &m));
    CHECK_OK(histogram_acc_value(&acc, &sum));
    CHECK(sum->zero_threshold == 4); /* 3 lies inside (2, 4] */
    CHECK(sum->zero_count == 11);
    CHECK(counts_are(sum->positive, sum->positive_count, (double[]){4, 5}, 2));
    CHECK_EQ(sum->positive_spans[0].offset, 3);
    CHECK_OK(histogram_acc_init(&acc, &a, &narrow));
    CHECK_OK(histogram_acc_add_compensated(&acc, &wide, &m));
    histogram_acc_settle(&acc);
    CHECK_OK(histogram_acc_value(&acc, &sum));
    CHECK(sum->zero_threshold == 4 && sum->zero_count == 11 && sum->count == 20);
}

TEST(custom_bounds_meet_in_their_intersection)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct histogram x = {CUSTOM(1, 2, 3), .count = 10, ONE_SPAN(0, 1, 2, 3, 4)};
    struct histogram y = {CUSTOM(2, 4), .count = 60, ONE_SPAN(0, 10, 20, 30)};
    struct histogram exponential = {.count = 1, ONE_SPAN(0, 1)};
    struct histogram_acc acc;
    struct histogram_meeting m;
    const struct histogram *sum = NULL;
    CHECK_OK(histogram_acc_init(&acc, &a, &x));
    CHECK_OK(histogram_acc_add(&acc, &y, &m));
    CHECK(m.reconciled);
    CHECK_OK(histogram_acc_value(&acc, &sum));
    CHECK(counts_are(sum->custom_values, sum->custom_value_count, (double[]){2}, 1));
    CHECK(counts_are(sum->positive, sum->positive_count, (double[]){13, 57}, 2));
    CHECK_OK(histogram_acc_add(&acc, &exponential, &m));
    CHECK(m.incompatible);
}

TEST(compensated_sums_keep_what_plain_ones_lose)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct histogram big = {.count = 1e100, .sum = 1e100, ONE_SPAN(0, 1e100)};
    struct histogram one = {.count = 1, .sum = 1, ONE_SPAN(0, 1)};
    struct histogram minus = {.count = -1e100, .sum = -1e100, ONE_SPAN(0, -1e100)};
    struct histogram_acc acc;
    struct histogram_meeting m;
    CHECK_OK(histogram_acc_init(&acc, &a, &big));
    CHECK_OK(histogram_acc_add_compensated(&acc, &one, &m));
    CHECK_OK(histogram_acc_add_compensated(&acc, &minus, &m));
    histogram_acc_settle(&acc);
    CHECK(acc.count == 1 && acc.sum == 1 && acc.positive.count[0] == 1);
}

TEST(hints_of_a_sum)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    static const uint8_t rows[][4] = {/* first, second, result, collision */
                                      {HRESET_NO, HRESET_NO, HRESET_NO, 0},
                                      {HRESET_NO, HRESET_YES, HRESET_UNKNOWN, 1},
                                      {HRESET_YES, HRESET_UNKNOWN, HRESET_UNKNOWN, 0},
                                      {HRESET_NO, HRESET_GAUGE, HRESET_GAUGE, 0},
                                      {HRESET_GAUGE, HRESET_YES, HRESET_GAUGE, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct histogram x = {.reset_hint = rows[i][0]}, y = {.reset_hint = rows[i][1]};
        struct histogram_acc acc;
        struct histogram_meeting m;
        CHECK_OK(histogram_acc_init(&acc, &a, &x));
        CHECK_OK(histogram_acc_add(&acc, &y, &m));
        CHECK_EQ(acc.reset_hint, rows[i][2]);
        CHECK_EQ(m.collision, rows[i][3]);
    }
}

TEST(resets)
{
    struct histogram h = {
        .schema = 1, .zero_threshold = 0.01, .zero_count = 2, .count = 12, ONE_SPAN(1, 1, 2, 3, 4)};
    struct histogram same = h, less = h, finer = h, wider = h, inside = h;
    less.positive = (double[]){1, 2, 2, 5};
    CHECK(!histogram_reset_since(&h, &same));
    CHECK(histogram_reset_since(&less, &h));
    finer.schema = 2;
    CHECK(histogram_reset_since(&finer, &h));
    struct histogram coarse = {
        .schema = 0, .zero_threshold = 0.01, .zero_count = 2, .count = 12, ONE_SPAN(1, 3, 7)};
    CHECK(!histogram_reset_since(&coarse, &h));
    wider.zero_threshold = sqrt(2) * 1.0000001;
    CHECK(histogram_reset_since(&wider, &h)); /* inside a populated bucket */
    inside.zero_threshold = 1;
    CHECK(!histogram_reset_since(&inside, &h));
    h.reset_hint = HRESET_YES;
    CHECK(histogram_reset_since(&h, &same));
    less.reset_hint = HRESET_NO;
    CHECK(!histogram_reset_since(&less, &same));
    struct histogram x = {CUSTOM(1, 2, 3), .count = 10, ONE_SPAN(0, 1, 2, 3, 4)};
    struct histogram y = {CUSTOM(2, 3), .count = 10, ONE_SPAN(0, 3, 3, 4)};
    CHECK(!histogram_reset_since(&y, &x));
    y.positive = (double[]){2, 4, 4};
    CHECK(histogram_reset_since(&y, &x));
}

TEST(hints_of_stored_samples)
{
    struct histogram h = {.count = 3, ONE_SPAN(0, 1, 2)}, more = h, stale = {.sum = stale_nan()}, other = h;
    more.count = 5;
    more.positive = (double[]){2, 3};
    other.schema = 1;
    CHECK_EQ(histogram_hint_after(&h, NULL), HRESET_UNKNOWN);
    CHECK_EQ(histogram_hint_after(&more, &h), HRESET_NO);
    CHECK_EQ(histogram_hint_after(&h, &more), HRESET_UNKNOWN);
    CHECK_EQ(histogram_hint_after(&other, &h), HRESET_UNKNOWN);
    CHECK_EQ(histogram_hint_after(&h, &stale), HRESET_UNKNOWN);
    more.reset_hint = HRESET_GAUGE;
    CHECK_EQ(histogram_hint_after(&more, &h), HRESET_GAUGE);
    CHECK_EQ(histogram_hint_after(&h, &more), HRESET_UNKNOWN);
}

TEST(quantiles_and_fractions)
{
    enum histogram_nans nans;
    struct histogram h = {
        .count = 12, .sum = 100, .zero_threshold = 0.001, .zero_count = 2, ONE_SPAN(0, 2, 3, 0, 1, 4)};
    CHECK(isinf(histogram_quantile_of(&h, 1.001, &nans)));
    CHECK(near(histogram_quantile_of(&h, 1, &nans), 16));
    CHECK(near(histogram_quantile_of(&h, 0.99, &nans), 15.67072476139083));
    CHECK(near(histogram_quantile_of(&h, 0.5, &nans), 1.5874010519681994));
    CHECK(near(histogram_quantile_of(&h, 0.1, &nans), 0.0006000000000000001));
    CHECK(histogram_quantile_of(&h, 0, &nans) == 0);
    CHECK(near(histogram_fraction_of(&h, 0, 2, &nans), 7.0 / 12));
    CHECK(near(histogram_fraction_of(&h, 1, 1.5874010519681994, &nans), 2.0 / 12));
    CHECK(histogram_fraction_of(&h, 3, 2, &nans) == 0);
    struct histogram none = {0};
    CHECK(isnan(histogram_quantile_of(&none, 0.5, &nans)));
    struct histogram custom = {CUSTOM(5, 10), .count = 8, .sum = 1, ONE_SPAN(0, 4, 2, 2)};
    CHECK(near(histogram_quantile_of(&custom, 0.25, &nans), 2.5));
    CHECK(histogram_quantile_of(&custom, 0.99, &nans) == 10);
    struct histogram hidden = {.count = 15, .sum = (double)NAN, ONE_SPAN(0, 12)};
    CHECK(isnan(histogram_quantile_of(&hidden, 0.81, &nans)));
    CHECK_EQ(nans, HISTOGRAM_NANS_RESULT);
    CHECK(near(histogram_quantile_of(&hidden, 0.4, &nans), 0.7071067811865475));
    CHECK_EQ(nans, HISTOGRAM_NANS_SKEW);
}

TEST(trimming_splits_the_bucket_that_holds_the_value)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct histogram h = {.count = 8, .sum = 20, ONE_SPAN(1, 2, 2, 4)};
    const struct histogram *t = NULL;
    CHECK_OK(histogram_trim(&a, &h, 100, true, &t));
    CHECK(t == &h);
    CHECK_OK(histogram_trim(&a, &h, 4, true, &t));
    CHECK(t->count == 4 && t->positive_count == 2);
    CHECK(near(t->sum, 2 * sqrt(2) + 2 * sqrt(8)));
    CHECK_OK(histogram_trim(&a, &h, 2 * sqrt(2), false, &t));
    CHECK(near(t->count, 5) && t->positive_count == 2);
}

static bool refused(const struct histogram *h, const char *why)
{
    struct err_info info = {0};
    return histogram_check(h, &info) == ERR_INVALID && strstr(info.message, why) != NULL;
}

TEST(invalid_histograms_are_told_why)
{
    struct histogram good = {.count = 3, .sum = 1, ONE_SPAN(0, 1, 2)}, h = good;
    CHECK_OK(histogram_check(&good, NULL));
    h.schema = 9;
    CHECK(refused(
        &h, "invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom"));
    h = good;
    h.positive_count = 1;
    CHECK(refused(&h,
                  "positive side: spans need 2 buckets, have 1 buckets: histogram spans specify different"));
    h = good;
    h.positive = (double[]){1, -1};
    CHECK(refused(
        &h, "positive side: bucket number 2 has observation count of -1: histogram has a bucket whose"));
    h = good;
    h.count = 4;
    CHECK(refused(
        &h, "3 observations found in buckets, but the Count field is 4: histogram's observation count"));
    h.sum = (double)NAN;
    CHECK_OK(histogram_check(&h, NULL));
    h.count = 2;
    CHECK(refused(&h, "should be at least the number of observations found in the buckets"));
    struct histogram custom = {CUSTOM(1, 2), .count = 3, .sum = 1, ONE_SPAN(0, 1, 2)};
    CHECK_OK(histogram_check(&custom, NULL));
    custom.custom_values = (double[]){2, 2};
    CHECK(refused(&custom,
                  "previous bound is 2.000000 and current is 2.000000: histogram custom bounds must be in"));
    custom.custom_values = (double[]){2, (double)INFINITY};
    CHECK(refused(&custom, "last +Inf bound must not be explicitly defined"));
    custom.custom_values = (double[]){1, 2};
    custom.custom_value_count = 0;
    CHECK(refused(&custom,
                  "only 0 custom bounds defined which is insufficient to cover total span length of 2"));
    custom.custom_value_count = 2;
    custom.zero_count = 1;
    CHECK(refused(&custom, "custom buckets: must have zero count of 0"));
}

TEST(equality_looks_at_layout_and_bits)
{
    struct histogram_span split[] = {{0, 1}, {0, 1}}, padded[] = {{1, 0}, {-1, 2}, {7, 0}};
    struct histogram h = {.count = 3, .sum = 1, ONE_SPAN(0, 1, 2)}, x = h;
    x.reset_hint = HRESET_GAUGE;
    CHECK(histogram_equal(&h, &x));
    x.positive_spans = padded;
    x.positive_span_count = 3;
    CHECK(histogram_equal(&h, &x));
    x.positive_spans = split;
    x.positive_span_count = 2;
    CHECK(!histogram_equal(&h, &x));
    x = h;
    x.sum = nextafter(1, 2);
    CHECK(!histogram_equal(&h, &x));
}

TEST(a_copy_in_one_piece_is_the_same)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct histogram h = {CUSTOM(1, 2), .count = 3, .sum = 1, ONE_SPAN(0, 1, 2), .reset_hint = HRESET_NO};
    void *mem = arena_alloc(&a, histogram_copy_bytes(&h));
    CHECK(mem);
    const struct histogram *c = histogram_copy(&h, mem);
    CHECK(histogram_equal(&h, c) && c->reset_hint == HRESET_NO && c->custom_values != h.custom_values);
}

static enum err add_all(void *ctx)
{
    struct histogram *h = ctx;
    struct arena a AUTO_ARENA;
    struct histogram_acc acc;
    struct histogram_meeting m;
    const struct histogram *sum = NULL;
    arena_init(&a, 0, NULL);
    enum err e = histogram_acc_init(&acc, &a, h);
    for (int i = 0; i < 200 && e == ERR_OK; i++) { /* a bucket further each time */
        struct histogram other = {.schema = h->schema, .count = 1, ONE_SPAN(i * 3, 1, 1)};
        e = histogram_acc_add_compensated(&acc, &other, &m);
    }
    return e == ERR_OK ? histogram_acc_value(&acc, &sum) : e;
}

TEST(every_allocation_of_a_sum_may_fail)
{
    struct histogram h = {.count = 3, ONE_SPAN(0, 1, 2)};
    test_fail_each(FAULT_ALLOC, add_all, &h);
}
