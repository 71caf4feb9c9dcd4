/* Scripts that must pass, scripts that must fail, and scripts that are wrong. */
#include <stdio.h>

#include "harness.h"
#include "metrics/script/script.h"
#include "metrics/tsdb/tsdb.h"

struct host {
    struct tsdb *db;
    unsigned stores, failures, line;
    char why[256];
};

static enum err fresh(void *ctx, struct metric_sink **ret_sink, struct metric_source **ret_source,
                      struct err_info *info)
{
    struct host *h = ctx;
    char dir[256];
    (void)snprintf(dir, sizeof(dir), "%s/store-%u", test_dir(), h->stores++);
    tsdb_close(h->db);
    h->db = NULL;
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_ASYNC, .late_window_ms = INT64_C(1) << 50};
    enum err e = tsdb_open(&o, &h->db, info);
    if (!e) {
        *ret_sink = tsdb_sink(h->db);
        *ret_source = tsdb_source(h->db);
    }
    return e;
}

static void failed(void *ctx, unsigned line, const char *expression, const char *why)
{
    struct host *h = ctx;
    (void)expression;
    h->failures++;
    h->line = line;
    (void)snprintf(h->why, sizeof(h->why), "%s", why);
}

static enum err run(struct host *h, const char *text, struct script_counts *counts, struct err_info *info)
{
    const struct script_host host = {fresh, failed, h};
    const struct promql_options o = {.experimental = true, .start_times = true};
    enum err e = script_run(str_c(text), &o, &host, counts, info);
    tsdb_close(h->db);
    h->db = NULL;
    return e;
}

TEST(scripts_that_are_right_pass)
{
    struct host h = {0};
    struct script_counts counts = {0};
    struct err_info info = {0};
    CHECK_OK(run(&h,
                 "# numbers, repeats, gaps, stale markers, quotes\n"
                 "load 1m\n"
                 "  m{a=\"x\\\"y\"} 1+2x3 _ stale 5x2\n"
                 "  {\"with.dots\", b='z'} 0x4\n"
                 "  h {{schema:0 count:3 sum:2 buckets:[1 2]}}+{{schema:0 count:3 sum:2 buckets:[1 2]}}x4\n"
                 "\n"
                 "eval instant at 3m m\n"
                 "  m{a=\"x\\\"y\"} 7\n"
                 "eval range from 0 to 8m step 1m m\n"
                 "  m{a=\"x\\\"y\"} 1 3 5 7 7 _ 5 5 5\n"
                 "\n"
                 "eval instant at 4m {\"with.dots\"}\n"
                 "  {__name__=\"with.dots\", b=\"z\"} 0\n"
                 "\n"
                 "eval instant at 2m h\n"
                 "  h {{schema:0 count:9 sum:6 buckets:[3 6]}}\n"
                 "eval instant at 0 1 + 1\n"
                 "  2\n"
                 "eval_fail instant at 0 rate(m)\n"
                 "  expected_fail_regexp expected type range vector\n"
                 "eval instant at 3m rate(m[2m])\n"
                 "  expect info\n"
                 "  expect no_warn\n"
                 "  {a=\"x\\\"y\"} 0.03333333333333333\n"
                 "clear\n"
                 "eval instant at 3m m\n",
                 &counts, &info));
    CHECK_STR(str_c(h.why), "");
    CHECK_EQ(counts.passed, 8);
    CHECK_EQ(h.stores, 2);
}

TEST(start_timestamps_and_custom_buckets_are_loaded)
{
    struct host h = {0};
    struct script_counts counts = {0};
    struct err_info info = {0};
    CHECK_OK(run(&h,
                 "load 1m\n"
                 "  c@st _ -30s-1mx2\n"
                 "  c _ 10 20 30\n"
                 "\n"
                 "eval instant at 3m start_timestamp(c)\n"
                 "  {} 30\n"
                 "\n"
                 "load_with_nhcb 1m\n"
                 "  r_bucket{le=\"1\"} 1x3\n"
                 "  r_bucket{le=\"+Inf\"} 4x3\n"
                 "  r_sum 6x3\n"
                 "\n"
                 "eval instant at 1m r\n"
                 "  r {{schema:-53 count:4 sum:6 custom_values:[1] buckets:[1 3]}}\n",
                 &counts, &info));
    CHECK_STR(str_c(h.why), "");
    CHECK_EQ(counts.passed, 2);
}

TEST(what_differs_is_a_failure_with_its_line)
{
    static const char *const scripts[] = {
        "load 1m\n m 1 2\n\neval instant at 1m m\n m 3\n",
        "load 1m\n m 1 2\n\neval instant at 1m m\n m 2\n n 2\n",
        "load 1m\n m 1 2\n\neval instant at 1m m\n",
        "load 1m\n m 1 2\n\neval range from 0 to 2m step 1m m\n m 1 2\n",
        "load 1m\n m 1 2\n\neval_fail instant at 1m m\n",
        "load 1m\n m 1 2\n\neval instant at 1m m +\n m 2\n",
        "load 1m\n m 1 2\n\neval instant at 1m m\n expect warn\n m 2\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct host h = {0};
        struct script_counts counts = {0};
        struct err_info info = {0};
        CHECK_OK(run(&h, scripts[i], &counts, &info));
        CHECK_EQ(counts.failed, 1);
        CHECK_EQ(h.line, 4);
        CHECK(h.why[0]);
    }
}

TEST(a_wrong_script_names_its_line)
{
    static const struct {
        const char *text;
        unsigned line;
    } scripts[] = {
        {"lod 1m\n", 1},
        {"load 1x\n", 1},
        {"\nload 1m\n  m{a=} 1\n", 3},
        {"load 1m\n  m 1y2\n", 2},
        {"load 1m\n  m {{count:1\n", 2},
        {"eval sometimes at 1m m\n", 1},
        {"eval range from 1m to 0 step 1m m\n", 1},
        {"eval instant at 1m m\n  expect nonsense\n", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct host h = {0};
        struct script_counts counts = {0};
        struct err_info info = {0};
        CHECK_EQ(run(&h, scripts[i].text, &counts, &info), ERR_INVALID);
        CHECK_EQ(info.line, scripts[i].line);
        CHECK(info.message[0]);
    }
}
