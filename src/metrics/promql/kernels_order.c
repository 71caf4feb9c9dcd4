/* Kernels that need the order of a window's values: extremes and quantiles. A window is made from the one
 * before it: what left is taken out, what came is put in. */
#include <math.h>
#include <stdlib.h>

#include "metrics/promql/kernels.h"
#include "metrics/promql/quantile.h"

/* -- extremes -------------------------------------------------------------------------------------------- */

/* Indices whose values fall (of a maximum) from the oldest to the newest: the extreme stands in front. NaN
 * counts only where there is nothing else, and of equal values the oldest. */
struct queue {
    uint32_t *at;
    size_t front, back;
};

static inline void queue_put(struct queue *q, const double *in, uint32_t s, bool max)
{
    double x = in[s];
    while (q->back > q->front) {
        double y = in[q->at[q->back - 1]];
        if (!isnan(y) && !(max ? x > y : x < y)) {
            break;
        }
        q->back--;
    }
    q->at[q->back++] = s;
}

static inline void extremes(const struct range_grid *g, const double *in, uint32_t *scratch, bool max,
                            double *v)
{
    struct queue q = {.at = scratch};
    uint32_t done = 0, before = 0;
    for (size_t i = 0; i < g->steps; i++) {
        uint32_t first = g->first[i], end = g->end[i];
        if (!g->has[i]) {
            continue;
        }
        if (first < before || end < done || first >= done) { /* windows of @ and of narrowing grids go back */
            q.front = q.back = 0;
            done = first;
        }
        for (; done < end; done++) {
            queue_put(&q, in, done, max);
        }
        while (q.at[q.front] < first) {
            q.front++;
        }
        before = first;
        v[i] = in[q.at[q.front]];
    }
}

void kernel_max(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    extremes(g, in, scratch, true, v);
}

void kernel_min(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    extremes(g, in, scratch, false, v);
}

/* -- quantiles ------------------------------------------------------------------------------------------- */

/* NaN sorts first. */
static inline bool below(double x, double y)
{
    return x < y || (isnan(x) && !isnan(y));
}

/* How many of the sorted values are below x, or not above it. */
static size_t rank_of(const double *sorted, size_t n, double x, bool equal_too)
{
    size_t low = 0;
    while (n) {
        size_t half = n / 2;
        double y = sorted[low + half];
        bool right = equal_too ? !below(x, y) : below(y, x);
        low += right ? half + 1 : 0;
        n = right ? n - half - 1 : half;
    }
    return low;
}

/* Equal values stand in the order in which they came, as a stable sort has them: a new one comes last, and
 * the first of them is the one that leaves. */
static void put_in(double *sorted, size_t n, double x)
{
    size_t at = rank_of(sorted, n, x, true);
    memmove(sorted + at + 1, sorted + at, (n - at) * sizeof(*sorted));
    sorted[at] = x;
}

static void take_out(double *sorted, size_t n, double x)
{
    size_t at = rank_of(sorted, n, x, false);
    memmove(sorted + at, sorted + at + 1, (n - at - 1) * sizeof(*sorted));
}

void kernel_quantile(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    double *sorted = scratch;
    uint32_t low = 0, high = 0; /* the window that is sorted */
    for (size_t i = 0; i < g->steps; i++) {
        uint32_t first = g->first[i], end = g->end[i];
        if (!g->has[i]) {
            continue;
        }
        if (first < low || end < high || first >= high || first - low > end - first) {
            quantile_sort(in + first, end - first, sorted);
            low = first;
            high = end;
        }
        for (; low < first; low++) {
            take_out(sorted, high - low, in[low]);
        }
        for (; high < end; high++) {
            put_in(sorted, high - low, in[high]);
        }
        v[i] = quantile_sorted(g->args[0][i], sorted, end - first);
        if (v[i] == 0) {
            v[i] = quantile_zero(g->args[0][i], in + first, end - first, v[i]);
        }
    }
}
