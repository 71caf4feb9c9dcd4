/* global's scrape settings, and scrape_configs. */
#include <math.h>
#include <stddef.h>

#include "base/mem.h"
#include "metrics/scrape/config_int.h"

static const char *const protocol_names[SCRAPE_PROTOCOL_COUNT] = {
    [SCRAPE_PROTO] = "PrometheusProto",          [SCRAPE_OM_1_0_0] = "OpenMetricsText1.0.0",
    [SCRAPE_OM_0_0_1] = "OpenMetricsText0.0.1",  [SCRAPE_TEXT_1_0_0] = "PrometheusText1.0.0",
    [SCRAPE_TEXT_0_0_4] = "PrometheusText0.0.4",
};

const char *scrape_protocol_name(enum scrape_protocol p)
{
    return protocol_names[p];
}

/* -- settings that a job inherits ------------------------------------------------------------------------ */

static enum err protocol_of(struct config_reader *r, const struct yaml_node *n, int *ret_protocol)
{
    struct str name = {0};
    enum err e = yaml_str(n, &name, r->info);
    if (e) {
        return e;
    }
    for (int i = 0; i < SCRAPE_PROTOCOL_COUNT; i++) {
        if (str_eq_c(name, protocol_names[i])) {
            *ret_protocol = i;
            return ERR_OK;
        }
    }
    const char *near = str_nearest(name, protocol_names, SCRAPE_PROTOCOL_COUNT);
    return yaml_error(n, r->info,
                      "unknown scrape protocol \"%.*s\"%s%s%s; supported: OpenMetricsText0.0.1, "
                      "OpenMetricsText1.0.0, PrometheusProto, PrometheusText0.0.4, PrometheusText1.0.0",
                      STR_FMT(name), near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static enum err read_protocols(struct config_reader *r, const struct yaml_node *list,
                               struct scrape_protocols *p)
{
    if (yaml_is_null(list)) {
        return ERR_OK;
    }
    if (list->kind != YAML_LIST || list->count == 0) {
        return yaml_error(list, r->info, "scrape_protocols cannot be empty");
    }
    unsigned seen = 0;
    p->n = 0;
    for (const struct yaml_node *n = list->child; n; n = n->next) {
        int protocol = 0;
        enum err e = protocol_of(r, n, &protocol);
        if (e) {
            return e;
        }
        if (seen & (1u << protocol)) {
            return yaml_error(n, r->info, "duplicated protocol in scrape_protocols: %s",
                              protocol_names[protocol]);
        }
        seen |= 1u << protocol;
        p->order[p->n++] = (uint8_t)protocol;
    }
    return ERR_OK;
}

static enum err read_names(struct config_reader *r, const struct yaml_node *map, struct scrape_defaults *d)
{
    static const char *const escapings[] = {"allow-utf-8", "underscores", "dots", "values"};
    const struct yaml_node *scheme = yaml_get(map, "metric_name_validation_scheme"),
                           *escaping = yaml_get(map, "metric_name_escaping_scheme");
    struct str text = d->legacy_names ? STR("legacy") : STR("utf8");
    enum err e = yaml_str(scheme, &text, r->info);
    if (e) {
        return e;
    }
    if (!str_eq_c(text, "utf8") && !str_eq_c(text, "legacy")) {
        return yaml_error(scheme, r->info,
                          "unknown global name validation method specified, must be either "
                          "'', 'legacy' or 'utf8', got %.*s",
                          STR_FMT(text));
    }
    bool legacy = str_eq_c(text, "legacy");
    if (legacy != d->legacy_names && yaml_is_null(escaping)) {
        d->escaping = legacy ? STR("underscores") : STR("allow-utf-8");
    }
    d->legacy_names = legacy;
    e = yaml_str(escaping, &d->escaping, r->info);
    if (e || yaml_is_null(escaping)) {
        return e;
    }
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(escapings); i++) {
        known |= str_eq_c(d->escaping, escapings[i]);
    }
    if (!known || (legacy && str_eq_c(d->escaping, "allow-utf-8"))) {
        return yaml_error(
            escaping, r->info,
            known ? "utf8 metric names requested but validation scheme is not set to utf8: \"%.*s\""
                  : "unknown name escaping method \"%.*s\" (one of allow-utf-8, underscores, dots, values)",
            STR_FMT(d->escaping));
    }
    return ERR_OK;
}

/* As yaml_u64, but 0 keeps what was inherited. */
static enum err inherit_u64(struct config_reader *r, const struct yaml_node *n, bool size, uint64_t *value)
{
    uint64_t own = 0;
    if (size && !yaml_is_null(n) && str_to_u64(n->text, &own) == ERR_OK && own) {
        return yaml_error(n, r->info, "units: unknown unit in %.*s (write %.*sB, or KB, MB, GB)",
                          STR_FMT(n->text), STR_FMT(n->text));
    }
    enum err e = size ? yaml_size(n, &own, r->info) : yaml_u64(n, &own, r->info);
    *value = own ? own : *value;
    return e;
}

static enum err read_limits(struct config_reader *r, const struct yaml_node *map, struct scrape_limits *l)
{
    const struct {
        const char *key;
        uint64_t *to;
        bool size;
    } rows[] = {
        {"body_size_limit", &l->body_size_bytes, true},
        {"sample_limit", &l->samples, false},
        {"target_limit", &l->targets, false},
        {"label_limit", &l->labels, false},
        {"label_name_length_limit", &l->label_name_length, false},
        {"label_value_length_limit", &l->label_value_length, false},
        {"keep_dropped_targets", &l->keep_dropped_targets, false},
    };
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(rows) && !e; i++) {
        e = inherit_u64(r, yaml_get(map, rows[i].key), rows[i].size, rows[i].to);
    }
    return e;
}

