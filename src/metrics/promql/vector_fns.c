/* Functions of whole values: scalars, rounding, absence. */
#include "metrics/promql/vector_fns.h"

#include <math.h>

#include "metrics/promql/functions.h"
#include "metrics/promql/go_math.h"

/* -- scalars --------------------------------------------------------------------------------------------- */

enum err call_time(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = scalar_new(e, v);
    (void)n;
    for (size_t i = 0; i < e->steps && !err; i++) {
        v->scalar[i] = (double)step_time(e, i) / 1000;
    }
    return err;
}

enum err call_pi(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = scalar_new(e, v);
    (void)n;
    for (size_t i = 0; i < e->steps && !err; i++) {
        v->scalar[i] = M_PI;
    }
    return err;
}

static enum err of_two(struct eval *e, const struct node *n, struct value *v, double (*fn)(double, double))
{
    struct value a = {0}, b = {0};
    enum err err = eval_node(e, n->args[0], &a);
    err = err ? err : eval_node(e, n->args[1], &b);
    err = err ? err : scalar_new(e, v);
    for (size_t i = 0; i < e->steps && !err; i++) {
        v->scalar[i] = fn(a.scalar[i], b.scalar[i]);
    }
    return err;
}

enum err call_max_of(struct eval *e, const struct node *n, struct value *v)
{
    return of_two(e, n, v, go_max);
}

enum err call_min_of(struct eval *e, const struct node *n, struct value *v)
{
    return of_two(e, n, v, go_min);
}

enum err call_scalar(struct eval *e, const struct node *n, struct value *v)
{
    struct value in = {0};
    enum err err = eval_node(e, n->args[0], &in);
    if (err) {
        return err;
    }
    value_drop_histograms(e, &in);
    err = scalar_new(e, v);
    for (size_t i = 0; i < e->steps && !err; i++) {
        size_t found = 0;
        v->scalar[i] = (double)NAN;
        for (size_t k = 0; k < in.n; k++) {
            if (in.s[k].has[i]) {
                v->scalar[i] = found++ ? (double)NAN : in.s[k].v[i];
            }
        }
    }
    return err;
}

enum err call_vector(struct eval *e, const struct node *n, struct value *v)
{
    struct value in = {0};
    struct series *s = NULL;
    enum err err = eval_node(e, n->args[0], &in);
    *v = (struct value){.type = TYPE_VECTOR};
    err = err ? err : value_add(e, v, (struct labels){0}, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        s->v[i] = in.scalar[i];
        s->has[i] = 1;
    }
    return err;
}

static enum err drop_names(struct eval *e, struct value *v)
{
    enum err err = ERR_OK;
    for (size_t k = 0; k < v->n && !err; k++) {
        err = series_drop_name(e, &v->s[k]);
    }
    return err ? err : value_merge_now(e, v);
}

enum err call_timestamp(struct eval *e, const struct node *n, struct value *v)
{
    const struct node *arg = n->args[0];
    bool own = arg->kind == N_SELECTOR;
    uint64_t held = e->usage->current, peak = e->usage->peak;
    enum err err = own ? eval_selector(e, arg, SELECT_TIME, v) : eval_node(e, arg, v);
    if (own && !err) { /* the original goes step by step, and holds a step's elements only */
        e->usage->current = held;
        e->usage->peak = peak;
        e->usage->gathered += value_last(e, v);
        usage_gather(e, v);
    }
    for (size_t k = 0; !err && k < v->n && !own; k++) {
        v->s[k].h = NULL;
        for (size_t i = 0; i < e->steps; i++) {
            v->s[k].v[i] = (double)step_time(e, i) / 1000;
        }
    }
    return err ? err : drop_names(e, v);
}

/* Of a plain selector only, and only when start times are in use. */
enum err call_start_timestamp(struct eval *e, const struct node *n, struct value *v)
{
    const struct node *arg = n->args[0];
    bool own = arg->kind == N_SELECTOR && e->options->start_times;
    enum err err = own ? eval_selector(e, arg, SELECT_START_TIME, v) : eval_node(e, arg, v);
    if (!err && !own) {
        *v = (struct value){.type = TYPE_VECTOR};
    }
    return err ? err : drop_names(e, v);
}

/* -- clamps and rounding --------------------------------------------------------------------------------- */

static enum err clamp(struct eval *e, const struct node *n, struct value *v, const struct node *min,
                      const struct node *max)
{
    struct value low = {0}, high = {0};
    enum err err = eval_node(e, n->args[0], v);
    err = err || !min ? err : eval_node(e, min, &low);
    err = err || !max ? err : eval_node(e, max, &high);
    if (err) {
        return err;
    }
    value_drop_histograms(e, v);
    for (size_t k = 0; k < v->n; k++) {
        struct series *s = &v->s[k];
        for (size_t i = 0; i < e->steps; i++) {
            double a = min ? low.scalar[i] : -(double)INFINITY, b = max ? high.scalar[i] : (double)INFINITY;
            s->has[i] = s->has[i] && !(b < a);
            s->v[i] = s->has[i] ? go_max(a, go_min(b, s->v[i])) : 0;
        }
    }
    value_drop_empty(e, v);
    return drop_names(e, v);
}

