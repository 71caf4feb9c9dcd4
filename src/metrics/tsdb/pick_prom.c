/* Series of the blocks of a Prometheus that are read in place, merged with what was picked already.
 *
 * Its series are not kept by partition. The first partition of a cursor runs the matchers against every block
 * once and sorts the ids by partition; every partition then touches its own. */
#include <stdlib.h>

#include "base/assert.h"
#include "metrics/promtsdb/prom_dir.h"
#include "metrics/tsdb/cursor_int.h"
#include "metrics/tsdb/prom_blocks.h"

/* The chosen series of one block. */
struct prom_chosen {
    struct prom_block *b;
    const uint32_t *from; /* of PARTITIONS + 1 */
    const uint32_t *ids;  /* by partition, ascending within */
};

struct prom_choice {
    struct prom_chosen *blocks;
    size_t n;
};

/* The partition of every id; PARTITIONS where the series cannot be read. */
static enum err partitions_find(struct metric_cursor *c, const struct prom_block *b,
                                const struct prom_ids *ids, uint8_t *of, uint32_t counts[PARTITIONS + 1])
{
    struct arena scratch AUTO_ARENA;
    arena_init(&scratch, 0, c->q->budget);
    for (size_t i = 0; i < ids->n; i++) {
        struct prom_series s;
        enum err e = prom_index_series(&b->index, ids->ids[i], &scratch, &s);
        if (e == ERR_CORRUPT || (e == ERR_OK && s.labels.n == 0)) {
            atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
            cursor_warn(c, "block %s of Prometheus is damaged: a series is missing", b->meta.ulid);
            of[i] = PARTITIONS;
        } else if (e != ERR_OK) {
            return e;
        } else {
            of[i] = (uint8_t)(series_target(c->tenant->name, s.labels, labels_hash(s.labels)) % PARTITIONS);
        }
        counts[of[i]]++;
        arena_reset(&scratch);
    }
    return ERR_OK;
}

/* The ids by partition. *ret_all is false where some series could not be read. */
static enum err block_match(struct metric_cursor *c, const struct prom_block *b, struct prom_chosen *out,
                            bool *ret_all)
{
    struct arena scratch AUTO_ARENA;
    struct prom_ids ids = {0};
    uint32_t counts[PARTITIONS + 1] = {0}, at[PARTITIONS + 1];
    arena_init(&scratch, 0, c->q->budget);
    enum err e = prom_index_select(&b->index, c->sel.matchers, c->sel.matcher_count, &scratch, &ids);
    if (e != ERR_OK) {
        return e;
    }
    uint8_t *of = arena_alloc(&scratch, ids.n + 1);
    uint32_t *words = arena_array(&c->all, PARTITIONS + 1 + ids.n, sizeof(*words));
    e = of && words ? partitions_find(c, b, &ids, of, counts) : ERR_OOM;
    if (e != ERR_OK) {
        return e;
    }
    words[0] = 0;
    for (unsigned p = 0; p < PARTITIONS; p++) {
        at[p] = words[p];
        words[p + 1] = words[p] + counts[p];
    }
    for (size_t i = 0; i < ids.n; i++) {
        if (of[i] < PARTITIONS) {
            words[PARTITIONS + 1 + at[of[i]]++] = ids.ids[i];
        }
    }
    out->from = words;
    out->ids = words + PARTITIONS + 1;
    *ret_all = counts[PARTITIONS] == 0;
    return ERR_OK;
}

/* Number `i` of the folder's blocks. What the matchers left is remembered, unless something is damaged: that
 * is to be said each time. */
static enum err block_choose(struct metric_cursor *c, size_t i, struct prom_chosen *out)
{
    struct match_cache *cache = &c->db->match_cache;
    struct match_key key = prom_match_key(i, PROM_BY_PARTITION, c->sel.matchers, c->sel.matcher_count);
    struct str bytes;
    bool all = false;
    enum err e = match_cache_find(cache, &key, &c->all, &bytes);
    out->b = c->db->prom.blocks[i];
    if (e == ERR_OK) {
        out->from = (const uint32_t *)(const void *)bytes.p;
        out->ids = out->from + PARTITIONS + 1;
        return e;
    }
    e = e == ERR_NOT_FOUND ? block_match(c, out->b, out, &all) : e;
    if (e == ERR_OK && all) {
        size_t n = PARTITIONS + 1 + out->from[PARTITIONS];
        match_cache_keep(cache, &key, str_of((const char *)out->from, n * sizeof(*out->from)));
    }
    return e;
}

