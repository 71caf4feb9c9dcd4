/* Prometheus' write-ahead log, read: the newest checkpoint and the segments after it, as their records say.
 *
 * A record that is damaged ends its own segment (what follows in it cannot be found), not the log: segments
 * after it are read. The end of the last segment may be torn, which is how a crash leaves it. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_LOG_H
#define CAIRN_METRICS_PROMTSDB_PROM_LOG_H

#include "base/arena.h"
#include "base/clock.h"
#include "labels/labels.h"

struct histogram;

struct prom_log_sample {
    uint64_t ref;
    ts_ms ts, start; /* start 0 = unknown */
    double value;
    const struct histogram *h; /* NULL for a float; valid during the call */
};

/* What is called for the parts of records; all may be NULL. Views are valid during the call. An error ends
 * the reading and is returned. */
struct prom_log_visitor {
    enum err (*series)(void *ctx, uint64_t ref, struct labels ls);
    enum err (*sample)(void *ctx, const struct prom_log_sample *s);
    enum err (*stone)(void *ctx, uint64_t ref, ts_ms min_ts, ts_ms max_ts);
    enum err (*exemplar)(void *ctx, uint64_t ref, struct labels ls, double value, ts_ms ts);
    enum err (*metadata)(void *ctx, uint64_t ref, unsigned type, struct str unit, struct str help);
    void *ctx;
    bool floats_only; /* histograms are skipped */
};

struct prom_log_report {
    uint64_t segments, records, bytes;
    uint64_t bad;    /* segments that end early, records that make no sense */
    bool torn;       /* the last segment ends in the middle of a record */
    char where[256]; /* the first bad one; empty: none */
};

/* Reads DIR (".../wal" or ".../wbl"); absent is an empty log. Adds to *report. Errors: IO, OOM, those of the
 * visitor. */
MUST_USE enum err prom_log_read(const char *dir, const struct prom_log_visitor *v,
                                struct prom_log_report *report, struct err_info *info);
/* The same of one segment's bytes; `last` allows a torn end. */
MUST_USE enum err prom_segment_read(struct str data, bool last, const char *name,
                                    const struct prom_log_visitor *v, struct prom_log_report *report);
/* One record, decompressed. CORRUPT: it makes no sense; what came before in it was handed out. */
MUST_USE enum err prom_record_read(struct str record, struct arena *a, const struct prom_log_visitor *v);

/* The name of a metric type as an exposition has it. */
struct str prom_metric_type(unsigned type);

#endif
