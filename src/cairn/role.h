/* What `cairn serve` asks of a role, and what it gives to one.
 *
 * A role is one file role_<name>.c (more, when it grows: role_<name>_*.c) with one `struct role_ops`, and one
 * row in serve_roles.c. Life: new, flags (parsed into the role's own struct), listen (binds the port; until
 * start has ended the role answers 503 with the reason), start, any number of reloads, stop. All calls come
 * from the main thread.
 *
 * Roles meet only in `struct services`: what a role offers to the others of the process it puts there in
 * listen (its server) or start (the rest). A NULL means that the role runs elsewhere or not at all. */
#ifndef CAIRN_CAIRN_ROLE_H
#define CAIRN_CAIRN_ROLE_H

#include "base/err.h"
#include "base/str.h"
#include "cairn/flags.h"
#include "disk/ingest_log.h"
#include "logs/model/sink.h"
#include "metrics/model/sink.h"
#include "net/http_server.h"
#include "net/web_config.h"
#include "query/log_source.h"
#include "query/metric_source.h"

/* The interfaces of this process's roles. */
struct services {
    struct http_server *metrics_server, *logs_server, *agent_server, *dashboards_server;
    struct metric_source *metric_source;
    struct metric_sink *metric_sink;
    struct log_source *log_source;
    struct log_sink *log_sink;
    bool demo;                                 /* the sample application runs in this process */
    struct str demo_address;                   /* "127.0.0.1:5000" */
    struct str demo_log;                       /* path of its log */
    struct str demo_environment, demo_version; /* labels of flask_app_info */
};

enum {
    SERVE_ARGS_MAX = 64
};

/* The settings all roles share. Strings live as long as the process. */
struct serve {
    struct str data; /* folder below which every role keeps its own: DATA/metrics, DATA/logs, ... */
    bool alone;      /* exactly one role was asked for: original's flags, files and binding */
    struct str
        listen; /* host of roles without an address of their own; empty: loopback, or all when `alone` */
    enum durability durability;
    uint64_t memory_bytes;            /* what the process may use */
    struct mem_promise *promise;      /* of so much */
    struct web_config *web;           /* for every listener without one of its own; may be NULL */
    struct str config_file, web_file; /* of all roles together; empty: none */
    const char *args[SERVE_ARGS_MAX]; /* what is no flag; only of a role that takes_arguments, alone */
    size_t arg_count;
    struct services services;
};

struct role;

struct role_ops {
    const char *name;     /* "metrics" */
    const char *replaces; /* "Prometheus" */
    unsigned port;
    bool takes_arguments; /* words that are no flags: Grafana's cfg:section.key=value */
    /* Heap struct that begins with struct role, holding the defaults. NULL: no memory. */
    struct role *(*make)(void);
    /* The original's own flags (accepted when the role runs alone); returns how many sets were filled in. */
    size_t (*flags)(struct role *r, struct flag_set *sets, size_t sets_max);
    /* Reads the configuration file (config_file) and what it names, and nothing else. NULL: the role has
     * none. */
    MUST_USE enum err (*check)(struct role *r, struct err_info *reterr_info);
    MUST_USE enum err (*listen)(struct role *r, struct serve *s, struct err_info *reterr_info);
    MUST_USE enum err (*start)(struct role *r, struct serve *s, struct err_info *reterr_info);
    /* Reads its configuration anew; a wrong one is logged and the old one stays. May be NULL. */
    void (*reload)(struct role *r);
    /* Writes what the role keeps below the folder `to`/<its folder's name>, while it runs (backup). Any
     * thread, between start and stop. Who passes on what others keep (the agent) is asked before them. NULL:
     * the role keeps nothing that a backup needs. */
    MUST_USE enum err (*snapshot)(struct role *r, const char *to, struct err_info *reterr_info);
    /* Names the files and folders that the role reads besides config_file: a backup keeps them. As snapshot;
     * may be NULL. */
    void (*files)(struct role *r, void (*name)(void *ctx, struct str path), void *ctx);
    /* Stops and frees, in whatever state the role is. */
    void (*stop)(struct role *r);
};

struct role {
    const struct role_ops *ops;
    struct str address;     /* --<role>-address; empty: from the original's flags, or the default port */
    struct str config_file; /* --<role>-config, or the original's flag when alone; empty: none */
    struct str dir;         /* where it keeps what a backup needs; set by start; empty: nothing */
    struct str
        prometheus_dir; /* above dir, blocks of a Prometheus that it serves too; set by start; may be empty */
};

extern const struct role_ops role_metrics;
extern const struct role_ops role_logs;
extern const struct role_ops role_demo;
extern const struct role_ops role_agent;
extern const struct role_ops role_dashboards;

/* Where the role listens: --<role>-address, else `own` (the original's flag; may be empty), else serve's host
 * and the default port. Heap string, freed by mem_free; NULL: no memory. */
char *role_address(const struct role *r, const struct serve *s, struct str own);
/* DATA/<sub> as a heap string; creates the folder. NULL with info on failure. */
char *role_data_dir(const struct serve *s, const char *sub, struct err_info *reterr_info);
/* The socket that systemd bound for the role (FileDescriptorName=metrics and so on), or 0. */
int role_listen_fd(const struct role *r);
/* True when the address reaches beyond this host. */
bool role_address_is_open(struct str address);

#endif
