/* A naive store to compare with: for each series a plain list of samples. */
#ifndef CAIRN_TESTS_TSDB_MODEL_H
#define CAIRN_TESTS_TSDB_MODEL_H

#include "base/rng.h"
#include "metrics/model/histogram.h"
#include "metrics/tsdb/tsdb.h"

enum {
    MODEL_TARGETS = 5,
    MODEL_METRICS = 7,
    MODEL_SERIES = MODEL_TARGETS * MODEL_METRICS,
    MODEL_SAMPLES_MAX = 6000,
    MODEL_STONES_MAX = 64,
    MODEL_LATE_MS = 3600 * 1000 /* the store's window for late samples */
};

#define MODEL_T0 INT64_C(1700000000000)

enum model_state {
    MODEL_THERE = 0,
    MODEL_MAYBE, /* it came into a range that had been deleted: the deletion may cover it or be done with */
    MODEL_GONE   /* deleted */
};

struct model_sample {
    ts_ms ts;
    uint64_t bits; /* of a float, or the seed of a histogram: see model_is_histogram */
    enum model_state state;
};

/* Series 6 of each target has histograms, named by small seeds, among floats; series 5 has start timestamps.
 */
bool model_is_histogram(size_t series, uint64_t bits);
ts_ms model_start(size_t series, uint64_t bits);

struct model_histogram {
    struct histogram h;
    struct histogram_span spans[4], negative_spans[1];
    double counts[8], negative[2], bounds[4];
};

/* Another content for every seed: standard and custom buckets, integers and floats, gauges, and for seed 0 a
 * staleness marker. The result points into *m. */
const struct histogram *model_histogram(struct model_histogram *m, uint64_t seed);

struct model_series {
    struct label labels[4];
    char text[4][32];
    struct model_sample *samples; /* ascending */
    size_t n;
};

struct model {
    struct model_series series[MODEL_SERIES];
    struct rng rng;
    ts_ms now;
    series_ref refs[MODEL_SERIES];
    uint64_t epoch;
    bool flushed; /* what is in blocks is not compared with what comes */
    struct model_stone {
        size_t target;
        ts_ms start, end;
    } stones[MODEL_STONES_MAX];
    size_t stone_count;
    int64_t column_lag_ms;      /* columns are sent too, of samples that are no older than that; 0: none */
    bool refs_good;             /* nothing was flushed since the references were given */
    bool started[MODEL_SERIES]; /* has a sample that came since then */
    size_t columns;             /* that were taken */
};

void model_init(struct model *m, uint64_t seed);
void model_done(struct model *m);
/* One random batch or column into both; false (and the test failed) when a sample was judged differently, or
 * a plain column was not taken. */
bool model_step(struct model *m, struct metric_sink *sink);
/* Deletes a random range of a random target from both. */
bool model_delete(struct model *m, struct tsdb *db);
/* All samples of all series, at [from, to], by a cursor; false when they differ from the model's. */
bool model_check(const struct model *m, struct metric_source *src, ts_ms from, ts_ms to);

#endif
