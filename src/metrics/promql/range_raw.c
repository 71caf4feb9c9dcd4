/* Range vectors as they are, without a function over their windows: the answer of an instant query for one,
 * and what anchored and smoothed ranges put at a window's edges. */
#include "metrics/promql/functions.h"
#include "metrics/promql/histogram_fns.h"

/* -- subqueries ------------------------------------------------------------------------------------------ */

enum {
    SUBQUERY_STEP_DEFAULT_MS = 60000,
    SUBQUERY_STEPS_MAX = 50000000
};

enum err range_subquery_grid(struct eval *e, const struct node *n, ts_ms low, ts_ms high, struct eval *inner)
{
    int64_t step = n->step_ms ? n->step_ms : e->options->subquery_step_ms;
    step = step > 0 ? step : SUBQUERY_STEP_DEFAULT_MS;
    ts_ms first = low / step * step;
    first += first <= low ? step : 0;
    *inner = *e;
    inner->start = first;
    inner->step = step;
    inner->single = high == first;
    inner->steps = high < first ? 0 : (size_t)((high - first) / step) + 1;
    return inner->steps <= SUBQUERY_STEPS_MAX
               ? ERR_OK
               : err_set(e->info, ERR_LIMIT, "the subquery has more than %d steps: choose a larger step",
                         SUBQUERY_STEPS_MAX);
}

/* -- anchored and smoothed ------------------------------------------------------------------------------- */

double interpolate(ts_ms t1, double v1, ts_ms t2, double v2, ts_ms t, bool counter)
{
    double from = counter && v2 < v1 ? 0 : v1;
    return from + (v2 - from) * (double)(t - t1) / (double)(t2 - t1);
}

/* The first index below n whose time is greater than (or, `or_equal`, not less than) t; n when none. */
static size_t first_after(const ts_ms *ts, size_t n, ts_ms t, bool or_equal)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ts[mid] > t || (or_equal && ts[mid] == t)) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

bool extended_edges(const ts_ms *ts, const double *v, size_t n, ts_ms from, ts_ms to, bool smoothed,
                    bool counter, size_t *ret_first, size_t *ret_last, double *ret_left, double *ret_right)
{
    if (n == 0) {
        return false;
    }
    size_t last = n - 1, first = first_after(ts, last, from, false);
    first -= first > 0;
    last = smoothed ? first_after(ts, last, to, true) : last;
    if (ts[last] <= from) {
        return false;
    }
    *ret_left = smoothed && ts[first] < from
                    ? interpolate(ts[first], v[first], ts[first + 1], v[first + 1], from, counter)
                    : v[first];
    *ret_right = smoothed && last > 0 && ts[last] > to
                     ? interpolate(ts[last - 1], v[last - 1], ts[last], v[last], to, counter)
                     : v[last];
    *ret_first = first;
    *ret_last = last;
    return true;
}

/* -- the window itself ----------------------------------------------------------------------------------- */

struct raw_job {
    struct eval *e;
    const struct node *selector;
    ts_ms from, to, low, high;
    struct raw_rows *out;
};

static enum err add_raw(struct eval *e, struct raw_rows *out, struct labels labels, struct promql_series row)
{
    if (labels_dup(e->a, labels, &row.labels) ||
        arena_reserve(e->a, (void **)&out->rows, &out->cap, out->n + 1, sizeof(*out->rows))) {
        return eval_no_memory(e);
    }
    out->rows[out->n++] = row;
    return ERR_OK;
}

/* The window's samples with values at its edges in place of those outside. */
static size_t extend_raw(const struct raw_job *j, ts_ms *ts, double *v, size_t n)
{
    size_t first, last, count = 0;
    double left, right;
    if (!extended_edges(ts, v, n, j->from, j->to, j->selector->smoothed, false, &first, &last, &left,
                        &right)) {
        return 0;
    }
    first += ts[first] <= j->from;
    size_t end = ts[last] >= j->to ? last : last + 1;
    size_t inside = end > first ? end - first : 0;
    memmove(ts + 1, ts + first, inside * sizeof(*ts));
    memmove(v + 1, v + first, inside * sizeof(*v));
    ts[0] = j->from;
    v[0] = left;
    count = inside + 1;
    ts[count] = j->to;
    v[count] = right;
    return count + 1;
}

