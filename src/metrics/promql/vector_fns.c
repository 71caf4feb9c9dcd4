/* Functions of whole values: scalars, labels, dates, sorting, histograms, absence. */
#include "metrics/promql/vector_fns.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "codec/num.h"
#include "labels/relabel.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/quantile.h"

/* -- scalars --------------------------------------------------------------------------------------------- */

enum err call_time(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = scalar_new(e, v);
    (void)n;
    for (size_t i = 0; i < e->steps && !err; i++) {
        v->scalar[i] = (double)step_time(e, i) / 1000;
    }
    return err;
}

enum err call_pi(struct eval *e, const struct node *n, struct value *v)
{
    enum err err = scalar_new(e, v);
    (void)n;
    for (size_t i = 0; i < e->steps && !err; i++) {
        v->scalar[i] = M_PI;
    }
    return err;
}

enum err call_scalar(struct eval *e, const struct node *n, struct value *v)
{
    struct value in;
    enum err err = eval_node(e, n->args[0], &in);
    if (err) {
        return err;
    }
    value_drop_histograms(e, &in);
    err = scalar_new(e, v);
    for (size_t i = 0; i < e->steps && !err; i++) {
        size_t found = 0;
        v->scalar[i] = (double)NAN;
        for (size_t k = 0; k < in.n; k++) {
            if (in.s[k].has[i]) {
                v->scalar[i] = found++ ? (double)NAN : in.s[k].v[i];
            }
        }
    }
    return err;
}

enum err call_vector(struct eval *e, const struct node *n, struct value *v)
{
    struct value in;
    struct series *s = NULL;
    enum err err = eval_node(e, n->args[0], &in);
    *v = (struct value){.type = TYPE_VECTOR};
    err = err ? err : value_add(e, v, (struct labels){0}, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        s->v[i] = in.scalar[i];
        s->has[i] = 1;
    }
    return err;
}

enum err call_timestamp(struct eval *e, const struct node *n, struct value *v)
{
    const struct node *arg = unparen(n->args[0]);
    bool own = arg->kind == N_SELECTOR;
    enum err err = own ? eval_selector(e, arg, true, v) : eval_node(e, arg, v);
    for (size_t k = 0; !err && k < v->n; k++) {
        err = drop_name(e, v->s[k].labels, &v->s[k].labels);
        for (size_t i = 0; i < e->steps && !own; i++) {
            v->s[k].v[i] = (double)step_time(e, i) / 1000;
        }
        v->s[k].h = NULL;
    }
    return err ? err : value_merge(e, v);
}

/* -- clamps and rounding --------------------------------------------------------------------------------- */

static double at_most(double v, double max)
{
    return isnan(v) || isnan(max) ? (double)NAN : v > max ? max : v;
}

static double at_least(double v, double min)
{
    return isnan(v) || isnan(min) ? (double)NAN : v < min ? min : v;
}

static enum err clamp(struct eval *e, const struct node *n, struct value *v, int which)
{
    struct value a = {0}, b = {0};
    enum err err = eval_node(e, n->args[0], v);
    err = err ? err : eval_node(e, n->args[1], &a);
    err = err || n->arg_count < 3 ? err : eval_node(e, n->args[2], &b);
    if (!err) {
        value_drop_histograms(e, v);
    }
    for (size_t k = 0; !err && k < v->n; k++) {
        struct series *s = &v->s[k];
        err = drop_name(e, s->labels, &s->labels);
        for (size_t i = 0; i < e->steps; i++) {
            if (!s->has[i]) {
                continue;
            }
            if (which == 0 && b.scalar[i] < a.scalar[i]) {
                s->has[i] = 0;
            } else if (which == 0) {
                s->v[i] = at_least(at_most(s->v[i], b.scalar[i]), a.scalar[i]);
            } else {
                s->v[i] = which < 0 ? at_least(s->v[i], a.scalar[i]) : at_most(s->v[i], a.scalar[i]);
            }
        }
    }
    return err ? err : value_merge(e, v);
}

enum err call_clamp(struct eval *e, const struct node *n, struct value *v)
{
    return clamp(e, n, v, 0);
}

enum err call_clamp_min(struct eval *e, const struct node *n, struct value *v)
{
    return clamp(e, n, v, -1);
}

enum err call_clamp_max(struct eval *e, const struct node *n, struct value *v)
{
    return clamp(e, n, v, 1);
}

enum err call_round(struct eval *e, const struct node *n, struct value *v)
{
    struct value to = {0};
    enum err err = eval_node(e, n->args[0], v);
    err = err || n->arg_count < 2 ? err : eval_node(e, n->args[1], &to);
    if (!err) {
        value_drop_histograms(e, v);
    }
    for (size_t k = 0; !err && k < v->n; k++) {
        struct series *s = &v->s[k];
        err = drop_name(e, s->labels, &s->labels);
        for (size_t i = 0; i < e->steps; i++) {
            double inverse = 1 / (to.scalar ? to.scalar[i] : 1);
            s->v[i] = floor(s->v[i] * inverse + 0.5) / inverse;
        }
    }
    return err ? err : value_merge(e, v);
}

