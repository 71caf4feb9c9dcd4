/* What the mechanisms and the thread share. Private to this folder. */
#ifndef CAIRN_METRICS_DISCOVERY_DISCOVERY_INT_H
#define CAIRN_METRICS_DISCOVERY_DISCOVERY_INT_H

#include "base/clock.h"
#include "base/thread.h"
#include "metrics/discovery/discovery.h"

enum {
    DISCOVERY_WORKERS = 2,
    DISCOVERY_QUEUE_MAX = 4096,
    DISCOVERY_FILES_MAX = 10000 /* of one file provider */
};

struct sd_provider {
    struct discovery *d;
    const struct sd_config *config;
    void (*release)(void *hold);
    void *hold;
    struct sd_provider *next; /* under d->lock, like the four below */
    int64_t due_ns;           /* monotonic */
    bool busy, again, removed;
    struct mutex lock; /* guards groups */
    struct target_groups *groups;
    int *watches; /* inotify descriptors of its folders; the thread's */
    size_t watch_count;
};

struct discovery {
    struct discovery_options o;
    struct http_client *client;
    struct pool *workers;
    struct thread thread;
    struct mutex lock; /* guards providers and stopping */
    struct sd_provider *providers;
    bool stopping;
    int wake_fd, inotify_fd;
    _Atomic uint64_t refresh_failures[SD_KIND_COUNT];
    _Atomic uint64_t file_read_errors, http_failures, dns_lookups, dns_failures, updates;
};

/* One mechanism: the groups as they are now; `old` (may be NULL) is what a broken part keeps. */
MUST_USE enum err sd_file_refresh(struct sd_provider *p, struct target_groups *old,
                                  struct target_groups **ret_groups, struct err_info *info);
MUST_USE enum err sd_http_refresh(struct sd_provider *p, struct target_groups **ret_groups,
                                  struct err_info *info);
MUST_USE enum err sd_dns_refresh(struct sd_provider *p, struct target_groups **ret_groups,
                                 struct err_info *info);

#endif
