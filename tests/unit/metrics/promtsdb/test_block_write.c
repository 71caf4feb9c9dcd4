/* Blocks that are written, read again: every sample, its order, the index, and what a full disk leaves. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "disk/file.h"
#include "harness.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_dir.h"
#include "metrics/promtsdb/prom_export.h"
#include "query/array_source.h"

enum {
    SERIES = 60,
    SAMPLES = 700,
    BUCKETS = 6,
    LABELS = 3
};

#define T0 INT64_C(1700000000000)
#define HOURS_MS(n) ((n)*INT64_C(3600000))

struct data {
    bool starts; /* the blocks have them */
    struct array_series series[SERIES];
    struct label labels[SERIES][LABELS];
    char names[SERIES][32], hosts[SERIES][32];
    struct array_source source;
    struct arena a;
};

/* -- random samples -------------------------------------------------------------------------------------- */

static double random_float(struct rng *r, double before)
{
    switch (rng_below(r, 12)) {
    case 0:
        return stale_nan();
    case 1:
        return f64_of_bits(0x7ff8000000000000u | rng_u64(r) >> 14);
    case 2:
        return -0.0;
    case 3:
        return HUGE_VAL;
    case 4:
        return f64_of_bits(rng_u64(r));
    case 5:
        return before;
    default:
        return before + (double)rng_below(r, 1000) / 8;
    }
}

static const struct histogram *random_histogram(struct arena *a, struct rng *r,
                                                const struct histogram *before, bool is_float)
{
    static const double bounds[] = {0.25, 0.1 + 0.2, 1, 2.5, 1e9};
    struct histogram *h = arena_zalloc(a, sizeof(*h));
    struct histogram_span *spans = arena_zarray(a, 2, sizeof(*spans));
    double *counts = arena_zarray(a, BUCKETS, sizeof(*counts));
    bool same = before && !is_stale_nan(before->sum) && rng_below(r, 8) != 0;
    bool custom = same ? histogram_custom(before) : rng_below(r, 3) == 0;
    if (rng_below(r, 40) == 0) {
        *h = (struct histogram){.is_float = is_float, .sum = stale_nan()};
        return h;
    }
    spans[0] = (struct histogram_span){(int32_t)rng_below(r, custom ? 1 : 5), 2};
    spans[1] = (struct histogram_span){(int32_t)rng_below(r, 3), 2};
    *h = (struct histogram){.schema = custom ? HISTOGRAM_SCHEMA_CUSTOM : (int8_t)rng_below(r, 4),
                            .is_float = is_float,
                            .reset_hint = rng_below(r, 5) ? HRESET_UNKNOWN : HRESET_GAUGE,
                            .zero_threshold = custom            ? 0
                                              : rng_below(r, 2) ? 0x1p-128
                                                                : 0.003,
                            .positive_spans = spans,
                            .positive_span_count = custom ? 1 : 2,
                            .positive = counts,
                            .positive_count = custom ? 2 : 4,
                            .custom_values = custom ? bounds : NULL,
                            .custom_value_count = custom ? ARRAY_LEN(bounds) : 0};
    if (same) {
        h->schema = before->schema;
        h->zero_threshold = before->zero_threshold;
        h->reset_hint = before->reset_hint;
        h->positive_spans = before->positive_spans;
        h->positive_span_count = before->positive_span_count;
        h->positive_count = before->positive_count;
    }
    bool reset = rng_below(r, 10) == 0;
    for (uint32_t i = 0; i < h->positive_count; i++) {
        double more = (double)rng_below(r, 100) / (is_float ? 3 : 1);
        counts[i] = (same && !reset ? before->positive[i] : 0) + (is_float ? more : floor(more));
        h->count += counts[i];
    }
    h->zero_count = custom ? 0 : (double)rng_below(r, 4);
    h->count += h->zero_count;
    h->sum = (double)rng_below(r, 100000) / 7;
    return h;
}

