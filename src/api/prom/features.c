/* /features: what this server can do, for clients that adapt. */
#include "api/prom/prom_call.h"
#include "metrics/discovery/sd_config.h"

struct feature {
    const char *name;
    bool on;
};

static void category(struct json_writer *w, const char *name, const struct feature *rows, size_t n)
{
    json_key(w, name);
    json_object_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_key(w, rows[i].name);
        json_bool(w, rows[i].on);
    }
    json_object_end(w);
}

static void promql_categories(struct json_writer *w, const struct prom_api *api)
{
    const struct promql_options *o = &api->promql;
    static const char *const operators[] = {"!=",
                                            "!~",
                                            "%",
                                            "*",
                                            "+",
                                            "-",
                                            "/",
                                            "<",
                                            "</",
                                            "<=",
                                            "==",
                                            "=~",
                                            ">",
                                            ">/",
                                            ">=",
                                            "@",
                                            "^",
                                            "and",
                                            "atan2",
                                            "avg",
                                            "bottomk",
                                            "count",
                                            "count_values",
                                            "group",
                                            "max",
                                            "min",
                                            "or",
                                            "quantile",
                                            "stddev",
                                            "stdvar",
                                            "sum",
                                            "topk",
                                            "unless"};
    const struct feature language[] = {{"anchored", o->extended_ranges},
                                       {"at_modifier", true},
                                       {"bool", true},
                                       {"by", true},
                                       {"delayed_name_removal", o->delayed_name},
                                       {"duration_expr", true},
                                       {"fill", o->fill_modifiers},
                                       {"fill_left", o->fill_modifiers},
                                       {"fill_right", o->fill_modifiers},
                                       {"group_left", true},
                                       {"group_right", true},
                                       {"ignoring", true},
                                       {"negative_offset", true},
                                       {"offset", true},
                                       {"on", true},
                                       {"per_query_lookback_delta", true},
                                       {"per_step_stats", api->per_step_stats},
                                       {"smoothed", o->extended_ranges},
                                       {"subqueries", true},
                                       {"type_and_unit_labels", o->type_and_unit},
                                       {"without", true}};
    category(w, "promql", language, ARRAY_LEN(language));
    json_key(w, "promql_functions");
    json_object_begin(w);
    bool experimental = false;
    const char *name;
    for (size_t i = 0; (name = promql_function_name(i, &experimental)); i++) {
        json_key(w, name);
        json_bool(w, !experimental || o->experimental);
    }
    json_object_end(w);
    json_key(w, "promql_operators");
    json_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        json_key(w, operators[i]);
        json_bool(w, true);
    }
    json_key(w, "limit_ratio");
    json_bool(w, o->experimental);
    json_key(w, "limitk");
    json_bool(w, o->experimental);
    json_object_end(w);
}

static void discovery_category(struct json_writer *w)
{
    json_key(w, "service_discovery_providers");
    json_object_begin(w);
    for (unsigned k = SD_STATIC; k < SD_KIND_COUNT; k++) {
        json_key(w, sd_mechanism_name((enum sd_kind)k));
        json_bool(w, true);
    }
    json_object_end(w);
}

static void features(struct prom_call *c)
{
    const struct prom_api *a = c->api;
    const struct feature api[] = {{"admin", a->admin},
                                  {"exclude_alerts", true},
                                  {"label_values_match", true},
                                  {"lifecycle", a->reload != NULL},
                                  {"openapi_3.1", true},
                                  {"openapi_3.2", true},
                                  {"otlp_write_receiver", false},
                                  {"query_stats", true},
                                  {"query_warnings", true},
                                  {"remote_write_receiver", a->remote_write},
                                  {"search", a->search},
                                  {"search_fuzz_alg_jarowinkler", true},
                                  {"search_fuzz_alg_subsequence", true},
                                  {"time_range_labels", true},
                                  {"time_range_series", true}};
    static const struct feature otlp[] = {{"delta_conversion", false}, {"native_delta_ingestion", false}},
                                prometheus[] = {{"agent_mode", false},
                                                {"auto_reload_config", false},
                                                {"server_mode", true}},
                                rules[] = {{"concurrent_rule_eval", false},
                                           {"keep_firing_for", true},
                                           {"query_offset", true}},
                                scrape[] = {{"extra_scrape_metrics", true},
                                            {"start_timestamp_zero_ingestion", false},
                                            {"type_and_unit_labels", false}},
                                tsdb[] = {{"exemplar_storage", true}, {"native_histograms", true}},
                                ui[] = {{"ui_v2", false}, {"ui_v3", true}};
    c->w.html = false; /* operators are not escaped here */
    prom_call_data(c);
    json_object_begin(&c->w);
    category(&c->w, "api", api, ARRAY_LEN(api));
    category(&c->w, "otlp_receiver", otlp, ARRAY_LEN(otlp));
    category(&c->w, "prometheus", prometheus, ARRAY_LEN(prometheus));
    promql_categories(&c->w, a);
    category(&c->w, "rules", rules, ARRAY_LEN(rules));
    category(&c->w, "scrape", scrape, ARRAY_LEN(scrape));
    discovery_category(&c->w);
    category(&c->w, "templating_functions", NULL, 0);
    category(&c->w, "tsdb", tsdb, ARRAY_LEN(tsdb));
    category(&c->w, "ui", ui, ARRAY_LEN(ui));
    json_object_end(&c->w);
    prom_call_send(c);
}

PROM_ROUTE(features)

struct prom_routes prom_routes_features(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/features", features_route, HTTP_CORS, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
