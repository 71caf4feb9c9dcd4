/* Shared by the provisioning files. Private to this folder. */
#ifndef CAIRN_DASHBOARDS_PROVISION_INT_H
#define CAIRN_DASHBOARDS_PROVISION_INT_H

#include "dashboards/provision.h"

bool provision_is_yaml(struct str name);
MUST_USE enum err provision_data_sources(struct db *db, const char *path, struct arena *a, unsigned *count,
                                         struct err_info *reterr_info);

#endif
