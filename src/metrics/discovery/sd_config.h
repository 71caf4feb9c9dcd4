/* The *_sd_configs and static_configs of a job (or of an Alertmanager), read and checked.
 *
 * Mechanisms that are known but not run yet are accepted and listed in `unused`, so that the owner can name
 * them once in the log. */
#ifndef CAIRN_METRICS_DISCOVERY_SD_CONFIG_H
#define CAIRN_METRICS_DISCOVERY_SD_CONFIG_H

#include "codec/yaml.h"
#include "metrics/discovery/target_group.h"
#include "net/http_config.h"

enum sd_kind {
    SD_STATIC = 0,
    SD_FILE,
    SD_HTTP,
    SD_DNS,
    SD_KIND_COUNT
};

struct sd_config {
    enum sd_kind kind;
    struct target_groups *groups; /* static: the groups themselves */
    const struct str *files;      /* file: patterns, resolved against the configuration file; dns: names */
    size_t file_count;
    int dns_type;   /* as the protocol numbers it: 33 is SRV */
    unsigned port;  /* dns */
    struct str url; /* http */
    struct http_client_config *http;
    int64_t refresh_ms;
};

struct sd_configs {
    struct sd_config *items;
    size_t n, cap;
    const char **unused; /* keys of mechanisms that do not run yet */
    size_t unused_count, unused_cap;
};

/* "static_configs", "file_sd_configs", ... NULL-terminated: for the owner's yaml_check_keys. */
extern const char *const sd_config_keys[];
/* "file", "http", ...: the n-th mechanism that runs, or NULL. */
const char *sd_mechanism_name(enum sd_kind kind);

/* Reads every such key of `map`. Strings live in the arena; what the configs own is released by
 * sd_configs_done. Errors: INVALID with place, OOM. */
MUST_USE enum err sd_configs_parse(struct arena *a, const struct yaml_node *map,
                                   struct sd_configs *ret_configs, struct err_info *reterr_info);
void sd_configs_done(struct sd_configs *s);
/* A file name of a configuration file, relative to that file. p == NULL: out of memory. */
struct str sd_config_path(struct arena *a, const struct yaml_node *at, struct str path);

#endif
