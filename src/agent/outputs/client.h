/* A client: batches lines by tenant, sends them one batch at a time for each tenant, tries again for as long
 * as it takes, and makes inputs wait when it holds too much.
 *
 * Threads: inputs call client_put; one sender thread ("agent-send") delivers. What a client took is settled
 * exactly once through the receipts: delivered, refused for good and counted, or failed at the stop. */
#ifndef CAIRN_AGENT_OUTPUTS_CLIENT_H
#define CAIRN_AGENT_OUTPUTS_CLIENT_H

#include "agent/model/entry.h"
#include "agent/model/metrics.h"
#include "agent/outputs/client_config.h"
#include "logs/model/sink.h"

struct client;

struct client_limits {
    uint64_t line_bytes_max; /* 0 = none */
    bool line_truncate;
    uint64_t streams_max; /* of one batch; 0 = none */
};

/* config is borrowed. With a sink lines go there and the URL is not used. */
MUST_USE enum err client_new(const struct client_config *config, const struct client_limits *limits,
                             struct log_sink *sink, struct agent_metrics *metrics, struct client **ret_client,
                             struct err_info *reterr_info);
/* Takes a copy of the entry. Waits while the client is full. A client that is stopping takes nothing and
 * fails the receipt. Any thread. */
void client_put(struct client *c, const struct entry *e);
/* Waits until everything taken so far is settled, or until the deadline of the monotonic clock. */
bool client_drain(struct client *c, int64_t deadline_ns);
/* From now on nothing is taken and nobody waits in client_put. */
void client_close(struct client *c);
/* client_close; gives the sender grace_ms to deliver what is held
 * (less when deliveries have been failing); fails the rest; ends the thread. Again:
 * nothing happens. */
void client_stop(struct client *c, int64_t grace_ms);
/* After client_stop. Accepts NULL. */
void client_free(struct client *c);
/* Inputs wait for it. */
bool client_is_full(struct client *c);
struct str client_host(const struct client *c);

#endif
