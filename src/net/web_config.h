/* Prometheus' web configuration file: TLS, who may come in, response headers.
 *
 * The file is looked at on every request and read again when it changed, certificates at every handshake; a
 * file that has become wrong answers 500 until it is mended. Whether TLS is on is fixed at the start, and so
 * are versions, groups and the client CA. An own addition is `bearer_tokens: {name: token}`. Any thread. */
#ifndef CAIRN_NET_WEB_CONFIG_H
#define CAIRN_NET_WEB_CONFIG_H

#include "base/err.h"
#include "net/http_server.h"

/* Errors: INVALID with the place, UNSUPPORTED, NOT_FOUND, DENIED, IO, OOM. */
MUST_USE enum err web_config_load(const char *path, struct web_config **ret_config,
                                  struct err_info *reterr_info);
/* After the servers that use it have stopped. Accepts NULL. */
void web_config_free(struct web_config *w);
bool web_config_tls(const struct web_config *w); /* false for NULL */
/* A bearer token, new in every process, with which its own roles come in: a role that scrapes itself knows no
 * password and has no client certificate. Empty for NULL. Lives as long as w. */
struct str web_config_own_token(const struct web_config *w);

#endif
