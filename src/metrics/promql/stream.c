/* Aggregations that need not keep what they aggregate: the series of a selector, or of a function of a stored
 * range, are folded into their groups one by one as they are read. The matrix of all series by all steps is
 * never built.
 *
 * The plain way (aggregate.c) gives the same results; it is taken when a series has histograms, when names
 * could clash, and for aggregations that look at all elements of a group. */
#include <math.h>
#include <stdlib.h>

#include "metrics/promql/columns.h"
#include "metrics/promql/kahan.h"
#include "metrics/promql/stream.h"

/* -- groups ---------------------------------------------------------------------------------------------- */

static enum err grow_table(struct stream *s)
{
    size_t size = s->slot_count ? s->slot_count * 4 : 64;
    uint32_t *slots = arena_zarray(s->e->a, size, sizeof(*slots));
    if (!slots) {
        return eval_no_memory(s->e);
    }
    for (size_t g = 0; g < s->group_count; g++) {
        size_t at = s->groups[g].hash & (size - 1);
        while (slots[at]) {
            at = (at + 1) & (size - 1);
        }
        slots[at] = (uint32_t)g + 1;
    }
    s->slots = slots;
    s->slot_count = size;
    return ERR_OK;
}

enum err stream_group_init(struct eval *e, enum aggregate_op op, struct stream_group *g)
{
    bool sums = op == AGG_SUM || op == AGG_AVG, counts = op == AGG_AVG || op == AGG_COUNT;
    bool values = sums || op == AGG_MIN || op == AGG_MAX;
    g->state = arena_zarray(e->a, e->steps, 1);
    g->a = values ? arena_array(e->a, e->steps, sizeof(double)) : NULL;
    g->c = sums ? arena_zarray(e->a, e->steps, sizeof(double)) : NULL;
    g->n = counts ? arena_zarray(e->a, e->steps, sizeof(double)) : NULL;
    bool whole = g->state && (g->a || !values) && (g->c || !sums) && (g->n || !counts);
    return whole ? ERR_OK : eval_no_memory(e);
}

enum err stream_find(struct stream *s, uint64_t hash, struct stream_group **ret_group, uint32_t **ret_slot)
{
    *ret_group = NULL;
    if ((s->group_count + 1) * 2 > s->slot_count) {
        enum err err = grow_table(s);
        if (err) {
            return err;
        }
    }
    size_t at = hash & (s->slot_count - 1);
    for (; s->slots[at] && !*ret_group; at = (at + 1) & (s->slot_count - 1)) {
        struct stream_group *g = &s->groups[s->slots[at] - 1];
        *ret_group = g->hash == hash ? g : NULL;
    }
    *ret_slot = &s->slots[at];
    return ERR_OK;
}

enum err stream_add_group(struct stream *s, struct labels labels, uint64_t hash, uint32_t *slot,
                          struct stream_group **ret_group)
{
    struct eval *e = s->e;
    struct stream_group g = {.labels = labels, .hash = hash, .order = UINT64_MAX};
    enum err err = stream_group_init(e, s->n->aggregate, &g);
    if (err ||
        arena_reserve(e->a, (void **)&s->groups, &s->group_cap, s->group_count + 1, sizeof(*s->groups))) {
        return eval_no_memory(e);
    }
    s->groups[s->group_count] = g;
    *ret_group = &s->groups[s->group_count++];
    *slot = (uint32_t)s->group_count;
    return ERR_OK;
}

static enum err group_labels(struct stream *s, struct labels ls, struct labels *ret_key)
{
    struct labels key;
    struct arena scratch AUTO_ARENA = {0};
    struct str name = LABEL_METRIC_NAME;
    enum err err = s->n->without ? labels_drop(&scratch, ls, s->names, s->name_count, &key)
                                 : labels_keep(&scratch, ls, s->names, s->name_count, &key);
    if (!err && s->n->without) {
        err = labels_drop(&scratch, key, &name, 1, &key);
    }
    return err || labels_dup(s->e->a, key, ret_key) ? eval_no_memory(s->e) : ERR_OK;
}

