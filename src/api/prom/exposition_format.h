/* Which exposition a reader of /federate gets, and how names that are no identifiers appear in it. Private to
 * this folder. Pure functions, any thread. */
#ifndef CAIRN_API_PROM_EXPOSITION_FORMAT_H
#define CAIRN_API_PROM_EXPOSITION_FORMAT_H

#include "base/arena.h"
#include "base/str.h"

enum name_escaping {
    ESCAPE_UNDERSCORES = 0, /* what is not allowed becomes _ */
    ESCAPE_DOTS,            /* . becomes _dot_, _ becomes __ */
    ESCAPE_VALUES,          /* U__http_2e_status */
    ESCAPE_NONE             /* quoted as they are */
};

struct exposition_format {
    bool protobuf; /* delimited; else text 0.0.4 */
    enum name_escaping escaping;
};

/* Of an Accept header. Text without UTF-8 names unless something else is asked for; OpenMetrics is not among
 * what is served here. */
struct exposition_format exposition_negotiate(struct str accept);
const char *exposition_content_type(struct exposition_format f);
/* A metric or label name. {NULL, 0}: memory is short. */
struct str exposition_name(struct arena *a, struct str name, enum name_escaping escaping);

#endif
