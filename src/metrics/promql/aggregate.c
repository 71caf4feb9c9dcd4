/* Aggregations: series into groups, then one pass over the series. Those that choose among elements are in
 * choose.c. */
#include <math.h>
#include <stdlib.h>

#include "codec/num.h"
#include "metrics/promql/eval.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/kahan.h"
#include "metrics/promql/quantile.h"
#include "metrics/promql/rows.h"
#include "metrics/promql/stream.h"
#include "metrics/promql/vector_fns.h"

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

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The labels of by or without, sorted, and one more unless it is empty. */
static enum err group_names(struct eval *e, const struct node *n, struct str more, struct str **ret_names,
                            size_t *ret_n)
{
    struct str *names = arena_array(e->a, n->name_count + 1, sizeof(*names));
    size_t count = n->name_count;
    if (!names) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = n->names[i];
    }
    if (more.n) {
        names[count++] = more;
    }
    qsort(names, count, sizeof(*names), compare_str);
    *ret_names = names;
    *ret_n = count;
    return ERR_OK;
}

static enum err group_labels(struct eval *e, const struct node *n, const struct str *names, size_t name_count,
                             struct labels ls, struct labels *out)
{
    struct str name = LABEL_METRIC_NAME;
    enum err err = n->without ? labels_drop(e->a, ls, names, name_count, out)
                              : labels_keep(e->a, ls, names, name_count, out);
    if (!err && n->without) {
        err = labels_drop(e->a, *out, &name, 1, out);
    }
    return err ? eval_no_memory(e) : ERR_OK;
}

/* Numbers groups by their first series: keys are sorted by hash and index. */
static enum err number_groups(struct eval *e, const struct group_key *keys, size_t n, struct grouping *g)
{
    uint32_t *first = arena_array(e->a, n + 1, sizeof(*first));
    if (!first) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < n; i++) {
        bool same = i && keys[i].hash == keys[i - 1].hash;
        first[keys[i].index] = same ? first[keys[i - 1].index] : keys[i].index;
    }
    for (size_t i = 0; i < n; i++) {
        g->of[i] = first[i] == i ? (uint32_t)g->n : g->of[first[i]];
        g->n += first[i] == i;
    }
    return ERR_OK;
}

static enum err group_series(struct eval *e, const struct node *n, const struct value *v, struct grouping *g)
{
    struct group_key *keys = arena_array(e->a, v->n + 1, sizeof(*keys));
    struct str *names = NULL;
    size_t name_count = 0, seen = 0;
    *g = (struct grouping){.of = arena_array(e->a, v->n + 1, sizeof(*g->of)),
                           .keys = arena_array(e->a, v->n + 1, sizeof(*g->keys))};
    if (!keys || !g->of || !g->keys) {
        return eval_no_memory(e);
    }
    enum err err = group_names(e, n, STR(""), &names, &name_count);
    for (size_t i = 0; i < v->n && !err; i++) {
        struct labels ls = v->s[i].labels;
        uint64_t hash = n->without   ? labels_hash_without(ls, names, name_count)
                        : name_count ? labels_hash_by(ls, names, name_count)
                                     : 0;
        keys[i] = (struct group_key){hash, (uint32_t)i};
    }
    if (err) {
        return err;
    }
    qsort(keys, v->n, sizeof(*keys), compare_keys);
    err = number_groups(e, keys, v->n, g);
    for (size_t i = 0; i < v->n && !err; i++) {
        if (g->of[i] == seen) {
            err = group_labels(e, n, names, name_count, v->s[i].labels, &g->keys[seen++]);
        }
    }
    return err;
}

/* -- one pass -------------------------------------------------------------------------------------------- */

struct accumulator {
    struct kahan_mean mean; /* sum and avg */
    double value, center, n;
    struct histogram_group *histograms; /* sum and avg: NULL until there is one */
    bool floats;                        /* there was one */
    bool mixed;                         /* a histogram came after floats: it is not even looked at */
};

