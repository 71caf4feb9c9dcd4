/* The smallest useful program on libcairn: counts and times a job, logs it, and prints what a scrape would
 * see.
 *
 *     cc hello.c $(pkg-config --cflags --libs cairn) -o hello && ./hello */
#include <cairn/log.h>
#include <cairn/metrics.h>

#include <stdio.h>
#include <stdlib.h>

/* NULL on failure: everything below ignores it, so the program works, uncounted. */
static struct cairn_family *family_add(const struct cairn_family_options *options)
{
    struct cairn_family *family = NULL;
    enum cairn_err err = cairn_family_new(NULL, options, &family);
    if (err != CAIRN_OK) {
        (void)fprintf(stderr, "hello: %s: %s\n", options->name, cairn_err_text(err));
    }
    return family;
}

static bool print(void *context, const char *data, size_t size)
{
    return fwrite(data, 1, size, context) == size;
}

int main(void)
{
    static const char *const job_labels[] = {"result"};
    struct cairn_family *jobs = family_add(&(struct cairn_family_options){.type = CAIRN_COUNTER,
                                                                          .name = "hello_jobs_total",
                                                                          .help = "Jobs done, by result.",
                                                                          .label_names = job_labels,
                                                                          .label_count = 1});
    struct cairn_family *seconds =
        family_add(&(struct cairn_family_options){.type = CAIRN_HISTOGRAM,
                                                  .name = "hello_job_duration_seconds",
                                                  .help = "How long a job took.",
                                                  .unit = "seconds"});
    struct cairn_log *log;
    if (cairn_log_open(&(struct cairn_log_options){.format = CAIRN_LOG_LOGFMT, .level = CAIRN_LOG_INFO},
                       &log) != CAIRN_OK ||
        cairn_process_collector(NULL) != CAIRN_OK) {
        return EXIT_FAILURE;
    }

    /* Ask for a series once; then updating it is a few nanoseconds, from any thread. */
    struct cairn_counter *good = cairn_counter(jobs, (const char *const[]){"ok"});
    struct cairn_histogram *duration = cairn_histogram(seconds, NULL);
    for (int i = 1; i <= 3; i++) {
        cairn_counter_inc(good);
        cairn_histogram_observe(duration, 0.004 * i);
        struct cairn_log_field job = {.key = "job", .kind = CAIRN_LOG_INT, .value = {.integer = i}};
        cairn_log_event(log, CAIRN_LOG_INFO, "hello", "job done", &job, 1);
    }

    enum cairn_err err = cairn_registry_write(NULL, cairn_format_negotiate(NULL), print, stdout);
    cairn_log_close(log);
    return err == CAIRN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
