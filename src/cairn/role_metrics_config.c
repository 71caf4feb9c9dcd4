/* The metrics role's configuration: the file, what stands in for it, and reloading.
 *
 * Without a file the role watches itself and, when it runs here, the sample application. */
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_metrics_int.h"

#define BUILTIN_INTERVAL "10s"

/* An address others can dial: a wildcard becomes localhost. */
static void print_reachable(struct buf *b, struct str address)
{
    size_t colon = address.n;
    while (colon && address.p[colon - 1] != ':') {
        colon--;
    }
    struct str host = str_of(address.p, colon ? colon - 1 : 0),
               port = str_of(address.p + colon, address.n - colon);
    bool any = host.n == 0 || str_eq_c(host, "0.0.0.0") || str_eq_c(host, "[::]");
    buf_printf(b, "%.*s:%.*s", any ? 9 : (int)host.n, any ? "localhost" : host.p, STR_FMT(port));
}

/* How a job reaches a listener of this process: its certificate need not name localhost, and no password is
 * known. */
static void print_access(struct buf *b, const struct web_config *web)
{
    struct str token = web_config_own_token(web);
    if (web_config_tls(web)) {
        buf_c(b, "  scheme: https\n  tls_config: {insecure_skip_verify: true}\n");
    }
    if (token.n) {
        buf_printf(b, "  authorization: {credentials: \"%.*s\"}\n", STR_FMT(token));
    }
}

static enum err builtin(struct metrics_role *m, struct prom_config **ret_config, struct err_info *info)
{
    const struct services *v = &m->serve->services;
    struct buf b AUTO_BUF = {0};
    buf_c(&b, "global:\n  scrape_interval: " BUILTIN_INTERVAL "\n  evaluation_interval: " BUILTIN_INTERVAL
              "\nscrape_configs:\n- job_name: prometheus\n");
    if (m->f.route_prefix.n > 1) {
        buf_printf(&b, "  metrics_path: %.*s/metrics\n", STR_FMT(m->f.route_prefix));
    }
    print_access(&b, m->web ? m->web : m->serve->web);
    buf_c(&b, "  static_configs:\n  - targets: [\"");
    print_reachable(&b, http_server_address(m->server));
    buf_c(&b, "\"]\n");
    if (v->demo) {
        buf_c(&b, "- job_name: flask-app\n");
        print_access(&b, m->serve->web);
        buf_c(&b, "  static_configs:\n  - targets: [\"");
        print_reachable(&b, v->demo_address);
        buf_c(&b, "\"]\n");
    }
    return b.err ? err_set(info, b.err, "no memory for the configuration")
                 : prom_config_parse(buf_view(&b), "built-in configuration", ret_config, info);
}

enum err metrics_config_load(struct metrics_role *m, struct prom_config **ret_config,
                             struct err_info *reterr_info)
{
    const char *usual = "prometheus.yml";
    bool extra = metrics_feature(m, "extra-scrape-metrics");
    if (m->role.config_file.n) {
        return prom_config_load_extra(m->role.config_file.p, extra, ret_config, reterr_info);
    }
    if (m->serve->alone && access(usual, R_OK) == 0) {
        return prom_config_load_extra(usual, extra, ret_config, reterr_info);
    }
    return builtin(m, ret_config, reterr_info);
}

/* Each once in the life of the process. */
static void log_unused(struct metrics_role *m, const struct prom_config *c)
{
    static char here; /* what a key stands for is that it is there */
    for (size_t i = 0; i < c->unused_count; i++) {
        if (!strmap_get(&m->logged, str_c(c->unused[i])) &&
            !strmap_put(&m->logged, str_c(c->unused[i]), &here, NULL)) {
            LOG_EVENT(LVL_WARN, "config_without_effect", F_C("what", c->unused[i]),
                      F_C("why", "understood, but nothing acts on it yet"));
        }
    }
    if (c->rule_file_count && !m->rules_logged) {
        m->rules_logged = true;
        LOG_EVENT(LVL_WARN, "rules_not_evaluated", F_C("why", "rules are listed, but not evaluated yet"));
    }
    if (c->alertmanager_count && !m->alerts_logged) {
        m->alerts_logged = true;
        LOG_EVENT(LVL_WARN, "alerts_not_sent", F_C("why", "nothing is sent to Alertmanagers yet"));
    }
}

