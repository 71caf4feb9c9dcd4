/* A body that is read by comparing it with the one before gives what it gives when every line is parsed:
 * samples, markers, counts, metadata, errors with their line. */
#include "base/hash.h"
#include "base/rng.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/scrape/body.h"

enum {
    LINES = 24,
    SCRAPES = 400
};

struct side {
    struct arena arena;
    struct scrape_cache cache;
    struct metadata_table metadata;
    struct scrape_counts counts;
    struct buf text;
    bool lines_only; /* forgets the page's format: no line is taken by comparing */
};

static struct label target_labels[] = {{STR_INIT("instance"), STR_INIT("i")},
                                       {STR_INIT("job"), STR_INIT("j")}};

static void put_metadata(struct side *s)
{
    size_t pos = 0;
    uint64_t sum = 0;
    struct str key;
    void *value;
    while (strmap_next(&s->metadata.families, &pos, &key, &value)) {
        const struct family_metadata *f = value;
        sum += hash_str(f->metric) ^ (hash_str(f->help) * 3) ^ (hash_str(str_c(f->type)) * 7);
    }
    buf_printf(&s->text, "metadata %llu\n", (unsigned long long)sum);
}

/* One scrape as scrape_run.c does it; everything that is seen of it goes to s->text. */
static void scrape(struct side *s, const struct scrape_job *job, enum exposition_format format,
                   struct str body, ts_ms now)
{
    struct scrape_batch batch = {.a = &s->arena};
    struct err_info info = {0};
    struct body_reader r = {.job = job,
                            .target = {target_labels, 2},
                            .ts = now,
                            .cache = &s->cache,
                            .metadata = &s->metadata,
                            .batch = &batch};
    arena_reset(&s->arena);
    buf_reset(&s->text);
    scrape_cache_begin(&s->cache);
    s->cache.page_of = s->lines_only ? 0 : s->cache.page_of;
    enum err e = scrape_body_read(&r, format, body, &info);
    s->counts = r.counts;
    buf_printf(&s->text, "%d %s total %zu added %zu new %zu twice %zu\n", (int)e, info.message,
               r.counts.total, r.counts.added, r.counts.series_added, r.counts.duplicates);
    if (e) {
        batch = (struct scrape_batch){.a = &s->arena};
        scrape_cache_rollback(&s->cache);
    }
    bool marked = scrape_body_mark_stale(&r) == ERR_OK && scrape_batch_rows(&batch) == ERR_OK;
    buf_printf(&s->text, "%d\n", marked);
    uint64_t stale = 0; /* markers come in any order */
    for (size_t i = 0; i < batch.series_count; i++) {
        struct cached_series *c = batch.cached[i];
        c->ref = c->ref ? c->ref : hash_bytes(c->text, c->text_size) | 1;
        if (is_stale_nan(batch.samples[i].value)) {
            stale += c->ref;
            continue;
        }
        buf_printf(&s->text, "%.*s %g %lld\n", (int)c->text_size, c->text, batch.samples[i].value,
                   (long long)batch.samples[i].ts);
    }
    buf_printf(&s->text, "stale %llu\n", (unsigned long long)stale);
    if (!e) {
        scrape_cache_trim(&s->cache);
        put_metadata(s);
    }
}

static void put_line(struct rng *r, struct buf *b, unsigned i, bool open)
{
    unsigned family = i / 3;
    if (i % 3 == 0) {
        buf_printf(b, "# HELP f%u_x Help %u.\n", family, (unsigned)rng_below(r, 40) ? 0 : 1);
        buf_printf(b, "# TYPE f%u_x %s\n", family, family % 2 ? "histogram" : "gauge");
    }
    if (rng_below(r, 60) == 0) {
        buf_c(b, open ? "# HELP odd Comes and goes.\n" : "# a comment\n\n");
    }
    buf_printf(b, family % 2 ? "f%u_x_bucket{le=\"%u\"} " : "f%u_x{mode=\"%u\"} ", family, i);
    static const char *const odd[] = {"NaN", "+Inf", "1.7643123456789012e+09", "0x1p4", "1e400", "-0", "1."};
    if (rng_below(r, 30) == 0) {
        buf_c(b, odd[rng_below(r, ARRAY_LEN(odd))]);
    } else {
        buf_printf(b, "%u.%u", (unsigned)rng_below(r, 100000), (unsigned)rng_below(r, 100));
    }
    buf_c(b, rng_below(r, 80) == 0 ? " 1000\n" : rng_below(r, 900) == 0 ? " what?\n" : "\n");
}

