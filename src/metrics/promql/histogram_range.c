/* Rates, differences, resets and changes of native histograms. */
#include <math.h>

#include "metrics/promql/go_math.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/range_fns.h"

/* -- annotations ----------------------------------------------------------------------------------------- */

static size_t place(const struct window *w)
{
    return argument_pos(w->call);
}

static void note_named(struct eval *e, bool warning, size_t pos, const char *text, struct str name)
{
    struct buf shown AUTO_BUF = {0};
    note(e, warning, pos, "%s %.*s", text, STR_FMT(note_quoted(e, &shown, name)));
}

static void note_window(const struct window *w, const char *text)
{
    note_named(w->e, true, place(w), text, metric_name(w->labels));
}

static void note_not_counter(const struct window *w)
{
    note_window(w, "this native histogram metric is not a counter:");
}

static void note_not_gauge(const struct window *w)
{
    note_window(w, "this native histogram metric is not a gauge:");
}

static const char mixed_schemas[] =
    "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";

void note_mixed(struct eval *e, size_t pos, struct str name)
{
    note_named(e, true, pos, "encountered a mix of histograms and floats for metric name", name);
}

static void note_reconciled(struct eval *e, size_t pos, const char *what)
{
    note(e, false, pos, "mismatched custom buckets were reconciled during %s", what);
}

bool histogram_window_mixed(const struct window *w)
{
    if (w->n && w->histogram_count) {
        note_mixed(w->e, place(w), metric_name(w->labels));
        return true;
    }
    return false;
}

/* -- helpers --------------------------------------------------------------------------------------------- */

static bool is_gauge(const struct histogram *h)
{
    return h->reset_hint == HRESET_GAUGE;
}

/* A start time in (from, to] of the window's sample i says that the counter began anew after sample i - 1. */
static bool started_between(const struct window *w, size_t i)
{
    const ts_ms *st = w->histogram_start_ts;
    return st && start_time_reset(st[i - 1], w->histogram_ts[i - 1], st[i], w->histogram_ts[i]);
}

/* NOT_FOUND (noted) when the schemas do not go together. */
static enum err combine(const struct window *w, struct histogram_acc *acc, const struct histogram *h,
                        bool subtract)
{
    struct histogram_meeting m;
    enum err err = subtract ? histogram_acc_sub(acc, h, &m) : histogram_acc_add(acc, h, &m);
    if (err == ERR_OK && m.incompatible) {
        note_window(w, mixed_schemas);
        return ERR_NOT_FOUND;
    }
    if (err == ERR_OK && m.reconciled) {
        note_reconciled(w->e, place(w), subtract ? "subtraction" : "addition");
    }
    return err;
}

/* The accumulator's value in the query's arena. */
static bool give(const struct window *w, struct histogram_acc *acc, struct point *ret_p)
{
    const struct histogram *h = NULL;
    enum err err = histogram_acc_value(acc, &h);
    ret_p->h = err == ERR_OK ? eval_keep_histogram(w->e, h) : NULL;
    if (!ret_p->h) {
        w->e->notes->failed = ERR_OOM;
    }
    return ret_p->h != NULL;
}

/* False: no result. */
static bool settled(const struct window *w, enum err err)
{
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        w->e->notes->failed = err;
    }
    return err == ERR_OK;
}

/* -- rate, increase, delta ------------------------------------------------------------------------------- */

/* What the samples between the ends tell: the coarsest schema; NOT_FOUND when they do not go together. */
static enum err scan_middle(const struct window *w, bool custom, int *schema, bool *not_counter)
{
    for (size_t i = 1; i + 1 < w->histogram_count; i++) {
        const struct histogram *h = w->histograms[i];
        *not_counter |= is_gauge(h);
        *schema = h->schema < *schema ? h->schema : *schema;
        if (histogram_custom(h) != custom) {
            *not_counter = false; /* this alone is said then */
            return ERR_NOT_FOUND;
        }
    }
    return ERR_OK;
}

