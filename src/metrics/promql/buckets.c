/* Quantiles and fractions of histograms: of native ones, and of classic ones, whose buckets are series that
 * differ in `le` alone. */
#include <math.h>
#include <stdlib.h>

#include "codec/num.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/quantile.h"
#include "metrics/promql/vector_fns.h"

enum {
    QUANTILES_MAX = 16 /* of one call; the parser lets fewer through */
};

/* A series of buckets, or of native histograms: both may be in one. */
struct member {
    struct labels key; /* without le for a bucket */
    uint64_t hash;
    double upper;
    bool bucket; /* le is a number */
    const struct series *s;
};

/* Members with equal keys are one histogram. */
struct members {
    struct member *m;
    size_t n;
    const struct series *base; /* the first series of the argument */
    struct bucket *buckets;    /* scratch */
};

/* What is asked of each histogram: a quantile, or the fraction between two bounds. */
struct question {
    const struct node *arg; /* the vector's expression: annotations stand there */
    const double *q;        /* per step; NULL: a fraction */
    const double *lower, *upper;
    const uint8_t *steps;         /* which are asked for; NULL: all */
    const double *const *earlier; /* the quantiles before it in the same call */
    size_t earlier_count;
    struct forced **forced; /* of the call */
};

/* Buckets of one metric that had to be made monotone: how many histograms at each step. */
struct forced {
    struct forced *next;
    struct str name;
    uint64_t *at;
    struct note_detail detail;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash) : (x->s > y->s) - (x->s < y->s);
}

/* The same, and buckets by their bounds, so that no step has to sort them. */
static int compare_bounds(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->hash != y->hash || x->bucket != y->bucket || x->upper == y->upper) {
        return x->hash == y->hash && x->bucket != y->bucket ? (int)x->bucket - (int)y->bucket
                                                            : compare_members(a, b);
    }
    return (x->upper > y->upper) - (x->upper < y->upper);
}

static bool any_point(const struct eval *e, const struct series *s, bool histogram)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (s->has[i] && (s->h && s->h[i]) == histogram) {
            return true;
        }
    }
    return false;
}

/* " for metric name ..." where names are still there when a query ends. */
static struct str named(struct eval *e, struct buf *b, struct labels ls)
{
    struct buf shown AUTO_BUF = {0};
    struct str name = metric_name(ls);
    buf_reset(b);
    if (e->options->delayed_name && name.n) {
        buf_c(b, " for metric name ");
        buf_str(b, note_quoted(e, &shown, name));
        e->notes->failed = b->err ? b->err : e->notes->failed;
    }
    return buf_view(b);
}

static void note_bad_le(struct eval *e, const struct node *arg, struct labels ls)
{
    struct buf name AUTO_BUF = {0}, shown AUTO_BUF = {0};
    note(e, true, arg->pos, "bucket label \"le\" is missing or has a malformed value of %.*s%.*s",
         STR_FMT(note_quoted(e, &shown, labels_get(ls, STR("le")))), STR_FMT(named(e, &name, ls)));
}

static enum err member_add(struct eval *e, struct members *all, const struct series *s, bool bucket,
                           double upper)
{
    struct str le = STR("le");
    struct member m = {.key = s->labels, .upper = upper, .bucket = bucket, .s = s};
    if (bucket && labels_drop(e->a, s->labels, &le, 1, &m.key)) {
        return eval_no_memory(e);
    }
    m.hash = labels_hash(m.key);
    all->m[all->n++] = m;
    return ERR_OK;
}

