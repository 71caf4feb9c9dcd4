/* The application's metrics, under exactly the names that the seed's Flask application gives them.
 *
 * Every series a dashboard is likely to ask for exists from the start at 0, so that rate() sees the first
 * event. Series are looked up once and kept: counting a request is three atomic additions. */
#include "demo/demo_int.h"

static const char *const method_names[DEMO_METHOD_COUNT] = {
    [DEMO_GET] = "GET",         [DEMO_HEAD] = "HEAD",          [DEMO_POST] = "POST",
    [DEMO_PUT] = "PUT",         [DEMO_DELETE] = "DELETE",      [DEMO_PATCH] = "PATCH",
    [DEMO_OPTIONS] = "OPTIONS", [DEMO_METHOD_OTHER] = "OTHER",
};

static const struct {
    int status;
    const char *text;
} statuses[DEMO_STATUS_COUNT] = {
    {200, "200"}, {404, "404"}, {405, "405"}, {413, "413"}, {429, "429"}, {503, "503"}, {500, "500"},
};

enum demo_method demo_method_of(struct str method)
{
    for (size_t i = 0; i < DEMO_METHOD_OTHER; i++) {
        if (str_eq_c(method, method_names[i])) {
            return (enum demo_method)i;
        }
    }
    return DEMO_METHOD_OTHER;
}

const char *demo_method_name(enum demo_method method)
{
    return method_names[method];
}

static struct cairn_family *family_add(struct cairn_registry *registry,
                                       const struct cairn_family_options *options, enum cairn_err *err)
{
    struct cairn_family *family = NULL;
    if (*err == CAIRN_OK) {
        *err = cairn_family_new(registry, options, &family);
    }
    return family;
}

static enum cairn_err families_add(struct demo_metrics *metrics, const struct demo_options *options)
{
    static const char *const request_labels[] = {"method", "endpoint", "status"};
    static const char *const info_labels[] = {"version", "environment"};
    static const double bounds[] = {.0001, .00025, .0005, .001, .0025, .005, .01, .025,
                                    .05,   .1,     .25,   .5,   1,     2.5,  5,   10};
    enum cairn_err err = CAIRN_OK;
    metrics->requests = family_add(metrics->registry,
                                   &(struct cairn_family_options){.type = CAIRN_COUNTER,
                                                                  .name = "flask_app_request_count",
                                                                  .help = "Requests answered.",
                                                                  .label_names = request_labels,
                                                                  .label_count = 3},
                                   &err);
    metrics->seconds =
        family_add(metrics->registry,
                   &(struct cairn_family_options){.type = CAIRN_HISTOGRAM,
                                                  .name = "flask_app_request_duration_seconds",
                                                  .help = "Time from a request's arrival to its answer.",
                                                  .unit = "seconds",
                                                  .label_names = request_labels,
                                                  .label_count = 2,
                                                  .bounds = bounds,
                                                  .bound_count = ARRAY_LEN(bounds)},
                   &err);
    struct cairn_family *active = family_add(
        metrics->registry,
        &(struct cairn_family_options){
            .type = CAIRN_GAUGE, .name = "flask_app_active_requests", .help = "Requests being answered."},
        &err);
    struct cairn_family *errors =
        family_add(metrics->registry,
                   &(struct cairn_family_options){.type = CAIRN_COUNTER,
                                                  .name = "flask_app_error_count",
                                                  .help = "Answers with a 5xx status.",
                                                  .label_names = request_labels + 1,
                                                  .label_count = 1},
                   &err);
    struct cairn_family *info =
        family_add(metrics->registry,
                   &(struct cairn_family_options){.type = CAIRN_GAUGE,
                                                  .name = "flask_app_info",
                                                  .help = "What is running; always 1.",
                                                  .label_names = info_labels,
                                                  .label_count = 2},
                   &err);
    struct cairn_family *queued =
        family_add(metrics->registry,
                   &(struct cairn_family_options){.type = CAIRN_GAUGE,
                                                  .name = "flask_app_request_queue_depth",
                                                  .help = "Requests that wait for something slow."},
                   &err);
    if (err != CAIRN_OK) {
        return err;
    }
    metrics->active = cairn_gauge(active, NULL);
    metrics->queued = cairn_gauge(queued, NULL);
    for (size_t i = 0; i < DEMO_ROUTE_COUNT; i++) {
        metrics->errors[i] =
            cairn_counter(errors, (const char *const[]){demo_route_endpoint((enum demo_route)i)});
    }
    cairn_gauge_set(cairn_gauge(info, (const char *const[]){options->version, options->environment}), 1);
    return cairn_family_refused(info) == 0 ? CAIRN_OK : CAIRN_ERR_INVALID;
}

