/* Prometheus' http_client_config block: who we say we are, whom we trust, which way we go.
 *
 * The block is written in line with other keys (scrape_configs, remote_write, ...), so the parser reads the
 * keys it knows and leaves the rest; http_config_keys are for the owner's yaml_check_keys. Secret files are
 * read at every call and trimmed. Relative file names are relative to the configuration file. Immutable; any
 * thread. */
#ifndef CAIRN_NET_HTTP_CONFIG_H
#define CAIRN_NET_HTTP_CONFIG_H

#include "codec/yaml.h"
#include "net/http_client.h"

extern const char *const http_config_keys[]; /* NULL-terminated */

/* A NULL or null node gives the defaults (redirects are followed). Errors: INVALID with place, UNSUPPORTED
 * (oauth2), OOM. */
MUST_USE enum err http_config_parse(const struct yaml_node *node, struct http_client_config **ret_config,
                                    struct err_info *reterr_info);
/* Accepts NULL. */
void http_config_free(struct http_client_config *c);

#endif
