/* alerting, remote_write, remote_read, storage, tracing, otlp, runtime: read, checked, and kept as far as
 * they are used. */
#include <stddef.h>

#include "base/clock.h"

#include "metrics/scrape/config_int.h"

/* -- alerting -------------------------------------------------------------------------------------------- */

static enum err read_alertmanager(struct config_reader *r, const struct yaml_node *n,
                                  struct alertmanager_config *m)
{
    static const struct config_field fields[] = {
        {"scheme", CONFIG_STR, offsetof(struct alertmanager_config, scheme)},
        {"path_prefix", CONFIG_STR, offsetof(struct alertmanager_config, path_prefix)},
        {"timeout", CONFIG_DURATION, offsetof(struct alertmanager_config, timeout_ms)},
        {"api_version", CONFIG_OTHER, 0},
        {"sigv4", CONFIG_OTHER, 0},
        {"relabel_configs", CONFIG_OTHER, 0},
        {"alert_relabel_configs", CONFIG_OTHER, 0},
    };
    struct str version = STR("v2");
    *m = (struct alertmanager_config){.scheme = STR("http"), .path_prefix = STR("/"), .timeout_ms = 10000};
    enum err e = config_fields(r, n, "alertmanager config", fields, ARRAY_LEN(fields),
                               CONFIG_WITH_HTTP | CONFIG_WITH_SD, m);
    e = e ? e : yaml_str(yaml_get(n, "api_version"), &version, r->info);
    if (!e && !str_eq_c(version, "v2")) {
        return yaml_error(yaml_get(n, "api_version"), r->info,
                          "expected Alertmanager api version to be one of [v2] but got %.*s",
                          STR_FMT(version));
    }
    e = e ? e
          : relabel_config_parse(r->a, yaml_get(n, "relabel_configs"), &m->relabel, &m->relabel_count,
                                 r->info);
    e = e ? e
          : relabel_config_parse(r->a, yaml_get(n, "alert_relabel_configs"), &m->alert_relabel,
                                 &m->alert_relabel_count, r->info);
    e = e ? e : http_config_parse(n, &m->http, r->info);
    return e ? e : sd_configs_parse(r->a, n, &m->sd, r->info);
}

static enum err read_alerting(struct config_reader *r, const struct yaml_node *n)
{
    static const struct config_field fields[] = {{"alert_relabel_configs", CONFIG_OTHER, 0},
                                                 {"alertmanagers", CONFIG_OTHER, 0}};
    struct prom_config *c = r->c;
    const struct yaml_node *list = yaml_get(n, "alertmanagers");
    enum err e = config_fields(r, n, "alerting", fields, ARRAY_LEN(fields), CONFIG_PLAIN, c);
    e = e ? e
          : relabel_config_parse(r->a, yaml_get(n, "alert_relabel_configs"), &c->alert_relabel,
                                 &c->alert_relabel_count, r->info);
    e = e ? e : config_list(r, list, "alertmanagers");
    if (e || yaml_is_null(list) || list->count == 0) {
        return e;
    }
    c->alertmanagers = arena_zarray(r->a, list->count, sizeof(*c->alertmanagers));
    if (!c->alertmanagers) {
        return config_no_memory(r);
    }
    for (const struct yaml_node *m = list->child; m && !e; m = m->next) {
        e = read_alertmanager(r, m, &c->alertmanagers[c->alertmanager_count++]);
    }
    return e;
}

/* -- remote write and read ------------------------------------------------------------------------------- */

static enum err check_url(struct config_reader *r, const struct yaml_node *n, struct str url,
                          const char *what)
{
    if (url.n == 0) {
        return yaml_error(n, r->info, "url for %s is empty", what);
    }
    if (str_find(url, STR("://"), 0) != STR_NPOS && !str_starts(url, STR("http://")) &&
        !str_starts(url, STR("https://"))) {
        return yaml_error(yaml_get(n, "url"), r->info, "url for %s must begin with http:// or https://",
                          what);
    }
    return ERR_OK;
}

static enum err check_map(struct config_reader *r, const struct yaml_node *map, const char *what,
                          const struct config_field *fields, size_t n)
{
    struct { /* values are checked, not kept: every field lands in the same place */
        union {
            struct str s;
            bool b;
            uint64_t u;
            int64_t i;
            double f;
        } v;
    } sink = {0};
    return config_fields(r, map, what, fields, n, CONFIG_PLAIN, &sink);
}

