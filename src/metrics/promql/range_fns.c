/* Functions of range vectors, one window at a time. Sums are Kahan-Neumaier in Prometheus' order of
 * operations, so that results equal Prometheus' to the last bit. */
#include "metrics/promql/range_fns.h"

#include <math.h>

#include "metrics/promql/kahan.h"
#include "metrics/promql/quantile.h"

/* -- counters -------------------------------------------------------------------------------------------- */

static bool extrapolated(const struct window *w, bool counter, bool per_second, struct point *ret_p)
{
    if (w->n < 2) {
        return false;
    }
    size_t last = w->n - 1;
    double result = w->v[last] - w->v[0];
    if (counter) {
        for (size_t i = 1; i < w->n; i++) {
            if (w->v[i] < w->v[i - 1]) {
                result += w->v[i - 1];
            }
        }
    }
    double to_start = (double)(w->ts[0] - w->from) / 1000, to_end = (double)(w->to - w->ts[last]) / 1000;
    double sampled = (double)(w->ts[last] - w->ts[0]) / 1000, average = sampled / (double)last;
    double threshold = average * 1.1;
    if (to_start >= threshold) {
        to_start = average / 2;
    }
    if (counter) {
        double to_zero = to_start;
        if (result > 0 && w->v[0] >= 0) {
            to_zero = sampled * (w->v[0] / result);
        }
        if (to_zero < to_start) {
            to_start = to_zero;
        }
    }
    if (to_end >= threshold) {
        to_end = average / 2;
    }
    double factor = (sampled + to_start + to_end) / sampled;
    if (per_second) {
        factor /= (double)(w->to - w->from) / 1000;
    }
    ret_p->v = result * factor;
    return true;
}

bool range_rate(const struct window *w, struct point *ret_p)
{
    return extrapolated(w, true, true, ret_p);
}

bool range_increase(const struct window *w, struct point *ret_p)
{
    return extrapolated(w, true, false, ret_p);
}

bool range_delta(const struct window *w, struct point *ret_p)
{
    return extrapolated(w, false, false, ret_p);
}

static bool instant_change(const struct window *w, bool rate, struct point *ret_p)
{
    if (w->n < 2) {
        return false;
    }
    double last = w->v[w->n - 1], before = w->v[w->n - 2];
    ts_ms gap = w->ts[w->n - 1] - w->ts[w->n - 2];
    if (gap == 0) {
        return false;
    }
    double change = rate && last < before ? last : last - before;
    ret_p->v = rate ? change / ((double)gap / 1000) : change;
    return true;
}

bool range_irate(const struct window *w, struct point *ret_p)
{
    return instant_change(w, true, ret_p);
}

bool range_idelta(const struct window *w, struct point *ret_p)
{
    return instant_change(w, false, ret_p);
}

bool range_resets(const struct window *w, struct point *ret_p)
{
    double n = 0;
    for (size_t i = 1; i < w->n; i++) {
        n += w->v[i] < w->v[i - 1];
    }
    ret_p->v = n;
    return true;
}

bool range_changes(const struct window *w, struct point *ret_p)
{
    double n = 0;
    for (size_t i = 1; i < w->n; i++) {
        n += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    }
    ret_p->v = n;
    return true;
}

/* -- regression ------------------------------------------------------------------------------------------ */

/* Least squares with x in seconds relative to `origin`. */
static void regression(const struct window *w, ts_ms origin, double *slope, double *intercept)
{
    struct kahan x = {0}, y = {0}, xy = {0}, x2 = {0};
    bool constant = true;
    double n = 0;
    for (size_t i = 0; i < w->n; i++) {
        double dx = (double)(w->ts[i] - origin) / 1000;
        constant &= w->v[i] == w->v[0];
        n += 1;
        kahan_add(&x, dx);
        kahan_add(&y, w->v[i]);
        kahan_add(&xy, dx * w->v[i]);
        kahan_add(&x2, dx * dx);
    }
    if (constant) {
        *slope = isinf(w->v[0]) ? (double)NAN : 0;
        *intercept = isinf(w->v[0]) ? (double)NAN : w->v[0];
        return;
    }
    double sx = kahan_sum(&x), sy = kahan_sum(&y), sxy = kahan_sum(&xy), sx2 = kahan_sum(&x2);
    double cov = sxy - sx * sy / n, var = sx2 - sx * sx / n;
    *slope = cov / var;
    *intercept = sy / n - *slope * sx / n;
}

