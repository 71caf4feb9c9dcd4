/* Remote write, sending: one writer a remote. */
#ifndef CAIRN_METRICS_REMOTE_WRITER_H
#define CAIRN_METRICS_REMOTE_WRITER_H

#include "base/clock.h"
#include "base/err.h"
#include "labels/relabel.h"
#include "net/http_client.h"
#include "query/metric_source.h"

struct remote_writer;

/* Everything is borrowed until release(hold) is called, once, after the writer has stopped. */
struct remote_writer_options {
    struct str name, url, user_agent, tenant;
    struct metric_source *source;
    struct labels external; /* fill what a series lacks */
    const struct relabel_rule *relabel;
    size_t relabel_count;
    const struct http_client_config *http;
    const struct http_header *headers;
    size_t header_count;
    int64_t timeout_ms, deadline_ms; /* of a request; between two looks at the store */
    int64_t backoff_min_ms, backoff_max_ms;
    uint64_t samples_max; /* of one request */
    bool retry_429, native_histograms;
    int64_t age_max_ms; /* older samples are dropped; 0 = none */
    void (*release)(void *hold);
    void *hold;
};

struct remote_writer_stats {
    uint64_t samples, samples_failed, samples_retried, samples_dropped, bytes;
    uint64_t samples_pending; /* read, and neither sent nor given up */
    ts_ms sent_until_ms;      /* everything older was sent or given up */
};

/* Starts a thread. Errors: OOM, UNAVAILABLE; release is then not called. */
MUST_USE enum err remote_writer_start(const struct remote_writer_options *o,
                                      struct remote_writer **ret_writer);
/* Gives up what is under way. Accepts NULL. */
void remote_writer_stop(struct remote_writer *w);
void remote_writer_stats(struct remote_writer *w, struct remote_writer_stats *ret_stats);

#endif
