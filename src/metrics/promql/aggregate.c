/* Aggregations: series into groups, then one pass over the series, or a choice within each group. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/num.h"
#include "metrics/promql/eval.h"
#include "metrics/promql/kahan.h"
#include "metrics/promql/quantile.h"

struct grouping {
    uint32_t *of;        /* group of each series */
    struct labels *keys; /* of each group */
    size_t n;
};

struct group_key {
    uint64_t hash;
    uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct group_key *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash)
                              : (x->index > y->index) - (x->index < y->index);
}

static enum err group_labels(struct eval *e, const struct node *n, struct labels ls, struct labels *out)
{
    enum err err = n->without ? labels_drop(e->a, ls, n->names, n->name_count, out)
                              : labels_keep(e->a, ls, n->names, n->name_count, out);
    if (!err && n->without) {
        err = drop_name(e, *out, out);
    }
    return err ? eval_no_memory(e) : ERR_OK;
}

/* Groups are numbered by their first series. */
static enum err group_series(struct eval *e, const struct node *n, const struct value *v, struct grouping *g)
{
    struct group_key *keys = arena_array(e->a, v->n + 1, sizeof(*keys));
    uint32_t *first = arena_array(e->a, v->n + 1, sizeof(*first));
    *g = (struct grouping){.of = arena_array(e->a, v->n + 1, sizeof(*g->of)),
                           .keys = arena_array(e->a, v->n + 1, sizeof(*g->keys))};
    if (!keys || !first || !g->of || !g->keys) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < v->n; i++) {
        uint64_t h = n->without ? labels_hash_without(v->s[i].labels, n->names, n->name_count)
                                : labels_hash_by(v->s[i].labels, n->names, n->name_count);
        keys[i] = (struct group_key){h, (uint32_t)i};
    }
    qsort(keys, v->n, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < v->n; i++) {
        bool same = i && keys[i].hash == keys[i - 1].hash;
        first[keys[i].index] = same ? first[keys[i - 1].index] : keys[i].index;
    }
    enum err err = ERR_OK;
    for (size_t i = 0; i < v->n && !err; i++) {
        if (first[i] == i) {
            err = group_labels(e, n, v->s[i].labels, &g->keys[g->n]);
            g->of[i] = (uint32_t)g->n++;
        } else {
            g->of[i] = g->of[first[i]];
        }
    }
    return err;
}

/* -- one pass -------------------------------------------------------------------------------------------- */

struct accumulator {
    struct kahan_mean mean; /* sum and avg */
    double value, center, n;
};

static void accumulate(enum aggregate_op op, struct accumulator *a, double v)
{
    bool first = a->n == 0;
    double delta;
    a->n += 1;
    switch ((int)op) {
    case AGG_SUM:
        kahan_add(&a->mean.k, v);
        break;
    case AGG_AVG:
        kahan_mean_add(&a->mean, v);
        break;
    case AGG_MIN:
        a->value = first || v < a->value || isnan(a->value) ? v : a->value;
        break;
    case AGG_MAX:
        a->value = first || v > a->value || isnan(a->value) ? v : a->value;
        break;
    case AGG_STDDEV:
    case AGG_STDVAR:
        if (first) {
            a->center = v;
            a->value = isfinite(v) ? 0 : (double)NAN;
            break;
        }
        delta = v - a->center;
        a->center += delta / a->n;
        a->value += delta * (v - a->center);
        break;
    default: /* count and group need only n */
        break;
    }
}

static double finish(enum aggregate_op op, const struct accumulator *a)
{
    switch ((int)op) {
    case AGG_SUM:
        return kahan_sum(&a->mean.k);
    case AGG_AVG:
        return kahan_mean(&a->mean);
    case AGG_COUNT:
        return a->n;
    case AGG_GROUP:
        return 1;
    case AGG_STDDEV:
        return sqrt(a->value / a->n);
    case AGG_STDVAR:
        return a->value / a->n;
    default:
        return a->value;
    }
}