enum err config_read_defaults(struct config_reader *r, const struct yaml_node *map, struct scrape_defaults *d)
{
    enum err e = read_limits(r, map, &d->limits);
    e = e ? e : read_protocols(r, yaml_get(map, "scrape_protocols"), &d->protocols);
    e = e ? e : read_names(r, map, d);
    e = e ? e : yaml_bool(yaml_get(map, "scrape_native_histograms"), &d->native_histograms, r->info);
    e = e ? e : yaml_bool(yaml_get(map, "always_scrape_classic_histograms"), &d->classic_histograms, r->info);
    e = e ? e
          : yaml_bool(yaml_get(map, "convert_classic_histograms_to_nhcb"), &d->convert_classic_histograms,
                      r->info);
    e = e ? e : yaml_bool(yaml_get(map, "extra_scrape_metrics"), &d->extra_metrics, r->info);
    const struct yaml_node *log = yaml_get(map, "scrape_failure_log_file");
    if (!e && !yaml_is_null(log)) {
        e = yaml_str(log, &d->failure_log_file, r->info);
        d->failure_log_file = sd_config_path(r->a, log, d->failure_log_file);
        e = e || d->failure_log_file.p ? e : config_no_memory(r);
    }
    return e;
}

/* -- one job --------------------------------------------------------------------------------------------- */