bool range_deriv(const struct window *w, struct point *ret_p)
{
    double intercept;
    if (w->n < 2) {
        return false;
    }
    regression(w, w->ts[0], &ret_p->v, &intercept);
    return true;
}

bool range_predict_linear(const struct window *w, struct point *ret_p)
{
    double slope, intercept;
    if (w->n < 2) {
        return false;
    }
    regression(w, w->to, &slope, &intercept);
    ret_p->v = slope * w->args[0] + intercept;
    return true;
}

bool range_smoothing(const struct window *w, struct point *ret_p)
{
    double sf = w->args[0], tf = w->args[1];
    if (w->n < 2) {
        return false;
    }
    double s0 = 0, s1 = w->v[0], b = w->v[1] - w->v[0];
    for (size_t i = 1; i < w->n; i++) {
        if (i > 1) {
            b = tf * (s1 - s0) + (1 - tf) * b;
        }
        s0 = s1;
        s1 = sf * w->v[i] + (1 - sf) * (s1 + b);
    }
    ret_p->v = s1;
    return true;
}

/* -- over time ------------------------------------------------------------------------------------------- */

bool range_sum(const struct window *w, struct point *ret_p)
{
    struct kahan k = {0};
    for (size_t i = 0; i < w->n; i++) {
        kahan_add(&k, w->v[i]);
    }
    ret_p->v = kahan_sum(&k);
    return true;
}

bool range_avg(const struct window *w, struct point *ret_p)
{
    struct kahan_mean m = {0};
    for (size_t i = 0; i < w->n; i++) {
        kahan_mean_add(&m, w->v[i]);
    }
    ret_p->v = kahan_mean(&m);
    return true;
}

bool range_count(const struct window *w, struct point *ret_p)
{
    ret_p->v = (double)w->n;
    return true;
}

bool range_min(const struct window *w, struct point *ret_p)
{
    double m = w->v[0];
    for (size_t i = 1; i < w->n; i++) {
        m = w->v[i] < m || isnan(m) ? w->v[i] : m;
    }
    ret_p->v = m;
    return true;
}

bool range_max(const struct window *w, struct point *ret_p)
{
    double m = w->v[0];
    for (size_t i = 1; i < w->n; i++) {
        m = w->v[i] > m || isnan(m) ? w->v[i] : m;
    }
    ret_p->v = m;
    return true;
}

bool range_stdvar(const struct window *w, struct point *ret_p)
{
    double count = 0;
    struct kahan mean = {0}, aux = {0};
    for (size_t i = 0; i < w->n; i++) {
        count++;
        double delta = w->v[i] - (mean.sum + mean.c);
        kahan_add(&mean, delta / count);
        kahan_add(&aux, delta * (w->v[i] - (mean.sum + mean.c)));
    }
    ret_p->v = (aux.sum + aux.c) / count;
    return true;
}

bool range_stddev(const struct window *w, struct point *ret_p)
{
    (void)range_stdvar(w, ret_p);
    ret_p->v = sqrt(ret_p->v);
    return true;
}

bool range_last(const struct window *w, struct point *ret_p)
{
    ret_p->v = w->v[w->n - 1];
    return true;
}

bool range_first(const struct window *w, struct point *ret_p)
{
    ret_p->v = w->v[0];
    return true;
}

bool range_present(const struct window *w, struct point *ret_p)
{
    (void)w;
    ret_p->v = 1;
    return true;
}

bool range_quantile(const struct window *w, struct point *ret_p)
{
    return quantile_of(w->args[0], w->v, w->n, &ret_p->v);
}

bool range_mad(const struct window *w, struct point *ret_p)
{
    return median_deviation(w->v, w->n, &ret_p->v);
}

bool range_ts_first(const struct window *w, struct point *ret_p)
{
    ret_p->v = (double)w->ts[0] / 1000;
    return true;
}

bool range_ts_last(const struct window *w, struct point *ret_p)
{
    ret_p->v = (double)w->ts[w->n - 1] / 1000;
    return true;
}

static bool ts_extreme(const struct window *w, bool max, struct point *ret_p)
{
    size_t best = 0;
    for (size_t i = 1; i < w->n; i++) {
        bool better = max ? w->v[i] >= w->v[best] : w->v[i] <= w->v[best];
        best = better || isnan(w->v[best]) ? i : best;
    }
    ret_p->v = (double)w->ts[best] / 1000;
    return true;
}

bool range_ts_max(const struct window *w, struct point *ret_p)
{
    return ts_extreme(w, true, ret_p);
}

bool range_ts_min(const struct window *w, struct point *ret_p)
{
    return ts_extreme(w, false, ret_p);
}
