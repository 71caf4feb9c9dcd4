/* DEPS client */
/* What one update of a metric and one log line cost. Prints nanoseconds an operation: alone, and with two
 * threads that update the same series. The best of several rounds, because other work disturbs and never
 * helps. */
#include <cairn/log.h>
#include <cairn/metrics.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    OPERATIONS = 2000000,
    ROUNDS = 5,
    LOG_OPERATIONS = 200000
};

struct subject {
    const char *name;
    void (*run)(size_t operations);
    size_t operations;
};

static struct cairn_counter *counter;
static struct cairn_gauge *gauge;
static struct cairn_histogram *histogram;
static struct cairn_summary *summary;
static struct cairn_family *labelled;
static struct cairn_log *logger;

static void run_inc(size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        cairn_counter_inc(counter);
    }
}

static void run_add(size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        cairn_counter_add(counter, 0.5);
    }
}

static void run_gauge_set(size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        cairn_gauge_set(gauge, (double)i);
    }
}

static void run_gauge_add(size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        cairn_gauge_add(gauge, 1);
    }
}

static void run_histogram(size_t operations)
{
    static const double values[8] = {.003, .02, .004, .3, .007, .05, 1.5, .012};
    for (size_t i = 0; i < operations; i++) {
        cairn_histogram_observe(histogram, values[i & 7]);
    }
}

static void run_summary(size_t operations)
{
    static const double values[8] = {.003, .02, .004, .3, .007, .05, 1.5, .012};
    for (size_t i = 0; i < operations; i++) {
        cairn_summary_observe(summary, values[i & 7]);
    }
}

static void run_lookup(size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        cairn_counter_inc(cairn_counter(labelled, (const char *const[]){"GET", "/api/users/<id>", "200"}));
    }
}

static void run_log(size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        cairn_log_printf(logger, CAIRN_LOG_INFO, "bench", "GET /api/data 200 %zu", i);
    }
}

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *thread_run(void *context)
{
    const struct subject *subject = context;
    subject->run(subject->operations);
    return NULL;
}

/* Best wall time of an operation as one thread sees it. */
static double measure(struct subject *subject, int threads)
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t ids[2];
        double start = now_ns();
        for (int i = 0; i < threads; i++) {
            if (pthread_create(&ids[i], NULL, thread_run, subject) != 0) {
                exit(EXIT_FAILURE);
            }
        }
        for (int i = 0; i < threads; i++) {
            (void)pthread_join(ids[i], NULL);
        }
        double ns = (now_ns() - start) / (double)subject->operations;
        best = ns < best ? ns : best;
    }
    return best;
}

static struct cairn_family *family(struct cairn_registry *registry,
                                   const struct cairn_family_options *options)
{
    struct cairn_family *made;
    if (cairn_family_new(registry, options, &made) != CAIRN_OK) {
        exit(EXIT_FAILURE);
    }
    return made;
}

static void prepare(struct cairn_registry *registry)
{
    static const char *const labels[] = {"method", "endpoint", "status"};
    static const double quantiles[] = {.5, .9, .99};
    counter = cairn_counter(
        family(registry,
               &(struct cairn_family_options){.type = CAIRN_COUNTER, .name = "c_total", .help = ""}),
        NULL);
    gauge = cairn_gauge(
        family(registry, &(struct cairn_family_options){.type = CAIRN_GAUGE, .name = "g", .help = ""}), NULL);
    histogram = cairn_histogram(
        family(registry, &(struct cairn_family_options){.type = CAIRN_HISTOGRAM, .name = "h", .help = ""}),
        NULL);
    summary = cairn_summary(family(registry, &(struct cairn_family_options){.type = CAIRN_SUMMARY,
                                                                            .name = "s",
                                                                            .help = "",
                                                                            .quantiles = quantiles,
                                                                            .quantile_count = 3}),
                            NULL);
    labelled = family(
        registry,
        &(struct cairn_family_options){
            .type = CAIRN_COUNTER, .name = "l_total", .help = "", .label_names = labels, .label_count = 3});
}

static bool discard(void *context, const char *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
    return true;
}

/* How fast a page of many series is written. */
static void measure_exposition(struct cairn_registry *registry)
{
    static const char *const labels[] = {"instance", "path"};
    struct cairn_family *many = family(registry, &(struct cairn_family_options){.type = CAIRN_COUNTER,
                                                                                .name = "many_total",
                                                                                .help = "",
                                                                                .label_names = labels,
                                                                                .label_count = 2,
                                                                                .series_max = 20000});
    for (int i = 0; i < 20000; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/api/%d", i);
        cairn_counter_add(cairn_counter(many, (const char *const[]){"10.0.0.1:9090", path}), i * 1.25);
    }
    size_t bytes = 0;
    double start = now_ns();
    if (cairn_registry_write(registry, (struct cairn_format){.exposition = CAIRN_TEXT_0_0_4}, discard,
                             &bytes) != CAIRN_OK) {
        exit(EXIT_FAILURE);
    }
    double ns = now_ns() - start;
    (void)printf("%-32s %8.1f ns a series, %.0f MB/s\n", "exposition, 20000 series", ns / 20000,
                 (double)bytes / ns * 1e3);
}

int main(void)
{
    struct cairn_registry *registry;
    if (cairn_registry_new(&registry) != CAIRN_OK ||
        cairn_log_open(&(struct cairn_log_options){.path = "/dev/null", .buffer_bytes = 1 << 20}, &logger) !=
            CAIRN_OK) {
        return EXIT_FAILURE;
    }
    prepare(registry);
    struct subject subjects[] = {
        {"counter inc", run_inc, OPERATIONS},
        {"counter add 0.5", run_add, OPERATIONS},
        {"gauge set", run_gauge_set, OPERATIONS},
        {"gauge add", run_gauge_add, OPERATIONS},
        {"histogram observe", run_histogram, OPERATIONS},
        {"summary observe", run_summary, OPERATIONS},
        {"lookup of 3 labels and inc", run_lookup, OPERATIONS},
        {"log line, buffered", run_log, LOG_OPERATIONS},
    };
    (void)printf("%-32s %10s %14s\n", "ns an operation", "alone", "two threads");
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        double alone = measure(&subjects[i], 1);
        (void)printf("%-32s %10.2f %14.2f\n", subjects[i].name, alone, measure(&subjects[i], 2));
    }
    measure_exposition(registry);
    cairn_log_close(logger);
    cairn_registry_free(registry);
    return EXIT_SUCCESS;
}
