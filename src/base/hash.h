/* 64-bit hashes of bytes (XXH3). hash_bytes is stable across runs and machines and may be stored;
 * hash_seeded is for in-memory tables that outsiders can fill. */
#ifndef CAIRN_BASE_HASH_H
#define CAIRN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n);
/* XXH64 with seed 0: for what must hash as Prometheus hashes it. */
uint64_t hash_xx64(const void *p, size_t n);
uint64_t hash_seeded(const void *p, size_t n, uint64_t seed);
struct hash128 {
    uint64_t lo, hi;
};
struct hash128 hash128_bytes(const void *p, size_t n);
struct hash128 hash128_seeded(const void *p, size_t n, uint64_t seed);
/* Process-wide random seed for in-memory tables. */
uint64_t hash_seed(void);

static inline uint64_t hash_str(struct str s)
{
    return hash_bytes(s.p, s.n);
}

/* Mixes an integer (finaliser of MurmurHash3, public domain constants). */
static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

#endif
