/* One item of `clients`: where to push, and how hard to try. */
#ifndef CAIRN_AGENT_OUTPUTS_CLIENT_CONFIG_H
#define CAIRN_AGENT_OUTPUTS_CLIENT_CONFIG_H

#include "codec/yaml.h"
#include "labels/labels.h"
#include "net/http_config.h"

struct client_config {
    struct str name; /* empty: the host */
    struct str url;
    struct str host; /* of the URL, for metrics */
    struct str tenant_id;
    int64_t batch_wait_ms;
    uint64_t batch_size_bytes;
    int64_t timeout_ms;
    int64_t backoff_min_ms, backoff_max_ms;
    uint64_t retries_max;  /* requests in total; 0 = for ever */
    bool retries_explicit; /* the user chose: honour it, and drop what could not be sent */
    bool drop_rate_limited;
    struct labels external_labels;
    const struct http_header *headers;
    size_t header_count;
    struct http_client_config *http; /* owned */
};

/* Promtail's defaults, except that a batch is never given up unless max_retries says so. */
void client_config_default(struct client_config *c);
/* Strings and lists live in the arena or borrow from the tree. `what` names the block in messages. Errors:
 * INVALID with place, OOM. */
MUST_USE enum err client_config_parse(struct arena *a, const struct yaml_node *n, struct client_config *ret,
                                      struct err_info *reterr_info);
void client_config_done(struct client_config *c);
/* The host[:port] of a URL. Errors: INVALID. */
MUST_USE enum err client_url_host(struct str url, struct str *ret_host);

#endif