static size_t status_index(int status)
{
    size_t i = 0;
    while (i < DEMO_STATUS_COUNT - 1 && statuses[i].status != status) {
        i++;
    }
    return i;
}

static struct cairn_counter *request_series(struct demo_metrics *metrics, enum demo_route route,
                                            enum demo_method method, size_t status)
{
    _Atomic(struct cairn_counter *) *slot = &metrics->request_series[route][method][status];
    struct cairn_counter *series = atomic_load_explicit(slot, memory_order_acquire);
    if (series == NULL) {
        series = cairn_counter(
            metrics->requests,
            (const char *const[]){method_names[method], demo_route_endpoint(route), statuses[status].text});
        atomic_store_explicit(slot, series, memory_order_release);
    }
    return series;
}

static struct cairn_histogram *seconds_series(struct demo_metrics *metrics, enum demo_route route,
                                              enum demo_method method)
{
    _Atomic(struct cairn_histogram *) *slot = &metrics->seconds_series[route][method];
    struct cairn_histogram *series = atomic_load_explicit(slot, memory_order_acquire);
    if (series == NULL) {
        series = cairn_histogram(metrics->seconds,
                                 (const char *const[]){method_names[method], demo_route_endpoint(route)});
        atomic_store_explicit(slot, series, memory_order_release);
    }
    return series;
}

/* The series that normal use will fill, at 0. */
static void series_expect(struct demo_metrics *metrics)
{
    for (size_t i = 0; i < DEMO_ROUTE_COUNT; i++) {
        int status = i == DEMO_ERROR ? 500 : i == DEMO_OTHER ? 404 : 200;
        (void)request_series(metrics, (enum demo_route)i, DEMO_GET, status_index(status));
        (void)seconds_series(metrics, (enum demo_route)i, DEMO_GET);
    }
    (void)request_series(metrics, DEMO_USER, DEMO_GET, status_index(404));
}

enum err demo_metrics_init(struct demo_metrics *metrics, const struct demo_options *options,
                           struct err_info *reterr_info)
{
    enum cairn_err err = cairn_registry_new(&metrics->registry);
    if (err == CAIRN_OK) {
        err = families_add(metrics, options);
    }
    if (err == CAIRN_OK) {
        err = cairn_process_collector(metrics->registry);
    }
    if (err != CAIRN_OK) {
        cairn_registry_free(metrics->registry);
        metrics->registry = NULL;
        return err_set(reterr_info, err == CAIRN_ERR_OOM ? ERR_OOM : ERR_INVALID, "the demo's metrics: %s",
                       err == CAIRN_ERR_INVALID ? "version and environment must be valid UTF-8"
                                                : cairn_err_text(err));
    }
    series_expect(metrics);
    return ERR_OK;
}

void demo_metrics_done(struct demo_metrics *metrics)
{
    cairn_registry_free(metrics->registry);
    metrics->registry = NULL;
}

void demo_metrics_count(struct demo_metrics *metrics, enum demo_route route, enum demo_method method,
                        int status, double seconds)
{
    cairn_counter_inc(request_series(metrics, route, method, status_index(status)));
    cairn_histogram_observe(seconds_series(metrics, route, method), seconds);
    if (status >= 500) {
        cairn_counter_inc(metrics->errors[route]);
    }
}
