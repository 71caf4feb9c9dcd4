/* Built for speed (CMakeLists.txt). */
#include "metrics/promql/columns.h"

#include <math.h>

#include "metrics/model/value.h"

size_t column_count(const uint8_t *has, size_t n)
{
    size_t count = 0;
    if (column_whole(has, n)) { /* nearly all are, and this is the faster search */
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        count += has[i];
    }
    return count;
}

bool column_any_stale(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= f64_bits(v[i]) == STALE_NAN_BITS ? UINT64_MAX : 0;
    }
    return any != 0;
}

bool column_gather(const double *v, const uint32_t *at, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = v[at[i]];
    }
    return !column_any_stale(out, n);
}

void column_presence(const double *v, const uint8_t *near, size_t n, uint8_t *has)
{
    for (size_t i = 0; i < n; i++) {
        has[i] = near[i] & (f64_bits(v[i]) != STALE_NAN_BITS);
    }
}

bool column_falls(const double *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 1; i < n; i++) {
        any |= v[i] < v[i - 1] ? UINT64_MAX : 0;
    }
    return any != 0;
}

void column_add(double *restrict sum, double *restrict c, const double *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double s = sum[i], x = v[i], t = s + x;
        bool sum_larger = fabs(s) >= fabs(x);
        double large = sum_larger ? s : x, small = sum_larger ? x : s;
        double rest = c[i] + ((large - t) + small);
        c[i] = fabs(t) > 0x1.fffffffffffffp+1023 ? 0 : rest;
        sum[i] = t;
    }
}

bool column_add_finite(double *sum, double *c, const double *v, size_t n)
{
    uint64_t endless = 0;
    for (size_t i = 0; i < n; i++) {
        endless |= fabs(sum[i] + v[i]) > 0x1.fffffffffffffp+1023 ? UINT64_MAX : 0;
    }
    if (endless) {
        return false;
    }
    column_add(sum, c, v, n);
    return true;
}

void column_max(double *restrict best, const double *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double b = best[i], x = v[i];
        b = x > b ? x : b;
        best[i] = b != b ? x : b; /* a NaN gives way */
    }
}

void column_min(double *restrict best, const double *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double b = best[i], x = v[i];
        b = x < b ? x : b;
        best[i] = b != b ? x : b;
    }
}
