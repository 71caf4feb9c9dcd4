/* The table of families: one row a metric. */
#include "agent/model/metrics.h"

#include <stdio.h>

#include "agent/model/limits.h"
#include "base/str.h"

enum {
    LABELS_MAX = 3,
    REASONS_MAX = 256
};

struct row {
    enum cairn_type type;
    const char *name, *help;
    const char *labels[LABELS_MAX];
    size_t series_max;
};

#define HOST_TENANT_REASON         \
    {                              \
        "host", "tenant", "reason" \
    }

static const struct row rows[AM_COUNT] = {
    [AM_READ_BYTES] =
        {CAIRN_GAUGE, "promtail_read_bytes_total", "Number of bytes read.", {"path"}, AGENT_FILES_MAX},
    [AM_FILE_BYTES] =
        {CAIRN_GAUGE, "promtail_file_bytes_total", "Number of bytes total.", {"path"}, AGENT_FILES_MAX},
    [AM_READ_LINES] =
        {CAIRN_COUNTER, "promtail_read_lines_total", "Number of lines read.", {"path"}, AGENT_FILES_MAX},
    [AM_FILES_ACTIVE] = {CAIRN_GAUGE, "promtail_files_active_total", "Number of active files.", {0}, 0},
    [AM_TARGETS_ACTIVE] = {CAIRN_GAUGE, "promtail_targets_active_total", "Number of active total.", {0}, 0},
    [AM_TARGETS_FAILED] =
        {CAIRN_COUNTER, "promtail_targets_failed_total", "Number of failed targets.", {"reason"}, 0},
    [AM_ENCODED_BYTES] = {CAIRN_COUNTER,
                          "promtail_encoded_bytes_total",
                          "Number of bytes encoded and ready to send.",
                          {"host"},
                          0},
    [AM_SENT_BYTES] = {CAIRN_COUNTER, "promtail_sent_bytes_total", "Number of bytes sent.", {"host"}, 0},
    [AM_SENT_ENTRIES] = {CAIRN_COUNTER,
                         "promtail_sent_entries_total",
                         "Number of log entries sent to the ingester.",
                         {"host"},
                         0},
    [AM_DROPPED_BYTES] = {CAIRN_COUNTER, "promtail_dropped_bytes_total",
                          "Number of bytes dropped because they could not be sent, were refused or too long.",
                          HOST_TENANT_REASON, AGENT_TENANTS_MAX * 8},
    [AM_DROPPED_ENTRIES] = {CAIRN_COUNTER, "promtail_dropped_entries_total",
                            "Number of entries dropped because they could not be sent, were refused or too "
                            "long.",
                            HOST_TENANT_REASON, AGENT_TENANTS_MAX * 8},
    [AM_MUTATED_BYTES] = {CAIRN_COUNTER, "promtail_mutated_bytes_total",
                          "The total number of bytes that have been cut off.", HOST_TENANT_REASON,
                          AGENT_TENANTS_MAX * 2},
    [AM_MUTATED_ENTRIES] = {CAIRN_COUNTER, "promtail_mutated_entries_total",
                            "The total number of log entries that have been shortened.", HOST_TENANT_REASON,
                            AGENT_TENANTS_MAX * 2},
    [AM_BATCH_RETRIES] = {CAIRN_COUNTER,
                          "promtail_batch_retries_total",
                          "Number of times batches have had to be retried.",
                          {"host", "tenant"},
                          AGENT_TENANTS_MAX * 2},
    [AM_REQUEST_DURATION] = {CAIRN_HISTOGRAM,
                             "promtail_request_duration_seconds",
                             "Duration of send requests.",
                             {"status_code", "host"},
                             0},
    [AM_RELOAD_SUCCESS] = {CAIRN_COUNTER,
                           "promtail_config_reload_success_total",
                           "Number of successful reloads of the configuration.",
                           {0},
                           0},
    [AM_RELOAD_FAIL] = {CAIRN_COUNTER,
                        "promtail_config_reload_fail_total",
                        "Number of failed reloads of the configuration.",
                        {0},
                        0},
    [AM_LINES_DROPPED] = {CAIRN_COUNTER,
                          "logentry_dropped_lines_total",
                          "Number of log lines dropped by stages, by reason.",
                          {"reason"},
                          REASONS_MAX},
    [AM_LINES_DROPPED_BY_LABEL] = {CAIRN_COUNTER,
                                   "logentry_dropped_lines_by_label_total",
                                   "Number of log lines dropped by the limit stage, by label.",
                                   {"label_name", "label_value"},
                                   10000},
    [AM_JOURNAL_LINES] = {CAIRN_COUNTER,
                          "promtail_journal_target_lines_total",
                          "Total number of successful journal lines read.",
                          {0},
                          0},
    [AM_JOURNAL_ERRORS] = {CAIRN_COUNTER,
                           "promtail_journal_target_parsing_errors_total",
                           "Total number of journal records that gave no line.",
                           {"error"},
                           0},
    [AM_SYSLOG_ENTRIES] = {CAIRN_COUNTER,
                           "promtail_syslog_target_entries_total",
                           "Total number of successful entries sent to the syslog target.",
                           {0},
                           0},
    [AM_SYSLOG_ERRORS] = {CAIRN_COUNTER,
                          "promtail_syslog_target_parsing_errors_total",
                          "Total number of parsing errors while receiving syslog messages.",
                          {0},
                          0},
    [AM_SYSLOG_EMPTY] = {CAIRN_COUNTER,
                         "promtail_syslog_empty_messages_total",
                         "Total number of empty messages received from syslog.",
                         {0},
                         0},
    [AM_ACKED_BYTES] = {CAIRN_GAUGE,
                        "cairn_agent_acknowledged_bytes",
                        "Offset up to which every line of the file has been delivered.",
                        {"path"},
                        AGENT_FILES_MAX},
    [AM_QUEUE_BYTES] =
        {CAIRN_GAUGE, "cairn_agent_queue_bytes", "Bytes of lines that wait to be sent.", {"host"}, 0},
    [AM_ROTATIONS] = {CAIRN_COUNTER,
                      "cairn_agent_rotations_total",
                      "Files that were renamed, removed or replaced while they were followed.",
                      {0},
                      0},
    [AM_TRUNCATIONS] = {CAIRN_COUNTER,
                        "cairn_agent_truncations_total",
                        "Files that were truncated or rewritten in place while they were followed.",
                        {0},
                        0},
    [AM_LINE_SPLITS] = {CAIRN_COUNTER,
                        "cairn_agent_line_splits_total",
                        "Lines too long for the agent, delivered in pieces.",
                        {0},
                        0},
};

