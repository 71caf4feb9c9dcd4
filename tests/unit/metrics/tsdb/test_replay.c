/* Replay of a log that takes several windows and threads: every sample comes back, whatever stands between.
 */
#include <stdio.h>

#include "base/hash.h"
#include "base/rng.h"
#include "every_series.h"
#include "harness.h"
#include "metrics/model/histogram.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/tsdb_int.h"

enum {
    TARGETS = 8,
    SERIES = 6, /* of a target */
    TICKS = 10, /* of a batch */
    BATCHES = 2200
};

#define T0 INT64_C(1700000000000)
#define STEP INT64_C(15000)

static struct tsdb *open_db(const char *dir)
{
    struct err_info info = {0};
    struct tsdb *db = NULL;
    struct tsdb_options o = {
        .dir = dir, .durability = DURABILITY_OS, .memory_bytes = 256 << 20, .no_housekeeping = true};
    return tsdb_open(&o, &db, &info) == ERR_OK ? db : NULL;
}

struct batch {
    char text[TARGETS * SERIES][2][16];
    struct label labels[TARGETS * SERIES][3];
    struct sink_series series[TARGETS * SERIES];
    struct sink_sample samples[TARGETS * SERIES * TICKS];
    size_t n;
    struct histogram h;
};

static void batch_init(struct batch *b)
{
    *b = (struct batch){.h = {.schema = 0, .sum = 1, .count = 0, .is_float = true}};
    for (size_t i = 0; i < TARGETS * SERIES; i++) {
        (void)snprintf(b->text[i][0], sizeof(b->text[i][0]), "m%zu", i % SERIES);
        (void)snprintf(b->text[i][1], sizeof(b->text[i][1]), "i%zu", i / SERIES);
        b->labels[i][0] = (struct label){STR("__name__"), str_c(b->text[i][0])};
        b->labels[i][1] = (struct label){STR("instance"), str_c(b->text[i][1])};
        b->labels[i][2] = (struct label){STR("job"), STR("j")};
        b->series[i].labels = (struct labels){b->labels[i], 3};
    }
}

/* Of a target: series 0 and 1 keep step; 2 leaves ticks out and is often late; 3 has times of its own; 4 is a
 * histogram now and then; 5 comes and goes. Random bits: nine bytes of log for each. */
static void batch_fill(struct batch *b, struct rng *r, size_t number)
{
    b->n = 0;
    for (size_t t = 0; t < TICKS; t++) {
        ts_ms ts = T0 + (ts_ms)(number * TICKS + t) * STEP;
        for (size_t i = 0; i < TARGETS * SERIES; i++) {
            size_t kind = i % SERIES;
            if ((kind == 2 && rng_below(r, 3) == 0) || (kind == 5 && number / 50 % 2)) {
                continue;
            }
            struct sink_sample *m = &b->samples[b->n++];
            *m = (struct sink_sample){.series_index = (uint32_t)i,
                                      .ts = ts + (kind == 3 ? (ts_ms)rng_below(r, 9000) : 0),
                                      .value = f64_of_bits(rng_u64(r))};
            m->ts -= kind == 2 && rng_below(r, 200) == 0 ? 7 * STEP + 1 : 0;
            m->histogram = kind == 4 && rng_below(r, 20) == 0 ? &b->h : NULL;
        }
    }
}

struct content {
    uint64_t sum;
    size_t n;
};

static void series_add(void *ctx, const struct metric_batch *b, const struct metric_series *s)
{
    struct content *c = ctx;
    for (uint32_t k = 0; k < s->count; k++, c->n++) {
        bool rich = s->histograms && s->histograms[k];
        c->sum += hash_u64(labels_hash(s->labels) ^ hash_u64((uint64_t)b->ts[s->clock_first + k]) ^
                           (rich ? 1 : f64_bits(s->values[k])));
    }
}

/* A sum over all samples in which order does not count. */
static uint64_t content(struct tsdb *db, size_t *ret_n)
{
    struct content c = {0};
    bool good = every_series(db, series_add, &c);
    *ret_n = good ? c.n : 0;
    return c.sum;
}

TEST(a_log_of_several_windows_comes_back_sample_for_sample)
{
    const char *dir = test_dir();
    struct tsdb *db = open_db(dir);
    struct rng r;
    static struct batch b;
    struct err_info info = {0};
    CHECK(db != NULL);
    rng_init(&r, test_seed());
    batch_init(&b);
    for (size_t i = 0; i < BATCHES; i++) {
        struct sink_result result = {0};
        batch_fill(&b, &r, i);
        struct sink_batch in = {.tenant = i % 3 ? QUERY_TENANT_DEFAULT : STR("other"),
                                .series = b.series,
                                .series_count = TARGETS * SERIES,
                                .samples = b.samples,
                                .sample_count = b.n,
                                .allow_late = true};
        for (size_t k = 0; k < TARGETS * SERIES; k++) {
            b.series[k].ref = 0;
        }
        CHECK_OK(tsdb_sink(db)->ops->append(tsdb_sink(db), &in, &result, &info));
    }
    size_t before_n = 0, after_n = 0;
    struct tsdb_stats stats;
    tsdb_stats(db, &stats);
    CHECK(stats.wal_bytes > 9 << 20); /* more than a window */
    uint64_t before = content(db, &before_n);
    CHECK(before_n > (size_t)BATCHES * TICKS * TARGETS * 3 / 3);
    tsdb_close(db);
    db = open_db(dir);
    CHECK(db != NULL);
    uint64_t after = content(db, &after_n);
    CHECK_EQ(after_n, before_n);
    CHECK(after == before);
    CHECK_EQ(atomic_load(&db->wal_orphans), 0);
    tsdb_close(db);
}
