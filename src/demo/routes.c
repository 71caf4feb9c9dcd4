/* The application's routes. A new one is an answer function, a value of enum demo_route and a row here.
 *
 * Every request passes demo_route_handle(): it is counted as active, checked against method and rate limit,
 * answered, and then counted, timed and logged before its answer leaves, so that who sees the answer also
 * finds it in the metrics. Handlers run on network threads and never block, but for /metrics, which runs on a
 * worker. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "demo/demo_int.h"

/* One request on its way. Copied into the request's arena when it outlives its handler. */
struct call {
    struct demo *demo;
    struct http_req *request;
    int64_t start_ns;
    enum demo_route route;
    enum demo_method method;
};

struct route_row {
    const char *path; /* as the server's router reads it; NULL: whatever has no row */
    const char *endpoint;
    void (*answer)(struct call *call);
    unsigned flags;
    bool unlimited; /* the rate limit leaves it alone: scrapers and health checks */
};

static const char json_type[] = "application/json";

/* ---- the end of a request ---- */

static void request_log(const struct call *call, int status, double seconds)
{
    enum cairn_log_level level = status >= 500   ? CAIRN_LOG_ERROR
                                 : status >= 400 ? CAIRN_LOG_WARNING
                                                 : CAIRN_LOG_INFO;
    char message[DEMO_LOG_PATH_MAX + 32];
    struct str path = http_req_path(call->request);
    struct str method = str_c(demo_method_name(call->method));
    path.n = path.n < DEMO_LOG_PATH_MAX ? path.n : DEMO_LOG_PATH_MAX;
    size_t used = 0;
    memcpy(message, method.p, method.n);
    used += method.n;
    message[used++] = ' ';
    memcpy(message + used, path.p, path.n);
    used += path.n;
    message[used++] = ' ';
    message[used++] = (char)('0' + status / 100 % 10);
    message[used++] = (char)('0' + status / 10 % 10);
    message[used++] = (char)('0' + status % 10);
    message[used] = '\0';
    struct cairn_log_field duration = {
        .key = "duration_ms", .kind = CAIRN_LOG_DOUBLE, .value = {.number = ceil(seconds * 1e6) / 1e3}};
    cairn_log_event(call->demo->log, level, "app.request", message, &duration, 1);
}

/* Counts and logs; the caller sends the answer next. */
static void finish(const struct call *call, int status)
{
    double seconds = (double)(clock_mono_ns(clock_real()) - call->start_ns) / 1e9;
    cairn_gauge_dec(call->demo->metrics.active);
    demo_metrics_count(&call->demo->metrics, call->route, call->method, status, seconds);
    request_log(call, status, seconds);
}

static void send_json(const struct call *call, int status, struct str body)
{
    finish(call, status);
    http_res_send(call->request, status, json_type, body);
}

static void send_constant(const struct call *call, int status, struct str body)
{
    finish(call, status);
    http_res_send_static(call->request, status, json_type, body);
}

/* ---- answers ---- */

static void answer_root(struct call *call)
{
    send_constant(
        call, 200,
        STR("{\"message\":\"Hello from the Cairn sample application\",\"endpoints\":[\"/\",\"/api/data\","
            "\"/api/users/<id>\",\"/api/slow\",\"/api/error\",\"/health\",\"/metrics\"]}\n"));
}

static void answer_data(struct call *call)
{
    char body[512];
    uint64_t random = demo_random(call->demo);
    int size = snprintf(body, sizeof body,
                        "{\"data\":[{\"id\":1,\"value\":%u},{\"id\":2,\"value\":%u},{\"id\":3,\"value\":%u},"
                        "{\"id\":4,\"value\":%u}],\"count\":4}\n",
                        (unsigned)(random & 0x3ff), (unsigned)(random >> 10 & 0x3ff),
                        (unsigned)(random >> 20 & 0x3ff), (unsigned)(random >> 30 & 0x3ff));
    send_json(call, 200, str_of(body, (size_t)size));
}

