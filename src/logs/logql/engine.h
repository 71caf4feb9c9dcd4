/* LogQL: text in, streams or values out, over any log source. The language of Loki 3.8.
 *
 * One query runs on the calling thread. Everything in the result lives in the caller's arena. */
#ifndef CAIRN_LOGS_LOGQL_ENGINE_H
#define CAIRN_LOGS_LOGQL_ENGINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "query/log_source.h"

struct logql_options {
    unsigned series_max; /* max_query_series; 0 = 500 */
};

enum logql_kind {
    LOGQL_STREAMS = 0,
    LOGQL_SCALAR,
    LOGQL_VECTOR,
    LOGQL_MATRIX
};

struct logql_entry {
    ts_ns ts;
    struct str line;
    struct labels metadata, parsed; /* for clients that ask for them apart (categorize-labels) */
};

/* One stream of the result: its labels after the pipeline, entries in the direction asked for. */
struct logql_stream {
    struct labels labels;
    const struct logql_entry *entries;
    size_t entry_count;
};

struct logql_series {
    struct labels labels;
    size_t n;
    const ts_ms *ts;
    const double *values;
};

struct logql_stats {
    uint64_t lines_read, bytes_read, lines_matched;
    double seconds;
};

struct logql_result {
    enum logql_kind kind;
    const struct logql_stream *streams;
    size_t stream_count;
    const struct logql_series *series; /* vector (n = 1) and matrix */
    size_t series_count;
    double scalar;
    ts_ms ts;
    const struct str *warnings;
    size_t warning_count;
    struct logql_stats stats;
};

struct logql_request {
    struct str expr;
    ts_ns start_ns, end_ns; /* log queries: [start, end). Instant: end is the time, start == end */
    int64_t step_ns;        /* range queries */
    bool instant;
    bool backward; /* newest first (the default of the API) */
    bool categorize_labels;
    size_t limit;        /* of entries; the API's default is 100 */
    int64_t interval_ns; /* log queries: at most one entry an interval; 0 = all */
};

/* Errors: INVALID (parse error; info->message is Loki's text "parse error at line 1, col 5: ..."), EXECUTION,
 * LIMIT, TIMEOUT, CANCELED, OOM. */
MUST_USE enum err logql_query(const struct logql_options *o, struct log_source *s, struct query_ctx *q,
                              const struct logql_request *r, struct arena *a, struct logql_result *ret_result,
                              struct err_info *reterr_info);
/* True when the expression is a log query (streams), false for a metric query. */
MUST_USE enum err logql_is_log_query(struct str expr, bool *ret_is_log, struct err_info *reterr_info);
/* The expression as Loki's Prettify prints it. */
MUST_USE enum err logql_format(struct str expr, struct buf *b, struct err_info *reterr_info);
/* Parses a stream selector ({...}) into matchers in the arena; the caller ends them with matcher_done. */
MUST_USE enum err logql_selector(struct str text, struct arena *a, struct matcher **ret_matchers,
                                 size_t *ret_n, struct err_info *reterr_info);

/* A log pipeline compiled once and run over single lines (live tail, rules, the agent's match stage). */
struct logql_pipeline;
MUST_USE enum err logql_pipeline_new(struct str expr, struct logql_pipeline **ret_pipeline,
                                     const struct matcher **ret_matchers, size_t *ret_matcher_count,
                                     struct err_info *reterr_info);
void logql_pipeline_free(struct logql_pipeline *p); /* accepts NULL */
/* True when the line passes; *ret_line and *ret_labels (the stream's labels plus what was extracted) live in
 * the arena. */
bool logql_pipeline_run(struct logql_pipeline *p, struct arena *a, struct labels stream,
                        struct labels metadata, ts_ns ts, struct str line, struct str *ret_line,
                        struct labels *ret_labels);
/* The labels of the line that run accepted last, by where they come from: its stream, its metadata, its text.
 * In the arena. Errors: OOM, LIMIT. */
MUST_USE enum err logql_pipeline_split(struct logql_pipeline *p, struct arena *a, struct labels *ret_stream,
                                       struct labels *ret_metadata, struct labels *ret_parsed);

#endif
