/* Kernels that look at a window's ends or at the changes between neighbours: what all series of a batch share
 * is computed once, and counters look at their resets, not at every sample of every window. */
#include "metrics/promql/kernels.h"

#include <math.h>

#include "metrics/promql/columns.h"
#include "metrics/promql/kahan.h"
#include "metrics/promql/range_fns.h"

/* -- what series share ----------------------------------------------------------------------------------- */

/* Of windows that lie alike on evenly spaced samples, one is computed. */
static void prepare_extrapolation(struct range_grid *g, bool per_second)
{
    size_t same = 0, same_gaps = 0; /* the step last computed, plus one */
    ts_ms same_lead = 0, same_span = 0, same_rest = 0;
    for (size_t i = 0; i < g->steps; i++) {
        size_t first = g->first[i], gaps = g->end[i] > first ? g->end[i] - first - 1 : 0;
        g->sampled[i] = g->to_start[i] = g->to_end[i] = g->factor[i] = 0;
        if (gaps == 0) {
            continue;
        }
        ts_ms lead = g->ts[first] - g->from[i], span = g->ts[first + gaps] - g->ts[first],
              rest = g->to[i] - g->ts[first + gaps];
        if (same && gaps == same_gaps && lead == same_lead && span == same_span && rest == same_rest) {
            g->sampled[i] = g->sampled[same - 1];
            g->to_start[i] = g->to_start[same - 1];
            g->to_end[i] = g->to_end[same - 1];
            g->factor[i] = g->factor[same - 1];
            continue;
        }
        double sampled = (double)span / 1000;
        double to_start = (double)lead / 1000;
        double to_end = (double)rest / 1000;
        double average = sampled / (double)gaps, threshold = average * 1.1;
        to_start = to_start >= threshold ? average / 2 : to_start;
        to_end = to_end >= threshold ? average / 2 : to_end;
        double factor = sampled == 0 ? 1 : (sampled + to_start + to_end) / sampled;
        g->sampled[i] = sampled;
        g->to_start[i] = to_start;
        g->to_end[i] = to_end;
        g->factor[i] = per_second ? factor / g->range_seconds : factor;
        same = i + 1;
        same_gaps = gaps;
        same_lead = lead;
        same_span = span;
        same_rest = rest;
    }
}

static bool evenly_spaced(const struct range_grid *g)
{
    bool even = g->high > g->low + 1;
    for (size_t i = g->low + 2; even && i < g->high; i++) {
        even = g->ts[i] - g->ts[i - 1] == g->ts[i - 1] - g->ts[i - 2];
    }
    return even;
}

static enum err table_reserve(struct eval *e, struct time_table *t, size_t n)
{
    if (n <= t->cap) {
        return ERR_OK;
    }
    t->x = arena_array(e->a, n, sizeof(*t->x));
    t->sum_x = arena_array(e->a, n, sizeof(*t->sum_x));
    t->sum_x2 = arena_array(e->a, n, sizeof(*t->sum_x2));
    t->n = 0;
    t->cap = t->x && t->sum_x && t->sum_x2 ? n : 0;
    return t->cap ? ERR_OK : eval_no_memory(e);
}

/* The table for the first of the widest windows; others find out whether it is theirs too. */
static enum err prepare_times(struct eval *e, struct range_grid *g)
{
    struct time_table *t = &g->times;
    size_t i = 0;
    while (i < g->steps && g->end[i] - g->first[i] != g->widest) {
        i++;
    }
    if (g->points == 0 || !evenly_spaced(g)) {
        t->n = 0;
        return ERR_OK;
    }
    ts_ms start = g->ts[g->first[i]] - g->origin[i];
    int64_t tick = g->ts[g->low + 1] - g->ts[g->low];
    if (start == t->start && tick == t->tick && g->widest <= t->n) {
        return ERR_OK;
    }
    if (table_reserve(e, t, g->widest)) {
        return eval_no_memory(e);
    }
    struct kahan x = {0}, x2 = {0};
    for (size_t s = 0; s < g->widest; s++) {
        t->x[s] = (double)(start + (int64_t)s * tick) / 1000;
        kahan_add(&x, t->x[s]);
        kahan_add(&x2, t->x[s] * t->x[s]);
        t->sum_x[s] = x.sum + x.c;
        t->sum_x2[s] = x2.sum + x2.c;
    }
    t->start = start;
    t->tick = tick;
    t->n = g->widest;
    return ERR_OK;
}

