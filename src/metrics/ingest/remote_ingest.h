/* From a decoded remote write to the sink: Prometheus' label rules, and its answers for what was refused.
 *
 * What is good is stored, what is bad is refused and counted; the answer is 204, or 400 with what was
 * refused. Any thread. */
#ifndef CAIRN_METRICS_INGEST_REMOTE_INGEST_H
#define CAIRN_METRICS_INGEST_REMOTE_INGEST_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/wire_series.h"
#include "metrics/model/sink.h"

struct remote_outcome {
    int status; /* 204, 400 with text; 429 or 503: nothing stored, try again */
    struct str text;
    uint64_t stored, refused;                /* samples and histograms */
    uint64_t samples, histograms, exemplars; /* of those stored: what 2.0 reports */
};

struct series_cache;

/* `a` holds what is made on the way; label_bytes of `w` are decoded where the cache (may be NULL) does not
 * know them. Errors: INVALID (malformed labels; info says so), OOM, LIMIT; every other refusal is in the
 * outcome. */
MUST_USE enum err remote_ingest(struct metric_sink *sink, struct series_cache *cache, struct str tenant,
                                struct wire_write *w, struct arena *a, struct remote_outcome *ret_outcome,
                                struct err_info *reterr_info);

#endif