static enum err load_rules(const struct prom_config *c, struct rule_set **ret_rules, struct err_info *info)
{
    const struct rule_defaults d = {.interval_ms = c->evaluation_interval_ms,
                                    .query_offset_ms = c->rule_query_offset_ms};
    return rule_set_load(c->rule_files, c->rule_file_count, &d, ret_rules, info);
}

enum err metrics_config_check(struct role *r, struct err_info *reterr_info)
{
    struct prom_config *c = NULL;
    struct rule_set *rules = NULL;
    enum err e = prom_config_load(r->config_file.p, &c, reterr_info);
    e = e ? e : load_rules(c, &rules, reterr_info);
    rule_set_unref(rules);
    prom_config_unref(c);
    return e;
}

static void set_rules(struct metrics_role *m, struct rule_set *rules)
{
    mutex_lock(&m->rules_lock);
    struct rule_set *old = m->rules;
    m->rules = rules;
    mutex_unlock(&m->rules_lock);
    rule_set_unref(old);
}

struct rule_set *metrics_rule_set(void *role)
{
    struct metrics_role *m = role;
    mutex_lock(&m->rules_lock);
    struct rule_set *s = m->rules ? rule_set_ref(m->rules) : NULL;
    mutex_unlock(&m->rules_lock);
    return s;
}

static void mark_loaded(struct metrics_role *m, const struct prom_config *c, bool ok)
{
    if (ok) {
        atomic_store(&m->api.evaluation_interval_ms, c->evaluation_interval_ms);
    }
    atomic_store(&m->api.reload_ok, ok);
    atomic_store(ok ? &m->api.reload_ms : &m->api.reload_failed_ms, clock_wall_ms(clock_real()));
}

enum err metrics_scrape_start(struct metrics_role *m, struct prom_config *c, struct err_info *reterr_info)
{
    const struct scrape_options o = {.clock = clock_real(),
                                     .sink = tsdb_sink(m->db),
                                     .tenant = QUERY_TENANT_DEFAULT,
                                     .user_agent = STR("Prometheus/" PROMETHEUS_VERSION_TEXT),
                                     .on_interval = metrics_self_interval,
                                     .ctx = m->self};
    enum err e = scrape_manager_new(&o, &m->scrape);
    if (e) {
        return err_set(reterr_info, e, "the scrape manager: %s", err_text(e));
    }
    struct rule_set *rules = NULL;
    log_unused(m, c);
    e = load_rules(c, &rules, reterr_info);
    if (!e) {
        set_rules(m, rules);
        metrics_remote_apply(m, c);
        e = scrape_manager_apply(m->scrape, c, reterr_info);
    }
    mark_loaded(m, c, e == ERR_OK);
    return e;
}

enum err metrics_reload(void *role, struct err_info *reterr_info)
{
    struct metrics_role *m = role;
    struct prom_config *c = NULL;
    struct rule_set *rules = NULL;
    mutex_lock(&m->reload_lock);
    enum err e = metrics_config_load(m, &c, reterr_info);
    e = e ? e : load_rules(c, &rules, reterr_info);
    if (!e) {
        log_unused(m, c);
        set_rules(m, rules);
        tsdb_exemplars_limit(m->db, metrics_exemplars_max(c));
        metrics_remote_apply(m, c);
        e = scrape_manager_apply(m->scrape, c, reterr_info);
    }
    mark_loaded(m, c, e == ERR_OK);
    prom_config_unref(c);
    mutex_unlock(&m->reload_lock);
    if (e) {
        char text[1024];
        LOG_EVENT(LVL_ERROR, "config_reload_failed", F_C("err", err_render(reterr_info, text, sizeof(text))),
                  F_C("action", "kept the configuration loaded before"));
    } else {
        LOG_EVENT(LVL_INFO, "config_loaded", F_STR("file", m->role.config_file));
    }
    return e;
}

char *metrics_config_text(void *role)
{
    struct metrics_role *m = role;
    struct prom_config *c = scrape_manager_config(m->scrape);
    struct buf text = {0};
    if (!c) {
        return NULL;
    }
    prom_config_print(&text, c, &m->shown, NULL);
    prom_config_unref(c);
    char *out = buf_take(&text, NULL);
    buf_done(&text);
    return out;
}
