/* Kahan's summation in Neumaier's form, as Prometheus uses it, and the mean built on it. */
#ifndef CAIRN_METRICS_PROMQL_KAHAN_H
#define CAIRN_METRICS_PROMQL_KAHAN_H

#include <math.h>
#include <stdbool.h>

struct kahan {
    double sum, c;
};

static inline void kahan_add(struct kahan *k, double v)
{
    double t = k->sum + v;
    if (isinf(t)) {
        k->c = 0;
    } else if (fabs(k->sum) >= fabs(v)) {
        k->c += (k->sum - t) + v;
    } else {
        k->c += (v - t) + k->sum;
    }
    k->sum = t;
}

/* Of sum_over_time; sum() adds the compensation in any case. */
static inline double kahan_sum(const struct kahan *k)
{
    return isinf(k->sum) ? k->sum : k->sum + k->c;
}

/* The direct sum divided by n; the running mean from the sample on whose sum overflows. */
struct kahan_mean {
    struct kahan k;
    double n;
    bool incremental;
};

static inline void kahan_mean_add(struct kahan_mean *m, double v)
{
    m->n += 1;
    if (m->n == 1) {
        m->k.sum = v;
        return;
    }
    if (!m->incremental) {
        struct kahan next = m->k;
        kahan_add(&next, v);
        if (!isinf(next.sum)) {
            m->k = next;
            return;
        }
        m->incremental = true;
        m->k.sum /= m->n - 1;
        m->k.c /= m->n - 1;
    }
    double q = (m->n - 1) / m->n;
    m->k.sum *= q;
    m->k.c *= q;
    kahan_add(&m->k, v / m->n);
}

static inline double kahan_mean(const struct kahan_mean *m)
{
    if (m->incremental) {
        return m->k.sum + m->k.c;
    }
    return m->k.sum / m->n + m->k.c / m->n;
}

#endif
