/* Prometheus' flags: one table for the parser, the help and /api/v1/status/flags. */
#include <stddef.h>

#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_metrics_int.h"
#include "codec/units.h"

#define AT(field) offsetof(struct metrics_role, f.field)
/* Accepted for the sake of existing unit files; n is the slot of its value. */
#define IGNORED(n, name, fallback)                                             \
    {                                                                          \
        name, FLAG_STR, AT(ignored) + (n) * sizeof(struct str), fallback, NULL \
    }

const struct flag metrics_flag_table[] = {
    {"config.file", FLAG_STR, offsetof(struct metrics_role, role.config_file), "prometheus.yml",
     "configuration file"},
    {"storage.tsdb.path", FLAG_STR, AT(path), "data/", "folder of the store"},
    {"storage.tsdb.retention.time", FLAG_DURATION, AT(retention_ms), "15d", "how long samples are kept"},
    {"storage.tsdb.retention.size", FLAG_SIZE, AT(retention_bytes), "", "how much disk the store may take"},
    {"web.listen-address", FLAG_LIST, AT(listen), "0.0.0.0:9090", "where to listen"},
    {"web.config.file", FLAG_STR, AT(web_config), "", "TLS and authentication"},
    {"web.external-url", FLAG_STR, AT(external_url), "", "URL under which others reach this server"},
    {"web.route-prefix", FLAG_STR, AT(route_prefix), "",
     "prefix of all paths; the external URL's path unless told"},
    {"web.max-connections", FLAG_U64, AT(connections_max), "512", "connections at once"},
    {"web.cors.origin", FLAG_STR, AT(cors_origin), ".*",
     "regular expression of origins that may read the API"},
    {"web.enable-remote-write-receiver", FLAG_BOOL, AT(remote_write), "false", "accept remote write"},
    {"web.enable-admin-api", FLAG_BOOL, AT(admin), "false", "allow deletes and snapshots"},
    {"web.enable-lifecycle", FLAG_BOOL, AT(lifecycle), "false", "allow reload and quit over HTTP"},
    {"web.search.max-limit", FLAG_U64, AT(search_limit_max), "10000",
     "results a search may ask for; 0 = no limit"},
    {"query.lookback-delta", FLAG_DURATION, AT(lookback_ms), "5m", "how far back an instant selector looks"},
    {"query.timeout", FLAG_DURATION, AT(timeout_ms), "2m", "how long a query may take"},
    {"query.max-samples", FLAG_U64, AT(samples_max), "50000000", "samples a query may hold"},
    {"query.max-concurrency", FLAG_U64, AT(concurrency), "20", "queries that run at once"},
    {"enable-feature", FLAG_LIST, AT(features), "", "feature names, comma-separated"},
    IGNORED(0, "config.auto-reload-interval", "30s"),
    IGNORED(1, "web.read-timeout", "5m"),
    {"web.max-notifications-subscribers", FLAG_U64, AT(notification_readers_max), "16",
     "readers of the notifications' stream at once"},
    IGNORED(3, "web.user-assets", ""),
    IGNORED(4, "web.remote-write-receiver.accepted-protobuf-messages", "prometheus.WriteRequest"),
    IGNORED(5, "web.console.templates", "consoles"),
    IGNORED(6, "web.console.libraries", "console_libraries"),
    IGNORED(7, "web.page-title", "Prometheus Time Series Collection and Processing Server"),
    IGNORED(9, "storage.tsdb.head-chunks-write-queue-size", "0"),
    IGNORED(10, "storage.remote.flush-deadline", "1m"),
    IGNORED(11, "storage.remote.read-sample-limit", "50000000"),
    IGNORED(12, "storage.remote.read-concurrent-limit", "10"),
    IGNORED(13, "storage.remote.read-max-bytes-in-frame", "1048576"),
    IGNORED(14, "rules.alert.for-outage-tolerance", "1h"),
    IGNORED(15, "rules.alert.for-grace-period", "10m"),
    IGNORED(16, "rules.alert.resend-delay", "1m"),
    IGNORED(17, "rules.max-concurrent-evals", "4"),
    IGNORED(18, "alertmanager.notification-queue-capacity", "10000"),
    IGNORED(19, "alertmanager.notification-batch-size", "256"),
    IGNORED(20, "storage.tsdb.min-block-duration", "2h"),
    IGNORED(21, "storage.tsdb.max-block-duration", ""),
    IGNORED(22, "storage.tsdb.wal-compression-type", "snappy"),
    IGNORED(23, "storage.tsdb.wal-segment-size", "0B"),
    IGNORED(24, "storage.tsdb.samples-per-chunk", "120"),
    IGNORED(25, "storage.tsdb.block-reload-interval", "1m"),
    IGNORED(26, "storage.tsdb.delayed-compaction.max-percent", "10"),
    IGNORED(27, "scrape.timestamp-tolerance", "2ms"),
    IGNORED(28, "scrape.discovery-reload-interval", "5s"),
    IGNORED(29, "auto-gomemlimit.ratio", "0.9"),
    {"config.auto-reload", FLAG_BOOL, AT(no_effect[0]), "false", NULL},
    {"web.enable-otlp-receiver", FLAG_BOOL, AT(no_effect[1]), "false", NULL},
    {"storage.tsdb.no-lockfile", FLAG_BOOL, AT(no_effect[2]), "false", NULL},
    {"storage.tsdb.wal-compression", FLAG_BOOL, AT(no_effect[3]), "true", NULL},
    {"storage.tsdb.allow-overlapping-compaction", FLAG_BOOL, AT(no_effect[4]), "true", NULL},
    {"alertmanager.drain-notification-queue-on-shutdown", FLAG_BOOL, AT(no_effect[5]), "true", NULL},
    {"scrape.adjust-timestamps", FLAG_BOOL, AT(no_effect[6]), "true", NULL},
    {"auto-gomemlimit", FLAG_BOOL, AT(no_effect[7]), "true", NULL},
    {"auto-gomaxprocs", FLAG_BOOL, AT(no_effect[8]), "true", NULL},
    {"agent", FLAG_BOOL, AT(no_effect[9]), "false", NULL},
};