enum err agent_metrics_init(struct agent_metrics *m)
{
    *m = (struct agent_metrics){0};
    if (custom_metrics_new(&m->custom) || cairn_registry_new(&m->registry) != CAIRN_OK) {
        agent_metrics_done(m);
        return ERR_OOM;
    }
    for (size_t i = 0; i < AM_COUNT; i++) {
        const struct row *r = &rows[i];
        size_t n = 0;
        while (n < LABELS_MAX && r->labels[n]) {
            n++;
        }
        struct cairn_family_options o = {.type = r->type,
                                         .name = r->name,
                                         .help = r->help,
                                         .label_names = n ? r->labels : NULL,
                                         .label_count = n,
                                         .series_max = r->series_max};
        enum cairn_err e = cairn_family_new(m->registry, &o, &m->f[i]);
        if (e != CAIRN_OK) {
            agent_metrics_done(m);
            return e == CAIRN_ERR_OOM ? ERR_OOM : ERR_INTERNAL;
        }
    }
    return ERR_OK;
}

void agent_metrics_done(struct agent_metrics *m)
{
    cairn_registry_free(m->registry);
    custom_metrics_free(m->custom);
    *m = (struct agent_metrics){0};
}

void agent_count(struct agent_metrics *m, enum agent_metric which, double amount, const char *const *values)
{
    if (m) {
        cairn_counter_add(cairn_counter(m->f[which], values), amount);
    }
}

void agent_gauge_set(struct agent_metrics *m, enum agent_metric which, double value,
                     const char *const *values)
{
    if (m) {
        cairn_gauge_set(cairn_gauge(m->f[which], values), value);
    }
}

void agent_gauge_add(struct agent_metrics *m, enum agent_metric which, double amount,
                     const char *const *values)
{
    if (m) {
        cairn_gauge_add(cairn_gauge(m->f[which], values), amount);
    }
}

void agent_count_1(struct agent_metrics *m, enum agent_metric which, double amount, const char *value)
{
    agent_count(m, which, amount, &value);
}

void agent_metric_hide_1(struct agent_metrics *m, enum agent_metric which, const char *value)
{
    if (m) {
        (void)cairn_family_hide(m->f[which], &value);
    }
}

void agent_line_dropped(struct agent_metrics *m, struct str reason)
{
    char text[REASONS_MAX];
    (void)snprintf(text, sizeof(text), "%.*s", STR_FMT(reason));
    agent_count_1(m, AM_LINES_DROPPED, 1, text);
}
