/* An open-addressing table with linear probing, and the page; exposition order is stable, so what the page
 * has next is tried before the table. */
#include "metrics/scrape/cache.h"

#include "base/hash.h"
#include "base/mem.h"

enum {
    CACHE_MIN = 64
};

void scrape_cache_done(struct scrape_cache *c)
{
    for (size_t i = 0; i < c->cap; i++) {
        mem_free(c->slots[i]);
    }
    mem_free(c->slots);
    mem_free(c->page.entries);
    mem_free(c->fresh.entries);
    *c = (struct scrape_cache){0};
}

void scrape_cache_begin(struct scrape_cache *c)
{
    c->scrape++;
    c->next = 0;
    c->differs = c->fresh_broken = false;
    c->fresh.count = 0;
}

static bool is(const struct cached_series *s, struct str text)
{
    return s->text_size == text.n && memcmp(s->text, text.p, text.n) == 0;
}

/* -- the page -------------------------------------------------------------------------------------------- */

static bool gap_is(const struct scrape_gap *a, const struct scrape_gap *b)
{
    return a->bytes == b->bytes && a->hash == b->hash && a->flags == b->flags;
}

/* From here on this scrape is not as the page: what came until now begins the fresh one. Without memory
 * there is none; the next scrape then looks up every series. */
static void begin_fresh(struct scrape_cache *c)
{
    c->differs = true;
    if (vec_reserve((void **)&c->fresh.entries, &c->fresh.cap, c->next + 1, sizeof(struct page_entry)) !=
        ERR_OK) {
        c->fresh_broken = true;
        return;
    }
    for (size_t i = 0; i < c->next; i++) {
        c->fresh.entries[i] = c->page.entries[i];
    }
    c->fresh.count = c->next;
}

void scrape_cache_came(struct scrape_cache *c, struct cached_series *s, struct scrape_gap gap)
{
    const struct page_entry *e = c->next < c->page.count ? &c->page.entries[c->next] : NULL;
    if (!c->differs && e && e->series == s && gap_is(&e->gap, &gap)) {
        c->next++;
        return;
    }
    if (!c->differs) {
        begin_fresh(c);
    }
    struct scrape_page *f = &c->fresh;
    if (vec_reserve((void **)&f->entries, &f->cap, f->count + 1, sizeof(*f->entries)) == ERR_OK) {
        f->entries[f->count++] = (struct page_entry){s, gap};
    } else {
        c->fresh_broken = true;
    }
    if (s->place < c->page.count && c->page.entries[s->place].series == s) {
        c->next = s->place + 1u;
    }
}

void scrape_cache_read(struct scrape_cache *c, struct scrape_gap tail, unsigned format)
{
    if (!c->differs &&
        (c->next != c->page.count || c->page_of != format + 1 || !gap_is(&c->page.tail, &tail))) {
        begin_fresh(c);
    }
    if (!c->differs) {
        c->page_repeats++;
        return;
    }
    struct scrape_page old = c->page;
    c->page = c->fresh;
    c->fresh = old;
    c->page.tail = tail;
    c->page.count = c->fresh_broken ? 0 : c->page.count;
    c->page_of = format + 1;
    c->page_reads++;
    c->page_repeats = 0;
    for (size_t i = 0; i < c->page.count; i++) {
        c->page.entries[i].series->place = (uint32_t)i;
    }
    c->next = c->page.count;
}

/* -- the table ------------------------------------------------------------------------------------------- */

struct cached_series *scrape_cache_find(struct scrape_cache *c, struct str text)
{
    struct cached_series *guess = scrape_cache_expected(c);
    if (LIKELY(guess && is(guess, text))) {
        return guess;
    }
    uint64_t hash = hash_seeded(text.p, text.n, hash_seed());
    for (size_t i = hash & (c->cap - 1); c->cap && c->slots[i]; i = (i + 1) & (c->cap - 1)) {
        if (c->slots[i]->text_hash == hash && is(c->slots[i], text)) {
            return c->slots[i];
        }
    }
    return NULL;
}

static void place(struct cached_series **slots, size_t cap, struct cached_series *s)
{
    size_t i = s->text_hash & (cap - 1);
    while (slots[i]) {
        i = (i + 1) & (cap - 1);
    }
    slots[i] = s;
}

static enum err resize(struct scrape_cache *c, size_t cap)
{
    struct cached_series **slots = mem_zarray(cap, sizeof(struct cached_series *));
    if (!slots) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < c->cap; i++) {
        if (c->slots[i]) {
            place(slots, cap, c->slots[i]);
        }
    }
    mem_free(c->slots);
    c->slots = slots;
    c->cap = cap;
    return ERR_OK;
}

enum err scrape_cache_add(struct scrape_cache *c, struct str text, struct cached_series **ret_series)
{
    if (text.n > UINT32_MAX) {
        return ERR_LIMIT;
    }
    if ((c->count + 1) * 4 > c->cap * 3 && resize(c, c->cap ? c->cap * 2 : CACHE_MIN)) {
        return ERR_OOM;
    }
    struct cached_series *s = mem_alloc(sizeof(*s) + text.n);
    if (!s) {
        return ERR_OOM;
    }
    *s = (struct cached_series){.text_hash = hash_seeded(text.p, text.n, hash_seed()),
                                .text_size = (uint32_t)text.n,
                                .place = UINT32_MAX};
    memcpy(s->text, text.p, text.n);
    place(c->slots, c->cap, s);
    c->count++;
    *ret_series = s;
    return ERR_OK;
}

bool scrape_cache_see(struct scrape_cache *c, struct cached_series *s)
{
    if (s->seen == c->scrape) {
        return false;
    }
    s->before = s->seen;
    s->seen = c->scrape;
    return true;
}

void scrape_cache_rollback(struct scrape_cache *c)
{
    c->differs = c->comments_due = true; /* the page stays that of the last good scrape */
    c->fresh.count = 0;
    for (size_t i = 0; i < c->cap; i++) {
        struct cached_series *s = c->slots[i];
        if (s && s->seen == c->scrape) {
            s->seen = s->before;
        }
    }
}

/* Moves back what a hole would hide, as linear probing wants it. */
static void close_hole(struct scrape_cache *c, size_t hole)
{
    for (size_t i = (hole + 1) & (c->cap - 1); c->slots[i]; i = (i + 1) & (c->cap - 1)) {
        size_t home = c->slots[i]->text_hash & (c->cap - 1);
        if (((i - home) & (c->cap - 1)) >= ((i - hole) & (c->cap - 1))) {
            c->slots[hole] = c->slots[i];
            c->slots[i] = NULL;
            hole = i;
        }
    }
}

void scrape_cache_trim(struct scrape_cache *c)
{
    if (scrape_cache_unchanged(c)) {
        return;
    }
    c->fresh.count = 0; /* what it names may go */
    for (size_t i = 0; i < c->cap;) {
        struct cached_series *s = c->slots[i];
        if (s && s->seen != c->scrape) {
            mem_free(s);
            c->slots[i] = NULL;
            c->count--;
            close_hole(c, i); /* may bring another one here */
        } else {
            i++;
        }
    }
}

struct cached_series *scrape_cache_next(const struct scrape_cache *c, size_t *pos)
{
    while (*pos < c->cap) {
        struct cached_series *s = c->slots[(*pos)++];
        if (s) {
            return s;
        }
    }
    return NULL;
}
