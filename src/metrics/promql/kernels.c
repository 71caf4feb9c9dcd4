/* Window functions over whole columns: what all series of a batch share (bounds, distances to the edges) is
 * computed once, and counters look at their resets, not at every sample of every window. The order of
 * additions is that of the window functions, so results are the same to the last bit. */
#include <math.h>

#include "metrics/promql/kahan.h"
#include "metrics/promql/range_fns.h"
#include "metrics/promql/rows.h"

void kernel_prepare(struct range_grid *g)
{
    for (size_t i = 0; i < g->steps; i++) {
        size_t first = g->first[i], gaps = g->end[i] > first ? g->end[i] - first - 1 : 0;
        if (gaps == 0) {
            continue;
        }
        double sampled = (double)(g->ts[first + gaps] - g->ts[first]) / 1000;
        double to_start = (double)(g->ts[first] - g->from[i]) / 1000;
        double to_end = (double)(g->to[i] - g->ts[first + gaps]) / 1000;
        double average = sampled / (double)gaps, threshold = average * 1.1;
        g->sampled[i] = sampled;
        g->to_start[i] = to_start >= threshold ? average / 2 : to_start;
        g->to_end[i] = to_end >= threshold ? average / 2 : to_end;
    }
}

/* Indices at which the counter fell, in what the windows span. */
static size_t find_resets(const struct range_grid *g, const double *in, uint32_t *resets)
{
    size_t count = 0;
    for (size_t i = g->low + 1; i < g->high; i++) {
        resets[count] = (uint32_t)i;
        count += in[i] < in[i - 1];
    }
    return count;
}

static size_t counters(const struct range_grid *g, const double *in, size_t n, uint32_t *resets, double *v,
                       uint8_t *has, double divide_by)
{
    (void)n;
    size_t reset_count = find_resets(g, in, resets), next = 0, points = 0;
    for (size_t i = 0; i < g->steps; i++) {
        size_t first = g->first[i], end = g->end[i];
        has[i] = end > first + 1;
        if (!has[i]) {
            continue;
        }
        double result = in[end - 1] - in[first], to_start = g->to_start[i], sampled = g->sampled[i];
        while (next > 0 && resets[next - 1] > first) { /* windows of @ and of narrowing grids go back */
            next--;
        }
        while (next < reset_count && resets[next] <= first) {
            next++;
        }
        for (size_t r = next; r < reset_count && resets[r] < end; r++) {
            result += in[resets[r] - 1];
        }
        if (result > 0 && in[first] >= 0) {
            double to_zero = sampled * (in[first] / result);
            to_start = to_zero < to_start ? to_zero : to_start;
        }
        double factor = sampled == 0 ? 1 : (sampled + to_start + g->to_end[i]) / sampled;
        v[i] = result * (divide_by > 0 ? factor / divide_by : factor);
        points++;
    }
    return points;
}

static size_t kernel_rate(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch,
                          double *v, uint8_t *has)
{
    return counters(g, in, n, scratch, v, has, g->range_seconds);
}

static size_t kernel_increase(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch,
                              double *v, uint8_t *has)
{
    return counters(g, in, n, scratch, v, has, 0);
}

static size_t kernel_delta(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch,
                           double *v, uint8_t *has)
{
    size_t points = 0;
    (void)n;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        size_t first = g->first[i], end = g->end[i];
        has[i] = end > first + 1;
        if (!has[i]) {
            continue;
        }
        double result = in[end - 1] - in[first], sampled = g->sampled[i];
        double factor = sampled == 0 ? 1 : (sampled + g->to_start[i] + g->to_end[i]) / sampled;
        v[i] = result * factor;
        points++;
    }
    return points;
}

/* -- over time ------------------------------------------------------------------------------------------- */

static size_t kernel_sum(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch, double *v,
                         uint8_t *has)
{
    size_t points = 0;
    (void)n;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        struct kahan k = {0};
        has[i] = g->end[i] > g->first[i];
        for (uint32_t s = g->first[i]; s < g->end[i]; s++) {
            kahan_add(&k, in[s]);
        }
        v[i] = kahan_sum(&k);
        points += has[i];
    }
    return points;
}

static size_t kernel_avg(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch, double *v,
                         uint8_t *has)
{
    size_t points = 0;
    (void)n;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        struct kahan_mean m = {0};
        has[i] = g->end[i] > g->first[i];
        for (uint32_t s = g->first[i]; s < g->end[i]; s++) {
            kahan_mean_add(&m, in[s]);
        }
        v[i] = has[i] ? kahan_mean(&m) : 0;
        points += has[i];
    }
    return points;
}

/* The extreme of a window from the one before it: only when that one's place has left is the window searched.
 * NaN counts only where there is nothing else. */
static size_t extremes(const struct range_grid *g, const double *in, double *v, uint8_t *has, double sign)
{
    size_t points = 0, best = 0, done = 0;
    for (size_t i = 0; i < g->steps; i++) {
        size_t first = g->first[i], end = g->end[i];
        has[i] = end > first;
        if (!has[i]) {
            continue;
        }
        if (points == 0 || best < first || end < done) {
            best = first;
            done = first + 1;
        }
        for (size_t s = done > first ? done : first; s < end; s++) {
            bool better = sign * in[s] > sign * in[best] || isnan(in[best]);
            best = better ? s : best;
        }
        done = end;
        v[i] = in[best];
        points++;
    }
    return points;
}

static size_t kernel_max(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch, double *v,
                         uint8_t *has)
{
    (void)n;
    (void)scratch;
    return extremes(g, in, v, has, 1);
}

static size_t kernel_min(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch, double *v,
                         uint8_t *has)
{
    (void)n;
    (void)scratch;
    return extremes(g, in, v, has, -1);
}

static size_t kernel_count(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch,
                           double *v, uint8_t *has)
{
    size_t points = 0;
    (void)in;
    (void)n;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        has[i] = g->end[i] > g->first[i];
        v[i] = has[i] ? (double)(g->end[i] - g->first[i]) : 0;
        points += has[i];
    }
    return points;
}

static size_t kernel_last(const struct range_grid *g, const double *in, size_t n, uint32_t *scratch,
                          double *v, uint8_t *has)
{
    size_t points = 0;
    (void)n;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        has[i] = g->end[i] > g->first[i];
        v[i] = has[i] ? in[g->end[i] - 1] : 0;
        points += has[i];
    }
    return points;
}

const struct kernel *kernel_for(range_fn *fn)
{
    static const struct {
        range_fn *fn;
        struct kernel kernel;
    } kernels[] = {
        {range_rate, {kernel_rate, true}},   {range_increase, {kernel_increase, true}},
        {range_delta, {kernel_delta, true}}, {range_sum, {kernel_sum, false}},
        {range_avg, {kernel_avg, false}},    {range_max, {kernel_max, false}},
        {range_min, {kernel_min, false}},    {range_count, {kernel_count, false}},
        {range_last, {kernel_last, false}},
    };
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        if (kernels[i].fn == fn) {
            return &kernels[i].kernel;
        }
    }
    return NULL;
}
