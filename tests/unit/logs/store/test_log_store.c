/* What a user of the store notices: everything acknowledged is found again, once, in the order asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "disk/file.h"
#include "harness.h"
#include "model.h"

static struct log_store *open_in(const char *dir)
{
    struct log_store_options o = {
        .dir = dir, .durability = DURABILITY_OS, .disk_reserve_bytes = 1, .retention_ms = -1};
    struct log_store *s = NULL;
    struct err_info info = {0};
    if (log_store_open(&o, &s, &info)) {
        (void)fprintf(stderr, "open: %s\n", info.message);
        return NULL;
    }
    return s;
}

/* Small heads and groups, so that there are many blocks; the caller's clock, so that nothing happens by
 * itself. */
static struct log_store *open_small(const char *dir, struct clock *clock)
{
    struct log_store_options o = {.dir = dir,
                                  .clock = clock,
                                  .durability = DURABILITY_OS,
                                  .disk_reserve_bytes = 1,
                                  .retention_ms = -1,
                                  .head_bytes = 24 << 10,
                                  .group_bytes = 700};
    struct log_store *s = NULL;
    struct err_info info = {0};
    if (log_store_open(&o, &s, &info)) {
        (void)fprintf(stderr, "open: %s\n", info.message);
        return NULL;
    }
    return s;
}

/* Pushes, queries, flushes and merges in turn, with a reopening now and then. */
static void run_against_model(ts_ns disorder)
{
    const char *dir = test_dir();
    struct rng rng;
    rng_init(&rng, test_seed() + (uint64_t)disorder);
    struct model m = {0};
    struct clock clock;
    clock_fake_init(&clock, NS_PER_S);
    ts_ns now = 1000000;
    uint64_t merges = 0;
    struct log_store_stats st = {0};
    struct log_store *s = open_small(dir, &clock);
    for (int round = 0; s && round < 120 && !test_failed(); round++) {
        for (int i = 0; i < 4; i++) {
            CHECK_OK(model_push(&m, s, &rng, 1 + rng_below(&rng, 60), &now, disorder));
            if (rng_below(&rng, 4) == 0) {
                clock_fake_advance(&clock, 2 * 3600 * NS_PER_S);
            }
            CHECK_OK(log_store_maintain(s, NULL));
        }
        log_store_stats(s, &st);
        if (rng_below(&rng, 10) == 0) {
            merges += st.merges;
            log_store_close(s);
            s = open_small(dir, &clock);
            CHECK(s);
        }
        for (int i = 0; i < 4; i++) {
            CHECK(model_check(&m, s, &rng));
        }
    }
    CHECK(s);
    log_store_stats(s, &st);
    CHECK(st.blocks > 2);
    CHECK(merges + st.merges > 5);
    CHECK_EQ(st.groups_bad + st.blocks_bad, 0);
    log_store_close(s);
    model_done(&m);
}

TEST(every_line_is_found_once_when_time_goes_forward)
{
    run_against_model(0);
}

TEST(every_line_is_found_once_when_time_is_mixed)
{
    run_against_model(400);
}

