/* Label names and values of head and blocks, and what is remembered of blocks: the same answers from memory,
 * within bounds, and nothing of blocks that are gone. */
#include <stdio.h>

#include "harness.h"
#include "metrics/tsdb/match_cache.h"
#include "metrics/tsdb/name_set.h"
#include "model.h"

enum {
    HOSTS = 300, /* of one target, so that a label of one section has many values */
    MINUTE = 60000
};

static struct tsdb *open_within(const char *dir, struct clock *clock, struct mem_promise *promise)
{
    struct tsdb_options o = {.dir = dir,
                             .durability = DURABILITY_OS,
                             .clock = clock,
                             .block_ms = 600000,
                             .memory_bytes = 64 << 20,
                             .promise = promise,
                             .no_housekeeping = promise != NULL};
    struct tsdb *db = NULL;
    struct err_info info = {0};
    if (tsdb_open(&o, &db, &info) != ERR_OK) {
        test_fail(__FILE__, __LINE__, info.message);
    }
    return db;
}

static struct tsdb *open_at(const char *dir, struct clock *clock)
{
    return open_within(dir, clock, NULL);
}

/* A sample of every host from `from` on. */
static bool fill(struct tsdb *db, const char *metric, int from, ts_ms ts)
{
    struct label l[HOSTS][4];
    struct sink_series s[HOSTS] = {0};
    struct sink_sample m[HOSTS];
    char hosts[HOSTS][24];
    for (int i = 0; i < HOSTS; i++) {
        (void)snprintf(hosts[i], sizeof(hosts[i]), "host-%05d", from + i);
        l[i][0] = (struct label){STR("__name__"), str_c(metric)};
        l[i][1] = (struct label){STR("host"), str_c(hosts[i])};
        l[i][2] = (struct label){STR("instance"), STR("i")};
        l[i][3] = (struct label){STR("job"), STR("j")};
        s[i].labels = (struct labels){l[i], 4};
        m[i] = (struct sink_sample){.series_index = (uint32_t)i, .ts = ts, .value = i};
    }
    struct sink_batch b = {
        .tenant = STR("anonymous"), .series = s, .series_count = HOSTS, .samples = m, .sample_count = HOSTS};
    struct sink_result r;
    return tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL) == ERR_OK && r.stored == HOSTS;
}

/* "number first last" of the values of a label (NULL: of the names), of series whose host matches. */
static struct str listed(struct tsdb *db, struct arena *a, const char *name, const char *host, ts_ms start,
                         ts_ms end)
{
    struct matcher m[2] = {{.op = MATCH_RE}};
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct str_list list = {0};
    struct metric_source *src = tsdb_source(db);
    size_t n = host != NULL;
    if (n && matcher_init(m, MATCH_RE, STR("host"), str_c(host), NULL) != ERR_OK) {
        return STR("failed");
    }
    struct metric_select sel = {.matchers = m, .matcher_count = n, .start_ms = start, .end_ms = end};
    enum err e = name ? src->ops->label_values(src, &q, str_c(name), &sel, 0, a, &list, NULL)
                      : src->ops->label_names(src, &q, &sel, 0, a, &list, NULL);
    if (n) {
        matcher_done(m);
    }
    if (e != ERR_OK || list.n == 0) {
        return e ? STR("failed") : STR("none");
    }
    return arena_printf(a, "%zu %.*s %.*s", list.n, STR_FMT(list.items[0]), STR_FMT(list.items[list.n - 1]));
}

/* Samples that a query finds of the hosts that match. `other` makes it another selector each time: selections
 * as a whole are remembered, too. */
