/* Puts the sample application together and takes it apart, in an order that leaves no request without an
 * answer: traffic ends first, slow calls are answered, the server stops, then the log closes. One thread
 * starts and stops. */
#include "demo/demo.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "demo/demo_int.h"

enum {
    ADDRESS_MAX = 256
};

static enum err log_make(struct demo *demo, const struct demo_options *options, struct err_info *reterr_info)
{
    enum cairn_log_format format;
    if (!cairn_log_format_parse(options->log_format, &format)) {
        return err_set(reterr_info, ERR_INVALID, "--log-format: \"%s\" is not one of python, json, logfmt",
                       options->log_format);
    }
    bool to_stderr = str_eq_c(str_c(options->log_path), "-");
    enum cairn_err err =
        cairn_log_open(&(struct cairn_log_options){.path = to_stderr ? NULL : options->log_path,
                                                   .format = format,
                                                   .level = CAIRN_LOG_INFO,
                                                   .buffer_bytes = DEMO_LOG_BUFFER_BYTES,
                                                   .flush_level = CAIRN_LOG_CRITICAL,
                                                   .mode = 0644},
                       &demo->log);
    if (err == CAIRN_ERR_IO) {
        return err_set_errno(
            reterr_info, errno,
            "the demo's log %s (choose another with --log-path, or --demo-log of cairn serve)",
            options->log_path);
    }
    if (err == CAIRN_OK) {
        err = cairn_log_metrics(demo->log, demo->metrics.registry);
    }
    return err == CAIRN_OK ? ERR_OK
                           : err_set(reterr_info, ERR_OOM, "the demo's log: %s", cairn_err_text(err));
}

static enum err server_start(struct demo *demo, const struct demo_options *options,
                             struct err_info *reterr_info)
{
    char address[ADDRESS_MAX];
    bool bare_v6 = strchr(options->listen_address, ':') != NULL && options->listen_address[0] != '[';
    (void)snprintf(address, sizeof address, bare_v6 ? "[%s]:%u" : "%s:%u", options->listen_address,
                   (unsigned)options->port);
    struct http_server_options server = {.role = "demo",
                                         .listen_address = str_c(address),
                                         .listen_fd = -1,
                                         .network_threads = (unsigned)options->threads,
                                         .workers = 1,
                                         .loading = "starting",
                                         .web = options->web,
                                         .connections_max = DEMO_CONNECTIONS_MAX,
                                         .not_found = demo_route_handle,
                                         .not_found_ctx = &demo->bindings[DEMO_OTHER]};
    enum err e = http_server_start(&server, &demo->server, reterr_info);
    if (e != ERR_OK) {
        return e;
    }
    e = demo_routes_add(demo);
    http_server_set_loading(demo->server, NULL);
    return e == ERR_OK ? ERR_OK : err_set(reterr_info, e, "the demo's routes: %s", err_text(e));
}

static enum err parts_start(struct demo *demo, const struct demo_options *options,
                            struct err_info *reterr_info)
{
    enum err e = demo_metrics_init(&demo->metrics, options, reterr_info);
    if (e == ERR_OK) {
        e = log_make(demo, options, reterr_info);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = demo_slow_new(&demo->slow);
    if (e == ERR_OK && options->rate_limit > 0) {
        e = demo_limiter_new(options->rate_limit, &demo->limiter);
    }
    if (e == ERR_OK) {
        e = demo_routes_init(demo);
    }
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "the demo: %s", err_text(e));
    }
    e = server_start(demo, options, reterr_info);
    if (e == ERR_OK && options->traffic_rate > 0) {
        e = demo_traffic_start(options, demo_port(demo), &demo->traffic, reterr_info);
    }
    return e;
}

enum err demo_start(const struct demo_options *options, struct demo **ret_demo, struct err_info *reterr_info)
{
    struct demo *demo = mem_zalloc(sizeof *demo);
    if (demo == NULL) {
        return err_set(reterr_info, ERR_OOM, "the demo: out of memory");
    }
    atomic_init(&demo->random, (uint64_t)clock_wall_ns(clock_real()));
    enum err e = parts_start(demo, options, reterr_info);
    if (e != ERR_OK) {
        demo_stop(demo);
        return e;
    }
    cairn_log_printf(demo->log, CAIRN_LOG_INFO, "app",
                     "Application started on http://%s:%u version=%s environment=%s", options->listen_address,
                     demo_port(demo), options->version, options->environment);
    *ret_demo = demo;
    return ERR_OK;
}

void demo_stop(struct demo *demo)
{
    if (demo == NULL) {
        return;
    }
    demo_traffic_stop(demo->traffic);
    if (demo->slow != NULL) {
        demo_slow_stop(demo->slow);
    }
    if (demo->server != NULL) {
        http_server_stop(demo->server, DEMO_STOP_GRACE_MS);
        cairn_log_printf(demo->log, CAIRN_LOG_INFO, "app", "Application stopped");
    }
    demo_slow_free(demo->slow);
    demo_limiter_free(demo->limiter);
    demo_metrics_done(&demo->metrics);
    cairn_log_close(demo->log);
    mem_free(demo->bindings);
    mem_free(demo);
}

unsigned demo_port(const struct demo *demo)
{
    return http_server_port(demo->server);
}

void demo_log_reopen(struct demo *demo)
{
    cairn_log_reopen(demo->log);
}