static void accumulate(enum aggregate_op op, struct accumulator *a, double v)
{
    bool first = a->n == 0;
    double delta;
    a->n += 1;
    a->floats = true;
    switch ((int)op) {
    case AGG_SUM:
        if (first) {
            a->mean.k.sum = v;
        } else {
            kahan_add(&a->mean.k, v);
        }
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
        return a->mean.k.sum + a->mean.k.c;
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

/* A row for each group; drops_name as any of its series says. */
static enum err group_rows(struct eval *e, const struct value *v, const struct grouping *g, struct value *out)
{
    for (size_t group = 0; group < g->n; group++) {
        struct series *s = NULL;
        enum err err = value_add(e, out, g->keys[group], &s);
        if (err) {
            return err;
        }
    }
    for (size_t k = 0; k < v->n; k++) {
        out->s[g->of[k]].drops_name |= v->s[k].drops_name;
    }
    return ERR_OK;
}

/* A histogram in a group: summed, counted, or ignored. */
static enum err accumulate_histogram(struct eval *e, const struct node *n, struct accumulator *a,
                                     const struct series *s, size_t i)
{
    switch ((int)n->aggregate) {
    case AGG_COUNT:
    case AGG_GROUP:
        a->n += 1;
        return ERR_OK;
    case AGG_SUM:
    case AGG_AVG:
        a->n += 1;
        a->mixed |= a->floats && !a->histograms;
        if (a->mixed) {
            return ERR_OK;
        }
        return histogram_group_add(e, n, &a->histograms, s->h[i], a->n, metric_name(s->labels));
    default:
        note_histogram_ignored(e, n);
        return ERR_OK;
    }
}

static enum err accumulate_series(struct eval *e, const struct node *n, struct accumulator *row,
                                  const struct series *s)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < e->steps && !err; i++) {
        if (!s->has[i] || histogram_group_spoilt(row[i].histograms)) {
            continue;
        }
        if (s->h && s->h[i]) {
            err = accumulate_histogram(e, n, &row[i], s, i);
        } else {
            accumulate(n->aggregate, &row[i], s->v[i]);
        }
    }
    return err;
}

/* The group's result at step i. */
static enum err finish_point(struct eval *e, const struct node *n, const struct accumulator *a,
                             struct series *s, size_t i)
{
    struct point p = {0};
    if (a->n == 0) {
        return ERR_OK;
    }
    if (a->mixed || (a->histograms && a->floats)) {
        note(e, true, n->args[0]->pos, "encountered a mix of histograms and floats for aggregation");
        return ERR_OK;
    }
    if (!a->histograms) {
        p.v = finish(n->aggregate, a);
        return series_put(e, s, i, p);
    }
    enum err err = histogram_group_value(e, n, a->histograms, a->n, &p.h);
    return err || !p.h ? err : series_put(e, s, i, p);
}

static enum err fold(struct eval *e, const struct node *n, const struct value *v, const struct grouping *g,
                     struct value *out)
{
    struct accumulator *acc = arena_zarray(e->a, g->n * e->steps + 1, sizeof(*acc));
    enum err err = acc ? group_rows(e, v, g, out) : eval_no_memory(e);
    if (err) {
        return err;
    }
    for (size_t k = 0; k < v->n && !err; k++) {
        err = accumulate_series(e, n, acc + (size_t)g->of[k] * e->steps, &v->s[k]);
    }
    for (size_t group = 0; group < g->n && !err; group++) {
        for (size_t i = 0; i < e->steps && !err; i++) {
            err = finish_point(e, n, &acc[group * e->steps + i], &out->s[group], i);
        }
    }
    return err;
}

static bool any_histograms(const struct value *v)
{
    bool any = false;
    for (size_t k = 0; k < v->n; k++) {
        any |= v->s[k].h != NULL;
    }
    return any;
}

/* The same over whole columns, of floats. */
static enum err fold_columns(struct eval *e, const struct node *n, const struct value *v,
                             const struct grouping *g, struct value *out)
{
    struct stream_group *groups = arena_zarray(e->a, g->n + 1, sizeof(*groups));
    bool *drops = arena_zarray(e->a, g->n + 1, sizeof(*drops));
    enum err err = groups && drops ? ERR_OK : eval_no_memory(e);
    for (size_t i = 0; i < g->n && !err; i++) {
        groups[i].labels = g->keys[i];
        err = stream_group_init(e, n->aggregate, &groups[i]);
    }
    for (size_t k = 0; k < v->n && !err; k++) {
        stream_group_fold(e, n->aggregate, &groups[g->of[k]], v->s[k].v, v->s[k].has);
        drops[g->of[k]] |= v->s[k].drops_name;
    }
    for (size_t i = 0; i < g->n && !err; i++) {
        struct series row = {0};
        err = stream_group_finish(e, n->aggregate, &groups[i], &row);
        row.drops_name = drops[i];
        err = err ? err : value_push(e, out, &row);
    }
    return err;
}