enum err kernel_prepare(struct eval *e, const struct kernel *k, struct range_grid *g)
{
    g->points = g->widest = g->some_from = g->some_to = 0;
    g->ascends = true;
    for (size_t i = 0; i < g->steps; i++) {
        uint32_t n = g->end[i] > g->first[i] ? g->end[i] - g->first[i] : 0;
        g->has[i] = n >= k->least;
        g->points += g->has[i];
        g->widest = n > g->widest ? n : g->widest;
        g->oldest[i] = g->has[i] ? g->first[i] : 0;
        g->newest[i] = g->has[i] ? g->end[i] - 1 : 0;
        if (g->has[i]) {
            g->some_from = g->points == 1 ? i : g->some_from;
            g->ascends =
                g->ascends && (g->points == 1 || (g->has[i - 1] && g->oldest[i] >= g->oldest[i - 1] &&
                                                  g->newest[i] >= g->newest[i - 1]));
            g->some_to = i + 1;
        }
        if (k->kind == REGRESSION) {
            bool ahead = k->of == range_predict_linear;
            g->origin[i] = ahead ? step_time(e, i) : g->has[i] ? g->ts[g->first[i]] : 0;
        }
    }
    if (k->kind == EXTRAPOLATED || k->kind == RATE) {
        prepare_extrapolation(g, k->kind == RATE);
    }
    return k->kind == REGRESSION ? prepare_times(e, g) : ERR_OK;
}

/* -- counters -------------------------------------------------------------------------------------------- */

/* Indices at which the counter fell, in what the windows span. */
static size_t find_resets(const struct range_grid *g, const double *in, uint32_t *resets)
{
    enum {
        PART = 128 /* they are few: most parts have none */
    };
    size_t count = 0;
    if (!g->columns->falls(in + g->low, g->high - g->low)) {
        return 0;
    }
    for (size_t from = g->low; from + 1 < g->high; from += PART) {
        size_t end = g->high - from > PART ? from + PART + 1 : g->high;
        if (!g->columns->falls(in + from, end - from)) {
            continue;
        }
        for (size_t i = from + 1; i < end; i++) {
            resets[count] = (uint32_t)i;
            count += in[i] < in[i - 1];
        }
    }
    return count;
}

/* The first of the steps [from, to) whose entry in an ascending column is at least x; `to` when there is
 * none. */
static size_t step_from(const uint32_t *column, size_t from, size_t to, uint32_t x)
{
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (column[mid] < x) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

/* What resets took away is added to the changes: here, of each reset, to the windows that have it. */
static void add_few_resets(const struct range_grid *g, const double *in, const uint32_t *resets, size_t count,
                           double *v)
{
    for (size_t r = 0; r < count; r++) {
        size_t from = step_from(g->newest, g->some_from, g->some_to, resets[r]);
        size_t to = step_from(g->oldest, from, g->some_to, resets[r]);
        for (size_t i = from; i < to; i++) {
            v[i] += in[resets[r] - 1];
        }
    }
}

/* The same, step by step. */
static void add_resets(const struct range_grid *g, const double *in, const uint32_t *resets, size_t count,
                       double *v)
{
    size_t next = 0;
    for (size_t i = 0; i < g->steps; i++) {
        size_t first = g->oldest[i], last = g->newest[i];
        while (next > 0 && resets[next - 1] > first) { /* windows of @ and of narrowing grids go back */
            next--;
        }
        while (next < count && resets[next] <= first) {
            next++;
        }
        for (size_t r = next; r < count && resets[r] <= last; r++) {
            v[i] += in[resets[r] - 1];
        }
    }
}

/* Changes, `resets` of them included, become extrapolated ones; a counter's are not extrapolated to before it
 * was zero. A part of the steps at a time, which stays close to the processor. */
static void counters(const struct range_grid *g, const double *in, uint32_t *resets, double divide_by,
                     double *v)
{
    enum {
        PART = 256
    };
    double change[PART];
    size_t count = find_resets(g, in, resets);
    if (count) {
        g->columns->changes(in, g->oldest, g->newest, g->steps, v);
        if (g->ascends && count < g->steps / 16) {
            add_few_resets(g, in, resets, count, v);
        } else {
            add_resets(g, in, resets, count, v);
        }
    }
    for (size_t from = 0; from < g->steps; from += PART) {
        size_t n = g->steps - from < PART ? g->steps - from : PART;
        const uint32_t *oldest = g->oldest + from;
        if (count) {
            memcpy(change, v + from, n * sizeof(*v));
        } else {
            g->columns->changes(in, oldest, g->newest + from, n, change);
        }
        g->columns->times(change, g->factor + from, n, v + from);
        if (g->columns->near_zero(in, oldest, change, g->sampled + from, g->to_start + from, n)) {
            struct column_windows w = {g->sampled + from, g->to_start + from, g->to_end + from, divide_by};
            g->columns->to_zero(in, oldest, change, &w, n, v + from);
        }
    }
}

static void kernel_rate(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    counters(g, in, scratch, g->range_seconds, v);
}

static void kernel_increase(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    counters(g, in, scratch, 0, v);
}

static void kernel_delta(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    g->columns->changes(in, g->oldest, g->newest, g->steps, v);
    for (size_t i = 0; i < g->steps; i++) {
        v[i] *= g->factor[i];
    }
}

static void kernel_irate(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        if (g->has[i]) {
            uint32_t at = g->newest[i];
            double last = in[at], before = in[at - 1];
            v[i] = (last < before ? last : last - before) / ((double)(g->ts[at] - g->ts[at - 1]) / 1000);
        }
    }
}

