/* http_sd_configs: a list of target groups as JSON from a URL. */
#include "codec/num.h"
#include "metrics/discovery/discovery_int.h"

static enum err check_answer(const struct http_answer *a, struct err_info *info)
{
    struct str rest = a->content_type;
    struct str type = str_trim(str_cut(&rest, ';')), charset = str_trim(rest);
    if (a->status != 200) {
        return err_set(info, ERR_UNAVAILABLE, "server returned HTTP status %d", a->status);
    }
    if (!str_ieq(type, STR("application/json")) || (charset.n && !str_ieq(charset, STR("charset=utf-8")))) {
        return err_set(info, ERR_INVALID, "unsupported content type \"%.*s\"", STR_FMT(a->content_type));
    }
    return ERR_OK;
}

enum err sd_http_refresh(struct sd_provider *p, struct target_groups **ret_groups, struct err_info *info)
{
    char seconds[NUM_F64_BYTES_MAX];
    size_t n = num_f64_format(seconds, (double)p->config->refresh_ms / 1000.0, 'f');
    const struct http_header headers[] = {
        {STR("Accept"), STR("application/json")},
        {STR("User-Agent"), p->d->o.user_agent},
        {STR("X-Prometheus-Refresh-Interval-Seconds"), str_of(seconds, n)},
    };
    const struct http_call call = {.url = p->config->url,
                                   .headers = headers,
                                   .header_count = ARRAY_LEN(headers),
                                   .timeout_ms = p->config->refresh_ms,
                                   .config = p->config->http,
                                   .accept_compressed = true};
    struct http_answer answer = {0};
    struct target_groups *g = NULL;
    enum err e = http_client_do(p->d->client, &call, &answer, info);
    e = e ? e : check_answer(&answer, info);
    e = e ? e : target_groups_new(&g);
    e = e ? e
          : target_groups_add_json(g, buf_view(&answer.body),
                                   (struct label){STR("__meta_url"), p->config->url}, info);
    http_answer_done(&answer);
    if (e) {
        atomic_fetch_add(&p->d->http_failures, 1);
        target_groups_unref(g);
        return e;
    }
    *ret_groups = g;
    return ERR_OK;
}
