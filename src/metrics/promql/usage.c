/* What a query looks at, step by step, for those who ask what it costs. The rules are the original's, odd
 * ones too: an expression that is the same at every step counts at each as looked at, but as read only at the
 * first; a subquery's samples count where its points are used. */
#include <stdlib.h>

#include "metrics/model/histogram_ops.h"
#include "metrics/promql/eval.h"

static bool tracks(const struct eval *e)
{
    return e->options->step_usage;
}

enum err usage_enter(struct eval *e, struct usage_scope *scope)
{
    struct usage *u = e->usage;
    *scope = (struct usage_scope){*u};
    if (!tracks(e)) {
        return ERR_OK;
    }
    u->total_at = arena_zarray(e->a, e->steps, sizeof(*u->total_at));
    u->read_at = arena_zarray(e->a, e->steps, sizeof(*u->read_at));
    return u->total_at && u->read_at ? ERR_OK : eval_no_memory(e);
}

enum err usage_enter_grid(struct eval *inner, struct usage_scope *scope)
{
    enum err err = usage_enter(inner, scope);
    inner->usage->gathered_at = NULL; /* its steps are others */
    return err;
}

struct usage usage_leave(struct eval *e, const struct usage_scope *scope)
{
    struct usage counted = *e->usage;
    counted.total -= scope->outer.total;
    counted.read -= scope->outer.read;
    e->usage->total_at = scope->outer.total_at;
    e->usage->read_at = scope->outer.read_at;
    e->usage->gathered_at = scope->outer.gathered_at;
    return counted;
}

void usage_at(struct eval *e, size_t step, uint64_t total, uint64_t read)
{
    if (e->usage->total_at) {
        e->usage->total_at[step] += total;
        e->usage->read_at[step] += read;
    }
}

static const struct histogram *histogram_at(const struct series *s, size_t i)
{
    return s->h ? s->h[i] : NULL;
}

static uint64_t point_cost(const struct series *s, size_t i)
{
    const struct histogram *h = histogram_at(s, i);
    return !s->has[i] ? 0 : h ? histogram_point_cost(h) : 1;
}

static uint64_t element_cost(const struct series *s, size_t i)
{
    const struct histogram *h = histogram_at(s, i);
    return !s->has[i] ? 0 : h ? histogram_element_cost(h) : 1;
}

void usage_row(struct eval *e, const struct series *row)
{
    for (size_t i = 0; e->usage->total_at && i < e->steps; i++) {
        uint64_t cost = point_cost(row, i);
        e->usage->total_at[i] += cost;
        e->usage->read_at[i] += cost;
    }
}

void usage_add(struct eval *e, const uint64_t *total_at, const uint64_t *read_at)
{
    for (size_t i = 0; e->usage->total_at && total_at && i < e->steps; i++) {
        e->usage->total_at[i] += total_at[i];
        e->usage->read_at[i] += read_at[i];
    }
}

void usage_repeat(struct eval *e, uint64_t total, uint64_t read)
{
    for (size_t i = 0; e->usage->total_at && i < e->steps; i++) {
        usage_at(e, i, total, i == 0 ? read : 0);
    }
}

/* The first step whose window may have a point of this time; the last takes what is beyond. */
static size_t step_of(const struct eval *e, ts_ms t)
{
    size_t i = t > e->start ? (size_t)((t - e->start + e->step - 1) / e->step) : 0;
    return i < e->steps ? i : e->steps - 1;
}

void usage_subquery(struct eval *e, const struct eval *inner, const struct usage *counted, int64_t offset_ms,
                    int64_t range_ms)
{
    if (!e->usage->total_at || e->steps == 1) {
        usage_at(e, 0, 0, counted->read);
        return;
    }
    e->usage->read -= counted->read;
    for (size_t k = 0; k < inner->steps; k++) {
        ts_ms t = step_time(inner, k) + offset_ms;
        size_t i = step_of(e, t);
        if (range_ms == 0 || t > step_time(e, i) - range_ms) {
            e->usage->read += counted->read_at[k];
            e->usage->read_at[i] += counted->read_at[k];
        }
    }
}

/* -- what is held ---------------------------------------------------------------------------------------- */

void usage_gather(struct eval *e, const struct value *v)
{
    uint64_t *at = e->usage->gathered_at;
    for (size_t i = 0; at && v->type == TYPE_SCALAR && i < e->steps; i++) {
        at[i]++;
    }
    for (size_t k = 0; at && k < v->n; k++) {
        for (size_t i = 0; i < e->steps; i++) {
            at[i] += v->s[k].has[i];
        }
    }
}

enum err usage_peak_stepwise(struct eval *e, const struct value *result)
{
    const uint64_t *at = e->usage->gathered_at;
    uint64_t held = 0, most = 0;
    for (size_t i = 0; at && i < e->steps; i++) {
        held += result->type == TYPE_SCALAR;
        for (size_t k = 0; k < result->n; k++) {
            held += element_cost(&result->s[k], i);
        }
        most = held + at[i] > most ? held + at[i] : most;
    }
    return eval_peak(e, most);
}

enum err usage_hold(struct eval *e, struct usage_helds *h, struct usage_held item)
{
    if (!tracks(e)) {
        return ERR_OK;
    }
    if (arena_reserve(e->a, (void **)&h->items, &h->cap, h->n + 1, sizeof(*h->items))) {
        return eval_no_memory(e);
    }
    h->items[h->n++] = item;
    return ERR_OK;
}

static int compare_held(const void *a, const void *b)
{
    const struct usage_held *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

enum err usage_peak_series(struct eval *e, struct usage_helds *h, uint64_t current)
{
    struct usage *u = e->usage;
    uint64_t after = u->current;
    enum err err = ERR_OK;
    if (h->n > 1) {
        qsort(h->items, h->n, sizeof(*h->items), compare_held);
    }
    for (size_t i = 0; i < h->n && !err; i++) {
        const struct usage_held *s = &h->items[i];
        u->current = current;
        err = eval_peak(e, s->widest > s->points + s->last ? s->widest : s->points + s->last);
        current += s->points;
    }
    u->current = after;
    return err;
}