static enum err check_auth_headers(struct config_reader *r, const struct yaml_node *map)
{
    static const char *const reserved[] = {"Authorization",
                                           "Host",
                                           "Content-Encoding",
                                           "Content-Length",
                                           "Content-Type",
                                           "User-Agent",
                                           "Connection",
                                           "Keep-Alive",
                                           "Proxy-Authenticate",
                                           "Proxy-Authorization",
                                           "Www-Authenticate",
                                           "Accept-Encoding",
                                           "X-Prometheus-Remote-Write-Version",
                                           "X-Prometheus-Remote-Read-Version"};
    for (const struct yaml_node *n = map ? map->child : NULL; n; n = n->next) {
        for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
            if (str_ieq(n->key, str_c(reserved[i]))) {
                return yaml_error(n, r->info,
                                  i == 0 ? "authorization header must be changed via the basic_auth, "
                                           "authorization, oauth2, sigv4, azuread or google_iam parameter"
                                         : "%.*s is a reserved header. It must not be changed",
                                  STR_FMT(n->key));
            }
        }
    }
    return ERR_OK;
}

static enum err check_queue(struct config_reader *r, const struct yaml_node *n,
                            const struct remote_write_config *w)
{
    const char *flaw = w->samples_max == 0             ? "max_samples_per_send must be positive"
                       : w->max_shards == 0            ? "max_shards must be positive"
                       : w->min_shards == 0            ? "min_shards must be positive"
                       : w->capacity == 0              ? "capacity must be positive"
                       : w->min_shards > w->max_shards ? "min_shards must not be greater than max_shards"
                       : w->backoff_max_ms < w->backoff_min_ms
                           ? "max_backoff must not be less than min_backoff"
                           : NULL;
    return flaw ? yaml_error(n, r->info, "remote write queue %s", flaw) : ERR_OK;
}

static enum err read_queue(struct config_reader *r, const struct yaml_node *n, struct remote_write_config *w)
{
    static const struct config_field queue[] = {
        {"capacity", CONFIG_U64, offsetof(struct remote_write_config, capacity)},
        {"min_shards", CONFIG_U64, offsetof(struct remote_write_config, min_shards)},
        {"max_shards", CONFIG_U64, offsetof(struct remote_write_config, max_shards)},
        {"max_samples_per_send", CONFIG_U64, offsetof(struct remote_write_config, samples_max)},
        {"batch_send_deadline", CONFIG_DURATION, offsetof(struct remote_write_config, deadline_ms)},
        {"min_backoff", CONFIG_DURATION, offsetof(struct remote_write_config, backoff_min_ms)},
        {"max_backoff", CONFIG_DURATION, offsetof(struct remote_write_config, backoff_max_ms)},
        {"retry_on_http_429", CONFIG_BOOL, offsetof(struct remote_write_config, retry_429)},
        {"sample_age_limit", CONFIG_DURATION, offsetof(struct remote_write_config, age_max_ms)}};
    static const struct config_field metadata[] = {{"send", CONFIG_BOOL, 0},
                                                   {"send_interval", CONFIG_DURATION, 0},
                                                   {"max_samples_per_send", CONFIG_U64, 0}};
    enum err e = config_fields(r, yaml_get(n, "queue_config"), "queue_config", queue, ARRAY_LEN(queue),
                               CONFIG_PLAIN, w);
    e = e || yaml_is_null(yaml_get(n, "queue_config")) ? e : check_queue(r, yaml_get(n, "queue_config"), w);
    return e ? e
             : check_map(r, yaml_get(n, "metadata_config"), "metadata_config", metadata, ARRAY_LEN(metadata));
}

static enum err read_headers(struct config_reader *r, const struct yaml_node *map,
                             struct remote_write_config *w)
{
    enum err e = check_auth_headers(r, map);
    if (e || yaml_is_null(map)) {
        return e;
    }
    w->headers = arena_array(r->a, map->count + 1, sizeof(*w->headers));
    if (!w->headers) {
        return config_no_memory(r);
    }
    for (const struct yaml_node *c = map->child; c && !e; c = c->next) {
        struct http_header *h = &w->headers[w->header_count++];
        *h = (struct http_header){.name = c->key, .value = STR("")};
        e = yaml_str(c, &h->value, r->info);
    }
    return e;
}