static enum err raw_series(struct raw_job *j, const struct metric_batch *b, const struct metric_series *s)
{
    struct eval *e = j->e;
    size_t room = s->count + (size_t)2, n = 0, more = 0; /* a histogram weighs more than a float */
    bool extended = j->selector->anchored || j->selector->smoothed;
    ts_ms *ts = arena_array(e->a, room, sizeof(*ts));
    double *v = arena_array(e->a, room, sizeof(*v));
    const struct histogram **h = s->histograms ? arena_array(e->a, room, sizeof(*h)) : NULL;
    if (!ts || !v || (s->histograms && !h)) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < s->count; i++) {
        ts_ms t = b->ts[s->clock_first + i];
        const struct histogram *stored = s->histograms ? s->histograms[i] : NULL;
        if (t <= j->low || t > j->high || stored_stale(s, i)) {
            continue;
        }
        if (stored && extended) {
            return err_set(e->info, ERR_EXECUTION, "%s modifier is not supported with histograms",
                           j->selector->anchored ? "anchored" : "smoothed");
        }
        ts[n] = t;
        v[n] = stored ? 0 : s->values[i];
        if (h) {
            h[n] = stored ? eval_keep_histogram(e, stored) : NULL;
        }
        if (stored && !h[n]) {
            return eval_no_memory(e);
        }
        more += stored ? histogram_point_cost(stored) - 1 : 0;
        n++;
    }
    uint64_t inside = n;
    n = extended ? extend_raw(j, ts, v, n) : n;
    enum err err = eval_charge(e, inside + more);
    usage_at(e, 0, n + more, n + more);
    e->usage->total += n; /* the edges are looked at, but not held */
    e->usage->total -= inside;
    e->usage->read += n;
    e->usage->read -= inside;
    return err || n == 0 ? err
                         : add_raw(e, j->out, s->labels,
                                   (struct promql_series){.n = n, .ts = ts, .values = v, .histograms = h});
}

static enum err raw_subquery(struct eval *e, const struct node *n, struct raw_rows *out)
{
    struct eval inner;
    struct value v = {0};
    ts_ms to = selector_time(e, n, 0);
    enum err err = range_subquery_grid(e, n, to - n->range_ms, to, &inner);
    if (err || inner.steps == 0) {
        return err;
    }
    struct usage_scope scope;
    err = usage_enter_grid(&inner, &scope);
    err = err ? err : eval_node(&inner, n->args[0], &v);
    struct usage counted = usage_leave(&inner, &scope);
    usage_at(e, 0, counted.total, 0);
    usage_subquery(e, &inner, &counted, 0, 0);
    for (size_t k = 0; !err && k < v.n; k++) {
        struct series *s = &v.s[k];
        ts_ms *ts = arena_array(e->a, inner.steps, sizeof(*ts));
        size_t count = 0;
        for (size_t i = 0; ts && i < inner.steps; i++) {
            if (!s->has[i]) {
                continue;
            }
            ts[count] = step_time(&inner, i);
            if (s->h) {
                s->h[count] = s->h[i];
            }
            s->v[count++] = s->v[i];
        }
        if (s->drops_name && !err) {
            err = drop_name(e, s->labels, &s->labels);
        }
        struct promql_series row = {.n = count, .ts = ts, .values = s->v, .histograms = s->h};
        err = err ? err : !ts ? eval_no_memory(e) : count ? add_raw(e, out, s->labels, row) : ERR_OK;
    }
    return err;
}

enum err eval_raw_range(struct eval *e, const struct node *range, struct raw_rows *ret_rows)
{
    const struct node *n = unparen(range);
    if (n->kind == N_SUBQUERY) {
        return raw_subquery(e, n, ret_rows);
    }
    const struct node *s = n->args[0];
    int64_t lookback = e->options->lookback_ms, before = s->anchored || s->smoothed ? lookback : 0;
    int64_t after = s->smoothed ? lookback : 0;
    struct raw_job j = {.e = e, .selector = s, .to = selector_time(e, s, 0), .out = ret_rows};
    j.from = j.to - n->range_ms;
    j.low = j.from - before;
    j.high = j.to + after;
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    enum err err = select_open(e, s, n->range_ms + before, after, &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        for (uint32_t k = 0; k < b.series_count && !err; k++) {
            err = raw_series(&j, &b, &b.series[k]);
        }
    }
    if (cursor) {
        notes_of_cursor(e, cursor);
        e->source->ops->close(cursor);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
