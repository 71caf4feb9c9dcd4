/* Which targets there are: a configuration's jobs become pools, a pool's discovered groups become targets.
 *
 * Everything here runs under pools_lock, on the thread that applies a configuration or on a worker. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "metrics/scrape/scrape_int.h"

#define COUNT(m, field, n) atomic_fetch_add_explicit(&(m)->field, (n), memory_order_relaxed)

/* -- one synchronisation --------------------------------------------------------------------------------- */

struct sync {
    struct scrape_manager *m;
    struct scrape_pool *pool;
    struct pool_snapshot *snapshot;
    struct target_spec *specs;
    size_t n, cap;
};

static enum err add_dropped(struct sync *s, struct labels discovered)
{
    struct pool_snapshot *snap = s->snapshot;
    uint64_t keep = snap->job->d.limits.keep_dropped_targets;
    snap->dropped_total++;
    if (snap->dropped_count >= (keep ? keep : SCRAPE_DROPPED_KEPT)) {
        return ERR_OK;
    }
    enum err e = arena_reserve(&snap->memory, (void **)&snap->dropped, &snap->dropped_cap,
                               snap->dropped_count + 1, sizeof(*snap->dropped));
    if (!e) {
        snap->dropped[snap->dropped_count++] = discovered;
    }
    return e;
}

static enum err add_target(struct sync *s, struct labels target, struct labels group)
{
    struct target_spec spec;
    struct err_info info = {0};
    struct arena *a = &s->snapshot->memory;
    struct labels t = {0}, g = {0};
    enum err e = labels_dup(a, target, &t); /* the groups may be gone before the snapshot is */
    e = e ? e : labels_dup(a, group, &g);
    e = e ? e : target_assemble(a, s->snapshot->job, t, g, &spec, &info);
    if (e == ERR_INVALID) {
        s->pool->sync_failures++;
        LOG_EVENT(LVL_ERROR, "target_refused", F_STR("scrape_pool", s->snapshot->job->name),
                  F_STR("address", labels_get(target, STR("__address__"))), F_C("err", info.message));
        return ERR_OK;
    }
    if (e || spec.dropped) {
        return e ? e : add_dropped(s, spec.discovered);
    }
    e = arena_reserve(a, (void **)&s->specs, &s->cap, s->n + 1, sizeof(*s->specs));
    if (!e) {
        s->specs[s->n++] = spec;
    }
    return e;
}

static int by_identity(const void *a, const void *b)
{
    const struct target_spec *x = a, *y = b;
    return x->identity < y->identity ? -1 : x->identity > y->identity;
}

/* Every target once, by identity. */
static enum err gather(struct sync *s)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->pool->provider_count && !e; i++) {
        struct target_groups *g = sd_provider_groups(s->pool->providers[i]);
        for (size_t k = 0; g && k < g->n && !e; k++) {
            for (size_t t = 0; t < g->items[k].target_count && !e; t++) {
                e = add_target(s, g->items[k].targets[t], g->items[k].labels);
            }
        }
        target_groups_unref(g);
    }
    if (e || s->n < 2) {
        return e;
    }
    qsort(s->specs, s->n, sizeof(*s->specs), by_identity);
    size_t kept = 1;
    for (size_t i = 1; i < s->n; i++) {
        if (s->specs[i].identity != s->specs[kept - 1].identity) {
            s->specs[kept++] = s->specs[i];
        }
    }
    s->n = kept;
    return ERR_OK;
}

static enum err check_limit(struct sync *s)
{
    uint64_t limit = s->snapshot->job->d.limits.targets;
    if (limit == 0 || s->n <= limit) {
        return ERR_OK;
    }
    COUNT(s->m, target_limit_hits, 1);
    s->snapshot->forced_error =
        arena_printf(&s->snapshot->memory, "target_limit exceeded (number of targets: %zu, limit: %llu)",
                     s->n, (unsigned long long)limit);
    return s->snapshot->forced_error.p ? ERR_OK : ERR_OOM;
}

static const struct target_facts *make_facts(struct sync *s, const struct target_spec *spec)
{
    struct target_facts *f = arena_alloc(&s->snapshot->memory, sizeof(*f));
    struct str accept = scrape_accept(&s->snapshot->memory, s->snapshot->job, spec->native_histograms);
    if (!f || !accept.p) {
        return NULL;
    }
    *f = (struct target_facts){.snapshot = s->snapshot,
                               .discovered = spec->discovered,
                               .interval_ms = spec->interval_ms,
                               .timeout_ms = spec->timeout_ms,
                               .native_histograms = spec->native_histograms,
                               .classic_histograms = spec->classic_histograms,
                               .accept = accept};
    return f;
}

