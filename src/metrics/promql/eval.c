/* The evaluator's driver: dispatch, literals, calls, unary operators, shared helpers. */
#include "metrics/promql/eval.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "metrics/promql/functions.h"

enum {
    NOTES_MAX = 10
};

enum err eval_no_memory(struct eval *e)
{
    enum err why = arena_err(e->a);
    return err_set(e->info, why ? why : ERR_OOM,
                   "the query needs more memory than it may use: narrow the selection or enlarge the step");
}

enum err eval_charge(struct eval *e, uint64_t samples)
{
    e->notes->samples += samples;
    atomic_fetch_add_explicit(&e->q->samples, samples, memory_order_relaxed);
    if (e->q->samples_max && e->notes->samples > e->q->samples_max) {
        return err_set(e->info, ERR_EXECUTION,
                       "query processing would load too many samples into memory in query execution");
    }
    return query_ctx_check(e->q, e->info);
}

enum err note(struct eval *e, bool warning, const struct node *at, const char *fmt, ...)
{
    struct annotations *n = e->notes;
    struct str **list = warning ? &n->warnings : &n->infos;
    size_t *count = warning ? &n->warning_count : &n->info_count;
    size_t *cap = warning ? &n->warning_cap : &n->info_cap;
    char text[500];
    unsigned line = 1, col = 1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < at->pos && i < e->text.n; i++) {
        col = e->text.p[i] == '\n' ? 1 : col + 1;
        line += e->text.p[i] == '\n';
    }
    struct str s = arena_printf(e->a, "PromQL %s: %s (%u:%u)", warning ? "warning" : "info", text, line, col);
    if (!s.p) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < *count; i++) {
        if (str_eq((*list)[i], s)) {
            return ERR_OK;
        }
    }
    if (*count >= NOTES_MAX) {
        return ERR_OK;
    }
    enum err err = arena_reserve(e->a, (void **)list, cap, *count + 1, sizeof(**list));
    if (!err) {
        (*list)[(*count)++] = s;
    }
    return err;
}

/* -- values ---------------------------------------------------------------------------------------------- */

enum err value_add(struct eval *e, struct value *v, struct labels labels, struct series **ret_series)
{
    enum err err = arena_reserve(e->a, (void **)&v->s, &v->cap, v->n + 1, sizeof(*v->s));
    struct series s = {
        .labels = labels,
        .v = arena_array(e->a, e->steps, sizeof(*s.v)),
        .has = arena_zarray(e->a, e->steps, sizeof(*s.has)),
    };
    if (err || !s.v || !s.has) {
        return eval_no_memory(e);
    }
    v->s[v->n] = s;
    *ret_series = &v->s[v->n++];
    return ERR_OK;
}

static const void *keep(struct eval *e, const void *items, size_t n, size_t size)
{
    void *copy = arena_array(e->a, n + 1, size);
    if (copy && n) {
        memcpy(copy, items, n * size);
    }
    return copy;
}

const struct histogram *eval_keep_histogram(struct eval *e, const struct histogram *h)
{
    struct histogram *k = arena_alloc(e->a, sizeof(*k));
    if (!k) {
        return NULL;
    }
    *k = *h;
    k->positive_spans = keep(e, h->positive_spans, h->positive_span_count, sizeof(*h->positive_spans));
    k->negative_spans = keep(e, h->negative_spans, h->negative_span_count, sizeof(*h->negative_spans));
    k->positive = keep(e, h->positive, h->positive_count, sizeof(*h->positive));
    k->negative = keep(e, h->negative, h->negative_count, sizeof(*h->negative));
    k->custom_values = keep(e, h->custom_values, h->custom_value_count, sizeof(*h->custom_values));
    bool whole = k->positive_spans && k->negative_spans && k->positive && k->negative && k->custom_values;
    return whole ? k : NULL;
}

enum err series_put(struct eval *e, struct series *s, size_t i, struct point p)
{
    if (p.h && !s->h) {
        s->h = arena_zarray(e->a, e->steps, sizeof(*s->h));
        if (!s->h) {
            return eval_no_memory(e);
        }
    }
    if (s->h) {
        s->h[i] = p.h;
    }
    s->v[i] = p.v;
    s->has[i] = 1;
    return ERR_OK;
}

void value_drop_histograms(struct eval *e, struct value *v)
{
    for (size_t k = 0; k < v->n; k++) {
        struct series *s = &v->s[k];
        for (size_t i = 0; s->h && i < e->steps; i++) {
            s->has[i] = s->has[i] && !s->h[i];
        }
        s->h = NULL;
    }
}

enum err scalar_new(struct eval *e, struct value *v)
{
    *v = (struct value){.type = TYPE_SCALAR, .scalar = arena_array(e->a, e->steps, sizeof(double))};
    return v->scalar ? ERR_OK : eval_no_memory(e);
}

