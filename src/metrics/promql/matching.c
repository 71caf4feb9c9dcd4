/* Operators on two vectors: elements whose labels agree (on or ignoring some) meet.
 *
 * Series get the number of their signature; pairs of series are then combined over all steps. What the
 * original refuses at a step (two elements of one signature) is looked for first, and the earliest such step
 * is reported. */
#include <stdlib.h>

#include "metrics/promql/eval.h"

struct member {
    uint64_t hash;
    uint32_t index;
    bool right;
};

/* Signature numbers of the series of both sides. */
struct signatures {
    uint32_t *left, *right;
    size_t n;
    const struct str *names; /* sorted */
    size_t name_count;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static const struct str *sorted_names(struct eval *e, const struct node *n)
{
    struct str *names = arena_array(e->a, n->name_count + 1, sizeof(*names));
    if (names && n->name_count) {
        memcpy(names, n->names, n->name_count * sizeof(*names));
        qsort(names, n->name_count, sizeof(*names), compare_str);
    }
    return names;
}

static enum err find_signatures(struct eval *e, const struct node *n, const struct value *l,
                                const struct value *r, struct signatures *out)
{
    size_t count = l->n + r->n;
    struct member *m = arena_array(e->a, count + 1, sizeof(*m));
    *out = (struct signatures){.left = arena_array(e->a, l->n + 1, sizeof(*out->left)),
                               .right = arena_array(e->a, r->n + 1, sizeof(*out->right)),
                               .names = sorted_names(e, n),
                               .name_count = n->name_count};
    if (!m || !out->left || !out->right || !out->names) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < count; i++) {
        bool right = i >= l->n;
        size_t index = right ? i - l->n : i;
        struct labels ls = right ? r->s[index].labels : l->s[index].labels;
        uint64_t hash = n->on ? labels_hash_by(ls, out->names, n->name_count)
                              : labels_hash_without(ls, out->names, n->name_count);
        m[i] = (struct member){hash, (uint32_t)index, right};
    }
    qsort(m, count, sizeof(*m), compare_members);
    for (size_t i = 0; i < count; i++) {
        out->n += i == 0 || m[i].hash != m[i - 1].hash;
        (m[i].right ? out->right : out->left)[m[i].index] = (uint32_t)out->n - 1;
    }
    return ERR_OK;
}

/* For each signature and step: whether an element is there. */
static uint8_t *presence(struct eval *e, const struct value *v, const uint32_t *of, size_t n)
{
    uint8_t *seen = arena_zarray(e->a, n * e->steps + 1, 1);
    for (size_t k = 0; k < v->n && seen; k++) {
        uint8_t *row = seen + (size_t)of[k] * e->steps;
        for (size_t i = 0; i < e->steps; i++) {
            row[i] |= v->s[k].has[i];
        }
    }
    return seen;
}

/* -- set operators --------------------------------------------------------------------------------------- */

/* Keeps the elements whose signature is seen on the other side (or is not). */
static void keep_seen(const struct eval *e, struct value *v, const uint32_t *of, const uint8_t *seen,
                      bool want)
{
    for (size_t k = 0; k < v->n; k++) {
        const uint8_t *row = seen + (size_t)of[k] * e->steps;
        for (size_t i = 0; i < e->steps; i++) {
            v->s[k].has[i] = v->s[k].has[i] && row[i] == want;
        }
    }
}

enum err match_sets(struct eval *e, const struct node *n, struct value *l, struct value *r, struct value *out)
{
    struct signatures s;
    enum err err = find_signatures(e, n, l, r, &s);
    if (err) {
        return err;
    }
    bool or = n->op == OP_OR;
    uint8_t *seen = or ? presence(e, l, s.left, s.n) : presence(e, r, s.right, s.n);
    if (!seen) {
        return eval_no_memory(e);
    }
    if (! or) {
        keep_seen(e, l, s.left, seen, n->op == OP_AND);
        *out = *l;
        value_drop_empty(e, out);
        return value_merge_now(e, out);
    }
    keep_seen(e, r, s.right, seen, false);
    out->s = arena_array(e->a, l->n + r->n + 1, sizeof(*out->s));
    if (!out->s) {
        return eval_no_memory(e);
    }
    for (size_t k = 0; k < l->n + r->n; k++) {
        out->s[out->n++] = k < l->n ? l->s[k] : r->s[k - l->n];
    }
    out->cap = out->n + 1;
    value_drop_empty(e, out);
    return value_merge_now(e, out);
}

