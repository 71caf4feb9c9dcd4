/* What is kept beside the samples: exemplars in a ring, metadata by metric name. In memory only: both are
 * sent again with every scrape. */
#include "metrics/tsdb/side.h"
#include "base/mem.h"
#include "metrics/tsdb/source_int.h"

/* One per metric name: what its targets say, newest first, few. */
struct metadata_row {
    struct metadata_row *next;
    char *text; /* type, help, unit in a row */
    size_t type_n, help_n, unit_n;
};

enum {
    ROWS_PER_METRIC_MAX = 8
};

static bool row_says(const struct metadata_row *r, const struct sink_metadata *m)
{
    return str_eq(str_of(r->text, r->type_n), m->type) &&
           str_eq(str_of(r->text + r->type_n, r->help_n), m->help) &&
           str_eq(str_of(r->text + r->type_n + r->help_n, r->unit_n), m->unit);
}

static struct metadata_row *row_new(const struct sink_metadata *m)
{
    struct metadata_row *r = mem_zalloc(sizeof(*r));
    char *text = mem_alloc(m->type.n + m->help.n + m->unit.n + 1);
    if (!r || !text) {
        mem_free(r);
        mem_free(text);
        return NULL;
    }
    struct str parts[3] = {m->type, m->help, m->unit};
    for (size_t i = 0, at = 0; i < 3; at += parts[i++].n) {
        if (parts[i].n) {
            memcpy(text + at, parts[i].p, parts[i].n);
        }
    }
    *r = (struct metadata_row){NULL, text, m->type.n, m->help.n, m->unit.n};
    return r;
}

static void rows_free(void *value)
{
    for (struct metadata_row *r = value, *next; r; r = next) {
        next = r->next;
        mem_free(r->text);
        mem_free(r);
    }
}

static enum err metadata_store(struct tenant *t, const struct sink_metadata *m)
{
    struct metadata_row *first = strmap_get(&t->metadata, m->metric);
    size_t rows = 0;
    for (struct metadata_row *r = first; r; r = r->next, rows++) {
        if (row_says(r, m)) {
            return ERR_OK;
        }
        if (rows == ROWS_PER_METRIC_MAX - 2) { /* the oldest make room */
            rows_free(r->next);
            r->next = NULL;
        }
    }
    if (!first && t->metadata.count >= METADATA_MAX) {
        return ERR_OK;
    }
    struct metadata_row *r = row_new(m);
    if (!r || strmap_put(&t->metadata, m->metric, r, NULL) != ERR_OK) {
        rows_free(r);
        return ERR_OOM;
    }
    r->next = first;
    return ERR_OK;
}

static enum err exemplar_store(struct tenant *t, const struct sink_exemplar *x, struct labels series)
{
    if (!t->exemplars) {
        t->exemplars = mem_zarray(EXEMPLARS_MAX, sizeof(*t->exemplars));
        if (!t->exemplars) {
            return ERR_OOM;
        }
    }
    struct exemplar *e = &t->exemplars[t->exemplar_next];
    struct arena memory;
    arena_init(&memory, 0, NULL);
    struct exemplar fresh = {.value = x->value, .ts = x->ts};
    if (labels_dup(&memory, series, &fresh.series) != ERR_OK ||
        labels_dup(&memory, x->labels, &fresh.labels) != ERR_OK) {
        arena_done(&memory);
        return ERR_OOM;
    }
    fresh.memory = memory;
    if (e->series.n) {
        arena_done(&e->memory);
    }
    *e = fresh;
    t->exemplar_next = (t->exemplar_next + 1) % EXEMPLARS_MAX;
    return ERR_OK;
}

/* The series' newest exemplar in the ring. */
static const struct exemplar *exemplar_newest(const struct tenant *t, struct labels series)
{
    for (size_t i = 1; t->exemplars && i <= EXEMPLARS_MAX; i++) {
        const struct exemplar *e = &t->exemplars[(t->exemplar_next + EXEMPLARS_MAX - i) % EXEMPLARS_MAX];
        if (e->series.n == 0) {
            return NULL;
        }
        if (labels_eq(e->series, series)) {
            return e;
        }
    }
    return NULL;
}

static size_t runes(struct labels ls)
{
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        for (size_t k = 0; k < ls.l[i].name.n + ls.l[i].value.n; k++) {
            char ch = k < ls.l[i].name.n ? ls.l[i].name.p[k] : ls.l[i].value.p[k - ls.l[i].name.n];
            n += (ch & 0xc0) != 0x80;
        }
    }
    return n;
}

enum err side_store(struct tenant *t, const struct sink_batch *b)
{
    enum err e = ERR_OK;
    if (b->exemplar_count == 0 && b->metadata_count == 0) {
        return ERR_OK;
    }
    mutex_lock(&t->side_lock);
    for (size_t i = 0; e == ERR_OK && i < b->metadata_count; i++) {
        e = metadata_store(t, &b->metadata[i]);
    }
    for (size_t i = 0; e == ERR_OK && i < b->exemplar_count; i++) {
        const struct sink_exemplar *x = &b->exemplars[i];
        if (x->series_index >= b->series_count || runes(x->labels) > EXEMPLAR_RUNES_MAX) {
            continue;
        }
        struct labels series = b->series[x->series_index].labels;
        const struct exemplar *newest = exemplar_newest(t, series);
        if (series.n && (!newest || x->ts > newest->ts)) {
            e = exemplar_store(t, x, series);
        }
    }
    mutex_unlock(&t->side_lock);
    return e;
}

