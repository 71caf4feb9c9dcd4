/* A consistent copy of what a query needs from a head: references to chunks, copies of tails and ticks. */
#include "base/mem.h"
#include "metrics/tsdb/cursor_int.h"

struct picker {
    struct metric_cursor *c;
    const struct head *h;
    uint32_t *column_of; /* clock -> column; COLUMN_NONE until used */
};

static bool overlaps(const struct metric_cursor *c, ts_ms min, ts_ms max)
{
    return min <= c->sel.end_ms && max >= c->sel.start_ms;
}

static enum err column_of(struct picker *p, uint32_t clock, uint32_t *ret_column)
{
    struct metric_cursor *c = p->c;
    if (p->column_of[clock] == COLUMN_NONE) {
        if (arena_reserve(&c->part, (void **)&c->columns, &c->column_cap, c->column_count + 1,
                          sizeof(*c->columns)) != ERR_OK) {
            return arena_err(&c->part);
        }
        const struct ticks *k = &p->h->clocks[clock];
        ts_ms *ts = arena_array(&c->part, k->n, sizeof(*ts));
        if (!ts) {
            return arena_err(&c->part);
        }
        memcpy(ts, k->ts, k->n * sizeof(*ts));
        p->column_of[clock] = (uint32_t)c->column_count;
        c->columns[c->column_count++] = (struct column){ts, k->first, k->n};
    }
    *ret_column = p->column_of[clock];
    return ERR_OK;
}

static enum err add_run(struct picker *p, struct picked *s, const struct chunk *k)
{
    uint32_t column = COLUMN_NONE;
    enum err e = k->clock == CLOCK_NONE ? ERR_OK : column_of(p, k->clock, &column);
    if (e != ERR_OK) {
        return e;
    }
    if (arena_reserve(&p->c->part, (void **)&s->runs, &s->run_cap, s->run_count + 1, sizeof(*s->runs)) !=
        ERR_OK) {
        return arena_err(&p->c->part);
    }
    s->runs[s->run_count++] = (struct run){.times = k->data,
                                           .times_bytes = k->times_bytes,
                                           .values = k->data + k->times_bytes,
                                           .value_bytes = k->value_bytes,
                                           .column = column,
                                           .first_tick = k->first_tick,
                                           .count = k->count,
                                           .mode = k->mode,
                                           .min_ts = k->min_ts,
                                           .max_ts = k->max_ts,
                                           .rank = UINT64_MAX};
    s->rich |= k->mode == CHUNK_RICH;
    s->sample_count += k->count;
    return ERR_OK;
}

static enum err pick_sealed(struct picker *p, struct picked *s, struct chunk *k)
{
    struct metric_cursor *c = p->c;
    if (vec_reserve((void **)&c->held, &c->held_cap, c->held_count + 1, sizeof(*c->held)) != ERR_OK) {
        return ERR_OOM;
    }
    enum err e = add_run(p, s, k);
    if (e == ERR_OK) {
        c->held[c->held_count++] = chunk_ref(k);
    }
    return e;
}

static enum err pick_late(struct picker *p, struct picked *s, const struct series_ext *x)
{
    uint32_t from = 0, to = x->late_count;
    while (from < to && x->late[from].ts < p->c->sel.start_ms) {
        from++;
    }
    while (from < to && x->late[to - 1].ts > p->c->sel.end_ms) {
        to--;
    }
    if (from == to) {
        return ERR_OK;
    }
    s->late = arena_array(&p->c->part, to - from, sizeof(*s->late));
    if (!s->late) {
        return arena_err(&p->c->part);
    }
    memcpy(s->late, x->late + from, (to - from) * sizeof(*s->late));
    s->late_count = to - from;
    for (size_t i = 0; i < s->late_count; i++) {
        struct late_sample *l = &s->late[i];
        if (l->rich) {
            struct str copy = arena_str(&p->c->part, str_of(l->rich, l->rich_bytes));
            if (!copy.p) {
                return arena_err(&p->c->part);
            }
            l->rich = (char *)(uintptr_t)copy.p;
            s->rich = true;
        }
    }
    return ERR_OK;
}

