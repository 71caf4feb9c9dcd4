/* The traffic generator: one thread that decides when and what (traffic_shape.c), and an HTTP client whose
 * own thread carries the requests, so that slow answers hold nothing up. At most DEMO_TRAFFIC_IN_FLIGHT
 * requests are open; what would go past that is left out. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "demo/demo_int.h"
#include "net/http_config.h"
#include "net/web_config.h"

enum {
    CALL_TIMEOUT_MS = 15 * 1000,
    ANSWER_BYTES_MAX = 4 << 20,
    URL_MAX = 256
};

static const int64_t CATCH_UP_MAX_NS = 2 * NS_PER_S;

struct demo_traffic {
    struct mutex lock;
    struct cond wake;
    bool stopping; /* lock */
    struct thread thread;
    struct http_client *client;
    struct http_client_config *config; /* NULL: the demo lets anyone in */
    atomic_uint in_flight;             /* relaxed: a bound, orders nothing */
    double rate;
    struct demo_shape shape; /* the thread's */
    char base_url[URL_MAX];
};

static void call_done(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info)
{
    struct demo_traffic *traffic = ctx;
    (void)info;
    if (e == ERR_OK) {
        http_answer_done(answer);
    }
    atomic_fetch_sub_explicit(&traffic->in_flight, 1, memory_order_relaxed);
}

static void send_one(struct demo_traffic *traffic)
{
    static const struct http_header headers[] = {{STR_INIT("User-Agent"), STR_INIT("cairn-demo-traffic")}};
    char path[DEMO_PATH_MAX];
    char url[URL_MAX + DEMO_PATH_MAX];
    demo_shape_path(&traffic->shape, path);
    if (atomic_load_explicit(&traffic->in_flight, memory_order_relaxed) >= DEMO_TRAFFIC_IN_FLIGHT) {
        return;
    }
    (void)snprintf(url, sizeof url, "%s%s", traffic->base_url, path);
    struct http_call call = {.url = str_c(url),
                             .headers = headers,
                             .header_count = ARRAY_LEN(headers),
                             .config = traffic->config,
                             .timeout_ms = CALL_TIMEOUT_MS,
                             .response_bytes_max = ANSWER_BYTES_MAX};
    atomic_fetch_add_explicit(&traffic->in_flight, 1, memory_order_relaxed);
    if (http_client_start(traffic->client, &call, call_done, traffic, NULL) != ERR_OK) {
        atomic_fetch_sub_explicit(&traffic->in_flight, 1, memory_order_relaxed);
    }
}

/* Requests a second now, by the local time of day. */
static double rate_now(struct demo_traffic *traffic, double elapsed_s)
{
    struct tm local = {0};
    time_t now = (time_t)(clock_wall_ns(clock_real()) / NS_PER_S);
    (void)localtime_r(&now, &local);
    double hour = local.tm_hour + local.tm_min / 60.0 + local.tm_sec / 3600.0;
    return demo_shape_advance(&traffic->shape, elapsed_s, hour, local.tm_wday, traffic->rate);
}

/* Sleeps; false when it is time to stop. */
static bool sleep_until(struct demo_traffic *traffic, int64_t due_ns)
{
    mutex_lock(&traffic->lock);
    while (!traffic->stopping && clock_mono_ns(clock_real()) < due_ns) {
        (void)cond_wait_until(&traffic->wake, &traffic->lock, due_ns);
    }
    bool running = !traffic->stopping;
    mutex_unlock(&traffic->lock);
    return running;
}

/* Keeps the average rate, but does not make up for what a stopped process or a sleeping machine missed. */
static int64_t next_due(int64_t due_ns, double gap_s)
{
    int64_t now_ns = clock_mono_ns(clock_real());
    int64_t from_ns = now_ns - due_ns > CATCH_UP_MAX_NS ? now_ns : due_ns;
    return from_ns + (int64_t)(gap_s * 1e9);
}