static struct scrape_target *find(const struct scrape_pool *p, uint64_t identity)
{
    size_t low = 0, high = p->target_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (p->targets[mid]->identity == identity) {
            return p->targets[mid];
        }
        if (p->targets[mid]->identity < identity) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

/* The target goes on with new facts, or begins. */
static enum err place(struct sync *s, const struct target_spec *spec, struct scrape_target **to)
{
    struct scrape_target *t = find(s->pool, spec->identity);
    const struct target_facts *f = make_facts(s, spec);
    enum err e = !f ? ERR_OOM : t ? ERR_OK : scrape_target_new(s->m, spec, &t);
    if (e) {
        return e;
    }
    bool known = t->facts != NULL;
    if (known) {
        (void)scrape_target_ref(t);
    }
    mutex_lock(&s->m->lock);
    const struct target_facts *old = t->facts;
    t->facts = f;
    t->kept = true;
    (void)pool_snapshot_ref(s->snapshot);
    e = known ? ERR_OK : timetable_add(s->m, t);
    mutex_unlock(&s->m->lock);
    if (old) {
        pool_snapshot_unref(old->snapshot);
    }
    if (e) {
        scrape_target_unref(t);
        return e;
    }
    *to = t;
    return ERR_OK;
}

static void end_others(struct scrape_manager *m, struct scrape_target **targets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mutex_lock(&m->lock);
        if (targets[i]->kept) {
            targets[i]->kept = false;
        } else {
            timetable_end(m, targets[i]);
        }
        mutex_unlock(&m->lock);
        scrape_target_unref(targets[i]);
    }
}

static enum err sync_targets(struct sync *s)
{
    struct scrape_pool *p = s->pool;
    struct scrape_target **next = mem_zarray(s->n + 1, sizeof(struct scrape_target *));
    size_t n = 0;
    enum err e = next ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < s->n && !e; i++) {
        e = place(s, &s->specs[i], &next[n]);
        n += !e;
    }
    if (e) { /* keep what was: nothing ends because memory is short */
        for (size_t i = 0; i < n; i++) {
            mutex_lock(&s->m->lock);
            bool fresh = !find(p, next[i]->identity);
            next[i]->kept = false;
            if (fresh) {
                timetable_end(s->m, next[i]);
            }
            mutex_unlock(&s->m->lock);
            scrape_target_unref(next[i]);
        }
        mem_free(next);
        return e;
    }
    struct scrape_target **old = p->targets;
    size_t old_count = p->target_count;
    p->targets = next;
    p->target_count = n;
    end_others(s->m, old, old_count);
    mutex_lock(&s->m->lock);
    for (size_t i = 0; i < n; i++) {
        next[i]->kept = false;
    }
    mutex_unlock(&s->m->lock);
    mem_free(old);
    return ERR_OK;
}

static enum err sync_pool(struct scrape_manager *m, struct scrape_pool *p)
{
    struct sync s = {.m = m, .pool = p};
    int64_t since = clock_mono_ns(clock_real());
    enum err e = pool_snapshot_new(p->config, p->job, &s.snapshot);
    e = e ? e : gather(&s);
    e = e ? e : check_limit(&s);
    e = e ? e : sync_targets(&s);
    if (e) {
        pool_snapshot_unref(s.snapshot);
        LOG_EVENT(LVL_ERROR, "scrape_pool_sync_failed", F_STR("scrape_pool", p->job->name), F_ERR(e),
                  F_C("action", "kept the targets as they were"));
        return e;
    }
    pool_snapshot_unref(p->snapshot);
    p->snapshot = s.snapshot;
    p->syncs++;
    p->sync_ns += (uint64_t)(clock_mono_ns(clock_real()) - since);
    return ERR_OK;
}

void pools_sync_task(void *manager)
{
    struct scrape_manager *m = manager;
    mutex_lock(&m->pools_lock);
    for (struct scrape_pool *p = m->pools; p; p = p->next) {
        (void)sync_pool(m, p); /* logged */
    }
    mutex_unlock(&m->pools_lock);
    mutex_lock(&m->lock);
    m->sync_running = false;
    m->sync_after_ns = clock_mono_ns(clock_real()) + SCRAPE_SYNC_MS * NS_PER_MS;
    mutex_unlock(&m->lock);
}

/* -- pools ----------------------------------------------------------------------------------------------- */

static void release_config(void *hold)
{
    prom_config_unref(hold);
}

static void remove_providers(struct scrape_manager *m, struct scrape_pool *p)
{
    for (size_t i = 0; i < p->provider_count; i++) {
        discovery_remove(m->discovery, p->providers[i]);
    }
    mem_free(p->providers);
    p->providers = NULL;
    p->provider_count = 0;
}

