/* Shared by the files that read the configuration. */
#ifndef CAIRN_AGENT_CONFIG_INT_H
#define CAIRN_AGENT_CONFIG_INT_H

#include "agent/config.h"

/* Names in the log, once, that the key changes nothing. */
void config_unused(const struct yaml_node *map, const char *const *keys);
/* A map of valid label names and texts, sorted. Errors: INVALID, OOM. */
MUST_USE enum err config_labels(struct agent_config *c, const struct yaml_node *n, struct labels *ret_labels,
                                struct err_info *reterr_info);
/* A `server` block: known keys, and none that asks for more than is offered (TLS). Keys without effect are
 * named in the log. Errors: INVALID, UNSUPPORTED. */
MUST_USE enum err config_server_keys(const struct yaml_node *n, struct err_info *reterr_info);
MUST_USE enum err config_scrape(struct agent_config *c, const struct yaml_node *list,
                                struct err_info *reterr_info);

#endif
