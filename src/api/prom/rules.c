/* /rules, /alerts, /alertmanagers. Rules are listed as configured; nothing evaluates them yet, and each says
 * so. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/prom/prom_call.h"
#include "codec/num.h"
#include "metrics/scrape/scrape.h"
#include "rules/rule_file.h"

#define NOT_EVALUATED "rules are not evaluated yet by this version of Cairn"
#define NEVER "0001-01-01T00:00:00Z"

enum {
    VALUES_MAX = 64,
    SHA256_BYTES = 32
};

static void json_member(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

static void json_seconds(struct json_writer *w, const char *key, int64_t ms)
{
    struct buf text AUTO_BUF = {0};
    num_f64_api(&text, (double)ms / 1000);
    json_key(w, key);
    json_raw(w, buf_view(&text));
}

/* -- filters --------------------------------------------------------------------------------------------- */

struct filter {
    struct str names[VALUES_MAX], groups[VALUES_MAX], files[VALUES_MAX];
    size_t name_count, group_count, file_count;
    bool alerting, recording, exclude_alerts;
    struct prom_selectors match;
    size_t group_limit;
    struct str next_token;
};

static bool listed(const struct str *list, size_t n, struct str value)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i], value)) {
            return true;
        }
    }
    return n == 0;
}

static bool rule_passes(const struct filter *f, const struct rule *r)
{
    if (!(r->alert ? f->alerting : f->recording) || !listed(f->names, f->name_count, r->name)) {
        return false;
    }
    for (size_t i = 0; i < f->match.count; i++) {
        if (matchers_match(f->match.sets[i].m, f->match.sets[i].n, r->labels)) {
            return true;
        }
    }
    return f->match.count == 0;
}

/* Which page of groups is asked for. False: answered. */
static bool read_page(struct prom_call *c, struct filter *f)
{
    struct str limit = http_req_param(c->r, "group_limit");
    struct err_info why = {0};
    int64_t n = 0;
    f->next_token = http_req_param(c->r, "group_next_token");
    if (f->next_token.n && limit.n == 0) {
        (void)err_set(&c->info, ERR_INVALID,
                      "group_limit needs to be present in order to paginate over the groups");
        prom_call_bad_parameter(c, "group_next_token");
        return false;
    }
    if (limit.n == 0) {
        return true;
    }
    if (go_param_int("ParseInt", limit, &n, &why)) {
        (void)err_set(&c->info, ERR_INVALID, "group_limit needs to be a valid number: %s", why.message);
    } else if (n > INT32_MAX || n < INT32_MIN) {
        (void)err_set(
            &c->info, ERR_INVALID,
            "group_limit needs to be a valid number: strconv.ParseInt: parsing \"%.*s\": value out of "
            "range",
            STR_FMT(limit));
    } else if (n <= 0) {
        (void)err_set(&c->info, ERR_INVALID, "group_limit needs to be greater than 0");
    } else {
        f->group_limit = (size_t)n;
        return true;
    }
    prom_call_bad_parameter(c, "group_limit");
    return false;
}

/* False: answered. The caller ends f->match. */
static bool read_filter(struct prom_call *c, struct filter *f)
{
    struct str type = http_req_param(c->r, "type"), exclude = http_req_param(c->r, "exclude_alerts");
    *f =
        (struct filter){.alerting = !str_ieq(type, STR("record")), .recording = !str_ieq(type, STR("alert"))};
    if (!param_selectors(c, SELECTORS_OPTIONAL, &f->match)) {
        return false;
    }
    if (type.n && f->alerting && f->recording) {
        (void)err_set(&c->info, ERR_INVALID, "not supported value \"%.*s\"", STR_FMT(type));
        prom_call_bad_parameter(c, "type");
        return false;
    }
    if (exclude.n) {
        struct err_info why = {0};
        if (go_param_bool(exclude, &f->exclude_alerts, &why)) {
            (void)err_set(&c->info, ERR_INVALID, "error converting exclude_alerts: %s", why.message);
            prom_call_bad_parameter(c, "exclude_alerts");
            return false;
        }
    }
    f->name_count = http_req_params(c->r, "rule_name[]", f->names, VALUES_MAX);
    f->group_count = http_req_params(c->r, "rule_group[]", f->groups, VALUES_MAX);
    f->file_count = http_req_params(c->r, "file[]", f->files, VALUES_MAX);
    return read_page(c, f);
}

