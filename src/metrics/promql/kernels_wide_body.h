/* Window functions that add sample by sample, over several windows of a series at once: each lane goes
 * through exactly the operations of the window function, in its order, so results are the same to the last
 * bit. A window whose sums leave the finite numbers is done again by the window function's own formula.
 *
 * Included once for each instruction set (kernels_wide*.c), which names its functions and its width:
 * WIDE_NAME(x), WIDE_LANES. Vectors go by pointer: how they are passed by value differs between the sets. */
#include <math.h>

#include "metrics/promql/kahan.h"
#include "metrics/promql/kernels.h"
#include "metrics/promql/range_fns.h"

typedef double wide __attribute__((vector_size(WIDE_LANES * sizeof(double))));
typedef int64_t mask
    __attribute__((vector_size(WIDE_LANES * sizeof(int64_t)))); /* all bits of a lane or none */

enum {
    LANES = WIDE_LANES
};

#if WIDE_LANES == 8
#define WIDE_OF(x) ((wide){(x), (x), (x), (x), (x), (x), (x), (x)})
#define EACH_LANE(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#elif WIDE_LANES == 4
#define WIDE_OF(x) ((wide){(x), (x), (x), (x)})
#define EACH_LANE(f) f(0), f(1), f(2), f(3)
#else
#define WIDE_OF(x) ((wide){(x), (x)})
#define EACH_LANE(f) f(0), f(1)
#endif
#define PICK(m, a, b) ((wide)(((mask)(a) & (m)) | ((mask)(b) & ~(m))))
#define MAGNITUDE(a) ((wide)((mask)(a)&INT64_MAX))

struct wide_kahan {
    wide sum, c;
};

/* Windows: sample s of lane k is from[k][s], for s < n[k]. Lanes beyond the last step are empty. */
struct lanes {
    const double *from[LANES];
    uint32_t n[LANES], shortest, longest;
};

/* kahan_add, but for sums that overflow. */
static inline void wide_add(struct wide_kahan *k, const wide *value)
{
    wide v = *value, t = k->sum + v;
    mask sum_larger = MAGNITUDE(k->sum) >= MAGNITUDE(v);
    wide large = PICK(sum_larger, k->sum, v), small = PICK(sum_larger, v, k->sum);
    k->c += (large - t) + small;
    k->sum = t;
}

static inline void keep(struct wide_kahan *to, const struct wide_kahan *next, const mask *has)
{
    to->sum = PICK(*has, next->sum, to->sum);
    to->c = PICK(*has, next->c, to->c);
}

/* The windows of steps [i, i + LANES). */
static inline void lanes_at(struct lanes *l, const struct range_grid *g, const double *in, size_t i)
{
    l->shortest = UINT32_MAX;
    l->longest = 0;
    for (size_t k = 0; k < LANES; k++) {
        bool some = i + k < g->steps && g->end[i + k] > g->first[i + k];
        l->from[k] = some ? in + g->first[i + k] : in;
        l->n[k] = some ? g->end[i + k] - g->first[i + k] : 0;
        l->shortest = l->n[k] < l->shortest ? l->n[k] : l->shortest;
        l->longest = l->n[k] > l->longest ? l->n[k] : l->longest;
    }
}

/* Sample s of each lane, s < shortest. */
static inline void load(const struct lanes *l, size_t s, wide *ret_v)
{
#define SAMPLE(k) l->from[k][s]
    *ret_v = (wide){EACH_LANE(SAMPLE)};
#undef SAMPLE
}

/* Sample s where there is one, and the lanes that have it. */
static inline void load_some(const struct lanes *l, size_t s, wide *ret_v, mask *ret_has)
{
#define SAMPLE(k) (s < l->n[k] ? l->from[k][s] : 0)
#define HAS(k) (s < l->n[k] ? -1 : 0)
    *ret_v = (wide){EACH_LANE(SAMPLE)};
    *ret_has = (mask){EACH_LANE(HAS)};
#undef SAMPLE
#undef HAS
}

static inline void counts(const struct lanes *l, wide *ret_n)
{
#define COUNT(k) (l->n[k] ? (double)l->n[k] : 1)
    *ret_n = (wide){EACH_LANE(COUNT)};
#undef COUNT
}

/* Results of steps [i, i + LANES); where the sums are not finite the window function gives them. */
static inline void store(const struct range_grid *g, const struct lanes *l, size_t i, const wide *sum,
                         const wide *r, range_fn *again, double *v)
{
    size_t n = g->steps - i < LANES ? g->steps - i : LANES;
    memcpy(v + i, r, n * sizeof(*v));
    for (size_t k = 0; k < n; k++) {
        if (UNLIKELY(!isfinite((*sum)[k])) && g->has[i + k]) {
            struct window w = {.ts = g->ts + g->first[i + k],
                               .v = l->from[k],
                               .n = l->n[k],
                               .at = g->origin ? g->origin[i + k] : 0,
                               .args = {g->args[0] ? g->args[0][i + k] : 0}};
            struct point p = {0};
            (void)again(&w, &p);
            v[i + k] = p.v;
        }
    }
}