static enum err group_of(struct stream *s, struct labels ls, struct stream_group **ret_group)
{
    uint64_t hash = s->n->without   ? labels_hash_without(ls, s->names, s->name_count)
                    : s->name_count ? labels_hash_by(ls, s->names, s->name_count)
                                    : 0;
    uint32_t *slot;
    struct labels key;
    enum err err = stream_find(s, hash, ret_group, &slot);
    if (err || *ret_group) {
        return err;
    }
    err = group_labels(s, ls, &key);
    return err ? err : stream_add_group(s, key, hash, slot, ret_group);
}

/* -- folding --------------------------------------------------------------------------------------------- */

/* Steps [from, to). */
struct span {
    size_t from, to;
};

/* Whether the row's points, of which there are some, lie side by side. */
static bool row_span(const uint8_t *has, size_t steps, struct span *ret_s)
{
    const uint8_t *first = memchr(has, 1, steps), *last = memrchr(has, 1, steps);
    if (!first || !last) {
        return false;
    }
    *ret_s = (struct span){(size_t)(first - has), (size_t)(last - has) + 1};
    return column_whole(first, ret_s->to - ret_s->from);
}

/* The group's first row. */
static void begin_span(struct stream_group *g, const double *v, struct span at)
{
    memcpy(g->a + at.from, v + at.from, (at.to - at.from) * sizeof(*v));
    memset(g->state + at.from, 1, at.to - at.from);
    for (size_t i = at.from; g->n && i < at.to; i++) {
        g->n[i] = 1;
    }
    g->from = at.from;
    g->to = at.to;
}

static void fold_sum(struct stream_group *g, const double *v, const uint8_t *has, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        if (!has[i]) {
            continue;
        }
        if (g->state[i]) {
            struct kahan k = {g->a[i], g->c[i]};
            kahan_add(&k, v[i]);
            g->a[i] = k.sum;
            g->c[i] = k.c;
        } else {
            g->a[i] = v[i];
            g->state[i] = 1;
        }
    }
}

static void fold_avg(struct stream_group *g, const double *v, const uint8_t *has, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        if (!has[i]) {
            continue;
        }
        struct kahan_mean m = {{g->state[i] ? g->a[i] : 0, g->c[i]}, g->n[i], g->state[i] == 2};
        kahan_mean_add(&m, v[i]);
        g->a[i] = m.k.sum;
        g->c[i] = m.k.c;
        g->n[i] = m.n;
        g->state[i] = m.incremental ? 2 : 1;
        g->to = m.incremental ? g->from : g->to; /* no span any more */
    }
}

static void fold_extreme(struct stream_group *g, const double *v, const uint8_t *has, size_t steps, bool max)
{
    for (size_t i = 0; i < steps; i++) {
        if (!has[i]) {
            continue;
        }
        bool better = !g->state[i] || (max ? v[i] > g->a[i] : v[i] < g->a[i]) || isnan(g->a[i]);
        g->a[i] = better ? v[i] : g->a[i];
        g->state[i] = 1;
    }
}

static void fold_count(struct stream_group *g, const uint8_t *has, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        g->state[i] |= has[i];
        if (g->n) {
            g->n[i] += has[i];
        }
    }
}

/* A row whose points lie side by side. False: the group wants it looked at one by one. */
static bool fold_span(const struct column_ops *columns, enum aggregate_op op, struct stream_group *g,
                      const double *v, struct span at)
{
    size_t n = at.to - at.from;
    if (!g->begun) {
        if (g->a) {
            begin_span(g, v, at);
            return true;
        }
        g->from = at.from;
        g->to = at.to;
    }
    if (!g->a) {
        bool same = at.from == g->from && at.to == g->to;
        g->whole_rows += same;
        return same;
    }
    double *a = g->a + at.from, *c = g->c ? g->c + at.from : NULL;
    v += at.from;
    if (at.from < g->from || at.to > g->to || (op == AGG_AVG && !columns->add_finite(a, c, v, n))) {
        return false;
    }
    if (op == AGG_SUM) {
        columns->add(a, c, v, n);
    } else if (op == AGG_AVG) {
        for (size_t i = at.from; i < at.to; i++) {
            g->n[i] += 1;
        }
    } else if (op == AGG_MAX) {
        columns->max(a, v, n);
    } else {
        columns->min(a, v, n);
    }
    return true;
}