void side_done(struct tenant *t)
{
    for (size_t i = 0; t->exemplars && i < EXEMPLARS_MAX; i++) {
        if (t->exemplars[i].series.n) {
            arena_done(&t->exemplars[i].memory);
        }
    }
    mem_free(t->exemplars);
    strmap_clear(&t->metadata, rows_free);
    strmap_done(&t->metadata);
}

static enum err exemplar_add(struct arena *a, struct metric_exemplar_series *s, size_t *cap,
                             const struct exemplar *e)
{
    struct metric_exemplar *items = (struct metric_exemplar *)(uintptr_t)s->exemplars;
    if (arena_reserve(a, (void **)&items, cap, s->exemplar_count + 1, sizeof(*items)) != ERR_OK) {
        return arena_err(a);
    }
    struct metric_exemplar *x = &items[s->exemplar_count];
    *x = (struct metric_exemplar){.value = e->value, .ts = e->ts};
    s->exemplars = items;
    s->exemplar_count++;
    return labels_dup(a, e->labels, &x->labels);
}

static enum err exemplars_collect(struct tenant *t, const struct metric_select *sel, struct arena *a,
                                  struct metric_exemplar_series *rows, size_t *caps, size_t *n)
{
    for (size_t i = 0; i < EXEMPLARS_MAX; i++) { /* from the oldest */
        const struct exemplar *e = &t->exemplars[(t->exemplar_next + i) % EXEMPLARS_MAX];
        if (e->series.n == 0 || e->ts < sel->start_ms || e->ts > sel->end_ms ||
            !matchers_match(sel->matchers, sel->matcher_count, e->series)) {
            continue;
        }
        size_t at = 0;
        while (at < *n && !labels_eq(rows[at].labels, e->series)) {
            at++;
        }
        enum err err = ERR_OK;
        if (at == *n) {
            rows[at] = (struct metric_exemplar_series){0};
            caps[at] = 0;
            err = labels_dup(a, e->series, &rows[at].labels);
            *n += 1;
        }
        err = err == ERR_OK ? exemplar_add(a, &rows[at], &caps[at], e) : err;
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err source_exemplars(struct metric_source *s, struct query_ctx *q, const struct metric_select *sel,
                          struct arena *a, const struct metric_exemplar_series **ret_series, size_t *ret_n,
                          struct err_info *reterr_info)
{
    struct tenant *t = NULL;
    size_t n = 0;
    struct metric_exemplar_series *rows = arena_array(a, EXEMPLARS_MAX, sizeof(*rows));
    size_t *caps = arena_array(a, EXEMPLARS_MAX, sizeof(*caps));
    enum err e = rows && caps ? tenant_get(tsdb_of_source(s), q->tenant, false, &t) : arena_err(a);
    if (e == ERR_OK && t) {
        mutex_lock(&t->side_lock);
        e = t->exemplars ? exemplars_collect(t, sel, a, rows, caps, &n) : ERR_OK;
        mutex_unlock(&t->side_lock);
    }
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "no memory left for exemplars");
    }
    *ret_series = rows;
    *ret_n = n;
    return ERR_OK;
}

static enum err rows_collect(struct arena *a, struct str metric, const struct metadata_row *r,
                             struct metric_metadata **items, size_t *n, size_t *cap)
{
    for (; r; r = r->next) {
        if (arena_reserve(a, (void **)items, cap, *n + 1, sizeof(**items)) != ERR_OK) {
            return arena_err(a);
        }
        struct metric_metadata *m = &(*items)[*n];
        m->metric = arena_str(a, metric);
        m->type = arena_str(a, str_of(r->text, r->type_n));
        m->help = arena_str(a, str_of(r->text + r->type_n, r->help_n));
        m->unit = arena_str(a, str_of(r->text + r->type_n + r->help_n, r->unit_n));
        if (!m->metric.p || !m->type.p || !m->help.p || !m->unit.p) {
            return arena_err(a);
        }
        *n += 1;
    }
    return ERR_OK;
}

enum err source_metadata(struct metric_source *s, struct query_ctx *q, struct str metric, size_t limit,
                         struct arena *a, const struct metric_metadata **ret_rows, size_t *ret_n,
                         struct err_info *reterr_info)
{
    struct tenant *t = NULL;
    struct metric_metadata *items = NULL;
    size_t n = 0, cap = 0, metrics = 0, pos = 0;
    enum err e = tenant_get(tsdb_of_source(s), q->tenant, false, &t);
    if (e == ERR_OK && t) {
        struct str key;
        void *value = NULL;
        mutex_lock(&t->side_lock);
        if (metric.n) {
            e = rows_collect(a, metric, strmap_get(&t->metadata, metric), &items, &n, &cap);
        }
        while (metric.n == 0 && e == ERR_OK && (limit == 0 || metrics++ < limit) &&
               strmap_next(&t->metadata, &pos, &key, &value)) {
            e = rows_collect(a, key, value, &items, &n, &cap);
        }
        mutex_unlock(&t->side_lock);
    }
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "no memory left for metadata");
    }
    *ret_rows = items;
    *ret_n = n;
    return ERR_OK;
}
