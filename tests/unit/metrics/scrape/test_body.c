/* Bodies into batches: per-sample rules, limits, staleness. */
#include <stdlib.h>

#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/scrape/body.h"

struct fixture {
    struct arena arena;
    struct prom_config *config;
    struct scrape_cache cache;
    struct metadata_table metadata;
    struct scrape_batch batch;
    struct body_reader reader;
    struct err_info info;
    ts_ms now;
};

static struct label target_labels[] = {{STR_INIT("instance"), STR_INIT("i")},
                                       {STR_INIT("job"), STR_INIT("j")}};

static bool fixture_init(struct fixture *f, const char *job)
{
    *f = (struct fixture){.now = 1000000};
    struct str yaml = arena_printf(&f->arena, "scrape_configs: [{job_name: j%s%s}]", job[0] ? ", " : "", job);
    return yaml.p && prom_config_parse(yaml, "p.yml", &f->config, &f->info) == ERR_OK;
}

static void fixture_done(struct fixture *f)
{
    prom_config_unref(f->config);
    scrape_cache_done(&f->cache);
    scrape_metadata_done(&f->metadata);
    arena_done(&f->arena);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str sorted_lines(struct arena *a, struct str text)
{
    struct str lines[512];
    struct buf out AUTO_BUF = {0};
    size_t n = 0;
    while (text.n && n < ARRAY_LEN(lines)) {
        lines[n++] = str_cut(&text, '\n');
    }
    qsort(lines, n, sizeof(lines[0]), by_text);
    for (size_t i = 0; i < n; i++) {
        buf_str(&out, lines[i]);
        buf_char(&out, '\n');
    }
    return arena_str(a, buf_view(&out));
}

/* One scrape as scrape_run.c does it, with every series given a reference. Returns the batch as text: a line
 * a sample, sorted. */
static struct str scrape(struct fixture *f, enum exposition_format format, const char *body, enum err want)
{
    struct buf out AUTO_BUF = {0};
    f->now += 1000;
    f->batch = (struct scrape_batch){.a = &f->arena};
    f->reader = (struct body_reader){.job = &f->config->jobs[0],
                                     .target = {target_labels, 2},
                                     .ts = f->now,
                                     .cache = &f->cache,
                                     .metadata = &f->metadata,
                                     .batch = &f->batch};
    scrape_cache_begin(&f->cache);
    enum err e = scrape_body_read(&f->reader, format, str_c(body), &f->info);
    if (e != want) {
        return STR("unexpected result");
    }
    if (e) {
        f->batch = (struct scrape_batch){.a = &f->arena};
        scrape_cache_rollback(&f->cache);
    }
    if (scrape_body_mark_stale(&f->reader) || scrape_batch_rows(&f->batch)) {
        return STR("no memory");
    }
    for (size_t i = 0; i < f->batch.series_count; i++) {
        struct labels ls = f->batch.series[i].labels;
        const struct sink_sample *m = &f->batch.samples[i];
        if (ls.n == 0 && scrape_body_labels_again(&f->reader, f->batch.cached[i], &ls)) {
            return STR("no labels");
        }
        f->batch.cached[i]->ref = i + 1;
        labels_format(&out, ls);
        buf_printf(&out, is_stale_nan(m->value) ? " stale" : " %g", m->value);
        buf_printf(&out, m->ts == f->now ? "\n" : " at %lld\n", (long long)m->ts);
    }
    if (!e) {
        scrape_cache_trim(&f->cache);
    }
    return sorted_lines(&f->arena, buf_view(&out));
}

TEST(samples_get_the_targets_labels)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1\nb{x=\"y\"} 2 5000\n", ERR_OK),
              "a{instance=\"i\", job=\"j\"} 1\nb{instance=\"i\", job=\"j\", x=\"y\"} 2 at 5000\n");
    CHECK_EQ(f.reader.counts.total, 2);
    CHECK_EQ(f.reader.counts.added, 2);
    CHECK_EQ(f.reader.counts.series_added, 2);
    CHECK(f.batch.has_timestamps);
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 2\n", ERR_OK), "a{instance=\"i\", job=\"j\"} 2\n");
    CHECK_EQ(f.reader.counts.series_added, 0);
    fixture_done(&f);
}

