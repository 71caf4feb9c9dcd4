/* The metrics role's struct, shared by its files. */
#ifndef CAIRN_CAIRN_ROLE_METRICS_INT_H
#define CAIRN_CAIRN_ROLE_METRICS_INT_H

#include <stdatomic.h>

#include "api/page.h"
#include "api/prom/prom_api.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "cairn/role.h"
#include "metrics/ingest/series_cache.h"
#include "metrics/promql/range_cache.h"
#include "metrics/remote/writer.h"
#include "metrics/scrape/scrape.h"
#include "rules/rule_file.h"

enum {
    METRICS_IGNORED_MAX = 48,
    METRICS_NO_EFFECT_MAX = 16,
    METRICS_REMOTES_MAX = 32 /* remote_write entries */
};

enum {
    QUERY_MEMORY_BYTES_MIN = 16 << 20,
    QUERY_MEMORY_BYTES_MAX = 1 << 30,
    CACHE_PART = 16,             /* of the memory promise, that each of these may take at most */
    RANGE_CACHE_BYTES = 8 << 20, /* a few hundred panels */
    QUERY_POOL_BYTES = 8 << 20,  /* a panel of a thousand series: larger ones ask the system for the rest */
    WRITE_BODY_BYTES_MIN = 4 << 20, /* of a remote write, unpacked: an eighth of the promise, within these */
    WRITE_BODY_BYTES_MAX = 32 << 20,
    QUERY_WORKERS_MAX = 128, /* threads cost little, but not nothing */
    QUERY_WORKERS_WAITING = 4
};

/* Values of Prometheus' flags. */
struct metrics_flags {
    struct str path, web_config, cors_origin, external_url, route_prefix;
    struct flag_list listen, features;
    int64_t retention_ms, lookback_ms, timeout_ms;
    uint64_t retention_bytes, samples_max, concurrency, connections_max, search_limit_max,
        notification_readers_max;
    bool remote_write, admin, lifecycle;
    struct str ignored[METRICS_IGNORED_MAX]; /* accepted, without effect */
    bool no_effect[METRICS_NO_EFFECT_MAX];   /* the same, booleans */
};

/* Where Cairn writes in a data directory of Prometheus. */
#define METRICS_IN_PLACE_DIR "cairn"

struct metrics_self;

/* A running remote_write entry. Its writer holds the configuration. */
struct metrics_remote {
    struct remote_writer *writer;
    const struct prom_config *config;
    size_t index;
    char *name;
    char text[16];
};

struct metrics_role {
    struct role role;
    struct metrics_flags f;
    struct serve *serve;
    struct web_config *web;
    struct http_server *server;
    struct tsdb *db;
    atomic_int loads;                  /* of store and role: the port answers when both are over */
    struct series_cache *series_cache; /* of remote write */
    struct range_cache *range_cache;   /* of range queries */
    struct arena_pool *query_memory;   /* blocks they use again */
    struct query_gate *query_gate;     /* NULL when --query.max-concurrency is 0 */
    struct scrape_manager *scrape;
    struct metrics_self *self;
    struct mutex remotes_lock; /* guards the next two */
    struct metrics_remote remotes[METRICS_REMOTES_MAX];
    size_t remote_count;
    struct mutex reload_lock; /* one reload at a time */
    struct mutex rules_lock;  /* guards rules */
    struct rule_set *rules;
    struct strmap
        logged; /* settings without effect that were named in the log, under reload_lock like the next */
    bool rules_logged, alerts_logged;
    struct prom_flag *flag_rows;
    struct prom_config_flags shown; /* in status/config */
    char *external_url, *retention, *data_dir, *snapshot_dir;
    char *prometheus_dir; /* whose blocks are served where they stand; NULL: none */
    struct prom_api api;
    struct page page; /* the web app's pages under Prometheus' addresses */
};

/* role_metrics_flags.c */
extern const struct flag metrics_flag_table[];
extern const size_t metrics_flag_count;
/* The flags' values as /api/v1/status/flags shows them, into m->flag_rows and m->api. */
MUST_USE enum err metrics_flag_rows(struct metrics_role *m);
bool metrics_feature(const struct metrics_role *m, const char *name);
/* Names flags that were given and have no effect, and features that are unknown, once in the log. */
void metrics_flags_log(const struct metrics_role *m);

/* role_metrics_config.c */
/* The configuration file, or what stands in for it. */
/* The file and its rule files, for cairn check. */
MUST_USE enum err metrics_config_check(struct role *r, struct err_info *reterr_info);
MUST_USE enum err metrics_config_load(struct metrics_role *m, struct prom_config **ret_config,
                                      struct err_info *reterr_info);
/* Makes the scrape manager and applies the configuration (takes the reference). */
MUST_USE enum err metrics_scrape_start(struct metrics_role *m, struct prom_config *c,
                                       struct err_info *reterr_info);
/* For prom_api.reload and SIGHUP: a wrong file leaves everything as it is. */
enum err metrics_reload(void *role, struct err_info *reterr_info);
char *metrics_config_text(void *role);
/* A reference. */
struct rule_set *metrics_rule_set(void *role);

/* role_metrics_remote.c */
void metrics_remote_apply(struct metrics_role *m, struct prom_config *config);
void metrics_remote_stop(struct metrics_role *m);

/* role_metrics_self.c: /metrics */
MUST_USE enum err metrics_self_new(struct metrics_role *m, struct metrics_self **ret_self);
void metrics_self_free(struct metrics_self *s); /* accepts NULL */
/* Adds what needs the store and the scrape manager, and the route. */
MUST_USE enum err metrics_self_start(struct metrics_role *m);
void metrics_self_request(void *self, const char *route, struct str method, int status, double seconds,
                          uint64_t bytes);
/* What /metrics answers, as text; for prom_api.self_metrics. */
enum err metrics_self_text(void *self, struct buf *b);
void metrics_self_query(void *self, double seconds, uint64_t samples, uint64_t samples_read);
/* role_metrics_self_store.c: what the store does, the rules there are, the engine's limits. */
struct cairn_registry;
MUST_USE enum err metrics_self_store(struct metrics_role *m, struct cairn_registry *registry);
/* role_metrics_self_remote.c: remote write. */
MUST_USE enum err metrics_self_remote(struct metrics_role *m, struct cairn_registry *registry);
void metrics_self_interval(void *self, int64_t interval_ms, double seconds);

/* storage.exemplars.max_exemplars as tsdb_options has it: 0 in the file means none. */
int64_t metrics_exemplars_max(const struct prom_config *c);
/* Whether the folder is Prometheus' own, to be read in place (role_metrics_prom.c). */
bool metrics_in_place(const char *path);
/* Brings the head of that Prometheus in, unless that was done. Errors: those of tsdb_import_head. */
MUST_USE enum err metrics_in_place_head(struct tsdb *db, const char *path, struct err_info *info);

#endif