struct remote_entry {
    struct remote_config c;
    union {
        bool b;
        int64_t i;
    } ignored;
};

/* What is asked for and not done. */
static enum err note_write_parts(struct config_reader *r, const struct yaml_node *n,
                                 const struct remote_write_config *w)
{
    static const char *const parts[] = {"metadata_config", "send_exemplars", "round_robin_dns",       "sigv4",
                                        "azuread",         "google_iam",     "failed_request_logging"};
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(parts) && !e; i++) {
        e = yaml_is_null(yaml_get(n, parts[i])) ? ERR_OK : config_note_unused(r, "remote_write", parts[i]);
    }
    if (!e && str_eq_c(w->protobuf_message, "io.prometheus.write.v2.Request")) {
        e = config_note_unused(r, "remote_write", "protobuf_message (1.0 is sent)");
    }
    return e;
}

static enum err read_remote_write(struct config_reader *r, const struct yaml_node *n,
                                  struct remote_write_config *w)
{
    static const struct config_field fields[] = {
        {"url", CONFIG_STR, offsetof(struct remote_write_config, url)},
        {"name", CONFIG_STR, offsetof(struct remote_write_config, name)},
        {"protobuf_message", CONFIG_STR, offsetof(struct remote_write_config, protobuf_message)},
        {"remote_timeout", CONFIG_DURATION, offsetof(struct remote_write_config, timeout_ms)},
        {"send_exemplars", CONFIG_BOOL, offsetof(struct remote_write_config, send_exemplars)},
        {"send_native_histograms", CONFIG_BOOL, offsetof(struct remote_write_config, native_histograms)},
        {"round_robin_dns", CONFIG_BOOL, offsetof(struct remote_write_config, round_robin_dns)},
        {"failed_request_logging", CONFIG_OTHER, 0},
        {"headers", CONFIG_OTHER, 0},
        {"write_relabel_configs", CONFIG_OTHER, 0},
        {"queue_config", CONFIG_OTHER, 0},
        {"metadata_config", CONFIG_OTHER, 0},
        {"sigv4", CONFIG_OTHER, 0},
        {"azuread", CONFIG_OTHER, 0},
        {"google_iam", CONFIG_OTHER, 0},
    };
    struct buf identity AUTO_BUF = {0};
    *w = (struct remote_write_config){.protobuf_message = STR("prometheus.WriteRequest"),
                                      .timeout_ms = 30 * MS_PER_S,
                                      .capacity = 10000,
                                      .min_shards = 1,
                                      .max_shards = 50,
                                      .samples_max = 2000,
                                      .deadline_ms = 5 * MS_PER_S,
                                      .backoff_min_ms = 30,
                                      .backoff_max_ms = 5 * MS_PER_S};
    enum err e = config_fields(r, n, "remote_write", fields, ARRAY_LEN(fields), CONFIG_WITH_HTTP, w);
    e = e ? e : check_url(r, n, w->url, "remote_write");
    if (!e && !str_eq_c(w->protobuf_message, "prometheus.WriteRequest") &&
        !str_eq_c(w->protobuf_message, "io.prometheus.write.v2.Request")) {
        e = yaml_error(yaml_get(n, "protobuf_message"), r->info,
                       "unknown remote write protobuf message %.*s, supported: prometheus.WriteRequest, "
                       "io.prometheus.write.v2.Request",
                       STR_FMT(w->protobuf_message));
    }
    e = e ? e : read_headers(r, yaml_get(n, "headers"), w);
    e = e ? e : read_queue(r, n, w);
    e = e ? e
          : relabel_config_parse(r->a, yaml_get(n, "write_relabel_configs"), &w->relabel, &w->relabel_count,
                                 r->info);
    e = e ? e : http_config_parse(n, &w->http, r->info);
    config_canonical(&identity, n, NULL);
    w->identity = identity.err ? (struct str){0} : arena_str(r->a, buf_view(&identity));
    e = e || w->identity.p ? e : config_no_memory(r);
    return e ? e : note_write_parts(r, n, w);
}