/* After a row was looked at one by one: the group's span grows by what it touches. */
static void grow_span(struct stream_group *g, struct span at)
{
    if (g->from == g->to) {
        g->from = at.from;
        g->to = at.to;
    } else if (at.from <= g->to && at.to >= g->from) {
        g->from = at.from < g->from ? at.from : g->from;
        g->to = at.to > g->to ? at.to : g->to;
    }
}

static void fold_points(enum aggregate_op op, struct stream_group *g, const double *v, const uint8_t *has,
                        size_t steps)
{
    switch ((int)op) {
    case AGG_SUM:
        fold_sum(g, v, has, steps);
        break;
    case AGG_AVG:
        fold_avg(g, v, has, steps);
        break;
    case AGG_MIN:
    case AGG_MAX:
        fold_extreme(g, v, has, steps, op == AGG_MAX);
        break;
    default: /* count, group */
        fold_count(g, has, steps);
        break;
    }
}

void stream_group_fold(const struct eval *e, enum aggregate_op op, struct stream_group *g, const double *v,
                       const uint8_t *has)
{
    struct span at;
    bool side_by_side = row_span(has, e->steps, &at);
    if (!side_by_side || !fold_span(e->columns, op, g, v, at)) {
        fold_points(op, g, v, has, e->steps);
        if (side_by_side && g->a && op != AGG_AVG) {
            grow_span(g, at);
        }
    }
    g->begun = true;
}

/* avg divides sum and compensation apart, so that its last digit depends on the order of series. */
static bool in_order(const struct stream_group *g, uint64_t order)
{
    return !(order & METRIC_ID_UNORDERED) && (!g->begun || order + 1 > g->last_order);
}

static enum err note_first(struct stream *s, struct stream_group *g, struct labels stored, uint64_t order)
{
    s->unordered |= (order & METRIC_ID_UNORDERED) != 0;
    g->order = order < g->order ? order : g->order;
    if (g->first.l && labels_cmp(stored, g->first) >= 0) {
        return ERR_OK;
    }
    return labels_dup(s->e->a, stored, &g->first) ? eval_no_memory(s->e) : ERR_OK;
}

static enum err fold_row(void *ctx, struct labels stored, uint64_t order, const double *v, const uint8_t *has)
{
    struct stream *s = ctx;
    struct stream_group *g = NULL;
    enum err err = group_of(s, stored, &g);
    if (err) {
        return err;
    }
    if (s->n->aggregate == AGG_AVG && !in_order(g, order)) {
        s->other = true;
        return ERR_OK;
    }
    err = note_first(s, g, stored, order);
    if (err) {
        return err;
    }
    stream_group_fold(s->e, s->n->aggregate, g, v, has);
    g->last_order = order + 1;
    return ERR_OK;
}

