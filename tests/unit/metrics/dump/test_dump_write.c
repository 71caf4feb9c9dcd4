/* What is stored as text: exemplars with the samples they came with, and what the text cannot hold is
 * counted. */
#include <stdio.h>

#include "base/buf.h"
#include "disk/file.h"
#include "harness.h"
#include "metrics/dump/dump_write.h"
#include "metrics/tsdb/tsdb.h"

#define T0 INT64_C(1700000000000)

struct given {
    ts_ms exemplars[6]; /* ms behind T0 */
    size_t n;
};

/* Samples at 10, 20 and 30 s, with a start from the second on, and exemplars. */
static const char *folder; /* of the newest store, and of what is written */

static struct tsdb *store(const char *name, const struct given *g)
{
    char dir[256];
    struct tsdb *db = NULL;
    folder = test_dir();
    (void)snprintf(dir, sizeof(dir), "%s/%s", folder, name);
    struct tsdb_options o = {.dir = dir, .durability = DURABILITY_OS, .no_housekeeping = true};
    struct label labels[] = {{STR("__name__"), STR("m")}}, own[6][1];
    struct sink_series s = {.labels = {labels, 1}};
    struct sink_sample samples[] = {{.ts = T0 + 10000, .value = 1},
                                    {.ts = T0 + 20000, .value = 2, .start_ts = T0 + 15000},
                                    {.ts = T0 + 30000, .value = 3, .start_ts = T0 + 15000}};
    struct sink_exemplar x[6];
    static const char *const ids[] = {"0", "1", "2", "3", "4", "5"};
    for (size_t i = 0; i < g->n; i++) {
        own[i][0] = (struct label){STR("id"), str_c(ids[i])};
        x[i] = (struct sink_exemplar){.labels = {own[i], 1}, .value = 0.5, .ts = T0 + g->exemplars[i]};
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = &s,
                           .series_count = 1,
                           .samples = samples,
                           .sample_count = ARRAY_LEN(samples),
                           .exemplars = x,
                           .exemplar_count = g->n};
    struct sink_result r;
    if (tsdb_open(&o, &db, NULL) != ERR_OK ||
        tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL) != ERR_OK) {
        tsdb_close(db);
        return NULL;
    }
    return db;
}

static enum err written(struct tsdb *db, const char *name, bool starts, struct dump_written *w,
                        struct buf *text)
{
    char path[256];
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct err_info info = {0};
    (void)snprintf(path, sizeof(path), "%s/%s.om", folder, name);
    struct dump_write_options o = {
        .path = path, .start_ms = INT64_MIN, .end_ms = INT64_MAX, .starts = starts};
    enum err e = dump_write(tsdb_source(db), &q, &o, w, &info);
    return e == ERR_OK ? file_load(path, text, &info) : e;
}

TEST(exemplars_go_with_the_sample_that_brought_them)
{
    static const struct {
        struct given given;
        const char *text;
        uint64_t left;
    } cases[] = {
        {{{0}, 0}, "m 1 1700000010\nm 2 1700000020\nm 3 1700000030\n# EOF\n", 0},
        {{{5000, 29000}, 2},
         "m 1 1700000010 # {id=\"0\"} 0.5 1700000005\nm 2 1700000020\n"
         "m 3 1700000030 # {id=\"1\"} 0.5 1700000029\n# EOF\n",
         0},
        {{{12000, 13000}, 2}, /* two of one scrape: the second goes with the next */
         "m 1 1700000010\nm 2 1700000020 # {id=\"0\"} 0.5 1700000012\n"
         "m 3 1700000030 # {id=\"1\"} 0.5 1700000013\n# EOF\n",
         0},
        {{{28000, 29000, 40000}, 3}, /* too late for a sample of their own: they come with earlier ones */
         "m 1 1700000010 # {id=\"0\"} 0.5 1700000028\nm 2 1700000020 # {id=\"1\"} 0.5 1700000029\n"
         "m 3 1700000030 # {id=\"2\"} 0.5 1700000040\n# EOF\n",
         0},
        {{{5000, 5100, 5200, 25000, 40000}, 5}, /* more than samples: the newest stay */
         "m 1 1700000010 # {id=\"2\"} 0.5 1700000005.2\nm 2 1700000020 # {id=\"3\"} 0.5 1700000025\n"
         "m 3 1700000030 # {id=\"4\"} 0.5 1700000040\n# EOF\n",
         2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[16];
        struct dump_written w = {0};
        struct buf text AUTO_BUF = {0};
        (void)snprintf(name, sizeof(name), "case%zu", i);
        struct tsdb *db = store(name, &cases[i].given);
        CHECK(db);
        CHECK_OK(written(db, name, false, &w, &text));
        CHECK_STR(buf_view(&text), cases[i].text);
        CHECK_EQ(w.exemplars, cases[i].given.n - cases[i].left);
        CHECK_EQ(w.exemplars_left, cases[i].left);
        CHECK_EQ(w.starts_left, 2);
        CHECK_EQ(w.series, 1);
        tsdb_close(db);
    }
}

TEST(start_timestamps_when_they_are_asked_for)
{
    struct dump_written w = {0};
    struct buf text AUTO_BUF = {0};
    struct tsdb *db = store("starts", &(struct given){{15000}, 1});
    CHECK(db);
    CHECK_OK(written(db, "starts", true, &w, &text));
    CHECK_STR(buf_view(&text), "m 1 1700000010\n"
                               "m 2 1700000020 st@1700000015 # {id=\"0\"} 0.5 1700000015\n"
                               "m 3 1700000030 st@1700000015\n# EOF\n");
    CHECK_EQ(w.starts_left, 0);
    tsdb_close(db);
}

static enum err write_again(void *ctx)
{
    char path[256];
    struct dump_written w = {0};
    struct buf text AUTO_BUF = {0};
    (void)snprintf(path, sizeof(path), "%s/again.om", folder);
    (void)(file_remove(path, NULL) == ERR_OK);
    return written(ctx, "again", true, &w, &text);
}

TEST(no_memory_for_an_export)
{
    struct tsdb *db = store("memory", &(struct given){{15000, 25000}, 2});
    CHECK(db);
    test_fail_each(FAULT_ALLOC, write_again, db);
    tsdb_close(db);
}