static enum err fold(struct eval *e, const struct node *n, const struct value *v, const struct grouping *g,
                     struct value *out)
{
    struct accumulator *acc = arena_zarray(e->a, g->n * e->steps + 1, sizeof(*acc));
    if (!acc) {
        return eval_no_memory(e);
    }
    for (size_t k = 0; k < v->n; k++) {
        struct accumulator *row = acc + (size_t)g->of[k] * e->steps;
        for (size_t i = 0; i < e->steps; i++) {
            if (v->s[k].has[i]) {
                accumulate(n->aggregate, &row[i], v->s[k].v[i]);
            }
        }
    }
    for (size_t group = 0; group < g->n; group++) {
        struct series *s;
        enum err err = value_add(e, out, g->keys[group], &s);
        if (err) {
            return err;
        }
        for (size_t i = 0; i < e->steps; i++) {
            const struct accumulator *a = &acc[group * e->steps + i];
            s->has[i] = a->n > 0;
            s->v[i] = a->n > 0 ? finish(n->aggregate, a) : 0;
        }
    }
    return ERR_OK;
}

/* -- a choice within groups ------------------------------------------------------------------------------ */

struct pick {
    double v;
    uint32_t index, group;
};

/* Groups together, the best first; NaN last. */
static int compare_top(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    if (x->group != y->group) {
        return (x->group > y->group) - (x->group < y->group);
    }
    if (isnan(x->v) || isnan(y->v)) {
        int c = isnan(x->v) - isnan(y->v);
        return c ? c : (x->index > y->index) - (x->index < y->index);
    }
    int c = (x->v < y->v) - (x->v > y->v);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static int compare_bottom(const void *a, const void *b)
{
    struct pick x = *(const struct pick *)a, y = *(const struct pick *)b;
    x.v = -x.v;
    y.v = -y.v;
    return compare_top(&x, &y);
}

static int compare_arrival(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    int c = (x->group > y->group) - (x->group < y->group);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static enum err bad_parameter(struct eval *e, double p)
{
    char text[NUM_F64_BYTES_MAX];
    size_t n = num_f64_format(text, p, 'g');
    return err_set(e->info, ERR_EXECUTION, "Parameter value is %s%.*s",
                   isnan(p) ? ""
                   : p > 0  ? "overflowing: "
                            : "underflowing: ",
                   (int)n, text);
}

static bool ratio_keeps(double ratio, struct labels ls)
{
    double at = (double)labels_hash(ls) / 18446744073709551615.0;
    return (ratio >= 0 && at < ratio) || (ratio < 0 && at >= 1 + ratio);
}

/* Chosen elements keep their presence, the others lose it. */
static enum err choose(struct eval *e, const struct node *n, struct value *v, const struct grouping *g,
                       const double *param, struct value *out)
{
    struct pick *picks = arena_array(e->a, v->n + 1, sizeof(*picks));
    uint32_t *order = arena_array(e->a, v->n + 1, sizeof(*order));
    size_t count = 0;
    if (!picks || !order) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        double k = param[i];
        count = 0;
        if (n->aggregate != AGG_LIMIT_RATIO && (isnan(k) || k >= 9.2e18 || k <= -9.2e18)) {
            return bad_parameter(e, k);
        }
        for (size_t s = 0; s < v->n; s++) {
            if (v->s[s].has[i]) {
                picks[count++] = (struct pick){v->s[s].v[i], (uint32_t)s, g->of[s]};
            }
        }
        qsort(picks, count, sizeof(*picks),
              n->aggregate == AGG_TOPK      ? compare_top
              : n->aggregate == AGG_BOTTOMK ? compare_bottom
                                            : compare_arrival);
        size_t in_group = 0, kept = 0;
        for (size_t p = 0; p < count; p++) {
            in_group = p && picks[p].group == picks[p - 1].group ? in_group + 1 : 1;
            bool keep = n->aggregate == AGG_LIMIT_RATIO ? ratio_keeps(k, v->s[picks[p].index].labels)
                                                        : (double)in_group <= trunc(k);
            v->s[picks[p].index].has[i] = keep;
            if (keep) {
                order[kept++] = picks[p].index;
            }
        }
        count = kept;
    }
    if (e->instant && e->steps == 1) {
        out->s = arena_array(e->a, count + 1, sizeof(*out->s));
        if (!out->s) {
            return eval_no_memory(e);
        }
        for (size_t p = 0; p < count; p++) {
            out->s[p] = v->s[order[p]];
        }
        out->n = out->cap = count;
        out->ordered = n->aggregate == AGG_TOPK || n->aggregate == AGG_BOTTOMK;
        return ERR_OK;
    }
    *out = *v;
    return ERR_OK;
}

static enum err quantiles(struct eval *e, const struct node *n, const struct value *v,
                          const struct grouping *g, const double *param, struct value *out)
{
    double *values = arena_array(e->a, v->n + 1, sizeof(*values));
    if (!values) {
        return eval_no_memory(e);
    }
    for (size_t group = 0; group < g->n; group++) {
        struct series *s;
        enum err err = value_add(e, out, g->keys[group], &s);
        for (size_t i = 0; i < e->steps && !err; i++) {
            size_t count = 0;
            for (size_t k = 0; k < v->n; k++) {
                if (g->of[k] == group && v->s[k].has[i]) {
                    values[count++] = v->s[k].v[i];
                }
            }
            if (count == 0) {
                continue;
            }
            s->has[i] = 1;
            if (!quantile_of(param[i], values, count, &s->v[i])) {
                return eval_no_memory(e);
            }
            if (isnan(param[i]) || param[i] < 0 || param[i] > 1) {
                err = note(e, true, n->param, "quantile value should be between 0 and 1, got %g", param[i]);
            }
        }
        if (err) {
            return err;
        }
    }
    return ERR_OK;
}

/* A series for each distinct value; equal ones are found again by their labels in value_merge's manner. */
static enum err count_values(struct eval *e, const struct node *n, const struct value *v,
                             const struct grouping *g, struct str label, struct value *out)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < e->steps && !err; i++) {
        for (size_t k = 0; k < v->n && !err; k++) {
            char text[NUM_F64_BYTES_MAX];
            struct labels ls;
            if (!v->s[k].has[i]) {
                continue;
            }
            struct str shown = arena_str(e->a, str_of(text, num_f64_format(text, v->s[k].v[i], 'f')));
            if (!shown.p || labels_with(e->a, g->keys[g->of[k]], label, shown, &ls)) {
                return eval_no_memory(e);
            }
            struct series *s = NULL;
            for (size_t o = 0; o < out->n && !s; o++) {
                s = labels_eq(out->s[o].labels, ls) ? &out->s[o] : NULL;
            }
            err = s ? ERR_OK : value_add(e, out, ls, &s);
            if (!err) {
                s->v[i] = s->has[i] ? s->v[i] + 1 : 1;
                s->has[i] = 1;
            }
        }
    }
    (void)n;
    return err;
}

enum err eval_aggregate(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct value v, param = {0};
    struct grouping g;
    enum err err = n->param ? eval_node(e, n->param, &param) : ERR_OK;
    err = err ? err : eval_node(e, n->args[0], &v);
    if (err) {
        return err;
    }
    value_drop_histograms(e, &v);
    err = group_series(e, n, &v, &g);
    if (err) {
        return err;
    }
    *ret_value = (struct value){.type = TYPE_VECTOR};
    switch ((int)n->aggregate) {
    case AGG_TOPK:
    case AGG_BOTTOMK:
    case AGG_LIMITK:
    case AGG_LIMIT_RATIO:
        return choose(e, n, &v, &g, param.scalar, ret_value);
    case AGG_QUANTILE:
        return quantiles(e, n, &v, &g, param.scalar, ret_value);
    case AGG_COUNT_VALUES:
        if (!str_utf8_valid(param.string) || param.string.n == 0) {
            return err_set(e->info, ERR_EXECUTION, "invalid label name \"%.*s\"", STR_FMT(param.string));
        }
        return count_values(e, n, &v, &g, param.string, ret_value);
    default:
        return fold(e, n, &v, &g, ret_value);
    }
}