static enum err read_remote_read(struct config_reader *r, const struct yaml_node *n, struct remote_config *to)
{
    static const struct config_field fields[] = {
        {"url", CONFIG_STR, offsetof(struct remote_entry, c.url)},
        {"name", CONFIG_STR, offsetof(struct remote_entry, c.name)},
        {"remote_timeout", CONFIG_DURATION, offsetof(struct remote_entry, ignored)},
        {"chunked_read_limit", CONFIG_U64, offsetof(struct remote_entry, ignored)},
        {"read_recent", CONFIG_BOOL, offsetof(struct remote_entry, ignored)},
        {"filter_external_labels", CONFIG_BOOL, offsetof(struct remote_entry, ignored)},
        {"headers", CONFIG_OTHER, 0},
        {"required_matchers", CONFIG_OTHER, 0},
    };
    struct remote_entry entry = {0};
    struct http_client_config *http = NULL;
    enum err e = config_fields(r, n, "remote_read", fields, ARRAY_LEN(fields), CONFIG_WITH_HTTP, &entry);
    e = e ? e : check_url(r, n, entry.c.url, "remote_read");
    e = e ? e : check_auth_headers(r, yaml_get(n, "headers"));
    e = e ? e : http_config_parse(n, &http, r->info);
    http_config_free(http);
    *to = entry.c;
    return e;
}

static enum err name_taken(struct config_reader *r, const struct yaml_node *n, const char *key,
                           struct str name)
{
    return yaml_error(yaml_get(n, "name"), r->info, "found multiple %s configs with job name \"%.*s\"", key,
                      STR_FMT(name));
}

static enum err read_remote_writes(struct config_reader *r, const struct yaml_node *list)
{
    struct prom_config *c = r->c;
    enum err e = config_list(r, list, "remote_write");
    if (e || yaml_is_null(list) || list->count == 0) {
        return e;
    }
    c->remote_write = arena_zarray(r->a, list->count, sizeof(*c->remote_write));
    if (!c->remote_write) {
        return config_no_memory(r);
    }
    for (const struct yaml_node *n = list->child; n && !e; n = n->next) {
        struct remote_write_config *w =
            &c->remote_write[c->remote_write_count++]; /* counted at once: released with the rest */
        e = read_remote_write(r, n, w);
        for (const struct remote_write_config *other = c->remote_write; other < w && !e; other++) {
            e = w->name.n && str_eq(other->name, w->name) ? name_taken(r, n, "remote_write", w->name)
                                                          : ERR_OK;
        }
    }
    return e;
}

static enum err read_remote_reads(struct config_reader *r, const struct yaml_node *list)
{
    struct prom_config *c = r->c;
    enum err e = config_list(r, list, "remote_read");
    if (e || yaml_is_null(list) || list->count == 0) {
        return e;
    }
    c->remote_read = arena_zarray(r->a, list->count, sizeof(*c->remote_read));
    if (!c->remote_read) {
        return config_no_memory(r);
    }
    for (const struct yaml_node *n = list->child; n && !e; n = n->next) {
        struct remote_config *one = &c->remote_read[c->remote_read_count++];
        e = read_remote_read(r, n, one);
        for (const struct remote_config *other = c->remote_read; other < one && !e; other++) {
            e = one->name.n && str_eq(other->name, one->name) ? name_taken(r, n, "remote_read", one->name)
                                                              : ERR_OK;
        }
    }
    return e ? e : config_note_unused(r, "remote_read", "the whole section");
}

/* -- storage --------------------------------------------------------------------------------------------- */

static enum err read_retention(struct config_reader *r, const struct yaml_node *n)
{
    static const struct config_field fields[] = {
        {"time", CONFIG_DURATION, offsetof(struct prom_config, retention_ms)},
        {"size", CONFIG_SIZE, offsetof(struct prom_config, retention_bytes)},
        {"percentage", CONFIG_F64, offsetof(struct prom_config, retention_percentage)}};
    enum err e = config_fields(r, n, "retention", fields, ARRAY_LEN(fields), CONFIG_PLAIN, r->c);
    if (!e && (r->c->retention_percentage < 0 || r->c->retention_percentage > 100)) {
        return yaml_error(yaml_get(n, "percentage"), r->info, "percentage must be between 0 and 100");
    }
    r->c->has_retention = !yaml_is_null(n);
    return e;
}

