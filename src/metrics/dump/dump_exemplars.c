/* Exemplars by series: a table over what the source has. */
#include "metrics/dump/dump_exemplars.h"

#include "base/hash.h"

static size_t place_of(const struct dump_exemplars *x, struct labels ls)
{
    size_t i = hash_u64(labels_hash(ls)) & (x->table_cap - 1);
    while (x->table[i] && !labels_eq(x->rows[x->table[i] - 1].labels, ls)) {
        i = (i + 1) & (x->table_cap - 1);
    }
    return i;
}

enum err dump_exemplars_load(struct dump_exemplars *x, struct metric_source *src, struct query_ctx *q,
                             const struct metric_select *sel, struct err_info *info)
{
    arena_init(&x->a, 0, NULL);
    enum err e = src->ops->exemplars(src, q, sel, &x->a, &x->rows, &x->n, info);
    if (e != ERR_OK) {
        return e;
    }
    size_t cap = 16;
    while (cap < x->n * 2) {
        cap *= 2;
    }
    x->table = arena_zarray(&x->a, cap, sizeof(*x->table));
    x->table_cap = x->table ? cap : 0;
    for (size_t i = 0; x->table && i < x->n; i++) {
        x->table[place_of(x, x->rows[i].labels)] = (uint32_t)i + 1;
        x->exemplars += x->rows[i].exemplar_count;
    }
    return x->table ? ERR_OK : err_set(info, ERR_OOM, "no memory for exemplars");
}

const struct metric_exemplar_series *dump_exemplars_of(const struct dump_exemplars *x, struct labels ls)
{
    uint32_t at = x->n ? x->table[place_of(x, ls)] : 0;
    return at ? &x->rows[at - 1] : NULL;
}

void dump_exemplars_done(struct dump_exemplars *x)
{
    arena_done(&x->a);
}
