/* Provisioning: data sources and dashboards out of files, as Grafana reads them from its provisioning folder.
 *
 * One call reads everything and brings the database in line; it is called at start and again on every rescan.
 */
#ifndef CAIRN_DASHBOARDS_PROVISION_H
#define CAIRN_DASHBOARDS_PROVISION_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "dashboards/db.h"

struct provision_report {
    unsigned data_sources, dashboards_changed, dashboards_unchanged, dashboards_removed;
    unsigned problems; /* files that could not be used; the rest was */
    struct err_info first_problem;
};

/* Reads `path`/datasources and `path`/dashboards (either may be absent). A bad YAML file is an error (with
 * place); a bad dashboard file is a problem in the report. */
MUST_USE enum err provision_folder(struct db *db, ts_ms now, const char *path,
                                   struct provision_report *ret_report, struct err_info *reterr_info);
/* The dashboards that come with the program. */
MUST_USE enum err provision_builtin(struct db *db, ts_ms now, struct provision_report *ret_report,
                                    struct err_info *reterr_info);
/* $NAME, ${NAME}, $__env{NAME}, $__file{path} and $$ in a value, as in Grafana's provisioning files. */
MUST_USE enum err provision_expand(struct arena *a, struct str value, struct str *ret_value,
                                   struct err_info *reterr_info);

#endif
