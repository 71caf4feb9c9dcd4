/* Functions over the samples of a range, one window at a time. Sums are Kahan-Neumaier in Prometheus' order
 * of operations, so that results equal Prometheus' to the last bit. */
#include "metrics/promql/range_fns.h"

#include <math.h>

#include "metrics/promql/functions.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/kahan.h"
#include "metrics/promql/quantile.h"

/* -- regression ------------------------------------------------------------------------------------------ */

/* Least squares with x in seconds relative to `origin`. */
static void regression(const struct window *w, ts_ms origin, double *slope, double *intercept)
{
    struct kahan x = {0}, y = {0}, xy = {0}, x2 = {0};
    bool constant = true;
    double n = 0;
    for (size_t i = 0; i < w->n; i++) {
        double dx = (double)(w->ts[i] - origin) / 1000;
        constant &= i == 0 || w->v[i] == w->v[0];
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
    double sx = x.sum + x.c, sy = y.sum + y.c, sxy = xy.sum + xy.c, sx2 = x2.sum + x2.c;
    double cov = sxy - sx * sy / n, var = sx2 - sx * sx / n;
    *slope = cov / var;
    *intercept = sy / n - *slope * sx / n;
}

bool range_deriv(const struct window *w, struct point *ret_p)
{
    double intercept;
    note_ignored_histograms(w);
    if (w->n < 2) {
        return false;
    }
    regression(w, w->ts[0], &ret_p->v, &intercept);
    return true;
}

bool range_predict_linear(const struct window *w, struct point *ret_p)
{
    double slope, intercept;
    note_ignored_histograms(w);
    if (w->n < 2) {
        return false;
    }
    regression(w, w->at, &slope, &intercept);
    ret_p->v = slope * w->args[0] + intercept;
    return true;
}

static bool range_smoothing(const struct window *w, struct point *ret_p)
{
    double sf = w->args[0], tf = w->args[1];
    note_ignored_histograms(w);
    if (w->n < 2) {
        return false;
    }
    double s0 = 0, s1 = w->v[0], b = w->v[1] - w->v[0];
    for (size_t i = 1; i < w->n; i++) {
        double x = sf * w->v[i];
        if (i > 1) {
            double t = tf * (s1 - s0);
            b = t + (1 - tf) * b;
        }
        double y = (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = x + y;
    }
    ret_p->v = s1;
    return true;
}

/* True when a factor lies outside (0, 1) at some step. */
static bool bad_factor(const struct eval *e, const double *factor, double *ret_bad)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (factor[i] <= 0 || factor[i] >= 1) {
            *ret_bad = factor[i];
            return true;
        }
    }
    return false;
}

/* The factors are checked only when there is something to smooth. */
enum err call_smoothing(struct eval *e, const struct node *n, struct value *v)
{
    struct value sf = {0}, tf = {0};
    double bad = 0;
    uint64_t before = e->usage->current;
    enum err err = eval_node(e, n->args[1], &sf);
    err = err ? err : eval_node(e, n->args[2], &tf);
    if (err) {
        return err;
    }
    struct range_use use = {.fn = range_smoothing,
                            .call = n,
                            .args = {sf.scalar, tf.scalar},
                            .args_held = e->usage->current - before};
    struct range_use probe = use;
    probe.fn = range_present;
    probe.histograms = probe.keep_name = true;
    bool bad_sf = bad_factor(e, sf.scalar, &bad), bad_tf = !bad_sf && bad_factor(e, tf.scalar, &bad);
    if (!bad_sf && !bad_tf) {
        return eval_range(e, n->args[0], &use, v);
    }
    err = eval_range(e, n->args[0], &probe, v);
    if (err || v->n == 0) {
        return err;
    }
    return err_set(e->info, ERR_EXECUTION, "invalid %s factor. Expected: 0 < %s < 1, got: %f",
                   bad_sf ? "smoothing" : "trend", bad_sf ? "sf" : "tf", bad);
}

/* -- over time ------------------------------------------------------------------------------------------- */

