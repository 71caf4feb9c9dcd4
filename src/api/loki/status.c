/* Readiness, version, configuration and the like. */
#include <stdio.h>

#include "api/loki/loki_call.h"
#include "base/mem.h"

static void send_text(struct loki_call *c, int status, const char *text)
{
    http_res_send(c->r, status, "text/plain; charset=utf-8", str_c(text));
}

static void ready(void *ctx, struct http_req *r)
{
    const struct loki_api *api = ctx;
    struct err_info why = {0};
    if (!log_store_healthy(api->store, &why)) {
        char text[700];
        (void)snprintf(text, sizeof(text),
                       "Ingester not ready: the store is read-only until it is restarted: %s\n", why.message);
        http_res_send(r, 503, "text/plain; charset=utf-8", str_c(text));
        return;
    }
    http_res_send(r, 200, "text/plain; charset=utf-8", STR("ready\n"));
}

static void json_pair(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

static void build_info(struct loki_call *c)
{
    json_object_begin(&c->w);
    json_pair(&c->w, "version", STR(LOKI_VERSION_TEXT));
    json_pair(&c->w, "revision", c->api->cairn_version);
    json_pair(&c->w, "branch", STR(""));
    json_pair(&c->w, "buildUser", STR(""));
    json_pair(&c->w, "buildDate", STR(""));
    json_pair(&c->w, "goVersion", STR(""));
    json_pair(&c->w, "cairnVersion", c->api->cairn_version);
    json_object_end(&c->w);
    loki_call_send(c);
}

static void config(struct loki_call *c)
{
    char *text = c->api->config_text ? c->api->config_text(c->api->ctx) : NULL;
    http_res_send(c->r, 200, "text/plain; charset=utf-8", str_c(text ? text : ""));
    mem_free(text);
}

/* The parts that Loki runs in one process; here they are one. */
static void services(struct loki_call *c)
{
    send_text(c, 200,
              "server => Running\ndistributor => Running\ningester => Running\nstore => Running\n"
              "querier => Running\nquery-frontend => Running\ncompactor => Running\n");
}

static void flush(struct loki_call *c)
{
    enum err e = log_store_flush(c->api->store, &c->info);
    if (e) {
        loki_call_refuse(c, 500, "%s", c->info.message);
    } else {
        http_res_send(c->r, 204, NULL, STR(""));
    }
}

static void log_level(struct loki_call *c)
{
    json_object_begin(&c->w);
    json_pair(&c->w, "message", STR("Current log level is info"));
    json_object_end(&c->w);
    loki_call_send(c);
}

/* Grafana asks these of a Loki without rules: there are none. */
static void no_rules(struct loki_call *c)
{
    json_object_begin(&c->w);
    json_pair(&c->w, "status", STR("success"));
    json_key(&c->w, "data");
    bool alerts = str_ends(http_req_path(c->r), STR("/alerts"));
    json_raw(&c->w, alerts ? STR("{\"alerts\":[]}") : STR("{\"groups\":[]}"));
    json_pair(&c->w, "errorType", STR(""));
    json_pair(&c->w, "error", STR(""));
    json_object_end(&c->w);
    loki_call_send(c);
}

static void no_rule_groups(struct loki_call *c)
{
    loki_call_refuse(c, 404, "no rule groups found");
}

LOKI_ROUTE(build_info)
LOKI_ROUTE(config)
LOKI_ROUTE(services)
LOKI_ROUTE(flush)
LOKI_ROUTE(log_level)
LOKI_ROUTE(no_rules)
LOKI_ROUTE(no_rule_groups)

struct loki_routes loki_routes_status(void)
{
    static const struct http_route rows[] = {
        {"GET", "/ready", ready, HTTP_NO_AUTH | HTTP_INLINE, 0, "ready"},
        {"GET", "/loki/api/v1/status/buildinfo", build_info_route, 0, 0, "loki_api_v1_status_buildinfo"},
        {"GET", "/config", config_route, 0, 0, "config"},
        {"GET", "/services", services_route, 0, 0, "services"},
        {"GET|POST", "/flush", flush_route, 0, 0, "flush"},
        {"GET", "/log_level", log_level_route, 0, 0, "log_level"},
        {"GET", "/prometheus/api/v1/rules", no_rules_route, 0, 0, "prometheus_api_v1_rules"},
        {"GET", "/prometheus/api/v1/alerts", no_rules_route, 0, 0, "prometheus_api_v1_alerts"},
        {"GET", "/loki/api/v1/rules", no_rule_groups_route, 0, 0, "loki_api_v1_rules"},
        {"GET", "/api/prom/rules", no_rule_groups_route, 0, 0, "api_prom_rules"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
