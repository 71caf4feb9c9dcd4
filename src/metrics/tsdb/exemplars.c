/* Exemplars of a tenant: a ring of the newest, found again by the hash of their series. */
#include "metrics/model/value.h"
#include "metrics/tsdb/side.h"

#include "base/mem.h"
#include "metrics/tsdb/source_int.h"

enum {
    LATE_LOOK_BACK = 256
};

#define NONE UINT32_MAX /* never the number of an exemplar that a hint names: see number_of */

/* -- the ring -------------------------------------------------------------------------------------------- */

uint32_t exemplars_count_max(int64_t option)
{
    int64_t max = option == 0 ? EXEMPLARS_DEFAULT : option < 0 ? 0 : option;
    return (uint32_t)(max < EXEMPLARS_MAX ? max : EXEMPLARS_MAX);
}

static struct str series_text(const struct exemplar *e)
{
    return str_of(e->packed, e->series_n);
}

static size_t bytes_of(const struct exemplar *e)
{
    return sizeof(*e) + 32 + e->series_n + e->own_n; /* what the allocator and the table add is guessed */
}

/* The exemplar of a number if it is still there and the series', for hints outlive what they name. */
static const struct exemplar *exemplar_of_series(const struct exemplar_ring *r, uint32_t number,
                                                 struct str series)
{
    if (number == NONE || number - r->first >= r->n) {
        return NULL;
    }
    const struct exemplar *e = exemplar_at(r, number - r->first);
    return str_eq(series_text(e), series) ? e : NULL;
}

/* One of that time is among the series' (its last LATE_LOOK_BACK, for late ones stand between the others). */
static bool time_taken(const struct exemplar_ring *r, const struct exemplar *newest, struct str series,
                       ts_ms ts)
{
    const struct exemplar *e = newest;
    for (int i = 0; e && i < LATE_LOOK_BACK; i++) {
        if (e->ts == ts) {
            return true;
        }
        e = exemplar_of_series(r, e->before, series);
    }
    return false;
}

/* Beside the newest of its series. Of one time there are several, as a native histogram has them, in the
 * order of their values; one without a time of its own is as good as it was in the scrape before. */
static enum exemplar_verdict judge(const struct exemplar_ring *r, const struct exemplar *x,
                                   const struct exemplar *newest, int64_t window_ms)
{
    struct str series = series_text(x), own = str_of(x->packed + x->series_n, x->own_n);
    const struct exemplar *e = newest;
    if (!e) {
        return EXEMPLAR_NEW;
    }
    bool timeless = x->timeless && e->timeless;
    do {
        if (f64_bits(e->value) == f64_bits(x->value) &&
            str_eq(str_of(e->packed + e->series_n, e->own_n), own) && (timeless || e->ts == x->ts)) {
            return EXEMPLAR_KNOWN;
        }
        e = exemplar_of_series(r, e->before, series);
        timeless = false;
    } while (e && e->ts == x->ts);
    if (x->ts == newest->ts && x->value < newest->value) {
        return EXEMPLAR_LATE;
    }
    if (x->ts >= newest->ts) {
        return EXEMPLAR_NEW;
    }
    return (uint64_t)newest->ts - (uint64_t)x->ts >= (uint64_t)window_ms ? EXEMPLAR_LATE
           : time_taken(r, newest, series, x->ts)                        ? EXEMPLAR_KNOWN
                                                                         : EXEMPLAR_NEW;
}

static void oldest_drop(struct exemplar_ring *r)
{
    struct exemplar *e = &r->items[r->first & (r->cap - 1)];
    r->bytes -= bytes_of(e);
    mem_free(e->packed);
    e->packed = NULL;
    r->first++;
    r->n--;
}

static void limit(struct exemplar_ring *r, uint32_t count_max, size_t bytes_max)
{
    r->count_max = count_max;
    r->bytes_max = bytes_max;
    while (r->n > count_max || r->bytes > bytes_max) {
        oldest_drop(r);
    }
}

void exemplars_limit(struct tsdb *db)
{
    size_t share = (size_t)(db->o.memory_bytes / EXEMPLARS_PART) / (db->tenant_count ? db->tenant_count : 1);
    for (size_t i = 0; i < db->tenant_count; i++) {
        mutex_lock(&db->tenants[i]->side_lock);
        limit(&db->tenants[i]->exemplars, exemplars_count_max(db->o.exemplars_max), share);
        mutex_unlock(&db->tenants[i]->side_lock);
    }
}

