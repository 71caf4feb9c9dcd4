/* What the demo's files share: the application's context, its routes and its metrics. */
#ifndef CAIRN_DEMO_DEMO_INT_H
#define CAIRN_DEMO_DEMO_INT_H

#include <cairn/log.h>
#include <cairn/metrics.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/thread.h"
#include "demo/demo.h"
#include "demo/limits.h"
#include "net/http_client.h"
#include "net/http_server.h"

/* Routes as the endpoint label names them; rows of the table in routes.c, in this order. */
enum demo_route {
    DEMO_ROOT,
    DEMO_DATA,
    DEMO_USER,
    DEMO_SLOW,
    DEMO_ERROR,
    DEMO_HEALTH,
    DEMO_METRICS,
    DEMO_OTHER,
    DEMO_ROUTE_COUNT
};

enum demo_method {
    DEMO_GET,
    DEMO_HEAD,
    DEMO_POST,
    DEMO_PUT,
    DEMO_DELETE,
    DEMO_PATCH,
    DEMO_OPTIONS,
    DEMO_METHOD_OTHER,
    DEMO_METHOD_COUNT
};

/* ---- metrics.c ---- */

enum {
    DEMO_STATUS_COUNT = 7
};

/* All of the application's families, and its series once they were asked for. Series pointers are written by
 * whichever thread asks first (release) and read by all (acquire); two threads may both ask and get the same.
 */
struct demo_metrics {
    struct cairn_registry *registry;
    struct cairn_family *requests;
    struct cairn_family *seconds;
    struct cairn_counter *errors[DEMO_ROUTE_COUNT];
    struct cairn_gauge *active;
    struct cairn_gauge *queued;
    _Atomic(struct cairn_counter *) request_series[DEMO_ROUTE_COUNT][DEMO_METHOD_COUNT][DEMO_STATUS_COUNT];
    _Atomic(struct cairn_histogram *) seconds_series[DEMO_ROUTE_COUNT][DEMO_METHOD_COUNT];
};

MUST_USE enum err demo_metrics_init(struct demo_metrics *metrics, const struct demo_options *options,
                                    struct err_info *reterr_info);
void demo_metrics_done(struct demo_metrics *metrics);
/* Counts a finished request. status: one of those the application answers with, else it counts as 500. Any
 * thread. */
void demo_metrics_count(struct demo_metrics *metrics, enum demo_route route, enum demo_method method,
                        int status, double seconds);
enum demo_method demo_method_of(struct str method);
const char *demo_method_name(enum demo_method method);
/* The endpoint label; from the table in routes.c. */
const char *demo_route_endpoint(enum demo_route route);

/* ---- rate_limit.c: a token bucket for each client address ---- */

struct demo_limiter;

/* rate: requests a second, > 0; a client may save up to two seconds' worth (at least one request). */
MUST_USE enum err demo_limiter_new(double rate, struct demo_limiter **ret_limiter);
void demo_limiter_free(struct demo_limiter *limiter);
/* 0 when the request may pass, else the whole seconds after which the client should come again. Any thread.
 */
unsigned demo_limiter_take(struct demo_limiter *limiter, struct str client, int64_t now_ns);

/* ---- slow.c: calls that wait on a timer instead of a thread ---- */

struct demo_slow;

/* Called once for each call, on the timer's thread; in_time is false when the service stops before. */
typedef void demo_slow_fn(void *context, bool in_time);

MUST_USE enum err demo_slow_new(struct demo_slow **ret_slow);
/* After delay_ns, fn(context). Errors: LIMIT (DEMO_SLOW_MAX wait already), UNAVAILABLE (stopping). Any
 * thread. */
MUST_USE enum err demo_slow_add(struct demo_slow *slow, int64_t delay_ns, demo_slow_fn *fn, void *context);
/* Ends all waiting calls now and refuses new ones. */
void demo_slow_stop(struct demo_slow *slow);
void demo_slow_free(struct demo_slow *slow);

/* ---- the application ---- */

struct demo_traffic;

/* Made by demo_start(), shared by all threads; the pointers don't change while the server runs. */
struct demo {
    struct demo_metrics metrics;
    struct cairn_log *log;
    struct demo_limiter *limiter; /* NULL: no limit */
    struct demo_slow *slow;
    struct http_server *server;
    struct demo_traffic *traffic;
    struct demo_binding *bindings; /* one for each route */
    _Atomic uint64_t random;       /* state of a cheap generator for answers: any thread, relaxed */
};

/* A number for made-up answers: not secret, not repeatable. */
uint64_t demo_random(struct demo *demo);

/* ---- routes.c ---- */

struct demo_binding {
    struct demo *demo;
    enum demo_route route;
    struct http_route net; /* the row as the server wants it */
};

/* Makes demo->bindings. */
MUST_USE enum err demo_routes_init(struct demo *demo);
MUST_USE enum err demo_routes_add(struct demo *demo);
/* The handler of every route; ctx is its binding. */
http_handler_fn demo_route_handle;

/* ---- traffic.c ---- */

/* Starts the generator against 127.0.0.1:port. rate > 0. */
MUST_USE enum err demo_traffic_start(const struct demo_options *options, unsigned port,
                                     struct demo_traffic **ret_traffic, struct err_info *reterr_info);
void demo_traffic_stop(struct demo_traffic *traffic);

/* ---- traffic_shape.c: what a day looks like; no threads, no I/O ---- */

struct demo_shape {
    struct rng rng;
    double wander; /* slow noise, a random walk pulled back to 0 */
    double burst;  /* factor while a burst lasts */
    double burst_left_s;
    double incident_left_s; /* more errors while it lasts */
    size_t warm_up;         /* requests of the first seconds sent so far */
};

void demo_shape_init(struct demo_shape *shape, uint64_t seed);
/* Share of the daily average at this hour (0..24), Sunday is day 0: about 0.4 at night, 1.6 in the afternoon.
 */
double demo_shape_hour(double hour, int weekday);
/* Moves noise, bursts and incidents on by elapsed_s and answers requests a second. */
double demo_shape_advance(struct demo_shape *shape, double elapsed_s, double hour, int weekday, double rate);
/* Seconds until the next request at that many a second. */
double demo_shape_gap(struct demo_shape *shape, double per_second);
/* Picks the next request's path. First every route in turn, then by weight. */
void demo_shape_path(struct demo_shape *shape, char ret_path[DEMO_PATH_MAX]);
/* While this is true the caller sends a request every DEMO_WARM_UP_GAP_MS. */
bool demo_shape_warming(const struct demo_shape *shape);

#endif