static enum err read_storage(struct config_reader *r, const struct yaml_node *n)
{
    static const struct config_field fields[] = {{"tsdb", CONFIG_OTHER, 0}, {"exemplars", CONFIG_OTHER, 0}};
    static const struct config_field exemplars[] = {
        {"max_exemplars", CONFIG_U64, offsetof(struct prom_config, exemplars_max)}};
    static const struct config_field tsdb[] = {
        {"out_of_order_time_window", CONFIG_DURATION, offsetof(struct prom_config, late_window_ms)},
        {"stale_series_compaction_threshold", CONFIG_OTHER, 0},
        {"chunk_encoding", CONFIG_OTHER, 0},
        {"retention", CONFIG_OTHER, 0}};
    const struct yaml_node *t = yaml_get(n, "tsdb");
    enum err e = config_fields(r, n, "storage", fields, ARRAY_LEN(fields), CONFIG_PLAIN, r->c);
    e = e ? e : config_fields(r, t, "storage.tsdb", tsdb, ARRAY_LEN(tsdb), CONFIG_PLAIN, r->c);
    e = e ? e
          : config_fields(r, yaml_get(n, "exemplars"), "storage.exemplars", exemplars, ARRAY_LEN(exemplars),
                          CONFIG_PLAIN, r->c);
    struct str floats = STR("xor");
    const struct yaml_node *encoding = yaml_get(yaml_get(t, "chunk_encoding"), "floats");
    e = e ? e : yaml_str(encoding, &floats, r->info);
    if (!e && !str_eq_c(floats, "xor") && !str_eq_c(floats, "xor2")) {
        return yaml_error(
            encoding, r->info,
            "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be "
            "omitted entirely, got \"%.*s\"",
            STR_FMT(floats));
    }
    e = e ? e : read_retention(r, yaml_get(t, "retention"));
    if (!e && r->c->retention_percentage > 0) {
        e = config_note_unused(r, "storage.tsdb.retention", "percentage");
    }
    r->c->has_late_window = !yaml_is_null(yaml_get(t, "out_of_order_time_window"));
    for (size_t i = 1; i <= 2 && !e; i++) {
        if (yaml_get(t, tsdb[i].key)) {
            e = config_note_unused(r, "storage.tsdb", tsdb[i].key);
        }
    }
    return e;
}

/* -- tracing, otlp, runtime ------------------------------------------------------------------------------ */

static enum err check_tracing_parts(struct config_reader *r, const struct yaml_node *n)
{
    const struct yaml_node *headers = yaml_get(n, "headers");
    struct str compression = STR("");
    enum err e = yaml_str(yaml_get(n, "compression"), &compression, r->info);
    if (!e && compression.n && !str_eq_c(compression, "gzip")) {
        return yaml_error(yaml_get(n, "compression"), r->info,
                          "invalid compression type %.*s provided, valid options: gzip",
                          STR_FMT(compression));
    }
    for (const struct yaml_node *c = headers ? headers->child : NULL; c; c = c->next) {
        if (str_ieq(c->key, STR("authorization"))) {
            return yaml_error(c, r->info, "authorization header configuration is not yet supported");
        }
    }
    return e ? e : check_auth_headers(r, headers);
}

static enum err check_tracing(struct config_reader *r, const struct yaml_node *n)
{
    static const struct config_field fields[] = {
        {"client_type", CONFIG_STR, 0},  {"endpoint", CONFIG_STR, 0},    {"sampling_fraction", CONFIG_F64, 0},
        {"insecure", CONFIG_BOOL, 0},    {"headers", CONFIG_OTHER, 0},   {"compression", CONFIG_STR, 0},
        {"timeout", CONFIG_DURATION, 0}, {"tls_config", CONFIG_OTHER, 0}};
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    enum err e = check_map(r, n, "tracing", fields, ARRAY_LEN(fields));
    if (!e && yaml_is_null(yaml_get(n, "endpoint"))) {
        return yaml_error(n, r->info, "tracing endpoint must be set");
    }
    e = e ? e : check_tracing_parts(r, n);
    return e ? e : config_note_unused(r, "tracing", "the whole section");
}

