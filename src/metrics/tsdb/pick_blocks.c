/* Series of blocks, merged by label set with what was picked already. */
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "disk/map_guard.h"
#include "metrics/tsdb/cursor_int.h"
#include "metrics/tsdb/section.h"
#include "metrics/tsdb/values.h"

enum {
    WARNINGS_MAX = 8
};

void cursor_warn(struct metric_cursor *c, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!c->warnings) {
        c->warnings = arena_array(&c->all, WARNINGS_MAX, sizeof(*c->warnings));
    }
    if (c->warnings && c->warning_count < WARNINGS_MAX) {
        struct str s = arena_str(&c->all, str_c(text));
        if (s.p) {
            c->warnings[c->warning_count++] = s;
        }
    }
}

static void table_enter(struct metric_cursor *c, uint32_t picked)
{
    size_t i = c->picked[picked].hash & (c->by_hash_cap - 1);
    while (c->by_hash[i]) {
        i = (i + 1) & (c->by_hash_cap - 1);
    }
    c->by_hash[i] = picked + 1;
}

static enum err table_reserve(struct metric_cursor *c)
{
    if ((c->picked_count + 1) * 2 <= c->by_hash_cap) {
        return ERR_OK;
    }
    size_t cap = 64;
    while (cap < (c->picked_count + 1) * 4) {
        cap *= 2;
    }
    c->by_hash = arena_zarray(&c->part, cap, sizeof(*c->by_hash));
    c->by_hash_cap = c->by_hash ? cap : 0;
    for (uint32_t i = 0; c->by_hash && i < c->picked_count; i++) {
        table_enter(c, i);
    }
    return c->by_hash ? ERR_OK : arena_err(&c->part);
}

enum err cursor_picked_for(struct metric_cursor *c, struct labels ls, uint64_t hash, struct picked **ret_p)
{
    enum err e = table_reserve(c);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = hash & (c->by_hash_cap - 1); c->by_hash[i]; i = (i + 1) & (c->by_hash_cap - 1)) {
        struct picked *p = &c->picked[c->by_hash[i] - 1];
        if (p->hash == hash && labels_eq(p->labels, ls)) {
            p->id |= METRIC_ID_UNORDERED;
            *ret_p = p;
            return ERR_OK;
        }
    }
    if (arena_reserve(&c->part, (void **)&c->picked, &c->picked_cap, c->picked_count + 1,
                      sizeof(*c->picked)) != ERR_OK) {
        return arena_err(&c->part);
    }
    c->picked[c->picked_count] =
        (struct picked){.labels = ls, .hash = hash, .id = hash | METRIC_ID_UNORDERED};
    *ret_p = &c->picked[c->picked_count++];
    table_enter(c, (uint32_t)(c->picked_count - 1));
    return ERR_OK;
}

struct section_columns {
    const struct section_column *in;
    uint32_t *of; /* column of the section -> of the cursor */
    uint64_t rank;
    bool hurt; /* a page is damaged */
};

static enum err column_for(struct metric_cursor *c, struct section_columns *k, uint32_t column,
                           uint32_t *ret_column)
{
    if (k->of[column] == COLUMN_NONE) {
        const struct section_column *in = &k->in[column];
        ts_ms *ts = arena_array(&c->part, in->n, sizeof(*ts));
        if (!ts || arena_reserve(&c->part, (void **)&c->columns, &c->column_cap, c->column_count + 1,
                                 sizeof(*c->columns)) != ERR_OK) {
            return arena_err(&c->part);
        }
        enum err e = times_decode((const uint8_t *)in->times.p, in->times.n, in->first, in->n, ts);
        if (e != ERR_OK) {
            return e;
        }
        k->of[column] = (uint32_t)c->column_count;
        c->columns[c->column_count++] = (struct column){ts, 0, in->n};
    }
    *ret_column = k->of[column];
    return ERR_OK;
}

static bool overlaps(const struct metric_cursor *c, ts_ms min, ts_ms max)
{
    return min <= c->sel.end_ms && max >= c->sel.start_ms;
}

/* Whether the chunk has a part in the selection, and its times where they are a column's. */
static enum err chunk_time(struct metric_cursor *c, struct section_columns *k, struct section_chunk *in,
                           uint32_t *ret_column, bool *ret_wanted)
{
    if (in->column == UINT32_MAX) {
        *ret_wanted = overlaps(c, in->min_ts, in->max_ts);
        return ERR_OK;
    }
    const struct section_column *whole = &k->in[in->column];
    if (!overlaps(c, whole->first, whole->last)) {
        return ERR_OK;
    }
    enum err e = column_for(c, k, in->column, ret_column);
    if (e == ERR_OK) {
        const ts_ms *ts = c->columns[*ret_column].ts + in->first_tick;
        in->min_ts = ts[0];
        in->max_ts = ts[in->count - 1];
        *ret_wanted = overlaps(c, in->min_ts, in->max_ts);
    }
    return e;
}

