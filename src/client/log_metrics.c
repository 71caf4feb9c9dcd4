/* A log's own counters as metrics. One row for each. */
#include "client_int.h"

#include <cairn/log.h>

static void lines_collect(struct cairn_emit *emit, void *log)
{
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    cairn_emit(emit, NULL, (double)stats.lines);
}

static void dropped_collect(struct cairn_emit *emit, void *log)
{
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    cairn_emit(emit, NULL, (double)stats.dropped);
}

static void bytes_collect(struct cairn_emit *emit, void *log)
{
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    cairn_emit(emit, NULL, (double)stats.bytes);
}

static void errors_collect(struct cairn_emit *emit, void *log)
{
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    cairn_emit(emit, NULL, (double)stats.errors);
}

static void reopens_collect(struct cairn_emit *emit, void *log)
{
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    cairn_emit(emit, NULL, (double)stats.reopens);
}

static const struct {
    const char *name;
    const char *help;
    cairn_collect_fn collect;
} log_families[] = {
    {"cairn_log_lines_total", "Log lines written or about to be.", lines_collect},
    {"cairn_log_dropped_lines_total", "Log lines lost to write errors or a full buffer.", dropped_collect},
    {"cairn_log_written_bytes_total", "Bytes of log lines written.", bytes_collect},
    {"cairn_log_errors_total", "Failed attempts to open or write the log file.", errors_collect},
    {"cairn_log_reopens_total", "Times the log file was opened anew after a rotation or on request.",
     reopens_collect},
};

enum cairn_err cairn_log_metrics(struct cairn_log *log, struct cairn_registry *registry)
{
    for (size_t i = 0; i < sizeof log_families / sizeof log_families[0]; i++) {
        struct cairn_family *family;
        enum cairn_err err =
            cairn_family_new(registry,
                             &(struct cairn_family_options){.type = CAIRN_COUNTER,
                                                            .name = log_families[i].name,
                                                            .help = log_families[i].help,
                                                            .collect = log_families[i].collect,
                                                            .collect_context = log},
                             &family);
        if (err != CAIRN_OK) {
            return err;
        }
    }
    return CAIRN_OK;
}
