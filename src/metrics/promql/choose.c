/* Aggregations that choose elements: topk, bottomk, limitk, limit_ratio.
 *
 * Each group keeps a heap of what it has chosen so far, worked as Go's container/heap does, so that of equal
 * values the same ones are chosen and an instant answer comes in the same order. */
#include <math.h>

#include "base/hash.h"
#include "codec/num.h"
#include "metrics/promql/eval.h"
#include "metrics/promql/go_sort.h"
#include "metrics/promql/histogram_fns.h"

struct pick {
    double v;
    uint32_t index;
};

struct heap {
    struct pick *p;
    size_t n;
    bool falling; /* bottomk: the largest on top */
};

/* NaN comes before anything. */
static bool before(const struct heap *h, size_t i, size_t k)
{
    double x = h->p[i].v, y = h->p[k].v;
    return isnan(x) || (h->falling ? x > y : x < y);
}

static void swap(struct heap *h, size_t i, size_t k)
{
    struct pick p = h->p[i];
    h->p[i] = h->p[k];
    h->p[k] = p;
}

static void push(struct heap *h, struct pick p)
{
    size_t at = h->n++;
    h->p[at] = p;
    while (at > 0 && before(h, at, (at - 1) / 2)) {
        swap(h, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void replace_top(struct heap *h, struct pick p)
{
    size_t at = 0;
    h->p[0] = p;
    for (size_t child = 1; child < h->n; child = at * 2 + 1) {
        child += child + 1 < h->n && before(h, child + 1, child);
        if (!before(h, child, at)) {
            return;
        }
        swap(h, at, child);
        at = child;
    }
}

static bool sorts_before(const void *heap, size_t i, size_t k)
{
    return before(heap, k, i);
}

static void exchange(const void *heap, size_t i, size_t k)
{
    struct pick *p = ((const struct heap *)heap)->p, t = p[i];
    p[i] = p[k];
    p[k] = t;
}

/* The best first. */
static void sort_heap(const struct heap *h)
{
    go_sort(&(struct go_sort){sorts_before, exchange, h}, h->n);
}

/* -- parameters ------------------------------------------------------------------------------------------ */

struct limits_of {
    double low, high;
    bool nan;
};

static struct limits_of limits_of(const struct eval *e, const double *param)
{
    struct limits_of l = {param[0], param[0], false};
    for (size_t i = 0; i < e->steps; i++) {
        l.low = param[i] < l.low ? param[i] : l.low;
        l.high = param[i] > l.high ? param[i] : l.high;
        l.nan |= isnan(param[i]);
    }
    return l;
}

static void note_ratio(struct eval *e, const struct node *n, double ratio, double to)
{
    char text[NUM_F64_BYTES_MAX];
    size_t size = num_f64_format(text, ratio, 'g');
    note(e, true, n->param->pos, "ratio value should be between -1 and 1, got %.*s, capping to %g", (int)size,
         text, to);
}

/* *ret_none: nothing will be chosen. */
static enum err check_parameter(struct eval *e, const struct node *n, const double *param, bool *ret_none)
{
    struct limits_of l = limits_of(e, param);
    char text[NUM_F64_BYTES_MAX];
    bool ratio = n->aggregate == AGG_LIMIT_RATIO;
    *ret_none = !l.nan && (ratio ? l.high == 0 && l.low == 0 : l.high < 1);
    if (*ret_none) {
        return ERR_OK;
    }
    if (l.nan) {
        return err_set(e->info, ERR_EXECUTION, "%s value is NaN", ratio ? "Ratio" : "Parameter");
    }
    if (ratio) {
        if (l.high > 1) {
            note_ratio(e, n, l.high, 1);
        }
        if (l.low < -1) {
            note_ratio(e, n, l.low, -1);
        }
        return ERR_OK;
    }
    if (l.low <= -9223372036854775808.0) {
        return err_set(e->info, ERR_EXECUTION, "Scalar value %.*s underflows int64",
                       (int)num_f64_format(text, l.low, 'g'), text);
    }
    if (l.high >= 9223372036854774784.0) {
        return err_set(e->info, ERR_EXECUTION, "Scalar value %.*s overflows int64",
                       (int)num_f64_format(text, l.high, 'g'), text);
    }
    return ERR_OK;
}

/* -- one step -------------------------------------------------------------------------------------------- */

struct choice {
    const struct node *n;
    struct value *v;
    const struct grouping *g;
    struct heap *heaps; /* of each group; room for all its series */
    double *offsets;    /* of each series, for limit_ratio */
};

/* A name or value as the original lays labels out before it hashes them: its length, then its bytes. */
static void put_sized(struct buf *b, struct str s)
{
    if (s.n < 255) {
        buf_char(b, (char)s.n);
    } else {
        buf_char(b, (char)255);
        buf_char(b, (char)(s.n & 255));
        buf_char(b, (char)(s.n >> 8 & 255));
        buf_char(b, (char)(s.n >> 16 & 255));
    }
    buf_str(b, s);
}

/* Where limit_ratio places the series between 0 and 1. */
static double ratio_offset(struct labels ls)
{
    struct buf b AUTO_BUF = {0};
    for (size_t i = 0; i < ls.n; i++) {
        put_sized(&b, ls.l[i].name);
        put_sized(&b, ls.l[i].value);
    }
    return (double)hash_xx64(b.p, b.n) / 18446744073709551615.0;
}

static bool ratio_keeps(double ratio, double at)
{
    return (ratio >= 0 && at < ratio) || (ratio < 0 && at >= 1 + ratio);
}

static void offer(const struct choice *c, struct heap *h, struct pick p, double k)
{
    bool better = h->n && (h->falling ? h->p[0].v > p.v : h->p[0].v < p.v);
    better |= h->n && isnan(h->p[0].v) && !isnan(p.v);
    if (c->n->aggregate == AGG_LIMIT_RATIO) {
        double ratio = k < -1 ? -1 : k > 1 ? 1 : k;
        if (ratio_keeps(ratio, c->offsets[p.index])) {
            push(h, p);
        }
    } else if ((double)h->n < k) {
        push(h, p);
    } else if (c->n->aggregate != AGG_LIMITK && better) {
        replace_top(h, p);
    }
}

static void choose_at(struct eval *e, const struct choice *c, size_t step, double param)
{
    bool ranked = c->n->aggregate == AGG_TOPK || c->n->aggregate == AGG_BOTTOMK;
    bool ratio = c->n->aggregate == AGG_LIMIT_RATIO;
    double k = ratio ? param : trunc(param);
    for (size_t g = 0; g < c->g->n; g++) {
        c->heaps[g].n = 0;
    }
    if (ratio ? param == 0 : k < 1) {
        return;
    }
    for (size_t s = 0; s < c->v->n; s++) {
        const struct series *one = &c->v->s[s];
        if (one->has[step] && ranked && one->h && one->h[step]) {
            note_histogram_ignored(e, c->n);
        } else if (one->has[step]) {
            offer(c, &c->heaps[c->g->of[s]], (struct pick){c->v->s[s].v[step], (uint32_t)s}, k);
        }
    }
}

static enum err heaps_init(struct eval *e, struct choice *c)
{
    struct pick *room = arena_array(e->a, c->v->n + 1, sizeof(*room));
    c->heaps = arena_zarray(e->a, c->g->n + 1, sizeof(*c->heaps));
    c->offsets = arena_array(e->a, c->v->n + 1, sizeof(*c->offsets));
    if (!room || !c->heaps || !c->offsets) {
        return eval_no_memory(e);
    }
    for (size_t s = 0; s < c->v->n && c->n->aggregate == AGG_LIMIT_RATIO; s++) {
        c->offsets[s] = ratio_offset(c->v->s[s].labels);
    }
    for (size_t s = 0; s < c->v->n; s++) {
        c->heaps[c->g->of[s]].n++;
    }
    for (size_t g = 0; g < c->g->n; g++) {
        c->heaps[g].p = room;
        c->heaps[g].falling = c->n->aggregate == AGG_BOTTOMK;
        room += c->heaps[g].n;
    }
    return ERR_OK;
}

/* An instant answer, in order. */
static enum err list_chosen(struct eval *e, const struct choice *c, struct value *out)
{
    bool ranked = c->n->aggregate == AGG_TOPK || c->n->aggregate == AGG_BOTTOMK;
    out->s = arena_array(e->a, c->v->n + 1, sizeof(*out->s));
    if (!out->s) {
        return eval_no_memory(e);
    }
    for (size_t g = 0; g < c->g->n; g++) {
        struct heap *h = &c->heaps[g];
        if (ranked) {
            sort_heap(h);
        }
        for (size_t i = 0; i < h->n; i++) {
            out->s[out->n++] = c->v->s[h->p[i].index];
        }
    }
    out->cap = c->v->n + 1;
    return ERR_OK;
}

enum err choose_elements(struct eval *e, const struct node *n, struct value *v, const struct grouping *g,
                         const double *param, struct value *out)
{
    struct choice c = {.n = n, .v = v, .g = g};
    bool none;
    enum err err = check_parameter(e, n, param, &none);
    if (err || none || v->n == 0) {
        return err;
    }
    err = heaps_init(e, &c);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < e->steps; i++) {
        choose_at(e, &c, i, param[i]);
        if (e->single) {
            return list_chosen(e, &c, out);
        }
        for (size_t s = 0; s < v->n; s++) {
            v->s[s].has[i] = 0;
        }
        for (size_t group = 0; group < g->n; group++) {
            for (size_t p = 0; p < c.heaps[group].n; p++) {
                v->s[c.heaps[group].p[p].index].has[i] = 1;
            }
        }
        if (i % 64 == 0 && (err = query_ctx_check(e->q, e->info))) {
            return err;
        }
    }
    *out = *v;
    value_drop_empty(e, out);
    return ERR_OK;
}
