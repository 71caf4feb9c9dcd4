/* From the labels of a series as a sender encodes them to the store's reference: a sender repeats the same
 * bytes with every scrape, and whoever knows them is spared decoding, checking, sorting and looking up.
 *
 * Keys are 128-bit hashes with a seed of this process (a sender cannot choose two sets that collide; by
 * chance, the hundred-millionth series meets another's key with probability 1e-23). References are those of
 * one epoch of the sink (metrics/model/sink.h); with a new one the cache begins anew. Any thread; one lock,
 * taken twice a request. */
#ifndef CAIRN_METRICS_INGEST_SERIES_CACHE_H
#define CAIRN_METRICS_INGEST_SERIES_CACHE_H

#include "base/hash.h"
#include "metrics/model/sink.h"

struct series_cache;

/* Takes at most bytes_max; full, it forgets and begins anew. */
MUST_USE enum err series_cache_new(size_t bytes_max, struct series_cache **ret_cache);
void series_cache_free(struct series_cache *c); /* accepts NULL */

struct hash128 series_cache_key(struct str tenant, struct str label_bytes);
/* ret_refs[i] of keys[i], 0 where it is not known; *ret_epoch is what they hold in. */
void series_cache_get(struct series_cache *c, const struct hash128 *keys, size_t n, series_ref *ret_refs,
                      uint64_t *ret_epoch);
/* Remembers what an append answered; a ref of 0 is passed over. Without memory, or full, it forgets. */
void series_cache_put(struct series_cache *c, const struct hash128 *keys, const series_ref *refs, size_t n,
                      uint64_t epoch);
/* Bytes in use, for the self-metrics. */
size_t series_cache_bytes(struct series_cache *c);

#endif
