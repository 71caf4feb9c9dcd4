/* Binary operations: a literal with a vector, a vector with a vector, matched by labels at each step. */
#include "logs/logql/eval.h"

/* -- a literal on one side ------------------------------------------------------------------------------- */

static enum err with_literal(struct eval *ev, const struct expr *x, bool literal_left,
                             struct matrix *ret_matrix)
{
    struct matrix m;
    double literal = literal_left ? x->left->value : x->right->value;
    bool comparison = bin_op_is_comparison(x->bin_op), filter = !x->options.return_bool;
    enum err e = eval_expr(ev, literal_left ? x->right : x->left, &m);
    if (e) {
        return e;
    }
    for (size_t i = 0; i < m.n; i++) {
        for (size_t k = 0; k < ev->steps; k++) {
            double *v = &m.items[i].values[k], result;
            if (sample_absent(*v)) {
                continue;
            }
            bool stays = bin_op_merge(x->bin_op, literal_left ? literal : *v, literal_left ? *v : literal,
                                      filter, &result);
            if (!stays) {
                *v = sample_none();
            } else if (!comparison || !filter) {
                *v = result;
            }
        }
    }
    *ret_matrix = m;
    return ERR_OK;
}

/* -- matching -------------------------------------------------------------------------------------------- */

static bool in_names(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* The labels that decide about a match; empty values count as absent here. */
static struct labels signature(struct eval *ev, const struct bin_options *o, struct labels ls)
{
    struct label *out = arena_array(ev->a, ls.n + 1, sizeof(*out));
    size_t n = 0;
    for (size_t i = 0; out && i < ls.n; i++) {
        if (ls.l[i].value.n && in_names(o->names, o->name_count, ls.l[i].name) == o->on) {
            out[n++] = ls.l[i];
        }
    }
    return (struct labels){out, n};
}

/* Both sides, and for each series the number of its signature. */
struct sides {
    struct matrix l, r;
    uint32_t *lsig, *rsig;
    size_t signatures;
};

static enum err number_side(struct eval *ev, const struct bin_options *o, const struct matrix *m,
                            struct label_index *index, struct matrix *known, uint32_t **ret_sigs)
{
    uint32_t *sigs = arena_array(ev->a, m->n + 1, sizeof(*sigs));
    if (!sigs) {
        return arena_err(ev->a);
    }
    for (size_t i = 0; i < m->n; i++) {
        size_t slot, at;
        struct labels ls = signature(ev, o, m->items[i].labels);
        if (!ls.l || label_index_reserve(ev, index, known) != ERR_OK) {
            return arena_err(ev->a);
        }
        if (!label_index_find(index, known, ls, &slot, &at)) {
            at = known->n;
            enum err e =
                arena_reserve(ev->a, (void **)&known->items, &known->cap, at + 1, sizeof(*known->items));
            if (e) {
                return e;
            }
            known->items[known->n++] = (struct eval_series){ls, NULL};
            index->slots[slot] = (uint32_t)(at + 1);
        }
        sigs[i] = (uint32_t)at;
    }
    *ret_sigs = sigs;
    return ERR_OK;
}

static enum err load_sides(struct eval *ev, const struct expr *x, struct sides *s)
{
    struct label_index index = {0};
    struct matrix known = {0};
    enum err e = eval_expr(ev, x->right, &s->r); /* first: its errors are the ones that clients see */
    e = e ? e : eval_expr(ev, x->left, &s->l);
    if (e) {
        return e;
    }
    e = number_side(ev, &x->options, &s->l, &index, &known, &s->lsig);
    e = e ? e : number_side(ev, &x->options, &s->r, &index, &known, &s->rsig);
    s->signatures = known.n;
    return e ? logql_eval_no_memory(ev) : ERR_OK;
}

/* -- and, or, unless ------------------------------------------------------------------------------------- */

/* Marks the signatures that `m` has at a step. */
static size_t mark(const struct matrix *m, const uint32_t *sigs, size_t k, bool *seen, size_t n)
{
    size_t present = 0;
    memset(seen, 0, n * sizeof(*seen));
    for (size_t i = 0; i < m->n; i++) {
        if (!sample_absent(m->items[i].values[k])) {
            seen[sigs[i]] = true;
            present++;
        }
    }
    return present;
}

static enum err set_operation(struct eval *ev, const struct expr *x, struct sides *s, struct matrix *out)
{
    bool *seen = arena_array(ev->a, s->signatures + 1, sizeof(*seen));
    if (!seen) {
        return arena_err(ev->a);
    }
    for (size_t k = 0; k < ev->steps; k++) {
        bool is_or = x->bin_op == BIN_OR;
        struct matrix *cut = is_or ? &s->r : &s->l;
        const uint32_t *sigs = is_or ? s->rsig : s->lsig;
        (void)mark(is_or ? &s->l : &s->r, is_or ? s->lsig : s->rsig, k, seen, s->signatures);
        for (size_t i = 0; i < cut->n; i++) {
            if (seen[sigs[i]] != (x->bin_op == BIN_AND)) {
                cut->items[i].values[k] = sample_none();
            }
        }
    }
    *out = s->l;
    if (x->bin_op != BIN_OR) {
        return ERR_OK;
    }
    enum err e = arena_reserve(ev->a, (void **)&out->items, &out->cap, s->l.n + s->r.n, sizeof(*out->items));
    for (size_t i = 0; i < s->r.n && !e; i++) {
        out->items[out->n++] = s->r.items[i];
    }
    return e;
}

/* -- arithmetic and comparison --------------------------------------------------------------------------- */

struct vector_job {
    struct eval *ev;
    const struct expr *x;
    struct matrix many, one; /* the sides as matched: "one" must be unique */
    const uint32_t *many_sig, *one_sig;
    size_t signatures;
    bool swapped;
    uint32_t *one_at; /* by signature: series + 1 of the one side at this step */
    bool *matched;    /* by signature, at this step; one-to-one */
    uint32_t *result; /* by series of the many side: its result + 1, for the partner below */
    uint32_t *partner;
    struct matrix *out;
    struct label_index index;
    size_t *taken; /* by result: the step at which it was last set, + 1 */
    size_t taken_cap;
};

/* The labels of a result: the many side's, and what is included from the one side. */
static enum err result_labels(struct vector_job *j, struct labels many, struct labels one,
                              struct labels *ret_labels)
{
    const struct bin_options *o = &j->x->options;
    struct label *out = arena_array(j->ev->a, many.n + o->include_count + 1, sizeof(*out));
    size_t n = 0;
    if (!out) {
        return arena_err(j->ev->a);
    }
    for (size_t i = 0; i < many.n; i++) {
        struct str name = many.l[i].name;
        bool kept = o->card != CARD_ONE_TO_ONE || in_names(o->names, o->name_count, name) == o->on;
        if (kept && many.l[i].value.n && !in_names(o->include, o->include_count, name)) {
            out[n++] = many.l[i];
        }
    }
    for (size_t i = 0; i < o->include_count; i++) {
        struct str v = labels_get(one, o->include[i]);
        bool again = in_names(o->include, i, o->include[i]);
        if (v.n && !again) {
            out[n++] = (struct label){o->include[i], v};
        }
    }
    enum err e = labels_normalise(out, &n, NULL);
    *ret_labels = (struct labels){out, n};
    return e;
}

static enum err result_of(struct vector_job *j, size_t many, size_t one, size_t *ret_at)
{
    if (j->result[many] && j->partner[many] == one) {
        *ret_at = j->result[many] - 1;
        return ERR_OK;
    }
    struct labels ls;
    enum err e = result_labels(j, j->many.items[many].labels, j->one.items[one].labels, &ls);
    struct eval_series *s = e ? NULL : matrix_series(j->ev, &j->index, j->out, ls);
    if (!s) {
        return arena_err(j->ev->a);
    }
    *ret_at = (size_t)(s - j->out->items);
    size_t had = j->taken_cap;
    e = arena_reserve(j->ev->a, (void **)&j->taken, &j->taken_cap, j->out->n, sizeof(*j->taken));
    if (!e && j->taken_cap > had) {
        memset(j->taken + had, 0, (j->taken_cap - had) * sizeof(*j->taken));
    }
    j->result[many] = (uint32_t)(*ret_at + 1);
    j->partner[many] = (uint32_t)one;
    return e;
}

static enum err fill_one(struct vector_job *j, size_t k)
{
    memset(j->one_at, 0, (j->signatures + 1) * sizeof(*j->one_at));
    memset(j->matched, 0, (j->signatures + 1) * sizeof(*j->matched));
    for (size_t i = 0; i < j->one.n; i++) {
        if (sample_absent(j->one.items[i].values[k])) {
            continue;
        }
        if (j->one_at[j->one_sig[i]]) {
            return err_set(
                j->ev->info, ERR_INTERNAL,
                "found duplicate series on the %s hand-side;many-to-many matching not allowed: matching "
                "labels must be unique on one side",
                j->swapped ? "left" : "right");
        }
        j->one_at[j->one_sig[i]] = (uint32_t)(i + 1);
    }
    return ERR_OK;
}

static enum err match_one(struct vector_job *j, size_t i, size_t k)
{
    const struct bin_options *o = &j->x->options;
    uint32_t sig = j->many_sig[i];
    size_t at = 0;
    if (sample_absent(j->many.items[i].values[k]) || !j->one_at[sig]) {
        return ERR_OK;
    }
    size_t one = j->one_at[sig] - 1;
    if (result_of(j, i, one, &at) != ERR_OK) {
        return logql_eval_no_memory(j->ev);
    }
    if (o->card == CARD_ONE_TO_ONE && j->matched[sig]) {
        return err_set(
            j->ev->info, ERR_INTERNAL,
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
    }
    if (o->card != CARD_ONE_TO_ONE && j->taken[at] == k + 1) {
        return err_set(j->ev->info, ERR_INTERNAL,
                       "multiple matches for labels: grouping labels must ensure unique matches");
    }
    j->matched[sig] = true;
    j->taken[at] = k + 1;
    double l = j->many.items[i].values[k], r = j->one.items[one].values[k], result;
    if (j->swapped) {
        double t = l;
        l = r;
        r = t;
    }
    bool comparison = bin_op_is_comparison(j->x->bin_op);
    if (bin_op_merge(j->x->bin_op, l, r, !o->return_bool, &result)) {
        j->out->items[at].values[k] = comparison && !o->return_bool ? l : result;
    }
    return ERR_OK;
}

static enum err vector_operation(struct eval *ev, const struct expr *x, struct sides *s, struct matrix *out)
{
    bool swapped = x->options.card == CARD_ONE_TO_MANY;
    struct vector_job j = {.ev = ev,
                           .x = x,
                           .many = swapped ? s->r : s->l,
                           .one = swapped ? s->l : s->r,
                           .many_sig = swapped ? s->rsig : s->lsig,
                           .one_sig = swapped ? s->lsig : s->rsig,
                           .signatures = s->signatures,
                           .swapped = swapped,
                           .out = out};
    j.one_at = arena_array(ev->a, s->signatures + 1, sizeof(*j.one_at));
    j.matched = arena_array(ev->a, s->signatures + 1, sizeof(*j.matched));
    j.result = arena_zarray(ev->a, j.many.n + 1, sizeof(*j.result));
    j.partner = arena_zarray(ev->a, j.many.n + 1, sizeof(*j.partner));
    if (!j.one_at || !j.matched || !j.result || !j.partner) {
        return logql_eval_no_memory(ev);
    }
    for (size_t k = 0; k < ev->steps; k++) {
        enum err e = fill_one(&j, k);
        for (size_t i = 0; i < j.many.n && !e; i++) {
            e = match_one(&j, i, k);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

enum err logql_eval_binary(struct eval *ev, const struct expr *x, struct matrix *ret_matrix)
{
    struct sides s;
    struct matrix out = {0};
    if (x->left->kind == EXPR_LITERAL || x->right->kind == EXPR_LITERAL) {
        return with_literal(ev, x, x->left->kind == EXPR_LITERAL, ret_matrix);
    }
    enum err e = load_sides(ev, x, &s);
    if (e) {
        return e;
    }
    if (bin_op_is_set(x->bin_op)) {
        e = set_operation(ev, x, &s, &out) ? logql_eval_no_memory(ev) : ERR_OK;
    } else {
        e = vector_operation(ev, x, &s, &out);
    }
    if (!e) {
        *ret_matrix = out;
    }
    return e;
}
