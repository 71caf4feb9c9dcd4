/* The dashboards that come with the program: Grafana JSON, linked in from src/dashboards/builtin. */
#ifndef CAIRN_DASHBOARDS_BUILTIN_H
#define CAIRN_DASHBOARDS_BUILTIN_H

#include "base/str.h"

struct builtin_dashboard {
    const char *name; /* file name */
    const char *begin, *end;
};

extern const struct builtin_dashboard builtin_dashboards[]; /* ends with name NULL */

#endif