static enum err add_providers(struct scrape_manager *m, struct scrape_pool *p)
{
    const struct sd_configs *sd = &p->job->sd;
    p->providers = mem_zarray(sd->n + 1, sizeof(struct sd_provider *));
    enum err e = p->providers ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < sd->n && !e; i++) {
        struct prom_config *hold = prom_config_ref(p->config);
        e = discovery_add(m->discovery, &sd->items[i], release_config, hold,
                          &p->providers[p->provider_count]);
        if (e) {
            prom_config_unref(hold);
        }
        p->provider_count += !e;
    }
    return e;
}

static void pool_forget(struct scrape_manager *m, struct scrape_pool *p)
{
    remove_providers(m, p);
    pool_snapshot_unref(p->snapshot);
    prom_config_unref(p->config);
    mem_free(p->targets);
    mem_free(p);
}

static enum err pool_make(struct scrape_manager *m, struct prom_config *c, const struct scrape_job *job,
                          struct scrape_pool **ret_pool)
{
    struct scrape_pool *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    p->config = prom_config_ref(c);
    p->job = job;
    enum err e = add_providers(m, p);
    if (e) {
        pool_forget(m, p);
        return e;
    }
    *ret_pool = p;
    return ERR_OK;
}

static void end_targets(struct scrape_manager *m, struct scrape_pool *p)
{
    end_others(m, p->targets, p->target_count);
    p->target_count = 0;
}

static struct scrape_pool *take_pool(struct scrape_pool **list, struct str name)
{
    for (struct scrape_pool **at = list; *at; at = &(*at)->next) {
        if (str_eq((*at)->job->name, name)) {
            struct scrape_pool *p = *at;
            *at = p->next;
            p->next = NULL;
            return p;
        }
    }
    return NULL;
}

/* A file's groups are there at once, so that a start or a reload shows its targets without a wait. */
static bool only_known(const struct scrape_pool *old, const struct scrape_pool *fresh)
{
    for (size_t i = 0; i < fresh->provider_count; i++) {
        struct target_groups *g = sd_provider_groups(fresh->providers[i]);
        target_groups_unref(g);
        if (!g && old && old->target_count) {
            return false;
        }
    }
    return true;
}

/* The new pool takes over the targets whose series stay the same; their caches, and so their staleness, go
 * on. Others end. */
static void hand_over(struct scrape_manager *m, struct scrape_pool *old, struct scrape_pool *fresh)
{
    if (str_eq(old->job->series_identity, fresh->job->series_identity)) {
        fresh->targets = old->targets;
        fresh->target_count = old->target_count;
        old->targets = NULL;
        old->target_count = 0;
    } else {
        end_targets(m, old);
    }
}

static void replace(struct scrape_manager *m, struct scrape_pool *before, struct scrape_pool *fresh)
{
    bool sync = only_known(before, fresh);
    if (before) {
        hand_over(m, before, fresh);
    }
    if (sync) {
        (void)sync_pool(m, fresh); /* logged */
    }
    if (before) {
        pool_forget(m, before);
    }
}

enum err pools_apply(struct scrape_manager *m, struct prom_config *c, struct err_info *info)
{
    enum err result = ERR_OK;
    mutex_lock(&m->pools_lock);
    struct scrape_pool *old = m->pools, **end = &m->pools;
    m->pools = NULL;
    for (size_t i = 0; i < c->job_count; i++) {
        struct scrape_pool *before = take_pool(&old, c->jobs[i].name), *fresh = NULL;
        bool same = before && str_eq(before->job->identity, c->jobs[i].identity);
        enum err e = same ? ERR_OK : pool_make(m, c, &c->jobs[i], &fresh);
        if (e) {
            COUNT(m, pools_failed, 1);
            result = err_set(info, e, "scrape pool \"%.*s\": %s", STR_FMT(c->jobs[i].name), err_text(e));
        }
        if (fresh) {
            replace(m, before, fresh);
        }
        struct scrape_pool *p = fresh ? fresh : before; /* better the old one than none */
        if (p) {
            *end = p;
            end = &p->next;
        }
    }
    while (old) {
        struct scrape_pool *p = old;
        old = p->next;
        end_targets(m, p);
        pool_forget(m, p);
    }
    struct prom_config *replaced = m->config;
    m->config = prom_config_ref(c);
    mutex_unlock(&m->pools_lock);
    prom_config_unref(replaced);
    return result;
}

void pools_free(struct scrape_manager *m)
{
    while (m->pools) {
        struct scrape_pool *p = m->pools;
        m->pools = p->next;
        for (size_t i = 0; i < p->target_count; i++) {
            scrape_target_unref(p->targets[i]);
        }
        pool_forget(m, p);
    }
    prom_config_unref(m->config);
}
