/* Metrics of libcairn: what series count, what families refuse, what many threads do to them. */
#include "harness.h"

#include "client_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct cairn_registry *registry_make(void)
{
    struct cairn_registry *registry = NULL;
    if (cairn_registry_new(&registry) != CAIRN_OK) {
        abort();
    }
    return registry;
}

static struct cairn_family *family_make(struct cairn_registry *registry, struct cairn_family_options options)
{
    struct cairn_family *family = NULL;
    options.help = options.help != NULL ? options.help : "help";
    if (cairn_family_new(registry, &options, &family) != CAIRN_OK) {
        return NULL;
    }
    return family;
}

static enum cairn_err refusal(struct cairn_registry *registry, struct cairn_family_options options)
{
    struct cairn_family *family = NULL;
    options.help = options.help != NULL ? options.help : "help";
    return cairn_family_new(registry, &options, &family);
}

TEST(counter_keeps_whole_units_and_fractions)
{
    struct cairn_registry *registry = registry_make();
    struct cairn_counter *counter =
        cairn_counter(family_make(registry, (struct cairn_family_options){.name = "a_total"}), NULL);
    cairn_counter_inc(counter);
    cairn_counter_add(counter, 41);
    cairn_counter_add(counter, 0.5);
    cairn_counter_add(counter, -7);
    cairn_counter_add(counter, (double)NAN);
    double value = cairn_counter_value(counter);
    cairn_registry_free(registry);
    CHECK(value == 42.5);
}

TEST(refused_series_is_null_and_harmless)
{
    cairn_counter_inc(NULL);
    cairn_gauge_set(NULL, 1);
    cairn_histogram_observe(NULL, 1);
    cairn_summary_observe(NULL, 1);
    cairn_stateset_set(NULL, 0, true);
    CHECK(cairn_counter_value(NULL) == 0);
    CHECK(cairn_counter(NULL, NULL) == NULL);
}

TEST(gauge_goes_both_ways)
{
    struct cairn_registry *registry = registry_make();
    struct cairn_gauge *gauge = cairn_gauge(
        family_make(registry, (struct cairn_family_options){.type = CAIRN_GAUGE, .name = "g"}), NULL);
    cairn_gauge_set(gauge, 10);
    cairn_gauge_inc(gauge);
    cairn_gauge_dec(gauge);
    cairn_gauge_dec(gauge);
    cairn_gauge_add(gauge, -20.5);
    double value = cairn_gauge_value(gauge);
    cairn_registry_free(registry);
    CHECK(value == -11.5);
}

TEST(same_labels_same_series)
{
    static const char *const labels[] = {"a", "b"};
    struct cairn_registry *registry = registry_make();
    struct cairn_family *family = family_make(
        registry, (struct cairn_family_options){.name = "n_total", .label_names = labels, .label_count = 2});
    struct cairn_counter *one = cairn_counter(family, (const char *const[]){"x", "yz"});
    struct cairn_counter *other = cairn_counter(family, (const char *const[]){"xy", "z"});
    struct cairn_counter *again = cairn_counter(family, (const char *const[]){"x", "yz"});
    bool same = one == again;
    bool apart = one != other && other != NULL;
    cairn_registry_free(registry);
    CHECK(same);
    CHECK(apart);
}

TEST(full_family_refuses_and_counts)
{
    static const char *const labels[] = {"id"};
    struct cairn_registry *registry = registry_make();
    struct cairn_family *family = family_make(
        registry, (struct cairn_family_options){
                      .name = "n_total", .label_names = labels, .label_count = 1, .series_max = 100});
    size_t made = 0;
    for (int i = 0; i < 150; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        made += cairn_counter(family, (const char *const[]){id}) != NULL;
    }
    bool old_one_found = cairn_counter(family, (const char *const[]){"99"}) != NULL;
    uint64_t refused = cairn_family_refused(family);
    cairn_registry_free(registry);
    CHECK_EQ(made, 100);
    CHECK_EQ(refused, 50);
    CHECK(old_one_found);
}

TEST(wrong_type_missing_and_bad_values_are_refused)
{
    static const char *const labels[] = {"id"};
    struct cairn_registry *registry = registry_make();
    struct cairn_family *family = family_make(
        registry, (struct cairn_family_options){.name = "n_total", .label_names = labels, .label_count = 1});
    char *longest = calloc(1, CAIRN_LABEL_VALUE_MAX + 2);
    CHECK(longest != NULL);
    memset(longest, 'x', CAIRN_LABEL_VALUE_MAX + 1);
    bool refused = cairn_gauge(family, (const char *const[]){"a"}) == NULL &&
                   cairn_counter(family, NULL) == NULL &&
                   cairn_counter(family, (const char *const[]){NULL}) == NULL &&
                   cairn_counter(family, (const char *const[]){"\xff"}) == NULL &&
                   cairn_counter(family, (const char *const[]){longest}) == NULL;
    longest[CAIRN_LABEL_VALUE_MAX] = '\0';
    bool longest_taken = cairn_counter(family, (const char *const[]){longest}) != NULL;
    uint64_t count = cairn_family_refused(family);
    free(longest);
    cairn_registry_free(registry);
    CHECK(refused);
    CHECK(longest_taken);
    CHECK_EQ(count, 5);
}

