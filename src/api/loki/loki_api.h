/* Loki's HTTP API over the logs role's parts: parameters in, JSON out.
 *
 * Handlers run on the server's workers; everything here may be called from any of them at once. */
#ifndef CAIRN_API_LOKI_LOKI_API_H
#define CAIRN_API_LOKI_LOKI_API_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "logs/ingest/push_ingest.h"
#include "logs/logql/engine.h"
#include "logs/model/sink.h"
#include "logs/store/log_store.h"
#include "net/http_server.h"
#include "query/log_source.h"

struct loki_api {
    struct clock *clock;
    struct log_source *source;
    struct log_store *store;
    struct push_ingest *ingest;
    struct logql_options logql;
    int64_t query_timeout_ms;    /* 1 minute unless told */
    size_t query_memory_bytes;   /* of one query */
    struct mem_promise *promise; /* of the process; may be NULL */
    size_t entries_max;          /* max_entries_limit_per_query: 5000 unless told */
    int64_t query_length_max_ms; /* max_query_length: 721 h unless told; 0 = none */
    int64_t split_ms;            /* split_queries_by_interval; 0: steps start where the query does */
    size_t push_body_bytes_max;  /* decompressed; 100 MiB unless told */
    bool volume_enabled;         /* volume_enabled: index/volume is there */
    bool auth_enabled;           /* X-Scope-OrgID is required and names the tenant */
    struct str cairn_version;
    /* The configuration in force as YAML; the caller frees it with mem_free. NULL: none. */
    char *(*config_text)(void *ctx);
    void *ctx;
    atomic_uint tails_open; /* relaxed: a count against a limit */
};

/* Adds every route; `api` must outlive the server. Errors: OOM. */
MUST_USE enum err loki_api_routes(struct loki_api *api, struct http_server *server);

#define LOKI_VERSION_TEXT "3.8.0"

#endif
