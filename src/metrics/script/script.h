/* Runs PromQL test scripts: https://github.com/prometheus/prometheus/tree/main/promql/promqltest has the
 * notation. */
#ifndef CAIRN_METRICS_SCRIPT_SCRIPT_H
#define CAIRN_METRICS_SCRIPT_SCRIPT_H

#include "metrics/model/sink.h"
#include "metrics/promql/engine.h"

struct script_host {
    /* Gives an empty store; the one given before is of no use any more. It takes samples of any age from 1970
     * on. */
    MUST_USE enum err (*fresh)(void *ctx, struct metric_sink **ret_sink, struct metric_source **ret_source,
                               struct err_info *reterr_info);
    /* Told of each eval that failed. */
    void (*failed)(void *ctx, unsigned line, const char *expression, const char *why);
    void *ctx;
};

struct script_counts {
    uint64_t passed, failed;
};

/* Runs the whole script. Errors: INVALID with the line (the script itself is wrong), those of the store, OOM.
 */
MUST_USE enum err script_run(struct str text, const struct promql_options *o, const struct script_host *host,
                             struct script_counts *ret_counts, struct err_info *reterr_info);

#endif