/* -- JSON ------------------------------------------------------------------------------------------------ */

static void json_rule(struct json_writer *w, const struct rule *r, bool exclude_alerts)
{
    json_object_begin(w);
    if (r->alert) {
        json_member(w, "state", STR("unknown"));
    }
    json_member(w, "name", r->name);
    json_member(w, "query", r->expr);
    if (r->alert) {
        json_seconds(w, "duration", r->for_ms);
        json_seconds(w, "keepFiringFor", r->keep_firing_for_ms);
    }
    json_key(w, "labels");
    json_labels(w, r->labels);
    if (r->alert) {
        json_key(w, "annotations");
        json_labels(w, r->annotations);
    }
    if (r->alert) {
        json_key(w, "alerts");
        json_raw(w, exclude_alerts ? STR("null") : STR("[]"));
    }
    json_member(w, "health", STR("unknown"));
    json_member(w, "lastError", STR(NOT_EVALUATED));
    json_seconds(w, "evaluationTime", 0);
    json_member(w, "lastEvaluation", STR(NEVER));
    json_member(w, "type", r->alert ? STR("alerting") : STR("recording"));
    json_object_end(w);
}

static size_t passing(const struct filter *f, const struct rule_group *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        n += rule_passes(f, &g->rules[i]);
    }
    return n;
}

static void json_group(struct json_writer *w, const struct filter *f, const struct rule_group *g)
{
    json_object_begin(w);
    json_member(w, "name", g->name);
    json_member(w, "file", g->file);
    json_key(w, "rules");
    json_array_begin(w);
    for (size_t i = 0; i < g->n; i++) {
        if (rule_passes(f, &g->rules[i])) {
            json_rule(w, &g->rules[i], f->exclude_alerts);
        }
    }
    json_array_end(w);
    json_seconds(w, "interval", g->interval_ms);
    json_key(w, "limit");
    json_u64(w, g->limit);
    json_seconds(w, "evaluationTime", 0);
    json_member(w, "lastEvaluation", STR(NEVER));
    json_object_end(w);
}

/* Names a group for paging: SHA-256 of "file;name" in hexadecimal digits. {NULL, 0}: memory is short. */
static struct str token_of(struct arena *a, const struct rule_group *g)
{
    unsigned char sum[SHA256_BYTES];
    struct str key = arena_printf(a, "%.*s;%.*s", STR_FMT(g->file), STR_FMT(g->name));
    char *text = arena_bytes(a, 2 * sizeof(sum) + 1);
    if (!key.p || !text || gnutls_hash_fast(GNUTLS_DIG_SHA256, key.p, key.n, sum) != 0) {
        return (struct str){0};
    }
    for (size_t i = 0; i < sizeof(sum); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", sum[i]);
    }
    return str_of(text, 2 * sizeof(sum));
}

static int by_file_and_name(const void *a, const void *b)
{
    const struct rule_group *const *x = a, *const *y = b;
    int c = str_cmp((*x)->file, (*y)->file);
    return c ? c : str_cmp((*x)->name, (*y)->name);
}

static void send_groups(struct prom_call *c, const struct filter *f, const struct rule_group **groups,
                        size_t n)
{
    size_t i = 0, shown = 0;
    struct str next = {0};
    while (f->next_token.n && i < n && !str_eq(token_of(c->a, groups[i]), f->next_token)) {
        i++;
    }
    if (f->next_token.n && i == n) {
        (void)err_set(&c->info, ERR_INVALID, "invalid group_next_token '%.*s'. were rule groups changed?",
                      STR_FMT(f->next_token));
        prom_call_bad_parameter(c, "group_next_token");
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "groups");
    json_array_begin(&c->w);
    for (; i < n; i++) {
        if (!listed(f->groups, f->group_count, groups[i]->name) ||
            !listed(f->files, f->file_count, groups[i]->file) || passing(f, groups[i]) == 0) {
            continue;
        }
        if (f->group_limit && shown == f->group_limit) {
            next = token_of(c->a, groups[i]);
            break;
        }
        json_group(&c->w, f, groups[i]);
        shown++;
    }
    json_array_end(&c->w);
    if (next.n) {
        json_member(&c->w, "groupNextToken", next);
    }
    json_object_end(&c->w);
    prom_call_send(c);
}

