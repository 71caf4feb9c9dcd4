/* Prometheus remote read: the request decoded, answers encoded. Strings borrow from the input; arrays live in
 * the arena. https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/ */
#ifndef CAIRN_CODEC_REMOTE_READ_H
#define CAIRN_CODEC_REMOTE_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/wire_series.h"

struct read_matcher {
    int type; /* 0 =, 1 !=, 2 =~, 3 !~ */
    struct str name, value;
};

struct read_query {
    ts_ms start_ms, end_ms;
    const struct read_matcher *matchers;
    size_t matcher_count;
};

enum read_response {
    READ_SAMPLES = 0,
    READ_STREAMED_CHUNKS = 1
};

struct read_request {
    const struct read_query *queries;
    size_t query_count;
    enum read_response response; /* the first of the accepted ones that is known */
};

/* Errors: INVALID (malformed, or no accepted response type is known), OOM. */
MUST_USE enum err remote_read_decode(struct arena *a, struct str body, struct read_request *ret_request,
                                     struct err_info *reterr_info);
/* A TimeSeries as field `number` of the message being written. */
void remote_read_series(struct buf *b, uint32_t number, const struct wire_series *s);
/* The labels of a series, as they stand in TimeSeries and ChunkedSeries. */
void remote_read_labels(struct buf *b, const struct wire_label *labels, size_t n);

#endif
