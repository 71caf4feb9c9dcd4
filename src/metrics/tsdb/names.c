/* Label names and values of the series a selection matches. */
#include <stdlib.h>

#include "base/mem.h"
#include "metrics/tsdb/prom_blocks.h"
#include "metrics/tsdb/section.h"
#include "metrics/tsdb/source_int.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/tsdb_int.h"

struct collector {
    struct query_ctx *q;
    const struct metric_select *sel;
    struct tenant *tenant;
    struct str name; /* values of it; p == NULL: names are asked for */
    struct strmap seen;
    struct arena *a;
    struct str *items;
    size_t n, cap;
};

static enum err collect(struct collector *c, struct str s)
{
    if (strmap_get(&c->seen, s)) {
        return ERR_OK;
    }
    if (arena_reserve(c->a, (void **)&c->items, &c->cap, c->n + 1, sizeof(*c->items)) != ERR_OK) {
        return arena_err(c->a);
    }
    struct str copy = arena_str(c->a, s);
    if (!copy.p) {
        return arena_err(c->a);
    }
    c->items[c->n++] = copy;
    return strmap_put(&c->seen, s, c, NULL);
}

static bool any_in(const struct label_pair *p, const uint64_t *set)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (set[p->slots[i] / 64] >> (p->slots[i] % 64) & 1) {
            return true;
        }
    }
    return false;
}