static int compare_order(const void *a, const void *b)
{
    const struct stream_group *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static int compare_first(const void *a, const void *b)
{
    return labels_cmp(((const struct stream_group *)a)->first, ((const struct stream_group *)b)->first);
}

void stream_settle(struct stream_group *g)
{
    for (size_t i = g->from; i < g->to && g->whole_rows; i++) {
        g->state[i] = 1;
        if (g->n) {
            g->n[i] += (double)g->whole_rows;
        }
    }
    g->whole_rows = 0;
}

enum err stream_group_finish(struct eval *e, enum aggregate_op op, struct stream_group *g,
                             struct series *ret_row)
{
    stream_settle(g);
    struct series row = {.labels = g->labels, .v = g->a ? g->a : g->n, .has = g->state};
    if (!row.v) {
        row.v = arena_array(e->a, e->steps, sizeof(*row.v));
    }
    if (!row.v) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        if (op == AGG_SUM && g->state[i]) {
            row.v[i] += g->c[i];
        } else if (op == AGG_AVG && g->state[i]) {
            struct kahan_mean m = {{g->a[i], g->c[i]}, g->n[i], g->state[i] == 2};
            row.v[i] = kahan_mean(&m);
        } else if (op == AGG_GROUP) {
            row.v[i] = 1;
        }
        row.has[i] = g->state[i] != 0;
    }
    *ret_row = row;
    return ERR_OK;
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Where the operand's names are gone before it is grouped, they are no labels to group by. */
static enum err forget_names(struct stream *s)
{
    static const struct str gone[] = {{"__name__", 8}, {"__type__", 8}, {"__unit__", 8}};
    struct eval *e = s->e;
    struct str *names = arena_array(e->a, s->name_count + ARRAY_LEN(gone), sizeof(*names));
    size_t n = 0;
    if (!s->drops_name || e->options->delayed_name) {
        return ERR_OK;
    }
    if (!names) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < s->name_count; i++) {
        bool is_gone = false;
        for (size_t k = 0; k < ARRAY_LEN(gone); k++) {
            is_gone |= str_eq(s->names[i], gone[k]);
        }
        if (!is_gone) {
            names[n++] = s->names[i];
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(gone) && s->n->without; k++) {
        names[n++] = gone[k];
    }
    qsort(names, n, sizeof(*names), compare_str);
    s->names = names;
    s->name_count = n;
    return ERR_OK;
}

/* -- which ----------------------------------------------------------------------------------------------- */

static bool one_name(const struct node *selector)
{
    for (size_t i = 0; i < selector->matcher_count; i++) {
        const struct matcher *m = &selector->matchers[i];
        if (m->op == MATCH_EQ && m->value.n && str_eq(m->name, LABEL_METRIC_NAME)) {
            return true;
        }
    }
    return false;
}

bool stream_applies(const struct eval *e, const struct node *n)
{
    const struct node *arg = n->args[0];
    bool folds = n->aggregate <= AGG_GROUP;
    if (e->options->plain || !folds || (arg->invariant && e->steps > 1)) {
        return false;
    }
    if (arg->kind == N_SELECTOR) {
        return !arg->smoothed;
    }
    /* of several metrics, rows could have equal labels once their names are gone: the plain way finds out */
    return arg->kind == N_CALL && arg->function->range && arg->arg_count == 1 &&
           arg->args[0]->kind == N_MATRIX && one_name(arg->args[0]->args[0]);
}

enum err stream_fold(struct stream *s)
{
    const struct node *arg = s->n->args[0];
    struct row_sink sink = {fold_row, s, &s->other};
    if (arg->kind == N_SELECTOR) {
        return selector_rows(s->e, arg, &sink);
    }
    struct range_use use = {.fn = arg->function->range,
                            .call = arg,
                            .keep_name = arg->function->keeps_name,
                            .histograms = arg->function->histograms};
    return range_rows(s->e, &use, arg->args[0], &sink);
}

enum err stream_aggregate(struct eval *e, const struct node *n, struct str *names, size_t name_count,
                          struct value *ret_value, bool *ret_done)
{
    const struct node *arg = n->args[0];
    struct stream s = {.e = e, .n = n, .names = names, .name_count = name_count};
    struct usage_scope scope;
    size_t notes_before = e->notes->n;
    *ret_done = false;
    s.drops_name = arg->kind == N_CALL && !arg->function->keeps_name;
    enum err err = usage_enter(e, &scope);
    err = err ? err : forget_names(&s);
    err = err ? err : stream_fold_parts(&s);
    struct usage counted = usage_leave(e, &scope);
    if (err) {
        return err;
    }
    if (s.other) {
        *e->usage = scope.outer;
        e->notes->n = notes_before;
        return ERR_OK;
    }
    usage_add(e, counted.total_at, counted.read_at);
    if (s.group_count > 1) {
        qsort(s.groups, s.group_count, sizeof(*s.groups), s.unordered ? compare_first : compare_order);
    }
    for (size_t g = 0; g < s.group_count && !err; g++) {
        struct series row = {0};
        err = stream_group_finish(e, n->aggregate, &s.groups[g], &row);
        row.drops_name = s.drops_name;
        err = err ? err : value_push(e, ret_value, &row);
    }
    *ret_done = true;
    return err;
}
