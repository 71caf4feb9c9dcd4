/* Rule files: groups of recording and alerting rules, strictly read. */
#ifndef CAIRN_RULES_RULE_FILE_H
#define CAIRN_RULES_RULE_FILE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "labels/labels.h"

struct rule {
    bool alert; /* else recording */
    struct str name;
    struct str expr; /* as Prometheus prints it */
    int64_t for_ms, keep_firing_for_ms;
    struct labels labels; /* the group's included */
    struct labels annotations;
};

struct rule_group {
    struct str name, file;
    int64_t interval_ms, query_offset_ms;
    uint64_t limit;
    const struct rule *rules;
    size_t n;
};

struct rule_set {
    atomic_uint refs;
    struct arena memory;
    struct rule_group *groups; /* in the order of files, then as written */
    size_t n, cap;
};

struct rule_defaults {
    int64_t interval_ms, query_offset_ms; /* of groups that name none */
};

/* Reads every file that the patterns match (in order of name for each pattern). Errors: INVALID with file,
 * line and column, IO, DENIED, LIMIT, OOM. */
MUST_USE enum err rule_set_load(const struct str *patterns, size_t n, const struct rule_defaults *d,
                                struct rule_set **ret_set, struct err_info *reterr_info);
struct rule_set *rule_set_ref(struct rule_set *s);
void rule_set_unref(struct rule_set *s); /* accepts NULL */

#endif
