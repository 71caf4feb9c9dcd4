/* /targets, /targets/metadata, /targets/relabel_steps, /scrape_pools: what is scraped and how it goes. */
#include "api/prom/prom_call.h"
#include "codec/num.h"
#include "codec/units.h"
#include "labels/matcher.h"
#include "metrics/scrape/scrape.h"

/* -- pieces ---------------------------------------------------------------------------------------------- */

static void json_member(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

static void json_duration(struct json_writer *w, const char *key, int64_t ms)
{
    struct buf text AUTO_BUF = {0};
    units_duration_format(&text, ms);
    json_member(w, key, buf_view(&text));
}

static void json_moment(struct json_writer *w, const char *key, ts_ms ms)
{
    char text[40];
    json_member(w, key,
                ms ? str_c(clock_format_rfc3339(ms * NS_PER_MS, text, sizeof(text)))
                   : STR("0001-01-01T00:00:00Z"));
}

static struct str host_of(struct str host_port, struct str *ret_port)
{
    size_t colon = host_port.n;
    while (colon && host_port.p[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        *ret_port = STR("");
        return host_port;
    }
    *ret_port = str_of(host_port.p + colon, host_port.n - colon);
    struct str host = str_of(host_port.p, colon - 1);
    bool v6 = host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    return v6 ? str_of(host.p + 1, host.n - 2) : host;
}

/* Names of this host mean nothing elsewhere: the external URL's host takes their place. */
static struct str global_url(struct prom_call *c, struct str url)
{
    size_t scheme = str_find(url, STR("://"), 0), ext = str_find(c->api->external_url, STR("://"), 0);
    if (scheme == STR_NPOS || ext == STR_NPOS) {
        return url;
    }
    struct str rest = str_of(url.p + scheme + 3, url.n - scheme - 3), port, own_port, listen_port;
    size_t slash = str_find_char(rest, '/', 0);
    struct str path = slash == STR_NPOS ? STR("") : str_of(rest.p + slash, rest.n - slash);
    struct str host = host_of(slash == STR_NPOS ? rest : str_of(rest.p, slash), &port);
    if (!str_eq_c(host, "localhost") && !str_eq_c(host, "127.0.0.1") && !str_eq_c(host, "::1")) {
        return url;
    }
    struct str own = str_of(c->api->external_url.p + ext + 3, c->api->external_url.n - ext - 3);
    size_t own_slash = str_find_char(own, '/', 0);
    own = own_slash == STR_NPOS ? own : str_of(own.p, own_slash);
    struct str own_host = host_of(own, &own_port);
    (void)host_of(c->api->listen_address, &listen_port);
    struct str out = str_eq(port, listen_port)
                         ? arena_printf(c->a, "%.*s://%.*s%.*s", (int)ext, c->api->external_url.p,
                                        STR_FMT(own), STR_FMT(path))
                         : arena_printf(c->a, "%.*s://%.*s%s%.*s%.*s", (int)scheme, url.p, STR_FMT(own_host),
                                        port.n ? ":" : "", STR_FMT(port), STR_FMT(path));
    return out.p ? out : url;
}

static bool view(struct prom_call *c, const struct scrape_pool_view **pools, size_t *n)
{
    *pools = NULL;
    *n = 0;
    enum err e = c->api->scrape ? scrape_view(c->api->scrape, c->a, (struct str){0}, pools, n) : ERR_OK;
    if (e) {
        prom_call_error(c, e);
    }
    return e == ERR_OK;
}

/* -- targets --------------------------------------------------------------------------------------------- */

static void json_target(struct prom_call *c, const struct scrape_target_view *t)
{
    static const char *const health[] = {"unknown", "up", "down"};
    struct json_writer *w = &c->w;
    struct buf seconds AUTO_BUF = {0};
    json_object_begin(w);
    json_key(w, "discoveredLabels");
    json_labels(w, t->discovered);
    json_key(w, "labels");
    json_labels(w, t->labels);
    json_member(w, "scrapePool", t->pool);
    json_member(w, "scrapeUrl", t->url);
    json_member(w, "globalUrl", global_url(c, t->url));
    json_member(w, "lastError", t->last_error);
    json_moment(w, "lastScrape", t->last_scrape_ms);
    json_key(w, "lastScrapeDuration");
    num_f64_api(&seconds, t->last_seconds);
    json_raw(w, buf_view(&seconds));
    json_member(w, "health", str_c(health[t->health]));
    json_duration(w, "scrapeInterval", t->interval_ms);
    json_duration(w, "scrapeTimeout", t->timeout_ms);
    json_object_end(w);
}

static bool selected(struct str only, const struct scrape_pool_view *pool)
{
    return only.n == 0 || str_eq(only, pool->name);
}

/* The counts are of all pools, whichever is asked for: so the original has it. */
static void json_dropped(struct prom_call *c, const struct scrape_pool_view *pools, size_t n, struct str only,
                         bool shown)
{
    struct json_writer *w = &c->w;
    json_key(w, "droppedTargets");
    json_array_begin(w);
    for (size_t i = 0; shown && i < n; i++) {
        for (size_t k = 0; k < pools[i].dropped_count && selected(only, &pools[i]); k++) {
            json_object_begin(w);
            json_key(w, "discoveredLabels");
            json_labels(w, pools[i].dropped[k].discovered);
            json_member(w, "scrapePool", pools[i].name);
            json_object_end(w);
        }
    }
    json_array_end(w);
    json_key(w, "droppedTargetCounts");
    if (!shown) {
        json_null(w);
        return;
    }
    json_object_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_key_str(w, pools[i].name);
        json_u64(w, pools[i].dropped_total);
    }
    json_object_end(w);
}

static void targets(struct prom_call *c)
{
    const struct scrape_pool_view *pools;
    size_t n;
    struct str state = http_req_param(c->r, "state"), only = http_req_param(c->r, "scrapePool");
    bool any = state.n == 0 || str_ieq(state, STR("any"));
    if (!view(c, &pools, &n)) {
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "activeTargets");
    json_array_begin(&c->w);
    for (size_t i = 0; i < n && (any || str_ieq(state, STR("active"))); i++) {
        for (size_t k = 0; k < pools[i].active_count && selected(only, &pools[i]); k++) {
            json_target(c, &pools[i].active[k]);
        }
    }
    json_array_end(&c->w);
    json_dropped(c, pools, n, only, any || str_ieq(state, STR("dropped")));
    json_object_end(&c->w);
    prom_call_send(c);
}

static void scrape_pools(struct prom_call *c)
{
    const struct scrape_pool_view *pools;
    size_t n;
    if (!view(c, &pools, &n)) {
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "scrapePools");
    json_array_begin(&c->w);
    for (size_t i = 0; i < n; i++) {
        json_str(&c->w, pools[i].name);
    }
    json_array_end(&c->w);
    json_object_end(&c->w);
    prom_call_send(c);
}

/* The job of ?scrapePool= in the configuration in force; the caller unrefs *ret_config. NULL: answered. */
static const struct scrape_job *job_param(struct prom_call *c, struct prom_config **ret_config)
{
    struct str name = http_req_param(c->r, "scrapePool");
    struct prom_config *config = c->api->scrape ? scrape_manager_config(c->api->scrape) : NULL;
    for (size_t i = 0; config && name.n && i < config->job_count; i++) {
        if (str_eq(config->jobs[i].name, name)) {
            *ret_config = config;
            return &config->jobs[i];
        }
    }
    prom_config_unref(config);
    prom_call_error(c, name.n == 0 ? err_set(&c->info, ERR_INVALID, "no scrapePool parameter provided")
                                   : err_set(&c->info, ERR_INVALID,
                                             "error retrieving scrape config: scrape pool \"%.*s\" not found",
                                             STR_FMT(name)));
    return NULL;
}

static void scrape_pool_config(struct prom_call *c)
{
    struct prom_config *config;
    struct buf text AUTO_BUF = {0};
    const struct scrape_job *job = job_param(c, &config);
    if (!job) {
        return;
    }
    prom_config_print(&text, config, NULL, job);
    prom_call_data(c);
    json_object_begin(&c->w);
    json_member(&c->w, "yaml", buf_view(&text));
    json_object_end(&c->w);
    prom_call_send(c);
    prom_config_unref(config);
}

/* -- relabelling, step by step --------------------------------------------------------------------------- */

static const char *kind_name(enum json_kind kind)
{
    return kind == JSON_ARRAY    ? "array"
           : kind == JSON_OBJECT ? "object"
           : kind == JSON_STRING ? "string"
           : kind == JSON_NUMBER ? "number"
                                 : "bool";
}

/* The members of a JSON object as labels; those of an empty value are none. */
static enum err json_to_labels(struct prom_call *c, const struct json_value *v, struct labels *ret_labels,
                               struct err_info *why)
{
    if (v->kind != JSON_OBJECT && v->kind != JSON_NULL) {
        return err_set(why, ERR_INVALID, "json: cannot unmarshal %s into Go value of type map[string]string",
                       kind_name(v->kind));
    }
    size_t count = v->kind == JSON_OBJECT ? v->count : 0, n = 0;
    struct label *l = arena_array(c->a, count + 1, sizeof(*l));
    if (!l) {
        return ERR_OOM;
    }
    for (const struct json_value *m = count ? v->child : NULL; m; m = m->next) {
        if (m->kind == JSON_STRING && m->string.n) {
            l[n++] = (struct label){m->key, m->string};
        } else if (m->kind != JSON_STRING && m->kind != JSON_NULL) {
            return err_set(why, ERR_INVALID, "json: cannot unmarshal %s into Go value of type string",
                           kind_name(m->kind));
        }
    }
    enum err e = labels_normalise(l, &n, why);
    *ret_labels = (struct labels){l, n};
    return e;
}

static bool labels_param(struct prom_call *c, struct labels *ret_labels)
{
    const struct json_value *v = NULL;
    struct str text = http_req_param(c->r, "labels");
    struct err_info why = {0};
    if (text.n == 0) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "no labels parameter provided"));
        return false;
    }
    enum err e = json_parse(c->a, text, &v, &why);
    e = e ? e : json_to_labels(c, v, ret_labels, &why);
    if (e) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "error parsing labels: %s", why.message));
        return false;
    }
    return true;
}