bool range_sum(const struct window *w, struct point *ret_p)
{
    struct kahan k = {0};
    if (w->histogram_count) {
        return histogram_range_sum(w, ret_p);
    }
    for (size_t i = 0; i < w->n; i++) {
        kahan_add(&k, w->v[i]);
    }
    ret_p->v = kahan_sum(&k);
    return true;
}

bool range_avg(const struct window *w, struct point *ret_p)
{
    struct kahan_mean m = {0};
    if (w->histogram_count) {
        return histogram_range_avg(w, ret_p);
    }
    for (size_t i = 0; i < w->n; i++) {
        kahan_mean_add(&m, w->v[i]);
    }
    ret_p->v = kahan_mean(&m);
    return true;
}

bool range_count(const struct window *w, struct point *ret_p)
{
    ret_p->v = (double)(w->n + w->histogram_count);
    return true;
}

bool range_min(const struct window *w, struct point *ret_p)
{
    double m = w->v[0];
    note_ignored_histograms(w);
    for (size_t i = 1; i < w->n; i++) {
        m = w->v[i] < m || isnan(m) ? w->v[i] : m;
    }
    ret_p->v = m;
    return true;
}

bool range_max(const struct window *w, struct point *ret_p)
{
    double m = w->v[0];
    note_ignored_histograms(w);
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
    note_ignored_histograms(w);
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

bool range_present(const struct window *w, struct point *ret_p)
{
    (void)w;
    ret_p->v = 1;
    return true;
}

/* Memory that ran out fails the query when it ends. */
static bool unless_failed(const struct window *w, bool ok)
{
    if (!ok) {
        w->e->notes->failed = ERR_OOM;
    }
    return ok;
}

bool range_quantile(const struct window *w, struct point *ret_p)
{
    double q = w->args[0];
    if (isnan(q) || q < 0 || q > 1) {
        note_bad_quantile(w->e, w->call->args[0]->pos, q);
    }
    note_ignored_histograms(w);
    return unless_failed(w, quantile_of(q, w->v, w->n, &ret_p->v));
}

bool range_mad(const struct window *w, struct point *ret_p)
{
    note_ignored_histograms(w);
    return unless_failed(w, median_deviation(w->v, w->n, &ret_p->v));
}

/* -- ends and extremes ----------------------------------------------------------------------------------- */

static bool put_histogram(const struct window *w, size_t i, struct point *ret_p)
{
    ret_p->h = eval_keep_histogram(w->e, w->histograms[i]);
    return unless_failed(w, ret_p->h != NULL);
}

bool range_last(const struct window *w, struct point *ret_p)
{
    size_t h = w->histogram_count;
    if (h && !(w->n && w->histogram_ts[h - 1] < w->ts[w->n - 1])) {
        return put_histogram(w, h - 1, ret_p);
    }
    ret_p->v = w->v[w->n - 1];
    return true;
}

bool range_first(const struct window *w, struct point *ret_p)
{
    if (w->histogram_count && !(w->n && w->ts[0] < w->histogram_ts[0])) {
        return put_histogram(w, 0, ret_p);
    }
    ret_p->v = w->v[0];
    return true;
}

bool range_ts_first(const struct window *w, struct point *ret_p)
{
    ts_ms f = w->n ? w->ts[0] : INT64_MAX, h = w->histogram_count ? w->histogram_ts[0] : INT64_MAX;
    ret_p->v = (double)(f < h ? f : h) / 1000;
    return true;
}

bool range_ts_last(const struct window *w, struct point *ret_p)
{
    ts_ms f = w->n ? w->ts[w->n - 1] : 0,
          h = w->histogram_count ? w->histogram_ts[w->histogram_count - 1] : 0;
    ret_p->v = (double)(f > h ? f : h) / 1000;
    return true;
}

static bool ts_extreme(const struct window *w, bool max, struct point *ret_p)
{
    size_t best = 0;
    note_ignored_histograms(w);
    for (size_t i = 0; i < w->n; i++) {
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
