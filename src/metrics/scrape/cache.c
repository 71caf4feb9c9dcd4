/* An open-addressing table with linear probing; exposition order is stable, so the successor of the last hit
 * is tried before the table. */
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
    *c = (struct scrape_cache){0};
}

void scrape_cache_begin(struct scrape_cache *c)
{
    c->scrape++;
    c->last = NULL;
}

static bool is(const struct cached_series *s, struct str text)
{
    return s->text_size == text.n && memcmp(s->text, text.p, text.n) == 0;
}

static void follows(struct scrape_cache *c, struct cached_series *s)
{
    if (c->last) {
        c->last->guess = s;
    } else {
        c->first = s;
    }
    c->last = s;
}

struct cached_series *scrape_cache_expected(const struct scrape_cache *c)
{
    return c->last ? c->last->guess : c->first;
}

void scrape_cache_take(struct scrape_cache *c, struct cached_series *s)
{
    c->last = s;
}

struct cached_series *scrape_cache_find(struct scrape_cache *c, struct str text)
{
    struct cached_series *guess = scrape_cache_expected(c);
    if (LIKELY(guess && is(guess, text))) {
        c->last = guess;
        return guess;
    }
    uint64_t hash = hash_seeded(text.p, text.n, hash_seed());
    for (size_t i = hash & (c->cap - 1); c->cap && c->slots[i]; i = (i + 1) & (c->cap - 1)) {
        if (c->slots[i]->text_hash == hash && is(c->slots[i], text)) {
            follows(c, c->slots[i]);
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
    *s = (struct cached_series){
        .text_hash = hash_seeded(text.p, text.n, hash_seed()), .text_size = (uint32_t)text.n, .seen = 0};
    memcpy(s->text, text.p, text.n);
    place(c->slots, c->cap, s);
    c->count++;
    follows(c, s);
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
    bool gone = false;
    for (size_t i = 0; i < c->cap; i++) {
        gone |= c->slots[i] && c->slots[i]->seen != c->scrape;
    }
    if (!gone) {
        return;
    }
    for (size_t i = 0; i < c->cap; i++) {
        struct cached_series *s = c->slots[i];
        if (s) {
            s->guess = s->guess && s->guess->seen == c->scrape ? s->guess : NULL;
        }
    }
    c->first = c->first && c->first->seen == c->scrape ? c->first : NULL;
    c->last = NULL;
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
