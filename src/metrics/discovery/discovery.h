/* Service discovery at work: providers that refresh their target groups and say when these changed.
 *
 * One thread watches the clock and the folders of file providers; refreshes run on two workers, so that a
 * dead HTTP endpoint delays no other. A failing refresh keeps the last groups. Any thread may call. */
#ifndef CAIRN_METRICS_DISCOVERY_DISCOVERY_H
#define CAIRN_METRICS_DISCOVERY_DISCOVERY_H

#include "metrics/discovery/sd_config.h"

struct discovery;
struct sd_provider;

struct discovery_options {
    struct str user_agent;      /* "Prometheus/3.14.0"; borrowed for life */
    void (*changed)(void *ctx); /* some provider has new groups; on a thread of discovery */
    void *ctx;
};

struct discovery_stats {
    uint64_t refresh_failures[SD_KIND_COUNT]; /* by kind */
    uint64_t file_read_errors, http_failures, dns_lookups, dns_failures, updates;
};

MUST_USE enum err discovery_new(const struct discovery_options *o, struct discovery **ret_discovery);
/* After all providers were removed. Accepts NULL. */
void discovery_free(struct discovery *d);
/* `config` is borrowed until `release(hold)` is called, which happens once, on any thread, after the removal.
 * A static provider has its groups at once. Errors: OOM. */
MUST_USE enum err discovery_add(struct discovery *d, const struct sd_config *config,
                                void (*release)(void *hold), void *hold, struct sd_provider **ret_provider);
void discovery_remove(struct discovery *d, struct sd_provider *p);
/* A reference to the present groups; NULL before the first refresh succeeded. */
struct target_groups *sd_provider_groups(struct sd_provider *p);
void discovery_stats(struct discovery *d, struct discovery_stats *ret_stats);

#endif