static enum err read_params(struct config_reader *r, const struct yaml_node *map, struct scrape_job *j)
{
    if (yaml_is_null(map)) {
        return ERR_OK;
    }
    if (map->kind != YAML_MAP) {
        return yaml_error(map, r->info, "params must be a map of lists");
    }
    j->params = arena_array(r->a, map->count, sizeof(*j->params));
    if (!j->params) {
        return config_no_memory(r);
    }
    for (const struct yaml_node *n = map->child; n; n = n->next) {
        struct scrape_param *p = &j->params[j->param_count++];
        *p = (struct scrape_param){.name = n->key};
        enum err e = yaml_str_list(r->a, n, &p->values, &p->n, r->info);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err read_timing(struct config_reader *r, const struct yaml_node *n, struct scrape_job *j)
{
    const struct yaml_node *interval = yaml_get(n, "scrape_interval"),
                           *timeout = yaml_get(n, "scrape_timeout");
    enum err e = yaml_duration(interval, false, &j->d.interval_ms, r->info);
    if (e) {
        return e;
    }
    j->d.interval_ms = j->d.interval_ms ? j->d.interval_ms : r->c->global.interval_ms;
    int64_t own = 0;
    e = yaml_duration(timeout, false, &own, r->info);
    if (!e && own > j->d.interval_ms) {
        return yaml_error(
            timeout, r->info,
            "scrape timeout greater than scrape interval for scrape config with job name \"%.*s\"",
            STR_FMT(j->name));
    }
    j->d.timeout_ms = own ? own : j->d.timeout_ms > j->d.interval_ms ? j->d.interval_ms : j->d.timeout_ms;
    return e;
}

static enum err check_static(struct config_reader *r, const struct yaml_node *n, const struct scrape_job *j)
{
    if (j->relabel_count) {
        return ERR_OK;
    }
    const struct yaml_node *groups = yaml_get(n, "static_configs");
    for (const struct yaml_node *g = groups ? groups->child : NULL; g; g = g->next) {
        const struct yaml_node *targets = yaml_get(g, "targets");
        for (const struct yaml_node *t = targets ? targets->child : NULL; t; t = t->next) {
            if (str_find_char(t->text, '/', 0) != STR_NPOS) {
                return yaml_error(t, r->info, "\"%.*s\" is not a valid hostname", STR_FMT(t->text));
            }
        }
    }
    return ERR_OK;
}

static enum err set_identities(struct config_reader *r, struct scrape_job *j)
{
    static const char *const timing[] = {"scrape_interval",
                                         "scrape_timeout",
                                         "sample_limit",
                                         "label_limit",
                                         "label_name_length_limit",
                                         "label_value_length_limit",
                                         "body_size_limit",
                                         "target_limit",
                                         "keep_dropped_targets",
                                         "basic_auth",
                                         "authorization",
                                         "oauth2",
                                         "bearer_token",
                                         "bearer_token_file",
                                         "tls_config",
                                         "follow_redirects",
                                         "enable_http2",
                                         "proxy_url",
                                         "no_proxy",
                                         "proxy_from_environment",
                                         "proxy_connect_header",
                                         "http_headers",
                                         "scrape_failure_log_file",
                                         NULL};
    struct buf whole AUTO_BUF = {0}, part AUTO_BUF = {0};
    const struct scrape_defaults *d = &j->d;
    config_canonical(&whole, j->node, NULL);
    config_canonical(&part, j->node, timing);
    for (int i = 0; i < 2; i++) { /* what global may change under a job that leaves it out */
        buf_printf(i ? &part : &whole, "|%d%d%d%d%d %.*s", d->native_histograms, d->classic_histograms,
                   d->convert_classic_histograms, d->extra_metrics, d->legacy_names, STR_FMT(d->escaping));
    }
    for (size_t i = 0; i < d->protocols.n; i++) {
        buf_printf(&whole, " %d", d->protocols.order[i]);
    }
    const struct scrape_limits *l = &d->limits;
    buf_printf(&whole, "|%lld %lld %llu %llu %llu %llu %llu %llu %llu", (long long)d->interval_ms,
               (long long)d->timeout_ms, (unsigned long long)l->body_size_bytes,
               (unsigned long long)l->samples, (unsigned long long)l->targets, (unsigned long long)l->labels,
               (unsigned long long)l->label_name_length, (unsigned long long)l->label_value_length,
               (unsigned long long)l->keep_dropped_targets);
    j->identity = whole.err ? (struct str){0} : arena_str(r->a, buf_view(&whole));
    j->series_identity = part.err ? (struct str){0} : arena_str(r->a, buf_view(&part));
    return j->identity.p && j->series_identity.p ? ERR_OK : config_no_memory(r);
}

static enum err note_unused_parts(struct config_reader *r, const struct scrape_job *j)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < j->sd.unused_count && !e; i++) {
        e = config_note_unused(r, "scrape_configs", j->sd.unused[i]);
    }
    if (!e && j->d.convert_classic_histograms) {
        e = config_note_unused(r, "scrape_configs", "convert_classic_histograms_to_nhcb");
    }
    return e;
}

static enum err read_fallback(struct config_reader *r, const struct yaml_node *n, struct scrape_job *j)
{
    return yaml_is_null(n) ? ERR_OK : protocol_of(r, n, &j->fallback_protocol);
}