static enum err run_pick(struct metric_cursor *c, struct picked *p, const struct run *r)
{
    ASSERT(p); /* cursor_picked_for made it */
    if (arena_reserve(&c->part, (void **)&p->runs, &p->run_cap, p->run_count + 1, sizeof(*p->runs)) !=
        ERR_OK) {
        return arena_err(&c->part);
    }
    p->runs[p->run_count++] = *r;
    p->rich |= r->mode == CHUNK_RICH;
    p->sample_count += r->count;
    return ERR_OK;
}

static struct run run_of(const struct section_chunk *in, uint32_t column, uint64_t rank)
{
    return (struct run){.times = (const uint8_t *)in->times.p,
                        .times_bytes = (uint32_t)in->times.n,
                        .values = (const uint8_t *)in->values.p,
                        .value_bytes = (uint32_t)in->values.n,
                        .column = column,
                        .first_tick = in->first_tick,
                        .count = in->count,
                        .mode = in->mode,
                        .min_ts = in->min_ts,
                        .max_ts = in->max_ts,
                        .rank = rank};
}

static enum err series_pick(struct metric_cursor *c, struct section_reader *s, struct section_columns *k,
                            struct labels ls, uint64_t chunks)
{
    struct picked *p = NULL;
    for (uint64_t i = 0; i < chunks; i++) {
        struct section_chunk in;
        enum err e = section_chunk_next(s, &in);
        if (e != ERR_OK) {
            return e;
        }
        uint32_t column = COLUMN_NONE;
        bool wanted = false;
        e = chunk_time(c, k, &in, &column, &wanted);
        if (e != ERR_OK) {
            return e;
        }
        if (!wanted) {
            continue;
        }
        if (!section_chunk_good(s)) { /* the index is whole: other pages are where it says */
            k->hurt = true;
            continue;
        }
        struct run r = run_of(&in, column, k->rank);
        e = p ? ERR_OK : cursor_picked_for(c, ls, labels_hash(ls), &p);
        e = e == ERR_OK ? run_pick(c, p, &r) : e;
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err columns_begin(struct metric_cursor *c, struct section_columns *k,
                              const struct section_column *in, uint32_t n, const struct block *b)
{
    *k = (struct section_columns){.in = in, .rank = store_block_number(b)};
    k->of = arena_array(&c->part, n + (size_t)1, sizeof(*k->of));
    if (!k->of) {
        return arena_err(&c->part);
    }
    memset(k->of, 0xff, n * sizeof(*k->of));
    return ERR_OK;
}

static enum err section_pick(struct metric_cursor *c, struct block *b, struct block_section *sec)
{
    struct section_reader s;
    enum err e = section_open(&s, b, sec, &c->part);
    s.cache = &c->db->match_cache;
    s.block = store_block_number(b);
    e = e == ERR_OK ? section_select(&s, c->sel.matchers, c->sel.matcher_count) : e;
    struct section_columns k = {0};
    if (e == ERR_OK) {
        e = columns_begin(c, &k, s.columns, s.columns ? s.column_count : 0, b);
    }
    struct labels ls;
    uint64_t chunks = 0;
    while (e == ERR_OK && (e = section_series_next(&s, &c->all, &ls, &chunks)) == ERR_OK) {
        e = series_pick(c, &s, &k, ls, chunks);
    }
    return e != ERR_NOT_FOUND ? e : k.hurt ? ERR_CORRUPT : ERR_OK;
}

/* -- from a remembered selection ------------------------------------------------------------------------- */

static enum err selected_pick(struct metric_cursor *c, struct section_columns *k,
                              const struct selected_part *part, const struct selected_series *s)
{
    struct picked *p = NULL;
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        const struct selected_chunk *in = &s->chunks[i];
        uint32_t column = COLUMN_NONE;
        enum err e = ERR_OK;
        if (!overlaps(c, in->min_ts, in->max_ts)) {
            continue;
        }
        if (!section_page_good(&part->pages, in->page)) {
            k->hurt = true;
            continue;
        }
        if (in->column != UINT32_MAX) {
            e = column_for(c, k, in->column, &column);
        }
        struct run r = {.times = in->data,
                        .times_bytes = in->times_bytes,
                        .values = in->data + in->times_bytes,
                        .value_bytes = in->value_bytes,
                        .column = column,
                        .first_tick = in->first_tick,
                        .count = in->count,
                        .mode = in->mode,
                        .min_ts = in->min_ts,
                        .max_ts = in->max_ts,
                        .rank = k->rank};
        e = e == ERR_OK && !p ? cursor_picked_for(c, s->labels, s->hash, &p) : e;
        e = e == ERR_OK ? run_pick(c, p, &r) : e;
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err part_pick(struct metric_cursor *c, const struct block *b, const struct selected_part *part)
{
    struct section_columns k = {0};
    enum err e = columns_begin(c, &k, part->columns, part->column_count, b);
    for (uint32_t i = 0; e == ERR_OK && i < part->series_count; i++) {
        e = selected_pick(c, &k, part, &part->series[i]);
    }
    return e == ERR_OK && (part->damaged || k.hurt) ? ERR_CORRUPT : e;
}

static bool block_overlaps(const struct metric_cursor *c, const struct block *b)
{
    return overlaps(c, b->min_ts, b->max_ts);
}

/* What the matchers choose of the set's blocks; entries stay NULL where blocks are read without the cache. */
static enum err selections_get(struct metric_cursor *c, struct store_set *set)
{
    struct selection **all = arena_zarray(&c->all, set->block_count + 1, sizeof(*all));
    if (!all) {
        return arena_err(&c->all);
    }
    c->selections = all;
    c->selections_of = set;
    for (size_t i = 0; i < set->block_count && c->sel.matcher_count; i++) {
        struct block *b = set->blocks[i];
        struct selection *s = NULL;
        if (!block_overlaps(c, b)) {
            continue;
        }
        if (vec_reserve((void **)&c->held_selections, &c->held_selection_cap, c->held_selection_count + 1,
                        sizeof(struct selection *)) != ERR_OK) {
            return ERR_OOM;
        }
        enum err e = selection_get(&c->db->selections, c->q, b, store_block_number(b), c->sel.matchers,
                                   c->sel.matcher_count, &s);
        if (e != ERR_OK) {
            return e;
        }
        if (s) {
            c->held_selections[c->held_selection_count++] = s;
            all[i] = s->too_large ? NULL : s;
        }
    }
    return ERR_OK;
}

static enum err block_pick(struct metric_cursor *c, unsigned partition, struct block *b,
                           const struct selection *s)
{
    if (s) {
        return s->parts[partition] ? part_pick(c, b, s->parts[partition]) : ERR_OK;
    }
    struct block_section *sec = block_section_of(b, c->tenant->name, partition);
    if (!sec || !overlaps(c, sec->min_ts, sec->max_ts)) {
        return ERR_OK;
    }
    return section_pick(c, b, sec);
}

/* Once for each section. */
static COLD void tell_damage(struct metric_cursor *c, struct block *b, unsigned partition)
{
    struct block_section *sec = block_section_of(b, c->tenant->name, partition);
    atomic_store_explicit(&b->damaged, true, memory_order_relaxed);
    if (!sec || atomic_exchange_explicit(&sec->told, true, memory_order_relaxed)) {
        return;
    }
    atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
    LOG_EVENT(
        LVL_ERROR, "tsdb_block_damaged", F_C("dir", c->db->dir), F_C("block", b->name),
        F_STR("tenant", sec->tenant), F_U64("partition", sec->partition),
        F_C("action", "answers leave out what is damaged and say so; the block is not merged with others"));
}

enum err pick_blocks(struct metric_cursor *c, unsigned partition, struct store_set *set)
{
    enum err e = ERR_OK;
    c->by_hash = NULL;
    c->by_hash_cap = 0;
    if (!c->only_blocks && c->selections_of != set) {
        e = selections_get(c, set);
    }
    for (size_t i = 0; e == ERR_OK && i < set->block_count; i++) {
        struct block *b = set->blocks[i];
        if (!block_overlaps(c, b)) {
            continue;
        }
        e = file_map_failed(&b->map) ? ERR_CORRUPT
                                     : block_pick(c, partition, b, c->only_blocks ? NULL : c->selections[i]);
        if (e == ERR_CORRUPT) {
            tell_damage(c, b, partition);
            cursor_warn(c, "block %s is damaged: samples of partition %u are missing", b->name, partition);
            e = ERR_OK;
        }
    }
    return e;
}
