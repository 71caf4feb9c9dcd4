/* The parts of the sample application that need no server: flags, the shape of traffic, the rate limit, the
 * timer. */
#include "harness.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "demo/demo_int.h"
#include "demo/options.h"

/* ---- flags ---- */

static enum err parse(struct demo_options *options, const char *const *arguments, struct err_info *info)
{
    static char program[] = "demo";
    char *argv[8] = {program};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++) {
        memcpy(&argv[argc], &arguments[argc - 1], sizeof argv[argc]);
    }
    bool help;
    demo_options_init(options);
    return demo_options_parse(argc, argv, options, &help, info);
}

TEST(flags_in_both_forms)
{
    struct demo_options options;
    struct err_info info;
    CHECK_OK(parse(&options,
                   (const char *const[]){"--port=0", "-log-path", "/tmp/x.log", "--rate-limit", "2.5", NULL},
                   &info));
    CHECK_EQ(options.port, 0);
    CHECK_STR(str_c(options.log_path), "/tmp/x.log");
    CHECK(options.rate_limit == 2.5);
    CHECK_STR(str_c(options.listen_address), "127.0.0.1");
}

TEST(wrong_flags_say_what_is_wrong)
{
    static const struct {
        const char *arguments[3];
        const char *message;
    } rows[] = {
        {{"--prot=1"}, "unknown flag --prot, did you mean --port?"},
        {{"--port=65536"}, "--port: \"65536\" is not a whole number from 0 to 65535"},
        {{"--port=1.5"}, "--port: \"1.5\" is not a whole number from 0 to 65535"},
        {{"--rate-limit=-1"}, "--rate-limit: \"-1\" is not a number from 0 to 1000000"},
        {{"--rate-limit=."}, "--rate-limit: \".\" is not a number from 0 to 1000000"},
        {{"--port"}, "--port needs a value"},
        {{"--log-path="}, "--log-path needs a value"},
        {{"five"}, "unexpected argument \"five\", see --help"},
        {{"--zzzzzzzz"}, "unknown flag --zzzzzzzz, see --help"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct demo_options options;
        struct err_info info = {0};
        CHECK_EQ(parse(&options, rows[i].arguments, &info), ERR_INVALID);
        CHECK_STR(str_c(info.message), rows[i].message);
    }
}

TEST(help_names_every_flag)
{
    struct buf text = {.size_bytes_max = 16384};
    size_t count;
    const struct demo_option *table = demo_option_table(&count);
    demo_options_help(&text);
    size_t named = 0;
    for (size_t i = 0; i < count; i++) {
        char flag[64];
        (void)snprintf(flag, sizeof flag, "--%s=", table[i].name);
        named += str_find(buf_view(&text), str_c(flag), 0) != STR_NPOS && table[i].help[0] != '\0';
    }
    buf_done(&text);
    CHECK_EQ(named, count);
}

/* ---- traffic ---- */

TEST(a_day_averages_one_and_has_night_and_afternoon)
{
    double sum = 0;
    for (int i = 0; i < 24 * 60; i++) {
        double share = demo_shape_hour(i / 60.0, 3);
        CHECK(share > 0.2 && share < 2);
        sum += share;
    }
    CHECK(fabs(sum / (24 * 60) - 1) < 0.02);
    CHECK(demo_shape_hour(4, 3) < 0.5 && demo_shape_hour(16, 3) > 1.4);
    CHECK(demo_shape_hour(12.5, 3) < (demo_shape_hour(11, 3) + demo_shape_hour(14, 3)) / 2);
    CHECK(demo_shape_hour(16, 0) < 0.7 * demo_shape_hour(16, 1));
}

TEST(every_route_comes_within_the_first_twenty_seconds)
{
    struct demo_shape shape;
    unsigned hits[DEMO_ROUTE_COUNT] = {0};
    unsigned requests = 0;
    demo_shape_init(&shape, test_seed());
    for (; demo_shape_warming(&shape); requests++) {
        char path[DEMO_PATH_MAX];
        demo_shape_path(&shape, path);
        size_t route = DEMO_OTHER;
        for (size_t i = 0; i < DEMO_OTHER; i++) {
            const char *endpoint = demo_route_endpoint((enum demo_route)i);
            bool user = i == DEMO_USER && strncmp(path, "/api/users/", 11) == 0;
            route = user || strcmp(path, endpoint) == 0 ? i : route;
        }
        hits[route]++;
    }
    for (size_t i = 0; i < DEMO_ROUTE_COUNT; i++) {
        CHECK(hits[i] > 0);
    }
    CHECK(requests * DEMO_WARM_UP_GAP_MS < 15000);
}

static double share_of(struct demo_shape *shape, const char *wanted)
{
    unsigned hits = 0;
    for (int i = 0; i < 20000; i++) {
        char path[DEMO_PATH_MAX];
        demo_shape_path(shape, path);
        hits += strcmp(path, wanted) == 0;
    }
    return hits / 20000.0;
}

TEST(errors_are_rare_but_for_incidents)
{
    struct demo_shape shape;
    demo_shape_init(&shape, test_seed());
    shape.warm_up = 1000;
    double calm = share_of(&shape, "/api/error");
    double slow = share_of(&shape, "/api/slow");
    shape.incident_left_s = 60;
    double incident = share_of(&shape, "/api/error");
    CHECK(calm > 0.01 && calm < 0.04);
    CHECK(slow > 0.02 && slow < 0.05);
    CHECK(incident > 0.1 && incident < 0.2);
}

TEST(a_simulated_day_has_the_asked_rate_bursts_and_incidents)
{
    struct demo_shape shape;
    double requests = 0;
    unsigned bursts = 0;
    unsigned incidents = 0;
    demo_shape_init(&shape, test_seed());
    for (int second = 0; second < 5 * 86400; second++) {
        bool burst = shape.burst_left_s > 0;
        bool incident = shape.incident_left_s > 0;
        double rate = demo_shape_advance(&shape, 1, fmod(second / 3600.0, 24), 2, 4);
        CHECK(rate > 0 && rate < 80);
        requests += rate;
        bursts += !burst && shape.burst_left_s > 0;
        incidents += !incident && shape.incident_left_s > 0;
    }
    double average = requests / (5 * 86400);
    CHECK(average > 4 && average < 6.5); /* bursts come on top */
    CHECK(bursts > 500 && bursts < 1200);
    CHECK(incidents > 100 && incidents < 260);
}

TEST(gaps_average_what_the_rate_says)
{
    struct demo_shape shape;
    double sum = 0;
    demo_shape_init(&shape, test_seed());
    for (int i = 0; i < 50000; i++) {
        sum += demo_shape_gap(&shape, 5);
    }
    CHECK(fabs(sum / 50000 - 0.2) < 0.01);
}

/* ---- rate limit ---- */

TEST(clients_are_limited_each_for_itself)
{
    struct demo_limiter *limiter;
    const int64_t now = 1000 * NS_PER_S;
    CHECK_OK(demo_limiter_new(2, &limiter));
    unsigned passed = 0;
    for (int i = 0; i < 10; i++) {
        passed += demo_limiter_take(limiter, STR("10.0.0.1"), now) == 0;
    }
    unsigned wait_s = demo_limiter_take(limiter, STR("10.0.0.1"), now);
    unsigned other = demo_limiter_take(limiter, STR("10.0.0.2"), now);
    unsigned later = demo_limiter_take(limiter, STR("10.0.0.1"), now + NS_PER_S / 2);
    unsigned too_soon = demo_limiter_take(limiter, STR("10.0.0.1"), now + NS_PER_S / 2);
    demo_limiter_free(limiter);
    CHECK_EQ(passed, 4);
    CHECK_EQ(wait_s, 1);
    CHECK_EQ(other, 0);
    CHECK_EQ(later, 0);
    CHECK_EQ(too_soon, 1);
}

TEST(slow_limits_name_the_whole_wait)
{
    struct demo_limiter *limiter;
    CHECK_OK(demo_limiter_new(0.1, &limiter));
    unsigned first = demo_limiter_take(limiter, STR("a"), NS_PER_S);
    unsigned second = demo_limiter_take(limiter, STR("a"), NS_PER_S);
    demo_limiter_free(limiter);
    CHECK_EQ(first, 0);
    CHECK_EQ(second, 10);
}

TEST(more_clients_than_places_are_still_served)
{
    struct demo_limiter *limiter;
    unsigned passed = 0;
    CHECK_OK(demo_limiter_new(1, &limiter));
    for (int i = 0; i < 4 * DEMO_CLIENTS_MAX; i++) {
        char client[32];
        int size = snprintf(client, sizeof client, "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);
        passed += demo_limiter_take(limiter, str_of(client, (size_t)size), NS_PER_S + i) == 0;
    }
    demo_limiter_free(limiter);
    CHECK_EQ(passed, 4 * DEMO_CLIENTS_MAX);
}

/* ---- slow calls ---- */

struct waiting {
    struct mutex lock;
    struct cond changed;
    int order[8];
    int count;
    int in_time;
};

struct one {
    struct waiting *all;
    int number;
};

static void one_done(void *context, bool in_time)
{
    struct one *one = context;
    mutex_lock(&one->all->lock);
    one->all->order[one->all->count++] = one->number;
    one->all->in_time += in_time;
    cond_signal(&one->all->changed);
    mutex_unlock(&one->all->lock);
}

TEST(slow_calls_end_in_order_of_their_time_and_at_stop)
{
    struct waiting all = {0};
    struct one calls[4] = {{&all, 30}, {&all, 10}, {&all, 20}, {&all, 99}};
    struct demo_slow *slow;
    mutex_init(&all.lock);
    cond_init(&all.changed);
    CHECK_OK(demo_slow_new(&slow));
    CHECK_OK(demo_slow_add(slow, 3600 * NS_PER_S, one_done, &calls[3]));
    CHECK_OK(demo_slow_add(slow, 30 * NS_PER_MS, one_done, &calls[0]));
    CHECK_OK(demo_slow_add(slow, 10 * NS_PER_MS, one_done, &calls[1]));
    CHECK_OK(demo_slow_add(slow, 20 * NS_PER_MS, one_done, &calls[2]));
    mutex_lock(&all.lock);
    while (all.count < 3) {
        cond_wait(&all.changed, &all.lock);
    }
    mutex_unlock(&all.lock);
    demo_slow_stop(slow);
    enum err after = demo_slow_add(slow, 1, one_done, &calls[0]);
    demo_slow_free(slow);
    cond_done(&all.changed);
    mutex_done(&all.lock);
    CHECK_EQ(after, ERR_UNAVAILABLE);
    CHECK_EQ(all.count, 4);
    CHECK_EQ(all.in_time, 3);
    CHECK(all.order[0] == 10 && all.order[1] == 20 && all.order[2] == 30 && all.order[3] == 99);
}

static void ignore_call(void *context, bool in_time)
{
    (void)context;
    (void)in_time;
}

TEST(waiting_slow_calls_are_bounded)
{
    struct demo_slow *slow;
    CHECK_OK(demo_slow_new(&slow));
    enum err e = ERR_OK;
    size_t added = 0;
    while (e == ERR_OK && added <= DEMO_SLOW_MAX) {
        e = demo_slow_add(slow, 3600 * NS_PER_S, ignore_call, NULL);
        added += e == ERR_OK;
    }
    demo_slow_free(slow);
    CHECK_EQ(e, ERR_LIMIT);
    CHECK_EQ(added, DEMO_SLOW_MAX);
}