static void series_fill(struct data *d, struct rng *r, size_t i)
{
    struct array_series *s = &d->series[i];
    ts_ms *ts = arena_array(&d->a, SAMPLES, sizeof(*ts));
    double *values = arena_array(&d->a, SAMPLES, sizeof(*values));
    const struct histogram **histograms = i % 3 ? arena_zarray(&d->a, SAMPLES, sizeof(*histograms)) : NULL;
    ts_ms *starts = i % 6 < 4 ? arena_zarray(&d->a, SAMPLES, sizeof(*starts)) : NULL;
    const struct histogram *before = NULL;
    ts_ms t = T0 + (ts_ms)rng_below(r, 100000), first = t;
    for (size_t k = 0; k < SAMPLES; k++) {
        t += i % 5 == 0 ? 15000 : 1 + (ts_ms)rng_below(r, i % 7 == 1 ? 3000000 : 30000);
        ts[k] = t;
        values[k] = random_float(r, k ? values[k - 1] : 0);
        if (histograms && (i % 3 == 2 || rng_below(r, 50))) { /* of series 1, 4, ...: floats in between */
            histograms[k] = before = random_histogram(&d->a, r, before, i % 2 == 0);
        }
        if (starts) { /* one for all, seldom another, another each time, or none in between */
            starts[k] = i % 6 == 0 || (k && rng_below(r, i % 6 == 1 ? 100 : 2))
                            ? (k ? starts[k - 1] : first - 1000)
                            : (i % 6 == 3 && rng_below(r, 2) ? 0 : t - (ts_ms)rng_below(r, 100000));
        }
    }
    *s = (struct array_series){
        .ts = ts, .values = values, .histograms = histograms, .start_ts = starts, .n = SAMPLES};
}

static struct data *data_new(uint64_t seed)
{
    struct data *d = mem_zalloc(sizeof(*d));
    struct rng r;
    rng_init(&r, seed);
    arena_init(&d->a, 0, NULL);
    for (size_t i = 0; i < SERIES; i++) {
        size_t n = 0;
        (void)snprintf(d->names[i], sizeof(d->names[i]), "metric_%zu", i % 7);
        (void)snprintf(d->hosts[i], sizeof(d->hosts[i]), "%s%zu", i % 2 ? "host-" : "", i * 7919 % SERIES);
        d->labels[i][n++] = (struct label){STR("__name__"), str_c(d->names[i])};
        if (i % 11) {
            d->labels[i][n++] = (struct label){STR("a"), STR("same")};
        }
        d->labels[i][n++] = (struct label){i % 4 ? STR("host") : STR("host.name"), str_c(d->hosts[i])};
        series_fill(d, &r, i);
        d->series[i].labels = (struct labels){d->labels[i], n};
    }
    array_source_init(&d->source, d->series, SERIES);
    return d;
}

static void data_free(struct data *d)
{
    arena_done(&d->a);
    mem_free(d);
}

/* -- reading them again ---------------------------------------------------------------------------------- */

static bool value_good(const struct array_series *s, size_t i, const struct prom_samples *got, size_t k)
{
    const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
    const struct histogram *g = got->histograms ? got->histograms[k] : NULL;
    if (!h) {
        return !g && f64_bits(s->values[i]) == f64_bits(got->values[k]);
    }
    if (!g || g->is_float != h->is_float) {
        return false;
    }
    if (is_stale_nan(h->sum)) {
        return is_stale_nan(g->sum);
    }
    const struct histogram *before = i > 0 ? s->histograms[i - 1] : NULL;
    bool comparable = before && !is_stale_nan(before->sum);
    bool gauge = h->reset_hint == HRESET_GAUGE;
    bool hint = gauge                         ? g->reset_hint == HRESET_GAUGE
                : g->reset_hint == HRESET_NO  ? comparable && !histogram_reset_since(h, before)
                : g->reset_hint == HRESET_YES ? comparable && histogram_reset_since(h, before)
                                              : g->reset_hint == HRESET_UNKNOWN;
    return hint && histogram_equal(g, h);
}

