/* How a batch leaves: over HTTP to a push endpoint, or into a log sink of the same process. */
#ifndef CAIRN_AGENT_OUTPUTS_DELIVER_H
#define CAIRN_AGENT_OUTPUTS_DELIVER_H

#include "agent/model/metrics.h"
#include "agent/outputs/batch.h"
#include "agent/outputs/client_config.h"

enum delivery_verdict {
    DELIVERY_DONE = 0,
    DELIVERY_REFUSED,   /* repeating it cannot help: drop and count */
    DELIVERY_THROTTLED, /* 429: come back later */
    DELIVERY_AWAY,      /* no connection, timeout, 5xx */
    DELIVERY_HELD,      /* wrong password, path or redirect: somebody must mend the configuration */
    DELIVERY_TOO_LARGE  /* 413: send it in pieces */
};

struct delivery {
    enum delivery_verdict verdict;
    int status;             /* HTTP; -1 when there was no answer */
    int64_t retry_after_ms; /* 0 = not said */
    uint64_t encoded_bytes; /* as sent */
    uint64_t refused;       /* entries refused in a delivered batch */
    char reason[256];       /* for the log */
};

struct deliverer;
struct deliverer_ops {
    void (*deliver)(struct deliverer *d, struct batch *b, struct str tenant, struct delivery *ret);
    void (*cancel)(struct deliverer *d); /* any thread: ends a running delivery as AWAY, and all later ones */
    void (*free)(struct deliverer *d);
};

struct deliverer {
    const struct deliverer_ops *ops;
};

/* `config` is borrowed and must outlive it; metrics may be NULL. */
MUST_USE enum err deliver_http_new(const struct client_config *config, struct agent_metrics *metrics,
                                   struct deliverer **ret_deliverer);
MUST_USE enum err deliver_sink_new(struct log_sink *sink, struct deliverer **ret_deliverer);

#endif
