/* The only place that includes xxhash. */
#include "base/hash.h"

#include <stdatomic.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <xxhash.h>
#pragma GCC diagnostic pop

uint64_t hash_bytes(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

uint64_t hash_xx64(const void *p, size_t n)
{
    return XXH64(p, n, 0);
}

uint64_t hash_seeded(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

struct hash128 hash128_bytes(const void *p, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct hash128){h.low64, h.high64};
}

struct hash128 hash128_seeded(const void *p, size_t n, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(p, n, seed);
    return (struct hash128){h.low64, h.high64};
}

uint64_t hash_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t s = atomic_load_explicit(&seed, memory_order_acquire); /* pairs with the exchange */
    if (s == 0) {
        uint64_t fresh = 0;
        if (getrandom(&fresh, sizeof(fresh), 0) != (ssize_t)sizeof(fresh) || fresh == 0) {
            fresh = 0x9e3779b97f4a7c15u;
        }
        uint64_t expected = 0;
        if (atomic_compare_exchange_strong_explicit(&seed, &expected, fresh, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return fresh;
        }
        s = expected;
    }
    return s;
}
