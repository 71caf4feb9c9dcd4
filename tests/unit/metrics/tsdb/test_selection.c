/* What selectors choose in blocks is remembered: the same answers, within the cache's size. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "harness.h"
#include "metrics/tsdb/tsdb_int.h"

enum {
    T0 = 1000000000,
    HOUR_MS = 3600 * 1000,
    MANY = 3000,
    SMALL_MEMORY_BYTES = 16 << 20
};

static struct tsdb *open_db(const char *name, struct clock *clock)
{
    char dir[256];
    struct err_info info = {0};
    struct tsdb *db = NULL;
    (void)snprintf(dir, sizeof(dir), "%s/%s", test_dir(), name);
    struct tsdb_options o = {
        .dir = dir, .clock = clock, .durability = DURABILITY_OS, .memory_bytes = SMALL_MEMORY_BYTES};
    return tsdb_open(&o, &db, &info) == ERR_OK ? db : NULL;
}

/* One sample of each of m{host="0"}, m{host="1"} ... */
static enum err fill(struct tsdb *db, unsigned hosts, ts_ms at)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < hosts && !e; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "%u", i);
        struct label l[] = {{STR("__name__"), STR("m")}, {STR("host"), str_c(host)}};
        struct sink_series s = {.labels = {l, 2}};
        struct sink_sample m = {.ts = at, .value = i};
        struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                               .series = &s,
                               .series_count = 1,
                               .samples = &m,
                               .sample_count = 1};
        struct sink_result r;
        e = tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL);
        e = e ? e : r.stored == 1 ? ERR_OK : ERR_INTERNAL;
    }
    return e;
}

struct answer {
    size_t samples, warnings;
    double sum;
};

static struct answer ask(struct tsdb *db, enum matcher_op op, const char *host)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct answer a = {0};
    struct metric_source *src = tsdb_source(db);
    if (matcher_init(&m, op, STR("host"), str_c(host), &info) != ERR_OK) {
        return a;
    }
    struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = 0, .end_ms = INT64_MAX};
    if (src->ops->select(src, &q, &sel, &c, &info) == ERR_OK) {
        while (src->ops->next(c, &b, &info) == ERR_OK) {
            for (uint32_t i = 0; i < b.series_count; i++) {
                a.samples += b.series[i].count;
                for (uint32_t k = 0; k < b.series[i].count; k++) {
                    a.sum += b.series[i].values[k];
                }
            }
        }
        a.warnings = src->ops->warnings(c).n;
        src->ops->close(c);
    }
    matcher_done(&m);
    return a;
}

/* A store with a block of `hosts` series, of two samples each. */
static struct tsdb *with_block(const char *name, struct clock *clock, unsigned hosts)
{
    clock_fake_init(clock, (int64_t)T0 * NS_PER_MS);
    struct tsdb *db = open_db(name, clock);
    bool ok = db && fill(db, hosts, T0) == ERR_OK && fill(db, hosts, T0 + 1000) == ERR_OK &&
              fill(db, 1, T0 + 6 * HOUR_MS) == ERR_OK && tsdb_maintain(db, NULL) == ERR_OK;
    struct tsdb_stats s = {0};
    if (ok) {
        tsdb_stats(db, &s);
    }
    if (s.blocks == 1) {
        return db;
    }
    tsdb_close(db);
    return NULL;
}

TEST(a_selector_answers_the_same_when_it_is_remembered)
{
    struct clock clock;
    struct tsdb *db = with_block("same", &clock, 20);
    CHECK(db);
    for (int i = 0; i < 3; i++) {
        struct answer one = ask(db, MATCH_EQ, "7"), none = ask(db, MATCH_EQ, "nobody"),
                      some = ask(db, MATCH_RE, "1.");
        CHECK_EQ(one.samples, 2);
        CHECK(one.sum == 14);
        CHECK_EQ(none.samples, 0);
        CHECK_EQ(some.samples, 20);
        CHECK(some.sum == 290);
    }
    CHECK(selection_cache_bytes(&db->selections) > 0);
    struct matcher m; /* a deletion counts at once */
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    CHECK_OK(matcher_init(&m, MATCH_EQ, STR("host"), STR("7"), NULL));
    CHECK_OK(tsdb_delete(db, &q, &m, 1, INT64_MIN, INT64_MAX, NULL));
    CHECK_EQ(ask(db, MATCH_EQ, "7").samples, 0);
    CHECK_EQ(ask(db, MATCH_RE, "1.").samples, 20);
    matcher_done(&m);
    tsdb_close(db);
}

TEST(selections_stay_within_their_memory)
{
    struct clock clock;
    struct tsdb *db = with_block("many", &clock, MANY);
    CHECK(db);
    for (int round = 0; round < 2; round++) { /* too large for the cache, read without it */
        struct answer all = ask(db, MATCH_RE, ".+");
        CHECK_EQ(all.samples, 2 * MANY + 1);
        CHECK(all.sum == (double)MANY * (MANY - 1));
    }
    for (unsigned i = 0; i < 400; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "%u|x%u", i, i);
        CHECK_EQ(ask(db, MATCH_RE, host).samples, i ? 2 : 3);
        CHECK(selection_cache_bytes(&db->selections) <= SMALL_MEMORY_BYTES / SELECTIONS_SHARE);
    }
    tsdb_close(db);
}

/* A page that turns out to be damaged only when a remembered selection is used again is missed and told of.
 */
TEST(damage_is_found_behind_a_remembered_selection)
{
    struct clock clock;
    struct tsdb *db = with_block("damaged", &clock, 20);
    CHECK(db);
    struct store_set *set = store_view(&db->store);
    struct block *b = set->blocks[0];
    CHECK_EQ(ask(db, MATCH_EQ, "7").samples, 2);
    for (size_t i = 0; i < b->section_count; i++) { /* as if nothing had been looked at */
        atomic_uchar *marks = atomic_load(&b->sections[i].pages_checked);
        for (size_t k = 0; marks && k < 1; k++) {
            atomic_store(&marks[k], 2);
        }
    }
    store_set_unref(set);
    struct answer a = ask(db, MATCH_EQ, "7");
    CHECK_EQ(a.samples, 0);
    CHECK_EQ(a.warnings, 1);
    tsdb_close(db);
}