/* -- dates ----------------------------------------------------------------------------------------------- */

enum date_part {
    DATE_MINUTE,
    DATE_HOUR,
    DATE_WEEKDAY,
    DATE_MONTHDAY,
    DATE_YEARDAY,
    DATE_MONTHDAYS,
    DATE_MONTH,
    DATE_YEAR
};

static double date_part(enum date_part part, double seconds)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct tm t;
    time_t at = (time_t)seconds;
    if (!(fabs(seconds) < 6e16) || !gmtime_r(&at, &t)) {
        return (double)NAN;
    }
    int year = t.tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    switch (part) {
    case DATE_MINUTE:
        return t.tm_min;
    case DATE_HOUR:
        return t.tm_hour;
    case DATE_WEEKDAY:
        return t.tm_wday;
    case DATE_MONTHDAY:
        return t.tm_mday;
    case DATE_YEARDAY:
        return t.tm_yday + 1;
    case DATE_MONTHDAYS:
        return days[t.tm_mon] + (t.tm_mon == 1 && leap);
    case DATE_MONTH:
        return t.tm_mon + 1;
    case DATE_YEAR:
        return year;
    }
    return (double)NAN;
}

static enum err date(struct eval *e, const struct node *n, struct value *v, enum date_part part)
{
    enum err err;
    if (n->arg_count == 0) {
        struct series *s = NULL;
        *v = (struct value){.type = TYPE_VECTOR};
        err = value_add(e, v, (struct labels){0}, &s);
        for (size_t i = 0; i < e->steps && !err; i++) {
            s->v[i] = (double)step_time(e, i) / 1000;
            s->has[i] = 1;
        }
    } else {
        err = eval_node(e, n->args[0], v);
    }
    if (err) {
        return err;
    }
    value_drop_histograms(e, v);
    for (size_t k = 0; !err && k < v->n; k++) {
        err = drop_name(e, v->s[k].labels, &v->s[k].labels);
        for (size_t i = 0; i < e->steps; i++) {
            v->s[k].v[i] = v->s[k].has[i] ? date_part(part, v->s[k].v[i]) : 0;
        }
    }
    return err ? err : value_merge(e, v);
}

#define DATE_CALL(name, part)                                            \
    enum err name(struct eval *e, const struct node *n, struct value *v) \
    {                                                                    \
        return date(e, n, v, part);                                      \
    }

DATE_CALL(call_minute, DATE_MINUTE)
DATE_CALL(call_hour, DATE_HOUR)
DATE_CALL(call_day_of_week, DATE_WEEKDAY)
DATE_CALL(call_day_of_month, DATE_MONTHDAY)
DATE_CALL(call_day_of_year, DATE_YEARDAY)
DATE_CALL(call_days_in_month, DATE_MONTHDAYS)
DATE_CALL(call_month, DATE_MONTH)
DATE_CALL(call_year, DATE_YEAR)

/* -- absence --------------------------------------------------------------------------------------------- */

/* Labels that = matchers name once, and that no other matcher mentions. */
static enum err absent_labels(struct eval *e, const struct node *arg, struct labels *ret_labels)
{
    const struct node *n = unparen(arg);
    n = n->kind == N_MATRIX ? n->args[0] : n;
    *ret_labels = (struct labels){0};
    if (n->kind != N_SELECTOR) {
        return ERR_OK;
    }
    for (size_t i = 0; i < n->matcher_count; i++) {
        const struct matcher *m = &n->matchers[i];
        size_t mentions = 0;
        for (size_t k = 0; k < n->matcher_count; k++) {
            mentions += str_eq(n->matchers[k].name, m->name);
        }
        if (m->op != MATCH_EQ || mentions > 1 || str_eq(m->name, LABEL_METRIC_NAME)) {
            continue;
        }
        if (labels_with(e->a, *ret_labels, m->name, m->value, ret_labels)) {
            return eval_no_memory(e);
        }
    }
    return ERR_OK;
}

static enum err absence(struct eval *e, const struct node *n, const struct value *in, struct value *v)
{
    struct labels ls;
    struct series *s = NULL;
    enum err err = absent_labels(e, n->args[0], &ls);
    *v = (struct value){.type = TYPE_VECTOR};
    err = err ? err : value_add(e, v, ls, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        bool any = false;
        for (size_t k = 0; k < in->n && !any; k++) {
            any = in->s[k].has[i];
        }
        s->has[i] = !any;
        s->v[i] = 1;
    }
    return err;
}