/* One rule. Without labels there is no target, which relabel() calls dropped; here only rules drop. */
static enum err relabel_step(struct prom_call *c, const struct relabel_rule *rule, struct labels *ls,
                             bool *keep)
{
    static const struct label nameless = {STR_INIT("\xff"), STR_INIT("x")};
    bool filters = rule->action == RELABEL_DROP || rule->action == RELABEL_KEEP ||
                   rule->action == RELABEL_DROPEQUAL || rule->action == RELABEL_KEEPEQUAL;
    struct labels out;
    enum err e =
        relabel(c->a, rule, 1, filters && ls->n == 0 ? (struct labels){&nameless, 1} : *ls, &out, keep);
    if (!e && !filters) {
        *keep = true;
        *ls = out;
    }
    return e;
}

static void json_rule(struct json_writer *w, const struct relabel_rule *r)
{
    json_object_begin(w);
    if (r->source_count) {
        json_key(w, "source_labels");
        json_array_begin(w);
        for (size_t i = 0; i < r->source_count; i++) {
            json_str(w, r->source_labels[i]);
        }
        json_array_end(w);
    }
    json_member(w, "separator", r->separator);
    json_member(w, "regex", regex_pattern(r->re));
    if (r->modulus) {
        json_key(w, "modulus");
        json_u64(w, r->modulus);
    }
    if (r->target.n) {
        json_member(w, "target_label", r->target);
    }
    json_member(w, "replacement", r->replacement);
    json_member(w, "action", str_c(relabel_action_name(r->action)));
    json_object_end(w);
}