static size_t found(struct tsdb *db, enum matcher_op op, const char *host, int other)
{
    char text[16];
    struct matcher m[3] = {{.op = MATCH_EQ, .name = STR("job"), .value = STR("j")}};
    (void)snprintf(text, sizeof(text), "%d", other);
    m[2] = (struct matcher){.op = MATCH_NEQ, .name = STR("absent"), .value = str_c(text)};
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    size_t n = 0;
    if (matcher_init(&m[1], op, STR("host"), str_c(host), NULL) != ERR_OK) {
        return SIZE_MAX;
    }
    struct metric_select sel = {
        .matchers = m, .matcher_count = 3, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    if (src->ops->select(src, &q, &sel, &c, NULL) == ERR_OK) {
        while (src->ops->next(c, &b, NULL) == ERR_OK) {
            for (uint32_t i = 0; i < b.series_count; i++) {
                n += b.series[i].count;
            }
        }
        src->ops->close(c);
    }
    matcher_done(&m[1]);
    return n;
}

/* Three blocks and a head; the newest has other hosts. */
static struct tsdb *blocks_and_head(const char *dir, struct clock *clock)
{
    struct tsdb *db = open_at(dir, clock);
    bool good = db != NULL;
    for (int i = 0; good && i < 4; i++) {
        good = fill(db, i % 2 ? "odd" : "even", i < 3 ? 0 : 1000, MODEL_T0 + (ts_ms)i * 20 * MINUTE) &&
               tsdb_maintain(db, NULL) == ERR_OK;
    }
    return db;
}

TEST(names_and_values_are_those_of_head_and_blocks_each_time)
{
    struct arena a AUTO_ARENA;
    struct clock clock;
    struct tsdb_stats s;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    arena_init(&a, 0, NULL);
    struct tsdb *db = blocks_and_head(test_dir(), &clock);
    CHECK(db);
    tsdb_stats(db, &s);
    CHECK(s.blocks > 0 && s.series == HOSTS); /* the newest alone is in the head */
    for (int i = 0; i < 3; i++) {
        CHECK_STR(listed(db, &a, NULL, NULL, INT64_MIN, INT64_MAX), "4 __name__ job");
        CHECK_STR(listed(db, &a, "host", NULL, INT64_MIN, INT64_MAX), "600 host-00000 host-01299");
        CHECK_STR(listed(db, &a, "__name__", NULL, INT64_MIN, INT64_MAX), "2 even odd");
        CHECK_STR(listed(db, &a, "nothing", NULL, INT64_MIN, INT64_MAX), "none");
        CHECK_STR(listed(db, &a, "host", "host-0.*7", INT64_MIN, INT64_MAX), "60 host-00007 host-01297");
        CHECK_STR(listed(db, &a, "host", "host-00(007|123)", INT64_MIN, INT64_MAX),
                  "2 host-00007 host-00123");
        CHECK_STR(listed(db, &a, "__name__", "host-00123", INT64_MIN, INT64_MAX), "2 even odd");
        CHECK_STR(listed(db, &a, "nothing", "host-00123", INT64_MIN, INT64_MAX), "none");
        CHECK_STR(listed(db, &a, "job", "host-9.*", INT64_MIN, INT64_MAX), "none");
        CHECK_STR(listed(db, &a, NULL, ".*0", INT64_MIN, INT64_MAX), "4 __name__ job");
        /* As it is with Prometheus: a head or block with a part in the span is asked whole. */
        CHECK_STR(listed(db, &a, "host", NULL, MODEL_T0 + 60 * MINUTE, INT64_MAX),
                  "300 host-01000 host-01299");
        CHECK_STR(listed(db, &a, "host", NULL, MODEL_T0 - 2 * MINUTE, MODEL_T0 - MINUTE), "none");
    }
    tsdb_stats(db, &s);
    CHECK(s.match_cache_hits > 0 && s.match_cache_bytes > 0 && s.match_cache_bytes <= (64 << 20) / 32);
    tsdb_close(db);
}

TEST(expressions_find_the_same_series_from_memory)
{
    static const struct {
        enum matcher_op op;
        const char *host;
        size_t samples;
    } cases[] = {
        {MATCH_RE, "host-0.*7", 3 * 30 + 30},
        {MATCH_NRE, "host-0.*7", 3 * 270 + 270},
        {MATCH_RE, "host-00001|host-00299|host-01000|none", 3 * 2 + 1},
        {MATCH_NRE, "host-00001|host-00299|host-01000|none", 3 * 298 + 299},
        {MATCH_RE, ".*", 4 * 300},
        {MATCH_NRE, ".+", 0},
        {MATCH_RE, "|host-00001", 3},
        {MATCH_EQ, "host-00001", 3},
        {MATCH_NEQ, "host-00001", 3 * 299 + 300},
        {MATCH_NEQ, "", 4 * 300},
    };
    struct clock clock;
    struct tsdb_stats before, after;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    struct tsdb *db = blocks_and_head(test_dir(), &clock);
    CHECK(db);
    for (int round = 0; round < 3; round++) {
        tsdb_stats(db, &before);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            CHECK_EQ(found(db, cases[i].op, cases[i].host, round), cases[i].samples);
        }
        tsdb_stats(db, &after);
    }
    CHECK(after.match_cache_hits > before.match_cache_hits);
    CHECK_EQ(after.match_cache_misses, before.match_cache_misses);
    /* A merge replaces the blocks: what was remembered of them goes, answers stay. */
    for (int i = 4; i < 12; i++) {
        CHECK(fill(db, "odd", 1000, MODEL_T0 + (ts_ms)i * 20 * MINUTE));
        CHECK_OK(tsdb_maintain(db, NULL));
    }
    CHECK_EQ(found(db, MATCH_RE, "host-00.*7", 0), 3 * 30);
    CHECK_EQ(found(db, MATCH_RE, "host-01.*7", 0), 9 * 30);
    tsdb_close(db);
}

