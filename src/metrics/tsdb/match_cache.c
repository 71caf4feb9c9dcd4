/* A bounded table of what matchers left of blocks, least recently used out first. */
#include "metrics/tsdb/match_cache.h"

#include <stdatomic.h>

#include "base/mem.h"

enum {
    BUCKETS = 4096,  /* entries of a few blocks' sections and a dashboard's expressions a bucket at most */
    PART_OF_ALL = 8, /* an entry larger than this part would push out too many others */
};

struct match_entry {
    atomic_uint refs; /* the table's one, and readers that copy */
    struct match_key key;
    struct match_entry *next;          /* in the bucket */
    struct match_entry *newer, *older; /* by use */
    size_t bytes;
    char data[];
};

void match_cache_init(struct match_cache *c, size_t bytes_max)
{
    *c = (struct match_cache){.bytes_max = bytes_max};
    mutex_init(&c->lock);
}

static void entry_unref(struct match_entry *e)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) {
        mem_free(e);
    }
}

static struct match_entry **bucket(const struct match_cache *c, const struct match_key *key)
{
    return &c->buckets[(key->matchers.lo ^ hash_u64(key->block * 64 + key->part)) % BUCKETS];
}

static bool key_eq(const struct match_key *a, const struct match_key *b)
{
    return a->block == b->block && a->part == b->part && a->matchers.lo == b->matchers.lo &&
           a->matchers.hi == b->matchers.hi;
}

static struct match_entry *entry_find(const struct match_cache *c, const struct match_key *key)
{
    struct match_entry *e = c->buckets ? *bucket(c, key) : NULL;
    while (e && !key_eq(&e->key, key)) {
        e = e->next;
    }
    return e;
}

static void list_take(struct match_cache *c, struct match_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void list_put(struct match_cache *c, struct match_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static size_t entry_bytes(const struct match_entry *e)
{
    return sizeof(*e) + e->bytes;
}

static void entry_drop(struct match_cache *c, struct match_entry *e)
{
    struct match_entry **at = bucket(c, &e->key);
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    list_take(c, e);
    c->count--;
    c->bytes -= entry_bytes(e);
    entry_unref(e);
}

void match_cache_done(struct match_cache *c)
{
    while (c->oldest) {
        entry_drop(c, c->oldest);
    }
    mem_free(c->buckets);
    mutex_done(&c->lock);
}

struct hash128 match_key_of(const struct matcher *m, size_t n)
{
    struct hash128 h = {hash_seed(), 0};
    for (size_t i = 0; i < n; i++) {
        uint64_t seed = hash_seeded(m[i].name.p, m[i].name.n, h.lo + (uint64_t)m[i].op);
        struct hash128 own = hash128_seeded(m[i].value.p, m[i].value.n, seed);
        h = (struct hash128){own.lo, hash_u64(h.hi) ^ own.hi};
    }
    return h;
}

enum err match_cache_find(struct match_cache *c, const struct match_key *key, struct arena *a,
                          struct str *ret_bytes)
{
    mutex_lock(&c->lock);
    struct match_entry *e = entry_find(c, key);
    if (e) {
        list_take(c, e);
        list_put(c, e);
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed); /* under the lock */
    }
    c->hits += e != NULL;
    c->misses += e == NULL;
    mutex_unlock(&c->lock);
    if (!e) {
        return ERR_NOT_FOUND;
    }
    char *copy = arena_alloc(a, e->bytes + 1); /* aligned: the bytes may be numbers */
    if (copy) {
        memcpy(copy, e->data, e->bytes);
        *ret_bytes = str_of(copy, e->bytes);
    }
    entry_unref(e);
    return copy ? ERR_OK : arena_err(a);
}

void match_cache_keep(struct match_cache *c, const struct match_key *key, struct str bytes)
{
    if (bytes.n + sizeof(struct match_entry) > c->bytes_max / PART_OF_ALL) {
        return;
    }
    struct match_entry *e = mem_alloc(sizeof(*e) + bytes.n);
    if (!e) {
        return;
    }
    *e = (struct match_entry){.key = *key, .bytes = bytes.n};
    atomic_init(&e->refs, 1);
    if (bytes.n) {
        memcpy(e->data, bytes.p, bytes.n);
    }
    mutex_lock(&c->lock);
    if (!c->buckets) {
        c->buckets = mem_zarray(BUCKETS, sizeof(struct match_entry *));
    }
    bool wanted = c->buckets && !entry_find(c, key); /* another reader may have been first */
    if (wanted) {
        struct match_entry **at = bucket(c, key);
        e->next = *at;
        *at = e;
        list_put(c, e);
        c->count++;
        c->bytes += entry_bytes(e);
    }
    while (c->bytes > c->bytes_max) {
        entry_drop(c, c->oldest);
    }
    mutex_unlock(&c->lock);
    if (!wanted) {
        entry_unref(e);
    }
}

void match_cache_sweep(struct match_cache *c, bool (*wanted)(const void *ctx, uint64_t block),
                       const void *ctx)
{
    mutex_lock(&c->lock);
    for (struct match_entry *e = c->oldest, *next; e; e = next) {
        next = e->newer;
        if (!wanted || !wanted(ctx, e->key.block)) {
            entry_drop(c, e);
        }
    }
    mutex_unlock(&c->lock);
}

struct match_cache_stats match_cache_stats(struct match_cache *c)
{
    mutex_lock(&c->lock);
    struct match_cache_stats s = {c->count, c->bytes, c->hits, c->misses};
    mutex_unlock(&c->lock);
    return s;
}