/* -- refusals -------------------------------------------------------------------------------------------- */

/* Two elements of one signature at one step. */
struct clash {
    size_t step;
    const struct series *first, *second; /* NULL: none */
};

struct match {
    struct eval *e;
    const struct node *n;
    struct value *many, *one; /* swapped for group_right */
    const uint32_t *many_of, *one_of;
    struct signatures s;
    uint8_t *one_seen, *matched; /* by signature and step */
    const double *one_fill, *many_fill;
    uint32_t *one_first, *one_next; /* series of the one side by signature: a chain, UINT32_MAX ends */
    size_t steps;                   /* up to which pairs are made: where the one side clashes first */
    struct value *out;
    uint8_t *said; /* enum binary_note of each step: of several the last is shown, as in the original */
};

static bool chain_ones(struct match *m)
{
    m->one_first = arena_array(m->e->a, m->s.n + 1, sizeof(*m->one_first));
    m->one_next = arena_array(m->e->a, m->one->n + 1, sizeof(*m->one_next));
    if (!m->one_first || !m->one_next) {
        return false;
    }
    memset(m->one_first, 0xff, (m->s.n + 1) * sizeof(*m->one_first));
    for (size_t k = m->one->n; k-- > 0;) {
        m->one_next[k] = m->one_first[m->one_of[k]];
        m->one_first[m->one_of[k]] = (uint32_t)k;
    }
    return true;
}

/* Steps at which there is anything to match: clashes at the others do not count. */
static uint8_t *matched_steps(struct eval *e, const struct value *v, bool all)
{
    uint8_t *any = arena_zarray(e->a, e->steps, 1);
    for (size_t k = 0; any && k < v->n; k++) {
        for (size_t i = 0; i < e->steps; i++) {
            any[i] |= v->s[k].has[i];
        }
    }
    if (any && all) {
        memset(any, 1, e->steps);
    }
    return any;
}

/* Of the clashes at the earliest step, the one whose second element comes first. seen: the first element of
 * the signature at each step. */
static void clash_of(const struct eval *e, const uint8_t *counts, const struct series *b,
                     const struct series **seen, struct clash *best)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (best->first && (i > best->step || (i == best->step && b >= best->second))) {
            return;
        }
        if (!b->has[i] || !counts[i]) {
            continue;
        }
        if (seen[i]) {
            *best = (struct clash){i, seen[i], b};
            return;
        }
        seen[i] = b;
    }
}

static enum err refuse_ones(struct match *m, const struct clash *c)
{
    struct buf first AUTO_BUF = {0}, second AUTO_BUF = {0}, group AUTO_BUF = {0};
    const struct node *n = m->n;
    struct labels key = {0};
    struct str name = LABEL_METRIC_NAME;
    enum err err = n->on ? labels_keep(m->e->a, c->second->labels, n->names, n->name_count, &key)
                         : labels_drop(m->e->a, c->second->labels, n->names, n->name_count, &key);
    if (!err && !n->on) {
        err = labels_drop(m->e->a, key, &name, 1, &key);
    }
    if (err) {
        return eval_no_memory(m->e);
    }
    labels_format_loki(&group, key);
    labels_format_loki(&first, c->first->labels);
    labels_format_loki(&second, c->second->labels);
    struct str a = buf_view(&first), b = buf_view(&second);
    bool swap = str_cmp(a, b) > 0;
    return err_set(
        m->e->info, ERR_EXECUTION,
        "found duplicate series for the match group %.*s on the %s hand-side of the operation: [%.*s, "
        "%.*s];many-to-many matching not allowed: matching labels must be unique on one side",
        STR_FMT(buf_view(&group)), n->card == CARD_ONE_TO_MANY ? "left" : "right", STR_FMT(swap ? b : a),
        STR_FMT(swap ? a : b));
}