const size_t metrics_flag_count = ARRAY_LEN(metrics_flag_table);

static const char *const known_features[] = {"promql-experimental-functions",
                                             "promql-delayed-name-removal",
                                             "concurrent-rule-eval",
                                             "created-timestamp-zero-ingestion",
                                             "delayed-compaction",
                                             "exemplar-storage",
                                             "extra-scrape-metrics",
                                             "histograms-st-encoding",
                                             "memory-snapshot-on-shutdown",
                                             "metadata-wal-records",
                                             "old-ui",
                                             "otlp-deltatocumulative",
                                             "otlp-native-delta-ingestion",
                                             "promql-binop-fill-modifiers",
                                             "promql-extended-range-selectors",
                                             "promql-per-step-stats",
                                             "search-api",
                                             "st-storage",
                                             "st-synthesis",
                                             "type-and-unit-labels",
                                             "use-start-timestamps",
                                             "use-uncached-io",
                                             "xor2-encoding",
                                             "fast-startup",
                                             "native-histograms",
                                             "ooo-native-histograms",
                                             "promql-duration-expr",
                                             "auto-reload-config"};

bool metrics_feature(const struct metrics_role *m, const char *name)
{
    for (size_t i = 0; i < m->f.features.n; i++) {
        for (struct str rest = m->f.features.items[i]; rest.p;) {
            if (str_eq_c(str_trim(str_cut(&rest, ',')), name)) {
                return true;
            }
        }
    }
    return false;
}

static void log_features(const struct metrics_role *m)
{
    for (size_t i = 0; i < m->f.features.n; i++) {
        for (struct str rest = m->f.features.items[i]; rest.p;) {
            struct str name = str_trim(str_cut(&rest, ','));
            bool known = name.n == 0;
            for (size_t k = 0; k < ARRAY_LEN(known_features); k++) {
                known |= str_eq_c(name, known_features[k]);
            }
            if (!known) {
                LOG_EVENT(LVL_WARN, "unknown_feature", F_STR("option", name));
            }
        }
    }
}

void metrics_flags_log(const struct metrics_role *m)
{
    log_features(m);
    for (size_t i = 0; i < metrics_flag_count; i++) {
        const struct flag *f = &metrics_flag_table[i];
        const void *field = (const char *)m + f->offset;
        bool given =
            !f->help && (f->kind == FLAG_BOOL ? *(const bool *)field : ((const struct str *)field)->n > 0);
        if (given) {
            LOG_EVENT(LVL_WARN, "flag_without_effect", F_C("flag", f->name));
        }
    }
}

static void print_value(struct buf *b, const struct metrics_role *m, const struct flag *f)
{
    const void *field = (const char *)m + f->offset;
    const struct flag_list *list = field;
    size_t from = b->n;
    switch (f->kind) {
    case FLAG_STR:
        buf_str(b, *(const struct str *)field);
        break;
    case FLAG_BOOL:
        buf_c(b, *(const bool *)field ? "true" : f->help ? "false" : f->fallback);
        break;
    case FLAG_U64:
        buf_u64(b, *(const uint64_t *)field);
        break;
    case FLAG_DURATION:
        units_duration_format(b, *(const int64_t *)field);
        break;
    case FLAG_SIZE:
        units_size_format(b, *(const uint64_t *)field);
        break;
    case FLAG_LIST:
        for (size_t i = 0; i < list->n; i++) {
            buf_printf(b, "%s%.*s", i ? "," : "", STR_FMT(list->items[i]));
        }
        break;
    }
    if (b->n == from) {
        buf_c(b, f->fallback);
    }
}

enum err metrics_flag_rows(struct metrics_role *m)
{
    m->flag_rows = mem_zarray(metrics_flag_count, sizeof(*m->flag_rows));
    if (!m->flag_rows) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < metrics_flag_count; i++) {
        struct buf text AUTO_BUF = {0};
        size_t n = 0;
        print_value(&text, m, &metrics_flag_table[i]);
        char *value = buf_take(&text, &n);
        if (!value) {
            return ERR_OOM;
        }
        m->flag_rows[i] = (struct prom_flag){metrics_flag_table[i].name, str_of(value, n)};
        m->api.flag_count = i + 1;
    }
    m->api.flags = m->flag_rows;
    return ERR_OK;
}
