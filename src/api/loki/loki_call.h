/* One API call: its parameters, its arena, its query context, its answer. Private to this folder. */
#ifndef CAIRN_API_LOKI_LOKI_CALL_H
#define CAIRN_API_LOKI_LOKI_CALL_H

#include "api/loki/loki_api.h"
#include "codec/json.h"

enum {
    LOKI_LIMIT_DEFAULT = 100,
    LOKI_RANGE_POINTS_MAX = 11000,
    LOKI_QUERY_BYTES_MAX = 131072,
    LOKI_MATCH_MAX = 64
};

struct loki_call {
    struct loki_api *api;
    struct http_req *r;
    struct arena *a;
    struct mem_budget budget;
    struct arena query_arena;
    struct query_ctx q;
    struct err_info info;
    struct buf out;
    struct json_writer w;
    ts_ns now;
};

/* False when the tenant header was missing or wrong: answered already. */
bool loki_call_begin(struct loki_call *c, struct loki_api *api, struct http_req *r);
void loki_call_end(struct loki_call *c);
/* Sends what was written, with the newline Loki ends its bodies with. */
void loki_call_send(struct loki_call *c);
/* Plain text, as Loki answers errors. */
void loki_call_refuse(struct loki_call *c, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
void loki_call_error(struct loki_call *c, enum err e);

/* start and end with Loki's defaults (now, since = 1 h). False: answered already. */
bool loki_param_span(struct loki_call *c, ts_ns *ret_start, ts_ns *ret_end);
/* A positive number. */
bool loki_param_count(struct loki_call *c, const char *name, size_t otherwise, size_t *ret_value);
bool loki_param_limit(struct loki_call *c, size_t *value);
/* Whether a log query may ask for so many entries. */
bool loki_entries_allowed(struct loki_call *c, size_t limit);
/* Seconds or a duration; a 250th of the span unless told. */
bool loki_param_step(struct loki_call *c, ts_ns start, ts_ns end, int64_t *ret_step);
/* X-Loki-Response-Encoding-Flags: categorize-labels. */
bool loki_wants_categories(const struct loki_call *c);
bool loki_param_direction(struct loki_call *c, bool *ret_backward);

/* The stream selector in parameter `name` (empty: all streams) as a selection over [start, end). */
bool loki_param_select(struct loki_call *c, struct str text, struct log_select *ret_sel,
                       struct matcher **ret_m);
/* The same where a selector must select something. */
bool loki_param_selector(struct loki_call *c, struct str text, struct log_select *ret_sel,
                         struct matcher **ret_m);
void loki_select_done(struct matcher *m, size_t n);

void loki_json_labels(struct json_writer *w, struct labels ls);
/* ["ns","line"], with a third element when the client wants its labels apart. */
void loki_json_entry(struct json_writer *w, const struct logql_entry *e, bool categorize);
/* RFC 3339 with as many digits of the second as are needed. */
void loki_time_format(struct buf *b, ts_ns ts);
/* A stream as the API before v1 has it: labels as text, times as RFC 3339. */
void loki_json_legacy_stream(struct json_writer *w, const struct logql_stream *s);
/* The member "stats". */
void loki_json_stats(struct json_writer *w, const struct logql_stats *s, uint64_t entries);

struct loki_routes {
    const struct http_route *rows;
    size_t n;
};
struct loki_routes loki_routes_query(void);
struct loki_routes loki_routes_series(void);
struct loki_routes loki_routes_volume(void);
struct loki_routes loki_routes_detected(void);
struct loki_routes loki_routes_tail(void);
struct loki_routes loki_routes_legacy(void);
struct loki_routes loki_routes_push(void);
struct loki_routes loki_routes_status(void);

#define LOKI_ROUTE(fn)                                    \
    static void fn##_route(void *ctx, struct http_req *r) \
    {                                                     \
        struct loki_call c;                               \
        if (loki_call_begin(&c, ctx, r)) {                \
            fn(&c);                                       \
        }                                                 \
        loki_call_end(&c);                                \
    }

#endif
