/* The logs role's struct and configuration, shared by its files. */
#ifndef CAIRN_CAIRN_ROLE_LOGS_INT_H
#define CAIRN_CAIRN_ROLE_LOGS_INT_H

#include "api/loki/loki_api.h"
#include "cairn/role.h"
#include "logs/ingest/push_ingest.h"
#include "logs/store/log_store.h"

enum {
    LOGS_IGNORED_MAX = 16
};

/* Loki's flags, as given on the command line. */
struct logs_flags {
    struct str listen_address, listen_port, path_prefix, target, auth, log_level, store_path;
    bool expand_env, verify, print_config;
    struct str ignored[LOGS_IGNORED_MAX]; /* accepted, without effect */
};

/* Loki's configuration file, as far as something acts on it. Strings live in the arena. */
struct logs_config {
    struct arena a;
    bool from_file;
    bool auth_enabled;
    struct str listen_host, path_prefix; /* server.http_listen_address, http_path_prefix */
    uint64_t listen_port;                /* 0: not given */
    struct str data_dir;                 /* empty: not given */
    int64_t retention_ms;                /* < 0: for ever; 0: the store's default */
    struct push_limits push;
    uint64_t series_max, entries_max;
    int64_t query_length_max_ms, query_timeout_ms, split_ms;
    bool volume_enabled;
    struct str text; /* the file, for /config */
};

struct logs_self;

struct logs_role {
    struct role role;
    struct logs_flags f;
    struct serve *serve;
    struct logs_config config;
    struct http_server *server;
    struct log_store *store;
    struct push_ingest *ingest;
    struct logs_self *self;
    char *data_dir;
    struct loki_api api;
};

/* role_logs_config.c */
/* Loki's defaults for a process that has a configuration file or not. */
void logs_config_init(struct logs_config *c, bool alone);
/* Reads the file (the first of a list that exists). Errors carry file, line and column. */
MUST_USE enum err logs_config_load(struct logs_config *c, struct str files, bool expand_env,
                                   struct err_info *reterr_info);
void logs_config_done(struct logs_config *c);

/* role_logs_self.c: /metrics */
MUST_USE enum err logs_self_new(struct logs_self **ret_self);
void logs_self_free(struct logs_self *s); /* accepts NULL */
MUST_USE enum err logs_self_start(struct logs_role *l);
void logs_self_request(void *self, const char *route, struct str method, int status, double seconds,
                       uint64_t bytes);

#endif
