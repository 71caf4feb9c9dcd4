/* Prometheus' HTTP API over the metrics role's parts: parameters in, JSON out.
 *
 * Handlers run on the server's workers; everything here may be called from any of them at once. */
#ifndef CAIRN_API_PROM_PROM_API_H
#define CAIRN_API_PROM_PROM_API_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "metrics/model/sink.h"
#include "metrics/promql/engine.h"
#include "metrics/tsdb/tsdb.h"
#include "net/http_server.h"
#include "query/metric_source.h"

struct rule_set;
struct scrape_manager;
struct series_cache;
struct range_cache;
struct query_gate;
struct prom_notifier;

struct prom_flag {
    const char *name; /* "query.timeout" */
    struct str value;
};

struct prom_api {
    struct clock *clock;
    struct metric_source *source;
    struct metric_sink *sink;
    struct tsdb *db;
    struct series_cache *series_cache; /* of remote write; may be NULL */
    struct range_cache *range_cache;   /* of range queries; may be NULL. `nocache=1` goes past it */
    struct mem_promise *promise;       /* of the process; may be NULL */
    struct arena_pool *query_memory;   /* blocks that queries use again; may be NULL */
    struct scrape_manager *scrape;     /* may be NULL: no targets */
    struct promql_options promql;
    int64_t query_timeout_ms;    /* 2 minutes unless told */
    uint64_t query_samples_max;  /* 50,000,000 unless told */
    size_t query_memory_bytes;   /* of one query */
    unsigned query_concurrency;  /* as told: 20 unless told */
    struct query_gate *gate;     /* lets so many in, more wait for their turn; may be NULL */
    size_t write_body_bytes_max; /* decompressed remote write; 32 MiB unless told */
    bool remote_write;           /* accept remote write */
    bool otlp_asked;             /* for the OTLP receiver, which there is not */
    bool admin;                  /* delete_series and snapshot */
    bool per_step_stats;         /* stats=all shows each step */
    bool search;                 /* the search endpoints */
    uint64_t search_limit_max;   /* results of a search; 0 = no limit */
    const char *snapshot_dir;    /* where snapshots go */
    ts_ms started_ms;
    const struct prom_flag *flags;
    size_t flag_count;
    struct str retention; /* "15d or 512MB" */
    struct str cairn_version;
    struct str external_url;           /* "http://host:9090": for links from elsewhere */
    struct str route_prefix;           /* "/prometheus": before every path; empty = none */
    unsigned notification_readers_max; /* of /notifications/live at once */
    struct str listen_address;         /* "0.0.0.0:9090" */

    /* After each query: seconds inside the engine, samples it looked at and read. May be NULL. */
    void (*on_query)(void *ctx, double seconds, uint64_t samples, uint64_t samples_read);
    void *on_query_ctx;

    /* The configuration file's text as loaded; the caller frees it with mem_free. NULL: none. */
    char *(*config_text)(void *ctx);
    /* /metrics as text 0.0.4, appended. */
    enum err (*self_metrics)(void *ctx, struct buf *b);
    void *self_metrics_ctx;
    /* A reference to the rule files as loaded; NULL: none. */
    struct rule_set *(*rule_set)(void *ctx);
    /* Loads the configuration anew. NULL: the lifecycle API is off. */
    enum err (*reload)(void *ctx, struct err_info *reterr_info);
    /* Ends the process in good order. NULL: off. */
    void (*quit)(void *ctx);
    void *ctx;

    struct prom_notifier *_Atomic notifier;     /* notifications.c; made by the first reader */
    atomic_uint queries_running, reads_running; /* reads: of remote read */
    atomic_uint_fast64_t queries_done, queries_failed, write_samples, write_refused, federation_errors;
    atomic_bool reload_ok;
    _Atomic int64_t reload_ms, reload_failed_ms;
    _Atomic int64_t evaluation_interval_ms; /* of the configuration; 0 = unknown: subqueries without a step */
};

/* Adds every route; `api` must outlive the server. Errors: OOM. */
MUST_USE enum err prom_api_routes(struct prom_api *api, struct http_server *server);
/* A path with a slash too many leads to the one without, as at the original. False: it has none, and nothing
 * was answered. For http_server_options.not_found. */
bool prom_api_redirect_slashes(const struct prom_api *api, struct http_req *r);
/* Those who follow the notifications now. */
size_t prom_api_notification_readers(struct prom_api *api);
/* Tells whoever follows the notifications that the server ends, and ends their streams. Before
 * http_server_stop. */
void prom_api_stopping(struct prom_api *api);
/* After http_server_stop. Both accept an api that was never started. */
void prom_api_done(struct prom_api *api);

#define PROMETHEUS_VERSION_TEXT "3.14.0"

#endif