enum err drop_name(struct eval *e, struct labels ls, struct labels *ret_labels)
{
    struct str name = LABEL_METRIC_NAME;
    if (labels_get(ls, name).n == 0) {
        *ret_labels = ls;
        return ERR_OK;
    }
    return labels_drop(e->a, ls, &name, 1, ret_labels) ? eval_no_memory(e) : ERR_OK;
}

struct merge_key {
    uint64_t hash;
    uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct merge_key *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash)
                              : (x->index > y->index) - (x->index < y->index);
}

static enum err merge_into(struct eval *e, struct series *to, struct series *from)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (to->has[i] && from->has[i]) {
            return err_set(e->info, ERR_EXECUTION, "vector cannot contain metrics with the same labelset");
        }
        if (from->has[i]) {
            struct point p = {from->v[i], from->h ? from->h[i] : NULL};
            enum err err = series_put(e, to, i, p);
            if (err) {
                return err;
            }
        }
    }
    from->has = NULL; /* taken out below */
    return ERR_OK;
}

enum err value_merge(struct eval *e, struct value *v)
{
    enum err err = ERR_OK;
    if (v->n < 2) {
        return ERR_OK;
    }
    struct merge_key *keys = mem_array(v->n, sizeof(*keys));
    if (!keys) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < v->n; i++) {
        keys[i] = (struct merge_key){labels_hash(v->s[i].labels), (uint32_t)i};
    }
    qsort(keys, v->n, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < v->n && !err; i++) {
        struct series *to = &v->s[keys[i].index];
        for (size_t k = i + 1; k < v->n && keys[k].hash == keys[i].hash && to->has && !err; k++) {
            struct series *from = &v->s[keys[k].index];
            if (from->has && labels_eq(to->labels, from->labels)) {
                err = merge_into(e, to, from);
            }
        }
    }
    mem_free(keys);
    size_t kept = 0;
    for (size_t i = 0; i < v->n && !err; i++) {
        if (v->s[i].has) {
            v->s[kept++] = v->s[i];
        }
    }
    v->n = err ? v->n : kept;
    return err;
}

const struct node *unparen(const struct node *n)
{
    while (n->kind == N_PAREN) {
        n = n->args[0];
    }
    return n;
}

/* -- nodes ----------------------------------------------------------------------------------------------- */

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
    value_drop_histograms(e, v);
    for (size_t k = 0; k < v->n && !err; k++) {
        err = drop_name(e, v->s[k].labels, &v->s[k].labels);
        for (size_t i = 0; i < e->steps; i++) {
            v->s[k].v[i] = -v->s[k].v[i];
        }
    }
    return err ? err : value_merge(e, v);
}

static enum err eval_math(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = eval_node(e, n->args[0], v);
    if (err) {
        return err;
    }
    value_drop_histograms(e, v);
    for (size_t k = 0; k < v->n && !err; k++) {
        err = drop_name(e, v->s[k].labels, &v->s[k].labels);
        for (size_t i = 0; i < e->steps; i++) {
            if (v->s[k].has[i]) {
                v->s[k].v[i] = n->function->math(v->s[k].v[i]);
            }
        }
    }
    return err ? err : value_merge(e, v);
}

/* The scalar arguments stand around the range: quantile_over_time(q, m), predict_linear(m, t). */
static enum err eval_range_call(struct eval *e, const struct node *n, struct value *v)
{
    struct range_use use = {.fn = n->function->range,
                            .call = n,
                            .keep_name = n->function->keeps_name,
                            .histograms = n->function->histograms};
    const struct node *range = NULL;
    size_t scalars = 0;
    for (size_t i = 0; i < n->arg_count; i++) {
        if (n->args[i]->type == TYPE_MATRIX) {
            range = n->args[i];
            continue;
        }
        struct value s;
        enum err err = eval_node(e, n->args[i], &s);
        if (err) {
            return err;
        }
        if (scalars < ARRAY_LEN(use.args)) {
            use.args[scalars++] = s.scalar;
        }
    }
    return eval_range(e, range, &use, v);
}

enum err eval_node(struct eval *e, const struct node *n, struct value *ret_value)
{
    enum err err = query_ctx_check(e->q, e->info);
    if (err) {
        return err;
    }
    switch (n->kind) {
    case N_NUMBER:
        return eval_number(e, n, ret_value);
    case N_STRING:
        *ret_value = (struct value){.type = TYPE_STRING, .string = n->string};
        return ERR_OK;
    case N_SELECTOR:
        return eval_selector(e, n, false, ret_value);
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
        break;
    }
    return err_set(e->info, ERR_EXECUTION, "a range vector cannot be evaluated here");
}
