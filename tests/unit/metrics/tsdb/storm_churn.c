/* The storm's series that come and go: every round makes a few with labels nobody had, two samples each, the
 * second as a column where that can be, and reads them back. */
#include <stdio.h>

#include "base/arena.h"
#include "harness.h"
#include "metrics/model/histogram.h"
#include "storm.h"

enum {
    SERIES = 8, /* of a round; the first has histograms */
    TARGETS = 3
};

struct round {
    unsigned number;
    ts_ms ts;
    char texts[SERIES + 2][24];
    struct label labels[SERIES][4];
    struct sink_series series[SERIES];
    struct sink_sample samples[SERIES];
    struct histogram h;
    double bucket;
    struct histogram_span span;
    uint64_t epoch;
};

static void round_init(struct round *r, unsigned number, ts_ms ts)
{
    *r = (struct round){.number = number, .ts = ts, .bucket = number + 1, .span = {0, 1}};
    r->h = (struct histogram){.count = r->bucket,
                              .sum = number,
                              .positive_spans = &r->span,
                              .positive_span_count = 1,
                              .positive = &r->bucket,
                              .positive_count = 1};
    (void)snprintf(r->texts[SERIES], sizeof(r->texts[0]), "g%u", number);
    (void)snprintf(r->texts[SERIES + 1], sizeof(r->texts[0]), "c%u", number % TARGETS);
    for (unsigned i = 0; i < SERIES; i++) {
        (void)snprintf(r->texts[i], sizeof(r->texts[0]), "churn_%u", i);
        r->labels[i][0] = (struct label){STR("__name__"), str_c(r->texts[i])};
        r->labels[i][1] = (struct label){STR("gen"), str_c(r->texts[SERIES])};
        r->labels[i][2] = (struct label){STR("instance"), str_c(r->texts[SERIES + 1])};
        r->labels[i][3] = (struct label){STR("job"), STR("churn")};
        r->series[i] = (struct sink_series){.labels = {r->labels[i], 4}};
    }
}

/* All series at one time as rows; the first as a histogram. */
static bool rows_send(struct storm *s, struct round *r, ts_ms ts)
{
    struct label own = {STR("trace"), str_c(r->texts[SERIES])};
    struct sink_exemplar exemplar = {.series_index = 1, .labels = {&own, 1}, .value = r->number, .ts = ts};
    struct sink_metadata meta = {STR("churn_1"), STR("counter"), str_c(r->texts[SERIES + 1]), STR("")};
    for (unsigned i = 0; i < SERIES; i++) {
        r->samples[i] = (struct sink_sample){
            .series_index = i, .ts = ts, .value = r->number * 10 + i, .histogram = i ? NULL : &r->h};
    }
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = r->series,
                           .series_count = SERIES,
                           .samples = r->samples,
                           .sample_count = SERIES,
                           .exemplars = &exemplar,
                           .exemplar_count = 1,
                           .metadata = &meta,
                           .metadata_count = 1,
                           .epoch = r->epoch,
                           .allow_late = true};
    struct sink_result result;
    enum err e = tsdb_sink(s->db)->ops->append(tsdb_sink(s->db), &b, &result, NULL);
    r->epoch = e == ERR_OK ? result.epoch : 0;
    return e == ERR_OK && result.stored == SERIES;
}

/* The second samples: floats, also of the series that began with a histogram. */
static bool column_send(struct storm *s, struct round *r, ts_ms ts)
{
    series_ref refs[SERIES];
    double values[SERIES];
    for (unsigned i = 0; i < SERIES; i++) {
        refs[i] = r->series[i].ref;
        values[i] = r->number * 10 + i;
    }
    struct sink_column c = {QUERY_TENANT_DEFAULT, refs, values, SERIES, ts, r->epoch};
    enum err e = tsdb_sink(s->db)->ops->append_column(tsdb_sink(s->db), &c, NULL);
    atomic_fetch_add(&s->columns, e == ERR_OK);
    return e == ERR_OK || (e == ERR_UNSUPPORTED && rows_send(s, r, ts));
}

static bool series_good(const struct round *r, const struct metric_batch *b, const struct metric_series *m)
{
    struct str name = labels_get(m->labels, STR("__name__"));
    unsigned i = (unsigned)(name.p[name.n - 1] - '0');
    bool ok = m->count == 2;
    for (uint32_t k = 0; ok && k < m->count; k++) {
        const struct histogram *h = m->histograms ? m->histograms[k] : NULL;
        ok = b->ts[m->clock_first + k] == r->ts + k &&
             (h ? i == 0 && h->count == r->h.count : m->values[k] == r->number * 10 + i);
    }
    return ok && (i || (m->histograms && m->histograms[0]));
}