static enum err members_collect(struct eval *e, const struct node *arg, const struct value *in,
                                struct members *ret)
{
    struct members all = {.m = arena_array(e->a, in->n * 2 + 1, sizeof(*all.m)),
                          .buckets = arena_array(e->a, in->n + 1, sizeof(*all.buckets))};
    enum err err = all.m && all.buckets ? ERR_OK : eval_no_memory(e);
    for (size_t k = 0; k < in->n && !err; k++) {
        const struct series *s = &in->s[k];
        double upper = 0;
        if (any_point(e, s, true)) {
            err = member_add(e, &all, s, false, 0);
        }
        if (err || !any_point(e, s, false)) {
            continue;
        }
        enum err bad = num_f64_parse(labels_get(s->labels, STR("le")), &upper);
        if (bad) {
            note_bad_le(e, arg, s->labels);
        } else {
            err = member_add(e, &all, s, true, upper);
        }
    }
    bool bounds = true; /* NaN has no order */
    for (size_t k = 0; k < all.n; k++) {
        bounds = bounds && !isnan(all.m[k].upper);
    }
    if (!err && all.n > 1) {
        qsort(all.m, all.n, sizeof(*all.m), bounds ? compare_bounds : compare_members);
    }
    all.base = in->s;
    *ret = all;
    return err;
}

static void note_nans(struct eval *e, const struct question *q, enum histogram_nans nans, struct labels ls)
{
    static const char *const quantile[] = {
        [HISTOGRAM_NANS_RESULT] = "input to histogram_quantile has NaN observations, result is NaN",
        [HISTOGRAM_NANS_SKEW] = "input to histogram_quantile has NaN observations, result is skewed higher"};
    struct buf name AUTO_BUF = {0};
    if (nans != HISTOGRAM_NANS_NONE) {
        note(e, false, q->arg->pos, "%s%.*s",
             q->q ? quantile[nans]
                  : "input to histogram_fraction has NaN observations, which are excluded from all fractions",
             STR_FMT(named(e, &name, ls)));
    }
}

static double native_answer(struct eval *e, const struct question *q, size_t step, const struct histogram *h,
                            struct labels ls)
{
    enum histogram_nans nans = HISTOGRAM_NANS_NONE;
    double v = q->q ? histogram_quantile_of(h, q->q[step], &nans)
                    : histogram_fraction_of(h, q->lower[step], q->upper[step], &nans);
    note_nans(e, q, nans, ls);
    return v;
}

/* The note that buckets were made monotone, at step i. */
static struct forced *forced_for(struct eval *e, const struct question *q, struct str name)
{
    struct forced *f = *q->forced;
    while (f && !str_eq(f->name, name)) {
        f = f->next;
    }
    if (f) {
        return f;
    }
    f = arena_zalloc(e->a, sizeof(*f));
    uint64_t *at = arena_zarray(e->a, e->steps, sizeof(*at));
    if (!f || !at) {
        e->notes->failed = ERR_OOM;
        return NULL;
    }
    *f = (struct forced){.next = *q->forced, .name = name, .at = at};
    *q->forced = f;
    return f;
}

static void forced_add(struct eval *e, const struct question *q, size_t step, const struct bucket_fix *fix,
                       struct labels ls)
{
    struct forced *f = forced_for(e, q, e->options->delayed_name ? metric_name(ls) : STR(""));
    ts_ms t = step_time(e, step);
    if (!f) {
        return;
    }
    struct note_detail *d = &f->detail;
    bool first = !d->buckets;
    d->buckets = true;
    d->first = first || t < d->first ? t : d->first;
    d->last = first || t > d->last ? t : d->last;
    d->low = first || fix->low < d->low ? fix->low : d->low;
    d->high = first || fix->high > d->high ? fix->high : d->high;
    d->diff = first || fix->diff > d->diff ? fix->diff : d->diff;
    f->at[step]++;
}

/* The original merges what it has with itself at every step from the first on, so that its count of samples
 * doubles each time, until it overflows. Clients see that number. */
static void forced_note(struct eval *e, const struct question *q)
{
    for (struct forced *f = *q->forced; f; f = f->next) {
        struct buf shown AUTO_BUF = {0};
        uint64_t count = 0;
        for (size_t i = 0; i < e->steps; i++) {
            count = count ? (count + f->at[i]) * 2 : f->at[i];
        }
        f->detail.count = count;
        note_detailed(
            e, false, q->arg->pos, &f->detail,
            "input to histogram_quantile needed to be fixed for monotonicity (see "
            "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)%s%.*s",
            f->name.n ? " for metric name " : "",
            STR_FMT(f->name.n ? note_quoted(e, &shown, f->name) : f->name));
    }
}