/* The first step at which two elements of the one side have the same signature. */
static enum err find_clash(struct match *m, struct clash *ret_clash)
{
    uint8_t *counts = matched_steps(m->e, m->many, m->one_fill || m->many_fill);
    const struct series **seen = arena_array(m->e->a, m->e->steps + 1, sizeof(const struct series *));
    if (!counts || !seen) {
        return eval_no_memory(m->e);
    }
    for (size_t s = 0; s < m->s.n; s++) {
        memset((void *)seen, 0, m->e->steps * sizeof(const struct series *));
        for (uint32_t b = m->one_first[s]; b != UINT32_MAX; b = m->one_next[b]) {
            clash_of(m->e, counts, &m->one->s[b], seen, ret_clash);
        }
    }
    m->steps = ret_clash->first ? ret_clash->step : m->e->steps;
    return ERR_OK;
}

/* -- results --------------------------------------------------------------------------------------------- */

/* Labels without a partner's: those that were matched. */
static enum err matched_labels(struct match *m, struct labels ls, struct labels *out)
{
    const struct node *n = m->n;
    struct str name = LABEL_METRIC_NAME;
    enum err err = n->on ? labels_keep(m->e->a, ls, n->names, n->name_count, out)
                         : labels_drop(m->e->a, ls, n->names, n->name_count, out);
    if (!err && !n->on) {
        err = labels_drop(m->e->a, *out, &name, 1, out);
    }
    return err ? eval_no_memory(m->e) : ERR_OK;
}

static enum err result_labels(struct match *m, struct labels many, struct labels one, struct labels *out)
{
    const struct node *n = m->n;
    struct eval *e = m->e;
    enum err err = ERR_OK;
    *out = many;
    if (op_is_arithmetic(n->op) || (n->return_bool && !e->options->delayed_name)) {
        err = drop_name(e, many, out);
    }
    if (!err && n->card == CARD_ONE_TO_ONE) {
        err = n->on ? labels_keep(e->a, *out, n->names, n->name_count, out)
                    : labels_drop(e->a, *out, n->names, n->name_count, out);
    }
    for (size_t i = 0; i < n->include_count && !err; i++) {
        err = labels_with(e->a, *out, n->include[i], labels_get(one, n->include[i]), out);
    }
    return err ? eval_no_memory(e) : ERR_OK;
}

static enum err too_many(struct match *m)
{
    return err_set(
        m->e->info, ERR_EXECUTION,
        m->n->card == CARD_ONE_TO_ONE
            ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            : "multiple matches for labels: grouping labels must ensure unique matches");
}

/* A row of results; which steps were matched (whether or not a result came of it) is in `met`. */
struct pairing {
    struct match *m;
    const struct series *many, *one; /* NULL: the fill value stands in */
    const uint8_t *where;            /* NULL, or only at these steps */
    bool where_not;                  /* ... or only at the others */
    struct labels labels;
    uint8_t *met;
};

static bool pairs_at(const struct pairing *p, size_t i)
{
    if ((p->many && !p->many->has[i]) || (p->one && !p->one->has[i])) {
        return false;
    }
    return !p->where || (p->where[i] != 0) != p->where_not;
}

static struct point point_of(const struct series *s, size_t i, const double *fill)
{
    return s ? (struct point){s->v[i], s->h ? s->h[i] : NULL} : (struct point){.v = *fill};
}

