/* Target groups: what every discovery mechanism hands out. A snapshot is immutable and shared by count. */
#ifndef CAIRN_METRICS_DISCOVERY_TARGET_GROUP_H
#define CAIRN_METRICS_DISCOVERY_TARGET_GROUP_H

#include <stdatomic.h>

#include "base/arena.h"
#include "codec/yaml.h"
#include "labels/labels.h"

struct target_group {
    struct labels *targets; /* each with __address__ */
    size_t target_count;
    struct labels labels; /* of all targets; the target's own win */
    struct str source;    /* file or URL it came from; set by the provider */
};

struct target_groups {
    atomic_uint refs;
    struct arena memory;
    struct target_group *items;
    size_t n, cap;
};

enum {
    TARGET_GROUPS_MAX = 100000,    /* of one provider */
    TARGETS_PER_GROUP_MAX = 100000 /* a file or answer with more is refused */
};

/* An empty set with one reference; filled by its maker before it is shared. */
MUST_USE enum err target_groups_new(struct target_groups **ret_groups);
struct target_groups *target_groups_ref(struct target_groups *g);
void target_groups_unref(struct target_groups *g); /* accepts NULL */

/* Adds the groups of a list [{targets: [...], labels: {...}}], as static_configs, YAML files and (by the
 * next function) JSON have it. `extra` (value empty: none) is set on each group. Errors: INVALID with place,
 * LIMIT, OOM. */
MUST_USE enum err target_groups_add_yaml(struct target_groups *g, const struct yaml_node *list,
                                         struct label extra, struct err_info *reterr_info);
/* One target as a group of its own; labels are copied. */
MUST_USE enum err target_groups_add_target(struct target_groups *g, struct labels target, struct str source,
                                           struct err_info *reterr_info);
/* A deep copy of the groups of `from` whose source is `source`. Errors: LIMIT, OOM. */
MUST_USE enum err target_groups_copy(struct target_groups *to, const struct target_groups *from,
                                     struct str source);
/* The same list as JSON text. */
MUST_USE enum err target_groups_add_json(struct target_groups *g, struct str text, struct label extra,
                                         struct err_info *reterr_info);

#endif
