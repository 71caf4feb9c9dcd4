/* Random numbers: a fast seeded generator (xoshiro256**, Blackman and Vigna) for sampling, jitter and tests,
 * and the kernel's generator for secrets. */
#ifndef CAIRN_BASE_RNG_H
#define CAIRN_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, n); n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Uniform in [0, 1). */
double rng_f64(struct rng *r);
/* Unpredictable bytes. Errors: IO. */
MUST_USE enum err rng_secret(void *p, size_t n);

#endif
