/* Ceilings of the demo, each with its reason. */
#ifndef CAIRN_DEMO_LIMITS_H
#define CAIRN_DEMO_LIMITS_H

enum {
    DEMO_CONNECTIONS_MAX = 4096, /* a laptop's worth of load generators */
    DEMO_SLOW_MAX = 2048,        /* waiting slow calls: each holds a connection */
    DEMO_CLIENTS_MAX = 4096, /* addresses the rate limiter remembers; the longest silent one is forgotten */
    DEMO_TRAFFIC_IN_FLIGHT = 64,      /* a stuck service must not pile up generated requests */
    DEMO_WARM_UP_GAP_MS = 700,        /* all routes are hit within 20 s with room to spare */
    DEMO_PATH_MAX = 64,               /* of a generated request */
    DEMO_LOG_PATH_MAX = 512,          /* bytes of a request's path that reach the log */
    DEMO_LOG_BUFFER_BYTES = 1 << 20,  /* half a second of log lines at 10,000 requests a second */
    DEMO_BODY_MAX = 64 * 1024,        /* request bodies are read and thrown away */
    DEMO_METRICS_BYTES_MAX = 4 << 20, /* a metrics page */
    DEMO_USERS = 1000,                /* made-up users have ids from 1 to this */
    DEMO_STOP_GRACE_MS = 2000,
};

#endif