TEST(histogram_puts_bounds_into_their_bucket)
{
    static const double bounds[] = {1, 2, 5};
    struct cairn_registry *registry = registry_make();
    struct cairn_histogram *histogram = cairn_histogram(
        family_make(registry,
                    (struct cairn_family_options){
                        .type = CAIRN_HISTOGRAM, .name = "h", .bounds = bounds, .bound_count = 3}),
        NULL);
    static const double values[] = {1, 1.5, 2, 5.01, -3, 1e300};
    for (size_t i = 0; i < 6; i++) {
        cairn_histogram_observe(histogram, values[i]);
    }
    char *text = NULL;
    size_t size = 0;
    enum cairn_err err = cairn_registry_render(registry, (struct cairn_format){0}, &text, &size);
    bool right = err == CAIRN_OK && strstr(text, "h_bucket{le=\"1.0\"} 2\n") &&
                 strstr(text, "h_bucket{le=\"2.0\"} 4\n") && strstr(text, "h_bucket{le=\"5.0\"} 4\n") &&
                 strstr(text, "h_bucket{le=\"+Inf\"} 6\n") && strstr(text, "h_count 6\n");
    free(text);
    cairn_registry_free(registry);
    CHECK(right);
}

TEST(histogram_with_many_bounds_agrees_with_a_plain_search)
{
    double bounds[CAIRN_BUCKETS_MAX];
    struct cairn_registry *registry = registry_make();
    cairn_bounds_linear(-50, 0.5, CAIRN_BUCKETS_MAX, bounds);
    struct cairn_histogram *histogram = cairn_histogram(
        family_make(registry, (struct cairn_family_options){.type = CAIRN_HISTOGRAM,
                                                            .name = "h",
                                                            .bounds = bounds,
                                                            .bound_count = CAIRN_BUCKETS_MAX}),
        NULL);
    /* One observation on each bound: every bucket must hold exactly one. */
    for (size_t i = 0; i < CAIRN_BUCKETS_MAX; i++) {
        cairn_histogram_observe(histogram, bounds[i]);
    }
    cairn_histogram_observe(histogram, (double)NAN);
    char *text = NULL;
    size_t size = 0;
    enum cairn_err err = cairn_registry_render(registry, (struct cairn_format){0}, &text, &size);
    bool right = err == CAIRN_OK;
    for (size_t i = 0; i < CAIRN_BUCKETS_MAX && right; i++) {
        char bound[CAIRN__NUMBER_MAX];
        char line[128];
        (void)cairn__number_label(bounds[i], bound);
        (void)snprintf(line, sizeof line, "h_bucket{le=\"%s\"} %zu\n", bound, i + 1);
        right = strstr(text, line) != NULL;
    }
    free(text);
    uint64_t count = cairn_histogram_count(histogram);
    bool nan_sum = isnan(cairn_histogram_sum(histogram));
    cairn_registry_free(registry);
    CHECK(right);
    CHECK(nan_sum);
    CHECK_EQ(count, CAIRN_BUCKETS_MAX + 1);
}

static bool near(double got, double want)
{
    return fabs(got - want) <= fabs(want) * 0.008;
}

TEST(summary_quantiles_are_close)
{
    static const double quantiles[] = {.5};
    struct cairn_registry *registry = registry_make();
    struct cairn_summary *summary = cairn_summary(
        family_make(registry,
                    (struct cairn_family_options){
                        .type = CAIRN_SUMMARY, .name = "s", .quantiles = quantiles, .quantile_count = 1}),
        NULL);
    CHECK(isnan(cairn_summary_quantile(summary, 0.5)));
    for (int i = 1; i <= 1000; i++) {
        cairn_summary_observe(summary, i);
        cairn_summary_observe(summary, -i);
    }
    cairn_summary_observe(summary, 0);
    bool right = near(cairn_summary_quantile(summary, 0.75), 500) &&
                 near(cairn_summary_quantile(summary, 0.995), 990) &&
                 near(cairn_summary_quantile(summary, 0.25), -500) &&
                 near(cairn_summary_quantile(summary, 0), -1000) &&
                 near(cairn_summary_quantile(summary, 1), 1000) && cairn_summary_quantile(summary, 0.5) == 0;
    bool exact = cairn_summary_count(summary) == 2001 && cairn_summary_sum(summary) == 0;
    cairn_registry_free(registry);
    CHECK(right);
    CHECK(exact);
}

