/* Shared by role_dashboards*.c. */
#ifndef CAIRN_CAIRN_ROLE_DASHBOARDS_INT_H
#define CAIRN_CAIRN_ROLE_DASHBOARDS_INT_H

#include <stdatomic.h>

#include "api/grafana/grafana_api.h"
#include "api/page.h"
#include "base/thread.h"
#include "cairn/role.h"
#include "dashboards/settings.h"

struct dashboards_role {
    struct role role; /* first: a struct role * is cast to this */
    int lock_fd;      /* of the folder; -1 = not held */
    /* flags */
    struct str home_path, pid_file, packaging;
    /* settings; strings live in `arena` */
    struct arena arena;
    struct settings settings;
    struct str provisioning; /* folder, NUL-terminated; empty: none */
    struct str dir;          /* where the database is; NUL-terminated */
    /* parts */
    struct http_server *server;
    struct db *db;
    struct http_client *client;
    struct grafana_api api;
    struct page page;
    atomic_bool ready; /* pages may look at the parts: release in start, acquire in the handler */
    /* rescans of the provisioning folder */
    struct thread scanner;
    struct mutex provision_lock; /* one reading of the folder at a time */
    struct mutex scan_lock;      /* guards stopping */
    struct cond scan_wake;
    bool stopping;
};

/* grafana.ini, environment and command line into d->settings; the paths. Errors: INVALID with place. */
MUST_USE enum err dashboards_settings(struct dashboards_role *d, const struct serve *s,
                                      struct err_info *reterr_info);
/* Whether grafana.ini reads; role_ops' check. */
MUST_USE enum err dashboards_check(struct role *r, struct err_info *reterr_info);
/* The first start's administrator, with a password that is said once. */
MUST_USE enum err dashboards_first_user(struct dashboards_role *d, struct err_info *reterr_info);
/* The dashboards and data sources: those of the program, then those of the provisioning folder; the default
 * sources when there are no others. */
MUST_USE enum err dashboards_content(struct dashboards_role *d, const struct serve *s,
                                     struct err_info *reterr_info);
/* Reads the provisioning folder; ctx is the role. Any thread. */
MUST_USE enum err dashboards_provision(void *ctx, struct err_info *reterr_info);

#endif
