/* What a window of samples is worth: the range aggregations over unwrapped values. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "logs/logql/eval.h"

double seconds_of(int64_t ns)
{
    int64_t whole = ns / NS_PER_S;
    return (double)whole + (double)(ns % NS_PER_S) / 1e9;
}

static double sum(const struct window_sample *s, size_t n)
{
    double v = 0;
    for (size_t i = 0; i < n; i++) {
        v += s[i].v;
    }
    return v;
}

static double average(const struct window_sample *s, size_t n)
{
    double mean = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        double v = s[i].v;
        count++;
        /* an infinite mean stays what it is under finite values and its own kind */
        if (isinf(mean) && ((isinf(v) && (mean > 0) == (v > 0)) || isfinite(v))) {
            continue;
        }
        mean += v / count - mean / count;
    }
    return mean;
}

static double extreme(const struct window_sample *s, size_t n, bool max)
{
    double best = s[0].v;
    for (size_t i = 0; i < n; i++) {
        double v = s[i].v;
        if ((max ? v > best : v < best) || isnan(best)) {
            best = v;
        }
    }
    return best;
}

static double variance(const struct window_sample *s, size_t n)
{
    double aux = 0, count = 0, mean = 0;
    for (size_t i = 0; i < n; i++) {
        count++;
        double delta = s[i].v - mean;
        mean += delta / count;
        aux += delta * (s[i].v - mean);
    }
    return aux / count;
}

/* NaN before everything. */
static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) {
        return isnan(y) - isnan(x);
    }
    return (x > y) - (x < y);
}

static double quantile(double q, const struct window_sample *s, size_t n)
{
    double stack[256];
    if (q < 0) {
        return -(double)INFINITY;
    }
    if (q > 1) {
        return (double)INFINITY;
    }
    double *v = n <= ARRAY_LEN(stack) ? stack : mem_array(n, sizeof(*v));
    if (!v) {
        return (double)NAN;
    }
    for (size_t i = 0; i < n; i++) {
        v[i] = s[i].v;
    }
    qsort(v, n, sizeof(*v), compare_values);
    double rank = q * ((double)n - 1), lower = fmax(0, floor(rank)), upper = fmin((double)n - 1, lower + 1);
    double weight = rank - floor(rank);
    double result = isnan(q) ? (double)NAN : v[(size_t)lower] * (1 - weight) + v[(size_t)upper] * weight;
    if (v != stack) {
        mem_free(v);
    }
    return result;
}

/* Prometheus' rate over the window (end - range, end]. */
static double counter_rate(const struct window_sample *s, size_t n, int64_t range_ns, ts_ns end)
{
    if (n < 2) {
        return 0;
    }
    double result = s[n - 1].v - s[0].v, before = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i].v < before) {
            result += before;
        }
        before = s[i].v;
    }
    double to_start = (double)(s[0].ts - (end - range_ns)) / 1e9, to_end = (double)(end - s[n - 1].ts) / 1e9;
    double sampled = (double)(s[n - 1].ts - s[0].ts) / 1e9, gap = sampled / (double)(n - 1);
    double threshold = gap * 1.1;
    if (to_start >= threshold) {
        to_start = gap / 2;
    }
    double to_zero = result > 0 && s[0].v >= 0 ? sampled * (s[0].v / result) : to_start;
    to_start = to_zero < to_start ? to_zero : to_start;
    if (to_end >= threshold) {
        to_end = gap / 2;
    }
    return result * ((sampled + to_start + to_end) / sampled) / seconds_of(range_ns);
}

double range_value(enum range_op op, double param, const struct window_sample *s, size_t n, int64_t range_ns,
                   ts_ns end_ns)
{
    switch (op) {
    case RANGE_COUNT:
        return (double)n;
    case RANGE_RATE:
    case RANGE_BYTES_RATE:
        return sum(s, n) / seconds_of(range_ns);
    case RANGE_BYTES:
    case RANGE_SUM:
        return sum(s, n);
    case RANGE_RATE_COUNTER:
        return counter_rate(s, n, range_ns, end_ns);
    case RANGE_AVG:
        return average(s, n);
    case RANGE_MIN:
        return extreme(s, n, false);
    case RANGE_MAX:
        return extreme(s, n, true);
    case RANGE_STDVAR:
        return variance(s, n);
    case RANGE_STDDEV:
        return sqrt(variance(s, n));
    case RANGE_QUANTILE:
        return quantile(param, s, n);
    case RANGE_FIRST:
        return s[0].v;
    case RANGE_LAST:
        return s[n - 1].v;
    case RANGE_ABSENT:
    case RANGE_OP_COUNT:
        break;
    }
    return 1;
}