static void traffic_run(void *ctx)
{
    struct demo_traffic *traffic = ctx;
    int64_t due_ns = clock_mono_ns(clock_real());
    double gap_s = 0;
    while (sleep_until(traffic, due_ns)) {
        bool warming = demo_shape_warming(&traffic->shape);
        double per_second = rate_now(traffic, gap_s);
        double until_next_s = demo_shape_gap(&traffic->shape, per_second);
        bool arrives = until_next_s <= 1;
        if (warming) {
            send_one(traffic);
            until_next_s = DEMO_WARM_UP_GAP_MS / 1e3;
        }
        /* A gap past a second is drawn anew after one: arrivals have no memory, and the rate may have
         * changed. */
        gap_s = fmin(until_next_s, 1);
        due_ns = next_due(due_ns, gap_s);
        if (!warming && arrives && sleep_until(traffic, due_ns)) {
            send_one(traffic);
        }
    }
}

static void traffic_free(struct demo_traffic *traffic)
{
    http_client_free(traffic->client);
    http_config_free(traffic->config);
    cond_done(&traffic->wake);
    mutex_done(&traffic->lock);
    mem_free(traffic);
}

/* Behind TLS and passwords the traffic comes in with the process's own token; the certificate need not name
 * this host. */
static enum err config_make(struct demo_traffic *traffic, const struct web_config *web,
                            struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root = NULL;
    struct str text =
        arena_printf(&a, "tls_config: {insecure_skip_verify: true}\nauthorization: {credentials: \"%.*s\"}\n",
                     STR_FMT(web_config_own_token(web)));
    if (!web) {
        return ERR_OK;
    }
    enum err e = text.p ? yaml_parse(&a, text, "the demo's traffic", &root, reterr_info) : arena_err(&a);
    return e ? e : http_config_parse(root, &traffic->config, reterr_info);
}

enum err demo_traffic_start(const struct demo_options *options, unsigned port,
                            struct demo_traffic **ret_traffic, struct err_info *reterr_info)
{
    struct demo_traffic *traffic = mem_zalloc(sizeof *traffic);
    if (traffic == NULL) {
        return err_set(reterr_info, ERR_OOM, "the demo's traffic: out of memory");
    }
    uint64_t seed = (uint64_t)clock_wall_ns(clock_real());
    mutex_init(&traffic->lock);
    cond_init(&traffic->wake);
    traffic->rate = options->traffic_rate;
    demo_shape_init(&traffic->shape, seed);
    const char *address = options->listen_address;
    bool everywhere = str_eq_c(str_c(address), "0.0.0.0") || address[0] == '\0';
    bool everywhere6 = str_eq_c(str_c(address), "::") || str_eq_c(str_c(address), "[::]");
    (void)snprintf(traffic->base_url, sizeof traffic->base_url, "%s://%s:%u",
                   web_config_tls(options->web) ? "https" : "http",
                   everywhere    ? "127.0.0.1"
                   : everywhere6 ? "[::1]"
                                 : address,
                   port);
    enum err e = http_client_new("demo-traffic", &traffic->client);
    e = e == ERR_OK ? config_make(traffic, options->web, reterr_info) : e;
    if (e == ERR_OK) {
        e = thread_start(&traffic->thread, "demo-traffic", traffic_run, traffic);
    }
    if (e != ERR_OK) {
        traffic_free(traffic);
        return err_set(reterr_info, e, "the demo's traffic: %s", err_text(e));
    }
    *ret_traffic = traffic;
    return ERR_OK;
}

void demo_traffic_stop(struct demo_traffic *traffic)
{
    if (traffic == NULL) {
        return;
    }
    mutex_lock(&traffic->lock);
    traffic->stopping = true;
    cond_signal(&traffic->wake);
    mutex_unlock(&traffic->lock);
    thread_join(&traffic->thread);
    traffic_free(traffic);
}
