/* What a target exposed before: each series as it was written, its reference in the store, and when it was
 * last seen. A series seen again costs one comparison of its text.
 *
 * Label sets are not kept: they are made again from the text in the rare case that the store has forgotten
 * the reference. One owner at a time: the scrape that runs. */
#ifndef CAIRN_METRICS_SCRAPE_CACHE_H
#define CAIRN_METRICS_SCRAPE_CACHE_H

#include "base/str.h"
#include "metrics/model/sink.h"

enum cached_flags {
    CACHED_DROPPED = 1 << 0, /* by metric_relabel_configs */
    CACHED_TRACKED = 1 << 1, /* goes stale when it is missing */
    CACHED_LE = 1 << 2,      /* le was normalised */
    CACHED_QUANTILE = 1 << 3 /* quantile was */
};

struct cached_series {
    struct cached_series *guess; /* what followed it last time */
    uint64_t text_hash, labels_hash;
    series_ref ref;
    uint32_t text_size;
    uint32_t seen, before; /* number of the last scrape with it, and of the one before; 0 = none */
    uint8_t flags;
    char text[];
};

struct scrape_cache {
    struct cached_series **slots;
    size_t count, cap; /* cap 0 or a power of two */
    uint32_t scrape;   /* number of the running scrape, from 1 */
    struct cached_series *last;
    struct cached_series *first; /* seen first in the last scrape */
};

void scrape_cache_done(struct scrape_cache *c);
/* A new scrape. */
void scrape_cache_begin(struct scrape_cache *c);
/* What is likely to come next, or NULL; scrape_cache_take says that it came. */
struct cached_series *scrape_cache_expected(const struct scrape_cache *c);
void scrape_cache_take(struct scrape_cache *c, struct cached_series *s);
/* NULL when it is not known. */
struct cached_series *scrape_cache_find(struct scrape_cache *c, struct str text);
/* Errors: OOM. */
MUST_USE enum err scrape_cache_add(struct scrape_cache *c, struct str text,
                                   struct cached_series **ret_series);
/* Marks it as seen by this scrape; false when it was already. */
bool scrape_cache_see(struct scrape_cache *c, struct cached_series *s);
/* A scrape that failed saw nothing. */
void scrape_cache_rollback(struct scrape_cache *c);
/* Forgets what this scrape did not see; for scrapes that succeeded. */
void scrape_cache_trim(struct scrape_cache *c);
/* Iteration over all; NULL at the end. *pos starts at 0. */
struct cached_series *scrape_cache_next(const struct scrape_cache *c, size_t *pos);

#endif
