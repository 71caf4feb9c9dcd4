/* key=value pairs of a log line, as Loki's decoder reads them. */
#ifndef CAIRN_LOGS_LOGQL_LOGFMT_SCAN_H
#define CAIRN_LOGS_LOGQL_LOGFMT_SCAN_H

#include "base/arena.h"
#include "base/str.h"

struct logfmt_scan {
    struct str line;
    size_t at;
    struct arena *a; /* for values with escapes */
    struct str key, value;
    char fault[64]; /* the last complaint, empty: none */
};

/* True: key and value are set (value may be empty). False: nothing here, or a complaint; go on while
 * !logfmt_scan_ended. */
bool logfmt_scan_next(struct logfmt_scan *s);

static inline bool logfmt_scan_ended(const struct logfmt_scan *s)
{
    return s->at >= s->line.n;
}

#endif
