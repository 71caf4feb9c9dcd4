/* What the heads hold, counted by metric, label and pair: the rows of the status page. */
#include <stdlib.h>

#include "base/strmap.h"
#include "metrics/tsdb/tsdb_int.h"

/* One text with what is counted for it over all partitions. */
struct tally {
    struct str name;
    uint64_t value;
};

struct tallies {
    struct strmap of; /* text -> struct tally * in the arena */
    struct arena *a;
};

struct counting {
    struct tallies metrics, values, bytes, pairs;
    struct arena *a;
};

static enum err tally_add(struct tallies *t, struct str name, uint64_t value, bool *ret_new)
{
    struct tally *row = strmap_get(&t->of, name);
    *ret_new = row == NULL;
    if (!row) {
        row = arena_zalloc(t->a, sizeof(*row));
        struct str copy = row ? arena_str(t->a, name) : (struct str){0};
        if (!row || (name.n && !copy.p) || strmap_put(&t->of, name, row, NULL)) {
            return ERR_OOM;
        }
        row->name = copy;
    }
    row->value += value;
    return ERR_OK;
}

/* One label pair of one partition. A pair seen in another partition is no new value of its name. */
static enum err pair_count(struct counting *c, struct str name, struct str value, uint64_t series)
{
    bool fresh = false, ignored = false;
    struct str text = arena_printf(c->a, "%.*s=%.*s", STR_FMT(name), STR_FMT(value));
    enum err e = text.p ? tally_add(&c->pairs, text, series, &fresh) : ERR_OOM;
    e = e ? e : tally_add(&c->values, name, fresh ? 1 : 0, &ignored);
    e = e ? e : tally_add(&c->bytes, name, value.n * series, &ignored);
    return !e && str_eq(name, STR("__name__")) ? tally_add(&c->metrics, value, series, &ignored) : e;
}

static enum err head_count(struct counting *c, const struct head *h)
{
    const struct index *ix = h->index;
    for (size_t n = 0; n < ix->name_count; n++) {
        const struct label_name *name = &ix->names[n];
        for (uint32_t i = 0; i < name->count; i++) {
            const struct label_pair *p = &ix->pairs[name->pairs[i]];
            enum err e =
                p->count ? pair_count(c, index_symbol(ix, name->symbol), index_symbol(ix, p->value), p->count)
                         : ERR_OK;
            if (e) {
                return e;
            }
        }
    }
    return ERR_OK;
}

/* Most first; by name among equals. */
static int row_cmp(const void *a, const void *b)
{
    const struct tsdb_stat_row *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : str_cmp(x->name, y->name);
}

static enum err top(const struct tallies *t, size_t limit, const struct tsdb_stat_row **ret_rows,
                    size_t *ret_n)
{
    struct tsdb_stat_row *rows = arena_array(t->a, t->of.count + 1, sizeof(*rows));
    size_t pos = 0, n = 0;
    struct str key;
    void *value;
    if (!rows) {
        return ERR_OOM;
    }
    while (strmap_next(&t->of, &pos, &key, &value)) {
        const struct tally *row = value;
        rows[n++] = (struct tsdb_stat_row){row->name, row->value};
    }
    qsort(rows, n, sizeof(*rows), row_cmp);
    *ret_rows = rows;
    *ret_n = n < limit ? n : limit;
    return ERR_OK;
}

static enum err partitions_count(struct tsdb *db, const struct tenant *t, struct query_ctx *q,
                                 struct counting *c, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && t && i < PARTITIONS; i++) {
        struct partition *p = &db->partitions[i];
        e = query_ctx_check(q, info);
        mutex_lock(&p->lock);
        const struct head *h = partition_head_find(p, t);
        e = !e && h ? head_count(c, h) : e;
        mutex_unlock(&p->lock);
    }
    return e;
}

enum err tsdb_cardinality(struct tsdb *db, struct query_ctx *q, size_t limit, struct arena *a,
                          struct tsdb_cardinality *ret_rows, struct err_info *reterr_info)
{
    struct counting c = {
        .metrics = {.a = a}, .values = {.a = a}, .bytes = {.a = a}, .pairs = {.a = a}, .a = a};
    struct tsdb_cardinality r = {0};
    struct tenant *t = NULL;
    enum err e = tenant_get(db, q->tenant, false, &t);
    e = e ? e : partitions_count(db, t, q, &c, reterr_info);
    e = e ? e : top(&c.metrics, limit, &r.series_by_metric, &r.series_by_metric_count);
    e = e ? e : top(&c.values, limit, &r.values_by_label, &r.values_by_label_count);
    e = e ? e : top(&c.bytes, limit, &r.bytes_by_label, &r.bytes_by_label_count);
    e = e ? e : top(&c.pairs, limit, &r.series_by_pair, &r.series_by_pair_count);
    strmap_done(&c.metrics.of);
    strmap_done(&c.values.of);
    strmap_done(&c.bytes.of);
    strmap_done(&c.pairs.of);
    if (e) {
        return e == ERR_OOM ? err_set(reterr_info, e, "no memory for the statistics") : e;
    }
    *ret_rows = r;
    return ERR_OK;
}
