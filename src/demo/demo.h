/* The sample application: a small web service on libcairn, with a generator of believable traffic for it.
 *
 * Routes, metric names and log lines are those of the Flask application that the seed stack watches, so every
 * dashboard and query made for one works for the other. */
#ifndef CAIRN_DEMO_DEMO_H
#define CAIRN_DEMO_DEMO_H

#include <stdint.h>

#include "base/err.h"

struct demo;
struct web_config;

/* Strings are borrowed and must outlive demo_start() only. demo_options_init() gives the defaults. */
struct demo_options {
    const char *listen_address;   /* without port */
    uint64_t port;                /* 0: any free one */
    const char *log_path;         /* "-": standard error */
    const char *log_format;       /* python, json or logfmt */
    double rate_limit;            /* requests a second for each client address; 0: no limit */
    double traffic_rate;          /* generated requests a second, on average over a day; 0: no traffic */
    const char *environment;      /* label of flask_app_info */
    const char *version;          /* label of flask_app_info */
    uint64_t threads;             /* network threads */
    const struct web_config *web; /* TLS and who may come in; NULL: anyone, without. Outlives the demo */
};

void demo_options_init(struct demo_options *options);

/* Starts the service and its traffic. Errors: INVALID (an option), IO or DENIED (the log file), EXISTS (the
 * port is in use), OOM. */
MUST_USE enum err demo_start(const struct demo_options *options, struct demo **ret_demo,
                             struct err_info *reterr_info);

/* Ends the traffic, answers what waits, stops. Accepts NULL. */
void demo_stop(struct demo *demo);

/* The bound port. */
unsigned demo_port(const struct demo *demo);

/* Has the log file opened anew: after a rotation without the file's removal, on SIGHUP. */
void demo_log_reopen(struct demo *demo);

/* The subcommand: parses argv[1..], serves until SIGINT or SIGTERM, reopens the log on SIGHUP. Returns the
 * exit status: 0 fine, 1 failed, 2 wrong usage. Blocks those signals in the calling thread. */
int demo_run(int argc, char **argv);

#endif