static enum err choose(struct metric_cursor *c)
{
    const struct prom_dir *dir = &c->db->prom;
    struct prom_choice *choice = arena_zalloc(&c->all, sizeof(*choice));
    struct prom_chosen *blocks = arena_array(&c->all, dir->n, sizeof(*blocks));
    if (!choice || !blocks) {
        return arena_err(&c->all);
    }
    choice->blocks = blocks;
    for (size_t i = 0; i < dir->n; i++) {
        if (!prom_block_wanted(c->db, dir->blocks[i], c->sel.start_ms, c->sel.end_ms)) {
            continue;
        }
        enum err e = block_choose(c, i, &choice->blocks[choice->n]);
        if (e == ERR_CORRUPT) {
            atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
            cursor_warn(c, "block %s of Prometheus is damaged: its samples are missing",
                        dir->blocks[i]->meta.ulid);
        } else if (e != ERR_OK) {
            return e;
        } else {
            choice->n++;
        }
    }
    c->prom = choice;
    return ERR_OK;
}

static enum err run_add(struct metric_cursor *c, struct picked *p, const struct run *r)
{
    ASSERT(p); /* cursor_picked_for made it */
    if (arena_reserve(&c->part, (void **)&p->runs, &p->run_cap, p->run_count + 1, sizeof(*p->runs)) !=
        ERR_OK) {
        return arena_err(&c->part);
    }
    p->runs[p->run_count++] = *r;
    p->rich |= prom_chunk_rich(r->prom_encoding);
    p->sample_count += r->count;
    return ERR_OK;
}

/* The chunk as a run. Errors: CORRUPT, UNSUPPORTED. */
static enum err chunk_run(const struct prom_block *b, const struct prom_chunk_meta *m, struct run *ret_r)
{
    unsigned encoding = 0;
    struct str data;
    uint32_t n = 0;
    enum err e = prom_block_chunk(b, m->ref, &encoding, &data);
    e = e == ERR_OK ? prom_chunk_count(encoding, data, &n) : e;
    if (e == ERR_OK) {
        *ret_r = (struct run){.values = (const uint8_t *)data.p,
                              .value_bytes = (uint32_t)data.n,
                              .column = COLUMN_NONE,
                              .count = n,
                              .prom_encoding = (uint8_t)encoding,
                              .min_ts = m->min_ts,
                              .max_ts = m->max_ts};
    }
    return e;
}

static enum err series_pick(struct metric_cursor *c, const struct prom_block *b, uint32_t id)
{
    struct prom_series s;
    struct picked *p = NULL;
    enum err e = prom_index_series(&b->index, id, &c->part, &s);
    struct prom_stones stones = prom_stones_of(&b->stones, id);
    for (size_t i = 0; e == ERR_OK && i < s.chunk_count; i++) {
        const struct prom_chunk_meta *m = &s.chunks[i];
        struct run r;
        if (m->min_ts > c->sel.end_ms || m->max_ts < c->sel.start_ms) {
            continue;
        }
        e = chunk_run(b, m, &r);
        if (e == ERR_CORRUPT || e == ERR_UNSUPPORTED) {
            atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
            cursor_warn(c, "block %s of Prometheus is damaged: a chunk is missing", b->meta.ulid);
            e = ERR_OK;
            continue;
        }
        r.prom_stones = stones.items;
        r.prom_stone_count = (uint32_t)stones.n;
        e = e == ERR_OK && !p ? cursor_picked_for(c, s.labels, labels_hash(s.labels), &p) : e;
        e = e == ERR_OK && r.count ? run_add(c, p, &r) : e;
    }
    return e;
}

enum err pick_prom(struct metric_cursor *c, unsigned partition)
{
    enum err e = ERR_OK;
    if (c->db->prom.n == 0 || !str_eq(c->tenant->name, QUERY_TENANT_DEFAULT)) {
        return ERR_OK;
    }
    if (!c->prom) {
        e = choose(c);
    }
    for (size_t i = 0; e == ERR_OK && i < c->prom->n; i++) {
        const struct prom_chosen *k = &c->prom->blocks[i];
        for (uint32_t at = k->from[partition]; e == ERR_OK && at < k->from[partition + 1]; at++) {
            e = series_pick(c, k->b, k->ids[at]);
        }
        if (e == ERR_OK) {
            e = query_ctx_check(c->q, NULL);
        }
    }
    return e;
}

enum err prom_run_decode(struct metric_cursor *c, const struct run *r, struct prom_samples *ret_s)
{
    struct prom_samples s = {0};
    enum err e =
        prom_chunk_decode(r->prom_encoding, str_of((const char *)r->values, r->value_bytes), &c->out, &s);
    if (e == ERR_CORRUPT || e == ERR_UNSUPPORTED) {
        atomic_fetch_add_explicit(&c->db->sections_bad, 1, memory_order_relaxed);
        cursor_warn(c, "a chunk of Prometheus is damaged and missing");
        s = (struct prom_samples){0};
        e = ERR_OK;
    }
    *ret_s = s;
    return e;
}