static enum err collect_name(struct collector *c, const struct index *ix, const struct label_name *n,
                             const uint64_t *set)
{
    for (uint32_t i = 0; i < n->count; i++) {
        const struct label_pair *p = &ix->pairs[n->pairs[i]];
        if (!any_in(p, set)) {
            continue;
        }
        enum err e = collect(c, index_symbol(ix, c->name.p ? p->value : n->symbol));
        if (e != ERR_OK || !c->name.p) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err collect_head(struct collector *c, const struct head *h)
{
    struct arena scratch AUTO_ARENA;
    arena_init(&scratch, 0, c->q->budget);
    struct index *ix = h->index;
    uint64_t *set = arena_zarray(&scratch, bitmap_words(h->slot_count) + 1, sizeof(*set));
    if (!set) {
        return arena_err(&scratch);
    }
    for (uint32_t i = 0; i < h->slot_count; i++) {
        set[i / 64] |= (uint64_t)((head_series(h, i)->flags & SERIES_STARTED) != 0) << (i % 64);
    }
    enum err e = index_select(ix, c->sel->matchers, c->sel->matcher_count, h->slot_count, set, &scratch);
    if (c->name.p) {
        const struct label_name *n = index_name(ix, c->name);
        return e == ERR_OK && n ? collect_name(c, ix, n, set) : e;
    }
    for (size_t i = 0; e == ERR_OK && i < ix->name_count; i++) {
        e = collect_name(c, ix, &ix->names[i], set);
    }
    return e;
}

/* The values of the name that some chosen series has, or the name itself when any has it. */
static enum err collect_section_name(struct collector *c, const struct section_reader *s,
                                     const struct section_name *n)
{
    struct reader r = reader_of(n->values);
    struct section_value v = {0};
    enum err e;
    while ((e = section_value_next(s, &r, &v)) == ERR_OK) {
        if (!section_value_in(s, &v, c->sel->matcher_count ? s->set : NULL)) {
            continue;
        }
        e = collect(c, section_symbol(s, c->name.p ? v.symbol : n->symbol));
        if (e != ERR_OK || !c->name.p) {
            return e;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Names or values of the matching series of a block's section. As with the originals the block's span
 * decides, not that of each series: no series is touched. */
static enum err collect_section(struct collector *c, struct block *b, struct block_section *sec)
{
    struct arena scratch AUTO_ARENA;
    struct section_reader s;
    struct section_name n;
    arena_init(&scratch, 0, c->q->budget);
    enum err e = section_open(&s, b, sec, &scratch);
    e = e == ERR_OK ? section_select(&s, c->sel->matchers, c->sel->matcher_count) : e;
    uint32_t wanted = e == ERR_OK && c->name.p ? section_symbol_find(&s, c->name) : UINT32_MAX;
    struct reader r = reader_of(e == ERR_OK ? s.postings : (struct str){0});
    while (e == ERR_OK && (e = section_name_next(&s, &r, &n)) == ERR_OK) {
        if (!c->name.p || n.symbol == wanted) {
            e = collect_section_name(c, &s, &n);
        }
    }
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e; /* damage is counted where samples are read */
}

static enum err collect_blocks(struct collector *c, const struct store_set *set)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < set->block_count; i++) {
        struct block *b = set->blocks[i];
        for (size_t k = 0; e == ERR_OK && k < b->section_count; k++) {
            struct block_section *sec = &b->sections[k];
            if (sec->min_ts <= c->sel->end_ms && sec->max_ts >= c->sel->start_ms &&
                str_eq(sec->tenant, c->tenant->name)) {
                e = collect_section(c, b, sec);
            }
        }
    }
    return e;
}

/* The values of the name that some chosen series of a block of Prometheus has, or the name itself. */
static enum err collect_prom_name(struct collector *c, const struct prom_block *b, const struct prom_name *n,
                                  const struct prom_ids *ids)
{
    struct prom_values v = prom_values_of(&b->index, n);
    while (prom_values_next(&v)) {
        struct prom_postings p;
        bool in =
            !ids || (prom_index_postings(&b->index, v.postings, &p) == ERR_OK && prom_postings_meet(&p, ids));
        enum err e = in ? collect(c, c->name.p ? v.value : n->name) : ERR_OK;
        if (e != ERR_OK || (in && !c->name.p)) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err collect_prom_block(struct collector *c, const struct prom_block *b)
{
    struct arena scratch AUTO_ARENA;
    struct prom_ids ids = {0};
    enum err e = ERR_OK;
    arena_init(&scratch, 0, c->q->budget);
    if (c->sel->matcher_count) {
        e = prom_index_select(&b->index, c->sel->matchers, c->sel->matcher_count, &scratch, &ids);
    }
    const struct prom_ids *chosen = c->sel->matcher_count ? &ids : NULL;
    if (e == ERR_OK && c->name.p) {
        e = collect_prom_name(c, b, prom_index_name(&b->index, c->name), chosen);
    }
    for (size_t i = 0; e == ERR_OK && !c->name.p && i < b->index.name_count; i++) {
        const struct prom_name *n = &b->index.names[i];
        e = n->name.n ? collect_prom_name(c, b, n, chosen) : ERR_OK;
    }
    return e == ERR_CORRUPT ? ERR_OK : e; /* damage is counted where samples are read */
}

static enum err collect_prom(struct collector *c, const struct tsdb *db)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < db->prom.n && str_eq(c->tenant->name, QUERY_TENANT_DEFAULT); i++) {
        if (prom_block_wanted(db, db->prom.blocks[i], c->sel->start_ms, c->sel->end_ms)) {
            e = collect_prom_block(c, db->prom.blocks[i]);
        }
    }
    return e;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err collect_all(struct collector *c, struct tsdb *db, size_t limit, struct str_list *ret_list,
                            struct err_info *info)
{
    enum err e = tenant_get(db, c->q->tenant, false, &c->tenant);
    for (unsigned i = 0; e == ERR_OK && c->tenant && i < PARTITIONS; i++) {
        struct partition *p = &db->partitions[i];
        mutex_lock(&p->lock);
        const struct head *h = partition_head_find(p, c->tenant);
        if (h && h->min_ts <= c->sel->end_ms && h->max_ts >= c->sel->start_ms) {
            e = collect_head(c, h);
        }
        mutex_unlock(&p->lock);
        if (e == ERR_OK) {
            e = query_ctx_check(c->q, info);
        }
    }
    if (e == ERR_OK && c->tenant) {
        struct store_set *set = store_view(&db->store);
        e = collect_blocks(c, set);
        e = e == ERR_OK ? collect_prom(c, db) : e;
        store_set_unref(set);
    }
    strmap_done(&c->seen);
    if (e == ERR_OOM || e == ERR_LIMIT) {
        return err_set(info, e, "no memory left for the list of labels: narrow the selection");
    }
    if (e != ERR_OK) {
        return e;
    }
    if (c->n > 1) {
        qsort(c->items, c->n, sizeof(*c->items), by_text);
    }
    bool cut = limit && c->n > limit;
    *ret_list = (struct str_list){c->items, cut ? limit : c->n, cut};
    return ERR_OK;
}

enum err source_label_names(struct metric_source *s, struct query_ctx *q, const struct metric_select *sel,
                            size_t limit, struct arena *a, struct str_list *ret_names,
                            struct err_info *reterr_info)
{
    struct collector c = {.q = q, .sel = sel, .a = a};
    enum err busy = staging_query_check(tsdb_of_source(s), reterr_info);
    if (busy != ERR_OK) {
        return busy;
    }
    return collect_all(&c, tsdb_of_source(s), limit, ret_names, reterr_info);
}

enum err source_label_values(struct metric_source *s, struct query_ctx *q, struct str name,
                             const struct metric_select *sel, size_t limit, struct arena *a,
                             struct str_list *ret_values, struct err_info *reterr_info)
{
    struct collector c = {.q = q, .sel = sel, .a = a, .name = name.n ? name : STR("")};
    enum err busy = staging_query_check(tsdb_of_source(s), reterr_info);
    if (busy != ERR_OK) {
        return busy;
    }
    return collect_all(&c, tsdb_of_source(s), limit, ret_values, reterr_info);
}