/* Adds what counter resets took away. `first` stands for the first sample. */
static enum err add_resets(const struct window *w, struct histogram_acc *acc, const struct histogram *first)
{
    const struct histogram *before = first;
    const ts_ms *st = w->histogram_start_ts;
    bool overlap = false;
    enum err err = ERR_OK;
    for (size_t i = 1; i < w->histogram_count && err == ERR_OK; i++) {
        if (st && !overlap && start_time_overlaps(st[i - 1], w->histogram_ts[i - 1], st[i])) {
            note_start_overlap(w);
            overlap = true;
        }
        if (started_between(w, i) || histogram_reset_since(w->histograms[i], before)) {
            err = combine(w, acc, before, false);
        }
        before = w->histograms[i];
    }
    return err;
}

/* Last minus first plus resets, of two samples or more. NOT_FOUND: no result. */
static enum err raw_change(const struct window *w, bool counter, struct histogram_acc *acc)
{
    const struct histogram *first = w->histograms[0], *second = w->histograms[1];
    const struct histogram *last = w->histograms[w->histogram_count - 1];
    struct histogram zero = {.schema = second->schema,
                             .custom_values = second->custom_values,
                             .custom_value_count = second->custom_value_count};
    bool not_counter = counter && (is_gauge(first) || is_gauge(last));
    bool gauges = is_gauge(first) && is_gauge(last);
    if (counter && (started_between(w, 1) || histogram_reset_since(second, first))) {
        first = &zero; /* the first sample does not matter, whatever its layout */
    }
    int schema = last->schema < first->schema ? last->schema : first->schema;
    bool custom = histogram_custom(first);
    enum err err = histogram_custom(last) == custom ? ERR_OK : ERR_NOT_FOUND;
    if (err == ERR_OK && counter) {
        err = scan_middle(w, custom, &schema, &not_counter);
    }
    if (not_counter) {
        note_not_counter(w);
    }
    if (err != ERR_OK) {
        note_window(w, mixed_schemas);
        return err;
    }
    err = histogram_acc_init(acc, acc->a, last);
    if (err == ERR_OK && schema < acc->schema) {
        histogram_acc_reduce(acc, schema);
    }
    err = err == ERR_OK ? combine(w, acc, first, true) : err;
    err = err == ERR_OK && counter ? add_resets(w, acc, first) : err;
    if (err == ERR_OK && !counter && !gauges) {
        note_not_gauge(w);
    }
    acc->reset_hint = HRESET_GAUGE;
    histogram_acc_compact(acc);
    return err;
}

/* By how much the change grows when it is extrapolated to the window. NOT_FOUND: no result. */
static enum err extrapolate(const struct window *w, bool counter, struct histogram_acc *acc,
                            double *ret_factor)
{
    size_t gaps = w->histogram_count - 1;
    const ts_ms *ts = w->histogram_ts;
    double to_start = (double)(ts[0] - w->from) / 1000, to_end = (double)(w->to - ts[gaps]) / 1000;
    double sampled = (double)(ts[gaps] - ts[0]) / 1000, average = gaps ? sampled / (double)gaps : 0;
    double threshold = average * 1.1;
    ts_ms started = counter && w->histogram_start_ts ? w->histogram_start_ts[0] : 0;
    enum err err = ERR_OK;
    if (started != 0 && started > w->from && started < ts[0]) { /* all was zero then */
        to_start = 0;
        sampled = (double)(ts[gaps] - started) / 1000;
        err = gaps ? combine(w, acc, w->histograms[0], false)
                   : histogram_acc_init(acc, acc->a, w->histograms[0]);
    } else if (gaps == 0) {
        return ERR_NOT_FOUND;
    } else {
        to_start = to_start >= threshold ? average / 2 : to_start;
        if (counter && acc->count > 0 && w->histograms[0]->count >= 0) { /* counters do not go below zero */
            double to_zero = sampled * (w->histograms[0]->count / acc->count);
            to_start = to_zero < to_start ? to_zero : to_start;
        }
    }
    to_end = to_end >= threshold ? average / 2 : to_end;
    *ret_factor = sampled == 0 ? 1 : (sampled + to_start + to_end) / sampled;
    return err;
}

/* -- anchored and smoothed ------------------------------------------------------------------------------- */

