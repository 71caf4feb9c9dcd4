/* Reading of `clients`. Retired keys of old Promtail versions are taken as aliases. */
#include "agent/outputs/client_config.h"

#include "base/log.h"

enum {
    KEYS_MAX = 64
};

static const char *const own_keys[] = {"url",
                                       "name",
                                       "tenant_id",
                                       "batchwait",
                                       "batchsize",
                                       "headers",
                                       "external_labels",
                                       "timeout",
                                       "backoff_config",
                                       "drop_rate_limited_batches",
                                       "stream_lag_labels",
                                       NULL};
static const char *const backoff_keys[] = {"min_period", "max_period", "max_retries", "minbackoff",
                                           "maxbackoff", "maxretries", NULL};

void client_config_default(struct client_config *c)
{
    *c = (struct client_config){.batch_wait_ms = 1000,
                                .batch_size_bytes = 1 << 20,
                                .timeout_ms = 10000,
                                .backoff_min_ms = 500,
                                .backoff_max_ms = 300000};
}

void client_config_done(struct client_config *c)
{
    http_config_free(c->http);
    c->http = NULL;
}

enum err client_url_host(struct str url, struct str *ret_host)
{
    size_t at = str_find(url, STR("://"), 0);
    struct str scheme = at == STR_NPOS ? (struct str){0} : str_slice(url, 0, at);
    if (!str_eq_c(scheme, "http") && !str_eq_c(scheme, "https")) {
        return ERR_INVALID;
    }
    struct str host = str_slice(url, at + 3, url.n);
    size_t end = 0;
    while (end < host.n && host.p[end] != '/' && host.p[end] != '?' && host.p[end] != '#') {
        end++;
    }
    host = str_slice(host, 0, end);
    size_t user = str_find_char(host, '@', 0);
    host = user == STR_NPOS ? host : str_slice(host, user + 1, host.n);
    if (host.n == 0) {
        return ERR_INVALID;
    }
    *ret_host = host;
    return ERR_OK;
}

static const struct yaml_node *either(const struct yaml_node *n, const char *key, const char *old)
{
    const struct yaml_node *found = yaml_get(n, key);
    return found ? found : yaml_get(n, old);
}

static enum err read_backoff(const struct yaml_node *n, struct client_config *c, struct err_info *info)
{
    const struct yaml_node *retries = either(n, "max_retries", "maxretries");
    enum err e = yaml_check_keys(n, "backoff_config", backoff_keys, info);
    e = e ? e : yaml_duration(either(n, "min_period", "minbackoff"), true, &c->backoff_min_ms, info);
    e = e ? e : yaml_duration(either(n, "max_period", "maxbackoff"), true, &c->backoff_max_ms, info);
    e = e ? e : yaml_u64(retries, &c->retries_max, info);
    if (!e && (c->backoff_min_ms <= 0 || c->backoff_max_ms < c->backoff_min_ms)) {
        return yaml_error(n, info, "min_period must be above 0 and at most max_period");
    }
    c->retries_explicit = !yaml_is_null(retries) && c->retries_max > 0;
    return e;
}

static enum err read_labels(struct arena *a, const struct yaml_node *n, struct labels *ret,
                            struct err_info *info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_MAP) {
        return yaml_error(n, info, "external_labels must be a map of names and values");
    }
    struct label *l = arena_array(a, n->count + 1, sizeof(*l));
    size_t count = 0;
    enum err e = l ? ERR_OK : ERR_OOM;
    for (const struct yaml_node *c = n->child; c && !e; c = c->next) {
        if (!label_name_is_legacy(c->key)) {
            return yaml_error(c, info, "\"%.*s\" is not a valid label name", STR_FMT(c->key));
        }
        l[count] = (struct label){c->key, STR("")};
        e = yaml_str(c, &l[count++].value, info);
    }
    e = e ? e : labels_normalise(l, &count, info);
    if (!e) {
        *ret = (struct labels){l, count};
    }
    return e;
}

static bool reserved(struct str name, bool tenant)
{
    return str_ieq(name, STR("content-type")) || str_ieq(name, STR("user-agent")) ||
           (tenant && str_ieq(name, STR("x-scope-orgid")));
}

static enum err read_headers(struct arena *a, const struct yaml_node *n, struct client_config *c,
                             struct err_info *info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_MAP) {
        return yaml_error(n, info, "headers must be a map of names and values");
    }
    struct http_header *h = arena_array(a, n->count + 1, sizeof(*h));
    enum err e = h ? ERR_OK : ERR_OOM;
    c->headers = h;
    for (const struct yaml_node *v = n->child; v && !e; v = v->next) {
        if (reserved(v->key, c->tenant_id.n > 0)) {
            LOG_EVENT(LVL_WARN, "header_ignored", F_STR("header", v->key),
                      F_C("reason", "the client sets this header itself"));
            continue;
        }
        h[c->header_count] = (struct http_header){v->key, STR("")};
        e = yaml_str(v, &h[c->header_count++].value, info);
    }
    return e;
}

static enum err check_keys(const struct yaml_node *n, struct err_info *info)
{
    const char *keys[KEYS_MAX];
    size_t count = 0;
    for (size_t i = 0; own_keys[i]; i++) {
        keys[count++] = own_keys[i];
    }
    for (size_t i = 0; http_config_keys[i] && count + 1 < KEYS_MAX; i++) {
        keys[count++] = http_config_keys[i];
    }
    keys[count] = NULL;
    return yaml_check_keys(n, "clients", keys, info);
}

enum err client_config_parse(struct arena *a, const struct yaml_node *n, struct client_config *ret,
                             struct err_info *reterr_info)
{
    struct client_config c;
    client_config_default(&c);
    enum err e = check_keys(n, reterr_info);
    e = e ? e : yaml_str(yaml_get(n, "url"), &c.url, reterr_info);
    e = e ? e : yaml_str(yaml_get(n, "name"), &c.name, reterr_info);
    e = e ? e : yaml_str(yaml_get(n, "tenant_id"), &c.tenant_id, reterr_info);
    e = e ? e : yaml_duration(yaml_get(n, "batchwait"), true, &c.batch_wait_ms, reterr_info);
    e = e ? e : yaml_u64(yaml_get(n, "batchsize"), &c.batch_size_bytes, reterr_info);
    e = e ? e : yaml_duration(yaml_get(n, "timeout"), true, &c.timeout_ms, reterr_info);
    e = e ? e : yaml_bool(yaml_get(n, "drop_rate_limited_batches"), &c.drop_rate_limited, reterr_info);
    e = e ? e : read_backoff(yaml_get(n, "backoff_config"), &c, reterr_info);
    e = e ? e : read_labels(a, yaml_get(n, "external_labels"), &c.external_labels, reterr_info);
    e = e ? e : read_headers(a, yaml_get(n, "headers"), &c, reterr_info);
    if (!e && client_url_host(c.url, &c.host)) {
        const struct yaml_node *at = yaml_get(n, "url");
        e = c.url.n ? yaml_error(at ? at : n, reterr_info,
                                 "\"%.*s\" is not a push URL (such as http://loki:3100/loki/api/v1/push)",
                                 STR_FMT(c.url))
                    : yaml_error(n, reterr_info, "client needs target URL: the key url is missing");
    }
    e = e ? e : http_config_parse(n, &c.http, reterr_info);
    if (e) {
        return e;
    }
    *ret = c;
    return ERR_OK;
}