enum err call_absent(struct eval *e, const struct node *n, struct value *v)
{
    struct value in;
    enum err err = eval_node(e, n->args[0], &in);
    return err ? err : absence(e, n, &in, v);
}

static bool window_present(const struct window *w, struct point *ret_p)
{
    ret_p->v = 1;
    return w->n + w->histogram_count > 0;
}

enum err call_absent_over_time(struct eval *e, const struct node *n, struct value *v)
{
    struct value in;
    struct range_use use = {.fn = window_present, .call = n, .keep_name = true, .histograms = true};
    enum err err = eval_range(e, n->args[0], &use, &in);
    return err ? err : absence(e, n, &in, v);
}

/* -- labels ---------------------------------------------------------------------------------------------- */

static struct str string_arg(const struct node *n, size_t i)
{
    return unparen(n->args[i])->string;
}

static enum err set_label(struct eval *e, struct series *s, struct str name, struct str value)
{
    struct str kept = arena_str(e->a, value);
    return !kept.p || labels_with(e->a, s->labels, name, kept, &s->labels) ? eval_no_memory(e) : ERR_OK;
}

enum err call_label_replace(struct eval *e, const struct node *n, struct value *v)
{
    struct str dst = string_arg(n, 1), replacement = string_arg(n, 2), src = string_arg(n, 3);
    struct regex *re = NULL;
    struct err_info why = {0};
    enum err err = eval_node(e, n->args[0], v);
    if (err) {
        return err;
    }
    if (regex_new(string_arg(n, 4), REGEX_ANCHORED, &re, &why)) {
        return err_set(e->info, ERR_EXECUTION, "invalid regular expression in label_replace(): %.*s",
                       STR_FMT(string_arg(n, 4)));
    }
    if (dst.n == 0 || !str_utf8_valid(dst)) {
        regex_free(re);
        return err_set(e->info, ERR_EXECUTION, "invalid destination label name in label_replace(): %.*s",
                       STR_FMT(dst));
    }
    for (size_t k = 0; k < v->n && !err; k++) {
        struct str captures[REGEX_CAPTURES_MAX + 1] = {{0}};
        struct buf out AUTO_BUF = {0};
        struct str value = labels_get(v->s[k].labels, src);
        if (!regex_find(re, value, 0, captures, ARRAY_LEN(captures))) {
            continue;
        }
        regex_expand(&out, replacement, re, captures);
        err = out.err ? eval_no_memory(e) : set_label(e, &v->s[k], dst, buf_view(&out));
    }
    regex_free(re);
    return err ? err : value_merge(e, v);
}

enum err call_label_join(struct eval *e, const struct node *n, struct value *v)
{
    struct str dst = string_arg(n, 1), separator = string_arg(n, 2);
    enum err err = eval_node(e, n->args[0], v);
    if (!err && (dst.n == 0 || !str_utf8_valid(dst))) {
        return err_set(e->info, ERR_EXECUTION, "invalid destination label name in label_join(): %.*s",
                       STR_FMT(dst));
    }
    for (size_t k = 0; !err && k < v->n; k++) {
        struct buf out AUTO_BUF = {0};
        for (size_t a = 3; a < n->arg_count; a++) {
            if (a > 3) {
                buf_str(&out, separator);
            }
            buf_str(&out, labels_get(v->s[k].labels, string_arg(n, a)));
        }
        err = out.err ? eval_no_memory(e) : set_label(e, &v->s[k], dst, buf_view(&out));
    }
    return err ? err : value_merge(e, v);
}

/* -- sorting --------------------------------------------------------------------------------------------- */

static int compare_rising(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    if (isnan(x->v[0]) || isnan(y->v[0])) {
        return isnan(x->v[0]) - isnan(y->v[0]);
    }
    return (x->v[0] > y->v[0]) - (x->v[0] < y->v[0]);
}

static int compare_falling(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    if (isnan(x->v[0]) || isnan(y->v[0])) {
        return isnan(x->v[0]) - isnan(y->v[0]);
    }
    return (x->v[0] < y->v[0]) - (x->v[0] > y->v[0]);
}

static enum err sort_by_value(struct eval *e, const struct node *n, struct value *v,
                              int (*compare)(const void *, const void *))
{
    enum err err = eval_node(e, n->args[0], v);
    if (err) {
        return err;
    }
    if (!e->instant || e->steps > 1) {
        return note(e, true, n,
                    "sort is ineffective for range queries since results are always ordered by labels");
    }
    size_t kept = 0;
    value_drop_histograms(e, v);
    for (size_t k = 0; k < v->n; k++) {
        if (v->s[k].has[0]) {
            v->s[kept++] = v->s[k];
        }
    }
    v->n = kept;
    if (v->n > 1) {
        qsort(v->s, v->n, sizeof(*v->s), compare);
    }
    v->ordered = true;
    return ERR_OK;
}