enum err histogram_interpolate(struct eval *e, struct arena *a, const struct sample_pair *pair, ts_ms t,
                               bool counter, size_t pos, struct str name, const struct histogram **ret_h)
{
    if (t == pair->t1 || t == pair->t2) {
        *ret_h = t == pair->t1 ? pair->h1 : pair->h2;
        return ERR_OK;
    }
    double share = (double)(t - pair->t1) / (double)(pair->t2 - pair->t1);
    if (histogram_custom(pair->h1) != histogram_custom(pair->h2)) {
        note_named(e, true, pos, mixed_schemas, name);
        return ERR_NOT_FOUND;
    }
    if (counter && histogram_reset_since(pair->h2, pair->h1)) {
        return histogram_scaled(a, pair->h2, share, ret_h);
    }
    struct histogram_acc acc;
    struct histogram_meeting less = {0}, more = {0};
    enum err err = histogram_acc_init(&acc, a, pair->h2);
    err = err == ERR_OK ? histogram_acc_sub(&acc, pair->h1, &less) : err;
    histogram_acc_scale(&acc, share);
    err = err == ERR_OK ? histogram_acc_add(&acc, pair->h1, &more) : err;
    if (less.reconciled) {
        note_reconciled(e, pos, "subtraction");
    }
    if (more.reconciled) {
        note_reconciled(e, pos, "addition");
    }
    return err == ERR_OK ? histogram_acc_value(&acc, ret_h) : err;
}

enum err histogram_smoothed(struct eval *e, const ts_ms *ts, const struct histogram *const *h, size_t n,
                            ts_ms t, size_t pos, struct str name, const struct histogram **ret_h)
{
    size_t i = 0;
    while (i < n && ts[i] < t) {
        i++;
    }
    if (i < n && ts[i] == t) {
        *ret_h = h[i];
        return ERR_OK;
    }
    if (i == 0) {
        return ERR_NOT_FOUND;
    }
    if (i < n) {
        struct sample_pair pair = {h[i - 1], h[i], ts[i - 1], ts[i]};
        return histogram_interpolate(e, e->a, &pair, t, !(is_gauge(h[i - 1]) && is_gauge(h[i])), pos, name,
                                     ret_h);
    }
    struct histogram *last = arena_alloc(e->a, sizeof(*last));
    if (!last) {
        return arena_err(e->a);
    }
    *last = *h[i - 1];
    last->reset_hint = HRESET_UNKNOWN;
    *ret_h = last;
    return ERR_OK;
}

/* The window's samples that count, and the histograms at its edges. */
struct edges {
    size_t first, last;
    bool smoothed;
    const struct histogram *left, *right;
};

/* False: nothing in the window. */
static bool edges_find(const struct window *w, struct edges *x)
{
    const ts_ms *ts = w->histogram_ts;
    size_t n = w->histogram_count, after = 0;
    while (after + 1 < n && ts[after] <= w->from) {
        after++;
    }
    x->smoothed = w->selector->smoothed;
    x->first = after ? after - 1 : 0;
    x->last = n - 1;
    if (x->smoothed) {
        size_t end = 0;
        while (end + 1 < n && ts[end] < w->to) {
            end++;
        }
        x->last = end;
    }
    return ts[x->last] > w->from && !(x->smoothed && ts[x->first] > w->to);
}

static bool edges_fit(const struct window *w, const struct edges *x, bool counter)
{
    bool custom = histogram_custom(w->histograms[x->first]);
    for (size_t i = x->first; i <= x->last; i++) {
        if (histogram_custom(w->histograms[i]) != custom) {
            note_window(w, mixed_schemas);
            return false;
        }
        if (counter && is_gauge(w->histograms[i])) {
            note_not_counter(w);
        }
    }
    return true;
}

static enum err edge_between(const struct window *w, struct arena *a, size_t i, ts_ms t, bool counter,
                             const struct histogram **ret_h)
{
    struct sample_pair pair = {w->histograms[i], w->histograms[i + 1], w->histogram_ts[i],
                               w->histogram_ts[i + 1]};
    return histogram_interpolate(w->e, a, &pair, t, counter, place(w), metric_name(w->labels), ret_h);
}

static enum err edges_values(const struct window *w, struct arena *a, struct edges *x, bool counter)
{
    enum err err = ERR_OK;
    x->left = w->histograms[x->first];
    x->right = w->histograms[x->last];
    if (x->smoothed && w->histogram_ts[x->first] < w->from) {
        err = edge_between(w, a, x->first, w->from, counter, &x->left);
    }
    if (err == ERR_OK && x->smoothed && x->last > 0 && w->histogram_ts[x->last] > w->to) {
        err = edge_between(w, a, x->last - 1, w->to, counter, &x->right);
    }
    return err;
}