static enum err read_job(struct config_reader *r, const struct yaml_node *n, struct scrape_job *j)
{
    static const struct config_field fields[] = {
        {"job_name", CONFIG_STR, offsetof(struct scrape_job, name)},
        {"metrics_path", CONFIG_STR, offsetof(struct scrape_job, metrics_path)},
        {"scheme", CONFIG_STR, offsetof(struct scrape_job, scheme)},
        {"honor_labels", CONFIG_BOOL, offsetof(struct scrape_job, honor_labels)},
        {"honor_timestamps", CONFIG_BOOL, offsetof(struct scrape_job, honor_timestamps)},
        {"track_timestamps_staleness", CONFIG_BOOL, offsetof(struct scrape_job, track_timestamps_staleness)},
        {"enable_compression", CONFIG_BOOL, offsetof(struct scrape_job, compression)},
        {"native_histogram_bucket_limit", CONFIG_U64, offsetof(struct scrape_job, d.limits.native_buckets)},
        {"native_histogram_min_bucket_factor", CONFIG_F64,
         offsetof(struct scrape_job, d.limits.native_min_bucket_factor)},
        {"params", CONFIG_OTHER, 0},
        {"fallback_scrape_protocol", CONFIG_OTHER, 0},
        {"relabel_configs", CONFIG_OTHER, 0},
        {"metric_relabel_configs", CONFIG_OTHER, 0},
        CONFIG_DEFAULT_FIELDS,
    };
    *j = (struct scrape_job){.d = r->c->global,
                             .node = n,
                             .metrics_path = STR("/metrics"),
                             .scheme = STR("http"),
                             .honor_timestamps = true,
                             .compression = true,
                             .fallback_protocol = -1};
    enum err e =
        config_fields(r, n, "scrape_config", fields, ARRAY_LEN(fields), CONFIG_WITH_HTTP | CONFIG_WITH_SD, j);
    if (!e && j->name.n == 0) {
        e = yaml_error(n, r->info, "job_name is empty");
    }
    if (!e && !str_eq_c(j->scheme, "http") && !str_eq_c(j->scheme, "https")) {
        e = yaml_error(yaml_get(n, "scheme"), r->info, "unsupported scheme \"%.*s\" (http or https)",
                       STR_FMT(j->scheme));
    }
    e = e ? e : config_read_defaults(r, n, &j->d);
    e = e ? e : read_timing(r, n, j);
    e = e ? e : read_params(r, yaml_get(n, "params"), j);
    e = e ? e : read_fallback(r, yaml_get(n, "fallback_scrape_protocol"), j);
    e = e ? e
          : relabel_config_parse(r->a, yaml_get(n, "relabel_configs"), &j->relabel, &j->relabel_count,
                                 r->info);
    e = e ? e
          : relabel_config_parse(r->a, yaml_get(n, "metric_relabel_configs"), &j->metric_relabel,
                                 &j->metric_relabel_count, r->info);
    e = e ? e : http_config_parse(n, &j->http, r->info);
    e = e ? e : sd_configs_parse(r->a, n, &j->sd, r->info);
    e = e ? e : check_static(r, n, j);
    e = e ? e : set_identities(r, j);
    return e ? e : note_unused_parts(r, j);
}

void scrape_job_done(struct scrape_job *j)
{
    relabel_rules_done(j->relabel, j->relabel_count);
    relabel_rules_done(j->metric_relabel, j->metric_relabel_count);
    http_config_free(j->http);
    sd_configs_done(&j->sd);
}

static enum err check_unique(struct config_reader *r, const struct scrape_job *j)
{
    for (const struct scrape_job *other = r->c->jobs; other < j; other++) {
        if (str_eq(other->name, j->name)) {
            return yaml_error(yaml_get(j->node, "job_name"), r->info,
                              "found multiple scrape configs with job name \"%.*s\"", STR_FMT(j->name));
        }
    }
    return ERR_OK;
}

enum err config_read_jobs(struct config_reader *r, const struct yaml_node *list)
{
    struct prom_config *c = r->c;
    enum err e = config_list(r, list, "scrape_configs");
    for (const struct yaml_node *n = list ? list->child : NULL; n && !e; n = n->next) {
        if (c->job_count >= SCRAPE_JOBS_MAX) {
            return yaml_error(n, r->info, "more than %d scrape configs", SCRAPE_JOBS_MAX);
        }
        if (arena_reserve(r->a, (void **)&c->jobs, &c->job_cap, c->job_count + 1, sizeof(*c->jobs))) {
            return config_no_memory(r);
        }
        struct scrape_job *j = &c->jobs[c->job_count++]; /* counted at once: released with the rest */
        e = read_job(r, n, j);
        e = e ? e : check_unique(r, j);
    }
    return e;
}
