/* xoshiro256** seeded by splitmix64, both published in the public domain by their authors. */
#include "base/rng.h"

#include <sys/random.h>

__extension__ typedef unsigned __int128 u128; /* not ISO C, both compilers have it */

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void rng_init(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    return (uint64_t)(((u128)rng_u64(r) * n) >> 64);
}

double rng_f64(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}

enum err rng_secret(void *p, size_t n)
{
    char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got <= 0) {
            return ERR_IO;
        }
        at += got;
        n -= (size_t)got;
    }
    return ERR_OK;
}