/* Each quantile of one call finds the buckets as the one before it left them: repaired, but with what merging
 * equal bounds freed still at the end. The original's answers depend on it. */
static double classic_answer(struct eval *e, const struct question *q, size_t step, struct bucket *b,
                             size_t n, struct labels ls)
{
    struct bucket_fix fix = {0};
    if (!q->q) {
        return bucket_fraction(q->lower[step], q->upper[step], b, n);
    }
    for (size_t i = 0; i < q->earlier_count; i++) {
        (void)bucket_quantile(q->earlier[i][step], b, n, &fix);
    }
    double v = bucket_quantile(q->q[step], b, n, &fix);
    if (fix.forced) {
        forced_add(e, q, step, &fix, ls);
    }
    return v;
}

/* The histogram made of members [from, to) at one step. False: there is none, or two kinds at once. */
static bool answer(struct eval *e, const struct question *q, struct members *all, size_t from, size_t to,
                   size_t step, double *ret_v)
{
    const struct histogram *native = NULL;
    size_t n = 0;
    for (size_t k = from; k < to; k++) {
        const struct member *m = &all->m[k];
        const struct histogram *h = m->s->h ? m->s->h[step] : NULL;
        if (m->s->has[step] && !h == m->bucket) {
            native = m->bucket ? native : h;
            if (m->bucket) {
                all->buckets[n++] = (struct bucket){m->upper, m->s->v[step]};
            }
        }
    }
    if (native && n) {
        struct buf name AUTO_BUF = {0};
        note(e, true, q->arg->pos, "vector contains a mix of classic and native histograms%.*s",
             STR_FMT(named(e, &name, all->m[from].key)));
        return false;
    }
    if (native) {
        *ret_v = native_answer(e, q, step, native, all->m[from].key);
    } else if (n) {
        *ret_v = classic_answer(e, q, step, all->buckets, n, all->m[from].key);
    }
    return native || n;
}

/* Native histograms come in the order of their series, classic ones after them. */
static uint64_t place_of(const struct members *all, size_t from, size_t to)
{
    uint64_t place = UINT32_MAX;
    bool native = false;
    for (size_t k = from; k < to; k++) {
        uint64_t index = (uint64_t)(all->m[k].s - all->base);
        native |= !all->m[k].bucket;
        place = index < place ? index : place;
    }
    return native ? place : place | UINT64_C(1) << 32;
}

static int compare_places(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

/* One row of results for each histogram. label: added with the value, when given. */
static enum err answer_all(struct eval *e, const struct question *q, struct members *all,
                           const struct label *label, struct value *v)
{
    size_t before = v->n;
    for (size_t from = 0, to; from < all->n; from = to) {
        struct series *row = NULL;
        struct labels ls = all->m[from].key;
        for (to = from + 1; to < all->n && all->m[to].hash == all->m[from].hash; to++) {
        }
        if (label && labels_with(e->a, ls, label->name, label->value, &ls)) {
            return eval_no_memory(e);
        }
        enum err err = ERR_OK;
        for (size_t i = 0; i < e->steps && !err; i++) {
            double result = 0;
            if ((q->steps && !q->steps[i]) || !answer(e, q, all, from, to, i, &result)) {
                continue;
            }
            if (!row) {
                err = value_add(e, v, ls, &row);
                err = err ? err : series_drop_name(e, row);
                if (!err) {
                    row->order = place_of(all, from, to);
                }
            }
            if (!err) {
                row->v[i] = result;
                row->has[i] = 1;
            }
        }
        if (err) {
            return err;
        }
    }
    if (v->n > before + 1) {
        qsort(v->s + before, v->n - before, sizeof(*v->s), compare_places);
    }
    return ERR_OK;
}

static void check_quantiles(struct eval *e, const struct node *arg, const double *q)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (!(q[i] >= 0 && q[i] <= 1)) {
            note_bad_quantile(e, arg->pos, q[i]);
        }
    }
}