static enum err run_pairing(struct pairing *p)
{
    struct match *m = p->m;
    struct eval *e = m->e;
    const struct node *n = m->n;
    struct series *row = NULL;
    bool swapped = n->card == CARD_ONE_TO_MANY;
    enum err err = ERR_OK;
    for (size_t i = 0; i < m->steps && !err; i++) {
        struct point result = {0};
        bool holds = false;
        if (!pairs_at(p, i)) {
            continue;
        }
        struct point a = point_of(p->many, i, m->many_fill), b = point_of(p->one, i, m->one_fill);
        enum binary_note what = BINARY_FINE;
        bool ok = binary_apply(e, n, swapped ? b : a, swapped ? a : b, &result, &holds, &what);
        if (what != BINARY_FINE) {
            m->said[i] = (uint8_t)what;
        }
        if (!ok) {
            continue;
        }
        p->met[i] = 1;
        if (!holds && !n->return_bool) {
            continue;
        }
        err = row ? ERR_OK : value_add(e, m->out, p->labels, &row);
        if (!err) {
            row->drops_name = n->return_bool;
            err = series_put(e, row, i, n->return_bool ? (struct point){.v = holds} : result);
        }
    }
    return err;
}

/* -- many-to-one: equal results of one signature --------------------------------------------------------- */

/* Rows of results by labels within a signature, to find two that meet at one step. */
struct met_row {
    struct labels labels;
    uint8_t *met;
    uint32_t signature, next;
};

struct met_rows {
    struct met_row *rows;
    size_t n, cap;
    uint32_t *first; /* by signature */
};

/* Adds what was met; an error when the same result was met before at a step. One-to-one: any two of a
 * signature clash. */
static enum err add_met(struct match *m, struct met_rows *t, uint32_t signature, struct labels ls,
                        const uint8_t *met)
{
    struct eval *e = m->e;
    bool any_labels = m->n->card == CARD_ONE_TO_ONE;
    for (uint32_t k = t->first[signature]; k != UINT32_MAX; k = t->rows[k].next) {
        if (!any_labels && !labels_eq(t->rows[k].labels, ls)) {
            continue;
        }
        for (size_t i = 0; i < e->steps; i++) {
            if (met[i] && t->rows[k].met[i]) {
                return too_many(m);
            }
            t->rows[k].met[i] |= met[i];
        }
        return ERR_OK;
    }
    struct met_row row = {ls, arena_array(e->a, e->steps, 1), signature, t->first[signature]};
    if (!row.met || arena_reserve(e->a, (void **)&t->rows, &t->cap, t->n + 1, sizeof(*t->rows))) {
        return eval_no_memory(e);
    }
    memcpy(row.met, met, e->steps);
    t->first[signature] = (uint32_t)t->n;
    t->rows[t->n++] = row;
    return ERR_OK;
}

static enum err pair(struct match *m, struct met_rows *t, struct pairing *p, uint32_t signature)
{
    struct eval *e = m->e;
    memset(p->met, 0, e->steps);
    enum err err = run_pairing(p);
    if (err || !memchr(p->met, 1, e->steps)) {
        return err;
    }
    uint8_t *matched = m->matched + (size_t)signature * e->steps;
    for (size_t i = 0; i < e->steps; i++) {
        matched[i] |= p->met[i];
    }
    return add_met(m, t, signature, p->labels, p->met);
}

static bool meet(const struct match *m, const struct series *a, const struct series *b)
{
    for (size_t i = 0; i < m->steps; i++) {
        if (a->has[i] && b->has[i]) {
            return true;
        }
    }
    return false;
}

