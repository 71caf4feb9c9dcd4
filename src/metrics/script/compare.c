/* Results against what a script wants. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "labels/regex.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/script/script_int.h"

static const double EPSILON = 1e-6; /* promqltest's */

static bool close_to(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return isnan(a) && isnan(b);
    }
    if (a == b || isinf(a) || isinf(b)) {
        return a == b;
    }
    double diff = fabs(a - b), total = fabs(a) + fabs(b);
    if (a == 0 || b == 0 || total < DBL_MIN) {
        return diff < EPSILON * DBL_MIN;
    }
    return diff / fmin(total, DBL_MAX) < EPSILON;
}

/* The next bucket that is not empty. */
static bool bucket_next(struct histogram_iter *it, struct histogram_bucket *b)
{
    while (histogram_iter_next(it, b)) {
        if (b->count != 0) {
            return true;
        }
    }
    return false;
}

static bool histograms_close(const struct histogram *a, const struct histogram *b)
{
    struct histogram_iter x = histogram_iter_all(a, false), y = histogram_iter_all(b, false);
    struct histogram_bucket p, q;
    bool same =
        close_to(a->count, b->count) && close_to(a->sum, b->sum) && close_to(a->zero_count, b->zero_count);
    while (same) {
        bool more = bucket_next(&x, &p), other = bucket_next(&y, &q);
        if (!more || !other) {
            return more == other;
        }
        same = close_to(p.lower, q.lower) && close_to(p.upper, q.upper) && close_to(p.count, q.count);
    }
    return same;
}

static bool value_is(const struct script_value *want, double v, const struct histogram *h)
{
    return want->h ? h && histograms_close(want->h, h) : !h && close_to(want->v, v);
}

static const struct histogram *histogram_of(const struct promql_series *s, size_t i)
{
    return s->histograms ? s->histograms[i] : NULL;
}

static const struct promql_series *find(const struct promql_result *r, struct labels ls)
{
    for (size_t i = 0; i < r->series_count; i++) {
        if (labels_eq(r->series[i].labels, ls)) {
            return &r->series[i];
        }
    }
    return NULL;
}

static void name_series(struct buf *b, const char *what, struct labels ls)
{
    buf_c(b, what);
    labels_format(b, ls);
}

static bool wanted(const struct script_eval *e, struct labels ls)
{
    for (size_t i = 0; i < e->want.n; i++) {
        if (labels_eq(e->want.series[i].labels, ls)) {
            return true;
        }
    }
    return false;
}

static bool nothing_more(const struct script_eval *e, const struct promql_result *r, struct buf *why)
{
    for (size_t i = 0; i < r->series_count; i++) {
        if (!wanted(e, r->series[i].labels)) {
            name_series(why, "not wanted: ", r->series[i].labels);
            return false;
        }
    }
    return true;
}

static bool compare_vector(const struct script_eval *e, const struct promql_result *r, struct buf *why)
{
    for (size_t i = 0; i < e->want.n; i++) {
        const struct script_series *w = &e->want.series[i];
        const struct promql_series *s = find(r, w->labels);
        if (!s) {
            name_series(why, "missing: ", w->labels);
            return false;
        }
        if (w->n == 0 || !value_is(&w->values[0], s->values[0], histogram_of(s, 0))) {
            name_series(why, "", w->labels);
            buf_printf(why, ": got %.17g%s", s->values[0], histogram_of(s, 0) ? " (a histogram)" : "");
            return false;
        }
        if (e->ordered && !labels_eq(r->series[i].labels, w->labels)) {
            buf_c(why, "the order is another");
            return false;
        }
    }
    return nothing_more(e, r, why);
}

static bool compare_row(const struct script_series *w, const struct promql_series *s, ts_ms start,
                        int64_t step, struct buf *why)
{
    size_t at = 0;
    for (size_t i = 0; i < w->n; i++) {
        ts_ms t = start + (ts_ms)i * step;
        if (w->values[i].absent) {
            continue;
        }
        if (!s || at == s->n || s->ts[at] != t ||
            !value_is(&w->values[i], s->values[at], histogram_of(s, at))) {
            name_series(why, "", w->labels);
            buf_printf(why, " at %lld ms: another value, or none", (long long)t);
            return false;
        }
        at++;
    }
    if (s && at != s->n) {
        name_series(why, "more points than wanted: ", w->labels);
        return false;
    }
    return true;
}

static bool compare_matrix(const struct script_eval *e, const struct promql_result *r, struct buf *why)
{
    ts_ms start = e->range ? e->start : e->vector_start;
    int64_t step = e->range ? e->step : e->vector_step;
    for (size_t i = 0; i < e->want.n; i++) {
        if (!compare_row(&e->want.series[i], find(r, e->want.series[i].labels), start, step, why)) {
            return false;
        }
    }
    return nothing_more(e, r, why);
}

static bool compare_scalar(const struct script_eval *e, const struct promql_result *r, struct buf *why)
{
    bool ok = r->kind == PROMQL_SCALAR && close_to(e->scalar, r->scalar);
    if (r->kind == PROMQL_MATRIX && r->series_count == 1) { /* a scalar over a range */
        ok = true;
        for (size_t i = 0; i < r->series[0].n; i++) {
            ok = ok && close_to(e->scalar, r->series[0].values[i]);
        }
    }
    if (!ok) {
        buf_printf(why, "want the scalar %.17g, got %.17g", e->scalar, r->scalar);
    }
    return ok;
}

bool script_compare(const struct script_eval *e, const struct promql_result *r, struct arena *a,
                    struct buf *why)
{
    (void)a;
    if (e->has_string) {
        bool ok = r->kind == PROMQL_STRING && str_eq(r->string, e->string);
        buf_c(why, ok ? "" : "another string");
        return ok;
    }
    if (e->has_scalar) {
        return compare_scalar(e, r, why);
    }
    if (r->kind == PROMQL_SCALAR || r->kind == PROMQL_STRING) {
        buf_c(why, "a scalar or string, where series are wanted");
        return false;
    }
    return r->kind == PROMQL_VECTOR ? compare_vector(e, r, why) : compare_matrix(e, r, why);
}

/* -- messages -------------------------------------------------------------------------------------------- */

bool script_text_is(const struct script_text *want, struct str got)
{
    struct regex *re = NULL;
    struct str whole;
    if (!want->given) {
        return true;
    }
    if (!want->is_regex) {
        return str_eq(want->text, got);
    }
    if (regex_new(want->text, 0, &re, NULL)) {
        return false;
    }
    bool ok = regex_find(re, got, 0, &whole, 1);
    regex_free(re);
    return ok;
}

static bool any_is(const struct script_text *want, const struct str *notes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (script_text_is(want, notes[i])) {
            return true;
        }
    }
    return false;
}

bool script_notes(const struct script_eval *e, const struct promql_result *r, struct buf *why)
{
    for (size_t i = 0; i < e->expect_count; i++) {
        enum expect_kind kind = e->expects[i].kind;
        bool warn = kind == EXPECT_WARN || kind == EXPECT_NO_WARN,
             none = kind == EXPECT_NO_WARN || kind == EXPECT_NO_INFO;
        const struct str *notes = warn ? r->warnings : r->infos;
        size_t n = warn ? r->warning_count : r->info_count;
        if (none ? n > 0 : !any_is(&e->expects[i].text, notes, n)) {
            buf_printf(why, "%s %s%.*s", none ? "not wanted:" : "missing:", warn ? "a warning " : "an info ",
                       STR_FMT(none && n ? notes[0] : e->expects[i].text.text));
            return false;
        }
    }
    return true;
}