TEST(what_is_remembered_of_blocks_goes_when_memory_is_short)
{
    struct clock clock;
    struct tsdb_stats s;
    struct mem_promise *p = NULL;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    const char *dir = test_dir();
    struct tsdb *db = blocks_and_head(dir, &clock);
    CHECK(db);
    tsdb_close(db);
    CHECK_OK(mem_promise_new(1 << 20, &p)); /* which this process has long broken */
    db = open_within(dir, &clock, p);
    CHECK(db);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(found(db, MATCH_RE, "host-0.*7", i), 3 * 30 + 30);
        tsdb_stats(db, &s);
        CHECK(s.selection_bytes > 0 && s.match_cache_bytes > 0);
        CHECK_OK(tsdb_maintain(db, NULL));
        tsdb_stats(db, &s);
        CHECK_EQ(s.selection_bytes, 0);
        CHECK_EQ(s.match_cache_bytes, 0);
    }
    tsdb_close(db);
    mem_promise_free(p);
}

static bool even(const void *ctx, uint64_t block)
{
    (void)ctx;
    return block % 2 == 0;
}

TEST(the_cache_is_bounded_and_drops_what_was_not_used)
{
    struct arena a AUTO_ARENA;
    struct match_cache c;
    struct str bytes;
    char value[100] = {0};
    arena_init(&a, 0, NULL);
    match_cache_init(&c, 8000);
    for (uint64_t i = 0; i < 200; i++) {
        struct match_key key = {i, 1, {i, i}}, first = {0, 1, {0, 0}};
        value[0] = (char)i;
        match_cache_keep(&c, &key, str_of(value, sizeof(value)));
        CHECK_OK(match_cache_find(&c, &key, &a, &bytes));
        CHECK(bytes.n == sizeof(value) && bytes.p[0] == (char)i);
        CHECK_OK(match_cache_find(&c, &first, &a, &bytes)); /* used all the time: it stays */
        CHECK_EQ(bytes.p[0], 0);
        CHECK(match_cache_stats(&c).bytes <= 8000);
    }
    struct match_key old = {1, 1, {1, 1}}, part = {199, 2, {199, 199}}, large = {5, 5, {5, 5}};
    CHECK_EQ(match_cache_find(&c, &old, &a, &bytes), ERR_NOT_FOUND);
    CHECK_EQ(match_cache_find(&c, &part, &a, &bytes), ERR_NOT_FOUND);
    char *much = arena_zalloc(&a, 4000);
    CHECK(much);
    match_cache_keep(&c, &large, str_of(much, 4000)); /* would push the others out */
    CHECK_EQ(match_cache_find(&c, &large, &a, &bytes), ERR_NOT_FOUND);
    size_t there = match_cache_stats(&c).entries;
    match_cache_sweep(&c, even, NULL);
    CHECK(match_cache_stats(&c).entries < there && match_cache_stats(&c).entries > 0);
    struct match_key odd = {199, 1, {199, 199}};
    CHECK_EQ(match_cache_find(&c, &odd, &a, &bytes), ERR_NOT_FOUND);
    match_cache_done(&c);
}

TEST(lists_are_sorted_as_bytes_and_without_repeats)
{
    static const char *const texts[] = {"b", "a", "ab",   "abcdefghi", "abcdefgh", "abcdefghj",
                                        "",  "b", "\xff", "a",         "abcdefg",  "ab"};
    struct arena a AUTO_ARENA;
    struct name_runs runs = {0};
    const struct str *items = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    for (size_t from = 0; from < 3; from++) {
        struct name_set s = {.a = &a};
        for (size_t i = from; i < ARRAY_LEN(texts); i++) {
            CHECK_OK(name_set_add(&s, str_c(texts[i])));
        }
        CHECK_OK(name_set_sort(&s));
        CHECK_OK(name_runs_add(&runs, s.items, s.n));
    }
    CHECK_OK(name_runs_merge(&runs, &items, &n));
    CHECK_EQ(n, 9);
    for (size_t i = 1; i < n; i++) {
        CHECK(str_cmp(items[i - 1], items[i]) < 0);
    }
    name_runs_done(&runs);
}

static enum err names_once(void *ctx)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct str s = listed(ctx, &a, "host", NULL, INT64_MIN, INT64_MAX);
    return str_eq(s, STR("600 host-00000 host-01299")) ? ERR_OK : ERR_OOM;
}

TEST(no_memory_for_a_list)
{
    struct clock clock;
    clock_fake_init(&clock, (MODEL_T0 + 86400000) * NS_PER_MS);
    struct tsdb *db = blocks_and_head(test_dir(), &clock);
    CHECK(db);
    test_fail_each(FAULT_ALLOC, names_once, db);
    tsdb_close(db);
}