static enum err ring_reserve(struct exemplar_ring *r)
{
    if (r->n < r->cap) {
        return ERR_OK;
    }
    uint32_t cap = r->cap ? r->cap * 2 : 64;
    struct exemplar *items = mem_zarray(cap, sizeof(*items));
    if (!items) {
        return ERR_OOM;
    }
    for (uint32_t i = 0; i < r->n; i++) {
        items[(r->first + i) & (cap - 1)] = *exemplar_at(r, i);
    }
    mem_free(r->items);
    r->items = items;
    r->cap = cap;
    return ERR_OK;
}

/* Hints of what is gone are forgotten when there are too many of them. */
static enum err hints_reserve(struct exemplar_ring *r)
{
    if (r->newest.count >= 64 && r->newest.count >= (size_t)r->n * 2) {
        u64map_done(&r->newest);
        for (uint32_t i = 0; i < r->n; i++) {
            if (u64map_reserve(&r->newest) != ERR_OK) {
                return ERR_OOM;
            }
            const struct exemplar *e = exemplar_at(r, i);
            uint32_t *place = u64map_place(&r->newest, e->hash);
            bool newer = *place == NONE || e->ts >= exemplar_at(r, *place - r->first)->ts;
            *place = newer ? r->first + i : *place;
        }
    }
    return u64map_reserve(&r->newest);
}

/* The number the next one gets; NONE is skipped, for which the oldest has to go. */
static uint32_t number_next(struct exemplar_ring *r)
{
    if (r->first + r->n == NONE) {
        while (r->n) {
            oldest_drop(r);
        }
        r->first = 0;
    }
    return r->first + r->n;
}