TEST(a_series_that_vanishes_goes_stale_once)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    (void)scrape(&f, EXPOSITION_TEXT, "a 1\nb 1\n", ERR_OK);
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 2\n", ERR_OK),
              "a{instance=\"i\", job=\"j\"} 2\nb{instance=\"i\", job=\"j\"} stale\n");
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 3\n", ERR_OK), "a{instance=\"i\", job=\"j\"} 3\n");
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 4\nb 4\n", ERR_OK),
              "a{instance=\"i\", job=\"j\"} 4\nb{instance=\"i\", job=\"j\"} 4\n");
    CHECK_EQ(f.reader.counts.series_added, 1);
    fixture_done(&f);
}

TEST(a_failed_scrape_leaves_only_markers_and_the_next_one_recovers)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    (void)scrape(&f, EXPOSITION_TEXT, "a 1\nb 1\n", ERR_OK);
    /* What was read before the scrape failed is not stale yet: Prometheus says so at the next one. */
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 2\nb{ 2\n", ERR_INVALID),
              "b{instance=\"i\", job=\"j\"} stale\n");
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "b{", ERR_INVALID), "a{instance=\"i\", job=\"j\"} stale\n");
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "b{", ERR_INVALID), "");
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 3\n", ERR_OK), "a{instance=\"i\", job=\"j\"} 3\n");
    CHECK_EQ(f.reader.counts.series_added, 0);
    fixture_done(&f);
}

TEST(timestamps_and_staleness)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    (void)scrape(&f, EXPOSITION_TEXT, "a 1 5000\n", ERR_OK);
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "", ERR_OK), "");
    fixture_done(&f);
    CHECK(fixture_init(&f, "track_timestamps_staleness: true"));
    (void)scrape(&f, EXPOSITION_TEXT, "a 1 5000\n", ERR_OK);
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "", ERR_OK), "a{instance=\"i\", job=\"j\"} stale\n");
    fixture_done(&f);
    CHECK(fixture_init(&f, "honor_timestamps: false"));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1 5000\n", ERR_OK), "a{instance=\"i\", job=\"j\"} 1\n");
    fixture_done(&f);
    CHECK(fixture_init(&f, ""));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1 99999999999\n", ERR_OK), "");
    CHECK_EQ(f.reader.counts.out_of_bounds, 1);
    fixture_done(&f);
}

TEST(clashing_labels_are_exported_or_honoured)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a{job=\"x\",exported_job=\"y\"} 1\n", ERR_OK),
              "a{exported_exported_job=\"x\", exported_job=\"y\", instance=\"i\", job=\"j\"} 1\n");
    fixture_done(&f);
    CHECK(fixture_init(&f, "honor_labels: true"));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a{job=\"x\",instance=\"\"} 1\n", ERR_OK), "a{job=\"x\"} 1\n");
    fixture_done(&f);
}

TEST(metric_relabelling_renames_and_drops)
{
    struct fixture f;
    CHECK(fixture_init(&f,
                       "metric_relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}, "
                       "{source_labels: [__name__], regex: a, target_label: __name__, replacement: c}]"));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1\ngo_x 2\n", ERR_OK), "c{instance=\"i\", job=\"j\"} 1\n");
    CHECK_EQ(f.reader.counts.total, 2);
    CHECK_EQ(f.reader.counts.added, 1);
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1\ngo_x 2\n", ERR_OK), "c{instance=\"i\", job=\"j\"} 1\n");
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "", ERR_OK), "c{instance=\"i\", job=\"j\"} stale\n");
    fixture_done(&f);
}