static void kernel_idelta(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        uint32_t at = g->newest[i];
        v[i] = g->has[i] ? in[at] - in[at - 1] : 0;
    }
}

/* Differences of a running count: how often something happened between a window's samples. */
static void count_between(const struct range_grid *g, const uint32_t *count, double *v)
{
    for (size_t i = 0; i < g->steps; i++) {
        v[i] = (double)(count[g->newest[i]] - count[g->oldest[i]]);
    }
}

static void kernel_resets(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    uint32_t *count = scratch, n = 0;
    for (size_t i = 0; i < g->high; i++) {
        n += i > g->low && in[i] < in[i - 1];
        count[i] = n;
    }
    count_between(g, count, v);
}

static void kernel_changes(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    uint32_t *count = scratch, n = 0;
    for (size_t i = 0; i < g->high; i++) {
        n += i > g->low && in[i] != in[i - 1] && !(isnan(in[i]) && isnan(in[i - 1]));
        count[i] = n;
    }
    count_between(g, count, v);
}

/* -- one sample, or none --------------------------------------------------------------------------------- */

static void kernel_count(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)in;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        v[i] = (double)(g->newest[i] - g->oldest[i] + 1);
    }
}

static void kernel_present(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)in;
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        v[i] = 1;
    }
}

static void kernel_last(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        v[i] = in[g->newest[i]];
    }
}

static void kernel_first(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i++) {
        v[i] = in[g->oldest[i]];
    }
}

/* -- which ----------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define WIDE(x)             \
    {                       \
        (x), x##_v3, x##_v4 \
    }
#else
#define WIDE(x)         \
    {                   \
        (x), NULL, NULL \
    }
#endif

const struct kernel *kernel_for(range_fn *fn)
{
    static const struct kernel kernels[] = {
        {range_rate, {kernel_rate}, 2, RATE},
        {range_increase, {kernel_increase}, 2, EXTRAPOLATED},
        {range_delta, {kernel_delta}, 2, EXTRAPOLATED},
        {range_irate, {kernel_irate}, 2, WINDOWS},
        {range_idelta, {kernel_idelta}, 2, WINDOWS},
        {range_resets, {kernel_resets}, 1, WINDOWS},
        {range_changes, {kernel_changes}, 1, WINDOWS},
        {range_sum, WIDE(kernel_sum), 1, WINDOWS},
        {range_avg, WIDE(kernel_avg), 1, WINDOWS},
        {range_stdvar, WIDE(kernel_stdvar), 1, WINDOWS},
        {range_stddev, WIDE(kernel_stddev), 1, WINDOWS},
        {range_max, {kernel_max}, 1, WINDOWS},
        {range_min, {kernel_min}, 1, WINDOWS},
        {range_quantile, {kernel_quantile}, 1, WINDOWS},
        {range_deriv, WIDE(kernel_deriv), 2, REGRESSION},
        {range_predict_linear, WIDE(kernel_predict_linear), 2, REGRESSION},
        {range_count, {kernel_count}, 1, WINDOWS},
        {range_present, {kernel_present}, 1, WINDOWS},
        {range_last, {kernel_last}, 1, WINDOWS},
        {range_first, {kernel_first}, 1, WINDOWS},
    };
    for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
        if (kernels[i].of == fn) {
            return &kernels[i];
        }
    }
    return NULL;
}

enum kernel_set kernel_best_set(enum kernel_set most)
{
    enum kernel_set best = SET_ANY;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool v3 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512cd");
    best = v4 ? SET_AVX512 : v3 ? SET_AVX2 : SET_ANY;
#endif
    return best < most ? best : most;
}

kernel_fn *kernel_in_set(const struct kernel *k, enum kernel_set set)
{
    kernel_fn *fn = k->fn[SET_ANY];
    for (unsigned s = SET_ANY; s <= (unsigned)set; s++) {
        fn = k->fn[s] ? k->fn[s] : fn;
    }
    return fn;
}
