/* base: the pieces everything else stands on. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "harness.h"

TEST(every_error_has_a_row)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        CHECK(err_name((enum err)e) && err_name((enum err)e)[0]);
        CHECK(err_http_status((enum err)e) >= 200);
    }
}

TEST(error_renders_its_place)
{
    struct err_info info;
    char text[256];
    CHECK_EQ(err_set_at(&info, ERR_INVALID, 3, 7, "unknown key \"%s\"", "scrap"), ERR_INVALID);
    err_in_file(&info, "prometheus.yml");
    CHECK_STR(str_c(err_render(&info, text, sizeof(text))), "prometheus.yml:3:7: unknown key \"scrap\"");
}

TEST(integers_parse_whole_or_not_at_all)
{
    int64_t v = 0;
    CHECK_OK(str_to_i64(STR("-9223372036854775808"), &v));
    CHECK_EQ(v, INT64_MIN);
    CHECK_EQ(str_to_i64(STR("9223372036854775808"), &v), ERR_INVALID);
    CHECK_EQ(str_to_i64(STR("12x"), &v), ERR_INVALID);
    CHECK_EQ(str_to_i64(STR("-+1"), &v), ERR_INVALID);
    CHECK_EQ(str_to_i64(STR(""), &v), ERR_INVALID);
}

TEST(utf8_refuses_what_the_standard_refuses)
{
    CHECK(str_utf8_valid(STR("plain ascii, long enough for the word loop")));
    CHECK(str_utf8_valid(STR("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80")));
    CHECK(!str_utf8_valid(STR("\xc0\x80")));
    CHECK(!str_utf8_valid(STR("\xed\xa0\x80")));
    CHECK(!str_utf8_valid(STR("\xf4\x90\x80\x80")));
    CHECK(!str_utf8_valid(STR("abc\xe2\x82")));
}

TEST(nearest_word_is_offered_only_for_slips)
{
    const char *const words[] = {"scrape_interval", "evaluation_interval", "external_labels"};
    CHECK_STR(str_c(str_nearest(STR("scrape_intervall"), words, 3)), "scrape_interval");
    CHECK_STR(str_c(str_nearest(STR("external_lables"), words, 3)), "external_labels");
    CHECK(str_nearest(STR("storage"), words, 3) == NULL);
}

TEST(cut_yields_every_part)
{
    struct str rest = STR("a,,b");
    CHECK_STR(str_cut(&rest, ','), "a");
    CHECK_STR(str_cut(&rest, ','), "");
    CHECK_STR(str_cut(&rest, ','), "b");
    CHECK(rest.p == NULL);
}

TEST(buffer_stops_at_its_ceiling)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 100};
    for (int i = 0; i < 20; i++) {
        buf_c(&b, "0123456789");
    }
    CHECK_EQ(b.err, ERR_LIMIT);
    CHECK_EQ(b.n, 100);
    buf_reset(&b);
    buf_i64(&b, INT64_MIN);
    CHECK_STR(buf_view(&b), "-9223372036854775808");
}

TEST(arena_charges_and_returns_its_budget)
{
    struct mem_budget budget = {.limit_bytes = 100000};
    struct arena a;
    arena_init(&a, 0, &budget);
    CHECK(arena_alloc(&a, 50000) != NULL);
    CHECK(arena_alloc(&a, 60000) == NULL);
    CHECK_EQ(arena_err(&a), ERR_LIMIT);
    arena_done(&a);
    CHECK_EQ(atomic_load(&budget.used_bytes), 0);
}

TEST(arenas_of_a_pool_use_blocks_again_and_still_pay_for_them)
{
    enum {
        LARGE = 2 << 20
    };
    struct mem_budget budget = {.limit_bytes = 100 << 20};
    CHECK_EQ(arena_pool_new(LARGE, &budget.pool), ERR_OK);
    for (int round = 0; round < 3; round++) {
        struct arena a, b;
        arena_init(&a, 0, &budget);
        arena_init(&b, 0, &budget);
        for (int i = 0; i < 64; i++) {
            char *x = arena_alloc(&a, 100000), *y = arena_alloc(&b, 100000);
            CHECK(x && y);
            memset(x, 'a', 100000);
            memset(y, 'b', 100000);
            CHECK(x[0] == 'a' && x[99999] == 'a');
        }
        CHECK(atomic_load(&budget.used_bytes) >= 12800000);
        arena_reset(&b);
        arena_done(&a);
        arena_done(&b);
        CHECK_EQ(atomic_load(&budget.used_bytes), 0);
    }
    arena_pool_free(budget.pool);
}

static enum err build_things(void *ctx)
{
    (void)ctx;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct buf b AUTO_BUF = {0};
    struct strmap m = {0};
    enum err e = ERR_OK;
    for (int i = 0; i < 40 && e == ERR_OK; i++) {
        struct str s = arena_printf(&a, "key-%d", i);
        e = s.p ? strmap_put(&m, s, &m, NULL) : arena_err(&a);
        buf_str(&b, s);
    }
    strmap_done(&m);
    return e != ERR_OK ? e : b.err;
}

TEST(each_allocation_may_fail)
{
    test_fail_each(FAULT_ALLOC, build_things, NULL);
}

TEST(strmap_agrees_with_a_naive_table)
{
    enum {
        KEYS = 300,
        STEPS = 20000
    };
    static int values[KEYS];
    bool present[KEYS] = {false};
    struct strmap m = {0};
    struct rng r;
    rng_init(&r, test_seed());
    for (int i = 0; i < STEPS; i++) {
        size_t k = rng_below(&r, KEYS);
        struct str key = str_of((const char *)&k, sizeof(k));
        if (rng_below(&r, 2)) {
            CHECK_OK(strmap_put(&m, key, &values[k], NULL));
            present[k] = true;
        } else {
            CHECK((strmap_remove(&m, key) != NULL) == present[k]);
            present[k] = false;
        }
    }
    for (size_t k = 0; k < KEYS; k++) {
        CHECK(strmap_get(&m, str_of((const char *)&k, sizeof(k))) == (present[k] ? &values[k] : NULL));
    }
    strmap_done(&m);
}

static void count_up(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

TEST(pool_runs_every_accepted_task)
{
    struct pool *p;
    atomic_int count = 0;
    int accepted = 0;
    CHECK_OK(pool_new("test", 2, 16, &p));
    for (int i = 0; i < 1000; i++) {
        accepted += pool_submit(p, count_up, &count) == ERR_OK;
    }
    pool_stop(p);
    CHECK_EQ(pool_submit(p, count_up, &count), ERR_UNAVAILABLE);
    pool_free(p);
    CHECK_EQ(atomic_load(&count), accepted);
}

TEST(fake_clock_moves_only_when_told)
{
    struct clock c;
    char text[40];
    clock_fake_init(&c, 1700000000 * NS_PER_S);
    clock_fake_advance(&c, 1500 * NS_PER_MS);
    CHECK_EQ(clock_wall_ms(&c), 1700000001500);
    CHECK_STR(str_c(clock_format_rfc3339(clock_wall_ns(&c), text, sizeof(text))), "2023-11-14T22:13:21.500Z");
}
