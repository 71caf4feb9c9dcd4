/* Targets and snapshots: making and sharing. */
#include "base/mem.h"
#include "metrics/scrape/scrape_int.h"

static const char *const report_names[REPORT_COUNT] = {
    [REPORT_UP] = "up",
    [REPORT_DURATION] = "scrape_duration_seconds",
    [REPORT_SAMPLES] = "scrape_samples_scraped",
    [REPORT_POST_RELABEL] = "scrape_samples_post_metric_relabeling",
    [REPORT_SERIES_ADDED] = "scrape_series_added",
    [REPORT_TIMEOUT] = "scrape_timeout_seconds",
    [REPORT_SAMPLE_LIMIT] = "scrape_sample_limit",
    [REPORT_BODY_SIZE] = "scrape_body_size_bytes",
};

/* Prometheus makes room for exported_X beside each label X of a target, in the order of names: a label of the
 * target's own that has such a name is lost then, unless it comes behind X. */
static enum err report_labels(struct arena *a, struct labels ls, struct labels *ret_labels)
{
    struct str prefix = STR("exported_"), *lost = arena_array(a, ls.n + 1, sizeof(*lost));
    size_t n = 0;
    for (size_t i = 0; lost && i < ls.n; i++) {
        struct str name = ls.l[i].name;
        struct str of = str_starts(name, prefix) ? str_slice(name, prefix.n, name.n) : (struct str){0};
        if (of.n && labels_get(ls, of).n && str_cmp(of, name) > 0) {
            lost[n++] = name;
        }
    }
    return lost ? labels_drop(a, ls, lost, n, ret_labels) : arena_err(a);
}

static enum err fill(struct scrape_target *t, const struct target_spec *spec)
{
    struct arena *a = &t->memory;
    enum err e = labels_dup(a, spec->labels, &t->labels);
    t->url = arena_str(a, spec->url);
    t->unix_socket = arena_str(a, spec->unix_socket);
    struct labels report = {0};
    if (e || !t->url.p || !t->unix_socket.p || report_labels(a, t->labels, &report)) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < REPORT_COUNT && !e; i++) {
        e = labels_with(a, report, LABEL_METRIC_NAME, str_c(report_names[i]), &t->report[i]);
        t->report_hash[i] = e ? 0 : labels_hash(t->report[i]);
    }
    return e;
}

enum err scrape_target_new(struct scrape_manager *m, const struct target_spec *spec,
                           struct scrape_target **ret_target)
{
    struct scrape_target *t = mem_zalloc(sizeof(*t));
    if (!t) {
        return ERR_OOM;
    }
    atomic_init(&t->refs, 1);
    t->m = m;
    t->identity = spec->identity;
    mutex_init(&t->status_lock);
    if (fill(t, spec)) {
        scrape_target_unref(t);
        return ERR_OOM;
    }
    *ret_target = t;
    return ERR_OK;
}

struct scrape_target *scrape_target_ref(struct scrape_target *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void scrape_target_unref(struct scrape_target *t)
{
    /* acq_rel pairs with itself: the last owner sees what the others did */
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (t->facts) {
        pool_snapshot_unref(t->facts->snapshot);
    }
    scrape_cache_done(&t->cache);
    scrape_metadata_done(&t->metadata);
    mem_free(t->last_error);
    mutex_done(&t->status_lock);
    arena_done(&t->memory);
    mem_free(t);
}

enum err pool_snapshot_new(struct prom_config *c, const struct scrape_job *job,
                           struct pool_snapshot **ret_snapshot)
{
    struct pool_snapshot *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    atomic_init(&s->refs, 1);
    s->config = prom_config_ref(c);
    s->job = job;
    *ret_snapshot = s;
    return ERR_OK;
}

struct pool_snapshot *pool_snapshot_ref(struct pool_snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void pool_snapshot_unref(struct pool_snapshot *s)
{
    /* acq_rel pairs with itself: the last owner sees what the others did */
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        prom_config_unref(s->config);
        arena_done(&s->memory);
        mem_free(s);
    }
}
