/* Label names and values of the series a selection matches.
 *
 * As with Prometheus the span of a block, or of the whole head, decides whether it is asked, not that of each
 * series: without matchers no series is touched, with them their postings alone. What a block has of a label
 * is remembered, for it never changes (match_cache.h):
 *
 *   remembered = (length varint, bytes)*   ascending */
#include "metrics/tsdb/name_set.h"
#include "metrics/tsdb/prom_blocks.h"
#include "metrics/tsdb/section.h"
#include "metrics/tsdb/source_int.h"
#include "metrics/tsdb/staging.h"
#include "metrics/tsdb/tsdb_int.h"

#define PART_NAMES UINT64_MAX /* of match_key */

enum {
    SERIES_WORTH_BYTES = 128 /* of postings are walked in the time a series' labels are read */
};

struct collector {
    struct tsdb *db;
    struct query_ctx *q;
    const struct metric_select *sel;
    struct tenant *tenant;
    struct str name;     /* values of it; p == NULL: names are asked for */
    struct arena all;    /* texts that stand nowhere else, sets */
    struct name_set set; /* of the heads, and of everything when there are matchers */
    struct name_runs runs;
    struct index *indexes[PARTITIONS]; /* the heads' texts */
    struct store_set *blocks;          /* and the blocks' */
};

static bool overlaps(const struct collector *c, ts_ms min, ts_ms max)
{
    return min <= c->sel->end_ms && max >= c->sel->start_ms;
}

/* -- heads ----------------------------------------------------------------------------------------------- */

static bool any_in(const struct label_pair *p, const uint64_t *set)
{
    for (uint32_t i = 0; set && i < p->count; i++) {
        if (set[p->slots[i] / 64] >> (p->slots[i] % 64) & 1) {
            return true;
        }
    }
    return !set && p->count;
}

/* `set`: the series that are asked for, NULL for all. */
static enum err collect_name(struct collector *c, const struct index *ix, const struct label_name *n,
                             const uint64_t *set)
{
    for (uint32_t i = 0; i < n->count; i++) {
        const struct label_pair *p = &ix->pairs[n->pairs[i]];
        if (!any_in(p, set)) {
            continue;
        }
        enum err e = name_set_add(&c->set, index_symbol(ix, c->name.p ? p->value : n->symbol));
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
    size_t words = bitmap_words(h->slot_count);
    uint64_t *set = NULL;
    enum err e = ERR_OK;
    if (c->sel->matcher_count) {
        set = arena_array(&scratch, words + 1, sizeof(*set));
        if (!set) {
            return arena_err(&scratch);
        }
        memset(set, 0xff, words * sizeof(*set));
        e = index_select(ix, c->sel->matchers, c->sel->matcher_count, h->slot_count, set, &scratch);
    }
    if (c->name.p) {
        const struct label_name *n = index_name(ix, c->name);
        return e == ERR_OK && n ? collect_name(c, ix, n, set) : e;
    }
    for (size_t i = 0; e == ERR_OK && i < ix->name_count; i++) {
        e = collect_name(c, ix, &ix->names[i], set);
    }
    return e;
}

/* Whether the tenant's heads together have a part in the span. */
static bool heads_wanted(struct collector *c)
{
    ts_ms min = INT64_MAX, max = INT64_MIN;
    for (unsigned i = 0; i < PARTITIONS; i++) {
        struct partition *p = &c->db->partitions[i];
        mutex_lock(&p->lock);
        const struct head *h = partition_head_find(p, c->tenant);
        min = h && h->min_ts < min ? h->min_ts : min;
        max = h && h->max_ts > max ? h->max_ts : max;
        mutex_unlock(&p->lock);
    }
    return min <= max && overlaps(c, min, max);
}

static enum err collect_heads(struct collector *c, struct err_info *info)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; e == ERR_OK && i < PARTITIONS; i++) {
        struct partition *p = &c->db->partitions[i];
        mutex_lock(&p->lock);
        const struct head *h = partition_head_find(p, c->tenant);
        if (h) {
            c->indexes[i] = index_ref(h->index);
            e = collect_head(c, h);
        }
        mutex_unlock(&p->lock);
        e = e == ERR_OK ? query_ctx_check(c->q, info) : e;
    }
    return e;
}

/* -- blocks ---------------------------------------------------------------------------------------------- */

