/* The log source: the only way LogQL sees stored lines.
 *
 * Entries come in batches as columns, many streams to a batch. Rules
 *  1. start_ns <= ts < end_ns. Every matching entry appears exactly once.
 *  2. forward: batches and the entries within are ordered by ts ascending; backward: descending; unordered
 * (metric queries): any order. Entries with equal ts: streams in label order, then order of arrival.
 *  3. The line filters of a selection are a promise of what will be asked, so that blocks can be skipped;
 * `filtered` in the batch says whether the source has already applied all of them exactly.
 *  4. A batch is valid until the next call on the cursor; label views until close.
 *  5. lines_needed false: lines[].p may be NULL, only lengths are right. */
#ifndef CAIRN_QUERY_LOG_SOURCE_H
#define CAIRN_QUERY_LOG_SOURCE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "labels/labels.h"
#include "labels/matcher.h"
#include "query/limits.h"
#include "query/metric_source.h" /* struct str_list */

enum log_order {
    LOG_FORWARD = 0,
    LOG_BACKWARD,
    LOG_UNORDERED
};

enum log_filter_op {
    LOG_CONTAINS = 0,
    LOG_NOT_CONTAINS,
    LOG_MATCHES,
    LOG_NOT_MATCHES
};

struct log_line_filter {
    enum log_filter_op op;
    struct str text;        /* the literal, or the expression's source */
    const struct regex *re; /* for (NOT_)MATCHES */
};

struct log_select {
    const struct matcher *matchers;
    size_t matcher_count;
    ts_ns start_ns, end_ns;
    enum log_order order;
    size_t limit; /* entries wanted after the filters when the source applies them; 0 = all */
    const struct log_line_filter *filters;
    size_t filter_count;
    bool lines_needed, metadata_needed;
};

struct log_stream_view {
    struct labels labels;
    uint64_t hash; /* labels_hash */
};

struct log_batch {
    size_t count;
    const ts_ns *ts;
    const struct str *lines;
    const uint32_t *stream; /* index into streams */
    const struct log_stream_view *streams;
    size_t stream_count;
    const struct labels *metadata; /* per entry; NULL when no entry of the batch has any */
    bool filtered;
    uint64_t bytes_read; /* for statistics */
};

struct log_cursor;
struct log_source;

struct log_source_ops {
    MUST_USE enum err (*select)(struct log_source *s, struct query_ctx *q, const struct log_select *sel,
                                struct log_cursor **ret_cursor, struct err_info *reterr_info);
    /* NOT_FOUND at the end. */
    MUST_USE enum err (*next)(struct log_cursor *c, struct log_batch *ret_batch,
                              struct err_info *reterr_info);
    void (*close)(struct log_cursor *c); /* accepts NULL */
    MUST_USE enum err (*label_names)(struct log_source *s, struct query_ctx *q, const struct log_select *sel,
                                     struct arena *a, struct str_list *ret_names,
                                     struct err_info *reterr_info);
    MUST_USE enum err (*label_values)(struct log_source *s, struct query_ctx *q, struct str name,
                                      const struct log_select *sel, struct arena *a,
                                      struct str_list *ret_values, struct err_info *reterr_info);
    MUST_USE enum err (*streams)(struct log_source *s, struct query_ctx *q, const struct log_select *sel,
                                 struct arena *a, const struct log_stream_view **ret_streams, size_t *ret_n,
                                 struct err_info *reterr_info);
    /* Calls back for each entry stored from now on that the matchers accept, until closed (live tail). The
     * callback runs on the ingest path: it copies and returns. */
    MUST_USE enum err (*tail)(struct log_source *s, struct query_ctx *q, const struct log_select *sel,
                              void (*fn)(void *ctx, const struct log_stream_view *stream, ts_ns ts,
                                         struct str line, struct labels metadata),
                              void *ctx, struct log_cursor **ret_cursor, struct err_info *reterr_info);
};

struct log_source {
    const struct log_source_ops *ops;
};

#endif
