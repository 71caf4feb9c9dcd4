/* The evaluator's driver: dispatch, literals, calls, unary operators, what is the same at every step. */
#include "metrics/promql/eval.h"

#include "metrics/model/histogram_arith.h"
#include "metrics/promql/functions.h"

const struct node *unparen(const struct node *n)
{
    while (n->kind == N_PAREN) {
        n = n->args[0];
    }
    return n;
}

static enum err eval_number(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = scalar_new(e, v);
    for (size_t i = 0; i < e->steps && !err; i++) {
        v->scalar[i] = n->number;
    }
    return err;
}

static enum err eval_unary(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = eval_node(e, n->args[0], v);
    if (err || n->number > 0) {
        return err;
    }
    if (v->type == TYPE_SCALAR) {
        for (size_t i = 0; i < e->steps; i++) {
            v->scalar[i] = -v->scalar[i];
        }
        return ERR_OK;
    }
    for (size_t k = 0; k < v->n && !err; k++) {
        struct series *s = &v->s[k];
        err = series_drop_name(e, s);
        for (size_t i = 0; i < e->steps && !err; i++) {
            s->v[i] = -s->v[i];
            if (s->has[i] && s->h && s->h[i] && histogram_scaled(e->a, s->h[i], -1, &s->h[i])) {
                err = eval_no_memory(e);
            }
        }
    }
    return err || e->options->delayed_name ? err : value_merge(e, v);
}

static enum err eval_math(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = eval_node(e, n->args[0], v);
    if (err) {
        return err;
    }
    value_drop_histograms(e, v);
    for (size_t k = 0; k < v->n && !err; k++) {
        err = series_drop_name(e, &v->s[k]);
        for (size_t i = 0; i < e->steps; i++) {
            if (v->s[k].has[i]) {
                v->s[k].v[i] = n->function->math(v->s[k].v[i]);
            }
        }
    }
    return err ? err : value_merge_now(e, v);
}

/* The scalar arguments stand around the range: quantile_over_time(q, m), predict_linear(m, t). */
static enum err eval_range_call(struct eval *e, const struct node *n, struct value *v)
{
    struct range_use use = {.fn = n->function->range,
                            .call = n,
                            .keep_name = n->function->keeps_name,
                            .histograms = n->function->histograms};
    const struct node *range = NULL;
    uint64_t before = e->usage->current;
    size_t scalars = 0;
    for (size_t i = 0; i < n->arg_count; i++) {
        if (n->args[i]->type == TYPE_MATRIX) {
            range = n->args[i];
            continue;
        }
        struct value s = {0};
        enum err err = eval_node(e, n->args[i], &s);
        if (err) {
            return err;
        }
        if (scalars < ARRAY_LEN(use.args)) {
            use.args[scalars++] = s.scalar;
        }
    }
    use.args_held = e->usage->current - before;
    return eval_range(e, range, &use, v);
}

static enum err dispatch(struct eval *e, const struct node *n, struct value *ret_value)
{
    switch (n->kind) {
    case N_NUMBER:
        return eval_number(e, n, ret_value);
    case N_STRING:
        *ret_value = (struct value){.type = TYPE_STRING, .string = n->string};
        return ERR_OK;
    case N_SELECTOR:
        return eval_selector(e, n, SELECT_VALUE, ret_value);
    case N_CALL:
        if (n->function->range) {
            return eval_range_call(e, n, ret_value);
        }
        return n->function->math ? eval_math(e, n, ret_value) : n->function->call(e, n, ret_value);
    case N_AGGREGATE:
        return eval_aggregate(e, n, ret_value);
    case N_BINARY:
        return eval_binary(e, n, ret_value);
    case N_UNARY:
        return eval_unary(e, n, ret_value);
    case N_PAREN:
        return eval_node(e, n->args[0], ret_value);
    case N_MATRIX:
    case N_SUBQUERY:
    case N_DURATION:
        break;
    }
    return err_set(e->info, ERR_EXECUTION, "a range vector cannot be evaluated here");
}

/* A value of one step becomes a value of all. */
static enum err spread(struct eval *e, struct value *v)
{
    if (v->type == TYPE_SCALAR) {
        struct value wide = {0};
        enum err err = scalar_new(e, &wide);
        for (size_t i = 0; i < e->steps && !err; i++) {
            wide.scalar[i] = v->scalar[0];
        }
        *v = err ? *v : wide;
        return err;
    }
    for (size_t k = 0; k < v->n; k++) {
        struct series *s = &v->s[k];
        struct point p = {s->v[0], s->h ? s->h[0] : NULL};
        bool has = s->has[0];
        s->v = arena_array(e->a, e->steps, sizeof(*s->v));
        s->has = arena_zarray(e->a, e->steps, sizeof(*s->has));
        s->h = NULL;
        if (!s->v || !s->has) {
            return eval_no_memory(e);
        }
        for (size_t i = 0; i < e->steps && has; i++) {
            enum err err = series_put(e, s, i, p);
            if (err) {
                return err;
            }
        }
    }
    return ERR_OK;
}