/* The values of the name that some chosen series has, or the name itself when any has it. */
static enum err collect_section_name(const struct collector *c, const struct section_reader *s,
                                     const struct section_name *n, struct name_set *out)
{
    struct reader r = reader_of(n->values);
    struct section_value v = {0};
    enum err e;
    while ((e = section_value_next(s, &r, &v)) == ERR_OK) {
        if (s->set && !section_value_in(s, &v, s->set)) {
            continue;
        }
        e = name_set_add(out, section_symbol(s, c->name.p ? v.symbol : n->symbol));
        if (e != ERR_OK || !c->name.p) {
            return e;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static bool few_chosen(const struct section_reader *s, const struct section_name *n)
{
    uint64_t chosen = 0;
    for (uint32_t w = 0; s->set && w < (s->series_count + 63) / 64; w++) {
        chosen += (uint64_t)__builtin_popcountll(s->set[w]);
    }
    return s->set && chosen * SERIES_WORTH_BYTES < n->values.n;
}

/* The values of the name that the chosen series have, out of their labels: where they are few among many
 * values, looking for each value among them takes longer. */
static enum err collect_chosen(const struct collector *c, struct section_reader *s, struct name_set *out)
{
    struct labels ls;
    uint64_t chunks = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && (e = section_series_next(s, s->a, &ls, &chunks)) == ERR_OK) {
        struct str value = labels_get(ls, c->name);
        e = value.n ? name_set_add(out, value) : ERR_OK;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err collect_section(const struct collector *c, struct block *b, struct block_section *sec,
                                struct name_set *out)
{
    struct arena scratch AUTO_ARENA;
    struct section_reader s;
    struct section_name n;
    arena_init(&scratch, 0, c->q->budget);
    enum err e = section_open(&s, b, sec, &scratch);
    s.cache = &c->db->match_cache;
    s.block = store_block_number(b);
    if (e == ERR_OK && c->sel->matcher_count) {
        e = section_select(&s, c->sel->matchers, c->sel->matcher_count);
    }
    uint32_t wanted = e == ERR_OK && c->name.p ? section_symbol_find(&s, c->name) : UINT32_MAX;
    struct reader r = reader_of(e == ERR_OK ? s.postings : (struct str){0});
    while (e == ERR_OK && (e = section_name_next(&s, &r, &n)) == ERR_OK) {
        if (n.symbol == wanted && few_chosen(&s, &n)) {
            return collect_chosen(c, &s, out);
        }
        if (!c->name.p || n.symbol == wanted) {
            e = collect_section_name(c, &s, &n, out);
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* *ret_whole is false where a section is damaged; that is counted where samples are read. */
static enum err collect_block(const struct collector *c, struct block *b, struct name_set *out,
                              bool *ret_whole)
{
    enum err e = ERR_OK;
    *ret_whole = true;
    for (size_t k = 0; e == ERR_OK && k < b->section_count; k++) {
        if (str_eq(b->sections[k].tenant, c->tenant->name)) {
            e = collect_section(c, b, &b->sections[k], out);
            *ret_whole &= e != ERR_CORRUPT;
            e = e == ERR_CORRUPT ? ERR_OK : e;
        }
    }
    return e;
}

static struct match_key block_key(const struct collector *c, const struct block *b)
{
    uint64_t seed = hash_seeded(c->tenant->name.p, c->tenant->name.n, hash_seed() + (c->name.p != NULL));
    return (struct match_key){store_block_number(b), PART_NAMES, hash128_seeded(c->name.p, c->name.n, seed)};
}

static void remember(struct collector *c, const struct match_key *key, const struct name_set *set)
{
    struct buf b AUTO_BUF = {.size_bytes_max = c->db->match_cache.bytes_max + 1};
    for (size_t i = 0; i < set->n && b.err == ERR_OK; i++) {
        write_str(&b, set->items[i]);
    }
    if (b.err == ERR_OK) {
        match_cache_keep(&c->db->match_cache, key, buf_view(&b));
    }
}

/* The list as it was remembered, a run of its own. */
static enum err recall(struct collector *c, struct str bytes)
{
    struct arena scratch AUTO_ARENA;
    struct str *items = NULL;
    size_t n = 0, cap = 0;
    struct reader r = reader_of(bytes);
    arena_init(&scratch, 0, c->q->budget);
    while (reader_left(&r)) {
        if (arena_reserve(&scratch, (void **)&items, &cap, n + 1, sizeof(*items)) != ERR_OK) {
            return arena_err(&scratch);
        }
        items[n++] = read_str(&r);
    }
    return name_runs_add(&c->runs, items, n);
}

/* All that a block has of the label. */
static enum err collect_whole_block(struct collector *c, struct block *b)
{
    struct match_key key = block_key(c, b);
    struct arena scratch AUTO_ARENA;
    struct name_set set = {.a = &scratch};
    struct str bytes;
    bool whole = false;
    arena_init(&scratch, 0, c->q->budget);
    enum err e = match_cache_find(&c->db->match_cache, &key, &c->all, &bytes);
    if (e != ERR_NOT_FOUND) {
        return e == ERR_OK ? recall(c, bytes) : e;
    }
    e = collect_block(c, b, &set, &whole);
    e = e == ERR_OK ? name_set_sort(&set) : e;
    if (e == ERR_OK && whole) {
        remember(c, &key, &set);
    }
    return e == ERR_OK ? name_runs_add(&c->runs, set.items, set.n) : e;
}

static enum err collect_blocks(struct collector *c, const struct store_set *set, struct err_info *info)
{
    enum err e = ERR_OK;
    bool whole;
    for (size_t i = 0; e == ERR_OK && i < set->block_count; i++) {
        struct block *b = set->blocks[i];
        if (overlaps(c, b->min_ts, b->max_ts)) {
            e = c->sel->matcher_count ? collect_block(c, b, &c->set, &whole) : collect_whole_block(c, b);
            e = e == ERR_OK ? query_ctx_check(c->q, info) : e;
        }
    }
    return e;
}

/* -- blocks of a Prometheus ------------------------------------------------------------------------------ */

/* The values of the name that some chosen series of a block of Prometheus has, or the name itself. Values
 * come ascending. */
static enum err collect_prom_name(const struct collector *c, const struct prom_block *b,
                                  const struct prom_name *n, const struct prom_ids *ids, struct name_set *out)
{
    struct prom_values v = prom_values_of(&b->index, n);
    while (prom_values_next(&v)) {
        struct prom_postings p;
        bool in =
            !ids || (prom_index_postings(&b->index, v.postings, &p) == ERR_OK && prom_postings_meet(&p, ids));
        enum err e = in ? name_set_add(out, c->name.p ? v.value : n->name) : ERR_OK;
        if (e != ERR_OK || (in && !c->name.p)) {
            return e;
        }
    }
    return ERR_OK;
}

/* All values of the name, ascending as they stand there. */
static enum err collect_prom_values(struct collector *c, const struct prom_index *ix,
                                    const struct prom_name *n)
{
    struct arena scratch AUTO_ARENA;
    arena_init(&scratch, 0, c->q->budget);
    struct prom_values v = prom_values_of(ix, n);
    struct str *items = arena_array(&scratch, n->values + 1u, sizeof(*items));
    size_t k = 0;
    while (items && k < n->values && prom_values_next(&v)) {
        items[k++] = v.value;
    }
    return items ? name_runs_add(&c->runs, items, k) : arena_err(&scratch);
}

/* The series the matchers accept, in the arena. */
static enum err prom_chosen_ids(const struct collector *c, size_t block, struct arena *a,
                                struct prom_ids *ret_ids)
{
    const struct prom_index *ix = &c->db->prom.blocks[block]->index;
    struct match_key key = prom_match_key(block, PROM_IDS, c->sel->matchers, c->sel->matcher_count);
    struct str bytes;
    enum err e = match_cache_find(&c->db->match_cache, &key, a, &bytes);
    if (e == ERR_OK) {
        *ret_ids = (struct prom_ids){(uint32_t *)(uintptr_t)bytes.p, bytes.n / sizeof(uint32_t)};
        return e;
    }
    e = e == ERR_NOT_FOUND ? prom_index_select(ix, c->sel->matchers, c->sel->matcher_count, a, ret_ids) : e;
    if (e == ERR_OK) {
        match_cache_keep(&c->db->match_cache, &key,
                         str_of((const char *)ret_ids->ids, ret_ids->n * sizeof(uint32_t)));
    }
    return e;
}

static enum err collect_prom_block(struct collector *c, size_t block, struct name_set *out)
{
    const struct prom_block *b = c->db->prom.blocks[block];
    const struct prom_name *named = c->name.p ? prom_index_name(&b->index, c->name) : NULL;
    struct arena scratch AUTO_ARENA;
    struct prom_ids ids = {0};
    enum err e = ERR_OK;
    arena_init(&scratch, 0, c->q->budget);
    if (named && !c->sel->matcher_count) {
        return collect_prom_values(c, &b->index, named);
    }
    if (c->sel->matcher_count) {
        e = prom_chosen_ids(c, block, &scratch, &ids);
    }
    const struct prom_ids *chosen = c->sel->matcher_count ? &ids : NULL;
    if (e == ERR_OK && named) {
        e = collect_prom_name(c, b, named, chosen, out);
    }
    for (size_t i = 0; e == ERR_OK && !c->name.p && i < b->index.name_count; i++) {
        const struct prom_name *n = &b->index.names[i];
        e = n->name.n ? collect_prom_name(c, b, n, chosen, out) : ERR_OK;
    }
    return e == ERR_CORRUPT ? ERR_OK : e; /* damage is counted where samples are read */
}

static enum err collect_prom(struct collector *c, struct err_info *info)
{
    enum err e = ERR_OK;
    const struct prom_dir *dir = &c->db->prom;
    for (size_t i = 0; e == ERR_OK && i < dir->n && str_eq(c->tenant->name, QUERY_TENANT_DEFAULT); i++) {
        if (prom_block_wanted(c->db, dir->blocks[i], c->sel->start_ms, c->sel->end_ms)) {
            e = collect_prom_block(c, i, &c->set);
            e = e == ERR_OK ? query_ctx_check(c->q, info) : e;
        }
    }
    return e;
}

/* -- the list -------------------------------------------------------------------------------------------- */

static enum err list_make(struct collector *c, size_t limit, struct arena *a, struct str_list *ret_list)
{
    const struct str *items = NULL;
    size_t n = 0;
    enum err e = name_set_sort(&c->set);
    e = e == ERR_OK ? name_runs_add(&c->runs, c->set.items, c->set.n) : e;
    e = e == ERR_OK ? name_runs_merge(&c->runs, &items, &n) : e;
    if (e != ERR_OK) {
        return e;
    }
    bool cut = limit && n > limit;
    n = cut ? limit : n;
    struct str *out = arena_array(a, n + 1, sizeof(*out));
    for (size_t i = 0; out && i < n; i++) {
        out[i] = arena_str(a, items[i]);
        if (!out[i].p) {
            return arena_err(a);
        }
    }
    *ret_list = (struct str_list){out, n, cut};
    return out ? ERR_OK : arena_err(a);
}

static enum err collect_all(struct collector *c, struct err_info *info)
{
    enum err e = heads_wanted(c) ? collect_heads(c, info) : ERR_OK;
    c->blocks = store_view(&c->db->store); /* after the heads: what a flush takes out of them is there */
    e = e == ERR_OK ? collect_blocks(c, c->blocks, info) : e;
    return e == ERR_OK ? collect_prom(c, info) : e;
}

static enum err list(struct collector *c, size_t limit, struct arena *a, struct str_list *ret_list,
                     struct err_info *info)
{
    enum err e = staging_query_check(c->db, info);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&c->all, 0, c->q->budget);
    c->set.a = &c->all;
    c->runs.budget = c->q->budget;
    e = tenant_get(c->db, c->q->tenant, false, &c->tenant);
    e = e == ERR_OK && c->tenant ? collect_all(c, info) : e;
    e = e == ERR_OK ? list_make(c, limit, a, ret_list) : e;
    store_set_unref(c->blocks);
    for (size_t i = 0; i < PARTITIONS; i++) {
        index_unref(c->indexes[i]);
    }
    name_runs_done(&c->runs);
    arena_done(&c->all);
    if (e == ERR_OOM || e == ERR_LIMIT) {
        return err_set(info, e, "no memory left for the list of labels: narrow the selection");
    }
    return e;
}

enum err source_label_names(struct metric_source *s, struct query_ctx *q, const struct metric_select *sel,
                            size_t limit, struct arena *a, struct str_list *ret_names,
                            struct err_info *reterr_info)
{
    struct collector c = {.db = tsdb_of_source(s), .q = q, .sel = sel};
    return list(&c, limit, a, ret_names, reterr_info);
}

enum err source_label_values(struct metric_source *s, struct query_ctx *q, struct str name,
                             const struct metric_select *sel, size_t limit, struct arena *a,
                             struct str_list *ret_values, struct err_info *reterr_info)
{
    struct collector c = {.db = tsdb_of_source(s), .q = q, .sel = sel, .name = name.n ? name : STR("")};
    return list(&c, limit, a, ret_values, reterr_info);
}