/* One element of the many side with its partners, and with the fill value where it has none. */
static enum err pair_many(struct match *m, struct met_rows *t, size_t k, uint8_t *met)
{
    const struct series *many = &m->many->s[k];
    uint32_t signature = m->many_of[k];
    struct pairing p = {.m = m, .many = many, .met = met};
    enum err err = ERR_OK;
    if (m->steps == 0) { /* the first step is refused already */
        return ERR_OK;
    }
    for (uint32_t o = m->one_first[signature]; o != UINT32_MAX && !err; o = m->one_next[o]) {
        p.one = &m->one->s[o];
        if (!meet(m, many, p.one)) { /* their result's labels would be made for nothing */
            continue;
        }
        err = result_labels(m, many->labels, p.one->labels, &p.labels);
        err = err ? err : pair(m, t, &p, signature);
    }
    if (err || !m->one_fill) {
        return err;
    }
    struct labels stand_in = {0};
    p.one = NULL;
    p.where = m->one_seen + (size_t)signature * m->e->steps;
    p.where_not = true;
    err = matched_labels(m, many->labels, &stand_in);
    err = err ? err : result_labels(m, many->labels, stand_in, &p.labels);
    return err ? err : pair(m, t, &p, signature);
}

/* Elements of the one side that found no partner. */
static enum err fill_many(struct match *m, struct met_rows *t, uint8_t *met)
{
    uint8_t *unmatched = arena_array(m->e->a, m->s.n * m->e->steps + 1, 1);
    if (!unmatched) {
        return eval_no_memory(m->e);
    }
    memcpy(unmatched, m->matched, m->s.n * m->e->steps);
    enum err err = ERR_OK;
    for (size_t o = 0; o < m->one->n && !err; o++) {
        const struct series *one = &m->one->s[o];
        uint32_t signature = m->one_of[o];
        struct labels stand_in = {0};
        struct pairing p = {.m = m,
                            .one = one,
                            .met = met,
                            .where = unmatched + (size_t)signature * m->e->steps,
                            .where_not = true};
        err = matched_labels(m, one->labels, &stand_in);
        err = err ? err : result_labels(m, stand_in, one->labels, &p.labels);
        err = err ? err : pair(m, t, &p, signature);
    }
    return err;
}

static enum err match_init(struct match *m, struct value *l, struct value *r)
{
    const struct node *n = m->n;
    bool swapped = n->card == CARD_ONE_TO_MANY;
    enum err err = find_signatures(m->e, n, l, r, &m->s);
    if (err) {
        return err;
    }
    m->many = swapped ? r : l;
    m->one = swapped ? l : r;
    m->many_of = swapped ? m->s.right : m->s.left;
    m->one_of = swapped ? m->s.left : m->s.right;
    /* as the original: the fill values keep their sides when group_right swaps the operands */
    m->one_fill = n->fills_right ? &n->fill_right : NULL;
    m->many_fill = n->fills_left ? &n->fill_left : NULL;
    m->matched = arena_zarray(m->e->a, m->s.n * m->e->steps + 1, 1);
    m->one_seen = presence(m->e, m->one, m->one_of, m->s.n);
    return m->matched && m->one_seen && chain_ones(m) ? ERR_OK : eval_no_memory(m->e);
}

enum err match_vectors(struct eval *e, const struct node *n, struct value *l, struct value *r,
                       struct value *out)
{
    struct match m = {.e = e, .n = n, .out = out};
    struct met_rows t = {0};
    struct clash clash = {0};
    enum err err = match_init(&m, l, r);
    uint8_t *met = err ? NULL : arena_array(e->a, e->steps, 1);
    t.first = err ? NULL : arena_array(e->a, m.s.n + 1, sizeof(*t.first));
    m.said = err ? NULL : arena_zarray(e->a, e->steps, 1);
    if (err || !met || !t.first || !m.said) {
        return err ? err : eval_no_memory(e);
    }
    memset(t.first, 0xff, (m.s.n + 1) * sizeof(*t.first));
    err = find_clash(&m, &clash);
    for (size_t k = 0; k < m.many->n && !err; k++) {
        err = pair_many(&m, &t, k, met);
    }
    if (!err && m.many_fill) {
        err = fill_many(&m, &t, met);
    }
    for (size_t i = 0; i < e->steps && !err; i++) {
        binary_note(e, n, m.said[i]);
    }
    err = err ? err : value_merge_now(e, out);
    return err || !clash.first ? err : refuse_ones(&m, &clash);
}