enum err call_sort(struct eval *e, const struct node *n, struct value *v)
{
    return sort_by_value(e, n, v, compare_rising);
}

enum err call_sort_desc(struct eval *e, const struct node *n, struct value *v)
{
    return sort_by_value(e, n, v, compare_falling);
}

/* -- classic histograms ---------------------------------------------------------------------------------- */

struct le_series {
    struct labels key; /* without le */
    uint64_t hash;
    double upper;
    const struct series *s;
};

static int compare_le(const void *a, const void *b)
{
    const struct le_series *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static enum err collect_le(struct eval *e, const struct node *arg, const struct value *in,
                           struct le_series **ret_rows, size_t *ret_n)
{
    struct le_series *rows = arena_array(e->a, in->n + 1, sizeof(*rows));
    struct str le = STR("le");
    size_t n = 0;
    enum err err = rows ? ERR_OK : eval_no_memory(e);
    for (size_t k = 0; k < in->n && !err; k++) {
        struct le_series r = {.s = &in->s[k]};
        struct str text = labels_get(in->s[k].labels, le);
        if (num_f64_parse(text, &r.upper)) {
            struct str name = labels_get(in->s[k].labels, LABEL_METRIC_NAME);
            err = note(e, true, arg,
                       "bucket label \"le\" is missing or has a malformed value of \"%.*s\" for metric name "
                       "\"%.*s\"",
                       STR_FMT(text), STR_FMT(name));
            continue;
        }
        if (labels_drop(e->a, in->s[k].labels, &le, 1, &r.key)) {
            return eval_no_memory(e);
        }
        r.hash = labels_hash(r.key);
        rows[n++] = r;
    }
    if (!err && n > 1) {
        qsort(rows, n, sizeof(*rows), compare_le);
    }
    *ret_rows = rows;
    *ret_n = n;
    return err;
}

/* lower and upper for a fraction; quantile in `lower` otherwise. */
static enum err of_buckets(struct eval *e, const struct node *n, struct value *in, const double *lower,
                           const double *upper, struct value *v)
{
    struct le_series *rows = NULL;
    size_t count = 0;
    value_drop_histograms(e, in);
    enum err err = collect_le(e, n->args[n->arg_count - 1], in, &rows, &count);
    *v = (struct value){.type = TYPE_VECTOR};
    struct bucket *b = err ? NULL : arena_array(e->a, count + 1, sizeof(*b));
    if (err || !b) {
        return err ? err : eval_no_memory(e);
    }
    for (size_t from = 0, to; from < count; from = to) {
        struct series *s = NULL;
        struct labels ls;
        for (to = from + 1; to < count && rows[to].hash == rows[from].hash; to++) {
        }
        err = drop_name(e, rows[from].key, &ls);
        err = err ? err : value_add(e, v, ls, &s);
        for (size_t i = 0; i < e->steps && !err; i++) {
            size_t k = 0;
            bool forced = false;
            for (size_t r = from; r < to; r++) {
                if (rows[r].s->has[i]) {
                    b[k++] = (struct bucket){rows[r].upper, rows[r].s->v[i]};
                }
            }
            if (k == 0) {
                continue;
            }
            s->has[i] = 1;
            s->v[i] =
                upper ? bucket_fraction(lower[i], upper[i], b, k) : bucket_quantile(lower[i], b, k, &forced);
            if (forced) {
                err = note(e, false, n->args[n->arg_count - 1],
                           "input to histogram_quantile needed to be fixed for monotonicity (see "
                           "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                           "#histogram_quantile) for "
                           "metric name \"%.*s\"",
                           STR_FMT(labels_get(rows[from].key, LABEL_METRIC_NAME)));
            }
            if (!err && !upper && (isnan(lower[i]) || lower[i] < 0 || lower[i] > 1)) {
                err = note(e, true, n->args[0], "quantile value should be between 0 and 1, got %g", lower[i]);
            }
        }
        if (err) {
            return err;
        }
    }
    return value_merge(e, v);
}

enum err call_histogram_quantile(struct eval *e, const struct node *n, struct value *v)
{
    struct value q, in;
    enum err err = eval_node(e, n->args[0], &q);
    err = err ? err : eval_node(e, n->args[1], &in);
    return err ? err : of_buckets(e, n, &in, q.scalar, NULL, v);
}

enum err call_histogram_fraction(struct eval *e, const struct node *n, struct value *v)
{
    struct value lower, upper, in;
    enum err err = eval_node(e, n->args[0], &lower);
    err = err ? err : eval_node(e, n->args[1], &upper);
    err = err ? err : eval_node(e, n->args[2], &in);
    return err ? err : of_buckets(e, n, &in, lower.scalar, upper.scalar, v);
}
