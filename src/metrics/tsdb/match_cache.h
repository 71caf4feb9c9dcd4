/* What matchers left of blocks: found again by block, part of it and expression, for blocks never change.
 *
 * An entry is a piece of bytes whose meaning is the writer's. Numbers of blocks are never used twice, so an
 * entry is right as long as it is there; the least recently used make room, and housekeeping drops those of
 * blocks that are gone. Any thread. */
#ifndef CAIRN_METRICS_TSDB_MATCH_CACHE_H
#define CAIRN_METRICS_TSDB_MATCH_CACHE_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/thread.h"
#include "labels/matcher.h"

struct match_key {
    uint64_t block; /* its number; those of Prometheus, read in place, count down from UINT64_MAX */
    uint64_t part;  /* section, or kind of the bytes */
    struct hash128 matchers;
};

struct match_entry;

struct match_cache {
    struct mutex lock; /* guards what follows */
    struct match_entry **buckets;
    struct match_entry *newest, *oldest;
    size_t count, bytes, bytes_max;
    uint64_t hits, misses;
};

/* bytes_max 0: nothing is kept. */
void match_cache_init(struct match_cache *c, size_t bytes_max);
void match_cache_done(struct match_cache *c);

/* Of operators, names and expressions, in order; seeded. */
struct hash128 match_key_of(const struct matcher *m, size_t n);
/* The bytes, copied into the arena. Errors: NOT_FOUND, those of the arena. */
MUST_USE enum err match_cache_find(struct match_cache *c, const struct match_key *key, struct arena *a,
                                   struct str *ret_bytes);
/* Keeps a copy, if there is memory for it and it is no larger than an eighth of all. */
void match_cache_keep(struct match_cache *c, const struct match_key *key, struct str bytes);
/* Drops what `wanted` says no to; NULL: all. */
void match_cache_sweep(struct match_cache *c, bool (*wanted)(const void *ctx, uint64_t block),
                       const void *ctx);

struct match_cache_stats {
    size_t entries, bytes;
    uint64_t hits, misses;
};
struct match_cache_stats match_cache_stats(struct match_cache *c);

#endif