/* Mostly as ever; at times lines are missing, swapped or there twice. */
static void body_make(struct rng *r, struct buf *b, bool open)
{
    unsigned order[LINES];
    for (unsigned i = 0; i < LINES; i++) {
        order[i] = i;
    }
    if (rng_below(r, 4) == 0) {
        unsigned i = (unsigned)rng_below(r, LINES - 1), keep = order[i];
        order[i] = order[i + 1];
        order[i + 1] = keep;
    }
    bool holes = rng_below(r, 4) == 0;
    buf_reset(b);
    for (unsigned i = 0; i < LINES; i++) {
        if (holes && rng_below(r, 10) == 0) {
            continue;
        }
        put_line(r, b, order[i], open);
        if (rng_below(r, 200) == 0) {
            put_line(r, b, order[i], open);
        }
    }
    buf_c(b, open ? "# EOF\n" : rng_below(r, 10) ? "" : "# the end\n");
}

static void side_done(struct side *s)
{
    scrape_cache_done(&s->cache);
    scrape_metadata_done(&s->metadata);
    arena_done(&s->arena);
    buf_done(&s->text);
}

static bool same_for(enum exposition_format format, const char *job)
{
    struct side page = {0}, lines = {.lines_only = true};
    struct prom_config *config = NULL;
    struct buf body AUTO_BUF = {0};
    struct rng r;
    bool same = true;
    struct str yaml = arena_printf(&page.arena, "scrape_configs: [{job_name: j%s}]", job);
    if (!yaml.p || prom_config_parse(yaml, "p.yml", &config, NULL)) {
        return false;
    }
    rng_init(&r, test_seed());
    for (int i = 0; same && i < SCRAPES; i++) {
        body_make(&r, &body, format == EXPOSITION_OPENMETRICS);
        scrape(&page, &config->jobs[0], format, buf_view(&body), 1000 * (i + 1));
        scrape(&lines, &config->jobs[0], format, buf_view(&body), 1000 * (i + 1));
        same = str_eq(buf_view(&page.text), buf_view(&lines.text));
    }
    if (!same) {
        test_fail_str(__FILE__, __LINE__, "the same", buf_view(&page.text), buf_view(&lines.text));
    }
    prom_config_unref(config);
    side_done(&page);
    side_done(&lines);
    return same;
}

TEST(comparing_gives_what_parsing_gives)
{
    CHECK(same_for(EXPOSITION_TEXT, ""));
    CHECK(same_for(EXPOSITION_OPENMETRICS, ""));
    CHECK(same_for(EXPOSITION_TEXT, ", sample_limit: 22"));
    CHECK(same_for(EXPOSITION_TEXT,
                   ", metric_relabel_configs: [{source_labels: [mode], regex: '6', action: drop}]"));
}

TEST(an_unchanged_body_is_known_by_comparing)
{
    struct side s = {0};
    struct prom_config *config = NULL;
    CHECK_OK(prom_config_parse(STR("scrape_configs: [{job_name: j}]"), "p.yml", &config, NULL));
    struct str first = STR("# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n# TYPE b gauge\nb 3\n# end\n");
    struct str again = STR("# TYPE a gauge\na{x=\"1\"} 7.5\na{x=\"2\"} -1e3\n# TYPE b gauge\nb 0\n# end\n");
    scrape(&s, &config->jobs[0], EXPOSITION_TEXT, first, 1000);
    CHECK(!scrape_cache_unchanged(&s.cache));
    CHECK_EQ(s.cache.page.count, 3);
    scrape(&s, &config->jobs[0], EXPOSITION_TEXT, again, 2000);
    CHECK(scrape_cache_unchanged(&s.cache));
    CHECK_EQ(s.counts.added, 3);
    for (int i = 0; i < 20; i++) { /* metadata of comments that are not read again stays */
        scrape(&s, &config->jobs[0], EXPOSITION_TEXT, again, 3000 + i);
        scrape_metadata_trim(&s.metadata, s.cache.page_reads, s.cache.page_repeats);
    }
    CHECK(strmap_get(&s.metadata.families, STR("a")) && strmap_get(&s.metadata.families, STR("b")));
    scrape(&s, &config->jobs[0], EXPOSITION_TEXT, STR("# TYPE a gauge\na{x=\"1\"} 1\n"), 9000);
    for (int i = 0; i < 12; i++) { /* and that of what is gone goes */
        scrape_metadata_trim(&s.metadata, s.cache.page_reads, s.cache.page_repeats);
        scrape(&s, &config->jobs[0], EXPOSITION_TEXT, STR("# TYPE a gauge\na{x=\"1\"} 1\n"), 9001 + i);
    }
    CHECK(strmap_get(&s.metadata.families, STR("a")) && !strmap_get(&s.metadata.families, STR("b")));
    prom_config_unref(config);
    side_done(&s);
}