/* Names of attributes: not empty, each once. */
static enum err check_names(struct config_reader *r, const struct yaml_node *list, const char *what,
                            size_t *ret_n)
{
    const struct str *names = NULL;
    enum err e = yaml_str_list(r->a, list, &names, ret_n, r->info);
    for (size_t i = 0; i < *ret_n && !e; i++) {
        if (str_trim(names[i]).n == 0) {
            return yaml_error(list, r->info, "empty %s OTel resource attribute", what);
        }
        for (size_t k = 0; k < i; k++) {
            if (str_eq(str_trim(names[k]), str_trim(names[i]))) {
                return yaml_error(list, r->info, "duplicated %s OTel resource attribute \"%.*s\"", what,
                                  STR_FMT(str_trim(names[i])));
            }
        }
    }
    return e;
}

static enum err check_attributes(struct config_reader *r, const struct yaml_node *n)
{
    bool all = false;
    size_t promoted = 0, ignored = 0;
    enum err e = yaml_bool(yaml_get(n, "promote_all_resource_attributes"), &all, r->info);
    e = e ? e : check_names(r, yaml_get(n, "promote_resource_attributes"), "promoted", &promoted);
    e = e ? e : check_names(r, yaml_get(n, "ignore_resource_attributes"), "ignored", &ignored);
    if (!e && all && promoted) {
        return yaml_error(n, r->info,
                          "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be "
                          "configured simultaneously");
    }
    if (!e && !all && ignored) {
        return yaml_error(n, r->info,
                          "'ignore_resource_attributes' cannot be configured unless "
                          "'promote_all_resource_attributes' is true");
    }
    return e;
}

static enum err check_otlp(struct config_reader *r, const struct yaml_node *n)
{
    static const char *const strategies[] = {"UnderscoreEscapingWithSuffixes", "NoUTF8EscapingWithSuffixes",
                                             "UnderscoreEscapingWithoutSuffixes", "NoTranslation"};
    static const struct config_field fields[] = {{"promote_all_resource_attributes", CONFIG_BOOL, 0},
                                                 {"keep_identifying_resource_attributes", CONFIG_BOOL, 0},
                                                 {"convert_histograms_to_nhcb", CONFIG_BOOL, 0},
                                                 {"promote_scope_metadata", CONFIG_BOOL, 0},
                                                 {"label_name_underscore_sanitization", CONFIG_BOOL, 0},
                                                 {"label_name_preserve_multiple_underscores", CONFIG_BOOL, 0},
                                                 {"translation_strategy", CONFIG_OTHER, 0},
                                                 {"promote_resource_attributes", CONFIG_OTHER, 0},
                                                 {"ignore_resource_attributes", CONFIG_OTHER, 0}};
    struct str strategy = STR("UnderscoreEscapingWithSuffixes");
    bool known = false;
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    enum err e = check_map(r, n, "otlp", fields, ARRAY_LEN(fields));
    e = e ? e : yaml_str(yaml_get(n, "translation_strategy"), &strategy, r->info);
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        known |= str_eq_c(strategy, strategies[i]);
    }
    if (!e && !known) {
        return yaml_error(yaml_get(n, "translation_strategy"), r->info,
                          "unsupported otlp translation strategy \"%.*s\"", STR_FMT(strategy));
    }
    e = e ? e : check_attributes(r, n);
    return e ? e : config_note_unused(r, "otlp", "the whole section");
}

static enum err check_runtime(struct config_reader *r, const struct yaml_node *n)
{
    static const struct config_field fields[] = {{"gogc", CONFIG_U64, 0}};
    return check_map(r, n, "runtime", fields, ARRAY_LEN(fields));
}

enum err config_read_rest(struct config_reader *r, const struct yaml_node *root)
{
    enum err e = read_alerting(r, yaml_get(root, "alerting"));
    e = e ? e : read_remote_writes(r, yaml_get(root, "remote_write"));
    e = e ? e : read_remote_reads(r, yaml_get(root, "remote_read"));
    e = e ? e : read_storage(r, yaml_get(root, "storage"));
    e = e ? e : check_tracing(r, yaml_get(root, "tracing"));
    e = e ? e : check_otlp(r, yaml_get(root, "otlp"));
    return e ? e : check_runtime(r, yaml_get(root, "runtime"));
}
