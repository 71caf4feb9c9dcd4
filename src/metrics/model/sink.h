/* The metric sink: the only way samples enter storage (scrape, remote write, rules, import).
 *
 * One call carries one batch: a scrape, a remote-write request, a rule group's results. The sink acknowledges
 * what the durability mode promises before it returns. Any thread; a sink may be called from many threads at
 * once. */
#ifndef CAIRN_METRICS_MODEL_SINK_H
#define CAIRN_METRICS_MODEL_SINK_H

#include "base/clock.h"
#include "base/err.h"
#include "labels/labels.h"
#include "metrics/model/histogram.h"

/* A reference to a stored series, valid while `epoch` of the sink is unchanged; 0 = not known yet. */
typedef uint64_t series_ref;

struct sink_series {
    struct labels
        labels;     /* borrowed for the call; sorted, valid (labels_normalise); may be empty beside a ref */
    uint64_t hash;  /* labels_hash(labels), or 0 when the caller has not computed it */
    series_ref ref; /* in: cached or 0; out: the reference to cache */
    bool made;      /* out: the store had no such series before; untouched else */
};

enum sample_status {
    SAMPLE_STORED = 0,
    SAMPLE_DUPLICATE,     /* same timestamp, same value: accepted silently */
    SAMPLE_CONFLICT,      /* same timestamp, other value ("duplicate sample for timestamp") */
    SAMPLE_OUT_OF_ORDER,  /* older than the newest, no out-of-order window */
    SAMPLE_TOO_OLD,       /* older than the out-of-order window */
    SAMPLE_OUT_OF_BOUNDS, /* too far in the past or in the future */
    SAMPLE_LIMIT,         /* a cardinality limit refused the new series */
    SAMPLE_INVALID,       /* bad labels or histogram */
    SAMPLE_STATUS_COUNT
};

/* One sample of series[series_index]. Samples of one series are in the caller's order. */
struct sink_sample {
    uint32_t series_index;
    uint8_t status; /* out: enum sample_status */
    ts_ms ts;
    ts_ms start_ts;                    /* 0 = unknown */
    double value;                      /* when histogram == NULL */
    const struct histogram *histogram; /* borrowed */
};

struct sink_exemplar {
    uint32_t series_index;
    struct labels labels;
    double value;
    ts_ms ts;
    bool timeless; /* ts is not its own, but that of what it came with */
};

struct sink_metadata {
    struct str metric, type, help, unit;
};

struct sink_batch {
    struct str tenant;
    struct sink_series *series;
    size_t series_count;
    struct sink_sample *samples;
    size_t sample_count;
    const struct sink_exemplar *exemplars;
    size_t exemplar_count;
    const struct sink_metadata *metadata;
    size_t metadata_count;
    uint64_t epoch; /* in: sink epoch under which the refs were obtained; refs are ignored when it differs */
    /* in: exemplars of series that are neither there nor made by the batch are left out (remote write) */
    bool exemplars_need_series;
    bool allow_late; /* in: use the out-of-order window (remote write, scrapes with timestamps) */
};

struct sink_result {
    uint64_t stored;                       /* samples, duplicates included */
    uint64_t refused[SAMPLE_STATUS_COUNT]; /* by reason */
    uint64_t new_series;
    uint64_t exemplars, exemplars_late; /* accepted; too old beside the newest of their series */
    uint64_t epoch;                     /* remember with the refs */
    struct err_info first_refusal;      /* code OK when nothing was refused; names the series */
};

/* One float of each of `count` known series, all at one time: a scrape that said nothing new. */
struct sink_column {
    struct str tenant;
    const series_ref *refs; /* none of them 0 */
    const double *values;
    size_t count;
    ts_ms ts;
    uint64_t epoch; /* of the refs */
};

struct metric_sink;
struct metric_sink_ops {
    /* OK also when some samples were refused (see result). An error means nothing of the batch was stored:
     * UNAVAILABLE, NO_SPACE, OOM (try again later), IO (the store is read-only until restarted) or CONFLICT
     * (the epoch is over and a series has a ref but no labels: give them and 0 as ref). */
    MUST_USE enum err (*append)(struct metric_sink *s, struct sink_batch *batch,
                                struct sink_result *ret_result, struct err_info *reterr_info);
    /* Stores a column whole. UNSUPPORTED: nothing of it was stored, as it is not all plain (a reference is
     * out of date, a series comes twice, a sample is not newer than the one before): `append` stores what can
     * be and tells what is wrong with the rest. Other errors as of append. NULL: there is no such way. */
    MUST_USE enum err (*append_column)(struct metric_sink *s, const struct sink_column *c,
                                       struct err_info *reterr_info);
};

struct metric_sink {
    const struct metric_sink_ops *ops;
};

#endif
