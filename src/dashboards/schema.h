/* The dashboards database, as a list of migration steps. Step i brings user_version from i to i + 1. Steps
 * are never edited once released; a change is a new step. */
#ifndef CAIRN_DASHBOARDS_SCHEMA_H
#define CAIRN_DASHBOARDS_SCHEMA_H

#include <stddef.h>

const char *const *schema_steps(size_t *ret_n);

#endif