/* Compares the chunks of a series of a block with the data from *at on. */
static bool chunks_good(const struct data *d, const struct prom_block *b, const struct prom_series *in,
                        const struct array_series *s, size_t *at, uint64_t *last_ref)
{
    struct arena a AUTO_ARENA = {0};
    for (size_t c = 0; c < in->chunk_count; c++) {
        const struct prom_chunk_meta *m = &in->chunks[c];
        struct prom_samples got = {0};
        unsigned encoding = 0;
        struct str bytes;
        if ((*last_ref && m->ref <= *last_ref) || prom_block_chunk(b, m->ref, &encoding, &bytes) != ERR_OK ||
            prom_chunk_decode(encoding, bytes, &a, &got) != ERR_OK || got.n == 0 || got.n > 120 ||
            got.ts[0] != m->min_ts || got.ts[got.n - 1] != m->max_ts || m->min_ts < b->meta.min_ts ||
            m->max_ts >= b->meta.max_ts) {
            return false;
        }
        *last_ref = m->ref;
        for (size_t k = 0; k < got.n; k++, ++*at) {
            ts_ms start = *at < s->n && d->starts && s->start_ts ? s->start_ts[*at] : 0;
            if (*at >= s->n || s->ts[*at] != got.ts[k] || !value_good(s, *at, &got, k) ||
                start != (got.starts ? got.starts[k] : 0)) {
                return false;
            }
        }
    }
    return true;
}

