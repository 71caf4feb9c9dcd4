/* Functions that take one number of each native histogram. */
#include <math.h>

#include "metrics/promql/histogram_fns.h"

static enum err of_each(struct eval *e, const struct node *n, double (*fn)(const struct histogram *),
                        struct value *v)
{
    enum err err = eval_node(e, n->args[0], v);
    for (size_t k = 0; !err && k < v->n; k++) {
        struct series *s = &v->s[k];
        for (size_t i = 0; i < e->steps; i++) {
            const struct histogram *h = s->h ? s->h[i] : NULL;
            s->has[i] = s->has[i] && h;
            s->v[i] = s->has[i] ? fn(h) : 0;
        }
        s->h = NULL;
        err = series_drop_name(e, s);
    }
    if (!err) {
        value_drop_empty(e, v);
    }
    return err ? err : value_merge_now(e, v);
}

static double count_of(const struct histogram *h)
{
    return h->count;
}

static double sum_of(const struct histogram *h)
{
    return h->sum;
}

static double average_of(const struct histogram *h)
{
    return h->sum / h->count;
}

static double deviation_of(const struct histogram *h)
{
    return sqrt(histogram_variance_of(h));
}

enum err call_histogram_count(struct eval *e, const struct node *n, struct value *v)
{
    return of_each(e, n, count_of, v);
}

enum err call_histogram_sum(struct eval *e, const struct node *n, struct value *v)
{
    return of_each(e, n, sum_of, v);
}

enum err call_histogram_avg(struct eval *e, const struct node *n, struct value *v)
{
    return of_each(e, n, average_of, v);
}

enum err call_histogram_stddev(struct eval *e, const struct node *n, struct value *v)
{
    return of_each(e, n, deviation_of, v);
}

enum err call_histogram_stdvar(struct eval *e, const struct node *n, struct value *v)
{
    return of_each(e, n, histogram_variance_of, v);
}
