/* What is going on, copied for the API. */
#include <stdlib.h>

#include "metrics/scrape/scrape_int.h"

static int by_labels(const void *a, const void *b)
{
    const struct scrape_target_view *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c ? c : str_cmp(x->url, y->url);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct scrape_pool_view *)a)->name, ((const struct scrape_pool_view *)b)->name);
}

static enum err view_target(struct scrape_target *t, struct arena *a, struct str pool,
                            struct scrape_target_view *v)
{
    mutex_lock(&t->m->lock);
    const struct target_facts *f = t->facts;
    struct pool_snapshot *hold = pool_snapshot_ref(f->snapshot);
    mutex_unlock(&t->m->lock);
    *v = (struct scrape_target_view){.pool = pool,
                                     .url = arena_str(a, t->url),
                                     .interval_ms = f->interval_ms,
                                     .timeout_ms = f->timeout_ms};
    enum err e = labels_dup(a, f->discovered, &v->discovered);
    e = e ? e : labels_dup(a, t->labels, &v->labels);
    mutex_lock(&t->status_lock);
    v->last_error = arena_str(a, str_c(t->last_error));
    v->last_scrape_ms = t->last_scrape_ms;
    v->last_seconds = t->last_seconds;
    v->health = t->health;
    mutex_unlock(&t->status_lock);
    pool_snapshot_unref(hold);
    return e ? e : v->url.p && v->last_error.p ? ERR_OK : ERR_OOM;
}

static enum err view_dropped(const struct scrape_pool *p, struct arena *a, struct scrape_pool_view *v)
{
    const struct pool_snapshot *s = p->snapshot;
    struct scrape_target_view *rows = arena_zarray(a, (s ? s->dropped_count : 0) + 1, sizeof(*rows));
    enum err e = rows ? ERR_OK : ERR_OOM;
    for (size_t i = 0; s && i < s->dropped_count && !e; i++) {
        rows[i].pool = v->name;
        e = labels_dup(a, s->dropped[i], &rows[i].discovered);
    }
    v->dropped = rows;
    v->dropped_count = s ? s->dropped_count : 0;
    v->dropped_total = s ? s->dropped_total : 0;
    return e;
}

static enum err view_pool(const struct scrape_pool *p, struct arena *a, struct scrape_pool_view *v)
{
    *v = (struct scrape_pool_view){.name = arena_str(a, p->job->name),
                                   .target_limit = p->job->d.limits.targets,
                                   .syncs = p->syncs,
                                   .sync_failures = p->sync_failures};
    struct scrape_target_view *rows = arena_array(a, p->target_count + 1, sizeof(*rows));
    enum err e = rows && v->name.p ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < p->target_count && !e; i++) {
        e = view_target(p->targets[i], a, v->name, &rows[i]);
    }
    if (e) {
        return e;
    }
    qsort(rows, p->target_count, sizeof(*rows), by_labels);
    v->active = rows;
    v->active_count = p->target_count;
    return view_dropped(p, a, v);
}

enum err scrape_view(struct scrape_manager *m, struct arena *a, struct str only,
                     const struct scrape_pool_view **ret_pools, size_t *ret_n)
{
    size_t count = 0, n = 0;
    mutex_lock(&m->pools_lock);
    for (const struct scrape_pool *p = m->pools; p; p = p->next) {
        count++;
    }
    struct scrape_pool_view *pools = arena_array(a, count + 1, sizeof(*pools));
    enum err e = pools ? ERR_OK : ERR_OOM;
    for (const struct scrape_pool *p = m->pools; p && !e; p = p->next) {
        if (only.n == 0 || str_eq(only, p->job->name)) {
            e = view_pool(p, a, &pools[n++]);
        }
    }
    mutex_unlock(&m->pools_lock);
    if (e) {
        return e;
    }
    qsort(pools, n, sizeof(*pools), by_name);
    *ret_pools = pools;
    *ret_n = n;
    return ERR_OK;
}