/* Resets between the edges, in an accumulator of their own that is added at the end. */
static enum err edges_resets(const struct window *w, const struct edges *x, struct histogram_acc *acc)
{
    const struct histogram *before = x->left;
    struct histogram_acc correction;
    size_t i = x->first + 1;
    bool any = false;
    enum err err = ERR_OK;
    if (x->smoothed && w->histogram_ts[x->first] < w->from &&
        histogram_reset_since(w->histograms[x->first + 1], w->histograms[x->first])) {
        before = w->histograms[i++]; /* the interpolation on the left has this reset already */
    }
    if (i > x->last) {
        return ERR_OK;
    }
    for (; i <= x->last && err == ERR_OK; i++) {
        const struct histogram *h = i == x->last ? x->right : w->histograms[i];
        if (histogram_reset_since(h, before)) {
            err = any ? combine(w, &correction, before, false)
                      : histogram_acc_init(&correction, acc->a, before);
            any = true;
        }
        before = h;
    }
    const struct histogram *sum = NULL;
    if (err == ERR_OK && any) {
        err = histogram_acc_value(&correction, &sum);
        err = err == ERR_OK ? combine(w, acc, sum, false) : err;
    }
    return err;
}

static enum err extended_change(const struct window *w, bool counter, bool per_second,
                                struct histogram_acc *acc)
{
    struct edges x;
    if (!edges_find(w, &x) || !edges_fit(w, &x, counter)) {
        return ERR_NOT_FOUND;
    }
    enum err err = edges_values(w, acc->a, &x, counter);
    if (err != ERR_OK) {
        return err;
    }
    if (!counter && !(is_gauge(x.left) && is_gauge(x.right))) {
        note_not_gauge(w);
    }
    err = histogram_acc_init(acc, acc->a, x.right);
    err = err == ERR_OK ? combine(w, acc, x.left, true) : err;
    err = err == ERR_OK && counter ? edges_resets(w, &x, acc) : err;
    if (err == ERR_OK && per_second) {
        histogram_acc_divide(acc, go_seconds(w->to - w->from));
    }
    acc->reset_hint = HRESET_GAUGE;
    histogram_acc_compact(acc);
    return err;
}

bool histogram_change(const struct window *w, bool counter, bool per_second, struct point *ret_p)
{
    struct arena scratch AUTO_ARENA;
    struct histogram_acc acc = {.a = &scratch};
    double factor = 1;
    arena_init(&scratch, 0, w->e->q->budget);
    if (histogram_window_mixed(w)) {
        return false;
    }
    if (w->selector && (w->selector->anchored || w->selector->smoothed)) {
        return settled(w, extended_change(w, counter, per_second, &acc)) && give(w, &acc, ret_p);
    }
    enum err err = w->histogram_count > 1 ? raw_change(w, counter, &acc) : ERR_OK;
    err = err == ERR_OK ? extrapolate(w, counter, &acc, &factor) : err;
    if (!settled(w, err)) {
        return false;
    }
    histogram_acc_scale(&acc, per_second ? factor / go_seconds(w->to - w->from) : factor);
    return give(w, &acc, ret_p);
}

/* -- irate, idelta --------------------------------------------------------------------------------------- */

/* A sample of either kind. */
struct sample {
    ts_ms ts, start;
    double v;
    const struct histogram *h;
};

/* Walks floats and histograms of a window together, in time order. */
struct merged {
    const struct window *w;
    size_t f, h; /* next of each */
};

static bool merged_next(struct merged *m, struct sample *ret_s)
{
    const struct window *w = m->w;
    bool have_f = m->f < w->n, have_h = m->h < w->histogram_count;
    if (!have_f && !have_h) {
        return false;
    }
    if (have_f && (!have_h || w->ts[m->f] < w->histogram_ts[m->h])) {
        *ret_s = (struct sample){w->ts[m->f], w->start_ts ? w->start_ts[m->f] : 0, w->v[m->f], NULL};
        m->f++;
    } else {
        *ret_s =
            (struct sample){w->histogram_ts[m->h], w->histogram_start_ts ? w->histogram_start_ts[m->h] : 0, 0,
                            w->histograms[m->h]};
        m->h++;
    }
    return true;
}

