/* One scraped body into a sink batch: Prometheus' per-sample rules.
 *
 * Nothing reaches the sink before the whole body was read, so a scrape that fails leaves nothing but
 * staleness markers behind. One scrape of a target at a time. */
#ifndef CAIRN_METRICS_SCRAPE_BODY_H
#define CAIRN_METRICS_SCRAPE_BODY_H

#include "codec/exposition.h"
#include "metrics/scrape/batch.h"
#include "metrics/scrape/config.h"
#include "metrics/scrape/metadata.h"

struct scrape_counts {
    size_t total, added, series_added; /* as the synthetic series report them */
    size_t unsent; /* of those added: repeated ones, and histograms with too many buckets */
    size_t duplicates, out_of_bounds, out_of_order, exemplars_out_of_order;
    bool hit_sample_limit, hit_label_limit, hit_bucket_limit;
};

struct body_reader {
    const struct scrape_job *job;
    struct labels target; /* its public labels */
    bool native_histograms, classic_histograms;
    ts_ms ts; /* of the scrape */
    struct scrape_cache *cache;
    struct metadata_table *metadata;
    struct scrape_batch *batch;
    struct scrape_counts counts;
};

/* Reads the whole body. Errors: INVALID (syntax, names, label limits), LIMIT (sample limit), OOM; info has
 * Prometheus' words. The cache may then know more series than before, none of them as seen. */
MUST_USE enum err scrape_body_read(struct body_reader *r, enum exposition_format format, struct str body,
                                   struct err_info *info);
/* Staleness markers for what the last scrape had and this one did not see. */
MUST_USE enum err scrape_body_mark_stale(struct body_reader *r);
/* The labels a cached series has in the store, made again from its text. */
MUST_USE enum err scrape_body_labels_again(const struct body_reader *r, const struct cached_series *s,
                                           struct labels *ret_labels);

#endif
