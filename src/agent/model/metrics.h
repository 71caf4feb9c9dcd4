/* What the agent counts about itself, under Promtail's names.
 *
 * One set for each agent, on its own registry, so that several agents of one process (and tests) don't mix.
 * Families may be updated from any thread. */
#ifndef CAIRN_AGENT_MODEL_METRICS_H
#define CAIRN_AGENT_MODEL_METRICS_H

#include <cairn/metrics.h>

#include "agent/model/custom_metrics.h"
#include "base/err.h"
#include "base/str.h"

enum agent_metric {
    AM_READ_BYTES = 0, /* path */
    AM_FILE_BYTES,     /* path */
    AM_READ_LINES,     /* path */
    AM_FILES_ACTIVE,
    AM_TARGETS_ACTIVE,
    AM_TARGETS_FAILED,   /* reason */
    AM_ENCODED_BYTES,    /* host */
    AM_SENT_BYTES,       /* host */
    AM_SENT_ENTRIES,     /* host */
    AM_DROPPED_BYTES,    /* host, tenant, reason */
    AM_DROPPED_ENTRIES,  /* host, tenant, reason */
    AM_MUTATED_BYTES,    /* host, tenant, reason */
    AM_MUTATED_ENTRIES,  /* host, tenant, reason */
    AM_BATCH_RETRIES,    /* host, tenant */
    AM_REQUEST_DURATION, /* status_code, host */
    AM_RELOAD_SUCCESS,
    AM_RELOAD_FAIL,
    AM_LINES_DROPPED,          /* reason */
    AM_LINES_DROPPED_BY_LABEL, /* label_name, label_value */
    AM_JOURNAL_LINES,
    AM_JOURNAL_ERRORS, /* error */
    AM_SYSLOG_ENTRIES,
    AM_SYSLOG_ERRORS,
    AM_SYSLOG_EMPTY,
    AM_ACKED_BYTES, /* path: own addition */
    AM_QUEUE_BYTES, /* host: own addition */
    AM_ROTATIONS,   /* own addition */
    AM_TRUNCATIONS, /* own addition */
    AM_LINE_SPLITS, /* own addition */
    AM_COUNT
};

struct agent_metrics {
    struct cairn_registry *registry;
    struct cairn_family *f[AM_COUNT];
    struct custom_metrics *custom; /* made by pipelines */
};

/* Errors: OOM, INTERNAL (a name twice). */
MUST_USE enum err agent_metrics_init(struct agent_metrics *m);
void agent_metrics_done(struct agent_metrics *m);

/* Values in the order of the family's labels, NULL where there are none. `m` may be NULL: nothing happens. */
void agent_count(struct agent_metrics *m, enum agent_metric which, double amount, const char *const *values);
void agent_gauge_set(struct agent_metrics *m, enum agent_metric which, double value,
                     const char *const *values);
void agent_gauge_add(struct agent_metrics *m, enum agent_metric which, double amount,
                     const char *const *values);
/* A counter or gauge of one label. */
void agent_count_1(struct agent_metrics *m, enum agent_metric which, double amount, const char *value);
void agent_metric_hide_1(struct agent_metrics *m, enum agent_metric which, const char *value);
/* logentry_dropped_lines_total{reason}; the reason need not be NUL-terminated. */
void agent_line_dropped(struct agent_metrics *m, struct str reason);

#endif