static void answer_user(struct call *call)
{
    char body[160];
    uint64_t id;
    if (str_to_u64(http_req_capture(call->request, "id"), &id) != ERR_OK || id == 0 || id > DEMO_USERS) {
        send_constant(call, 404, STR("{\"error\":\"user not found\"}\n"));
        return;
    }
    int size =
        snprintf(body, sizeof body, "{\"id\":%u,\"name\":\"User %u\",\"email\":\"user%u@example.com\"}\n",
                 (unsigned)id, (unsigned)id, (unsigned)id);
    send_json(call, 200, str_of(body, (size_t)size));
}

static void slow_done(void *context, bool in_time)
{
    const struct call *call = context;
    cairn_gauge_dec(call->demo->metrics.queued);
    if (in_time) {
        send_constant(call, 200, STR("{\"message\":\"that took a while\"}\n"));
    } else {
        send_constant(call, 503, STR("{\"error\":\"the application is stopping\"}\n"));
    }
}

/* Between one and three seconds, on the timer. */
static void answer_slow(struct call *call)
{
    int64_t delay_ns = NS_PER_S + (int64_t)(demo_random(call->demo) % (uint64_t)(2 * NS_PER_S));
    struct call *kept = arena_alloc(http_req_arena(call->request), sizeof *kept);
    if (kept == NULL) {
        send_constant(call, 503, STR("{\"error\":\"out of memory\"}\n"));
        return;
    }
    *kept = *call;
    cairn_gauge_inc(call->demo->metrics.queued);
    http_req_detach(call->request);
    if (demo_slow_add(call->demo->slow, delay_ns, slow_done, kept) != ERR_OK) {
        cairn_gauge_dec(call->demo->metrics.queued);
        http_res_header(call->request, "Retry-After", STR("3"));
        send_constant(call, 503, STR("{\"error\":\"too many slow calls are waiting\"}\n"));
    }
}

static void answer_error(struct call *call)
{
    static const char *const causes[] = {
        "connection to the database was lost",
        "upstream did not answer within 3 s",
        "KeyError: 'user_id'",
        "division by zero",
    };
    cairn_log_printf(call->demo->log, CAIRN_LOG_ERROR, "app.error", "Exception on /api/error [%s]: %s",
                     demo_method_name(call->method), causes[demo_random(call->demo) % ARRAY_LEN(causes)]);
    send_constant(call, 500, STR("{\"error\":\"simulated failure\"}\n"));
}

static void answer_health(struct call *call)
{
    send_constant(call, 200, STR("{\"status\":\"healthy\"}\n"));
}

static bool page_append(void *context, const char *data, size_t size)
{
    struct buf *page = context;
    buf_append(page, data, size);
    return page->err == ERR_OK;
}

static void answer_metrics(struct call *call)
{
    struct arena *arena = http_req_arena(call->request);
    struct str accept = arena_str(arena, http_req_header(call->request, "Accept"));
    struct cairn_format format = cairn_format_negotiate(accept.p);
    struct buf page = {.size_bytes_max = DEMO_METRICS_BYTES_MAX};
    char type[CAIRN_CONTENT_TYPE_MAX];
    cairn_format_content_type(format, type);
    if (cairn_registry_write(call->demo->metrics.registry, format, page_append, &page) != CAIRN_OK) {
        send_constant(call, 503, STR("{\"error\":\"out of memory\"}\n"));
    } else {
        finish(call, 200);
        http_res_send_buf(call->request, 200, type, &page);
    }
    buf_done(&page);
}

static void answer_other(struct call *call)
{
    send_constant(call, 404, STR("{\"error\":\"not found\"}\n"));
}

/* ---- the table ---- */