enum err eval_node(struct eval *e, const struct node *n, struct value *ret_value)
{
    return n->shared ? share_eval(e, n, ret_value) : eval_fresh(e, n, ret_value);
}

static bool takes_range(const struct node *n)
{
    bool takes = false;
    for (size_t i = 0; n->kind == N_CALL && i < n->arg_count; i++) {
        takes |= n->args[i]->type == TYPE_MATRIX;
    }
    return takes;
}

/* Evaluated step by step from whole operands: while the last step is, its elements are held once more. */
static bool gathers(const struct node *n)
{
    static const char *const not [] = {"label_replace", "label_join"};
    if (n->kind != N_CALL) {
        return n->kind == N_BINARY || (n->kind == N_AGGREGATE && n->aggregate == AGG_COUNT_VALUES);
    }
    bool does = !takes_range(n);
    for (size_t i = 0; i < ARRAY_LEN(not ); i++) {
        does &= !str_eq_c(str_c(n->function->name), not [i]);
    }
    return does;
}

static bool is_info(const struct node *n)
{
    return n->kind == N_CALL && str_eq_c(str_c(n->function->name), "info");
}

/* Goes on holding what its operand or its windows did, as the original's accounts have it. */
static bool passes_on(const struct node *n)
{
    switch (n->kind) {
    case N_UNARY:
    case N_PAREN:
        return true;
    case N_SELECTOR:
        return n->smoothed;
    case N_CALL:
        return !gathers(n);
    case N_NUMBER:
    case N_STRING:
    case N_AGGREGATE:
    case N_BINARY:
    case N_MATRIX:
    case N_SUBQUERY:
    case N_DURATION:
        break;
    }
    return false;
}

/* Counts what the evaluation held; then the operands are gone, and the value is held. */
static enum err hold(struct eval *e, const struct node *n, const struct value *v, uint64_t before)
{
    struct usage *u = e->usage;
    uint64_t points = value_points(e, v);
    enum err err = ERR_OK;
    if (gathers(n)) {
        err = u->gathered_at ? usage_peak_stepwise(e, v) : eval_peak(e, points + u->gathered);
    }
    if (passes_on(n)) {
        return err;
    }
    if (is_info(n)) { /* its operands are not let go */
        u->current += points;
        return err ? err : eval_peak(e, 0);
    }
    u->current = before;
    err = err ? err : eval_peak(e, points);
    u->current = before + points;
    return err;
}

/* Evaluates operands and operator; what was gathered of the operands is forgotten. */
static enum err eval_gathering(struct eval *e, const struct node *n, struct value *ret_value, uint64_t before)
{
    struct usage *u = e->usage;
    uint64_t *outer_at = u->gathered_at;
    u->gathered = 0;
    u->gathered_at = e->options->step_usage ? arena_zarray(e->a, e->steps, sizeof(*u->gathered_at)) : NULL;
    enum err err = e->options->step_usage && !u->gathered_at ? eval_no_memory(e) : ERR_OK;
    err = err ? err : dispatch(e, n, ret_value);
    err = err ? err : hold(e, n, ret_value, before);
    u->gathered_at = outer_at;
    return err;
}

static enum err eval_once(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct eval once = *e;
    uint64_t before = e->usage->current;
    once.steps = 1;
    once.single = true;
    struct usage_scope scope;
    enum err err = usage_enter(&once, &scope);
    err = err ? err : eval_gathering(&once, n, ret_value, before);
    struct usage counted = usage_leave(&once, &scope);
    e->usage->total += counted.total * (e->steps - 1); /* as if at each step */
    usage_repeat(e, counted.total, counted.read);
    uint64_t points = err ? 0 : value_points(&once, ret_value);
    err = err ? err : spread(e, ret_value);
    e->usage->current += err ? 0 : value_points(e, ret_value) - points;
    return err;
}

enum err eval_fresh(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct usage *u = e->usage;
    uint64_t before = u->current, gathered = u->gathered;
    enum err err = query_ctx_check(e->q, e->info);
    *ret_value = (struct value){0};
    if (err) {
        return err;
    }
    if (n->invariant && !e->single) {
        err = eval_once(e, n, ret_value);
        err = err ? err : eval_peak(e, 0);
    } else {
        err = eval_gathering(e, n, ret_value, before);
    }
    u->gathered = err ? 0 : gathered + value_last(e, ret_value);
    if (!err) {
        usage_gather(e, ret_value);
    }
    return err;
}
