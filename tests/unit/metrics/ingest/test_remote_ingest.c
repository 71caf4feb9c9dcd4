/* Remote write through the cache of known series into a real store. */
#include <stdio.h>

#include "codec/remote_write.h"
#include "harness.h"
#include "metrics/ingest/remote_ingest.h"
#include "metrics/ingest/series_cache.h"
#include "metrics/tsdb/tsdb.h"

enum {
    T0 = 1000000000,
    HOUR = 3600 * 1000
};

struct world {
    struct clock clock;
    struct tsdb *db;
    struct series_cache *cache;
    char dir[256];
};

static bool world_init(struct world *w, const char *name)
{
    struct err_info info = {0};
    clock_fake_init(&w->clock, (ts_ns)(T0 + 24 * (int64_t)HOUR) * NS_PER_MS);
    (void)snprintf(w->dir, sizeof(w->dir), "%s/%s", test_dir(), name);
    struct tsdb_options o = {.dir = w->dir, .clock = &w->clock};
    return tsdb_open(&o, &w->db, &info) == ERR_OK && series_cache_new(64 << 20, &w->cache) == ERR_OK;
}

static void world_done(struct world *w)
{
    tsdb_close(w->db);
    series_cache_free(w->cache);
}

/* One sample of one series, as a sender would encode it. */
static enum err send(struct world *w, const char *host, ts_ms ts, double v, struct remote_outcome *ret_o)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    struct wire_label labels[] = {{STR("__name__"), STR("up")}, {STR("instance"), str_c(host)}};
    struct wire_sample sample = {v, ts, 0};
    struct wire_series s = {.labels = labels, .label_count = 2, .samples = &sample, .sample_count = 1};
    struct wire_write in = {.series = &s, .series_count = 1}, out;
    remote_write_encode_v1(&b, &in);
    enum err e = remote_write_decode_v1(&a, buf_view(&b), true, &out, &info);
    e = e ? e : remote_ingest(tsdb_sink(w->db), w->cache, STR("anonymous"), &out, &a, ret_o, &info);
    ret_o->text = (struct str){0}; /* it lived in the arena */
    return e;
}

/* Samples that a query finds of one host. */
static size_t samples_of(struct world *w, const char *host, double *ret_sum)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    struct matcher m;
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    size_t n = 0;
    *ret_sum = 0;
    if (matcher_init(&m, MATCH_EQ, STR("instance"), str_c(host), &info)) {
        return 0;
    }
    struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = 0, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(w->db);
    if (src->ops->select(src, &q, &sel, &c, &info) == ERR_OK) {
        while (src->ops->next(c, &b, &info) == ERR_OK) {
            for (uint32_t i = 0; i < b.series_count; i++) {
                n += b.series[i].count;
                for (uint32_t k = 0; k < b.series[i].count; k++) {
                    *ret_sum += b.series[i].values[k];
                }
            }
        }
        src->ops->close(c);
    }
    matcher_done(&m);
    return n;
}

TEST(known_series_are_stored_by_reference)
{
    struct world w = {0};
    struct remote_outcome o;
    double sum;
    CHECK(world_init(&w, "known"));
    for (int i = 0; i < 5; i++) {
        CHECK_OK(send(&w, "a", T0 + i * 1000, i, &o));
        CHECK_EQ(o.status, 204);
        CHECK_OK(send(&w, "b", T0 + i * 1000, 10, &o));
        CHECK_EQ(o.status, 204);
    }
    CHECK(series_cache_bytes(w.cache) > 0);
    CHECK_EQ(samples_of(&w, "a", &sum), 5);
    CHECK(sum == 10);
    CHECK_EQ(samples_of(&w, "b", &sum), 5);
    CHECK(sum == 50);
    world_done(&w);
}

TEST(a_flush_that_ends_the_epoch_loses_no_sample)
{
    struct world w = {0};
    struct remote_outcome o;
    struct err_info info = {0};
    double sum;
    CHECK(world_init(&w, "epoch"));
    CHECK_OK(send(&w, "a", T0, 1, &o));
    CHECK_OK(send(&w, "b", T0, 1, &o));
    CHECK_OK(send(&w, "b", T0 + 6 * HOUR, 1, &o)); /* a is of the past and goes to a block */
    CHECK_OK(tsdb_maintain(w.db, &info));
    CHECK_OK(send(&w, "a", T0 + 6 * HOUR, 2, &o));
    CHECK_EQ(o.status, 204);
    CHECK_OK(send(&w, "b", T0 + 6 * HOUR + 1000, 2, &o));
    CHECK_EQ(o.status, 204);
    CHECK_EQ(samples_of(&w, "a", &sum), 2);
    CHECK(sum == 3);
    CHECK_EQ(samples_of(&w, "b", &sum), 3);
    CHECK(sum == 4);
    world_done(&w);
}

TEST(a_refusal_names_a_series_that_came_by_reference)
{
    struct world w = {0};
    struct arena a AUTO_ARENA = {0};
    struct remote_outcome o;
    struct err_info info = {0};
    CHECK(world_init(&w, "refusal"));
    CHECK_OK(send(&w, "a", T0, 1, &o));
    struct buf b AUTO_BUF = {0};
    struct wire_label labels[] = {{STR("__name__"), STR("up")}, {STR("instance"), STR("a")}};
    struct wire_sample sample = {2, T0, 0};
    struct wire_series s = {.labels = labels, .label_count = 2, .samples = &sample, .sample_count = 1};
    struct wire_write in = {.series = &s, .series_count = 1}, out;
    remote_write_encode_v1(&b, &in);
    CHECK_OK(remote_write_decode_v1(&a, buf_view(&b), true, &out, &info));
    CHECK_OK(remote_ingest(tsdb_sink(w.db), w.cache, STR("anonymous"), &out, &a, &o, &info));
    CHECK_EQ(o.status, 400);
    CHECK(str_find(o.text, STR("instance=\"a\""), 0) != STR_NPOS);
    world_done(&w);
}

TEST(a_label_name_that_comes_twice_is_refused_also_when_it_is_empty)
{
    struct world w = {0};
    struct arena a AUTO_ARENA = {0};
    struct remote_outcome o;
    struct err_info info = {0};
    CHECK(world_init(&w, "twice"));
    struct wire_label labels[] = {{STR("x"), STR("1")}, {STR("__name__"), STR("up")}, {STR("x"), STR("")}};
    struct wire_sample sample = {2, T0, 0};
    struct wire_series s = {.labels = labels, .label_count = 3, .samples = &sample, .sample_count = 1};
    struct wire_write in = {.series = &s, .series_count = 1, .series_metadata = true};
    CHECK_OK(remote_ingest(tsdb_sink(w.db), NULL, STR("anonymous"), &in, &a, &o, &info));
    CHECK_EQ(o.status, 400);
    CHECK(str_find(o.text, STR("invalid labels for series, labels {__name__=\"up\", x="), 0) != STR_NPOS);
    CHECK(str_find(o.text, STR("duplicated label x"), 0) != STR_NPOS);
    world_done(&w);
}

TEST(tenants_do_not_share_references)
{
    struct hash128 a = series_cache_key(STR("one"), STR("labels")),
                   b = series_cache_key(STR("two"), STR("labels"));
    CHECK(a.lo != b.lo || a.hi != b.hi);
}