static void relabel_steps(struct prom_call *c)
{
    struct prom_config *config;
    struct labels ls = {0};
    bool keep = true;
    if (http_req_param(c->r, "scrapePool").n && !labels_param(c, &ls)) {
        return;
    }
    const struct scrape_job *job = job_param(c, &config);
    if (!job) {
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "steps");
    json_array_begin(&c->w);
    for (size_t i = 0; i < job->relabel_count; i++) {
        if (keep && relabel_step(c, &job->relabel[i], &ls, &keep)) {
            break;
        }
        json_object_begin(&c->w);
        json_key(&c->w, "rule");
        json_rule(&c->w, &job->relabel[i]);
        json_key(&c->w, "output");
        json_labels(&c->w, keep ? ls : (struct labels){0});
        json_key(&c->w, "keep");
        json_bool(&c->w, keep);
        json_object_end(&c->w);
    }
    json_array_end(&c->w);
    json_object_end(&c->w);
    prom_call_send(c);
    prom_config_unref(config);
}

/* -- metadata -------------------------------------------------------------------------------------------- */

static void json_target_metadata(struct json_writer *w, const struct scrape_metadata_view *m, bool named)
{
    json_object_begin(w);
    json_key(w, "target");
    json_labels(w, m->target);
    if (!named) {
        json_member(w, "metric", m->metric);
    }
    json_member(w, "type", m->type);
    json_member(w, "help", m->help);
    json_member(w, "unit", m->unit);
    json_object_end(w);
}

static void target_metadata(struct prom_call *c)
{
    struct matcher *m = NULL;
    size_t matchers = 0, n = 0, shown = 0;
    const struct scrape_metadata_view *rows = NULL;
    struct str match = http_req_param(c->r, "match_target"), metric = http_req_param(c->r, "metric");
    int64_t given = -1;
    if (http_req_param(c->r, "limit").n && str_to_i64(http_req_param(c->r, "limit"), &given)) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "limit must be a number"));
        return;
    }
    size_t limit = given < 0 ? SIZE_MAX : (size_t)given;
    enum err e = match.n ? promql_selector(match, c->a, &m, &matchers, &c->info) : ERR_OK;
    if (e) {
        prom_call_bad_parameter(c, "match_target");
        return;
    }
    e = c->api->scrape ? scrape_metadata_view(c->api->scrape, c->a, metric, &rows, &n) : ERR_OK;
    if (!e) {
        prom_call_data(c);
        json_array_begin(&c->w);
        for (size_t i = 0; i < n && shown < limit; i++) {
            if (matchers_match(m, matchers, rows[i].target)) {
                json_target_metadata(&c->w, &rows[i], metric.n > 0);
                shown++;
            }
        }
        json_array_end(&c->w);
        prom_call_send(c);
    } else {
        prom_call_error(c, e);
    }
    for (size_t i = 0; i < matchers; i++) {
        matcher_done(&m[i]);
    }
}

PROM_ROUTE(targets)
PROM_ROUTE(scrape_pools)
PROM_ROUTE(scrape_pool_config)
PROM_ROUTE(relabel_steps)
PROM_ROUTE(target_metadata)

struct prom_routes prom_routes_targets(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/targets", targets_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/targets/metadata", target_metadata_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/targets/relabel_steps", relabel_steps_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/scrape_pools", scrape_pools_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/scrape_pools/config", scrape_pool_config_route, HTTP_CORS, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
