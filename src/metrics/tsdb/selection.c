/* Selections of blocks: made from the sections' indexes, kept by use. */
#include "metrics/tsdb/selection.h"

#include "base/mem.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/values.h"

enum {
    ENTRY_SHARE = 4, /* an entry takes at most this part of the cache */
    ENTRY_BYTES = sizeof(struct selection) + 64,
    KEY_BYTES_MAX = 1 << 14
};

/* -- making one ------------------------------------------------------------------------------------------ */

struct build {
    struct selection *s;
    struct query_ctx *q;
    struct block *b;
    uint64_t block_number;
    struct match_cache *matches;
    const struct matcher *matchers;
    size_t matcher_count;
    struct arena scratch; /* of one section */
    ts_ms **times;        /* of the section's columns, decoded when first used */
};

static uint32_t chosen_count(const struct section_reader *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->series_count; i++) {
        n += (uint32_t)(r->set[i / 64] >> (i % 64) & 1);
    }
    return n;
}

/* First and last time of a chunk on a shared column. */
static enum err chunk_span(struct build *w, const struct section_reader *r, struct section_chunk *c)
{
    const struct section_column *k = &r->columns[c->column];
    if (!w->times[c->column]) {
        ts_ms *ts = arena_array(&w->scratch, k->n, sizeof(*ts));
        if (!ts) {
            return arena_err(&w->scratch);
        }
        enum err e = times_decode((const uint8_t *)k->times.p, k->times.n, k->first, k->n, ts);
        if (e != ERR_OK) {
            return e;
        }
        w->times[c->column] = ts;
    }
    c->min_ts = w->times[c->column][c->first_tick];
    c->max_ts = w->times[c->column][c->first_tick + c->count - 1];
    return ERR_OK;
}

static enum err series_build(struct build *w, struct section_reader *r, uint64_t chunks,
                             struct selected_series *out)
{
    out->chunks = arena_array(&w->s->memory, (size_t)chunks, sizeof(*out->chunks));
    if (!out->chunks) {
        return arena_err(&w->s->memory);
    }
    out->hash = labels_hash(out->labels);
    out->chunk_count = (uint32_t)chunks;
    for (uint64_t i = 0; i < chunks; i++) {
        struct section_chunk c;
        enum err e = section_chunk_next(r, &c);
        if (e == ERR_OK && c.column != UINT32_MAX) {
            e = chunk_span(w, r, &c);
        }
        if (e != ERR_OK) {
            return e;
        }
        out->chunks[i] = (struct selected_chunk){.data = (const uint8_t *)c.times.p,
                                                 .times_bytes = (uint32_t)c.times.n,
                                                 .value_bytes = (uint32_t)c.values.n,
                                                 .column = c.column,
                                                 .first_tick = c.first_tick,
                                                 .count = c.count,
                                                 .page = c.page,
                                                 .mode = c.mode,
                                                 .min_ts = c.min_ts,
                                                 .max_ts = c.max_ts};
    }
    return ERR_OK;
}

/* The part's own copy of what its chunks refer to. */
static enum err part_begin(struct build *w, const struct section_reader *r, struct selected_part *p,
                           uint32_t count)
{
    struct section_column *columns =
        arena_array(&w->s->memory, r->column_count + (size_t)1, sizeof(*columns));
    p->series = arena_array(&w->s->memory, count, sizeof(*p->series));
    w->times = arena_zarray(&w->scratch, r->column_count + (size_t)1, sizeof(*w->times));
    if (!columns || !p->series || !w->times) {
        return arena_err(&w->s->memory) != ERR_OK ? arena_err(&w->s->memory) : arena_err(&w->scratch);
    }
    memcpy(columns, r->columns, r->column_count * sizeof(*columns));
    p->columns = columns;
    p->column_count = r->column_count;
    p->pages = section_pages(r);
    return ERR_OK;
}

/* CORRUPT: what was read before is in the part. */
static enum err part_fill(struct build *w, struct block_section *sec, struct selected_part *p)
{
    struct section_reader r;
    enum err e = section_open(&r, w->b, sec, &w->scratch);
    r.cache = w->matches;
    r.block = w->block_number;
    e = e == ERR_OK ? section_select(&r, w->matchers, w->matcher_count) : e;
    uint32_t count = e == ERR_OK ? chosen_count(&r) : 0;
    if (e != ERR_OK || count == 0) {
        return e;
    }
    e = part_begin(w, &r, p, count);
    while (e == ERR_OK) {
        struct selected_series *s = &p->series[p->series_count];
        uint64_t chunks = 0;
        e = section_series_next(&r, &w->s->memory, &s->labels, &chunks);
        e = e == ERR_OK ? series_build(w, &r, chunks, s) : e;
        p->series_count += e == ERR_OK;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err part_build(struct build *w, struct block_section *sec)
{
    struct selected_part *p = arena_zalloc(&w->s->memory, sizeof(*p));
    if (!p) {
        return arena_err(&w->s->memory);
    }
    arena_reset(&w->scratch);
    enum err e = part_fill(w, sec, p);
    p->damaged = e == ERR_CORRUPT;
    if (p->damaged || (e == ERR_OK && p->series_count)) {
        w->s->parts[sec->partition] = p;
    }
    return p->damaged ? ERR_OK : e;
}

static enum err selection_build(struct build *w)
{
    struct selection *s = w->s;
    struct block *b = w->b;
    enum err e = ERR_OK;
    arena_init(&w->scratch, 0, w->q->budget);
    for (size_t i = 0; i < b->section_count && e == ERR_OK; i++) {
        if (str_eq(b->sections[i].tenant, w->q->tenant)) {
            e = part_build(w, &b->sections[i]);
            e = e == ERR_OK ? query_ctx_check(w->q, NULL) : e;
        }
    }
    arena_done(&w->scratch);
    if (e == ERR_LIMIT && arena_err(&s->memory) == ERR_LIMIT) {
        memset(s->parts, 0, sizeof(s->parts));
        arena_done(&s->memory);
        s->too_large = true;
        e = ERR_OK;
    }
    return e;
}

/* -- the cache ------------------------------------------------------------------------------------------- */

void selection_cache_init(struct selection_cache *c, size_t bytes_max, struct match_cache *matches)
{
    *c = (struct selection_cache){.bytes_max = bytes_max, .matches = matches};
    mutex_init(&c->lock);
}

void selection_unref(struct selection *s)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        arena_done(&s->memory);
        mem_free((char *)(uintptr_t)s->key.p);
        mem_free(s);
    }
}