static void instant_notes(const struct window *w, bool rate, const struct sample *a, const struct sample *b)
{
    if (rate && (is_gauge(a->h) || is_gauge(b->h))) {
        note_not_counter(w);
    }
    if (!rate && !(is_gauge(a->h) && is_gauge(b->h))) {
        note_not_gauge(w);
    }
}

static bool instant_histograms(const struct window *w, bool rate, const struct sample *a,
                               const struct sample *b, struct point *ret_p)
{
    struct arena scratch AUTO_ARENA;
    struct histogram_acc acc;
    arena_init(&scratch, 0, w->e->q->budget);
    instant_notes(w, rate, a, b);
    enum err err = histogram_acc_init(&acc, &scratch, b->h);
    bool reset =
        rate && (start_time_reset(a->start, a->ts, b->start, b->ts) || histogram_reset_since(b->h, a->h));
    if (err == ERR_OK && !reset) {
        err = combine(w, &acc, a->h, true);
    }
    if (!settled(w, err)) {
        return false;
    }
    acc.reset_hint = HRESET_GAUGE;
    histogram_acc_compact(&acc);
    if (rate) {
        histogram_acc_divide(&acc, (double)(b->ts - a->ts) / 1000);
    }
    return give(w, &acc, ret_p);
}

bool histogram_instant_change(const struct window *w, bool rate, struct point *ret_p)
{
    struct merged m = {w, w->n > 2 ? w->n - 2 : 0, w->histogram_count > 2 ? w->histogram_count - 2 : 0};
    struct sample a = {0}, b = {0}, next;
    size_t n = 0;
    for (; merged_next(&m, &next); n++) {
        a = b;
        b = next;
    }
    if (n < 2 || a.ts == b.ts) {
        return false;
    }
    if (!a.h != !b.h) {
        note_mixed(w->e, place(w), metric_name(w->labels));
        return false;
    }
    if (a.h) {
        return instant_histograms(w, rate, &a, &b, ret_p);
    }
    bool reset = rate && (b.v < a.v || start_time_reset(a.start, a.ts, b.start, b.ts));
    ret_p->v = reset ? b.v : b.v - a.v;
    ret_p->v = rate ? ret_p->v / ((double)(b.ts - a.ts) / 1000) : ret_p->v;
    return true;
}

/* -- resets, changes ------------------------------------------------------------------------------------- */

/* Where counting begins: in an anchored range at the newest sample at or before its start. */
static bool counted_from(const struct window *w, struct merged *ret_m)
{
    size_t f = 0, h = 0;
    *ret_m = (struct merged){.w = w};
    if (!w->selector || !w->selector->anchored) {
        return true;
    }
    while (f < w->n && w->ts[f] <= w->from) {
        f++;
    }
    while (h < w->histogram_count && w->histogram_ts[h] <= w->from) {
        h++;
    }
    if (f == w->n && h == w->histogram_count) {
        return false;
    }
    bool from_float = f > 0 && (h == 0 || w->ts[f - 1] >= w->histogram_ts[h - 1]);
    ret_m->f = from_float ? f - 1 : f;
    ret_m->h = !from_float && h > 0 ? h - 1 : h;
    return true;
}

static bool sample_reset(const struct sample *a, const struct sample *b)
{
    if (!a->h != !b->h) {
        return true;
    }
    return start_time_reset(a->start, a->ts, b->start, b->ts) ||
           (b->h ? histogram_reset_since(b->h, a->h) : b->v < a->v);
}

static bool sample_changed(const struct sample *a, const struct sample *b)
{
    if (!a->h != !b->h) {
        return true;
    }
    return b->h ? !histogram_equal(b->h, a->h) : b->v != a->v && !(isnan(b->v) && isnan(a->v));
}

static bool count_steps(const struct window *w, bool (*counts)(const struct sample *, const struct sample *),
                        struct point *ret_p)
{
    struct merged m;
    struct sample before, s;
    double n = 0;
    if (!counted_from(w, &m) || !merged_next(&m, &before)) {
        return false;
    }
    while (merged_next(&m, &s)) {
        n += counts(&before, &s);
        before = s;
    }
    ret_p->v = n;
    return true;
}

bool histogram_range_resets(const struct window *w, struct point *ret_p)
{
    return count_steps(w, sample_reset, ret_p);
}

bool histogram_range_changes(const struct window *w, struct point *ret_p)
{
    return count_steps(w, sample_changed, ret_p);
}
