/* One API call: its parameters, its arena, its query context, its answer. Private to this folder. */
#ifndef CAIRN_API_PROM_PROM_CALL_H
#define CAIRN_API_PROM_PROM_CALL_H

#include "api/prom/go_values.h"
#include "api/prom/prom_api.h"
#include "codec/json.h"
#include "query/limits.h"

enum {
    SELECTORS_MAX = 64,
    FORM_BYTES_MAX = 10 << 20, /* as Go reads */
    RANGE_POINTS_MAX = 11000
};

struct prom_call {
    struct prom_api *api;
    struct http_req *r;
    struct arena *a;
    struct mem_budget budget;
    struct arena query_arena; /* of the query's own memory, under the budget */
    struct query_ctx q;
    struct err_info info;
    struct buf out;
    struct json_writer w;
    ts_ms now;
    double queue_seconds; /* that the query waited for its turn */
};

void prom_call_begin(struct prom_call *c, struct prom_api *api, struct http_req *r);
void prom_call_end(struct prom_call *c);

/* {"status":"success","data": ... the caller writes the value ...  then prom_call_send, with annotations if
 * any. */
void prom_call_data(struct prom_call *c);
void prom_call_send(struct prom_call *c);
void prom_call_send_annotated(struct prom_call *c, const struct str *warnings, size_t warning_count,
                              const struct str *infos, size_t info_count);
/* {"status":"error",...}; the message is info's, or the code's text. */
void prom_call_error(struct prom_call *c, enum err e);
/* 500 unavailable: a part that is switched off. */
void prom_call_unavailable(struct prom_call *c, const char *text);
/* 400 bad_data: invalid parameter "name": info's message. */
void prom_call_bad_parameter(struct prom_call *c, const char *name);

/* Parameters. Absent or empty ones leave *value alone. False: the error has been answered. */
/* As storage counts. */
bool param_time(struct prom_call *c, const char *name, ts_ms *value);
/* The second takes no absent value; the originals word the error of the first otherwise. */
bool param_instant(struct prom_call *c, const char *name, struct go_time *value);
bool param_instant_required(struct prom_call *c, const char *name, struct go_time *value);
bool param_duration(struct prom_call *c, const char *name, int64_t *value_ns);
bool param_bool(struct prom_call *c, const char *name, const char *why, bool *value);
bool param_limit(struct prom_call *c, const char *name, size_t *value);
/* All match[] of the call, each a list of matchers in the arena, to be ended with prom_selectors_done. */
struct prom_selectors {
    struct {
        struct matcher *m;
        size_t n;
    } sets[SELECTORS_MAX];
    size_t count;
};
enum selectors_mode {
    SELECTORS_OPTIONAL = 0, /* labels, rules: an error is the bare sentence */
    SELECTORS_REQUIRED,     /* series: an error names the parameter */
    SELECTORS_ANY           /* deletes: as series, and one that selects nothing in particular is taken */
};
bool param_selectors(struct prom_call *c, enum selectors_mode mode, struct prom_selectors *s);
void prom_selectors_done(struct prom_selectors *s);

/* "key":"value" pairs as an object. */
void json_labels(struct json_writer *w, struct labels ls);
void json_histogram(struct json_writer *w, const struct histogram *h);

/* Answers with where to go: 301, 302 or 307. */
void prom_redirect(struct http_req *r, int status, struct str to);

/* Route tables of the files of this folder. */
struct prom_routes {
    const struct http_route *rows;
    size_t n;
};
struct prom_routes prom_routes_query(void);
struct prom_routes prom_routes_series(void);
struct prom_routes prom_routes_search(void);
struct prom_routes prom_routes_status(void);
struct prom_routes prom_routes_rules(void);
struct prom_routes prom_routes_federate(void);
struct prom_routes prom_routes_read(void);
struct prom_routes prom_routes_features(void);
struct prom_routes prom_routes_targets(void);
struct prom_routes prom_routes_write(void);
struct prom_routes prom_routes_notifications(void);
struct prom_routes prom_routes_self_metrics(void);
struct prom_routes prom_routes_openapi(void);
enum {
    PROM_TABLES = 13
};
/* All of them; returns their number. */
size_t prom_route_tables(struct prom_routes ret_tables[PROM_TABLES]);
/* The description of the API: `openapi_version` is its form's, `version` the program's. */
void openapi_write(struct buf *b, const char *openapi_version, struct str version, struct str route_prefix);

/* Wraps a handler `static void fn(struct prom_call *c)` for a route table. */
#define PROM_ROUTE(fn)                                    \
    static void fn##_route(void *ctx, struct http_req *r) \
    {                                                     \
        struct prom_call c;                               \
        prom_call_begin(&c, ctx, r);                      \
        fn(&c);                                           \
        prom_call_end(&c);                                \
    }

#endif
