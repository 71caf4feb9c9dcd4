/* The fields that a line holds, found without being asked for any: json first, then logfmt. */
#ifndef CAIRN_LOGS_LOGQL_DETECT_H
#define CAIRN_LOGS_LOGQL_DETECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "labels/labels.h"

enum detected_parser {
    DETECTED_NONE = 0,
    DETECTED_JSON,
    DETECTED_LOGFMT
};

struct detected_field {
    struct str name, value;
    const struct str *path; /* json: the keys that lead to it */
    size_t path_count;
};

struct logql_detector;

MUST_USE enum err logql_detector_new(struct mem_budget *budget, struct logql_detector **ret_detector);
void logql_detector_free(struct logql_detector *d); /* accepts NULL */
/* The fields live until the next call. A name that the stream has gets the suffix _extracted. Errors: OOM,
 * LIMIT. */
MUST_USE enum err logql_detect(struct logql_detector *d, struct labels stream, struct str line,
                               const struct detected_field **ret_fields, size_t *ret_n,
                               enum detected_parser *ret_parser);

/* "int", "float", "boolean", "duration", "bytes" or "string". */
const char *logql_value_type(struct str value);
/* A value with a unit of bytes, in the shape in which queries compare them: "1.5kB". False: it is none. */
bool logql_value_bytes(struct str value, struct buf *out);
/* Numbers and UUIDs: values of which there are too many to choose from. */
bool logql_value_is_id(struct str value);

#endif