static void unlink_entry(struct selection_cache *c, struct selection *s)
{
    *(s->newer ? &s->newer->older : &c->newest) = s->older;
    *(s->older ? &s->older->newer : &c->oldest) = s->newer;
    s->newer = s->older = NULL;
}

static void link_newest(struct selection_cache *c, struct selection *s)
{
    s->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = s;
    c->newest = s;
}

static void drop(struct selection_cache *c, struct selection *s)
{
    (void)strmap_remove(&c->by_key, s->key);
    unlink_entry(c, s);
    c->bytes -= s->bytes;
    selection_unref(s);
}

void selection_cache_clear(struct selection_cache *c)
{
    mutex_lock(&c->lock);
    while (c->newest) {
        drop(c, c->newest);
    }
    mutex_unlock(&c->lock);
}

void selection_cache_done(struct selection_cache *c)
{
    selection_cache_clear(c);
    strmap_done(&c->by_key);
    mutex_done(&c->lock);
}

size_t selection_cache_bytes(struct selection_cache *c)
{
    mutex_lock(&c->lock);
    size_t bytes = c->bytes;
    mutex_unlock(&c->lock);
    return bytes;
}

static struct selection *find(struct selection_cache *c, struct str key)
{
    mutex_lock(&c->lock);
    struct selection *s = strmap_get(&c->by_key, key);
    if (s) {
        unlink_entry(c, s);
        link_newest(c, s);
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    }
    mutex_unlock(&c->lock);
    return s;
}

/* Without memory for its place it serves this query alone. */
static void keep(struct selection_cache *c, struct selection *s)
{
    mutex_lock(&c->lock);
    struct selection *other = strmap_get(&c->by_key, s->key); /* made by another query meanwhile */
    if (!other && strmap_put(&c->by_key, s->key, s, NULL) == ERR_OK) {
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
        link_newest(c, s);
        c->bytes += s->bytes;
        while (c->bytes > c->bytes_max && c->oldest != s) {
            drop(c, c->oldest);
        }
    }
    mutex_unlock(&c->lock);
}

static void key_write(struct buf *b, struct str tenant, uint64_t block, const struct matcher *m, size_t n)
{
    write_varint(b, block);
    write_str(b, tenant);
    for (size_t i = 0; i < n; i++) {
        write_u8(b, (uint8_t)m[i].op);
        write_str(b, m[i].name);
        write_str(b, m[i].value);
    }
}

static struct selection *selection_new(const struct selection_cache *c, const struct buf *key)
{
    struct selection *s = mem_zalloc(sizeof(*s));
    char *text = s ? mem_dup(key->p, key->n) : NULL;
    if (!text) {
        mem_free(s);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->key = str_of(text, key->n);
    arena_init(&s->memory, c->bytes_max / ENTRY_SHARE, NULL);
    return s;
}

enum err selection_get(struct selection_cache *c, struct query_ctx *q, struct block *b, uint64_t block_number,
                       const struct matcher *m, size_t n, struct selection **ret_s)
{
    struct buf key AUTO_BUF = {.size_bytes_max = KEY_BYTES_MAX};
    key_write(&key, q->tenant, block_number, m, n);
    if (key.err != ERR_OK) { /* matchers of many kilobytes: read without the cache */
        *ret_s = NULL;
        return key.err == ERR_LIMIT ? ERR_OK : key.err;
    }
    struct selection *s = find(c, buf_view(&key));
    if (s) {
        *ret_s = s;
        return ERR_OK;
    }
    s = selection_new(c, &key);
    if (!s) {
        return ERR_OOM;
    }
    struct build w = {.s = s,
                      .q = q,
                      .b = b,
                      .block_number = block_number,
                      .matches = c->matches,
                      .matchers = m,
                      .matcher_count = n};
    enum err e = selection_build(&w);
    if (e != ERR_OK) {
        selection_unref(s);
        return e;
    }
    s->bytes = ENTRY_BYTES + s->key.n * 2 + s->memory.used_bytes;
    keep(c, s);
    *ret_s = s;
    return ERR_OK;
}
