/* Functions of counters over a range: rate and its kin, resets, changes. Histogram windows are dropped here
 * when they mix with floats. */
#include <math.h>

#include "metrics/promql/go_math.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/range_fns.h"

/* -- start times ----------------------------------------------------------------------------------------- */

bool start_time_reset(ts_ms previous_start, ts_ms previous, ts_ms start, ts_ms t)
{
    if (start == 0 || start >= t || start < previous) {
        return false;
    }
    if (start > previous) {
        return true;
    }
    /* it points at the previous sample: a delta, or a counter whose start is unknown */
    return previous_start <= previous && previous_start != 0 && previous_start != previous;
}

bool start_time_overlaps(ts_ms previous_start, ts_ms previous, ts_ms start)
{
    return start != 0 && start < previous && start != previous_start;
}

void note_start_overlap(const struct window *w)
{
    struct buf shown AUTO_BUF = {0};
    struct note_detail d = {.occurrences = true, .count = 1};
    note_detailed(w->e, true, argument_pos(w->call), &d,
                  "sample has start time that overlaps with previous sample timestamp for metric %.*s",
                  STR_FMT(note_quoted(w->e, &shown, metric_name(w->labels))));
}

/* -- anchored and smoothed ------------------------------------------------------------------------------- */

static double extended_resets(const struct window *w, size_t first, size_t end, double left, double right)
{
    double correction = 0, previous = left;
    for (size_t i = first; i < end; i++) {
        correction += w->v[i] < previous ? previous : 0;
        previous = w->v[i];
    }
    return correction + (right < previous ? previous : 0);
}

static bool extended_change(const struct window *w, bool counter, bool per_second, struct point *ret_p)
{
    size_t first, last;
    double left, right;
    bool smoothed = w->selector->smoothed;
    if (!extended_edges(w->ts, w->v, w->n, w->from, w->to, smoothed, counter, &first, &last, &left, &right) ||
        (smoothed && w->ts[first] > w->to)) {
        return false;
    }
    ret_p->v = right - left;
    if (counter) {
        first += w->ts[first] <= w->from;
        size_t end = w->ts[last] >= w->to ? last : last + 1;
        ret_p->v += extended_resets(w, first, end, left, right);
    }
    if (per_second) {
        ret_p->v /= go_seconds(w->to - w->from);
    }
    return true;
}

/* -- rate, increase, delta ------------------------------------------------------------------------------- */

/* Last minus first, plus what resets took away. */
static double raw_change(const struct window *w, bool counter)
{
    double result = w->v[w->n - 1] - w->v[0];
    bool overlap = false;
    for (size_t i = 1; i < w->n && counter; i++) {
        const ts_ms *st = w->start_ts;
        if (st && !overlap && start_time_overlaps(st[i - 1], w->ts[i - 1], st[i])) {
            note_start_overlap(w);
            overlap = true;
        }
        if (w->v[i] < w->v[i - 1] || (st && start_time_reset(st[i - 1], w->ts[i - 1], st[i], w->ts[i]))) {
            result += w->v[i - 1];
        }
    }
    return result;
}

/* The share of the window beyond the samples for which the change is extrapolated; 0: no result. */
static double extrapolation(const struct window *w, bool counter, double *result)
{
    size_t gaps = w->n - 1;
    double to_start = (double)(w->ts[0] - w->from) / 1000, to_end = (double)(w->to - w->ts[gaps]) / 1000;
    double sampled = (double)(w->ts[gaps] - w->ts[0]) / 1000, average = gaps ? sampled / (double)gaps : 0;
    double threshold = average * 1.1;
    ts_ms started = counter && w->start_ts ? w->start_ts[0] : 0;
    if (started != 0 && started > w->from && started < w->ts[0]) { /* a zero at the start time */
        to_start = 0;
        sampled = (double)(w->ts[gaps] - started) / 1000;
        *result += w->v[0];
    } else if (gaps == 0) {
        return 0;
    } else {
        to_start = to_start >= threshold ? average / 2 : to_start;
        if (counter) { /* counters do not go below zero */
            double to_zero = *result > 0 && w->v[0] >= 0 ? sampled * (w->v[0] / *result) : to_start;
            to_start = to_zero < to_start ? to_zero : to_start;
        }
    }
    to_end = to_end >= threshold ? average / 2 : to_end;
    return sampled == 0 ? 1 : (sampled + to_start + to_end) / sampled;
}

static bool extrapolated(const struct window *w, bool counter, bool per_second, struct point *ret_p)
{
    if (w->histogram_count) {
        return histogram_change(w, counter, per_second, ret_p);
    }
    if (w->selector && (w->selector->anchored || w->selector->smoothed)) {
        return extended_change(w, counter, per_second, ret_p);
    }
    double result = raw_change(w, counter), factor = extrapolation(w, counter, &result);
    if (factor == 0) {
        return false;
    }
    if (per_second) {
        factor /= go_seconds(w->to - w->from);
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
    if (w->histogram_count) {
        return histogram_instant_change(w, rate, ret_p);
    }
    if (w->n < 2) {
        return false;
    }
    size_t i = w->n - 1;
    double last = w->v[i], before = w->v[i - 1];
    ts_ms gap = w->ts[i] - w->ts[i - 1];
    bool reset = last < before || (w->start_ts && start_time_reset(w->start_ts[i - 1], w->ts[i - 1],
                                                                   w->start_ts[i], w->ts[i]));
    if (gap == 0) {
        return false;
    }
    double change = rate && reset ? last : last - before;
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

/* -- counting -------------------------------------------------------------------------------------------- */

/* Of an anchored range the newest sample at or before its start counts too, older ones do not. */
static bool first_counted(const struct window *w, size_t *ret_first)
{
    size_t before = 0;
    *ret_first = 0;
    if (!w->selector || !w->selector->anchored) {
        return true;
    }
    while (before < w->n && w->ts[before] <= w->from) {
        before++;
    }
    *ret_first = before ? before - 1 : 0;
    return before < w->n;
}

bool range_resets(const struct window *w, struct point *ret_p)
{
    size_t first;
    if (w->histogram_count) {
        return histogram_range_resets(w, ret_p);
    }
    if (!first_counted(w, &first)) {
        return false;
    }
    for (size_t i = first + 1; i < w->n; i++) {
        const ts_ms *st = w->start_ts;
        bool reset =
            w->v[i] < w->v[i - 1] || (st && start_time_reset(st[i - 1], w->ts[i - 1], st[i], w->ts[i]));
        ret_p->v += reset;
    }
    return true;
}

bool range_changes(const struct window *w, struct point *ret_p)
{
    size_t first;
    if (w->histogram_count) {
        return histogram_range_changes(w, ret_p);
    }
    if (!first_counted(w, &first)) {
        return false;
    }
    for (size_t i = first + 1; i < w->n; i++) {
        ret_p->v += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    }
    return true;
}
