/* An open-addressing table with linear probing, and the page; exposition order is stable, so what the page
 * has next is tried before the table. */
#include "metrics/scrape/cache.h"

#include <stddef.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
    CACHE_MIN = 64,
    PACK_PART = 8 /* that many of the series may stand elsewhere */
};

static bool is_packed(const struct scrape_cache *c, const struct cached_series *s)
{
    return (uintptr_t)s - (uintptr_t)c->packed < c->packed_bytes;
}

/* Accepts NULL. */
static void series_free(struct scrape_cache *c, struct cached_series *s)
{
    if (s && is_packed(c, s)) {
        c->packed_count--;
    } else {
        mem_free(s);
    }
}

void scrape_cache_done(struct scrape_cache *c)
{
    for (size_t i = 0; i < c->cap; i++) {
        series_free(c, c->slots[i]);
    }
    mem_free(c->packed);
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

void scrape_cache_settle(struct scrape_cache *c)
{
    if (c->settled == c->scrape) {
        return;
    }
    c->settled = c->scrape;
    for (size_t i = 0; i < c->page.count; i++) {
        struct cached_series *s = c->page.entries[i].series;
        s->seen = s->seen < c->page_seen ? c->page_seen : s->seen;
    }
    for (size_t i = 0; i < c->next; i++) {
        (void)scrape_cache_see(c, c->page.entries[i].series);
    }
}

void scrape_cache_came(struct scrape_cache *c, struct cached_series *s, struct scrape_gap gap, bool again)
{
    const struct page_entry *e = c->next < c->page.count ? &c->page.entries[c->next] : NULL;
    if (!c->differs && e && e->series == s && e->again == again && gap_is(&e->gap, &gap)) {
        c->next++;
        return;
    }
    if (!c->differs) {
        begin_fresh(c);
    }
    struct scrape_page *f = &c->fresh;
    if (vec_reserve((void **)&f->entries, &f->cap, f->count + 1, sizeof(*f->entries)) == ERR_OK) {
        f->entries[f->count++] = (struct page_entry){s, gap, again};
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
        scrape_cache_settle(c);
        begin_fresh(c);
    }
    c->page_seen_before = c->differs ? 0 : c->page_seen; /* of a new page nothing was seen before */
    c->page_seen = c->scrape;
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
    scrape_cache_settle(c);
    c->page_seen = c->page_seen == c->scrape ? c->page_seen_before : c->page_seen;
    c->differs = c->comments_due = true; /* the page stays that of the last good scrape */
    c->fresh.count = 0;
    for (size_t i = 0; i < c->cap; i++) {
        struct cached_series *s = c->slots[i];
        if (s && s->seen == c->scrape && (s->flags & CACHED_UNSENT)) {
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

static size_t packed_size(const struct cached_series *s)
{
    return (offsetof(struct cached_series, text) + s->text_size + 7) / 8 * 8;
}

/* The size of all series when each is in the page; else 0. An entry that `place` names is its series' own. */
static size_t pack_size(const struct scrape_cache *c)
{
    size_t bytes = 0, n = 0;
    for (size_t i = 0; i < c->page.count; i++) {
        const struct cached_series *s = c->page.entries[i].series;
        bytes += s->place == i ? packed_size(s) : 0;
        n += s->place == i;
    }
    return n == c->count ? bytes : 0;
}

static struct cached_series *moved_to(const struct cached_series *s)
{
    return (struct cached_series *)(void *)(uintptr_t)s->ref;
}

/* Puts the series side by side in the order of the page. Without memory they stay where they are. */
static void pack(struct scrape_cache *c)
{
    size_t bytes = pack_size(c), at = 0;
    char *packed = bytes ? mem_alloc(bytes) : NULL;
    if (!packed) {
        return;
    }
    for (size_t i = 0; i < c->page.count; i++) {
        struct cached_series *s = c->page.entries[i].series;
        if (s->place == i) {
            memcpy(packed + at, s, offsetof(struct cached_series, text) + s->text_size);
            at += packed_size(s);
            s->ref = (uintptr_t)(packed + at - packed_size(s)); /* where it went */
        }
    }
    for (size_t i = 0; i < c->page.count; i++) {
        c->page.entries[i].series = moved_to(c->page.entries[i].series);
    }
    for (size_t i = 0; i < c->cap; i++) {
        struct cached_series *s = c->slots[i];
        c->slots[i] = s ? moved_to(s) : NULL;
        series_free(c, s);
    }
    mem_free(c->packed);
    c->packed = packed;
    c->packed_bytes = bytes;
    c->packed_count = c->count;
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
            series_free(c, s);
            c->slots[i] = NULL;
            c->count--;
            close_hole(c, i); /* may bring another one here */
        } else {
            i++;
        }
    }
    if ((c->count - c->packed_count) * PACK_PART > c->count) {
        pack(c);
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