static bool read_back(struct storm *s, const struct round *r)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_source *src = tsdb_source(s->db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    struct matcher m;
    unsigned seen = 0;
    bool good = true;
    if (matcher_init(&m, MATCH_EQ, STR("gen"), str_c(r->texts[SERIES]), NULL) != ERR_OK) {
        return false;
    }
    struct metric_select sel = {.matchers = &m, .matcher_count = 1, .start_ms = r->ts, .end_ms = r->ts + 1};
    enum err e = src->ops->select(src, &q, &sel, &c, NULL);
    while (e == ERR_OK && (e = src->ops->next(c, &b, NULL)) == ERR_OK) {
        for (uint32_t i = 0; i < b.series_count; i++, seen++) {
            good = good && series_good(r, &b, &b.series[i]);
        }
    }
    src->ops->close(c);
    matcher_done(&m);
    bool old = storm_acked_max(s) > (r->ts - STORM_T0 + STORM_RETENTION_MS) / STORM_STEP_MS - 30;
    return e == ERR_NOT_FOUND && (old || (good && seen == SERIES));
}

void storm_churn(void *ctx)
{
    struct storm *s = ctx;
    for (unsigned n = 0; !atomic_load(&s->stop); n++) {
        struct round r;
        round_init(&r, n, STORM_T0 + (ts_ms)storm_acked_max(s) * STORM_STEP_MS);
        bool ok = rows_send(s, &r, r.ts) && column_send(s, &r, r.ts + 1) && read_back(s, &r);
        atomic_fetch_add(&s->wrong[WRONG_CHURN], !ok);
        atomic_fetch_add(&s->churned, SERIES);
        clock_sleep_ms(2);
    }
}

static bool ascending(struct str_list l)
{
    for (size_t i = 1; i < l.n; i++) {
        if (str_cmp(l.items[i - 1], l.items[i]) >= 0) {
            return false;
        }
    }
    return true;
}

static bool labels_good(struct storm *s, struct arena *a)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_source *src = tsdb_source(s->db);
    struct matcher all = {.op = MATCH_EQ, .name = STR("job"), .value = STR("churn")};
    struct metric_select any = {.start_ms = STORM_T0, .end_ms = INT64_MAX}, some = any;
    struct str_list names = {0}, values = {0}, chosen = {0};
    const struct metric_exemplar_series *exemplars = NULL;
    const struct metric_metadata *rows = NULL;
    size_t n = 0;
    some.matchers = &all;
    some.matcher_count = 1;
    return src->ops->label_names(src, &q, &any, 0, a, &names, NULL) == ERR_OK &&
           src->ops->label_values(src, &q, STR("gen"), &any, 0, a, &values, NULL) == ERR_OK &&
           src->ops->label_values(src, &q, STR("gen"), &some, 0, a, &chosen, NULL) == ERR_OK &&
           src->ops->exemplars(src, &q, &some, a, &exemplars, &n, NULL) == ERR_OK &&
           src->ops->metadata(src, &q, STR(""), 0, a, &rows, &n, NULL) == ERR_OK && ascending(names) &&
           ascending(values) && ascending(chosen);
}

void storm_look_around(void *ctx)
{
    struct storm *s = ctx;
    while (!atomic_load(&s->stop)) {
        struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
        struct arena a AUTO_ARENA;
        struct tsdb_stats stats;
        struct tsdb_activity activity;
        struct tsdb_cardinality top;
        const struct tsdb_block *blocks = NULL;
        size_t n = 0;
        ts_ms mutable_from;
        arena_init(&a, 0, NULL);
        tsdb_stats(s->db, &stats);
        tsdb_activity(s->db, &activity);
        (void)tsdb_source(s->db)->ops->generation(tsdb_source(s->db), &mutable_from);
        bool ok = labels_good(s, &a) && tsdb_cardinality(s->db, &q, 5, &a, &top, NULL) == ERR_OK &&
                  tsdb_blocks(s->db, &a, &blocks, &n) == ERR_OK && stats.blocks_bad == 0 &&
                  activity.failures == 0 && tsdb_healthy(s->db, NULL);
        arena_done(&a);
        atomic_fetch_add(&s->wrong[WRONG_LOOK], !ok);
        atomic_fetch_add(&s->looks, 1);
        clock_sleep_ms(10);
    }
}