static enum err pick_samples(struct picker *p, struct picked *s, const struct series *in)
{
    enum err e = ERR_OK;
    for (struct chunk *k = in->sealed; e == ERR_OK && k; k = k->older) {
        if (overlaps(p->c, k->min_ts, k->max_ts)) {
            e = pick_sealed(p, s, k);
        }
    }
    if (e == ERR_OK && in->tail_count && overlaps(p->c, head_tail_ts(p->h, in), in->last_ts)) {
        struct chunk *k = head_tail_copy(p->h, in, NULL, &p->c->part);
        e = k ? add_run(p, s, k) : arena_err(&p->c->part);
    }
    return e == ERR_OK && in->ext && in->ext->late_count ? pick_late(p, s, in->ext) : e;
}

static enum err pick_series(struct picker *p, uint32_t slot)
{
    struct metric_cursor *c = p->c;
    const struct series *in = head_series(p->h, slot);
    struct picked s = {.hash = *head_hash(p->h, slot), .id = *head_order(p->h, slot)};
    enum err e = pick_samples(p, &s, in);
    if (e != ERR_OK || (s.run_count == 0 && s.late_count == 0)) {
        return e;
    }
    struct label *labels = arena_array(&c->all, in->labels->n, sizeof(*labels));
    if (!labels) {
        return arena_err(&c->all);
    }
    index_labels(p->h->index, in->labels, labels);
    s.labels = (struct labels){labels, in->labels->n};
    if (arena_reserve(&c->part, (void **)&c->picked, &c->picked_cap, c->picked_count + 1,
                      sizeof(*c->picked)) != ERR_OK) {
        return arena_err(&c->part);
    }
    c->picked[c->picked_count++] = s;
    return ERR_OK;
}

static enum err pick_locked(struct metric_cursor *c, const struct head *h)
{
    size_t words = bitmap_words(h->slot_count);
    struct picker p = {.c = c, .h = h};
    uint64_t *set = arena_array(&c->part, words + 1, sizeof(*set));
    p.column_of = arena_array(&c->part, h->clock_count + 1, sizeof(*p.column_of));
    if (!set || !p.column_of) {
        return arena_err(&c->part);
    }
    memset(p.column_of, 0xff, h->clock_count * sizeof(*p.column_of));
    memset(set, 0xff, words * sizeof(*set));
    enum err e = index_select(h->index, c->sel.matchers, c->sel.matcher_count, h->slot_count, set, &c->part);
    for (size_t w = 0; e == ERR_OK && w < words; w++) {
        for (uint64_t left = set[w]; e == ERR_OK && left; left &= left - 1) {
            size_t slot = w * 64 + (size_t)__builtin_ctzll(left);
            if (slot < h->slot_count && (head_series(h, (uint32_t)slot)->flags & SERIES_LIVE)) {
                e = pick_series(&p, (uint32_t)slot);
            }
        }
    }
    return e;
}

/* A value that no label has is found at once: most partitions have nothing to do with most queries. */
static bool nothing_has(const struct index *ix, const struct metric_select *sel)
{
    for (size_t i = 0; i < sel->matcher_count; i++) {
        const struct matcher *m = &sel->matchers[i];
        if (m->op == MATCH_EQ && m->value.n && index_symbol_find(ix, m->value) == UINT32_MAX) {
            return true;
        }
    }
    return false;
}

enum err pick_head(struct metric_cursor *c, unsigned partition)
{
    struct partition *p = &c->db->partitions[partition];
    enum err e = ERR_OK;
    mutex_lock(&p->lock);
    const struct head *h = partition_head_find(p, c->tenant);
    if (h && h->min_ts <= c->sel.end_ms && h->max_ts >= c->sel.start_ms && !nothing_has(h->index, &c->sel)) {
        c->indexes[partition] = index_ref(h->index);
        e = pick_locked(c, h);
    }
    mutex_unlock(&p->lock);
    return e;
}