/* -- sum and mean ---------------------------------------------------------------------------------------- */

static inline void add_all(const struct lanes *l, size_t from, struct wide_kahan *acc)
{
    wide v;
    mask has;
    struct wide_kahan k = *acc;
    size_t s = from;
    for (; s < l->shortest; s++) {
        load(l, s, &v);
        wide_add(&k, &v);
    }
    for (; s < l->longest; s++) {
        struct wide_kahan next = k;
        load_some(l, s, &v, &has);
        wide_add(&next, &v);
        keep(&k, &next, &has);
    }
    *acc = k;
}

void WIDE_NAME(sum)(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i += LANES) {
        struct lanes l;
        struct wide_kahan k = {{0}, {0}};
        lanes_at(&l, g, in, i);
        add_all(&l, 0, &k);
        wide r = k.sum + k.c;
        store(g, &l, i, &k.sum, &r, range_sum, v);
    }
}

void WIDE_NAME(avg)(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i += LANES) {
        struct lanes l;
        struct wide_kahan k = {{0}, {0}};
        mask has;
        wide n;
        lanes_at(&l, g, in, i);
        load_some(&l, 0, &k.sum, &has); /* the first is not added to 0: -0 stays what it is */
        add_all(&l, 1, &k);
        counts(&l, &n);
        wide r = k.sum / n + k.c / n;
        store(g, &l, i, &k.sum, &r, range_avg, v);
    }
}

/* -- variance -------------------------------------------------------------------------------------------- */

struct wide_variance {
    struct wide_kahan mean, squares;
};

static inline void variance_add(struct wide_variance *a, const wide *value, const wide *count)
{
    wide v = *value, delta = v - (a->mean.sum + a->mean.c), part = delta / *count;
    wide_add(&a->mean, &part);
    wide square = delta * (v - (a->mean.sum + a->mean.c));
    wide_add(&a->squares, &square);
}

static inline void variance_rest(const struct lanes *l, size_t from, struct wide_variance *acc)
{
    struct wide_variance a = *acc;
    for (size_t s = from; s < l->longest; s++) {
        struct wide_variance next = a;
        wide v, count = WIDE_OF((double)(s + 1));
        mask has;
        load_some(l, s, &v, &has);
        variance_add(&next, &v, &count);
        keep(&a.mean, &next.mean, &has);
        keep(&a.squares, &next.squares, &has);
    }
    *acc = a;
}

/* Two sets of lanes: the division of one waits while the other's goes on. */
static inline void variances(const struct lanes *l, const struct lanes *m, struct wide_variance *ret_l,
                             struct wide_variance *ret_m)
{
    struct wide_variance a = {{{0}, {0}}, {{0}, {0}}}, b = a;
    size_t both = l->shortest < m->shortest ? l->shortest : m->shortest;
    for (size_t s = 0; s < both; s++) {
        wide x, y, count = WIDE_OF((double)(s + 1));
        load(l, s, &x);
        load(m, s, &y);
        variance_add(&a, &x, &count);
        variance_add(&b, &y, &count);
    }
    variance_rest(l, both, &a);
    variance_rest(m, both, &b);
    *ret_l = a;
    *ret_m = b;
}

static inline void store_variance(const struct range_grid *g, const struct lanes *l, size_t i,
                                  const struct wide_variance *a, double *v)
{
    wide n, sums = a->mean.sum + a->squares.sum;
    counts(l, &n);
    wide r = (a->squares.sum + a->squares.c) / n;
    store(g, l, i, &sums, &r, range_stdvar, v);
}

void WIDE_NAME(stdvar)(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i += 2 * (size_t)LANES) {
        struct lanes l, m;
        struct wide_variance a, b;
        lanes_at(&l, g, in, i);
        lanes_at(&m, g, in, i + LANES);
        variances(&l, &m, &a, &b);
        store_variance(g, &l, i, &a, v);
        if (i + LANES < g->steps) {
            store_variance(g, &m, i + LANES, &b, v);
        }
    }
}

void WIDE_NAME(stddev)(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    WIDE_NAME(stdvar)(g, in, scratch, v);
    for (size_t i = 0; i < g->steps; i++) {
        v[i] = g->has[i] ? sqrt(v[i]) : 0;
    }
}

/* -- regression ------------------------------------------------------------------------------------------ */

/* Sums of windows' values, and of their times where lanes do not share them. */
struct wide_sums {
    struct wide_kahan y, xy, x, x2;
    mask constant;
    wide first;
};

static inline void sums_add(struct wide_sums *a, const wide *value, const wide *x)
{
    wide v = *value, product = *x * v;
    a->constant &= v == a->first;
    wide_add(&a->y, &v);
    wide_add(&a->xy, &product);
}