/* A late one goes behind the newest of its series, which stays that. */
static enum err ring_put(struct exemplar_ring *r, const struct exemplar *e, uint32_t newest, bool late)
{
    while (r->n && (r->n >= r->count_max || r->bytes + bytes_of(e) > r->bytes_max)) {
        oldest_drop(r);
    }
    if (ring_reserve(r) != ERR_OK || hints_reserve(r) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t number = number_next(r);
    r->items[number & (r->cap - 1)] = *e;
    r->n++;
    r->bytes += bytes_of(e);
    if (late && exemplar_of_series(r, newest, series_text(e))) {
        struct exemplar *front = &r->items[newest & (r->cap - 1)];
        r->items[number & (r->cap - 1)].before = front->before;
        front->before = number;
    } else {
        *u64map_place(&r->newest, e->hash) = number;
    }
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

/* On the heap, not in the ring. */
static enum err exemplar_pack(const struct sink_exemplar *x, struct labels series, struct exemplar *ret_e)
{
    struct buf b AUTO_BUF = {0};
    struct exemplar e = {
        .hash = labels_hash(series), .value = x->value, .ts = x->ts, .timeless = x->timeless};
    side_labels_write(&b, series);
    e.series_n = (uint32_t)b.n;
    side_labels_write(&b, x->labels);
    e.own_n = (uint32_t)b.n - e.series_n;
    e.packed = b.err == ERR_OK ? mem_dup(b.p, b.n) : NULL;
    *ret_e = e;
    return e.packed ? ERR_OK : ERR_OOM;
}

static bool acceptable(const struct exemplar_ring *r, const struct sink_exemplar *x, struct labels series)
{
    return series.n > 0 && runes(x->labels) <= EXEMPLAR_RUNES_MAX && r->count_max > 0;
}

enum err exemplar_check(const struct exemplar_ring *r, const struct sink_exemplar *x, struct labels series,
                        int64_t window_ms, enum exemplar_verdict *ret_verdict)
{
    struct exemplar e = {0};
    if (!acceptable(r, x, series)) {
        *ret_verdict = EXEMPLAR_LEFT_OUT;
        return ERR_OK;
    }
    enum err err = exemplar_pack(x, series, &e);
    if (err == ERR_OK) {
        *ret_verdict =
            judge(r, &e, exemplar_of_series(r, u64map_get(&r->newest, e.hash), series_text(&e)), window_ms);
    }
    mem_free(e.packed);
    return err;
}

enum err exemplar_store(struct exemplar_ring *r, const struct sink_exemplar *x, struct labels series,
                        int64_t window_ms, bool *ret_new)
{
    struct exemplar e = {0};
    *ret_new = false;
    if (!acceptable(r, x, series)) {
        return ERR_OK;
    }
    enum err err = exemplar_pack(x, series, &e);
    if (err != ERR_OK) {
        return err;
    }
    e.before = u64map_get(&r->newest, e.hash);
    const struct exemplar *newest = exemplar_of_series(r, e.before, series_text(&e));
    bool fresh = judge(r, &e, newest, window_ms) == EXEMPLAR_NEW;
    err = fresh ? ring_put(r, &e, e.before, newest && e.ts < newest->ts) : ERR_OK;
    if (err != ERR_OK || !fresh) {
        mem_free(e.packed);
    }
    *ret_new = fresh && err == ERR_OK;
    return err;
}

void exemplars_done(struct exemplar_ring *r)
{
    while (r->n) {
        oldest_drop(r);
    }
    mem_free(r->items);
    u64map_done(&r->newest);
}

void tsdb_exemplars_limit(struct tsdb *db, int64_t max)
{
    mutex_lock(&db->tenants_lock);
    db->o.exemplars_max = max;
    exemplars_limit(db);
    mutex_unlock(&db->tenants_lock);
}

/* -- queries --------------------------------------------------------------------------------------------- */

struct collected {
    struct arena *a;
    struct metric_exemplar_series *rows;
    size_t *caps;
    size_t n, cap, caps_cap;
    struct u64map of; /* hash of a series -> row; the first of those that have it */
};

static enum err exemplar_add(struct collected *c, size_t row, const struct exemplar *e, struct labels own)
{
    struct metric_exemplar_series *s = &c->rows[row];
    struct metric_exemplar *items = (struct metric_exemplar *)(uintptr_t)s->exemplars;
    if (arena_reserve(c->a, (void **)&items, &c->caps[row], s->exemplar_count + 1, sizeof(*items)) !=
        ERR_OK) {
        return arena_err(c->a);
    }
    s->exemplars = items;
    struct labels copy;
    enum err err = labels_dup(c->a, own, &copy);
    if (err != ERR_OK) {
        return err;
    }
    size_t at = s->exemplar_count++;
    for (; at > 0 && items[at - 1].ts > e->ts; at--) { /* late ones were stored behind newer ones */
        items[at] = items[at - 1];
    }
    items[at] = (struct metric_exemplar){.labels = copy, .value = e->value, .ts = e->ts};
    return ERR_OK;
}

/* The row of the series, made when absent. */
static enum err row_of(struct collected *c, uint64_t hash, struct labels series, size_t *ret_row)
{
    if (u64map_reserve(&c->of) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t *place = u64map_place(&c->of, hash);
    size_t at = *place == UINT32_MAX ? c->n : *place;
    while (at < c->n && !labels_eq(c->rows[at].labels, series)) {
        at++; /* another series with the same hash: never, but for an attacker */
    }
    if (at == c->n) {
        if (arena_reserve(c->a, (void **)&c->rows, &c->cap, c->n + 1, sizeof(*c->rows)) != ERR_OK ||
            arena_reserve(c->a, (void **)&c->caps, &c->caps_cap, c->n + 1, sizeof(*c->caps)) != ERR_OK) {
            return arena_err(c->a);
        }
        c->rows[at] = (struct metric_exemplar_series){0};
        c->caps[at] = 0;
        enum err e = labels_dup(c->a, series, &c->rows[at].labels);
        if (e != ERR_OK) {
            return e;
        }
        c->n++;
    }
    *place = *place == UINT32_MAX ? (uint32_t)at : *place;
    *ret_row = at;
    return ERR_OK;
}

static enum err exemplars_collect(const struct exemplar_ring *r, const struct metric_select *sel,
                                  struct collected *c)
{
    struct label series[LABELS_MAX], own[LABELS_MAX];
    for (uint32_t i = 0; i < r->n; i++) {
        const struct exemplar *e = exemplar_at(r, i);
        if (e->ts < sel->start_ms || e->ts > sel->end_ms) {
            continue;
        }
        struct reader in = reader_of(str_of(e->packed, e->series_n + e->own_n));
        struct labels of = side_labels_read(&in, series);
        if (!matchers_match(sel->matchers, sel->matcher_count, of)) {
            continue;
        }
        size_t row = 0;
        enum err err = row_of(c, e->hash, of, &row);
        err = err == ERR_OK ? exemplar_add(c, row, e, side_labels_read(&in, own)) : err;
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
    struct collected c = {.a = a};
    enum err e = tenant_get(tsdb_of_source(s), q->tenant, false, &t);
    if (e == ERR_OK && t) {
        mutex_lock(&t->side_lock);
        e = exemplars_collect(&t->exemplars, sel, &c);
        mutex_unlock(&t->side_lock);
    }
    u64map_done(&c.of);
    if (e != ERR_OK) {
        return err_set(reterr_info, e, "no memory left for exemplars");
    }
    *ret_series = c.rows;
    *ret_n = c.n;
    return ERR_OK;
}
