/* Special sample values. */
#ifndef CAIRN_METRICS_MODEL_VALUE_H
#define CAIRN_METRICS_MODEL_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bit patterns of Prometheus: the staleness marker, and the NaN that every other NaN is stored as when
 * scraped. */
#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)

static inline uint64_t f64_bits(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof(b));
    return b;
}

static inline double f64_of_bits(uint64_t b)
{
    double v;
    memcpy(&v, &b, sizeof(v));
    return v;
}

static inline bool is_stale_nan(double v)
{
    return f64_bits(v) == STALE_NAN_BITS;
}

static inline double stale_nan(void)
{
    return f64_of_bits(STALE_NAN_BITS);
}

#endif