static void rules(struct prom_call *c)
{
    struct filter f;
    if (!read_filter(c, &f)) {
        prom_selectors_done(&f.match);
        return;
    }
    struct rule_set *s = c->api->rule_set ? c->api->rule_set(c->api->ctx) : NULL;
    size_t n = s ? s->n : 0;
    const struct rule_group **groups = arena_array(c->a, n + 1, sizeof(const struct rule_group *));
    if (!groups) {
        prom_call_error(c, ERR_OOM);
    } else {
        for (size_t i = 0; i < n; i++) {
            groups[i] = &s->groups[i];
        }
        qsort((void *)groups, n, sizeof(const struct rule_group *), by_file_and_name);
        send_groups(c, &f, groups, n);
    }
    prom_selectors_done(&f.match);
    rule_set_unref(s);
}

static void alerts(struct prom_call *c)
{
    prom_call_data(c);
    json_raw(&c->w, STR("{\"alerts\":[]}"));
    prom_call_send(c);
}

/* -- Alertmanagers --------------------------------------------------------------------------------------- */

static enum err alertmanager_labels(struct prom_call *c, const struct alertmanager_config *m,
                                    struct labels target, struct labels group, struct labels *ret_labels,
                                    bool *ret_keep)
{
    struct labels ls = target;
    struct str prefix = m->path_prefix;
    while (prefix.n && prefix.p[prefix.n - 1] == '/') {
        prefix.n--;
    }
    struct str path = arena_printf(c->a, "%s%.*s/api/v2/alerts", prefix.n && prefix.p[0] != '/' ? "/" : "",
                                   STR_FMT(prefix));
    enum err e = path.p ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < group.n && !e; i++) {
        if (labels_get(ls, group.l[i].name).n == 0) {
            e = labels_with(c->a, ls, group.l[i].name, group.l[i].value, &ls);
        }
    }
    e = e ? e : labels_with(c->a, ls, STR("__scheme__"), m->scheme, &ls);
    e = e ? e : labels_with(c->a, ls, STR("__alerts_path__"), path, &ls);
    e = e ? e : relabel(c->a, m->relabel, m->relabel_count, ls, &ls, ret_keep);
    *ret_labels = ls;
    return e;
}

static void json_alertmanager(struct prom_call *c, struct labels ls)
{
    struct str url = arena_printf(c->a, "%.*s://%.*s%.*s", STR_FMT(labels_get(ls, STR("__scheme__"))),
                                  STR_FMT(labels_get(ls, STR("__address__"))),
                                  STR_FMT(labels_get(ls, STR("__alerts_path__"))));
    json_object_begin(&c->w);
    json_member(&c->w, "url", url);
    json_object_end(&c->w);
}

/* Those that static_configs name: other mechanisms are not asked for Alertmanagers yet. */
static void json_static_managers(struct prom_call *c, const struct prom_config *config, bool kept)
{
    json_array_begin(&c->w);
    for (size_t i = 0; config && i < config->alertmanager_count; i++) {
        const struct alertmanager_config *m = &config->alertmanagers[i];
        for (size_t k = 0; k < m->sd.n; k++) {
            const struct target_groups *g = m->sd.items[k].groups;
            for (size_t t = 0; g && t < g->n; t++) {
                for (size_t x = 0; x < g->items[t].target_count; x++) {
                    struct labels ls;
                    bool keep = false;
                    if (alertmanager_labels(c, m, g->items[t].targets[x], g->items[t].labels, &ls, &keep) ==
                            ERR_OK &&
                        keep == kept) {
                        json_alertmanager(c, ls);
                    }
                }
            }
        }
    }
    json_array_end(&c->w);
}

static void alertmanagers(struct prom_call *c)
{
    struct prom_config *config = c->api->scrape ? scrape_manager_config(c->api->scrape) : NULL;
    prom_call_data(c);
    json_object_begin(&c->w);
    json_key(&c->w, "activeAlertmanagers");
    json_static_managers(c, config, true);
    json_key(&c->w, "droppedAlertmanagers");
    json_static_managers(c, config, false);
    json_object_end(&c->w);
    prom_call_send(c);
    prom_config_unref(config);
}

PROM_ROUTE(rules)
PROM_ROUTE(alerts)
PROM_ROUTE(alertmanagers)

struct prom_routes prom_routes_rules(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/rules", rules_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/alerts", alerts_route, HTTP_CORS, 0, NULL},
        {"GET", "/api/v1/alertmanagers", alertmanagers_route, HTTP_CORS, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
