/* Series by steps, and finding series by their labels. */
#include "logs/logql/eval.h"

enum err logql_eval_no_memory(struct eval *ev)
{
    enum err e = arena_err(ev->a);
    if (e == ERR_LIMIT) {
        return err_set(
            ev->info, ERR_LIMIT,
            "the query needs more memory than one query may have; narrow its selector, its time range "
            "or aggregate");
    }
    return err_set(ev->info, ERR_OOM, "not enough memory");
}

struct eval_series *matrix_add(struct eval *ev, struct matrix *m, struct labels labels)
{
    double *values = arena_array(ev->a, ev->steps, sizeof(*values));
    if (!values || arena_reserve(ev->a, (void **)&m->items, &m->cap, m->n + 1, sizeof(*m->items)) != ERR_OK) {
        return NULL;
    }
    for (size_t k = 0; k < ev->steps; k++) {
        values[k] = sample_none();
    }
    struct eval_series *s = &m->items[m->n++];
    *s = (struct eval_series){labels, values};
    return s;
}

bool series_present(const struct eval *ev, const struct eval_series *s)
{
    for (size_t k = 0; k < ev->steps; k++) {
        if (!sample_absent(s->values[k])) {
            return true;
        }
    }
    return false;
}

bool label_index_find(const struct label_index *x, const struct matrix *m, struct labels ls, size_t *ret_slot,
                      size_t *ret_at)
{
    size_t slot = labels_hash(ls) & (x->cap - 1);
    while (x->slots[slot]) {
        size_t at = x->slots[slot] - 1;
        if (labels_eq(m->items[at].labels, ls)) {
            *ret_at = at;
            *ret_slot = slot;
            return true;
        }
        slot = (slot + 1) & (x->cap - 1);
    }
    *ret_slot = slot;
    *ret_at = 0;
    return false;
}

enum err label_index_reserve(struct eval *ev, struct label_index *x, const struct matrix *m)
{
    if (x->cap && (m->n + 1) * 2 <= x->cap) {
        return ERR_OK;
    }
    struct label_index grown = {.cap = x->cap ? x->cap * 2 : 64};
    grown.slots = arena_zarray(ev->a, grown.cap, sizeof(*grown.slots));
    if (!grown.slots) {
        return arena_err(ev->a);
    }
    for (size_t i = 0; i < m->n; i++) {
        size_t slot, at;
        (void)label_index_find(&grown, m, m->items[i].labels, &slot, &at);
        grown.slots[slot] = (uint32_t)(i + 1);
    }
    *x = grown;
    return ERR_OK;
}

struct eval_series *matrix_series(struct eval *ev, struct label_index *x, struct matrix *m, struct labels ls)
{
    size_t slot, at;
    struct labels own;
    if (label_index_reserve(ev, x, m) != ERR_OK) {
        return NULL;
    }
    if (label_index_find(x, m, ls, &slot, &at)) {
        return &m->items[at];
    }
    if (labels_dup(ev->a, ls, &own) != ERR_OK) {
        return NULL;
    }
    struct eval_series *s = matrix_add(ev, m, own);
    if (s) {
        x->slots[slot] = (uint32_t)m->n;
    }
    return s;
}

enum err labels_filled(struct eval *ev, struct labels ls, struct labels *ret_labels)
{
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        n += ls.l[i].value.n > 0;
    }
    if (n == ls.n) {
        *ret_labels = ls;
        return ERR_OK;
    }
    struct label *out = arena_array(ev->a, n + 1, sizeof(*out));
    if (!out) {
        return arena_err(ev->a);
    }
    n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        if (ls.l[i].value.n) {
            out[n++] = ls.l[i];
        }
    }
    *ret_labels = (struct labels){out, n};
    return ERR_OK;
}