enum err call_histogram_quantile(struct eval *e, const struct node *n, struct value *v)
{
    struct value q, in;
    struct members all;
    struct forced *forced = NULL;
    enum err err = eval_node(e, n->args[0], &q);
    err = err ? err : eval_node(e, n->args[1], &in);
    err = err ? err : members_collect(e, n->args[1], &in, &all);
    *v = (struct value){.type = TYPE_VECTOR};
    if (err) {
        return err;
    }
    struct question ask = {.arg = n->args[1], .q = q.scalar, .forced = &forced};
    check_quantiles(e, n->args[0], q.scalar);
    err = answer_all(e, &ask, &all, NULL, v);
    forced_note(e, &ask);
    return err ? err : value_merge_now(e, v);
}

enum err call_histogram_fraction(struct eval *e, const struct node *n, struct value *v)
{
    struct value lower, upper, in;
    struct members all;
    enum err err = eval_node(e, n->args[0], &lower);
    err = err ? err : eval_node(e, n->args[1], &upper);
    err = err ? err : eval_node(e, n->args[2], &in);
    err = err ? err : members_collect(e, n->args[2], &in, &all);
    *v = (struct value){.type = TYPE_VECTOR};
    if (err) {
        return err;
    }
    struct question ask = {.arg = n->args[2], .lower = lower.scalar, .upper = upper.scalar};
    err = answer_all(e, &ask, &all, NULL, v);
    return err ? err : value_merge_now(e, v);
}

/* The value of the quantile label. */
static struct str quantile_text(struct eval *e, double q)
{
    char text[NUM_F64_BYTES_MAX];
    size_t n = num_f64_format(text, q, 'g');
    bool plain = isfinite(q);
    for (size_t i = 0; i < n; i++) {
        plain = plain && text[i] != '.' && text[i] != 'e';
    }
    return arena_printf(e->a, "%.*s%s", (int)n, text, plain ? ".0" : "");
}

/* One quantile of histogram_quantiles: steps with the same one have the same label. */
static enum err answer_labelled(struct eval *e, struct question *ask, struct members *all, struct str label,
                                struct value *v)
{
    uint8_t *done = arena_zarray(e->a, e->steps, 1), *now = arena_array(e->a, e->steps, 1);
    enum err err = done && now ? ERR_OK : eval_no_memory(e);
    ask->steps = now;
    for (size_t i = 0; i < e->steps && !err; i++) {
        if (done[i]) {
            continue;
        }
        for (size_t k = 0; k < e->steps; k++) {
            now[k] = ask->q[k] == ask->q[i] || (isnan(ask->q[k]) && isnan(ask->q[i]));
            done[k] |= now[k];
        }
        struct label l = {label, quantile_text(e, ask->q[i])};
        err = l.value.p ? answer_all(e, ask, all, &l, v) : eval_no_memory(e);
    }
    return err;
}

/* histogram_quantiles(vector, label, q...) */
enum err call_histogram_quantiles(struct eval *e, const struct node *n, struct value *v)
{
    struct value in;
    struct members all;
    struct forced *forced = NULL;
    const double *quantiles[QUANTILES_MAX];
    struct question ask = {.arg = n->args[0], .forced = &forced, .earlier = quantiles};
    enum err err = eval_node(e, n->args[0], &in);
    err = err ? err : members_collect(e, n->args[0], &in, &all);
    *v = (struct value){.type = TYPE_VECTOR};
    for (size_t k = 2; k < n->arg_count && !err && ask.earlier_count < QUANTILES_MAX; k++) {
        struct value q;
        err = eval_node(e, n->args[k], &q);
        if (err) {
            break;
        }
        ask.q = q.scalar;
        check_quantiles(e, n->args[k], q.scalar);
        err = answer_labelled(e, &ask, &all, n->args[1]->string, v);
        quantiles[ask.earlier_count++] = q.scalar;
    }
    forced_note(e, &ask);
    return err ? err : value_merge_now(e, v);
}
