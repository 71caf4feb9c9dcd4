/* Exemplars of a tenant: a ring of the newest, found again by the hash of their series. */
#include "metrics/model/value.h"
#include "metrics/tsdb/side.h"

#include "base/mem.h"
#include "metrics/tsdb/source_int.h"

/* -- the ring -------------------------------------------------------------------------------------------- */

/* The exemplar at a place if it is the series', for places may have been taken by others since. */
static const struct exemplar *exemplar_of_series(const struct tenant *t, uint32_t at, struct labels series,
                                                 uint64_t hash)
{
    const struct exemplar *e = at == UINT32_MAX ? NULL : &t->exemplars[at];
    return e && e->hash == hash && labels_eq(e->series, series) ? e : NULL;
}

/* UINT32_MAX: none. */
static uint32_t exemplar_newest(const struct tenant *t, uint64_t hash)
{
    return t->exemplars ? u64map_get(&t->exemplar_of, hash) : UINT32_MAX;
}

/* Steps since the oldest. */
static size_t age(const struct tenant *t, uint32_t at)
{
    return (at + EXEMPLARS_MAX - t->exemplar_next) % EXEMPLARS_MAX;
}

/* Older than the series' newest, or there already. Several of one time are kept: a native histogram has them.
 */
static bool exemplar_known(const struct tenant *t, const struct sink_exemplar *x, struct labels series,
                           uint64_t hash)
{
    uint32_t at = exemplar_newest(t, hash);
    const struct exemplar *e = exemplar_of_series(t, at, series, hash);
    if (e && x->ts < e->ts) {
        return true;
    }
    while (e && e->ts == x->ts) {
        uint32_t before = e->before;
        if (f64_bits(e->value) == f64_bits(x->value) && labels_eq(e->labels, x->labels)) {
            return true;
        }
        e = before != UINT32_MAX && age(t, before) < age(t, at) ? exemplar_of_series(t, before, series, hash)
                                                                : NULL;
        at = before;
    }
    return false;
}

/* Places that others took are forgotten when there are too many of them. */
static enum err map_reserve(struct tenant *t)
{
    if (t->exemplar_of.count >= EXEMPLARS_MAX * 2) {
        u64map_done(&t->exemplar_of);
        for (uint32_t i = 0; i < EXEMPLARS_MAX; i++) { /* from the oldest */
            uint32_t at = (uint32_t)((t->exemplar_next + i) % EXEMPLARS_MAX);
            if (t->exemplars[at].series.n) {
                if (u64map_reserve(&t->exemplar_of) != ERR_OK) {
                    return ERR_OOM;
                }
                *u64map_place(&t->exemplar_of, t->exemplars[at].hash) = at;
            }
        }
    }
    return u64map_reserve(&t->exemplar_of);
}

static enum err ring_put(struct tenant *t, const struct sink_exemplar *x, struct labels series, uint64_t hash)
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
    struct exemplar fresh = {
        .hash = hash, .value = x->value, .ts = x->ts, .before = exemplar_newest(t, hash)};
    if (map_reserve(t) != ERR_OK || labels_dup(&memory, series, &fresh.series) != ERR_OK ||
        labels_dup(&memory, x->labels, &fresh.labels) != ERR_OK) {
        arena_done(&memory);
        return ERR_OOM;
    }
    fresh.memory = memory;
    if (e->series.n) {
        arena_done(&e->memory);
    }
    *e = fresh;
    *u64map_place(&t->exemplar_of, hash) = (uint32_t)t->exemplar_next;
    t->exemplar_next = (t->exemplar_next + 1) % EXEMPLARS_MAX;
    return ERR_OK;
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

enum err exemplar_store(struct tenant *t, const struct sink_exemplar *x, struct labels series, bool *ret_new)
{
    uint64_t hash = labels_hash(series);
    *ret_new = false;
    if (series.n == 0 || runes(x->labels) > EXEMPLAR_RUNES_MAX || exemplar_known(t, x, series, hash)) {
        return ERR_OK; /* as before, or older: accepted and not kept */
    }
    enum err e = ring_put(t, x, series, hash);
    *ret_new = e == ERR_OK;
    return e;
}

void exemplars_done(struct tenant *t)
{
    for (size_t i = 0; t->exemplars && i < EXEMPLARS_MAX; i++) {
        if (t->exemplars[i].series.n) {
            arena_done(&t->exemplars[i].memory);
        }
    }
    mem_free(t->exemplars);
    u64map_done(&t->exemplar_of);
}

/* -- queries --------------------------------------------------------------------------------------------- */

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
                                  struct metric_exemplar_series *rows, size_t *caps, uint64_t *hashes,
                                  size_t *n)
{
    for (size_t i = 0; i < EXEMPLARS_MAX; i++) { /* from the oldest */
        const struct exemplar *e = &t->exemplars[(t->exemplar_next + i) % EXEMPLARS_MAX];
        if (e->series.n == 0 || e->ts < sel->start_ms || e->ts > sel->end_ms ||
            !matchers_match(sel->matchers, sel->matcher_count, e->series)) {
            continue;
        }
        size_t at = 0;
        while (at < *n && !(hashes[at] == e->hash && labels_eq(rows[at].labels, e->series))) {
            at++;
        }
        enum err err = ERR_OK;
        if (at == *n) {
            rows[at] = (struct metric_exemplar_series){0};
            caps[at] = 0;
            hashes[at] = e->hash;
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
    uint64_t *hashes = arena_array(a, EXEMPLARS_MAX, sizeof(*hashes));
    enum err e = rows && caps && hashes ? tenant_get(tsdb_of_source(s), q->tenant, false, &t) : arena_err(a);
    if (e == ERR_OK && t) {
        mutex_lock(&t->side_lock);
        e = t->exemplars ? exemplars_collect(t, sel, a, rows, caps, hashes, &n) : ERR_OK;
        mutex_unlock(&t->side_lock);
    }
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "no memory left for exemplars");
    }
    *ret_series = rows;
    *ret_n = n;
    return ERR_OK;
}
