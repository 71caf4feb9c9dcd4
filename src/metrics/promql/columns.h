/* Loops over whole columns, written so that the compiler makes vectors of them. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_COLUMNS_H
#define CAIRN_METRICS_PROMQL_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Flags are 0 or 1. */
static inline bool column_whole(const uint8_t *has, size_t n)
{
    return memchr(has, 0, n) == NULL;
}
size_t column_count(const uint8_t *has, size_t n);

bool column_any_stale(const double *v, size_t n);
/* out[i] = v[at[i]]; true when none of them is a staleness marker. */
bool column_gather(const double *v, const uint32_t *at, size_t n, double *out);
/* has[i] = near[i], unless v[i] is a staleness marker. */
void column_presence(const double *v, const uint8_t *near, size_t n, uint8_t *has);
/* Whether a value is less than the one before it. */
bool column_falls(const double *v, size_t n);

/* Kahan's addition of v to sum and its compensation c, element by element. */
void column_add(double *sum, double *c, const double *v, size_t n);
/* False when one of the sums is beyond all numbers; nothing has been changed then. */
bool column_add_finite(double *sum, double *c, const double *v, size_t n);
/* The larger, or smaller; NaN counts only where there is nothing else. */
void column_max(double *best, const double *v, size_t n);
void column_min(double *best, const double *v, size_t n);

#endif
