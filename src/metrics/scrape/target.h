/* From a discovered target to what is scraped: Prometheus' target assembly.
 *
 * Defaults, relabelling, checks, the URL, the identity. Pure functions; what comes out lives in the arena or
 * borrows from the job and the discovered labels. */
#ifndef CAIRN_METRICS_SCRAPE_TARGET_H
#define CAIRN_METRICS_SCRAPE_TARGET_H

#include "metrics/scrape/config.h"

struct target_spec {
    struct labels discovered; /* before relabelling, defaults included */
    struct labels labels;     /* what its series carry; empty: dropped by relabelling */
    struct str url;
    struct str unix_socket; /* __unix_socket__, or empty */
    uint64_t identity;      /* of labels and URL: equal ones are one target */
    int64_t interval_ms, timeout_ms;
    bool native_histograms, classic_histograms, convert_classic_histograms;
    bool dropped;
};

/* Errors: INVALID (no address, bad interval, ...: the target cannot be scraped, info says why), OOM. */
MUST_USE enum err target_assemble(struct arena *a, const struct scrape_job *job, struct labels target,
                                  struct labels group, struct target_spec *ret_spec,
                                  struct err_info *reterr_info);
/* The configuration's labels before relabelling, for /targets/relabel_steps and the assembly itself. */
MUST_USE enum err target_discovered(struct arena *a, const struct scrape_job *job, struct labels target,
                                    struct labels group, struct labels *ret_labels);

#endif
