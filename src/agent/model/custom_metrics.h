/* Metrics that pipelines make from lines (promtail_custom_*). Their labels are those of the stream at hand,
 * so the series of one metric may differ in label names: libcairn's families cannot hold them.
 *
 * Any thread. Metrics live as long as the set; a configuration read again finds its counters as they were. */
#ifndef CAIRN_AGENT_MODEL_CUSTOM_METRICS_H
#define CAIRN_AGENT_MODEL_CUSTOM_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "labels/labels.h"

enum {
    CUSTOM_SERIES_MAX = 100000, /* of one set */
    CUSTOM_BUCKETS_MAX = 100
};

enum custom_type {
    CUSTOM_COUNTER = 0,
    CUSTOM_GAUGE,
    CUSTOM_HISTOGRAM
};

enum custom_op {
    CUSTOM_ADD = 0,
    CUSTOM_SUB,
    CUSTOM_SET,
    CUSTOM_OBSERVE
};

struct custom_metrics;
struct custom_metric;

struct custom_options {
    struct str name, help;
    enum custom_type type;
    const double *bounds; /* histogram: ascending */
    size_t bound_count;
    int64_t idle_ms; /* a series without a change for so long vanishes */
};

MUST_USE enum err custom_metrics_new(struct custom_metrics **ret_set);
void custom_metrics_free(struct custom_metrics *s); /* accepts NULL */
/* The metric of that name, made when there is none. Errors: CONFLICT (another type), OOM. */
MUST_USE enum err custom_metric_get(struct custom_metrics *s, const struct custom_options *o,
                                    struct custom_metric **ret_metric);
/* Labels whose names begin with __ are left out. Negative amounts for counters are ignored. now_ns is
 * monotonic. */
void custom_metric_update(struct custom_metric *m, struct labels ls, enum custom_op op, double value,
                          int64_t now_ns);
/* Appends the exposition; series that were idle too long are shown once more and then forgotten. */
void custom_metrics_write(struct custom_metrics *s, bool openmetrics, int64_t now_ns, struct buf *out);

#endif