static const struct route_row route_table[DEMO_ROUTE_COUNT] = {
    [DEMO_ROOT] = {"/", "/", answer_root, HTTP_INLINE, false},
    [DEMO_DATA] = {"/api/data", "/api/data", answer_data, HTTP_INLINE, false},
    [DEMO_USER] = {"/api/users/{id}", "/api/users/<id>", answer_user, HTTP_INLINE, false},
    [DEMO_SLOW] = {"/api/slow", "/api/slow", answer_slow, HTTP_INLINE, false},
    [DEMO_ERROR] = {"/api/error", "/api/error", answer_error, HTTP_INLINE, false},
    [DEMO_HEALTH] = {"/health", "/health", answer_health, HTTP_INLINE | HTTP_NO_AUTH, true},
    [DEMO_METRICS] = {"/metrics", "/metrics", answer_metrics, 0, true},
    [DEMO_OTHER] = {NULL, "other", answer_other, HTTP_INLINE, false},
};

const char *demo_route_endpoint(enum demo_route route)
{
    return route_table[route].endpoint;
}

/* The address without its port. */
static struct str client_of(const struct http_req *request)
{
    struct str peer = http_req_peer(request);
    size_t at = peer.n;
    while (at > 0 && peer.p[at - 1] != ':') {
        at--;
    }
    return at > 0 ? str_slice(peer, 0, at - 1) : peer;
}

/* True when the rate limit has answered. */
static bool limited(struct call *call)
{
    if (call->demo->limiter == NULL || route_table[call->route].unlimited) {
        return false;
    }
    unsigned wait_s = demo_limiter_take(call->demo->limiter, client_of(call->request), call->start_ns);
    if (wait_s == 0) {
        return false;
    }
    char seconds[16];
    int size = snprintf(seconds, sizeof seconds, "%u", wait_s);
    http_res_header(call->request, "Retry-After", str_of(seconds, (size_t)size));
    send_constant(call, 429, STR("{\"error\":\"rate limit exceeded\"}\n"));
    return true;
}

void demo_route_handle(void *ctx, struct http_req *r)
{
    const struct demo_binding *binding = ctx;
    struct call call = {.demo = binding->demo,
                        .request = r,
                        .start_ns = clock_mono_ns(clock_real()),
                        .route = binding->route,
                        .method = demo_method_of(http_req_method(r))};
    cairn_gauge_inc(call.demo->metrics.active);
    if (limited(&call)) {
        return;
    }
    bool reads = call.method == DEMO_GET || call.method == DEMO_HEAD;
    if (!reads && call.route != DEMO_OTHER) {
        http_res_header(r, "Allow", STR("GET, HEAD, OPTIONS"));
        bool asks = call.method == DEMO_OPTIONS;
        send_constant(&call, asks ? 200 : 405, asks ? STR("") : STR("{\"error\":\"method not allowed\"}\n"));
        return;
    }
    route_table[call.route].answer(&call);
}

uint64_t demo_random(struct demo *demo)
{
    /* Steps by the golden ratio and mixes: SplitMix64 (Steele, Lea, Flood 2014). */
    uint64_t z = atomic_fetch_add_explicit(&demo->random, UINT64_C(0x9e3779b97f4a7c15), memory_order_relaxed);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

enum err demo_routes_init(struct demo *demo)
{
    demo->bindings = mem_zarray(DEMO_ROUTE_COUNT, sizeof *demo->bindings);
    if (demo->bindings == NULL) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < DEMO_ROUTE_COUNT; i++) {
        demo->bindings[i] = (struct demo_binding){.demo = demo,
                                                  .route = (enum demo_route)i,
                                                  .net = {.method = "*",
                                                          .path = route_table[i].path,
                                                          .handler = demo_route_handle,
                                                          .flags = route_table[i].flags,
                                                          .body_bytes_max = DEMO_BODY_MAX,
                                                          .name = route_table[i].endpoint}};
    }
    return ERR_OK;
}

enum err demo_routes_add(struct demo *demo)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < DEMO_OTHER && e == ERR_OK; i++) {
        e = http_server_routes(demo->server, &demo->bindings[i].net, 1, &demo->bindings[i]);
    }
    return e;
}
