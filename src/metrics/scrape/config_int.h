/* What the readers of the configuration's sections share. Private to this folder. */
#ifndef CAIRN_METRICS_SCRAPE_CONFIG_INT_H
#define CAIRN_METRICS_SCRAPE_CONFIG_INT_H

#include "metrics/discovery/relabel_config.h"
#include "metrics/scrape/config.h"
#include "metrics/scrape/limits.h"

struct config_reader {
    struct prom_config *c;
    struct arena *a; /* of c */
    struct err_info *info;
};

enum config_kind {
    CONFIG_STR,      /* struct str */
    CONFIG_PATH,     /* struct str, resolved against the file */
    CONFIG_BOOL,     /* bool */
    CONFIG_U64,      /* uint64_t */
    CONFIG_F64,      /* double */
    CONFIG_DURATION, /* int64_t milliseconds */
    CONFIG_SIZE,     /* uint64_t bytes */
    CONFIG_OTHER     /* read by the section itself */
};

struct config_field {
    const char *key;
    enum config_kind kind;
    size_t offset;
};

/* Extra key lists of a section: http_config_keys, sd_config_keys. */
enum config_extra {
    CONFIG_PLAIN = 0,
    CONFIG_WITH_HTTP = 1 << 0,
    CONFIG_WITH_SD = 1 << 1
};

/* Checks that `map` has no other keys than the fields' (and the extra ones), and reads the plain ones into
 * `base`. */
MUST_USE enum err config_fields(struct config_reader *r, const struct yaml_node *map, const char *what,
                                const struct config_field *fields, size_t n, unsigned extra, void *base);
/* `list` is a list of maps, or null. */
MUST_USE enum err config_list(struct config_reader *r, const struct yaml_node *list, const char *what);
/* "part: key" once into c->unused. */
MUST_USE enum err config_note_unused(struct config_reader *r, const char *part, const char *key);
enum err config_no_memory(struct config_reader *r);
/* A folder-relative name with at most one star, in its last part. */
bool config_glob_valid(struct str s);

MUST_USE enum err config_read_defaults(struct config_reader *r, const struct yaml_node *map,
                                       struct scrape_defaults *d);
/* Appends the jobs of a scrape_configs list. */
MUST_USE enum err config_read_jobs(struct config_reader *r, const struct yaml_node *list);
void scrape_job_done(struct scrape_job *j);
/* alerting, remote_write, remote_read, storage, tracing, otlp, runtime. */
MUST_USE enum err config_read_rest(struct config_reader *r, const struct yaml_node *root);
/* The subtree without the keys of `skip` (NULL-terminated, may be NULL), in one canonical form. */
void config_canonical(struct buf *b, const struct yaml_node *n, const char *const *skip);

/* The keys of what config_read_defaults reads, for the sections that have them. */
#define CONFIG_DEFAULT_FIELDS                                                                               \
    {"scrape_interval", CONFIG_OTHER, 0}, {"scrape_timeout", CONFIG_OTHER, 0},                              \
        {"body_size_limit", CONFIG_OTHER, 0}, {"sample_limit", CONFIG_OTHER, 0},                            \
        {"target_limit", CONFIG_OTHER, 0}, {"label_limit", CONFIG_OTHER, 0},                                \
        {"label_name_length_limit", CONFIG_OTHER, 0}, {"label_value_length_limit", CONFIG_OTHER, 0},        \
        {"keep_dropped_targets", CONFIG_OTHER, 0}, {"scrape_protocols", CONFIG_OTHER, 0},                   \
        {"scrape_native_histograms", CONFIG_OTHER, 0},                                                      \
        {"always_scrape_classic_histograms", CONFIG_OTHER, 0},                                              \
        {"convert_classic_histograms_to_nhcb", CONFIG_OTHER, 0}, {"extra_scrape_metrics", CONFIG_OTHER, 0}, \
        {"metric_name_validation_scheme", CONFIG_OTHER, 0},                                                 \
        {"metric_name_escaping_scheme", CONFIG_OTHER, 0},                                                   \
    {                                                                                                       \
        "scrape_failure_log_file", CONFIG_OTHER, 0                                                          \
    }

#endif