enum err call_clamp(struct eval *e, const struct node *n, struct value *v)
{
    return clamp(e, n, v, n->args[1], n->args[2]);
}

enum err call_clamp_min(struct eval *e, const struct node *n, struct value *v)
{
    return clamp(e, n, v, n->args[1], NULL);
}

enum err call_clamp_max(struct eval *e, const struct node *n, struct value *v)
{
    return clamp(e, n, v, NULL, n->args[1]);
}

enum err call_round(struct eval *e, const struct node *n, struct value *v)
{
    struct value to = {0};
    enum err err = eval_node(e, n->args[0], v);
    err = err || n->arg_count < 2 ? err : eval_node(e, n->args[1], &to);
    if (err) {
        return err;
    }
    value_drop_histograms(e, v);
    for (size_t k = 0; k < v->n; k++) {
        struct series *s = &v->s[k];
        for (size_t i = 0; i < e->steps; i++) {
            double inverse = 1 / (to.scalar ? to.scalar[i] : 1);
            s->v[i] = s->has[i] ? floor(s->v[i] * inverse + 0.5) / inverse : 0;
        }
    }
    return drop_names(e, v);
}

/* -- absence --------------------------------------------------------------------------------------------- */

/* Whether the original's index subtracts what the matcher does not want, instead of intersecting. */
static bool subtracts(const struct node *n, const struct matcher *m)
{
    bool must_be_set = false;
    for (size_t i = 0; i < n->matcher_count && !must_be_set; i++) {
        must_be_set = str_eq(n->matchers[i].name, m->name) && !matcher_matches_empty(&n->matchers[i]);
    }
    return !must_be_set || ((m->op == MATCH_NEQ || m->op == MATCH_NRE) && matcher_matches_empty(m));
}

/* The selector's matchers as the original's index reorders them before absence is looked at. */
static enum err index_order(struct eval *e, const struct node *n, const struct matcher ***ret_list)
{
    const struct matcher **list = arena_array(e->a, n->matcher_count + 1, sizeof(const struct matcher *));
    size_t k = 0;
    for (int round = 0; list && round < 2; round++) {
        for (size_t i = 0; i < n->matcher_count; i++) {
            if (subtracts(n, &n->matchers[i]) == (round == 1)) {
                list[k++] = &n->matchers[i];
            }
        }
    }
    *ret_list = list;
    return list ? ERR_OK : eval_no_memory(e);
}

/* Labels that an = matcher names first, and that no later matcher names. */
static enum err absent_labels(struct eval *e, const struct node *arg, struct labels *ret_labels)
{
    const struct node *n = arg->kind == N_MATRIX ? arg->args[0] : arg;
    *ret_labels = (struct labels){0};
    const struct matcher **list = NULL;
    if (n->kind != N_SELECTOR) {
        return ERR_OK;
    }
    if (index_order(e, n, &list)) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < n->matcher_count; i++) {
        const struct matcher *m = list[i];
        bool seen = false;
        if (str_eq(m->name, LABEL_METRIC_NAME)) {
            continue;
        }
        for (size_t k = 0; k < i && !seen; k++) {
            seen = list[k]->op == MATCH_EQ && str_eq(list[k]->name, m->name);
        }
        struct str value = m->op == MATCH_EQ && !seen ? m->value : STR("");
        struct str name = arena_str(e->a, m->name), kept = arena_str(e->a, value);
        if (!name.p || !kept.p || labels_with(e->a, *ret_labels, name, kept, ret_labels)) {
            return eval_no_memory(e);
        }
    }
    return ERR_OK;
}

static enum err absence(struct eval *e, const struct node *n, const struct value *in, struct value *v)
{
    struct labels ls = {0};
    struct series *s = NULL;
    enum err err = absent_labels(e, n->args[0], &ls);
    *v = (struct value){.type = TYPE_VECTOR};
    err = err ? err : value_add(e, v, ls, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        bool any = false;
        for (size_t k = 0; k < in->n && !any; k++) {
            any = in->s[k].has[i];
        }
        s->has[i] = !any;
        s->v[i] = 1;
    }
    if (!err) {
        value_drop_empty(e, v);
    }
    return err;
}

enum err call_absent(struct eval *e, const struct node *n, struct value *v)
{
    struct value in = {0};
    enum err err = eval_node(e, n->args[0], &in);
    return err ? err : absence(e, n, &in, v);
}

static bool window_present(const struct window *w, struct point *ret_p)
{
    ret_p->v = 1;
    return w->n + w->histogram_count > 0;
}

enum err call_absent_over_time(struct eval *e, const struct node *n, struct value *v)
{
    struct value in = {0};
    struct range_use use = {.fn = window_present, .call = n, .keep_name = true, .histograms = true};
    enum err err = eval_range(e, n->args[0], &use, &in);
    return err ? err : absence(e, n, &in, v);
}