/* -- quantile -------------------------------------------------------------------------------------------- */

static void check_quantile(struct eval *e, const struct node *n, const double *q)
{
    double low = q[0], high = q[0];
    bool nan = false;
    for (size_t i = 0; i < e->steps; i++) {
        nan |= isnan(q[i]);
        low = q[i] < low ? q[i] : low;
        high = q[i] > high ? q[i] : high;
    }
    if (nan) {
        note_bad_quantile(e, n->param->pos, (double)NAN);
    }
    if (high > 1) {
        note_bad_quantile(e, n->param->pos, high);
    }
    if (low < 0) {
        note_bad_quantile(e, n->param->pos, low);
    }
}

/* Series of each group together: order[start[g]..start[g+1]). */
static enum err by_group(struct eval *e, const struct value *v, const struct grouping *g,
                         uint32_t **ret_order, uint32_t **ret_start)
{
    uint32_t *order = arena_array(e->a, v->n + 1, sizeof(*order));
    uint32_t *start = arena_zarray(e->a, g->n + 2, sizeof(*start));
    if (!order || !start) {
        return eval_no_memory(e);
    }
    for (size_t k = 0; k < v->n; k++) {
        start[g->of[k] + 2]++;
    }
    for (size_t i = 2; i < g->n + 2; i++) {
        start[i] += start[i - 1];
    }
    for (size_t k = 0; k < v->n; k++) {
        order[start[g->of[k] + 1]++] = (uint32_t)k;
    }
    *ret_order = order;
    *ret_start = start;
    return ERR_OK;
}

static enum err quantiles(struct eval *e, const struct node *n, const struct value *v,
                          const struct grouping *g, const double *param, struct value *out)
{
    double *values = arena_array(e->a, v->n + 1, sizeof(*values));
    uint32_t *order = NULL, *start = NULL;
    enum err err = values ? by_group(e, v, g, &order, &start) : eval_no_memory(e);
    err = err ? err : group_rows(e, v, g, out);
    if (err) {
        return err;
    }
    check_quantile(e, n, param);
    for (size_t group = 0; group < g->n; group++) {
        struct series *s = &out->s[group];
        for (size_t i = 0; i < e->steps; i++) {
            size_t count = 0;
            for (uint32_t k = start[group]; k < start[group + 1]; k++) {
                const struct series *one = &v->s[order[k]];
                if (one->has[i] && one->h && one->h[i]) {
                    note_histogram_ignored(e, n);
                } else if (one->has[i]) {
                    values[count++] = one->v[i];
                }
            }
            s->has[i] = count > 0;
            if (count && !quantile_of(param[i], values, count, &s->v[i])) {
                return eval_no_memory(e);
            }
        }
        err = query_ctx_check(e->q, e->info);
        if (err) {
            return err;
        }
    }
    return ERR_OK;
}

/* -- count_values ---------------------------------------------------------------------------------------- */

/* Rows by their labels: open addressing, twice as many places as rows. */
struct row_table {
    uint32_t *slots;
    size_t mask;
};

static enum err table_grow(struct eval *e, struct row_table *t, const struct value *out)
{
    size_t size = 64;
    while (size < (out->n + 1) * 4) {
        size *= 2;
    }
    t->slots = arena_array(e->a, size, sizeof(*t->slots));
    t->mask = size - 1;
    if (!t->slots) {
        return eval_no_memory(e);
    }
    memset(t->slots, 0xff, size * sizeof(*t->slots));
    for (size_t k = 0; k < out->n; k++) {
        size_t at = labels_hash(out->s[k].labels) & t->mask;
        while (t->slots[at] != UINT32_MAX) {
            at = (at + 1) & t->mask;
        }
        t->slots[at] = (uint32_t)k;
    }
    return ERR_OK;
}

