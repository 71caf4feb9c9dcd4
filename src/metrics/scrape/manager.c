/* Making and ending the manager; applying configurations. */
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/scrape/scrape_int.h"

/* Some provider has new groups; they are looked at on a worker, at most every SCRAPE_SYNC_MS. */
static void discovered(void *ctx)
{
    struct scrape_manager *m = ctx;
    mutex_lock(&m->lock);
    m->sync_wanted = true;
    cond_signal(&m->wake);
    mutex_unlock(&m->lock);
}

/* Hosts scrape the same targets at different moments; a restart changes nothing. */
static uint64_t phase_seed(const struct prom_config *c)
{
    char host[256] = {0};
    if (gethostname(host, sizeof(host) - 1) != 0) {
        host[0] = '\0';
    }
    return hash_bytes(host, strlen(host)) ^ labels_hash(c->external_labels);
}

static enum err start_parts(struct scrape_manager *m)
{
    const struct discovery_options d = {.user_agent = m->o.user_agent, .changed = discovered, .ctx = m};
    enum err e = http_client_new("scrape", &m->client);
    e = e ? e
          : pool_new("scrape", m->o.workers ? m->o.workers : thread_cpu_count(), SCRAPE_QUEUE_MAX,
                     &m->workers);
    e = e ? e : discovery_new(&d, &m->discovery);
    return e ? e : thread_start(&m->thread, "scrape-time", timetable_main, m);
}

enum err scrape_manager_new(const struct scrape_options *o, struct scrape_manager **ret_manager)
{
    struct scrape_manager *m = mem_zalloc(sizeof(*m));
    if (!m) {
        return ERR_OOM;
    }
    m->o = *o;
    mutex_init(&m->pools_lock);
    mutex_init(&m->lock);
    cond_init(&m->wake);
    enum err e = start_parts(m);
    if (e) {
        scrape_manager_free(m);
        return e;
    }
    *ret_manager = m;
    return ERR_OK;
}

void scrape_manager_stop(struct scrape_manager *m)
{
    if (!m) {
        return;
    }
    mutex_lock(&m->lock);
    m->stopping = true;
    cond_signal(&m->wake);
    mutex_unlock(&m->lock);
    thread_join(&m->thread);
    m->thread.started = false;
    http_client_free(m->client);
    m->client = NULL;
    pool_free(m->workers);
    m->workers = NULL;
}

void scrape_manager_free(struct scrape_manager *m)
{
    if (!m) {
        return;
    }
    scrape_manager_stop(m);
    pools_free(m);
    discovery_free(m->discovery);
    for (size_t i = 0; i < m->heap_count; i++) {
        scrape_target_unref(m->heap[i]);
    }
    mem_free(m->heap);
    cond_done(&m->wake);
    mutex_done(&m->lock);
    mutex_done(&m->pools_lock);
    mem_free(m);
}

enum err scrape_manager_apply(struct scrape_manager *m, struct prom_config *c, struct err_info *reterr_info)
{
    mutex_lock(&m->lock);
    m->seed = phase_seed(c);
    m->sync_after_ns = clock_mono_ns(clock_real());
    mutex_unlock(&m->lock);
    enum err e = pools_apply(m, c, reterr_info);
    atomic_fetch_add(e ? &m->reloads_failed : &m->reloads, 1);
    return e;
}

struct prom_config *scrape_manager_config(struct scrape_manager *m)
{
    mutex_lock(&m->pools_lock);
    struct prom_config *c = m->config ? prom_config_ref(m->config) : NULL;
    mutex_unlock(&m->pools_lock);
    return c;
}

void scrape_stats(struct scrape_manager *m, struct scrape_stats *ret_stats)
{
    struct scrape_stats s = {
        .pools_failed = atomic_load(&m->pools_failed),
        .reloads = atomic_load(&m->reloads),
        .reloads_failed = atomic_load(&m->reloads_failed),
        .target_limit_hits = atomic_load(&m->target_limit_hits),
        .label_limit_hits = atomic_load(&m->label_limit_hits),
        .sample_limit_hits = atomic_load(&m->sample_limit_hits),
        .body_limit_hits = atomic_load(&m->body_limit_hits),
        .bucket_limit_hits = atomic_load(&m->bucket_limit_hits),
        .duplicates = atomic_load(&m->duplicates),
        .out_of_bounds = atomic_load(&m->out_of_bounds),
        .out_of_order = atomic_load(&m->out_of_order),
        .exemplars_out_of_order = atomic_load(&m->exemplars_out_of_order),
        .scrapes = atomic_load(&m->scrapes),
        .scrapes_failed = atomic_load(&m->scrapes_failed),
        .samples = atomic_load(&m->samples),
    };
    discovery_stats(m->discovery, &s.discovery);
    mutex_lock(&m->pools_lock);
    for (const struct scrape_pool *p = m->pools; p; p = p->next) {
        s.pools++;
    }
    mutex_unlock(&m->pools_lock);
    *ret_stats = s;
}