TEST(summary_window_slides)
{
    static const double quantiles[] = {.5};
    const int64_t second = 1000000000;
    struct cairn_registry *registry = registry_make();
    struct cairn_summary *summary =
        cairn_summary(family_make(registry, (struct cairn_family_options){.type = CAIRN_SUMMARY,
                                                                          .name = "s",
                                                                          .quantiles = quantiles,
                                                                          .quantile_count = 1,
                                                                          .window_s = 60}),
                      NULL);
    cairn__clock_override(100000 * second);
    for (int i = 0; i < 9; i++) {
        cairn_summary_observe(summary, 100);
    }
    cairn__clock_override(100050 * second);
    cairn_summary_observe(summary, 7);
    double both = cairn_summary_quantile(summary, 0.5);
    cairn__clock_override(100075 * second);
    double young = cairn_summary_quantile(summary, 0.5);
    cairn_summary_observe(summary, 9);
    cairn__clock_override(100200 * second);
    double none = cairn_summary_quantile(summary, 0.5);
    cairn__clock_override(0);
    uint64_t count = cairn_summary_count(summary);
    cairn_registry_free(registry);
    CHECK(near(both, 100));
    CHECK(near(young, 7));
    CHECK(isnan(none));
    CHECK_EQ(count, 11);
}

TEST(hidden_series_comes_back_with_its_value)
{
    static const char *const labels[] = {"id"};
    struct cairn_registry *registry = registry_make();
    struct cairn_family *family = family_make(
        registry, (struct cairn_family_options){.name = "n_total", .label_names = labels, .label_count = 1});
    const char *const values[] = {"gone"};
    char *text = NULL;
    size_t size = 0;
    cairn_counter_add(cairn_counter(family, values), 3);
    bool hidden = cairn_family_hide(family, values) && !cairn_family_hide(family, values);
    bool empty =
        cairn_registry_render(registry, (struct cairn_format){0}, &text, &size) == CAIRN_OK && size == 0;
    free(text);
    double value = cairn_counter_value(cairn_counter(family, values));
    cairn_registry_free(registry);
    CHECK(hidden);
    CHECK(empty);
    CHECK(value == 3);
}

TEST(bad_families_are_refused)
{
    static const char *const le[] = {"le"};
    static const char *const twice[] = {"a", "a"};
    static const char *const reserved[] = {"__name__"};
    static const double falling[] = {2, 1};
    static const double wide[] = {0.5, 1.5};
    struct cairn_registry *registry = registry_make();
    const struct cairn_family_options bad[] = {
        {.name = NULL},
        {.name = ""},
        {.name = "\xff"},
        {.name = "x", .label_names = twice, .label_count = 2},
        {.name = "x", .label_names = reserved, .label_count = 1},
        {.name = "x", .label_count = 1},
        {.type = CAIRN_HISTOGRAM, .name = "x", .label_names = le, .label_count = 1},
        {.type = CAIRN_HISTOGRAM, .name = "x", .bounds = falling, .bound_count = 2},
        {.type = CAIRN_SUMMARY, .name = "x", .quantiles = wide, .quantile_count = 2},
        {.type = CAIRN_SUMMARY, .name = "x", .window_s = -1},
        {.type = CAIRN_INFO, .name = "x"},
        {.type = CAIRN_STATESET, .name = "x"},
        {.type = CAIRN_UNKNOWN, .name = "x"},
        {.name = "x_total", .unit = "seconds"},
        {.name = "seconds", .unit = "seconds"},
    };
    size_t refused = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused += refusal(registry, bad[i]) == CAIRN_ERR_INVALID;
    }
    enum cairn_err limit = refusal(registry, (struct cairn_family_options){.name = "x", .label_count = 17});
    enum cairn_err good =
        refusal(registry, (struct cairn_family_options){.name = "x_seconds_total", .unit = "seconds"});
    cairn_registry_free(registry);
    CHECK_EQ(refused, sizeof bad / sizeof bad[0]);
    CHECK_EQ(limit, CAIRN_ERR_LIMIT);
    CHECK_EQ(good, CAIRN_OK);
}