TEST(limits_fail_the_whole_scrape)
{
    static const struct {
        const char *job, *body, *want;
    } cases[] = {
        {"sample_limit: 1", "a 1\nb 2\nc 3\n", "sample limit exceeded"},
        {"label_limit: 3", "a 1\nb{x=\"y\"} 2\n",
         "label_limit exceeded (metric: b, number of labels: 4, limit: 3)"},
        {"label_name_length_limit: 8", "b{xxxxxxxxx=\"y\"} 2\n",
         "label_name_length_limit exceeded (metric: b, label name: xxxxxxxxx, length: 9, limit: 8)"},
        {"label_value_length_limit: 2", "b{x=\"yyy\"} 2\n",
         "label_value_length_limit exceeded (metric: b, label name: x, value: \"yyy\", length: 3, limit: 2)"},
        {"metric_relabel_configs: [{action: labeldrop, regex: __name__}]", "a 1\n",
         "missing metric name (__name__ label)"},
        {"metric_name_validation_scheme: legacy", "{\"a.b\"} 1\n", "invalid metric name or label names"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        CHECK(fixture_init(&f, cases[i].job));
        enum err want = i == 0 ? ERR_LIMIT : ERR_INVALID;
        CHECK_STR(scrape(&f, EXPOSITION_TEXT, cases[i].body, want), "");
        if (str_find(str_c(f.info.message), str_c(cases[i].want), 0) == STR_NPOS) {
            test_fail_str(__FILE__, __LINE__, cases[i].job, str_c(f.info.message), str_c(cases[i].want));
        }
        if (i == 0) {
            CHECK_EQ(f.reader.counts.total, 3);
            CHECK_EQ(f.reader.counts.added, 3); /* all that relabelling kept, as Prometheus reports it */
            CHECK_EQ(f.reader.counts.series_added, 1);
        }
        fixture_done(&f);
    }
}

TEST(a_series_exposed_twice_keeps_its_first_value)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1\na 2\n", ERR_OK), "a{instance=\"i\", job=\"j\"} 1\n");
    CHECK_EQ(f.reader.counts.duplicates, 1);
    CHECK_EQ(f.reader.counts.added, 2);
    CHECK_EQ(f.reader.counts.series_added, 1);
    fixture_done(&f);
}

TEST(beyond_the_sample_limit_series_go_stale_and_others_do_not)
{
    struct fixture f;
    CHECK(fixture_init(&f, "sample_limit: 2"));
    (void)scrape(&f, EXPOSITION_TEXT, "b 1\nc 1\n", ERR_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 2\nb 2\nc 2\n", ERR_LIMIT),
                  i == 0 ? "c{instance=\"i\", job=\"j\"} stale\n" : "");
    }
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "", ERR_OK), "b{instance=\"i\", job=\"j\"} stale\n");
    fixture_done(&f);
}

TEST(repeated_samples_are_not_in_the_limit)
{
    struct fixture f;
    CHECK(fixture_init(&f, "sample_limit: 2"));
    CHECK_STR(scrape(&f, EXPOSITION_TEXT, "a 1\na 2\na 3\nb 1\n", ERR_OK),
              "a{instance=\"i\", job=\"j\"} 1\nb{instance=\"i\", job=\"j\"} 1\n");
    CHECK_EQ(f.reader.counts.added, 4);
    fixture_done(&f);
}

TEST(bounds_and_quantiles_are_written_as_floats)
{
    struct fixture f;
    const char *text = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n# TYPE s "
                       "summary\ns{quantile=\"1\"} 3\n"
                       "# TYPE g gauge\ng{le=\"1\"} 4\n";
    CHECK(fixture_init(&f, ""));
    for (int i = 0; i < 2; i++) { /* also from the cache */
        CHECK_STR(
            scrape(&f, EXPOSITION_TEXT, text, ERR_OK),
            "g{instance=\"i\", job=\"j\", le=\"1\"} 4\nh_bucket{instance=\"i\", job=\"j\", le=\"+Inf\"} 2\n"
            "h_bucket{instance=\"i\", job=\"j\", le=\"1.0\"} 1\ns{instance=\"i\", job=\"j\", "
            "quantile=\"1.0\"} 3\n");
    }
    fixture_done(&f);
}

