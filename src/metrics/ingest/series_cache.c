/* An open-addressing table under one mutex. Invariant: at most 3/4 of the entries are in use; an entry with
 * ref 0 is free. */
#include "metrics/ingest/series_cache.h"

#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

enum {
    AHEAD = 8, /* keys: memory answers meanwhile */
    ENTRIES_MIN = 1024,
    ENTRIES_MAX = 1 << 24 /* 384 MiB, 12 million series: far above what one machine takes */
};

struct entry {
    struct hash128 key;
    series_ref ref;
};

struct series_cache {
    struct mutex lock;
    struct entry *entries; /* cap of them, a power of two */
    size_t cap, n, bytes_max;
    uint64_t epoch;
};

enum err series_cache_new(size_t bytes_max, struct series_cache **ret_cache)
{
    struct series_cache *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return ERR_OOM;
    }
    mutex_init(&c->lock);
    c->bytes_max = bytes_max;
    *ret_cache = c;
    return ERR_OK;
}

void series_cache_free(struct series_cache *c)
{
    if (c) {
        mutex_done(&c->lock);
        mem_free(c->entries);
        mem_free(c);
    }
}

struct hash128 series_cache_key(struct str tenant, struct str label_bytes)
{
    return hash128_seeded(label_bytes.p, label_bytes.n, hash_seed() ^ hash_str(tenant));
}

static struct entry *place(struct entry *entries, size_t cap, struct hash128 key)
{
    size_t i = key.lo & (cap - 1);
    while (entries[i].ref && (entries[i].key.lo != key.lo || entries[i].key.hi != key.hi)) {
        i = (i + 1) & (cap - 1);
    }
    return &entries[i];
}

static void soon(const struct series_cache *c, const struct hash128 *keys, size_t i, size_t n)
{
    if (c->cap && i < n) {
        __builtin_prefetch(&c->entries[keys[i].lo & (c->cap - 1)]);
    }
}

static void forget(struct series_cache *c)
{
    mem_free(c->entries);
    c->entries = NULL;
    c->cap = 0;
    c->n = 0;
}

void series_cache_get(struct series_cache *c, const struct hash128 *keys, size_t n, series_ref *ret_refs,
                      uint64_t *ret_epoch)
{
    mutex_lock(&c->lock);
    for (size_t i = 0; i < n; i++) {
        soon(c, keys, i + AHEAD, n);
        ret_refs[i] = c->cap ? place(c->entries, c->cap, keys[i])->ref : 0;
    }
    *ret_epoch = c->epoch;
    mutex_unlock(&c->lock);
}

/* Room for one more. False: there is none, and the cache is empty. */
static bool grow(struct series_cache *c)
{
    if ((c->n + 1) * 4 <= c->cap * 3) {
        return true;
    }
    size_t cap = c->cap ? c->cap * 2 : ENTRIES_MIN;
    struct entry *entries = cap <= ENTRIES_MAX && cap * sizeof(*entries) <= c->bytes_max
                                ? mem_zarray(cap, sizeof(*entries))
                                : NULL;
    if (!entries) {
        forget(c);
        return false;
    }
    for (size_t i = 0; i < c->cap; i++) {
        if (c->entries[i].ref) {
            *place(entries, cap, c->entries[i].key) = c->entries[i];
        }
    }
    mem_free(c->entries);
    c->entries = entries;
    c->cap = cap;
    return true;
}

void series_cache_put(struct series_cache *c, const struct hash128 *keys, const series_ref *refs, size_t n,
                      uint64_t epoch)
{
    mutex_lock(&c->lock);
    if (epoch > c->epoch) {
        forget(c);
        c->epoch = epoch;
    }
    for (size_t i = 0; i < n && epoch == c->epoch; i++) {
        soon(c, keys, i + AHEAD, n);
        if (!refs[i] || !grow(c)) {
            continue;
        }
        struct entry *at = place(c->entries, c->cap, keys[i]);
        if (!at->ref) {
            *at = (struct entry){keys[i], refs[i]};
            c->n++;
        }
    }
    mutex_unlock(&c->lock);
}

size_t series_cache_bytes(struct series_cache *c)
{
    mutex_lock(&c->lock);
    size_t bytes = c->cap * sizeof(*c->entries);
    mutex_unlock(&c->lock);
    return bytes;
}