TEST(sample_names_may_not_meet)
{
    struct cairn_registry *registry = registry_make();
    bool first =
        refusal(registry, (struct cairn_family_options){.type = CAIRN_HISTOGRAM, .name = "h"}) == CAIRN_OK &&
        refusal(registry, (struct cairn_family_options){.name = "c_total"}) == CAIRN_OK &&
        refusal(registry, (struct cairn_family_options){.type = CAIRN_INFO, .name = "i_info"}) == CAIRN_OK;
    const struct cairn_family_options clashing[] = {
        {.type = CAIRN_GAUGE, .name = "h_count"},
        {.type = CAIRN_GAUGE, .name = "h"},
        {.name = "h_sum"},
        {.type = CAIRN_GAUGE, .name = "c"},
        {.name = "c_total"},
        {.type = CAIRN_GAUGE, .name = "i"},
    };
    size_t refused = 0;
    for (size_t i = 0; i < sizeof clashing / sizeof clashing[0]; i++) {
        refused += refusal(registry, clashing[i]) == CAIRN_ERR_EXISTS;
    }
    bool apart =
        refusal(registry, (struct cairn_family_options){.type = CAIRN_GAUGE, .name = "h_counter"}) ==
            CAIRN_OK &&
        refusal(registry, (struct cairn_family_options){.name = "request_count"}) == CAIRN_OK &&
        refusal(registry, (struct cairn_family_options){.type = CAIRN_HISTOGRAM,
                                                        .name = "request_duration_seconds"}) == CAIRN_OK;
    cairn_registry_free(registry);
    CHECK(first);
    CHECK_EQ(refused, sizeof clashing / sizeof clashing[0]);
    CHECK(apart);
}

TEST(numbers_read_back_and_are_short)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {0.005, "0.005"},
        {1e15, "1000000000000000"},
        {1e300, "1e+300"},
        {123456.789, "123456.789"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "4.94065645841247e-324"},
        {HUGE_VAL, "+Inf"},
        {-HUGE_VAL, "-Inf"},
        {(double)NAN, "NaN"},
        {0.000000001, "0.000000001"},
        {1795531144.2, "1795531144.2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[CAIRN__NUMBER_MAX];
        size_t size = cairn__number(rows[i].value, text);
        CHECK_STR(((struct str){text, size}), rows[i].text);
    }
    uint64_t state = test_seed() | 1;
    for (int i = 0; i < 20000; i++) {
        char text[CAIRN__NUMBER_MAX];
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        double value = cairn__from_bits(state);
        value = i % 2 == 0 ? value : (double)(int64_t)(state >> 20) / 1e6;
        if (isfinite(value)) {
            (void)cairn__number(value, text);
            CHECK(strtod(text, NULL) == value);
        }
    }
}

/* ---- many threads ---- */

enum {
    THREADS = 4,
    EACH = 20000
};

static void *hammer(void *context)
{
    struct cairn_family *const *families = context;
    for (int i = 0; i < EACH; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i % 300);
        cairn_counter_inc(cairn_counter(families[0], (const char *const[]){id}));
        cairn_histogram_observe(cairn_histogram(families[1], NULL), i % 7);
        cairn_summary_observe(cairn_summary(families[2], NULL), i);
        struct cairn_label trace = {"trace_id", id};
        if (cairn_histogram_observe_exemplar(cairn_histogram(families[1], NULL), 1, &trace, 1) != CAIRN_OK) {
            return (void *)1;
        }
        cairn_gauge_inc(cairn_gauge(families[3], NULL));
    }
    return NULL;
}

static bool ignore(void *context, const char *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return true;
}

TEST(nothing_is_lost_under_threads)
{
    static const char *const labels[] = {"id"};
    static const double quantiles[] = {.5, .99};
    struct cairn_registry *registry = registry_make();
    struct cairn_family *families[] = {
        family_make(
            registry,
            (struct cairn_family_options){.name = "c_total", .label_names = labels, .label_count = 1}),
        family_make(registry, (struct cairn_family_options){.type = CAIRN_HISTOGRAM, .name = "h"}),
        family_make(registry,
                    (struct cairn_family_options){
                        .type = CAIRN_SUMMARY, .name = "s", .quantiles = quantiles, .quantile_count = 2}),
        family_make(registry, (struct cairn_family_options){.type = CAIRN_GAUGE, .name = "g"}),
    };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, hammer, families), 0);
    }
    bool exposed = true;
    for (int i = 0; i < 20; i++) {
        struct cairn_format format = {.exposition = CAIRN_OPENMETRICS_1_0_0};
        exposed = exposed && cairn_registry_write(registry, format, ignore, NULL) == CAIRN_OK;
    }
    bool kept = true;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        kept = kept && result == NULL;
    }
    double total = 0;
    for (int i = 0; i < 300; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        total += cairn_counter_value(cairn_counter(families[0], (const char *const[]){id}));
    }
    uint64_t observed = cairn_histogram_count(cairn_histogram(families[1], NULL));
    uint64_t summed = cairn_summary_count(cairn_summary(families[2], NULL));
    double gauge = cairn_gauge_value(cairn_gauge(families[3], NULL));
    cairn_registry_free(registry);
    CHECK(exposed && kept);
    CHECK_EQ(total, THREADS * EACH);
    CHECK_EQ(observed, 2 * THREADS * EACH);
    CHECK_EQ(summed, THREADS * EACH);
    CHECK_EQ(gauge, THREADS * EACH);
}