/* What the pool's targets have said of their families. */
static void count_metadata(const struct scrape_pool *p, struct scrape_pool_stats *row)
{
    for (size_t i = 0; i < p->target_count; i++) {
        struct scrape_target *t = p->targets[i];
        size_t pos = 0;
        void *value = NULL;
        mutex_lock(&t->status_lock);
        while (strmap_next(&t->metadata.families, &pos, NULL, &value)) {
            const struct family_metadata *f = value;
            row->metadata_entries++;
            row->metadata_bytes += f->metric.n + f->help.n + f->unit.n;
        }
        mutex_unlock(&t->status_lock);
    }
}

enum err scrape_pool_stats(struct scrape_manager *m, struct arena *a,
                           const struct scrape_pool_stats **ret_rows, size_t *ret_n)
{
    struct scrape_pool_stats *rows = NULL;
    size_t n = 0, cap = 0;
    enum err e = ERR_OK;
    mutex_lock(&m->pools_lock);
    for (const struct scrape_pool *p = m->pools; p && !e; p = p->next) {
        e = arena_reserve(a, (void **)&rows, &cap, n + 1, sizeof(*rows));
        if (!e) {
            rows[n++] = (struct scrape_pool_stats){.name = arena_str(a, p->job->name),
                                                   .targets = p->target_count,
                                                   .dropped = p->snapshot ? p->snapshot->dropped_total : 0,
                                                   .target_limit = p->job->d.limits.targets,
                                                   .syncs = p->syncs,
                                                   .sync_failures = p->sync_failures,
                                                   .sync_ns = p->sync_ns};
            count_metadata(p, &rows[n - 1]);
        }
    }
    mutex_unlock(&m->pools_lock);
    *ret_rows = rows;
    *ret_n = n;
    return e;
}

/* -- metadata -------------------------------------------------------------------------------------------- */

struct rows {
    struct scrape_metadata_view *items;
    size_t n, cap;
};

static enum err add_row(struct arena *a, struct rows *r, struct labels target,
                        const struct family_metadata *f)
{
    enum err e = arena_reserve(a, (void **)&r->items, &r->cap, r->n + 1, sizeof(*r->items));
    if (e) {
        return e;
    }
    struct scrape_metadata_view *v = &r->items[r->n];
    *v = (struct scrape_metadata_view){.target = target,
                                       .metric = arena_str(a, f->metric),
                                       .type = str_c(f->type),
                                       .help = arena_str(a, f->help),
                                       .unit = arena_str(a, f->unit)};
    r->n++;
    return v->metric.p && v->help.p && v->unit.p ? ERR_OK : ERR_OOM;
}

static enum err target_metadata(struct scrape_target *t, struct arena *a, struct str metric, struct rows *r)
{
    struct labels ls;
    enum err e = labels_dup(a, t->labels, &ls);
    size_t pos = 0;
    struct str key;
    void *value;
    if (e) {
        return e;
    }
    mutex_lock(&t->status_lock);
    if (metric.n) {
        const struct family_metadata *f = strmap_get(&t->metadata.families, metric);
        e = f ? add_row(a, r, ls, f) : ERR_OK;
    }
    while (!metric.n && !e && strmap_next(&t->metadata.families, &pos, &key, &value)) {
        e = add_row(a, r, ls, value);
    }
    mutex_unlock(&t->status_lock);
    return e;
}

enum err scrape_metadata_view(struct scrape_manager *m, struct arena *a, struct str metric,
                              const struct scrape_metadata_view **ret_rows, size_t *ret_n)
{
    struct rows r = {0};
    enum err e = ERR_OK;
    mutex_lock(&m->pools_lock);
    for (const struct scrape_pool *p = m->pools; p && !e; p = p->next) {
        for (size_t i = 0; i < p->target_count && !e; i++) {
            e = target_metadata(p->targets[i], a, metric, &r);
        }
    }
    mutex_unlock(&m->pools_lock);
    if (e) {
        return e;
    }
    *ret_rows = r.items;
    *ret_n = r.n;
    return ERR_OK;
}
