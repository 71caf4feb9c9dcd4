/* remote_write of the configuration becomes writers; a reload keeps those that did not change. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cairn/role_metrics_int.h"

static void release_config(void *hold)
{
    prom_config_unref(hold);
}

/* As Prometheus: the name, or six digits of a hash of the entry. */
static struct str name_of(const struct remote_write_config *c, char text[16])
{
    if (c->name.n) {
        return c->name;
    }
    int n = snprintf(text, 16, "%06llx", (unsigned long long)(hash_str(c->identity) & 0xffffff));
    return str_of(text, n > 0 ? (size_t)n : 0);
}

static bool same(const struct metrics_remote *r, const struct remote_write_config *c, struct labels external)
{
    return str_eq(r->config->remote_write[r->index].identity, c->identity) &&
           labels_eq(r->config->external_labels, external);
}

static enum err start_writer(struct metrics_role *m, struct prom_config *config, size_t index,
                             struct metrics_remote *to)
{
    const struct remote_write_config *c = &config->remote_write[index];
    struct remote_writer_options o = {.url = c->url,
                                      .user_agent = STR("Prometheus/" PROMETHEUS_VERSION_TEXT),
                                      .tenant = QUERY_TENANT_DEFAULT,
                                      .source = tsdb_source(m->db),
                                      .external = config->external_labels,
                                      .relabel = c->relabel,
                                      .relabel_count = c->relabel_count,
                                      .http = c->http,
                                      .headers = c->headers,
                                      .header_count = c->header_count,
                                      .timeout_ms = c->timeout_ms,
                                      .deadline_ms = c->deadline_ms,
                                      .backoff_min_ms = c->backoff_min_ms,
                                      .backoff_max_ms = c->backoff_max_ms,
                                      .samples_max = c->samples_max,
                                      .retry_429 = c->retry_429,
                                      .native_histograms = c->native_histograms,
                                      .age_max_ms = c->age_max_ms,
                                      .release = release_config};
    *to = (struct metrics_remote){.config = config, .index = index};
    o.name = name_of(c, to->text);
    to->name = mem_dup(o.name.p, o.name.n);
    if (!to->name) {
        return ERR_OOM;
    }
    o.name = str_c(to->name);
    o.hold = prom_config_ref(config);
    enum err e = remote_writer_start(&o, &to->writer);
    if (e) {
        prom_config_unref(o.hold);
        mem_free(to->name);
    }
    return e;
}

static void stop_writer(struct metrics_remote *r)
{
    remote_writer_stop(r->writer);
    mem_free(r->name);
    *r = (struct metrics_remote){0};
}

void metrics_remote_apply(struct metrics_role *m, struct prom_config *config)
{
    struct metrics_remote old[METRICS_REMOTES_MAX];
    size_t old_count = m->remote_count, n = 0;
    mutex_lock(&m->remotes_lock);
    memcpy(old, m->remotes, sizeof(old));
    memset(m->remotes, 0, sizeof(m->remotes));
    for (size_t i = 0; i < config->remote_write_count; i++) {
        const struct remote_write_config *c = &config->remote_write[i];
        struct metrics_remote *to = &m->remotes[n];
        enum err e = n < METRICS_REMOTES_MAX ? ERR_OK : ERR_LIMIT;
        bool kept = false;
        for (size_t k = 0; k < old_count && !e && !kept; k++) {
            kept = old[k].writer && same(&old[k], c, config->external_labels);
            if (kept) {
                *to = old[k];
                old[k] = (struct metrics_remote){0};
            }
        }
        e = e || kept ? e : start_writer(m, config, i, to);
        if (e) {
            LOG_EVENT(LVL_ERROR, "remote_write_not_started", F_STR("url", c->url), F_ERR(e));
        } else {
            n++;
        }
    }
    m->remote_count = n;
    mutex_unlock(&m->remotes_lock);
    for (size_t k = 0; k < old_count; k++) {
        stop_writer(&old[k]);
    }
}

void metrics_remote_stop(struct metrics_role *m)
{
    for (size_t i = 0; i < m->remote_count; i++) {
        stop_writer(&m->remotes[i]);
    }
    m->remote_count = 0;
}