static inline void sums_keep(struct wide_sums *a, const struct wide_sums *next, const mask *has)
{
    keep(&a->y, &next->y, has);
    keep(&a->xy, &next->xy, has);
    keep(&a->x, &next->x, has);
    keep(&a->x2, &next->x2, has);
    a->constant = (next->constant & *has) | (a->constant & ~*has);
}

/* The lanes lie alike around their origins: their times are those of the grid's table. */
static bool share_times(const struct range_grid *g, const struct lanes *l, size_t i)
{
    bool alike = l->longest <= g->times.n;
    for (size_t k = 0; k < LANES; k++) {
        alike = alike && (l->n[k] == 0 || g->ts[g->first[i + k]] - g->origin[i + k] == g->times.start);
    }
    return alike;
}

static inline void sum_alike(const struct range_grid *g, const struct lanes *l, struct wide_sums *sums)
{
    const struct time_table *t = &g->times;
    struct wide_sums a = *sums;
    wide v;
    mask has;
    size_t s = 0;
    for (; s < l->shortest; s++) {
        wide x = WIDE_OF(t->x[s]);
        load(l, s, &v);
        sums_add(&a, &v, &x);
    }
    for (; s < l->longest; s++) {
        wide x = WIDE_OF(t->x[s]);
        struct wide_sums next = a;
        load_some(l, s, &v, &has);
        sums_add(&next, &v, &x);
        sums_keep(&a, &next, &has);
    }
#define SUM_X(k) (l->n[k] ? t->sum_x[l->n[k] - 1] : 0)
#define SUM_X2(k) (l->n[k] ? t->sum_x2[l->n[k] - 1] : 0)
    a.x.sum = (wide){EACH_LANE(SUM_X)};
    a.x2.sum = (wide){EACH_LANE(SUM_X2)};
#undef SUM_X
#undef SUM_X2
    *sums = a;
}

static inline void sum_apart(const struct range_grid *g, const struct lanes *l, size_t i,
                             struct wide_sums *sums)
{
    struct wide_sums a = *sums;
    for (size_t s = 0; s < l->longest; s++) {
        struct wide_sums next = a;
        wide v;
        mask has;
#define TIME(k) (s < l->n[k] ? (double)(g->ts[g->first[i + (k)] + s] - g->origin[i + (k)]) : 0)
        wide x = (wide){EACH_LANE(TIME)} / WIDE_OF(1000.0), square = x * x;
#undef TIME
        load_some(l, s, &v, &has);
        sums_add(&next, &v, &x);
        wide_add(&next.x, &x);
        wide_add(&next.x2, &square);
        sums_keep(&a, &next, &has);
    }
    a.x.sum += a.x.c;
    a.x2.sum += a.x2.c;
    *sums = a;
}

/* Slope and intercept of the windows of steps [i, i + LANES); *ret_sum is not finite where the sums are not.
 */
static inline void regression(const struct range_grid *g, const struct lanes *l, size_t i, wide *slope,
                              wide *intercept, wide *ret_sum)
{
    wide zero = WIDE_OF(0.0), n;
    struct wide_sums a = {.constant = ~(mask){0}};
    mask has;
    load_some(l, 0, &a.first, &has);
    if (share_times(g, l, i)) {
        sum_alike(g, l, &a);
    } else {
        sum_apart(g, l, i, &a);
    }
    counts(l, &n);
    wide sx = a.x.sum, sx2 = a.x2.sum, sy = a.y.sum + a.y.c, sxy = a.xy.sum + a.xy.c;
    wide cov = sxy - sx * sy / n, var = sx2 - sx * sx / n, rise = cov / var;
    wide base = sy / n - rise * sx / n;
    *slope = PICK(a.constant, zero, rise);
    *intercept = PICK(a.constant, a.first, base);
    *ret_sum = a.y.sum + a.xy.sum;
}

void WIDE_NAME(deriv)(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i += LANES) {
        struct lanes l;
        wide slope, intercept, sum;
        lanes_at(&l, g, in, i);
        regression(g, &l, i, &slope, &intercept, &sum);
        store(g, &l, i, &sum, &slope, range_deriv, v);
    }
}

void WIDE_NAME(predict_linear)(const struct range_grid *g, const double *in, void *scratch, double *v)
{
    (void)scratch;
    for (size_t i = 0; i < g->steps; i += LANES) {
        struct lanes l;
        wide slope, intercept, sum, ahead = WIDE_OF(0.0);
        size_t n = g->steps - i < LANES ? g->steps - i : LANES;
        lanes_at(&l, g, in, i);
        regression(g, &l, i, &slope, &intercept, &sum);
        memcpy(&ahead, g->args[0] + i, n * sizeof(double));
        wide r = slope * ahead + intercept;
        store(g, &l, i, &sum, &r, range_predict_linear, v);
    }
}
