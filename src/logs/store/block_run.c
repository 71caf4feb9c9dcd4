/* Runs of blocks: the rows of one stream, group by group. */
#include "logs/store/cursor_int.h"

/* --- views --- */

static void maybe_free(struct log_cursor *c, struct group_view *v)
{
    struct part *p = v->part;
    if (v->pins == 0 && p->uses[v->group] == 0) {
        p->views[v->group] = NULL;
        group_view_free(c, v);
    }
}

void group_view_unpin(struct log_cursor *c, struct group_view *v)
{
    v->pins--;
    maybe_free(c, v);
}

void part_release_views(struct log_cursor *c, struct part *p)
{
    for (size_t i = 0; p->views && i < p->block->group_count; i++) {
        group_view_free(c, p->views[i]);
        p->views[i] = NULL;
    }
}

enum err run_hand_over_pins(struct log_cursor *c, struct run *r)
{
    enum err e =
        arena_reserve(&c->arena, (void **)&c->unpin, &c->unpin_cap, c->unpin_n + r->pin_n, sizeof(*c->unpin));
    for (size_t i = 0; !e && i < r->pin_n; i++) {
        c->unpin[c->unpin_n++] = r->pins[i];
    }
    r->pin_n = 0;
    return e;
}

static size_t lower_bound(const uint32_t *numbers, size_t n, uint32_t row)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (numbers[mid] < row) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* --- loading --- */

static enum err take_rows(struct log_cursor *c, struct run *r, struct group_view *v)
{
    size_t from = lower_bound(v->numbers, v->n, r->range.first);
    size_t to = lower_bound(v->numbers, v->n, r->range.end);
    if (from == to) {
        return ERR_OK;
    }
    enum err e = arena_reserve(&c->arena, (void **)&r->pins, &r->pin_cap, r->pin_n + 1, sizeof(*r->pins));
    e = e ? e : cursor_grow(c, (void **)&r->rows, &r->row_cap, r->row_n + to - from, sizeof(*r->rows));
    if (e) {
        return e;
    }
    r->pins[r->pin_n++] = v;
    v->pins++;
    memcpy(r->rows + r->row_n, v->rows + from, (to - from) * sizeof(*r->rows));
    r->row_n += to - from;
    return ERR_OK;
}

/* No row of the groups left lies before (after) it. Their first and last rows tell more than their ranges,
 * which other streams widen. */
static ts_ns bound_of(const struct log_cursor *c, const struct run *r, const struct group_view *v)
{
    const struct block_group *groups = r->part->block->groups;
    if (c->backward) {
        ts_ns bound = groups[r->group_hi - 1].ts_max;
        return v->decoded && v->first_ts < bound ? v->first_ts : bound;
    }
    ts_ns bound = groups[r->group_lo].ts_min;
    return v->decoded && v->last_ts > bound ? v->last_ts : bound;
}

static enum err load_block(struct log_cursor *c, struct run *r, struct err_info *info)
{
    (void)info;
    struct part *p = r->part;
    enum err e = r->held ? ERR_OK : run_hand_over_pins(c, r);
    size_t group = c->backward ? r->group_hi - 1 : r->group_lo;
    if (!e && !p->views[group]) {
        e = group_view_new(c, p, group, &p->views[group]);
    }
    if (e) {
        return e;
    }
    struct group_view *v = p->views[group];
    r->group_lo += c->backward ? 0 : 1;
    r->group_hi -= c->backward ? 1 : 0;
    e = take_rows(c, r, v);
    r->done = r->group_lo == r->group_hi;
    if (!e && !r->done) {
        r->bound = bound_of(c, r, v);
    }
    p->uses[group]--;
    maybe_free(c, v);
    return e;
}

/* --- opening --- */

struct opening {
    struct log_cursor *c;
    struct part *p;
};

static size_t group_of_row(const struct block *b, uint32_t row)
{
    size_t lo = 0, hi = b->group_count;
    while (lo + 1 < hi) {
        size_t mid = (lo + hi) / 2;
        if (b->groups[mid].first_row <= row) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static enum err open_stream(void *ctx, const struct block_stream *s)
{
    const struct opening *o = ctx;
    struct log_cursor *c = o->c;
    struct part *p = o->p;
    if (s->ts_max < c->sel.start_ns || s->ts_min >= c->sel.end_ns ||
        !matchers_match(c->sel.matchers, c->sel.matcher_count, s->labels)) {
        return ERR_OK;
    }
    struct label *l = arena_array(&c->arena, s->labels.n + 1, sizeof(*l));
    if (!l) {
        return arena_err(&c->arena);
    }
    memcpy(l, s->labels.l, s->labels.n * sizeof(*l));
    struct labels labels = {l, s->labels.n};
    struct run t = {.order = p->order, .load = load_block, .part = p};
    t.range = (struct row_range){s->first_row, s->first_row + s->rows};
    t.group_lo = group_of_row(p->block, s->first_row);
    t.group_hi = group_of_row(p->block, t.range.end - 1) + 1;
    t.bound = t.key = c->backward ? s->ts_max : s->ts_min;
    enum err e = cursor_stream_index(c, labels, labels_hash(labels), &t.stream);
    e = e ? e
          : arena_reserve(&c->arena, (void **)&p->ranges, &p->range_cap, p->range_n + 1, sizeof(*p->ranges));
    e = e ? e : cursor_add_run(c, &t);
    if (!e) {
        p->ranges[p->range_n++] = t.range;
        for (size_t g = t.group_lo; g < t.group_hi; g++) {
            p->uses[g]++;
        }
    }
    return e;
}

enum err cursor_open_block(struct log_cursor *c, struct part *p, struct err_info *info)
{
    struct block *b = p->block;
    p->views = arena_zarray(&c->arena, b->group_count + 1, sizeof(*p->views));
    p->uses = arena_zarray(&c->arena, b->group_count + 1, sizeof(*p->uses));
    if (!p->views || !p->uses) {
        return arena_err(&c->arena);
    }
    struct opening o = {c, p};
    enum err e = block_each_stream(b, open_stream, &o, info);
    /* What of a damaged index could be read is served; the damage is counted. */
    if (e == ERR_CORRUPT) {
        atomic_fetch_add_explicit(&b->bad_groups, 1, memory_order_relaxed);
        e = ERR_OK;
    }
    return e;
}