TEST(metadata_and_exemplars_are_kept)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    CHECK_STR(scrape(&f, EXPOSITION_OPENMETRICS,
                     "# TYPE a_seconds counter\n# HELP a_seconds What.\n# UNIT a_seconds seconds\n"
                     "a_seconds_total 1 # {trace=\"t\"} 0.5 3.25\n# EOF\n",
                     ERR_OK),
              "a_seconds_total{instance=\"i\", job=\"j\"} 1\n");
    const struct family_metadata *m = strmap_get(&f.metadata.families, STR("a_seconds"));
    CHECK(m);
    CHECK_STR(str_c(m->type), "counter");
    CHECK_STR(m->help, "What.");
    CHECK_STR(m->unit, "seconds");
    CHECK_EQ(f.batch.exemplar_count, 1);
    CHECK_EQ(f.batch.exemplars[0].ts, 3250);
    CHECK_STR(labels_get(f.batch.exemplars[0].labels, STR("trace")), "t");
    (void)scrape(&f, EXPOSITION_OPENMETRICS, "a_seconds_total 2 # {trace=\"u\"} 0.5 4.25\n# EOF\n", ERR_OK);
    CHECK_EQ(f.batch.exemplar_count, 1);
    CHECK_EQ(f.batch.series[0].labels.n, 3); /* a known series: its exemplar needs them */
    fixture_done(&f);
}

TEST(the_cache_follows_a_random_exposition)
{
    struct fixture f;
    CHECK(fixture_init(&f, ""));
    uint64_t seed = test_seed();
    bool there[200] = {0};
    for (int round = 0; round < 60; round++) {
        struct buf body AUTO_BUF = {0};
        bool now[200];
        size_t expected = 0;
        for (unsigned i = 0; i < 200; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            now[i] = (seed >> 60) < 12;
            if (now[i]) {
                buf_printf(&body, "m%u 1\n", i);
            }
            expected += now[i] || there[i];
        }
        buf_char(&body, '\0');
        CHECK(body.err == ERR_OK);
        struct str got = scrape(&f, EXPOSITION_TEXT, body.p, ERR_OK);
        size_t lines = 0;
        for (size_t i = 0; i < got.n; i++) {
            lines += got.p[i] == '\n';
        }
        CHECK_EQ(lines, expected);
        memcpy(there, now, sizeof(now));
    }
    fixture_done(&f);
}

static enum err scrape_once(void *ctx)
{
    struct fixture f = {.now = 1000000};
    enum err e = prom_config_parse(
        STR("scrape_configs: [{job_name: j, metric_relabel_configs: [{action: labeldrop, regex: x}]}]"),
        "p.yml", &f.config, &f.info);
    if (e) {
        return e;
    }
    for (int round = 0; round < 2 && !e; round++) {
        f.batch = (struct scrape_batch){.a = &f.arena};
        f.reader = (struct body_reader){.job = &f.config->jobs[0],
                                        .target = {target_labels, 2},
                                        .ts = f.now + round,
                                        .cache = &f.cache,
                                        .metadata = &f.metadata,
                                        .batch = &f.batch};
        scrape_cache_begin(&f.cache);
        e = scrape_body_read(&f.reader, EXPOSITION_OPENMETRICS, str_c(ctx), &f.info);
        if (e) {
            scrape_cache_rollback(&f.cache);
        }
        e = e ? e : scrape_body_mark_stale(&f.reader);
        if (!e) {
            scrape_cache_trim(&f.cache);
        }
    }
    fixture_done(&f);
    return e;
}

TEST(memory_may_be_short_while_a_body_is_read)
{
    char body[] = "# TYPE h histogram\n# HELP h What.\nh_bucket{x=\"y\",le=\"1\"} 1 # {t=\"u\"} "
                  "1\nh_sum{job=\"z\"} 2\n# EOF\n";
    test_fail_each(FAULT_ALLOC, scrape_once, body);
}