TEST(what_was_acknowledged_survives_the_end_of_the_process)
{
    const char *dir = test_dir();
    struct model m = {0};
    ts_ns now = 5000;
    for (uint64_t life = 0; life < 5; life++) {
        struct rng rng, again;
        rng_init(&rng, test_seed() + life);
        again = rng;
        ts_ns then = now;
        pid_t child = fork();
        if (child == 0) {
            struct log_store *s = open_in(dir);
            bool ok = s != NULL;
            for (int i = 0; ok && i < 20; i++) {
                ok = model_push(&m, s, &rng, 40, &now, 50) == ERR_OK;
            }
            _exit(ok ? 0 : 1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        struct log_store *s = open_in(dir);
        CHECK(s);
        /* The same random numbers make the same lines; the store drops them as known. */
        uint64_t before, after;
        struct log_store_stats st;
        log_store_stats(s, &st);
        before = st.head_entries;
        for (int i = 0; i < 20; i++) {
            CHECK_OK(model_push(&m, s, &again, 40, &then, 50));
        }
        log_store_stats(s, &st);
        after = st.head_entries;
        CHECK_EQ(after, before);
        CHECK(model_check_query(&m, s, &(struct log_select){.start_ns = INT64_MIN, .end_ns = INT64_MAX}));
        log_store_close(s);
        now = then;
    }
    model_done(&m);
}

static enum err push_one(struct log_store *s, ts_ns ts, struct str line, struct log_push_result *ret_result)
{
    struct label l = {STR("app"), STR("x")};
    struct log_entry e = {.ts = ts, .line = line};
    struct log_stream_push p = {{&l, 1}, &e, 1};
    struct log_sink *sink = log_store_sink(s);
    return sink->ops->push(sink, &(struct log_push){STR("t1"), &p, 1}, ret_result, NULL);
}

TEST(wrong_labels_are_refused_and_counted)
{
    struct log_store *s = open_in(test_dir());
    CHECK(s);
    struct label bad[] = {{STR("b"), STR("1")}, {STR("a"), STR("2")}};
    struct log_entry e[2] = {{.ts = 1, .line = STR("x")}, {.ts = 2, .line = STR("y")}};
    struct log_stream_push p = {{bad, 2}, e, 2};
    struct log_push_result r = {0};
    struct log_sink *sink = log_store_sink(s);
    CHECK_OK(sink->ops->push(sink, &(struct log_push){STR("t1"), &p, 1}, &r, NULL));
    CHECK_EQ(r.stored, 0);
    CHECK_EQ(r.refused, 2);
    CHECK_EQ(r.first_refusal.code, ERR_INVALID);
    log_store_close(s);
}

static void count_line(void *ctx, const struct log_stream_view *stream, ts_ns ts, struct str line,
                       struct labels metadata)
{
    (void)metadata;
    if (str_eq_c(labels_get(stream->labels, STR("app")), "x") && ts > 0 && line.n == 3) {
        ++*(unsigned *)ctx;
    }
}

TEST(a_tail_hears_of_each_new_line_once)
{
    struct log_store *s = open_in(test_dir());
    CHECK(s);
    struct log_source *src = log_store_source(s);
    struct matcher m = {.op = MATCH_EQ, .name = STR("app"), .value = STR("x")};
    struct log_select sel = {.matchers = &m, .matcher_count = 1};
    struct query_ctx mine = {.tenant = STR("t1")}, other = {.tenant = STR("t2")};
    unsigned heard = 0, overheard = 0;
    struct log_cursor *c = NULL, *d = NULL;
    CHECK_OK(src->ops->tail(src, &mine, &sel, count_line, &heard, &c, NULL));
    CHECK_OK(src->ops->tail(src, &other, &sel, count_line, &overheard, &d, NULL));
    struct log_push_result r;
    CHECK_OK(push_one(s, 10, STR("abc"), &r));
    CHECK_OK(push_one(s, 10, STR("abc"), &r));
    CHECK_OK(push_one(s, 10, STR("abd"), &r));
    src->ops->close(c);
    CHECK_OK(push_one(s, 11, STR("abc"), &r));
    src->ops->close(d);
    CHECK_EQ(heard, 2);
    CHECK_EQ(overheard, 0);
    log_store_close(s);
}

TEST(names_values_and_streams_are_those_of_the_tenant)
{
    struct log_store *s = open_in(test_dir());
    CHECK(s);
    struct rng rng;
    rng_init(&rng, test_seed());
    struct model m = {0};
    ts_ns now = 100;
    CHECK_OK(model_push(&m, s, &rng, 60, &now, 0));
    CHECK_OK(model_push(&m, s, &rng, 60, &now, 0));
    struct log_source *src = log_store_source(s);
    struct query_ctx q = {.tenant = STR("t1")}, other = {.tenant = STR("t2")};
    struct log_select all = {.start_ns = 0, .end_ns = INT64_MAX};
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct str_list names, values, none;
    CHECK_OK(src->ops->label_names(src, &q, &all, &a, &names, NULL));
    CHECK_EQ(names.n, 2);
    CHECK_STR(names.items[1], "host");
    CHECK_OK(src->ops->label_values(src, &q, STR("app"), &all, &a, &values, NULL));
    CHECK_EQ(values.n, 3);
    CHECK_STR(values.items[0], "api");
    CHECK_OK(src->ops->label_names(src, &other, &all, &a, &none, NULL));
    CHECK_EQ(none.n, 0);
    const struct log_stream_view *views;
    size_t n;
    CHECK_OK(src->ops->streams(src, &q, &all, &a, &views, &n, NULL));
    CHECK_EQ(n, MODEL_STREAMS);
    struct log_store_volume v;
    CHECK_OK(log_store_volume(s, &q, &all, &v, NULL));
    CHECK_EQ(v.streams, MODEL_STREAMS);
    CHECK_EQ(v.entries, m.n);
    log_store_close(s);
    model_done(&m);
}
