/* relabel_configs and metric_relabel_configs out of YAML. */
#ifndef CAIRN_METRICS_DISCOVERY_RELABEL_CONFIG_H
#define CAIRN_METRICS_DISCOVERY_RELABEL_CONFIG_H

#include "codec/yaml.h"
#include "labels/relabel.h"

/* A null node gives no rules. The rules live in the arena, their expressions until relabel_rules_done.
 * Errors: INVALID with place. */
MUST_USE enum err relabel_config_parse(struct arena *a, const struct yaml_node *list,
                                       struct relabel_rule **ret_rules, size_t *ret_n,
                                       struct err_info *reterr_info);
void relabel_rules_done(struct relabel_rule *rules, size_t n);

#endif
