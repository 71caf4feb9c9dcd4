/* The metric source: the only way PromQL, federation and remote read see stored metrics.
 *
 * A source hands out whole series in batches, grouped by clock: all series of a batch share one timestamp
 * column, so that window bounds and extrapolation are computed once per batch. Implementations: the local
 * TSDB, arrays in tests, a merge over several sources, a remote Cairn or Prometheus.
 *
 * Rules
 *  1. Each series matching a selection appears exactly once, in exactly one batch, already merged over head
 * and blocks, in time order, without duplicate timestamps. Tombstoned samples are gone.
 *  2. Samples with start_ms <= t <= end_ms are present. A source may hand out more on both sides (whole
 * chunks); readers cut by time themselves.
 *  3. A series' values lie without gaps on ts[clock_first .. clock_first + count). A series that misses ticks
 * in between comes in a batch with a clock of its own.
 *  4. Staleness markers are handed out as stored (value.h). Values are bit-exact.
 *  5. Order of batches and of series within a batch is unspecified, but the same for the same data.
 *  6. A batch is valid until the next call on the cursor. Label views stay valid until cursor close.
 *  7. A cursor belongs to one thread at a time. Several cursors may be open on one source. */
#ifndef CAIRN_QUERY_METRIC_SOURCE_H
#define CAIRN_QUERY_METRIC_SOURCE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "labels/labels.h"
#include "labels/matcher.h"
#include "query/limits.h"

struct histogram; /* metrics/model/histogram.h */

/* Ids with this bit set have no order: the series is not, or not only, in memory. */
#define METRIC_ID_UNORDERED (UINT64_C(1) << 63)

struct metric_series {
    struct labels labels;
    /* Rises in the order in which the series were created, as long as METRIC_ID_UNORDERED is clear. Results
     * that depend on the order of series follow it, or the order of labels when some series has none. */
    uint64_t id;
    uint32_t clock_first; /* index of the first sample's timestamp in the batch clock */
    uint32_t count;
    const double *values;                      /* count values; undefined where hists[i] != NULL */
    const struct histogram *const *histograms; /* NULL when all samples are floats */
    const ts_ms *start_ts;                     /* NULL when no start timestamps were stored; 0 = unknown */
};

struct metric_batch {
    const ts_ms *ts; /* strictly increasing */
    uint32_t ts_count;
    uint32_t series_count;
    const struct metric_series *series;
    uint64_t clock; /* batches of a cursor that have the same number, other than 0, have the same ts in one
                       place */
};

/* Hints let a source skip work; ignoring them is always correct. */
struct metric_hints {
    ts_ms step_ms, range_ms; /* 0 = instant / no range */
    struct str func;         /* innermost function or aggregation around the selector */
    bool labels_only;        /* samples are not looked at (series API, count of series) */
    size_t series_limit;     /* 0 = none */
};

struct metric_select {
    const struct matcher *matchers; /* all must accept; at least one does not accept the empty value */
    size_t matcher_count;
    ts_ms start_ms, end_ms; /* both inclusive */
    struct metric_hints hints;
};

struct metric_exemplar {
    struct labels labels; /* of the exemplar */
    double value;
    ts_ms ts;
};

struct metric_exemplar_series {
    struct labels labels; /* of the series */
    const struct metric_exemplar *exemplars;
    size_t exemplar_count;
};

struct metric_metadata {
    struct str metric, type, help, unit; /* type as in exposition: counter, gauge, histogram, ... unknown */
};

struct str_list {
    const struct str *items;
    size_t n;
    bool truncated; /* a limit cut the list */
};

struct metric_cursor; /* defined by each implementation; begins with nothing shared */
struct metric_source;

struct metric_source_ops {
    MUST_USE enum err (*select)(struct metric_source *s, struct query_ctx *q, const struct metric_select *sel,
                                struct metric_cursor **ret_cursor, struct err_info *reterr_info);
    /* OK with *ret_batch filled; NOT_FOUND at the end. Corrupt data that was skipped is counted by the source
     * and reported in `warnings` of cursor_warnings, never as an error that hides the rest. */
    MUST_USE enum err (*next)(struct metric_cursor *c, struct metric_batch *ret_batch,
                              struct err_info *reterr_info);
    struct str_list (*warnings)(struct metric_cursor *c);
    void (*close)(struct metric_cursor *c); /* accepts NULL */

    /* Sorted, unique; matchers may be empty (all series). limit 0 = none. Results live in the arena. */
    MUST_USE enum err (*label_names)(struct metric_source *s, struct query_ctx *q,
                                     const struct metric_select *sel, size_t limit, struct arena *a,
                                     struct str_list *ret_names, struct err_info *reterr_info);
    MUST_USE enum err (*label_values)(struct metric_source *s, struct query_ctx *q, struct str name,
                                      const struct metric_select *sel, size_t limit, struct arena *a,
                                      struct str_list *ret_values, struct err_info *reterr_info);
    MUST_USE enum err (*exemplars)(struct metric_source *s, struct query_ctx *q,
                                   const struct metric_select *sel, struct arena *a,
                                   const struct metric_exemplar_series **ret_series, size_t *ret_n,
                                   struct err_info *reterr_info);
    /* metric empty = all; several rows for one metric when targets disagree. */
    MUST_USE enum err (*metadata)(struct metric_source *s, struct query_ctx *q, struct str metric,
                                  size_t limit, struct arena *a, const struct metric_metadata **ret_rows,
                                  size_t *ret_n, struct err_info *reterr_info);
    /* Changes whenever samples older than the newest may have changed (late samples, deletes): result caches
     * compare it. ret_mutable_from_ms: everything before is immutable at this generation. */
    uint64_t (*generation)(struct metric_source *s, ts_ms *ret_mutable_from_ms);
};

/* Every implementation's struct begins with this. */
struct metric_source {
    const struct metric_source_ops *ops;
};

#endif