static enum err table_row(struct eval *e, struct row_table *t, struct value *out, struct labels ls,
                          struct series **ret_row)
{
    if (!t->slots || (out->n + 1) * 2 > t->mask) {
        enum err err = table_grow(e, t, out);
        if (err) {
            return err;
        }
    }
    size_t at = labels_hash(ls) & t->mask;
    for (; t->slots[at] != UINT32_MAX; at = (at + 1) & t->mask) {
        if (labels_eq(out->s[t->slots[at]].labels, ls)) {
            *ret_row = &out->s[t->slots[at]];
            return ERR_OK;
        }
    }
    t->slots[at] = (uint32_t)out->n;
    return value_add(e, out, ls, ret_row);
}

/* What count_values writes for an element. */
static struct str value_text(struct eval *e, struct point p)
{
    char text[NUM_F64_BYTES_MAX];
    if (p.h) {
        struct buf b AUTO_BUF = {0};
        histogram_text(&b, p.h);
        return b.err ? (struct str){0} : arena_str(e->a, buf_view(&b));
    }
    return arena_str(e->a, str_of(text, num_f64_format(text, p.v, 'f')));
}

static enum err count_values(struct eval *e, const struct node *n, const struct value *v, struct str label,
                             struct value *out)
{
    struct row_table t = {0};
    struct str *names = NULL;
    size_t name_count = 0;
    enum err err = group_names(e, n, n->without ? STR("") : label, &names, &name_count);
    for (size_t k = 0; k < v->n && !err; k++) {
        struct series *s = NULL;
        for (size_t i = 0; i < e->steps && !err; i++) {
            struct labels ls;
            const double *x = &v->s[k].v[i];
            bool again = s && i && v->s[k].has[i - 1] && !v->s[k].h && *x == x[-1] &&
                         signbit(*x) == signbit(x[-1]); /* 0 is not -0 */
            if (!v->s[k].has[i]) {
                continue;
            }
            if (!again) {
                struct point p = {v->s[k].v[i], v->s[k].h ? v->s[k].h[i] : NULL};
                struct str shown = value_text(e, p);
                if (!shown.p || labels_with(e->a, v->s[k].labels, label, shown, &ls)) {
                    return eval_no_memory(e);
                }
                err = group_labels(e, n, names, name_count, ls, &ls);
                err = err ? err : table_row(e, &t, out, ls, &s);
            }
            if (!err) {
                s->v[i] = s->has[i] ? s->v[i] + 1 : 1;
                s->has[i] = 1;
            }
        }
    }
    return err;
}

static enum err eval_count_values(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct value v = {0};
    struct buf shown AUTO_BUF = {0};
    struct str label = n->param->string;
    if (label.n == 0 || !str_utf8_valid(label)) {
        return err_set(e->info, ERR_EXECUTION, "invalid label name %.*s", STR_FMT(quoted(&shown, label)));
    }
    enum err err = eval_node(e, n->args[0], &v);
    if (err) {
        return err;
    }
    *ret_value = (struct value){.type = TYPE_VECTOR};
    return count_values(e, n, &v, label, ret_value);
}

static enum err streamed(struct eval *e, const struct node *n, struct value *ret_value, bool *ret_done)
{
    struct str *names = NULL;
    size_t count = 0;
    *ret_value = (struct value){.type = TYPE_VECTOR};
    enum err err = group_names(e, n, STR(""), &names, &count);
    return err ? err : stream_aggregate(e, n, names, count, ret_value, ret_done);
}

enum err eval_aggregate(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct value v = {0}, param = {0};
    struct grouping g;
    if (n->aggregate == AGG_COUNT_VALUES) {
        return eval_count_values(e, n, ret_value);
    }
    if (stream_applies(e, n)) {
        bool done = false;
        enum err err = streamed(e, n, ret_value, &done);
        if (err || done) {
            return err;
        }
    }
    enum err err = n->param ? eval_node(e, n->param, &param) : ERR_OK;
    err = err ? err : eval_node(e, n->args[0], &v);
    if (err) {
        return err;
    }
    value_drop_empty(e, &v);
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
        return choose_elements(e, n, &v, &g, param.scalar, ret_value);
    case AGG_QUANTILE:
        return quantiles(e, n, &v, &g, param.scalar, ret_value);
    default:
        if (!e->options->plain && n->aggregate <= AGG_GROUP && !any_histograms(&v)) {
            return fold_columns(e, n, &v, &g, ret_value);
        }
        return fold(e, n, &v, &g, ret_value);
    }
}