static size_t series_find(const struct data *d, struct labels ls)
{
    for (size_t i = 0; i < SERIES; i++) {
        if (labels_eq(d->series[i].labels, ls)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool block_good(const struct data *d, const struct prom_block *b, size_t *at)
{
    struct arena a AUTO_ARENA = {0};
    struct prom_ids ids = {0};
    struct labels before = {0};
    uint64_t last_ref = 0, samples = 0;
    if (prom_index_select(&b->index, NULL, 0, &a, &ids) != ERR_OK || ids.n != b->meta.series) {
        return false;
    }
    for (size_t i = 0; i < ids.n; i++) {
        struct prom_series in;
        if (prom_index_series(&b->index, ids.ids[i], &a, &in) != ERR_OK) {
            return false;
        }
        size_t k = series_find(d, in.labels), from = k < SERIES ? at[k] : 0;
        if (k == SIZE_MAX || (i && labels_cmp(before, in.labels) >= 0) ||
            !chunks_good(d, b, &in, &d->series[k], &at[k], &last_ref)) {
            return false;
        }
        samples += at[k] - from;
        before = in.labels;
    }
    return samples == b->meta.samples;
}

static enum err export_to(struct data *d, const char *dir, ts_ms from, ts_ms to, int64_t span,
                          struct prom_export_result *r)
{
    struct err_info info = {0};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    const struct prom_export_options o = {
        .dir = dir, .start_ms = from, .end_ms = to, .span_ms = span, .starts = d->starts};
    return prom_export(&d->source.source, &q, &o, r, &info);
}

TEST(every_sample_comes_back_from_the_blocks_in_the_order_prometheus_wants)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct data *d = data_new(test_seed() + seed);
        d->starts = seed > 1;
        struct prom_export_result r = {0};
        struct prom_dir dir = {0};
        struct err_info info = {0};
        size_t at[SERIES] = {0};
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/all-%d", test_dir(), (int)seed);
        CHECK_OK(export_to(d, path, T0, T0 + HOURS_MS(1000), seed == 3 ? HOURS_MS(24) : 0, &r));
        CHECK_EQ(r.samples, SERIES * SAMPLES);
        CHECK(r.starts > SAMPLES);
        CHECK_OK(prom_dir_open(path, &dir, &info));
        CHECK_EQ(dir.bad_count, 0);
        CHECK_EQ(dir.n, r.blocks);
        for (size_t i = 0; i < dir.n; i++) {
            CHECK(block_good(d, dir.blocks[i], at));
        }
        for (size_t i = 0; i < SERIES; i++) {
            CHECK_EQ(at[i], SAMPLES);
        }
        prom_dir_done(&dir);
        data_free(d);
    }
}

TEST(matchers_find_series_by_the_written_postings)
{
    struct data *d = data_new(test_seed());
    struct prom_export_result r = {0};
    struct prom_dir dir = {0};
    struct err_info info = {0};
    struct arena a AUTO_ARENA = {0};
    struct prom_ids ids = {0};
    struct matcher m;
    char path[256];
    size_t want = 0;
    (void)snprintf(path, sizeof(path), "%s/postings", test_dir());
    CHECK_OK(export_to(d, path, T0, T0 + HOURS_MS(1000), HOURS_MS(744), &r));
    CHECK_OK(prom_dir_open(path, &dir, &info));
    for (size_t i = 0; i < SERIES; i++) {
        want += str_eq(labels_get(d->series[i].labels, LABEL_METRIC_NAME), STR("metric_3"));
    }
    CHECK_OK(matcher_init(&m, MATCH_EQ, LABEL_METRIC_NAME, STR("metric_3"), &info));
    CHECK_OK(prom_index_select(&dir.blocks[0]->index, &m, 1, &a, &ids));
    CHECK_EQ(ids.n, want);
    matcher_done(&m);
    prom_dir_done(&dir);
    data_free(d);
}

TEST(a_block_of_the_same_time_and_an_empty_range_are_refused)
{
    struct data *d = data_new(test_seed());
    struct prom_export_result r = {0};
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/twice", test_dir());
    CHECK_EQ(export_to(d, path, T0 - HOURS_MS(9), T0 - HOURS_MS(5), 0, &r), ERR_NOT_FOUND);
    CHECK_OK(export_to(d, path, T0, T0 + HOURS_MS(1), 0, &r));
    CHECK_EQ(export_to(d, path, T0 + HOURS_MS(1) / 2, T0 + HOURS_MS(3), 0, &r), ERR_EXISTS);
    CHECK_OK(export_to(d, path, T0 + HOURS_MS(1) + 1, T0 + HOURS_MS(3), 0, &r));
    CHECK_EQ(export_to(d, path, T0, T0 - 1, 0, &r), ERR_INVALID);
    data_free(d);
}

struct failing {
    struct data *d;
    unsigned round;
};

/* Whatever fails, every block of the folder is whole. */
static enum err export_and_look(void *ctx)
{
    struct failing *f = ctx;
    struct prom_export_result r = {0};
    struct prom_dir dir = {0};
    struct err_info info = {0};
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/fail-%u", test_dir(), f->round++);
    enum err e = export_to(f->d, path, T0 + HOURS_MS(2), T0 + HOURS_MS(4), 0, &r);
    enum err opened = prom_dir_open(path, &dir, &info);
    if (opened == ERR_OK) {
        bool good = dir.bad_count == 0;
        for (size_t i = 0; i < dir.n; i++) {
            good = good && dir.blocks[i]->meta.series && dir.blocks[i]->segment_count == 1;
        }
        prom_dir_done(&dir);
        return good ? e : ERR_COUNT;
    }
    return e != ERR_OK ? e : opened;
}

TEST(a_disk_that_fails_leaves_no_half_block)
{
    struct failing f = {.d = data_new(test_seed())};
    test_fail_each(FAULT_DISK, export_and_look, &f);
    data_free(f.d);
}

static enum err export_alone(void *ctx)
{
    struct failing *f = ctx;
    struct prom_export_result r = {0};
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/memory-%u", test_dir(), f->round++);
    return export_to(f->d, path, T0, T0 + HOURS_MS(1), 0, &r);
}

TEST(memory_that_runs_out_is_an_error)
{
    struct failing f = {.d = data_new(test_seed())};
    test_fail_each(FAULT_ALLOC, export_alone, &f);
    data_free(f.d);
}
